"""How sessions are stored, and for how long."""

from __future__ import annotations

import msgspec

from stream.domain.applied import Applied
from stream.domain.sessions import Session
from stream.domain.trail import Interaction, Trail
from stream.errors import RecoveryFailed
from stream.state.layout import Layout

VERSION = 2


class _Version1(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A session whose interactions were stored one by one."""

    interactions: tuple[Interaction, ...] = ()
    applied: tuple[Applied, ...] = ()
    updated_at_ms: int = 0


_read_version_1 = msgspec.msgpack.Decoder(_Version1).decode


def _upgraded(stored: bytes) -> Session:
    old = _read_version_1(stored)
    return Session(Trail.of(old.interactions), old.applied, old.updated_at_ms)


_layout = Layout(Session, VERSION, {1: _upgraded})

dump = _layout.dump


def load(stored: bytes) -> Session:
    """Return the session of *stored*, upgraded from whichever version wrote it.

    Raises:
        RecoveryFailed: A newer program wrote it, or the bytes are damaged.
    """
    session = _layout.load(stored)
    if not session.trail.is_whole:
        raise RecoveryFailed(f"stored Session, version {stored[0]}: its columns are damaged")
    return session


def is_expired(session: Session, now_ms: int, ttl_ms: int) -> bool:
    """Whether nothing happened for longer than *ttl_ms*: delete the key.

    *now_ms* is event time: against the wall clock a replay of last year would expire at once.
    """
    return now_ms - session.updated_at_ms > ttl_ms
