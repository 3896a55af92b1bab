"""The command's work: every policy at equal stock, and a report of what each lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import numpy as np
import pytest

from stream.evaluation.stock import run_evaluate_stock
from stream.evaluation.stock_report import Asked
from stream.evaluation.stock_trials import AT_STOCKY, LEVELS, OURS, ROLLING, SAFETY, STOCKY
from tests.unit.evaluation.series_files import line, lines_file

pytestmark = pytest.mark.slow

N_DAYS, N_PRODUCTS, N_STEPS = 210, 15, 30
SVG = "{http://www.w3.org/2000/svg}"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("stock")


@pytest.fixture(scope="module")
def dataset(folder: Path) -> Path:
    """Write half a year of a shop that is closed on Saturdays."""
    units = np.random.default_rng(6).negative_binomial(2, 0.25, (N_PRODUCTS, N_DAYS))
    lines = [
        line(day, int(units[product, day]), stock_code=f"{product:05}")
        for product in range(N_PRODUCTS)
        for day in range(N_DAYS)
        if day % 7 != 5 and units[product, day]
    ]
    return lines_file(folder, lines)


def run(dataset: Path, report: Path) -> dict[str, Any]:
    asked = Asked((dataset,), seed=1, n_steps=N_STEPS)
    assert run_evaluate_stock(asked, report=report) == 0
    told: dict[str, Any] = json.loads(report.read_text())
    return told


@pytest.fixture(scope="module")
def told(dataset: Path, folder: Path) -> dict[str, Any]:
    return run(dataset, folder / "report.json")


def test_the_ratio_is_ours_over_the_better_rule_with_its_interval(told: dict[str, Any]) -> None:
    assert told["units_lost_ratio_low"] < told["units_lost_ratio"] < told["units_lost_ratio_high"]
    assert told["better_rule"] in (STOCKY, SAFETY, ROLLING)
    lost = {
        name: sum(
            contest["policies"][name]["units_lost"][0]
            for contest in told["datasets"]["lines"]["contests"]
            if contest["at_equal_mean_stock"] == told["at_equal_mean_stock"]
        )
        for name in (STOCKY, SAFETY, ROLLING, OURS)
    }
    best = min(lost[name] for name in (STOCKY, SAFETY, ROLLING))
    assert lost[told["better_rule"]] == best
    assert told["units_lost_ratio"] == pytest.approx(lost[OURS] / best)


def test_every_policy_keeps_the_same_stock(told: dict[str, Any]) -> None:
    contests = told["datasets"]["lines"]["contests"]

    assert [contest["lead_days"] for contest in contests] == [
        lead for lead in (3, 7, 14) for _ in LEVELS
    ]
    for contest in contests:
        stocks = [each["mean_stock"] for each in contest["policies"].values()]
        assert stocks == pytest.approx([contest["mean_stock"]] * len(stocks), rel=0.03)


def test_stocky_s_rule_is_as_it_is_where_it_sets_the_stock_and_multiplied_elsewhere(
    told: dict[str, Any],
) -> None:
    for contest in told["datasets"]["lines"]["contests"]:
        times = contest["policies"][STOCKY]["setting"]
        assert times is None if contest["at_equal_mean_stock"] == AT_STOCKY else times > 0


def test_each_level_of_stock_has_its_ratio(told: dict[str, Any]) -> None:
    by_level = told["by_level_of_stock"]
    assert [*by_level] == [*LEVELS]
    on_top = by_level[told["at_equal_mean_stock"]]
    assert on_top == {name: told[name] for name in on_top}


def test_lead_times_are_said_to_be_assumed(told: dict[str, Any]) -> None:
    assert told["assumed"]["lead_days"] == [3, 7, 14]
    assert "assumed" in told["assumed"]["told"]


def test_a_panel_has_a_bar_with_its_interval_for_each_policy_and_lead_time(
    told: dict[str, Any], folder: Path
) -> None:
    root = ET.fromstring((folder / "report.svg").read_text())  # noqa: S314 - ours

    panels = root.findall(f"{SVG}g")[: len(LEVELS)]
    assert [len(panel.findall(f"{SVG}rect")) for panel in panels] == [3 * 4] * len(LEVELS)
    assert [len(panel.findall(f"{SVG}path")) for panel in panels] == [3 * 4 + 1] * len(LEVELS)


def test_a_seed_has_one_report(told: dict[str, Any], dataset: Path, folder: Path) -> None:
    assert run(dataset, folder / "again.json") == told
