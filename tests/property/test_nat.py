"""NAT mistakes on built packets are named and undone; look-alikes are not."""

from __future__ import annotations

import functools
import ipaddress
import random
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from strategies import addresses
from support import (
    ICMP,
    LCO,
    PARTIAL,
    RIGHT,
    TCP,
    UDP,
    ZERO,
    Frame,
    address,
    codes,
    diagnose,
    flip,
    framed,
    ipv4,
    ones_sum,
    problems,
    pseudo,
    put,
    segment,
    take,
    tunnelled,
)

if TYPE_CHECKING:
    from vxcsum import Finding

M = 0xFFFF
POD_A, POD_B = address("10.244.1.5"), address("10.244.2.5")
DST = address("172.31.7.12")
tunnel_ports = st.integers(32768, 60998)
any_ports = st.integers(1, 65535)
NAT = {"VX101", "VX102"}


def text_of(packed: bytes) -> str:
    return str(ipaddress.ip_address(packed))


def inner(number: int, *, size: int = 0, protocol: int = TCP, value: str = RIGHT) -> bytes:
    """A packet between the pods; its port and length differ with ``number`` and ``size``."""
    body = segment(
        protocol, POD_A, POD_B, bytes(size), sport=40000 + number, dport=8080, value=value
    )
    return ipv4(body, protocol, POD_A, POD_B)


def udp_at(outer: bytes) -> int:
    return 20 if outer[0] >> 4 == 4 else 40


def rewritten(outer: bytes, src: bytes, sport: int, field: int) -> bytes:
    """The outer packet with another source and checksum; the IPv4 header stays right."""
    at = udp_at(outer)
    body = put(put(outer[at:], 0, sport), 6, field)
    if at == 40:
        return outer[:8] + src + outer[24:40] + body
    head = put(outer[:12] + src + outer[16:20], 10, 0)
    return put(head, 10, M - ones_sum(head)) + body


def old_zero(packet: bytes, old: bytes, new: bytes, old_port: int, new_port: int) -> bytes:
    """P01: no outer checksum, and NAT adds the address difference to it."""
    dst = DST if len(old) == 4 else address("fd00::12")
    outer = tunnelled(packet, old, dst, sport=old_port, value=ZERO)
    change = (ones_sum(new) - ones_sum(old)) % M
    return rewritten(outer, new, new_port, change or M)


def old_lco(packet: bytes, old: bytes, new: bytes, old_port: int, new_port: int) -> bytes:
    """P02: a finished outer checksum, to which NAT adds the address difference."""
    dst = DST if len(old) == 4 else address("fd00::12")
    outer = tunnelled(packet, old, dst, sport=old_port, value=LCO)
    change = (ones_sum(new) - ones_sum(old)) % M
    field = (take(outer, udp_at(outer) + 6) + change) % M or M
    return rewritten(outer, new, new_port, field)


def icmp(src: bytes, *, value: str, number: int = 0) -> Frame:
    dst = DST if len(src) == 4 else address("fd00::12")
    body = segment(ICMP, POD_A, POD_B, bytes(32), seq=number)
    packet = ipv4(body, ICMP, POD_A, POD_B)
    return Frame(framed(tunnelled(packet, src, dst, sport=33333, value=value)))


def answer(node: bytes) -> Frame:
    """What the peer sends back to a node."""
    dst = DST if len(node) == 4 else address("fd00::12")
    packet = ipv4(segment(TCP, POD_B, POD_A, sport=80, dport=40000), TCP, POD_B, POD_A)
    return Frame(framed(tunnelled(packet, dst, node, sport=34567, value=RIGHT)))


def looks_unfinished(frame: Frame) -> bool:
    """Whether the wrong outer checksum is, by chance, the sum of its pseudo-header (VX203)."""
    outer = frame.octets[14:]
    at = udp_at(outer)
    ends = (outer[12:16], outer[16:20]) if at == 20 else (outer[8:24], outer[24:40])
    return not (take(outer, at + 6) - pseudo(*ends, UDP, take(outer, at + 4))) % M


def only(frames: list[Frame], code: str, wrong: int, **more: Any) -> Finding:
    report = diagnose(frames, **more)
    assert codes(report) == {code: wrong}
    (finding,) = problems(report)
    return finding


def flows_of(
    make: Any, old: bytes, new: bytes, pairs: list[tuple[int, int]], *, value: str = RIGHT
) -> list[Frame]:
    """Three packets of different length for each (old port, new port)."""
    return [
        Frame(framed(make(inner(n, size=size, value=value), old, new, old_port, new_port)))
        for n, (old_port, new_port) in enumerate(pairs)
        for size in (0, 10, 21)
    ]


@st.composite
def port_pairs(draw: st.DrawFn, count: int = 3) -> list[tuple[int, int]]:
    old = draw(st.lists(tunnel_ports, min_size=count, max_size=count, unique=True))
    new = draw(st.lists(any_ports, min_size=count, max_size=count, unique=True))
    assume(not set(old) & set(new) and 33333 not in new)
    return list(zip(old, new, strict=True))


def distinct_fields(frames: list[Frame], at: int) -> int:
    return len({take(frame.octets, at) for frame in frames})


@pytest.mark.parametrize("value", [RIGHT, PARTIAL])
@given(st.sampled_from([4, 6]).flatmap(addresses), port_pairs())
@settings(max_examples=25)
def test_p01_with_the_address_kept_is_named(
    value: str, source: bytes, pairs: list[tuple[int, int]]
) -> None:
    assume(source not in (DST, bytes(len(source))))
    frames = flows_of(old_zero, source, source, pairs, value=value)
    finding = only([icmp(source, value=ZERO), *frames], "VX101", len(frames))
    assert finding.frame_numbers == list(range(2, len(frames) + 2))
    assert finding.confidence.value == "confirmed"
    assert finding.evidence["found"] == "0xffff"
    assert finding.evidence["pre_nat_source"] == finding.evidence["post_nat_source"]
    (mapping,) = finding.evidence["mappings"]
    assert mapping["pre_nat_source_port"] is None  # the port never enters the sum


@given(
    st.sampled_from([4, 6]).flatmap(lambda v: st.tuples(addresses(v), addresses(v))), port_pairs()
)
@settings(max_examples=25)
def test_p01_with_another_address_is_named_and_the_address_recovered(
    ends: tuple[bytes, bytes], pairs: list[tuple[int, int]]
) -> None:
    old, new = ends
    assume((ones_sum(new) - ones_sum(old)) % M and DST not in ends)
    frames = flows_of(old_zero, old, new, pairs)
    text = text_of(old)
    finding = only([icmp(new, value=ZERO), *frames], "VX101", len(frames), pre_nat=[text])
    assert text in finding.evidence["candidates"]
    change = (ones_sum(new) - ones_sum(old)) % M
    assert finding.evidence["found"] == f"0x{change:04x}"
    assert finding.evidence["post_nat_source"] == text_of(new)


@given(st.integers(1, 254), st.integers(1, 254), port_pairs())
@settings(max_examples=15)
def test_p01_gives_the_neighbour_that_solves_the_sum_without_hints(
    one: int, other: int, pairs: list[tuple[int, int]]
) -> None:
    old, new = address(f"172.31.9.{one}"), address(f"172.31.9.{other}")
    assume(one != other)
    frames = flows_of(old_zero, old, new, pairs)
    finding = only([icmp(new, value=ZERO), *frames], "VX101", len(frames))
    assert text_of(old) in finding.evidence["candidates"]


@pytest.mark.parametrize("value", [RIGHT, PARTIAL])
@given(st.sampled_from([4, 6]).flatmap(addresses), port_pairs())
@settings(max_examples=25)
def test_p02_with_the_address_kept_is_named_and_every_port_recovered(
    value: str, source: bytes, pairs: list[tuple[int, int]]
) -> None:
    """Seen on the wire, and before the device finished the inner checksum (row d2).

    That the address was kept is sure once the peer sends to it; until then the ports are those that
    it had if it was.
    """
    assume(source not in (DST, bytes(len(source))))
    assume(len({(new - old) % M for old, new in pairs}) == len(pairs))  # else the ports were kept
    frames = flows_of(old_lco, source, source, pairs, value=value)
    assume(not any(map(looks_unfinished, frames)))
    alone = only([icmp(source, value=RIGHT), *frames], "VX102", len(frames))
    assert set(pairs) == {
        (m["port_if_address_kept"], m["post_nat_source_port"]) for m in alone.evidence["mappings"]
    }
    assert {m["pre_nat_source_port"] for m in alone.evidence["mappings"]} == {None}
    frames = [icmp(source, value=RIGHT), answer(source), *frames]
    finding = only(frames, "VX102", len(frames) - 2)
    assert set(pairs) == {
        (m["pre_nat_source_port"], m["post_nat_source_port"]) for m in finding.evidence["mappings"]
    }
    assert finding.evidence["pre_nat_source"] == text_of(source)
    assert finding.confidence.value == "likely"  # VX104 leaves the same, and spares no ping


@given(
    st.sampled_from([4, 6]).flatmap(lambda v: st.tuples(addresses(v), addresses(v))),
    st.lists(tunnel_ports, min_size=3, max_size=3, unique=True),
)
@settings(max_examples=25)
def test_p02_with_another_address_is_named_and_the_address_recovered(
    ends: tuple[bytes, bytes], sports: list[int]
) -> None:
    old, new = ends
    assume((ones_sum(new) - ones_sum(old)) % M and DST not in ends and 33333 not in sports)
    frames = flows_of(old_lco, old, new, [(sport, sport) for sport in sports])
    text = text_of(old)
    finding = only([icmp(new, value=RIGHT), *frames], "VX102", len(frames), pre_nat=[text])
    assert text in finding.evidence["candidates"]
    ports = {
        (m["pre_nat_source_port"], m["post_nat_source_port"]) for m in finding.evidence["mappings"]
    }
    assert ports == {(sport, sport) for sport in sports}
    change = (ones_sum(new) - ones_sum(old)) % M
    assert finding.evidence["residual"] == f"0x{2 * change % M:04x}"


@given(
    st.integers(1, 254),
    st.integers(1, 254),
    st.lists(st.tuples(tunnel_ports, any_ports), min_size=3, max_size=3, unique=True),
)
@settings(max_examples=25)
def test_p02_with_address_and_port_claims_no_address_that_is_not_proven(
    one: int, other: int, pairs: list[tuple[int, int]]
) -> None:
    """One equation, two unknowns: that the address stayed is the plainer reading; a hint decides.

    The node at the other end is no candidate, nor is any address whose sum does not fit.
    """
    assume(one != other and len({new for _, new in pairs}) == 3)
    assume(len({(new - old) % M for old, new in pairs}) == 3)
    assume(33333 not in [new for _, new in pairs])
    old, new = address(f"172.31.9.{one}"), address(f"172.31.9.{other}")
    frames = flows_of(old_lco, old, new, pairs)
    report = diagnose([icmp(new, value=RIGHT), *frames])
    for finding in problems(report):
        for mapping in finding.evidence.get("mappings", []):
            assert mapping["pre_nat_source"] in (None, text_of(old), text_of(new))
    hinted = diagnose([icmp(new, value=RIGHT), *frames], pre_nat=[text_of(old)])
    (finding,) = [f for f in problems(hinted) if f.code == "VX102"]
    named = set(finding.evidence.get("candidates", []))
    named |= {m["pre_nat_source"] for m in finding.evidence["mappings"]}
    assert text_of(old) in named


def test_one_pair_has_one_finding_for_all_its_mappings() -> None:
    source = address("172.31.7.11")
    pairs = [(40000 + n, 20000 + 7 * n) for n in range(12)]
    frames = flows_of(old_zero, source, source, pairs)
    other = address("172.31.7.13")
    frames += flows_of(old_zero, other, other, pairs)
    report = diagnose([icmp(source, value=ZERO), icmp(other, value=ZERO), *frames])
    assert [f.code for f in problems(report)] == ["VX101", "VX101"]
    assert {f.evidence["post_nat_source"] for f in problems(report)} == {
        "172.31.7.11",
        "172.31.7.13",
    }


def test_retransmissions_of_one_packet_are_one_observation() -> None:
    source = address("172.31.7.11")
    syn = Frame(framed(old_lco(inner(0), source, source, 40000, 50000)))
    report = diagnose([icmp(source, value=RIGHT), *[syn] * 6])
    for finding in problems(report):
        assert finding.evidence.get("observations", 1) == 1


# Look-alikes.


def healthy(count: int, *, value: str = RIGHT, protocol: int = TCP) -> list[Frame]:
    return list(_healthy(count, value, protocol))


@functools.cache
def _healthy(count: int, value: str, protocol: int) -> tuple[Frame, ...]:
    source = address("172.31.7.11")
    return tuple(
        Frame(
            framed(
                tunnelled(
                    inner(n % 50, size=n % 300, protocol=protocol),
                    source,
                    DST,
                    sport=32768 + 13 * (n % 50),
                    value=value,
                )
            )
        )
        for n in range(count)
    )


def test_a_right_checksum_of_0xffff_is_right() -> None:
    source = address("172.31.7.11")
    frames = healthy(30, value=ZERO)
    for n in range(3):
        plain_sum = take(tunnelled(inner(n), source, DST, value=RIGHT, macs=bytes(12)), 26)
        macs = plain_sum.to_bytes(2, "big") + bytes(10)  # the first word takes all of it
        outer = tunnelled(inner(n), source, DST, value=RIGHT, macs=macs)
        assert take(outer, 26) == M
        frames.append(Frame(framed(outer)))
    report = diagnose(frames)
    assert not problems(report)
    assert report.layers["outer_udp"]["invalid"] == 0
    assert report.layers["outer_udp"]["valid"] == 3


@given(port_pairs(), st.integers(1, 254))
@settings(max_examples=20)
def test_a_rewrite_that_updates_nothing_hits_icmp_too_and_is_not_p02(
    pairs: list[tuple[int, int]], last: int
) -> None:
    old, new = address("172.31.7.11"), address(f"172.31.8.{last}")
    frames = []
    for n, (old_port, new_port) in enumerate(pairs):
        for size in (0, 10, 21):
            for protocol in (TCP, UDP, ICMP):
                packet = inner(n, size=size, protocol=protocol)
                outer = tunnelled(packet, old, DST, sport=old_port, value=RIGHT)
                stale = take(outer, 26)
                frames.append(Frame(framed(rewritten(outer, new, new_port, stale))))
    report = diagnose(frames)
    assert sum(codes(report).values()) == len(frames)
    assert not NAT & set(codes(report))


@pytest.mark.parametrize("value", [RIGHT, ZERO])
@given(
    st.lists(
        st.tuples(st.integers(0, 299), st.integers(0, 150)),
        min_size=1,
        max_size=12,
        unique_by=(lambda hit: hit[0], lambda hit: hit[1] % 16),
    )
)
@settings(max_examples=20)
def test_random_damage_in_healthy_traffic_is_not_nat(
    value: str, hits: list[tuple[int, int]]
) -> None:
    frames = healthy(300, value=value)
    at = 14 + 20 + 8 + 8 + 14 + 20  # inner transport header and payload
    for row, where in dict(hits).items():
        octets = frames[row].octets
        bit = 8 * at + where % (8 * (len(octets) - at))
        frames[row] = frames[row].changed(flip(octets, bit))
    report = diagnose(frames)
    found = codes(report)
    assert not NAT & set(found)
    assert sum(found.values()) == len(dict(hits))


@given(st.integers(0, 65534), st.sampled_from([RIGHT, ZERO]))
def test_a_single_frame_with_a_wrong_outer_checksum_is_never_confirmed_as_nat(
    change: int, value: str
) -> None:
    frames = healthy(40, value=value)
    octets = frames[20].octets
    field = 14 + 26
    wrong = (take(octets, field) + 1 + change) % M or M
    frames[20] = frames[20].changed(put(octets, field, wrong))
    report = diagnose(frames)
    for finding in problems(report):
        if finding.code in NAT:
            assert finding.confidence.value != "confirmed"


def test_random_outer_checksums_of_a_whole_path_are_not_nat() -> None:
    generator = random.Random(7)
    frames = healthy(60)
    for row, frame in enumerate(frames):
        wrong = generator.randrange(1, M)
        frames[row] = frame.changed(put(frame.octets, 14 + 26, wrong))
    report = diagnose(frames)
    assert not NAT & set(codes(report))
    assert sum(codes(report).values()) == report.layers["outer_udp"]["invalid"]


def swapped(octets: bytes) -> bytes:
    value = take(octets, 14 + 26)
    return put(octets, 14 + 26, value >> 8 | (value & 0xFF) << 8)


def complement_forgotten(octets: bytes) -> bytes:
    return put(octets, 14 + 26, M - take(octets, 14 + 26))


def without_pseudo_header(octets: bytes) -> bytes:
    datagram = put(octets[34:], 6, 0)
    return put(octets, 14 + 26, M - ones_sum(datagram))


def wrong_protocol(octets: bytes) -> bytes:
    return put(octets, 14 + 26, (take(octets, 14 + 26) + UDP - TCP) % M)


@pytest.mark.parametrize(
    "mistake", [swapped, complement_forgotten, without_pseudo_header, wrong_protocol]
)
def test_arithmetic_mistakes_of_an_encapsulator_are_not_nat(mistake: Any) -> None:
    """They hit all inner protocols alike, on every path."""
    built = [frame for p in (TCP, UDP, ICMP) for frame in healthy(60, protocol=p)]
    frames = [frame.changed(mistake(frame.octets)) for frame in built]
    report = diagnose(frames)
    assert report.layers["outer_udp"]["invalid"] > 150
    assert not NAT & set(codes(report))


def test_a_placeholder_of_0xffff_with_an_empty_ip_header_checksum_is_not_p01() -> None:
    frames = []
    for protocol in (TCP, UDP, ICMP):
        frames += [
            frame.changed(put(put(frame.octets, 14 + 26, M), 14 + 10, 0))
            for frame in healthy(20, protocol=protocol)
        ]
    assert not NAT & set(codes(diagnose(frames)))


def test_textbook_arithmetic_on_a_zero_checksum_is_not_p01() -> None:
    """P03: the opposite sign, the port counted, ICMP hit as well."""
    old, new = address("172.31.7.11"), address("172.31.7.99")
    frames = []
    for n in range(5):
        for protocol in (TCP, UDP, ICMP):
            outer = tunnelled(inner(n, size=3 * n, protocol=protocol), old, DST, sport=40000 + n)
            field = -(ones_sum(new) - ones_sum(old) + 21 * n) % M
            frames.append(Frame(framed(rewritten(outer, new, 40000 + 22 * n, field))))
    assert not NAT & set(codes(diagnose(frames)))


@given(st.sampled_from([RIGHT, ZERO, LCO]), st.sampled_from([TCP, UDP]))
@settings(max_examples=10)
def test_healthy_traffic_gives_no_error(value: str, protocol: int) -> None:
    made = PARTIAL if value == LCO else RIGHT
    source = address("172.31.7.11")
    frames = [
        Frame(
            framed(
                tunnelled(
                    inner(n, size=n, protocol=protocol, value=made),
                    source,
                    DST,
                    sport=40000 + n,
                    value=value,
                )
            )
        )
        for n in range(40)
    ]
    report = diagnose(frames)
    assert report.ok
    assert not problems(report)
