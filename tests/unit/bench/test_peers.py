from __future__ import annotations

import sys
from pathlib import Path

import pytest

from stream.bench.peer_environment import pinned
from stream.bench.peers import FOLDER, PEERS, REQUIREMENTS, Peer, chosen_peers
from stream.errors import Misconfigured
from stream.settings import Settings

PYTHON = Path("/peers/bin/python")


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_source_of_each_peer_is_in_the_checkout(peer: Peer) -> None:
    assert (FOLDER / peer.source).is_file()


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_each_run_of_a_peer_has_topics_and_a_group_of_its_own(peer: Peer) -> None:
    first, second = (peer.contestant(Settings(), number, PYTHON) for number in (0, 1))

    assert not {topic.name for topic in first.topics} & {topic.name for topic in second.topics}
    assert first.group_id != second.group_id


@pytest.mark.parametrize("peer", PEERS, ids=lambda peer: peer.name)
def test_only_faust_runs_on_our_own_interpreter(peer: Peer) -> None:
    command = peer.contestant(Settings(), 0, PYTHON).command

    assert command[0] == (sys.executable if peer.name == "faust" else str(PYTHON))


def test_all_are_chosen_or_those_that_are_named_in_the_order_of_their_turn() -> None:
    first, second, *_ = (peer.name for peer in PEERS)

    assert chosen_peers("all") == PEERS
    assert [peer.name for peer in chosen_peers(f"{second}, {first}")] == [first, second]


def test_unknown_peer_is_refused_with_those_that_are_known() -> None:
    with pytest.raises(Misconfigured, match=r"expected of raw_librdkafka.*got flink"):
        chosen_peers("bytewax,flink")


def test_every_requirement_is_pinned() -> None:
    lines = REQUIREMENTS.read_text().splitlines()
    wanted = [line for line in lines if line and not line.startswith("#")]

    versions = pinned(REQUIREMENTS.read_text())

    assert len(versions) == len(wanted)
    assert versions["bytewax"] == "0.21.1"
