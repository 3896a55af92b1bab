"""A worker whose decoder takes the process with it at a marked record, like a bug in native code.

At another mark it raises what nobody expects, like a bug of ours.

Started in place of ``python -m stream``; nothing of the project itself knows the marks.
"""

from __future__ import annotations

import os
import sys

from stream.cli import main
from stream.codec import decode_clickstream
from stream.domain.events import ClickstreamEvent

#: In the value of a record, as a product's id for instance.
DEADLY = b"deadly"
EXIT_CODE = 9
BUGGY = b"buggy"

_decode = decode_clickstream.decode


def decode_or_die(value: bytes) -> ClickstreamEvent:
    """Decode *value*; at the mark the process ends, without a word to anybody."""
    if DEADLY in value:
        os._exit(EXIT_CODE)
    if BUGGY in value:
        raise ZeroDivisionError
    return _decode(value)


if __name__ == "__main__":
    decode_clickstream.decode = decode_or_die
    sys.exit(main())
