"""Leave one out: each visitor's last product is the test, the one before validates.

The protocol of Kang and McAuley (2018), section IV-A, but ranked against all products instead of a
sample of them (Krichene and Rendle 2020: samples may order models otherwise). What a visitor has
acted on already is not shown again.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from stream.evaluation.questions import Questions, Split
from stream.models.acts import Acts

#: Two to hide, and one to go by.
_SHORTEST = 3


def leave_one_out(rows: Sequence[Acts]) -> Split:
    """Return *rows* with the last two of each hidden, where that leaves one at least.

    Who has too short a history is whole in what is learnt from.
    """
    asked = [row for row in rows if len(row.items) >= _SHORTEST]
    train = tuple(row.first(-2) if len(row.items) >= _SHORTEST else row for row in rows)
    return Split(
        train=train,
        sessions=tuple(row.items for row in train),
        validation=_last_of([row.first(-1) for row in asked]),
        test=_last_of(asked),
    )


def _last_of(rows: Sequence[Acts]) -> Questions:
    histories = tuple(row.first(-1) for row in rows)
    answers = tuple(row.items[-1:] for row in rows)
    left_out = tuple(row.items for row in histories)
    return Questions(np.arange(len(rows)), histories, answers, left_out)
