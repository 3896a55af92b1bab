"""A forecast as a fan, P10 to P90, over what came; a panel a series, as SVG."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape

import numpy as np
from numpy.typing import NDArray

from stream.evaluation.forecast_quality import Quantiles
from stream.evaluation.series import Series, Units
from stream.model_specs import QUANTILES

#: The series drawn: ranks by units sold before what is held out, as shares of all series.
_RANKS = (0.0, 0.05, 0.2, 0.5)
_WIDTH, _HEIGHT = 320, 240
_LEFT, _TOP, _PLOT_WIDTH, _PLOT_HEIGHT = 50, 50, 250, 150
_MEDIAN = QUANTILES.index(0.5)
_HEAD = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
    'font-family="sans-serif" font-size="12" text-anchor="middle">'
)

_Numbers = NDArray[np.float64]


def fans(series: Series, forecast: Quantiles) -> str:
    """Return some series, large sellers and small ones, as one SVG document.

    They are taken by how much they sold before, whatever came: none is chosen for looking well.
    """
    sold = series.known.clip(min=0).sum(axis=1)
    ranks = [int(share * (len(sold) - 1)) for share in _RANKS]
    rows = np.argsort(-sold, kind="stable")[ranks].tolist()
    lines = [_HEAD.format(width=_WIDTH * len(rows), height=_HEIGHT)]
    lines.append('<rect width="100%" height="100%" fill="white"/>')
    for place, row in enumerate(rows):
        before = series.known[row, -series.steps.horizon :]
        lines.append(f'<g transform="translate({place * _WIDTH} 0)">')
        lines.append(
            f'<text x="{_WIDTH / 2}" y="24" font-size="14">{escape(series.ids[row])}</text>'
        )
        lines += _fan(before, series.actual[row], forecast[row])
        lines.append(f'<text x="{_WIDTH / 2}" y="{_HEIGHT - 12}">{series.steps.name}s</text>')
        lines.append("</g>")
    return "\n".join([*lines, "</svg>", ""])


def _fan(before: Units, actual: Units, forecast: Quantiles) -> Iterator[str]:
    top = max(float(before.max()), float(actual.max()), float(forecast.max()), 1.0)
    foot, n_before = _TOP + _PLOT_HEIGHT, len(before)
    x = _LEFT + (np.arange(n_before + len(actual)) + 0.5) * _PLOT_WIDTH / (n_before + len(actual))
    ahead = x[n_before:]
    yield f'<path d="M{_LEFT} {_TOP}V{foot}H{_LEFT + _PLOT_WIDTH}" fill="none" stroke="#888888"/>'
    for value, y in ((top, _TOP), (0.0, foot)):
        yield f'<text x="{_LEFT - 6}" y="{y + 4}" text-anchor="end">{value:,.0f}</text>'
    for low in range(_MEDIAN):
        bottom, upper = _up(forecast[:, low], top), _up(forecast[:, -1 - low], top)
        around = _points(
            np.concatenate((ahead, ahead[::-1])), np.concatenate((bottom, upper[::-1]))
        )
        yield f'<polygon points="{around}" fill="#1f5a96" fill-opacity="0.18"/>'
    median = _points(ahead, _up(forecast[:, _MEDIAN], top))
    yield f'<polyline points="{median}" fill="none" stroke="#1f5a96" stroke-width="2"/>'
    for at, units in zip(x.tolist(), np.concatenate((before, actual)).tolist(), strict=True):
        if units >= 0:
            up = float(_up(np.array([units], dtype=np.float32), top)[0])
            yield f'<circle cx="{at:.1f}" cy="{up:.1f}" r="2" fill="#222222"/>'


def _up(units: NDArray[np.float32], top: float) -> _Numbers:
    up: _Numbers = _TOP + _PLOT_HEIGHT * (1 - np.asarray(units, dtype=float) / top)
    return up


def _points(x: _Numbers, y: _Numbers) -> str:
    return " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(x.tolist(), y.tolist(), strict=True))
