"""``storestream report``: reads the three topics, one after the other, and tells what it found."""

from __future__ import annotations

import asyncio
import sys
from collections import Counter
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from pathlib import Path
from typing import TypeVar

from rich.console import Console

from stream.broker_topics import BrokerTopics, shown
from stream.codec import (
    Reading,
    decode_clickstream,
    decode_orders,
    decode_recommendation,
    not_after,
)
from stream.domain.events import ClickstreamEvent, OrdersEvent
from stream.errors import InvalidEvent
from stream.kafka.records import InRecord
from stream.reporting.arms import arms_of
from stream.reporting.claims import Claims, Display
from stream.reporting.comparisons import comparisons_of
from stream.reporting.findings import Findings, write_report
from stream.reporting.period import HOUR_MS, Period, Sample
from stream.reporting.purchases import Purchases
from stream.reporting.table import arms_table, differences_table, remarks
from stream.settings import Settings
from stream.telemetry import configure_logging
from stream.topics import EVENTS, ORDERS, RECOMMENDATIONS, TopicSpec

#: Of output that goes to no terminal: rows stay whole.
_WIDTH_OF_FILES = 200
#: A recommendation is looked for that long before the period; an older one that was shown in it is
#: unknown, and told as such.
_SHOWN_WITHIN_MS = 24 * HOUR_MS

Fact = TypeVar("Fact")
Event = TypeVar("Event", bound=ClickstreamEvent | OrdersEvent)


def run_report(settings: Settings, period: Period, *, max_held: int, report: Path | None) -> int:
    """Print what came of the recommendations shown in *period*, and write it to *report*.

    Args:
        max_held: Recommendations shown and orders of them that are held in memory at a time; above
            that fewer visitors are looked at.
    """
    configure_logging(settings.log_level, settings.log_format)
    findings = asyncio.run(_Reporting(settings, period, max_held).findings())
    console = Console() if sys.stdout.isatty() else Console(width=_WIDTH_OF_FILES)
    if findings.arms:
        console.print(arms_table(findings))
    if findings.comparisons:
        console.print(differences_table(findings))
    for remark in remarks(findings):
        sys.stdout.write(f"{remark}\n")
    if report is not None:
        write_report(findings, report)
    return 0


class _Reporting:
    """One run; what could not be read is counted, and the rest goes on."""

    def __init__(self, settings: Settings, period: Period, max_held: int) -> None:
        names = [spec.name for spec in (EVENTS, RECOMMENDATIONS, ORDERS)]
        self._topics = BrokerTopics(settings, names, purpose="report")
        self._period = period
        self._sample = Sample(max_held)
        self._tolerance_ms = int(1000 * settings.future_tolerance_s)
        self._n_read = Counter(dict.fromkeys(names, 0))
        self._n_unreadable = Counter(dict.fromkeys(names, 0))
        self._latest_ms = 0

    async def findings(self) -> Findings:
        """Read events, then the recommendations that they name, then orders.

        An event follows its recommendation, so that the end of the second topic, asked for after
        the first was read, is behind all that the first names.
        """
        claims = await self._claims()
        await self._join(claims)
        purchases = await self._purchases(claims)
        displays = purchases.displays
        arms = arms_of(displays, purchases.credits(displays))
        return Findings(
            period=self._period,
            arms=arms,
            comparisons=comparisons_of(arms, purchases),
            n_read=self._n_read,
            n_unreadable=self._n_unreadable,
            left_out={str(why): count for why, count in claims.left_out.items()},
            one_in=self._sample.one_in,
            n_open=sum(map(self._n_open, displays.values())),
            n_in_several=sum(len({d.variant for d in each}) > 1 for each in displays.values()),
            n_simulated=claims.n_simulated,
        )

    async def _claims(self) -> Claims:
        claims = Claims(self._period, self._sample)
        since_ms = self._appended_since(0)
        async with aclosing(self._facts(EVENTS, decode_clickstream, since_ms)) as facts:
            async for record, event in facts:
                claims.take(self._in_time(event, record))
        return claims

    async def _join(self, claims: Claims) -> None:
        since_ms = self._appended_since(_SHOWN_WITHIN_MS)
        scanned = self._facts(RECOMMENDATIONS, decode_recommendation, since_ms)
        async with aclosing(scanned) as facts:
            async for _, recommendation in facts:
                claims.join(recommendation)
        claims.end()

    async def _purchases(self, claims: Claims) -> Purchases:
        purchases = Purchases(claims.displays, self._period.window_ms, self._sample)
        since_ms = self._appended_since(0)
        async with aclosing(self._facts(ORDERS, decode_orders, since_ms)) as facts:
            async for record, event in facts:
                purchases.take(self._in_time(event, record))
        return purchases

    async def _facts(
        self, topic: TopicSpec, decode: Reading[Fact], since_ms: int | None
    ) -> AsyncGenerator[tuple[InRecord, Fact], None]:
        async with (
            self._topics.scan(topic.name, since_ms=since_ms) as scan,
            aclosing(shown(scan, f"Reading {topic.name}")) as spans,
        ):
            async for name, partition, records in spans:
                self._n_read[name] += len(records)
                for record in records:
                    try:
                        fact = decode(record, name, partition)
                    except InvalidEvent:
                        self._n_unreadable[name] += 1
                        continue
                    yield record, fact

    def _appended_since(self, before_ms: int) -> int | None:
        """Return from which append time on to read; an event is held to its append, as ever."""
        since_ms = self._period.since_ms
        return None if since_ms is None else max(0, since_ms - self._tolerance_ms - before_ms)

    def _in_time(self, event: Event, record: InRecord) -> Event:
        dated = not_after(event, record.timestamp + self._tolerance_ms)
        self._latest_ms = max(self._latest_ms, dated.occurred_at_ms)
        return dated

    def _n_open(self, displays: Sequence[Display]) -> int:
        """Return how many of *displays* may still lead to purchases."""
        began_ms = self._latest_ms - self._period.window_ms
        return sum(display.shown_at_ms > began_ms for display in displays)
