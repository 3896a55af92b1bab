from __future__ import annotations

import pytest

from stream.errors import Misconfigured
from stream.planning.choice import Choice, choice_of
from tests.unit.planning.alerts import listed, make_alert

ALERTS = (
    make_alert("milk", "out_of_stock", severity="critical"),
    make_alert("milk", "demand_spike", severity="high"),
    make_alert("tea", "low_stock", severity="warning"),
    make_alert("axe", "overstock", severity="info"),
)


def kinds(choice: Choice) -> set[str]:
    return {alert.kind for alert in listed(*ALERTS, choice=choice).alerts}


@pytest.mark.parametrize(
    ("choice", "expected"),
    [
        (choice_of(), {"out_of_stock", "demand_spike", "low_stock", "overstock"}),
        (choice_of(kinds=["low_stock"]), {"low_stock"}),
        (choice_of(kinds=["low_stock", "overstock"]), {"low_stock", "overstock"}),
        (choice_of(situation="shortage"), {"out_of_stock", "low_stock"}),
        (choice_of(min_severity="high"), {"out_of_stock", "demand_spike"}),
        (choice_of(product_id="milk"), {"out_of_stock", "demand_spike"}),
        (choice_of(product_id="milk", situation="demand"), {"demand_spike"}),
        (choice_of(product_id="mil"), set()),
    ],
)
def test_alerts_are_chosen_by_kind_situation_severity_and_product(
    choice: Choice, expected: set[str]
) -> None:
    assert kinds(choice) == expected


def test_what_is_not_of_the_choice_is_counted() -> None:
    assert listed(*ALERTS, choice=choice_of(min_severity="high")).n_others == 2


@pytest.mark.parametrize(
    ("product_id", "snoozed", "expected"),
    [
        (None, None, None),
        ("milk", None, True),
        (None, True, True),
        ("milk", False, False),
    ],
)
def test_snoozed_alerts_are_shown_of_a_product_or_when_asked_for(
    product_id: str | None, snoozed: bool | None, expected: bool | None
) -> None:
    assert choice_of(product_id=product_id, snoozed=snoozed).with_snoozed is expected


def test_mistaken_names_are_refused_with_those_there_are() -> None:
    with pytest.raises(Misconfigured, match=r"--kind: Expected one of out_of_stock, .* got 'x'"):
        choice_of(kinds=["low_stock", "x"])
    with pytest.raises(Misconfigured, match="--situation: Expected one of demand, excess"):
        choice_of(situation="low_stock")
    with pytest.raises(Misconfigured, match="--min-severity: Expected one of info, warning"):
        choice_of(min_severity="HIGH")
