"""Leave one out: each visitor's last product is the test, the one before validates.

The protocol of Kang and McAuley (2018), section IV-A, but ranked against all products instead of a
sample of them (Krichene and Rendle 2020: samples may order models otherwise).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from stream.evaluation.histories import Row

#: Two to hide, and one to go by.
_SHORTEST = 3


@dataclass(frozen=True, slots=True)
class Questions:
    """What came next?

    Attributes:
        histories: What each visitor had acted on by then, oldest first.
        answers: ``int64[question]``: the product that came next.
    """

    histories: tuple[Row, ...]
    answers: Row


@dataclass(frozen=True, slots=True)
class Split:
    """What may be learnt from, and what is asked.

    Attributes:
        train: Histories without what is asked; visitors with too short a history are whole in it.
        validation: Asked while settings are chosen.
        test: Asked once; its histories end with the answers of *validation*.
    """

    train: tuple[Row, ...]
    validation: Questions
    test: Questions


def leave_one_out(rows: Sequence[Row]) -> Split:
    """Return *rows* with the last two of each hidden, where that leaves one at least."""
    asked = [row for row in rows if len(row) >= _SHORTEST]
    return Split(
        train=tuple(row[:-2] if len(row) >= _SHORTEST else row for row in rows),
        validation=_last_of([row[:-1] for row in asked]),
        test=_last_of(asked),
    )


def _last_of(rows: Sequence[Row]) -> Questions:
    answers = np.array([row[-1] for row in rows], dtype=np.int64)
    return Questions(tuple(row[:-1] for row in rows), answers)
