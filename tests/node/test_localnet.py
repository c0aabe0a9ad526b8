"""Ports of a network on this machine: nobody else comes by them while they wait for who is to listen there."""

from __future__ import annotations

import ast
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from genesis.errors import Unavailable
from node import localnet

FEW = 24
DRAWS = "from node import localnet; localnet.PORTS = range({}, {}); print(localnet.free_ports({}))"


@pytest.fixture
def ports(monkeypatch: pytest.MonkeyPatch) -> range:
    """FEW that nobody has, and nothing but these to draw from."""
    (first,) = localnet.free_ports(1)
    few = range(first + 1, first + 1 + FEW) if first < localnet.PORTS.stop - FEW else range(first - FEW, first)
    monkeypatch.setattr(localnet, "PORTS", few)
    return few


def drawn_elsewhere(ports: range, count: int) -> list[int]:
    command = (sys.executable, "-c", DRAWS.format(ports.start, ports.stop, count))
    said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [int(port) for port in ast.literal_eval(said)]


def test_two_processes_never_draw_the_same_port(ports: range) -> None:
    mine = localnet.free_ports(FEW // 2)
    for _ in range(3):
        assert not set(mine) & set(drawn_elsewhere(ports, FEW // 3)), "nobody listens there yet, and they are taken"


def test_a_port_is_drawn_once(ports: range) -> None:
    mine = [port for _ in range(4) for port in localnet.free_ports(3)]
    assert len(set(mine)) == 12
    assert set(mine) <= set(ports)


def test_a_port_where_somebody_listens_is_not_drawn(ports: range, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(localnet, "PORTS", ports[:1])
    with socket.create_server(("127.0.0.1", ports.start)), pytest.raises(Unavailable, match="Only 0 of 1"):
        localnet.free_ports(1)


def test_more_than_there_are_is_said(ports: range) -> None:
    with pytest.raises(Unavailable, match=f"ports are free from {ports.start} to {ports.stop - 1}"):
        localnet.free_ports(FEW + 1)


def test_no_connection_is_given_a_port_that_is_drawn_from() -> None:
    low, _ = Path("/proc/sys/net/ipv4/ip_local_port_range").read_text().split()
    assert localnet.PORTS.stop <= int(low)
