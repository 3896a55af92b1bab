"""Strikes: the next kind of fault from a deck, when the last one is over.

**How recovery is measured.** Answers are *late* while some partition of an input topic has an event
that was due more than ``FRESH_S`` ago and has neither an answer nor a dead letter, or while some
partition of a visitors' topic has no answer yet to an event that was due after the fault began.
A round's ``recovery_s`` is the time from the fault's beginning until answers were last late: from
then on they flowed. Whether the fault lasts makes no difference: with a broker down answers may
flow long before it is back. A fault that nobody noticed still takes as long as one answer.

A round is *over* when its cause is mended, answers are not late, and the model has answered an
event due after the mending on every partition; the next fault waits for that.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from random import Random

from stream.bench.faults.scene import Scene
from stream.errors import PartDied

Kind = Callable[[Scene], None]

#: From the beginning of one fault to that of the next.
EVERY_S = 20.0


@dataclass(frozen=True, slots=True)
class Round:
    """One fault.

    Attributes:
        recovery_s: From its beginning until answers flowed again.
        over_s: From its beginning until all was as before.
        late_where: Where answers flowed last.
        wrong: What did not go as promised; empty where it did.
    """

    kind: str
    recovery_s: float
    over_s: float
    late_where: str = ""
    wrong: str = ""

    def __str__(self) -> str:
        said = f"{self.kind}: answers after {self.recovery_s:.1f} s ({self.late_where}), "
        said += f"over after {self.over_s:.1f} s"
        return f"{said}; WRONG: {self.wrong}" if self.wrong else said


def deck(kinds: Sequence[str], random: Random) -> Iterator[str]:
    """Deal *kinds* for ever: all of them before one comes again, and none twice in a row."""
    last = None
    while True:
        cards = list(kinds)
        random.shuffle(cards)
        if len(cards) > 1 and cards[0] == last:
            cards.append(cards.pop(0))
        yield from cards
        last = cards[-1]


def rounds(
    here: Scene, kinds: Mapping[str, Kind], *, seconds: float, every_s: float = EVERY_S
) -> Iterator[Round]:
    """Strike for so long; the last fault begins early enough to be over by then, if all is well.

    Raises:
        PartDied: A part of the bench itself failed.
    """
    ends_s = time.monotonic() + seconds
    for name in deck([*kinds], here.random):
        due_s = time.monotonic() + every_s
        if due_s > ends_s:
            return
        yield _struck(here, name, kinds[name])
        here.hold(max(0.0, due_s - time.monotonic()))
        if here.over.is_set():
            return


def _struck(here: Scene, name: str, strike: Kind) -> Round:
    here.traffic.mark()
    wrong = ""
    try:
        strike(here)
    except PartDied as error:
        here.traffic.check()
        here.supervisor.check()
        wrong = str(error)
    complaint = here.until_flowing()
    wrong = "; ".join(each for each in (wrong, complaint) if each)
    began_s, now_s = here.traffic.marked_s, time.monotonic()
    recovery_s, where = here.traffic.late_s - began_s, here.traffic.late_where
    return Round(name, recovery_s, now_s - began_s, where, wrong)
