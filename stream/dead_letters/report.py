"""What was asked of a replay, and what it reports."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from stream.dead_letters.replaying import BEFORE, Comeback, Outcome
from stream.printable import escaped


@dataclass(frozen=True, slots=True)
class Order:
    """How to replay.

    Attributes:
        wait_s: How long to look whether records come back as dead letters; 0: not at all.
    """

    max_replays: int
    again: bool = False
    dry_run: bool = False
    wait_s: float = 0.0

    @property
    def looks_back(self) -> bool:
        """Whether to look what came back."""
        return self.wait_s > 0 and not self.dry_run


def report(outcome: Outcome, comeback: Comeback, order: Order) -> Iterator[str]:
    """Yield what went through, and what did not and why, a line each."""
    verb = "would be sent" if order.dry_run else "sent"
    for topic, n_sent in sorted(outcome.sent.items()):
        yield _line(verb, n_sent, f" to {topic}")
    if not outcome.sent:
        yield _line(verb, 0)
    if outcome.n_before:
        yield _line("skipped", outcome.n_before, f": {BEFORE} (--again sends them again)")
    for refusal, n_refused in sorted(outcome.refused.items()):
        yield _line("refused", n_refused, f": {refusal}")
    yield from _failure(outcome)
    if order.looks_back and not outcome.failure:
        yield _line("came back", comeback.reasons.total(), f" within {order.wait_s:g} s")
        for (topic, reason), n_letters in sorted(comeback.reasons.items()):
            yield _line("", n_letters, f" of {topic}: {escaped(reason)}")


def _failure(outcome: Outcome) -> Iterator[str]:
    if not outcome.failure:
        return
    if outcome.n_unconfirmed:
        told = " more may have been sent: a second run sends them again"
        yield _line("not confirmed", outcome.n_unconfirmed, told)
    if outcome.n_forgotten:
        told = " more were sent and not noted down: a second run sends them again"
        yield _line("not noted", outcome.n_forgotten, told)
    yield f"{'stopped':<14} {escaped(outcome.failure)}"


def _line(what: str, count: int, told: str = "") -> str:
    return f"{what:<14} {count:,}{told}"
