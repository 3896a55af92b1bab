"""Files such as the forecaster is evaluated on, with only what matters spelled out."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stream.evaluation.series import Series, Steps

MONDAY = pd.Timestamp("2011-01-03 12:00")


def monthly_file(
    folder: Path, units: dict[str, list[float | None]], first: str = "1998-01"
) -> Path:
    """Write a file with a row a part and month, null where a number is None."""
    months = [str(np.datetime64(first, "M") + at) for at in range(len(next(iter(units.values()))))]
    rows = [
        {"part_id": part, "month": month, "qty": qty}
        for part, numbers in units.items()
        for month, qty in zip(months, numbers, strict=True)
    ]
    path = folder / "parts.parquet"
    pd.DataFrame(rows).astype({"qty": "Int64"}).to_parquet(path)
    return path


def line(day: int, quantity: int, **other: object) -> dict[str, object]:
    """Return a line of an invoice, *day* days after a Monday."""
    return {
        "invoice": "536365",
        "stock_code": "85123A",
        "quantity": quantity,
        "invoice_ts": MONDAY + pd.Timedelta(days=day),
        "price": 2.5,
        "customer_id": 17850,
        **other,
    }


def lines_file(folder: Path, lines: list[dict[str, object]]) -> Path:
    path = folder / "lines.parquet"
    pd.DataFrame(lines).to_parquet(path)
    return path


def make_series(units: NDArray[Any], **steps: int) -> Series:
    """Return series of months that each forecast reads two seasons of."""
    known: dict[str, int] = {
        "first_phase": 0,
        "season": 4,
        "horizon": 4,
        "history": 8,
        "n_past": steps.get("history", 8),
        **steps,
    }
    ids = tuple(map(str, range(len(units))))
    is_open = (True,) * units.shape[1]
    return Series(ids, units.astype(np.float32), Steps("month", **known, is_open=is_open))
