"""The versions that Triton serves: changed by the repository's policy, tried out, let go."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Collection
from types import TracebackType
from typing import Self

import structlog

from stream.adapters.triton import Patience, TritonModels
from stream.errors import InferenceError, ModelMismatch, NothingToDecide, VersionRefused
from stream.model_specs import FORECASTER, MODELS, RECOMMENDER, SERVED_WITH, ModelSpec
from stream.pipeline.lineup import SHARE_OF_TRIAL
from stream.pipeline.warming import warm_forecaster, warmed_recommender
from stream.repository import ModelRepository, in_order
from stream.settings import Settings

log = structlog.get_logger(__name__)

_SPECS = {spec.name: spec for spec in MODELS}
#: Of one request, of one call, and of loading a model: nobody waits for these but a person.
_PATIENCE = Patience(timeout_s=30, deadline_s=60, n_retries=1, load_s=600)
#: A version that answered nothing for so long, while another did, is asked by nobody any more.
_QUIET_S = 5.0
_POLL_S = 0.5


class ModelServing:
    """Triton and the repository that it serves; a context that connects."""

    def __init__(self, settings: Settings, repository: ModelRepository) -> None:
        self.repository = repository
        self.models = TritonModels(settings.triton_url, patience=_PATIENCE)
        self._as_worker, self._as_trial = (
            TritonModels(settings.triton_url, patience=_patience_of_worker(settings, share))
            for share in (1.0, SHARE_OF_TRIAL)
        )
        self._deadline_s = settings.triton_deadline_s
        self._full_rows = {
            RECOMMENDER.name: settings.max_rows,
            FORECASTER.name: settings.stock_in_flight_rows,
        }

    async def __aenter__(self) -> Self:
        for each in (self.models, self._as_worker, self._as_trial):
            await each.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        for each in (self._as_trial, self._as_worker, self.models):
            await each.stop()

    async def ready(self, model: str) -> tuple[str, ...]:
        """Return the versions that Triton has ready, oldest first."""
        return await self.models.control.ready_versions(spec_of(model))

    async def bring_up(
        self, model: str, version: str, *, decided: Collection[str], on_trial: bool = False
    ) -> frozenset[str]:
        """Serve *version* beside what is *decided* and what is ready, tried out.

        What the repository names beyond these was left by a command that was killed: it may be
        what cannot be loaded, and then nothing could be any more.

        Returns:
            What was served before.

        Raises:
            VersionRefused: It cannot be loaded, or failed its warm-up; all is as it was.
            InferenceUnavailable: The server does not answer.
        """
        named = self.repository.served(model)
        before = frozenset((*decided, *(set(named) & set(await self.ready(model)))))
        try:
            await self.serve(model, before | {version})
            await self._try_out(model, version, on_trial=on_trial)
        except BaseException as error:
            await self.put_back(model, before or named)
            if isinstance(error, InferenceError | ModelMismatch):
                raise VersionRefused(f"{model} version {version} is refused: {error}") from error
            raise
        return before

    async def put_back(self, model: str, versions: Collection[str]) -> None:
        """Serve exactly *versions*; where Triton does not do it, it does so once it is restarted."""
        for part in _parts(model):
            self.repository.serve(part, versions)
            try:
                await self.models.control.load(part)
            except InferenceError as error:
                log.warning("not_put_back_on_the_server", model=part, reason=str(error))

    async def serve(self, model: str, versions: Collection[str]) -> None:
        """Serve exactly *versions* of a model; those that stay go on answering meanwhile.

        Raises:
            InferenceUnavailable: One cannot be loaded.
        """
        for part in _parts(model):
            self.repository.serve(part, versions)
            await self.models.control.load(part)

    async def is_unasked(
        self, model: str, old: Collection[str], *, answering: str, within_s: float
    ) -> bool:
        """Return whether, for some seconds, nobody asked for *old* while *answering* was asked.

        False when that has not come about *within_s*.
        """
        deadline = time.monotonic() + within_s
        since, first = time.monotonic(), await self._n_asked(model)
        while time.monotonic() < deadline:
            await asyncio.sleep(_POLL_S)
            now = await self._n_asked(model)
            if any(now.get(version) != first.get(version) for version in old):
                since, first = time.monotonic(), now
            is_quiet = time.monotonic() - since >= _QUIET_S
            if is_quiet and now.get(answering, 0) > first.get(answering, 0):
                return True
        return False

    async def _n_asked(self, model: str) -> Counter[str]:
        """Return how often each version was asked, its vocabulary included: a worker asks that."""
        n_asked: Counter[str] = Counter()
        for spec in SERVED_WITH[model]:
            n_asked.update(await self.models.control.n_rows_answered(spec))
        return n_asked

    async def _try_out(self, model: str, version: str, *, on_trial: bool) -> None:
        """Ask patiently first, since the first answers take longest, and then as a worker does."""
        await self._warm_up(self.models, model, version)
        share, server = (SHARE_OF_TRIAL, self._as_trial) if on_trial else (1.0, self._as_worker)
        try:
            await self._warm_up(server, model, version)
        except InferenceError as error:
            raise VersionRefused(
                f"within the {share * self._deadline_s:g} s that a worker gives it: {error}"
            ) from error

    async def _warm_up(self, server: TritonModels, model: str, version: str) -> None:
        n_rows = self._full_rows[model]
        if model == RECOMMENDER.name:
            await warmed_recommender(server, version, n_rows, in_full=True)
        else:
            await warm_forecaster(server, version, n_rows, in_full=True)


def _patience_of_worker(settings: Settings, share: float) -> Patience:
    """Return a worker's patience in answering; with the server itself it is as patient."""
    deadline_s = share * settings.triton_deadline_s
    return Patience(
        timeout_s=min(settings.triton_timeout_s, deadline_s),
        deadline_s=deadline_s,
        n_retries=settings.triton_retries,
        backoff_s=settings.triton_backoff_s,
        alive_s=deadline_s,
    )


def spec_of(model: str) -> ModelSpec:
    """Return the specification of a model that has versions of its own.

    Raises:
        NothingToDecide: There is no such model.
    """
    if model not in SERVED_WITH:
        raise NothingToDecide(f"expected one of {', '.join(SERVED_WITH)}, got {model!r}")
    return _SPECS[model]


def newest(versions: Collection[str]) -> str | None:
    """Return the newest of *versions*."""
    return in_order(versions)[-1] if versions else None


def _parts(model: str) -> list[str]:
    return [spec.name for spec in SERVED_WITH[model]]
