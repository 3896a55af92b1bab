"""Noticing that our partitions may be another worker's by now: we were frozen, or cut off.

A mitigation, not a fence: what was handed to the socket before cannot be taken back. Only Kafka's
transactions fence for certain.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

from stream.errors import SessionExpired

_BEAT_S = 0.5
_LOOK_S = 0.02


def uptime_s() -> float:
    """Seconds that go on counting while the machine is suspended, where the system has them."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime(clock)


class Vigil:
    """Knows when the event loop last ran, and when the group last answered us as its member.

    After too long a silence of the loop, or once the group has given us up while partitions were
    ours, it refuses for ever. While the group is not heard of, nobody knows, and one waits.

    :meth:`check` goes before whatever must not be done late: after ``SIGCONT`` it may run before
    the next beat does.
    """

    def __init__(self, limit_s: float, *, clock: Callable[[], float] = uptime_s) -> None:
        """Expect to be heard every *limit_s*, the session timeout of the consumer group."""
        self._limit_s = limit_s
        self.now_s = clock
        self._last_beat_s: float | None = None
        self._longest_s = 0.0
        self._owns = False
        self._heard_s = 0.0
        self._refusal = ""

    def beat(self) -> None:
        """Say that the loop runs; the first call begins the vigil.

        Raises:
            SessionExpired: It did not, for too long.
        """
        self.check()
        self._last_beat_s = self.now_s()

    def check(self) -> None:
        """Do nothing while the loop runs and the group has not given us up.

        Raises:
            SessionExpired: The loop was silent for longer than the limit, now or ever before; or
                the group gave us up.
        """
        if self._last_beat_s is not None:
            self._longest_s = max(self._longest_s, self.now_s() - self._last_beat_s)
        if self._longest_s > self._limit_s:
            self._refusal = f"silent for {self._longest_s:.1f} s of {self._limit_s:g} s"
        if self._refusal:
            raise SessionExpired(
                f"{self._refusal}: another worker may have taken over, nothing more is written"
            )

    async def keep(self) -> None:
        """Beat until cancelled, or until nothing more may be written."""
        while True:
            self.beat()
            await asyncio.sleep(_BEAT_S)

    @property
    def refuses(self) -> bool:
        """Whether nothing more may be written, for ever."""
        try:
            self.check()
        except SessionExpired:
            return True
        return False

    # -- the group

    def own(self) -> None:
        """The group has just given us partitions."""
        self.hear(self.now_s())
        self._owns = True

    def let_go(self) -> None:
        """All partitions were given back."""
        self._owns = False

    def hear(self, sent_s: float) -> None:
        """The group answered, as to its member, what we sent at *sent_s* of :attr:`now_s`."""
        self._heard_s = max(self._heard_s, sent_s)

    def lose(self) -> None:
        """The group does not know us any more; with partitions, that is for ever."""
        if self._owns:
            self._refusal = "given up by its group while partitions were assigned"

    async def certainty(self) -> None:
        """Return once our partitions are ours for certain, or none is: what is written then is ours.

        The broker's session begins anew when it receives a heartbeat, so not before that was sent.

        Raises:
            SessionExpired: They are not, or may not be.
        """
        self.check()
        while self._owns and self.now_s() - self._heard_s > self._limit_s:
            await asyncio.sleep(_LOOK_S)
            self.check()
