"""A version of the forecaster: recent demand and what is known of the days in, quantiles of cumulative demand out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
import triton_python_backend_utils as pb_utils
from torch import Tensor

from .network import N_WEEKDAYS, OPEN, PRICE, DemandQuantiles

UNKNOWN = -1.0
#: A price of a hundredth of the usual one, or of a hundred times it, is a mistake.
FARTHEST_PRICE = 4.6


class Version:
    """One instance, on the device that Triton gives it."""

    def __init__(self, network: DemandQuantiles, device: torch.device) -> None:
        self._network = network
        self._device = device

    def execute(self, requests: list[Any]) -> list[Any]:
        return [self._answer(request) for request in requests]

    @torch.inference_mode()
    def _answer(self, request: Any) -> Any:
        demand, weekday, days = (
            torch.from_numpy(pb_utils.get_input_tensor_by_name(request, name).as_numpy())
            for name in ("demand", "weekday", "days")
        )
        if refusal := _refusal(demand, weekday, days):
            error = pb_utils.TritonError(refusal, pb_utils.TritonError.INVALID_ARG)
            return pb_utils.InferenceResponse(error=error)
        cumulative = self._network(
            demand.to(self._device), weekday.to(self._device)[:, 0], days.to(self._device)
        )
        answer = pb_utils.Tensor("cumulative", cumulative.cpu().numpy())
        return pb_utils.InferenceResponse([answer])


def load(args: dict[str, str]) -> Version:
    """Return the version that lies beside this file; *args* are those of Triton's ``initialize``."""
    config = json.loads(args["model_config"])
    torch.set_num_threads(int(config["parameters"]["threads"]["string_value"]))
    on_gpu = args["model_instance_kind"] == "GPU" and torch.cuda.is_available()
    device = torch.device(f"cuda:{args['model_instance_device_id']}" if on_gpu else "cpu")
    pb_utils.Logger.log_info(f"{args['model_name']} version {args['model_version']} is on {device}")
    stored = torch.load(
        Path(__file__).with_name("weights.pt"), map_location=device, weights_only=True
    )
    with torch.device("meta"):
        network = DemandQuantiles(**stored["settings"])
    network.load_state_dict(stored["weights"], assign=True)
    return Version(network.eval(), device)


def _refusal(demand: Tensor, weekday: Tensor, days: Tensor) -> str:
    usable = torch.isfinite(demand) & ((demand >= 0) | (demand == UNKNOWN))
    if not bool(usable.all()):
        row, day = (int(axis) for axis in (~usable).nonzero()[0])
        got = float(demand[row, day])
        return f"demand[{row}, {day}]: expected units, or -1 where unknown, got {got}"
    known = (weekday >= 0) & (weekday < N_WEEKDAYS)
    if not bool(known.all()):
        row = int((~known).nonzero()[0][0])
        return f"weekday[{row}]: expected 0 (Monday) to 6, got {int(weekday[row, 0])}"
    return _refusal_of_days(days)


def _refusal_of_days(days: Tensor) -> str:
    usable = (days[:, :, OPEN] == 0) | (days[:, :, OPEN] == 1)
    if not bool(usable.all()):
        row, day = (int(axis) for axis in (~usable).nonzero()[0])
        got = float(days[row, day, OPEN])
        return f"days[{row}, {day}, {OPEN}]: expected 1 where open, or 0 where closed, got {got}"
    usable = days[:, :, PRICE].abs() <= FARTHEST_PRICE
    if not bool(usable.all()):
        row, day = (int(axis) for axis in (~usable).nonzero()[0])
        got = float(days[row, day, PRICE])
        return (
            f"days[{row}, {day}, {PRICE}]: expected the logarithm of a price over the usual one, "
            f"-{FARTHEST_PRICE} to {FARTHEST_PRICE}, got {got}"
        )
    return ""
