"""``model.py`` as Triton imports it: in a version's folder, beside what its model brings."""

from __future__ import annotations

import importlib
import json
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
import torch

from stream.models.export import ENTRY_POINT

GOOD = """
class Version:
    def execute(self, requests):
        return requests


def load(args):
    return Version()
"""

Enter = Callable[[str], ModuleType]


@pytest.fixture
def enter(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Enter]:
    """Imports the entry point beside a ``version.py``."""
    backend = ModuleType("triton_python_backend_utils")
    backend.__dict__.update(
        InferenceResponse=lambda error: error,
        TritonError=str,
        Logger=SimpleNamespace(log_error=print),
    )
    monkeypatch.setitem(sys.modules, backend.__name__, backend)
    monkeypatch.syspath_prepend(tmp_path)

    def entered(version: str) -> ModuleType:
        folder = tmp_path / "version_1"
        folder.mkdir()
        (folder / "__init__.py").touch()
        (folder / "version.py").write_text(version)
        shutil.copyfile(ENTRY_POINT, folder / "model.py")
        return importlib.import_module("version_1.model")

    yield entered
    for name in ("version_1.model", "version_1.version", "version_1"):
        sys.modules.pop(name, None)


def args_of(*, kind: str = "CPU", parameters: tuple[str, ...] = ()) -> dict[str, str]:
    config = {"parameters": {name: {"string_value": "yes"} for name in parameters}}
    return {
        "model_name": "recommender",
        "model_version": "1",
        "model_instance_kind": kind,
        "model_config": json.dumps(config),
    }


def started(module: ModuleType) -> Any:
    model = module.TritonPythonModel()
    model.initialize(args_of())
    return model


@pytest.mark.parametrize("version", ["raise MemoryError('no room')", "def load(", "load = 1"])
def test_each_request_to_a_version_that_cannot_be_loaded_is_told_why(
    enter: Enter, version: str
) -> None:
    model = started(enter(version))

    answers = model.execute(["one", "other"])

    assert len(answers) == 2
    assert answers[0].startswith("recommender version 1 could not be loaded: ")


def test_a_reason_is_no_longer_than_a_client_can_be_told(enter: Enter) -> None:
    model = started(enter("raise ValueError('x' * 100_000)"))

    [answer] = model.execute(["one"])

    assert 1_000 < len(answer) < 1_100


def test_a_version_is_loaded_again_only_after_a_while(
    enter: Enter, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    module = enter("raise MemoryError")
    now = [100.0]
    monkeypatch.setattr(module, "time", SimpleNamespace(monotonic=lambda: now[0]))
    model = started(module)
    (tmp_path / "version_1" / "version.py").write_text(GOOD)

    now[0] += 29
    early = model.execute(["one"])
    now[0] += 1
    late = model.execute(["one"])

    assert early != ["one"]
    assert late == ["one"]


@pytest.mark.parametrize(
    ("kind", "told"), [("CPU", "Triton gives a CPU"), ("GPU", "Triton gives a GPU, torch .* none")]
)
def test_what_must_be_on_a_gpu_does_not_start_on_a_cpu(
    enter: Enter, monkeypatch: pytest.MonkeyPatch, kind: str, told: str
) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    model = enter(GOOD).TritonPythonModel()

    with pytest.raises(RuntimeError, match=told):
        model.initialize(args_of(kind=kind, parameters=("must_be_gpu",)))
