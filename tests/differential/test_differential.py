"""Row by row against tshark, scapy and dpkt, where they are installed.

Disagreements that are known, and why (`KNOWN`): no other tool knows local checksum offload, adds up
fragments, or tells a checksum that was left to a device from a wrong one.
"""

from __future__ import annotations

import functools
import io
import shutil
import struct
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from conftest import CAPTURES, manifest
from support import (
    ICMP,
    ICMPV6,
    TCP,
    UDP,
    Frame,
    address,
    flip,
    framed,
    ip,
    pcap,
    plain,
    put,
    read,
    segment,
    take,
    tunnelled,
)

from vxcsum import PacketTable, Reason, Status

if TYPE_CHECKING:
    from pathlib import Path

#: Ours, theirs: why they differ.
KNOWN = {
    (Status.PARTIAL, "bad"): "they do not know checksums left to a device, nor LCO",
    (Status.PARTIAL, "good"): "newer Wireshark takes partial checksums for right",
    (Status.UNVERIFIABLE, "unverified"): "cut short, or a fragment",
    (Status.UNVERIFIABLE, "bad"): "a length that cannot be: they clamp it",
    (Status.ZERO, "absent"): "no checksum",
    (Status.ZERO, "illegal"): "zero over IPv6: a status here, and a rule of its own",
    (Status.ZERO, "unverified"): "cut short: zero needs only the header",
    (Status.VALID, "good"): "",
    (Status.VALID, "bad"): "tshark sums what one fragment has, as if it were all",
    (Status.VALID, "unverified"): "a fragment: they need reassembly, here sums add up",
    (Status.INVALID, "bad"): "",
    (Status.INVALID, "unverified"): "cut short: LCO is decided from the headers",
    (Status.PARTIAL, "unverified"): "cut short: partial needs only the header",
}
TSHARK_WORDS = {"0": "bad", "1": "good", "2": "unverified", "3": "absent", "4": "illegal"}
ENTRIES = manifest(CAPTURES)


def built() -> list[bytes]:
    """Right and wrong frames of all protocols, plain and in a tunnel, as one capture each."""
    a4, b4 = address("10.244.1.5"), address("10.244.2.5")
    a6, b6 = address("fd00::5"), address("fd00::6")
    frames: list[Frame] = []
    for n in range(48):
        protocol = (TCP, UDP, ICMP, ICMPV6)[n % 4]
        src, dst = (a6, b6) if protocol == ICMPV6 or (n % 8 > 4 and protocol != ICMP) else (a4, b4)
        payload = bytes((n * k + k) % 256 for k in range(n))
        body = segment(protocol, src, dst, payload, sport=20000 + n, dport=20001)
        packet = ip(body, protocol, src, dst)
        if n % 5 == 0:
            at = len(packet) - len(body) + {TCP: 16, UDP: 6}.get(protocol, 2)
            packet = put(packet, at, (take(packet, at) + 0x1357 + n) % 0xFFFF or 1)
        if n % 2:
            ends = (b4, a4) if n % 3 else (b6, a6)
            value = "right" if n % 7 else "zero"
            packet = tunnelled(packet, *ends, sport=40000 + n, value=value)
            if n % 11 == 0 and value == "right":
                packet = flip(packet, 8 * len(packet) - 3)
        frames.append(plain(packet))
    return [pcap(frames), pcap([Frame(framed(frames[0].octets[14:]) + b"\xaa" * 9)])]


BUILT = [pytest.param(capture, id=f"built{n}") for n, capture in enumerate(built())]
SOURCES = [*BUILT, *ENTRIES]


def octets_of(source: Any) -> bytes:
    return source if isinstance(source, bytes) else (CAPTURES / source["file"]).read_bytes()


@functools.cache
def tshark() -> str:
    path = shutil.which("tshark")
    if path is None:
        pytest.skip("tshark is not installed")
    return path


FIELDS = (
    "ip.checksum.status",
    "udp.checksum.status",
    "tcp.checksum.status",
    "icmp.checksum.status",
    "icmpv6.checksum.status",
    "frame.protocols",
)


def tshark_rows(octets: bytes, path: Path) -> list[dict[str, list[str]]]:
    path.write_bytes(octets)
    command = [tshark(), "-r", str(path), "-n", "-T", "fields", "-E", "occurrence=a"]
    command += ["-E", "aggregator=,", "-E", "separator=/t"]
    for protocol in ("udp", "tcp", "ip"):
        command += ["-o", f"{protocol}.check_checksum:TRUE"]
    command += ["-o", "ip.defragment:FALSE", "-o", "ipv6.defragment:FALSE"]
    command += ["-o", "tcp.desegment_tcp_streams:FALSE", "-o", "udp.try_heuristic_first:FALSE"]
    for port in (4789, 8472, 4790, 6784, 4876):
        command += ["-d", f"udp.port=={port},vxlan"]
    for field in FIELDS:
        command += ["-e", field]
    result = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    if "check_checksum" in result.stderr or result.returncode not in (0, 2):
        pytest.skip(f"this tshark does not take the options: {result.stderr[:200]}")
    rows = []
    for line in result.stdout.splitlines():
        values = (line + "\t" * len(FIELDS)).split("\t")
        rows.append({f: v.split(",") if v else [] for f, v in zip(FIELDS, values, strict=False)})
    return rows


def ours(table: PacketTable, row: int, layer: str) -> Status:
    return Status(int(table[f"{layer}_status"][row]))


def agree(table: PacketTable, row: int, layer: str, theirs: str) -> None:
    status = ours(table, row, layer)
    if status == Status.ABSENT:
        return
    # tshark sums what the first outer fragment has of the packet inside as if it were all of it.
    spanning = bool(table["fragment"][row] & 1) and layer.startswith("inner_")
    assert (status, theirs) in KNOWN, (row + 1, layer, status.name, theirs)
    if status == Status.VALID and theirs != "good":
        assert table["fragment"][row]
        assert theirs == "unverified" or layer.endswith(("icmp", "icmpv6")) or spanning
    if (status, theirs) == (Status.INVALID, "unverified"):
        assert table["caplen"][row] < table["origlen"][row] or table["fragment"][row]
    if (status, theirs) == (Status.UNVERIFIABLE, "bad"):
        reason = table[f"{layer}_reason"][row]
        assert reason == Reason.MALFORMED or (
            reason == Reason.FRAGMENT and (spanning or "icmp" in layer)
        )
    if (status, theirs) == (Status.ZERO, "illegal"):
        assert table["outer_ip_version"][row] == 6 or table["inner_ip_version"][row] == 6


@pytest.mark.parametrize("source", SOURCES)
def test_tshark_says_the_same_of_every_checksum(source: Any, tmp_path: Path) -> None:
    octets = octets_of(source)
    table = read(octets)
    rows = tshark_rows(octets, tmp_path / "capture")
    assert len(rows) == len(table)
    compared = 0
    for row, theirs in enumerate(rows):
        vxlan = bool(table["kind"][row] == 2)
        # An ICMP error quotes a packet, whose header tshark shows as another layer.
        if vxlan != ("vxlan" in theirs["frame.protocols"][0].split(":")):
            continue
        for protocol in ("tcp", "udp", "icmp", "icmpv6"):
            said = [TSHARK_WORDS[s] for s in theirs[f"{protocol}.checksum.status"]]
            if vxlan and protocol == "udp":
                agree(table, row, "outer_udp", said.pop(0))
            layer = f"inner_{protocol}" if vxlan else f"plain_{protocol}"
            if said and ours(table, row, layer) != Status.ABSENT:
                agree(table, row, layer, said[0])
                compared += 1
        headers = [TSHARK_WORDS[s] for s in theirs["ip.checksum.status"]]
        for layer in ("outer_ipv4", "inner_ipv4") if vxlan else ("plain_ipv4",):
            if headers and ours(table, row, layer) != Status.ABSENT:
                agree(table, row, layer, headers.pop(0))
    assert compared or not len(table) or not (table["inner_l4_status"] > 0).any()


def frames_of(octets: bytes) -> list[bytes]:
    """Whole Ethernet frames of a classic little-endian capture; empty for another one."""
    magic, linktype = octets[:4], int.from_bytes(octets[20:24], "little")
    if magic not in (b"\xd4\xc3\xb2\xa1", b"\x4d\x3c\xb2\xa1") or linktype != 1:
        return []
    out, at = [], 24
    while at + 16 <= len(octets):
        caplen, origlen = struct.unpack_from("<II", octets, at + 8)
        out.append(octets[at + 16 : at + 16 + caplen] if caplen == origlen else b"")
        at += 16 + caplen
    return out


def _scapy_words(frame: bytes) -> list[tuple[int, str, bool]]:
    """(protocol, verdict) of every transport checksum that scapy rebuilds, from the outside in."""
    from scapy.layers.inet import ICMP as ScapyICMP
    from scapy.layers.inet import IP
    from scapy.layers.inet import TCP as ScapyTCP
    from scapy.layers.inet import UDP as ScapyUDP
    from scapy.layers.l2 import Ether

    out = []
    layer = Ether(frame)
    while layer:
        network = layer.getlayer(IP)
        if network is None or network.frag or network.flags.MF or network.len == 0:
            break
        body = network.payload
        kinds = {ScapyTCP: TCP, ScapyUDP: UDP, ScapyICMP: ICMP}
        protocol = next((number for kind, number in kinds.items() if type(body) is kind), None)
        if protocol is None:
            break
        whole = bytes(network.original)[: network.len]
        segment_ = whole[4 * network.ihl :]
        copy = type(network)(whole[: 4 * network.ihl] + segment_)
        field = copy.payload.chksum
        if protocol == UDP and field == 0:
            verdict = "absent"
        else:
            del copy.payload.chksum
            again = type(network)(bytes(copy))
            right = again.payload.chksum
            verdict = "good" if (right - field) % 0xFFFF == 0 else "bad"
        out.append((protocol, verdict, network.ihl == 5))
        layer = body.payload.getlayer(Ether)
    return out


@pytest.mark.parametrize("source", [*BUILT, *ENTRIES[:12]])
def test_scapy_says_the_same_of_every_ipv4_packet(source: Any) -> None:
    pytest.importorskip("scapy.layers.vxlan", reason="scapy is not installed")
    from scapy.layers.inet import UDP as ScapyUDP
    from scapy.layers.vxlan import VXLAN
    from scapy.packet import bind_layers

    bind_layers(ScapyUDP, VXLAN, dport=8472)
    octets = octets_of(source)
    table = read(octets)
    for row, frame in enumerate(frames_of(octets)[:200]):
        if not frame:
            continue
        words = _scapy_words(frame)
        vxlan = bool(table["kind"][row] == 2)
        if vxlan and table["outer_ip_version"][row] == 6:
            continue
        names = {TCP: "tcp", UDP: "udp", ICMP: "icmp"}
        for depth, (protocol, verdict, _) in enumerate(words[: 2 if vxlan else 1]):
            place = ("outer" if depth == 0 else "inner") if vxlan else "plain"
            agree(table, row, f"{place}_{names[protocol]}", verdict)


@pytest.mark.parametrize("source", [*BUILT, *ENTRIES])
def test_dpkt_finds_the_same_fields_and_sums(source: Any) -> None:
    dpkt = pytest.importorskip("dpkt", reason="dpkt is not installed")
    octets = octets_of(source)
    table = read(octets)
    for row, frame in enumerate(frames_of(octets)):
        if not frame or table["kind"][row] != 1 or table["fragment"][row]:
            continue
        try:
            network = dpkt.ethernet.Ethernet(frame).data
        except dpkt.UnpackError:
            continue
        if not isinstance(network, dpkt.ip.IP) or network.len == 0:
            continue
        body = network.data
        layer = {dpkt.tcp.TCP: "tcp", dpkt.udp.UDP: "udp", dpkt.icmp.ICMP: "icmp"}.get(type(body))
        if layer is None or ours(table, row, f"plain_{layer}") == Status.ABSENT:
            continue
        assert int(table[f"plain_{layer}_found"][row]) == body.sum
        segment_ = bytes(body)
        head = struct.pack(">4s4sBBH", network.src, network.dst, 0, network.p, len(segment_))
        residual = dpkt.in_cksum((head if layer != "icmp" else b"") + segment_) % 0xFFFF
        status = ours(table, row, f"plain_{layer}")
        if status == Status.VALID:
            assert residual == 0
        if status == Status.INVALID:
            assert residual != 0
        assert status != Status.UNVERIFIABLE


def test_dpkt_reads_the_same_frames_and_times() -> None:
    dpkt = pytest.importorskip("dpkt", reason="dpkt is not installed")
    octets = built()[0]
    table = read(octets)
    reader = list(dpkt.pcap.Reader(io.BytesIO(octets)))
    assert [len(frame) for _, frame in reader] == table["caplen"].tolist()
    times = table["timestamp"].astype("int64")
    assert [round(float(when) * 1000) for when, _ in reader] == (times // 10**6).tolist()


def test_the_other_tools_are_no_dependency() -> None:
    code = "import sys; sys.modules.update(scapy=None, dpkt=None); import vxcsum.cli.main"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=60)
