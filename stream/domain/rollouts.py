"""Which version of a model answers whom, as decided by a person and told to every worker."""

from __future__ import annotations

from hashlib import blake2b
from typing import Annotated

from msgspec import Meta, Struct
from msgspec.structs import replace

from stream.domain.events import Id, TimeMs

Version = Annotated[
    str, Meta(pattern="^[1-9][0-9]*$", max_length=18, description="Triton's number of a version")
]
Share = Annotated[float, Meta(gt=0, lt=1, description="Of the visitors; 0.1 is one in ten")]
Revision = Annotated[int, Meta(ge=1, le=2**53 - 1)]

_HASHES = 2**64


class Trial(Struct, frozen=True):
    """A version that answers a share of the visitors, each visitor always or never."""

    version: Version
    share: Share


class Rollout(Struct, frozen=True, kw_only=True):
    """The decision that holds for a model; a later one has a higher revision.

    Attributes:
        version: Answers everybody who is not in the canary.
        canary: The version that answers a share of the visitors, and the share.
        shadow: Scores what is answered as well, and is compared; nobody sees it.
        previous: What answered before, to go back to.
    """

    model: Id
    revision: Revision
    version: Version
    canary: Trial | None = None
    shadow: Version | None = None
    previous: Version | None = None
    decided_at_ms: TimeMs

    @property
    def versions(self) -> frozenset[str]:
        """What must be served for it."""
        trial = self.canary.version if self.canary else None
        return frozenset(filter(None, (self.version, trial, self.shadow)))

    def follows(self, other: Rollout) -> bool:
        """Whether this is *other*, or was decided after it.

        By time first: of a topic that was created again the revisions begin anew.
        """
        return (self.decided_at_ms, self.revision) >= (other.decided_at_ms, other.revision)

    @property
    def is_trying(self) -> bool:
        """Whether a version is in the canary or in the shadow."""
        return self.canary is not None or self.shadow is not None


def is_in_canary(visitor_id: str, model: str, trial: Trial) -> bool:
    """Whether *visitor_id* is one of the share that *trial* answers.

    The same visitors for as long as it is the same version; a larger share keeps all of a smaller
    one. Another version draws others, so that nobody is always the one to try things.
    """
    drawn = blake2b(f"{model}\x00{trial.version}\x00{visitor_id}".encode(), digest_size=8)
    return int.from_bytes(drawn.digest()) < trial.share * _HASHES


def first(model: str, version: str, *, decided_at_ms: int) -> Rollout:
    """Return the decision that says what held before any: *version* answers."""
    return Rollout(model=model, revision=1, version=version, decided_at_ms=decided_at_ms)


def promoted(before: Rollout, version: str, *, decided_at_ms: int) -> Rollout:
    """Return the decision that *version* answers everybody; trials end with it."""
    if version == before.version and not before.is_trying:
        raise ValueError(f"{before.model}: version {version} answers already")
    return replace(
        before,
        revision=before.revision + 1,
        version=version,
        canary=None,
        shadow=None,
        previous=before.previous if version == before.version else before.version,
        decided_at_ms=decided_at_ms,
    )


def on_trial(before: Rollout, trial: Trial, *, decided_at_ms: int) -> Rollout:
    """Return the decision that *trial* gets its share; from the shadow it comes out for that."""
    _refuse_itself(before, trial.version)
    return replace(
        before,
        revision=before.revision + 1,
        canary=trial,
        shadow=None if before.shadow == trial.version else before.shadow,
        decided_at_ms=decided_at_ms,
    )


def in_shadow(before: Rollout, version: str, *, decided_at_ms: int) -> Rollout:
    """Return the decision that *version* scores unseen; its canary, if it had one, ends."""
    _refuse_itself(before, version)
    tried = before.canary is not None and before.canary.version == version
    return replace(
        before,
        revision=before.revision + 1,
        canary=None if tried else before.canary,
        shadow=version,
        decided_at_ms=decided_at_ms,
    )


def rolled_back(before: Rollout, *, decided_at_ms: int) -> Rollout:
    """Return the decision that takes the last one back: a trial ends, or the previous answers.

    Raises:
        ValueError: There is neither a trial nor a previous version.
    """
    if before.is_trying:
        return replace(
            before,
            revision=before.revision + 1,
            canary=None,
            shadow=None,
            decided_at_ms=decided_at_ms,
        )
    if before.previous is None:
        raise ValueError(f"{before.model}: no version before {before.version} is known")
    return replace(
        before,
        revision=before.revision + 1,
        version=before.previous,
        previous=None,
        decided_at_ms=decided_at_ms,
    )


def _refuse_itself(before: Rollout, version: str) -> None:
    if version == before.version:
        raise ValueError(f"{before.model}: version {version} answers already")
