"""The command's work on visitors who walk the shelves; the models are small and real."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import torch
from typer.testing import CliRunner

from stream.cli import app
from stream.errors import Misconfigured
from stream.repository import ModelRepository
from tests.harness.waiting import until
from tests.integration.triton_fixtures import make_sequences

DAY_MS = 24 * 3600 * 1000


@pytest.fixture(scope="module")
def walks(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """80 days of visitors who buy one product a day, the next one on the shelf."""
    path = tmp_path_factory.mktemp("walks") / "walks.parquet"
    rows = [
        (f"v{visitor}", product_id, day * DAY_MS)
        for visitor, walk in enumerate(make_sequences(n_visitors=40, length=80))
        for day, product_id in enumerate(walk)
    ]
    visitors, products, at_ms = zip(*rows, strict=True)
    columns = {"visitor_id": visitors, "product_id": products, "occurred_at_ms": at_ms}
    pq.write_table(pa.table({name: list(column) for name, column in columns.items()}), path)
    return path


def train(model: str, source: Path, repository: Path, *more: str) -> str:
    told = CliRunner().invoke(
        app,
        ["train", model, "--from", str(source), "--repository", str(repository), *more],
        catch_exceptions=False,
    )
    assert told.exit_code == 0, told.output
    return told.output


@pytest.mark.parametrize("model", ["recommender", "forecaster"])
def test_a_version_is_laid_beside_the_others_and_says_what_it_was_made_of(
    model: str, walks: Path, tmp_path: Path
) -> None:
    repository = tmp_path / "models"
    first = train(model, walks, repository, "--minutes", "0.05", "--seed", "4")

    second = train(model, walks, repository, "--minutes", "0.05")

    assert ModelRepository(repository).versions(model) == ("1", "2")
    assert ModelRepository(repository).served(model) == ("1",)
    assert "promote" not in first
    assert f"storestream models promote {model} 2 --repository {repository}" in second
    reports = [ModelRepository(repository).report(model, version) for version in ("1", "2")]
    assert [report["seed"] for report in reports] == [4, 1]
    assert reports[0]["data"] == reports[1]["data"]
    assert reports[0]["acts"] == 40 * 80
    assert reports[0]["source"] == str(walks)
    assert [path.name for path in tmp_path.rglob("*.pt") if "training" in str(path)] == []


def test_a_training_that_is_stopped_goes_on_with_the_same_command(
    walks: Path, tmp_path: Path
) -> None:
    repository = tmp_path / "models"
    asked = ["train", "recommender", "--from", str(walks), "--repository", str(repository)]
    command = [sys.executable, "-m", "stream", *asked, "--minutes", "60"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as child:
        kept = until(lambda: [*tmp_path.rglob("*.pt")], "it is kept", within_s=90)
        child.send_signal(signal.SIGINT)
        _, told = child.communicate()
    n_steps = torch.load(kept[0], weights_only=True)["at"]["n_steps"]

    train("recommender", walks, repository, "--minutes", "0.05")

    assert child.returncode == 130
    assert f"the same command goes on from {kept[0]}" in told
    assert ModelRepository(repository).report("recommender", "1")["n_steps"] >= n_steps > 0
    assert not kept[0].exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["models"]


def test_what_cannot_be_served_there_is_said_before_anything_is_read(tmp_path: Path) -> None:
    (tmp_path / "recommender" / "1").mkdir(parents=True)
    (tmp_path / "recommender" / "config.pbtxt").write_text('name: "recommender"\n')

    with pytest.raises(Misconfigured, match="its versions have other tensors"):
        train("recommender", tmp_path / "nothing", tmp_path)


def test_the_repository_may_be_where_one_stands(
    walks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "models").mkdir()
    monkeypatch.chdir(tmp_path / "models")

    train("forecaster", walks, Path(), "--minutes", "0.05")

    assert ModelRepository(Path()).versions("forecaster") == ("1",)


def test_too_little_to_learn_from_is_said(tmp_path: Path) -> None:
    path = tmp_path / "few.parquet"
    few = {"visitor_id": ["a"] * 3, "product_id": [1, 2, 3], "occurred_at_ms": np.arange(3)}
    pq.write_table(pa.table(few), path)

    for model in ("recommender", "forecaster"):
        with pytest.raises(Misconfigured, match="expected"):
            train(model, path, tmp_path / "models")


def test_demand_is_counted_by_the_days_that_the_settings_tell(tmp_path: Path) -> None:
    path, settings = tmp_path / "night.parquet", tmp_path / "settings.toml"
    hours = np.array([20, 28]) * (DAY_MS // 24)
    night = {"visitor_id": ["a"] * 2, "product_id": [1, 1], "occurred_at_ms": hours}
    pq.write_table(pa.table(night), path)
    settings.write_text('store_timezone = "Asia/Tokyo"\n')
    asked = ("forecaster", path, tmp_path / "models", "--min-count", "1")

    with pytest.raises(Misconfigured, match="days of demand, got 2"):
        train(*asked)
    with pytest.raises(Misconfigured, match="days of demand, got 1"):
        train(*asked, "--settings", str(settings))


def test_a_forecaster_says_by_which_days_it_was_made(
    walks: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("STORESTREAM_CLOSED_WEEKDAYS", "sun")

    train("forecaster", walks, tmp_path / "models", "--minutes", "0.05")

    report = ModelRepository(tmp_path / "models").report("forecaster", "1")
    assert report["days"] == {"timezone": "UTC", "closed_weekdays": "sun", "closed_dates": ""}
    assert report["droughts"] == 0


def test_a_repository_of_other_models_is_left_as_it_is(walks: Path, tmp_path: Path) -> None:
    model = tmp_path / "models" / "recommender"
    (model / "1").mkdir(parents=True)
    (model / "config.pbtxt").write_text('name: "recommender"\n')

    with pytest.raises(Misconfigured, match="its versions have other tensors"):
        train("recommender", walks, tmp_path / "models")

    assert sorted(path.name for path in model.iterdir()) == ["1", "config.pbtxt"]
