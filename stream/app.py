"""The composition root: the only place where adapters are made and parts meet.

``storestream worker``, ``python -m stream worker`` and ``faust -A stream.app worker`` all run the
app that is made here.
"""

from __future__ import annotations

import gc
import time
from functools import cached_property, partial
from typing import Any

from stream.adapters.breaker import Breaker
from stream.adapters.metered import MeteredInference, MeteredPublisher
from stream.adapters.nothing import NoModels
from stream.adapters.security import client_options
from stream.adapters.triton import Patience, TritonModels
from stream.agents.parts import Parts
from stream.agents.security import faust_credentials
from stream.agents.worker import WorkerApp
from stream.domain.assessment import StockPolicy
from stream.domain.products import Product
from stream.domain.ranking import RankingPolicy
from stream.domain.sessions import Session
from stream.health import HealthServer
from stream.kafka.consumer_app import LAST_COMMIT_S
from stream.kafka.epochs import topic_epochs
from stream.kafka.producer import BulkProducer
from stream.kafka.reader import TopicReader
from stream.kafka.records import OutRecord
from stream.kafka.store import Form, StateStore
from stream.kafka.transport import Batching
from stream.kafka.vigil import Vigil
from stream.model_specs import FORECASTER, RECOMMENDER
from stream.pipeline.alerts import AlertBatcher, Alerts, latest
from stream.pipeline.answers import Answers, RecommendationBatcher
from stream.pipeline.event_clock import EventClock
from stream.pipeline.forecasts import Forecaster
from stream.pipeline.intake import Limits, Reader, partition_for
from stream.pipeline.proposals import Proposer
from stream.pipeline.recommend import RecommendPipeline
from stream.pipeline.serving import Serving
from stream.pipeline.settling import Settling
from stream.pipeline.shelf import Shelf
from stream.pipeline.stock import StockPipeline
from stream.pipeline.upkeep import Expiry, Round
from stream.pipeline.visits import conflate
from stream.ports import Inference, Publisher
from stream.settings import Settings, load
from stream.state import products, sessions
from stream.telemetry import Telemetry, configure_logging
from stream.topics import PRODUCT_STATE, PRODUCTS_CHANGELOG, SESSIONS_CHANGELOG

_HOUR_MS = 3600 * 1000
_DAY_MS = 24 * _HOUR_MS
#: The state is long-lived and free of cycles: looking through it as often as Python does by
#: default took a fifth of the time.
_GC_THRESHOLDS = (200_000, 20, 50)
#: Keys whose age is looked at in one tick.
_EXPIRY_PER_TICK = 2000
#: Between two looks for models that are not there yet.
_SERVING_RETRY_S = 1.0
#: Micro-batches per one at the model that may wait for the broker's confirmation.
_UNCONFIRMED_PER_IN_FLIGHT = 8


def create_app(settings: Settings) -> WorkerApp:
    """Return a worker's app with all its parts; it opens nothing until it is started."""
    bootstrap = settings.bootstrap_servers.split(",")
    app = WorkerApp(
        settings.group_id,
        broker=[f"storestream://{server.strip()}" for server in bootstrap],
        broker_credentials=faust_credentials(settings),
        broker_client_id=settings.client_id,
        broker_session_timeout=settings.broker_session_timeout_s,
        broker_heartbeat_interval=settings.broker_heartbeat_interval_s,
        broker_rebalance_timeout=settings.broker_rebalance_timeout_s,
        broker_request_timeout=settings.broker_request_timeout_s,
        broker_max_poll_interval=settings.broker_max_poll_interval_s,
        broker_commit_interval=settings.commit_interval_s,
        batching=Batching(
            max_chunk_records=settings.max_chunk_records,
            max_chunks=settings.max_chunks_buffered,
            max_bytes_in_flight=settings.max_bytes_in_flight,
            drain_timeout_s=min(
                settings.shutdown_timeout_s,
                settings.broker_rebalance_timeout_s
                - settings.broker_heartbeat_interval_s
                - LAST_COMMIT_S,
            ),
        ),
        epochs_of=partial(topic_epochs, bootstrap, security=client_options(settings)),
    )
    app.use(_Assembly(app, settings).parts())
    return app


def run_worker(settings: Settings) -> int:
    """Run a worker until it is told to stop; return the exit code."""
    configure_logging(settings.log_level, settings.log_format)
    gc.set_threshold(*_GC_THRESHOLDS)
    app = create_app(settings)
    worker = app.Worker(
        loglevel=settings.log_level, override_logging=False, redirect_stdouts=False, quiet=True
    )
    worker.spinner = None  # it writes cursor movements among the log's lines
    try:
        worker.execute_from_commandline()
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else 1
        return code or (1 if app.failure is not None else 0)
    return 0


class _Assembly:
    """Makes each part once, with what it needs."""

    def __init__(self, app: WorkerApp, settings: Settings) -> None:
        self.app = app
        self.settings = settings
        self.telemetry = Telemetry()
        self.bootstrap = settings.bootstrap_servers.split(",")
        self.security = client_options(settings)
        self.event_clock = EventClock()
        self.shelf = Shelf(self.telemetry)

    def parts(self) -> Parts:
        """Return the worker's parts; nothing of them is open."""
        return Parts(
            settings=self.settings,
            telemetry=self.telemetry,
            producer=self.producer,
            vigil=self.vigil,
            sessions=self.sessions,
            products=self.products,
            shelf_reader=self.shelf_reader,
            models=self.models,
            serving=self.serving,
            recommend=self.recommend,
            stock=self.stock,
            batchers={RECOMMENDER.name: self.answers, FORECASTER.name: self.alerts},
            settling=self.settling,
            rounds=self.rounds,
            health=self.health,
        )

    # -- Kafka

    @cached_property
    def producer(self) -> BulkProducer:
        settings = self.settings
        return BulkProducer(
            self.bootstrap,
            client_id=f"{settings.client_id}-out",
            idempotent=settings.idempotent,
            max_batch_bytes=settings.producer_batch_bytes,
            request_timeout_s=settings.broker_request_timeout_s,
            delivery_timeout_s=settings.delivery_timeout_s,
            security=self.security,
            check=self.vigil.check,
        )

    @cached_property
    def vigil(self) -> Vigil:
        return Vigil(self.settings.broker_session_timeout_s)

    @cached_property
    def publisher(self) -> Publisher:
        return MeteredPublisher(self.producer, self.telemetry)

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
    def settling(self) -> Settling:
        return Settling(self.publisher, self.app.fail)

    @cached_property
    def shelf_reader(self) -> TopicReader:
        return TopicReader(
            self.bootstrap,
            PRODUCT_STATE.name,
            self.shelf.apply,
            client_id=f"{self.settings.client_id}-shelf",
            security=self.security,
        )

    @cached_property
    def reader(self) -> Reader:
        settings = self.settings
        limits = Limits(
            max_event_bytes=settings.max_event_bytes,
            max_dead_letter_bytes=settings.max_dead_letter_bytes,
            future_tolerance_ms=int(settings.future_tolerance_s * 1000),
            n_partitions=settings.partitions,
        )
        return Reader(self.telemetry, limits)

    # -- models

    @cached_property
    def models(self) -> TritonModels | None:
        settings = self.settings
        if settings.inference == "none":
            return None
        return TritonModels(
            settings.triton_url,
            patience=Patience(
                timeout_s=settings.triton_timeout_s,
                deadline_s=settings.triton_deadline_s,
                n_retries=settings.triton_retries,
                backoff_s=settings.triton_backoff_s,
            ),
            max_in_flight=settings.triton_in_flight,
            make_breaker=partial(
                Breaker, n_failures=settings.breaker_failures, reset_s=settings.breaker_reset_s
            ),
            telemetry=self.telemetry,
        )

    @cached_property
    def inference(self) -> Inference:
        return MeteredInference(self.models or NoModels(), self.telemetry)

    @cached_property
    def proposer(self) -> Proposer:
        return Proposer(self.inference)

    @cached_property
    def forecaster(self) -> Forecaster:
        return Forecaster(self.inference)

    @cached_property
    def serving(self) -> Serving | None:
        if self.models is None:
            return None
        pinned = {
            RECOMMENDER.name: self.settings.triton_recommender_version,
            FORECASTER.name: self.settings.triton_forecaster_version,
        }
        return Serving(
            self.models, self.proposer, self.forecaster, versions=pinned, retry_s=_SERVING_RETRY_S
        )

    # -- the two stories

    @cached_property
    def answers(self) -> RecommendationBatcher:
        settings = self.settings
        answers = Answers(
            self.proposer,
            self.shelf,
            self.publisher,
            reader=self.reader,
            telemetry=self.telemetry,
            policy=RankingPolicy(
                n_items=settings.n_recommended,
                exclude_bought_within_ms=int(settings.exclude_bought_within_hours * _HOUR_MS),
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
            on_failure=self.app.fail,
        )

    @cached_property
    def recommend(self) -> RecommendPipeline:
        return RecommendPipeline(
            self.sessions,
            self.reader,
            self.answers,
            settling=self.settling,
            clock=self.event_clock,
            telemetry=self.telemetry,
            n_partitions=self.settings.partitions,
            conflate=self.settings.conflate,
        )

    @cached_property
    def alerts(self) -> AlertBatcher:
        settings = self.settings
        alerts = Alerts(
            self.forecaster,
            self.publisher,
            clock=self.event_clock,
            telemetry=self.telemetry,
            policy=StockPolicy(
                service_level=settings.service_level,
                lead_time_days=settings.default_lead_time_days,
                review_days=settings.review_days,
                update_days=settings.updated_after_days,
            ),
            n_partitions=settings.partitions,
            wall=_wall_ms,
        )
        return AlertBatcher(
            alerts,
            merge=latest,
            max_rows=settings.stock_in_flight_rows,
            max_in_flight=1,
            max_unconfirmed=2,
            on_failure=self.app.fail,
        )

    @cached_property
    def stock(self) -> StockPipeline:
        return StockPipeline(
            self.products,
            self.reader,
            self.alerts,
            settling=self.settling,
            clock=self.event_clock,
            telemetry=self.telemetry,
            n_partitions=self.settings.partitions,
        )

    # -- upkeep and health

    @cached_property
    def rounds(self) -> tuple[Round[Any], ...]:
        clock, settings = self.event_clock, self.settings
        ttl_ms = int(settings.state_ttl_days * _DAY_MS)
        old_sessions: Expiry[Session] = Expiry(
            self.sessions.changelog,
            lambda session, now_ms: sessions.is_expired(session, now_ms, ttl_ms),
            clock,
            settling=self.settling,
            telemetry=self.telemetry,
        )
        old_products: Expiry[Product] = Expiry(
            self.products.changelog,
            lambda product, now_ms: products.is_expired(product, now_ms, ttl_ms),
            clock,
            settling=self.settling,
            telemetry=self.telemetry,
            also=self._forgotten,
        )
        per_tick = settings.stock_in_flight_rows
        return (
            Round(self.products, clock, self.stock.look_after, per_tick=per_tick),
            Round(self.sessions, clock, old_sessions.visit, per_tick=_EXPIRY_PER_TICK),
            Round(self.products, clock, old_products.visit, per_tick=_EXPIRY_PER_TICK),
        )

    def _forgotten(self, key: bytes) -> list[OutRecord]:
        """Tell every worker that a product is no longer known."""
        partition = partition_for(key, self.settings.partitions)
        return [OutRecord(PRODUCT_STATE.name, partition, key, None)]

    @cached_property
    def health(self) -> HealthServer | None:
        settings = self.settings
        if settings.metrics_port == 0:
            return None
        return HealthServer(
            self.telemetry,
            live=self.app.live,
            ready=self.app.ready,
            host=settings.metrics_host,
            port=settings.metrics_port,
        )


def _wall_ms() -> int:
    return time.time_ns() // 1_000_000


def __getattr__(name: str) -> Any:
    """Make ``app`` when ``faust -A stream.app`` asks for it: importing alone does nothing."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()["app"] = create_app(load())
    return globals()["app"]
