from __future__ import annotations

from stream.bench.contestants import ours
from stream.bench.measuring import Measured
from stream.settings import Settings


def test_ours_answers_what_it_reads() -> None:
    contestant = ours(Settings())

    names = {topic.name for topic in contestant.topics}

    assert {contestant.events, contestant.answers} <= names


def test_rate_counts_answers_between_the_first_and_the_last() -> None:
    assert Measured(n_answers=3_000, n_covered=3_000, seconds=1.5).events_per_s == 2_000
    assert Measured(n_answers=0, n_covered=0, seconds=0.0).events_per_s == 0


def test_rate_leaves_out_the_answers_that_the_clock_started_with() -> None:
    run = Measured(n_answers=3_000, n_covered=3_000, seconds=1.0, n_first=1_000)

    assert run.events_per_s == 2_000
