"""All parts of a worker, put together."""

from __future__ import annotations

from stream.agents.parts import Parts
from stream.agents.worker import WorkerApp
from stream.app.broker_parts import BrokerParts
from stream.app.model_parts import ModelParts
from stream.app.stories import Stories
from stream.health import HealthServer
from stream.model_specs import FORECASTER, RECOMMENDER
from stream.settings import Settings
from stream.telemetry import Telemetry


def parts_of(app: WorkerApp, settings: Settings) -> Parts:
    """Return the parts of *app*; nothing of them is open."""
    telemetry = Telemetry()
    broker = BrokerParts(settings, telemetry, app.fail)
    models = ModelParts(settings, telemetry, broker.rollouts)
    stories = Stories(settings, telemetry, broker, models=models, fail=app.fail)
    return Parts(
        settings=settings,
        telemetry=telemetry,
        producer=broker.producer,
        vigil=broker.vigil,
        topics=broker.topics,
        sessions=broker.sessions,
        products=broker.products,
        bulletin=broker.bulletin,
        models=models.models,
        serving=models.serving,
        recommend=stories.recommend,
        stock=stories.stock,
        batchers={RECOMMENDER.name: stories.answers, FORECASTER.name: stories.alerts},
        settling=broker.settling,
        transactions=broker.transactions,
        notes=broker.notes,
        probation=stories.probation,
        quarantine=stories.quarantine,
        rounds=stories.rounds,
        health=_health(app, settings, telemetry),
    )


def _health(app: WorkerApp, settings: Settings, telemetry: Telemetry) -> HealthServer | None:
    if settings.metrics_port == 0:
        return None
    return HealthServer(
        telemetry,
        live=app.live,
        ready=app.ready,
        host=settings.metrics_host,
        port=settings.metrics_port,
    )
