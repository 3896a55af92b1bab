from __future__ import annotations

from pathlib import Path

import pytest

from stream.errors import LocalPartMissing
from stream.local import triton_wheel


@pytest.mark.parametrize(
    ("system", "machine"), [("Darwin", "arm64"), ("Windows", "AMD64"), ("Linux", "aarch64")]
)
def test_another_machine_is_refused_naming_the_way_that_works(system: str, machine: str) -> None:
    with pytest.raises(LocalPartMissing, match=f"got {system} on {machine}.*docker compose"):
        triton_wheel._check_machine(system, machine)


@pytest.mark.parametrize("libc", [("glibc", "2.31"), ("", ""), ("musl", "1.2")])
def test_an_old_or_other_libc_is_refused(libc: tuple[str, str]) -> None:
    with pytest.raises(LocalPartMissing, match=r"expected glibc 2\.35 or newer"):
        triton_wheel._check_glibc(libc)


def test_a_static_python_is_refused_saying_what_to_use() -> None:
    with pytest.raises(LocalPartMissing, match="--enable-shared"):
        triton_wheel._check_python(0)


def test_numpy_2_is_refused_since_it_would_answer_with_nothing() -> None:
    with pytest.raises(LocalPartMissing, match=r"got 2\.1\.0.*numpy<2"):
        triton_wheel._check_numpy("2.1.0")


def test_a_package_without_the_binary_is_refused(tmp_path: Path) -> None:
    with pytest.raises(LocalPartMissing, match=r"tritonserver/bin/tritonserver.*pip install"):
        triton_wheel._wheel_in(tmp_path)


def test_this_machine_passes() -> None:
    assert triton_wheel.find_wheel().binary.exists()


@pytest.mark.parametrize(
    ("inherited", "last"),
    [
        ("", ["nvidia_pytriton.libs"]),
        ("/usr/local/nvidia/lib64:", ["nvidia_pytriton.libs", "lib64"]),
        ("/one::/other", ["nvidia_pytriton.libs", "one", "other"]),
    ],
)
def test_libraries_that_are_found_now_are_found_after_tritons_own(
    monkeypatch: pytest.MonkeyPatch, inherited: str, last: list[str]
) -> None:
    monkeypatch.setenv("LD_LIBRARY_PATH", inherited)

    told = triton_wheel.find_wheel().environment()["LD_LIBRARY_PATH"]

    assert [Path(each).name for each in told.split(":")[1:]] == last
