"""Which versions of the recommender are in use: one value, so that all of it changes at once."""

from __future__ import annotations

from collections.abc import Collection, Container
from dataclasses import dataclass

from stream.domain.rollouts import Trial, is_in_canary
from stream.model_specs import RECOMMENDER
from stream.pipeline.scoring import Vocabulary

#: Of a call's time, what a version on trial or in the shadow has: the rest is for who answers.
SHARE_OF_TRIAL = 0.5
#: What a version in use is in use for.
ANSWERING, CANARY, SHADOW = "answering", "canary", "shadow"
#: What a version is asked for that is to answer, and does not yet.
WARMING = "warming"
#: The variant of who is answered while no version is known.
COUNTS = "counts"


@dataclass(frozen=True, slots=True)
class Canary:
    """A trial, and its version's vocabulary once that has answered a warm-up."""

    trial: Trial
    vocabulary: Vocabulary | None = None


@dataclass(frozen=True, slots=True)
class Lineup:
    """The versions that a micro-batch is asked of.

    Attributes:
        answering: None until the server has told it; until then every answer is degraded.
        canary: Its visitors are told apart by the trial alone, so that they are the same ones
            whether or not its version can be asked.
    """

    answering: Vocabulary | None = None
    canary: Canary | None = None
    shadow: Vocabulary | None = None

    def vocabularies(self) -> tuple[Vocabulary, ...]:
        """Return those of all versions in use."""
        trial = self.canary.vocabulary if self.canary else None
        return tuple(each for each in (self.answering, trial, self.shadow) if each is not None)

    def known_to(self, version: str) -> Container[str]:
        """Return the products that *version* knows; nothing of one that is not in use."""
        for vocabulary in self.vocabularies():
            if vocabulary.version == version:
                return vocabulary.index
        return ()

    def versions(self) -> dict[str, str]:
        """Return the version in each role that one is in use for."""
        by_role = {
            ANSWERING: self.answering,
            CANARY: self.canary.vocabulary if self.canary else None,
            SHADOW: self.shadow,
        }
        return {role: each.version for role, each in by_role.items() if each is not None}

    def without(self, gone: Collection[Vocabulary]) -> Lineup:
        """Return the line-up without the vocabularies in *gone*."""
        answering, shadow, canary = self.answering, self.shadow, self.canary
        if canary is not None and _is_among(gone, canary.vocabulary):
            canary = Canary(canary.trial)
        return Lineup(
            None if _is_among(gone, answering) else answering,
            canary,
            None if _is_among(gone, shadow) else shadow,
        )

    def is_in_canary(self, visitor_id: str) -> bool:
        """Whether the version on trial is to answer *visitor_id*."""
        canary = self.canary
        return canary is not None and is_in_canary(visitor_id, RECOMMENDER.name, canary.trial)

    def variant(self, *, in_canary: bool) -> str:
        """Return what an answer to somebody in the canary, or not in it, is marked with."""
        if in_canary and self.canary is not None:
            return f"{RECOMMENDER.name}-{self.canary.trial.version}-canary"
        return COUNTS if self.answering is None else f"{RECOMMENDER.name}-{self.answering.version}"


def _is_among(gone: Collection[Vocabulary], vocabulary: Vocabulary | None) -> bool:
    return any(each is vocabulary for each in gone)
