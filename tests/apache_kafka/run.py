"""Run the suites that need a broker on Apache Kafka itself: ``make test-kafka``.

Arguments go to pytest. Each module of tests starts a broker of its own, as with the embedded one;
nothing is left behind but the jars, in ``var/apache-kafka``.
"""

from __future__ import annotations

import os
import subprocess
import sys

from stream.local.apache_kafka import fetch_jars
from tests.harness.brokers import VARIABLE

#: What must hold on any broker; the embedded one's own faults are left out.
SUITE = (
    *("tests/integration", "tests/e2e", "tests/faults"),
    *("-m", "(broker or kafka) and not embedded"),
)


def main(arguments: list[str]) -> int:
    """Fetch the jars, run pytest with such brokers, and return its exit code."""
    fetch_jars()
    pytest = [sys.executable, "-m", "pytest", *SUITE, *arguments]
    return subprocess.run(pytest, env={**os.environ, VARIABLE: "kafka"}, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
