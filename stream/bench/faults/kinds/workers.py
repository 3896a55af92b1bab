"""Faults of workers: killed, frozen, ended in order, more of them and fewer."""

from __future__ import annotations

import os
import signal

from kafka.errors import KafkaError

from stream.bench.faults.scene import Scene
from stream.errors import PartDied
from stream.local.children import Child

#: Of workers; beyond, one goes before another comes, and the other way round.
FEWEST, MOST = 1, 4
#: Two thirds more than the session lasts, so that another has taken over when it wakes.
_FROZEN_S = 10.0
#: A worker has its shutdown timeout to drain, and what Faust and Python need to end.
_TO_END_S = 15.0
#: Starting takes seconds of CPU, and the group meets again for each that comes.
_TO_JOIN_S = 60.0


def killed(here: Scene) -> None:
    """``kill -9`` of a worker."""
    _any(here).kill()


def frozen(here: Scene) -> None:
    """Stop a worker for longer than its session, then let it go on."""
    worker = _any(here)
    os.kill(worker.pid, signal.SIGSTOP)
    try:
        here.hold(_FROZEN_S)
    finally:
        os.kill(worker.pid, signal.SIGCONT)


def terminated(here: Scene) -> None:
    """Ask a worker to end: it drains and commits, so that nothing is done again; it comes back."""
    worker = _any(here)
    before = _n_repeats(here)
    os.kill(worker.pid, signal.SIGTERM)
    _expect_good_end(here, worker, before)


def removed(here: Scene) -> None:
    """Ask a worker to end, for good."""
    if here.supervisor.n_wanted <= FEWEST:
        here.supervisor.add()
        here.until_flowing()
        here.traffic.mark()
    before = _n_repeats(here)
    _expect_good_end(here, here.supervisor.remove(), before)


def added(here: Scene) -> None:
    """Let one more worker join."""
    if here.supervisor.n_wanted >= MOST:
        here.supervisor.remove()
        here.until_flowing()
        here.traffic.mark()
    here.supervisor.add()
    _wait_for_all(here)


def _wait_for_all(here: Scene) -> None:
    """Return once every worker is a member of the group, and the group has dealt its partitions."""
    group, n_wanted = here.settings.group_id, here.supervisor.n_wanted
    with here.admin() as admin:
        for _ in here.until(_TO_JOIN_S):
            try:
                found = admin.describe_groups([group])[group]
            except KafkaError:
                continue
            if found["group_state"] == "Stable" and len(found["members"]) == n_wanted:
                return
    raise PartDied(f"the group had not {n_wanted} members in {_TO_JOIN_S:.0f} s")


def _any(here: Scene) -> Child:
    for _ in here.until(_TO_END_S):
        if workers := here.supervisor.workers:
            return here.random.choice(workers)
    raise PartDied("no worker runs")


def _expect_good_end(here: Scene, worker: Child, n_repeats_before: int) -> None:
    """Raise ``PartDied`` where *worker* does not end well, or what it did is done again."""
    for _ in here.until(_TO_END_S):
        if not worker.alive:
            break
    if worker.returncode != 0:
        raise PartDied(f"{worker.name} was asked to end: {worker.returncode}")
    here.until_flowing()
    if n_again := _n_repeats(here) - n_repeats_before:
        raise PartDied(f"{n_again} outputs came again after {worker.name} had ended in order")


def _n_repeats(here: Scene) -> int:
    return here.traffic.ask(lambda books, _: sum(books.said.repeats.values()))
