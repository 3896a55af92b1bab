"""What Maven is asked for comes with the package."""

from __future__ import annotations

from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

from stream.errors import LocalPartMissing
from stream.local.apache_kafka import POM, fetch_jars

NAMESPACE = "{http://maven.apache.org/POM/4.0.0}"


def test_pom_is_xml_that_names_the_version_of_kafka() -> None:
    pom = ET.parse(POM).getroot()  # noqa: S314 - our own

    assert pom.findtext(f"{NAMESPACE}properties/{NAMESPACE}kafka.version") == "4.1.0"


def test_missing_maven_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.chdir(tmp_path)

    with pytest.raises(LocalPartMissing, match="mvn is not on PATH"):
        fetch_jars()
