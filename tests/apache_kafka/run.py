"""Run the Kafka suite on Apache Kafka itself: ``make test-kafka``.

One KRaft node on free loopback ports, from the jars that Maven copies by ``pom.xml`` and the
system's Java. Arguments go to pytest. Nothing is left behind but the jars, in ``var/apache-kafka``.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from stream.errors import LocalPartMissing, Misconfigured
from stream.kafka.administration import list_topics
from stream.local.children import Child, free_port

HERE = Path(__file__).parent
POM = HERE / "pom.xml"
JARS = Path("var/apache-kafka")
CLUSTER_ID = "c3RvcmVzdHJlYW0tLTAwMQ"
#: Where the tests that any broker must pass are; those for the embedded one's faults are not.
SUITE = ("tests/integration/kafka", "-m", "(broker or kafka) and not embedded")

PROPERTIES = """\
node.id=1
process.roles=broker,controller
controller.quorum.voters=1@127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
advertised.listeners=PLAINTEXT://127.0.0.1:{port}
listener.security.protocol.map=PLAINTEXT:PLAINTEXT,CONTROLLER:PLAINTEXT
log.dirs={folder}/data
offsets.topic.replication.factor=1
offsets.topic.num.partitions=4
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=4
group.initial.rebalance.delay.ms=0
auto.create.topics.enable=false
"""


class ApacheKafka:
    """One broker of Apache Kafka; what it holds is gone when it stops."""

    def __init__(self, folder: Path, jars: Path) -> None:
        self._folder = folder
        self._java = [_tool("java"), "-Xmx768m", "-Dlog4j2.level=WARN", "-cp", f"{jars}/*"]
        self._port = free_port()
        self._child: Child | None = None

    @property
    def bootstrap(self) -> str:
        return f"127.0.0.1:{self._port}"

    def start(self, timeout_s: float = 60.0) -> None:
        """Format the storage, start, and return once it answers."""
        properties = self._folder / "server.properties"
        properties.write_text(
            PROPERTIES.format(port=self._port, controller=free_port(), folder=self._folder)
        )
        format_storage = ["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c"]
        subprocess.run([*self._java, *format_storage, properties], check=True, capture_output=True)
        log = self._folder / "kafka.log"
        command = [*self._java, "kafka.Kafka", str(properties)]
        self._child = Child("Apache Kafka", command, log_path=log)
        deadline = time.monotonic() + timeout_s
        while not self._answers():
            if not self._child.alive or time.monotonic() > deadline:
                raise LocalPartMissing(f"Apache Kafka does not answer:\n{self._child.tail()}")

    def stop(self) -> None:
        if self._child is not None:
            self._child.stop()

    def _answers(self) -> bool:
        try:
            list_topics([self.bootstrap], [])
        except Misconfigured:
            return False
        return True


def fetch_jars() -> Path:
    """Copy the jars by the pom's versions, unless they are there; return their folder."""
    version = re.search(r"<kafka.version>(.+?)<", POM.read_text())
    jars = (JARS / (version.group(1) if version else "any")).resolve()
    complete = jars / ".complete"
    if not complete.exists():
        copy = [
            "-q",
            "-B",
            "-f",
            str(POM),
            "dependency:copy-dependencies",
            f"-DoutputDirectory={jars}",
        ]
        subprocess.run([_tool("mvn"), *copy, "-DincludeScope=runtime"], check=True)
        complete.touch()
    return jars


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


def _tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise LocalPartMissing(f"{name} is not on PATH: Java 17 and Maven are needed")
    return found


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
