"""When to send how much: a pace kept over the whole run, or as fast as it is answered."""

from __future__ import annotations

from dataclasses import dataclass

from stream.errors import Misconfigured

#: Records sent and not yet committed by the worker at ``max``: enough to keep every batch full,
#: little enough to be drained in seconds.
MAX_LAG = 8_000
#: Records in one call to the producer.
MAX_BATCH = 500


@dataclass(frozen=True, slots=True)
class Pace:
    """Events a second; None sends as fast as the worker keeps up."""

    events_per_s: float | None

    def due(self, elapsed_s: float, *, n_sent: int, lag: int) -> int:
        """How many may be sent now.

        Args:
            elapsed_s: Since the replay began; time lost to a stall is caught up.
            n_sent: Sent in the replay so far.
            lag: Sent and not yet committed by the worker, as last seen.
        """
        if self.events_per_s is None:
            return max(0, min(MAX_BATCH, MAX_LAG - lag))
        return max(0, min(MAX_BATCH, int(elapsed_s * self.events_per_s) - n_sent))


def parse_pace(text: str) -> Pace:
    """Read ``--speed``: events a second, or ``max``.

    Raises:
        Misconfigured: Neither a positive number nor ``max``.
    """
    if text == "max":
        return Pace(None)
    try:
        events_per_s = float(text)
    except ValueError:
        events_per_s = 0.0
    if not 0 < events_per_s <= 1e6:
        raise Misconfigured(f"--speed: expected events a second or `max`, got `{text}`")
    return Pace(events_per_s)
