"""A worker that is started anew whenever it ends, as whoever runs one in production does."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Self

from stream.topics import RECOMMENDATIONS
from tests.harness.store import Sent, Store
from tests.harness.waiting import until
from tests.harness.worker import Worker

#: Why a worker ends that could not reach its group for longer than a session: nobody knows who had
#: its partitions meanwhile.
GIVEN_UP = "given up by its group"


class Supervised:
    """Starts a worker, and another one whenever it is looked after and finds that one ended.

    Attributes:
        ends: Of those that ended by themselves, the exit code and why, as their logs say it.
    """

    def __init__(self, start: Callable[[], Worker]) -> None:
        self.worker = start()
        self.ends: list[str] = []
        self._start = start

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.worker.__exit__(kind, error, traceback)

    def look_after(self) -> Worker:
        """Return the worker that runs now."""
        code = self.worker.child.returncode
        if code is not None:
            failures = [entry["error"] for entry in self.worker.logged("worker_failed")]
            self.ends.append(f"{code}: {failures or self.worker.tail()}")
            self.worker = self._start()
        return self.worker

    def answers_more(self, n_more: int = 10) -> None:
        """Look after it until it has published so many more answers.

        It is asked itself: reading its topics to their end takes as long as they are written to.
        """
        before = self._n_answers()
        until(
            lambda: self.look_after().child.alive and self._n_answers() >= before + n_more,
            "it answers",
            otherwise=self.worker.tail,
        )

    def _n_answers(self) -> float:
        name = "stream_published_records_total"
        return self.worker.metric(name, topic=RECOMMENDATIONS.name)

    def answer(self, store: Store, sent: Sequence[Sent], within_s: float) -> None:
        """Look after it until each of *sent* is answered."""

        def answered() -> bool:
            self.look_after()
            return not store.unanswered(sent)

        store.until(answered, "answers flow again", within_s=within_s)

    def settle(self, store: Store, within_s: float = 60) -> None:
        """Look after it until all that *store*'s topics hold is read and committed."""

        def settled() -> bool:
            self.look_after()
            committed = store.committed()
            store.read()
            return not store.uncommitted(committed)

        until(settled, "all that was read is committed", within_s=within_s)
        store.read()
