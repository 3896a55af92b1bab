from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import numpy as np

from stream.domain.trail import Kind
from stream.training.begun import Begun
from stream.training.deeds import Deeds, in_time
from stream.training.shelves import NEVER_MS, Droughts


class Growing:
    """A past that holds an act more whenever it is read."""

    name = "growing"

    def __init__(self, *, is_lasting: bool = False, n_droughts: int = 2) -> None:
        self.is_lasting = is_lasting
        self.n_droughts = n_droughts
        self._n_acts = 3

    def read(self) -> Deeds:
        self._n_acts += 1
        at = np.arange(self._n_acts)
        names = np.array([f"p{number}" for number in at], dtype=object)
        prices = np.where(at % 2, np.nan, 2.5)
        kinds = np.where(at % 3, Kind.ADD, Kind.CANCEL)
        droughts = Droughts.of(("p1", day, NEVER_MS) for day in range(self.n_droughts))
        return in_time(Deeds(names, names, -at, kinds, at + 1, prices, droughts))


def begin(folder: Path, told: list[str], **more: object) -> Begun:
    settings: Mapping[str, object] = {"seed": 1, **more}
    return Begun(folder / "models", "recommender", settings, say=told.append)


def test_a_training_goes_on_with_what_it_had_read(tmp_path: Path) -> None:
    past, told = Growing(), list[str]()
    first = begin(tmp_path, told).deeds(past)
    assert told == []

    again = begin(tmp_path, told).deeds(past)

    assert again.sha256 == first.sha256
    assert "Going on with what was read at" in told[0]


def test_a_past_without_a_drought_is_kept_as_well(tmp_path: Path) -> None:
    past = Growing(n_droughts=0)
    first = begin(tmp_path, []).deeds(past)

    again = begin(tmp_path, []).deeds(past)

    assert again.sha256 == first.sha256


def test_what_was_read_before_droughts_were_goes_on_without(tmp_path: Path) -> None:
    past = Growing()
    first = begin(tmp_path, []).deeds(past)
    next(tmp_path.rglob("droughts.parquet")).unlink()

    again = begin(tmp_path, []).deeds(past)

    assert again.at_ms.tolist() == first.at_ms.tolist()
    assert not len(again.droughts)


def test_another_training_reads_for_itself(tmp_path: Path) -> None:
    past = Growing()
    first = begin(tmp_path, []).deeds(past)

    other = begin(tmp_path, [], seed=2).deeds(past)

    assert len(other) == len(first) + 1


def test_one_that_is_forgotten_begins_anew_and_leaves_nothing(tmp_path: Path) -> None:
    past, begun = Growing(), begin(tmp_path, [])
    first = begun.deeds(past)
    begun.checkpoint(first).touch()

    begun.forget()

    assert not [*tmp_path.iterdir()]
    assert len(begun.deeds(past)) == len(first) + 1


def test_a_file_that_holds_something_else_is_another_training(tmp_path: Path) -> None:
    past, told = Growing(is_lasting=True), list[str]()
    begun = begin(tmp_path, told)
    deeds, other = begun.deeds(past), begun.deeds(past)
    begun.checkpoint(deeds).touch()

    assert begun.checkpoint(other) != begun.checkpoint(deeds)
    assert ["Going on from where it was" in line for line in told] == [True]
