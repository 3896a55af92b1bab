"""The demand forecaster: quantiles of demand that cannot cross.

One network for all products (a *global* model). The answer is a cumulative sum of non-negative
parts over quantile levels, and over the steps ahead where cumulative demand is asked for, so it
never falls along either axis; the same idea as Park et al. (2022), "Learning Quantile Functions
without Quantile Crossing", in two dimensions.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

N_WEEKDAYS = 7
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
        n_features = 2 * history + season + 3 * len(self.spans) + 3
        self.layers = nn.Sequential(
            nn.Linear(n_features, width),
            nn.GELU(),
            nn.Dropout(_DROPOUT),
            nn.Linear(width, width),
            nn.GELU(),
            nn.Dropout(_DROPOUT),
            nn.Linear(width, horizon * n_quantiles),
        )

    def forward(self, demand: Tensor, phase: Tensor) -> Tensor:
        """Return quantiles of units, ``float32[batch, step, quantile]``.

        Args:
            demand: ``float32[batch, history]``, units a step, newest last, negative where unknown.
            phase: ``int64[batch]``, phase in its season of the first step ahead: a weekday, Monday
                0, or a month, January 0.
        """
        known = (demand >= 0).to(demand.dtype)
        units = demand.clamp(min=0)
        scale = scale_of(demand)
        features = torch.cat(
            (
                torch.log1p(units / scale[:, None]),
                known,
                functional.one_hot(phase, self.season).to(units.dtype),
                *(self._summary(units[:, -n:], known[:, -n:], scale) for n in self.spans),
                self._whole(units, known, scale),
            ),
            dim=1,
        )
        parts = functional.softplus(self.layers(features) - 4.0)
        parts = parts.view(len(demand), self.horizon, self.n_quantiles)
        if self.cumulative:
            parts = parts.cumsum(dim=1)
        answer: Tensor = parts.cumsum(dim=2) * scale[:, None, None]
        # A parallel sum may round a later value below an earlier one.
        if self.cumulative:
            answer = answer.cummax(dim=1).values
        return answer.cummax(dim=2).values

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


def scale_of(demand: Tensor) -> Tensor:
    """Return mean units a step over the known steps, ``float32[batch]``, one unit added.

    With the unit a product that has not sold yet keeps a scale: at most one sale so far.
    """
    known = demand >= 0
    return (demand.clamp(min=0).sum(dim=1) + 1.0) / known.sum(dim=1).clamp(min=1)
