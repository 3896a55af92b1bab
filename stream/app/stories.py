"""The two stories, and what is done in them because time passes."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import cached_property
from typing import Any, get_args

from stream.app.broker_parts import BrokerParts
from stream.app.model_parts import ModelParts
from stream.domain.outputs import Situation, alert_key
from stream.domain.policy import StockPolicy
from stream.domain.products import Product
from stream.domain.ranking import RankingPolicy
from stream.domain.sessions import Session
from stream.kafka.probation import Probation
from stream.kafka.records import OutRecord
from stream.pipeline.alerts import AlertBatcher, Alerts, latest
from stream.pipeline.answers import Answers, RecommendationBatcher
from stream.pipeline.drift import Drift
from stream.pipeline.event_clock import EventClock
from stream.pipeline.held_back import HeldBack
from stream.pipeline.intake import Limits, Reader, partition_for
from stream.pipeline.quarantine import Quarantine
from stream.pipeline.recommend import RecommendPipeline
from stream.pipeline.stock import StockPipeline
from stream.pipeline.upkeep import Expiry, Round
from stream.pipeline.visits import conflate
from stream.ports import States
from stream.settings import Settings
from stream.state import products, sessions
from stream.telemetry import Telemetry
from stream.topics import PRODUCT_STATE, STOCK_ALERTS

_MINUTE_MS = 60 * 1000
_HOUR_MS = 60 * _MINUTE_MS
_DAY_MS = 24 * _HOUR_MS
#: Keys whose age is looked at in one tick.
_EXPIRY_PER_TICK = 2000
#: Micro-batches per one at the model that may wait for the broker's confirmation.
_UNCONFIRMED_PER_IN_FLIGHT = 8


class Stories:
    """Makes each part once, over the same clock and the same reader.

    Args:
        fail: Ends the worker.
    """

    def __init__(
        self,
        settings: Settings,
        telemetry: Telemetry,
        broker: BrokerParts,
        *,
        models: ModelParts,
        fail: Callable[[BaseException], None],
    ) -> None:
        self._settings = settings
        self._telemetry = telemetry
        self._broker = broker
        self._models = models
        self._fail = fail
        self._clock = EventClock(models.calendar)

    @cached_property
    def _reader(self) -> Reader:
        settings = self._settings
        limits = Limits(
            max_event_bytes=settings.max_event_bytes,
            max_dead_letter_bytes=settings.max_dead_letter_bytes,
            future_tolerance_ms=int(settings.future_tolerance_s * 1000),
            n_partitions=settings.partitions,
            max_redelivered=settings.max_chunk_records * settings.max_chunks_buffered,
        )
        return Reader(self._telemetry, limits)

    # -- what no worker survives

    @cached_property
    def quarantine(self) -> Quarantine:
        broker, telemetry = self._broker, self._telemetry
        return Quarantine(broker.publisher, broker.stores, self._reader, telemetry=telemetry)

    @cached_property
    def probation(self) -> Probation:
        settings = self._settings
        return Probation(
            self._broker.notes,
            quarantine_after=settings.quarantine_after,
            max_in_flight=settings.max_chunk_records * settings.max_chunks_buffered,
            dispose=self.quarantine.set_aside,
        )

    # -- recommend

    @cached_property
    def recommend(self) -> RecommendPipeline:
        return RecommendPipeline(
            self._broker.sessions,
            self._reader,
            self.answers,
            settling=self._broker.settling,
            clock=self._clock,
            n_partitions=self._settings.partitions,
            conflate=self._settings.conflate,
        )

    @cached_property
    def answers(self) -> RecommendationBatcher:
        settings = self._settings
        answers = Answers(
            self._models.proposer,
            self._broker.shelf,
            self._broker.publisher,
            reader=self._reader,
            telemetry=self._telemetry,
            policy=RankingPolicy(
                n_items=settings.n_recommended,
                n_novel=min(settings.n_novel, settings.n_recommended - 1),
                exclude_bought_within_ms=int(settings.exclude_bought_within_hours * _HOUR_MS),
                overstock_places=settings.overstock_places,
            ),
            n_partitions=settings.partitions,
            clock=_wall_ms,
        )
        return RecommendationBatcher(
            answers,
            merge=conflate if settings.conflate else None,
            max_rows=settings.max_rows,
            max_in_flight=settings.recommend_in_flight,
            max_unconfirmed=settings.recommend_in_flight * _UNCONFIRMED_PER_IN_FLIGHT,
            on_failure=self._fail,
        )

    # -- watch stock

    @cached_property
    def stock(self) -> StockPipeline:
        return StockPipeline(
            self._broker.products,
            self._reader,
            self.alerts,
            settling=self._broker.settling,
            clock=self._clock,
            drift=Drift(self._telemetry),
            n_partitions=self._settings.partitions,
        )

    @cached_property
    def held_back(self) -> HeldBack:
        return HeldBack(self._clock, self._look_after, per_tick=self._settings.stock_in_flight_rows)

    def _look_after(self, states: States[Product], keys: list[bytes]) -> None:
        """Not the pipeline's own method: it holds the alerts, which hold what is held back."""
        self.stock.look_after(states, keys)

    @cached_property
    def alerts(self) -> AlertBatcher:
        settings = self._settings
        alerts = Alerts(
            self._models.forecaster,
            self._broker.publisher,
            clock=self._clock,
            telemetry=self._telemetry,
            policy=StockPolicy(
                service_level=settings.service_level,
                lead_time_days=settings.default_lead_time_days,
                review_days=settings.review_days,
                order_days=settings.order_days,
                update_days=settings.updated_after_days,
                min_interval_ms=int(settings.alert_interval_minutes * _MINUTE_MS),
                snooze_on_order=settings.snooze_on_order,
                overstock_days=settings.overstock_days,
                dead_days=settings.dead_stock_days,
                spike_ratio=settings.spike_ratio,
                spike_min_units=settings.spike_min_units,
            ),
            held_back=self.held_back,
            n_partitions=settings.partitions,
            wall=_wall_ms,
        )
        return AlertBatcher(
            alerts,
            merge=latest,
            max_rows=settings.stock_in_flight_rows,
            max_in_flight=1,
            max_unconfirmed=2,
            on_failure=self._fail,
        )

    # -- because time passes

    @cached_property
    def rounds(self) -> tuple[Round[Any] | HeldBack, ...]:
        clock, settings = self._clock, self._settings
        ttl_ms = int(settings.state_ttl_days * _DAY_MS)
        old_sessions: Expiry[Session] = Expiry(
            self._broker.sessions.changelog,
            lambda session, now_ms: sessions.is_expired(session, now_ms, ttl_ms),
            clock,
            settling=self._broker.settling,
            telemetry=self._telemetry,
        )
        old_products: Expiry[Product] = Expiry(
            self._broker.products.changelog,
            lambda product, now_ms: products.is_expired(product, now_ms, ttl_ms),
            clock,
            settling=self._broker.settling,
            telemetry=self._telemetry,
            also=self._forgotten,
        )
        per_tick = settings.stock_in_flight_rows
        return (
            self.held_back,
            Round(self._broker.products, clock, self.stock.look_after, per_tick=per_tick),
            Round(self._broker.sessions, clock, old_sessions.visit, per_tick=_EXPIRY_PER_TICK),
            Round(self._broker.products, clock, old_products.visit, per_tick=_EXPIRY_PER_TICK),
        )

    def _forgotten(self, key: bytes) -> list[OutRecord]:
        """Tell every worker, and who reads the alerts, that a product is no longer known."""
        partition, product_id = partition_for(key, self._settings.partitions), key.decode()
        alerts = [
            OutRecord(STOCK_ALERTS.name, partition, alert_key(product_id, situation), None)
            for situation in get_args(Situation)
        ]
        former = OutRecord(STOCK_ALERTS.name, partition, key, None)
        return [OutRecord(PRODUCT_STATE.name, partition, key, None), former, *alerts]


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000
