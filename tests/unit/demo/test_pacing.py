from __future__ import annotations

import pytest

from stream.demo.pacing import MAX_BATCH, MAX_LAG, Pace, parse_pace
from stream.errors import Misconfigured


def test_pace_is_kept_over_the_whole_run() -> None:
    assert Pace(400).due(10.0, n_sent=3_990, lag=0) == 10


def test_stall_is_caught_up_in_bounded_batches() -> None:
    assert Pace(400).due(10.0, n_sent=0, lag=0) == MAX_BATCH


def test_nothing_is_due_ahead_of_time() -> None:
    assert Pace(400).due(1.0, n_sent=401, lag=0) == 0


def test_full_speed_waits_for_the_worker() -> None:
    assert Pace(None).due(1.0, n_sent=10**6, lag=MAX_LAG) == 0
    assert Pace(None).due(1.0, n_sent=10**6, lag=0) == MAX_BATCH


@pytest.mark.parametrize("text", ["fast", "0", "-3", "nan", "inf", ""])
def test_pace_that_is_no_speed_is_refused(text: str) -> None:
    with pytest.raises(Misconfigured, match="--speed"):
        parse_pace(text)


def test_pace_is_read_from_text() -> None:
    assert (parse_pace("max"), parse_pace("400")) == (Pace(None), Pace(400.0))
