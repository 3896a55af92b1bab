"""Answers a batch as its device does it best: candidates of sessions, and their scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple, Protocol

import torch
from torch import Tensor

from .catalogue import Catalogue, best_of
from .network import SessionTransformer, used

#: Rows whose logits are in memory at a time on a CPU. 256 rows of 20,000 products took 40 ms at
#: once, 31 ms in blocks of 64, and 33 and 38 ms in blocks of 32 and 16 (one thread).
_BLOCK = 64
#: Batches that a GPU has a graph for: a batch is padded to the next of them. Larger ones are split:
#: logits of 1,024 rows and two million products are 4 GB already, and keep a GPU busy by themselves.
_SIZES = (1, 8, 32, 64, 128, 256, 512, 1024)
_N_WARM_UPS = 3

#: Of ``int64[batch, item]`` items and kinds: scores and candidates, the best first.
Step = Callable[[Tensor, Tensor], tuple[Tensor, Tensor]]


class Answer(NamedTuple):
    """``int64[batch, candidate]`` indices, best first, and their ``float32`` logits; on the CPU."""

    candidates: Tensor
    scores: Tensor


class Engine(Protocol):
    """What answers; both arguments are ``int64[batch, item]`` on the CPU, checked by the caller."""

    def answer(self, items: Tensor, kinds: Tensor) -> Answer: ...


def engine_for(network: SessionTransformer, n_candidates: int, *, max_rows: int) -> Engine:
    """Return what answers on the device of *network*.

    On a GPU the catalogue is of half precision: of the 64 candidates 99 in 100 are those of full
    precision (``tests/unit/models/test_engine.py``). On a CPU half precision saves less in the
    product than it costs in the search.
    """
    device = network.popularity.device
    if device.type == "cpu":
        return Blocks(network, n_candidates)
    torch.cuda.set_device(device)
    catalogue = Catalogue(network, torch.float16)

    def step(items: Tensor, kinds: Tensor) -> tuple[Tensor, Tensor]:
        newest = network.newest(items, kinds)
        logits = catalogue.logits(newest)
        network.raise_known(logits, newest, items)
        return best_of(logits, n_candidates)

    return Buckets(step, sizes_for(max_rows), length=len(network.repeats), device=device)


def sizes_for(max_rows: int) -> list[int]:
    """Return the sizes of the batches that a GPU answers, where requests have up to *max_rows*."""
    largest = min(max_rows, _SIZES[-1])
    return [*(size for size in _SIZES if size < largest), largest]


def together(engine: Engine, requests: Sequence[tuple[Tensor, Tensor]]) -> list[Answer]:
    """Return the answer to each of *requests*, of which the engine is asked for all rows at once."""
    if len(requests) <= 1:
        return [engine.answer(*request) for request in requests]
    sizes = [len(items) for items, _ in requests]
    items, kinds = (torch.cat(each) for each in zip(*requests, strict=True))
    answer = engine.answer(items, kinds)
    return [
        Answer(*each) for each in zip(*(torch.split(part, sizes) for part in answer), strict=True)
    ]


class Blocks:
    """Reads all rows at once, and looks through the catalogue for a block of them at a time."""

    def __init__(self, network: SessionTransformer, n_candidates: int) -> None:
        self._network = network
        self._n_candidates = n_candidates
        self._catalogue = Catalogue(network, torch.float32)
        self._logits = torch.empty((_BLOCK, self._catalogue.n_columns))

    @torch.inference_mode()
    def answer(self, items: Tensor, kinds: Tensor) -> Answer:
        items, kinds = used(items, kinds)
        newest = self._network.newest(items, kinds)
        blocks = [
            self._best(*block)
            for block in zip(torch.split(newest, _BLOCK), torch.split(items, _BLOCK), strict=True)
        ]
        scores, candidates = (torch.cat(each) for each in zip(*blocks, strict=True))
        return Answer(candidates, scores)

    def _best(self, newest: Tensor, items: Tensor) -> tuple[Tensor, Tensor]:
        logits = self._catalogue.logits(newest, out=self._logits[: len(newest)])
        self._network.raise_known(logits, newest, items)
        return best_of(logits, self._n_candidates)


class Buckets:
    """Answers in batches of a few sizes, each recorded once and replayed from then on.

    A batch is filled up with empty rows; one above the largest size is answered in parts.
    """

    def __init__(
        self, step: Step, sizes: Sequence[int], *, length: int, device: torch.device
    ) -> None:
        # One runs at a time and leaves nothing behind, so they share their memory; the largest is
        # first, so that the others find room in what it took.
        aside = Aside.on(device) if device.type == "cuda" else None
        self._recordings: dict[int, Recording] = {
            size: Recording(step, (2, size, length), device, aside=aside)
            for size in sorted(sizes, reverse=True)
        }
        self._largest = max(sizes)

    @torch.inference_mode()
    def answer(self, items: Tensor, kinds: Tensor) -> Answer:
        split = (torch.split(each, self._largest) for each in (items, kinds))
        parts = [self._recording_of(len(part[0])).play(*part) for part in zip(*split, strict=True)]
        if len(parts) == 1:
            return parts[0]
        return Answer(*(torch.cat(each) for each in zip(*parts, strict=True)))

    def _recording_of(self, n_rows: int) -> Recording:
        return self._recordings[min(size for size in self._recordings if size >= n_rows)]


class Aside(NamedTuple):
    """Where a GPU runs what it records. Graphs share a pool of memory if all are of one stream."""

    stream: torch.cuda.Stream
    pool: Any

    @classmethod
    def on(cls, device: torch.device) -> Aside:
        return cls(torch.cuda.Stream(device), torch.cuda.graph_pool_handle())  # type: ignore[no-untyped-call]


class Recording:
    """A step on as many rows as it was recorded with: on a GPU a graph, elsewhere the step itself.

    What goes in and what comes out is one copy each, by way of memory that the GPU reads itself.
    """

    @torch.inference_mode()
    def __init__(
        self, step: Step, shape: tuple[int, ...], device: torch.device, *, aside: Aside | None
    ) -> None:
        on_gpu = aside is not None
        self._step = step
        self._given = torch.zeros(shape, dtype=torch.int32, pin_memory=on_gpu)
        self._inputs = torch.zeros_like(self._given, device=device)
        self._outputs, self._replay = (
            (self._run(), self._again) if aside is None else self._recorded(aside)
        )
        self._taken = torch.empty(self._outputs.shape, dtype=torch.int32, pin_memory=on_gpu)

    def play(self, items: Tensor, kinds: Tensor) -> Answer:
        """Answer at most as many rows as were recorded."""
        n_rows = len(items)
        self._given[0, :n_rows], self._given[1, :n_rows] = items, kinds
        self._given[:, n_rows:] = 0
        self._inputs.copy_(self._given, non_blocking=True)
        self._replay()
        self._taken.copy_(self._outputs, non_blocking=True)
        if self._inputs.is_cuda:
            torch.cuda.current_stream(self._inputs.device).synchronize()
        candidates, scores = self._taken[:, :n_rows]
        return Answer(candidates.long(), scores.view(torch.float32).clone())

    def _run(self) -> Tensor:
        """Return candidates, and the bits of their scores, ``int32[2, batch, candidate]``."""
        items, kinds = self._inputs.long()
        scores, candidates = self._step(items, kinds)
        return torch.stack((candidates.int(), scores.float().view(torch.int32)))

    def _again(self) -> None:
        self._outputs.copy_(self._run())

    def _recorded(self, aside: Aside) -> tuple[Tensor, Callable[[], None]]:
        """Record the step; what it lazily sets up, and the choice of kernels, comes before."""
        current = torch.cuda.current_stream(aside.stream.device)
        aside.stream.wait_stream(current)
        with torch.cuda.stream(aside.stream):
            outputs = self._run()
            for _ in range(_N_WARM_UPS):
                outputs.copy_(self._run())
        current.wait_stream(aside.stream)
        graph = torch.cuda.CUDAGraph()
        # What other threads of the process ask of the GPU meanwhile is no fault of the recording.
        with torch.cuda.graph(
            graph, pool=aside.pool, stream=aside.stream, capture_error_mode="thread_local"
        ):
            outputs.copy_(self._run())
        replay: Callable[[], None] = graph.replay
        return outputs, replay
