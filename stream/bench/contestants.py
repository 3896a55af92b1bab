"""Who is measured: our worker, and a plain Faust app doing the same work."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from stream.errors import Misconfigured
from stream.kafka.administration import Topic
from stream.local.children import Child
from stream.model_specs import RECOMMENDER
from stream.settings import Settings
from stream.topics import EVENTS, RECOMMENDATIONS
from stream.wanted_topics import wanted_topics

PEER = Path(__file__).parents[2] / "benchmarks" / "peers" / "plain_faust.py"


@dataclass(frozen=True, slots=True)
class Contestant:
    """A process that reads one topic and writes one answer an event to another.

    Attributes:
        topics: What must be on the broker before it starts.
        group_id: Its consumer group: how far it is.
    """

    name: str
    events: str
    answers: str
    group_id: str
    topics: tuple[Topic, ...]
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)

    def start(self, log_folder: Path) -> Child:
        """Start it; stdout and stderr go to a log in *log_folder*."""
        data = str(log_folder / "data")
        return Child(
            self.name,
            self.command,
            log_path=log_folder / f"{self.name}.log",
            environment={**self.environment, "PEER_DATA": data, "FAUST_DATADIR": data},
        )


def ours(settings: Settings) -> Contestant:
    """Our worker as it is, with its changelog, without inference and without conflation."""
    environment = {
        "STORESTREAM_BOOTSTRAP_SERVERS": settings.bootstrap_servers,
        "STORESTREAM_PARTITIONS": str(settings.partitions),
        "STORESTREAM_INFERENCE": "none",
        "STORESTREAM_CONFLATE": "false",
        "STORESTREAM_MAX_ROWS": str(RECOMMENDER.max_rows),
        "STORESTREAM_METRICS_PORT": "0",
        "STORESTREAM_LOG_LEVEL": "warning",
    }
    return Contestant(
        name="storestream",
        events=EVENTS.name,
        answers=RECOMMENDATIONS.name,
        group_id=settings.group_id,
        topics=tuple(wanted_topics(settings)),
        command=(sys.executable, "-m", "stream", "worker"),
        environment=environment,
    )


def plain_faust(settings: Settings, number: int) -> Contestant:
    """A plain Faust app with topics of its own for its *number*-th run.

    Raises:
        Misconfigured: Its source is not beside the package: this is no checkout.
    """
    if not PEER.exists():
        raise Misconfigured(f"bench stream: run it from a checkout; {PEER} is not there")
    app_id = f"plain-faust-{number}"
    events, answers = f"{app_id}.events", f"{app_id}.answers"
    names = (events, answers, f"{app_id}-sessions-changelog")
    environment = {
        "PEER_APP": app_id,
        "PEER_BROKER": f"kafka://{settings.bootstrap[0]}",
        "PEER_EVENTS": events,
        "PEER_ANSWERS": answers,
        "PEER_PARTITIONS": str(settings.partitions),
    }
    return Contestant(
        name="plain_faust",
        events=events,
        answers=answers,
        group_id=app_id,
        topics=tuple(Topic(name, settings.partitions, settings.replication) for name in names),
        command=(sys.executable, str(PEER), "worker", "--without-web", "-l", "warn"),
        environment=environment,
    )
