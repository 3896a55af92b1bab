"""What Maven is asked for comes with the package."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stream.errors import LocalPartMissing
from stream.local.apache_kafka import POM, fetch_jars


def test_pom_says_one_version_of_kafka() -> None:
    assert re.findall(r"<kafka.version>([0-9.]+)<", POM.read_text()) == ["4.1.0"]


def test_missing_maven_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.chdir(tmp_path)

    with pytest.raises(LocalPartMissing, match="mvn is not on PATH"):
        fetch_jars()
