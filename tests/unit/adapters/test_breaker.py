from __future__ import annotations

from stream.adapters.breaker import Breaker, State


def make_breaker() -> Breaker:
    return Breaker(n_failures=3, reset_s=2.0)


def opened_at(now: float) -> Breaker:
    breaker = make_breaker()
    for _ in range(3):
        breaker.failed(now)
    return breaker


def test_opens_after_failures_in_a_row() -> None:
    breaker = make_breaker()

    breaker.failed(0.0)
    breaker.failed(0.1)
    before = breaker.is_open
    breaker.failed(0.2)

    assert (before, breaker.is_open) == (False, True)


def test_a_success_between_failures_starts_the_count_again() -> None:
    breaker = make_breaker()

    for now in range(10):
        breaker.failed(float(now))
        breaker.failed(float(now))
        breaker.succeeded()

    assert breaker.state is State.CLOSED


def test_a_probe_is_due_after_the_reset_time() -> None:
    breaker = opened_at(10.0)

    assert [breaker.due_in_s(now) for now in (10.0, 11.5, 12.0, 99.0)] == [2.0, 0.5, 0.0, 0.0]


def test_failures_while_open_do_not_put_the_probe_off() -> None:
    breaker = opened_at(10.0)

    breaker.failed(11.9)

    assert breaker.due_in_s(12.0) == 0.0


def test_a_probe_without_answer_opens_for_another_while() -> None:
    breaker = opened_at(10.0)

    breaker.probed(12.0, answered=False)

    assert breaker.is_open
    assert breaker.due_in_s(12.5) == 1.5


def test_one_failure_is_enough_after_a_probe() -> None:
    breaker = opened_at(10.0)

    breaker.probed(12.0, answered=True)
    passes = not breaker.is_open
    breaker.failed(12.1)

    assert passes
    assert breaker.is_open


def test_a_success_after_a_probe_closes() -> None:
    breaker = opened_at(10.0)
    breaker.probed(12.0, answered=True)

    breaker.succeeded()
    breaker.failed(12.1)

    assert breaker.state is State.CLOSED


def test_a_late_success_of_an_earlier_call_does_not_close() -> None:
    breaker = opened_at(10.0)

    breaker.succeeded()

    assert breaker.is_open
