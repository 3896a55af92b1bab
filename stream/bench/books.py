"""When each event was appended and when it was answered, read from the topics afterwards."""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field

import msgspec
import numpy as np
from numpy.typing import NDArray

from stream.bench.contestants import Contestant
from stream.bench.listening import Listener
from stream.bench.loading import Sent
from stream.demo.ledger import PartitionBook, percentiles
from stream.demo.reading import TopicsReader
from stream.domain.outputs import Recommendation
from stream.errors import PartDied

_decode = msgspec.json.Decoder(Recommendation).decode


@dataclass(slots=True)
class Books:
    """The books of one contestant; :meth:`read` adds what came since.

    Attributes:
        answered_ms: Timestamp of each answer, ms since the Unix epoch.
        n_degraded: Answers without the model.
        n_repeats: Answers to what was answered before.
    """

    _events: TopicsReader
    _answers: TopicsReader
    _partitions: list[PartitionBook]
    answered_ms: array[int] = field(default_factory=lambda: array("q"))
    n_degraded: int = 0
    n_repeats: int = 0

    @classmethod
    def of(cls, bootstrap: str, contestant: Contestant, n_partitions: int) -> Books:
        """Return empty books on the topics of *contestant*, which must be there."""
        return cls(
            TopicsReader(bootstrap, {contestant.events: n_partitions}),
            TopicsReader(bootstrap, {contestant.answers: n_partitions}),
            [PartitionBook() for _ in range(n_partitions)],
        )

    def read(self, timeout_s: float, listener: Listener | None = None) -> None:
        """Write down what was appended since the last time, events first.

        Answers count as of when *listener* could read them; without one, as of their append.

        Raises:
            TimeoutError: It took longer than *timeout_s*.
            msgspec.ValidationError: An answer is no recommendation.
        """
        for chunk in self._events.rest(timeout_s):
            for record in chunk.records:
                self._partitions[chunk.partition].record(record)
        for chunk in self._answers.rest(timeout_s):
            for record in chunk.records:
                at_ms = record.timestamp
                if listener is not None:
                    at_ms = listener.heard_ms(chunk.partition, record.offset)
                self._answered(_decode(record.value or b""), at_ms)

    def _answered(self, answer: Recommendation, at_ms: int) -> None:
        key, n_new = answer.visitor_id.encode(), 0
        for cover in answer.covers:
            book = self._partitions[cover.partition]
            n_new += book.covered(key, cover.first_offset, cover.last_offset, at_ms)
        self.answered_ms.append(at_ms)
        self.n_degraded += answer.degraded
        self.n_repeats += n_new == 0

    @property
    def n_events(self) -> int:
        return sum(map(len, self._partitions))

    def latency_ms(self, sent: Sent) -> NDArray[np.int64]:
        """Return what passed from append to answer of each event of a load, -1 without an answer.

        Raises:
            PartDied: Not all of them were appended in its time.
        """
        found: list[NDArray[np.int64]] = []
        for book in self._partitions:
            appended, latency = np.array(book.appended_ms), np.array(book.latency_ms)
            found.append(latency[(sent.began_ms <= appended) & (appended <= sent.ended_ms)])
        latency_ms: NDArray[np.int64] = np.concatenate(found)
        if len(latency_ms) != sent.n_events:
            raise PartDied(f"{sent.n_events:,} events sent, {len(latency_ms):,} appended meanwhile")
        return latency_ms

    def percentiles_ms(self, sent: Sent) -> tuple[float, float, float]:
        """Return p50, p99 and the most of what :meth:`latency_ms` tells.

        Raises:
            PartDied: Nothing was sent, or not all of it appended in its time.
        """
        p50, p99, most = percentiles(self.latency_ms(sent).tolist(), (0.5, 0.99, 1.0))
        if p50 is None or p99 is None or most is None:
            raise PartDied("nothing was sent: give the load more seconds")
        return p50, p99, most

    def n_unanswered(self) -> int:
        """Return how many events no answer covers."""
        return sum(1 for book in self._partitions for _ in book.unanswered())

    def last_stale_ms(self, limit_ms: int) -> int | None:
        """Return when the last event was answered that had waited longer than *limit_ms*."""
        latest = None
        for book in self._partitions:
            appended, latency = np.array(book.appended_ms), np.array(book.latency_ms)
            if (stale := latency > limit_ms).any():
                latest = max(latest or 0, int((appended + latency)[stale].max()))
        return latest

    def n_answers(self, began_ms: int, ended_ms: int) -> int:
        """Return how many answers were appended in that time."""
        at = np.array(self.answered_ms)
        return int(((began_ms <= at) & (at <= ended_ms)).sum())
