"""The same rows asked of Triton directly: what a pipeline before it can reach at most."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import tritonclient.grpc.aio as triton
from numpy.typing import NDArray

from stream.adapters.triton_tensors import to_inputs
from stream.bench.scene import Scene
from stream.domain.history import History
from stream.domain.trail import Kind
from stream.model_specs import MAX_ITEMS, RECOMMENDER
from stream.pipeline.scoring import encode_sessions
from stream.ports import Tensors

_TIMEOUT_S = 30.0
#: Requests that open the channel and warm it.
_N_FIRST = 10


@dataclass(frozen=True, slots=True)
class Direct:
    """What came of one load.

    Attributes:
        rows_per_s: Between the first answer and the last; those of the first do not count.
        request_ms: Of each request, in the order of the requests.
        candidates: ``int64[rows, N_CANDIDATES]``.
    """

    rows_per_s: float
    request_ms: Sequence[float]
    candidates: NDArray[np.int64]


async def ask(
    url: str, rows: Tensors, sizes: Sequence[int], *, version: str, n_in_flight: int
) -> Direct:
    """Ask for *rows* in requests of *sizes*, *n_in_flight* at a time, each sent as one returns.

    Args:
        rows: The model's inputs, of as many rows as *sizes* add up to.
    """
    client = triton.InferenceServerClient(url)
    spans = _spans(sizes)
    answers: dict[int, tuple[float, float, NDArray[np.int64]]] = {}

    async def keep_asking() -> None:
        for number, (first, last) in spans:
            wanted, n_rows = to_inputs(
                RECOMMENDER, {name: tensor[first:last] for name, tensor in rows.items()}
            )
            began = time.perf_counter()
            answer = await client.infer(
                RECOMMENDER.name, wanted, model_version=version, client_timeout=_TIMEOUT_S
            )
            # Both tensors are read, as whoever decides must.
            candidates, scores = (answer.as_numpy(tensor.name) for tensor in RECOMMENDER.outputs)
            if len(candidates) != n_rows or len(scores) != n_rows:
                raise ValueError(f"{RECOMMENDER.name}: expected {n_rows} rows, got fewer")
            answers[number] = began, time.perf_counter(), candidates

    try:
        await asyncio.gather(*(keep_asking() for _ in range(n_in_flight)))
    finally:
        await client.close()
    return _found([answers[number] for number in range(len(sizes))])


def _spans(sizes: Sequence[int]) -> Iterator[tuple[int, tuple[int, int]]]:
    first = 0
    for number, size in enumerate(sizes):
        yield number, (first, first + size)
        first += size


def _found(answers: Sequence[tuple[float, float, NDArray[np.int64]]]) -> Direct:
    candidates = np.concatenate([each for _, _, each in answers])
    first = min(answers, key=lambda answer: answer[1])
    seconds = max(ended for _, ended, _ in answers) - first[1]
    n_timed = len(candidates) - len(first[2])
    return Direct(
        rows_per_s=n_timed / seconds if seconds > 0 else 0.0,
        request_ms=[(ended - began) * 1000 for began, ended, _ in answers],
        candidates=candidates,
    )


def single_row_ms(here: Scene, n_requests: int = 300) -> list[float]:
    """Return how long requests with one row take, one at a time."""
    history = History(here.products[:MAX_ITEMS], [Kind.VIEW] * MAX_ITEMS)
    rows = encode_sessions([history] * n_requests, here.vocabulary)
    version, url = here.vocabulary.version, here.settings.triton_url
    sizes = [1] * n_requests
    direct = asyncio.run(ask(url, rows, sizes, version=version, n_in_flight=1))
    return [*direct.request_ms[_N_FIRST:]]
