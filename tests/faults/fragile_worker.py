"""A worker whose decoder takes the process with it at a marked record, like a bug in native code.

At another mark it raises what nobody expects, like a bug of ours; at two more it never returns: it
waits for nothing, or is busy in native code, which keeps all other threads of Python from running.
At the last one it leaves the batch as if another owned it, so that nobody ever completes it.

Started in place of ``python -m stream``; nothing of the project itself knows the marks.
"""

from __future__ import annotations

import os
import re
import sys
import threading

from stream.cli import main
from stream.codec import decode_clickstream
from stream.domain.events import ClickstreamEvent
from stream.errors import PartitionRevoked

#: In the value of a record, as a product's id for instance.
DEADLY = b"deadly"
EXIT_CODE = 9
BUGGY = b"buggy"
STUCK = b"stuck"
SPINNING = b"spinning"
FORGOTTEN = b"forgotten"

_decode = decode_clickstream.decode


def decode_or_die(value: bytes) -> ClickstreamEvent:
    """Decode *value*; at the mark the process ends, without a word to anybody."""
    if DEADLY in value:
        os._exit(EXIT_CODE)
    if BUGGY in value:
        raise ZeroDivisionError
    if FORGOTTEN in value:
        raise PartitionRevoked("forgotten")
    if STUCK in value:
        threading.Event().wait()
    if SPINNING in value:
        re.match(r"(a+)+$", "a" * 60 + "b")
    return _decode(value)


if __name__ == "__main__":
    decode_clickstream.decode = decode_or_die
    sys.exit(main())
