"""Causes are named from little: a few connections, no ping to compare with, several interfaces."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from support import (
    ICMP,
    ICMPV6,
    PARTIAL,
    RIGHT,
    SLL2,
    TCP,
    Frame,
    address,
    codes,
    diagnose,
    ip,
    pcap,
    plain,
    problems,
    put,
    segment,
    take,
    tunnelled,
)

from vxcsum import extract

if TYPE_CHECKING:
    from pathlib import Path

    from vxcsum import Finding

NODE, PEER = address("10.7.0.77"), address("10.7.0.9")
CLIENT, SERVER = address("10.244.1.5"), address("10.244.2.6")
SYN, SYN_ACK, ACK = 0x02, 0x12, 0x10
OUTER_CHECKSUM = 14 + 20 + 6
#: Where SYNs come from, on the client and on the outside.
PORTS = [(40000 + 7 * n, 33000 + 1979 * n) for n in range(12)]


def inner(sport: int, value: str | int = RIGHT, *, payload: bytes = b"", **more: Any) -> bytes:
    return ip(
        segment(TCP, CLIENT, SERVER, payload, sport=sport, value=value, **more), TCP, CLIENT, SERVER
    )


def tunnel(packet: bytes, sport: int = 50000, *, off: int = 0, value: str = RIGHT) -> Frame:
    """A packet in a tunnel, with an outer checksum that is off by some residual."""
    octets = plain(tunnelled(packet, NODE, PEER, sport=sport, value=value)).octets
    found = (take(octets, OUTER_CHECKSUM) + off) % 0xFFFF or 0xFFFF
    return Frame(put(octets, OUTER_CHECKSUM, found) if off else octets)


def syns(off: int) -> list[Frame]:
    return [tunnel(inner(sport, flags=SYN), port, off=off) for sport, port in PORTS]


def the_problem(frames: list[Frame], **more: Any) -> Finding:
    (finding,) = problems(diagnose(frames, **more))
    return finding


def rivals(finding: Finding) -> list[str]:
    """The rules that explain the same, the nearest first; each says what would decide."""
    alternatives = finding.evidence["alternatives"]
    assert all(set(each) == {"rule", "bits", "decided_by"} for each in alternatives)
    assert all(each["decided_by"] for each in alternatives)
    bits = [each["bits"] for each in alternatives]
    assert bits == sorted(bits, reverse=True)
    return [each["rule"] for each in alternatives]


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("kernel/h618-nat-udpcsum.rcv.pcap", "VX102"),
        ("kernel/u61bug-nat-udpcsum.snd.pcap", "VX102"),
        ("kernel/u61bug-nat6-csum-masq.rcv.pcap", "VX102"),
        ("kernel/u61bug-nat-udpcsum-snat.rcv.pcap", "VX102"),
        ("netns/udpcsum_nat_rx.pcap", "VX102"),
        ("netns/udpcsum_snat_addr_rx.pcap", "VX102"),
        ("kernel/u61bug-nat-snat-alias.rcv.pcap", "VX101"),
        ("kernel/u61bug-nat-masq-random.snd.pcap", "VX101"),
        ("kernel/u61bug-nat6-masq.snd.pcap", "VX101"),
    ],
)
def test_segments_alone_name_the_cause(
    name: str, code: str, project_captures: Path, tmp_path: Path
) -> None:
    whole = {finding.code for finding in problems(diagnose(project_captures / name))}
    assert whole == {code}
    extract(project_captures / name, tmp_path / "tcp.pcap", layer="inner_tcp")
    finding = the_problem(tmp_path / "tcp.pcap")
    assert finding.code == code
    assert finding.confidence.value in ("possible", "likely", "confirmed")


@pytest.mark.parametrize("step", [1, 7, 32, 56, 200])
def test_a_steady_residual_is_snat_with_ports_kept_however_far_the_address(step: int) -> None:
    finding = the_problem(syns(2 * step))
    # Nothing of the way back is there, which would tell it from an edit, and no ping.
    assert (finding.code, finding.confidence.value) == ("VX102", "possible")
    assert rivals(finding)
    near = f"10.7.0.{77 - step}"
    assert (near in finding.evidence.get("candidates", [])) == (0 <= 77 - step != 9)
    assert not finding.evidence.get("pre_nat_source_port")


def test_an_address_that_is_known_tells_stale_from_lco() -> None:
    assert the_problem(syns(0x7A)).code == "VX102"
    finding = the_problem(syns(77 - 20), pre_nat=["10.7.0.20"])
    assert (finding.code, finding.evidence["pre_nat_source"]) == ("VX104", "10.7.0.20")
    assert the_problem(syns(2 * (77 - 20)), pre_nat=["10.7.0.20"]).code == "VX102"


def test_one_connection_repeated_is_possible_and_says_what_else_fits() -> None:
    finding = the_problem([tunnel(inner(40000, flags=SYN), 4321, off=0x7F86)] * 7)
    assert (finding.code, finding.confidence.value) == ("VX102", "possible")
    (mapping,) = finding.evidence["mappings"]
    # Nobody sends to the address that the packets come from: that it was kept is not sure.
    assert mapping["pre_nat_source_port"] is None
    assert mapping["port_if_address_kept"] == (4321 - 0x7F86) % 0xFFFF
    assert "VX104" in rivals(finding)


def test_pods_whose_packets_are_not_translated_speak_not_against_it() -> None:
    healthy = [tunnel(inner(41000 + n, flags=SYN), 50000 + n) for n in range(7)]
    repeated = [tunnel(inner(40000, flags=SYN), 4321, off=0x7F86)] * 7
    assert codes(diagnose(repeated + healthy)) == {"VX102": 7}
    first = [
        tunnel(inner(40000 + n, flags=SYN), 4321 + n, off=(4321 + n - 40100 - 777 * n) % 0xFFFF)
        for n in range(4)
    ]
    assert codes(diagnose(first + healthy)) == {"VX102": 4}


def test_damage_to_single_segments_is_no_nat() -> None:
    healthy = [tunnel(inner(41000 + n, seq=n), 50000 + n) for n in range(40)]
    wrong = [
        tunnel(inner(40000 + n, seq=n), 45000 + n, off=(45000 + n - 40100 - 777 * n) % 0xFFFF)
        for n in range(4)
    ]
    assert "VX102" not in codes(diagnose(wrong + healthy))
    assert "VX102" not in codes(diagnose([tunnel(inner(40000, flags=SYN), off=0x7F86), *healthy]))


def test_what_a_node_was_found_to_do_is_believed_of_its_other_peers() -> None:
    third = address("10.7.0.30")
    octets = plain(tunnelled(inner(40000, seq=5), NODE, third, sport=4321, value=RIGHT)).octets
    found = (take(octets, OUTER_CHECKSUM) + 0x7F86) % 0xFFFF
    alone = Frame(put(octets, OUTER_CHECKSUM, found))
    finding = the_problem([alone])
    assert finding.confidence.value == "possible"
    assert {finding.code, *rivals(finding)} >= {"VX102", "VX601"}
    proven = [
        tunnel(inner(40000 + n, flags=SYN), port, off=(port - 40100 - 777 * n) % 0xFFFF)
        for n, (_, port) in enumerate(PORTS)
    ]
    assert codes(diagnose([*proven, alone])) == {"VX102": len(proven) + 1}


def test_two_defects_of_one_pair_are_told_apart() -> None:
    unsummed = [
        Frame(put(tunnel(inner(sport, flags=SYN), port).octets, OUTER_CHECKSUM, 0xFFFF))
        for sport, port in PORTS[:7]
    ]
    zero = plain(tunnelled(inner(1, flags=ACK), NODE, PEER))
    ping = tunnel(ip(segment(ICMP, CLIENT, SERVER), ICMP, CLIENT, SERVER))
    frames = [*unsummed, zero, ping, *syns(0x7A)]
    assert codes(diagnose(frames)) == {"VX101": 7, "VX102": len(PORTS)}


def test_a_healthy_peer_is_not_the_address_before_nat() -> None:
    other = address("10.7.0.99")
    frames = [
        tunnel(inner(40000 + n, flags=SYN), port, off=(port - 40100 - 777 * n) % 0xFFFF)
        for n, (_, port) in enumerate(PORTS)
    ]
    for src, dst in ((PEER, other), (other, PEER)):
        frames += [
            plain(tunnelled(inner(1 + n), src, dst, sport=50000 + n, value=RIGHT)) for n in range(3)
        ]
    finding = the_problem(frames)
    assert finding.evidence["candidates"] == ["10.7.0.77"]
    assert {mapping["pre_nat_source"] for mapping in finding.evidence["mappings"]} == {None}
    ports = {(port, 40100 + 777 * n) for n, (_, port) in enumerate(PORTS)}
    assert ports == {
        (mapping["post_nat_source_port"], mapping["port_if_address_kept"])
        for mapping in finding.evidence["mappings"]
    }
    back = tunnelled(inner(7), PEER, NODE, sport=50000, value=RIGHT)
    answered = the_problem([*frames, plain(back)])
    assert answered.evidence["pre_nat_source"] == "10.7.0.77"
    assert ports == {
        (mapping["post_nat_source_port"], mapping["pre_nat_source_port"])
        for mapping in answered.evidence["mappings"]
    }


def test_a_remote_checksum_offload_that_is_cut_short_is_no_error() -> None:
    packet = inner(40000, PARTIAL, payload=bytes(200))
    octets = tunnel(packet).octets
    flagged = put(octets, 14 + 20 + 8, 0x0820)  # the words after it count as they are
    whole = tunnel(packet)
    assert codes(diagnose([Frame(flagged).cut(120), whole.cut(120)])).keys() <= {"VX600"}
    assert codes(diagnose([Frame(flagged).cut(120)])) == {}


def test_a_constant_field_is_vx101_although_no_packet_shows_its_zero() -> None:
    frames = [
        Frame(put(tunnel(inner(sport, flags=SYN), port).octets, OUTER_CHECKSUM, 0x0086))
        for sport, port in PORTS[:6]
    ]
    finding = the_problem(frames)
    assert (finding.code, finding.confidence.value) == ("VX101", "possible")
    assert "VX103" in rivals(finding)


def test_a_small_difference_that_neighbours_explain_is_not_confirmed_arithmetic() -> None:
    ping = ip(segment(ICMP, CLIENT, SERVER, bytes(30)), ICMP, CLIENT, SERVER)
    finding = the_problem([*syns(32), *(tunnel(ping, 45000 + n, off=32) for n in range(3))])
    assert (finding.code, finding.confidence.value) == ("VX507", "possible")
    assert "VX104" in rivals(finding)
    assert "VX102" not in rivals(finding)


def test_addresses_that_no_host_has_are_not_those_before_nat() -> None:
    link_local = address("fe80::1:2")
    multicast = address("ff02::16")
    report = ip(segment(ICMPV6, link_local, multicast), ICMPV6, link_local, multicast)
    finding = the_problem([plain(report), *syns(0x1234)])
    told = " ".join(finding.evidence.get("candidates", []))
    assert "fe80" not in told
    assert "ff02" not in told


def any_interface(packet: bytes, ifindex: int, outgoing: bool) -> Frame:
    frame = plain(packet, SLL2)
    octets = put(put(frame.octets, 4, 0), 6, ifindex)
    return Frame(octets[:10] + bytes([4 if outgoing else 0]) + octets[11:], SLL2)


def test_what_a_guest_sends_is_not_received_unfinished() -> None:
    guest = [inner(40000, PARTIAL, flags=SYN)] * 3
    other = ip(segment(ICMP, NODE, PEER), ICMP, NODE, PEER)
    frames = [any_interface(packet, 3, outgoing=False) for packet in guest]
    frames += [any_interface(other, 2, outgoing=True)]
    assert codes(diagnose(pcap(frames))) == {}
    out = tunnelled(inner(40000, flags=SYN), NODE, PEER, value=RIGHT)
    sent_on = [frames[0], any_interface(out, 3, outgoing=True)] * 3
    assert codes(diagnose(pcap(sent_on))) == {}


def test_a_tcp_that_nobody_answers_does_not_work_while_ping_fails() -> None:
    ping = [ip(segment(ICMP, CLIENT, SERVER, seq=n), ICMP, CLIENT, SERVER) for n in range(6)]
    lost = [inner(40000 + n, flags=SYN) for n in range(9)]
    assert not any(f.code == "VX303" for f in diagnose([plain(p) for p in ping + lost]).findings)
    back = ip(
        segment(TCP, SERVER, CLIENT, sport=80, dport=40000, seq=5, flags=SYN_ACK),
        TCP,
        SERVER,
        CLIENT,
    )
    done = inner(40000, flags=ACK, seq=2)
    works = [plain(p) for p in [*ping, *lost, back, done]]
    assert any(f.code == "VX303" for f in diagnose(works).findings)


def test_three_pings_are_contrast_enough_for_a_guess() -> None:
    wrong = [tunnel(inner(40000 + n, 4711 * n + 1, flags=SYN)) for n in range(12)]
    pings = [ip(segment(ICMP, CLIENT, SERVER, seq=n), ICMP, CLIENT, SERVER) for n in range(3)]
    finding = the_problem([*wrong, *map(tunnel, pings)])
    assert (finding.code, finding.confidence.value) == ("VX301", "possible")


def test_the_length_of_a_superframe_in_each_segment_is_vx306() -> None:
    def large(n: int, value: str | int = RIGHT) -> bytes:
        return inner(40000, value, payload=bytes([n]) * 1348, seq=n * 1348)

    frames = [tunnel(inner(40000, payload=bytes(n), seq=n)) for n in range(20)]
    for n in range(13):
        found = (take(large(n), 36) - 19 * 1348) % 0xFFFF
        frames.append(tunnel(large(n, found)))
    finding = the_problem(frames)
    assert finding.code == "VX306"
    assert "superframe" in finding.explanation


def test_equal_syns_of_several_connections_show_what_was_rewritten() -> None:
    cluster = address("10.96.0.10")
    frames = []
    for n in range(4):
        stale = segment(TCP, CLIENT, cluster, sport=42000 + n, flags=SYN, seq=77 * n)
        packet = inner(42000 + n, take(stale, 16), flags=SYN, seq=77 * n)
        frames += [tunnel(packet)] * 3
    seen = ip(segment(TCP, CLIENT, cluster, sport=39999, flags=SYN), TCP, CLIENT, cluster)
    finding = the_problem([*frames, plain(seen)])
    assert finding.code == "VX302"
    assert finding.evidence["pre_nat_destination"] == "10.96.0.10"
    assert not any("got_through_after_seconds" in c for c in finding.evidence["connections"])


def test_records_far_out_of_order_are_told() -> None:
    frames = [plain(inner(40000 + n)) for n in range(6)]
    data = pcap(frames)
    assert diagnose(data).evidence.limits == []
    size = (len(data) - 24) // 6
    late = bytearray(data)
    late[24 + 2 * size + 3] += 1  # half a year
    (said,) = diagnose(bytes(late)).evidence.limits
    assert "out of the order of their times" in said
