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
#: What a product's own past weighs in its forecast where as much of it is known as is read step by
#: step. Chosen by the units lost in a simulated warehouse, on days before those that are reported:
#: ``benchmarks/stock.md``.
OWN_PAST = 0.7
#: Levels of products of which as much is known as is read step by step, and of those that are new:
#: these hardly have a past that they could be drawn to. Others have a mixture by the share known. A new
#: product of which some months are known has one as well, and its levels are the less exact.
KNOWN, NEW = 0, 1


class DemandQuantiles(nn.Module):
    """Reads a product's recent steps, days as a rule, relative to its own scale.

    What it has learnt of all products is drawn towards what is usual of the one: a level that follows
    each of its recent steps orders in waves, whose crests lie on the shelf.

    Args:
        history: Steps read one by one.
        past: Steps of which the mean and the deviation are read, no fewer; as many when absent.
        horizon: Steps ahead.
        n_quantiles: Levels of the answer, evenly spaced: 9 are those of a tenth to nine tenths.
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
        past: int = 0,
    ) -> None:
        super().__init__()
        self.history, self.horizon, self.n_quantiles = history, horizon, n_quantiles
        self.season, self.cumulative, self.past = season, cumulative, max(past, history)
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
        #: Each level after calibration, of those before, by open steps up to one, of products that
        #: are ``KNOWN`` and ``NEW``: ``float32[2, horizon, from, to]``.
        self.register_buffer("levels", torch.eye(n_quantiles).repeat(2, horizon, 1, 1))

    def forward(self, demand: Tensor, phase: Tensor, days: Tensor) -> Tensor:
        """Return quantiles of units, ``float32[batch, step, quantile]``.

        Args:
            demand: ``float32[batch, past]``, units a step, newest last, negative where unknown.
            phase: ``int64[batch]``, phase in its season of the first step ahead: a weekday, Monday
                0, or a month, January 0.
            days: ``float32[batch, history + horizon, 2]``, channels ``OPEN`` and ``PRICE`` of the
                steps read and those ahead; what sold on a closed one is unknown, ahead it is 0.
        """
        open_ahead = days[:, self.history :, OPEN]
        answer = self.learnt(demand, phase, days)
        share_known = ((demand >= 0).sum(dim=1) / self.history).clamp(max=1)[:, None, None]
        if self.cumulative:
            is_usual = not bool(days[:, self.history :, PRICE].any())
            usual = answer if is_usual else self.learnt(demand, phase, self._usual(days))
            own = self._own(demand, open_ahead)
            answer = answer + OWN_PAST * share_known * (own - usual)
            answer = self._rising(answer.clamp(min=0))
        return self._rising(self._calibrated(answer, open_ahead, share_known).clamp(min=0))

    def learnt(self, demand: Tensor, phase: Tensor, days: Tensor) -> Tensor:
        """Return what all products have taught, neither drawn nor calibrated: what is fitted."""
        is_open, price = days[:, :, OPEN], days[:, :, PRICE]
        open_ahead, price_ahead = is_open[:, self.history :], price[:, self.history :]
        recent = demand[:, -self.history :]
        known = (recent >= 0).to(demand.dtype) * is_open[:, : self.history]
        units = recent.clamp(min=0) * known
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
        return parts.cumsum(dim=2) * scale[:, None, None]

    def _usual(self, days: Tensor) -> Tensor:
        """Return *days* as if nothing were planned: the own past does not know of it."""
        usual = days.clone()
        usual[:, self.history :, PRICE] = 0
        return usual

    def _own(self, past: Tensor, open_ahead: Tensor) -> Tensor:
        """Return quantiles of sums of independent steps with the moments of *past*."""
        known = (past >= 0).to(past.dtype)
        n_known = known.sum(dim=1)
        mean = (past * known).sum(dim=1) / n_known.clamp(min=1)
        variance = (known * (past - mean[:, None]) ** 2).sum(dim=1) / n_known.clamp(min=1)
        n_open = open_ahead.cumsum(dim=1)[:, :, None]
        levels = torch.arange(1, self.n_quantiles + 1, device=past.device, dtype=past.dtype)
        scores = torch.special.ndtri(levels / (self.n_quantiles + 1))
        spread = variance.sqrt()[:, None, None] * n_open.sqrt() * scores
        own: Tensor = (mean[:, None, None] * n_open + spread).clamp(min=0).cummax(dim=1).values
        return own

    def _calibrated(self, answer: Tensor, open_ahead: Tensor, share_known: Tensor) -> Tensor:
        """Counted in open steps, so that a closed one stays at what is before it."""
        at = (open_ahead.cumsum(dim=1).to(torch.int64) - 1).clamp(min=0)
        levels = self.levels[NEW, at].lerp(self.levels[KNOWN, at], share_known[..., None])
        return torch.einsum("bsq,bsqr->bsr", answer, levels)

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
