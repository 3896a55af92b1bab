"""The demand forecaster: quantiles of demand that cannot cross.

One network for all products (a *global* model). The answer is a cumulative sum of non-negative
parts over quantile levels, and over the steps ahead where cumulative demand is asked for, so it
never falls along either axis; the same idea as Park et al. (2022), "Learning Quantile Functions
without Quantile Crossing", in two dimensions. A closed day ahead has no part.

Whole units are what rounding gives: a count is spread evenly over the numbers that round to it,
none below 0, so that each level is reached exactly; see ``stream.models.counts``.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

N_WEEKDAYS = 7
#: Channels of a day: whether the shop is open, and the logarithm of the price over the usual one.
OPEN, PRICE = 0, 1
#: Steps that recent demand is summed up over; long ones go as far as the history does.
_SPANS = (2, 4, 8, 16, 32, 64)
_DROPOUT = 0.1


class DemandQuantiles(nn.Module):
    """Reads a product's recent steps, days as a rule, relative to its own scale.

    Args:
        history: Steps read.
        horizon: Steps ahead.
        season: Steps a season: 7 days a week, 12 months a year.
        cumulative: 1 for an answer of the sums of the first 1, 2, … steps ahead, 0 for one of each.
    """

    levels: Tensor

    def __init__(
        self,
        *,
        history: int,
        horizon: int,
        n_quantiles: int,
        width: int,
        season: int = N_WEEKDAYS,
        cumulative: int = 1,
    ) -> None:
        super().__init__()
        self.history, self.horizon, self.n_quantiles = history, horizon, n_quantiles
        self.season, self.cumulative = season, cumulative
        self.spans = (*(span for span in _SPANS if span < history), history)
        n_features = 2 * history + season + 3 * len(self.spans) + 3 + history + 2 * horizon
        self.layers = nn.Sequential(
            nn.Linear(n_features, width),
            nn.GELU(),
            nn.Dropout(_DROPOUT),
            nn.Linear(width, width),
            nn.GELU(),
            nn.Dropout(_DROPOUT),
        )
        self.parts = nn.Linear(width, horizon * n_quantiles)
        self.elasticity = nn.Linear(width, 1)
        #: Each level after calibration, of those before, by open steps up to one:
        #: ``float32[horizon, from, to]``.
        self.register_buffer("levels", torch.eye(n_quantiles).repeat(horizon, 1, 1))

    def forward(self, demand: Tensor, phase: Tensor, days: Tensor) -> Tensor:
        """Return quantiles of units, ``float32[batch, step, quantile]``.

        Args:
            demand: ``float32[batch, history]``, units a step, newest last, negative where unknown.
            phase: ``int64[batch]``, phase in its season of the first step ahead: a weekday, Monday
                0, or a month, January 0.
            days: ``float32[batch, history + horizon, 2]``, channels ``OPEN`` and ``PRICE`` of the
                steps read and those ahead; what sold on a closed one is unknown, ahead it is 0.
        """
        is_open, price = days[:, :, OPEN], days[:, :, PRICE]
        open_ahead, price_ahead = is_open[:, self.history :], price[:, self.history :]
        known = (demand >= 0).to(demand.dtype) * is_open[:, : self.history]
        units = demand.clamp(min=0) * known
        scale = scale_of(units, known)
        features = torch.cat(
            (
                torch.log1p(units / scale[:, None]),
                known,
                functional.one_hot(phase, self.season).to(units.dtype),
                *(self._summary(units[:, -n:], known[:, -n:], scale) for n in self.spans),
                self._whole(units, known, scale),
                open_ahead,
                price,
            ),
            dim=1,
        )
        read = self.layers(features)
        raised = self.parts(read).view(len(demand), self.horizon, self.n_quantiles) - 4.0
        raised = raised + (self.elasticity(read) * price_ahead)[:, :, None]
        parts = functional.softplus(raised) * open_ahead[:, :, None]
        if self.cumulative:
            parts = parts.cumsum(dim=1)
        answer = parts.cumsum(dim=2) * scale[:, None, None]
        return self._rising(self._calibrated(answer, open_ahead).clamp(min=0))

    def _calibrated(self, answer: Tensor, open_ahead: Tensor) -> Tensor:
        """Counted in open steps, so that a closed one stays at what is before it."""
        n_open = open_ahead.cumsum(dim=1).to(torch.int64)
        return torch.einsum("bsq,bsqr->bsr", answer, self.levels[(n_open - 1).clamp(min=0)])

    def _rising(self, answer: Tensor) -> Tensor:
        """Mend what calibration lowered, and what a parallel sum rounded below what is before it."""
        if self.cumulative:
            answer = answer.cummax(dim=1).values
        rising: Tensor = answer.cummax(dim=2).values
        return rising

    @staticmethod
    def _summary(units: Tensor, known: Tensor, scale: Tensor) -> Tensor:
        """Mean over the scale, share of the steps that sold, and most units, of recent steps."""
        n_known = known.sum(dim=1).clamp(min=1)
        mean = units.sum(dim=1) / n_known / scale
        sold = (units > 0).sum(dim=1) / n_known
        most = units.max(dim=1).values
        return torch.stack((torch.log1p(mean), sold, torch.log1p(most)), dim=1)

    @staticmethod
    def _whole(units: Tensor, known: Tensor, scale: Tensor) -> Tensor:
        """The scale, steps since the last sale, and the share of the history that is known."""
        history = units.shape[1]
        ago = torch.arange(history, 0, -1, device=units.device, dtype=units.dtype)
        since = torch.where(units > 0, ago, history + 1.0).min(dim=1).values
        return torch.stack((scale.log(), since.log(), known.mean(dim=1)), dim=1)


def scale_of(units: Tensor, known: Tensor) -> Tensor:
    """Return mean units a step over the known steps, ``float32[batch]``, one unit added.

    With the unit a product that has not sold yet keeps a scale: at most one sale so far.

    Args:
        units: ``float32[batch, step]``, 0 where unknown.
        known: The same shape, 1 where known.
    """
    return (units.sum(dim=1) + 1.0) / known.sum(dim=1).clamp(min=1)
