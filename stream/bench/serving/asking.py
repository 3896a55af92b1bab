"""The load: requests of so many rows, several in flight, from as many processes as are needed."""

from __future__ import annotations

import asyncio
import os
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from itertools import count
from multiprocessing import get_context
from typing import Any

import numpy as np
import tritonclient.grpc.aio as triton
from numpy.typing import NDArray

from stream.bench.serving.questions import N_SESSIONS, VERSION, sessions
from stream.model_specs import RECOMMENDER
from stream.ports import Tensors

_TIMEOUT_S = 60.0
#: A client takes a core; the server and the model's process want theirs.
_CORES_PER_CLIENT = 4
#: Requests of each client that do not count.
_N_FIRST = 5

#: Of each request, s of the machine's monotonic clock.
Times = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked: *n_in_flight* requests of *n_rows* at any time, for *seconds*."""

    url: str
    n_items: int
    n_rows: int
    n_in_flight: int
    seconds: float

    @property
    def n_clients(self) -> int:
        cores = len(os.sched_getaffinity(0))
        return max(1, min(self.n_in_flight, cores // _CORES_PER_CLIENT))


@dataclass(frozen=True, slots=True)
class Served:
    """What came of a load; *request_ms* of each request while all clients asked."""

    rows_per_s: float
    request_ms: NDArray[np.float64]

    def percentile(self, percent: float) -> float:
        return float(np.percentile(self.request_ms, percent))


def starts_of(n_rows: int, n_requests: int) -> list[int]:
    """Return the first session of each request; together they go round all sessions."""
    n_spans = N_SESSIONS // n_rows
    return [number % n_spans * n_rows for number in range(n_requests)]


def serve(load: Load) -> Served:
    """Ask Triton as *load* says."""
    with ProcessPoolExecutor(load.n_clients, mp_context=get_context("spawn")) as clients:
        asked = [clients.submit(_timed, load, number) for number in range(load.n_clients)]
        return _together([each.result() for each in asked], load.n_rows)


def answers_to(load: Load, n_requests: int) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return candidates and scores of the first *n_requests* requests, one after the other."""
    rows = sessions(load.n_items)

    async def ask_all() -> list[Any]:
        client = triton.InferenceServerClient(load.url)
        try:
            starts = starts_of(load.n_rows, n_requests)
            return [await _ask(client, rows, start, load.n_rows) for start in starts]
        finally:
            await client.close()

    answers = asyncio.run(ask_all())
    candidates, scores = (np.concatenate(each) for each in zip(*answers, strict=True))
    return candidates, scores


def _timed(load: Load, number: int) -> tuple[Times, Times]:
    """Return when each request of one client was sent, and when it was answered."""
    n_in_flight = len(range(number, load.n_in_flight, load.n_clients))
    return asyncio.run(_keep_asking(load, n_in_flight))


async def _keep_asking(load: Load, n_in_flight: int) -> tuple[Times, Times]:
    rows, times = sessions(load.n_items), list[tuple[float, float]]()
    client = triton.InferenceServerClient(load.url)
    starts = _going_round(load.n_rows)
    ends = time.monotonic() + load.seconds

    async def keep_asking() -> None:
        while (sent := time.monotonic()) < ends or len(times) <= 2 * _N_FIRST:
            await _ask(client, rows, next(starts), load.n_rows)
            times.append((sent, time.monotonic()))

    try:
        await asyncio.gather(*(keep_asking() for _ in range(n_in_flight)))
    finally:
        await client.close()
    sent, answered = np.array(times).T
    return sent, answered


def _going_round(n_rows: int) -> Iterator[int]:
    n_spans = N_SESSIONS // n_rows
    return (number % n_spans * n_rows for number in count())


async def _ask(client: Any, rows: Tensors, start: int, n_rows: int) -> Any:
    wanted = []
    for spec in RECOMMENDER.inputs:
        tensor = triton.InferInput(spec.name, [n_rows, *spec.shape], spec.datatype)
        tensor.set_data_from_numpy(rows[spec.name][start : start + n_rows])
        wanted.append(tensor)
    answer = await client.infer(
        RECOMMENDER.name, wanted, model_version=VERSION, client_timeout=_TIMEOUT_S
    )
    # Both tensors are read, as whoever decides must.
    return tuple(answer.as_numpy(spec.name) for spec in RECOMMENDER.outputs)


def _together(clients: list[tuple[Times, Times]], n_rows: int) -> Served:
    """Count what was answered while every client asked, without the first few requests of each."""
    began = max(answered[_N_FIRST - 1] for _, answered in clients)
    ended = min(answered[-1] for _, answered in clients)
    sent, answered = (np.concatenate(each) for each in zip(*clients, strict=True))
    counted = (answered > began) & (answered <= ended)
    rate = counted.sum() * n_rows / (ended - began) if ended > began else 0.0
    return Served(float(rate), (answered - sent)[counted] * 1000)
