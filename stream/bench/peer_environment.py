"""The peers' packages, in an environment of their own: ours knows none of them."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from stream.errors import LocalPartMissing

FOLDER = Path("var/bench-peers")


def peer_python(requirements: Path, folder: Path, say: Callable[[str], object]) -> Path:
    """Return the interpreter of *folder*, an environment with *requirements*; make it if need be.

    Raises:
        LocalPartMissing: It cannot be made, for want of a package or of the network.
    """
    python = (folder / "bin" / "python").absolute()
    made = folder / ".made-from-requirements.txt"
    wanted = requirements.read_text()
    if not made.exists() or made.read_text() != wanted:
        say(f"Making {folder} with the peers' packages: about a minute, once.")
        _run([sys.executable, "-m", "venv", "--clear", str(folder)])
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        _run([*pip, "--only-binary", ":all:", "--requirement", str(requirements)])
        made.write_text(wanted)
    return python


def pinned(requirements: str) -> dict[str, str]:
    """Return the version of each package that *requirements* names."""
    found = re.findall(r"^([\w-]+)(?:\[[\w,]+\])?==(\S+)$", requirements, re.MULTILINE)
    return dict(found)


def _run(command: Sequence[str]) -> None:
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        said = (done.stderr or done.stdout).strip().splitlines()[-3:]
        raise LocalPartMissing(f"the peers' environment cannot be made: {' '.join(said)}")
