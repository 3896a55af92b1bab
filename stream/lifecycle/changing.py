"""One change of a model's versions, from beginning to end.

What answers is written down first, so that no worker that starts takes the new version for the
newest. Then that is served beside the old, tried out, decided and told; and the old one goes when
nobody asks for it any more.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import dataclass

from stream.domain import rollouts
from stream.domain.rollouts import Rollout, Trial
from stream.errors import DecisionOvertaken, InferenceError, NothingToDecide
from stream.lifecycle.decisions import Decisions
from stream.lifecycle.server import ModelServing, newest, spec_of
from stream.model_specs import RECOMMENDER

Say = Callable[[str], None]
#: Another command is waited for so long; it may be loading a model.
_OTHERS_S = 600.0
_POLL_S = 0.2


@dataclass(frozen=True, slots=True)
class Promotion:
    """A version for everybody, for a share of the visitors (canary), or for nobody (shadow)."""

    version: str
    canary: float | None = None
    shadow: bool = False

    @property
    def is_trial(self) -> bool:
        """Whether another version goes on answering."""
        return self.shadow or self.canary is not None

    def decided(self, before: Rollout, now_ms: int) -> Rollout:
        """Return the decision after *before*; raises ValueError where it changes nothing."""
        if self.shadow:
            return rollouts.in_shadow(before, self.version, decided_at_ms=now_ms)
        if self.canary is not None:
            trial = Trial(self.version, self.canary)
            return rollouts.on_trial(before, trial, decided_at_ms=now_ms)
        return rollouts.promoted(before, self.version, decided_at_ms=now_ms)


@dataclass(frozen=True, slots=True)
class Rollback:
    """The last decision taken back."""

    def decided(self, before: Rollout, now_ms: int) -> Rollout:
        """Return the decision after *before*; raises ValueError where there is none to take back."""
        return rollouts.rolled_back(before, decided_at_ms=now_ms)


Wish = Promotion | Rollback


class Change:
    """Changes the versions of *model*.

    Args:
        say: Gets a line for each step.
        wait_s: How long to wait until nobody asks for the old version.
    """

    def __init__(
        self, model: str, serving: ModelServing, decisions: Decisions, *, say: Say, wait_s: float
    ) -> None:
        """Raise NothingToDecide if there is no such model."""
        spec_of(model)
        self._model = model
        self._serving = serving
        self._decisions = decisions
        self._say = say
        self._wait_s = wait_s

    async def make(self, wish: Wish) -> None:
        """Bring up what *wish* needs, decide, tell, and let go of what is not needed any more.

        Raises:
            NothingToDecide: No such version, or it holds already.
            VersionRefused: The version failed; all is as it was.
            DecisionOvertaken: Somebody else decided meanwhile; what that needs is served.
            PublishFailed: It may be decided or not; what it needs stays loaded.
        """
        self._refuse_impossible(wish)
        async with self._alone():
            before = await self._before()
            after = self._after(before, wish)
            await self._decide(before, after, wish)
        self._say(f"Decided, revision {after.revision}: {described(after)}.")
        self._say("Each worker takes it once it has read it and warmed it up, in one step.")
        await self._let_go(after)

    @asynccontextmanager
    async def _alone(self) -> AsyncIterator[None]:
        """Hold the repository: what one command finds served is then what it leaves, or changes.

        Raises:
            DecisionOvertaken: Another command does not end.
        """
        lock, until = self._serving.repository.lock(), time.monotonic() + _OTHERS_S
        if not lock.acquire(wait=False):
            self._say("Another command is changing these models; it is waited for …")
            while not lock.acquire(wait=False):
                if time.monotonic() > until:
                    raise DecisionOvertaken(
                        f"{self._model}: another command has been changing these models for "
                        f"{_OTHERS_S:.0f} s; try again when it is done"
                    )
                await asyncio.sleep(_POLL_S)
        try:
            yield
        finally:
            lock.release()

    async def _decide(self, before: Rollout | None, after: Rollout, wish: Wish) -> None:
        """Publish *after*, once what it brings is served; ending a trial brings nothing."""
        trial = isinstance(wish, Promotion) and wish.is_trial
        if before is not None and after.version == before.version and not trial:
            await self._decisions.publish(after, after=before)
            return
        brought = wish.version if isinstance(wish, Promotion) else after.version
        self._say(f"{self._model}: version {brought} is loaded and tried out …")
        decided: frozenset[str] = before.versions if before else frozenset()
        served = await self._serving.bring_up(self._model, brought, decided=decided, on_trial=trial)
        try:
            await self._decisions.publish(after, after=before)
        except DecisionOvertaken:
            holds = await self._decisions.of(self._model)
            await self._serving.put_back(
                self._model, served | (holds.versions if holds else decided)
            )
            raise
        except BaseException:
            self._say(
                f"Whether that was decided is not known, so version {brought} stays loaded: "
                "storestream models list"
            )
            raise

    def _after(self, before: Rollout | None, wish: Wish) -> Rollout:
        if before is None and isinstance(wish, Promotion) and not wish.is_trial:
            return rollouts.first(self._model, wish.version, decided_at_ms=_now_ms())
        if before is None:
            raise NothingToDecide(f"{self._model}: no version answers that could go on")
        try:
            return wish.decided(before, max(_now_ms(), before.decided_at_ms + 1))
        except ValueError as error:
            raise NothingToDecide(str(error)) from error

    def _refuse_impossible(self, wish: Wish) -> None:
        if not isinstance(wish, Promotion):
            return
        present = self._serving.repository.versions(self._model)
        if wish.version not in present:
            named = ", ".join(present) or "none"
            raise NothingToDecide(
                f"{self._model}: expected one of the versions {named}, got {wish.version}"
            )
        if wish.is_trial and self._model != RECOMMENDER.name:
            raise NothingToDecide(f"{self._model}: only {RECOMMENDER.name} is tried on visitors")

    async def _before(self) -> Rollout | None:
        """Return what holds; where nothing was decided, decide that what answers answers.

        None: nothing answers, so whatever comes is the first.
        """
        before = await self._decisions.of(self._model)
        if before is not None:
            return before
        answering = newest(await self._serving.ready(self._model))
        if answering is None:
            return None
        first = rollouts.first(self._model, answering, decided_at_ms=_now_ms())
        await self._decisions.publish(first, after=None)
        self._say(f"{self._model}: version {answering} answers; written down as revision 1.")
        return first

    async def _let_go(self, after: Rollout) -> None:
        """Unload what the decision does not need, once nobody asks for it."""
        model = self._model
        old = set(self._serving.repository.served(model)) - after.versions
        if not old:
            return
        named = ", ".join(sorted(old, key=int))
        self._say(f"Version {named} stays loaded until nobody asks for it …")
        try:
            if await self._unload(after, old):
                self._say(f"Version {named} is unloaded; it stays on disk.")
                return
        except InferenceError as error:
            self._say(f"Triton does not say: {error}")
        except DecisionOvertaken as error:
            self._say(str(error))
        self._say(f"Version {named} is left loaded: it may still be asked for.")

    async def _unload(self, after: Rollout, old: Collection[str]) -> bool:
        unasked = await self._serving.is_unasked(
            self._model, old, answering=after.version, within_s=self._wait_s
        )
        if not unasked:
            return False
        async with self._alone():
            if await self._decisions.of(self._model) != after:
                return False
            await self._serving.serve(self._model, after.versions)
        return True


def described(rollout: Rollout) -> str:
    """Return a decision in words."""
    said = [f"version {rollout.version} answers"]
    if rollout.canary is not None:
        said.append(f"{rollout.canary.version} for {rollout.canary.share:.4g} of the visitors")
    if rollout.shadow is not None:
        said.append(f"{rollout.shadow} in the shadow")
    if rollout.previous is not None:
        said.append(f"{rollout.previous} is there to go back to")
    return ", ".join(said)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000
