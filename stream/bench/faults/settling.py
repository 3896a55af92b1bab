"""The end of a run: nothing more comes, all is answered and committed, and read to its end."""

from __future__ import annotations

from collections.abc import Mapping

from kafka import KafkaConsumer, TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.errors import KafkaError

from stream.bench.faults.books import OUTPUTS, TP, Books
from stream.bench.faults.load import Load
from stream.bench.faults.scene import LOOK_S, Scene
from stream.errors import PartDied
from stream.topics import INPUTS, STOCK_MOVEMENTS

_SETTLE_S = 120.0
_READ_S = 60.0
#: With transactions the last records of a partition are markers that nobody is given.
_QUIET_S = 5.0


def settle(here: Scene, *, exactly_once: bool) -> None:
    """Stop the load, let workers finish, stop them, and read all that they left.

    What is not answered after two minutes is left to the judges.

    Raises:
        PartDied: The outputs could not be read to their end.
    """
    here.traffic.ask(lambda _, load: load.hold())
    with here.admin() as admin:
        for _ in here.until(_SETTLE_S):
            if here.traffic.ask(_is_answered) and _is_committed(here, admin):
                break
    # Only then: a clock may change an alert at any time, and what is read must fit together.
    here.supervisor.stop()
    _read_all(here, exactly_once=exactly_once)


def _is_answered(books: Books, load: Load) -> bool:
    topics = [topic.name for topic in INPUTS]
    is_sent = all(load.is_sent(topic) and books.is_settled(topic) for topic in topics)
    return is_sent and next(books.lines.unmoved(), None) is None


def _is_committed(here: Scene, admin: KafkaAdminClient) -> bool:
    group = here.settings.group_id
    try:
        offsets = admin.list_group_offsets(group)[group]
    except KafkaError:
        return False
    committed = {(at.topic, at.partition): found.offset for at, found in offsets.items()}
    ends = here.traffic.ask(_read_ends)
    return all(committed.get(at, 0) >= end for at, end in ends.items())


def _read_ends(books: Books, _: Load) -> Mapping[TP, int]:
    """Return how far workers must have come in each partition that they read."""
    ends = {at: len(book) for at, book in books.partitions.items()}
    moved = {at: end for at, end in books.next_offset.items() if at[0] == STOCK_MOVEMENTS.name}
    return {**ends, **moved}


def _read_all(here: Scene, *, exactly_once: bool) -> None:
    ends, quiet_s = _ends(here), 0.0
    before: dict[TP, int] = {}
    for _ in here.until(_READ_S):
        read = here.traffic.ask(lambda books, _: dict(books.next_offset))
        if all(read.get(at, 0) >= end for at, end in ends.items()):
            return
        quiet_s = quiet_s + LOOK_S if read == before else 0.0
        if exactly_once and quiet_s > _QUIET_S:
            return
        before = read
    raise PartDied(f"the outputs were not read to their end in {_READ_S:.0f} s")


def _ends(here: Scene) -> dict[TP, int]:
    n_partitions = here.settings.partitions
    wanted = [TopicPartition(topic.name, n) for topic in OUTPUTS for n in range(n_partitions)]
    consumer = KafkaConsumer(bootstrap_servers=list(here.settings.bootstrap))
    try:
        return {(at.topic, at.partition): end for at, end in consumer.end_offsets(wanted).items()}
    finally:
        consumer.close()
