"""The tracker commits what is completed, in fetch order, and nothing else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import pytest
from faust.types import TP
from hypothesis import given
from hypothesis import strategies as st

from stream.errors import TopicRecreated
from stream.kafka.records import Headers, RecordBatch
from stream.kafka.tracker import OffsetTracker

TP0 = TP("events", 0)
TP1 = TP("events", 1)


@dataclass(frozen=True)
class Record:
    offset: int
    timestamp: int = 0
    key: bytes | None = None
    value: bytes | None = b"v"
    headers: Headers = field(default=())


def make_batch(
    offsets: Sequence[int], *, generation: int = 1, tp: TP = TP0, n_bytes: int = 10
) -> RecordBatch:
    return RecordBatch(
        tp.topic, tp.partition, [Record(offset) for offset in offsets], generation, n_bytes=n_bytes
    )


def make_tracker(*batches: RecordBatch, assigned: Sequence[TP] = (TP0, TP1)) -> OffsetTracker:
    tracker = OffsetTracker(clock=lambda: 0.0)
    tracker.restart(assigned)
    for batch in batches:
        tracker.opened(batch)
    return tracker


@st.composite
def fetched(draw: st.DrawFn) -> list[RecordBatch]:
    """Batches of two partitions in fetch order, with gaps in and between them."""
    batches = []
    position = {TP0: draw(st.integers(0, 5)), TP1: draw(st.integers(0, 5))}
    for _ in range(draw(st.integers(1, 12))):
        tp = draw(st.sampled_from([TP0, TP1]))
        steps = draw(st.lists(st.integers(1, 4), min_size=1, max_size=5))
        offsets = [position[tp] + sum(steps[: n + 1]) for n in range(len(steps))]
        position[tp] = offsets[-1]
        batches.append(make_batch(offsets, tp=tp))
    return batches


def prefix_of(batches: Sequence[RecordBatch], done: set[int], tp: TP) -> int | None:
    """The next offset of *tp* by the definition: stop at the first batch not completed."""
    next_offset = None
    for n, batch in enumerate(batches):
        if TP(batch.topic, batch.partition) == tp:
            if n not in done:
                break
            next_offset = batch.last_offset + 1
    return next_offset


@given(st.data())
def test_any_order_of_completing_commits_only_the_contiguous_prefix(data: st.DataObject) -> None:
    batches = data.draw(fetched())
    order = data.draw(st.permutations(range(len(batches))))
    tracker = make_tracker(*batches)
    done: set[int] = set()

    for n in order:
        tracker.complete(batches[n])
        done.add(n)

        expected = {tp: prefix_of(batches, done, tp) for tp in (TP0, TP1)}
        assert tracker.committable() == {tp: at for tp, at in expected.items() if at is not None}


@given(st.data())
def test_completing_all_in_any_order_loses_no_offset_and_leaves_nothing_open(
    data: st.DataObject,
) -> None:
    batches = data.draw(fetched())
    tracker = make_tracker(*batches)

    for batch in data.draw(st.permutations(batches)):
        tracker.complete(batch)

    last = {TP(b.topic, b.partition): b.last_offset + 1 for b in batches}
    assert tracker.committable() == last
    assert (tracker.in_flight, tracker.bytes_in_flight, tracker.n_held(TP0)) == (0, 0, 0)


@given(st.data())
def test_what_is_committed_never_covers_an_open_batch(data: st.DataObject) -> None:
    batches = data.draw(fetched())
    completed = data.draw(st.sets(st.integers(0, len(batches) - 1)))
    answers = data.draw(st.lists(st.booleans(), min_size=len(batches), max_size=len(batches)))
    tracker = make_tracker(*batches)
    at_broker: dict[TP, int] = {}

    for n in sorted(completed, reverse=True):
        tracker.complete(batches[n])
        if answers[n]:
            at_broker.update(tracker.committable())
            tracker.committed(tracker.committable())

    open_batches = [b for n, b in enumerate(batches) if n not in completed]
    assert all(at_broker.get(TP(b.topic, b.partition), 0) <= b.first_offset for b in open_batches)


@given(st.data())
def test_completions_of_a_gone_generation_change_nothing(data: st.DataObject) -> None:
    old = data.draw(fetched())
    tracker = make_tracker(*old)
    generation = tracker.restart([TP0, TP1])
    tracker.opened(make_batch([0, 1], generation=generation))

    for batch in old:
        tracker.complete(batch)
        tracker.begin(batch)

    assert tracker.committable() == {}
    assert (tracker.in_flight, tracker.bytes_in_flight, tracker.n_begun) == (1, 10, 0)


def test_completed_batch_behind_an_open_one_stays_uncommitted() -> None:
    first, second = make_batch(range(20)), make_batch(range(40, 60))
    tracker = make_tracker(first, make_batch(range(20, 40)), second)

    tracker.complete(first)
    tracker.complete(second)

    assert tracker.committable() == {TP0: 20}


def test_offset_gap_before_an_open_batch_does_not_commit_it() -> None:
    first = make_batch([0, 1])
    tracker = make_tracker(first, make_batch([5, 6]), make_batch([9]))

    tracker.complete(first)

    assert tracker.committable() == {TP0: 2}


def test_committed_moves_only_after_the_brokers_yes() -> None:
    batch = make_batch([0, 1])
    tracker = make_tracker(batch)
    tracker.complete(batch)

    asked_twice = tracker.committable(), tracker.committable()
    tracker.committed(asked_twice[0])

    assert asked_twice == ({TP0: 2}, {TP0: 2})
    assert tracker.committable() == {}


def test_revoked_partition_is_forgotten_and_the_other_kept() -> None:
    mine, theirs = make_batch([0]), make_batch([0], tp=TP1)
    tracker = make_tracker(mine, theirs)

    tracker.revoke([TP1])
    tracker.complete(theirs)
    tracker.complete(mine)

    assert tracker.committable() == {TP0: 1}
    assert (tracker.in_flight, tracker.bytes_in_flight) == (0, 0)


def test_second_completion_counts_once() -> None:
    first, second = make_batch([0]), make_batch([1])
    tracker = make_tracker(first, second)

    tracker.complete(second)
    tracker.complete(second)

    assert (tracker.in_flight, tracker.bytes_in_flight) == (1, 10)


def test_only_begun_and_open_batches_are_waited_for() -> None:
    begun, finished, queued = make_batch([0]), make_batch([1]), make_batch([2])
    tracker = make_tracker(begun, finished, queued)

    tracker.begin(begun)
    tracker.begin(finished)
    tracker.complete(finished)

    assert tracker.n_begun == 1


def test_batches_held_back_by_an_open_one_still_count_against_their_partition() -> None:
    later = make_batch([1, 2, 3])
    tracker = make_tracker(make_batch([0]), later)

    tracker.complete(later)

    assert tracker.n_held(TP0) == 4


def test_age_is_that_of_the_oldest_open_batch() -> None:
    now = [5.0]
    tracker = OffsetTracker(clock=lambda: now[0])
    tracker.restart([TP0, TP1])
    tracker.opened(make_batch([0]))
    now[0] = 7.0
    tracker.opened(make_batch([0], tp=TP1))

    now[0] = 8.5

    assert tracker.oldest_open_s() == 3.5


@pytest.mark.parametrize(
    "batch",
    [make_batch([9], generation=2), make_batch([9], tp=TP("other", 0))],
    ids=["other-generation", "not-assigned"],
)
def test_batch_fetched_outside_the_assignment_is_refused(batch: RecordBatch) -> None:
    tracker = make_tracker(make_batch([2, 3]))

    with pytest.raises(ValueError, match="outside"):
        tracker.opened(batch)


def test_batch_behind_one_already_read_is_of_a_topic_created_again() -> None:
    tracker = make_tracker(make_batch([2, 3]))

    with pytest.raises(TopicRecreated, match="expected an offset above 3"):
        tracker.opened(make_batch([3]))
