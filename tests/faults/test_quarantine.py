"""A record that kills: found by the crashes of workers, set aside, and everything else answered."""

from __future__ import annotations

import random
import subprocess
import sys
from http import HTTPStatus
from pathlib import Path

import pytest

from tests.faults.fragile_worker import EXIT_CODE
from tests.harness.events import N_PARTITIONS, view
from tests.harness.judging import losses
from tests.harness.store import DeadLetter, Sent, Store
from tests.harness.trade import opening, trade
from tests.harness.waiting import until
from tests.harness.worker import COMMAND, Worker

pytestmark = [pytest.mark.broker, pytest.mark.slow]

FRAGILE = (sys.executable, "-m", "tests.faults.fragile_worker", "worker")
#: A first death, one for each sixteenth of what may be in flight, and one alone at most.
MAX_DEATHS = 6


def test_a_record_that_kills_is_found_among_thousands_and_set_aside(
    store: Store, tmp_path: Path
) -> None:
    chance = random.Random(17)
    sent = store.publish(*opening(chance), *trade(chance, 3000))
    [deadly] = store.publish(view("doomed", "deadly"))
    sent += store.publish(*trade(chance, 3000))

    n_deaths = die_until_settled(store, tmp_path)

    [letter] = store.dead_letters()
    assert 3 <= n_deaths <= MAX_DEATHS
    assert (letter.source, letter.value) == (deadly.place, deadly.record.value)
    assert letter.headers["dl-reason"] == "Quarantined"
    # Nothing else is lost, and of the doomed there is no session.
    assert losses(store, sent) == [f"({deadly.place.partition}, 'doomed') only in one of the two"]


def test_two_that_kill_in_a_row_and_innocents_beside_them(store: Store, tmp_path: Path) -> None:
    before = store.dead_letters()
    visitors = [f"quiet-{n}" for n in range(4 * N_PARTITIONS)]
    deadly = store.publish(view("twice", "deadly-1"), view("twice", "deadly-2"))
    sent = store.publish(*(view(visitor, "p1") for visitor in visitors))

    die_until_settled(store, tmp_path)

    letters = news(store, before)
    assert [letter.source for letter in letters] == [each.place for each in deadly]
    assert store.unanswered(sent) == []


def test_a_bug_that_ends_each_worker_is_set_aside_as_well(store: Store, tmp_path: Path) -> None:
    before = store.dead_letters()
    [buggy] = store.publish(view("buggy", "p1"))
    sent = store.publish(*(view(f"sound-{n}", "p1") for n in range(4 * N_PARTITIONS)))

    n_ends = die_until_settled(store, tmp_path, exit_code=1)

    [letter] = news(store, before)
    assert 3 <= n_ends <= 4
    assert (letter.source, letter.headers["dl-reason"]) == (buggy.place, "Quarantined")
    assert store.unanswered(sent) == []


@pytest.mark.parametrize("mark", ["stuck", "spinning"])
def test_a_record_at_which_workers_hang_is_set_aside_as_well(
    store: Store, tmp_path: Path, mark: str
) -> None:
    """Its loop stands still while its heartbeats go on: the worker ends itself, with its stacks."""
    before = store.dead_letters()
    [hanging] = store.publish(view(mark, "p1"))
    sent = store.publish(*(view(f"calm-{len(mark)}-{n}", "p1") for n in range(4 * N_PARTITIONS)))
    with fragile(store, tmp_path, watchdog_s=3) as worker:
        until(lambda: worker.ask("/live")[0] == HTTPStatus.OK, "it lives")
        until(lambda: worker.ask("/live", timeout_s=1)[0] != HTTPStatus.OK, "it does not live")
        worker.wait_ended()

        assert "in decode_or_die" in worker.child.log_path.read_text()

    n_ends = 1 + die_until_settled(store, tmp_path, exit_code=1, watchdog_s=3)

    [letter] = news(store, before)
    assert 3 <= n_ends <= 4
    assert (letter.source, letter.headers["dl-reason"]) == (hanging.place, "Quarantined")
    assert store.unanswered(sent) == []


def test_a_skipped_record_kills_nobody(store: Store, tmp_path: Path) -> None:
    before = store.dead_letters()
    [deadly] = store.publish(view("skipped", "deadly"))
    told = skip(store, deadly)

    with fragile(store, tmp_path) as worker:
        store.settle()
        alarm = worker.ask("/ready")
        n_counted = worker.metric("stream_quarantined_records_total", reason="Skipped")
        worker.terminate()
        code = worker.wait_ended()

    [letter] = news(store, before)
    assert code == 0
    assert f"{deadly.place.topic}.dead-letter[{deadly.place.partition}]" in told.stdout
    assert (letter.source, letter.headers["dl-reason"]) == (deadly.place, "Skipped")
    assert alarm[0] == 200
    assert f"{deadly.place.topic}[{deadly.place.partition}]@{deadly.place.offset}" in alarm[1]
    assert n_counted == 1


def test_a_record_that_the_group_has_passed_cannot_be_skipped(store: Store, tmp_path: Path) -> None:
    [passed] = store.publish(view("passed", "p1"))
    with fragile(store, tmp_path):
        store.settle()

    refused = skip(store, passed)

    assert refused.returncode == 2
    assert "not processed" in refused.stderr
    assert f"committed offset {passed.place.offset + 1}" in refused.stderr


def test_a_record_that_is_not_there_cannot_be_skipped(store: Store) -> None:
    [last] = store.publish(view("last", "p1"))
    missing = Sent(last.place._replace(offset=last.place.offset + 7), last.record)

    refused = skip(store, missing)

    assert refused.returncode == 2
    assert "expected a record at this offset" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_partition_that_is_not_there_cannot_be_skipped(store: Store) -> None:
    [last] = store.publish(view("last", "p1"))
    elsewhere = Sent(last.place._replace(partition=N_PARTITIONS), last.record)

    refused = skip(store, elsewhere)

    assert refused.returncode == 2
    assert f"not among its {N_PARTITIONS}" in refused.stderr


def die_until_settled(
    store: Store, folder: Path, *, exit_code: int = EXIT_CODE, **settings: object
) -> int:
    """Start workers, one after the other dies, until one has committed all; return the deaths."""
    n_deaths = 0
    while True:
        with fragile(store, folder, **settings) as worker:
            until(lambda: not worker.child.alive or is_settled(store), "dead or done", within_s=60)
            if worker.child.alive:
                store.settle()
                return n_deaths
            assert worker.child.returncode == exit_code, worker.tail()
            n_deaths += 1
            assert n_deaths < 3 * MAX_DEATHS, worker.tail()


def is_settled(store: Store) -> bool:
    committed = store.committed()
    store.read()
    return not store.uncommitted(committed)


def fragile(store: Store, folder: Path, **settings: object) -> Worker:
    return Worker(folder, store.bootstrap, triton=None, command=FRAGILE, **settings)


def skip(store: Store, sent: Sent) -> subprocess.CompletedProcess[str]:
    topic, partition, offset = sent.place
    return subprocess.run(
        [*COMMAND[:-1], "skip", topic, str(partition), str(offset)],
        env={"STORESTREAM_BOOTSTRAP_SERVERS": store.bootstrap},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def news(store: Store, before: list[DeadLetter]) -> list[DeadLetter]:
    """Return the dead letters that are not among those *before*: they are listed by partition."""
    return [letter for letter in store.dead_letters() if letter not in before]
