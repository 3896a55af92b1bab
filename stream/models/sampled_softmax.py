"""What training lowers: the cross-entropy of what came next, against a sample of all products."""

from __future__ import annotations

import torch
from torch import Tensor

from stream.model_specs import PADDING_ID
from stream.models.served.recommender.network import SessionTransformer
from stream.models.windows import Batch

#: Drawn a batch, shared by all its steps.
_N_NEGATIVES = 512


def sampled_softmax(network: SessionTransformer, batch: Batch) -> Tensor:
    """Return the mean over steps of the mean over a step's targets.

    As many products are drawn at random, each as likely as any other, so that the sum over them
    stands for the sum over all but for a factor, and no logit needs a correction (Bengio and
    Senécal 2008, section III). What came next as well is no wrong answer.
    """
    asked = batch.targets != PADDING_ID
    counted = asked[:, :, 0]
    hidden = network(batch.items, batch.kinds)[counted]
    wanted, is_wanted = batch.targets[counted], asked[counted]
    drawn = torch.randint(1, network.n_products + 1, (_N_NEGATIVES,))
    right = (hidden[:, None] * network.directions(wanted)).sum(2) + network.popularity[wanted]
    wrong = torch.addmm(network.popularity[drawn], hidden, network.directions(drawn).T)
    strength = network.repeat_strength(hidden)
    right_own, wrong_own = _own(network.repeats, batch, counted, drawn)
    right, wrong = right + strength * right_own, wrong + strength * wrong_own
    also_right = (wanted[:, :, None] == drawn).any(dim=1)
    against = wrong.masked_fill(also_right, -torch.inf).logsumexp(dim=1, keepdim=True)
    losses = (torch.logaddexp(right, against) - right).where(is_wanted, 0)
    loss: Tensor = (losses.sum(dim=1) / is_wanted.sum(dim=1)).mean()
    return loss


def _own(repeats: Tensor, batch: Batch, counted: Tensor, drawn: Tensor) -> tuple[Tensor, Tensor]:
    """Return by how much their own session raises what is wanted, and what is drawn."""
    weights = _by_age(repeats, batch.items.shape[1])
    same = batch.targets[..., None] == batch.items[:, None, None, :]
    of_wanted = (same * weights[None, :, None, :]).sum(3)
    of_drawn = weights @ (batch.items[:, :, None] == drawn).to(weights.dtype)
    return of_wanted[counted], of_drawn[counted]


def _by_age(repeats: Tensor, length: int) -> Tensor:
    """Return ``float32[position, item]``: the weight of an item's age as each position sees it."""
    places = torch.arange(length)
    age = places[:, None] - places[None, :]
    return repeats[len(repeats) - 1 - age.clamp(min=0)] * (age >= 0)
