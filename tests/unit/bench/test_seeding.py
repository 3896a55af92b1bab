from __future__ import annotations

from stream.bench.seeding import stored_sessions, views
from stream.domain.applied import EVENTS_TOPIC, Source
from stream.domain.sessions import has_applied
from stream.kafka.partitioning import partition_of
from stream.state import sessions

PARTITIONS = 4


def test_each_visitor_has_one_stored_session_where_her_events_go() -> None:
    records = list(stored_sessions(200, 10, PARTITIONS))

    assert len({record.key for record in records}) == 200
    assert all(
        partition_of(record.key or b"", PARTITIONS) == record.partition for record in records
    )


def test_stored_session_has_the_interactions_asked_for() -> None:
    (record,) = stored_sessions(1, 10, PARTITIONS)

    assert len(sessions.load(record.value or b"").trail) == 10


def test_events_of_now_are_new_to_a_stored_session() -> None:
    (record,) = stored_sessions(1, 10, PARTITIONS)

    session = sessions.load(record.value or b"")
    assert not has_applied(session, Source(EVENTS_TOPIC, record.partition, 77, 0))


def test_views_are_by_visitors_who_are_there_and_the_same_for_one_seed() -> None:
    visitors = {record.key for record in stored_sessions(50, 1, PARTITIONS)}

    once, twice = (list(views(500, 50, PARTITIONS, seed=1)) for _ in range(2))

    assert once == twice
    assert {record.key for record in once} <= visitors
    assert once != list(views(500, 50, PARTITIONS, seed=2))
