"""Each of Faust's twenty traps and each rule of the design has a test that runs, named for it."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[2]
FOLDERS = (TESTS / "unit/traps", TESTS / "integration/traps")
TRAPS = {f"trap_{number:02}" for number in range(1, 21)}
RULES = {
    "rule_1_consumer",
    "rule_1_completion",
    "rule_1_producer",
    "rule_1_state",
    "rule_1_batcher",
    "rule_1_backpressure",
    "rule_3_keys",
    "rule_3_order",
    "rule_3_repeats",
    "rule_3_movements",
    "rule_3_time",
    "rule_3_stored_state",
    "rule_4_at_least_once",
    "rule_4_effectively_once",
    "rule_4_exactly_once",
    "rule_4_bad_input",
    "rule_4_bug",
    "rule_4_triton_away",
    "rule_4_shutdown",
}


def test_every_trap_and_every_rule_has_a_test() -> None:
    tests = [test for folder in FOLDERS for file in folder.glob("test_*.py") for test in _of(file)]
    claims = TRAPS | RULES

    assert (
        claims - {claim for claim in claims for test in tests if f"test_{claim}_" in test} == set()
    )
    assert [
        test for test in tests if test.startswith("test_trap_") and test[5:12] not in TRAPS
    ] == []


# Sources that the collector is given: no test here is skipped, nor expected to fail.
@pytest.mark.parametrize("hidden", ["@pytest.mark.skip\n", "@pytest.mark.xfail\n"])
def test_test_that_does_not_run_is_none(tmp_path: Path, hidden: str) -> None:
    file = tmp_path / "test_some.py"
    file.write_text(f"{hidden}def test_trap_01_some() -> None:\n    assert False\n")

    assert list(_of(file)) == []


def _of(file: Path) -> Iterator[str]:
    """Yield the tests of *file* that assert or expect something, and are not skipped."""
    for node in ast.parse(file.read_text(encoding="utf-8")).body:
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        marks = " ".join(ast.unparse(mark) for mark in node.decorator_list)
        asserts = any(isinstance(part, ast.Assert) for part in ast.walk(node))
        if (
            node.name.startswith("test_")
            and asserts
            and not {"skip", "xfail"} & set(marks.replace("(", ".").split("."))
        ):
            yield node.name
