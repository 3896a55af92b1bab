from __future__ import annotations

from collections.abc import AsyncIterator

import aiohttp
import pytest

from stream.health import HEALTHY, Health, HealthServer
from stream.telemetry import Telemetry


class Switch:
    """A readiness that the test turns."""

    def __init__(self) -> None:
        self.health = HEALTHY

    def __call__(self) -> Health:
        return self.health


@pytest.fixture
def ready() -> Switch:
    return Switch()


@pytest.fixture
async def server(ready: Switch) -> AsyncIterator[HealthServer]:
    telemetry = Telemetry()
    telemetry.records_read.labels("store.events.v1").inc(3)
    server = HealthServer(telemetry, ready=ready)
    await server.start()
    yield server
    await server.stop()


async def ask(server: HealthServer, path: str) -> tuple[int, str]:
    async with (
        aiohttp.ClientSession() as client,
        client.get(f"http://127.0.0.1:{server.port}{path}") as answer,
    ):
        return answer.status, await answer.text()


async def test_metrics_are_prometheus_text(server: HealthServer) -> None:
    status, text = await ask(server, "/metrics")

    assert status == 200
    assert 'stream_read_records_total{topic="store.events.v1"} 3.0' in text


async def test_worker_that_is_not_ready_is_still_live(server: HealthServer, ready: Switch) -> None:
    ready.health = Health(holds=False, reasons=("state is being rebuilt",))

    ready_status, why = await ask(server, "/ready")
    live_status, _ = await ask(server, "/live")

    assert (ready_status, live_status) == (503, 200)
    assert "state is being rebuilt" in why


async def test_stopped_server_has_left_its_port(server: HealthServer) -> None:
    await server.stop()

    with pytest.raises(aiohttp.ClientConnectorError):
        await ask(server, "/live")
