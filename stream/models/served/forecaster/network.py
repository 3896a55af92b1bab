"""The demand forecaster: quantiles of cumulative demand that cannot cross.

One network for all products (a *global* model). The answer is a double cumulative sum of
non-negative parts, over days and over quantile levels, so it never falls along either axis; the
same idea as Park et al. (2022), "Learning Quantile Functions without Quantile Crossing", in two
dimensions.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

N_WEEKDAYS = 7


class DemandQuantiles(nn.Module):
    """Reads a product's recent days, relative to its own scale."""

    def __init__(self, *, history: int, horizon: int, n_quantiles: int, width: int) -> None:
        super().__init__()
        self.horizon, self.n_quantiles = horizon, n_quantiles
        n_features = 2 * history + N_WEEKDAYS + 6
        self.layers = nn.Sequential(
            nn.Linear(n_features, width),
            nn.GELU(),
            nn.Linear(width, width),
            nn.GELU(),
            nn.Linear(width, horizon * n_quantiles),
        )

    def forward(self, demand: Tensor, weekday: Tensor) -> Tensor:
        """Return quantiles of cumulative units, ``float32[batch, day, quantile]``.

        Args:
            demand: ``float32[batch, history]``, units a day, today last, negative where unknown.
            weekday: ``int64[batch]``, weekday of the first day ahead, Monday 0.
        """
        known = demand >= 0
        units = demand.clamp(min=0)
        scale = scale_of(demand)
        features = torch.cat(
            (
                torch.log1p(units / scale[:, None]),
                known.to(units.dtype),
                functional.one_hot(weekday, N_WEEKDAYS).to(units.dtype),
                self._summary(units, known, scale),
            ),
            dim=1,
        )
        parts = functional.softplus(self.layers(features) - 4.0)
        parts = parts.view(len(demand), self.horizon, self.n_quantiles)
        answer: Tensor = parts.cumsum(dim=1).cumsum(dim=2) * scale[:, None, None]
        # A parallel sum may round a later value below an earlier one.
        return answer.cummax(dim=1).values.cummax(dim=2).values

    @staticmethod
    def _summary(units: Tensor, known: Tensor, scale: Tensor) -> Tensor:
        """Recent means over the scale, the share of days that sold, and the scale itself."""
        n_known = known.sum(dim=1).clamp(min=1)
        means = [units[:, -days:].mean(dim=1) / scale for days in (7, 14, 28)]
        spread = (units.square().sum(dim=1) / n_known).sqrt() / scale
        sold = (units > 0).sum(dim=1) / n_known
        rows = [*(torch.log1p(mean) for mean in means), torch.log1p(spread), sold, scale.log()]
        return torch.stack(rows, dim=1)


def scale_of(demand: Tensor) -> Tensor:
    """Return mean units a day over the known days, ``float32[batch]``, one unit added.

    With the unit a product that has not sold yet keeps a scale: at most one sale so far.
    """
    known = demand >= 0
    return (demand.clamp(min=0).sum(dim=1) + 1.0) / known.sum(dim=1).clamp(min=1)
