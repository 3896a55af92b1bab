"""Triton's entry point: items in, best next products out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
import triton_python_backend_utils as pb_utils
from torch import Tensor

from .network import N_KINDS, SessionTransformer


class TritonPythonModel:
    """One instance of one version, on the device that Triton gives it."""

    def initialize(self, args: dict[str, str]) -> None:
        config = json.loads(args["model_config"])
        torch.set_num_threads(int(config["parameters"]["threads"]["string_value"]))
        outputs = {output["name"]: output["dims"] for output in config["output"]}
        self.n_candidates = int(outputs["candidates"][0])
        on_gpu = args["model_instance_kind"] == "GPU" and torch.cuda.is_available()
        self.device = torch.device(f"cuda:{args['model_instance_device_id']}" if on_gpu else "cpu")
        stored = torch.load(
            Path(__file__).with_name("weights.pt"), map_location=self.device, weights_only=True
        )
        self.network = SessionTransformer(**stored["settings"])
        self.network.load_state_dict(stored["weights"])
        self.network.eval().to(self.device)
        self._warm_up(config)

    def execute(self, requests: list[Any]) -> list[Any]:
        return [self._answer(request) for request in requests]

    @torch.inference_mode()
    def _answer(self, request: Any) -> Any:
        items, kinds = (
            torch.from_numpy(pb_utils.get_input_tensor_by_name(request, name).as_numpy())
            for name in ("items", "kinds")
        )
        refusal = _refusal("items", items, self.network.n_products)
        if refusal := refusal or _refusal("kinds", kinds, N_KINDS - 1):
            error = pb_utils.TritonError(refusal, pb_utils.TritonError.INVALID_ARG)
            return pb_utils.InferenceResponse(error=error)
        best = self._best(items.to(self.device), kinds.to(self.device))
        return pb_utils.InferenceResponse(
            [
                pb_utils.Tensor("candidates", (best.indices + 1).cpu().numpy()),
                pb_utils.Tensor("scores", best.values.cpu().numpy()),
            ]
        )

    def _best(self, items: Tensor, kinds: Tensor) -> Any:
        return self.network.score(items, kinds).topk(self.n_candidates, dim=1)

    @torch.inference_mode()
    def _warm_up(self, config: dict[str, Any]) -> None:
        n_rows, length = int(config["max_batch_size"]), int(config["input"][0]["dims"][0])
        items = torch.ones((n_rows, length), dtype=torch.int64, device=self.device)
        self._best(items, items)


def _refusal(name: str, tensor: Tensor, highest: int) -> str:
    """Say which number cannot be; empty where all can."""
    known = (tensor >= 0) & (tensor <= highest)
    if bool(known.all()):
        return ""
    row, column = (int(axis) for axis in (~known).nonzero()[0])
    got = int(tensor[row, column])
    return f"{name}[{row}, {column}]: expected an index from 0 to {highest}, got {got}"
