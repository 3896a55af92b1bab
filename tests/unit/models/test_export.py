from __future__ import annotations

from pathlib import Path

import pytest

from stream.model_specs import FORECASTER, RECOMMENDER, SERVED_WITH, VOCABULARY
from stream.models.export import _lay
from stream.repository import ModelRepository


def export(repository: Path, model: str = FORECASTER.name) -> str:
    return _lay(model, repository, {spec.name: lambda _: None for spec in SERVED_WITH[model]})


def test_first_version_is_served_and_a_later_one_changes_nothing(tmp_path: Path) -> None:
    export(tmp_path)
    first = ModelRepository(tmp_path).served("forecaster")

    export(tmp_path)

    assert first == ModelRepository(tmp_path).served("forecaster") == ("1",)
    assert ModelRepository(tmp_path).versions("forecaster") == ("1", "2")


def test_a_later_version_is_not_served_by_an_older_policy_either(tmp_path: Path) -> None:
    export(tmp_path)
    config = tmp_path / "forecaster" / "config.pbtxt"
    config.write_text(
        config.read_text().replace("specific { versions: [ 1 ] }", "latest { num_versions: 2 }")
    )

    export(tmp_path)

    assert ModelRepository(tmp_path).served("forecaster") == ("1",)


def test_what_an_operator_changed_in_a_configuration_stays(tmp_path: Path) -> None:
    export(tmp_path)
    config = tmp_path / "forecaster" / "config.pbtxt"
    config.write_text(config.read_text().replace("count: 1", "count: 3"))

    export(tmp_path)

    assert "count: 3" in config.read_text()


@pytest.mark.parametrize("n_before", [0, 1])
def test_an_export_that_was_killed_between_its_parts_is_no_harm(
    tmp_path: Path, n_before: int
) -> None:
    for _ in range(n_before):
        export(tmp_path, RECOMMENDER.name)
    left = tmp_path / VOCABULARY.name / str(n_before + 1)
    left.mkdir(parents=True)
    (left / "vocabulary.json").touch()

    version = export(tmp_path, RECOMMENDER.name)

    repository = ModelRepository(tmp_path)
    assert version == str(n_before + 2)
    served = ("1",) if n_before else (version,)
    assert repository.served(RECOMMENDER.name) == repository.served(VOCABULARY.name) == served


def test_an_export_that_fails_leaves_nothing(tmp_path: Path) -> None:
    def fail(_: Path) -> None:
        raise OSError("no space left on device")

    with pytest.raises(OSError, match="no space"):
        _lay(FORECASTER.name, tmp_path, {FORECASTER.name: fail})

    assert not [*(tmp_path / FORECASTER.name).iterdir()]
