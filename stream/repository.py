"""The model repository on disk: which versions are there, and which of them Triton is to serve.

A model's ``config.pbtxt`` names the versions to serve; Triton reads it when the model is loaded
again, brings the new ones up beside the others and lets go of those no longer named. The versions
that stay are not touched: 2.51 answered every request for one meanwhile.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Collection, Iterable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any
from uuid import uuid4

from google.protobuf import text_format
from tritonclient.grpc import model_config_pb2

from stream.errors import Misconfigured
from stream.model_specs import SERVED_WITH, ModelSpec

CONFIG = "config.pbtxt"
REPORT = "report.json"
_LOCK = ".changing"


class RepositoryLock:
    """Held by who changes what is served, from looking to being done.

    The system lets go of it when its process ends, however that comes about.
    """

    def __init__(self, repository: Path) -> None:
        self._path = repository / _LOCK
        self._held: int | None = None

    def acquire(self, *, wait: bool) -> bool:
        """Hold it, and return whether it is; *wait* blocks until it is free."""
        held = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(held, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BaseException as error:
            os.close(held)
            if isinstance(error, BlockingIOError):
                return False
            raise
        self._held = held
        return True

    def release(self) -> None:
        """Let go of it."""
        if self._held is not None:
            os.close(self._held)
            self._held = None


class ModelRepository:
    """Reads and writes one folder, where each model has a folder and each version one in that."""

    def __init__(self, folder: Path) -> None:
        """Raise Misconfigured if there is no such folder."""
        if not folder.is_dir():
            raise Misconfigured(f"{folder}: expected a folder of models, got none")
        self.folder = folder

    def lock(self) -> RepositoryLock:
        """Return what to hold while changing what is served."""
        return RepositoryLock(self.folder)

    def versions(self, model: str) -> tuple[str, ...]:
        """Return the versions that are on disk, oldest first."""
        return versions_in(self.folder / model)

    def report(self, model: str, version: str) -> dict[str, Any]:
        """Return what training measured of a version; nothing where it left no report."""
        try:
            text = (self.folder / model / version / REPORT).read_text("utf-8")
            report = json.loads(text)
        except (OSError, ValueError):
            return {}
        return report if isinstance(report, dict) else {}

    def served(self, model: str) -> tuple[str, ...]:
        """Return the versions on disk that Triton serves once it has loaded the model.

        Raises:
            Misconfigured: The model has no configuration, or one that cannot be read.
        """
        return served_in(self.folder / model)

    def serve(self, model: str, versions: Collection[str]) -> None:
        """Name *versions* as those to be served, for the next time that the model is loaded.

        Raises:
            Misconfigured: The model has no configuration, or one that cannot be read.
        """
        name_served(self.folder / model, versions)


def versions_in(model: Path) -> tuple[str, ...]:
    """Return the versions in the folder of a model, oldest first."""
    found = [path.name for path in model.glob("*") if path.name.isdigit() and path.is_dir()]
    return in_order(found)


def served_in(model: Path) -> tuple[str, ...]:
    """Return which of the versions in the folder of a model its configuration names.

    Raises:
        Misconfigured: There is no configuration, or it cannot be read.
    """
    policy, present = _read(model / CONFIG).version_policy, versions_in(model)
    match policy.WhichOneof("policy_choice"):
        case "all":
            return present
        case "specific":
            named = set(map(str, policy.specific.versions))
            return tuple(version for version in present if version in named)
        case _:
            # Triton's own choice where nothing is said: the newest one.
            return present[-max(1, policy.latest.num_versions) :]


def name_served(model: Path, versions: Collection[str]) -> None:
    """Name *versions* in the folder of a model, as ``ModelRepository.serve`` does."""
    config = _read(model / CONFIG)
    config.version_policy.Clear()
    config.version_policy.specific.versions.extend(sorted(map(int, versions)))
    replace_text(model / CONFIG, text_format.MessageToString(config))


def next_version(repository: Path, model: str) -> str:
    """Return the number of the next version of *model*: none of what is served with it has that."""
    there = (versions_in(repository / spec.name) for spec in SERVED_WITH[model])
    return str(1 + max(map(int, chain.from_iterable(there)), default=0))


def fits(model: Path, spec: ModelSpec) -> bool:
    """Return whether the model in a folder is configured with the tensors of *spec*.

    Raises:
        Misconfigured: There is no configuration, or it cannot be read.
    """
    config = _read(model / CONFIG)
    named = [(tensor.name, tuple(tensor.dims)) for tensor in (*config.input, *config.output)]
    return named == [(tensor.name, tensor.shape) for tensor in (*spec.inputs, *spec.outputs)]


def in_order(versions: Iterable[str]) -> tuple[str, ...]:
    """Return *versions* by their number, each once."""
    return tuple(sorted(set(versions), key=int))


def replace_text(path: Path, text: str) -> None:
    """Write *text* so that whoever reads *path* finds the old text or the new, never a part."""
    partial = path.with_name(f".{path.name}-{uuid4().hex[:8]}")
    partial.write_text(text, "utf-8")
    partial.replace(path)


def policy_of(versions: Sequence[str]) -> str:
    """Return the line of a configuration that names *versions*."""
    return f"version_policy {{ specific {{ versions: [ {', '.join(versions)} ] }} }}"


def _read(path: Path) -> Any:
    try:
        return text_format.Parse(path.read_text("utf-8"), model_config_pb2.ModelConfig())
    except (OSError, text_format.ParseError) as error:
        raise Misconfigured(f"{path}: expected the configuration of a model: {error}") from error
