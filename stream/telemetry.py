"""What a worker says about itself: log lines and metrics."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable
from functools import partial
from typing import TextIO

import structlog
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

from stream.log_limits import RepeatsLeftOut, tell_left_out
from stream.printable import MAX_CHARS, printable, printable_lines

_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 0.8, 1.0, 2.5, 5.0, 10.0)
#: Clients that tell at level info of every connection they make, and then of every one that fails.
_CHATTY = ("aiokafka", "kafka")
#: Fields in which line breaks are ours.
_OF_SEVERAL_LINES = ("exception", "stack", "stack_info")
#: Of a traceback; its beginning and its end are kept.
_MAX_TRACEBACK_CHARS = 16 * MAX_CHARS
_TENTHS = (0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0)
_ROWS = (1, 2, 4, 8, 16, 32, 64, 128, 256)


#: Who asks a model: for answers that are shown, for the canary's, or for what nobody sees.
ANSWERS, CANARY, SHADOW, WARM_UP = "answers", "canary", "shadow", "warm_up"


class Telemetry:
    """Every metric of a process, in a registry of its own so that one process can hold two workers.

    Count per micro-batch (``.inc(n)``), never per event: a labelled increment costs more than
    decoding does.
    """

    def __init__(self, registry: CollectorRegistry | None = None) -> None:
        self.registry = registry or CollectorRegistry()
        counter = partial(Counter, registry=self.registry)
        gauge = partial(Gauge, registry=self.registry)
        self._count_input(counter)
        self._measure_flight(gauge)
        self._measure_inference(counter, gauge)
        self._tell_versions(counter, gauge)
        self._count_output(counter)
        self._measure_state(counter, gauge)

    def _count_input(self, counter: Callable[..., Counter]) -> None:
        reason, topic = ("topic", "reason"), ("topic",)
        self.records_read = counter("stream_read_records", "Records decoded", topic)
        self.records_rejected = counter(
            "stream_rejected_records",
            "Records that are no event of their topic, or rows that the model refused",
            reason,
        )
        self.quarantined = counter(
            "stream_quarantined_records",
            "Records set aside because workers crashed at them, or because a person said so",
            reason,
        )
        self.repeats = counter("stream_repeated_records", "Records folded before", topic)
        self.unexplained = counter(
            "stream_unexplained_records",
            "Repeats in a row beyond what a worker that died may have had in flight",
            topic,
        )
        self.key_mismatches = counter(
            "stream_misplaced_records",
            "Records with another key than their visitor or product, or in another partition",
            ("topic", "kind"),
        )

    def _measure_flight(self, gauge: Callable[..., Gauge]) -> None:
        self.bytes_in_flight = gauge("stream_in_flight_bytes", "Bytes fetched and not completed")
        self.chunks_in_flight = gauge("stream_in_flight_chunks", "Chunks fetched and not completed")
        self.oldest_open_seconds = gauge(
            "stream_oldest_open_seconds", "Age of the oldest chunk that is not completed"
        )
        self.committed_lag = gauge(
            "stream_committed_lag_records",
            "End of the partition minus its committed offset",
            ("topic", "partition"),
        )

    def _measure_inference(
        self, counter: Callable[..., Counter], gauge: Callable[..., Gauge]
    ) -> None:
        model = ("model", "purpose")
        self.rows_per_request = self._histogram(
            "stream_request_rows", "Rows a request", model, _ROWS
        )
        self.inference_seconds = self._histogram(
            "stream_inference_seconds", "One model call with its retries", model
        )
        self.inference_failures = counter(
            "stream_inference_failures", "Calls without a usable answer", (*model, "reason")
        )
        self.inference_retries = counter("stream_inference_retries", "Requests sent again", model)
        self.breaker_open = gauge(
            "stream_breaker_open", "1 while requests to the model are held back, else 0", model
        )
        self.rows_waiting = gauge(
            "stream_waiting_rows", "Rows gathered for the next request", ("model",)
        )

    def _tell_versions(self, counter: Callable[..., Counter], gauge: Callable[..., Gauge]) -> None:
        self.model_version = gauge(
            "stream_model_version",
            "1 for each version in use, and for each that was refused",
            ("model", "role", "version"),
        )
        self.shadow_overlap = self._histogram(
            "stream_shadow_overlap_ratio",
            "Of the best ten, those that both versions name: mean of a micro-batch",
            ("version", "shadow"),
            _TENTHS,
        )
        self.shadow_rows = counter(
            "stream_shadow_rows", "Rows offered to the shadow", ("version", "outcome")
        )

    def _count_output(self, counter: Callable[..., Counter]) -> None:
        self.recommendations = counter(
            "stream_published_recommendations",
            "Recommendations that the broker confirmed",
            ("strategy", "degraded"),
        )
        self.alerts = counter(
            "stream_published_alerts",
            "Stock alerts that the broker confirmed",
            ("kind", "status"),
        )
        self.stock_counts = counter(
            "stream_stock_counts", "Counts of shelves of which something was expected", ("outcome",)
        )
        self.forgotten_locations = counter(
            "stream_forgotten_locations",
            "Counted locations of products that have more than are remembered",
        )
        self.drifted_units = counter(
            "stream_drifted_units",
            "Units that counts found beyond what was expected, or missing",
            ("way",),
        )
        self.published_records = counter(
            "stream_published_records", "Records that the broker confirmed", ("topic",)
        )
        self.publish_seconds = self._histogram(
            "stream_publish_seconds", "From handing records over to their confirmation"
        )
        self.transaction_seconds = self._histogram(
            "stream_transaction_seconds", "Exactly once: from the last effect to the commit"
        )
        self.answer_seconds = self._histogram(
            "stream_answer_seconds",
            "From append to confirmed answer, of the visitor who waited longest in a micro-batch",
        )

    def _measure_state(self, counter: Callable[..., Counter], gauge: Callable[..., Gauge]) -> None:
        store = ("store",)
        self.state_keys = gauge("stream_state_keys", "Keys held", ("store", "partition"))
        self.state_expired = counter("stream_expired_keys", "Keys deleted by their age", store)
        self.recovered_records = counter("stream_recovered_records", "Changes read back", store)
        self.recovery_seconds = gauge("stream_recovery_seconds", "The last recovery", store)

    def _histogram(
        self,
        name: str,
        documentation: str,
        labels: tuple[str, ...] = (),
        buckets: tuple[float, ...] = _SECONDS,
    ) -> Histogram:
        return Histogram(name, documentation, labels, buckets=buckets, registry=self.registry)


def configure_logging(level: str, form: str, to: TextIO | None = None) -> None:
    """Send structlog's and the standard library's lines to *to* (stderr), one line an entry.

    Whatever is logged comes out printable and bounded: a name that a producer chose can neither
    forge an entry, nor move a terminal's cursor, nor fill the disk. A client that says the same
    again and again is written every few seconds, with ``n_left_out``; at level debug, always.

    Args:
        level: The least that is written: debug, info, warning or error.
        form: ``json`` for machines, ``console`` for people.
    """
    stream = to or sys.stderr
    shared: list[structlog.typing.Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.make_filtering_bound_logger(level),
        cache_logger_on_first_use=False,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[*shared, tell_left_out],
            processors=_rendering(form, colors=stream.isatty()),
        )
    )
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
    if level != "debug":
        handler.addFilter(RepeatsLeftOut(_CHATTY))
        for client in _CHATTY:
            logging.getLogger(client).setLevel(logging.WARNING)


def _rendering(form: str, *, colors: bool) -> list[structlog.typing.Processor]:
    first: list[structlog.typing.Processor] = [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        structlog.processors.format_exc_info,
    ]
    if form == "json":
        return [*first, partial(_tamed, indent=""), structlog.processors.JSONRenderer()]
    console = structlog.dev.ConsoleRenderer(
        colors=colors, exception_formatter=structlog.dev.plain_traceback
    )
    return [*first, partial(_tamed, indent="    "), console]


def _tamed(
    _: object, __: str, entry: structlog.typing.EventDict, *, indent: str
) -> structlog.typing.EventDict:
    """Make every value of *entry* printable and bounded; only a traceback keeps its lines."""
    for name, value in entry.items():
        if name in _OF_SEVERAL_LINES:
            entry[name] = printable_lines(str(value), _MAX_TRACEBACK_CHARS, indent=indent)
        elif isinstance(value, str):
            entry[name] = printable(value)
        elif len(shown := repr(value)) > MAX_CHARS:
            entry[name] = printable(shown)
    return entry
