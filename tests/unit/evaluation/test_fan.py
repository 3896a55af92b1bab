from __future__ import annotations

from xml.etree import ElementTree as ET

import numpy as np

from stream.evaluation.fan import fans
from stream.evaluation.steady import Empirical
from tests.unit.evaluation.series_files import make_series

SVG = "{http://www.w3.org/2000/svg}"


def test_each_panel_has_a_band_for_each_pair_of_levels_and_a_dot_for_each_known_step() -> None:
    units = np.random.default_rng(2).poisson(2.0, (40, 12))
    units[:, 5] = -1
    series = make_series(units)

    root = ET.fromstring(fans(series, Empirical(8).forecast(series.known, series.steps)))  # noqa: S314 - ours

    panels = root.findall(f"{SVG}g")
    assert len(panels) == 4
    for panel in panels:
        assert len(panel.findall(f"{SVG}polygon")) == 4
        assert len(panel.findall(f"{SVG}polyline")) == 1
        assert len(panel.findall(f"{SVG}circle")) == 4 + 4 - 1


def test_the_largest_seller_comes_first() -> None:
    units = np.ones((10, 12))
    units[7] = 5
    series = make_series(units)

    root = ET.fromstring(fans(series, Empirical(8).forecast(series.known, series.steps)))  # noqa: S314 - ours

    first = root.findall(f"{SVG}g")[0].findall(f"{SVG}text")[0]
    assert first.text == "7"
