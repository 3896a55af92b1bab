"""Which of the present alerts are meant."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TypeVar, get_args

from stream.domain.outputs import AlertKind, Severity, Situation, StockAlert
from stream.errors import Misconfigured

KINDS: tuple[AlertKind, ...] = get_args(AlertKind)
SITUATIONS: tuple[Situation, ...] = get_args(Situation)
#: The least severe first, as the type lists them.
SEVERITIES: tuple[Severity, ...] = get_args(Severity)

Name = TypeVar("Name", bound=str)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What was asked for; all that is critical or not snoozed when nothing was.

    Attributes:
        kinds: Empty for all of them.
        with_snoozed: Whether alerts that wait for their deliveries are meant as well; None for those
            that are critical: nothing is to be decided, but nothing can be sold either.
    """

    kinds: Collection[AlertKind] = frozenset()
    situation: Situation | None = None
    min_severity: Severity = "info"
    product_id: str | None = None
    with_snoozed: bool | None = None

    def takes(self, alert: StockAlert) -> bool:
        """Whether *alert* is meant, apart from being snoozed."""
        return (
            (not self.kinds or alert.kind in self.kinds)
            and self.situation in (None, alert.situation)
            and self.product_id in (None, alert.product_id)
            and SEVERITIES.index(alert.severity) >= SEVERITIES.index(self.min_severity)
        )

    def shows(self, alert: StockAlert) -> bool:
        """Whether an *alert* that is meant is to be shown although it may be snoozed."""
        if alert.status != "snoozed":
            return True
        return alert.severity == "critical" if self.with_snoozed is None else self.with_snoozed


def choice_of(
    *,
    kinds: Sequence[str] = (),
    situation: str | None = None,
    min_severity: str = "info",
    product_id: str | None = None,
    snoozed: bool | None = None,
) -> Choice:
    """Read the options of the command line.

    Args:
        snoozed: As told; None takes snoozed alerts of a product that is named, else critical ones.

    Raises:
        Misconfigured: A kind, a situation or a severity that is none.
    """
    return Choice(
        kinds=frozenset(_one_of(KINDS, kind, "--kind") for kind in kinds),
        situation=None if situation is None else _one_of(SITUATIONS, situation, "--situation"),
        min_severity=_one_of(SEVERITIES, min_severity, "--min-severity"),
        product_id=product_id,
        with_snoozed=(product_id is not None or None) if snoozed is None else snoozed,
    )


def _one_of(names: Sequence[Name], text: str, option: str) -> Name:
    for name in names:
        if name == text:
            return name
    raise Misconfigured(f"{option}: Expected one of {', '.join(names)}, got {text!r}")
