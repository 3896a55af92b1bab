from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from stream.adapters.breaker import Breaker
from stream.adapters.guarded import GuardedCalls, Patience
from stream.errors import InferenceRejected, InferenceUnavailable
from stream.telemetry import Telemetry


async def answers_probes() -> None:
    """A server that is there."""


def make_calls(
    *,
    n_retries: int = 2,
    n_failures: int = 1,
    reset_s: float = 0.0,
    max_in_flight: int = 2,
    deadline_s: float = 1.0,
    probe: Callable[[], Awaitable[None]] = answers_probes,
) -> GuardedCalls:
    patience = Patience(1.0, deadline_s, n_retries, backoff_s=0.0)
    breaker = Breaker(n_failures, reset_s)
    return GuardedCalls(patience, breaker, Telemetry(), max_in_flight=max_in_flight, probe=probe)


class Server:
    """Fails so many times, then answers; says how often it was asked."""

    def __init__(self, n_failing: int, error: type[Exception] = InferenceUnavailable) -> None:
        self._n_failing = n_failing
        self._error = error
        self.n_asked = 0

    async def __call__(self, _timeout_s: float) -> str:
        self.n_asked += 1
        if self.n_asked <= self._n_failing:
            raise self._error("down")
        return "answer"


async def test_what_passes_is_tried_again() -> None:
    server, calls = Server(n_failing=2), make_calls(n_retries=2)

    assert await calls.call("model", server) == "answer"
    assert server.n_asked == 3


async def test_retries_are_bounded() -> None:
    server, calls = Server(n_failing=99), make_calls(n_retries=2, n_failures=9)

    with pytest.raises(InferenceUnavailable):
        await calls.call("model", server)

    assert server.n_asked == 3


async def test_a_refusal_is_not_tried_again_and_opens_nothing() -> None:
    server, calls = Server(n_failing=99, error=InferenceRejected), make_calls()

    with pytest.raises(InferenceRejected):
        await calls.call("model", server)

    assert server.n_asked == 1
    assert calls.available


async def test_an_open_breaker_asks_nobody() -> None:
    server, calls = Server(n_failing=99), make_calls(n_retries=0, reset_s=60.0)
    with pytest.raises(InferenceUnavailable):
        await calls.call("model", server)

    with pytest.raises(InferenceUnavailable, match="not asked"):
        await calls.call("model", server)

    assert server.n_asked == 1
    await calls.stop()


@pytest.mark.parametrize("error", [InferenceUnavailable, InferenceRejected])
async def test_probes_go_on_until_the_server_answers(error: type[Exception]) -> None:
    probes = Server(n_failing=3, error=error)
    answered = asyncio.Event()

    async def probe() -> None:
        await probes(0.0)
        answered.set()

    calls = make_calls(n_retries=0, probe=probe)
    with pytest.raises(InferenceUnavailable):
        await calls.call("model", Server(n_failing=99))

    await asyncio.wait_for(answered.wait(), 5)
    await asyncio.sleep(0)

    assert probes.n_asked == 4
    assert await calls.call("model", Server(n_failing=0)) == "answer"


async def test_stopping_ends_the_probing() -> None:
    calls = make_calls(n_retries=0, reset_s=60.0)
    with pytest.raises(InferenceUnavailable):
        await calls.call("model", Server(n_failing=99))

    await calls.stop()

    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_bug_in_the_probe_reaches_a_caller() -> None:
    async def probe() -> None:
        raise ZeroDivisionError

    calls = make_calls(n_retries=0, probe=probe)
    with pytest.raises(InferenceUnavailable):
        await calls.call("model", Server(n_failing=99))
    assert calls._recovery is not None
    await asyncio.wait({calls._recovery})

    with pytest.raises(ZeroDivisionError):
        await calls.call("model", Server(n_failing=0))


async def test_calls_in_flight_are_bounded() -> None:
    calls = make_calls(max_in_flight=2)
    running, most = 0, 0

    async def attempt(_timeout_s: float) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    await asyncio.gather(*(calls.call("model", attempt) for _ in range(20)))

    assert most == 2


async def test_waiting_for_a_place_ends_at_the_deadline() -> None:
    calls = make_calls(max_in_flight=1, deadline_s=0.05, n_failures=9)
    release = asyncio.Event()

    async def holds(_timeout_s: float) -> None:
        await release.wait()

    holder = asyncio.create_task(calls.call("model", holds))
    await asyncio.sleep(0)

    with pytest.raises(InferenceUnavailable, match="no free place"):
        await calls.call("model", Server(n_failing=0))

    release.set()
    await holder


async def test_a_call_that_fails_after_the_stop_starts_no_probing() -> None:
    calls = make_calls(n_retries=0, reset_s=60.0)
    await calls.stop()

    with pytest.raises(InferenceUnavailable):
        await calls.call("model", Server(n_failing=99))

    assert asyncio.all_tasks() == {asyncio.current_task()}
