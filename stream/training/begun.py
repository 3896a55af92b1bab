"""A training that was begun, kept beside the repository until it is done."""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from stream.domain.trail import Kind
from stream.training.deeds import Deeds
from stream.training.from_file import KINDS, read_file
from stream.training.past import Past
from stream.training.shelves import NO_DROUGHTS, Droughts

_NAMES: Mapping[int, str] = {kind: name for name, kind in KINDS.items()}
Say = Callable[[str], None]


class Begun:
    """What the same command goes on from: the state of the training, and what it was told to read.

    A topic holds more whenever it is read, so what was read of it is kept as well: without that no
    training on a topic that is written to could go on.

    Args:
        told: All that makes it another training.
        say: Gets a line when it goes on.
    """

    def __init__(
        self, repository: Path, model: str, told: Mapping[str, object], *, say: Say
    ) -> None:
        mark = hashlib.sha256(repr(sorted(told.items())).encode()).hexdigest()[:12]
        whole = repository.resolve()
        self._folder = whole.with_name(f".{whole.name}-training") / f"{model}-{mark}"
        self._kept = self._folder / "read.parquet"
        self._droughts = self._folder / "droughts.parquet"
        self._say = say

    def deeds(self, past: Past) -> Deeds:
        """Return what is learnt from: what was read when it was begun, else what *past* has now.

        Raises:
            StoreStreamError: As of reading *past*.
        """
        if self._kept.exists():
            self._say(f"Going on with what was read at {_written(self._kept)}; --anew reads again.")
            return self._read()
        deeds = past.read()
        self._folder.mkdir(parents=True, exist_ok=True)
        if not past.is_lasting:
            self._keep(deeds)
        return deeds

    def _read(self) -> Deeds:
        return replace(read_file(self._kept), droughts=_droughts_in(self._droughts))

    def _keep(self, deeds: Deeds) -> None:
        """Write *deeds*; the file that says that all is there comes last, and whole."""
        pq.write_table(_table_of_droughts(deeds.droughts), self._droughts)
        partial = self._kept.with_suffix(".partial")
        pq.write_table(_table(deeds), partial)
        partial.replace(self._kept)

    def checkpoint(self, deeds: Deeds) -> Path:
        """Return where a training on *deeds* is kept: another one for other data."""
        path = self._folder / f"{deeds.sha256[:12]}.pt"
        if path.exists():
            self._say(f"Going on from where it was at {_written(path)}; --anew begins again.")
        return path

    def forget(self) -> None:
        """Remove all that was kept: it is done, or begins anew."""
        shutil.rmtree(self._folder, ignore_errors=True)
        with suppress(OSError):  # it is not there, or another training is kept in it
            self._folder.parent.rmdir()


def _written(path: Path) -> str:
    at = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    return at.isoformat(sep=" ", timespec="seconds")


def _table(deeds: Deeds) -> pa.Table:
    return pa.table(
        {
            "visitor_id": pa.array(deeds.visitors, pa.string()),
            "product_id": pa.array(deeds.products, pa.string()),
            "occurred_at_ms": deeds.at_ms,
            "kind": [_NAMES[Kind(kind)] for kind in deeds.kinds.tolist()],
            "quantity": deeds.quantities,
            "price": pa.array(deeds.prices, from_pandas=True),
        }
    )


def _table_of_droughts(droughts: Droughts) -> pa.Table:
    return pa.table(
        {
            "product_id": pa.array(droughts.products, pa.string()),
            "since_ms": droughts.since_ms,
            "until_ms": droughts.until_ms,
        }
    )


def _droughts_in(path: Path) -> Droughts:
    """Return what is kept at *path*; a training that an older version began has nothing there."""
    if not path.exists():
        return NO_DROUGHTS
    products, since_ms, until_ms = (column.to_numpy() for column in pq.read_table(path).columns)
    return Droughts(products.astype(object), since_ms, until_ms)
