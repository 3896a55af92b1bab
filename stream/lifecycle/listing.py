"""The versions of all models for a terminal."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from rich.table import Table
from rich.text import Text

from stream.domain.rollouts import Rollout
from stream.printable import escaped
from stream.repository import ModelRepository

#: Of a report, figures shown in one cell.
_MAX_FIGURES = 8


def table_of(
    repository: ModelRepository,
    decided: Mapping[str, Rollout],
    ready: Mapping[str, Collection[str] | None],
) -> Table:
    """Return a row for each version on disk, by model.

    Args:
        ready: Versions that the server has ready, by model; None where it does not say.
    """
    shown = Table()
    for column in ("model", "version", "role", "Triton", "measured"):
        shown.add_column(column, overflow="fold")
    for model, versions in ready.items():
        for version in repository.versions(model):
            shown.add_row(
                model,
                version,
                role_of(decided.get(model), version, versions or ()),
                _state(version, versions),
                Text(escaped(figures(repository.report(model, version)))),
            )
    return shown


def role_of(rollout: Rollout | None, version: str, ready: Collection[str]) -> str:
    """Return what *version* does; without a decision the newest answers."""
    if rollout is None:
        newest = max(ready, key=int, default=None)
        return "answering, nothing decided" if version == newest else ""
    roles = {"answering": rollout.version, "shadow": rollout.shadow, "previous": rollout.previous}
    held = [role for role, of in roles.items() if of == version]
    if rollout.canary is not None and rollout.canary.version == version:
        held.append(f"canary {100 * rollout.canary.share:.4g} %")
    return ", ".join(held)


def figures(report: Mapping[str, Any]) -> str:
    """Return the numbers of a report, in its order."""
    numbers = [
        f"{name} {value:.4g}"
        for name, value in report.items()
        if isinstance(value, int | float) and not isinstance(value, bool)
    ]
    return ", ".join(numbers[:_MAX_FIGURES])


def _state(version: str, ready: Collection[str] | None) -> str:
    if ready is None:
        return "away"
    return "ready" if version in ready else ""
