"""The models on a Triton server, over gRPC: one client a process."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stream.adapters.breaker import Breaker
from stream.adapters.guarded import Patience
from stream.adapters.guarded_server import GuardedServer
from stream.adapters.triton_connection import TritonConnection
from stream.adapters.triton_control import TritonControl
from stream.adapters.triton_tensors import nothing_asked, to_inputs, to_outputs
from stream.errors import InferenceRejected, InferenceUnavailable
from stream.model_specs import MODELS, VOCABULARY, ModelSpec
from stream.ports import Tensors
from stream.telemetry import ANSWERS, Telemetry

__all__ = ["Patience", "TritonModels"]

#: The request is at fault, not the server; the model's own refusals have the first. Only of an
#: inference: a model that cannot be loaded answers INVALID_ARGUMENT as well.
_REFUSALS = frozenset({"StatusCode.INVALID_ARGUMENT", "StatusCode.OUT_OF_RANGE"})
#: Product ids an answer of the vocabulary.
_SPAN = 4096


class TritonModels:
    """Answers rows, and says what the server serves. Start and stop it in one event loop.

    Attributes:
        control: Loads models, and asks what is loaded.
    """

    def __init__(
        self,
        url: str,
        *,
        patience: Patience | None = None,
        max_in_flight: int = 2,
        make_breaker: Callable[[], Breaker] | None = None,
        telemetry: Telemetry | None = None,
        purpose: str = ANSWERS,
    ) -> None:
        patience = patience or Patience()
        self._timeout_s = patience.timeout_s
        self._connection = TritonConnection(url)
        self.control = TritonControl(self._connection, patience)
        self._calls = GuardedServer(
            [spec.name for spec in MODELS],
            patience,
            make_breaker or partial(Breaker, n_failures=3, reset_s=2.0),
            telemetry=telemetry or Telemetry(),
            purpose=purpose,
            max_in_flight=max_in_flight,
            ask=self.control.is_live,
            probe=self.control.load_if_missing,
        )

    async def start(self) -> None:
        """Open the channel; it connects with the first call."""
        await self._connection.start()

    async def stop(self) -> None:
        """Close the channel; calls in flight end with InferenceUnavailable."""
        await self._calls.stop()
        await self._connection.stop()

    async def infer(
        self, spec: ModelSpec, version: str, inputs: Tensors
    ) -> dict[str, NDArray[Any]]:
        """Return the output tensors of *version*, checked against *spec*; they are read-only.

        Raises:
            InferenceUnavailable: No usable answer within retries and deadline, or the breaker is
                open; the same request may succeed later.
            InferenceRejected: The server or the model refuses this request.
        """
        tensors, n_rows = to_inputs(spec, inputs)

        async def attempt(timeout_s: float) -> dict[str, NDArray[Any]]:
            return await self._request(spec, version, tensors, n_rows, timeout_s)

        return await self._calls.call(spec.name, attempt)

    async def check(self, specs: Sequence[ModelSpec]) -> None:
        """Compare the server's models with *specs*, as ``TritonControl.check`` does."""
        await self.control.check(specs)

    async def newest_version(self, spec: ModelSpec) -> str:
        """Return the newest version of a model that is ready; InferenceUnavailable if none is."""
        return await self.control.newest_version(spec)

    async def is_ready(self, spec: ModelSpec, version: str) -> bool:
        """Return whether *version* is served; InferenceUnavailable if the server is away."""
        return await self.control.is_ready(spec, version)

    async def touch(self, spec: ModelSpec, version: str) -> None:
        """Have *version* answer nothing much, so that it counts as asked.

        Past the breaker and without retries: what is nobody's says nothing of the others.

        Raises:
            InferenceUnavailable: It did not.
            InferenceRejected: It did not want to.
        """
        await self._request(spec, version, *to_inputs(spec, nothing_asked(spec)), self._timeout_s)

    async def vocabulary(self, version: str) -> tuple[str, ...]:
        """Return the product ids of a recommender version; entry ``i`` has index ``i + 1``.

        Raises:
            InferenceUnavailable: The server does not answer, or has no such version, or refuses.
        """
        product_ids: list[str] = []
        while True:
            span = np.array([len(product_ids), _SPAN], dtype=np.int64)
            try:
                answer = await self.infer(VOCABULARY, version, {"span": span})
            except InferenceRejected as error:
                raise InferenceUnavailable(str(error)) from error
            part = [entry.decode() for entry in answer["product_ids"].tolist()]
            if not part:
                return tuple(product_ids)
            product_ids.extend(part)

    def held_back(self) -> Sequence[str]:
        """Return the models that are not asked now, until a probe succeeds."""
        return self._calls.held_back()

    async def _request(  # noqa: PLR0917 - one request, all of it
        self, spec: ModelSpec, version: str, tensors: list[Any], n_rows: int, timeout_s: float
    ) -> dict[str, NDArray[Any]]:
        client = self._connection.client
        call = client.infer(spec.name, tensors, model_version=version, client_timeout=timeout_s)
        answer = await self._connection.translated(spec.name, call, refusals=_REFUSALS)
        return to_outputs(spec, answer, n_rows)
