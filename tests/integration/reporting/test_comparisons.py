"""A canary begun late, told on the command line and in JSON."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from stream.kafka.records import OutRecord
from stream.reporting.period import HOUR_MS
from tests.harness.events import record_of
from tests.harness.store import Store
from tests.integration.reporting.telling import recommended, report
from tests.unit.builders import NOON_MS, make_order
from tests.unit.reporting.facts import make_recommendation, make_shown

pytestmark = pytest.mark.broker

DAY_MS = 24 * HOUR_MS


def late_canary() -> Iterator[OutRecord]:
    """Everybody is shown a for three days, but on the third twelve b, three both and two evil."""
    variants = {
        **{f"base-{n}": ["a", "a", "a", "a"] for n in range(15)},
        **{f"canary-{n}": ["a", "a", "b"] for n in range(12)},
        **{f"both-{n}": ["a", "a", "a", "b"] for n in range(3)},
        **{f"few-{n}": ["a", "a", "\x1b[2J"] for n in range(2)},
    }
    for who, shown in variants.items():
        for n, variant in enumerate(shown):
            at_ms = NOON_MS + min(n, 2) * DAY_MS + (n == 3)
            yield record_of(make_shown(f"{who}-{n}", visitor_id=who, at_ms=at_ms))
            answer = make_recommendation(f"{who}-{n}", visitor_id=who, variant=variant)
            yield recommended(answer)
        # All buy on the first day, when nobody was shown b.
        bought = make_order(products=["milk"], visitor_id=who, order_id=who)
        yield record_of(replace(bought, occurred_at_ms=NOON_MS + 1))


def test_variants_are_compared_over_the_time_in_which_both_were_shown(
    store: Store, tmp_path: Path
) -> None:
    store.publish(*late_canary())

    run = report(store.bootstrap, tmp_path / "report.json")

    of_b, of_evil = (run.report["differences"][variant] for variant in ("b", "\x1b[2J"))
    assert run.report["variants"]["a"]["buyers"] == 32
    assert of_b["conversion"]["differs"] is False
    assert of_b["since_ms"] == NOON_MS + 2 * DAY_MS
    assert of_b["until_ms"] == NOON_MS + 2 * DAY_MS + 2
    names = ("visitors", "visitors_compared_with", "visitors_of_both")
    assert [of_b[name] for name in names] == [12, 15, 3]
    assert (of_evil["click_through"]["differs"], of_evil["no_verdict"]) == (None, "few_visitors")
    assert "in both      3 visitors of b and a at one time are not compared" in run.out
    assert r"no verdict   on \x1b[2J: fewer than 10 visitors" in run.out
    assert "\x1b" not in run.out
