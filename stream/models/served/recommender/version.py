"""A version of the recommender: items in, best next products out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
import triton_python_backend_utils as pb_utils
from torch import Tensor

from .engine import Answer, Engine, engine_for, together
from .network import N_KINDS, SessionTransformer


class Version:
    """One instance, on the device that Triton gives it."""

    def __init__(self, engine: Engine, n_products: int) -> None:
        self._engine = engine
        self._n_products = n_products

    def execute(self, requests: list[Any]) -> list[Any]:
        """Answer all requests as one batch, but those that ask for what cannot be."""
        read = [_inputs_of(request) for request in requests]
        refusals = [self._refusal(*inputs) for inputs in read]
        asked = [inputs for inputs, refused in zip(read, refusals, strict=True) if not refused]
        answers = iter(together(self._engine, asked))
        return [_refused(each) if each else _answered(next(answers)) for each in refusals]

    def _refusal(self, items: Tensor, kinds: Tensor) -> str:
        return _refusal("items", items, self._n_products) or _refusal("kinds", kinds, N_KINDS - 1)


def load(args: dict[str, str]) -> Version:
    """Return the version that lies beside this file; *args* are those of Triton's ``initialize``."""
    config = json.loads(args["model_config"])
    torch.set_num_threads(int(config["parameters"]["threads"]["string_value"]))
    outputs = {output["name"]: output["dims"] for output in config["output"]}
    on_gpu = args["model_instance_kind"] == "GPU" and torch.cuda.is_available()
    device = torch.device(f"cuda:{args['model_instance_device_id']}" if on_gpu else "cpu")
    pb_utils.Logger.log_info(f"{args['model_name']} version {args['model_version']} is on {device}")
    network = _network(device)
    n_rows = int(config["max_batch_size"])
    engine = engine_for(network, int(outputs["candidates"][0]), max_rows=n_rows)
    warm = torch.ones((n_rows, len(network.repeats)), dtype=torch.int64)
    engine.answer(warm, warm)
    return Version(engine, network.n_products)


def _network(device: torch.device) -> SessionTransformer:
    """Return the network with the weights that were read: none are drawn, and none held twice."""
    stored = torch.load(
        Path(__file__).with_name("weights.pt"), map_location=device, weights_only=True
    )
    with torch.device("meta"):
        network = SessionTransformer(**stored["settings"])
    network.load_state_dict(stored["weights"], assign=True)
    return network.eval()


def _inputs_of(request: Any) -> tuple[Tensor, Tensor]:
    items, kinds = (
        torch.from_numpy(pb_utils.get_input_tensor_by_name(request, name).as_numpy())
        for name in ("items", "kinds")
    )
    return items, kinds


def _refused(reason: str) -> Any:
    error = pb_utils.TritonError(reason, pb_utils.TritonError.INVALID_ARG)
    return pb_utils.InferenceResponse(error=error)


def _answered(answer: Answer) -> Any:
    named = {"candidates": answer.candidates, "scores": answer.scores}
    tensors = [pb_utils.Tensor(name, tensor.numpy()) for name, tensor in named.items()]
    return pb_utils.InferenceResponse(tensors)


def _refusal(name: str, tensor: Tensor, highest: int) -> str:
    """Say which number cannot be; empty where all can."""
    if not tensor.numel():
        return ""
    least, most = torch.aminmax(tensor)
    if least >= 0 and most <= highest:
        return ""
    unknown = (tensor < 0) | (tensor > highest)
    row, column = (int(axis) for axis in unknown.nonzero()[0])
    got = int(tensor[row, column])
    return f"{name}[{row}, {column}]: expected an index from 0 to {highest}, got {got}"
