from __future__ import annotations

from io import StringIO

import pytest
from rich.console import Console

from stream.domain.outputs import LocationFigures, StockAlert, StockFigures
from stream.planning.figures import figures_of
from tests.unit.planning.alerts import make_alert

HOSTILE = "\x1b[2J\r\u202e[b]evil[/b]"


def shown(alert: StockAlert, width: int = 100) -> str:
    out = StringIO()
    Console(file=out, width=width).print(figures_of(alert))
    return out.getvalue()


def test_every_field_and_every_figure_is_shown_by_its_name() -> None:
    told = shown(make_alert(name="Whole milk"))

    named = {line.split()[0] for line in told.splitlines() if line.strip()}
    fields = {*StockAlert.__struct_fields__, *StockFigures.__struct_fields__}
    assert fields - named == {"product_id", "name", "explanation", "figures", "locations"}
    assert "stockout_risk, high: milk  Whole milk" in told


def test_figures_are_not_rounded_to_what_does_not_add_up() -> None:
    lines = {" ".join(line.split()) for line in shown(make_alert(at_risk=1234.5625)).splitlines()}

    assert {"daily_demand 6.25", "lead_time_days 7", "revenue_at_risk_per_day 1,234.5625"} <= lines
    assert {"opened_at_ms 2017-06-01T12:00:00.000Z", "degraded no", "on_hand 40"} <= lines


def test_absent_figure_says_what_its_absence_means() -> None:
    told = shown(make_alert(cover_p50=None, at_risk=None))

    lines = {" ".join(line.split()) for line in told.splitlines()}
    assert {"days_of_cover_p50 more than a year", "revenue_at_risk_per_day no price"} <= lines


@pytest.mark.parametrize("width", [40, 100])
def test_whole_explanation_is_told_folded_between_words(width: int) -> None:
    explanation = "Six and thirty can be sold, six wanted a day. " * 30

    told = shown(make_alert(explanation=explanation), width)

    assert " ".join(explanation.split()) in " ".join(told.split())
    assert max(map(len, told.splitlines())) <= width


def test_locations_are_listed_and_bounded() -> None:
    locations = tuple(LocationFigures(f"shelf-{n}", n, 1, 2, n != 1) for n in range(250))

    told = [" ".join(line.split()) for line in shown(make_alert(locations=locations)).splitlines()]

    assert {"shelf-1 1 1 2 no", "shelf-199 199 1 2 yes", "and 50 more: --json"} <= set(told)
    assert not any("shelf-200" in line for line in told)


def test_text_from_outside_moves_no_cursor_and_is_no_markup() -> None:
    locations = (LocationFigures(HOSTILE, 1, 0, 0),)

    told = shown(make_alert(name=HOSTILE, explanation=HOSTILE, locations=locations))

    assert all(char.isprintable() for line in told.split("\n") for char in line)
    assert told.count(r"\x1b[2J\r\u202e[b]evil[/b]") == 3
