"""The command run on a broker, and what it told."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from stream.codec import encode
from stream.domain.outputs import Recommendation
from stream.kafka.records import OutRecord
from stream.topics import RECOMMENDATIONS
from tests.harness.events import raw


class Told(NamedTuple):
    """What a run of the command told."""

    code: int
    out: str
    err: str
    report: Any


def report(bootstrap: str, path: Path, *arguments: str) -> Told:
    done = subprocess.run(
        [sys.executable, "-m", "stream", "report", "--report", str(path), *arguments],
        check=False,
        env={**os.environ, "STORESTREAM_BOOTSTRAP_SERVERS": bootstrap},
        capture_output=True,
        text=True,
        timeout=120,
    )
    written = json.loads(path.read_bytes()) if path.exists() else None
    return Told(done.returncode, done.stdout, done.stderr, written)


def recommended(answer: Recommendation) -> OutRecord:
    return raw(RECOMMENDATIONS, encode(answer), key=answer.visitor_id.encode())
