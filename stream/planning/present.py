"""The alerts that hold now: the last record of each key, as the compacted topic means it."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from stream.codec import decode_alert
from stream.domain.outputs import StockAlert, alert_key
from stream.errors import InvalidEvent
from stream.kafka.records import InRecord
from stream.planning.choice import SEVERITIES, Choice


@dataclass(frozen=True, slots=True, kw_only=True)
class StockList:
    """The present alerts that were asked for.

    Attributes:
        alerts: What costs most a day first; then what has no price.
        n_snoozed: Of those asked for, left out because they are snoozed.
        n_others: Present and not asked for.
        n_unreadable: Last records of their keys that are no alerts of theirs.
        as_of_ms: Event time of the latest message that was read; None where there was none.
    """

    alerts: Sequence[StockAlert]
    n_snoozed: int = 0
    n_others: int = 0
    n_unreadable: int = 0
    as_of_ms: int | None = None


class _Last(NamedTuple):
    """The last record of a key; without an alert where it is over, deleted or unreadable."""

    partition: int
    appended_ms: int
    alert: StockAlert | None = None
    is_readable: bool = True


@dataclass(slots=True)
class Present:
    """Takes in the topic, each partition in order, and keeps the last of each key.

    A key is in one partition, but for a topic that was given more of them: then the record that was
    appended last counts.
    """

    _last: dict[bytes, _Last] = field(default_factory=dict)
    _n_without_key: int = 0
    _as_of_ms: int | None = None

    def take(self, record: InRecord, topic: str, partition: int) -> None:
        """Take in *record*, which overrules what its key said before."""
        if record.key is None:
            self._n_without_key += 1
            return
        before = self._last.get(record.key)
        is_elsewhere = before is not None and before.partition != partition
        if before is not None and is_elsewhere and before.appended_ms > record.timestamp:
            return
        self._last[record.key] = self._read(record, topic, partition)

    def listed(self, choice: Choice) -> StockList:
        """Return what *choice* asks for of what is present."""
        present = [last.alert for last in self._last.values() if last.alert is not None]
        chosen = [alert for alert in present if choice.takes(alert)]
        alerts = [each for each in chosen if choice.shows(each)]
        n_unreadable = sum(not last.is_readable for last in self._last.values())
        return StockList(
            alerts=sorted(alerts, key=_urgency),
            n_snoozed=len(chosen) - len(alerts),
            n_others=len(present) - len(chosen),
            n_unreadable=n_unreadable + self._n_without_key,
            as_of_ms=self._as_of_ms,
        )

    def _read(self, record: InRecord, topic: str, partition: int) -> _Last:
        if record.value is None:
            return _Last(partition, record.timestamp)
        try:
            alert = decode_alert(record, topic, partition)
        except InvalidEvent:
            return _Last(partition, record.timestamp, is_readable=False)
        if alert_key(alert.product_id, alert.situation) != record.key:
            # Another key would never be overruled by what becomes of the alert.
            return _Last(partition, record.timestamp, is_readable=False)
        self._as_of_ms = max(self._as_of_ms or 0, alert.occurred_at_ms)
        is_over = alert.status == "resolved"
        return _Last(partition, record.timestamp, None if is_over else alert)


def _urgency(alert: StockAlert) -> tuple[bool, float, int, float, str, str]:
    """Order by revenue at risk, then severity, then days of cover; the same list each time."""
    at_risk, cover = alert.figures.revenue_at_risk_per_day, alert.figures.days_of_cover_p50
    return (
        at_risk is None,
        -(at_risk or 0.0),
        -SEVERITIES.index(alert.severity),
        math.inf if cover is None else cover,
        alert.product_id,
        alert.situation,
    )
