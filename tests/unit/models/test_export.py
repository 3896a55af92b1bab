from __future__ import annotations

from pathlib import Path

from stream.model_specs import FORECASTER
from stream.models.export import _write_version
from stream.repository import ModelRepository


def export(repository: Path, version: int) -> None:
    _write_version(FORECASTER, repository, version, lambda _: None)


def test_first_version_is_served_and_a_later_one_changes_nothing(tmp_path: Path) -> None:
    export(tmp_path, 1)
    first = ModelRepository(tmp_path).served("forecaster")

    export(tmp_path, 2)

    assert first == ModelRepository(tmp_path).served("forecaster") == ("1",)
    assert ModelRepository(tmp_path).versions("forecaster") == ("1", "2")


def test_a_later_version_is_not_served_by_an_older_policy_either(tmp_path: Path) -> None:
    export(tmp_path, 1)
    config = tmp_path / "forecaster" / "config.pbtxt"
    config.write_text(
        config.read_text().replace("specific { versions: [ 1 ] }", "latest { num_versions: 2 }")
    )

    export(tmp_path, 2)

    assert ModelRepository(tmp_path).served("forecaster") == ("1",)
