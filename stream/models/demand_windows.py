"""Cuts windows out of the demand of all products: what forecasts are made from, and what came."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stream.models.demand_history import UNKNOWN, Demand, DemandHistory
from stream.models.served.forecaster.network import DemandQuantiles

#: Fewest steps since a product became known before a forecast that is trained on or validated.
MIN_KNOWN = 1
#: Steps that are known of a product that is new, at most.
N_NEW = 13

Indices = NDArray[np.int64]


class Read(NamedTuple):
    """What forecasts are made from: the arguments of the network."""

    demand: Tensor
    phase: Tensor
    days: Tensor


class Cut(NamedTuple):
    """What some forecasts are made from, and what came.

    Attributes:
        after: ``float32[row, horizon]``, -1 where unknown; on closed steps nothing sells.
        rows: ``int64[row]``: those of what was asked that had a history.
    """

    read: Read
    after: Tensor
    rows: Indices


class Windows:
    """Cuts a history and what came after it out of the demand of all products."""

    def __init__(self, past: DemandHistory, network: DemandQuantiles) -> None:
        self._history, self._horizon = network.history, network.horizon
        self._past = network.past
        self._first_phase, self._season = past.first_phase, network.season
        self.n_products, self.n_steps = past.units.shape
        is_known = past.units >= 0
        self._known_from = np.where(
            is_known.any(axis=1), np.argmax(is_known, axis=1), past.units.shape[1]
        )
        is_open = past.is_open[: self.n_steps]
        wanted = np.where(is_open | (past.units > 0), past.units, np.float32(UNKNOWN))
        self._demand = self._padded(wanted, UNKNOWN, n_before=self._past)
        self._is_open = self._padded(past.is_open[None].astype(np.float32), 1.0)[0]
        self._price = self._padded(past.price, 0.0)

    def cut(self, products: Indices, starts: Indices) -> Cut:
        """Return what came before and after the beginning of *starts*.

        Rows with too little history are left out; what comes after the last step is unknown.
        """
        rows = np.flatnonzero(starts - self._known_from[products] >= MIN_KNOWN)
        products, starts = products[rows], starts[rows]
        demand = torch.from_numpy(
            self._demand[products[:, None], starts[:, None] + np.arange(self._past + self._horizon)]
        )
        steps = starts[:, None] + np.arange(self._history + self._horizon)
        is_open = torch.from_numpy(self._is_open[steps])
        price = torch.from_numpy(self._price[products[:, None], steps])
        phase = torch.from_numpy((self._first_phase + starts) % self._season)
        after = demand[:, self._past :]
        after = torch.where(is_open[:, self._history :] > 0, after, 0.0)
        read = Read(demand[:, : self._past], phase, torch.stack((is_open, price), dim=2))
        return Cut(read, after, rows)

    def latest(self) -> Read:
        """Return what a forecast from the end is made from, of all products."""
        steps = slice(self.n_steps, self.n_steps + self._history + self._horizon)
        is_open = np.broadcast_to(self._is_open[steps], self._price[:, steps].shape)
        days = np.stack((is_open, self._price[:, steps]), axis=2)
        demand = self._demand[:, self.n_steps : self.n_steps + self._past]
        phase = (self._first_phase + self.n_steps) % self._season
        return Read(
            torch.from_numpy(demand),
            torch.full((self.n_products,), phase),
            torch.from_numpy(days),
        )

    def _padded(self, known: Demand, value: float, *, n_before: int | None = None) -> Demand:
        """Return *known* from so many steps before the first, or a history, to a horizon after the last."""
        known = known[:, : self.n_steps + self._horizon]
        after = self.n_steps + self._horizon - known.shape[1]
        before = self._history if n_before is None else n_before
        return np.pad(known, ((0, 0), (before, after)), constant_values=value)


def as_if_new(read: Read, *, seed: int) -> Read:
    """Return *read* with what is known of each product's last steps, 1 to ``N_NEW``, drawn by *seed*."""
    n_left = np.random.default_rng(seed).integers(1, N_NEW + 1, len(read.demand))
    return read._replace(demand=newest(read.demand, n_left))


def newest(demand: Tensor, n_left: Indices) -> Tensor:
    """Return *demand*, ``float32[row, step]``, of which only the last *n_left* are known by row."""
    n_steps = demand.shape[1]
    is_left = np.arange(n_steps) >= n_steps - n_left[:, None]
    return torch.where(torch.from_numpy(is_left), demand, UNKNOWN)
