from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from stream.domain.calendar import UTC_DAYS
from stream.domain.outputs import StockAlert
from stream.planning.choice import Choice
from stream.planning.table import alerts_table, remarks
from tests.unit.builders import Record
from tests.unit.planning.alerts import listed, make_alert

HOSTILE = "\x1b]0;owned\x07\r\x9b31m\u202e\u200b[red]:boom:[/red]\n"


def shown(*alerts: StockAlert, width: int = 200) -> str:
    out = StringIO()
    table = alerts_table(alerts, UTC_DAYS, width=width)
    Console(file=out, width=width).print(table)
    return out.getvalue()


def words(*alerts: StockAlert, width: int = 200) -> str:
    return " ".join(shown(*alerts, width=width).split())


def test_alert_is_a_line_with_what_a_planner_decides_by() -> None:
    milk = make_alert(name="Whole milk", status="snoozed", snoozed_until="2017-06-03", at_risk=1234)

    line = shown(milk).splitlines()[-1]

    assert line.split() == [
        *("milk", "Whole", "milk", "stockout_risk", "high", "36", "68", "5.8", "3.5"),
        *("2017-06-06", "2017-06-04", "120", "12", "1,234.00", "2017-06-01", "2017-06-03"),
    ]


def test_what_is_not_known_is_said_and_not_taken_for_nothing() -> None:
    line = shown(
        make_alert(
            cover_p50=None, cover_p90=None, out_p50=None, out_p90=None, at_risk=None, suggested=0
        )
    ).splitlines()[-1]

    told = "milk stockout_risk high 36 68 > 1 year > 1 year - - - no price 2017-06-01"
    assert " ".join(line.split()) == told


def test_available_is_on_hand_without_what_is_reserved() -> None:
    assert " -4 " in shown(make_alert(on_hand=1, reserved=5))


@pytest.mark.parametrize("width", [200, 140, 100, 80, 60, 40])
def test_every_figure_is_whole_and_within_the_width_of_the_terminal(width: int) -> None:
    milk = make_alert(
        name="Whole milk", status="snoozed", snoozed_until="2017-06-03", at_risk=12_345.5
    )

    told = shown(milk, width=width)

    assert max(map(len, told.splitlines())) <= width
    cells = told.split()
    for cell in (
        *("milk", "Whole", "stockout_risk", "high", "36", "68", "5.8", "3.5", "120", "12"),
        *("2017-06-06", "2017-06-04", "12,345.50", "2017-06-01", "2017-06-03"),
    ):
        assert cell in cells


def test_long_name_gives_way_to_the_figures_and_is_folded() -> None:
    told = shown(make_alert("p" * 30, name="Milk from happy cows of the Black Forest"), width=80)

    assert all(each in told.split() for each in ("stockout_risk", "15.62", "2017-06-06"))
    below = told.splitlines()[3:]
    assert "".join(line.split()[0] for line in below if line.startswith("p")) == "p" * 30


def test_narrow_terminal_has_a_figure_a_line() -> None:
    lines = [" ".join(line.split()) for line in shown(make_alert(), width=40).splitlines()]

    assert lines[:4] == ["product milk", "kind stockout_risk", "severity high", "available 36"]
    assert "days of cover P90 3.5" in lines


@pytest.mark.parametrize("width", [200, 80, 40])
def test_text_from_outside_moves_no_cursor_and_is_no_markup(width: int) -> None:
    told = shown(make_alert(HOSTILE, name=HOSTILE, snoozed_until="2017-06-03\n"), width=width)

    assert all(char.isprintable() for line in told.split("\n") for char in line)
    assert r"\x1b]0;owned\x07\r\x9b31m\u202e\u200b[red]:boom:[/red]\n" in "".join(told.split())


def test_totals_close_the_list() -> None:
    alerts = [
        make_alert("milk", "out_of_stock", at_risk=1000.0),
        make_alert("milk", "demand_spike", at_risk=1000.0),
        make_alert("tea", at_risk=234.5),
        make_alert("axe", "overstock", at_risk=None),
        make_alert("pen", status="snoozed"),
    ]

    told = listed(*alerts, Record(b"?", b"?"))

    assert list(remarks(told, n_shown=3)) == [
        "alerts       4 on 3 products: 1 out_of_stock, 1 stockout_risk, 1 demand_spike, 1 overstock",
        "not shown    1 of these: --limit 4",
        "at risk      1,234.50 a day over 2 products, each once; 1 more have no price",
        "snoozed      1 more wait for their deliveries: --snoozed",
        "unreadable   1 last records in store.stock-alerts.v1",
        "as of        2017-06-01T12:00:00Z, the latest message's event time",
        "next         every figure and the reasons: storestream stock --product ID",
    ]


def test_choice_that_nothing_is_of_says_how_many_others_there_are() -> None:
    told = list(remarks(listed(make_alert(), choice=Choice(min_severity="critical")), n_shown=0))

    assert told[:2] == [
        "No present alert is of this choice.",
        "others       1 more alerts are not of this choice",
    ]


def test_empty_topic_says_that_nothing_is_present() -> None:
    [told] = remarks(listed(), n_shown=0)

    assert told.startswith("No stock alert is present")
