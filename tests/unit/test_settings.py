from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from pydantic import SecretStr, ValidationError

from stream.errors import Misconfigured
from stream.settings import FILE_VARIABLE, PREFIX, RULES, Settings, load
from stream.settings_table import as_toml, described


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:

    for name in [name for name in os.environ if name.startswith(PREFIX)]:
        monkeypatch.delenv(name)


def set_variables(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    for name, value in values.items():
        monkeypatch.setenv(f"{PREFIX}{name.upper()}", value)


def test_defaults_break_no_rule() -> None:
    settings = load()

    assert settings == Settings()
    assert all(holds(settings) for holds in RULES.values())


def test_environment_wins_over_file_and_file_over_defaults(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    file = tmp_path / "storestream.toml"
    file.write_text('partitions = 8\ngroup_id = "file"\n')
    set_variables(monkeypatch, group_id="environment")

    settings = load(file)

    assert (settings.partitions, settings.group_id, settings.max_rows) == (8, "environment", 64)


def test_file_is_found_by_its_variable(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "storestream.toml"
    file.write_text("partitions = 8\n")
    monkeypatch.setenv(FILE_VARIABLE, str(file))

    assert load().partitions == 8


def test_value_does_not_depend_on_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    set_variables(monkeypatch, partitions="9")

    assert Settings().partitions == 4


@pytest.mark.parametrize(
    "value",
    [{"updated_after_days": 0.5}, {"updated_after_days": 0}, {"stock_in_flight_rows": 257}],
)
def test_what_the_stock_pipeline_could_not_do_is_refused(value: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match=next(iter(value))):
        Settings(**value)


def test_every_mistake_is_listed_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = tmp_path / "storestream.toml"
    file.write_text('replication = "many"\nmax_rowz = 3\n')
    set_variables(
        monkeypatch, partitions="0", triton_urll="x:1", shutdown_timeout_s="20", log_level="loud"
    )

    with pytest.raises(Misconfigured) as caught:
        load(file)

    lines = str(caught.value).splitlines()
    assert lines[0] == "6 settings are wrong:"
    assert sorted(lines[1:]) == sorted(
        [
            "  STORESTREAM_TRITON_URLL (environment): "
            "expected perhaps STORESTREAM_TRITON_URL, got an unknown name",
            f"  max_rowz ({file}): expected perhaps max_rows, got an unknown name",
            "  partitions (environment STORESTREAM_PARTITIONS): "
            "expected greater than or equal to 1, got '0'",
            f"  replication ({file}): expected a valid integer, "
            "unable to parse string as an integer, got 'many'",
            "  log_level (environment STORESTREAM_LOG_LEVEL): "
            "expected 'debug', 'info', 'warning' or 'error', got 'loud'",
            "  shutdown_timeout_s and broker_rebalance_timeout_s "
            "(environment STORESTREAM_SHUTDOWN_TIMEOUT_S, default): "
            "expected a shutdown shorter than the rebalance timeout, got '20', 10",
        ]
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"broker_session_timeout_s": 30},
        {"broker_heartbeat_interval_s": 4},
        {"shutdown_timeout_s": 10},
        {"triton_deadline_s": 9},
        {"triton_timeout_s": 6},
        {"delivery_timeout_s": 10},
        {"watchdog_s": 1},
        {"recovery_timeout_s": 900},
        {"broker_max_poll_interval_s": 600},
        {"max_dead_letter_bytes": 512 * 1024},
        {"min_insync_replicas": 2},
        {"max_rows": 512},
        {"default_lead_time_days": 28},
        {"security_protocol": "SASL_SSL"},
        {"ssl_keyfile": "key.pem"},
        {"bootstrap_servers": "broker"},
        {"bootstrap_servers": ", "},
        {"triton_url": "http://triton:8001/v2"},
        {"store_timezone": "Mars/Olympus"},
        {"store_timezone": "../etc/passwd"},
        {"closed_weekdays": "sun,someday"},
        {"closed_weekdays": "mon,tue,wed,thu,fri,sat,sun"},
        {"closed_dates": "25.12.2026"},
    ],
    ids="-".join,
)
def test_contradicting_settings_are_refused(wrong: dict[str, object]) -> None:
    with pytest.raises(ValidationError, match=next(iter(wrong))):
        Settings(**wrong)  # type: ignore[arg-type] # the point is to be wrong


def test_unreadable_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"missing\.toml"):
        load(tmp_path / "missing.toml")


def test_secrets_are_shown_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    set_variables(monkeypatch, sasl_password="hunter2", security_protocol="SASL_SSL")

    with pytest.raises(Misconfigured) as caught:
        load()
    settings = Settings(sasl_username="me", sasl_password=SecretStr("hunter2"))

    assert "hunter2" not in str(caught.value)
    assert "hunter2" not in repr(settings)
    assert "hunter2" not in "\n".join(as_toml(settings))


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        Settings().partitions = 5  # type: ignore[misc] # the point is that it cannot


def test_printed_settings_load_as_a_file(tmp_path: Path) -> None:
    changed = Settings(partitions=7, conflate=False, sasl_username='a "b"', stock_tick_s=0.25)
    file = tmp_path / "storestream.toml"
    file.write_text("\n".join(as_toml(changed)))

    assert load(file) == changed


def test_every_setting_is_described() -> None:
    table = "\n".join(described())

    assert all(field.description for field in Settings.model_fields.values())
    assert all(f"`{PREFIX}{name.upper()}`" in table for name in Settings.model_fields)
