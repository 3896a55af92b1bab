"""How sessions are stored, and for how long."""

from __future__ import annotations

from stream.domain.sessions import Session
from stream.state.layout import Layout

VERSION = 1
_layout = Layout(Session, VERSION)

dump = _layout.dump
load = _layout.load


def is_expired(session: Session, now_ms: int, ttl_ms: int) -> bool:
    """Whether nothing happened for longer than *ttl_ms*: delete the key.

    *now_ms* is event time: against the wall clock a replay of last year would expire at once.
    """
    return now_ms - session.updated_at_ms > ttl_ms
