from __future__ import annotations

import io
import json
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from stream.log_limits import PERIOD_S, RepeatsLeftOut
from stream.telemetry import configure_logging

CLIENT = "aiokafka.consumer.fetcher"


class Clock:
    """Stands still until it is told the time."""

    def __init__(self) -> None:
        self.now_s = 0.0

    def __call__(self) -> float:
        return self.now_s


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def repeats(clock: Clock) -> RepeatsLeftOut:
    return RepeatsLeftOut(["aiokafka", "kafka"], clock=clock)


def make_line(
    text: object = "Failed fetch messages from %s: %s",
    *arguments: object,
    name: str = CLIENT,
    level: int = logging.ERROR,
    error: BaseException | None = None,
) -> logging.LogRecord:
    exc_info = (type(error), error, None) if error else None
    return logging.LogRecord(name, level, "file.py", 1, text, arguments, exc_info)


def failed(node_id: int = 1, error: BaseException | None = None) -> logging.LogRecord:
    return make_line("Failed fetch from %s: %s", node_id, error or ConnectionError("closed"))


def n_left_out(line: logging.LogRecord) -> Any:
    return getattr(line, "n_left_out", None)


def test_first_line_is_told_and_its_repeats_are_not(repeats: RepeatsLeftOut) -> None:
    told = [repeats.filter(failed()) for _ in range(100)]

    assert told == [True] + [False] * 99


def test_after_the_period_it_is_told_again_with_how_many_were_left_out(
    repeats: RepeatsLeftOut, clock: Clock
) -> None:
    lines = [failed() for _ in range(101)]
    for line in lines[:100]:
        repeats.filter(line)
    clock.now_s = PERIOD_S

    assert repeats.filter(lines[100])
    assert n_left_out(lines[100]) == 99
    assert n_left_out(lines[0]) is None


def test_repeats_are_one_line_a_period_however_long_they_last(
    repeats: RepeatsLeftOut, clock: Clock
) -> None:
    lines = [failed() for _ in range(600)]
    told = []
    for number, line in enumerate(lines):
        clock.now_s = number * 0.1
        told += [line] if repeats.filter(line) else []

    assert len(told) == 60 / PERIOD_S
    assert {n_left_out(line) for line in told[1:]} == {10 * PERIOD_S - 1}


def test_line_that_comes_slowly_is_always_told(repeats: RepeatsLeftOut, clock: Clock) -> None:
    for number in range(10):
        clock.now_s = number * PERIOD_S
        line = failed()

        assert repeats.filter(line)
        assert n_left_out(line) is None


def test_words_of_an_error_make_no_other_line(repeats: RepeatsLeftOut) -> None:
    told = [repeats.filter(failed(error=ConnectionError(f"try {n}"))) for n in range(3)]

    assert told == [True, False, False]


def test_how_long_it_waits_makes_no_other_line(repeats: RepeatsLeftOut) -> None:
    told = [repeats.filter(make_line("waiting %.2f s", 0.1 * n)) for n in range(3)]

    assert told == [True, False, False]


@pytest.mark.parametrize(
    "other",
    [
        failed(node_id=2),
        failed(error=PermissionError("not allowed")),
        make_line("Failed fetch from %s: %s", 1, ConnectionError(), level=logging.WARNING),
        make_line("Failed fetch from %s: %s", 1, ConnectionError(), name="aiokafka"),
        make_line("Failed fetch from %s: %s", 1, ConnectionError(), error=ValueError()),
        make_line("Heartbeat failed: %s", ConnectionError("closed")),
        make_line(PermissionError("not allowed")),
    ],
    ids=["node", "error", "level", "logger", "traceback", "text", "no text"],
)
def test_line_of_another_kind_is_told_at_once(
    repeats: RepeatsLeftOut, other: logging.LogRecord
) -> None:
    repeats.filter(failed())
    repeats.filter(make_line(ConnectionError()))

    assert repeats.filter(other)


@pytest.mark.parametrize("name", ["stream.kafka.consumer", "faust", "kafkaesque", "root"])
def test_lines_of_nobody_else_are_left_out(repeats: RepeatsLeftOut, name: str) -> None:
    assert all(repeats.filter(make_line("the same", name=name)) for _ in range(3))


def test_what_is_no_warning_is_not_looked_at(repeats: RepeatsLeftOut) -> None:
    assert all(repeats.filter(make_line("the same", level=logging.INFO)) for _ in range(3))


def test_lines_that_all_differ_are_bounded_and_hide_no_other_text(
    repeats: RepeatsLeftOut, clock: Clock
) -> None:
    told = [repeats.filter(make_line("At offset %d", number)) for number in range(10_000)]
    other = repeats.filter(make_line("Another text"))
    clock.now_s = PERIOD_S

    assert sum(told) < 100
    assert other
    assert repeats.filter(make_line("At offset %d", 10_000))


def test_texts_that_all_differ_are_bounded_and_hide_no_other_logger(
    repeats: RepeatsLeftOut,
) -> None:
    told = [repeats.filter(make_line(f"At offset {number}")) for number in range(10_000)]

    assert sum(told) < 200
    assert repeats.filter(make_line("The same text", name="aiokafka.cluster"))
    assert len(repeats._told) < 200


# --- As logging is configured ------------------------------------------------------------------


@pytest.fixture
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    clients = {name: logging.getLogger(name).level for name in ("aiokafka", "kafka")}
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    for name, its_level in clients.items():
        logging.getLogger(name).setLevel(its_level)
    structlog.reset_defaults()


@pytest.mark.usefixtures("logging_as_before")
@pytest.mark.parametrize("form", ["json", "console"])
def test_log_has_a_client_s_line_once_and_every_line_of_ours(form: str) -> None:
    written = io.StringIO()
    configure_logging("info", form, written)

    for _ in range(50):
        logging.getLogger(CLIENT).error("Failed fetch from %s: %s", 1, ConnectionError("closed"))
        structlog.get_logger("stream.kafka.reader").warning("topic_unread")
        logging.getLogger("faust").warning("rebalanced")

    text = written.getvalue()
    counts = [text.count(said) for said in ("Failed fetch from 1", "topic_unread", "rebalanced")]
    assert counts == [1, 50, 50]


@pytest.mark.usefixtures("logging_as_before")
def test_log_says_how_many_lines_were_left_out() -> None:
    written = io.StringIO()
    configure_logging("info", "json", written)
    clock = Clock()
    (handler,) = logging.getLogger().handlers
    (repeats,) = handler.filters
    assert isinstance(repeats, RepeatsLeftOut)
    repeats._clock = clock

    for at_s in (0.0, 1.0, 2.0, PERIOD_S):
        clock.now_s = at_s
        logging.getLogger(CLIENT).error("Failed fetch from %s", 1)

    first, second = map(json.loads, written.getvalue().splitlines())
    assert "n_left_out" not in first
    assert (second["event"], second["n_left_out"]) == ("Failed fetch from 1", 2)


@pytest.mark.usefixtures("logging_as_before")
def test_at_level_debug_every_line_is_written() -> None:
    written = io.StringIO()
    configure_logging("debug", "json", written)

    for _ in range(5):
        logging.getLogger(CLIENT).error("Failed fetch from %s", 1)

    assert len(written.getvalue().splitlines()) == 5
