from __future__ import annotations

import importlib
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor

from stream.model_specs import MAX_ITEMS, N_CANDIDATES
from stream.models.acts import History
from stream.models.fitting import Budget
from stream.models.recommender import train_recommender
from stream.models.served.recommender.catalogue import Catalogue, best_of
from stream.models.served.recommender.engine import (
    Answer,
    Blocks,
    Buckets,
    Step,
    sizes_for,
    together,
)
from stream.models.served.recommender.network import SessionTransformer

N_PRODUCTS = 3_000
CPU = torch.device("cpu")
SETTINGS: dict[str, Any] = {
    "length": MAX_ITEMS,
    "width": 16,
    "n_blocks": 1,
    "n_heads": 2,
    "dropout": 0.0,
    "temperature": 0.1,
    "n_neighbours": 8,
    "neighbour_weight": 2.0,
}

Read = tuple[Tensor, Tensor]


def make_network(n_products: int = N_PRODUCTS) -> SessionTransformer:
    torch.manual_seed(1)
    network = SessionTransformer(n_products, **SETTINGS)
    torch.nn.init.normal_(network.popularity)
    torch.nn.init.normal_(network.repeats)
    network.neighbours[1:].random_(0, n_products + 1)
    network.nearness[1:].uniform_(0, 0.3)
    return network.eval()


def make_sessions(n_rows: int, n_products: int = N_PRODUCTS) -> Read:
    """Return sessions of all lengths, the empty one among them."""
    draw = torch.Generator().manual_seed(1)
    items = torch.randint(1, n_products + 1, (n_rows, MAX_ITEMS), generator=draw)
    kinds = torch.randint(1, 9, items.shape, generator=draw)
    padding = torch.arange(MAX_ITEMS) < (MAX_ITEMS - torch.arange(n_rows) % MAX_ITEMS)[:, None]
    return items.masked_fill(padding, 0), kinds.masked_fill(padding, 0)


def step_of(network: SessionTransformer, dtype: torch.dtype = torch.float32) -> Step:
    catalogue = Catalogue(network, dtype)

    def step(items: Tensor, kinds: Tensor) -> tuple[Tensor, Tensor]:
        newest = network.newest(items, kinds)
        logits = catalogue.logits(newest)
        network.raise_known(logits, newest, items)
        return best_of(logits, N_CANDIDATES)

    return step


@torch.inference_mode()
def plainly(network: SessionTransformer, read: Read) -> Answer:
    best = network.score(*read).topk(N_CANDIDATES, dim=1)
    return Answer(best.indices + 1, best.values)


def assert_alike(answer: Answer, expected: Answer) -> None:
    """Two products with the same logit to the last digits may change places."""
    torch.testing.assert_close(answer.scores, expected.scores, rtol=1e-5, atol=1e-5)
    assert overlap(answer.candidates, expected.candidates) > 0.999


def overlap(one: Tensor, other: Tensor) -> float:
    """Return the share of candidates that both propose."""
    return float((one[:, :, None] == other[:, None, :]).any(2).float().mean())


@pytest.mark.parametrize("n_rows", [1, 64, 65, 200])
def test_blocks_of_rows_answer_like_the_whole_network(n_rows: int) -> None:
    network, read = make_network(), make_sessions(n_rows)

    answer = Blocks(network, N_CANDIDATES).answer(*read)

    assert_alike(answer, plainly(network, read))


@pytest.mark.parametrize("n_products", [N_CANDIDATES, 1_023, 1_024])
def test_the_padding_is_proposed_to_nobody_however_small_the_catalogue(n_products: int) -> None:
    network, read = make_network(n_products), make_sessions(60, n_products)

    answer = Blocks(network, N_CANDIDATES).answer(*read)

    assert int(answer.candidates.min()) >= 1
    assert int(answer.candidates.max()) <= n_products
    assert_alike(answer, plainly(network, read))


@pytest.mark.parametrize("n_products", [N_CANDIDATES, 1_023, 1_024, 3_000])
def test_the_maxima_of_groups_are_of_rows_that_begin_at_16_bytes(n_products: int) -> None:
    catalogue = Catalogue(make_network(n_products), torch.float16)

    n_groups = catalogue.n_columns / 16

    assert n_groups * torch.float16.itemsize % 16 == 0


@pytest.mark.parametrize("n_rows", [1, 3, 8, 9, 16, 37])
def test_a_batch_padded_to_its_bucket_is_answered_like_by_itself(n_rows: int) -> None:
    network, read = make_network(), make_sessions(n_rows)
    buckets = Buckets(step_of(network), (1, 8, 16), length=MAX_ITEMS, device=CPU)

    answer = buckets.answer(*read)

    assert_alike(answer, plainly(network, read))


@pytest.mark.parametrize(
    ("max_rows", "largest"),
    [(1, [1]), (256, [128, 256]), (300, [256, 300]), (1024, [512, 1024]), (4096, [512, 1024])],
)
def test_a_gpu_answers_no_batch_larger_than_it_gains_from(
    max_rows: int, largest: list[int]
) -> None:
    assert sizes_for(max_rows)[-2:] == largest


def test_a_bucket_keeps_nothing_of_the_batch_before() -> None:
    network = make_network()
    buckets = Buckets(step_of(network), (8,), length=MAX_ITEMS, device=CPU)
    first = buckets.answer(*make_sessions(8))
    kept = first.candidates.clone()

    read = make_sessions(3)
    second = buckets.answer(*read)

    assert_alike(second, plainly(network, read))
    assert torch.equal(first.candidates, kept)


def test_scores_of_half_precision_are_single_and_of_the_same_candidates_to_99_in_100() -> None:
    trained = train_recommender(walks(), min_count=2, budget=Budget(seconds=4.0))
    network = trained.network.eval()
    read = make_sessions(256, network.n_products)
    buckets = Buckets(step_of(network, torch.float16), (256,), length=MAX_ITEMS, device=CPU)

    answer = buckets.answer(*read)

    assert answer.scores.dtype == torch.float32
    assert overlap(answer.candidates, plainly(network, read).candidates) >= 0.99


def walks(n_products: int = 1_000) -> list[History]:
    """Visitors who walk the shelves in order, some shelves more often than others."""
    draw = np.random.default_rng(7)
    starts = (n_products * draw.random(400) ** 2).astype(int)
    steps = np.cumsum(draw.integers(1, 4, (400, 60)), axis=1)
    paths = (starts[:, None] + steps) % n_products
    return [History.in_order([f"p{each}" for each in path]) for path in paths.tolist()]


@dataclass
class Counting:
    """An engine whose candidates are the items it was asked about."""

    n_rows: list[int] = field(default_factory=list)

    def answer(self, items: Tensor, kinds: Tensor) -> Answer:
        self.n_rows.append(len(items))
        return Answer(items, kinds.float())


def test_requests_that_come_together_are_one_batch_and_each_gets_its_own_rows() -> None:
    engine = Counting()
    requests = [make_sessions(n_rows) for n_rows in (2, 1, 5)]

    answers = together(engine, requests)

    assert engine.n_rows == [8]
    for (items, kinds), answer in zip(requests, answers, strict=True):
        assert torch.equal(answer.candidates, items)
        assert torch.equal(answer.scores, kinds.float())


def test_one_request_reaches_the_engine_as_it_is() -> None:
    request = make_sessions(2)

    [answer] = together(Counting(), [request])

    assert answer.candidates is request[0]


# --- The version that answers, without Triton ------------------------------------------------------


@dataclass
class Named:
    """``pb_utils.Tensor``."""

    name: str
    values: NDArray[np.generic]

    def as_numpy(self) -> NDArray[np.generic]:
        return self.values


class Refusal(Exception):
    INVALID_ARG = 1

    def __init__(self, message: str, code: int) -> None:
        super().__init__(message)


@dataclass
class Response:
    tensors: Sequence[Named] = ()
    error: Refusal | None = None


@pytest.fixture
def served(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    """``version.py`` as the Python backend imports it, with what of the backend it uses."""
    backend = ModuleType("triton_python_backend_utils")
    backend.__dict__.update(
        Tensor=Named,
        TritonError=Refusal,
        InferenceResponse=lambda tensors=(), error=None: Response(tensors, error),
        get_input_tensor_by_name=lambda request, name: Named(name, request[name]),
    )
    monkeypatch.setitem(sys.modules, backend.__name__, backend)
    name = "stream.models.served.recommender.version"
    monkeypatch.delitem(sys.modules, name, raising=False)
    module = importlib.import_module(name)
    monkeypatch.delitem(sys.modules, name)
    return module


def test_a_refused_request_fails_none_of_those_that_came_with_it(served: ModuleType) -> None:
    engine = Counting()
    version = served.Version(engine, n_products=10)
    good, bad = np.full((2, MAX_ITEMS), 3), np.full((2, MAX_ITEMS), 11)
    requests = [{"items": items, "kinds": np.ones_like(items)} for items in (good, bad, good[:1])]

    responses = version.execute(requests)

    assert engine.n_rows == [3]
    assert [response.error is None for response in responses] == [True, False, True]
    assert "items[0, 0]: expected an index from 0 to 10, got 11" in str(responses[1].error)
    assert [len(each.tensors[0].as_numpy()) for each in responses[::2]] == [2, 1]
    assert [each.name for each in responses[0].tensors] == ["candidates", "scores"]


@pytest.mark.parametrize(
    ("poison", "told"),
    [
        ({}, ""),
        ({(1, 3): 11}, "items[1, 3]: expected an index from 0 to 10, got 11"),
        ({(1, 4): 12, (1, 9): -1}, "items[1, 4]: expected an index from 0 to 10, got 12"),
        ({(0, 49): -1, (1, 0): 99}, "items[0, 49]: expected an index from 0 to 10, got -1"),
        ({(0, 0): 2**62}, f"items[0, 0]: expected an index from 0 to 10, got {2**62}"),
    ],
)
def test_the_first_number_that_cannot_be_is_named(
    served: ModuleType, poison: dict[tuple[int, int], int], told: str
) -> None:
    items = torch.full((2, MAX_ITEMS), 10)
    for place, index in poison.items():
        items[place] = index

    assert served._refusal("items", items, 10) == told


def test_a_request_without_rows_is_not_refused(served: ModuleType) -> None:
    assert not served._refusal("items", torch.empty((0, MAX_ITEMS), dtype=torch.int64), 10)


@torch.inference_mode()
def test_a_version_scores_as_the_network_that_was_stored(
    served: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    network, read = make_network(), make_sessions(64)
    stored = {"settings": {"n_products": N_PRODUCTS, **SETTINGS}, "weights": network.state_dict()}
    torch.save(stored, tmp_path / "weights.pt")
    monkeypatch.setattr(served, "__file__", str(tmp_path / "version.py"))

    scores = served._network(CPU).score(*read)

    assert torch.equal(scores, network.score(*read))
