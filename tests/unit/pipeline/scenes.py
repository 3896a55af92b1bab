"""Both pipelines as they are composed, over fakes of what they meet."""

from __future__ import annotations

import asyncio

import msgspec

from stream.codec import HISTORY_HEADER, encode
from stream.domain.calendar import DAY_MS
from stream.domain.events import StockLevelEvent, StockMovement
from stream.domain.outputs import ProductState, Recommendation, StockAlert
from stream.domain.policy import StockPolicy
from stream.domain.products import Product
from stream.domain.ranking import RankingPolicy
from stream.domain.sessions import Session
from stream.kafka.records import RecordBatch
from stream.model_specs import N_CANDIDATES
from stream.pipeline.alerts import AlertBatcher, Alerts, latest
from stream.pipeline.answers import Answers, RecommendationBatcher
from stream.pipeline.drift import Drift
from stream.pipeline.event_clock import EventClock
from stream.pipeline.forecasts import Forecaster
from stream.pipeline.held_back import HeldBack
from stream.pipeline.intake import Limits, Reader
from stream.pipeline.lineup import Lineup
from stream.pipeline.proposals import Proposer
from stream.pipeline.recommend import RecommendPipeline
from stream.pipeline.scoring import Vocabulary
from stream.pipeline.settling import Settling
from stream.pipeline.shelf import Shelf
from stream.pipeline.stock import StockPipeline
from stream.pipeline.visits import conflate
from stream.ports import States
from stream.telemetry import Telemetry
from stream.topics import (
    PRODUCT_STATE,
    RECOMMENDATIONS,
    STOCK_ALERTS,
    STOCK_LEVELS,
    STOCK_MOVEMENTS,
)
from tests.unit.builders import NOON_MS, Record
from tests.unit.pipeline.fakes import Log, Model, Owned, batch_of, settled

PRODUCTS = tuple(f"p{i}" for i in range(1, N_CANDIDATES + 1))
N_PARTITIONS = 4


class RecommendScene:
    """A recommend pipeline over fakes; ``model`` and ``log`` are what it meets."""

    def __init__(self, *, conflating: bool = True) -> None:
        self.log, self.model, self.owned = Log(), Model(), Owned(0, 1)
        self.telemetry, self.failures = Telemetry(), list[BaseException]()
        self.shelf = Shelf(self.telemetry)
        self.proposer = Proposer(self.model)
        self.proposer.lineup = Lineup(Vocabulary.of("7", PRODUCTS))
        reader = Reader(self.telemetry, Limits(10_000, 1_000, 60_000, N_PARTITIONS))
        answers = Answers(
            self.proposer,
            self.shelf,
            self.log,
            reader=reader,
            telemetry=self.telemetry,
            policy=RankingPolicy(),
            n_partitions=N_PARTITIONS,
            clock=lambda: NOON_MS + 5,
        )
        self.pipeline = RecommendPipeline(
            self.owned,
            reader,
            RecommendationBatcher(
                answers,
                merge=conflate if conflating else None,
                max_rows=64,
                max_in_flight=2,
                max_unconfirmed=8,
                on_failure=self.failures.append,
            ),
            settling=Settling(self.log, self.failures.append),
            clock=EventClock(),
            n_partitions=N_PARTITIONS,
            conflate=conflating,
        )

    async def take(self, batch: RecordBatch) -> RecordBatch:
        self.pipeline.accept(batch)
        await settled()
        assert self.failures == []
        return batch

    def answers(self) -> list[Recommendation]:
        records = self.log.of(RECOMMENDATIONS.name)
        return [msgspec.json.decode(record.value or b"", type=Recommendation) for record in records]

    def session(self, visitor_id: str = "ann", partition: int = 0) -> Session:
        session: Session = self.owned[partition].durable[visitor_id.encode()]
        return session


class StockScene:
    """A stock pipeline over fakes; the model expects one unit a day of everything."""

    def __init__(self) -> None:
        self.log, self.model, self.owned = Log(), Model(), Owned(0, 1)
        self.telemetry, self.failures = Telemetry(), list[BaseException]()
        self.clock = EventClock()
        self.forecaster = Forecaster(self.model)
        self.forecaster.version = "2"
        self.settling = Settling(self.log, self.failures.append)
        self.held_back = HeldBack(self.clock, self._look_after, per_tick=64)
        alerts = Alerts(
            self.forecaster,
            self.log,
            clock=self.clock,
            telemetry=self.telemetry,
            policy=StockPolicy(),
            held_back=self.held_back,
            n_partitions=4,
            wall=lambda: NOON_MS,
        )
        batcher = AlertBatcher(
            alerts,
            merge=latest,
            max_rows=64,
            max_in_flight=1,
            max_unconfirmed=2,
            on_failure=self.failures.append,
        )
        self.pipeline = StockPipeline(
            self.owned,
            Reader(self.telemetry, Limits(10_000, 1_000, 1_000 * DAY_MS, 4)),
            batcher,
            settling=self.settling,
            clock=self.clock,
            drift=Drift(self.telemetry),
            n_partitions=4,
        )

    def _look_after(self, states: States[Product], keys: list[bytes]) -> None:
        self.pipeline.look_after(states, keys)

    async def levels(self, *events: StockLevelEvent, first_offset: int = 0) -> RecordBatch:
        records = [
            Record(encode(event), event.product_id.encode(), offset)
            for offset, event in enumerate(events, start=first_offset)
        ]
        return await self.take(batch_of(STOCK_LEVELS.name, records))

    async def sales(self, *movements: StockMovement, history: bool = False) -> RecordBatch:
        headers = ((HISTORY_HEADER, b"1"),) if history else ()
        records = [
            Record(encode(movement), movement.product_id.encode(), offset, headers=headers)
            for offset, movement in enumerate(movements)
        ]
        return await self.take(batch_of(STOCK_MOVEMENTS.name, records))

    async def take(self, batch: RecordBatch) -> RecordBatch:
        self.pipeline.accept(batch)
        await settled()
        assert self.failures == []
        return batch

    def alerts(self) -> list[StockAlert]:
        records = self.log.of(STOCK_ALERTS.name)
        return [msgspec.json.decode(record.value or b"", type=StockAlert) for record in records]

    def told(self) -> list[ProductState]:
        records = self.log.of(PRODUCT_STATE.name)
        return [msgspec.json.decode(record.value or b"", type=ProductState) for record in records]

    def product(self, product_id: str = "milk") -> Product:
        product: Product = self.owned[0].durable[product_id.encode()]
        return product


async def completed(
    scene: RecommendScene | StockScene, batch: RecordBatch, *, within_s: float = 60
) -> None:
    """Take *batch* in, and go on until it is complete or something has failed."""
    scene.pipeline.accept(batch)
    async with asyncio.timeout(within_s):
        while not batch.completed and not scene.failures:
            await settled()
    assert scene.failures == []
