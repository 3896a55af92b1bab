"""Where the wheel put Triton's binary, and whether this machine can run it."""

from __future__ import annotations

import importlib.metadata
import importlib.util
import os
import platform
import re
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from stream.errors import LocalPartMissing

#: What the binary of nvidia-pytriton 0.7.0 was linked against.
_MIN_GLIBC = (2, 35)
_INSTALL = "install it with: pip install 'storestream[local]'"
_ELSEWHERE = "run Triton in a container instead (docker compose up) and set STORESTREAM_TRITON_URL"


@dataclass(frozen=True, slots=True)
class TritonWheel:
    """The files of an installed ``nvidia-pytriton`` that matter.

    Attributes:
        stub: The process that runs a Python model, built for this version of Python.
        libraries: What the binary links and a plain system lacks.
    """

    binary: Path
    backend: Path
    stub: Path
    libraries: Path

    def environment(self) -> dict[str, str]:
        """Return the variables that the binary needs.

        The stub links libpython, so this interpreter's library folder comes first; it finds its
        packages through the ``python3`` that is first on the path, which must be this one. Where
        libraries are found now stays last: in many containers that is how a GPU's driver is.
        """
        inherited = os.environ.get("LD_LIBRARY_PATH", "").split(":")
        libraries = [sysconfig.get_config_var("LIBDIR"), str(self.libraries), *inherited]
        return {
            # An empty part would be the working folder.
            "LD_LIBRARY_PATH": ":".join(filter(None, libraries)),
            "PATH": f"{Path(sys.executable).parent}:{os.environ.get('PATH', os.defpath)}",
        }


def find_wheel() -> TritonWheel:
    """Return the wheel's files.

    Raises:
        LocalPartMissing: The server cannot run here; the message says why and what to do.
    """
    _check_machine(platform.system(), platform.machine())
    _check_glibc(platform.libc_ver())
    _check_python(sysconfig.get_config_var("Py_ENABLE_SHARED"))
    _check_numpy(importlib.metadata.version("numpy"))
    return _wheel_in(_package_folder())


def _check_machine(system: str, machine: str) -> None:
    if (system, machine) != ("Linux", "x86_64"):
        raise LocalPartMissing(
            f"embedded Triton: expected Linux on x86_64, got {system} on {machine}; {_ELSEWHERE}"
        )


def _check_glibc(libc: tuple[str, str]) -> None:
    name, version = libc
    numbers = tuple(int(part) for part in re.findall(r"\d+", version)[:2])
    if name != "glibc" or numbers < _MIN_GLIBC:
        wanted = ".".join(map(str, _MIN_GLIBC))
        raise LocalPartMissing(
            f"embedded Triton: expected glibc {wanted} or newer, got {name or 'another libc'} "
            f"{version}; use a newer Linux, or {_ELSEWHERE}"
        )


def _check_python(is_shared: object) -> None:
    if not is_shared:
        raise LocalPartMissing(
            f"embedded Triton: expected a Python with a shared library, got {sys.executable}, "
            "which is linked statically; use the system's Python, or one that was configured "
            f"with --enable-shared (pyenv: PYTHON_CONFIGURE_OPTS=--enable-shared), or {_ELSEWHERE}"
        )


def _check_numpy(version: str) -> None:
    if int(version.split(".", maxsplit=1)[0]) >= 2:
        raise LocalPartMissing(
            f"embedded Triton: expected numpy below 2, got {version}: its Python backend would "
            "answer with empty tensors; pip install 'numpy<2' 'pandas<3' 'pyarrow<=22'"
        )


def _package_folder() -> Path:
    found = importlib.util.find_spec("pytriton")
    if found is None or found.origin is None:
        raise LocalPartMissing(f"embedded Triton: nvidia-pytriton is not installed; {_INSTALL}")
    return Path(found.origin).parent


def _wheel_in(package: Path) -> TritonWheel:
    server = package / "tritonserver"
    python = f"{sys.version_info.major}.{sys.version_info.minor}"
    wheel = TritonWheel(
        binary=server / "bin" / "tritonserver",
        backend=server / "backends" / "python",
        stub=server / "python_backend_stubs" / python / "triton_python_backend_stub",
        libraries=package.parent / "nvidia_pytriton.libs",
    )
    for path in (wheel.binary, wheel.backend, wheel.stub, wheel.libraries):
        if not path.exists():
            raise LocalPartMissing(
                f"embedded Triton: nvidia-pytriton has no {path} for Python {python}; {_INSTALL}"
            )
    return wheel
