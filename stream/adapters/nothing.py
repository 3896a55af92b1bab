"""No models: every answer comes from counts. For measuring the stream by itself."""

from __future__ import annotations

from stream.errors import InferenceUnavailable
from stream.model_specs import ModelSpec
from stream.ports import Tensors


class NoModels:
    """An inference port that never answers."""

    async def infer(self, spec: ModelSpec, version: str, inputs: Tensors) -> Tensors:
        """Raise InferenceUnavailable."""
        raise InferenceUnavailable(f"{spec.name}: inference is switched off")
