"""Load, reading and books in a thread of their own, so that no fault done elsewhere delays them."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from random import Random
from typing import TypeVar

from stream.bench.faults.books import TP, Books
from stream.bench.faults.load import Load
from stream.bench.faults.reading import follow
from stream.bench.faults.trade import Trade
from stream.errors import PartDied
from stream.topics import EVENTS, ORDERS

Answer = TypeVar("Answer")

#: An answer that takes longer is late. Promised is one second while Triton is away; this leaves as
#: much again to the three brokers, workers and Triton that share the cores of one machine.
FRESH_S = 2.0
_LOOK_S = 0.1
_ANSWER_S = 60.0
VISITOR_TOPICS = frozenset({EVENTS.name, ORDERS.name})


class Traffic:
    """What comes and goes on the topics. Its methods may be called from any thread.

    Attributes:
        late_s: When answers were last late, or those to events after :meth:`mark` had not begun;
            by ``time.monotonic``.
        late_where: Where they were.
        marked_s: When :meth:`mark` was last called.
    """

    def __init__(
        self, bootstrap: Sequence[str], n_partitions: int, products: Sequence[str], seed: int
    ) -> None:
        self.late_s = 0.0
        self.late_where = ""
        self._bootstrap = bootstrap
        self._n_partitions = n_partitions
        self._random = Random(seed)  # noqa: S311 - to be repeatable
        self._trade = Trade(products, self._random)
        self._books = Books(n_partitions)
        self.marked_s = 0.0
        self._failure: BaseException | None = None
        self._load: Load | None = None
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="traffic", daemon=True)
        self._running: list[asyncio.Task[None]] = []

    # -- its life

    def start(self, epochs: Mapping[str, int], events_per_s: float) -> None:
        """Begin to publish and to read."""
        self._thread.start()

        async def begin() -> None:
            load = self._load = Load(
                self._bootstrap,
                self._books,
                self._trade,
                n_partitions=self._n_partitions,
                random=self._random,
            )
            works: list[Awaitable[None]] = [
                load.run(epochs, events_per_s),
                follow(self._bootstrap, self._books, self._n_partitions),
                self._watch(),
            ]
            for work in works:
                task = asyncio.ensure_future(work)
                task.add_done_callback(self._ended)
                self._running.append(task)

        self._do(begin())

    def stop(self) -> None:
        """End all of it; a second call does nothing."""
        if not self._thread.is_alive():
            return

        async def end() -> None:
            for task in self._running:
                task.cancel()
            await asyncio.gather(*self._running, return_exceptions=True)

        self._do(end())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_ANSWER_S)
        self._loop.close()

    def check(self) -> None:
        """Raise ``PartDied`` where the load or the reading failed: then nothing can be judged."""
        if self._failure is not None:
            raise PartDied(f"the bench's own client failed: {self._failure!r}") from self._failure

    # -- what can be asked of it

    def ask(self, question: Callable[[Books, Load], Answer]) -> Answer:
        """Return what *question* finds, asked in the thread of the books."""

        async def asked() -> Answer:
            return question(self._books, self._loaded)

        return self._do(asked())

    def tell(self, work: Callable[[Load], Awaitable[None]]) -> None:
        """Do *work* to the load, in its thread, and return when it is done."""

        async def told() -> None:
            await work(self._loaded)

        self._do(told())

    def mark(self) -> None:
        """Begin to ask for answers to events that are due from now on."""
        self.late_s = self.marked_s = time.monotonic()

    def complaint(self, since_s: float, *, by_model: bool) -> str:
        """Say where answers to events due after *since_s* do not flow; nothing where they do."""
        return self.ask(lambda _, __: next(self._complaints(since_s, by_model=by_model), ""))

    # -- in its thread

    @property
    def _loaded(self) -> Load:
        if self._load is None:
            raise PartDied("the load has not begun")
        return self._load

    def _do(self, work: Awaitable[Answer]) -> Answer:
        async def done() -> Answer:
            return await work

        return asyncio.run_coroutine_threadsafe(done(), self._loop).result(_ANSWER_S)

    def _ended(self, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if error is not None and self._failure is None:
            self._failure = error

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(_LOOK_S)
            if complaint := next(self._complaints(self.marked_s, by_model=False), None):
                self.late_s, self.late_where = time.monotonic(), complaint

    def _complaints(self, since_s: float, *, by_model: bool) -> Iterator[str]:
        now_s = time.monotonic()
        for at, book in self._books.partitions.items():
            oldest_s = min(self._open_s(at), default=now_s)
            if now_s - oldest_s > FRESH_S:
                what = "is not sent" if self._is_unsent(at) else "waits"
                yield f"{at[0]}[{at[1]}] {what} for {now_s - oldest_s:.1f} s"
            answered_s = book.by_model_s if by_model else book.answered_s
            if at[0] in VISITOR_TOPICS and answered_s < since_s:
                how = "by the model " if by_model else ""
                yield f"{at[0]}[{at[1]}] was not answered {how}since"

    def _is_unsent(self, at: TP) -> bool:
        waiting_s = self._loaded.oldest_waiting_s(at)
        return waiting_s is not None and time.monotonic() - waiting_s > FRESH_S

    def _open_s(self, at: TP) -> list[float]:
        oldest = self._books.partitions[at].oldest_open_s(), self._loaded.oldest_waiting_s(at)
        return [each for each in oldest if each is not None]
