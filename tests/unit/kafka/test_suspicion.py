"""From the note of a dead owner to how the next one reads."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stream.kafka.notes import Begun
from stream.kafka.suspicion import Suspicion, is_culprit, suspicion_of

IN_FLIGHT = 16_000


def suspect(note: Begun | None, *, committed: int = 100, epoch: int = 1) -> Suspicion | None:
    return suspicion_of(note, committed=committed, epoch=epoch, max_in_flight=IN_FLIGHT)


@pytest.mark.parametrize(
    "note",
    [None, Begun(99, 5, 1), Begun(101, 5, 1), Begun(100, 5, 2)],
    ids=["no note", "progress since", "offsets reset", "another topic of that name"],
)
def test_progress_or_another_life_clears_every_suspicion(note: Begun | None) -> None:
    assert suspect(note) is None


def test_first_death_suspects_all_that_may_have_been_in_flight() -> None:
    assert suspect(Begun(100, 1, 1)) == Suspicion(
        until=100 + IN_FLIGHT, n_crashes=1, max_records=IN_FLIGHT // 16
    )


def test_chunk_that_was_counted_is_taken_apart() -> None:
    suspicion = suspect(Begun(100, 2, 1, n_records=33, last_offset=140))

    assert suspicion == Suspicion(until=141, n_crashes=2, max_records=3)


def test_record_that_was_begun_alone_is_known_by_its_own_offset() -> None:
    """The committed offset may lie before it: compaction and markers leave gaps."""
    suspicion = suspect(Begun(100, 2, 1, n_records=1, last_offset=107))

    assert suspicion == Suspicion(until=108, n_crashes=2, max_records=1, alone_at=107)


@pytest.mark.parametrize(
    ("n_crashes", "alone_at", "quarantine_after", "expected"),
    [(3, 7, 3, True), (2, 7, 3, False), (9, None, 3, False), (9, 7, 0, False), (1, 7, 1, True)],
)
def test_culprit_was_alone_at_the_last_of_enough_deaths(
    n_crashes: int, alone_at: int | None, quarantine_after: int, expected: bool
) -> None:
    suspicion = Suspicion(8, n_crashes, 1, alone_at)

    assert is_culprit(suspicion, quarantine_after) is expected


@given(st.integers(0, 3 * IN_FLIGHT), st.integers(1, 6))
def test_deadly_record_is_found_in_few_deaths_and_no_other_is_condemned(
    deadly: int, quarantine_after: int
) -> None:
    n_deaths, committed, note = 0, 0, None
    while True:
        suspicion = suspicion_of(note, committed=committed, epoch=0, max_in_flight=IN_FLIGHT)
        if suspicion is not None and is_culprit(suspicion, quarantine_after):
            break
        committed, note = live(suspicion, committed, deadly)
        n_deaths += 1

    assert suspicion.alone_at == deadly
    assert n_deaths <= max(quarantine_after, 5)


def live(suspicion: Suspicion | None, committed: int, deadly: int) -> tuple[int, Begun]:
    """Read on until the deadly record; return what was committed and noted by then."""
    if suspicion is None:
        # Whole flights get through; the one that the deadly record is in does not.
        behind = committed + (deadly - committed) // IN_FLIGHT * IN_FLIGHT
        return behind, Begun(behind, 1)
    width = suspicion.max_records
    behind = committed + (deadly - committed) // width * width
    n_records = min(width, suspicion.until - behind)
    return behind, Begun(behind, suspicion.n_crashes + 1, 0, n_records, behind + n_records - 1)
