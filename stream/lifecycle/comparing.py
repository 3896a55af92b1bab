"""Two versions side by side: what training measured, how far they agree, how long they take."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

from rich.table import Table
from rich.text import Text

from stream.domain.history import History
from stream.errors import NothingToDecide
from stream.lifecycle.server import ModelServing
from stream.model_specs import RECOMMENDER
from stream.pipeline.candidates import ask
from stream.pipeline.scoring import Vocabulary
from stream.printable import escaped

#: Visitors asked about in one request, as a busy worker does.
_ROWS = 64
_N_COMPARED = 10


@dataclass(frozen=True, slots=True)
class Asked:
    """What a version said of some histories.

    Attributes:
        best: The first ten candidates by the history's place; of those that it knows.
        seconds: Of each request.
    """

    best: dict[int, frozenset[str]]
    seconds: list[float]


async def compared(
    serving: ModelServing,
    model: str,
    versions: tuple[str, str],
    *,
    histories: Sequence[History],
) -> Table:
    """Return the figures of both *versions*; those of answers where both are served.

    Raises:
        NothingToDecide: One is not on disk.
    """
    present = serving.repository.versions(model)
    if missing := [version for version in versions if version not in present]:
        raise NothingToDecide(f"{model}: no version {', '.join(missing)} is on disk")
    shown = Table(title=f"{model} {versions[0]} and {versions[1]}")
    for column in ("", *versions):
        shown.add_column(column, justify="right" if column else "left")
    _add_reports(shown, serving, model, versions)
    async with serving:
        ready = await serving.ready(model)
        if model != RECOMMENDER.name or not histories:
            return shown
        if any(version not in ready for version in versions):
            shown.caption = "Not both are served: promote one with --shadow to ask them."
            return shown
        first, second = [await _asked(serving, version, histories) for version in versions]
    _add_answers(shown, first, second, len(histories))
    return shown


def _add_reports(
    shown: Table, serving: ModelServing, model: str, versions: tuple[str, str]
) -> None:
    one, other = (serving.repository.report(model, version) for version in versions)
    for name in dict.fromkeys([*one, *other]):
        shown.add_row(Text(escaped(name)), *(_figure(each.get(name)) for each in (one, other)))


def _add_answers(shown: Table, first: Asked, second: Asked, n_histories: int) -> None:
    shown.add_row(
        f"answers to {n_histories:,} histories", f"{len(first.best):,}", f"{len(second.best):,}"
    )
    times = (
        f"{1000 * median(each.seconds):.1f}" if each.seconds else "" for each in (first, second)
    )
    shown.add_row(f"ms a request of {_ROWS}, median", *times)
    both = first.best.keys() & second.best.keys()
    shares = [len(first.best[place] & second.best[place]) / _N_COMPARED for place in both]
    overlap = f"{sum(shares) / len(shares):.3f}" if shares else ""
    shown.add_row(f"overlap at {_N_COMPARED}", overlap, overlap)


async def _asked(serving: ModelServing, version: str, histories: Sequence[History]) -> Asked:
    vocabulary = Vocabulary.of(version, await serving.models.vocabulary(version))
    asked = Asked({}, [])
    for start in range(0, len(histories), _ROWS):
        part = dict(enumerate(histories[start : start + _ROWS], start))
        began = time.perf_counter()
        said = await ask(serving.models, vocabulary, part)
        asked.seconds.append(time.perf_counter() - began)
        asked.best.update(zip(said.rows, said.best(_N_COMPARED), strict=True))
    return asked


def _figure(value: object) -> Text:
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    return Text(f"{value:.4g}" if is_number else escaped("" if value is None else str(value)[:40]))
