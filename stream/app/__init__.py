"""The composition root: the only place where adapters are made and parts meet.

``storestream worker``, ``python -m stream worker`` and ``faust -A stream.app worker`` all run the
app that is made here.
"""

from __future__ import annotations

import gc
from functools import partial
from typing import Any

from stream.adapters.security import client_options
from stream.agents.security import faust_credentials
from stream.agents.worker import WorkerApp
from stream.app.assembly import parts_of
from stream.kafka.consumer_app import LAST_COMMIT_S
from stream.kafka.epochs import topic_epochs
from stream.kafka.transport import Batching
from stream.settings import Settings, load
from stream.telemetry import configure_logging

#: The state is long-lived and free of cycles: looking through it as often as Python does by
#: default took a fifth of the time.
_GC_THRESHOLDS = (200_000, 20, 50)


def create_app(settings: Settings) -> WorkerApp:
    """Return a worker's app with all its parts; it opens nothing until it is started."""
    app = WorkerApp(
        settings.group_id,
        broker=[f"storestream://{server}" for server in settings.bootstrap],
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
            fetch_wait_ms=settings.fetch_wait_ms,
            drain_timeout_s=min(
                settings.shutdown_timeout_s,
                settings.broker_rebalance_timeout_s
                - settings.broker_heartbeat_interval_s
                - LAST_COMMIT_S,
            ),
        ),
        epochs_of=partial(topic_epochs, settings.bootstrap, security=client_options(settings)),
    )
    app.use(parts_of(app, settings))
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


def __getattr__(name: str) -> Any:
    """Make ``app`` when ``faust -A stream.app`` asks for it: importing alone does nothing."""
    if name != "app":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    globals()["app"] = create_app(load())
    return globals()["app"]
