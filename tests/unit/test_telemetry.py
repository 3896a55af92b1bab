from __future__ import annotations

import io
import json
import logging
import re
from collections.abc import Iterator

import pytest
import structlog

from stream.telemetry import Telemetry, configure_logging


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
