"""Every setting, its default and its limits. Nothing else reads the environment.

``Settings(...)`` is a plain frozen value that reads nothing. :func:`load` is what a process calls at
start: the environment (``STORESTREAM_...``) wins over the file, the file over the defaults, and
every mistake in either is listed at once.
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import Field, SecretStr, ValidationError, model_validator
from pydantic_core import PydanticCustomError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from stream.domain.events import MAX_PARTITIONS
from stream.errors import Misconfigured
from stream.mistakes import Mistake, Rule, from_errors, from_rules, from_unknown, listed
from stream.model_specs import FORECASTER, HISTORY_DAYS, HORIZON_DAYS, N_CANDIDATES, RECOMMENDER
from stream.store_days import StoreDays

PREFIX = "STORESTREAM_"
#: Names the TOML file; itself no setting.
FILE_VARIABLE = f"{PREFIX}FILE"
#: What the tests are told; no settings either.
TEST_PREFIX = f"{PREFIX}TEST_"
KIB = 1024
MIB = 1024 * KIB
#: Of a record batch with one record (61 + 21 bytes in format 2), rounded up.
BATCH_OVERHEAD_BYTES = KIB


class Settings(BaseSettings):
    """What a worker is told at start. Times, sizes and counts have their unit in the name."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX, frozen=True, extra="forbid", validate_default=True
    )

    # -- broker ------------------------------------------------------------------------------
    bootstrap_servers: str = Field("127.0.0.1:9092", description="host:port, comma-separated")
    client_id: str = Field("storestream", min_length=1, description="name in the broker's logs")
    group_id: str = Field("storestream", min_length=1, description="consumer group of workers")
    partitions: int = Field(4, ge=1, le=MAX_PARTITIONS, description="partitions of each topic")
    replication: int = Field(1, ge=1, le=9, description="copies of each topic; 3 in production")
    min_insync_replicas: int = Field(1, ge=1, le=9, description="copies that confirm a write")
    broker_session_timeout_s: float = Field(
        10, ge=1, le=300, description="silence before a worker counts as dead"
    )
    broker_heartbeat_interval_s: float = Field(
        3, ge=0.1, le=100, description="a third of the session timeout"
    )
    broker_rebalance_timeout_s: float = Field(
        10, ge=2, le=600, description="time a worker has to hand its partitions over"
    )
    broker_request_timeout_s: float = Field(30, ge=2, le=600, description="one broker request")
    broker_max_poll_interval_s: float = Field(
        900, ge=10, le=7200, description="longest time between two fetches"
    )
    recovery_timeout_s: float = Field(600, gt=0, le=7200, description="rebuilding all state")
    commit_interval_s: float = Field(1, ge=0.05, le=60, description="between offset commits")

    # -- broker: who we are ------------------------------------------------------------------
    security_protocol: Literal["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"] = Field(
        "PLAINTEXT", description="how to talk to the broker"
    )
    sasl_mechanism: Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"] = Field(
        "SCRAM-SHA-512", description="read when the protocol is SASL"
    )
    sasl_username: str | None = Field(None, description="SASL user")
    sasl_password: SecretStr | None = Field(None, description="SASL password")
    ssl_cafile: Path | None = Field(None, description="certificate authority, PEM")
    ssl_certfile: Path | None = Field(None, description="client certificate, PEM")
    ssl_keyfile: Path | None = Field(None, description="client key, PEM")
    ssl_key_password: SecretStr | None = Field(None, description="password of the client key")

    # -- reading and publishing --------------------------------------------------------------
    max_chunk_records: int = Field(4000, ge=1, le=100_000, description="records a fetched chunk")
    max_chunks_buffered: int = Field(4, ge=1, le=64, description="chunks waiting for one agent")
    fetch_wait_ms: int = Field(
        50, ge=1, le=10_000, description="the broker holds a fetch that finds nothing"
    )
    max_bytes_in_flight: int = Field(
        64 * MIB, ge=MIB, description="bytes fetched and not completed; then partitions pause"
    )
    max_event_bytes: int = Field(MIB, ge=KIB, description="larger events become dead letters")
    max_dead_letter_bytes: int = Field(
        256 * KIB, ge=2 * KIB, description="a dead letter: key, value and headers together"
    )
    idempotent: bool = Field(False, description="idempotent producer; not on the embedded broker")
    exactly_once: bool = Field(
        False, description="one transaction a micro-batch; not on the embedded broker"
    )
    transaction_timeout_s: float = Field(
        30, ge=1, le=600, description="until an open transaction is aborted; exactly once"
    )
    producer_batch_bytes: int = Field(
        512 * KIB, ge=512 * KIB, description="largest produced batch, and so the largest record"
    )
    delivery_timeout_s: float = Field(
        60, gt=0, le=600, description="until an unconfirmed batch stops the worker"
    )

    # -- inference ---------------------------------------------------------------------------
    inference: Literal["triton", "none"] = Field(
        "triton", description="none: degraded answers only, to measure the stream by itself"
    )
    triton_url: str = Field("127.0.0.1:8001", description="host:port of Triton's gRPC")
    triton_timeout_s: float = Field(1, gt=0, le=60, description="deadline of one request")
    triton_in_flight: int = Field(4, ge=1, le=64, description="requests at a time, each model")
    triton_retries: int = Field(2, ge=0, le=10, description="after the first attempt")
    triton_backoff_s: float = Field(0.05, ge=0, le=10, description="before a retry; doubles")
    triton_deadline_s: float = Field(1, gt=0, le=300, description="one call with its retries")
    triton_recommender_version: str = Field("", pattern=r"^\d*$", description="empty: decided")
    triton_forecaster_version: str = Field("", pattern=r"^\d*$", description="empty: decided")
    breaker_failures: int = Field(3, ge=1, le=100, description="of one model, in a row")
    breaker_reset_s: float = Field(2, gt=0, le=300, description="open, until one call may try")

    # -- recommendations ---------------------------------------------------------------------
    max_rows: int = Field(64, ge=1, le=1024, description="visitors a recommender request")
    recommend_in_flight: int = Field(4, ge=1, le=64, description="micro-batches at a time")
    conflate: bool = Field(True, description="one answer for many events of a visitor at once")
    n_recommended: int = Field(10, ge=1, le=N_CANDIDATES, description="items in an answer")
    n_novel: int = Field(1, ge=0, le=N_CANDIDATES, description="of these, unknown to the model")
    exclude_bought_within_hours: float = Field(
        24, ge=0, le=8760, description="what was bought is not recommended again so soon"
    )

    # -- stock -------------------------------------------------------------------------------
    stock_tick_s: float = Field(5, gt=0, le=3600, description="looks for products due")
    stock_in_flight_rows: int = Field(
        256, ge=1, le=FORECASTER.max_rows, description="products a forecaster request"
    )
    default_lead_time_days: int = Field(7, ge=0, le=365, description="where none is known")
    review_days: int = Field(1, ge=0, le=HORIZON_DAYS, description="days between two orders")
    order_days: int = Field(14, ge=0, le=365, description="days that an order is to last beyond")
    service_level: float = Field(
        0.9, ge=0.5, le=0.99, description="share of cases in which the shelf must last"
    )
    updated_after_days: int = Field(
        2, ge=1, le=HORIZON_DAYS, description="shift of the stock-out date worth an update"
    )
    alert_interval_minutes: float = Field(
        15, ge=0, le=1440, description="between messages of an alert, but for what is worse"
    )
    snooze_on_order: bool = Field(
        True, description="a shortage that dated deliveries end waits until they are due"
    )
    overstock_days: int = Field(120, ge=1, le=3650, description="what lasts longer is too much")
    dead_stock_days: int = Field(
        60, ge=1, le=HISTORY_DAYS, description="for sale and not sold for so long is dead"
    )
    spike_ratio: float = Field(3, ge=1, le=100, description="today over an ordinary day: a spike")
    spike_min_units: int = Field(10, ge=1, description="fewer units a day are no spike")
    nearly_sold_out_units: int = Field(
        0, ge=0, description="so few units left are recommended no more"
    )
    overstock_places: int = Field(
        0, ge=0, le=N_CANDIDATES, description="places that overstock moves up in an answer"
    )

    # -- the store's days --------------------------------------------------------------------
    store_timezone: str = Field("UTC", description="IANA name, as Europe/Berlin: when a day begins")
    closed_weekdays: str = Field("", description="mon to sun, comma-separated: no sales then")
    closed_dates: str = Field("", description="ISO dates, comma-separated: no sales then")

    # -- state and time ----------------------------------------------------------------------
    state_ttl_days: float = Field(90, gt=0, le=3650, description="untouched state is deleted")
    future_tolerance_s: float = Field(300, ge=0, description="clock skew; then event time is cut")

    # -- operation ---------------------------------------------------------------------------
    metrics_host: str = Field("127.0.0.1", description="address of /metrics, /live and /ready")
    metrics_port: int = Field(8000, ge=0, le=65_535, description="0: none")
    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="least")
    log_format: Literal["console", "json"] = Field("json", description="one line a log entry")
    watchdog_s: float = Field(
        60, gt=0, le=3600, description="work, or a loop, that stands still: stop"
    )
    quarantine_after: int = Field(
        3, ge=0, le=100, description="crashes at a record until it is set aside; 0: never"
    )
    shutdown_timeout_s: float = Field(8, gt=0, le=600, description="drain, confirm and leave")

    @property
    def bootstrap(self) -> tuple[str, ...]:
        """Brokers as ``host:port``, at least one."""
        return tuple(part.strip() for part in self.bootstrap_servers.split(",") if part.strip())

    @property
    def days(self) -> StoreDays:
        """When a day begins, and on which the store sells nothing."""
        return StoreDays(self.store_timezone, self.closed_weekdays, self.closed_dates)

    @classmethod
    def settings_customise_sources(  # noqa: PLR0917 - the signature of pydantic-settings
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read arguments only: a value built in a test must not depend on the machine."""
        return (init_settings,)

    @model_validator(mode="after")
    def _rules_hold(self) -> Self:
        broken = [rule for rule, holds in RULES.items() if not holds(self)]
        if broken:
            text = "; ".join(f"{' and '.join(rule.names)}: {rule.expected}" for rule in broken)
            raise PydanticCustomError("rules", "{text}", {"text": text, "rules": broken})
        return self


RULES: Mapping[Rule, Callable[[Settings], bool]] = {
    Rule(("bootstrap_servers",), "host:port, comma-separated"): lambda s: (
        bool(s.bootstrap) and all(_is_address(address) for address in s.bootstrap)
    ),
    Rule(("triton_url",), "host:port"): lambda s: _is_address(s.triton_url),
    Rule(
        ("broker_session_timeout_s", "broker_request_timeout_s"),
        "a session timeout below the request timeout",
    ): lambda s: s.broker_session_timeout_s < s.broker_request_timeout_s,
    Rule(
        ("broker_heartbeat_interval_s", "broker_session_timeout_s"),
        "at least three heartbeats in a session timeout",
    ): lambda s: 3 * s.broker_heartbeat_interval_s <= s.broker_session_timeout_s,
    Rule(
        ("shutdown_timeout_s", "broker_rebalance_timeout_s"),
        "a shutdown shorter than the rebalance timeout",
    ): lambda s: s.shutdown_timeout_s < s.broker_rebalance_timeout_s,
    Rule(
        ("triton_deadline_s", "shutdown_timeout_s"),
        "an inference deadline shorter than the shutdown",
    ): lambda s: s.triton_deadline_s < s.shutdown_timeout_s,
    Rule(
        ("triton_deadline_s", "broker_session_timeout_s"),
        "an inference deadline below the session timeout",
    ): lambda s: s.triton_deadline_s < s.broker_session_timeout_s,
    Rule(
        ("triton_timeout_s", "triton_deadline_s"),
        "a request no longer than the call's deadline",
    ): lambda s: s.triton_timeout_s <= s.triton_deadline_s,
    Rule(
        ("recovery_timeout_s", "broker_max_poll_interval_s"),
        "a recovery that ends before the group takes the worker for dead",
    ): lambda s: s.recovery_timeout_s < s.broker_max_poll_interval_s,
    Rule(
        ("commit_interval_s", "broker_rebalance_timeout_s"),
        "a commit interval below the rebalance timeout",
    ): lambda s: s.commit_interval_s < s.broker_rebalance_timeout_s,
    Rule(
        ("broker_request_timeout_s", "delivery_timeout_s"),
        "a delivery timeout of at least one request",
    ): lambda s: s.broker_request_timeout_s <= s.delivery_timeout_s,
    Rule(
        ("transaction_timeout_s", "watchdog_s"), "a watchdog more patient than one transaction"
    ): lambda s: not s.exactly_once or s.transaction_timeout_s < s.watchdog_s,
    Rule(
        ("max_dead_letter_bytes", "producer_batch_bytes"),
        f"a dead letter at least {BATCH_OVERHEAD_BYTES} bytes smaller than a produced batch",
    ): lambda s: s.max_dead_letter_bytes + BATCH_OVERHEAD_BYTES <= s.producer_batch_bytes,
    Rule(
        ("triton_deadline_s", "watchdog_s"), "a watchdog more patient than one inference"
    ): lambda s: s.triton_deadline_s < s.watchdog_s,
    Rule(
        ("min_insync_replicas", "replication"), "no more copies in sync than there are"
    ): lambda s: s.min_insync_replicas <= s.replication,
    Rule(("max_rows",), f"at most {RECOMMENDER.max_rows}, the model's own limit"): lambda s: (
        s.max_rows <= RECOMMENDER.max_rows
    ),
    Rule(
        ("max_event_bytes", "max_bytes_in_flight"), "room for one event among the bytes in flight"
    ): lambda s: s.max_event_bytes <= s.max_bytes_in_flight,
    Rule(
        ("default_lead_time_days", "review_days"),
        f"together at most {HORIZON_DAYS} days, the forecaster's horizon",
    ): lambda s: s.default_lead_time_days + s.review_days <= HORIZON_DAYS,
    Rule(
        ("security_protocol", "sasl_username", "sasl_password"), "user and password with SASL"
    ): lambda s: (
        not s.security_protocol.startswith("SASL") or bool(s.sasl_username and s.sasl_password)
    ),
    Rule(("store_timezone",), "a time zone of the IANA database, as Europe/Berlin"): lambda s: (
        s.days.has_zone
    ),
    Rule(
        ("closed_weekdays", "closed_dates"),
        "of mon, tue, wed, thu, fri, sat, sun six at most, and dates as 2026-12-25",
    ): lambda s: s.days.has_open_days,
    Rule(("ssl_certfile", "ssl_keyfile"), "both of certificate and key, or neither"): lambda s: (
        (s.ssl_certfile is None) == (s.ssl_keyfile is None)
    ),
}


def load(file: Path | None = None) -> Settings:
    """Read the settings of this process.

    Args:
        file: TOML of setting names and values; without it the one that ``STORESTREAM_FILE`` names.

    Raises:
        Misconfigured: Listing every mistake with its place, what was expected and what was got.
    """
    file = file or _file_of_environment()
    in_file = {} if file is None else _read(file)
    in_environment = EnvSettingsSource(Settings, env_prefix=PREFIX)()
    where = dict.fromkeys(in_file, str(file))
    where |= {name: f"environment {PREFIX}{name.upper()}" for name in in_environment}
    mistakes = _unknown_variables()
    mistakes += from_unknown(in_file.keys() - _NAMES.keys(), [*_NAMES], str(file))
    known = {name: value for name, value in in_file.items() if name in _NAMES} | in_environment
    settings, wrong = _validated(known, where)
    if settings is None or mistakes:
        raise Misconfigured(listed([*mistakes, *wrong]))
    return settings


def _validated(
    values: Mapping[str, Any], where: Mapping[str, str]
) -> tuple[Settings | None, list[Mistake]]:
    """Check *values* one by one, then against each other as far as they can be used."""
    try:
        return Settings(**values), []
    except ValidationError as error:
        errors = [item for item in error.errors() if item["loc"]]
    faulty = {str(item["loc"][0]) for item in errors}
    usable = {name: value for name, value in values.items() if name not in faulty}
    rules = [rule for rule in _broken(usable) if faulty.isdisjoint(rule.names)]
    defaults = {name: field.default for name, field in _NAMES.items()}
    return None, [
        *from_errors(errors, where, SECRETS),
        *from_rules(rules, defaults | usable, where, SECRETS),
    ]


def _broken(values: Mapping[str, Any]) -> list[Rule]:
    try:
        Settings(**values)
    except ValidationError as error:
        return [rule for item in error.errors() for rule in item.get("ctx", {}).get("rules", ())]
    return []


def _unknown_variables() -> list[Mistake]:
    known = [f"{PREFIX}{name.upper()}" for name in _NAMES] + [FILE_VARIABLE]
    unknown = sorted(name for name in os.environ if name.upper().startswith(PREFIX))
    return from_unknown(
        [
            name
            for name in unknown
            if name.upper() not in known and not name.startswith(TEST_PREFIX)
        ],
        known,
        "environment",
    )


def _file_of_environment() -> Path | None:
    named = os.environ.get(FILE_VARIABLE)
    return Path(named) if named else None


def _read(file: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(file.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise Misconfigured(f"settings file {file}: {error}") from error


def _is_address(text: str) -> bool:
    host, _, port = text.rpartition(":")
    return bool(host) and port.isdigit() and 0 < int(port) < 65_536


_NAMES = Settings.model_fields
SECRETS = frozenset(name for name, field in _NAMES.items() if "SecretStr" in str(field.annotation))
