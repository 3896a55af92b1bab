"""Versions that failed their warm-up: told, and tried again only now and then."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

import structlog

log = structlog.get_logger(__name__)


class Refusals:
    """Model and version of each warm-up that failed, until one succeeds or nobody wants it.

    Args:
        again_s: Between two warm-ups of a version while another one answers.
    """

    def __init__(self, *, again_s: float) -> None:
        self._again_s = again_s
        self._due: dict[tuple[str, str], float] = {}

    def add(self, model: str, version: str, *, role: str, error: Exception) -> None:
        """Remember that *version* could not take *role*."""
        self._due[model, version] = asyncio.get_running_loop().time() + self._again_s
        log.warning(
            "version_refused",
            model=model,
            version=version,
            role=role,
            reason=str(error),
            retry_s=self._again_s,
        )

    def is_due(self, model: str, version: str) -> bool:
        """Whether a warm-up of *version* may be tried."""
        return asyncio.get_running_loop().time() >= self._due.get((model, version), 0.0)

    def keep(self, model: str, versions: Collection[str]) -> None:
        """Forget the versions of *model* that are not among *versions*."""
        self._due = {
            at: due for at, due in self._due.items() if at[0] != model or at[1] in versions
        }

    def all(self) -> list[tuple[str, str]]:
        """Return model and version of each that was refused."""
        return [*self._due]
