"""What a version must answer before it answers anybody: one row, a full request, in numbers."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from typing import Protocol

import numpy as np
import structlog
from numpy.typing import NDArray

from stream.domain.trail import Kind
from stream.errors import InferenceError, VersionRefused
from stream.model_specs import (
    FORECASTER,
    HISTORY_DAYS,
    HORIZON_DAYS,
    MAX_ITEMS,
    N_DAY_CHANNELS,
    OPEN,
    PAST_DAYS,
    PRICE,
    RECOMMENDER,
    VOCABULARY,
    ModelSpec,
)
from stream.pipeline.scoring import Vocabulary
from stream.ports import Inference, Tensors

log = structlog.get_logger(__name__)

#: More than anybody sells of a product in a day.
_MANY_UNITS = 10_000


class ModelServer(Inference, Protocol):
    """A server that can be asked what it serves."""

    async def check(self, specs: Sequence[ModelSpec]) -> None:
        """Compare its models with *specs*.

        Raises:
            ModelMismatch: One has other tensors.
            InferenceUnavailable: It does not answer.
        """

    async def newest_version(self, spec: ModelSpec) -> str:
        """Return the newest version that is ready."""

    async def is_ready(self, spec: ModelSpec, version: str) -> bool:
        """Return whether *version* is served; raises InferenceUnavailable without an answer."""

    async def touch(self, spec: ModelSpec, version: str) -> None:
        """Have *version* answer what is nobody's; raises InferenceError where it does not."""

    async def vocabulary(self, version: str) -> tuple[str, ...]:
        """Return the product ids that a recommender version knows, in order of their index."""

    def held_back(self) -> Sequence[str]:
        """Return the models that are not asked now, because they did not answer."""


async def warmed_recommender(
    server: ModelServer, version: str, n_rows: int, *, in_full: bool = False
) -> Vocabulary:
    """Return the vocabulary of a version that has answered as it must.

    Args:
        n_rows: Of a full request, which a burst begins with and which takes longest the first time.
        in_full: Whether that must be answered, too. Where it is not, smaller ones still are.

    Raises:
        ModelMismatch: The model has other tensors.
        InferenceUnavailable: The version gave no answer.
        VersionRefused: Its answers are no candidates of its vocabulary, or no numbers.
    """
    await server.check([RECOMMENDER, VOCABULARY])
    vocabulary = Vocabulary.of(version, await server.vocabulary(version))
    n_products = len(vocabulary.product_ids)
    if not n_products:
        raise _refusal(RECOMMENDER, version, "a vocabulary of at least one product, got none")
    full = _sessions(n_rows, n_products)
    async for answer in _answers(server, RECOMMENDER, version, full, in_full=in_full):
        ids = answer["candidates"]
        if ids.min() < 1 or ids.max() > n_products:
            got = f"{ids.min()} to {ids.max()}"
            raise _refusal(RECOMMENDER, version, f"candidates from 1 to {n_products}, got {got}")
        if not np.isfinite(answer["scores"]).all():
            raise _refusal(RECOMMENDER, version, "scores that are numbers, got others")
    return vocabulary


def _sessions(n_rows: int, n_products: int) -> Tensors:
    """Return rows of every length, with products from the whole vocabulary and acts of every kind."""
    places = np.linspace(1, n_products, n_rows * MAX_ITEMS).round().astype(np.int64)
    items = places.reshape(n_rows, MAX_ITEMS)
    kinds = np.resize(np.array(Kind), items.shape)
    lengths = MAX_ITEMS - np.arange(n_rows) % MAX_ITEMS
    there = np.arange(MAX_ITEMS) >= MAX_ITEMS - lengths[:, None]
    return {"items": items * there, "kinds": kinds * there}


async def warm_forecaster(
    server: ModelServer, version: str, n_rows: int, *, in_full: bool = False
) -> None:
    """Return once a version has answered as it must; arguments and errors as of the recommender.

    Asked are products that sell nothing, or up to a lot a day, known for one day, for some or for all, in a shop
    that never closes or has a closed day a week, at prices low, usual and high.
    """
    await server.check([FORECASTER])
    units = np.geomspace(1, _MANY_UNITS, n_rows) - 1
    demand = np.repeat(units[:, None], PAST_DAYS, axis=1).astype(np.float32)
    known_days = np.resize([1, HISTORY_DAYS // 2, HISTORY_DAYS, PAST_DAYS], n_rows)
    demand[np.arange(PAST_DAYS) < PAST_DAYS - known_days[:, None]] = -1
    weekday = np.arange(n_rows)[:, None] % 7
    full: Tensors = {"demand": demand, "weekday": weekday, "days": _days(n_rows)}
    async for answer in _answers(server, FORECASTER, version, full, in_full=in_full):
        cumulative = answer["cumulative"]
        if not np.isfinite(cumulative).all() or cumulative.min() < 0:
            raise _refusal(FORECASTER, version, "quantiles from 0 on, got others")


def _days(n_rows: int) -> NDArray[np.float32]:
    """Return what is known of the days, ``float32[row, day, channel]``; today and most are open."""
    days = np.zeros((n_rows, HISTORY_DAYS + HORIZON_DAYS, N_DAY_CHANNELS), np.float32)
    closes = np.arange(n_rows)[:, None] % 2 == 1
    days[:, :, OPEN] = ~(closes & (np.arange(days.shape[1]) % 7 == 0))
    days[:, :, PRICE] = np.linspace(-1, 1, 3)[np.arange(n_rows) % 3, None]
    return days


async def _answers(
    server: ModelServer, spec: ModelSpec, version: str, full: Tensors, *, in_full: bool
) -> AsyncIterator[Tensors]:
    """Yield the answers to one row, and to a full request if that is answered."""
    one = {name: tensor[:1] for name, tensor in full.items()}
    yield await server.infer(spec, version, one)
    try:
        answer = await server.infer(spec, version, full)
    except InferenceError as error:
        if in_full:
            raise
        log.warning("full_request_not_answered", model=spec.name, reason=str(error))
    else:
        yield answer


def _refusal(spec: ModelSpec, version: str, expected: str) -> VersionRefused:
    return VersionRefused(f"{spec.name} version {version}: expected {expected}")
