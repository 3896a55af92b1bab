"""The alerts that a worker published, listed from a broker on the command line."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from msgspec.structs import replace

from stream.codec import encode
from stream.domain.outputs import StockAlert, alert_key
from stream.kafka.partitioning import partition_of
from stream.kafka.records import OutRecord
from stream.local.broker import EmbeddedBroker
from stream.topics import STOCK_ALERTS
from tests.harness.events import N_PARTITIONS
from tests.harness.store import Store
from tests.unit.planning.alerts import make_alert

pytestmark = pytest.mark.broker

N_OTHERS = 40
HOSTILE = "\x1b[2J\r\u202e[b]evil[/b]"
MILK = make_alert("milk", "out_of_stock", severity="critical", name="Whole milk", at_risk=100.0)
MILK_SPIKE = make_alert("milk", "demand_spike", name="Whole milk", at_risk=100.0)
TEA = make_alert("tea", status="snoozed", snoozed_until="2017-06-09", name=HOSTILE, at_risk=7.0)
AXE = make_alert("axe", "overstock", severity="info", at_risk=None)


class Told(NamedTuple):
    """What a run of the command told."""

    code: int
    out: str
    err: str

    @property
    def lines(self) -> list[str]:
        return [" ".join(line.split()) for line in self.out.splitlines()]

    @property
    def alerts(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


def stock(bootstrap: str, *arguments: str) -> Told:
    done = subprocess.run(
        [sys.executable, "-m", "stream", "stock", *arguments],
        check=False,
        env={**os.environ, "STORESTREAM_BOOTSTRAP_SERVERS": bootstrap},
        capture_output=True,
        text=True,
        timeout=120,
    )
    return Told(done.returncode, done.stdout, done.stderr)


def told(alert: StockAlert) -> OutRecord:
    return record(alert, encode(alert))


def record(alert: StockAlert, value: bytes | None) -> OutRecord:
    """A record under the key of *alert*, in the partition of its product."""
    partition = partition_of(alert.product_id.encode(), N_PARTITIONS)
    key = alert_key(alert.product_id, alert.situation)
    return OutRecord(STOCK_ALERTS.name, partition, key, value)


def test_empty_topic_has_no_alerts_and_is_no_failure(store: Store) -> None:
    run, as_json = stock(store.bootstrap), stock(store.bootstrap, "--json")

    assert (run.code, run.out.count("\n")) == (0, 1)
    assert "No stock alert is present" in run.out
    assert (as_json.code, as_json.out) == (0, "")


@pytest.fixture(scope="module")
def filled(store: Store) -> Store:
    gone, over, damaged = make_alert("gone"), make_alert("over"), make_alert("damaged")
    store.publish(
        *map(told, (gone, over, damaged, replace(MILK, severity="high"), TEA, AXE)),
        *map(told, (MILK_SPIKE, MILK, replace(over, status="resolved"))),
        record(gone, None),
        record(damaged, b'\x1b[2J{"type":\xff\r'),
        OutRecord(STOCK_ALERTS.name, 0, b"nobody", b"no alert"),
        *(told(make_alert(f"p{n:02}", "low_stock", at_risk=1.0)) for n in range(N_OTHERS)),
    )
    return store


def test_present_alerts_are_listed_by_revenue_and_added_up_over_products(filled: Store) -> None:
    run = stock(filled.bootstrap)

    assert run.code == 0, run.err
    rows = [line.split() for line in run.lines if "2017-06-0" in line and "as of" not in line]
    assert [row[0] for row in rows[:3]] == ["milk", "milk", "p00"]
    assert len(rows) == 30
    assert any(line.startswith("milk Whole milk out_of_stock critical 36") for line in run.lines)
    assert run.lines[-7:] == [
        "alerts 43 on 42 products: 1 out_of_stock, 40 low_stock, 1 demand_spike, 1 overstock",
        "not shown 13 of these: --limit 43",
        "at risk 140.00 a day over 41 products, each once; 1 more have no price",
        "snoozed 1 more wait for their deliveries: --snoozed",
        "unreadable 2 last records in store.stock-alerts.v1",
        "as of 2017-06-01T12:00:00Z, the latest message's event time",
        "next every figure and the reasons: storestream stock --product ID",
    ]


def test_programs_get_every_alert_as_it_was_published(filled: Store) -> None:
    run = stock(filled.bootstrap, "--json", "--snoozed")

    assert run.out.isascii()
    assert len(run.alerts) == N_OTHERS + 4
    assert run.alerts[:3] == [json.loads(encode(each)) for each in (MILK, MILK_SPIKE, TEA)]
    assert msgspec.convert(run.alerts[-1], StockAlert) == AXE
    assert "2 last records" in run.err


def test_alerts_are_chosen_by_options(filled: Store) -> None:
    severe = stock(filled.bootstrap, "--json", "--min-severity", "critical")
    excess = stock(filled.bootstrap, "--json", "--situation", "excess")
    kinds = stock(filled.bootstrap, "--json", "--kind", "overstock", "--kind", "demand_spike")
    one = stock(filled.bootstrap, "--json", "--limit", "1")

    assert [alert["kind"] for alert in severe.alerts] == ["out_of_stock"]
    assert [alert["product_id"] for alert in excess.alerts] == ["axe"]
    assert [alert["kind"] for alert in kinds.alerts] == ["demand_spike", "overstock"]
    assert [alert["product_id"] for alert in one.alerts] == ["milk"]
    assert "there are 43" in one.err


def test_product_is_told_in_full_and_escaped_although_it_is_snoozed(filled: Store) -> None:
    run = stock(filled.bootstrap, "--product", "tea")

    assert run.code == 0, run.err
    assert r"tea \x1b[2J\r\u202e[b]evil[/b]" in " ".join(run.lines)
    assert {TEA.explanation, "safety_stock 18", "snoozed_until 2017-06-09"} <= set(run.lines)
    assert "\x1b" not in run.out


def test_product_without_an_alert_is_told_by_the_exit_code(filled: Store) -> None:
    run = stock(filled.bootstrap, "--product", "over\x1b")

    assert run.code == 1
    assert r"no alert of product over\x1b is present" in run.err


def test_broker_without_the_topic_and_no_broker_are_told(tmp_path: Path) -> None:
    broker = EmbeddedBroker(tmp_path)
    broker.start()
    without_topic = stock(broker.bootstrap)
    broker.stop()
    gone = stock(broker.bootstrap)

    assert (without_topic.code, gone.code) == (2, 2)
    assert "`storestream topics create`" in without_topic.err
    assert "No broker answers" in gone.err
    assert "Traceback" not in without_topic.err + gone.err
