"""What triggers a rule, and what must not. VX101 and VX102: see property/test_nat.py."""

from __future__ import annotations

import pytest
from expectations import check_one_claim
from support import (
    ICMP,
    LCO,
    PARTIAL,
    RIGHT,
    SLL2,
    TCP,
    UDP,
    Frame,
    address,
    codes,
    diagnose,
    flip,
    fragments_of,
    framed,
    ipv4,
    pcap,
    plain,
    problems,
    put,
    segment,
    take,
    tunnelled,
)

from vxcsum import Report, Severity

A, B = address("10.244.1.5"), address("10.244.2.5")
NODE_A, NODE_B = address("172.31.7.11"), address("172.31.7.12")


def packet(n: int = 0, protocol: int = TCP, value: str | int = RIGHT) -> bytes:
    payload = bytes((n * 7 + k) % 256 for k in range(20 + n % 200))
    return ipv4(
        segment(protocol, A, B, payload, sport=3000 + n % 40, value=value), protocol, A, B, ident=n
    )


def tunnel(n: int = 0, protocol: int = TCP, *, value: str = RIGHT, inner: str = RIGHT) -> Frame:
    outer = tunnelled(
        packet(n, protocol, inner), NODE_A, NODE_B, sport=40000 + n % 40, value=value, ident=n
    )
    return Frame(framed(outer))


def found(report: Report, code: str) -> list[int]:
    return [number for f in report.findings if f.code == code for number in f.frame_numbers]


def test_healthy_captures_find_nothing() -> None:
    frames = [tunnel(n, (TCP, UDP, ICMP)[n % 3]) for n in range(60)]
    frames += [plain(packet(n)) for n in range(20)]
    assert diagnose(frames).findings == []


# VX201 offload-artefact


def test_partial_checksums_are_an_artefact() -> None:
    frames = [plain(packet(0)), plain(packet(1, value=PARTIAL))]
    frames += [tunnel(2, value=LCO, inner=PARTIAL), tunnel(3, ICMP, value=PARTIAL)]
    report = diagnose(frames)
    hit = {number for code in ("VX201", "VX203") for number in found(report, code)}
    assert hit == {2, 3, 4}
    assert report.ok


def test_outgoing_partial_checksums_are_confirmed_as_an_artefact() -> None:
    report = diagnose(pcap([plain(packet(n, value=PARTIAL), SLL2) for n in range(3)]))
    (finding,) = report.findings
    assert (finding.code, finding.severity) == ("VX201", Severity.INFO)
    assert finding.confidence.value in ("likely", "confirmed")


def test_a_wrong_checksum_is_no_artefact() -> None:
    wrong = put(packet(1), 36, take(packet(1), 36) ^ 0x0100)
    assert not found(diagnose([plain(wrong)]), "VX201")


# VX206 ip-header-zero


def test_an_empty_ip_header_checksum_is_left_to_the_device() -> None:
    frames = [plain(put(packet(n), 10, 0)) for n in range(3)] + [plain(packet(9))]
    report = diagnose(frames)
    assert found(report, "VX206") == [1, 2, 3]
    assert report.ok


def test_an_ip_header_whose_right_checksum_is_0_is_valid() -> None:
    base = ipv4(segment(TCP, A, B), TCP, A, B, ident=0)
    ident = take(base, 10)  # the identification takes all of the sum
    right = ipv4(segment(TCP, A, B), TCP, A, B, ident=ident)
    assert take(right, 10) == 0
    assert diagnose([plain(right)]).findings == []


def test_another_wrong_ip_header_checksum_is_not_left_to_the_device() -> None:
    report = diagnose([plain(put(packet(), 10, 0x1234))])
    assert not found(report, "VX206")
    assert not report.ok


# VX600, VX601: what nothing else explains


def test_little_damage_in_much_traffic_is_damage() -> None:
    frames = [tunnel(n) for n in range(400)]
    for k, row in enumerate((17, 90, 203, 288, 377)):
        at = 8 * (14 + 20 + 8 + 8 + 14 + 20 + 20) + 8 * 3 * k
        octets = frames[row].octets
        for bit in (at + 1, at + 6 + k, at + 17):
            octets = flip(octets, bit)
        frames[row] = frames[row].changed(octets)
    report = diagnose(frames)
    assert codes(report) == {"VX601": 5}
    assert found(report, "VX601") == [18, 91, 204, 289, 378]


def test_the_same_error_in_every_packet_is_no_damage() -> None:
    frames = []
    for n in range(50):
        octets = tunnel(n).octets
        at = 14 + 20 + 8 + 8 + 14 + 20 + 16
        wrong = (take(octets, at) + 0x3579) % 0xFFFF
        frames.append(Frame(put(octets, at, wrong)))
    report = diagnose(frames)
    # Wrong outside and inside by the same, and nothing of the way back, which would tell.
    (finding,) = report.findings
    assert (finding.code, finding.frames, finding.confidence.value) == ("VX908", 50, "possible")


@pytest.mark.parametrize("layer", ["outer", "inner", "plain"])
def test_a_wrong_checksum_is_never_passed_over(layer: str) -> None:
    if layer == "plain":
        frame = plain(packet())
        bad = Frame(put(frame.octets, 14 + 36, take(frame.octets, 14 + 36) ^ 0x0240))
    else:
        octets = tunnel().octets
        at = 14 + 26 if layer == "outer" else 14 + 20 + 16 + 14 + 36
        bad = Frame(put(octets, at, take(octets, at) ^ 0x0240))
    report = diagnose([bad])
    assert sum(codes(report).values()) == 1
    assert not report.ok


# VX901, VX902, VX909: what cannot be verified


def test_frames_cut_short_are_told_where_a_checksum_is_lost() -> None:
    frames = [plain(packet(1)), plain(packet(2)).cut(50), plain(packet(3)).cut(60)]
    report = diagnose(frames)
    assert found(report, "VX901") == [2, 3]
    assert report.frames["truncated"] == 2
    assert report.ok


def test_a_cut_that_loses_no_checksum_is_not_told() -> None:
    """The sender's capture of a tunnel: partial and LCO need only headers."""
    frames = [tunnel(n, value=LCO, inner=PARTIAL) for n in range(5)]
    report = diagnose([frame.cut(14 + 50 + 20 + 20) for frame in frames])
    assert report.frames["truncated"] == 5
    assert not found(report, "VX901")


def test_only_frames_whose_fragments_are_missing_are_told() -> None:
    whole = [plain(p) for p in fragments_of(packet(100), [5], ident=1)]
    alone = [plain(p) for p in fragments_of(packet(101), [5], ident=2)][:1]
    report = diagnose(whole + alone)
    assert found(report, "VX902") == [3]
    assert report.frames["fragments"] == 3
    assert report.ok


def test_a_capture_that_ends_early_is_told() -> None:
    octets = pcap([plain(packet(n)) for n in range(4)])
    report = diagnose(octets[:-7])
    (finding,) = [f for f in report.findings if f.code == "VX909"]
    assert finding.severity == Severity.WARNING
    assert report.frames["total"] == 3
    assert not report.captures[0].complete
    assert report.ok
    whole = diagnose(octets)
    assert whole.captures[0].complete
    assert whole.findings == []


def test_frames_cut_by_the_snaplen_do_not_make_the_capture_cut_short() -> None:
    report = diagnose(pcap([plain(packet(n)).cut(50) for n in range(4)]))
    assert not found(report, "VX909")
    assert report.captures[0].complete


# All together


def test_findings_come_worst_first() -> None:
    wrong = plain(put(packet(1), 36, 1))
    frames = [plain(packet(2, value=PARTIAL)), wrong, plain(packet(3)).cut(50)]
    report = diagnose(pcap(frames) + b"cut")
    severities = [finding.severity for finding in report.findings]
    assert severities == sorted(severities, reverse=True)
    assert len(set(severities)) == 3


def test_no_frame_is_claimed_by_two_error_findings() -> None:
    """NAT of some flows, and damage in two packets that it spared."""
    frames = [tunnel(n, ICMP, value="zero") for n in range(30)]
    for n in range(12):
        octets = tunnel(n, value="zero").octets
        frames.append(Frame(put(octets, 14 + 26, 0xFFFF)))
    for n in (0, 1):
        frames.append(Frame(flip(frames[n].octets, 8 * (len(frames[n].octets) - 2 - n) + n)))
    report = diagnose(frames)
    assert "VX101" in codes(report)
    check_one_claim(report)


def test_rules_that_are_not_selected_still_explain_their_frames() -> None:
    frames = [tunnel(n, ICMP, value="zero") for n in range(5)]
    for n in range(6):
        octets = tunnel(n, value="zero").octets
        frames.append(Frame(put(octets, 14 + 26, 0xFFFF)))
    assert set(codes(diagnose(frames))) == {"VX101"}
    assert diagnose(frames, ignore=["VX101"]).findings == []
    assert diagnose(frames, select=["VX6"]).findings == []
    assert set(codes(diagnose(frames, select=["VX1"]))) == {"VX101"}


def test_remedies_have_a_condition_and_a_command() -> None:
    frames = [tunnel(n, ICMP, value="zero") for n in range(5)]
    frames += [Frame(put(tunnel(n, value="zero").octets, 14 + 26, 0xFFFF)) for n in range(6)]
    (finding,) = problems(diagnose(frames))
    assert finding.remedies
    for remedy in finding.remedies:
        assert remedy.when
        assert remedy.command
    assert any(
        remedy.command.startswith("ethtool -K") and "tx-checksum-ip-generic off" in remedy.command
        for remedy in finding.remedies
    )
