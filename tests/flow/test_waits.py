"""Who waited, for how long, and what was the cause: VX701, VX702, VX703."""

from __future__ import annotations

import json
import re
import struct
from typing import TYPE_CHECKING, Any

import pytest
from support import TCP, address, ethernet, ipv4, ones_sum, segment, take, tunnelled
from test_flow_connections import (
    ACK,
    CLIENT,
    NODES,
    RST,
    SERVER,
    SYN,
    SYN_ACK,
    Timed,
    capture,
    handshake,
    tcp,
)

from vxcsum import Finding, Report, Severity, analyze
from vxcsum.synth import make_capture

if TYPE_CHECKING:
    from pathlib import Path

#: Seconds that the clients of these runs measured, and the rule that names the cause.
DELAYS = {
    "kernel/h618-syn-drop.snd.pcap": (15.242, None),
    "kernel/h618-syn-drop.rcv.pcap": (15.242, None),
    "kernel/h618-vxlan-blackhole.snd.pcap": (7.108, None),
    "kernel/h618-vxlan-blackhole.rcv.pcap": (7.108, None),
    "kernel/u61bug-k8s-clusterip.snd.pcap": (1.020, "VX101"),
    "kernel/u61bug-k8s-clusterip.rcv.pcap": (1.020, "VX101"),
    "kernel/u61bug-k8s-clusterip-norehash.snd.pcap": (64.607, "VX101"),
    "kernel/u61bug-k8s-clusterip-norehash.rcv.pcap": (64.607, "VX101"),
    "kernel/u61bug-k8s-clusterip-norehash.any.pcap": (64.607, "VX101"),
    "netns/kube_svc_udpcsum_norehash_rx.pcap": (68.95, "VX102"),
    "netns/kube_svc_udpcsum_norehash_tx.pcap": (68.95, "VX102"),
}


def stories(report: Report, code: str = "VX7") -> list[Finding]:
    return [finding for finding in report.findings if finding.code.startswith(code)]


def the_story(frames: list[Timed], engine: str, **more: Any) -> Finding:
    (finding,) = stories(analyze(capture(frames), engine=engine, **more))
    return finding


def the_story_of(data: bytes, engine: str) -> Finding:
    (finding,) = stories(analyze(data, engine=engine))
    return finding


@pytest.mark.parametrize("name", DELAYS)
def test_a_real_delay_is_measured_and_blamed_right(
    name: str, project_captures: Path, engine: str
) -> None:
    delay, cause = DELAYS[name]
    (finding,) = stories(analyze(project_captures / name, engine=engine))
    assert finding.code == "VX701"
    assert finding.evidence["delay_seconds"] == pytest.approx(delay, rel=0.01)
    assert finding.evidence["cause"] == cause
    assert finding.severity == (Severity.WARNING if cause is None else Severity.ERROR)
    assert len(finding.evidence["syn_offsets"]) == finding.frames


@pytest.mark.parametrize(
    ("scenario", "code", "cause", "delay"),
    [
        ("vx701", "VX701", "VX101", 63),
        ("vx701-linear", "VX701", "VX102", 68),
        ("vx701-loss", "VX701", None, 7),
        ("vx702", "VX702", "VX102", 63),
        ("vx702-silent", "VX702", None, 63),
    ],
)
def test_a_made_delay_is_measured_and_blamed_right(
    scenario: str, code: str, cause: str | None, delay: float, engine: str
) -> None:
    for seed in range(3):
        capture = make_capture(scenario, seed=seed)[0]
        (finding,) = stories(analyze(capture, engine=engine))
        assert (finding.code, finding.evidence["cause"]) == (code, cause)
        assert finding.evidence["delay_seconds"] == pytest.approx(delay, rel=0.01)


def test_segments_marked_as_outgoing_were_cut_by_their_sender(engine: str) -> None:
    (finding,) = stories(analyze(make_capture("vx703")[0], engine=engine))
    assert (finding.code, finding.confidence.value) == ("VX703", "likely")
    assert finding.evidence["checksum_offload"] is False


def test_delays_of_shared_captures_are_what_their_clients_saw(shared_captures: Path) -> None:
    manifest = json.loads((shared_captures / "kernel" / "manifest.json").read_text("utf-8"))
    runs = manifest["runs"]
    checked = 0
    for entry in manifest["captures"]:
        seen = json.dumps(runs.get(entry["run"], {}).get("observed", {}))
        said = re.search(r"connected after ([0-9.]+)s", seen)
        if said is None or float(said[1]) < 0.5 or entry["file"].endswith(".vx.pcap"):
            continue
        report = analyze(shared_captures / "kernel" / entry["file"])
        (finding,) = stories(report, "VX701")
        assert finding.evidence["delay_seconds"] == pytest.approx(float(said[1]), rel=0.01)
        causes = {"VX101", "VX102"} & set(entry["findings"])
        assert finding.evidence["cause"] == (causes.pop() if causes else None)
        checked += 1
    assert checked > 5


def test_a_syn_that_gets_through_before_nat_proves_the_address(engine: str) -> None:
    # Local checksum offload and SNAT of the address: what was right, and S(new) - S(old) added.
    old, new = NODES[0], address("172.31.7.99")
    inner = ipv4(segment(TCP, CLIENT, SERVER, seq=100, flags=SYN), TCP, CLIENT, SERVER)
    before = tunnelled(inner, old, NODES[1], sport=50123, value="right")
    found = (take(before, 26) + ones_sum(new) - ones_sum(old)) % 0xFFFF
    after = tunnelled(inner, new, NODES[1], sport=50123, value=found)
    frames = [(at, ethernet(after)) for at in (0.0, 1.0, 3.0)] + [(7.0, ethernet(before))]
    frames += [tcp(7.1, SYN_ACK, seq=5, back=True, outer="right"), tcp(7.2, ACK, seq=101)]
    report = analyze(capture(frames), engine=engine)
    assert [f.code for f in report.findings][:2] == ["VX102", "VX701"]
    assert report.findings[0].evidence["pre_nat_source"] == "172.31.7.11"
    assert report.findings[1].evidence["cause"] == "VX102"


def test_conntrack_expiry_shows_in_the_outer_port(project_captures: Path) -> None:
    report = analyze(project_captures / "kernel/u61bug-k8s-clusterip-norehash.snd.pcap")
    (finding,) = stories(report)
    assert finding.evidence["conntrack_expiry"]
    assert finding.evidence["outer_source_ports"] == [46698] * 6 + [32944]
    assert finding.evidence["timing"] == "exponential backoff"
    assert "expired in conntrack" in finding.explanation
    assert [r.command for r in finding.remedies] == [r.command for r in report.findings[0].remedies]


def test_linear_timeouts_of_newer_kernels_are_told(project_captures: Path) -> None:
    path = project_captures / "netns/kube_svc_udpcsum_norehash_tx.pcap"
    (finding,) = stories(analyze(path))
    assert finding.evidence["timing"] == "linear, then exponential backoff"


def test_a_capture_inside_the_tunnel_blames_nothing_it_cannot_see(project_captures: Path) -> None:
    path = project_captures / "kernel/u61bug-k8s-clusterip-norehash.vx.pcap"
    (finding,) = stories(analyze(path))
    assert finding.evidence["cause"] is None
    assert "capture on the underlay device" in finding.explanation


def test_a_client_that_gives_up_is_blackholed_by_its_cause(project_captures: Path) -> None:
    (finding,) = stories(analyze(project_captures / "kernel/u61bug-nat-timeline.rcv.pcap"))
    assert (finding.code, finding.severity.name) == ("VX702", "ERROR")
    assert finding.confidence.value == "confirmed"
    assert finding.evidence["cause"] == "VX101"
    assert finding.evidence["delay_seconds"] == pytest.approx(65, rel=0.01)


def test_plain_loss_is_not_blamed_on_a_checksum_elsewhere(engine: str) -> None:
    frames = [tcp(0, SYN), tcp(1, SYN), tcp(3, SYN), *handshake(7)]
    frames += [tcp(0.5 + n, ACK, sport=41000, outer=0x1234 + n) for n in range(6)]
    report = analyze(capture(sorted(frames)), engine=engine)
    (finding,) = stories(report)
    assert finding.evidence["syn_offsets"] == [0, 1, 3, 7]
    assert finding.evidence["cause"] is None
    assert {f.code for f in report.findings if f.severity == Severity.ERROR}


def test_unfinished_syns_may_be_the_cause_if_this_is_the_receiver(engine: str) -> None:
    finding = the_story([tcp(at, SYN, value="partial") for at in (0, 1, 3)], engine)
    assert finding.evidence["cause"] is None
    assert "--vantage says where" in finding.explanation


def test_errors_of_a_capture_with_the_same_name_are_no_cause(engine: str) -> None:
    wrong = capture([tcp(at, SYN, outer=0xFFFF) for at in (0, 1, 3, 7)])
    lost = capture([tcp(at, SYN, sport=41000) for at in (0, 1, 3)] + handshake(7, sport=41000))
    report = analyze([wrong, lost], engine=engine)
    causes = {f.capture_number: f.evidence["cause"] for f in stories(report)}
    assert causes[0] is not None
    assert causes[1] is None


def test_a_wrong_answer_is_a_cause_as_well(engine: str) -> None:
    frames: list[Timed] = []
    for at in (0, 1, 3):
        frames += [tcp(at, SYN), tcp(at + 0.001, SYN_ACK, seq=9, back=True, outer=0xFFFF)]
    frames += [tcp(0.1 * n, ACK, sport=41000 + n, back=True) for n in range(5)]
    (finding,) = stories(analyze(capture(sorted(frames)), engine=engine))
    assert finding.code == "VX702"
    assert finding.evidence["cause"] == "VX101"
    assert finding.evidence["failed_with_wrong_checksum"] == 3
    assert "was answered, but never established" in finding.explanation


@pytest.mark.parametrize(
    "frames",
    [
        handshake(),
        [tcp(0, SYN)],
        [tcp(0, SYN), tcp(0.00001, SYN), tcp(0.01, SYN_ACK, back=True), tcp(0.02, ACK)],
        [tcp(0, SYN), tcp(0.1, RST, back=True), tcp(1, SYN), tcp(1.1, RST, back=True)],
        [tcp(0, SYN), tcp(1, SYN, seq=500)],
    ],
    ids=["at once", "one attempt", "copies", "refused", "another attempt"],
)
def test_look_alikes_are_no_wait(frames: list[Timed], engine: str) -> None:
    assert not stories(analyze(capture(frames), engine=engine))


def test_a_wait_that_is_seen_before_nat_and_inside_the_tunnel_is_told_once(engine: str) -> None:
    frames: list[Timed] = []
    for at in (0, 1, 3):
        frames += [tcp(at, SYN, sport=41000, plain=True), tcp(at + 0.0001, SYN)]
    assert "client_node" in the_story(frames, engine).evidence


def test_syns_that_could_not_be_verified_are_not_called_right(engine: str) -> None:
    frames = [tcp(at, SYN, value=7) for at in (0, 1, 3)]
    cut = [(at, octets[:98]) for at, octets in frames]
    whole = {at: len(octets) for at, octets in frames}
    data = capture(cut)
    for at, octets in cut:
        wrong = struct.pack("<II", len(octets), len(octets))
        data = data.replace(wrong, struct.pack("<II", len(octets), whole[at] + 20))
    finding = the_story_of(data, engine)
    assert "cannot be told" in finding.explanation


def test_an_unanswered_syn_outside_of_a_tunnel_is_a_warning(engine: str) -> None:
    frames = [tcp(at, SYN, plain=True) for at in (0, 1, 3)]
    assert the_story(frames, engine).severity == Severity.WARNING
    assert the_story([tcp(at, SYN) for at in (0, 1, 3)], engine).severity == Severity.ERROR


def test_a_capture_that_ends_early_makes_a_blackhole_only_possible(engine: str) -> None:
    silent = [tcp(0, SYN), tcp(1, SYN)]
    assert the_story(silent, engine).confidence.value == "possible"
    later = [*silent, tcp(9, ACK, sport=41000)]
    assert the_story(later, engine).confidence.value == "likely"


def test_waits_of_one_pair_and_cause_are_one_finding(engine: str) -> None:
    frames = [
        frame
        for port in range(1000, 1030)
        for frame in [tcp(0, SYN, sport=port), *handshake(1 + port / 1000, sport=port)]
    ]
    finding = the_story(sorted(frames), engine)
    assert finding.frames == 60
    assert finding.evidence["waiting_connections"] == 30
    assert len(finding.evidence["waiting"]) == 20
    assert finding.evidence["client"] == "10.244.1.5:1029"  # the longest


def test_the_text_tells_the_wait_and_does_not_repeat_remedies(project_captures: Path) -> None:
    report = analyze(project_captures / "kernel/u61bug-k8s-clusterip-norehash.snd.pcap")
    text = report.to_text(top=3)
    assert "wrong checksums in 6 frames (VX101), and connections that suffered (VX701)" in text
    assert "0, 1.01, 3.09, 7.17, 15.3, 32, 64.6 s" in text
    assert "as for VX101" in text
    assert text.count("ethtool -K") == 2  # at once, and to keep it
    assert "Connections, 1 of 1" in text
    alone = analyze(
        project_captures / "kernel/u61bug-k8s-clusterip-norehash.snd.pcap", select=["VX701"]
    )
    assert str(alone).count("ethtool -K") == 2
    assert str(alone).startswith("DELAYED")
    assert "no wrong checksum" not in str(alone)


def test_a_blackhole_without_a_wrong_checksum_is_not_called_corrupt(engine: str) -> None:
    text = str(analyze(capture([tcp(at, SYN) for at in (0, 1, 3)]), engine=engine))
    assert text.startswith("UNREACHABLE: <bytes>: no wrong checksum among 12, and connections")


def bulk(back: bool = False, **more: Any) -> list[Timed]:
    sent = [tcp(1 + n / 1000, ACK, seq=101 + 1000 * n, payload=1000, **more) for n in range(120)]
    return [*handshake(), *sent]


def test_cut_segments_with_unfinished_checksums_mean_no_segmentation_offload(engine: str) -> None:
    finding = the_story(bulk(value="partial"), engine)
    assert (finding.code, finding.confidence.value) == ("VX703", "likely")
    assert finding.evidence["checksum_offload"] is True
    assert finding.evidence["segments"] == 120


def test_finished_segments_prove_nothing_behind_a_device(engine: str) -> None:
    assert the_story(bulk(), engine).confidence.value == "possible"
    assert the_story(bulk(), engine, vantage="sender").confidence.value == "likely"
    assert not stories(analyze(capture(bulk()), engine=engine, vantage="wire"))
    answers = [tcp(2, ACK, back=True, value="partial")]
    assert not stories(analyze(capture([*bulk(), *answers]), engine=engine))


def test_segments_of_a_large_mtu_are_no_superframes(engine: str) -> None:
    sent = [tcp(1 + n, ACK, seq=101 + 8900 * n, payload=8900, value="partial") for n in range(80)]
    finding = the_story([*handshake(value="partial"), *sent], engine)
    assert (finding.code, finding.confidence.value) == ("VX703", "likely")


def test_few_or_small_segments_are_no_bulk(engine: str) -> None:
    small = [tcp(n / 1000, ACK, seq=100 + n, payload=100) for n in range(200)]
    assert not stories(analyze(capture(small), engine=engine))
    assert not stories(analyze(capture(bulk()[:50]), engine=engine))


def test_one_packet_that_looks_unfinished_is_no_offload(engine: str) -> None:
    # Of checksums that cannot be verified, two in 65,536 look so by chance.
    one = tcp(1.9, ACK, seq=101 + 1000 * 120, payload=1000, value="partial")
    (finding,) = stories(analyze(capture([*bulk(), one]), engine=engine))
    assert finding.confidence.value == "possible"
    assert finding.evidence["checksum_offload"] is None
    assert finding.evidence["partial"] == 1


def test_another_connection_of_the_same_ends_is_not_the_cause(engine: str) -> None:
    lost = [tcp(0, SYN), tcp(1, SYN)]
    wrong = [tcp(101 + n, SYN, seq=900, outer=0xFFFF) for n in range(3)]
    others = [tcp(0.1 * n, ACK, sport=41000 + n, back=True) for n in range(5)]
    report = analyze(capture(sorted([*lost, *wrong, *others])), engine=engine)
    causes = {finding.evidence["delay_seconds"]: finding.evidence["cause"]
              for finding in stories(report)}  # fmt: skip
    assert causes[1.0] is None
    assert causes[2.0] is not None


def test_a_part_of_the_attempts_with_a_wrong_checksum_is_said(engine: str) -> None:
    frames = [tcp(0, SYN, outer=0xFFFF), *(tcp(at, SYN) for at in (1, 3, 7))]
    frames += [tcp(0.1 * n, ACK, sport=41000 + n, outer=0xFFFF, outer_port=51000) for n in range(5)]
    (finding,) = stories(analyze(capture(sorted(frames)), engine=engine))
    assert finding.evidence["cause"] is None
    assert finding.evidence["failed_with_wrong_checksum"] == 1
    assert "1 of the 4 attempts that failed had a wrong checksum" in finding.explanation


def test_frames_out_of_order_make_no_negative_times(engine: str) -> None:
    frames = [tcp(1, SYN), tcp(1.1, SYN_ACK, seq=9, back=True), tcp(0.5, ACK, seq=101)]
    flows = analyze(capture(frames), engine=engine).flows
    assert flows["delay_seconds"].tolist() == [0]
    assert flows["round_trip_seconds"].tolist() == [0]


def test_each_of_many_connections_of_the_same_ends_has_its_own_cause(engine: str) -> None:
    frames = [
        tcp(10 * n + at, SYN, seq=1000 * n, value=n % 60000 + 1)
        for n in range(300)
        for at in (0, 1)
    ]
    report = analyze(capture(frames), engine=engine)
    waits = sum(f.evidence["waiting_connections"] for f in stories(report))
    assert waits == 300
    assert {f.evidence["failed_with_wrong_checksum"] for f in stories(report)} == {2}
