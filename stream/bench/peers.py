"""Who else does the same work: their sources are in ``benchmarks/peers`` of a checkout."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

from stream.bench.contestants import Contestant
from stream.errors import Misconfigured
from stream.kafka.administration import Topic
from stream.settings import Settings

FOLDER = Path(__file__).parents[2] / "benchmarks" / "peers"
REQUIREMENTS = FOLDER / "requirements.txt"


@dataclass(frozen=True, slots=True)
class Peer:
    """One way of doing the same work.

    Attributes:
        source: Its file in ``benchmarks/peers``.
        arguments: What follows the file on its command line.
        changelogs: Endings of the topics that it wants beside events and answers.
        installed: Whether it runs on what we run on ourselves, not in the peers' environment.
        ends_itself: Whether it ends at the end of its topic, because it commits no offsets.
        apache_kafka_only: Whether the embedded broker does not give what it asks for.
    """

    name: str
    source: str
    arguments: tuple[str, ...] = ()
    changelogs: tuple[str, ...] = ()
    installed: bool = False
    ends_itself: bool = False
    apache_kafka_only: bool = False

    def contestant(self, settings: Settings, number: int, python: Path | None) -> Contestant:
        """Return it with topics of its own for its *number*-th run.

        Args:
            python: The interpreter of the peers' environment; None where nobody needs it.
        """
        group_id = f"{self.name.replace('_', '-')}-{number}"
        events, answers = f"{group_id}.events", f"{group_id}.answers"
        names = (events, answers, *(f"{group_id}-{ending}" for ending in self.changelogs))
        interpreter = sys.executable if self.installed or python is None else str(python)
        return Contestant(
            name=self.name,
            events=events,
            answers=answers,
            group_id=group_id,
            topics=tuple(Topic(name, settings.partitions, settings.replication) for name in names),
            command=(interpreter, str(FOLDER / self.source), *self.arguments),
            environment={
                "PEER_APP": group_id,
                "PEER_BROKER": settings.bootstrap[0],
                "PEER_EVENTS": events,
                "PEER_ANSWERS": answers,
                "PEER_PARTITIONS": str(settings.partitions),
            },
            ends_itself=self.ends_itself,
        )


PEERS = (
    Peer("raw_librdkafka", "raw_librdkafka.py"),
    Peer("raw_aiokafka", "raw_aiokafka.py"),
    Peer("bytewax", "bytewax_flow.py", ends_itself=True),
    Peer("quix_streams", "quix_streams.py", apache_kafka_only=True),
    Peer("faststream", "faststream_app.py"),
    Peer(
        "faust",
        "plain_faust.py",
        arguments=("worker", "--without-web", "-l", "warn"),
        changelogs=("sessions-changelog",),
        installed=True,
    ),
)

#: Who asks the model as well: beside us in ``bench latency``, not in the list above.
ASKING = (
    Peer(
        "faust_take",
        "faust_take.py",
        arguments=("worker", "--without-web", "-l", "warn"),
        changelogs=("sessions-changelog",),
        installed=True,
    ),
    Peer("raw_aiokafka_model", "raw_aiokafka_model.py", installed=True),
)


def chosen_peers(listed: str) -> tuple[Peer, ...]:
    """Return the peers of a comma-separated list, in the order in which they run; or ``all``.

    Raises:
        Misconfigured: One is unknown, or this is no checkout and their sources are not there.
    """
    if not FOLDER.is_dir():
        raise Misconfigured(f"bench stream: run it from a checkout; {FOLDER} is not there")
    known = [peer.name for peer in PEERS]
    names = known if listed == "all" else [name.strip() for name in listed.split(",")]
    unknown = [name for name in names if name not in known]
    if unknown:
        raise Misconfigured(f"--peers: expected of {', '.join(known)}; got {', '.join(unknown)}")
    return tuple(peer for peer in PEERS if peer.name in names)
