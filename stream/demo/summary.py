"""The last words of a run: what happened, and where to look next."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import get_args

from rich.console import Group, RenderableType
from rich.table import Table

from stream.demo.live import ORIGINS
from stream.demo.report import Story
from stream.domain.outputs import AlertKind, AlertStatus
from stream.model_specs import RECOMMENDER

_NEXT = (
    "Next: README.md for the topics, schemas/ for every message, "
    "docker-compose.yml for the same on Apache Kafka."
)


def summary(story: Story, left_behind: list[str]) -> RenderableType:
    """Figures of the audit, as text that also reads well without a terminal."""
    outputs, replayed, lost = story.audit.outputs, story.replayed, story.lost
    latency = story.audit.latency_ms()
    degraded = outputs.degraded / max(1, outputs.recommendations)
    rows = story.requests[RECOMMENDER.name].rows_per_request
    table = Table.grid(padding=(0, 2))
    table.add_row(
        "events sent",
        f"{replayed.n_events:,} in {replayed.seconds:.0f} s: {replayed.real.total():,} real, "
        f"{replayed.simulated.total():,} simulated; before that {story.n_past:,} of the past",
    )
    table.add_row(
        "events lost",
        f"{lost.total} (missing {lost.missing}, unanswered {lost.unanswered}, "
        f"unfolded {lost.unfolded}, unmoved {lost.unmoved})",
    )
    table.add_row(
        "recommendations",
        f"{outputs.recommendations:,}, {degraded:.2%} degraded, {outputs.repeats} repeats",
    )
    table.add_row("stock alerts", "\n".join(_alerts(outputs.alerts)) or "none")
    table.add_row("latency", f"p50 {latency['p50']} ms, p99 {latency['p99']} ms, append to append")
    table.add_row("Triton", f"{story.triton_version}, {rows} rows a request")
    table.add_row("left behind", ", ".join(left_behind) or "nothing")
    return Group(table, ORIGINS, _NEXT)


def _alerts(alerts: Mapping[str, int]) -> Iterator[str]:
    """Yield how often each kind was told, by status, a line a kind."""
    for kind in get_args(AlertKind):
        counts = [(alerts.get(f"{kind}/{status}", 0), status) for status in get_args(AlertStatus)]
        told = ", ".join(f"{count:,} {status}" for count, status in counts if count)
        if told:
            yield f"{kind}: {told}"
