"""Sessions as values over sessions as bytes: who comes again soon is not decoded again."""

from __future__ import annotations

from stream.domain.sessions import Session
from stream.ports import States
from stream.state.sessions import dump, load

#: Sessions kept decoded, some 10 kB each at most; the state itself is bytes.
MAX_DECODED = 10_000


class ReadSessions:
    """Reads and writes sessions, and remembers which value the stored bytes stand for.

    The bytes themselves say whether what is remembered still holds: a partition that was lost and
    recovered has other ones.
    """

    def __init__(self) -> None:
        self._decoded: dict[bytes, tuple[bytes, Session]] = {}

    def get(self, states: States, key: bytes) -> Session:
        """Return the session stored under *key*, an empty one where there is none."""
        stored = states.get(key)
        if stored is None:
            return Session()
        known = self._decoded.get(key)
        if known is not None and known[0] is stored:
            return known[1]
        session = load(stored)
        self._remember(key, stored, session)
        return session

    def put(self, states: States, key: bytes, session: Session) -> None:
        """Store *session* under *key*."""
        stored = dump(session)
        states.put(key, stored)
        self._remember(key, stored, session)

    def _remember(self, key: bytes, stored: bytes, session: Session) -> None:
        if len(self._decoded) >= MAX_DECODED and key not in self._decoded:
            self._decoded.pop(next(iter(self._decoded)))
        self._decoded[key] = (stored, session)
