"""How a value is laid out in a state store: one version byte, then MessagePack.

Fields go by position, so a field may be added at the end, with a default, without a new version.
Any other change takes one: the old type stays here with a function that upgrades it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Generic, TypeVar

import msgspec

from stream.errors import RecoveryFailed

Value = TypeVar("Value", bound=msgspec.Struct)


class Layout(Generic[Value]):
    """The stored form of one type: writes the newest version, reads every known one."""

    def __init__(
        self,
        kind: type[Value],
        version: int,
        upgrades: Mapping[int, Callable[[bytes], Value]] | None = None,
    ) -> None:
        """Name the *version* written, and how the body of each older one becomes a value."""
        self._name = kind.__name__
        self._version = version
        self._prefix = bytes([version])
        self._encoder = msgspec.msgpack.Encoder()
        self._readers = {version: msgspec.msgpack.Decoder(kind).decode, **(upgrades or {})}

    def dump(self, value: Value) -> bytes:
        """Return the bytes of *value*."""
        return self._prefix + self._encoder.encode(value)

    def load(self, stored: bytes) -> Value:
        """Return the value of *stored*, upgraded from whichever version wrote it.

        Raises:
            RecoveryFailed: A newer program wrote it, or the bytes are damaged. State is made by
                ourselves, so going on without it would silently forget what is in it.
        """
        if not stored:
            raise RecoveryFailed(f"stored {self._name}: expected a version byte, got no bytes")
        reader = self._readers.get(stored[0])
        if reader is None:
            raise RecoveryFailed(
                f"stored {self._name}: expected version {self._version} or older, got "
                f"{stored[0]}: a newer program wrote it, run that one or clear the changelog"
            )
        try:
            return reader(stored[1:])
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise RecoveryFailed(f"stored {self._name}, version {stored[0]}: {error}") from error
