"""What the strategies make is right, and what they damage is wrong."""

from __future__ import annotations

import ipaddress
import sys
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from support import ones_sum, pcap, read

from vxcsum import MissingDependencyError, Status
from vxcsum.checksum.status import LAYERS
from vxcsum.testing import assert_checksums_good
from vxcsum.testing import strategies as vx

if TYPE_CHECKING:
    from vxcsum.testing.strategies import Corruption

FINE = {Status.ABSENT, Status.VALID, Status.ZERO}


def statuses(frame: bytes) -> dict[str, Status]:
    table = read(pcap([frame]))
    return {layer: Status(int(table[f"{layer}_status"][0])) for layer in LAYERS}


@given(st.sampled_from([None, 4, 6]).flatmap(lambda v: st.tuples(st.just(v), vx.addresses(v))))
def test_addresses_are_of_the_version(pair: tuple[Any, Any]) -> None:
    version, address = pair
    assert version in (None, address.version)
    assert ipaddress.ip_address(address.packed) == address


@given(vx.ip_headers(), vx.udp_headers(), vx.tcp_headers(), vx.vxlan_headers())
def test_headers_are_whole(ip: bytes, udp: bytes, tcp: bytes, vxlan: bytes) -> None:
    if ip[0] >> 4 == 4:
        assert len(ip) == 20
        assert ones_sum(ip) == 0xFFFF
    else:
        assert len(ip) == 40
    assert (len(udp), len(tcp), len(vxlan), vxlan[0]) == (8, 20, 8, 8)


@given(vx.vxlan_frames())
def test_frames_with_vxlan_are_right(frame: bytes) -> None:
    table = read(pcap([frame]))
    assert table["kind"].tolist() == [2]
    assert set(statuses(frame).values()) <= FINE


@given(vx.plain_frames(version=6))
def test_frames_without_a_tunnel_are_right(frame: bytes) -> None:
    table = read(pcap([frame]))
    assert (table["kind"].tolist(), table["inner_ip_version"].tolist()) == ([1], [6])
    assert set(statuses(frame).values()) <= FINE


@given(vx.captures())
def test_captures_are_right(capture: bytes) -> None:
    assert_checksums_good(capture)


@given(vx.corrupted_frames())
@settings(max_examples=150)
def test_damage_is_seen_by_the_inner_checksum(pair: tuple[bytes, bytes]) -> None:
    healthy, damaged = pair
    assert len(healthy) == len(damaged)
    inner = {status for layer, status in statuses(damaged).items() if layer.startswith("inner_")}
    assert Status.INVALID in inner
    assert Status.INVALID not in statuses(healthy).values()


@given(vx.corruptions(), st.binary(min_size=8, max_size=40))
def test_damage_is_one_octet_and_undoes_itself(damage: Corruption, frame: bytes) -> None:
    damaged = damage(frame)
    assert sum(a != b for a, b in zip(frame, damaged, strict=True)) == 1
    assert damage(damaged) == frame


def test_without_hypothesis_the_install_line_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delitem(sys.modules, "vxcsum.testing.strategies")
    monkeypatch.setitem(sys.modules, "hypothesis.strategies", None)
    with pytest.raises(MissingDependencyError, match=r'pip install "vxcsum\[hypothesis\]"'):
        __import__("vxcsum.testing.strategies")
