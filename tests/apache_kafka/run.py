"""Run the Kafka suite on Apache Kafka itself: ``make test-kafka``.

Arguments go to pytest. Nothing is left behind but the jars, in ``var/apache-kafka``.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from stream.local.apache_kafka import ApacheKafka, fetch_jars

#: Where the tests that any broker must pass are; those for the embedded one's faults are not.
SUITE = ("tests/integration/kafka", "-m", "(broker or kafka) and not embedded")


def main(arguments: list[str]) -> int:
    """Start the broker, run pytest against it, stop it; return pytest's exit code."""
    jars = fetch_jars()
    with tempfile.TemporaryDirectory(prefix="storestream-kafka-") as folder:
        kafka = ApacheKafka(Path(folder), jars)
        try:
            kafka.start()
            environment = {**os.environ, "STORESTREAM_TEST_BOOTSTRAP": kafka.bootstrap}
            pytest = [sys.executable, "-m", "pytest", *SUITE, *arguments]
            return subprocess.run(pytest, env=environment, check=False).returncode
        finally:
            kafka.stop()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
