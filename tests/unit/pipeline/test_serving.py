from __future__ import annotations

from collections.abc import Sequence

import pytest

from stream.errors import InferenceError, InferenceRejected, InferenceUnavailable
from stream.model_specs import ModelSpec
from stream.pipeline.forecasts import Forecaster
from stream.pipeline.proposals import Proposer
from stream.pipeline.serving import Serving
from stream.ports import Tensors
from tests.unit.pipeline.fakes import Model


class Server(Model):
    """A server whose warm-up fails so many times."""

    def __init__(self, *failures: InferenceError) -> None:
        super().__init__()
        self.failures = list(failures)

    async def infer(self, spec: ModelSpec, version: str, inputs: Tensors) -> Tensors:
        if self.failures:
            raise self.failures.pop()
        return await super().infer(spec, version, inputs)

    async def check(self, specs: Sequence[ModelSpec]) -> None:
        """Every model fits."""

    async def newest_version(self, spec: ModelSpec) -> str:
        return "1"

    async def vocabulary(self, version: str) -> tuple[str, ...]:
        return ("milk", "bread")


def make_serving(server: Server) -> Serving:
    return Serving(server, Proposer(server), Forecaster(server), versions={}, retry_s=0.0)


@pytest.mark.parametrize("failure", [InferenceUnavailable("away"), InferenceRejected("no")])
async def test_warm_up_that_fails_is_tried_again(failure: InferenceError) -> None:
    serving = make_serving(Server(failure, failure))

    await serving.until_ready()

    assert serving.ready
