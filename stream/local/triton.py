"""The real Triton Inference Server as a child process, from the wheel that carries its binary.

Only the binary of ``nvidia-pytriton`` is used. Its own API starts the Python backend with the
system's interpreter and fails where ours is another one.
"""

from __future__ import annotations

import glob
import shutil
import time
import uuid
from collections.abc import Iterable, Sequence
from pathlib import Path

import tritonclient.grpc as triton_grpc
from tritonclient.utils import InferenceServerException

from stream.errors import LocalPartMissing
from stream.local.children import Child, free_port
from stream.local.janitor import Janitor
from stream.local.triton_wheel import TritonWheel, find_wheel

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - where the Python backend puts its tensors
_SHM_BYTES = 1 << 20
#: The backend makes a folder here whatever TMPDIR says, which stays when it is killed: pb_env.cc
#: of python_backend, ``EnvironmentManager()``. Second: the same inside the folder it works in.
_TEMPORARY, _TEMPORARY_OF_OURS = b"/tmp/python_env_", b"tmp//python_env_"
_STOP_TIMEOUT_S = 8
_POLL_S = 0.1


class EmbeddedTriton:
    """A Triton server on a loopback port that serves a repository by explicit model control.

    Everything it writes (its backend folder, its log, its temporary files) lies in *folder*,
    shared memory aside. All but the log goes when it ends, also when this process is killed.
    """

    def __init__(self, folder: Path, repository: Path, *, start_timeout_s: float = 90.0) -> None:
        self._folder = folder.resolve()
        self._repository = repository
        self._start_timeout_s = start_timeout_s
        self._shm_prefix = f"storestream_{uuid.uuid4().hex[:12]}_"
        self._child: Child | None = None
        self._janitor: Janitor | None = None
        self._port = 0
        self.version = ""

    @property
    def grpc(self) -> str:
        """``host:port`` of the gRPC service; the same after a restart."""
        return f"127.0.0.1:{self._port}"

    @property
    def child(self) -> Child:
        """The server's process, to be watched."""
        if self._child is None:
            raise RuntimeError("EmbeddedTriton: not started")
        return self._child

    @property
    def log_path(self) -> Path:
        return self._folder / "tritonserver.log"

    def start(self, models: Sequence[str] = ()) -> None:
        """Start the server, load *models* and wait until they answer.

        After ``kill`` or ``stop`` it may be started again, and takes the port it had.

        Raises:
            LocalPartMissing: This machine cannot run the binary, or it did not become ready.
        """
        wheel = find_wheel()
        self._port = self._port or free_port()
        self._janitor = Janitor(*self._patterns())
        backends, temporary = self._folder / "backends", self._folder / "tmp"
        _lay_out_backend(wheel, backends / "python")
        temporary.mkdir(exist_ok=True)
        self._child = Child(
            "triton",
            [str(wheel.binary), *self._options(backends, models)],
            log_path=self.log_path,
            environment={**wheel.environment(), "TMPDIR": str(temporary)},
            folder=self._folder,
        )
        try:
            self.version = self._wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        """Stop the server and remove what it left; the log stays for whoever owns the folder."""
        if self._child is not None:
            self._child.stop(_STOP_TIMEOUT_S)
        self._clean()

    def kill(self) -> None:
        """Kill the server at once, as a crash would."""
        self.child.kill()
        self._clean()

    def _options(self, backends: Path, models: Iterable[str]) -> list[str]:
        python_backend = {
            "shm-default-byte-size": _SHM_BYTES,
            "shm-growth-byte-size": _SHM_BYTES,
            "shm-region-prefix-name": self._shm_prefix,
        }
        return [
            f"--model-repository={self._repository.resolve()}",
            f"--backend-directory={backends}",
            "--model-control-mode=explicit",
            *(f"--load-model={name}" for name in models),
            "--grpc-address=127.0.0.1",
            f"--grpc-port={self._port}",
            "--allow-http=false",
            "--allow-metrics=false",
            "--pinned-memory-pool-byte-size=0",
            "--exit-timeout-secs=5",
            *(f"--backend-config=python,{name}={value}" for name, value in python_backend.items()),
        ]

    def _wait_until_ready(self) -> str:
        deadline = time.monotonic() + self._start_timeout_s
        client = triton_grpc.InferenceServerClient(self.grpc)
        try:
            while time.monotonic() < deadline and not self.child.ends_within(_POLL_S):
                if (version := _version_when_ready(client)) is not None:
                    return version
        finally:
            client.close()
        ended = self.child.returncode
        what = "was not ready in time" if ended is None else f"ended with code {ended}"
        raise LocalPartMissing(
            f"Triton {what}; from its log {self.log_path}:\n{_errors_in(self.child.tail(200))}"
        )

    def _patterns(self) -> list[str]:
        """What is removed after the server, as ``glob`` reads it."""
        folder = glob.escape(str(self._folder))
        inside = [f"{folder}/{name}" for name in ("tmp", "backends")]
        return [*inside, f"{SHARED_MEMORY}/{self._shm_prefix}*"]

    def _clean(self) -> None:
        if self._janitor is not None:
            self._janitor.clean()


def _lay_out_backend(wheel: TritonWheel, folder: Path) -> None:
    """Put the backend and the stub of this Python side by side, which the wheel does not."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for source in (*wheel.backend.glob("*.py"), wheel.stub):
        (folder / source.name).symlink_to(source)
    for library in wheel.backend.glob("*.so"):
        own = library.read_bytes().replace(_TEMPORARY, _TEMPORARY_OF_OURS)
        (folder / library.name).write_bytes(own)


def _errors_in(log: str) -> str:
    """Return the lines that tell an error, which tables of options surround, or the last few."""
    lines = log.splitlines()
    errors = [line for line in lines if line.startswith(("E1", "E0", "error", "Traceback"))]
    return "\n".join((errors or lines)[-10:])


def _version_when_ready(client: triton_grpc.InferenceServerClient) -> str | None:
    try:
        if not client.is_server_ready(client_timeout=1.0):
            return None
        return str(client.get_server_metadata(client_timeout=1.0).version)
    except InferenceServerException:
        return None
