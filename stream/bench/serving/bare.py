"""The served engine without Triton, in a process of its own: the most that one instance can give."""

from __future__ import annotations

import resource
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from stream.bench.serving.asking import WARM_UP_S, Answers, starts_of
from stream.bench.serving.catalogues import load_network
from stream.bench.serving.questions import sessions
from stream.model_specs import N_CANDIDATES
from stream.models.served.recommender.engine import Engine, engine_for
from stream.models.served.recommender.network import SessionTransformer

Way = Callable[[Tensor, Tensor], object]


@dataclass(frozen=True, slots=True)
class Ways:
    """Rows a second, synchronous, from arrays to arrays.

    Attributes:
        engine: As it is served.
        kept: The network's scores and ``topk``, with the directions of the products computed once.
        untuned: The same, with all computed anew each time.
    """

    engine: float
    kept: float | None
    untuned: float | None


@dataclass(slots=True)
class _Loaded:
    network: SessionTransformer
    engine: Engine
    items: Tensor
    kinds: Tensor


_loaded: list[_Loaded] = []


class Bare:
    """The process; as served, it computes on one thread."""

    def __init__(self, version: Path, n_items: int, *, max_rows: int, device: str) -> None:
        self._process = ProcessPoolExecutor(
            1, get_context("spawn"), _load, (version, n_items, max_rows, device)
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._process.shutdown()

    def answers_to(self, n_rows: int, n_requests: int) -> Answers:
        """Return candidates and scores of the first requests, of as many rows each."""
        return self._process.submit(_answers_to, n_rows, n_requests).result()

    def overlap(self, n_rows: int) -> float:
        """Return the share of candidates that the plain network proposes too, over *n_rows*."""
        return self._process.submit(_overlap, n_rows).result()

    def measure(self, n_rows: int, seconds: float) -> Ways:
        return self._process.submit(_measure, n_rows, seconds).result()

    def memory_mib(self) -> float:
        """Return the most that the GPU held; on a CPU, the most that the process did."""
        return self._process.submit(_memory_mib).result()


def _load(version: Path, n_items: int, max_rows: int, device: str) -> None:
    torch.set_num_threads(1)
    network = load_network(version, device)
    items, kinds = (torch.from_numpy(each) for each in sessions(n_items).values())
    engine = engine_for(network, N_CANDIDATES, max_rows=max_rows)
    _loaded[:] = [_Loaded(network, engine, items, kinds)]


def _answers_to(n_rows: int, n_requests: int) -> Answers:
    [here] = _loaded
    spans = [slice(start, start + n_rows) for start in starts_of(n_rows, n_requests)]
    answers = [here.engine.answer(here.items[span], here.kinds[span]) for span in spans]
    candidates, scores = (np.concatenate(each) for each in zip(*answers, strict=True))
    return candidates, scores


def _overlap(n_rows: int) -> float:
    [here] = _loaded
    shares = []
    for items, kinds in zip(here.items[:n_rows, None], here.kinds[:n_rows, None], strict=True):
        ours = here.engine.answer(items, kinds).candidates
        plain = _plainly(here.network, items, kinds)
        shares.append(np.isin(ours, plain).mean())
    return float(np.mean(shares))


@torch.inference_mode()
def _plainly(network: SessionTransformer, items: Tensor, kinds: Tensor) -> Tensor:
    device = network.popularity.device
    best = network.score(items.to(device), kinds.to(device)).topk(N_CANDIDATES, dim=1)
    return best.indices.cpu() + 1


def _measure(n_rows: int, seconds: float) -> Ways:
    [here] = _loaded

    def kept(items: Tensor, kinds: Tensor) -> object:
        return _plainly(here.network, items, kinds)

    def untuned(items: Tensor, kinds: Tensor) -> object:
        return _plainly(here.network.eval(), items, kinds)

    if here.network.popularity.is_cuda:
        [engine] = _rows_per_s([here.engine.answer], n_rows, seconds)
        return Ways(engine, None, None)
    return Ways(*_rows_per_s([here.engine.answer, kept, untuned], n_rows, seconds))


def _rows_per_s(ways: Sequence[Way], n_rows: int, seconds: float) -> list[float]:
    """Return the rate of each of *ways*, which take turns batch by batch: on average *seconds* each."""
    _asked(ways, n_rows, WARM_UP_S)
    n_batches, took_s = _asked(ways, n_rows, seconds)
    return [float(rate) for rate in n_batches * n_rows / took_s]


def _asked(ways: Sequence[Way], n_rows: int, seconds: float) -> tuple[int, NDArray[np.float64]]:
    """Return how many batches each answered, and how long each took for them, s."""
    [here] = _loaded
    starts = starts_of(n_rows, len(here.items) // n_rows)
    took_s, n_batches = np.zeros(len(ways)), 0
    while n_batches < 1 or took_s.mean() < seconds:
        start = starts[n_batches % len(starts)]
        items, kinds = (each[start : start + n_rows] for each in (here.items, here.kinds))
        for number, way in enumerate(ways):
            began = time.monotonic()
            way(items, kinds)
            took_s[number] += time.monotonic() - began
        n_batches += 1
    return n_batches, took_s


def _memory_mib() -> float:
    [here] = _loaded
    if here.network.popularity.is_cuda:
        return torch.cuda.max_memory_reserved() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**10
