"""A real Triton with tiny models, trained in a few steps, shared by a test session."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import pytest_asyncio
from numpy.typing import NDArray

from stream.adapters.breaker import Breaker
from stream.adapters.triton import Patience, TritonModels
from stream.domain.trail import Kind
from stream.local.triton import EmbeddedTriton
from stream.model_specs import (
    HISTORY_DAYS,
    HORIZON_DAYS,
    MAX_ITEMS,
    MODELS,
    N_DAY_CHANNELS,
    OPEN,
)
from stream.models.acts import History
from stream.models.demand_history import DemandHistory
from stream.ports import Tensors

N_PRODUCTS = 80
N_RECOMMENDER_STEPS, N_FORECASTER_STEPS, MAX_TRAINING_S = 100, 150, 600.0
MODEL_NAMES = tuple(spec.name for spec in MODELS)


def make_sequences(n_visitors: int = 60, length: int = 60) -> list[list[str]]:
    """Visitors who walk the shelves in order, each from a place of its own."""
    draw = np.random.default_rng(7)
    starts = draw.integers(0, N_PRODUCTS, n_visitors)
    return [[f"p{(start + step) % N_PRODUCTS}" for step in range(length)] for start in starts]


def make_histories() -> list[History]:
    return [History.in_order(sequence) for sequence in make_sequences()]


def make_history(n_days: int = 140) -> DemandHistory:
    return DemandHistory.of(make_demand(n_days=n_days), 0)


def make_days(n_rows: int) -> NDArray[np.float32]:
    """Return days of a shop that is always open, at usual prices."""
    days = np.zeros((n_rows, HISTORY_DAYS + HORIZON_DAYS, N_DAY_CHANNELS), np.float32)
    days[:, :, OPEN] = 1
    return days


def make_demand(n_products: int = N_PRODUCTS, n_days: int = 140) -> NDArray[np.float32]:
    draw = np.random.default_rng(7)
    means = draw.uniform(0.2, 8, n_products)
    return draw.poisson(means[:, None], (n_products, n_days)).astype(np.float32)


def make_items(*last: int) -> NDArray[np.int64]:
    """Return sessions of one product each."""
    items = np.zeros((len(last), MAX_ITEMS), np.int64)
    items[:, -1] = last
    return items


def inputs_of(items: NDArray[np.int64]) -> Tensors:
    """Return *items* as they are asked about: viewed."""
    return {"items": items, "kinds": np.where(items > 0, int(Kind.VIEW), 0)}


@pytest.fixture(scope="session")
def tiny_repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Models of so many steps, not of so many seconds: they say the same on a busy machine."""
    # Torch, only where it is needed.
    from stream.models.export import export_forecaster, export_recommender  # noqa: PLC0415
    from stream.models.fitting import Budget  # noqa: PLC0415
    from stream.models.forecaster import train_forecaster  # noqa: PLC0415
    from stream.models.recommender import train_recommender  # noqa: PLC0415

    repository = tmp_path_factory.mktemp("repository") / "models"
    budget = Budget(MAX_TRAINING_S, N_RECOMMENDER_STEPS)
    recommender = train_recommender(make_histories(), min_count=2, budget=budget)
    export_recommender(recommender, repository)
    forecaster = train_forecaster(
        make_history(), seconds=MAX_TRAINING_S, max_steps=N_FORECASTER_STEPS
    )
    export_forecaster(forecaster, repository)
    return repository


@pytest.fixture(scope="session")
def triton(tiny_repository: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """``host:port`` of a server that nobody kills."""
    server = EmbeddedTriton(tmp_path_factory.mktemp("triton"), tiny_repository)
    server.start(MODEL_NAMES)
    yield server.grpc
    server.stop()


@pytest_asyncio.fixture
async def models(triton: str) -> AsyncIterator[TritonModels]:
    client = make_models(triton)
    await client.start()
    yield client
    await client.stop()


def make_models(url: str, *, timeout_s: float = 5.0, reset_s: float = 0.2) -> TritonModels:
    """Return a client as patient about the server itself: a busy machine is not one that is away."""
    patience = Patience(
        timeout_s=timeout_s,
        deadline_s=2 * timeout_s,
        n_retries=2,
        backoff_s=0.02,
        alive_s=timeout_s / 2,
    )
    make_breaker = partial(Breaker, n_failures=2, reset_s=reset_s)
    return TritonModels(url, patience=patience, make_breaker=make_breaker)
