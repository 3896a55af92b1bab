"""Sending originals back to where they came from, each once, and none for ever."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b
from typing import NamedTuple

from stream.kafka.outbox import largest
from stream.kafka.producer import Publisher
from stream.kafka.records import OutRecord, Place
from stream.letters import Letter, Source, original, remembering
from stream.topics import REPLAYS

#: Why a letter is not sent, in the report's words.
NO_STORY = "it is no dead letter of ours: no source that can be read"
CUT = "it was cut: bytes or headers of the original are missing"
UNREADABLE = "the broker's record could not be read: the original is unknown"
TOO_OFTEN = "it was sent again as often as --max-replays allows"
NO_PARTITION = "its partition does not exist"
TOO_LARGE = "it is larger than producer_batch_bytes"
BEFORE = "replayed before"


@dataclass(frozen=True, slots=True)
class Limits:
    """What is not sent.

    Attributes:
        max_replays: A record that was sent again as often as that stays where it is.
        again: Send also what an earlier run has sent.
        partitions: Of each topic on the broker.
        max_bytes: Of a record batch.
    """

    max_replays: int
    again: bool
    partitions: Mapping[str, int]
    max_bytes: int


@dataclass(slots=True)
class Outcome:
    """What became of the letters chosen.

    Attributes:
        sent: Confirmed records, or with a dry run those that would be sent, by topic.
        refused: Letters that cannot be sent, by why.
        n_before: Letters whose original was sent before.
        failure: Why the run ended before its end; nothing was sent after that.
        n_unconfirmed: Records of the span that failed; some of them may be there all the same.
        n_forgotten: Records sent of which it could not be noted down.
    """

    sent: Counter[str] = field(default_factory=Counter)
    refused: Counter[str] = field(default_factory=Counter)
    n_before: int = 0
    failure: str = ""
    n_unconfirmed: int = 0
    n_forgotten: int = 0


class Replays:
    """Which records were sent again, and with which count: read once, then kept up to date.

    A record takes 310 bytes (tracemalloc); their topic bounds how many there are, by its retention.
    """

    def __init__(self) -> None:
        self._counts: dict[Source, int] = {}

    def remember(self, source: Source, n_replays: int) -> None:
        """Take in a replay; of several the highest count holds."""
        self._counts[source] = max(n_replays, self._counts.get(source, 0))

    def of(self, source: Source | None) -> int | None:
        """Return the count that *source* was last sent with; None: it was not."""
        return None if source is None else self._counts.get(source)


class Planned(NamedTuple):
    """A record to send, and what to remember of it."""

    letter: Letter
    source: Source
    n_replays: int
    record: OutRecord


class Replayer:
    """Takes letters in the order of their topic and sends what may be sent.

    First the originals are confirmed, then what is remembered of them: a run that is cut short
    sends one span again at most. Two letters of one record count as one: a worker that was killed
    sets the same record aside twice.
    """

    def __init__(self, publisher: Publisher | None, replays: Replays, limits: Limits) -> None:
        """Without *publisher* nothing is sent: a dry run."""
        self._publisher = publisher
        self._replays = replays
        self._limits = limits
        self._done: set[Source] = set()
        self.outcome = Outcome()

    async def take(self, letters: Iterable[Letter]) -> list[Planned]:
        """Send the originals of *letters*, and return those that were.

        Raises:
            PublishFailed: The broker did not confirm; some of them may be there all the same.
        """
        planned, outcome = self._plan(letters), self.outcome
        if self._publisher is not None and planned:
            outcome.n_unconfirmed = len(planned)
            await self._publisher.publish([each.record for each in planned])
            outcome.n_unconfirmed, outcome.n_forgotten = 0, len(planned)
            await self._publisher.publish(self._remembered(planned))
            outcome.n_forgotten = 0
        self._count(planned)
        return planned

    def _plan(self, letters: Iterable[Letter]) -> list[Planned]:
        planned = []
        for letter in letters:
            source = letter.source
            if source is None:
                self.outcome.refused[NO_STORY] += 1
                continue
            before = self._replays.of(source)
            if source in self._done or (before is not None and not self._limits.again):
                self.outcome.n_before += 1
                continue
            n_replays = max(letter.n_replays, before or 0) + 1
            record = original(letter, source.place, n_replays)
            plan = Planned(letter, source, n_replays, record)
            if refusal := refusal_of(plan, self._limits):
                self.outcome.refused[refusal] += 1
                continue
            self._done.add(source)
            planned.append(plan)
        return planned

    def _count(self, planned: Sequence[Planned]) -> None:
        for each in planned:
            self.outcome.sent[each.source.place.topic] += 1
            self._replays.remember(each.source, each.n_replays)

    def _remembered(self, planned: Sequence[Planned]) -> list[OutRecord]:
        n_partitions = self._limits.partitions[REPLAYS.name]
        return [
            remembering(
                each.source, each.n_replays, partition=each.source.place.partition % n_partitions
            )
            for each in planned
        ]


def refusal_of(planned: Planned, limits: Limits) -> str | None:
    """Return why *planned* must not be sent; None if it may."""
    letter, place = planned.letter, planned.source.place
    refusals = {
        CUT: letter.is_cut,
        UNREADABLE: letter.is_unreadable,
        TOO_OFTEN: planned.n_replays > limits.max_replays,
        NO_PARTITION: place.partition >= limits.partitions.get(place.topic, 0),
        TOO_LARGE: largest([planned.record]) > limits.max_bytes,
    }
    return next((refusal for refusal, holds in refusals.items() if holds), None)


class Comeback:
    """Which of the records sent became dead letters again; found by what they hold.

    The broker gives a record sent again another offset, so it is known by topic, partition, count,
    key and value. One that is cut this time is not known again.
    """

    def __init__(self) -> None:
        self._sent: Counter[bytes] = Counter()
        self.reasons: Counter[tuple[str, str]] = Counter()

    def expect(self, planned: Iterable[Planned]) -> None:
        """Remember what was sent; 16 bytes of each and what a counter takes."""
        for each in planned:
            place, letter = each.source.place, each.letter
            self._sent[_print_of(place, each.n_replays, letter.key, letter.value)] += 1

    def take(self, letter: Letter) -> None:
        """Count *letter* if it is of a record that was sent."""
        if letter.source is None:
            return
        found = _print_of(letter.source.place, letter.n_replays, letter.key, letter.value)
        if self._sent[found] > 0:
            self._sent[found] -= 1
            self.reasons[letter.topic, letter.reason] += 1

    @property
    def is_complete(self) -> bool:
        """Whether all that was sent came back."""
        return self._sent.total() == 0


def _print_of(place: Place, n_replays: int, key: bytes | None, value: bytes | None) -> bytes:
    head = repr((place.topic, place.partition, n_replays, key, value is None)).encode()
    return blake2b(head + (value or b""), digest_size=16).digest()
