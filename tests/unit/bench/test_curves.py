from __future__ import annotations

import xml.etree.ElementTree as ET

from stream.bench.curves import Panel, drawn

SVG = "{http://www.w3.org/2000/svg}"
PANEL = Panel(
    "CPU <µs>", {10: [1.0, 3.0], 1000: [2.0], 100_000: [4.0]}, {10: 2, 1000: 2, 100_000: 4}
)


def test_each_run_is_a_dot_and_each_panel_has_a_line() -> None:
    root = ET.fromstring(drawn([PANEL, PANEL]))  # noqa: S314 - made one line above

    assert len(root.findall(f".//{SVG}circle")) == 8
    assert len(root.findall(f".//{SVG}polyline")) == 2


def test_sizes_stand_by_their_logarithm_and_figures_from_zero() -> None:
    root = ET.fromstring(drawn([PANEL]))  # noqa: S314 - made one line above

    line = root.find(f".//{SVG}polyline")
    assert line is not None
    points = [[float(part) for part in point.split(",")] for point in line.attrib["points"].split()]
    (left, half), (middle, _), (right, top) = points
    assert middle - left == right - middle
    assert (half, top) == (120.0, 50.0)


def test_one_size_alone_can_be_drawn() -> None:
    assert "<circle" in drawn([Panel("alone", {10: [0.0]}, {10: 0.0})])
