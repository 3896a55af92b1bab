"""Histories cut into what fits the network, in batches of like length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch
from torch import Tensor

from stream.domain.trail import Kind
from stream.model_specs import MAX_ITEMS, PADDING_ID
from stream.models.acts import NEVER, Acts, Inside, Row, last_of_runs

#: Products of what came next that a step is asked for, at most.
N_TARGETS = 8
#: Items of a batch, padding included.
_N_ITEMS = 1_024
#: Batches' worth of windows that are sorted by length together: enough that little is padding,
#: few enough that batches stay a mixture.
_N_SORTED = 16


class Batch(NamedTuple):
    """Windows of like length, padded on the left.

    Attributes:
        items: ``int64[window, item]``.
        kinds: ``int64[window, item]``.
        targets: ``int64[window, item, target]``: products of what came next; padding where there
            are fewer, and wherever nothing is asked.
    """

    items: Tensor
    kinds: Tensor
    targets: Tensor


class Windows:
    """Every step of every visitor, once an epoch.

    A step is from what was done by a moment to what was done at the next: after an order the model
    is asked for the next one, not for the line that happens to stand next in it. Where a window ends
    with an order, that one is still being put together: after each of its lines the others are asked.
    A look at what is bought within the window is left out, as it is when the model is asked: the last
    visit of a window is read with its looks, the visits before without those that they ended in.
    Histories longer than the network reads are cut at other places each epoch.
    """

    def __init__(self, rows: Sequence[Acts]) -> None:
        """Take the acts of visitors; who did one thing at one moment only teaches nothing."""
        rows = [row for row in rows if len(row.items) > 1]
        lengths = np.array([len(row.items) for row in rows], dtype=np.int64)
        self._ends = np.cumsum(lengths)
        self._items = np.concatenate([_NONE, *(row.items for row in rows)])
        self._kinds = np.concatenate([_NONE, *(row.kinds for row in rows)])
        starts = self._ends - lengths
        bought = [
            _moved(row.bought_at(), at) for row, at in zip(rows, starts.tolist(), strict=True)
        ]
        self._bought_at = np.concatenate([_NONE, *bought])
        begins = [row.begins + start for row, start in zip(rows, starts.tolist(), strict=True)]
        self._moments = np.concatenate([_NONE, *begins, [len(self._items)]])
        self.n_steps = len(self._moments) - 1 - len(rows)

    def epoch(self, seed: Sequence[int]) -> Iterator[Batch]:
        """Yield all windows; the same *seed* gives the same batches."""
        draw = np.random.default_rng(seed)
        starts, ends = self._cut(draw)
        batches = list(_batches(starts, ends, draw))
        for number in draw.permutation(len(batches)).tolist():
            chosen = batches[number]
            yield self._batch(starts[chosen], ends[chosen], draw)

    def _cut(self, draw: np.random.Generator) -> tuple[Row, Row]:
        """Return where windows begin and end."""
        pieces = []
        start = 0
        for end in self._ends.tolist():
            if end - start > MAX_ITEMS:
                first = start + int(draw.integers(1, MAX_ITEMS + 1))
                pieces.append((start, first))
                start = first
            pieces += [(at, min(end, at + MAX_ITEMS)) for at in range(start, end, MAX_ITEMS)]
            start = end
        whole = np.array(pieces, dtype=np.int64).reshape(-1, 2)
        return whole[:, 0], whole[:, 1]

    def _batch(self, starts: Row, ends: Row, draw: np.random.Generator) -> Batch:
        places = ends[:, None] + np.arange(-int((ends - starts).max()), 0)
        inside = (places >= starts[:, None]) & (self._bought_at[places] >= ends[:, None])
        places, inside = _to_the_right(np.maximum(places, 0), inside)
        inside &= last_of_runs(np.where(inside, self._items[places], PADDING_ID))
        places, inside = _to_the_right(places, inside)
        moment = np.searchsorted(self._moments, places, side="right")
        ends_moment = self._moments[moment]
        last = self._moments[np.searchsorted(self._moments, ends - 1, side="right") - 1]
        goes_on = (places >= last[:, None]) & (self._kinds[places] == Kind.PURCHASE)
        goes_on &= ends_moment - self._moments[moment - 1] > 1
        kinds = self._kinds[places]
        kinds[goes_on] = draw.choice(_NOT_BOUGHT_YET, int(goes_on.sum()))
        low = places + 1
        high = np.where(goes_on, ends_moment, self._next_end(moment, low, ends_moment))
        return Batch(
            torch.from_numpy(np.where(inside, self._items[places], PADDING_ID)),
            torch.from_numpy(np.where(inside, kinds, 0)),
            self._targets(low, np.where(inside, high, low), draw),
        )

    def _next_end(self, moment: Row, low: Row, ends_moment: Row) -> Row:
        """Return where the moment after ends, for the last act of one; else *low*: nothing is asked."""
        row_end = self._ends[np.searchsorted(self._ends, low - 1, side="right")]
        following = self._moments[np.minimum(moment + 1, len(self._moments) - 1)]
        return np.where((low == ends_moment) & (low < row_end), following, low)

    def _targets(self, low: Row, high: Row, draw: np.random.Generator) -> Tensor:
        """Return ``int64[window, item, target]``, of each range as many as it has, or some."""
        n_there = high - low
        n_asked = max(1, min(N_TARGETS, int(n_there.max())))
        number = np.arange(n_asked)
        begin = draw.integers(0, np.maximum(n_there, 1))
        at = low[..., None] + (begin[..., None] + number) % np.maximum(n_there, 1)[..., None]
        found = self._items[np.minimum(at, len(self._items) - 1)]
        found[number >= n_there[..., None]] = PADDING_ID
        return torch.from_numpy(found)


def _to_the_right(places: Row, inside: Inside) -> tuple[Row, Inside]:
    """Return both with what is left out on the left, where the padding is."""
    order = np.argsort(inside, axis=1, kind="stable")
    return np.take_along_axis(places, order, axis=1), np.take_along_axis(inside, order, axis=1)


def _moved(places: Row, by: int) -> Row:
    return np.where(places == NEVER, NEVER, places + by)


def _batches(starts: Row, ends: Row, draw: np.random.Generator) -> Iterator[Row]:
    lengths = ends - starts
    order = draw.permutation(len(starts))
    n_together = max(1, _N_SORTED * _N_ITEMS // max(1, int(lengths.mean()))) if len(starts) else 1
    for first in range(0, len(order), n_together):
        part = order[first : first + n_together]
        part = part[np.argsort(lengths[part], kind="stable")]
        at = 0
        while at < len(part):
            # The last of them is the longest: as many as fit when all are as long as that one.
            fits = np.arange(1, len(part) - at + 1) * lengths[part[at:]] <= _N_ITEMS
            n_rows = max(1, int(fits.sum()))
            yield part[at : at + n_rows]
            at += n_rows


_NONE: Row = np.empty(0, dtype=np.int64)
#: What the lines of an order were before it was placed.
_NOT_BOUGHT_YET = np.array([Kind.VIEW, Kind.ADD], dtype=np.int64)
