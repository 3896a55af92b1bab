from __future__ import annotations

from pathlib import Path

from rich.console import Console

from stream.demo.narration import Narrator
from stream.demo.story import Data
from stream.demo.training import models_in
from stream.model_specs import MODELS
from stream.models.export import config_of


class Asked(Exception):
    """The data was wanted: to train on it."""


def no_data() -> Data:
    raise Asked


def trained_again(folder: Path) -> bool:
    try:
        models_in(folder, Narrator(Console(quiet=True), headless=True), no_data)
    except Asked:
        return True
    return False


def make_models(folder: Path) -> None:
    for spec in MODELS:
        model = folder / "models" / spec.name
        model.mkdir(parents=True)
        (model / "config.pbtxt").write_text(config_of(spec, ("1",)))


def test_models_that_are_there_are_kept(tmp_path: Path) -> None:
    make_models(tmp_path)

    assert not trained_again(tmp_path)


def test_models_that_read_something_else_are_made_anew(tmp_path: Path) -> None:
    make_models(tmp_path)
    config = tmp_path / "models" / "recommender" / "config.pbtxt"
    config.write_text(config.read_text().replace('"kinds"', '"ages"'))

    assert trained_again(tmp_path)


def test_models_that_are_not_there_are_made(tmp_path: Path) -> None:
    assert trained_again(tmp_path)
