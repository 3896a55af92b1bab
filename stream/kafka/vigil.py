"""Noticing that this process was frozen: its partitions may be another worker's by now.

A mitigation, not a fence: what was handed to the socket before cannot be taken back. Only Kafka's
transactions fence for certain.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from stream.errors import SessionExpired

_BEAT_S = 0.5


def uptime_s() -> float:
    """Seconds that go on counting while the machine is suspended, where the system has them."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime(clock)


class Vigil:
    """Keeps the time of the event loop's last beat, and refuses for ever after a silence.

    :meth:`check` goes before whatever must not be done late: after ``SIGCONT`` it may run before
    the next beat does.
    """

    def __init__(self, limit_s: float, *, clock: Callable[[], float] = uptime_s) -> None:
        """Expect to be heard every *limit_s*, the session timeout of the consumer group."""
        self._limit_s = limit_s
        self._clock = clock
        self._last_beat_s: float | None = None
        self._longest_s = 0.0

    def beat(self) -> None:
        """Say that the loop runs; the first call begins the vigil.

        Raises:
            SessionExpired: It did not, for too long.
        """
        self.check()
        self._last_beat_s = self._clock()

    def check(self) -> None:
        """Do nothing while the loop runs.

        Raises:
            SessionExpired: It was silent for longer than the limit, now or ever before.
        """
        if self._last_beat_s is not None:
            self._longest_s = max(self._longest_s, self._clock() - self._last_beat_s)
        if self._longest_s > self._limit_s:
            raise SessionExpired(
                f"silent for {self._longest_s:.1f} s of {self._limit_s:g} s: another worker may "
                "have taken over, nothing more is written"
            )

    async def keep(self) -> None:
        """Beat until cancelled, or until it was silent for too long."""
        while True:
            self.beat()
            await asyncio.sleep(_BEAT_S)
