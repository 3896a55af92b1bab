from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence

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
    suspect: Callable[[], None] = lambda: None,
) -> GuardedCalls:
    patience = Patience(1.0, deadline_s, n_retries, backoff_s=0.0)
    breaker = Breaker(n_failures, reset_s)
    return GuardedCalls(
        "model",
        patience,
        breaker,
        telemetry=Telemetry(),
        max_in_flight=max_in_flight,
        probe=probe,
        suspect=suspect,
    )


async def hangs(_timeout_s: float) -> str:
    """A server that is frozen."""
    await asyncio.Event().wait()
    raise AssertionError("never")


class Server:
    """Fails so many times, then answers; says how often it was asked."""

    def __init__(self, n_failing: int, error: type[Exception] = InferenceUnavailable) -> None:
        self._n_failing = n_failing
        self._error = error
        self.n_asked = 0

    async def __call__(self, _timeout_s: float) -> str:
        self.n_asked += 1
        await asyncio.sleep(0)
        if self.n_asked <= self._n_failing:
            raise self._error("down")
        return "answer"


async def test_what_passes_is_tried_again() -> None:
    server, calls = Server(n_failing=2), make_calls(n_retries=2)

    assert await calls.call(server) == "answer"
    assert server.n_asked == 3


async def test_retries_are_bounded() -> None:
    server, calls = Server(n_failing=99), make_calls(n_retries=2, n_failures=9)

    with pytest.raises(InferenceUnavailable):
        await calls.call(server)

    assert server.n_asked == 3


async def test_a_refusal_is_not_tried_again_and_opens_nothing() -> None:
    server, calls = Server(n_failing=99, error=InferenceRejected), make_calls()

    with pytest.raises(InferenceRejected):
        await calls.call(server)

    assert server.n_asked == 1
    assert calls.available


async def test_an_open_breaker_asks_nobody() -> None:
    server, calls = Server(n_failing=99), make_calls(n_retries=0, reset_s=60.0)
    with pytest.raises(InferenceUnavailable):
        await calls.call(server)

    with pytest.raises(InferenceUnavailable, match="not asked"):
        await calls.call(server)

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
        await calls.call(Server(n_failing=99))

    await asyncio.wait_for(answered.wait(), 5)
    await asyncio.sleep(0)

    assert probes.n_asked == 4
    assert await calls.call(Server(n_failing=0)) == "answer"


async def test_stopping_ends_the_probing() -> None:
    calls = make_calls(n_retries=0, reset_s=60.0)
    with pytest.raises(InferenceUnavailable):
        await calls.call(Server(n_failing=99))

    await calls.stop()

    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_bug_in_the_probe_reaches_a_caller() -> None:
    async def probe() -> None:
        raise ZeroDivisionError

    calls = make_calls(n_retries=0, probe=probe)
    with pytest.raises(InferenceUnavailable):
        await calls.call(Server(n_failing=99))
    assert calls._recovery._task is not None
    await asyncio.wait({calls._recovery._task})

    with pytest.raises(ZeroDivisionError):
        await calls.call(Server(n_failing=0))


async def test_calls_in_flight_are_bounded() -> None:
    calls = make_calls(max_in_flight=2)
    running, most = 0, 0

    async def attempt(_timeout_s: float) -> None:
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    await asyncio.gather(*(calls.call(attempt) for _ in range(20)))

    assert most == 2


async def test_calls_end_at_their_deadline_whether_under_way_or_waiting_for_a_place() -> None:
    calls = make_calls(max_in_flight=1, deadline_s=0.05, n_failures=9)

    ended = await ended_within_5_s([calls.call(hangs) for _ in range(3)])

    assert [type(error) for error in ended] == [InferenceUnavailable] * 3


async def test_a_call_that_fails_after_the_stop_starts_no_probing() -> None:
    calls = make_calls(n_retries=0, reset_s=60.0)
    await calls.stop()

    with pytest.raises(InferenceUnavailable):
        await calls.call(Server(n_failing=99))

    assert asyncio.all_tasks() == {asyncio.current_task()}


# --- What the opening gives up -----------------------------------------------------------------


async def test_opening_gives_up_what_is_under_way_and_what_waits_for_a_place() -> None:
    calls = make_calls(n_retries=0, max_in_flight=2, deadline_s=60.0, reset_s=60.0)
    server = Server(n_failing=99)

    ended = await ended_within_5_s(
        [calls.call(hangs), calls.call(server), calls.call(hangs), calls.call(hangs)]
    )

    assert [type(error) for error in ended] == [InferenceUnavailable] * 4
    assert ["given up" in str(error) for error in ended] == [True, False, True, True]
    await calls.stop()


async def test_what_was_given_up_opens_no_breaker_again_and_holds_no_place() -> None:
    probed = asyncio.Event()

    async def probe() -> None:
        probed.set()

    calls = make_calls(n_retries=0, max_in_flight=2, deadline_s=60.0, probe=probe)

    await ended_within_5_s([calls.call(hangs), calls.call(Server(n_failing=99))])
    await asyncio.wait_for(probed.wait(), 5)
    await asyncio.sleep(0)
    answers = await ended_within_5_s([calls.call(Server(n_failing=0)) for _ in range(3)])

    assert answers == ["answer"] * 3


async def test_held_back_calls_end_at_once_and_no_further_is_made() -> None:
    calls = make_calls(deadline_s=60.0, reset_s=60.0, n_failures=9)
    under_way = asyncio.create_task(calls.call(hangs))
    await asyncio.sleep(0)

    calls.hold_back("the server is away")
    ended = await ended_within_5_s([under_way, calls.call(Server(n_failing=0))])

    assert [type(error) for error in ended] == [InferenceUnavailable] * 2
    await calls.stop()


async def test_a_bug_that_looks_like_a_passed_deadline_stays_a_bug() -> None:
    calls = make_calls()

    with pytest.raises(TimeoutError):
        await calls.call(Server(n_failing=1, error=TimeoutError))


async def test_an_attempt_without_an_answer_for_half_its_time_raises_suspicion() -> None:
    suspected = asyncio.Event()
    calls = make_calls(deadline_s=60.0, suspect=suspected.set)
    under_way = asyncio.create_task(calls.call(hangs))

    await asyncio.wait_for(suspected.wait(), 5)

    assert not under_way.done()
    under_way.cancel()


async def test_every_failed_attempt_raises_suspicion() -> None:
    suspicions: list[None] = []
    calls = make_calls(n_retries=2, n_failures=9, suspect=lambda: suspicions.append(None))

    await calls.call(Server(n_failing=2))

    assert len(suspicions) == 2


async def ended_within_5_s(calls: Sequence[Awaitable[str]]) -> list[str | BaseException]:
    """Return answers and errors in the order of *calls*."""
    async with asyncio.timeout(5):
        return await asyncio.gather(*calls, return_exceptions=True)
