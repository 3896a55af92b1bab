"""Where faults happen: three nodes of Apache Kafka, Triton with the demo's models, and workers.

Workers reach the brokers by wires and Triton through the interposer; the bench itself looks at what
is really there.
"""

from __future__ import annotations

import asyncio
import glob
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

from kafka.admin import KafkaAdminClient

from stream.adapters.triton import TritonModels
from stream.bench.faults.interposer import Interposer
from stream.bench.faults.poison import MAX_EVENT_BYTES
from stream.bench.faults.supervisor import Supervisor
from stream.bench.faults.traffic import Traffic
from stream.bench.faults.wire import Wire
from stream.demo.narration import Narrator
from stream.errors import PartDied
from stream.kafka.administration import create_topics
from stream.kafka.epochs import topic_epochs
from stream.local.apache_kafka import fetch_jars
from stream.local.children import free_port
from stream.local.janitor import Janitor
from stream.local.kafka_cluster import KafkaCluster
from stream.local.kafka_properties import Wiring
from stream.local.triton import EmbeddedTriton
from stream.model_specs import MODELS, RECOMMENDER
from stream.settings import Settings
from stream.topics import INPUTS
from stream.wanted_topics import wanted_topics

N_NODES = 3
#: Loading both models takes ten seconds of a core; where others want that core, minutes.
_TRITON_START_S = 300.0
LOOK_S = 0.2
#: Then a fault counts as not recovered, and the run goes on with the next.
PATIENCE_S = 120.0
MODEL_NAMES = tuple(spec.name for spec in MODELS)
#: As in production, but for a quicker eye for the dead: a run has many faults.
_WORKER: Mapping[str, object] = {
    "replication": 3,
    "min_insync_replicas": 2,
    "broker_session_timeout_s": 6,
    "broker_heartbeat_interval_s": 1.5,
    "broker_rebalance_timeout_s": 8,
    "broker_request_timeout_s": 10,
    "delivery_timeout_s": 30,
    "shutdown_timeout_s": 6,
    "breaker_reset_s": 1,
    "stock_tick_s": 1,
    "idempotent": True,
    "max_event_bytes": MAX_EVENT_BYTES,
}


@dataclass(slots=True)
class Scene:
    """All that a fault may befall.

    Attributes:
        over: Set when the run must end; whoever waits for time to pass waits for this.
        random: Chooses whom a fault befalls.
    """

    settings: Settings
    cluster: KafkaCluster
    wires: tuple[Wire, ...]
    triton: EmbeddedTriton
    interposer: Interposer
    supervisor: Supervisor
    traffic: Traffic
    random: Random
    over: threading.Event = field(default_factory=threading.Event)

    def hold(self, seconds: float) -> None:
        """Let a fault last.

        Raises:
            PartDied: A part of the bench itself failed meanwhile.
        """
        self.over.wait(seconds)
        self.traffic.check()
        self.supervisor.check()

    def until(self, seconds: float) -> Iterator[None]:
        """Come back again and again for *seconds*, to look whether something came true."""
        for _ in range(int(seconds / LOOK_S)):
            yield
            self.hold(LOOK_S)

    def until_flowing(self) -> str:
        """Return once the model answers events due from now on, none late; else say where not."""
        since_s, complaint = time.monotonic(), ""
        for _ in self.until(PATIENCE_S):
            complaint = self.traffic.complaint(since_s, by_model=True)
            if not complaint:
                return ""
        return f"not over in {PATIENCE_S:.0f} s: {complaint}"

    @contextmanager
    def admin(self) -> Iterator[KafkaAdminClient]:
        """Give a client that asks and changes the cluster."""
        admin = KafkaAdminClient(bootstrap_servers=list(self.settings.bootstrap))
        try:
            yield admin
        finally:
            admin.close()

    def epochs(self) -> dict[str, int]:
        """Return the epoch of each input topic."""
        names = [topic.name for topic in INPUTS]
        return asyncio.run(topic_epochs(self.settings.bootstrap, names))


@contextmanager
def scene(
    narrator: Narrator, logs: Path, repository: Path, *, seed: int, exactly_once: bool
) -> Iterator[Scene]:
    """Start brokers, topics and Triton; workers and load are for the caller to start.

    What it started is stopped at the end, whatever happened; *logs* gets the logs, and *repository*
    has the models.

    Raises:
        LocalPartMissing: What is to be started cannot run here.
    """
    with ExitStack() as stack:
        folder = _folder(stack, logs)
        wires = tuple(stack.enter_context(Wire(free_port())) for _ in range(N_NODES))
        with narrator.step("cluster", "Starting three nodes of Apache Kafka"):
            cluster = _cluster(stack, folder, wires)
            settings = _with_topics(cluster)
        with narrator.step("triton", "Starting Triton with the models"):
            triton = _triton(stack, folder, repository)
        interposer = Interposer(triton.grpc)
        interposer.start()
        stack.callback(interposer.stop)
        traffic = _traffic(settings, triton, seed)
        stack.callback(traffic.stop)
        addresses = ",".join(wire.address for wire in wires)
        environment = _environment(addresses, interposer.address, exactly_once=exactly_once)
        supervisor = Supervisor(logs, environment)
        stack.callback(supervisor.stop)
        chance = Random(seed)  # noqa: S311 - to be repeatable
        yield Scene(
            settings=settings,
            cluster=cluster,
            wires=wires,
            triton=triton,
            interposer=interposer,
            supervisor=supervisor,
            traffic=traffic,
            random=chance,
        )


def _folder(stack: ExitStack, logs: Path) -> Path:
    """Make a folder for what parts hold; it goes in the end, also when this process is killed."""
    name = stack.enter_context(tempfile.TemporaryDirectory(prefix="storestream-bench-"))
    janitor = Janitor(glob.escape(name))
    stack.callback(janitor.clean)
    stack.callback(_keep_logs, Path(name), logs)
    return Path(name)


def _cluster(stack: ExitStack, folder: Path, wires: tuple[Wire, ...]) -> KafkaCluster:
    wirings = {
        node_id: Wiring(wire.target_port, wire.port) for node_id, wire in enumerate(wires, start=1)
    }
    cluster = KafkaCluster(folder, fetch_jars(), n_nodes=N_NODES, wirings=wirings)
    stack.callback(cluster.stop)
    cluster.start()
    return cluster


def _with_topics(cluster: KafkaCluster) -> Settings:
    """Create our topics, and return the settings of who comes to the brokers by no wire."""
    settings = Settings(bootstrap_servers=cluster.bootstrap, replication=3, min_insync_replicas=2)
    create_topics(settings.bootstrap, wanted_topics(settings))
    return settings


def _triton(stack: ExitStack, folder: Path, repository: Path) -> EmbeddedTriton:
    (folder / "triton").mkdir()
    triton = EmbeddedTriton(folder / "triton", repository, start_timeout_s=_TRITON_START_S)
    stack.callback(triton.stop)
    triton.start(MODEL_NAMES)
    return triton


def _traffic(settings: Settings, triton: EmbeddedTriton, seed: int) -> Traffic:
    products = asyncio.run(_known_products(triton.grpc))
    if not products:
        raise PartDied("the recommender knows no products")
    return Traffic(settings.bootstrap, settings.partitions, products, seed)


async def _known_products(triton_url: str) -> tuple[str, ...]:
    models = TritonModels(triton_url)
    await models.start()
    try:
        return await models.vocabulary(await models.newest_version(RECOMMENDER))
    finally:
        await models.stop()


def _environment(bootstrap: str, triton_url: str, *, exactly_once: bool) -> dict[str, str]:
    told = {
        **_WORKER,
        "bootstrap_servers": bootstrap,
        "triton_url": triton_url,
        "metrics_port": 0,
        "log_level": "warning",
        **({"exactly_once": True} if exactly_once else {}),
    }
    return {f"STORESTREAM_{name.upper()}": str(value).lower() for name, value in told.items()}


def _keep_logs(folder: Path, logs: Path) -> None:
    """Take the parts' logs out of what is about to be removed."""
    for log in folder.glob("*/*.log"):
        shutil.copy(log, logs / f"{log.parent.name}-{log.name}")
