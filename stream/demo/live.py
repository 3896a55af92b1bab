"""What happens now, for eyes: rates, latency, alerts and a few answers, on one screen.

It follows the output topics beside the worker. It decides nothing; the audit reads for itself.
"""

from __future__ import annotations

import time
from collections import Counter, deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

import msgspec
from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from stream.demo.catalogue import Catalogue
from stream.demo.ledger import percentiles
from stream.demo.sending import Replayed, Sender
from stream.domain.outputs import AlertStatus, Recommendation, StockAlert
from stream.kafka.records import InRecord
from stream.printable import printable

ORIGINS = (
    "Real: the orders (2,469 households, 2017, completejourney). "
    "Simulated: browsing and shelves around them."
)
_RATE_WINDOW_S = 5.0
_N_LATENCIES = 2_000
_N_SAMPLES = 4
#: Statuses of alerts that are counted on the screen, which has a line for them.
_TOLD: tuple[AlertStatus, ...] = ("opened", "snoozed", "resolved")
_recommendation = msgspec.json.Decoder(Recommendation)
_alert = msgspec.json.Decoder(StockAlert)


@dataclass(slots=True)
class Rate:
    """Counts over the last seconds."""

    _marks: deque[tuple[float, int]] = field(default_factory=deque)

    def per_s(self, now_s: float, total: int) -> float:
        """The rate at which *total* has grown lately."""
        self._marks.append((now_s, total))
        while now_s - self._marks[0][0] > _RATE_WINDOW_S:
            self._marks.popleft()
        since_s, before = self._marks[0]
        return (total - before) / (now_s - since_s) if now_s > since_s else 0.0


@dataclass(slots=True)
class Following:
    """What the output topics said so far."""

    sender: Sender
    n_recommendations: int = 0
    latencies_ms: deque[int] = field(default_factory=lambda: deque(maxlen=_N_LATENCIES))
    alerts: Counter[str] = field(default_factory=Counter)
    samples: deque[Recommendation] = field(default_factory=lambda: deque(maxlen=_N_SAMPLES))
    last_alert: StockAlert | None = None

    def recommended(self, records: Sequence[InRecord]) -> None:
        """Take in records of the recommendations topic, at least one."""
        self.n_recommendations += len(records)
        for record in records:
            answer = _recommendation.decode(record.value or b"")
            for cover in answer.covers:
                sent = self.sender.sent_at_ms[cover.topic, cover.partition]
                if cover.last_offset < len(sent):
                    self.latencies_ms.append(int(record.timestamp - sent[cover.first_offset]))
        newest = _recommendation.decode(records[-1].value or b"")
        if not self.samples or newest.visitor_id != self.samples[-1].visitor_id:
            self.samples.append(newest)

    def alerted(self, records: Sequence[InRecord]) -> None:
        """Take in records of the stock alerts topic."""
        for record in records:
            if record.value:
                self.last_alert = _alert.decode(record.value)
                self.alerts[self.last_alert.status] += 1


class Screen:
    """Renders the live view."""

    def __init__(
        self, following: Following, sender: Sender, replayed: Replayed, catalogue: Catalogue
    ) -> None:
        self._following = following
        self._sender = sender
        self._replayed = replayed
        self._catalogue = catalogue
        self._events, self._answers = Rate(), Rate()
        self.rows_per_request: float | None = None

    def __rich__(self) -> RenderableType:
        return Panel(
            Group(self._figures(), Text(), self._sample_table(), Text(), self._last_alert()),
            title="storestream demo",
            subtitle="Ctrl-C stops everything",
        )

    def _figures(self) -> Table:
        now_s = time.monotonic()
        following, replayed = self._following, self._replayed
        p50, p99 = percentiles(following.latencies_ms, (0.5, 0.99))
        table = Table.grid(padding=(0, 3))
        table.add_row(
            f"[b]{self._events.per_s(now_s, replayed.n_events):,.0f}[/b] events/s",
            f"[b]{self._answers.per_s(now_s, following.n_recommendations):,.0f}[/b] recommendations/s",
            f"latency p50 [b]{_ms(p50)}[/b]  p99 [b]{_ms(p99)}[/b]",
            f"[b]{self.rows_per_request or 0:.1f}[/b] rows/request",
        )
        alerts = following.alerts
        table.add_row(
            f"{replayed.n_events:,} sent",
            f"{replayed.real.total():,} real, {replayed.simulated.total():,} simulated",
            "alerts: " + ", ".join(f"{alerts[each]:,} {each}" for each in _TOLD),
            f"store time {_day(self._sender.occurred_at_ms)}",
        )
        return _stacked(table, Text(ORIGINS, style="dim"))

    def _sample_table(self) -> Table:
        table = Table(box=None, padding=(0, 2, 0, 0), show_edge=False)
        table.add_column("visitor", style="cyan", no_wrap=True)
        table.add_column("recommended now", overflow="ellipsis", no_wrap=True)
        for sample in self._following.samples:
            names = [self._name(item.product_id) for item in sample.items[:3]]
            table.add_row(sample.visitor_id, " · ".join(names))
        return table

    def _last_alert(self) -> Text:
        alert = self._following.last_alert
        if alert is None:
            return Text("no stock alert yet", style="dim")
        what = f"{alert.kind} {alert.status}: {alert.name or alert.product_id}"
        return Text(f"{printable(what)}: {printable(alert.explanation)}")

    def _name(self, product_id: str) -> str:
        return self._catalogue.name(int(product_id)) if product_id.isdigit() else product_id


def _stacked(*parts: RenderableType) -> Table:
    table = Table.grid()
    for part in parts:
        table.add_row(part)
    return table


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f} ms"


def _day(at_ms: int) -> str:
    return datetime.fromtimestamp(at_ms / 1000, UTC).strftime("%d %b %Y %H:%M")
