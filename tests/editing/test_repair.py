"""Repaired captures: right checksums, and not one octet more."""

from __future__ import annotations

import io
import random
import shutil
import subprocess
from collections import Counter
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from blocks import mixture
from conftest import CAPTURES, SHARED
from hypothesis import given
from hypothesis import strategies as st
from strategies import frames
from support import (
    ICMP,
    ICMPV6,
    LCO,
    LSO,
    PARTIAL,
    RAW,
    RIGHT,
    SLL,
    TCP,
    UDP,
    ZERO,
    Frame,
    address,
    finished,
    flip,
    fragments_of,
    ip,
    ipv6,
    ones_sum,
    pcap,
    pcapng,
    plain,
    put,
    read,
    segment,
    take,
    tunnelled,
)

from vxcsum import PacketTable, Status, repair
from vxcsum.checksum.status import LAYERS
from vxcsum.editing.corrections import ELSEWHERE
from vxcsum.errors import VxcsumError
from vxcsum.packet.columns import Coverage

if TYPE_CHECKING:
    from pathlib import Path

    from vxcsum.editing import Repair

A, B = address("10.244.1.5"), address("10.244.2.5")
A6, B6 = address("fd00::5"), address("fd00::6")
NODE_A, NODE_B = address("172.31.7.11"), address("172.31.7.12")
ENDS = [(NODE_A, NODE_B), (address("fd01::1"), address("fd01::2"))]
FOLDERS = [(CAPTURES, "*"), (SHARED, "*"), (SHARED, "peers/files")]
ALL = [path for top, folder in FOLDERS for path in sorted(top.glob(f"{folder}/*.pcap*"))]


def repaired(source: Any, **options: Any) -> tuple[bytes, Repair]:
    out = io.BytesIO()
    result = repair(source, out, **options)
    return out.getvalue(), result


def one(frame: bytes, *, linktype: int = 1, **options: Any) -> tuple[bytes, Repair]:
    """The frame of a repaired capture of one frame."""
    octets, result = repaired(pcap([Frame(frame, linktype)]), **options)
    return octets[40:], result


def packet(protocol: int, value: str | int = RIGHT, payload: bytes = b"payload") -> bytes:
    src, dst = (A6, B6) if protocol == ICMPV6 else (A, B)
    return ip(segment(protocol, src, dst, payload, value=value), protocol, src, dst)


@pytest.mark.parametrize("ends", ENDS)
@pytest.mark.parametrize("protocol", [TCP, UDP, ICMP, ICMPV6])
@pytest.mark.parametrize("outer", [RIGHT, PARTIAL, LCO, 1, 0xFFFF])
@pytest.mark.parametrize("inner", [RIGHT, PARTIAL, LSO, 1])
def test_inner_and_outer_become_what_a_careful_sender_would_have_sent(
    engine: str, ends: tuple[bytes, bytes], protocol: int, outer: str | int, inner: str | int
) -> None:
    if (protocol == ICMP and inner != 1) or (protocol == ICMPV6 and inner == LSO):
        inner = RIGHT
    if outer == LCO and protocol == ICMPV6:
        outer = RIGHT
    frame = plain(tunnelled(packet(protocol, inner), *ends, value=outer)).octets
    wanted = plain(tunnelled(finished(packet(protocol, inner)), *ends, value=RIGHT)).octets
    found, _ = one(frame, engine=engine)
    assert found == wanted


def test_local_checksum_offload_is_right_already() -> None:
    frame = plain(tunnelled(packet(TCP, PARTIAL), NODE_A, NODE_B, value=LCO)).octets
    _, result = one(frame)
    assert {name: n for name, n in result.changed.items() if n} == {"inner_tcp": 1}


@pytest.mark.parametrize("linktype", [RAW, SLL])
def test_header_checksums_are_repaired_and_the_outer_one_follows(linktype: int) -> None:
    inner = packet(TCP)
    right = tunnelled(inner, NODE_A, NODE_B, value=RIGHT)
    damaged = put(right, 10, 0x1234)
    at = damaged.index(inner) + 10
    damaged = put(damaged, at, take(damaged, at) ^ 0x0100)
    found, result = one(plain(damaged, linktype).octets, linktype=linktype)
    assert found == plain(right, linktype).octets
    assert {name: n for name, n in result.changed.items() if n} == {
        "outer_ipv4": 1,
        "inner_ipv4": 1,
    }


def test_only_the_layers_asked_for_change() -> None:
    frame = plain(tunnelled(packet(TCP, 1), NODE_A, NODE_B, value=2)).octets
    before = read([frame])
    for layers in (["inner_tcp"], ["outer_udp"], ["outer_ipv4"], []):
        found, result = one(frame, only=layers)
        after = read([found])
        changed = {name for name, count in result.changed.items() if count}
        assert changed == set(layers) - {"outer_ipv4"}
        for layer in ("inner_tcp", "outer_udp"):
            valid = Status(int(after[f"{layer}_status"][0])) == Status.VALID
            same = after[f"{layer}_found"][0] == before[f"{layer}_found"][0]
            assert valid == (layer in layers)
            assert same != (layer in layers)


def test_the_outer_checksum_alone_is_that_of_the_finished_packet() -> None:
    frame = plain(tunnelled(packet(TCP, PARTIAL), NODE_A, NODE_B, value=7)).octets
    wanted = plain(tunnelled(packet(TCP, PARTIAL), NODE_A, NODE_B, value=LCO)).octets
    assert one(frame, only="outer_udp")[0] == wanted


def test_a_right_outer_checksum_that_may_not_follow_is_told() -> None:
    frame = plain(tunnelled(packet(TCP, 1), NODE_A, NODE_B, value=RIGHT)).octets
    _, result = one(frame, only=["inner_tcp"])
    assert result.left == {("outer_udp", "covers what was repaired, and was not to be touched"): 1}
    assert result.changed["outer_udp"] == 0


def test_an_unknown_layer_is_refused() -> None:
    with pytest.raises(VxcsumError, match="unknown layer 'tcp': wanted one of outer_ipv4"):
        repaired(pcap([]), only=["tcp"])


def test_a_legal_zero_stays_unless_it_is_to_be_filled() -> None:
    inner = packet(UDP, ZERO)
    frame = plain(tunnelled(inner, NODE_A, NODE_B, value=ZERO)).octets
    found, result = one(frame)
    assert found == frame
    assert result.left == {
        ("outer_udp", "no checksum, which is legal"): 1,
        ("inner_udp", "no checksum, which is legal"): 1,
    }
    wanted = plain(tunnelled(packet(UDP), NODE_A, NODE_B, value=RIGHT)).octets
    assert one(frame, fill_zero=True)[0] == wanted


def test_a_zero_over_ipv6_is_legal_in_tunnels_alone() -> None:
    inner = ip(segment(UDP, A6, B6, b"dns", dport=53, value=ZERO), UDP, A6, B6)
    frame = plain(tunnelled(inner, *ENDS[1], value=ZERO)).octets
    found, result = one(frame)
    table = read([found])
    assert Status(int(table["outer_udp_status"][0])) == Status.ZERO
    assert Status(int(table["inner_udp_status"][0])) == Status.VALID
    assert result.changed["inner_udp"] == 1


def test_a_computed_zero_is_sent_as_ffff() -> None:
    body = segment(UDP, A, B, b"\0\0")
    payload = (take(body, 6)).to_bytes(2, "big")  # what brings the sum to 0xffff
    zero = segment(UDP, A, B, payload, value=0x1111)
    assert take(segment(UDP, A, B, payload), 6) == 0xFFFF
    found, _ = one(plain(ip(zero, UDP, A, B)).octets)
    assert take(found, 14 + 20 + 6) == 0xFFFF


def test_minus_zero_becomes_zero_but_for_udp() -> None:
    payload = take(segment(TCP, A, B, b"\0\0"), 16).to_bytes(2, "big")
    assert take(segment(TCP, A, B, payload), 16) == 0
    minus = plain(ip(segment(TCP, A, B, payload, value=0xFFFF), TCP, A, B)).octets
    assert take(one(minus)[0], 14 + 20 + 16) == 0


@pytest.mark.parametrize("value", [0xFFFF, 0x1234])
def test_an_echo_reply_of_zeros_has_and_gets_a_checksum_of_ffff(engine: str, value: int) -> None:
    right = ip(b"\0\0\xff\xff" + bytes(20), ICMP, A, B)
    inner = put(right, 22, value)
    for frame, wanted in (
        (plain(inner).octets, plain(right).octets),
        (
            plain(tunnelled(inner, NODE_A, NODE_B, value=RIGHT)).octets,
            plain(tunnelled(right, NODE_A, NODE_B, value=RIGHT)).octets,
        ),
    ):
        assert one(frame, engine=engine)[0] == wanted
        table = read([frame], engine=engine)
        assert table["plain_icmp_expected"][0] | table["inner_icmp_expected"][0] == 0xFFFF


def test_fragments_are_repaired_in_the_first_one_where_all_are_there(engine: str) -> None:
    whole = tunnelled(packet(TCP, 1, bytes(300)), NODE_A, NODE_B, value=2)
    wanted = tunnelled(finished(packet(TCP, 1, bytes(300))), NODE_A, NODE_B, value=RIGHT)
    pieces = [plain(piece) for piece in fragments_of(whole, [16, 8])]
    random.Random(3).shuffle(pieces)
    found, result = repaired(pcap(pieces), engine=engine)
    right = [plain(piece) for piece in fragments_of(wanted, [16, 8])]
    at, frames = 24, set()
    while at < len(found):
        size = int.from_bytes(found[at + 8 : at + 12], "little")
        frames.add(found[at + 16 : at + 16 + size])
        at += 16 + size
    assert frames == {piece.octets for piece in right}
    assert (result.changed["outer_udp"], result.changed["inner_tcp"]) == (1, 1)


def test_a_field_in_another_fragment_is_left_alone_and_told() -> None:
    whole = packet(TCP, 1, bytes(64))
    pieces = [plain(piece) for piece in fragments_of(whole, [1, 2])]
    # padded as on Ethernet, so that there are octets where the field would be
    padded = [Frame(piece.octets + bytes(max(60 - len(piece.octets), 0))) for piece in pieces]
    source = pcap(padded)
    found, result = repaired(source)
    assert found == source
    assert result.left == {("plain_tcp", ELSEWHERE): 1}


@pytest.mark.parametrize("outer", [RIGHT, 5])
def test_where_an_inner_field_is_in_another_fragment_the_outer_one_stays(outer: str | int) -> None:
    whole = tunnelled(packet(TCP, 1, bytes(99)), NODE_A, NODE_B, value=outer)
    source = pcap([plain(piece) for piece in fragments_of(whole, [8, 4])])  # 64 octets, then 32
    assert Status(int(read(source)["inner_tcp_status"][0])) == Status.INVALID
    found, result = repaired(source)
    assert found == source
    assert {layer for layer, why in result.left if why == ELSEWHERE} == {"inner_tcp", "outer_udp"}


def test_what_cannot_be_verified_is_left_alone_and_told() -> None:
    lost = [plain(piece) for piece in fragments_of(packet(TCP, 1, bytes(300)), [16])][:1]
    cut = plain(packet(TCP, 1, bytes(100))).cut(80)
    partial = plain(packet(TCP, PARTIAL, bytes(100))).cut(80)
    short = ip(segment(UDP, A, B, b"abc"), UDP, A, B)
    malformed = plain(put(short, 24, 400))
    source = pcap([*lost, cut, partial, malformed])
    found, result = repaired(source)
    assert found == source
    assert result.left == {
        ("plain_tcp", "fragments are missing"): 1,
        ("plain_tcp", "cut short by the snaplen"): 2,
        ("plain_udp", "malformed"): 1,
    }


def test_remote_checksum_offload_is_unfinished_on_purpose() -> None:
    frame = bytearray(plain(tunnelled(packet(TCP, PARTIAL), NODE_A, NODE_B)).octets)
    frame[14 + 20 + 8 + 1] |= 0x20
    found, result = one(bytes(frame))
    assert found == bytes(frame)
    assert result.left["inner_tcp", "unfinished on purpose (remote checksum offload)"] == 1


@given(st.lists(st.integers(0, 8 * 90), min_size=1, max_size=5), st.booleans())
def test_flipped_bits_are_repaired_or_left_and_nothing_else_changes(
    bits: list[int], fill_zero: bool
) -> None:
    good = plain(tunnelled(packet(TCP), NODE_A, NODE_B, value=RIGHT)).octets
    frames = [flip(good, 8 * 14 + bit) for bit in bits]
    source = pcapng(frames)
    found, result = repaired(source, fill_zero=fill_zero)
    table, before = read(found), read(source)
    assert not sum((table[f"{name}_status"] == Status.INVALID).sum() for name in LAYERS)
    different = np.flatnonzero(np.frombuffer(source, "u1") != np.frombuffer(found, "u1"))
    assert different.size <= 2 * sum(result.changed.values())
    assert (table["kind"] == before["kind"]).all()
    again, second = repaired(found, fill_zero=fill_zero)
    assert again == found
    assert not any(second.changed.values())


def test_every_pcapng_block_but_the_fields_stays_as_it_is() -> None:
    frames = [plain(packet(TCP, n + 1)).octets for n in range(6)]
    right = [plain(packet(TCP)).octets] * 6
    source = b"".join(octets for octets, _ in mixture(frames))
    wanted = b"".join(octets for octets, _ in mixture(right))
    found, result = repaired(source)
    assert found == wanted
    assert result.changed["plain_tcp"] == 6


def test_changes_are_told_one_by_one() -> None:
    told: list[tuple[int, ...]] = []
    frame = tunnelled(packet(TCP, PARTIAL), NODE_A, NODE_B, value=9)
    source = pcap([plain(packet(TCP)), plain(frame)])
    out = io.BytesIO()
    repair(source, out, on_change=lambda changes: told.extend(changes.tolist()))
    names = list(LAYERS)
    before, after = read(source), read(out.getvalue())
    assert {(number, names[layer]): (old, new) for number, layer, _, old, new in told} == {
        (2, name): (int(before[f"{name}_found"][1]), int(after[f"{name}_found"][1]))
        for name in ("outer_udp", "inner_tcp")
    }
    for _, _, at, old, new in told:
        assert take(source, 24 + 16 + 61 + 16 + at) == old
        assert take(out.getvalue(), 24 + 16 + 61 + 16 + at) == new


@pytest.mark.filterwarnings("ignore::vxcsum.errors.TruncatedCaptureWarning")
def test_what_makes_no_sense_at_the_end_is_copied() -> None:
    source = pcap([plain(packet(TCP, 5)), plain(packet(TCP, 6))])[:-9]
    found, result = repaired(source)
    assert (len(found), result.frames) == (len(source), 1)
    assert found[-60:] == source[-60:]


def test_frames_that_are_not_looked_into_are_told() -> None:
    arp = bytes(12) + b"\x08\x06" + bytes(28)
    result = repair(pcap([plain(ip(segment(TCP, A, B, value=7), TCP, A, B)), arp]), io.BytesIO())
    assert (result.frames, result.frames_changed, result.frames_not_read) == (2, 1, 1)
    assert "1 frames not looked into" in str(result)
    assert result.to_dict()["frames_not_read"] == 1


@pytest.mark.parametrize("protocol", [4, 41, 47, 50, 132, ICMPV6])
def test_packets_of_protocols_that_are_not_followed_are_told(protocol: int) -> None:
    inner = ip(bytes(40), protocol, A, B)
    source = pcap([plain(inner), plain(tunnelled(inner, NODE_A, NODE_B)), plain(packet(TCP))])
    assert repair(source, io.BytesIO()).frames_not_read == 2


def test_tunnels_without_ip_inside_are_told() -> None:
    frame = plain(tunnelled(packet(TCP), NODE_A, NODE_B)).octets
    arp = put(frame, 14 + 20 + 8 + 8 + 12, 0x0806)
    assert repair(pcap([frame, arp]), io.BytesIO()).frames_not_read == 1


def test_packets_that_are_verified_or_have_no_transport_are_no_news() -> None:
    nothing = ip(b"", 59, A6, B6)
    pieces = [plain(piece) for piece in fragments_of(packet(UDP, RIGHT, bytes(99)), [4])]
    whole = [plain(packet(protocol)) for protocol in (TCP, UDP, ICMP, ICMPV6)]
    result = repair(pcap([*whole, *pieces, plain(nothing)]), io.BytesIO())
    assert result.frames_not_read == 0
    assert "not looked into" not in str(result)


def test_the_inner_sum_of_a_repaired_frame_is_all_ones() -> None:
    found, _ = one(plain(packet(TCP, 1, bytes(range(77)))).octets)
    head = found[26:34] + b"\0\6" + (97).to_bytes(2, "big")
    assert ones_sum(head + found[34:]) == 0xFFFF


def unfinished(table: PacketTable) -> Counter[str]:
    """What is still to be repaired, although it could be verified."""
    remote = (table["vxlan_flags"] & 0x20) != 0
    out: Counter[str] = Counter()
    for name, layer in LAYERS.items():
        status, coverage = table[f"{name}_status"], table[f"{layer.slot}_coverage"]
        wrong = status == Status.INVALID
        wrong |= (status == Status.PARTIAL) & (coverage == Coverage.COMPLETE) & ~remote
        out[name] += int(wrong.sum())
    return +out


@pytest.mark.filterwarnings("ignore::vxcsum.errors.TruncatedCaptureWarning")
@pytest.mark.skipif(not ALL, reason="no captures are there")
def test_every_capture_is_right_afterwards_and_stays_so(tmp_path: Path) -> None:
    first, second = tmp_path / "first", tmp_path / "second"
    for path in ALL:
        if path.suffix not in (".pcap", ".pcapng") or path.stat().st_size > 300_000:
            continue
        source = path.read_bytes()
        result = repair(source, first)
        assert not unfinished(read(first)), path
        found = first.read_bytes()
        changed = np.count_nonzero(np.frombuffer(source, "u1") != np.frombuffer(found, "u1"))
        assert len(found) == len(source)
        assert changed <= 2 * sum(result.changed.values())
        again = repair(first, second)
        assert not any(again.changed.values()), path
        assert second.read_bytes() == found


#: Defects of all kinds, link types, IPv6, VLAN; without fragments, which tshark is not asked about.
SHOWN = [
    "kernel/u61bug-k8s-clusterip-norehash.snd.pcap",
    "kernel/u61bug-nat-udpcsum.snd.pcap",
    "kernel/u61bug-nat6-csum-masq.snd.pcap",
    "kernel/u61bug-inner-udp.snd.pcap",
    "kernel/u61fix-netem-corrupt-udpcsum.snd.pcap",
    "kernel/u61fix-vlan-and-inner-vlan.snd.pcap",
    "kernel/h618-formats.multi-if.pcapng",
    "kernel/h618-formats.sll2.pcap",
    "kernel/h618-tcp-offload-on.snd.pcap",
    "synthetic/vx206.pcap",
    "synthetic/vx303-ipv6.pcap",
    "synthetic/vx304-odd.pcap",
    "synthetic/vx402.pcap",
    "synthetic/vx404.pcap",
    "synthetic/vx508-ipv4.pcap",
]
PORTS = (4789, 8472, 4790, 6784, 4876, 4877, 4866, 4867, 48879)


@pytest.mark.parametrize("name", SHOWN)
def test_tshark_finds_nothing_bad_in_a_repaired_capture(tmp_path: Path, name: str) -> None:
    tshark = shutil.which("tshark")
    if tshark is None:
        pytest.skip("tshark is not installed")
    if not (CAPTURES / name).is_file():
        pytest.skip(f"{name} is not there")
    target = tmp_path / "repaired"
    repair(CAPTURES / name, target)
    command = [tshark, "-r", str(target), "-n", "-T", "fields", "-E", "occurrence=a"]
    for protocol in ("ip", "udp", "tcp"):
        command += ["-o", f"{protocol}.check_checksum:TRUE"]
    for port in PORTS:
        command += ["-d", f"udp.port=={port},vxlan"]
    for protocol in ("ip", "udp", "tcp", "icmp", "icmpv6"):
        command += ["-e", f"{protocol}.checksum.status"]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=True)
    words = Counter(result.stdout.replace(",", "\t").replace("\n", "\t").split("\t"))
    assert words["1"] > 0  # good
    assert words["0"] == 0  # bad
    assert words["4"] == 0  # none, where one has to be


def test_routing_headers_count_their_final_destination() -> None:
    final = address("fd00::99")
    body = segment(TCP, A6, final, b"data")
    route = bytes([2, 0, 1]) + bytes(4) + final
    wanted = plain(ipv6(body, TCP, A6, B6, extensions=[(43, route)])).octets
    frame = plain(ipv6(put(body, 16, 1), TCP, A6, B6, extensions=[(43, route)])).octets
    assert one(frame)[0] == wanted


@given(st.lists(frames(), min_size=1, max_size=6), st.data())
def test_any_frame_is_repaired_once_for_all_and_alike_by_both_engines(
    built: list[Frame], data: st.DataObject
) -> None:
    damaged = []
    for frame in built:
        bits = data.draw(st.lists(st.integers(0, 8 * len(frame.octets) - 1), max_size=2))
        octets = frame.octets
        for bit in bits:
            octets = flip(octets, bit)
        cut = data.draw(st.sampled_from([len(octets), len(octets), len(octets) // 2]))
        damaged.append(frame.changed(octets).cut(cut))
    source = pcapng(damaged)
    found, _ = repaired(source, engine="numpy")
    assert repaired(source)[0] == found
    table = read(found)
    assert not unfinished(table) - Counter(
        name
        for row in np.flatnonzero(table["fragment"])
        for name in LAYERS
        if table[f"{name}_status"][row] == Status.INVALID
    )
    assert repaired(found)[0] == found


@given(st.lists(frames(values=(RIGHT,)), min_size=1, max_size=6))
def test_what_is_right_is_left_alone(built: list[Frame]) -> None:
    right = [f for f in built if set(f.truth.values()) == {Status.VALID}]
    source = pcapng(right)
    table = read(source)
    minus = sum(
        int(((table[f"{name}_found"] == 0xFFFF) & (table[f"{name}_status"] == Status.VALID)).sum())
        for name in LAYERS
        if not name.endswith("udp")
    )
    assert (repaired(source)[0] == source) == (minus == 0)
