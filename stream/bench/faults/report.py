"""What a run found, as JSON and as a table."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from rich.table import Table

from stream.bench.faults.books import Said
from stream.bench.faults.director import EVERY_S, Round
from stream.bench.faults.judging import Verdict
from stream.demo.ledger import percentiles
from stream.demo.report import machine

#: Of what is wrong, lines that are shown, and how much of each; a systematic fault has thousands.
_SHOWN, _WIDTH = 20, 300


@dataclass(frozen=True, slots=True)
class Asked:
    """What a run was told to do.

    Attributes:
        every_s: From the beginning of a fault to that of the next, if it is over by then.
    """

    minutes: float
    events_per_s: float
    seed: int
    exactly_once: bool
    n_workers: int
    every_s: float = EVERY_S


@dataclass(frozen=True, slots=True)
class Run:
    """One run and what came of it.

    Attributes:
        seconds: From the first fault until the last was over.
        n_sent: Records of the load that the brokers confirmed.
        endings: How often workers ended with which code, minus the signal that ended them.
    """

    asked: Asked
    seconds: float
    n_sent: int
    said: Said
    verdict: Verdict
    rounds: Sequence[Round]
    endings: dict[str, int]

    @property
    def n_repeats(self) -> int:
        return sum(self.said.repeats.values())

    @property
    def wrong(self) -> list[str]:
        """All that does not hold, one line each; nothing after a good run."""
        found = list(self.verdict.lines)
        if self.said.unrecognised_repeats:
            found.append(f"{self.said.unrecognised_repeats} repeats cannot be recognised")
        if self.asked.exactly_once and self.n_repeats:
            found.append(f"{self.n_repeats} repeats, exactly once: {dict(self.said.repeats)}")
        return [*found, *(str(each) for each in self.rounds if each.wrong)]

    @property
    def shown(self) -> list[str]:
        """As much of it as people read."""
        return [line[:_WIDTH] for line in self.wrong[:_SHOWN]]


def report_of(run: Run) -> dict[str, object]:
    """Return the JSON report."""
    said, verdict = run.said, run.verdict
    return {
        "lost": len(verdict.lost),
        "state_mismatches": len(verdict.state_mismatches),
        "missing_transitions": len(verdict.missing_transitions),
        "unrecognised_repeats": said.unrecognised_repeats,
        "repeats": run.n_repeats,
        "repeats_by_kind": dict(said.repeats),
        "retold_alerts": said.retold_alerts,
        "sent": run.n_sent,
        "answers": said.answers,
        "degraded": said.degraded,
        "dead_letters": said.dead_letters,
        "seconds": round(run.seconds, 1),
        "faults": {kind: _told(each) for kind, each in sorted(_by_kind(run.rounds).items())},
        "n_faults": len(run.rounds),
        "fewest_rounds": min(map(len, _by_kind(run.rounds).values()), default=0),
        "worker_endings": run.endings,
        "wrong": run.shown,
        "asked": {
            "minutes": run.asked.minutes,
            "events_per_s": run.asked.events_per_s,
            "seed": run.asked.seed,
            "exactly_once": run.asked.exactly_once,
            "workers": run.asked.n_workers,
        },
        "machine": machine(),
    }


def table(run: Run) -> Table:
    """Return the same for people."""
    headings = ("fault", "rounds", "answers after, s (p50)", "p99", "over after, s (p50)")
    found = Table(*headings, title=_title(run))
    for kind, rounds in sorted(_by_kind(run.rounds).items()):
        p50, p99 = _percentiles([each.recovery_s for each in rounds])
        over, _ = _percentiles([each.over_s for each in rounds])
        found.add_row(kind, str(len(rounds)), f"{p50:.1f}", f"{p99:.1f}", f"{over:.1f}")
    return found


def _title(run: Run) -> str:
    verdict, said = run.verdict, run.said
    return (
        f"{len(run.rounds)} faults in {run.seconds:,.0f} s: {run.n_sent:,} sent, "
        f"{len(verdict.lost):,} lost, {len(verdict.state_mismatches):,} state mismatches, "
        f"{len(verdict.missing_transitions):,} missing transitions, {run.n_repeats:,} repeats, "
        f"{said.unrecognised_repeats:,} unrecognised"
    )


def _by_kind(rounds: Sequence[Round]) -> dict[str, list[Round]]:
    found: defaultdict[str, list[Round]] = defaultdict(list)
    for each in rounds:
        found[each.kind].append(each)
    return found


def _told(rounds: Sequence[Round]) -> dict[str, object]:
    recovery, over = ([each.recovery_s for each in rounds], [each.over_s for each in rounds])
    return {
        "rounds": len(rounds),
        "recovery_s": dict(zip(("p50", "p99"), _percentiles(recovery), strict=True)),
        "over_s": dict(zip(("p50", "p99"), _percentiles(over), strict=True)),
    }


def _percentiles(seconds: Sequence[float]) -> list[float]:
    ms = percentiles([round(each * 1000) for each in seconds], (0.5, 0.99))
    return [round((each or 0.0) / 1000, 2) for each in ms]
