from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Callable, Iterator

import pytest
import structlog

from stream.codec import decode_clickstream
from stream.pipeline.intake import Limits, Reader
from stream.telemetry import Telemetry, configure_logging
from stream.topics import EVENTS
from tests.unit.builders import Record
from tests.unit.pipeline.fakes import batch_of


@pytest.fixture(autouse=True)
def logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def test_two_workers_may_share_a_process() -> None:
    one, other = Telemetry(), Telemetry()

    one.records_read.labels("store.events.v1").inc(3)

    labels = {"topic": "store.events.v1"}
    assert one.registry.get_sample_value("stream_read_records_total", labels) == 3
    assert other.registry.get_sample_value("stream_read_records_total", labels) is None


def test_every_metric_is_named_stream_noun_unit() -> None:
    names = [metric.name for metric in Telemetry().registry.collect()]

    assert names
    assert all(re.fullmatch(r"stream(_[a-z]+){2,4}", name) for name in names)


@pytest.mark.parametrize("through", ["structlog", "logging"])
def test_json_log_is_one_object_a_line(through: str) -> None:
    written = io.StringIO()
    configure_logging("info", "json", written)

    if through == "structlog":
        structlog.get_logger("stream").warning("event_rejected", topic="t", offset=3)
    else:
        logging.getLogger("faust").warning("event_rejected")

    line = json.loads(written.getvalue())
    assert (line["event"], line["level"]) == ("event_rejected", "warning")
    assert line["timestamp"].endswith("Z")


def test_console_log_is_read_without_a_parser() -> None:
    written = io.StringIO()
    configure_logging("info", "console", written)

    structlog.get_logger().info("partitions_assigned", n_partitions=4)

    assert re.search(r"partitions_assigned +n_partitions=4", written.getvalue())


def test_less_than_the_level_is_not_written() -> None:
    written = io.StringIO()
    configure_logging("warning", "json", written)

    structlog.get_logger().info("quiet")
    logging.getLogger("faust").info("quiet")

    assert written.getvalue() == ""


def test_traceback_stays_in_its_line() -> None:
    written = io.StringIO()
    configure_logging("info", "json", written)

    try:
        raise ValueError("wrong")
    except ValueError:
        structlog.get_logger().exception("agent_crashed")

    lines = written.getvalue().splitlines()
    assert len(lines) == 1
    assert "ValueError: wrong" in json.loads(lines[0])["exception"]


# --- What a producer chose, in a log line ------------------------------------------------------

FORMS = ["json", "console"]
#: Forges an entry, moves the cursor, sets a title, ends a line for some, turns the text around.
HOSTILE = (
    "x\n2026-01-01T00:00:00Z [error] forged\r\x1b[2J\x1b]0;t\x07\x85\u2028\u202e\x7f\x00\udc80"
)


def written_by(form: str, tell: Callable[[], object]) -> str:
    """Return what *tell* logs."""
    written = io.StringIO()
    configure_logging("info", form, written)
    tell()
    return written.getvalue()


def crash(error: Exception) -> None:
    """Log *error* with its traceback, as a worker does that must end."""
    try:
        raise error
    except type(error) as caught:
        structlog.get_logger().error("worker_failed", error=repr(caught), exc_info=caught)


TELLINGS: dict[str, Callable[[str], object]] = {
    "a field": lambda text: structlog.get_logger().warning("event_rejected", key=text),
    "bytes": lambda text: structlog.get_logger().warning(
        "rejected", key=text.encode("utf-8", "replace")
    ),
    "a field of several": lambda text: structlog.get_logger().warning(
        "rejected", keys=[text, {"a": text}]
    ),
    "the event": lambda text: structlog.get_logger().warning(text),
    "an error": lambda text: crash(ValueError(text)),
    "another library": lambda text: logging.getLogger("aiokafka").warning("topic %s", text),
    "another library's error": lambda text: logging.getLogger("aiokafka").warning(
        "failed", exc_info=ValueError(text)
    ),
    "a stack": lambda text: logging.getLogger("faust").warning("at %s", text, stack_info=True),
}
tellings = pytest.mark.parametrize("tell", TELLINGS.values(), ids=TELLINGS)


@pytest.mark.parametrize("form", FORMS)
@tellings
def test_hostile_text_reaches_the_log_printable(form: str, tell: Callable[[str], object]) -> None:
    written = written_by(form, lambda: tell(HOSTILE))

    assert "forged" in written
    assert all(line.isprintable() for line in written.split("\n"))


@tellings
def test_hostile_text_forges_no_entry_for_people(tell: Callable[[str], object]) -> None:
    first, *more = written_by("console", lambda: tell(HOSTILE)).rstrip("\n").split("\n")

    assert re.match(r"\d{4}-\d\d-\d\dT", first)
    assert all(line.startswith(" ") for line in more)


@tellings
def test_hostile_text_is_one_entry_for_machines(tell: Callable[[str], object]) -> None:
    (line,) = written_by("json", lambda: tell(HOSTILE)).splitlines()

    assert json.loads(line)["level"] in {"warning", "error"}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("char", ["x", "\x1b", "\n", "\U000e0001"])
@tellings
def test_entry_is_bounded(form: str, char: str, tell: Callable[[str], object]) -> None:
    written = written_by(form, lambda: tell(char * 1_000_000))

    assert len(written) < 64 * 1024


@pytest.mark.parametrize("form", FORMS)
def test_bad_records_are_told_of_without_their_words(form: str) -> None:
    topic = EVENTS.name
    value = f'{{"type":"{"secret" * 99}","visitor_id":"secret"}}'.encode()
    records = [Record(value, b"secret", headers=[("secret", b"secret")]) for _ in range(9)]
    reader = Reader(Telemetry(), Limits(10_000, 1_000, 0, n_partitions=4))

    written = written_by(form, lambda: reader.take_in(batch_of(topic, records), decode_clickstream))

    assert "records_faulty" in written
    assert "secret" not in written
