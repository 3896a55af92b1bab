"""Triton's entry point, the same for every model: a version that cannot be loaded harms no other.

Triton 2.51 abandons all versions of a load of which one fails: after a restart a damaged version
would take the one that answers with it. So each becomes ready, and one that could not be loaded
answers every request with the reason.
"""

from __future__ import annotations

import gc
import importlib
import json
import sys
import time
import traceback
from contextlib import suppress
from typing import Any

import triton_python_backend_utils as pb_utils

#: Until it is tried again: what was missing may be there by then, as the memory of a GPU.
_RETRY_S = 30.0
#: Of a reason; gRPC takes 8 KiB of a message.
_N_CHARACTERS = 1_000


class TritonPythonModel:
    """One instance of one version; ``version.py`` beside it says what that is."""

    def initialize(self, args: dict[str, str]) -> None:
        _check_device(args)
        self._args = args
        self._load()

    def execute(self, requests: list[Any]) -> list[Any]:
        if self._version is None and time.monotonic() >= self._retry_at:
            self._load()
        if self._version is None:
            return [self._unavailable() for _ in requests]
        answers: list[Any] = self._version.execute(requests)
        return answers

    def _load(self) -> None:
        self._version: Any = None
        try:
            # Imported here, since that may be what fails.
            self._version = importlib.import_module(".version", __package__).load(self._args)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is this version's own
            what = f"{self._args['model_name']} version {self._args['model_version']}"
            reason = f"{type(error).__name__}: {error}"
            self._told = f"{what} could not be loaded: {reason[:_N_CHARACTERS]}"
            pb_utils.Logger.log_error(f"{self._told}\n{traceback.format_exc()}")
        if self._version is None:
            _let_go()
        self._retry_at = time.monotonic() + _RETRY_S

    def _unavailable(self) -> Any:
        return pb_utils.InferenceResponse(error=pb_utils.TritonError(self._told))


def _check_device(args: dict[str, str]) -> None:
    """Raise where the configuration has ``must_be_gpu`` and the model would run on a CPU."""
    if "must_be_gpu" not in json.loads(args["model_config"]).get("parameters", ()):
        return
    if args["model_instance_kind"] != "GPU":
        raise RuntimeError("must_be_gpu: Triton gives a CPU")
    torch = importlib.import_module("torch")
    if not torch.cuda.is_available():
        raise RuntimeError(f"must_be_gpu: Triton gives a GPU, torch {torch.__version__} finds none")


def _let_go() -> None:
    """Give back what a load that failed took of a GPU: other versions need it."""
    gc.collect()
    if "torch" in sys.modules:
        with suppress(RuntimeError):
            sys.modules["torch"].cuda.empty_cache()
