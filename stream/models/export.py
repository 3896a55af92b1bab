"""Writes trained models as a Triton model repository, a whole version at a time."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any
from uuid import uuid4

import torch

from stream.model_specs import FORECASTER, RECOMMENDER, VOCABULARY, ModelSpec, TensorSpec
from stream.models.forecaster import TrainedForecaster
from stream.models.recommender import TrainedRecommender
from stream.repository import CONFIG, REPORT, policy_of, replace_text, served_in

SERVED = Path(__file__).parent / "served"
#: Processes of the Python backend a model, and torch threads in each.
#: A recommender of 9,579 products answered 6,000 rows/s (64 a request) on a quiet core. A second
#: process takes 600 MB more; measured once, on two cores shared with broker and worker, its gain
#: was lost in the noise. With cores to spare it may pay.
_N_INSTANCES: Mapping[str, int] = {RECOMMENDER.name: 1, VOCABULARY.name: 1, FORECASTER.name: 1}
_N_THREADS = 1
_NOTHING: Mapping[str, object] = {}


def export_recommender(
    trained: TrainedRecommender,
    repository: Path,
    version: int,
    *,
    about: Mapping[str, object] = _NOTHING,
) -> None:
    """Write the recommender and its vocabulary under one version number.

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

    _write_version(VOCABULARY, repository, version, fill_vocabulary)
    _write_version(RECOMMENDER, repository, version, fill)


def export_forecaster(
    trained: TrainedForecaster,
    repository: Path,
    version: int,
    *,
    about: Mapping[str, object] = _NOTHING,
) -> None:
    """Write the forecaster; *about* as of the recommender."""

    def fill(folder: Path) -> None:
        _store_network(trained.network, trained.settings, folder)
        report = json.dumps({**trained.metrics, **about}, indent=2)
        (folder / REPORT).write_text(report, "utf-8")

    _write_version(FORECASTER, repository, version, fill)


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


def _write_version(spec: ModelSpec, repository: Path, version: int, fill: Any) -> None:
    """Write beside the target and rename, so that Triton never sees half a version.

    The first version of a model is served; a later one only once somebody promotes it.
    """
    model = repository / spec.name
    model.mkdir(parents=True, exist_ok=True)
    served = served_in(model) if (model / CONFIG).exists() else (str(version),)
    replace_text(model / CONFIG, config_of(spec, served))
    partial = model / f".{version}-{uuid4().hex[:8]}"
    partial.mkdir()
    try:
        for source in sorted((SERVED / spec.name).glob("*.py")):
            shutil.copyfile(source, partial / source.name)
        fill(partial)
        partial.rename(model / str(version))
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
