"""Who is measured: a process that answers events, and ours among them."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from stream.kafka.administration import Topic
from stream.local.children import Child
from stream.model_specs import RECOMMENDER
from stream.settings import Settings
from stream.topics import EVENTS, RECOMMENDATIONS
from stream.wanted_topics import wanted_topics

#: Us with transactions, beside us without.
EXACTLY_ONCE = "storestream_exactly_once"


@dataclass(frozen=True, slots=True)
class Contestant:
    """A process that reads one topic and writes one answer an event to another.

    Attributes:
        topics: What must be on the broker before it starts.
        group_id: Its consumer group: how far it is.
        ends_itself: Whether it ends at the end of its topic instead of committing offsets.
    """

    name: str
    events: str
    answers: str
    group_id: str
    topics: tuple[Topic, ...]
    command: tuple[str, ...]
    environment: Mapping[str, str] = field(default_factory=dict)
    ends_itself: bool = False

    def start(self, log_folder: Path) -> Child:
        """Start it; stdout and stderr go to a log in *log_folder*."""
        data = str(log_folder / f"{self.group_id}.data")
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
        "STORESTREAM_FETCH_WAIT_MS": str(settings.fetch_wait_ms),
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


def exactly_once(contestant: Contestant) -> Contestant:
    """Return *contestant*, one of ours, with its transactions; topics and group are the same."""
    environment = {**contestant.environment, "STORESTREAM_EXACTLY_ONCE": "true"}
    return replace(contestant, name=EXACTLY_ONCE, environment=environment)


def ours_with_models(settings: Settings, *, conflate: bool) -> Contestant:
    """Our worker with the models on *settings*' Triton, as it is set by default otherwise."""
    alone = ours(settings)
    environment = {
        **alone.environment,
        "STORESTREAM_INFERENCE": "triton",
        "STORESTREAM_TRITON_URL": settings.triton_url,
        "STORESTREAM_CONFLATE": str(conflate).lower(),
        "STORESTREAM_MAX_ROWS": str(settings.max_rows),
    }
    return replace(alone, environment=environment)
