"""What is asked of a ranker, and what it may learn from before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np

from stream.models.acts import Acts, Row

Each = TypeVar("Each")


@dataclass(frozen=True, slots=True)
class Questions:
    """What came next?

    Attributes:
        visitors: ``int64[question]``: who is asked about; a visitor may be asked about again.
        histories: What each had acted on by then, oldest first.
        answers: What came next, each product once: one, or all of an order; never nothing.
        left_out: What must not be shown then.
    """

    visitors: Row
    histories: tuple[Acts, ...]
    answers: tuple[Row, ...]
    left_out: tuple[Row, ...]

    def __len__(self) -> int:
        return len(self.answers)

    def some(self, n_questions: int, *, seed: int) -> Questions:
        """Return at most *n_questions* of these, drawn by *seed*."""
        if n_questions >= len(self):
            return self
        drawn = np.sort(np.random.default_rng(seed).permutation(len(self))[:n_questions])

        def of(rows: Sequence[Each]) -> tuple[Each, ...]:
            return tuple(rows[at] for at in drawn.tolist())

        return Questions(
            self.visitors[drawn], of(self.histories), of(self.answers), of(self.left_out)
        )


@dataclass(frozen=True, slots=True)
class Split:
    """What may be learnt from, and what is asked.

    Attributes:
        train: Histories without what is asked, a row a visitor.
        sessions: The same by what was acted on together, in order of time, for those who go by
            sessions; the histories themselves where that is not known.
        validation: Asked while settings are chosen.
        test: Asked once.
    """

    train: tuple[Acts, ...]
    sessions: tuple[Row, ...]
    validation: Questions
    test: Questions
