"""Whether events are answered in full, and if not, why."""

from __future__ import annotations

from collections.abc import Iterator

from stream.agents.parts import Parts
from stream.health import Health


def readiness(parts: Parts, *, recovered: bool) -> Health:
    """Return whether partitions, their state, the shelf and the models are there.

    A record set aside is said as well, and changes nothing: the others are answered.
    """
    reasons = tuple(_missing(parts, recovered=recovered))
    alarm = parts.quarantine.alarm
    return Health(not reasons, reasons if alarm is None else (*reasons, alarm))


def _missing(parts: Parts, *, recovered: bool) -> Iterator[str]:
    if not recovered:
        yield "no partitions are assigned and recovered yet"
    if not parts.bulletin.ready:
        yield "the product state is not read yet"
    if parts.serving is not None:
        yield from parts.serving.missing()
