"""Captures that other projects made, odd and malformed ones included, against slow readers."""

from __future__ import annotations

import contextlib
import json
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest
from conftest import SHARED, manifest
from expectations import check_one_claim
from support import NAMES, codes, counts, diagnose, read

from vxcsum import CaptureError, Status
from vxcsum.packet.columns import Kind

if TYPE_CHECKING:
    from pathlib import Path

    from vxcsum.checksum.table import PacketTable

ENTRIES = manifest(SHARED / "peers", "files")
WITH_VXLAN = [p for p in ENTRIES if p.values[0] and p.values[0].get("vxlan_truth")] or ENTRIES[:1]

PORTS = {4789, 8472, 4790}
FOLLOWED_LINKTYPES = {0, 1, 12, 14, 101, 108, 113, 228, 229, 276}
#: Headers that the truth looks behind and the design does not: those frames are ``other`` here.
NOT_FOLLOWED = {"mpls", "pppoe", "vlan5"}
#: What the truth says where nothing can be recomputed.
CANNOT_TELL = ("trunc", "frag", "overlen", "badlen", "malformed")
WORDS = {
    **dict.fromkeys(CANNOT_TELL, "unverifiable"),
    "partial(len0)": "partial",
    "invalid(zero)": "invalid",
}
#: Where the contract overrules the truth, and no feature of the entry tells so.
OVERRULED = {
    "the-tcpdump-group__tcpdump__ipv4_invalid_total_length.pcap": (
        "the IPv4 length is smaller than its headers need: malformed, never clamped"
    ),
    "the-tcpdump-group__tcpdump__ipv4_invalid_total_length_2.pcap": (
        "the IPv4 length is smaller than its headers need: malformed, not without a checksum"
    ),
    "the-tcpdump-group__tcpdump__LINKTYPE_IPV6_invalid.pcap": (
        "an IPv4 packet in a capture whose link type says IPv6"
    ),
}
#: Fragments that the truth leaves undecided, and whose sums say that the datagrams are wrong
#: (tshark with defragmentation on says the same: the captures were anonymised).
WRONG_ONCE_ADDED_UP = {
    "kaitoy__pcap4j__IpV4PacketTest.pcap",
    "zeek__zeek__gtp1_gn_normal_incl_fragmentation.pcap",
    "zeek__zeek__gtp9_unknown_or_too_short_payload.pcap",
}


def _path(entry: dict[str, Any], shared: Path) -> Path:
    return shared / "peers" / "files" / entry["file"]


def _is_capture(entry: dict[str, Any]) -> bool:
    """Whether the reader of the truth could read the file at all."""
    return bool(entry["container"].startswith("pcap"))


def _unfollowed(entry: dict[str, Any]) -> bool:
    linktypes = set(entry["linktypes"])
    return bool(
        NOT_FOLLOWED & set(entry["nonvxlan_truth"]["feat"]) or linktypes - FOLLOWED_LINKTYPES
    )


def _split(truth: dict[str, int]) -> dict[str, Counter[str]]:
    out: dict[str, Counter[str]] = {name: Counter() for name in NAMES.values()}
    for key, number in truth.items():
        protocol, status = key.split(":")
        if protocol in out:
            out[protocol][status] += number
    return out


def _check_moves(found: Counter[str], truth: Counter[str], *, may_vanish: bool, where: str) -> None:
    """Every difference from the truth has one of three reasons.

    * ``frag``: the contract adds the sums up, and later fragments carry no status;
    * ``trunc``: zero and partial need only headers;
    * a header that the dissector does not follow: the frames vanish.
    """
    expected: Counter[str] = Counter()
    for status, number in truth.items():
        expected[WORDS.get(status, status)] += number
    fragments, cut = truth["frag"], truth["trunc"]
    for status in ("valid", "zero", "partial", "invalid", "unverifiable"):
        surplus = found[status] - expected[status]
        room = fragments + (cut if status == "partial" else 0)
        assert surplus <= room, (where, status, dict(found), dict(truth))
        if status != "unverifiable" and not may_vanish:
            assert surplus >= 0, (where, status, dict(found), dict(truth))
    if not may_vanish:
        missing = sum(truth.values()) - sum(found.values())
        assert 0 <= missing <= fragments, (where, dict(found), dict(truth))
        appeared = sum(found[s] - expected[s] for s in ("valid", "zero", "partial", "invalid"))
        assert appeared <= fragments + cut, (where, dict(found), dict(truth))


@pytest.mark.parametrize("entry", ENTRIES)
def test_outermost_layers_of_a_foreign_capture_equal_its_truth(
    entry: dict[str, Any], shared_captures: Path, engine: str
) -> None:
    if not (entry["frames"] and _is_capture(entry)):
        # Empty, or unknown to the reader of the truth (zstd): nothing is promised but no surprise.
        with contextlib.suppress(CaptureError):
            read(_path(entry, shared_captures), engine=engine)
        return
    table = read(_path(entry, shared_captures), engine=engine)
    assert len(table) == entry["frames"]
    if entry["file"] in OVERRULED:
        return
    found = counts(table)
    truth = entry["nonvxlan_truth"]
    headers: Counter[str] = Counter()
    transport: dict[str, Counter[str]] = {name: Counter() for name in NAMES.values()}
    for layer, statuses in found.items():
        place, protocol = layer.split("_")
        if layer in ("outer_ipv4", "plain_ipv4"):
            headers.update(statuses)
        elif place in ("plain", "outer"):
            transport[protocol].update(statuses)
    gone = _unfollowed(entry)
    _check_moves(headers, Counter(truth["ip4hdr"]), may_vanish=gone, where="ipv4")
    for protocol, statuses in _split(truth["l4"]).items():
        _check_moves(transport[protocol], statuses, may_vanish=gone, where=protocol)


def _layers_by_place(
    layers: list[dict[str, Any]],
) -> tuple[bool, dict[str, Any], dict[str, Any], dict[str, Any], dict[str, Any]]:
    """Whether it is a VXLAN frame; outermost IP and L4, the IP and L4 behind VXLAN."""
    todo = [layer for layer in layers if layer["k"] not in ("eth", "vlan", "sll", "sll2", "null")]
    outer_ip: dict[str, Any] = {}
    outer_l4: dict[str, Any] = {}
    if todo and todo[0]["k"] == "ip":
        outer_ip = todo.pop(0)
        if todo and todo[0]["k"] == "l4":
            outer_l4 = todo.pop(0)
    head = todo[0] if todo and outer_l4.get("p") == 17 else {}
    vxlan = head.get("k") == "vxlan" and head.get("st") != "short"
    if not (vxlan and head["dp"] in PORTS and head["fl"] & 8):
        return False, outer_ip, outer_l4, {}, {}
    inner_ip: dict[str, Any] = {}
    inner_l4: dict[str, Any] = {}
    if len(todo) > 1 and todo[1]["k"] == "ip":
        inner_ip = todo[1]
        if len(todo) > 2 and todo[2]["k"] == "l4":
            inner_l4 = todo[2]
    return True, outer_ip, outer_l4, inner_ip, inner_l4


def _agrees(table: PacketTable, row: int, layer: str, truth: dict[str, Any]) -> None:
    status = Status(int(table[f"{layer}_status"][row])).name.lower()
    told = truth["st"]
    allowed = {WORDS.get(told, "partial" if told == "lco" else told)}
    if told == "frag":
        allowed |= {"absent", "valid", "partial"}  # a later fragment; sums added up
    if told == "trunc":
        allowed |= {"partial"}  # needs only headers
    where = (layer, row + 1, truth)
    assert status in allowed, (*where, status)
    if "f" in truth and status not in ("absent", "unverifiable"):
        assert int(table[f"{layer}_found"][row]) == truth["f"], where
    if "want" in truth and status in ("valid", "invalid"):
        assert (int(table[f"{layer}_expected"][row]) - truth["want"]) % 0xFFFF == 0, where


@pytest.mark.parametrize("entry", WITH_VXLAN)
def test_every_vxlan_frame_of_a_foreign_capture_equals_its_truth(
    entry: dict[str, Any], shared_captures: Path, engine: str
) -> None:
    table = read(_path(entry, shared_captures), engine=engine)
    path = shared_captures / "peers" / "truth" / f"{entry['file']}.jsonl"
    lines = path.read_text("utf-8").splitlines()
    assert lines
    for frame in map(json.loads, lines):
        row = frame["frame"] - 1
        vxlan, outer_ip, outer_l4, inner_ip, inner_l4 = _layers_by_place(frame["layers"])
        assert table["caplen"][row] == frame["caplen"]
        assert (table["kind"][row] == Kind.VXLAN) == vxlan, frame
        if not vxlan:
            if outer_l4.get("p") in NAMES and table["kind"][row]:
                _agrees(table, row, f"plain_{NAMES[outer_l4['p']]}", outer_l4)
            continue
        _agrees(table, row, "outer_udp", outer_l4)
        for layer, header in (("outer_ipv4", outer_ip), ("inner_ipv4", inner_ip)):
            if header.get("v") == 4 and header["st"] != "none":
                _agrees(table, row, layer, header)
        if inner_l4.get("p") in NAMES and inner_l4["st"] != "other":
            _agrees(table, row, f"inner_{NAMES[inner_l4['p']]}", inner_l4)


def _healthy(entry: dict[str, Any]) -> bool:
    """Whether no checksum of the truth is wrong; a header left at 0 is offload (VX206)."""
    truth = entry["nonvxlan_truth"]
    said = [*truth["ip4hdr"], *(key.split(":")[1] for key in truth["l4"])]
    if entry.get("vxlan_truth"):
        inner = entry["vxlan_truth"]["outermost"]
        said += [*inner["inner_ip4hdr"], *(key.split(":")[1] for key in inner["inner_l4"])]
    return "invalid" not in said


@pytest.mark.parametrize("entry", ENTRIES)
def test_no_foreign_capture_is_blamed_on_nat_and_healthy_ones_on_nothing(
    entry: dict[str, Any], shared_captures: Path
) -> None:
    try:
        report = diagnose(_path(entry, shared_captures))
    except CaptureError:
        return
    json.loads(report.to_json())
    assert str(report)
    found = codes(report)
    assert not {"VX101", "VX102"} & set(found)
    if _is_capture(entry) and _healthy(entry) and entry["file"] not in WRONG_ONCE_ADDED_UP:
        assert not found
        assert not any(f.evidence.get("cause") for f in report.findings)


@pytest.mark.parametrize("entry", ENTRIES)
def test_no_frame_of_a_foreign_capture_is_claimed_twice(
    entry: dict[str, Any], shared_captures: Path
) -> None:
    try:
        report = diagnose(_path(entry, shared_captures))
    except CaptureError:
        return
    check_one_claim(report)
