from __future__ import annotations

import math
import socket
import sys
import tempfile
from pathlib import Path

import pytest

from stream.demo.leftovers import footprint_of
from stream.local.children import Child, free_port
from tests.harness.waiting import until

LISTENING = """
import signal, socket, sys
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print("ready", flush=True)
signal.pause()
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / "run"
    folder.mkdir()
    return folder


def start_listener(tmp_path: Path, port: int) -> Child:
    command = [sys.executable, "-c", LISTENING, str(port)]
    child = Child("listener", command, log_path=tmp_path / "child.log")
    until(lambda: "ready" in child.tail() or not child.alive, "it listens")
    return child


def test_running_child_is_named_with_its_port_and_folder(tmp_path: Path, folder: Path) -> None:
    port = free_port()
    child = start_listener(tmp_path, port)
    try:
        remaining = footprint_of(frozenset({child.pid}), folder, since=math.inf).remaining()
    finally:
        child.stop()

    assert remaining[0].startswith(f"process {child.pid} (")
    assert remaining[1:] == [f"port {port}", str(folder)]


def test_nothing_remains_after_a_clean_stop(tmp_path: Path, folder: Path) -> None:
    child = start_listener(tmp_path, free_port())
    footprint = footprint_of(frozenset({child.pid}), folder, since=math.inf)

    child.stop()
    folder.rmdir()

    assert footprint.remaining() == []


def test_ports_and_processes_of_others_are_not_ours(folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)):
        footprint = footprint_of(frozenset(), folder, since=math.inf)

    assert (footprint.ports, footprint.sessions) == (frozenset(), frozenset())


def test_folder_of_tritons_backend_is_named_when_it_is_no_older(folder: Path) -> None:
    with tempfile.TemporaryDirectory(prefix="python_env_", dir="/tmp") as made:
        made_at = Path(made).stat().st_mtime

        remaining = footprint_of(frozenset(), folder, since=made_at).remaining()
        later = footprint_of(frozenset(), folder, since=made_at + 60).remaining()

    assert set(remaining) == {made, str(folder)}
    assert later == [str(folder)]
