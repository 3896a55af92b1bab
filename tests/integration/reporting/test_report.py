"""What came of recommendations on a broker, told on the command line and in JSON."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from stream.domain.events import Item, OrderCancelled, VisitorEvent
from stream.domain.experiments import difference, rate_of
from stream.kafka.records import OutRecord
from stream.local.broker import EmbeddedBroker
from stream.reporting.period import HOUR_MS
from stream.topics import EVENTS, ORDERS, RECOMMENDATIONS
from tests.harness.events import raw, record_of
from tests.harness.store import Store
from tests.integration.reporting.telling import Told, recommended, report
from tests.unit.builders import NOON_MS, make_order
from tests.unit.reporting.facts import make_click, make_recommendation, make_shown

pytestmark = pytest.mark.broker

HOSTILE = b'\x1b[2J{"type":\xff\r'
#: Of each variant; of these, clicked the first, bought the last.
N_VISITORS = {"a": 40, "b": 20}
N_CLICKING = {"a": 4, "b": 14}
N_BUYING = {"a": 10, "b": 2}


def story(variant: str) -> Iterator[OutRecord]:
    """Each visitor is shown two recommendations; all is sent twice, and events come first."""
    n_all, n_clicking = N_VISITORS[variant], N_CLICKING[variant]
    for n in range(n_all):
        who = f"{variant}-{n}"
        ids = [f"{who}-first", f"{who}-second"]
        said: list[VisitorEvent] = [
            make_shown(each, visitor_id=who, variant=variant, products=["milk"]) for each in ids
        ]
        if n < n_clicking:
            said.append(make_click(ids[0], visitor_id=who))
        if n >= n_all - N_BUYING[variant]:
            lines = [Item("milk", 2, price=1.25), Item("axe")]
            bought = make_order(products=lines, visitor_id=who, order_id=who)
            said.append(replace(bought, currency="EUR", occurred_at_ms=NOON_MS + HOUR_MS))
        for _ in range(2):
            yield from map(record_of, said)
            for each in ids:
                yield recommended(make_recommendation(each, visitor_id=who, variant=variant))


def strays() -> Iterator[OutRecord]:
    """Events that count for no variant, and records that are no events."""
    yield recommended(make_recommendation("stray", visitor_id="a-0"))
    yield record_of(make_shown("stray", visitor_id="a-1"))
    yield record_of(make_shown("stray", visitor_id="a-0", variant="b"))
    yield record_of(make_click("stray", visitor_id="a-0"))
    yield record_of(make_shown("forgotten", visitor_id="a-0"))
    yield record_of(make_click("a-0-first", visitor_id="a-0", product_id="axe"))
    # What was cancelled is not bought; the last of b has bought nothing then.
    cancelled = make_order(
        kind=OrderCancelled, products=[Item("milk", 2)], visitor_id="b-19", order_id="b-19"
    )
    yield record_of(cancelled)
    for topic in (EVENTS, RECOMMENDATIONS, ORDERS):
        yield raw(topic, HOSTILE, key=b"a-0")
        yield raw(topic, None, key=b"a-0")


@pytest.fixture(scope="module")
def told(store: Store, tmp_path_factory: pytest.TempPathFactory) -> Told:
    store.publish(*story("a"), *story("b"), *strays())
    return report(store.bootstrap, tmp_path_factory.mktemp("report") / "new" / "report.json")


def test_variants_are_told_with_rates_and_their_intervals(told: Told) -> None:
    assert told.code == 0, told.err
    a, b = told.report["variants"]["a"], told.report["variants"]["b"]

    assert [a[name] for name in ("visitors", "shown", "clicked", "buyers")] == [40, 80, 4, 10]
    assert [b[name] for name in ("visitors", "shown", "clicked", "buyers")] == [20, 40, 14, 1]
    rate = rate_of([(1, 2)] * 14 + [(0, 2)] * 6)
    assert rate is not None
    low, high = rate.interval
    assert b["click_through"] == pytest.approx({"share": 0.35, "low": low, "high": high})
    assert (a["revenue"], b["revenue"]) == ({"EUR": 25.0}, {"EUR": 2.5})


def test_variants_are_compared_with_the_one_that_has_most_visitors(told: Told) -> None:
    rates = [rate_of([(1, 2)] * n + [(0, 2)] * (of - n)) for n, of in ((14, 20), (4, 40))]
    b, a = [rate for rate in rates if rate is not None]
    expected = difference(b, a)
    assert expected is not None

    assert told.report["compared_with"] == "a"
    assert [*told.report["differences"]] == ["b"]
    differences = told.report["differences"]["b"]
    span = (differences["since_ms"], differences["until_ms"])
    assert span == (NOON_MS, NOON_MS + 1)
    assert (differences["visitors"], differences["visitors_compared_with"]) == (20, 40)
    assert (differences["visitors_of_both"], differences["no_verdict"]) == (0, None)
    assert differences["click_through"] == pytest.approx(
        {
            "amount": 0.3,
            "low": expected.interval.low,
            "high": expected.interval.high,
            "differs": True,
        }
    )
    assert differences["conversion"]["differs"] is False


def test_what_counts_for_no_variant_is_told(told: Told) -> None:
    assert told.report["left_out"] == {
        "unknown_recommendation": 1,
        "another_visitors": 1,
        "other_variant": 1,
        "clicked_and_not_shown": 1,
        "clicked_another_product": 1,
    }
    unreadable = told.report["unreadable"]
    assert unreadable == {EVENTS.name: 2, RECOMMENDATIONS.name: 2, ORDERS.name: 2}
    assert told.report["read"][EVENTS.name] == 2 * (120 + 18) + 5 + 2


def test_tables_say_the_same_to_people(told: Told) -> None:
    lines = [" ".join(line.replace("│", "|").split()) for line in told.out.splitlines()]

    a, b, compared = [line for line in lines if line.startswith(("| a |", "| b |"))]
    assert a.startswith("| a | 40 | 80 | 0.0% | 4 | 5.00% |")
    assert a.endswith("| 25.00 EUR |")
    assert b.startswith("| b | 20 | 40 | 0.0% | 14 | 35.00% |")
    assert compared.startswith("| b | 0.0 h | 20 | 40 | +30.00 | +")
    assert " | yes | -20.00 | " in compared
    assert compared.endswith(" | no |")
    assert "left out 1 name a recommendation for another visitor" in lines
    assert f"unreadable 2 records of {ORDERS.name}" in lines


def test_window_and_period_bound_what_counts(store: Store, told: Told, tmp_path: Path) -> None:
    short = report(store.bootstrap, tmp_path / "short.json", "--window-hours", "0.5")
    before = report(store.bootstrap, tmp_path / "before.json", "--until", "2017-06-01T12:00")
    after = report(store.bootstrap, tmp_path / "after.json", "--since", "2017-06-01T12:00:00.001")

    assert [short.report["variants"][name]["buyers"] for name in ("a", "b")] == [0, 0]
    assert short.report["window_open"] == 0
    assert told.report["window_open"] == 120
    for run in (before, after):
        assert (run.code, run.report["variants"], run.report["compared_with"]) == (0, {}, None)
        assert "Nothing was shown in the period." in run.out


def test_more_shown_than_may_be_held_is_a_sample_and_says_so(
    store: Store, told: Told, tmp_path: Path
) -> None:
    shown = [
        make_shown(f"many-{n}", visitor_id=f"many-{n}", at_ms=NOON_MS + 7 * 24 * HOUR_MS)
        for n in range(1_500)
    ]
    answers = [
        make_recommendation(f"many-{n}", visitor_id=f"many-{n}", variant="\x1b[2J[b]evil")
        for n in range(1_500)
    ]
    store.publish(*map(record_of, shown), *map(recommended, answers))

    run = report(store.bootstrap, tmp_path / "r.json", "--at-most", "1000", "--since", "2017-06-08")

    [arm] = run.report["variants"].values()
    assert run.report["one_visitor_in"] == 2
    assert 650 <= arm["visitors"] <= 850
    assert "One visitor in 2 was looked at" in run.out
    assert r"\x1b[2J[b]evil" in run.out
    assert "\x1b" not in run.out


def test_event_of_the_future_is_one_of_its_append(store: Store, tmp_path: Path) -> None:
    store.publish(
        recommended(make_recommendation("future")),
        record_of(make_shown("future", at_ms=NOON_MS + 200 * 365 * 24 * HOUR_MS)),
    )

    of_then = report(store.bootstrap, tmp_path / "then.json", "--since", "2200-01-01")
    of_now = report(store.bootstrap, tmp_path / "now.json", "--since", "1h")

    assert of_then.report["variants"] == {}
    assert of_now.report["variants"]["a"]["shown"] == 1


def test_broker_without_the_topics_and_no_broker_are_told(tmp_path: Path) -> None:
    broker = EmbeddedBroker(tmp_path)
    broker.start()
    without_topics = report(broker.bootstrap, tmp_path / "r.json")
    broker.stop()
    gone = report(broker.bootstrap, tmp_path / "r.json")

    assert (without_topics.code, gone.code) == (2, 2)
    assert "`storestream topics create`" in without_topics.err
    assert "No broker answers" in gone.err
    assert "Traceback" not in without_topics.err + gone.err
