"""Calls of one model that may fail: bounded in flight, with deadline, retries and a breaker."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

import structlog

from stream.adapters.background import BackgroundTask
from stream.adapters.breaker import Breaker
from stream.errors import InferenceError, InferenceRejected, InferenceUnavailable
from stream.telemetry import ANSWERS, Telemetry

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
        alive_s: Deadline of the question whether the server answers at all, which costs it nothing.
        load_s: Deadline of loading a model, which reads its weights and starts its processes.
    """

    timeout_s: float = 2.0
    deadline_s: float = 5.0
    n_retries: int = 2
    backoff_s: float = 0.05
    alive_s: float = 0.25
    load_s: float = 60.0


class _GivenUp(Exception):
    """The breaker opened meanwhile; that is no further failure of the model."""


class GuardedCalls:
    """Makes attempts until one succeeds or patience ends.

    When the breaker opens, the calls under way are given up, those that wait for a place included.
    While it is open calls fail at once, and a task of ours probes the model, so that no caller
    waits for it to come back.

    Args:
        probe: Makes the model answer again, if it can; raises InferenceError if not. What else
            it raises is a bug, and reaches the next caller.
        suspect: Told of every attempt that failed or has used up half of its time; may hold the
            model back.
    """

    def __init__(
        self,
        model: str,
        patience: Patience,
        breaker: Breaker,
        *,
        telemetry: Telemetry,
        purpose: str = ANSWERS,
        max_in_flight: int,
        probe: Callable[[], Awaitable[None]],
        suspect: Callable[[], None] = lambda: None,
    ) -> None:
        self._model, self._purpose = model, purpose
        self._patience = patience
        self._breaker = breaker
        self._is_open = telemetry.breaker_open.labels(model, purpose)
        self._n_retries = telemetry.inference_retries.labels(model, purpose)
        self._probe = probe
        self._suspect = suspect
        self._draw = random.Random()  # noqa: S311 - spreads retries, keeps no secret
        self._places = asyncio.Semaphore(max_in_flight)
        self._under_way: set[asyncio.Timeout] = set()
        self._recovery = BackgroundTask(f"probe {model}", self._recover)
        self._stopped = False

    @property
    def available(self) -> bool:
        """Whether calls pass."""
        return not self._breaker.is_open

    async def stop(self) -> None:
        """End the probing; calls that fail from now on start none."""
        self._stopped = True
        await self._recovery.stop()

    async def call(self, attempt: Attempt[Answer]) -> Answer:
        """Return what *attempt* returns.

        Raises:
            InferenceUnavailable: The breaker is open or opened, or no attempt succeeded in time.
            InferenceRejected: An attempt was refused; that is not tried again.
        """
        self._recovery.raise_bug()
        if self._breaker.is_open:
            raise InferenceUnavailable(f"{self._model}: not asked until a probe succeeds")
        try:
            answer = await self._in_time(attempt)
        except _GivenUp as end:
            raise InferenceUnavailable(f"{self._model}: given up, its breaker opened") from end
        except InferenceUnavailable as error:
            self._failed(error)
            raise
        except InferenceRejected:
            self._breaker.succeeded()
            raise
        self._breaker.succeeded()
        return answer

    async def _in_time(self, attempt: Attempt[Answer]) -> Answer:
        """Return the answer, unless the deadline passes or the breaker opens before."""
        limit = asyncio.timeout(self._patience.deadline_s)
        self._under_way.add(limit)
        try:
            async with limit:
                return await self._retried(attempt, limit)
        except TimeoutError as error:
            if not limit.expired():
                raise
            if limit not in self._under_way:
                raise _GivenUp from error
            raise InferenceUnavailable(f"{self._model}: not answered by its deadline") from error
        finally:
            self._under_way.discard(limit)

    async def _retried(self, attempt: Attempt[Answer], limit: asyncio.Timeout) -> Answer:
        pause_s = self._patience.backoff_s
        for n_left in range(self._patience.n_retries, -1, -1):
            try:
                return await self._bounded(attempt, limit)
            except InferenceUnavailable:
                self._suspect()
                drawn_s = self._draw.uniform(0, pause_s)
                if n_left == 0 or drawn_s >= _left_s(limit):
                    raise
            await asyncio.sleep(drawn_s)
            pause_s *= 2
            self._n_retries.inc()
        raise AssertionError("the last attempt returns or raises")

    async def _bounded(self, attempt: Attempt[Answer], limit: asyncio.Timeout) -> Answer:
        """Wait for a free place, then try once within what is left of the time."""
        async with self._places:
            timeout_s = min(self._patience.timeout_s, max(0.001, _left_s(limit)))
            doubt = asyncio.get_running_loop().call_later(timeout_s / 2, self._suspect)
            try:
                return await attempt(timeout_s)
            finally:
                doubt.cancel()

    # --- The breaker ---------------------------------------------------------------------------

    def hold_back(self, reason: str) -> None:
        """Open the breaker, whatever it has counted, unless it is open."""
        if not self._breaker.is_open and not self._stopped:
            self._breaker.open(time.monotonic())
            self._opened(reason)

    def _failed(self, error: InferenceError) -> None:
        if not self._stopped and self._breaker.failed(time.monotonic()):
            self._opened(str(error))

    def _opened(self, reason: str) -> None:
        self._is_open.set(1)
        given_up, self._under_way = self._under_way, set()
        for limit in given_up:
            if not limit.expired():
                limit.reschedule(0)
        told = {"model": self._model, "purpose": self._purpose, "n_given_up": len(given_up)}
        log.warning("breaker_opened", **told, reason=reason)
        self._recovery.start()

    async def _recover(self) -> None:
        while self._breaker.is_open:
            await asyncio.sleep(self._breaker.due_in_s(time.monotonic()))
            try:
                await self._probe()
            except InferenceError as error:
                self._breaker.probed(time.monotonic(), answered=False)
                log.info("probe_failed", model=self._model, reason=str(error))
            else:
                self._breaker.probed(time.monotonic(), answered=True)
        self._is_open.set(0)
        log.info("breaker_half_open", model=self._model)


def _left_s(limit: asyncio.Timeout) -> float:
    """Seconds until *limit* passes; it always has a time while a call is under way."""
    when = limit.when()
    return 0.0 if when is None else when - asyncio.get_running_loop().time()
