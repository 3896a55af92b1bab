"""Answers to visitors: scored together, decided one by one, published in order, confirmed."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Awaitable, Sequence
from typing import TypeAlias

from stream.codec import AnswerEncoder
from stream.domain.outputs import Recommendation, RecommendedItem, Strategy, recommendation_id
from stream.domain.ranking import TRENDING, RankingPolicy, fallback, novelties, rank
from stream.domain.sessions import Session
from stream.errors import InferenceRejected, RefusedRow
from stream.kafka.records import OutRecord
from stream.model_specs import RECOMMENDER
from stream.pipeline.batcher import Batcher, Row
from stream.pipeline.intake import Reader, partition_for
from stream.pipeline.proposals import Proposals, Proposer
from stream.pipeline.shelf import Shelf
from stream.pipeline.visits import Visit
from stream.ports import Clock, Effects, Publisher, States
from stream.telemetry import Telemetry
from stream.topics import RECOMMENDATIONS

RecommendationBatcher: TypeAlias = Batcher[Visit, Proposals]


class Answers:
    """The work of a micro-batch of visits.

    Args:
        n_partitions: Of the recommendations topic.
    """

    def __init__(
        self,
        proposer: Proposer,
        shelf: Shelf,
        publisher: Publisher,
        *,
        reader: Reader,
        telemetry: Telemetry,
        policy: RankingPolicy,
        n_partitions: int,
        clock: Clock,
    ) -> None:
        self._proposer = proposer
        self._shelf = shelf
        self._publisher = publisher
        self._reader = reader
        self._telemetry = telemetry
        self._policy = policy
        self._n_partitions = n_partitions
        self._clock = clock
        self._encode = AnswerEncoder()

    async def score(self, rows: Sequence[Row[Visit]]) -> Proposals:
        """Ask the model for candidates."""
        return await self._proposer.propose([row.payload for row in rows])

    async def answer(self, rows: Sequence[Row[Visit]], scores: Proposals) -> Awaitable[None]:
        """Decide each row and hand all answers to the publisher, in the order of the rows."""
        now_ms, n_partitions, topic = self._clock(), self._n_partitions, RECOMMENDATIONS.name
        effects: defaultdict[States[Session], list[OutRecord]] = defaultdict(list)
        told: list[tuple[str, bool]] = []
        for i, row in enumerate(rows):
            visit = row.payload
            if i in scores.refused:
                effects[visit.states] += self._refused(visit, scores.refused[i])
                continue
            answer, (_, key) = self._decide(visit, i, scores, now_ms), row.key
            told.append((answer.strategy, answer.degraded))
            record = OutRecord(topic, partition_for(key, n_partitions), key, self._encode(answer))
            effects[visit.states].append(record)
        oldest_ms = min([row.payload.records[-1][1].timestamp for row in rows])
        return asyncio.ensure_future(self._publish(effects, Counter(told), oldest_ms))

    async def _publish(
        self,
        effects: Effects,
        published: Counter[tuple[str, bool]],
        appended_ms: int,
    ) -> None:
        await self._publisher.publish(effects)
        for (strategy, degraded), n_answers in published.items():
            labels = strategy, str(degraded).lower()
            self._telemetry.recommendations.labels(*labels).inc(n_answers)
        self._telemetry.answer_seconds.observe(max(0, self._clock() - appended_ms) / 1000)

    def _decide(self, visit: Visit, place: int, scores: Proposals, now_ms: int) -> Recommendation:
        covers = visit.covers()
        items, strategy = self._choose(visit.session, scores, place)
        by_model = strategy == "session_transformer"
        return Recommendation(
            recommendation_id=recommendation_id(visit.visitor_id, covers, visit.epochs()),
            visitor_id=visit.visitor_id,
            covers=covers,
            items=items,
            strategy=strategy,
            model=RECOMMENDER.name if by_model else "counts",
            model_version=scores.versions[place] if by_model else "",
            degraded=place in scores.degraded,
            created_at_ms=now_ms,
            as_of_ms=visit.session.updated_at_ms,
            variant=scores.variant(place),
            simulated=visit.simulated,
        )

    def _choose(
        self, session: Session, scores: Proposals, place: int
    ) -> tuple[tuple[RecommendedItem, ...], Strategy]:
        shelf = self._shelf
        if place in scores.candidates:
            novel = novelties(session, shelf.bought_with, scores.known(place))
            items = rank(
                scores.candidates[place],
                session,
                sold_out=shelf.sold_out,
                now_ms=session.updated_at_ms,
                policy=self._policy,
                names=shelf.names,
                novel=novel,
                overstocked=shelf.overstocked,
            )
            if items:
                return items, "session_transformer"
        items = fallback(
            session,
            trending=shelf.trending,
            bought_with=shelf.bought_with,
            sold_out=shelf.sold_out,
            policy=self._policy,
            names=shelf.names,
        )
        goes_with = bool(items) and items[0].reason != TRENDING
        return items, "bought_with" if goes_with else "trending"

    def _refused(self, visit: Visit, refusal: InferenceRejected) -> list[OutRecord]:
        error = RefusedRow(f"{RECOMMENDER.name} refused visitor {visit.visitor_id!r}: {refusal}")
        return [
            self._reader.dead_letter(topic, partition, record, error)
            for (topic, partition, _), record in visit.records
        ]
