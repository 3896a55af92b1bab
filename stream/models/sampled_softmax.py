"""What training lowers: the cross-entropy of what came next, against a sample of all products."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from stream.model_specs import PADDING_ID
from stream.models.served.recommender.network import SessionTransformer

#: Drawn a batch, shared by all its positions; measured for 256, 512 and 2,048 in
#: ``benchmarks/models.md``.
_N_NEGATIVES = 512


def sampled_softmax(network: SessionTransformer, inputs: Tensor, targets: Tensor) -> Tensor:
    """Return the mean over targets that are not padding, with as many products drawn at random.

    Each is as likely as any other, so that the sum over them stands for the sum over all but for
    a factor, and no logit needs a correction (Bengio and Senécal 2008, section III).
    """
    counted = targets != PADDING_ID
    hidden, wanted = network(inputs)[counted], targets[counted]
    drawn = torch.randint(1, network.n_products + 1, (_N_NEGATIVES,))
    right = (hidden * network.directions(wanted)).sum(1) + network.popularity[wanted]
    wrong = torch.addmm(network.popularity[drawn], hidden, network.directions(drawn).T)
    strength = network.repeat_strength(hidden)
    own = _by_age(network.repeats, inputs.shape[1])
    right_own = ((targets[:, :, None] == inputs[:, None, :]) * own).sum(2)[counted]
    wrong_own = (own @ (inputs[:, :, None] == drawn).to(own.dtype))[counted]
    right, wrong = right + strength[:, 0] * right_own, wrong + strength * wrong_own
    wrong = wrong.masked_fill(wanted[:, None] == drawn, -torch.inf)
    logits = torch.cat((right[:, None], wrong), dim=1)
    return functional.cross_entropy(logits, torch.zeros_like(wanted))


def _by_age(repeats: Tensor, length: int) -> Tensor:
    """Return ``float32[position, item]``: the weight of an item's age as each position sees it."""
    places = torch.arange(length)
    age = places[:, None] - places[None, :]
    return repeats[len(repeats) - 1 - age.clamp(min=0)] * (age >= 0)
