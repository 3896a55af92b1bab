"""Which dead letters a command is about: by topic, reason and time."""

from __future__ import annotations

from dataclasses import dataclass

from stream.errors import Misconfigured
from stream.letters import Letter
from stream.moments import moment_ms
from stream.topics import READ, dead_letter_name


@dataclass(frozen=True, slots=True)
class Choice:
    """The letters meant; None takes all.

    Attributes:
        topic: Of the original.
        since_ms: When it was set aside, ms since the Unix epoch, included.
        until_ms: The same, not included.
    """

    topic: str | None = None
    reason: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None

    def takes(self, letter: Letter) -> bool:
        """Whether *letter* is one of them."""
        return (
            (self.topic is None or letter.topic == self.topic)
            and (self.reason is None or letter.reason == self.reason)
            and (self.since_ms is None or letter.at_ms >= self.since_ms)
            and (self.until_ms is None or letter.at_ms < self.until_ms)
        )

    @property
    def topics(self) -> list[str]:
        """Names of the dead-letter topics to look into."""
        return [dead_letter_name(spec.name) for spec in READ if self.topic in {None, spec.name}]


def choice_of(
    *, topic: str | None, reason: str | None, since: str | None, until: str | None, now_ms: int
) -> Choice:
    """Read the options of the command line; a dead-letter topic stands for its source.

    Raises:
        Misconfigured: A topic that has no dead letters, a time that is none, or an empty span.
    """
    since_ms = None if since is None else moment_ms(since, now_ms, option="--since")
    until_ms = None if until is None else moment_ms(until, now_ms, option="--until")
    if since_ms is not None and until_ms is not None and since_ms >= until_ms:
        raise Misconfigured(f"--since {since} is not before --until {until}: nothing lies between")
    return Choice(None if topic is None else _source_named(topic), reason, since_ms, until_ms)


def _source_named(topic: str) -> str:
    for spec in READ:
        if topic in {spec.name, dead_letter_name(spec.name)}:
            return spec.name
    known = ", ".join(spec.name for spec in READ)
    raise Misconfigured(f"--topic: Expected one of {known}, got {topic!r}")
