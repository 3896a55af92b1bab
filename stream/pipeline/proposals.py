"""Candidates for a micro-batch of visitors, from the model or from nowhere."""

from __future__ import annotations

import asyncio
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

import structlog

from stream.domain.history import History, history_of
from stream.errors import InferenceRejected, InferenceUnavailable
from stream.pipeline.candidates import Candidates, Histories, Said, ask
from stream.pipeline.lineup import Lineup
from stream.pipeline.scoring import Vocabulary
from stream.pipeline.shadow import Shadow
from stream.pipeline.visits import Visit
from stream.ports import Inference

log = structlog.get_logger(__name__)

_NOBODY: frozenset[int] = frozenset()


@dataclass(frozen=True, slots=True)
class Proposals:
    """What the models said of each row of a micro-batch.

    Attributes:
        candidates: By row; a row without any product the model knows is absent.
        versions: By row of ``candidates``, whose they are.
        refused: By row; the model refused this row even alone.
        degraded: Rows to be answered from counts although the model may know their products: it
            was away, or what it answered is no score, or not in its vocabulary.
        in_canary: Rows of visitors whom the version on trial is to answer.
        lineup: What was in use, for all rows.
    """

    candidates: Mapping[int, Candidates] = field(default_factory=dict)
    versions: Mapping[int, str] = field(default_factory=dict)
    refused: Mapping[int, InferenceRejected] = field(default_factory=dict)
    degraded: frozenset[int] = _NOBODY
    in_canary: frozenset[int] = _NOBODY
    lineup: Lineup = field(default_factory=Lineup)

    def known(self, row: int) -> Container[str]:
        """Return the products of the version whose candidates those of *row* are."""
        return self.lineup.known_to(self.versions[row])

    def variant(self, row: int) -> str:
        """Return whose answers the visitor of *row* is to get."""
        return self.lineup.variant(in_canary=row in self.in_canary)


class Proposer:
    """Asks the versions of the recommender that are in use.

    ``lineup`` is read once a micro-batch, when it begins, so that what is assigned to it holds for
    all of the next one. Micro-batches begin, and are published, in the order of their events.

    Args:
        trial: Asked for the version on trial; of its own, so that what it does is no harm.
        shadow: Compares the version in the shadow.
    """

    def __init__(
        self,
        inference: Inference,
        *,
        trial: Inference | None = None,
        shadow: Shadow | None = None,
    ) -> None:
        self._inference = inference
        self._trial = trial or inference
        self._shadow = shadow
        self.lineup = Lineup()

    async def propose(self, visits: Sequence[Visit]) -> Proposals:
        """Return candidates for *visits*; the line-up is the same for all of them."""
        lineup = self.lineup
        histories = {row: history_of(visit.session) for row, visit in enumerate(visits)}
        in_canary = _in_canary(lineup, visits)
        if not in_canary:
            return _joined(lineup, [await self._answered(lineup, histories)])
        tried = _of(histories, in_canary)
        others = _of(histories, histories.keys() - in_canary)
        parts = await asyncio.gather(self._answered(lineup, others), self._tried(lineup, tried))
        return _joined(lineup, parts, in_canary)

    async def _answered(self, lineup: Lineup, histories: Histories) -> Proposals:
        vocabulary = lineup.answering
        if vocabulary is None or not histories:
            return Proposals(degraded=frozenset(histories))
        proposals, said = await self._asked(self._inference, vocabulary, histories)
        if said is not None and lineup.shadow is not None and self._shadow is not None:
            self._shadow.compare(lineup.shadow, said, histories)
        return proposals

    async def _tried(self, lineup: Lineup, histories: Histories) -> Proposals:
        """Ask the version on trial; whom it fails, the other one answers: no trial degrades.

        What it refuses is not halved: that would take time of those who are answered anyway.
        """
        vocabulary = lineup.canary.vocabulary if lineup.canary else None
        if vocabulary is None:
            return await self._answered(lineup, histories)
        tried, _ = await self._asked(self._trial, vocabulary, histories, halving=False)
        failed = tried.degraded | tried.refused.keys()
        if not failed:
            return tried
        log.warning("trial_failed", version=vocabulary.version, rows=len(failed))
        instead = await self._answered(lineup, _of(histories, failed))
        candidates = {**tried.candidates, **instead.candidates}
        versions = {**tried.versions, **instead.versions}
        return Proposals(candidates, versions, instead.refused, instead.degraded)

    async def _asked(
        self,
        inference: Inference,
        vocabulary: Vocabulary,
        histories: Histories,
        *,
        halving: bool = True,
    ) -> tuple[Proposals, Said | None]:
        """Return the proposals, and what they were made of if that can be relied upon."""
        try:
            said = await ask(inference, vocabulary, histories, halving=halving)
        except InferenceUnavailable:
            return Proposals(degraded=frozenset(histories)), None
        if said.is_foreign:
            self._mistrust(said)
            degraded = frozenset(histories) - said.refused.keys()
            return Proposals(refused=said.refused, degraded=degraded), None
        not_finite = said.not_finite()
        if not_finite:
            log.warning("scores_not_finite", rows=len(not_finite), version=vocabulary.version)
        candidates = said.candidates()
        for row in not_finite:
            del candidates[row]
        versions = dict.fromkeys(candidates, vocabulary.version)
        return Proposals(candidates, versions, said.refused, not_finite), said

    def _mistrust(self, said: Said) -> None:
        """Forget a vocabulary: the version that answers has another one, which is then read."""
        log.warning(
            "candidates_not_in_vocabulary",
            version=said.vocabulary.version,
            expected=f"1 to {len(said.vocabulary.product_ids)}",
            got=f"{said.ids.min()} to {said.ids.max()}",
        )
        self.lineup = self.lineup.without([said.vocabulary])


def _in_canary(lineup: Lineup, visits: Sequence[Visit]) -> frozenset[int]:
    if lineup.canary is None:
        return _NOBODY
    return frozenset(
        row for row, visit in enumerate(visits) if lineup.is_in_canary(visit.visitor_id)
    )


def _of(histories: Histories, rows: Iterable[int]) -> dict[int, History]:
    return {row: histories[row] for row in sorted(rows)}


def _joined(
    lineup: Lineup, parts: Sequence[Proposals], in_canary: frozenset[int] = _NOBODY
) -> Proposals:
    candidates: dict[int, Candidates] = {}
    versions: dict[int, str] = {}
    refused: dict[int, InferenceRejected] = {}
    for part in parts:
        candidates |= part.candidates
        versions |= part.versions
        refused |= part.refused
    degraded = _NOBODY.union(*(part.degraded for part in parts))
    return Proposals(candidates, versions, refused, degraded, in_canary, lineup)
