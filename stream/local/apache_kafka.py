"""Apache Kafka itself: one KRaft node, from the jars that Maven copies and the system's Java.

For the tests and the benchmarks; ``apache_kafka_pom.xml`` holds the version.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from pathlib import Path

from stream.errors import LocalPartMissing, Misconfigured
from stream.kafka.administration import list_topics
from stream.local.children import Child, free_port
from stream.local.local_broker import LocalBroker

POM = Path(__file__).with_name("apache_kafka_pom.xml")
JARS = Path("var/apache-kafka")
_POLL_S = 0.1
CLUSTER_ID = "c3RvcmVzdHJlYW0tLTAwMQ"

#: It runs for minutes: the second compiler would take two fifths of a core for most of them.
_JVM_OPTIONS = (
    "-Xmx768m",
    "-XX:TieredStopAtLevel=1",
    "-Djava.net.preferIPv4Stack=true",
    "-Dlog4j2.level=WARN",
)

_PROPERTIES = """\
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
group.min.session.timeout.ms=2000
auto.create.topics.enable=false
"""


class ApacheKafka(LocalBroker):
    """One broker of Apache Kafka; what it holds is gone when its folder is, not when it stops."""

    NAME = "Apache Kafka"

    def __init__(self, folder: Path, jars: Path) -> None:
        """Prepare a broker that keeps its data in *folder* as well."""
        super().__init__(folder)
        self._java = [_tool("java"), *_JVM_OPTIONS, "-cp", f"{jars}/*"]

    def start(self, timeout_s: float = 60.0, *, port: int | None = None) -> None:
        """Start it on *port*, or on a free one, and return once it answers.

        Raises:
            LocalPartMissing: It ended, or gave no answer in time.
        """
        self._port = port or free_port()
        properties = self._prepared()
        log = self._folder / "kafka.log"
        command = [*self._java, "kafka.Kafka", str(properties)]
        self._child = Child("Apache Kafka", command, log_path=log)
        deadline = time.monotonic() + timeout_s
        while not self._answers():
            if self._child.ends_within(_POLL_S) or time.monotonic() > deadline:
                raise LocalPartMissing(f"Apache Kafka does not answer:\n{self._child.tail()}")

    def stop(self, timeout_s: float = 10.0) -> None:
        """End it; a second call does nothing."""
        if self._child is not None:
            self._child.stop(timeout_s)

    def _prepared(self) -> Path:
        """Write its settings, format its storage the first time, and return the settings' file."""
        properties = self._folder / "server.properties"
        properties.write_text(
            _PROPERTIES.format(port=self._port, controller=free_port(), folder=self._folder)
        )
        if not (self._folder / "data" / "meta.properties").exists():
            storage_tool = ["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c"]
            command = [*self._java, *storage_tool, str(properties)]
            subprocess.run(command, check=True, capture_output=True)
        return properties

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
        copy = ["-q", "-B", "-f", str(POM), "dependency:copy-dependencies"]
        to = [f"-DoutputDirectory={jars}", "-DincludeScope=runtime"]
        subprocess.run([_tool("mvn"), *copy, *to], check=True)
        complete.touch()
    return jars


def _tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise LocalPartMissing(f"{name} is not on PATH: Java 17 and Maven are needed")
    return found
