from __future__ import annotations

import msgspec
import pytest
from msgspec.structs import replace

from stream.domain.rollouts import (
    Rollout,
    Trial,
    first,
    in_shadow,
    is_in_canary,
    on_trial,
    promoted,
    rolled_back,
)

VISITORS = [f"visitor-{n}" for n in range(10_000)]
BEFORE = first("recommender", "1", decided_at_ms=0)


def canary(share: float, *, version: str = "2", model: str = "recommender") -> set[str]:
    trial = Trial(version, share)
    return {visitor for visitor in VISITORS if is_in_canary(visitor, model, trial)}


# --- Who is in the canary ----------------------------------------------------------------------


def test_the_canary_is_the_share_of_the_visitors() -> None:
    assert 900 < len(canary(0.1)) < 1_100


def test_a_larger_share_keeps_everybody_of_a_smaller_one() -> None:
    assert canary(0.1) < canary(0.11) < canary(0.5)


def test_another_version_and_another_model_draw_other_visitors() -> None:
    drawn = canary(0.1)

    for others in (canary(0.1, version="3"), canary(0.1, model="forecaster")):
        assert 0.05 < len(drawn & others) / len(drawn) < 0.15


def test_the_same_visitors_are_drawn_on_every_machine_and_in_every_release() -> None:
    assert [is_in_canary(f"v{n}", "recommender", Trial("2", 0.25)) for n in range(8)] == [
        False,
        False,
        True,
        *[False] * 5,
    ]


# --- What is decided ---------------------------------------------------------------------------


def test_promotion_remembers_what_answered_before_and_ends_trials() -> None:
    tried = in_shadow(on_trial(BEFORE, Trial("2", 0.1), decided_at_ms=1), "3", decided_at_ms=2)

    after = promoted(tried, "2", decided_at_ms=3)

    assert after == Rollout(
        model="recommender", revision=4, version="2", previous="1", decided_at_ms=3
    )


def test_promoting_what_answers_ends_a_trial_and_keeps_the_previous_version() -> None:
    second = promoted(BEFORE, "2", decided_at_ms=1)
    tried = on_trial(second, Trial("3", 0.1), decided_at_ms=2)

    after = promoted(tried, "2", decided_at_ms=3)

    assert (after.version, after.previous, after.canary) == ("2", "1", None)


@pytest.mark.parametrize(
    "decide",
    [
        lambda: promoted(BEFORE, "1", decided_at_ms=1),
        lambda: on_trial(BEFORE, Trial("1", 0.1), decided_at_ms=1),
        lambda: in_shadow(BEFORE, "1", decided_at_ms=1),
        lambda: rolled_back(BEFORE, decided_at_ms=1),
    ],
)
def test_a_decision_that_changes_nothing_is_none(decide: object) -> None:
    assert callable(decide)

    with pytest.raises(ValueError, match="recommender"):
        decide()


def test_a_version_is_in_the_shadow_or_in_the_canary() -> None:
    shadowed = in_shadow(BEFORE, "2", decided_at_ms=1)
    tried = on_trial(shadowed, Trial("2", 0.1), decided_at_ms=2)
    shadowed_again = in_shadow(tried, "2", decided_at_ms=3)

    assert (tried.canary, tried.shadow) == (Trial("2", 0.1), None)
    assert (shadowed_again.canary, shadowed_again.shadow) == (None, "2")


def test_rollback_ends_the_trial_first_and_then_goes_back() -> None:
    tried = on_trial(promoted(BEFORE, "2", decided_at_ms=1), Trial("3", 0.1), decided_at_ms=2)

    ended = rolled_back(tried, decided_at_ms=3)
    back = rolled_back(ended, decided_at_ms=4)

    assert (ended.version, ended.previous, ended.is_trying) == ("2", "1", False)
    assert (back.version, back.previous, back.revision) == ("1", None, 5)


def test_a_later_decision_follows_also_where_revisions_began_anew() -> None:
    fifth = Rollout(model="recommender", revision=5, version="1", decided_at_ms=100)
    anew = Rollout(model="recommender", revision=1, version="2", decided_at_ms=101)
    sixth = Rollout(model="recommender", revision=6, version="2", decided_at_ms=100)

    assert anew.follows(fifth)
    assert sixth.follows(fifth)
    assert fifth.follows(fifth)
    assert not fifth.follows(anew)
    assert not fifth.follows(sixth)


def test_versions_are_all_that_must_be_served() -> None:
    tried = in_shadow(on_trial(BEFORE, Trial("2", 0.1), decided_at_ms=1), "3", decided_at_ms=2)

    assert tried.versions == {"1", "2", "3"}
    assert promoted(tried, "2", decided_at_ms=3).versions == {"2"}


# --- What a record may say ---------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"version": ""},
        {"version": "0"},
        {"version": "latest"},
        {"revision": 0},
        {"canary": {"version": "2", "share": 0}},
        {"canary": {"version": "2", "share": 1}},
    ],
)
def test_a_decision_outside_its_bounds_is_not_read(wrong: dict[str, object]) -> None:
    said = msgspec.to_builtins(replace(BEFORE, decided_at_ms=1)) | wrong

    with pytest.raises(msgspec.ValidationError):
        msgspec.json.decode(msgspec.json.encode(said), type=Rollout)
