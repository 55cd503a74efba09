"""Fragments verify like the whole datagram: sums add up, nothing is reassembled."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from strategies import addresses
from support import (
    ICMP,
    ICMPV6,
    LCO,
    NAMES,
    PARTIAL,
    RIGHT,
    TCP,
    UDP,
    ZERO,
    Frame,
    address,
    ethernet,
    flip,
    fragments_of,
    framed,
    ip,
    ipv4,
    pcapng,
    plain,
    put,
    read,
    reason,
    same_table,
    segment,
    statuses,
    take,
    tunnelled,
)

from vxcsum import PacketTable, Reason, Status
from vxcsum.checksum.fragments import WINDOW

if TYPE_CHECKING:
    from collections.abc import Sequence

A4, B4 = address("10.244.1.5"), address("10.244.2.5")
NODE_A, NODE_B = address("172.31.7.11"), address("172.31.7.12")
#: The first fragment holds the transport header; the one without has a test of its own.
sizes = st.builds(
    lambda first, others: [first, *others],
    st.integers(3, 6),
    st.lists(st.integers(1, 6), max_size=4),
)
payloads = st.binary(min_size=40, max_size=160)
FILLER = plain(ipv4(segment(TCP, A4, B4), TCP, A4, B4))


@st.composite
def datagrams(
    draw: st.DrawFn, values: tuple[str, ...] = (RIGHT, ZERO)
) -> tuple[bytes, str, Status]:
    """A packet to be fragmented, its layer among ``tcp udp icmp icmpv6``, and its status."""
    protocol = draw(st.sampled_from([TCP, UDP, ICMP, ICMPV6]))
    version = {ICMP: 4, ICMPV6: 6}.get(protocol) or draw(st.sampled_from([4, 6]))
    src, dst = draw(addresses(version)), draw(addresses(version))
    value = draw(st.sampled_from(values)) if protocol == UDP else RIGHT
    body = segment(protocol, src, dst, draw(payloads), dport=80, value=value)
    status = Status.ZERO if value == ZERO else Status.VALID
    return ip(body, protocol, src, dst), NAMES[protocol], status


def heads(table: PacketTable, layer: str) -> list[Status]:
    """The statuses that a layer has anywhere."""
    return [Status(int(s)) for s in table[f"{layer}_status"] if s != Status.ABSENT]


@given(datagrams(), sizes, st.randoms(use_true_random=False))
def test_fragments_in_any_order_verify_like_the_whole(
    engine: str, built: tuple[bytes, str, Status], cuts: list[int], random: object
) -> None:
    packet, name, status = built
    pieces = [plain(piece) for piece in fragments_of(packet, cuts)]
    assume(len(pieces) > 1)
    random.shuffle(pieces)  # type: ignore[attr-defined]
    table = read(pieces, engine=engine)
    assert heads(table, f"plain_{name}") == [status]
    assert int((table["fragment"] > 0).sum()) == len(pieces)
    whole = read([plain(packet)], engine=engine)
    row = int((table[f"plain_{name}_status"] > 0).argmax())
    for what in ("found", "expected", "residual", "pseudo"):
        column = f"plain_{name}_{what}"
        if what == "expected" and status == Status.ZERO:
            continue
        assert (int(table[column][row]) - int(whole[column][0])) % 0xFFFF == 0, column


@given(
    st.lists(st.tuples(datagrams(), sizes), min_size=2, max_size=4),
    st.randoms(use_true_random=False),
    st.integers(1, 500),
)
def test_interleaved_datagrams_do_not_mix(
    engine: str,
    built: list[tuple[tuple[bytes, str, Status], list[int]]],
    random: object,
    block: int,
) -> None:
    pieces: list[Frame] = []
    for number, ((packet, _, _), cuts) in enumerate(built):
        pieces += [plain(p) for p in fragments_of(packet, cuts, ident=1000 + number)]
    random.shuffle(pieces)  # type: ignore[attr-defined]
    table = read(pieces, engine=engine)
    for name in NAMES.values():
        expected = sorted(status for (_, layer, status), _ in built if layer == name)
        assert sorted(heads(table, f"plain_{name}")) == expected
    same_table(table, read(pcapng(pieces), engine=engine, block_octets=block))


@given(datagrams((RIGHT,)), sizes, st.data())
def test_one_flipped_bit_in_any_fragment_is_never_valid(
    engine: str, built: tuple[bytes, str, Status], cuts: list[int], data: st.DataObject
) -> None:
    packet, name, _ = built
    head = 20 if packet[0] >> 4 == 4 else 40
    pieces = fragments_of(packet, cuts)
    chosen = data.draw(st.integers(0, len(pieces) - 1))
    start = head + (8 if head == 40 else 0)
    bits = range(8 * start, 8 * len(pieces[chosen]))
    bit = data.draw(st.sampled_from(bits))
    # UDP's length field is left alone: with another length it is another packet.
    assume(not (name == "udp" and chosen == 0 and 8 * (start + 4) <= bit < 8 * (start + 6)))
    pieces[chosen] = flip(pieces[chosen], bit)
    table = read([plain(piece) for piece in pieces], engine=engine)
    assert Status.VALID not in heads(table, f"plain_{name}")


@given(datagrams((RIGHT,)), sizes, st.data())
def test_an_incomplete_set_is_unverifiable(
    engine: str, built: tuple[bytes, str, Status], cuts: list[int], data: st.DataObject
) -> None:
    packet, name, _ = built
    pieces = [plain(piece) for piece in fragments_of(packet, cuts)]
    assume(len(pieces) > 1)
    missing = data.draw(st.integers(1, len(pieces) - 1))
    table = read(pieces[:missing] + pieces[missing + 1 :], engine=engine)
    # A first fragment of UDP may look partial by chance: it needs only the header.
    assert heads(table, f"plain_{name}") == [Status.UNVERIFIABLE]
    assert reason(table, f"plain_{name}") == Reason.FRAGMENT


@pytest.mark.parametrize("outer_value", [RIGHT, ZERO])
@given(datagrams((RIGHT,)), sizes, st.sampled_from([4, 6]), st.randoms(use_true_random=False))
@settings(max_examples=25)
def test_outer_fragments_around_vxlan_verify_both_layers(
    engine: str,
    outer_value: str,
    built: tuple[bytes, str, Status],
    cuts: list[int],
    version: int,
    random: object,
) -> None:
    packet, name, status = built
    ends = (NODE_A, NODE_B) if version == 4 else (address("fd00::1"), address("fd00::2"))
    outer = tunnelled(packet, *ends, value=outer_value)
    # The first fragment shows all headers, so that it is known for what it is.
    pieces = [plain(piece) for piece in fragments_of(outer, [12 + cuts[0], *cuts[1:]])]
    random.shuffle(pieces)  # type: ignore[attr-defined]
    table = read(pieces, engine=engine)
    expected = Status.ZERO if outer_value == ZERO else Status.VALID
    assert heads(table, "outer_udp") == [expected]
    assert heads(table, f"inner_{name}") == [status]


@given(datagrams(), sizes, st.randoms(use_true_random=False))
def test_inner_fragments_verify_like_the_whole(
    engine: str, built: tuple[bytes, str, Status], cuts: list[int], random: object
) -> None:
    packet, name, status = built
    pieces = [
        Frame(framed(tunnelled(piece, NODE_A, NODE_B, value=RIGHT)))
        for piece in fragments_of(packet, cuts)
    ]
    random.shuffle(pieces)  # type: ignore[attr-defined]
    table = read(pieces, engine=engine)
    assert heads(table, f"inner_{name}") == [status]
    assert set(heads(table, "outer_udp")) == {Status.VALID}


@given(datagrams((RIGHT,)), sizes, st.integers(13, 18))
@settings(max_examples=25)
def test_fragments_in_fragments_verify(
    engine: str, built: tuple[bytes, str, Status], cuts: list[int], outer_cut: int
) -> None:
    packet, name, status = built
    pieces: list[Frame] = []
    for number, piece in enumerate(fragments_of(packet, cuts)):
        outer = tunnelled(piece, NODE_A, NODE_B, value=RIGHT)
        pieces += [plain(p) for p in fragments_of(outer, [outer_cut], ident=500 + number)]
    table = read(pieces, engine=engine)
    assert set(heads(table, "outer_udp")) == {Status.VALID}
    assert heads(table, f"inner_{name}") == [status]


def test_the_same_inner_fragments_in_two_networks_are_two_datagrams(engine: str) -> None:
    packet = ipv4(segment(UDP, A4, B4, bytes(range(100)), dport=80), UDP, A4, B4)
    other = ipv4(segment(UDP, A4, B4, bytes(range(100, 200)), dport=80), UDP, A4, B4)
    first, second = fragments_of(packet, [4]), fragments_of(other, [4])
    built = [
        Frame(framed(tunnelled(piece, NODE_A, NODE_B, vni=vni)))
        for vni, piece in ((1, first[0]), (2, second[0]), (2, second[1]), (1, first[1]))
    ]
    assert heads(read(built, engine=engine), "inner_udp") == [Status.VALID] * 2


def test_a_fragment_seen_twice_counts_once(engine: str) -> None:
    packet = ipv4(segment(UDP, A4, B4, bytes(range(100)), dport=80), UDP, A4, B4)
    first, middle, last = (plain(p) for p in fragments_of(packet, [4, 4]))
    table = read([first, middle, middle, last], engine=engine)
    assert heads(table, "plain_udp") == [Status.VALID]


def test_later_fragments_carry_no_transport_status(engine: str) -> None:
    packet = ipv4(segment(UDP, A4, B4, bytes(100), dport=80), UDP, A4, B4)
    table = read([plain(p) for p in fragments_of(packet, [4, 4])], engine=engine)
    assert statuses(table, 0) == {"plain_ipv4": Status.VALID, "plain_udp": Status.VALID}
    assert statuses(table, 1) == statuses(table, 2) == {"plain_ipv4": Status.VALID}


def test_a_later_fragment_is_never_a_vxlan_frame(engine: str) -> None:
    """Its octets may look like one: here they are a copy of a VXLAN header."""
    inner = ipv4(segment(TCP, A4, B4), TCP, A4, B4)
    looks = tunnelled(inner, NODE_A, NODE_B)[20:]
    piece = ipv4(looks, UDP, NODE_A, NODE_B, fragment=8)
    table = read([plain(piece)], engine=engine)
    assert statuses(table) == {"plain_ipv4": Status.VALID}


@pytest.mark.parametrize("value", [ZERO, PARTIAL])
def test_a_first_fragment_of_udp_still_gets_zero_and_partial(engine: str, value: str) -> None:
    body = segment(UDP, A4, B4, bytes(100), dport=80, value=value)
    first = fragments_of(ipv4(body, UDP, A4, B4), [4])[0]
    expected = Status.ZERO if value == ZERO else Status.PARTIAL
    assert statuses(read([plain(first)], engine=engine))["plain_udp"] == expected


@pytest.mark.parametrize("protocol", [TCP, UDP])
def test_a_first_outer_fragment_still_gets_what_needs_only_headers(
    engine: str, protocol: int
) -> None:
    """The inner packet is no fragment, so its length is told: partial and LCO are decided."""
    inner = ipv4(segment(protocol, A4, B4, bytes(range(200)), value=PARTIAL), protocol, A4, B4)
    outer = tunnelled(inner, NODE_A, NODE_B, value=LCO)
    found = statuses(read([plain(fragments_of(outer, [12])[0])], engine=engine))
    assert found[f"inner_{NAMES[protocol]}"] == Status.PARTIAL
    assert found["outer_udp"] == Status.PARTIAL


def test_a_wrong_outer_checksum_is_wrong_also_in_a_first_fragment(engine: str) -> None:
    inner = ipv4(segment(UDP, A4, B4, bytes(range(200)), value=PARTIAL), UDP, A4, B4)
    outer = tunnelled(inner, NODE_A, NODE_B, value=LCO)
    outer = put(outer, 26, (take(outer, 26) + 0x1234) % 0xFFFF)
    found = statuses(read([plain(fragments_of(outer, [12])[0])], engine=engine))
    assert found["outer_udp"] == Status.INVALID


@pytest.mark.parametrize("version", [4, 6])
def test_a_transport_header_may_be_split_over_fragments(engine: str, version: int) -> None:
    ends = (A4, B4) if version == 4 else (address("fd00::1"), address("fd00::2"))
    packet = ip(segment(TCP, *ends, bytes(range(60))), TCP, *ends)
    table = read([plain(piece) for piece in fragments_of(packet, [1, 1])], engine=engine)
    assert heads(table, "plain_tcp") == [Status.VALID]


def test_an_atomic_fragment_is_a_whole_packet(engine: str) -> None:
    src, dst = address("fd00::1"), address("fd00::2")
    body = segment(TCP, src, dst, b"abc")
    packet = ip(body, TCP, src, dst, extensions=[(44, b"\0" + bytes(2) + bytes(4))])
    table = read([plain(packet)], engine=engine)
    assert statuses(table) == {"plain_tcp": Status.VALID}
    assert int(table["fragment"][0]) == 0


@pytest.mark.parametrize(("apart", "status"), [(1, Status.VALID), (2, Status.UNVERIFIABLE)])
def test_fragments_are_looked_for_within_a_stated_window(
    engine: str, apart: int, status: Status
) -> None:
    packet = ipv4(segment(UDP, A4, B4, bytes(range(100)), dport=80), UDP, A4, B4)
    first, last = (plain(p) for p in fragments_of(packet, [4]))
    between: Sequence[Frame] = [FILLER] * (WINDOW - 1 if apart == 1 else WINDOW + 1)
    between = between[: WINDOW - 2] if apart == 1 else between
    table = read([first, *between, last], engine=engine)
    assert statuses(table)["plain_udp"] == status


@given(datagrams((RIGHT,)), sizes, st.integers(60, 5000))
@settings(max_examples=20)
def test_fragments_that_span_blocks_are_found(
    engine: str, built: tuple[bytes, str, Status], cuts: list[int], block: int
) -> None:
    packet, name, status = built
    pieces = [plain(piece) for piece in fragments_of(packet, cuts)]
    spread = [frame for piece in pieces for frame in (piece, *([FILLER] * 30))]
    table = read(pcapng(spread), engine=engine, block_octets=block)
    # The fillers are TCP, too.
    wanted = [status] + [Status.VALID] * (30 * len(pieces) if name == "tcp" else 0)
    assert heads(table, f"plain_{name}") == wanted


def test_padding_of_a_short_last_fragment_counts_nothing(engine: str) -> None:
    packet = ipv4(segment(UDP, A4, B4, bytes(range(30)), dport=80), UDP, A4, B4)
    pieces = [Frame(ethernet(p) + b"\xaa" * 30) for p in fragments_of(packet, [4])]
    assert heads(read(pieces, engine=engine), "plain_udp") == [Status.VALID]
