"""What goes into each model and what comes out: one value shared by encoder, client, export.

A specification is the contract of a model's *name*. Versions of it share the tensors and differ in
weights and vocabulary; the client compares it with what the server says before the first request.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

DataType = Literal["INT64", "FP32", "BYTES"]


@dataclass(frozen=True, slots=True)
class TensorSpec:
    """One tensor: its name, Triton data type and the axes after the batch axis (-1 is free)."""

    name: str
    datatype: DataType
    shape: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """A model's name, tensors and largest batch; 0 rows means that it has no batch axis."""

    name: str
    inputs: tuple[TensorSpec, ...]
    outputs: tuple[TensorSpec, ...]
    max_rows: int


#: Interactions that a session remembers and the recommender reads.
MAX_ITEMS = 50
#: Products that the recommender proposes; the ranking picks ten of them.
N_CANDIDATES = 64
#: Index of "no product" in the recommender's input.
PADDING_ID = 0
#: Days of demand that a product remembers and the forecaster reads, a year in whole weeks; and the
#: last of them, which it reads one by one.
PAST_DAYS, HISTORY_DAYS = 364, 84
#: Days ahead that the forecaster answers for.
HORIZON_DAYS = 28
#: What is known of a day: channels of the forecaster's ``days``.
OPEN, PRICE = 0, 1
N_DAY_CHANNELS = 2
#: Quantile levels of the forecaster's answer.
QUANTILES = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9)

#: ``items``: indices into the version's vocabulary plus one, oldest first, ``PADDING_ID`` on the
#: left. ``kinds``: what was done with each (``domain.trail.Kind``), 0 on the left. ``candidates``: the same indices, best first, no padding; ``scores``: their logits.
RECOMMENDER = ModelSpec(
    name="recommender",
    inputs=(
        TensorSpec("items", "INT64", (MAX_ITEMS,)),
        TensorSpec("kinds", "INT64", (MAX_ITEMS,)),
    ),
    outputs=(
        TensorSpec("candidates", "INT64", (N_CANDIDATES,)),
        TensorSpec("scores", "FP32", (N_CANDIDATES,)),
    ),
    max_rows=256,
)

#: The product ids that a recommender version knows: entry ``i`` has index ``i + 1``.
#: ``span``: first entry and number of entries wanted; ``product_ids``: UTF-8, at most that many,
#: fewer at the end; an empty answer means that the vocabulary ends here.
VOCABULARY = ModelSpec(
    name="recommender_vocabulary",
    inputs=(TensorSpec("span", "INT64", (2,)),),
    outputs=(TensorSpec("product_ids", "BYTES", (-1,)),),
    max_rows=0,
)

#: ``demand``: units a day, oldest first, today last; -1 where unknown: before the product was, closed
#: or sold out. ``weekday``: weekday of the first day ahead, Monday 0. ``days``: the last of ``demand``
#: and those ahead; whether the shop is open (``OPEN``), and the price (``PRICE``) as the logarithm of
#: itself over the usual one, 0 where unknown: a promotion is below 0. ``cumulative``: quantiles of the
#: units wanted over the next 1, 2, … days; never falling along either axis, and no closed day adds to
#: them. Rounded, they are quantiles of whole units.
FORECASTER = ModelSpec(
    name="forecaster",
    inputs=(
        TensorSpec("demand", "FP32", (PAST_DAYS,)),
        TensorSpec("weekday", "INT64", (1,)),
        TensorSpec("days", "FP32", (HISTORY_DAYS + HORIZON_DAYS, N_DAY_CHANNELS)),
    ),
    outputs=(TensorSpec("cumulative", "FP32", (HORIZON_DAYS, len(QUANTILES))),),
    max_rows=256,
)

MODELS = (RECOMMENDER, VOCABULARY, FORECASTER)
#: What must be served before each model: a recommender answers in indices of its vocabulary.
SERVED_WITH = {RECOMMENDER.name: (VOCABULARY, RECOMMENDER), FORECASTER.name: (FORECASTER,)}
