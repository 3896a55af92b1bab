"""Topics as they are wanted and as they are: created where missing, never changed.

Blocking, as a command line wants it; runs on Apache Kafka and on Tansu.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import NamedTuple

from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from kafka.errors import (
    KafkaError,
    TopicAlreadyExistsError,
    UnknownTopicOrPartitionError,
    for_code,
)

from stream.errors import Misconfigured

_NO_ERROR = 0
TIMEOUT_S = 15.0


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic, wanted or found; found ones hold only those settings that the broker reports."""

    name: str
    partitions: int
    replication: int
    config: Mapping[str, str] = field(default_factory=dict)


class Life(NamedTuple):
    """A topic as it is now: its UUID, None where the broker gives none, and 0 partitions: gone."""

    topic_id: str | None
    partitions: int


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing about a topic that is not as wanted; ``found`` None: the broker does not say."""

    topic: str
    what: str
    expected: str
    found: str | None

    @property
    def is_certain(self) -> bool:
        """False where the broker does not report the setting, as Tansu does not its defaults."""
        return self.found is not None

    def __str__(self) -> str:
        found = "it is not reported" if self.found is None else f"got {self.found}"
        return f"{self.topic}: {self.what}: Expected {self.expected}, {found}"


def create_topics(
    bootstrap: Sequence[str],
    wanted: Sequence[Topic],
    *,
    security: Mapping[str, object] | None = None,
    timeout_s: float = TIMEOUT_S,
) -> list[str]:
    """Create those of *wanted* that are missing and return their names, in order.

    Those that exist are left as they are: see :func:`check_topics`.

    Raises:
        Misconfigured: The broker refuses one, or none answers.
    """
    options = {
        topic.name: {
            "num_partitions": topic.partitions,
            "replication_factor": topic.replication,
            "configs": dict(topic.config),
        }
        for topic in wanted
    }
    with connected(bootstrap, security, timeout_s) as admin:
        answer = admin.create_topics(options, raise_errors=False) if options else {"topics": []}
        created = [result["name"] for result in answer["topics"] if _was_created(result)]
        if created:
            admin.wait_for_topics(created, timeout_ms=int(timeout_s * 1000))
    return [topic.name for topic in wanted if topic.name in created]


def list_topics(
    bootstrap: Sequence[str],
    names: Iterable[str] | None = None,
    *,
    security: Mapping[str, object] | None = None,
    timeout_s: float = TIMEOUT_S,
) -> list[Topic]:
    """Return the topics on the broker, of *names* if given, by name; missing ones are left out.

    Raises:
        Misconfigured: No broker answers.
    """
    with connected(bootstrap, security, timeout_s) as admin:
        described = admin.describe_topics(None if names is None else list(names))
        found = [topic for topic in described if topic["error_code"] == _NO_ERROR]
        configs = _configs(admin, [topic["name"] for topic in found])
    topics = (
        Topic(
            name=topic["name"],
            partitions=len(topic["partitions"]),
            replication=min(len(one["replica_nodes"]) for one in topic["partitions"]),
            config=configs.get(topic["name"], {}),
        )
        for topic in found
    )
    return sorted(topics, key=lambda topic: topic.name)


def check_topics(
    bootstrap: Sequence[str],
    wanted: Sequence[Topic],
    *,
    security: Mapping[str, object] | None = None,
    timeout_s: float = TIMEOUT_S,
) -> list[Difference]:
    """Return what is not as wanted, in the order of *wanted*; nothing is changed.

    Raises:
        Misconfigured: No broker answers.
    """
    names = [topic.name for topic in wanted]
    found = list_topics(bootstrap, names, security=security, timeout_s=timeout_s)
    by_name = {topic.name: topic for topic in found}
    return [
        difference for topic in wanted for difference in differences(topic, by_name.get(topic.name))
    ]


def differences(wanted: Topic, found: Topic | None) -> Iterator[Difference]:
    """Yield what *found* has other than *wanted*; settings that nobody asked for do not count."""
    if found is None:
        yield Difference(wanted.name, "topic", "it on the broker", "no such topic")
        return
    expected = {"partitions": str(wanted.partitions), "replication": str(wanted.replication)}
    actual = {"partitions": str(found.partitions), "replication": str(found.replication)}
    for what, value in {**expected, **wanted.config}.items():
        other = {**found.config, **actual}.get(what)
        if other != value:
            yield Difference(wanted.name, what, value, other)


def topic_lives(
    bootstrap: Sequence[str],
    names: Iterable[str],
    *,
    security: Mapping[str, object] | None = None,
    timeout_s: float = TIMEOUT_S,
) -> dict[str, Life]:
    """Return what each topic is now; left out are those that the broker cannot tell of just now.

    Raises:
        Misconfigured: No broker answers.
    """
    with connected(bootstrap, security, timeout_s) as admin:
        described = admin.describe_topics(list(names))
    return {
        topic["name"]: Life(topic["topic_id"], len(topic["partitions"]))
        for topic in described
        if topic["error_code"] in {_NO_ERROR, UnknownTopicOrPartitionError.errno}
    }


def topic_ids(
    bootstrap: Sequence[str],
    names: Iterable[str],
    *,
    security: Mapping[str, object] | None = None,
    timeout_s: float = TIMEOUT_S,
) -> dict[str, str | None]:
    """Return each topic's UUID, None where it is missing or the broker gives none.

    Raises:
        Misconfigured: No broker answers.
    """
    wanted = list(names)
    lives = topic_lives(bootstrap, wanted, security=security, timeout_s=timeout_s)
    return {name: lives[name].topic_id if name in lives else None for name in wanted}


@contextmanager
def connected(
    bootstrap: Sequence[str], security: Mapping[str, object] | None, timeout_s: float
) -> Iterator[KafkaAdminClient]:
    """Connect; what Kafka raises meanwhile comes out as ``Misconfigured``."""
    _check_reachable(bootstrap, timeout_s)
    timeout_ms = int(timeout_s * 1000)
    try:
        admin = KafkaAdminClient(
            bootstrap_servers=list(bootstrap),
            request_timeout_ms=timeout_ms,
            bootstrap_timeout_ms=timeout_ms,
            **(security or {}),
        )
        try:
            yield admin
        finally:
            admin.close()
    except KafkaError as error:
        raise Misconfigured(f"{list(bootstrap)} does not tell its topics: {error}") from error


def _check_reachable(bootstrap: Sequence[str], timeout_s: float) -> None:
    """Say at once that nobody listens: kafka-python 3.0.12 retries and leaks a socket each time."""
    refusals = []
    for server in bootstrap:
        host, _, port = server.rpartition(":")
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout_s).close()
        except OSError as error:
            refusals.append(f"{server}: {error}")
        else:
            return
    raise Misconfigured(f"No broker answers: {'; '.join(refusals)}")


def _was_created(result: Mapping[str, object]) -> bool:
    code = result["error_code"]
    if code not in {_NO_ERROR, TopicAlreadyExistsError.errno}:
        why = result.get("error_message") or for_code(code).__name__
        raise Misconfigured(f"{result['name']}: the broker refuses to create it: {why}")
    return code == _NO_ERROR


def _configs(admin: KafkaAdminClient, names: Sequence[str]) -> dict[str, dict[str, str]]:
    if not names:
        return {}
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
    answer = admin.describe_configs(resources, config_filter="all").get("topic", {})
    return {
        name: {key: entry["value"] for key, entry in config.items() if entry["value"] is not None}
        for name, config in answer.items()
    }
