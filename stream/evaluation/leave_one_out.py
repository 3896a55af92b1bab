"""Leave one out: each visitor's last product is the test, the one before validates.

The protocol of Kang and McAuley (2018), section IV-A, but ranked against all products instead of a
sample of them (Krichene and Rendle 2020: samples may order models otherwise). What a visitor has
acted on already is not shown again.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stream.evaluation.histories import Row
from stream.evaluation.questions import Questions, Split

#: Two to hide, and one to go by.
_SHORTEST = 3


def leave_one_out(rows: Sequence[Row]) -> Split:
    """Return *rows* with the last two of each hidden, where that leaves one at least.

    Who has too short a history is whole in what is learnt from.
    """
    asked = [row for row in rows if len(row) >= _SHORTEST]
    train = tuple(row[:-2] if len(row) >= _SHORTEST else row for row in rows)
    return Split(
        train=train,
        sessions=train,
        validation=_last_of([row[:-1] for row in asked]),
        test=_last_of(asked),
    )


def _last_of(rows: Sequence[Row]) -> Questions:
    histories = tuple(row[:-1] for row in rows)
    answers = tuple(row[-1:] for row in rows)
    return Questions(np.arange(len(rows)), histories, answers, left_out=histories)
