"""What was found: the table and the report."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

import torch
from rich.table import Table

from stream.bench.serving.asking import Served
from stream.bench.serving.bare import Ways


@dataclass(frozen=True, slots=True)
class Run:
    """Triton and the bare model, one after the other."""

    served: Served
    bare: Ways

    @property
    def share(self) -> float:
        """Of the bare model's rate, what Triton gave."""
        return self.served.rows_per_s / self.bare.engine

    def figures(self) -> dict[str, float]:
        """Return what was measured, by its name in the report."""
        found = {
            "rows_per_s": self.served.rows_per_s,
            "p50_ms": self.served.percentile(50),
            "p99_ms": self.served.percentile(99),
            "bare_rows_per_s": self.bare.engine,
            "share": self.share,
        }
        if self.bare.kept is not None and self.bare.untuned is not None:
            found["kept_rows_per_s"] = self.bare.kept
            found["untuned_rows_per_s"] = self.bare.untuned
        return found


@dataclass(frozen=True, slots=True)
class Point:
    """Requests of so many rows."""

    n_rows: int
    runs: Sequence[Run]

    def figures(self) -> dict[str, float]:
        """Return medians by their names in the report."""
        each = [run.figures() for run in self.runs]
        return {name: median(figures[name] for figures in each) for name in each[0]}


@dataclass(frozen=True, slots=True)
class Catalogue:
    """A model of so many products.

    Attributes:
        memory_mib: The most that the bare model took: of the GPU, or of the process.
        overlap: Share of its candidates that the plain network proposes too, in full precision.
    """

    n_items: int
    weights_mib: float
    memory_mib: float
    overlap: float
    points: Sequence[Point]


def said(run: Run) -> str:
    """Return the line of a run."""
    return (
        f"Triton {run.served.rows_per_s:,.0f} rows/s, p50 {run.served.percentile(50):.2f} and "
        f"p99 {run.served.percentile(99):.2f} ms; bare {run.bare.engine:,.0f}"
    )


def table(found: Sequence[Catalogue]) -> Table:
    """Return medians; what is not measured on the device is left out."""
    shown = Table(title="Triton alone, beside the model it serves")
    names = list(found[0].points[0].figures())
    for name in ("products", "rows", *names):
        shown.add_column(name.replace("_per_s", "/s").replace("_", " "), justify="right")
    for catalogue in found:
        for point in catalogue.points:
            shown.add_row(
                f"{catalogue.n_items:,}",
                f"{point.n_rows}",
                *(_short(name, figure) for name, figure in point.figures().items()),
            )
    return shown


def _short(name: str, figure: float) -> str:
    return f"{figure:,.0f}" if name.endswith("_per_s") else f"{figure:.2f}"


def written(
    found: Sequence[Catalogue], path: Path, *, device: str, n_in_flight: int, n_instances: int
) -> None:
    """Write the report as JSON, making the folder."""
    told = {
        "date": datetime.now(UTC).date().isoformat(),
        "device": device,
        "device_name": torch.cuda.get_device_name() if device == "cuda" else platform.processor(),
        "cores": len(os.sched_getaffinity(0)),
        "torch": torch.__version__,
        "in_flight": n_in_flight,
        "instances": n_instances,
        "catalogues": [_told(catalogue) for catalogue in found],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(told, indent=2) + "\n", "utf-8")


def _told(catalogue: Catalogue) -> dict[str, object]:
    return {
        "items": catalogue.n_items,
        "weights_mib": round(catalogue.weights_mib, 1),
        "memory_mib": round(catalogue.memory_mib, 1),
        "overlap_with_full_precision": round(catalogue.overlap, 5),
        "points": [
            {
                "rows": point.n_rows,
                **_rounded(point.figures()),
                "runs": [_rounded(run.figures()) for run in point.runs],
            }
            for point in catalogue.points
        ],
    }


def _rounded(figures: dict[str, float]) -> dict[str, float]:
    return {name: round(figure, 3) for name, figure in figures.items()}
