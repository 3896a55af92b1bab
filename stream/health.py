"""Where an orchestrator asks whether a worker lives and is ready; metrics beside it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import NamedTuple

from aiohttp import web
from prometheus_client import generate_latest
from prometheus_client.exposition import CONTENT_TYPE_PLAIN_0_0_4

from stream.telemetry import Telemetry


class Health(NamedTuple):
    """Whether something holds, and if not, why: short sentences for whoever is on call."""

    holds: bool
    reasons: tuple[str, ...] = ()


HEALTHY = Health(True)


class HealthServer:
    """``/metrics``, ``/live`` and ``/ready`` over HTTP; on loopback unless told otherwise.

    Args:
        live: Must ask nothing outside the process: an orchestrator kills what is not live, and
            killing workers does not bring a broker back.
        ready: May depend on the broker, recovery and Triton.
        port: 0 picks a free one; :attr:`port` says which after :meth:`start`.
    """

    def __init__(
        self,
        telemetry: Telemetry,
        *,
        live: Callable[[], Health] = lambda: HEALTHY,
        ready: Callable[[], Health] = lambda: HEALTHY,
        host: str = "127.0.0.1",
        port: int = 0,
    ) -> None:
        self.port = port
        self._host = host
        self._registry = telemetry.registry
        app = web.Application()
        app.router.add_get("/metrics", self._metrics)
        app.router.add_get("/live", _answering(live))
        app.router.add_get("/ready", _answering(ready))
        self._runner = web.AppRunner(app, access_log=None, handle_signals=False)

    async def start(self) -> None:
        """Listen; raises OSError where the port is taken."""
        await self._runner.setup()
        await web.TCPSite(self._runner, self._host, self.port).start()
        self.port = self._runner.addresses[0][1]

    async def stop(self) -> None:
        """Close the port; harmless when it was never opened."""
        await self._runner.cleanup()

    async def _metrics(self, request: web.Request) -> web.Response:
        body = generate_latest(self._registry)
        return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})


def _answering(
    ask: Callable[[], Health],
) -> Callable[[web.Request], Awaitable[web.Response]]:
    async def answer(_: web.Request) -> web.Response:
        health = ask()
        body = {"holds": health.holds, "reasons": list(health.reasons)}
        return web.json_response(body, status=200 if health.holds else 503)

    return answer
