"""Figures drawn against a size that grows by tens, as SVG: a panel a figure, side by side."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from math import log10

_WIDTH, _HEIGHT = 320, 240
_LEFT, _TOP, _PLOT_WIDTH, _PLOT_HEIGHT = 50, 50, 240, 140
_HEAD = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
    'font-family="sans-serif" font-size="12" text-anchor="middle">'
)


@dataclass(frozen=True, slots=True)
class Panel:
    """One figure at each size: all runs as dots, a line through ``middle``; zero is at the foot."""

    title: str
    runs: Mapping[int, Sequence[float]]
    middle: Mapping[int, float]


def drawn(panels: Sequence[Panel]) -> str:
    """Return *panels* as one SVG document."""
    lines = [_HEAD.format(width=_WIDTH * len(panels), height=_HEIGHT)]
    lines.append('<rect width="100%" height="100%" fill="white"/>')
    for place, panel in enumerate(panels):
        lines.append(f'<g transform="translate({place * _WIDTH} 0)">')
        lines += _panel(panel)
        lines.append("</g>")
    return "\n".join([*lines, "</svg>", ""])


def _panel(panel: Panel) -> Iterator[str]:
    top = max(max(runs) for runs in panel.runs.values()) or 1.0
    foot = _TOP + _PLOT_HEIGHT
    yield f'<text x="{_WIDTH / 2}" y="24" font-size="14">{escape(panel.title)}</text>'
    yield (f'<path d="M{_LEFT} {_TOP}V{foot}H{_LEFT + _PLOT_WIDTH}" fill="none" stroke="#888888"/>')
    for value, y in ((top, _TOP), (0.0, foot)):
        yield f'<text x="{_LEFT - 6}" y="{y + 4}" text-anchor="end">{_short(value)}</text>'
    places = {size: _across(size, tuple(panel.runs)) for size in panel.runs}
    for size, x in places.items():
        yield f'<text x="{x:.1f}" y="{foot + 20}">{size:,}</text>'
        for run in panel.runs[size]:
            yield f'<circle cx="{x:.1f}" cy="{_up(run, top):.1f}" r="3" fill="#9ab8d8"/>'
    through = " ".join(f"{places[n]:.1f},{_up(y, top):.1f}" for n, y in panel.middle.items())
    yield f'<polyline points="{through}" fill="none" stroke="#1f5a96" stroke-width="2"/>'


def _across(size: int, sizes: Sequence[int]) -> float:
    """Where *size* stands: sizes stand by their logarithm, a single one in the middle."""
    first, last = log10(min(sizes)), log10(max(sizes))
    share = (log10(size) - first) / (last - first) if last > first else 0.5
    return _LEFT + 30 + share * (_PLOT_WIDTH - 60)


def _up(value: float, top: float) -> float:
    return _TOP + _PLOT_HEIGHT * (1 - value / top)


def _short(value: float) -> str:
    return f"{value / 1000:.0f}k" if value >= 10_000 else f"{value:.0f}"
