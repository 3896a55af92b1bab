"""The tensors that encoder, client, configuration and models agree on."""

from __future__ import annotations

from pathlib import Path

import pytest
import tritonclient.grpc as triton_grpc
from google.protobuf import text_format

from stream.model_specs import (
    FORECASTER,
    HISTORY_DAYS,
    HORIZON_DAYS,
    MAX_ITEMS,
    MODELS,
    N_CANDIDATES,
    N_DAY_CHANNELS,
    PAST_DAYS,
    QUANTILES,
    RECOMMENDER,
    VOCABULARY,
    ModelSpec,
)
from stream.models.export import ENTRY_POINT, SERVED, config_of

_TYPES = {"INT64": "TYPE_INT64", "FP32": "TYPE_FP32", "BYTES": "TYPE_STRING"}


def parsed(text: str) -> triton_grpc.model_config_pb2.ModelConfig:
    """Read as Triton does: an unknown field is an error."""
    return text_format.Parse(text, triton_grpc.model_config_pb2.ModelConfig())


def test_the_specifications_are_what_workers_and_servers_were_told() -> None:
    """A change here needs new model names: workers and servers are not replaced at one moment."""
    tensors = {
        spec.name: [(t.name, t.datatype, t.shape) for t in (*spec.inputs, *spec.outputs)]
        for spec in MODELS
    }

    assert tensors == {
        "recommender": [
            ("items", "INT64", (50,)),
            ("kinds", "INT64", (50,)),
            ("candidates", "INT64", (64,)),
            ("scores", "FP32", (64,)),
        ],
        "recommender_vocabulary": [("span", "INT64", (2,)), ("product_ids", "BYTES", (-1,))],
        "forecaster": [
            ("demand", "FP32", (364,)),
            ("weekday", "INT64", (1,)),
            ("days", "FP32", (112, 2)),
            ("cumulative", "FP32", (28, 9)),
        ],
    }


@pytest.mark.parametrize("spec", MODELS, ids=lambda spec: spec.name)
def test_the_configuration_says_what_the_specification_says(spec: ModelSpec) -> None:
    config = parsed(config_of(spec, ("1",)))

    for wanted, got in (
        *zip(spec.inputs, config.input, strict=True),
        *zip(spec.outputs, config.output, strict=True),
    ):
        datatype = triton_grpc.model_config_pb2.DataType.Name(got.data_type)
        assert (got.name, datatype, tuple(got.dims)) == (
            wanted.name,
            _TYPES[wanted.datatype],
            wanted.shape,
        )
    assert (config.name, config.max_batch_size) == (spec.name, spec.max_rows)


@pytest.mark.parametrize("spec", MODELS, ids=lambda spec: spec.name)
def test_the_batcher_batches_and_the_server_does_not(spec: ModelSpec) -> None:
    assert not parsed(config_of(spec, ("1",))).HasField("dynamic_batching")


@pytest.mark.parametrize("spec", MODELS, ids=lambda spec: spec.name)
def test_the_configuration_names_the_versions_to_serve(spec: ModelSpec) -> None:
    config = parsed(config_of(spec, ("3", "12")))

    assert list(config.version_policy.specific.versions) == [3, 12]


def test_a_version_carries_its_code_and_imports_nothing_of_ours(tiny_repository: Path) -> None:
    for spec in MODELS:
        folder = tiny_repository / spec.name / "1"
        sources = {path.name for path in (ENTRY_POINT, *(SERVED / spec.name).glob("*.py"))}

        assert sources <= {path.name for path in folder.iterdir()}
        assert all("import stream" not in (folder / name).read_text() for name in sources)
        assert all("from stream" not in (folder / name).read_text() for name in sources)


def test_axes_have_one_source() -> None:
    assert RECOMMENDER.inputs[0].shape == (MAX_ITEMS,)
    assert {tensor.shape for tensor in RECOMMENDER.outputs} == {(N_CANDIDATES,)}
    assert FORECASTER.inputs[0].shape == (PAST_DAYS,)
    assert FORECASTER.inputs[2].shape == (HISTORY_DAYS + HORIZON_DAYS, N_DAY_CHANNELS)
    assert FORECASTER.outputs[0].shape == (HORIZON_DAYS, len(QUANTILES))
    assert VOCABULARY.max_rows == 0
