"""What talks to the broker: the producer, the state that it keeps, the reader of the shelf."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any, TypeVar

from stream.adapters.metered import MeteredPublisher
from stream.adapters.publishing import AtOnce, WithState
from stream.adapters.security import client_options
from stream.domain.products import Product
from stream.domain.sessions import Session
from stream.kafka import notes
from stream.kafka.notes import Note
from stream.kafka.producer import BulkProducer
from stream.kafka.reader import TopicReader
from stream.kafka.store import Form, StateStore
from stream.kafka.topic_watch import TopicWatch
from stream.kafka.transactions import TransactionalProducer, Transactions
from stream.kafka.vigil import Vigil
from stream.pipeline.rollouts import Rollouts
from stream.pipeline.settling import Settling
from stream.pipeline.shelf import Shelf
from stream.ports import Publisher
from stream.settings import Settings
from stream.state import products, sessions
from stream.telemetry import Telemetry
from stream.topics import (
    ATTEMPTS,
    EVENTS,
    KEPT_BY_WORKERS,
    MODEL_ROLLOUTS,
    ORDERS,
    PRODUCT_STATE,
    PRODUCTS_CHANGELOG,
    SESSIONS_CHANGELOG,
    STOCK_LEVELS,
    STOCK_MOVEMENTS,
    TOPICS,
    TopicSpec,
)

Value = TypeVar("Value")


class BrokerParts:
    """Makes each part once.

    Args:
        fail: Ends the worker.
    """

    def __init__(
        self, settings: Settings, telemetry: Telemetry, fail: Callable[[BaseException], None]
    ) -> None:
        self._settings = settings
        self._telemetry = telemetry
        self._fail = fail
        self._security = client_options(settings)
        self.shelf = Shelf(telemetry, nearly_sold_out_units=settings.nearly_sold_out_units)
        self.rollouts = Rollouts(telemetry, are_read=lambda: self.bulletin.ready)

    @cached_property
    def producer(self) -> BulkProducer:
        settings = self._settings
        return BulkProducer(
            settings.bootstrap,
            client_id=f"{settings.client_id}-out",
            idempotent=settings.idempotent or settings.exactly_once,
            delivery_timeout_s=settings.delivery_timeout_s,
            permitted=None if settings.exactly_once else self.vigil.certainty,
            **self._producing,
        )

    @property
    def _producing(self) -> Mapping[str, Any]:
        settings = self._settings
        return {
            "max_batch_bytes": settings.producer_batch_bytes,
            "request_timeout_s": settings.broker_request_timeout_s,
            "security": self._security,
            "check": self.vigil.check,
            "on_confirmed": self._count_published,
        }

    @cached_property
    def topics(self) -> TopicWatch:
        return TopicWatch(
            self._settings.bootstrap,
            partitions=self._settings.partitions,
            read=[topic.name for topic in KEPT_BY_WORKERS],
            written=[topic.name for topic in TOPICS if topic not in KEPT_BY_WORKERS],
            security=self._security,
        )

    @cached_property
    def vigil(self) -> Vigil:
        return Vigil(self._settings.broker_session_timeout_s)

    @cached_property
    def _confirmed(self) -> MeteredPublisher:
        return MeteredPublisher(self.producer, self._telemetry)

    @cached_property
    def publisher(self) -> Publisher:
        return WithState() if self._settings.exactly_once else AtOnce(self._confirmed)

    @cached_property
    def sessions(self) -> StateStore[Session]:
        return self._store(SESSIONS_CHANGELOG, Form(sessions.dump, sessions.load))

    @cached_property
    def products(self) -> StateStore[Product]:
        return self._store(PRODUCTS_CHANGELOG, Form(products.dump, products.load))

    def _store(self, changelog: TopicSpec, form: Form[Value]) -> StateStore[Value]:
        publisher = None if self._settings.exactly_once else self._confirmed
        return StateStore(changelog.name, publisher, form)

    @cached_property
    def notes(self) -> StateStore[Note]:
        """Written before what they are about, so never with it."""
        return StateStore(ATTEMPTS.name, self._confirmed, notes.FORM)

    @property
    def stores(self) -> Mapping[str, StateStore[Any]]:
        """Where the records of each topic leave their state."""
        by_visitor = dict.fromkeys((EVENTS.name, ORDERS.name), self.sessions)
        return by_visitor | dict.fromkeys((STOCK_LEVELS.name, STOCK_MOVEMENTS.name), self.products)

    @cached_property
    def transactions(self) -> Transactions | None:
        """Commit everything that records cause with their offsets; None: at least once."""
        if not self._settings.exactly_once:
            return None
        return Transactions(
            self.stores,
            self._transactional,
            on_failure=self._fail,
            timed=self._telemetry.transaction_seconds.time,
        )

    def _transactional(self, unit: str) -> TransactionalProducer:
        settings = self._settings
        return TransactionalProducer(
            settings.bootstrap,
            transactional_id=f"{settings.group_id}-{unit}",
            group_id=settings.group_id,
            timeout_s=settings.transaction_timeout_s,
            client_id=f"{settings.client_id}-{unit}",
            **self._producing,
        )

    @cached_property
    def settling(self) -> Settling:
        return Settling(self.publisher, self._fail)

    @cached_property
    def bulletin(self) -> TopicReader:
        """Reads what every worker must know."""
        return TopicReader(
            self._settings.bootstrap,
            {PRODUCT_STATE.name: self.shelf.apply, MODEL_ROLLOUTS.name: self.rollouts.apply},
            client_id=f"{self._settings.client_id}-bulletin",
            security=self._security,
        )

    def _count_published(self, topic: str, n_records: int) -> None:
        self._telemetry.published_records.labels(topic).inc(n_records)
