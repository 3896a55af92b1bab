"""Arrays to Triton's tensors and back, and what the server says of a model against our spec."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import tritonclient.grpc.aio as triton
from numpy.typing import NDArray
from tritonclient.utils import triton_to_np_dtype

from stream.errors import InferenceRejected, InferenceUnavailable, ModelMismatch
from stream.model_specs import ModelSpec, TensorSpec
from stream.ports import Tensors


def to_inputs(spec: ModelSpec, inputs: Tensors) -> tuple[list[Any], int]:
    """Return the request's tensors and its number of rows, 0 without a batch axis.

    Raises:
        InferenceRejected: An array is not what the model reads, or there are too many rows.
    """
    tensors, n_rows = [], 0
    for wanted in spec.inputs:
        array = inputs[wanted.name]
        n_rows = len(array) if spec.max_rows else 0
        problem = _difference(wanted, array, n_rows if spec.max_rows else None)
        if spec.max_rows and not 1 <= n_rows <= spec.max_rows:
            problem = f"expected 1 to {spec.max_rows} rows, got {n_rows}"
        if problem:
            raise InferenceRejected(f"{spec.name}.{wanted.name}: {problem}")
        tensor = triton.InferInput(wanted.name, list(array.shape), wanted.datatype)
        tensors.append(tensor.set_data_from_numpy(array))
    return tensors, n_rows


def nothing_asked(spec: ModelSpec) -> Tensors:
    """Return zeros, one row of a model that has rows; each of ours answers that."""
    rows = (1,) if spec.max_rows else ()
    return {
        wanted.name: np.zeros((*rows, *wanted.shape), triton_to_np_dtype(wanted.datatype))
        for wanted in spec.inputs
    }


def to_outputs(spec: ModelSpec, result: Any, n_rows: int) -> dict[str, NDArray[Any]]:
    """Return the answer's arrays.

    Raises:
        InferenceUnavailable: A tensor is missing or has other axes. A Python backend that runs
            under numpy 2 answers with empty tensors and says nothing.
    """
    outputs = {}
    for wanted in spec.outputs:
        try:
            array = result.as_numpy(wanted.name)
        except ValueError as error:  # fewer bytes than its shape says
            raise InferenceUnavailable(f"{spec.name}.{wanted.name}: {error}") from error
        problem = "expected an answer, got none"
        if array is not None:
            problem = _difference(wanted, array, n_rows if spec.max_rows else None)
        if problem:
            raise InferenceUnavailable(f"{spec.name}.{wanted.name}: {problem}")
        outputs[wanted.name] = array
    return outputs


def _difference(wanted: TensorSpec, array: NDArray[Any], n_rows: int | None) -> str:
    """Say how *array* differs; empty where it does not. ``n_rows`` None: no batch axis."""
    shape = wanted.shape if n_rows is None else (n_rows, *wanted.shape)
    fits = len(shape) == array.ndim and all(
        axis in (-1, got) for axis, got in zip(shape, array.shape, strict=True)
    )
    dtype = np.dtype(triton_to_np_dtype(wanted.datatype))
    if fits and array.dtype == dtype:
        return ""
    return f"expected {dtype}{list(shape)}, got {array.dtype}{list(array.shape)}"


def check_model(spec: ModelSpec, metadata: Any, config: Any) -> None:
    """Compare the server's model with *spec*.

    Raises:
        ModelMismatch: Naming the model, what was expected and what it has.
    """
    _check_tensors(spec, "inputs", spec.inputs, metadata.inputs)
    _check_tensors(spec, "outputs", spec.outputs, metadata.outputs)
    if config.max_batch_size < spec.max_rows or bool(config.max_batch_size) != bool(spec.max_rows):
        raise ModelMismatch(
            f"{spec.name}.max_batch_size: expected {spec.max_rows} rows, "
            f"got {config.max_batch_size}"
        )


def _check_tensors(
    spec: ModelSpec, side: str, wanted: Iterable[TensorSpec], got: Iterable[Any]
) -> None:
    batch = (-1,) if spec.max_rows else ()
    expected = {tensor.name: (tensor.datatype, (*batch, *tensor.shape)) for tensor in wanted}
    actual = {tensor.name: (tensor.datatype, tuple(tensor.shape)) for tensor in got}
    if expected != actual:
        raise ModelMismatch(
            f"{spec.name}.{side}: expected {_listed(expected)}, got {_listed(actual)}"
        )


def _listed(tensors: Mapping[str, tuple[str, tuple[int, ...]]]) -> str:
    named = sorted(tensors.items())
    return ", ".join(f"{name} {datatype}{list(shape)}" for name, (datatype, shape) in named)
