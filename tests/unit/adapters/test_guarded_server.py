from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

import pytest

from stream.adapters.breaker import Breaker
from stream.adapters.guarded import Patience
from stream.adapters.guarded_server import GuardedServer
from stream.errors import InferenceUnavailable
from stream.telemetry import Telemetry

RECOMMENDER, FORECASTER = "recommender", "forecaster"


async def answers(_timeout_s: float = 0.0) -> str:
    return "answer"


async def is_there() -> None:
    """A server that answers, whatever its models do."""


async def fails(_timeout_s: float = 0.0) -> str:
    raise InferenceUnavailable("no answer")


async def is_away() -> None:
    raise InferenceUnavailable("nobody answers")


async def hangs(_timeout_s: float) -> str:
    """A model, or a whole server, that is frozen."""
    await asyncio.Event().wait()
    raise AssertionError("never")


class Server:
    """A guarded server with two models, and what its telemetry says of them."""

    def __init__(
        self,
        *,
        ask: Callable[[], Awaitable[None]] = is_there,
        n_failures: int = 3,
        deadline_s: float = 60.0,
    ) -> None:
        self._telemetry = Telemetry()
        self.guarded = GuardedServer(
            (RECOMMENDER, FORECASTER),
            Patience(1.0, deadline_s, n_retries=0),
            partial(Breaker, n_failures=n_failures, reset_s=60.0),
            telemetry=self._telemetry,
            max_in_flight=1,
            ask=ask,
            probe=self._probe,
        )

    async def _probe(self, model: str) -> None:
        raise AssertionError(f"{model} is not probed yet")

    def held_back(self) -> list[str]:
        value = self._telemetry.registry.get_sample_value
        return [
            model
            for model in (RECOMMENDER, FORECASTER)
            if value("stream_breaker_open", {"model": model, "purpose": "answers"})
        ]


@pytest.mark.parametrize(
    ("failing", "well"), [(RECOMMENDER, FORECASTER), (FORECASTER, RECOMMENDER)]
)
async def test_a_model_that_fails_is_held_back_alone(failing: str, well: str) -> None:
    server = Server(n_failures=1)

    with pytest.raises(InferenceUnavailable):
        await server.guarded.call(failing, fails)

    assert server.held_back() == [failing]
    assert await server.guarded.call(well, answers) == "answer"
    await server.guarded.stop()


async def test_a_model_that_hangs_takes_no_place_of_the_other() -> None:
    server = Server()
    hanging = asyncio.create_task(server.guarded.call(RECOMMENDER, hangs))
    await asyncio.sleep(0)

    async with asyncio.timeout(5):
        answer = await server.guarded.call(FORECASTER, answers)

    assert answer == "answer"
    hanging.cancel()
    await server.guarded.stop()


async def test_a_server_that_is_away_holds_all_models_back_at_the_first_failure() -> None:
    server = Server(ask=is_away)
    under_way = asyncio.create_task(server.guarded.call(FORECASTER, hangs))
    await asyncio.sleep(0)

    with pytest.raises(InferenceUnavailable):
        await server.guarded.call(RECOMMENDER, fails)
    async with asyncio.timeout(5):
        with pytest.raises(InferenceUnavailable):
            await under_way

    assert server.held_back() == [RECOMMENDER, FORECASTER]
    await server.guarded.stop()


async def test_a_failure_on_a_server_that_answers_holds_nothing_back() -> None:
    asked = asyncio.Event()

    async def ask() -> None:
        asked.set()

    server = Server(ask=ask)
    with pytest.raises(InferenceUnavailable):
        await server.guarded.call(RECOMMENDER, fails)
    await asyncio.wait_for(asked.wait(), 5)

    assert await server.guarded.call(RECOMMENDER, answers) == "answer"
    assert server.held_back() == []


async def test_a_bug_in_the_question_reaches_a_caller() -> None:
    async def ask() -> None:
        raise ZeroDivisionError

    server = Server(ask=ask)
    with pytest.raises(InferenceUnavailable):
        await server.guarded.call(RECOMMENDER, fails)
    await asyncio.sleep(0)

    with pytest.raises(ZeroDivisionError):
        await server.guarded.call(FORECASTER, answers)


async def test_stopping_ends_the_question_and_the_probing() -> None:
    server = Server(n_failures=1, ask=asyncio.Event().wait)  # type: ignore[arg-type]
    with pytest.raises(InferenceUnavailable):
        await server.guarded.call(RECOMMENDER, fails)

    await server.guarded.stop()

    assert asyncio.all_tasks() == {asyncio.current_task()}
