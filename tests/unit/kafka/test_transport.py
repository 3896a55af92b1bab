"""What an app must be for the transport to take it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import faust
import pytest

from stream.errors import Misconfigured
from stream.kafka.consumer_app import refuse_plain, refuse_unsafe
from stream.kafka.transport import BatchApp, Batching, batch_topic

BROKER = "storestream://127.0.0.1:1"


def make_app(folder: Path, **options: Any) -> BatchApp:
    return BatchApp("app", broker=BROKER, datadir=folder, **options)


def names_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"producer_threaded": True}, "producer_threaded"),
        ({"stream_wait_empty": False}, "stream_wait_empty"),
        ({"processing_guarantee": "exactly_once"}, "exactly_once"),
        ({"consumer_auto_offset_reset": "latest"}, "earliest"),
        ({"batching": Batching(drain_timeout_s=9.0)}, r"drain_timeout_s=9.0 must"),
        ({"batching": Batching(max_chunks=0)}, "max_chunks"),
    ],
)
async def test_setting_that_would_lose_records_is_refused(
    tmp_path: Path, options: dict[str, Any], said: str
) -> None:
    app = make_app(tmp_path, **options)

    with pytest.raises(Misconfigured, match=said):
        refuse_unsafe(app)


async def test_all_refused_settings_are_listed_at_once(tmp_path: Path) -> None:
    app = make_app(tmp_path, producer_threaded=True, consumer_auto_offset_reset="latest")

    with pytest.raises(Misconfigured, match=r"producer_threaded.*earliest"):
        refuse_unsafe(app)


async def test_plain_faust_app_is_refused(tmp_path: Path) -> None:
    app = faust.App("app", broker=BROKER, datadir=tmp_path)

    with pytest.raises(Misconfigured, match="BatchApp"):
        refuse_unsafe(app)


async def test_topic_that_is_not_read_in_batches_is_refused(tmp_path: Path) -> None:
    app = make_app(tmp_path)

    with pytest.raises(Misconfigured, match="other"):
        refuse_plain([batch_topic(app, "events"), app.topic("other")])


async def test_fit_app_and_its_batch_topics_are_taken(tmp_path: Path) -> None:
    app = make_app(tmp_path)

    refuse_unsafe(app)
    refuse_plain([batch_topic(app, "events", "orders")])


async def test_environment_of_faust_says_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    foreign = {"BROKER_URL": "kafka://elsewhere:1", "BROKER_SESSION_TIMEOUT": "77"}
    for name, value in foreign.items():
        monkeypatch.setenv(name, value)

    app, plain = make_app(tmp_path), faust.App("app", broker=BROKER, datadir=tmp_path)

    assert [str(url) for url in plain.conf.broker] == ["kafka://elsewhere:1"]
    assert [str(url) for url in app.conf.broker] == [BROKER]
    assert app.conf.broker_session_timeout == 10.0


async def test_timeouts_are_those_that_make_joins_short(tmp_path: Path) -> None:
    conf = make_app(tmp_path).conf

    timeouts = (
        conf.broker_session_timeout,
        conf.broker_heartbeat_interval,
        conf.broker_rebalance_timeout,
    )
    assert timeouts == (10.0, 3.0, 10.0)


async def test_app_leaves_no_folder_where_it_is_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    app = BatchApp("app", broker=BROKER)

    await app.on_first_start()

    assert names_in(tmp_path) == []
