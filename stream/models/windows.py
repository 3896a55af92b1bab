"""Histories cut into what fits the network, in batches of like length."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stream.model_specs import MAX_ITEMS, PADDING_ID

Row = NDArray[np.int64]
#: Items of a batch, padding included.
_N_ITEMS = 1_024
#: Batches' worth of windows that are sorted by length together: enough that little is padding,
#: few enough that batches stay a mixture.
_N_SORTED = 16


class Windows:
    """Every step of every row, once an epoch.

    A step is from the items before to the one after. Rows longer than the network reads are cut
    at other places each epoch, so that no item is always the first of its window.
    """

    def __init__(self, rows: Sequence[Row]) -> None:
        """Take *rows* of indices above ``PADDING_ID``, oldest first."""
        long_enough = [row for row in rows if len(row) > 1]
        self._items = np.concatenate([*long_enough, np.empty(0, np.int64)])
        self._ends = np.cumsum([len(row) for row in long_enough], dtype=np.int64)
        self.n_steps = len(self._items) - len(self._ends)

    def epoch(self, seed: Sequence[int]) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield inputs and targets, ``int64[window, item]``; padded targets do not count.

        The same *seed* gives the same batches.
        """
        draw = np.random.default_rng(seed)
        starts, ends = self._cut(draw)
        batches = list(_batches(starts, ends, draw))
        for number in draw.permutation(len(batches)).tolist():
            chosen = batches[number]
            yield self._padded(starts[chosen], ends[chosen])

    def _cut(self, draw: np.random.Generator) -> tuple[Row, Row]:
        """Return where windows begin and end; each begins with the item that ended the one before."""
        pieces = []
        start = 0
        for end in self._ends.tolist():
            cut = start
            if end - start > MAX_ITEMS + 1:
                cut += int(draw.integers(1, MAX_ITEMS + 1))
                pieces.append((start, cut + 1))
            while cut + 1 < end:
                pieces.append((cut, min(end, cut + MAX_ITEMS + 1)))
                cut += MAX_ITEMS
            start = end
        whole = np.array(pieces, dtype=np.int64).reshape(-1, 2)
        return whole[:, 0], whole[:, 1]

    def _padded(self, starts: Row, ends: Row) -> tuple[Tensor, Tensor]:
        width = int((ends - starts).max())
        places = ends[:, None] + np.arange(-width, 0)
        outside = places < starts[:, None]
        windows = self._items[np.maximum(places, 0)]
        windows[outside] = PADDING_ID
        whole = torch.from_numpy(windows)
        # A target whose own input is padding is the first item of its row: nothing came before it.
        targets = whole[:, 1:].masked_fill(whole[:, :-1] == PADDING_ID, PADDING_ID)
        return whole[:, :-1], targets


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
