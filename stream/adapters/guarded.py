"""Calls to a server that may fail: bounded in flight, with deadline, retries and a breaker."""

from __future__ import annotations

import asyncio
import contextlib
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import structlog

from stream.adapters.breaker import Breaker
from stream.errors import InferenceError, InferenceRejected, InferenceUnavailable
from stream.telemetry import Telemetry

log = structlog.get_logger(__name__)

Answer = TypeVar("Answer")
#: One try, given its deadline in seconds.
Attempt = Callable[[float], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a call may take, and how often it is tried.

    Attributes:
        timeout_s: Deadline of one attempt.
        deadline_s: Deadline of a call with its retries and its wait for a free place.
        n_retries: Attempts after the first.
        backoff_s: Longest pause before the first retry, doubled for each further one; the pause
            itself is drawn between nothing and that.
        load_s: Deadline of loading a model, which reads its weights and starts its processes.
    """

    timeout_s: float = 2.0
    deadline_s: float = 5.0
    n_retries: int = 2
    backoff_s: float = 0.05
    load_s: float = 60.0


class GuardedCalls:
    """Makes attempts until one succeeds or patience ends.

    While the breaker is open calls fail at once, and a task of ours probes the server, so that no
    caller waits for a server to come back.

    Args:
        probe: Makes the server answer again, if it can; raises InferenceError if not. What else
            it raises is a bug, and reaches the next caller.
    """

    def __init__(
        self,
        patience: Patience,
        breaker: Breaker,
        telemetry: Telemetry,
        *,
        max_in_flight: int,
        probe: Callable[[], Awaitable[None]],
    ) -> None:
        self._patience = patience
        self._breaker = breaker
        self._telemetry = telemetry
        self._probe = probe
        self._draw = random.Random()  # noqa: S311 - spreads retries, keeps no secret
        self._places = asyncio.Semaphore(max_in_flight)
        self._recovery: asyncio.Task[None] | None = None
        self._stopped = False

    @property
    def available(self) -> bool:
        """Whether calls pass."""
        return not self._breaker.is_open

    async def stop(self) -> None:
        """End the probing; calls that fail from now on start none."""
        self._stopped = True
        recovery, self._recovery = self._recovery, None
        if recovery is not None:
            recovery.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await recovery

    async def call(self, name: str, attempt: Attempt[Answer]) -> Answer:
        """Return what *attempt* returns.

        Raises:
            InferenceUnavailable: The breaker is open, or no attempt succeeded in time.
            InferenceRejected: An attempt was refused; that is not tried again.
        """
        if self._breaker.is_open:
            self._raise_bug_of_probe()
            raise InferenceUnavailable(f"{name}: failed lately, not asked until a probe succeeds")
        try:
            answer = await self._retried(name, attempt)
        except InferenceRejected:
            self._breaker.succeeded()
            raise
        except InferenceUnavailable as error:
            self._failed(error)
            raise
        self._breaker.succeeded()
        return answer

    async def _retried(self, name: str, attempt: Attempt[Answer]) -> Answer:
        deadline = time.monotonic() + self._patience.deadline_s
        pause_s = self._patience.backoff_s
        for n_left in range(self._patience.n_retries, -1, -1):
            try:
                return await self._bounded(name, attempt, deadline)
            except InferenceUnavailable:
                drawn_s = self._draw.uniform(0, pause_s)
                if n_left == 0 or time.monotonic() + drawn_s >= deadline:
                    raise
            await asyncio.sleep(drawn_s)
            pause_s *= 2
            self._telemetry.inference_retries.labels(name).inc()
        raise AssertionError("the last attempt returns or raises")

    async def _bounded(self, name: str, attempt: Attempt[Answer], deadline: float) -> Answer:
        """Wait for a free place, then try once within what is left of the time."""
        try:
            async with asyncio.timeout(deadline - time.monotonic()):
                await self._places.acquire()
        except TimeoutError as error:
            raise InferenceUnavailable(f"{name}: no free place before the deadline") from error
        try:
            left_s = max(0.001, deadline - time.monotonic())
            return await attempt(min(self._patience.timeout_s, left_s))
        finally:
            self._places.release()

    # --- The way back --------------------------------------------------------------------------

    def _failed(self, error: InferenceError) -> None:
        if self._stopped:
            return
        was_open = self._breaker.is_open
        self._breaker.failed(time.monotonic())
        if self._breaker.is_open and not was_open:
            self._telemetry.breaker_open.set(1)
            log.warning("breaker_opened", reason=str(error))
            self._recovery = asyncio.create_task(self._recover(), name="probe inference")

    async def _recover(self) -> None:
        while self._breaker.is_open:
            await asyncio.sleep(self._breaker.due_in_s(time.monotonic()))
            try:
                await self._probe()
            except InferenceError as error:
                self._breaker.probed(time.monotonic(), answered=False)
                log.info("probe_failed", reason=str(error))
            else:
                self._breaker.probed(time.monotonic(), answered=True)
        self._telemetry.breaker_open.set(0)
        log.info("breaker_half_open")

    def _raise_bug_of_probe(self) -> None:
        """A bug stops the partition, also one in the task that nobody waits for."""
        if self._recovery is not None and self._recovery.done():
            self._recovery.result()
