"""What a Triton server serves: asked, compared with what we expect, and loaded."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Sequence
from typing import Any

import structlog

from stream.adapters.guarded import Patience
from stream.adapters.triton_connection import TritonConnection
from stream.adapters.triton_tensors import check_model
from stream.errors import InferenceUnavailable
from stream.model_specs import ModelSpec

log = structlog.get_logger(__name__)


class TritonControl:
    """Asks one server, without a breaker: whoever asks wants to know that it is away.

    Each raises InferenceUnavailable when the server does not answer, or cannot do it.
    """

    def __init__(self, connection: TritonConnection, patience: Patience) -> None:
        self._connection = connection
        self._patience = patience
        self._loading: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)

    async def check(self, specs: Sequence[ModelSpec]) -> None:
        """Compare the server's models with *specs*, after loading those that are not loaded.

        Raises:
            ModelMismatch: A model has other tensors; names it, what was expected and got.
        """
        client, timeout_s = self._connection.client, self._patience.timeout_s
        for spec in specs:
            await self.load_if_missing(spec.name)
            metadata, config = await asyncio.gather(
                self._metadata(spec),
                self._connection.translated(
                    spec.name, client.get_model_config(spec.name, client_timeout=timeout_s)
                ),
            )
            check_model(spec, metadata, config.config)

    async def ready_versions(self, spec: ModelSpec) -> tuple[str, ...]:
        """Return the versions of a model that are ready, oldest first; none if it is not loaded."""
        ready = [each.version for each in await self._ready() if each.name == spec.name]
        return tuple(sorted(ready, key=int))

    async def newest_version(self, spec: ModelSpec) -> str:
        """Return the newest version of a model that is ready."""
        metadata = await self._metadata(spec)
        if not metadata.versions:
            raise InferenceUnavailable(f"{spec.name} at {self._connection.url}: none is ready")
        return str(max(metadata.versions, key=int))

    async def is_ready(self, spec: ModelSpec, version: str) -> bool:
        """Return whether *version* of a model is served."""
        call = self._connection.client.is_model_ready(
            spec.name, version, client_timeout=self._patience.timeout_s
        )
        return bool(await self._connection.translated(spec.name, call))

    async def n_rows_answered(self, spec: ModelSpec) -> dict[str, int]:
        """Return how many rows each version that is served has answered since it was loaded."""
        call = self._connection.client.get_inference_statistics(
            spec.name, client_timeout=self._patience.timeout_s
        )
        statistics = await self._connection.translated(spec.name, call)
        return {each.version: int(each.inference_count) for each in statistics.model_stats}

    async def is_live(self) -> None:
        """Raise when the server does not answer at all."""
        call = self._connection.client.is_server_live(client_timeout=self._patience.alive_s)
        await self._connection.translated("server", call)

    async def load(self, model: str) -> None:
        """Load all versions that the configuration of *model* names, and unload its others.

        Versions that are loaded and named go on answering meanwhile. Where one cannot be loaded
        this raises what Triton says of it; of the others only those stay that were loaded before.
        """
        load = self._connection.client.load_model(model, client_timeout=self._patience.load_s)
        await self._connection.translated(model, load)

    async def load_if_missing(self, model: str) -> None:
        """Load *model* when it is not ready: after a restart in explicit mode none is."""
        async with self._loading[model]:
            if model not in {each.name for each in await self._ready()}:
                log.warning("model_not_loaded", model=model)
                await self.load(model)

    async def _ready(self) -> list[Any]:
        timeout_s = self._patience.timeout_s
        call = self._connection.client.get_model_repository_index(client_timeout=timeout_s)
        index = await self._connection.translated("server", call)
        return [each for each in index.models if each.state == "READY"]

    async def _metadata(self, spec: ModelSpec) -> Any:
        timeout_s = self._patience.timeout_s
        call = self._connection.client.get_model_metadata(spec.name, client_timeout=timeout_s)
        return await self._connection.translated(spec.name, call)
