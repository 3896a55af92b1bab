"""Telling the workers to leave out one record. Blocking, as a command line wants it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient
from kafka.errors import CoordinatorNotAvailableError, KafkaError

from stream.errors import Misconfigured, NothingToSkip

from .administration import TIMEOUT_S, list_topics, topic_ids
from .epochs import epoch_of
from .notes import SetAside, dump, set_aside_key
from .records import Place

_FETCH_BYTES = 4 * 1024 * 1024


def skip(
    place: Place,
    bootstrap: Sequence[str],
    *,
    group_id: str,
    notes: str,
    security: Mapping[str, object] | None = None,
) -> int | None:
    """Write into the topic *notes* that *place* is to be set aside by whoever reads it next.

    Returns:
        The group's committed offset of the partition, None while there is none.

    Raises:
        NothingToSkip: The group is behind the record, or there is none at that offset.
        Misconfigured: The broker does not answer, or refuses.
    """
    options = {"bootstrap_servers": list(bootstrap), **(security or {})}
    _check_topics(bootstrap, (place.topic, notes), place, security=security)
    epoch = epoch_of(topic_ids(bootstrap, [place.topic], security=security)[place.topic])
    try:
        committed = _committed(options, group_id, place)
        _check_exists(options, place)
        _write(options, notes, place, SetAside(place.offset, "Skipped", epoch=epoch))
    except KafkaError as error:
        raise Misconfigured(f"{place}: {list(bootstrap)} does not answer: {error}") from error
    return committed


def _check_topics(
    bootstrap: Sequence[str],
    names: Sequence[str],
    place: Place,
    *,
    security: Mapping[str, object] | None,
) -> None:
    """Say at once what is missing, or that nobody listens, where the other clients would wait."""
    found = {topic.name: topic for topic in list_topics(bootstrap, names, security=security)}
    for name in names:
        n_partitions = found[name].partitions if name in found else 0
        if place.partition >= n_partitions:
            raise NothingToSkip(
                f"{place}: expected a partition of {name}, got one that is not among its "
                f"{n_partitions}; see `storestream topics check`"
            )


def _committed(options: Mapping[str, Any], group_id: str, place: Place) -> int | None:
    """Return where the group is; raises ``NothingToSkip`` where it is behind *place*."""
    admin = KafkaAdminClient(**options)
    try:
        offsets = admin.list_group_offsets(group_id)[group_id]
    except CoordinatorNotAvailableError:
        return None  # a broker makes the topic of all commits when its first group comes
    finally:
        admin.close()
    found = offsets.get(TopicPartition(place.topic, place.partition))
    if found is None or found.offset < 0:
        return None
    if found.offset > place.offset:
        raise NothingToSkip(
            f"{place}: expected a record that group {group_id} has not processed, got one "
            f"before its committed offset {found.offset}: nothing is left to skip"
        )
    return int(found.offset)


def _check_exists(options: Mapping[str, Any], place: Place) -> None:
    """Fetch from the offset on: the embedded broker's answer to where a topic ends is too low."""
    at = TopicPartition(place.topic, place.partition)
    with _reading(options) as consumer:
        consumer.assign([at])
        consumer.seek(at, place.offset)
        polled = consumer.poll(timeout_ms=int(TIMEOUT_S * 1000), max_records=1).get(at, [])
    if not polled or polled[0].offset != place.offset:
        got = f"the next one at {polled[0].offset}" if polled else "none there or after it"
        raise NothingToSkip(f"{place}: expected a record at this offset, got {got}")


@contextmanager
def _reading(options: Mapping[str, Any]) -> Iterator[KafkaConsumer]:
    consumer = KafkaConsumer(
        **options,
        group_id=None,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        max_partition_fetch_bytes=_FETCH_BYTES,
        fetch_max_wait_ms=100,
    )
    try:
        yield consumer
    finally:
        consumer.close()


def _write(options: Mapping[str, Any], notes: str, place: Place, verdict: SetAside) -> None:
    producer = KafkaProducer(**options, acks="all")
    try:
        producer.send(
            notes,
            key=set_aside_key(place.topic, place.offset),
            value=dump(verdict),
            partition=place.partition,
        ).get(timeout=TIMEOUT_S)
    finally:
        producer.close()
