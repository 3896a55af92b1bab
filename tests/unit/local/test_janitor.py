from __future__ import annotations

import glob
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from stream.local.janitor import Janitor
from tests.harness.waiting import until

#: A shell's background job, and so all that it starts, is told to ignore SIGINT.
WATCH_AND_WAIT = """
import signal, sys
from stream.local.janitor import Janitor
signal.signal(signal.SIGINT, signal.default_int_handler)
print(Janitor(*sys.argv[1:]).pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder that is not empty."""
    folder = tmp_path / "run [1]"
    (folder / "logs").mkdir(parents=True)
    (folder / "logs" / "worker.log").write_text("started")
    return folder


@contextmanager
def watched_by_another(*patterns: str) -> Iterator[subprocess.Popen[str]]:
    """A process that has a janitor for *patterns*, and clears nothing up itself."""
    command = [sys.executable, "-c", WATCH_AND_WAIT, *patterns]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline()
        yield process
        process.kill()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_what_is_watched_goes_with_the_process_however_it_ends(
    folder: Path, number: signal.Signals
) -> None:
    with watched_by_another(glob.escape(str(folder))) as process:
        os.kill(process.pid, number)

        until(lambda: not folder.exists(), "the folder is removed")


def test_nothing_is_removed_while_the_process_lives(folder: Path) -> None:
    janitor = Janitor(glob.escape(str(folder)))

    there = folder.exists()
    janitor.clean()

    assert there
    assert not folder.exists()


def test_all_that_matches_is_removed_and_nothing_else(tmp_path: Path) -> None:
    for name in ("ours_1", "ours_2", "theirs"):
        (tmp_path / name).touch()

    Janitor(f"{glob.escape(str(tmp_path))}/ours_*").clean()

    assert [path.name for path in tmp_path.iterdir()] == ["theirs"]


def test_a_link_is_removed_and_what_it_points_to_stays(tmp_path: Path, folder: Path) -> None:
    link = tmp_path / "link"
    link.symlink_to(folder)

    Janitor(str(link)).clean()

    assert not link.is_symlink()
    assert folder.exists()


def test_a_second_cleaning_does_nothing(folder: Path) -> None:
    janitor = Janitor(glob.escape(str(folder)))
    janitor.clean()

    janitor.clean()

    assert not folder.exists()
