from __future__ import annotations

import pytest

from stream.domain.rollouts import Rollout, Trial
from stream.lifecycle.listing import figures, role_of

ROLLOUT = Rollout(
    model="recommender",
    revision=3,
    version="3",
    canary=Trial("4", 0.125),
    shadow="5",
    previous="2",
    decided_at_ms=0,
)


@pytest.mark.parametrize(
    ("version", "role"),
    [("1", ""), ("2", "previous"), ("3", "answering"), ("4", "canary 12.5 %"), ("5", "shadow")],
)
def test_the_role_is_what_was_decided(version: str, role: str) -> None:
    assert role_of(ROLLOUT, version, ("1", "2", "3", "4", "5")) == role


def test_without_a_decision_the_newest_that_is_served_answers() -> None:
    roles = [role_of(None, version, ("9", "10")) for version in ("9", "10", "11")]

    assert roles == ["", "answering, nothing decided", ""]


def test_of_a_report_the_numbers_are_shown() -> None:
    report = {"hr_at_10": 0.123456, "seed": 7, "data": "ab12", "quick": True, "parts": [1]}

    assert figures(report) == "hr_at_10 0.1235, seed 7"
