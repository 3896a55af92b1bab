"""What talks to the broker: the producer, the state that it keeps, the reader of the shelf."""

from __future__ import annotations

from collections.abc import Callable
from functools import cached_property

from stream.adapters.metered import MeteredPublisher
from stream.adapters.security import client_options
from stream.domain.products import Product
from stream.domain.sessions import Session
from stream.kafka import notes
from stream.kafka.notes import Note
from stream.kafka.producer import BulkProducer
from stream.kafka.reader import TopicReader
from stream.kafka.store import Form, StateStore
from stream.kafka.topic_watch import TopicWatch
from stream.kafka.vigil import Vigil
from stream.pipeline.settling import Settling
from stream.pipeline.shelf import Shelf
from stream.ports import Publisher
from stream.settings import Settings
from stream.state import products, sessions
from stream.telemetry import Telemetry
from stream.topics import (
    ATTEMPTS,
    KEPT_BY_WORKERS,
    PRODUCT_STATE,
    PRODUCTS_CHANGELOG,
    SESSIONS_CHANGELOG,
    TOPICS,
)


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
        self.shelf = Shelf(telemetry)

    @cached_property
    def producer(self) -> BulkProducer:
        settings = self._settings
        return BulkProducer(
            settings.bootstrap,
            client_id=f"{settings.client_id}-out",
            idempotent=settings.idempotent,
            max_batch_bytes=settings.producer_batch_bytes,
            request_timeout_s=settings.broker_request_timeout_s,
            delivery_timeout_s=settings.delivery_timeout_s,
            security=self._security,
            check=self.vigil.check,
            on_confirmed=self._count_published,
        )

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
    def publisher(self) -> Publisher:
        return MeteredPublisher(self.producer, self._telemetry)

    @cached_property
    def sessions(self) -> StateStore[Session]:
        return StateStore(
            SESSIONS_CHANGELOG.name, self.publisher, Form(sessions.dump, sessions.load)
        )

    @cached_property
    def products(self) -> StateStore[Product]:
        return StateStore(
            PRODUCTS_CHANGELOG.name, self.publisher, Form(products.dump, products.load)
        )

    @cached_property
    def notes(self) -> StateStore[Note]:
        return StateStore(ATTEMPTS.name, self.publisher, notes.FORM)

    @cached_property
    def settling(self) -> Settling:
        return Settling(self.publisher, self._fail)

    @cached_property
    def shelf_reader(self) -> TopicReader:
        return TopicReader(
            self._settings.bootstrap,
            PRODUCT_STATE.name,
            self.shelf.apply,
            client_id=f"{self._settings.client_id}-shelf",
            security=self._security,
        )

    def _count_published(self, topic: str, n_records: int) -> None:
        self._telemetry.published_records.labels(topic).inc(n_records)
