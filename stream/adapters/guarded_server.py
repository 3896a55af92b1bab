"""The models of one server: each with a breaker of its own, all held back when it is away."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeVar

from stream.adapters.background import BackgroundTask
from stream.adapters.breaker import Breaker
from stream.adapters.guarded import Attempt, GuardedCalls, Patience
from stream.errors import InferenceError
from stream.telemetry import ANSWERS, Telemetry

Answer = TypeVar("Answer")


class GuardedServer:
    """Calls by model name.

    A model that fails is held back alone: its breaker, its places and its probe are its own. But
    an attempt that failed, or is not answered for long, may mean that nobody is there, or that
    the process stands still; so the server is asked, and when it does not answer either all its
    models are held back at once, before each has found that out by its own deadlines.

    Args:
        max_in_flight: Attempts at a time for each model.
        ask: Raises InferenceError when the server does not answer at all.
        probe: Makes the model of that name answer again; raises InferenceError if it cannot.
    """

    def __init__(
        self,
        models: Sequence[str],
        patience: Patience,
        make_breaker: Callable[[], Breaker],
        *,
        telemetry: Telemetry,
        purpose: str = ANSWERS,
        max_in_flight: int,
        ask: Callable[[], Awaitable[None]],
        probe: Callable[[str], Awaitable[None]],
    ) -> None:
        self._ask = ask
        self._asking = BackgroundTask("ask for the server", self._look)
        self._models = {
            model: GuardedCalls(
                model,
                patience,
                make_breaker(),
                telemetry=telemetry,
                purpose=purpose,
                max_in_flight=max_in_flight,
                probe=partial(probe, model),
                suspect=self._asking.start,
            )
            for model in models
        }

    async def stop(self) -> None:
        """End the asking and the probing."""
        await self._asking.stop()
        for calls in self._models.values():
            await calls.stop()

    def held_back(self) -> list[str]:
        """Return the models whose calls fail at once, because they did not answer."""
        return [model for model, calls in self._models.items() if not calls.available]

    async def call(self, model: str, attempt: Attempt[Answer]) -> Answer:
        """Return what *attempt* returns; raises as ``GuardedCalls.call``."""
        self._asking.raise_bug()
        return await self._models[model].call(attempt)

    async def _look(self) -> None:
        try:
            await self._ask()
        except InferenceError as error:
            for calls in self._models.values():
                calls.hold_back(str(error))
