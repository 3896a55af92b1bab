"""Demand over time, from a file: a row a series, a column a step."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray
from pyarrow import ArrowException

from stream.demo.household_orders import read_purchases
from stream.domain.calendar import weekday_of
from stream.errors import Misconfigured
from stream.model_specs import HISTORY_DAYS, HORIZON_DAYS, PAST_DAYS
from stream.models.demand_history import UNKNOWN, DemandHistory, open_steps

if TYPE_CHECKING:
    import pandas as pd

Units = NDArray[np.float32]
_Numbers = NDArray[np.integer[Any]]

#: In place of a file: the real orders that the demo replays.
DEMO = Path("demo")
#: A part, the month as ``YYYY-MM``, and the units sold in it, null where unknown.
MONTHLY = ("part_id", "month", "qty")
#: The lines of invoices; of returns the invoice begins with ``C``.
LINES = ("invoice", "stock_code", "quantity", "invoice_ts", "price", "customer_id")
_MONTHS, _DAYS_OF_WEEK = 12, 7
#: Selling days before the days held out that make a product's history enough.
_MIN_SELLING_DAYS = 30


@dataclass(frozen=True, slots=True)
class Steps:
    """What the steps are, and how many matter.

    Attributes:
        name: ``month`` or ``day``.
        first_phase: Phase of the first step in its season: month from January 0, or weekday from
            Monday 0.
        season: Steps a season.
        horizon: Steps forecast at once.
        history: Steps that a forecast reads one by one, at most.
        n_past: Steps that it reads of in sum, at most.
        is_open: Of each step, those held out as well: when a shop closes is known before.
    """

    name: str
    first_phase: int
    season: int
    horizon: int
    history: int
    n_past: int
    is_open: tuple[bool, ...]

    def past(self, known: Units) -> DemandHistory:
        """Return what a forecaster may be fitted to: *known*, and all that is known of the days."""
        return DemandHistory.of(known, self.first_phase, is_open=np.array(self.is_open))


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """What sold, of each series in each step, all series over the same steps.

    Attributes:
        units: ``float32[series, step]``, -1 where unknown: before the first sale, or closed.
    """

    ids: tuple[str, ...]
    units: Units
    steps: Steps

    @property
    def known(self) -> Units:
        """What is before the steps held out: all that a forecast may be made from."""
        return self.units[:, : -self.steps.horizon]

    @property
    def actual(self) -> Units:
        """The last steps, which are held out, ``float32[series, horizon]``."""
        return self.units[:, -self.steps.horizon :]

    @property
    def sha256(self) -> str:
        """Of ids and units, whatever file they came in."""
        digest = hashlib.sha256("\n".join(self.ids).encode())
        digest.update(str(self.units.shape).encode() + self.units.tobytes())
        return digest.hexdigest()

    def earlier(self, n_windows: int = 1) -> Series:
        """Return the series without the last *n_windows* horizons, to choose settings by.

        Who had no history yet then is left out.
        """
        units = self.units[:, : -n_windows * self.steps.horizon]
        had = (units[:, : -self.steps.horizon] >= 0).any(axis=1)
        ids = tuple(name for name, has in zip(self.ids, had.tolist(), strict=True) if has)
        return Series(ids, units[had], self.steps)


def read_series(path: Path) -> Series:
    """Return what sold, from a Parquet file with the columns ``MONTHLY`` or ``LINES``, or ``DEMO``.

    Raises:
        Misconfigured: It cannot be read, lacks a column, or holds too little.
        LocalPartMissing: The demo's orders are not installed.
    """
    if path == DEMO:
        return _demo()
    try:
        names = pq.read_schema(path).names
        found = [kind for kind in (MONTHLY, LINES) if set(kind) <= set(names)]
        table = pq.read_table(path, columns=list(found[0])) if found else None
    except (OSError, ArrowException) as error:
        raise Misconfigured(f"{path}: expected a Parquet file: {error}") from error
    if table is None:
        raise Misconfigured(
            f"{path}: expected columns {', '.join(MONTHLY)}, or {', '.join(LINES)}, got "
            f"{', '.join(names)}"
        )
    if not table.num_rows:
        raise Misconfigured(f"{path}: expected rows, got none")
    read = _monthly if found[0] == MONTHLY else _daily
    try:
        return read(table.to_pandas())
    except ValueError as error:
        raise Misconfigured(f"{path}: {error}") from error


def _monthly(rows: pd.DataFrame) -> Series:
    """Return the parts with a number for every month: the others ended, or are too new."""
    if rows.duplicated(["part_id", "month"]).any():
        raise ValueError("expected one row a part and month, got several")
    table = rows.pivot_table(index="part_id", columns="month", values="qty", dropna=False)
    months = [str(month) for month in table.columns]
    _refuse_gaps(months)
    if len(months) < 3 * _MONTHS:
        raise ValueError(f"expected at least {3 * _MONTHS} months, got {len(months)}")
    table = table.dropna()
    if not len(table):
        raise ValueError("expected a part with a number for every month, got none")
    return Series(
        ids=tuple(map(str, table.index)),
        units=_counted(table.to_numpy(dtype=np.float32)),
        steps=Steps(
            name="month",
            first_phase=int(months[0][5:7]) - 1,
            season=_MONTHS,
            horizon=_MONTHS,
            history=2 * _MONTHS,
            n_past=2 * _MONTHS,
            is_open=(True,) * len(months),
        ),
    )


def _refuse_gaps(months: Sequence[str]) -> None:
    expected = np.arange(np.datetime64(months[0], "M"), np.datetime64(months[-1], "M") + 1)
    if expected.astype(str).tolist() != list(months):
        raise ValueError(f"expected every month from {months[0]} to {months[-1]}")


def _counted(units: Units) -> Units:
    if (units < 0).any():
        raise ValueError(f"expected units sold, got {units.min():g}")
    return units


def _daily(rows: pd.DataFrame) -> Series:
    """Return the products sold on ``_MIN_SELLING_DAYS`` before what is held out.

    Days without a sale of anything are unknown: the shop was closed.
    """
    sold = sales(rows)
    if not len(sold):
        raise ValueError("expected a line of goods that were paid for, got none")
    first = sold["day"].min()
    day = (sold["day"] - first).dt.days.to_numpy()
    ids, product = np.unique(sold["stock_code"].astype(str), return_inverse=True)
    return _by_day(ids, product, day, sold["quantity"].to_numpy(), weekday=int(first.dayofweek))


def _demo() -> Series:
    """Return what the households of the demo bought, in the days of the data."""
    bought = read_purchases()
    ids, product = np.unique(bought.product_id, return_inverse=True)
    first = int(bought.days().min())
    weekday = weekday_of(first)
    return _by_day(
        ids.astype(str), product, bought.days() - first, bought.quantity, weekday=weekday
    )


def _by_day(
    ids: NDArray[np.str_], product: _Numbers, day: _Numbers, quantity: _Numbers, *, weekday: int
) -> Series:
    n_days = int(day.max()) + 1
    if n_days < 2 * HORIZON_DAYS + HISTORY_DAYS:
        raise ValueError(f"expected at least {2 * HORIZON_DAYS + HISTORY_DAYS} days, got {n_days}")
    units = np.zeros((len(ids), n_days), dtype=np.float32)
    np.add.at(units, (product, day), quantity)
    enough = (units[:, :-HORIZON_DAYS] > 0).sum(axis=1) >= _MIN_SELLING_DAYS
    if not enough.any():
        raise ValueError(f"expected a product sold on {_MIN_SELLING_DAYS} days, got none")
    units[np.arange(n_days) < (units > 0).argmax(axis=1)[:, None]] = UNKNOWN
    is_open = open_steps(units)
    units[:, ~is_open] = UNKNOWN
    return Series(
        ids=tuple(ids[enough].tolist()),
        units=units[enough],
        steps=Steps(
            name="day",
            first_phase=weekday,
            season=_DAYS_OF_WEEK,
            horizon=HORIZON_DAYS,
            history=HISTORY_DAYS,
            n_past=PAST_DAYS,
            is_open=tuple(is_open.tolist()),
        ),
    )


def sales(rows: pd.DataFrame) -> pd.DataFrame:
    """Return units by customer, ``stock_code`` and ``day``, as a planner would count them.

    Goods have five digits first, the rest is postage and fees. What was not paid for, and a
    negative quantity that is no return, corrects the stock. A return on the day of the sale takes
    it back, as a mistyped order; later it does not: the goods were wanted, and had to be there.
    """
    is_return = rows["invoice"].str.startswith("C")
    goods = rows["stock_code"].str.match(r"\d{5}")
    counted = goods & (rows["price"] > 0) & ((rows["quantity"] > 0) | is_return)
    lines = rows[counted].assign(day=rows["invoice_ts"].dt.floor("D"))
    by = ["customer_id", "stock_code", "day"]
    net = lines.groupby(by, dropna=False)["quantity"].sum().reset_index()
    return net[net["quantity"] > 0]
