"""Apache Kafka itself: a KRaft node, from the jars that Maven copies and the system's Java.

For the tests and the benchmarks; ``apache_kafka_pom.xml`` holds the version. Three of them make a
cluster: ``kafka_cluster.py``.
"""

from __future__ import annotations

import os
import re
import resource
import shutil
import signal
import subprocess
import time
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from stream.errors import LocalPartMissing, Misconfigured
from stream.kafka.administration import list_topics
from stream.local.children import Child, free_port
from stream.local.kafka_properties import Membership, Wiring, properties
from stream.local.local_broker import LocalBroker

POM = Path(__file__).with_name("apache_kafka_pom.xml")
JARS = Path("var/apache-kafka")
_POLL_S = 0.1
CLUSTER_ID = "c3RvcmVzdHJlYW0tLTAwMQ"

#: It runs for minutes: the second compiler would take two fifths of a core for most of them.
_JVM_OPTIONS = (
    "-XX:TieredStopAtLevel=1",
    "-Djava.net.preferIPv4Stack=true",
    "-Dlog4j2.level=WARN",
)


class ApacheKafka(LocalBroker):
    """One node of Apache Kafka; what it holds is gone when its folder is, not when it stops.

    It may be started again after it ended, however it did, and takes the port it had.
    """

    NAME = "Apache Kafka"

    def __init__(
        self,
        folder: Path,
        jars: Path,
        *,
        membership: Membership | None = None,
        wiring: Wiring | None = None,
        heap_mb: int = 768,
    ) -> None:
        """Prepare a node that keeps its data in *folder* as well; alone without a *membership*."""
        super().__init__(folder)
        self._membership = membership or Membership(1, {1: free_port()})
        self._wiring = wiring
        self._jars = jars
        self._java = [*_java(jars), f"-Xmx{heap_mb}m"]
        self._is_frozen = False

    @property
    def started(self) -> bool:
        """Whether it ever was; it may have ended since."""
        return self._child is not None

    @property
    def answering(self) -> bool:
        """Whether it runs and is not frozen; it may still be starting."""
        return self._child is not None and self._child.alive and not self._is_frozen

    def start(self, timeout_s: float = 60.0, *, port: int | None = None) -> None:
        """Start it on *port*, or where it was before, or on a free one; return once it answers.

        Raises:
            LocalPartMissing: It ended, or gave no answer in time.
        """
        self.launch(port=port)
        self.wait_answering(timeout_s)

    def launch(self, *, port: int | None = None) -> None:
        """Start it as :meth:`start` does, and do not wait: in a cluster it needs the others."""
        self._port = port or self._port or free_port()
        self._is_frozen = False
        command = [*self._java, "kafka.Kafka", str(self._prepared())]
        self._child = Child(self.NAME, command, log_path=self._folder / "kafka.log")

    def wait_answering(self, timeout_s: float) -> None:
        """Return once it answers.

        Raises:
            LocalPartMissing: It ended, or gave no answer in time.
        """
        deadline = time.monotonic() + timeout_s
        while not self._answers():
            if self.child.ends_within(_POLL_S) or time.monotonic() > deadline:
                raise LocalPartMissing(f"{self.NAME} does not answer:\n{self.child.tail()}")

    def terminate(self) -> None:
        """Ask it to end, and do not wait."""
        self.thaw()
        if self.child.alive:
            os.kill(self.child.pid, signal.SIGTERM)

    def stop(self, timeout_s: float = 10.0) -> None:
        """End it; a second call does nothing."""
        if self._child is not None:
            self.thaw()
            self._child.stop(timeout_s)

    # -- faults

    def kill(self) -> None:
        """``kill -9``: nothing is flushed, nobody is told."""
        self.child.kill()

    def freeze(self) -> None:
        """Stop it where it stands: its connections stay open and nothing is answered."""
        self.child.freeze()
        self._is_frozen = True

    def thaw(self) -> None:
        """Let it go on after :meth:`freeze`."""
        if self._is_frozen and self.child.alive:
            os.kill(self.child.pid, signal.SIGCONT)
        self._is_frozen = False

    def fill_disk(self) -> None:
        """Let it write no more, as where its disk is full: it halts at the next append.

        The kernel refuses with EFBIG instead of ENOSPC, its own log file included. The next start
        has the limits of this process again.
        """
        _, hard = resource.prlimit(self.child.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(self.child.pid, resource.RLIMIT_FSIZE, (0, hard))

    # -- its start

    def _prepared(self) -> Path:
        """Write its settings, format its storage the first time, and return the settings' file."""
        self._folder.mkdir(parents=True, exist_ok=True)
        data, settings = self._folder / "data", self._folder / "server.properties"
        settings.write_text(
            properties(self._membership, port=self._port, data=data, wiring=self._wiring)
        )
        if not (data / "meta.properties").exists():
            data.mkdir(parents=True, exist_ok=True)
            for name, content in _formatted(self._jars, self._membership.node_id).items():
                (data / name).write_bytes(content)
        return settings

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
        # By itself Maven 3 only warns of a jar whose checksum is another one.
        copy = ["-q", "-B", "--strict-checksums", "-f", str(POM), "dependency:copy-dependencies"]
        to = [f"-DoutputDirectory={jars}", "-DincludeScope=runtime"]
        subprocess.run([_tool("mvn"), *copy, *to], check=True)
        complete.touch()
    return jars


@cache
def _formatted(jars: Path, node_id: int) -> Mapping[str, bytes]:
    """Return the files of a formatted storage, which name the cluster and the node and no more.

    The tool takes a JVM's start, for each of the many nodes that the tests start.
    """
    with TemporaryDirectory() as folder:
        data, settings = Path(folder) / "data", Path(folder) / "server.properties"
        alone = Membership(node_id, {node_id: free_port()})
        settings.write_text(properties(alone, port=free_port(), data=data))
        tool = ["kafka.tools.StorageTool", "format", "-t", CLUSTER_ID, "-c", str(settings)]
        subprocess.run([*_java(jars), *tool], check=True, capture_output=True)
        return {each.name: each.read_bytes() for each in data.iterdir()}


def _java(jars: Path) -> list[str]:
    return [_tool("java"), *_JVM_OPTIONS, "-cp", f"{jars}/*"]


def _tool(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise LocalPartMissing(f"{name} is not on PATH: Java 17 and Maven are needed")
    return found
