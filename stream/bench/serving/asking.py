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
from multiprocessing.synchronize import Barrier
from typing import Any

import numpy as np
import tritonclient.grpc.aio as triton
from numpy.typing import NDArray
from tritonclient.utils import InferenceServerException

from stream.bench.serving.questions import N_SESSIONS, VERSION, sessions
from stream.errors import PartDied
from stream.model_specs import RECOMMENDER
from stream.ports import Tensors

_TIMEOUT_S = 60.0
#: A client takes a core; the server and the model's process want theirs.
_CORES_PER_CLIENT = 4
#: A GPU's clock rises, and Triton's queue fills, before what is counted.
WARM_UP_S = 0.5
#: Requests of each in flight that count at least, however long one takes: a client's first is then
#: answered before another's last.
_N_LEAST = 3

#: Of each request, s of the machine's monotonic clock.
Times = NDArray[np.float64]
#: Candidates and scores, both of ``[row, candidate]``.
Answers = tuple[NDArray[np.int64], NDArray[np.float32]]


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

    def by_client(self) -> list[int]:
        """Return how many requests each client has in flight."""
        n = self.n_clients
        return [len(range(number, self.n_in_flight, n)) for number in range(n)]


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
    """Ask Triton as *load* says; the clients begin at one moment."""
    spawning = get_context("spawn")
    gathering = spawning.Barrier(load.n_clients)
    with ProcessPoolExecutor(load.n_clients, spawning, _gather, (gathering,)) as clients:
        asked = [clients.submit(_timed, load, n_in_flight) for n_in_flight in load.by_client()]
        return together([each.result() for each in asked], load.n_rows)


def answers_to(load: Load, n_requests: int) -> Answers:
    """Return candidates and scores of the first *n_requests* requests, one after the other.

    Raises:
        PartDied: One is not answered, as when the model could not be loaded.
    """
    rows = sessions(load.n_items)

    async def ask_all() -> list[Any]:
        client = triton.InferenceServerClient(load.url)
        try:
            starts = starts_of(load.n_rows, n_requests)
            return [await _ask(client, rows, start, load.n_rows) for start in starts]
        finally:
            await client.close()

    try:
        answers = asyncio.run(ask_all())
    except InferenceServerException as error:
        raise PartDied(f"{load.n_rows} rows of {load.n_items:,} products: {error}") from error
    candidates, scores = (np.concatenate(each) for each in zip(*answers, strict=True))
    return candidates, scores


def _gather(gathering: Barrier) -> None:
    """Return once all clients are there."""
    gathering.wait(_TIMEOUT_S)


def _timed(load: Load, n_in_flight: int) -> tuple[Times, Times]:
    """Return when each request of one client was sent, and answered, once it was warm."""
    return asyncio.run(_keep_asking(load, n_in_flight))


async def _keep_asking(load: Load, n_in_flight: int) -> tuple[Times, Times]:
    rows, times = sessions(load.n_items), list[tuple[float, float]]()
    client = triton.InferenceServerClient(load.url)
    starts = _going_round(load.n_rows)
    begins = time.monotonic() + WARM_UP_S
    ends, n_least = begins + load.seconds, _N_LEAST * n_in_flight

    async def keep_asking() -> None:
        while (sent := time.monotonic()) < ends or len(times) < n_least:
            await _ask(client, rows, next(starts), load.n_rows)
            if (answered := time.monotonic()) >= begins:
                times.append((sent, answered))

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


def together(clients: list[tuple[Times, Times]], n_rows: int) -> Served:
    """Count what was answered while every client asked: from the last first to the first last.

    Raises:
        PartDied: They did not ask at one time.
    """
    began = max(answered[0] for _, answered in clients)
    ended = min(answered[-1] for _, answered in clients)
    sent, answered = (np.concatenate(each) for each in zip(*clients, strict=True))
    counted = (answered > began) & (answered <= ended)
    if not counted.any():
        raise PartDied("a client's last request was answered before another's first")
    return Served(
        float(counted.sum() * n_rows / (ended - began)), (answered - sent)[counted] * 1000
    )
