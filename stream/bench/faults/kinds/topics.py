"""Faults of input topics: created again, or with other partitions than those they go with.

What a topic holds is gone with it, so the load on it pauses first, until all is answered and
committed; the others go on.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

from stream.bench.faults.scene import Scene
from stream.errors import PartDied
from stream.kafka.administration import create_topics, topic_ids
from stream.topics import EVENTS, INPUTS, ORDERS
from stream.wanted_topics import wanted_topics

_DRAIN_S = 60.0
_GONE_S = 30.0
_REFUSAL_S = 60.0
_REFUSAL = "TopicMismatch"


def recreated(here: Scene) -> None:
    """Delete an input topic, and create it again: its offsets begin again."""
    topic = here.random.choice(INPUTS).name
    with _drained(here, topic):
        here.traffic.mark()
        _create_again(here, topic)


def partitions_added(here: Scene) -> None:
    """Give one of two co-partitioned topics more partitions: workers must refuse to go on.

    Keys would lie in other places than their state. Nothing is answered until the topic is created
    again with the right number.
    """
    topic = here.random.choice((EVENTS, ORDERS)).name
    with _drained(here, topic):
        here.traffic.mark()
        workers = {worker.name for worker in here.supervisor.workers}
        with here.admin() as admin:
            admin.create_partitions({topic: here.settings.partitions + 1})
        refused = _refusals(here, workers)
        _create_again(here, topic)
    if stubborn := workers - refused:
        raise PartDied(f"more partitions of {topic} were not refused by {sorted(stubborn)}")


def _refusals(here: Scene, workers: set[str]) -> set[str]:
    """Return which of *workers* have ended and said why, once all have or time is up."""
    refused: set[str] = set()
    for _ in here.until(_REFUSAL_S):
        refused = {
            ending.worker
            for ending in here.supervisor.endings
            if ending.worker in workers and ending.code > 0 and _REFUSAL in ending.tail()
        }
        if refused == workers:
            break
    return refused


@contextmanager
def _drained(here: Scene, topic: str) -> Iterator[None]:
    """Pause the load on *topic* and wait until all of it is done with; then let it go on.

    Raises:
        PartDied: It takes too long.
    """
    here.traffic.ask(lambda _, load: load.pause(topic))
    with here.admin() as admin:
        for _ in here.until(_DRAIN_S):
            if _is_done(here, topic) and _is_committed(here, admin, topic):
                break
        else:
            # Created again nevertheless, it would lose events, and the fault be ours.
            here.traffic.ask(lambda _, load: load.unpause(topic))
            raise PartDied(f"{topic} was not answered and committed in {_DRAIN_S:.0f} s")
    yield
    epoch = _epoch(here, topic)
    here.traffic.tell(lambda load: load.resume(topic, epoch))


def _epoch(here: Scene, topic: str) -> int:
    """Return the epoch of *topic*; a node that has not heard of it yet knows none."""
    for _ in here.until(_GONE_S):
        if epoch := here.epochs()[topic]:
            return epoch
    raise PartDied(f"{topic} was not known in {_GONE_S:.0f} s after it was created again")


def _is_done(here: Scene, topic: str) -> bool:
    return here.traffic.ask(lambda books, load: load.is_sent(topic) and books.is_settled(topic))


def _is_committed(here: Scene, admin: KafkaAdminClient, topic: str) -> bool:
    group = here.settings.group_id
    try:
        offsets = admin.list_group_offsets(group)[group]
    except KafkaError:
        return False
    committed = {at.partition: found.offset for at, found in offsets.items() if at.topic == topic}
    ends = here.traffic.ask(lambda books, _: books.ends(topic))
    return all(committed.get(partition, 0) >= end for partition, end in ends.items())


def _create_again(here: Scene, topic: str) -> None:
    bootstrap = here.settings.bootstrap
    with here.admin() as admin:
        admin.delete_topics([topic])
    for _ in here.until(_GONE_S):
        if topic_ids(bootstrap, [topic])[topic] is None:
            break
    else:
        raise PartDied(f"{topic} was not gone in {_GONE_S:.0f} s after it was deleted")
    create_topics(bootstrap, [each for each in wanted_topics(here.settings) if each.name == topic])
