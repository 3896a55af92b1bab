"""Children end with us, tell why they died, and leave no process behind."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stream.local.children import Child, Children, free_port
from tests.harness.waiting import until

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's prctl is needed")

START_AND_WAIT = """
import pathlib, sys
from stream.local.children import Child
child = Child("c", ["/bin/sleep", "60"], log_path=pathlib.Path(sys.argv[1]))
print(child.pid, flush=True)
sys.stdin.read()
"""


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[[str], Child]]:
    children = Children()

    def start_shell(script: str, name: str = "child") -> Child:
        command = ["/bin/sh", "-c", script]
        return children.add(Child(name, command, log_path=tmp_path / f"{name}.log"))

    yield start_shell
    children.stop(timeout_s=1)


def is_running(pid: int) -> bool:
    """A zombie that nobody reaps yet does not run."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_free_port_can_be_listened_on() -> None:
    port = free_port()

    with socket.create_server(("127.0.0.1", port)) as listener:
        assert listener.getsockname()[1] == port


def test_free_port_is_given_to_nobody_else_who_asks_for_any() -> None:
    port = free_port()

    with socket.socket() as other, pytest.raises(OSError, match="in use"):
        other.bind(("127.0.0.1", port))


def test_output_and_errors_are_in_the_log(start: Callable[[str], Child]) -> None:
    child = start("echo said; echo complained >&2")

    until(lambda: not child.alive, "it ends")

    assert child.tail() == "said\ncomplained"
    assert child.returncode == 0


def test_child_that_ignores_the_request_is_killed(start: Callable[[str], Child]) -> None:
    child = start("trap '' TERM; echo ready; while :; do sleep 1; done")
    until(lambda: child.tail() == "ready", "it is ready")

    child.stop(timeout_s=0.1)

    assert child.returncode == -signal.SIGKILL


MANY_BUSY_THREADS = """
import hashlib, threading
for _ in range(30):
    threading.Thread(target=lambda: [hashlib.sha256(bytes(1_000_000)) for _ in range(10**6)]).start()
print("ready", flush=True)
"""


def test_no_thread_of_a_frozen_child_runs(tmp_path: Path) -> None:
    command = [sys.executable, "-c", MANY_BUSY_THREADS]
    child = Child("busy", command, log_path=tmp_path / "busy.log")
    try:
        until(lambda: child.tail() == "ready", "it is ready")
        child.freeze()
        told = [(task / "stat").read_text() for task in Path(f"/proc/{child.pid}/task").iterdir()]
    finally:
        child.kill()

    assert {each.rpartition(")")[2].split()[0] for each in told} == {"T"}
    assert len(told) > 30


def test_stop_takes_the_grandchildren_along(start: Callable[[str], Child]) -> None:
    child = start("sleep 60 & echo $!; wait")
    until(lambda: child.tail().isdigit(), "it has started another")

    child.stop()

    until(lambda: not is_running(int(child.tail())), "the other ends")


def test_child_dies_with_a_parent_that_was_killed(tmp_path: Path) -> None:
    command = [sys.executable, "-c", START_AND_WAIT, str(tmp_path / "child.log")]
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as parent:
        assert parent.stdout is not None
        pid = int(parent.stdout.readline())
        assert is_running(pid)

        os.kill(parent.pid, signal.SIGKILL)

    until(lambda: not is_running(pid), "the child dies")


def test_death_names_child_code_and_log(start: Callable[..., Child], tmp_path: Path) -> None:
    children = Children()
    children.add(start("sleep 60", "steady"))
    children.add(start("exit 3", "weak"))

    death = until(children.death, "one of them ends")

    assert str(death) == f"weak ended with code 3; its log: {tmp_path / 'weak.log'}"


def test_environment_is_added_to_ours(tmp_path: Path) -> None:
    command = ["/bin/sh", "-c", "echo $SHELF $HOME"]

    child = Child("c", command, log_path=tmp_path / "c.log", environment={"SHELF": "empty"})

    until(lambda: not child.alive, "it ends")
    assert child.tail() == f"empty {os.environ['HOME']}"
