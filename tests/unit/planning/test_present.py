from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from stream.codec import encode
from stream.domain.outputs import AlertStatus
from stream.planning.choice import Choice
from stream.planning.present import Present
from stream.topics import STOCK_ALERTS
from tests.unit.builders import NOON_MS, Record
from tests.unit.planning.alerts import listed, make_alert, record_of, tombstone_of


def ids(*records: Record, choice: Choice | None = None) -> list[str]:
    return [alert.product_id for alert in listed(*records, choice=choice).alerts]


def test_last_record_of_each_key_counts() -> None:
    first, second = make_alert(at_risk=1.0), make_alert(at_risk=2.0, status="updated")

    told = listed(first, make_alert("tea"), second)

    assert [(alert.product_id, alert.status) for alert in told.alerts] == [
        ("tea", "opened"),
        ("milk", "updated"),
    ]


def test_product_has_an_alert_of_each_situation() -> None:
    told = listed(make_alert(kind="out_of_stock"), make_alert(kind="demand_spike"))

    assert {alert.kind for alert in told.alerts} == {"out_of_stock", "demand_spike"}


def test_what_is_deleted_is_not_present_and_may_come_back() -> None:
    milk = make_alert()

    assert listed(milk, tombstone_of(milk)).alerts == []
    assert listed(milk, tombstone_of(milk), milk).alerts == [milk]
    assert listed(tombstone_of(milk)).n_unreadable == 0


def test_what_is_resolved_is_not_present_and_may_open_again() -> None:
    milk = make_alert()
    resolved = replace(milk, status="resolved")

    assert listed(milk, resolved).alerts == []
    assert listed(milk, resolved, milk).alerts == [milk]


def test_what_costs_most_comes_first_and_what_has_no_price_last() -> None:
    told = listed(
        make_alert("unpriced", severity="critical", at_risk=None),
        make_alert("nothing", severity="critical", at_risk=0.0),
        make_alert("some", at_risk=9.5),
        make_alert("most", severity="info", at_risk=10.0),
    )

    assert [alert.product_id for alert in told.alerts] == ["most", "some", "nothing", "unpriced"]


def test_of_equal_revenue_the_severest_comes_first_then_the_shortest_cover() -> None:
    told = listed(
        make_alert("lasting", cover_p50=None),
        make_alert("long", cover_p50=9.0),
        make_alert("short", cover_p50=2.0),
        make_alert("severe", severity="critical", cover_p50=None),
        make_alert("mild", severity="info", cover_p50=0.0),
    )

    order = ["severe", "short", "long", "lasting", "mild"]
    assert [alert.product_id for alert in told.alerts] == order


@given(st.permutations(["a", "b", "c", "d"]))
def test_order_does_not_depend_on_that_of_the_topic(order: list[str]) -> None:
    assert ids(*(record_of(make_alert(each)) for each in order)) == ["a", "b", "c", "d"]


@pytest.mark.parametrize("value", [b"not JSON", b"", b"{}", b"\xff", b"[" * 100_000])
def test_last_record_that_cannot_be_read_is_counted_and_hides_what_was_before(
    value: bytes,
) -> None:
    milk = record_of(make_alert())

    told = listed(milk, Record(value, milk.key), record_of(make_alert("tea")))

    assert [alert.product_id for alert in told.alerts] == ["tea"]
    assert told.n_unreadable == 1
    assert listed(milk, Record(value, milk.key), milk).n_unreadable == 0


def test_alert_without_a_key_or_under_another_s_is_unreadable() -> None:
    value = encode(make_alert())

    told = listed(Record(value, None), Record(value, b"milk"), Record(value, b"demand/milk"))

    assert (told.alerts, told.n_unreadable) == ([], 3)


def test_of_a_key_in_two_partitions_the_record_appended_last_counts() -> None:
    old, new = make_alert(), make_alert(status="updated")
    present = Present()

    present.take(record_of(new, appended_ms=NOON_MS + 1), STOCK_ALERTS.name, 3)
    present.take(record_of(old, appended_ms=NOON_MS), STOCK_ALERTS.name, 1)

    assert present.listed(Choice()).alerts == [new]


def test_list_is_as_of_the_latest_message_also_where_it_ends_an_alert() -> None:
    resolved = make_alert("tea", status="resolved", occurred_at_ms=NOON_MS + 5)

    assert listed(resolved, make_alert()).as_of_ms == NOON_MS + 5
    assert listed().as_of_ms is None


@pytest.mark.parametrize("status", ["opened", "updated"])
def test_snoozed_alerts_are_counted_and_left_out_unless_asked_for(status: AlertStatus) -> None:
    snoozed = make_alert("tea", status="snoozed", snoozed_until="2017-06-09")
    alerts = [make_alert(status=status), snoozed]

    without, with_them = listed(*alerts), listed(*alerts, choice=Choice(with_snoozed=True))

    assert [alert.product_id for alert in without.alerts] == ["milk"]
    assert (without.n_snoozed, without.n_others) == (1, 0)
    assert {alert.product_id for alert in with_them.alerts} == {"milk", "tea"}
    assert with_them.n_snoozed == 0


@pytest.mark.parametrize(("snoozed", "n_shown"), [(None, 1), (False, 0), (True, 2)])
def test_what_cannot_be_sold_is_shown_though_it_is_snoozed(
    snoozed: bool | None, n_shown: int
) -> None:
    until = "2017-06-09"
    gone = make_alert("tea", status="snoozed", snoozed_until=until, severity="critical")
    risk = make_alert("pen", status="snoozed", snoozed_until=until, severity="high")

    assert len(listed(gone, risk, choice=Choice(with_snoozed=snoozed)).alerts) == n_shown
