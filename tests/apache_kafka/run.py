"""Run the suites that need a broker on Apache Kafka itself: ``make test-kafka``.

Two modules at a time, then by itself what is marked ``alone``; with arguments, which go to pytest,
one after another. Each module of tests starts a broker of its own, as with the embedded one;
nothing is left behind but the jars, in ``var/apache-kafka``.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence

from stream.local.apache_kafka import fetch_jars
from tests.harness.brokers import VARIABLE

FOLDERS = ("tests/integration", "tests/e2e", "tests/faults")
#: What must hold on any broker; the embedded one's own faults are left out.
MARKED = "(broker or kafka) and not embedded"
RUNS = (
    ("-m", f"{MARKED} and not alone", "-n", "2", "--dist", "loadfile"),
    ("-m", f"{MARKED} and alone"),
)


def main(arguments: list[str]) -> int:
    """Fetch the jars, run pytest with such brokers, and return the first exit code that is not 0."""
    fetch_jars()
    runs = [("-m", MARKED, *arguments)] if arguments else RUNS
    codes = (_exit_code([*FOLDERS, *options]) for options in runs)
    return next(filter(None, codes), 0)


def _exit_code(options: Sequence[str]) -> int:
    pytest = [sys.executable, "-m", "pytest", *options]
    return subprocess.run(pytest, env={**os.environ, VARIABLE: "kafka"}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
