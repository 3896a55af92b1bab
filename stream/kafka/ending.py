"""Waiting for an end that may be told as a cancellation of ours."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable


async def ended(work: Awaitable[object], limit_s: float | None = None) -> bool:
    """Return whether *work* ended within *limit_s*; raises what it raised.

    aiokafka awaits the tasks that it cancels, and one that is between two attempts then ends as
    cancelled: awaited here, that would end whoever stops a consumer while a broker is away.
    """
    task = asyncio.ensure_future(work)
    done, _ = await asyncio.wait([task], timeout=limit_s)
    if not done:
        task.cancel()
    elif not task.cancelled():
        task.result()
    return bool(done)
