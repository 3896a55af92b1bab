"""What a node of Apache Kafka is told, alone and among others."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from stream.local.kafka_properties import Membership, Wiring, properties

CONTROLLERS = {1: 9001, 2: 9002, 3: 9003}


def told(membership: Membership, wiring: Wiring | None = None) -> dict[str, str]:
    text = properties(membership, port=9092, data=Path("data"), wiring=wiring)
    return dict(line.split("=", 1) for line in text.splitlines())


@pytest.mark.parametrize(
    ("n_nodes", "copies", "min_in_sync"), [(1, "1", "1"), (2, "2", "1"), (3, "3", "2")]
)
def test_all_copies_but_one_confirm_a_write(n_nodes: int, copies: str, min_in_sync: str) -> None:
    controllers = {node_id: CONTROLLERS[node_id] for node_id in range(1, n_nodes + 1)}

    found = told(Membership(1, controllers))

    assert {found[name] for name in found if name.endswith("replication.factor")} == {copies}
    assert found["min.insync.replicas"] == min_in_sync
    assert found["transaction.state.log.min.isr"] == min_in_sync


def test_a_node_behind_a_wire_tells_the_wires_port_to_those_who_come_through_it() -> None:
    found = told(Membership(2, CONTROLLERS), Wiring(port=9192, proxy_port=9292))

    assert "WIRED://127.0.0.1:9192" in found["listeners"].split(",")
    assert found["advertised.listeners"] == "PLAINTEXT://127.0.0.1:9092,WIRED://127.0.0.1:9292"


def test_a_node_listens_on_loopback_only() -> None:
    found = told(Membership(3, CONTROLLERS), Wiring(port=9192, proxy_port=9292))

    assert re.findall(r"//(.*?):", found["listeners"]) == ["127.0.0.1"] * 3
    assert "CONTROLLER://127.0.0.1:9003" in found["listeners"].split(",")
