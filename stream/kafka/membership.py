"""Hearing from aiokafka's coordinator whether the group still knows us."""

from __future__ import annotations

from typing import Any

from .vigil import Vigil


def tell_of_membership(coordinator: Any, vigil: Vigil) -> None:
    """Tell *vigil* of each heartbeat that is answered, and of the group giving us up.

    aiokafka (0.14) tells nobody: it rejoins, and asks for the partitions back when that begins.
    """
    heartbeat, reset = coordinator._do_heartbeat, coordinator.reset_generation  # noqa: SLF001

    async def heartbeat_told() -> bool:
        sent_s = vigil.now_s()
        answered: bool = await heartbeat()
        if answered:
            vigil.hear(sent_s)
        return answered

    def reset_told() -> None:
        if not coordinator._closing.done():  # noqa: SLF001 - it leaves of its own accord
            vigil.lose()
        reset()

    coordinator._do_heartbeat = heartbeat_told  # noqa: SLF001
    coordinator.reset_generation = reset_told
