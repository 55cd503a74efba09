"""verify(build(x)) through the whole pipeline, and what damage must do to it."""

from __future__ import annotations

import struct

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from strategies import addresses, frames, packets, payloads, plain_frames, vxlan_frames
from support import (
    ETHERNET,
    ICMP,
    LCO,
    LSO,
    PARTIAL,
    RIGHT,
    TCP,
    UDP,
    Frame,
    address,
    ethernet,
    flip,
    framed,
    ip,
    ipv4,
    ipv6,
    ones_sum,
    pcap,
    pcapng,
    plain,
    pseudo,
    put,
    read,
    reason,
    same_table,
    segment,
    statuses,
    take,
    tunnelled,
)

from vxcsum import Reason, Status
from vxcsum.checksum.status import LAYERS
from vxcsum.packet.columns import Kind

A4, B4 = address("10.244.1.5"), address("10.244.2.5")
A6, B6 = address("fd00:10:244::5"), address("fd00:10:244:1::5")
NODE_A, NODE_B = address("172.31.7.11"), address("172.31.7.12")


@given(st.lists(frames(), min_size=1, max_size=8))
def test_what_is_built_right_is_valid(engine: str, built: list[Frame]) -> None:
    table = read(built, engine=engine)
    for row, frame in enumerate(built):
        assert statuses(table, row) == frame.truth
        vxlan = "outer_udp" in frame.truth
        assert table["kind"][row] == (Kind.VXLAN if vxlan else Kind.PLAIN)


@given(frames(), st.data())
def test_one_flipped_bit_in_the_covered_octets_is_never_valid(
    engine: str, frame: Frame, data: st.DataObject
) -> None:
    place = data.draw(st.sampled_from(sorted(frame.spans)))
    start, stop = frame.spans[place]
    if place.endswith("ip"):
        start += 1  # the first octet says where the header ends
    bit = data.draw(st.integers(8 * start, 8 * stop - 1))
    length_fields = [frame.spans[p][0] + 4 for p in ("outer_udp", "l4") if p in frame.spans]
    assume(not any(8 * at <= bit < 8 * at + 16 for at in length_fields))  # another packet then
    before = read([frame], engine=engine)
    changed = frame.changed(flip(frame.octets, bit))
    found = statuses(read([changed], engine=engine))
    for layer, status in frame.truth.items():
        if status != Status.VALID:
            continue
        slot = LAYERS[layer].slot
        name = {"outer_udp": "outer_udp", "outer_ip": "outer_ip", "inner_ip": "ip"}.get(slot, "l4")
        low, high = frame.spans[name]
        if 8 * low <= bit < 8 * high and not (name.endswith("ip") and bit < 8 * low + 8):
            assert found.get(layer) != Status.VALID, (layer, found, statuses(before))
            twin = layer.replace("outer", "plain")
            assert found.get(twin) != Status.VALID or twin == layer


@given(st.lists(frames(), min_size=1, max_size=8), st.binary(max_size=30))
def test_octets_behind_the_packet_count_nothing(
    engine: str, built: list[Frame], trailer: bytes
) -> None:
    padded = [frame.changed(frame.octets + trailer) for frame in built]
    table = read(padded, engine=engine)
    assert [statuses(table, row) for row in range(len(built))] == [f.truth for f in built]


@given(frames(), st.data())
def test_a_valid_packet_cut_anywhere_is_never_called_wrong(
    engine: str, frame: Frame, data: st.DataObject
) -> None:
    cut = frame.cut(data.draw(st.integers(0, len(frame.octets))))
    found = statuses(read([cut], engine=engine))
    assert Status.INVALID not in found.values()
    for layer, status in found.items():
        if layer in frame.truth:  # cut short, a tunnel may look plain, never otherwise wrong
            assert status in (frame.truth[layer], Status.UNVERIFIABLE, Status.PARTIAL)


@given(packets((RIGHT,)), st.data())
def test_all_octets_of_every_cut_give_a_status_of_the_five(
    engine: str, built: tuple[bytes, int, str, tuple[int, int]], data: st.DataObject
) -> None:
    inner = built[0]
    frame = Frame(framed(tunnelled(inner, NODE_A, NODE_B, value=RIGHT)))
    cuts = [frame.cut(caplen) for caplen in range(len(frame.octets) + 1)]
    table = read(cuts, engine=engine)
    for layer in LAYERS:
        assert not (table[f"{layer}_status"] == Status.INVALID).any(), layer


@given(st.lists(frames(), min_size=1, max_size=12), st.integers(1, 700))
def test_the_size_of_blocks_changes_nothing(engine: str, built: list[Frame], size: int) -> None:
    source = pcapng(built)
    whole = read(source, engine=engine)
    same_table(whole, read(source, engine=engine, block_octets=size))


def test_lco_is_right_for_the_packet_as_it_will_be_also_with_an_lso_inner_checksum(
    engine: str,
) -> None:
    inner = ipv4(segment(TCP, A4, B4, bytes(40), value=LSO), TCP, A4, B4)
    outer = tunnelled(inner, NODE_A, NODE_B, value=LCO)
    table = read([Frame(framed(outer))], engine=engine)
    assert statuses(table)["inner_tcp"] == Status.PARTIAL
    assert statuses(table)["outer_udp"] == Status.PARTIAL


@given(vxlan_frames(values=(PARTIAL,), outer_values=(LCO,), bare=True))
def test_a_partial_inner_checksum_makes_the_outer_one_lco(engine: str, frame: Frame) -> None:
    table = read([frame], engine=engine)
    assert statuses(table) == frame.truth
    if Status.PARTIAL in (v for k, v in frame.truth.items() if k.startswith("inner")):
        start, _ = frame.spans["outer_udp"]
        literal = table["outer_udp_residual"][0] == 0
        is_pseudo = take(frame.octets, start + 6) == table["outer_udp_pseudo"][0]
        if frame.truth["outer_udp"] == Status.PARTIAL and not literal and not is_pseudo:
            assert reason(table, "outer_udp") == Reason.LCO


@given(vxlan_frames(values=(PARTIAL,), outer_values=(LCO,), bare=True), st.data())
def test_lco_is_decided_from_headers_in_a_frame_cut_short(
    engine: str, frame: Frame, data: st.DataObject
) -> None:
    assume(frame.truth["outer_udp"] == Status.PARTIAL)
    (layer,) = [name for name in frame.truth if name.startswith("inner_") and name[6:] != "ipv4"]
    assume(frame.truth[layer] == Status.PARTIAL)
    start, stop = frame.spans["l4"]
    header = 20 if layer == "inner_tcp" else 8
    cut = frame.cut(data.draw(st.integers(start + header, stop)))
    assert statuses(read([cut], engine=engine)) == frame.truth


@given(
    vxlan_frames(values=(PARTIAL,), outer_values=(LCO,), bare=True),
    st.integers(1, 65534),
    st.data(),
)
def test_an_outer_checksum_that_is_not_lco_is_invalid_also_in_a_frame_cut_short(
    engine: str, frame: Frame, change: int, data: st.DataObject
) -> None:
    (layer,) = [name for name in frame.truth if name.startswith("inner_") and name[6:] != "ipv4"]
    assume(frame.truth[layer] == Status.PARTIAL)
    at = frame.spans["outer_udp"][0] + 6
    wrong = (take(frame.octets, at) + change) % 0xFFFF or 0xFFFF
    frame = frame.changed(put(frame.octets, at, wrong))
    table = read([frame], engine=engine)
    assume(table["outer_udp_residual"][0] != 0)
    assume((int(table["outer_udp_pseudo"][0]) - wrong) % 0xFFFF != 0)
    start, stop = frame.spans["l4"]
    header = 20 if layer == "inner_tcp" else 8
    cut = frame.cut(data.draw(st.integers(start + header, stop)))
    for each in (frame, cut):
        found = statuses(read([each], engine=engine))
        assert found["outer_udp"] == Status.INVALID
        assert found[layer] == Status.PARTIAL


@pytest.mark.parametrize("value", [PARTIAL, LSO])
@pytest.mark.parametrize("protocol", [TCP, UDP])
@given(st.sampled_from([4, 6]).flatmap(lambda v: st.tuples(addresses(v), addresses(v))), payloads)
@settings(max_examples=20)
def test_partial_is_what_the_kernel_writes(
    engine: str, protocol: int, value: str, ends: tuple[bytes, bytes], payload: bytes
) -> None:
    src, dst = ends
    body = segment(protocol, src, dst, payload, value=value)
    at = 16 if protocol == TCP else 6
    length = len(body) if value == PARTIAL else 0
    expected = ones_sum(src + dst + struct.pack(">II", length, protocol))
    assert take(body, at) == expected
    table = read([plain(ip(body, protocol, src, dst))], engine=engine)
    layer = "plain_tcp" if protocol == TCP else "plain_udp"
    assume(not (protocol == UDP and expected == 0))
    assume(table[f"{layer}_residual"][0] != 0)
    assert statuses(table)[layer] == Status.PARTIAL
    # Where the length is 0 anyway both readings agree, and the plain one is said.
    told = reason(table, layer)
    assert told == (Reason.NONE if value == PARTIAL else Reason.LSO)


def test_partial_counts_all_32_bits_of_a_length(engine: str) -> None:
    payload = bytes(70_000)
    body = segment(TCP, A6, B6, payload, value=PARTIAL)
    frame = plain(ipv6(body, TCP, A6, B6, length=0))
    table = read([frame], engine=engine)
    assert statuses(table) == {"plain_tcp": Status.PARTIAL}
    assert int(table["plain_tcp_found"][0]) == pseudo(A6, B6, TCP, len(body))


@pytest.mark.parametrize("big", [66_000, 200_001])
def test_big_tcp_with_a_right_checksum_is_valid(engine: str, big: int) -> None:
    payload = bytes(range(256)) * (big // 256) + bytes(big % 256)
    v4 = ipv4(segment(TCP, A4, B4, payload), TCP, A4, B4, total=0)
    v6 = ipv6(segment(TCP, A6, B6, payload), TCP, A6, B6, length=0)
    table = read([plain(v4), plain(v6)], engine=engine)
    assert statuses(table, 0) == {"plain_ipv4": Status.VALID, "plain_tcp": Status.VALID}
    assert statuses(table, 1) == {"plain_tcp": Status.VALID}


@given(payloads)
@settings(max_examples=15)
def test_an_outer_partial_with_a_complete_inner_packet_is_partial(
    engine: str, payload: bytes
) -> None:
    inner = ipv4(segment(ICMP, A4, B4, payload), ICMP, A4, B4)
    outer = tunnelled(inner, NODE_A, NODE_B, value=PARTIAL)
    table = read([Frame(framed(outer))], engine=engine)
    assume(table["outer_udp_residual"][0] != 0)
    assert statuses(table)["outer_udp"] == Status.PARTIAL
    assert reason(table, "outer_udp") == Reason.NONE


# The order of judgement where two words would fit.


def test_zero_comes_before_valid() -> None:
    """A payload that makes 0 the right residue: the field 0 still means that there is none."""
    src, dst = A4, B4
    body = segment(UDP, src, dst, bytes(2), value=0)
    total = pseudo(src, dst, UDP, len(body)) + ones_sum(body)
    body = segment(UDP, src, dst, struct.pack(">H", -total % 0xFFFF), value=0)
    table = read([plain(ipv4(body, UDP, src, dst))])
    assert table["plain_udp_residual"][0] == 0
    assert statuses(table)["plain_udp"] == Status.ZERO


def test_zero_comes_before_partial() -> None:
    src, dst = address("255.255.255.255"), struct.pack(">HH", 0, 0xFFFF - 17 - 8)
    body = segment(UDP, src, dst, value=0)
    assert pseudo(src, dst, UDP, 8) % 0xFFFF == 0
    assert statuses(read([plain(ipv4(body, UDP, src, dst))]))["plain_udp"] == Status.ZERO


def test_zero_is_a_value_like_any_other_for_tcp_and_icmp() -> None:
    tcp = segment(TCP, A4, B4, b"x", value=0)
    icmp = segment(ICMP, A4, B4, b"x", value=0)
    table = read([plain(ipv4(tcp, TCP, A4, B4)), plain(ipv4(icmp, ICMP, A4, B4))])
    assert statuses(table, 0)["plain_tcp"] == Status.INVALID
    assert statuses(table, 1)["plain_icmp"] == Status.INVALID


def test_valid_comes_before_partial() -> None:
    """A segment whose right checksum is its pseudo-header sum."""
    bare = segment(TCP, A4, B4, bytes(2), value=0)
    ph = pseudo(A4, B4, TCP, len(bare))
    payload = struct.pack(">H", (-2 * ph - ones_sum(bare)) % 0xFFFF)
    body = segment(TCP, A4, B4, payload)
    assert take(body, 16) % 0xFFFF == ph % 0xFFFF
    assert statuses(read([plain(ipv4(body, TCP, A4, B4))]))["plain_tcp"] == Status.VALID


def test_both_zeros_of_ones_complement_are_the_same_residue() -> None:
    bare = segment(TCP, A4, B4, bytes(2), value=0)
    total = pseudo(A4, B4, TCP, len(bare)) + ones_sum(bare)
    payload = struct.pack(">H", -total % 0xFFFF)
    for value in (0, 0xFFFF):
        body = segment(TCP, A4, B4, payload, value=value)
        assert statuses(read([plain(ipv4(body, TCP, A4, B4))]))["plain_tcp"] == Status.VALID


def test_an_icmp_checksum_is_never_partial() -> None:
    body = segment(ICMP, A4, B4, b"abc", value=pseudo(A4, B4, ICMP, 11))
    assert statuses(read([plain(ipv4(body, ICMP, A4, B4))]))["plain_icmp"] == Status.INVALID


def test_zero_needs_only_the_header() -> None:
    body = segment(UDP, A4, B4, bytes(100), value=0)
    frame = plain(ipv4(body, UDP, A4, B4))
    assert statuses(read([frame.cut(14 + 20 + 8)]))["plain_udp"] == Status.ZERO
    assert statuses(read([frame.cut(14 + 20 + 7)]))["plain_udp"] == Status.UNVERIFIABLE


def test_partial_needs_only_the_header() -> None:
    for protocol, layer, header in ((TCP, "plain_tcp", 18), (UDP, "plain_udp", 8)):
        body = segment(protocol, A4, B4, bytes(100), value=PARTIAL)
        frame = plain(ipv4(body, protocol, A4, B4))
        assert statuses(read([frame.cut(34 + header)]))[layer] == Status.PARTIAL


@pytest.mark.parametrize("protocol", [TCP, UDP, ICMP])
def test_a_length_larger_than_the_packet_is_malformed_not_clamped(protocol: int) -> None:
    body = segment(protocol, A4, B4, bytes(30))
    packet = ipv4(body, protocol, A4, B4, total=20 + len(body) + 8)
    table = read([plain(packet)])
    layer = {TCP: "plain_tcp", UDP: "plain_udp", ICMP: "plain_icmp"}[protocol]
    assert statuses(table)["plain_ipv4"] == Status.VALID
    if protocol != UDP:
        assert statuses(table)[layer] == Status.UNVERIFIABLE
        assert reason(table, layer) == Reason.MALFORMED


def test_a_udp_length_larger_than_its_packet_is_malformed() -> None:
    body = put(segment(UDP, A4, B4, bytes(30)), 4, 60)
    table = read([plain(ipv4(body, UDP, A4, B4))])
    assert statuses(table)["plain_udp"] == Status.UNVERIFIABLE
    assert reason(table, "plain_udp") == Reason.MALFORMED
    # Zero needs no length, so it comes before malformed.
    table = read([plain(ipv4(put(body, 6, 0), UDP, A4, B4))])
    assert statuses(table)["plain_udp"] == Status.ZERO


def test_an_inner_length_larger_than_the_outer_payload_is_malformed(engine: str) -> None:
    inner = ipv4(segment(TCP, A4, B4, bytes(30)), TCP, A4, B4, total=90)
    table = read([Frame(framed(tunnelled(inner, NODE_A, NODE_B)) + bytes(60))], engine=engine)
    assert statuses(table)["inner_tcp"] == Status.UNVERIFIABLE
    assert reason(table, "inner_tcp") == Reason.MALFORMED


@pytest.mark.parametrize("tags", [0, 4, 5])
def test_up_to_four_vlan_tags_are_followed(engine: str, tags: int) -> None:
    packet = ipv4(segment(TCP, A4, B4), TCP, A4, B4)
    table = read([Frame(ethernet(packet, tags=range(1, tags + 1)))], engine=engine)
    assert table["kind"][0] == (Kind.PLAIN if tags < 5 else Kind.OTHER)


def test_without_the_i_flag_or_the_port_a_frame_is_plain(engine: str) -> None:
    outer = tunnelled(ipv4(segment(TCP, A4, B4), TCP, A4, B4), NODE_A, NODE_B, dport=8472)
    at = len(framed(b"")) + 20 + 8
    cleared = bytearray(framed(outer))
    cleared[at] = 0xF7
    built = [Frame(framed(outer)), Frame(bytes(cleared))]
    assert read(built, engine=engine)["kind"].tolist() == [Kind.VXLAN, Kind.PLAIN]
    assert read(built[:1], engine=engine, ports=[4789])["kind"].tolist() == [Kind.PLAIN]


@pytest.mark.parametrize("cut", range(8))
def test_a_vxlan_header_must_be_complete(engine: str, cut: int) -> None:
    outer = tunnelled(ipv4(segment(TCP, A4, B4), TCP, A4, B4), NODE_A, NODE_B)
    frame = Frame(framed(outer), ETHERNET).cut(14 + 20 + 8 + cut)
    assert read([frame], engine=engine)["kind"].tolist() == [Kind.PLAIN]


def test_the_outermost_vxlan_header_counts(engine: str) -> None:
    core = ipv4(segment(TCP, A4, B4, b"abc", value=1), TCP, A4, B4)
    nested = tunnelled(core, A4, B4, value=RIGHT, vni=7)
    table = read(
        [Frame(framed(tunnelled(nested, NODE_A, NODE_B, value=RIGHT, vni=5)))], engine=engine
    )
    assert int(table["vni"][0]) == 5
    found = statuses(table)
    assert found["inner_udp"] == Status.VALID
    assert "inner_tcp" not in found


def test_gpe_carries_ip_without_ethernet(engine: str) -> None:
    inner4 = ipv4(segment(TCP, A4, B4, b"abc"), TCP, A4, B4)
    inner6 = ipv6(segment(UDP, A6, B6, b"abc"), UDP, A6, B6)
    built = []
    for following, inner in ((1, inner4), (2, inner6), (3, ethernet(inner4))):
        header = struct.pack(">BHBI", 0x0C, 0, following, 9 << 8)
        datagram = segment(UDP, NODE_A, NODE_B, header + inner, sport=5000, dport=4790)
        built.append(plain(ipv4(datagram, UDP, NODE_A, NODE_B)))
    table = read(built, engine=engine)
    assert table["kind"].tolist() == [Kind.VXLAN] * 3
    assert statuses(table, 0)["inner_tcp"] == Status.VALID
    assert statuses(table, 1)["inner_udp"] == Status.VALID
    assert statuses(table, 2)["inner_tcp"] == Status.VALID


def test_the_final_destination_of_a_routing_header_is_in_the_pseudo_header(engine: str) -> None:
    final = address("2001:db8::99")
    body = segment(TCP, A6, final, b"abc")
    routing = (43, struct.pack(">BBBI", 2, 0, 1, 0) + final)
    used = (43, struct.pack(">BBBI", 2, 0, 0, 0) + final)
    underway = ipv6(body, TCP, A6, B6, extensions=[routing])
    arrived = ipv6(segment(TCP, A6, B6, b"abc"), TCP, A6, B6, extensions=[used])
    table = read([plain(underway), plain(arrived)], engine=engine)
    assert statuses(table, 0)["plain_tcp"] == Status.VALID
    assert statuses(table, 1)["plain_tcp"] == Status.VALID


def test_the_last_hop_of_a_source_route_is_in_the_pseudo_header(engine: str) -> None:
    final = address("192.0.2.99")
    options = bytes([131, 7, 4]) + final + b"\0"
    packet = ipv4(segment(TCP, A4, final, b"abc"), TCP, A4, B4, options=options)
    used = bytes([131, 7, 8]) + final + b"\0"
    arrived = ipv4(segment(TCP, A4, B4, b"abc"), TCP, A4, B4, options=used)
    table = read([plain(packet), plain(arrived)], engine=engine)
    assert statuses(table, 0)["plain_tcp"] == Status.VALID
    assert statuses(table, 1)["plain_tcp"] == Status.VALID


@given(
    st.lists(st.binary(max_size=120), min_size=1, max_size=6),
    st.sampled_from([0, 1, 101, 113, 276]),
)
def test_no_octets_raise(engine: str, noise: list[bytes], linktype: int) -> None:
    table = read(pcap([Frame(octets, linktype) for octets in noise]), engine=engine)
    assert len(table) == len(noise)


@given(st.one_of(plain_frames(), vxlan_frames()), st.data())
def test_no_damage_to_headers_raises(engine: str, frame: Frame, data: st.DataObject) -> None:
    octets = bytearray(frame.octets)
    for _ in range(data.draw(st.integers(1, 6))):
        octets[data.draw(st.integers(0, len(octets) - 1))] = data.draw(st.integers(0, 255))
    assert len(read([frame.changed(bytes(octets))], engine=engine)) == 1
