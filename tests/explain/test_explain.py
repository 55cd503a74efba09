"""Explanations: a second opinion on every sum, and what fits."""

from __future__ import annotations

import html.parser
import json
import re
import struct
import warnings
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from conftest import CAPTURES, SHARED
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from strategies import LINKTYPES
from support import (
    ICMP,
    LCO,
    PARTIAL,
    RIGHT,
    TCP,
    UDP,
    Frame,
    address,
    ethernet,
    fragments_of,
    ip,
    pcap,
    pcapng,
    plain,
    pseudo,
    put,
    read,
    segment,
    take,
    tunnelled,
)

from vxcsum import Status, explain
from vxcsum.capture import open_capture
from vxcsum.checksum.status import LAYERS
from vxcsum.errors import TruncatedCaptureWarning, VxcsumError
from vxcsum.explain.anatomy import dissect
from vxcsum.explain.workings import workings
from vxcsum.pipeline import DEFAULT_PORTS
from vxcsum.source.again import one_stream

if TYPE_CHECKING:
    from pathlib import Path

    from vxcsum import Explanation
    from vxcsum.explain.workings import Working

A, B = address("10.244.1.5"), address("10.244.2.5")
NODE_A, NODE_B = address("172.31.7.11"), address("172.31.7.12")
BUG = CAPTURES / "kernel" / "u61bug-k8s-clusterip-norehash.snd.pcap"
needs_captures = pytest.mark.skipif(not BUG.is_file(), reason=f"{BUG} is not there")
MANY = 40  # frames of one capture, where all captures are looked at
ALL = [*sorted(CAPTURES.glob("*/*.pcap*")), *sorted(SHARED.glob("peers/files/*.pcap*"))]


def working(explanation: Explanation, layer: str) -> Working:
    (found,) = [w for w in explanation.workings if w.layer == layer]
    return found


def frames_of(path: Path) -> list[tuple[bytes, int, int]]:
    out = []
    with one_stream(path) as stream:
        for block in open_capture(stream).blocks():
            for row in range(len(block)):
                start = int(block.offset[row])
                octets = block.octets[start : start + int(block.caplen[row])].tobytes()
                out.append((octets, int(block.linktype[row]), int(block.origlen[row])))
    return out


@pytest.mark.skipif(not ALL, reason="no captures are there")
def test_the_slow_and_plain_sums_are_those_of_the_engines_in_every_frame() -> None:
    compared = 0
    for path in ALL:
        if path.suffix not in (".pcap", ".pcapng") or path.stat().st_size > 60_000:
            continue
        table = read(path)
        for row, (octets, linktype, origlen) in enumerate(frames_of(path)[:MANY]):
            one = table[row]
            if one["fragment"][0]:
                continue  # their sums are those of several frames: a test of its own
            anatomy = dissect(octets, linktype, origlen, DEFAULT_PORTS)
            ends = [part.start for part in anatomy.parts] + [part.stop for part in anatomy.parts]
            assert not ends or 0 <= min(ends) <= max(ends) <= len(octets)
            found = {w.layer: w for w in workings(anatomy, one)}
            assert set(found) == {name for name in LAYERS if one.layer_mask(name)[0]}
            for name, w in found.items():
                compared += w.complete
                if w.complete:
                    assert w.residual == one[f"{name}_residual"][0], (path, row + 1, name)
                    assert w.found == one[f"{name}_found"][0], (path, row + 1, name)
                if w.complete and not name.endswith("ipv4"):
                    assert w.pseudo % 0xFFFF == one[f"{name}_pseudo"][0], (path, row + 1, name)
                if w.ahead and w.status == Status.INVALID:
                    assert w.residual_on_wire != 0
                if w.status == Status.PARTIAL and w.why.startswith("right once"):
                    assert w.residual_on_wire == 0
    assert compared > 5000


@needs_captures
def test_the_frame_of_the_63_seconds() -> None:
    found = explain(BUG, frame=7)
    outer = working(found, "outer_udp")
    assert (outer.status, outer.found, outer.right) == (Status.INVALID, 0xFFFF, 0x0C9D)
    assert [finding.code for finding in found.findings] == ["VX101", "VX701", "VX201"]
    fit = outer.fits[0]
    assert (fit.rule, fit.named, fit.recovered) == (
        "VX101",
        True,
        {"pre_nat_source": "172.31.7.11"},
    )
    assert working(found, "inner_tcp").fits[0].rule == "VX201"
    text = str(found)
    assert "0x191b - 0x0c7e = 0x0c9d" in text
    assert "c4df  3e90 3c5d 6fd5 8a91 d6d7 70b3 0800" in text
    assert "34 .. 41    UDP header" in text


@needs_captures
@pytest.mark.parametrize(
    ("name", "rule", "recovered"),
    [
        ("kernel/u61bug-nat-snat-alias.rcv.pcap", "VX101", "172.31.7.11"),
        ("kernel/u61bug-nat-udpcsum.rcv.pcap", "VX102", "172.31.7.11"),
        ("kernel/u61bug-nat-udpcsum-snat.rcv.pcap", "VX102", "172.31.7.11"),
        ("synthetic/vx103.pcap", "VX103", ""),
        ("synthetic/vx104-address.pcap", "VX104", ""),
        ("synthetic/vx105.pcap", "VX105", ""),
        ("synthetic/vx205.pcap", "VX205", ""),
        ("synthetic/vx206.pcap", "VX206", ""),
        ("synthetic/vx302.pcap", "VX302", ""),
        ("synthetic/vx303.pcap", "VX303", ""),
        ("synthetic/vx304.pcap", "VX304", ""),
        ("synthetic/vx402.pcap", "VX402", ""),
        ("synthetic/vx403.pcap", "VX403", ""),
        ("synthetic/vx404.pcap", "VX404", ""),
        ("synthetic/vx405.pcap", "VX405", ""),
        *((f"synthetic/vx50{n}.pcap", f"VX50{n}", "") for n in range(1, 10)),
        ("synthetic/vx602.pcap", "VX602", ""),
        ("synthetic/vx603.pcap", "VX603", ""),
    ],
)
def test_the_formula_that_the_analysis_names_is_among_those_that_fit(
    name: str, rule: str, recovered: str
) -> None:
    from vxcsum import analyze

    path = CAPTURES / name
    numbers = [n for f in analyze(path).findings if f.code == rule for n in f.frame_numbers]
    assert numbers
    found = explain(path, numbers[0])
    fits = [fit for w in found.workings for fit in w.fits if fit.rule == rule]
    assert fits
    assert all(fit.named for fit in fits)
    assert recovered in json.dumps([fit.recovered for fit in fits])


def test_ports_before_nat_follow_from_the_residual() -> None:
    inner = ip(segment(TCP, A, B, value=PARTIAL), TCP, A, B)
    before = tunnelled(inner, NODE_A, NODE_B, sport=44444, value=LCO)
    after = put(before, 20, 51515)
    outer = working(explain(pcap([plain(after)]), 1), "outer_udp")
    ports = {
        (fit.rule, fit.recovered.get("pre_nat_source_port")) for fit in outer.fits if fit.recovered
    }
    assert {("VX102", 44444), ("VX104", 44444)} <= ports
    decided = next(fit.decides for fit in outer.fits if fit.rule == "VX102")
    assert "against VX104: inner ICMP and superframes" in decided
    assert "a right packet from port 44444" in decided


def test_addresses_that_the_user_gives_are_among_the_candidates() -> None:
    inner = ip(segment(TCP, A, B, value=PARTIAL), TCP, A, B)
    value = (take(NODE_A, 2) - 0x0102) % 0xFFFF
    frames = [plain(tunnelled(inner, NODE_A, NODE_B, value=value))]
    found = explain(pcap(frames), 1, pre_nat=["172.31.1.2"])
    said = [fit.recovered for fit in working(found, "outer_udp").fits if fit.rule == "VX101"]
    assert "source 172.31.1.2 (given)" in said[0]["candidates"]


def test_a_lonely_bit_is_named() -> None:
    packet = bytearray(ip(segment(ICMP, A, B, b"payload!"), ICMP, A, B))
    packet[-2] ^= 0x40
    icmp = working(explain(pcap([plain(bytes(packet))]), 1), "plain_icmp")
    flips = [fit.recovered for fit in icmp.fits if fit.rule == "VX602"]
    assert [flip["bit"] for flip in flips] == [14]


def test_every_step_of_a_sum_is_shown() -> None:
    payload = bytes(range(7))
    body = segment(UDP, A, B, payload, sport=1000, dport=53)
    found = explain(pcap([plain(ip(body, UDP, A, B))]), 1)
    udp = working(found, "plain_udp")
    assert [term.label for term in udp.terms[:4]] == [
        f"pseudo-header: {name}" for name in ("source", "destination", "protocol", "length")
    ]
    assert udp.pseudo == pseudo(A, B, UDP, 15)
    header, data = udp.terms[4:]
    assert header.words == ["03e8", "0035", "000f", "[    ]"]
    assert data.words == ["0001", "0203", "0405", "0600"]
    assert udp.expected == udp.found == take(body, 6)
    assert udp.residual == 0


def test_a_long_payload_is_abbreviated_and_its_sum_is_all_of_it() -> None:
    payload = bytes(n * 7 % 256 for n in range(60_000))
    found = explain(pcap([plain(ip(segment(TCP, A, B, payload), TCP, A, B))]), 1)
    tcp = working(found, "plain_tcp")
    assert tcp.residual == 0
    assert "... 29984 words, sum" in " ".join(tcp.terms[-1].words)
    assert len(str(found)) < 8000
    assert len(found.to_html()) < 40_000
    assert len(found.to_json()) < 12_000


def test_the_dump_marks_what_is_covered_and_the_fields() -> None:
    frame = plain(ip(segment(TCP, A, B, b"data"), TCP, A, B)).octets + bytes(6)
    lines = str(explain(pcap([frame]), 1)).splitlines()
    at = next(n for n, line in enumerate(lines) if line.startswith("Octets; covered by:"))
    assert lines[at] == "Octets; covered by: a plain_ipv4, b plain_tcp; capitals: the field"
    cells: list[str] = []
    marks: list[str] = []
    for row in range(-(-len(frame) // 16)):
        hexes, below = lines[at + 1 + 2 * row], lines[at + 2 + 2 * row]
        cells += hexes[8 : 8 + 47].split()
        marks += [below.ljust(56)[8 + 3 * n : 10 + 3 * n] for n in range(16)]
    assert bytes.fromhex("".join(cells)) == frame
    wanted = "  " * 14 + "aa" * 10 + "AAAA" + "aa" * 8 + "bb" * 16 + "BBBB" + "bb" * 6 + "  " * 6
    assert "".join(marks)[: len(wanted)] == wanted


@pytest.mark.parametrize("value", [RIGHT, 1])
def test_fragments_are_summed_together_from_any_order(engine: str, value: str | int) -> None:
    whole = tunnelled(
        ip(segment(TCP, A, B, bytes(range(200))), TCP, A, B), NODE_A, NODE_B, value=value
    )
    pieces = [plain(piece) for piece in fragments_of(whole, [13, 7])]
    source = pcap([pieces[2], pieces[0], pieces[1]])
    table = read(source)
    found = explain(source, 2, engine=engine)
    assert found.fragments[0].frames == [2, 3, 1]
    for layer in ("outer_udp", "inner_tcp"):
        w = working(found, layer)
        assert w.complete
        assert w.residual == table[f"{layer}_residual"][1]
    assert "Frames 2, 3, 1 are all of it" in str(found)
    later = explain(source, 3)
    assert [w.layer for w in later.workings] == ["plain_ipv4"]
    assert "the header with the checksum is in frame 2" in " ".join(str(later).split())


def test_fragments_inside_the_tunnel_are_summed_together_too() -> None:
    packet = ip(segment(UDP, A, B, bytes(range(100)), value=77), UDP, A, B)
    pieces = [plain(tunnelled(piece, NODE_A, NODE_B)) for piece in fragments_of(packet, [5])]
    source = pcap(pieces)
    w = working(explain(source, 1), "inner_udp")
    assert w.residual == read(source)["inner_udp_residual"][0] != 0


def test_a_set_that_is_not_complete_is_told() -> None:
    packet = ip(segment(UDP, A, B, bytes(200)), UDP, A, B)
    first, _, last = fragments_of(packet, [5, 5])
    found = explain(pcap([plain(first), plain(last)]), 1)
    udp = working(found, "plain_udp")
    assert (udp.status, udp.expected, udp.residual) == (Status.UNVERIFIABLE, None, None)
    assert "the capture lacks some: it has those in frames 1, 2" in " ".join(str(found).split())


@pytest.mark.parametrize(
    ("octets", "said"),
    [
        (b"", "There is no Internet checksum"),
        (b"\1" * 9, "cut short: 9 of 14 octets"),
        (bytes(12) + b"\x08\x06" + bytes(28), "ARP"),
        (bytes(12) + b"\x12\x34" + bytes(28), "no IP packet"),
    ],
)
def test_frames_without_checksums_are_explained_as_well(octets: bytes, said: str) -> None:
    found = explain(pcap([octets]), 1)
    assert found.workings == []
    assert said in str(found)
    json.dumps(found.to_dict())
    found.to_html()


def test_frames_cut_short_show_what_is_there() -> None:
    whole = plain(ip(segment(TCP, A, B, bytes(100)), TCP, A, B))
    found = explain(pcap([whole.cut(14 + 20 + 20 + 30)]), 1)
    tcp = working(found, "plain_tcp")
    assert (tcp.complete, tcp.missing, tcp.expected) == (False, 70, None)
    assert "70 octets are missing at the end" in str(found)
    assert "84 of 154 octets" in str(found)


def test_a_frame_that_is_not_there_is_an_error() -> None:
    source = pcap([plain(ip(segment(TCP, A, B), TCP, A, B))])
    with pytest.raises(VxcsumError, match="has 1 frame: there is no frame 2"):
        explain(source, 2)
    with pytest.raises(VxcsumError, match="count from 1"):
        explain(source, 0)


INERT = {"div", "style", "p", "strong", "table", "caption", "tr", "th", "td", "ul", "li"}
INERT |= {"details", "summary", "code", "pre", "span", "b"}


class _Tags(html.parser.HTMLParser):
    """Collects tags, attributes and text, and that what is opened is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.open: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def test_html_is_one_inert_element(tmp_path: Path) -> None:
    hostile = tmp_path / "<img src=x onerror=alert(1)>&\x1b[31m.pcap"
    inner = ip(segment(TCP, A, B, b"<script>alert(1)</script>", value=PARTIAL), TCP, A, B)
    hostile.write_bytes(pcap([plain(tunnelled(inner, NODE_A, NODE_B, value=0xFFFF))]))
    found = explain(hostile, 1)
    page = found._repr_html_()
    parsed = _Tags()
    parsed.feed(page)
    assert parsed.open == []
    assert parsed.tags <= INERT
    assert parsed.attributes <= {"class", "open"}
    assert "<img src=x onerror" in parsed.text
    assert "\x1b" not in page + str(found)
    assert not re.search(r"url\(|@import|https?:", page)


def test_json_says_the_same_as_the_object() -> None:
    frame = plain(tunnelled(ip(segment(TCP, A, B), TCP, A, B), NODE_A, NODE_B, value=5))
    found = explain(pcap([frame]), 1)
    document = json.loads(found.to_json())
    assert document["schema"] == "vxcsum.explain/1"
    assert bytes.fromhex(document["octets"]) == frame.octets == found.octets
    outer = {entry["layer"]: entry for entry in document["checksums"]}["outer_udp"]
    assert (outer["status"], outer["found"]) == ("invalid", "0x0005")
    total = sum(int(term["sum"], 16) for term in outer["terms"])
    assert outer["sum"] == f"0x{total:x}"
    assert int(outer["expected"], 16) == 0xFFFF - (total % 0xFFFF)
    assert {fit["rule"] for fit in outer["formulas"]} >= {"VX603"}


@st.composite
def mangled(draw: st.DrawFn) -> list[Frame]:
    """Frames of all link types with octets changed and cut off."""
    inner = ip(segment(TCP, A, B, b"payload"), TCP, A, B)
    packet = draw(
        st.sampled_from(
            [
                inner,
                tunnelled(inner, NODE_A, NODE_B, value=3),
                tunnelled(fragments_of(inner, [2])[0], NODE_A, NODE_B),
                *fragments_of(tunnelled(inner, address("fd00::1"), address("fd00::2")), [6]),
            ]
        )
    )
    linktype = draw(st.sampled_from([*LINKTYPES, 228, 229, 147]))
    frame = plain(packet, linktype)
    octets = bytearray(frame.octets)
    for _ in range(draw(st.integers(0, 6))):
        octets[draw(st.integers(0, len(octets) - 1))] = draw(st.integers(0, 255))
    cut = draw(st.integers(0, len(octets)))
    kept = bytes(octets) if draw(st.booleans()) else bytes(octets[:cut])
    return [Frame(kept, linktype, len(octets))]


@given(mangled())
@settings(suppress_health_check=list(HealthCheck), max_examples=150)
def test_any_octets_are_explained_and_the_sums_agree(frames: list[Frame]) -> None:
    source = pcapng(frames)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", TruncatedCaptureWarning)
        found = explain(source, 1)
    table = read(source)
    for w in found.workings:
        if w.complete:
            assert w.residual == table[f"{w.layer}_residual"][0]
            assert w.found == table[f"{w.layer}_found"][0]
    assert str(found).startswith("Frame 1 of <bytes>")
    parsed = _Tags()
    parsed.feed(found.to_html())
    assert parsed.open == []
    json.loads(found.to_json())


def test_both_halves_of_an_odd_word_are_counted() -> None:
    """A part that begins at an odd octet has its octets in the other halves of the words."""
    body = segment(UDP, A, B, b"\x01\x02\x03", value=RIGHT)
    found: Any = explain(pcap([ethernet(ip(body, UDP, A, B)) + b"\xff"]), 1)
    assert working(found, "plain_udp").residual == 0
    assert np.frombuffer(struct.pack(">H", take(body, 6)), "u1").tolist() == list(body[6:8])
