from __future__ import annotations

from pathlib import Path

import pytest

from stream.errors import Misconfigured
from stream.repository import ModelRepository

LATEST = "version_policy { latest { num_versions: 2 } }"


def make_repository(
    folder: Path, *versions: str, policy: str = "version_policy { specific { versions: [ 1 ] } }"
) -> ModelRepository:
    model = folder / "recommender"
    for version in versions:
        (model / version).mkdir(parents=True)
    (model / "config.pbtxt").write_text(f'name: "recommender"\nmax_batch_size: 256\n{policy}\n')
    return ModelRepository(folder)


def test_versions_are_in_the_order_of_their_numbers(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, "10", "9", ".11-half", "notes")

    assert repository.versions("recommender") == ("9", "10")


@pytest.mark.parametrize(
    ("policy", "served"),
    [
        ("version_policy { specific { versions: [ 1, 3, 7 ] } }", ("1", "3")),
        (LATEST, ("2", "3")),
        ("version_policy { all { } }", ("1", "2", "3")),
        ("", ("3",)),
    ],
)
def test_served_is_what_triton_makes_of_the_policy(
    tmp_path: Path, policy: str, served: tuple[str, ...]
) -> None:
    repository = make_repository(tmp_path, "1", "2", "3", policy=policy)

    assert repository.served("recommender") == served


def test_naming_versions_keeps_the_rest_of_the_configuration(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, "1", "2", policy=LATEST)

    repository.serve("recommender", ["2"])

    assert repository.served("recommender") == ("2",)
    assert "max_batch_size: 256" in (tmp_path / "recommender" / "config.pbtxt").read_text()
    assert sorted(path.name for path in (tmp_path / "recommender").iterdir()) == [
        "1",
        "2",
        "config.pbtxt",
    ]


def test_a_configuration_that_cannot_be_read_is_told_with_its_place(tmp_path: Path) -> None:
    repository = make_repository(tmp_path, "1", policy="version_policy {")

    with pytest.raises(Misconfigured, match=r"recommender/config\.pbtxt"):
        repository.served("recommender")


def test_a_folder_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match="expected a folder of models"):
        ModelRepository(tmp_path / "none")


@pytest.mark.parametrize("text", ["[1]", "{", None])
def test_a_version_without_a_usable_report_has_none(tmp_path: Path, text: str | None) -> None:
    repository = make_repository(tmp_path, "1")
    if text is not None:
        (tmp_path / "recommender" / "1" / "report.json").write_text(text)

    assert repository.report("recommender", "1") == {}
