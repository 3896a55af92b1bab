"""The wire that brokers and Triton are put behind, before a server that says again what it hears."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import struct
import threading
import time
from collections.abc import Iterator

import pytest

from stream.bench.faults.flow import Requests
from stream.bench.faults.wire import Wire
from tests.harness.waiting import until

A_LOT = 32 * 1024 * 1024


class Echo(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        while data := self.request.recv(65_536):
            self.request.sendall(data)


class EchoServer(socketserver.ThreadingTCPServer):
    def handle_error(self, request: object, client_address: object) -> None:
        """A connection that was reset is what these tests are about."""


@pytest.fixture
def wire() -> Iterator[Wire]:
    with EchoServer(("127.0.0.1", 0), Echo) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        with Wire(server.server_address[1]) as wire:
            yield wire
        server.shutdown()
        thread.join()


def connected(wire: Wire) -> socket.socket:
    return socket.create_connection(("127.0.0.1", wire.port), timeout=10)


def echoed(connection: socket.socket, data: bytes) -> bytes:
    connection.sendall(data)
    return heard(connection, len(data))


def heard(connection: socket.socket, n_bytes: int) -> bytes:
    answer = b""
    while len(answer) < n_bytes and (more := connection.recv(n_bytes - len(answer))):
        answer += more
    return answer


def test_what_is_said_arrives_both_ways(wire: Wire) -> None:
    said = bytes(range(256)) * 4096

    with connected(wire) as connection:
        answer = echoed(connection, said)

    assert answer == said
    assert wire.n_bytes == 2 * len(said)


def test_a_side_that_ends_ends_the_other(wire: Wire) -> None:
    with connected(wire) as connection:
        connection.sendall(b"last words")
        connection.shutdown(socket.SHUT_WR)
        answer = heard(connection, 100)

    assert answer == b"last words"
    until(lambda: wire.n_connections == 0, "the wire lets go of it")


def test_a_cut_resets_what_is_open_and_takes_what_is_new(wire: Wire) -> None:
    with connected(wire) as old:
        echoed(old, b"before")
        wire.cut()
        with pytest.raises(ConnectionResetError):
            old.recv(1)

    with connected(wire) as new:
        assert echoed(new, b"after") == b"after"


def test_while_it_refuses_nobody_gets_in_and_the_port_stays_its_own(wire: Wire) -> None:
    port = wire.port
    with connected(wire) as old:
        echoed(old, b"before")
        wire.refuse()
        with pytest.raises(ConnectionResetError):
            old.recv(1)
    with pytest.raises(ConnectionRefusedError):
        connected(wire)
    with socket.socket() as thief, pytest.raises(OSError, match="in use"):
        thief.bind(("127.0.0.1", port))

    wire.heal()

    with connected(wire) as new:
        assert echoed(new, b"after") == b"after"


def test_a_stalled_wire_holds_a_bounded_lot_and_loses_none(wire: Wire) -> None:
    with connected(wire) as old, connected(wire) as new:
        echoed(old, b"before")
        wire.stall()
        n_taken = n_bytes_taken(old)
        with connected(wire) as newest:
            for silent in (new, newest):
                silent.sendall(b"hello")
                silent.settimeout(0.05)
                with pytest.raises(TimeoutError):
                    silent.recv(1)
                silent.settimeout(10)

            wire.heal()

            assert heard(new, 5) == heard(newest, 5) == b"hello"
        old.settimeout(10)
        answer = heard(old, n_taken)

    assert n_taken < A_LOT
    assert answer == b"x" * n_taken


def n_bytes_taken(connection: socket.socket) -> int:
    """Send until nothing more is taken for a while; return how much was, at most a lot."""
    connection.settimeout(0.5)
    n_taken = 0
    with contextlib.suppress(TimeoutError):
        while n_taken < A_LOT:
            n_taken += connection.send(b"x" * 65_536)
    return n_taken


def test_a_slow_wire_takes_the_time_of_its_rate_each_way(wire: Wire) -> None:
    with connected(wire) as connection:
        wire.slow(bytes_per_s=200_000)
        began = time.monotonic()
        echoed(connection, b"x" * 40_000)
        took_s = time.monotonic() - began

    # 0.2 s to get there; by then most has come back, and the last piece of 16 KiB takes 0.08 s.
    assert took_s >= 0.25


@pytest.mark.alone
def test_a_wire_slow_one_way_is_quick_the_other(wire: Wire) -> None:
    with connected(wire) as connection:
        wire.slow(bytes_per_s=200_000, there_only=True)
        began = time.monotonic()
        connection.sendall(b"x" * 40_000)
        [first] = heard(connection, 1)
        first_s = time.monotonic() - began
        heard(connection, 39_999)
        took_s = time.monotonic() - began

    assert first == ord("x")
    # 16 KiB take 0.08 s and the rest 0.12 s, and what comes back takes nothing.
    assert first_s >= 0.08
    assert 0.2 <= took_s < 0.28


@pytest.mark.alone
def test_a_late_wire_adds_its_delay_each_way_and_keeps_its_rate(wire: Wire) -> None:
    said = b"x" * 1_000_000
    with connected(wire) as connection:
        wire.slow(delay_s=0.15)
        began = time.monotonic()
        answer = echoed(connection, said)
        took_s = time.monotonic() - began

    assert answer == said
    assert 0.3 <= took_s < 3  # 62 pieces: one after the other they would take 18 s


def test_healing_lets_pass_at_once_what_a_slow_wire_still_carries(wire: Wire) -> None:
    with connected(wire) as connection:
        wire.slow(bytes_per_s=100)
        connection.sendall(b"x" * 10_000)
        connection.settimeout(0.3)
        with pytest.raises(TimeoutError):
            connection.recv(1)
        connection.settimeout(5)

        wire.heal()

        assert heard(connection, 10_000) == b"x" * 10_000


def request(api_key: int, n_bytes: int) -> bytes:
    """Return a request of Kafka's protocol: its size, its api key, and anything."""
    return struct.pack(">ih", n_bytes + 2, api_key) + b"x" * n_bytes


def test_requests_of_one_kind_are_held_back_and_all_behind_them(wire: Wire) -> None:
    fetch, produce = request(1, 40_000), request(0, 40_000)
    with connected(wire) as fetching, connected(wire) as producing:
        assert echoed(producing, produce + fetch) == produce + fetch

        wire.hold(0)
        assert echoed(fetching, fetch * 3) == fetch * 3
        assert echoed(producing, fetch) == fetch
        producing.sendall(produce + fetch)
        producing.settimeout(0.3)
        with pytest.raises(TimeoutError):
            producing.recv(1)
        producing.settimeout(5)
        wire.heal()

        assert heard(producing, len(produce + fetch)) == produce + fetch


@pytest.mark.parametrize("n_bytes", range(1, 7))
def test_requests_are_told_however_they_are_cut(n_bytes: int) -> None:
    said = request(3, 0) + request(0, 1) + request(18, 50) + request(0, 5000) + request(1, 3)
    parts = [said[at : at + n_bytes] for at in range(0, len(said), n_bytes)]
    requests = Requests()

    found = [api_key for part in parts for api_key in requests.begun_in(part)]

    assert found == [3, 0, 18, 0, 1]


def test_a_wire_to_nobody_resets(wire: Wire) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        wire.target_port = nobody.getsockname()[1]
        with pytest.raises(ConnectionResetError), connected(wire) as connection:
            connection.recv(1)


def test_a_closed_wire_gives_its_port_back() -> None:
    wire = Wire()
    wire.close()
    wire.close()

    with socket.socket() as other:
        other.bind(("127.0.0.1", wire.port))
