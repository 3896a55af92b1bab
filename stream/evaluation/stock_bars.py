"""Units lost by policy and lead time with their intervals; a panel a shop and level of stock, as SVG."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from html import escape

from stream.evaluation.stock_quality import Measured
from stream.evaluation.stock_report import Replayed
from stream.evaluation.stock_trials import (
    LEVELS,
    OURS,
    ROLLING,
    SAFETY,
    STOCKY,
    Contest,
)

_COLOURS = {STOCKY: "#bbbbbb", SAFETY: "#8c8c8c", ROLLING: "#5e5e5e", OURS: "#1f5a96"}
_WIDTH, _HEIGHT, _KEY_HEIGHT = 460, 260, 34
_LEFT, _TOP, _PLOT_WIDTH, _PLOT_HEIGHT = 60, 40, 380, 170
_HEAD = (
    '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" '
    'font-family="sans-serif" font-size="12" text-anchor="middle">'
)


def bars(replayed: Sequence[Replayed]) -> str:
    """Return all of it as one SVG document: the shops side by side, the levels of stock below."""
    width, height = _WIDTH * len(replayed), _HEIGHT * len(LEVELS) + _KEY_HEIGHT
    lines = [_HEAD.format(width=width, height=height)]
    lines.append('<rect width="100%" height="100%" fill="white"/>')
    for row, level in enumerate(LEVELS):
        for column, each in enumerate(replayed):
            lines.append(f'<g transform="translate({column * _WIDTH} {row * _HEIGHT})">')
            lines += _panel(f"{each.shop.name}, {level}", each.at(level))
            lines.append("</g>")
    lines += _key(_HEIGHT * len(LEVELS) + _KEY_HEIGHT / 2)
    return "\n".join([*lines, "</svg>", ""])


def _panel(title: str, contests: Sequence[Contest]) -> Iterator[str]:
    lost = [each.outcome.units_lost for contest in contests for each in contest.entries.values()]
    top, foot = max(*(each.high for each in lost), 1.0), _TOP + _PLOT_HEIGHT
    yield f'<text x="{_WIDTH / 2}" y="22" font-size="12">{escape(title)}</text>'
    for value, y in ((top, _TOP), (0.0, foot)):
        yield f'<text x="{_LEFT - 6}" y="{y + 4}" text-anchor="end">{value:,.0f}</text>'
    of_each = _PLOT_WIDTH / len(contests)
    for at, contest in enumerate(contests):
        left = _LEFT + at * of_each
        thick = 0.8 * of_each / len(contest.entries)
        for place, (name, entry) in enumerate(contest.entries.items()):
            x = left + 0.1 * of_each + place * thick
            up = _up(entry.outcome.units_lost, top)
            yield from _bar(x, thick, up, _COLOURS[name])
        middle = left + of_each / 2
        yield f'<text x="{middle:.1f}" y="{foot + 18}">{contest.lead_days} days</text>'
    yield f'<path d="M{_LEFT} {_TOP}V{foot}H{_LEFT + _PLOT_WIDTH}" fill="none" stroke="#888888"/>'


def _up(lost: Measured, top: float) -> Measured:
    """Return *lost* as heights, where *top* is that of the panel."""
    return Measured(*(_TOP + _PLOT_HEIGHT * (1 - each / top) for each in lost))


def _bar(x: float, thick: float, up: Measured, colour: str) -> Iterator[str]:
    value, low, high = up
    tall = _TOP + _PLOT_HEIGHT - value
    yield (
        f'<rect x="{x:.1f}" y="{value:.1f}" width="{thick - 2:.1f}" height="{tall:.1f}" '
        f'fill="{colour}"/>'
    )
    middle = x + thick / 2 - 1
    yield f'<path d="M{middle:.1f} {low:.1f}V{high:.1f}" stroke="#222222"/>'


def _key(y: float) -> Iterator[str]:
    yield '<g text-anchor="start">'
    for at, (name, colour) in enumerate(_COLOURS.items()):
        x = 12 + at * 112 + (20 if at > 1 else 0) + (50 if name == OURS else 0)
        yield f'<rect x="{x}" y="{y - 10}" width="12" height="12" fill="{colour}"/>'
        yield f'<text x="{x + 18}" y="{y}">{escape(name)}</text>'
    yield "</g>"
