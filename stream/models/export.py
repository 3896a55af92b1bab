"""Writes trained models as a Triton model repository, a whole version at a time."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from stream.model_specs import (
    FORECASTER,
    RECOMMENDER,
    SERVED_WITH,
    VOCABULARY,
    ModelSpec,
    TensorSpec,
)
from stream.models.forecaster import TrainedForecaster
from stream.models.recommender import TrainedRecommender
from stream.repository import (
    CONFIG,
    REPORT,
    RepositoryLock,
    name_served,
    next_version,
    policy_of,
    replace_text,
    served_in,
    versions_in,
)

SERVED = Path(__file__).parent / "served"
ENTRY_POINT = SERVED / "model.py"
#: Processes of the Python backend a model, and torch threads in each.
#: A recommender of 9,579 products answered 6,000 rows/s (64 a request) on a quiet core. A second
#: process takes 600 MB more; measured once, on two cores shared with broker and worker, its gain
#: was lost in the noise. With cores to spare it may pay.
_N_INSTANCES: Mapping[str, int] = {RECOMMENDER.name: 1, VOCABULARY.name: 1, FORECASTER.name: 1}
_N_THREADS = 1
_NOTHING: Mapping[str, object] = {}

#: Writes what a version has in a folder.
Fill = Callable[[Path], None]


def export_recommender(
    trained: TrainedRecommender, repository: Path, *, about: Mapping[str, object] = _NOTHING
) -> str:
    """Write the recommender and its vocabulary as a new version, and return its number.

    Args:
        about: Stands in its report, behind what it measured.
    """
    product_ids = json.dumps(list(trained.product_ids))

    def fill(folder: Path) -> None:
        _store_network(trained.network, trained.settings, folder)
        (folder / "vocabulary.json").write_text(product_ids, "utf-8")
        report = json.dumps({**trained.metrics, **about}, indent=2)
        (folder / REPORT).write_text(report, "utf-8")

    def fill_vocabulary(folder: Path) -> None:
        (folder / "vocabulary.json").write_text(product_ids, "utf-8")

    return _lay(
        RECOMMENDER.name, repository, {RECOMMENDER.name: fill, VOCABULARY.name: fill_vocabulary}
    )


def export_forecaster(
    trained: TrainedForecaster, repository: Path, *, about: Mapping[str, object] = _NOTHING
) -> str:
    """Write the forecaster as a new version, and return its number; *about* as of the recommender."""

    def fill(folder: Path) -> None:
        _store_network(trained.network, trained.settings, folder)
        report = json.dumps({**trained.metrics, **about}, indent=2)
        (folder / REPORT).write_text(report, "utf-8")

    return _lay(FORECASTER.name, repository, {FORECASTER.name: fill})


def config_of(spec: ModelSpec, served: Sequence[str]) -> str:
    """Return the ``config.pbtxt`` of a model of which the versions *served* are to be served.

    ``KIND_AUTO`` is a GPU where Triton sees one and a CPU elsewhere. There is no dynamic
    batching: the worker's batcher sends full requests, and waiting again would only add latency.
    """
    parts = [
        f'name: "{spec.name}"',
        'backend: "python"',
        f"max_batch_size: {spec.max_rows}",
        f"input [\n{_tensors(spec.inputs)}\n]",
        f"output [\n{_tensors(spec.outputs)}\n]",
        f"instance_group [{{ kind: KIND_AUTO count: {_N_INSTANCES[spec.name]} }}]",
        policy_of(served),
        f'parameters {{ key: "threads" value {{ string_value: "{_N_THREADS}" }} }}',
    ]
    return "\n".join(parts) + "\n"


def _tensors(tensors: Iterable[TensorSpec]) -> str:
    types = {"BYTES": "TYPE_STRING", "INT64": "TYPE_INT64", "FP32": "TYPE_FP32"}
    return ",\n".join(
        f'  {{ name: "{tensor.name}" data_type: {types[tensor.datatype]} '
        f"dims: [ {', '.join(map(str, tensor.shape))} ] }}"
        for tensor in tensors
    )


def _store_network(network: torch.nn.Module, settings: Mapping[str, Any], folder: Path) -> None:
    stored = {"settings": dict(settings), "weights": network.state_dict()}
    torch.save(stored, folder / "weights.pt")


def _lay(model: str, repository: Path, fills: Mapping[str, Fill]) -> str:
    """Lay a version of *model*, and of what is served with it, beside those that are there.

    All is written before the first of it is moved, so that Triton never sees half a version, and
    the model itself is moved last: where it is, so is the rest.
    """
    with ExitStack() as stack:
        filled = {}
        for spec in SERVED_WITH[model]:
            (repository / spec.name).mkdir(parents=True, exist_ok=True)
            scratch = TemporaryDirectory(
                dir=repository / spec.name, prefix=".", ignore_cleanup_errors=True
            )
            filled[spec.name] = Path(stack.enter_context(scratch)) / "version"
            _write(spec, filled[spec.name], fills[spec.name])
        lock = RepositoryLock(repository)
        lock.acquire(wait=True)
        stack.callback(lock.release)
        version = next_version(repository, model)
        _configure(model, repository, version)
        for part, folder in filled.items():
            folder.rename(repository / part / version)
    return version


def _write(spec: ModelSpec, folder: Path, fill: Fill) -> None:
    folder.mkdir()
    # To Triton a version is another one when something is written in its folder, and is loaded again
    # beside the next, although it answers. Where this is a file, no Python writes bytecode.
    (folder / "__pycache__").touch()
    for source in (ENTRY_POINT, *sorted((SERVED / spec.name).glob("*.py"))):
        shutil.copyfile(source, folder / source.name)
    fill(folder)


def _configure(model: str, repository: Path, version: str) -> None:
    """Have the first version served; a later one only once somebody promotes it.

    What else an operator changed in a configuration stays.
    """
    model_folder = repository / model
    is_first = not versions_in(model_folder)
    served = (() if is_first else served_in(model_folder)) or (version,)
    for spec in SERVED_WITH[model]:
        if is_first:
            replace_text(repository / spec.name / CONFIG, config_of(spec, served))
        else:
            name_served(repository / spec.name, served)
