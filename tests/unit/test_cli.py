from __future__ import annotations

import subprocess
import sys

import pytest

from stream import __version__
from stream.cli import app, main
from stream.errors import LocalPartMissing, RecoveryFailed, StoreStreamError
from stream.letters import MAX_REPLAYS


def run(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    monkeypatch.setattr(sys, "argv", ["storestream", *arguments])
    try:
        return main()
    except SystemExit as stop:
        return int(stop.code or 0)


def test_help_names_every_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(monkeypatch, "--help")

    shown = capsys.readouterr().out
    assert code == 0
    names = (
        "worker",
        "skip",
        "config",
        "topics",
        "dead-letters",
        "train",
        "models",
        "demo",
        "bench",
        "schemas",
        "report",
        "stock",
    )
    assert all(name in shown for name in names)


def test_version_is_the_package_s(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(monkeypatch, "--version")

    assert code == 0
    assert capsys.readouterr().out.strip() == __version__


def test_misconfigured_process_says_why_without_a_traceback(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STORESTREAM_PARTITIONS", "0")

    code = run(monkeypatch, "config")

    shown = capsys.readouterr()
    assert code == 2
    assert "STORESTREAM_PARTITIONS" in shown.err
    assert "Traceback" not in shown.err
    assert shown.out == ""


@pytest.mark.parametrize(
    ("error", "code"), [(LocalPartMissing("no x86-64"), 2), (RecoveryFailed("too slow"), 1)]
)
def test_exit_code_tells_a_mistake_from_a_failure(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    error: StoreStreamError,
    code: int,
) -> None:
    def fail() -> None:
        raise error

    monkeypatch.setattr(app, "registered_commands", list(app.registered_commands))
    app.command("fail")(fail)

    assert run(monkeypatch, "fail") == code
    assert capsys.readouterr().err == f"storestream: {error}\n"


def test_pace_must_be_a_number_or_max(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(monkeypatch, "demo", "--speed", "fast")

    assert code == 2
    assert "events a second above 0, or max" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("list", "--topic", "store.tea.v1"), "--topic: Expected one of store.events.v1"),
        (("list", "--since", "soon"), "--since: Expected ISO 8601"),
        (("show", "store.events.v1/2/3"), "Expected TOPIC[PARTITION]@OFFSET"),
        (("show", "store.tea.v1[2]@3"), "got 'store.tea.v1'"),
        (("replay", "--max-replays", f"{MAX_REPLAYS + 1}"), "Invalid value for '--max-replays'"),
    ],
)
def test_mistaken_choice_of_dead_letters_is_refused_before_a_broker_is_asked(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    expected: str,
) -> None:
    code = run(monkeypatch, "dead-letters", *arguments)

    assert code == 2
    assert expected in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--since", "soon"), "--since: Expected ISO 8601"),
        (("--since", "1h", "--until", "2h"), "nothing lies between"),
        (("--window-hours", "0"), "Invalid value for '--window-hours'"),
    ],
)
def test_mistaken_period_of_a_report_is_refused_before_a_broker_is_asked(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    expected: str,
) -> None:
    code = run(monkeypatch, "report", *arguments)

    assert code == 2
    assert expected in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("--kind", "sold_out"), "--kind: Expected one of out_of_stock"),
        (("--situation", "low_stock"), "--situation: Expected one of demand"),
        (("--min-severity", "severe"), "--min-severity: Expected one of info"),
        (("--limit", "0"), "Invalid value for '--limit'"),
    ],
)
def test_mistaken_choice_of_alerts_is_refused_before_a_broker_is_asked(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    arguments: tuple[str, ...],
    expected: str,
) -> None:
    code = run(monkeypatch, "stock", *arguments)

    assert code == 2
    assert expected in capsys.readouterr().err


def test_record_of_a_topic_that_nobody_reads_cannot_be_skipped(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    code = run(monkeypatch, "skip", "store.recommendations.v1", "0", "7")

    assert code == 2
    assert "store.events.v1" in capsys.readouterr().err


def test_help_loads_neither_framework_nor_torch() -> None:
    script = (
        "import sys, stream.cli; heavy = {'faust', 'torch', 'numpy', 'tritonclient', 'aiokafka'};"
        "print(sorted(heavy & set(sys.modules)))"
    )

    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True, timeout=60
    )

    assert done.stdout.strip() == "[]"
