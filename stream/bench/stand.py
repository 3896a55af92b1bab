"""A contestant under load: it runs, events come at a rate, and its books say what became of them."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from stream.bench.books import Books
from stream.bench.contestants import Contestant, ours_with_models
from stream.bench.listening import Listener
from stream.bench.loading import Sent, Visits, load
from stream.bench.measuring import Bench, stamped_by_broker, until_through
from stream.bench.scene import Scene
from stream.errors import PartDied
from stream.kafka.administration import create_topics
from stream.local.children import Child
from stream.settings import Settings

_PATIENCE_S = 180.0
#: Before what is measured, so that nothing is done for the first time in it.
_WARM_UP_S = 5.0
_WARM_UP_PER_S = 500.0
_N_WAITING = 30_000
#: How long more comes than can be taken, and how much of that is its beginning.
_SATURATION_S, _FILLING_S = 10.0, 3.0
#: Times the rate at which what waits is answered.
_TOO_MUCH = 1.5
#: Whoever answers more than that while it comes was not given too much.
_MOST_OF_IT = 0.9


class Ground(Protocol):
    """Where a contestant stands."""

    @property
    def settings(self) -> Settings: ...
    @property
    def folder(self) -> Path: ...
    @property
    def products(self) -> Sequence[str]: ...


@dataclass(slots=True)
class Stand:
    """One contestant that runs.

    Attributes:
        n_events: Given to it so far, since the beginning of its topic.
        listener: Knows when its answers could be read; None: they count as of their append.
    """

    here: Ground
    contestant: Contestant
    visits: Visits
    books: Books
    child: Child
    n_events: int
    listener: Listener | None = None

    def load(self, events_per_s: float, seconds: float) -> Sent:
        """Give it so much; return when the events are appended, answered or not."""
        settings, topic = self.here.settings, self.contestant.events
        sending = load(settings, topic, self.visits, events_per_s=events_per_s, seconds=seconds)
        sent = asyncio.run(sending)
        self.n_events += sent.n_events
        return sent

    def wait(self) -> None:
        """Return when it is through with all that it was given.

        Raises:
            PartDied: It ended, or takes too long.
        """
        until_through(
            self.here.settings.bootstrap[0],
            self.contestant,
            self.child,
            n_events=self.n_events,
            patience_s=_PATIENCE_S,
        )

    def audit(self) -> None:
        """Read what became of it all into the books.

        Raises:
            PartDied: An event has no answer.
        """
        self.books.read(_PATIENCE_S, self.listener)
        if n_lost := self.books.n_unanswered():
            raise PartDied(f"{self.contestant.name}: {n_lost:,} events were not answered")


@contextmanager
def standing(
    here: Ground, contestant: Contestant, number: int, listener: Listener | None = None
) -> Iterator[Stand]:
    """Start *contestant* and let it come warm; visitors of another *number* are others.

    *listener*, if any, listens to its answers by now.

    Raises:
        PartDied: It ended, or takes too long.
    """
    settings = here.settings
    create_topics(settings.bootstrap, stamped_by_broker(contestant))
    books = Books.of(settings.bootstrap[0], contestant, settings.partitions)
    books.read(_PATIENCE_S)
    visits = Visits(here.products, number=1_000 + number)
    child = contestant.start(here.folder)
    try:
        stand = Stand(here, contestant, visits, books, child, books.n_events, listener)
        stand.load(_WARM_UP_PER_S, _WARM_UP_S)
        stand.wait()
        yield stand
    finally:
        child.stop(timeout_s=15)


def saturated(here: Scene, runs: int) -> list[float]:
    """Return at how many events/s our worker answers while more come than it can take.

    What comes shares the machine with it; so that is less than it answers of what waits already.

    Raises:
        PartDied: It kept up, or answered without the model.
    """
    contestant = ours_with_models(here.settings, conflate=False)
    bench = Bench(here.settings, here.folder, here.products)
    waiting = bench.run(contestant, _N_WAITING, 0)
    rates = []
    for number in range(runs):
        with standing(here, contestant, 100 + number) as stand:
            sent = stand.load(_TOO_MUCH * waiting.events_per_s, _SATURATION_S)
            stand.wait()
            stand.audit()
        began_ms, books = sent.began_ms + int(_FILLING_S * 1000), stand.books
        if books.n_degraded:
            raise PartDied(
                f"{books.n_degraded:,} answers came without the model: is Triton starved?"
            )
        if books.n_answers(sent.began_ms, sent.handed_ms) > _MOST_OF_IT * sent.n_events:
            raise PartDied(
                f"{sent.events_per_s:,.0f} events/s did not saturate the worker: it seems that what "
                "waited was answered too slowly; run it again on a quiet machine"
            )
        n_answers = books.n_answers(began_ms, sent.handed_ms)
        rates.append(n_answers / (sent.handed_ms - began_ms) * 1000)
    return rates
