"""Asking once more where a request goes to the socket."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Any

Check = Callable[[], None]
Permitted = Callable[[], Awaitable[None]]


def ask_before_sending(client: Any, check: Check, permitted: Permitted) -> None:
    """Send no request of aiokafka's *client* unless *permitted* returns, and *check* as well.

    What was queued before a silence is sent after it otherwise: aiokafka's sender is a task of its
    own, and may well be the first to run.
    """
    send = client.send

    async def checked(*arguments: Any, **options: Any) -> Any:
        await permitted()
        check()
        return await send(*arguments, **options)

    client.send = checked


def allow() -> None:
    """Let everything be sent."""


async def at_once() -> None:
    """Let everything be sent, now."""
