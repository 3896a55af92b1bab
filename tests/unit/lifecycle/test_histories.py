from __future__ import annotations

from pathlib import Path

import pytest

from stream.domain.trail import Kind
from stream.errors import Misconfigured
from stream.lifecycle.histories import histories_in


def test_the_first_histories_of_a_file_are_read(tmp_path: Path) -> None:
    path = tmp_path / "histories.jsonl"
    path.write_text('["p1", "p2"]\n["p3"]\n["p4"]\n')

    first, second = histories_in(path, 2)

    assert first == (("p1", "p2"), [Kind.VIEW, Kind.VIEW])
    assert second == (("p3",), [Kind.VIEW])


@pytest.mark.parametrize("text", ["p1, p2\n", "[1]\n", None])
def test_a_file_of_anything_else_is_told(tmp_path: Path, text: str | None) -> None:
    path = tmp_path / "histories.jsonl"
    if text is not None:
        path.write_text(text)

    with pytest.raises(Misconfigured, match=r"histories\.jsonl"):
        histories_in(path, 2)
