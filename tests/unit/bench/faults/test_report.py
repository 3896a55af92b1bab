"""What a run is told to have found."""

from __future__ import annotations

from stream.bench.faults.books import Said
from stream.bench.faults.director import Round
from stream.bench.faults.judging import Verdict
from stream.bench.faults.report import Asked, Run, report_of


def test_recovery_is_told_by_kind() -> None:
    rounds = [Round("a", seconds, 2 * seconds) for seconds in (3.0, 1.0, 2.0)]

    faults = report_of(make_run(rounds=[*rounds, Round("b", 5.0, 6.0)]))["faults"]

    assert faults == {
        "a": told(3, recovery_s=(2.0, 3.0), over_s=(4.0, 6.0)),
        "b": told(1, recovery_s=(5.0, 5.0), over_s=(6.0, 6.0)),
    }


def test_nothing_is_wrong_with_repeats_that_can_be_recognised() -> None:
    said = Said()
    said.repeats["answers"] = 3

    assert make_run(said=said).wrong == []


def test_a_repeat_is_wrong_where_each_event_is_answered_exactly_once() -> None:
    said = Said()
    said.repeats["answers"] = 3

    assert len(make_run(said=said, exactly_once=True).wrong) == 1


def test_what_is_lost_unrecognised_or_did_not_recover_is_wrong() -> None:
    verdict = Verdict(["x is lost"], ["y differs"], ["z is not said"])

    wrong = make_run(
        verdict=verdict,
        said=Said(unrecognised_repeats=2),
        rounds=[Round("a", 1, 1, "x[0] waits for 1 s", "not over")],
    ).wrong

    assert wrong == [
        "x is lost",
        "y differs",
        "z is not said",
        "2 repeats cannot be recognised",
        "a: answers after 1.0 s (x[0] waits for 1 s), over after 1.0 s; WRONG: not over",
    ]


def told(
    n_rounds: int, *, recovery_s: tuple[float, float], over_s: tuple[float, float]
) -> dict[str, object]:
    names = "p50", "p99"
    return {
        "rounds": n_rounds,
        "recovery_s": dict(zip(names, recovery_s, strict=True)),
        "over_s": dict(zip(names, over_s, strict=True)),
    }


def make_run(
    *,
    said: Said | None = None,
    verdict: Verdict | None = None,
    rounds: list[Round] | None = None,
    exactly_once: bool = False,
) -> Run:
    asked = Asked(1, 100, 1, exactly_once=exactly_once, n_workers=2)
    return Run(asked, 60.0, 6000, said or Said(), verdict or Verdict(), rounds or [], {})
