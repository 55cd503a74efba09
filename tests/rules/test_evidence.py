"""Accumulators: any split of the frames gives what one pass gives, and bounds are told."""

from __future__ import annotations

import gc
import itertools
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
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
    diagnose,
    fragments_of,
    framed,
    ipv4,
    ones_sum,
    pcapng,
    plain,
    put,
    read,
    segment,
    tunnelled,
)

import vxcsum
from vxcsum.checksum.status import LAYERS, Status
from vxcsum.evidence import evidence as evidence_module
from vxcsum.evidence import handshakes, paths, right, suspects
from vxcsum.evidence.evidence import Evidence
from vxcsum.evidence.paths import Paths
from vxcsum.rules.context import Context
from vxcsum.rules.engine import COUNTS
from vxcsum.rules.engine import diagnose as run
from vxcsum.rules.prepared import CaptureFacts

if TYPE_CHECKING:
    from vxcsum.checksum.table import PacketTable

POD_A, POD_B = address("10.244.1.5"), address("10.244.2.5")
NODES = [address(f"172.31.7.{n}") for n in (11, 12, 13)]


def mixture() -> list[Frame]:
    """Right, zero, partial, wrong, cut short, fragmented and plain frames of several pairs."""
    out: list[Frame] = []
    for n in range(36):
        protocol = (TCP, UDP, ICMP)[n % 3]
        value = PARTIAL if n % 7 == 0 and protocol != ICMP else RIGHT
        body = segment(
            protocol, POD_A, POD_B, bytes(n), sport=1000 + n, flags=2 if n % 2 else 16, value=value
        )
        inner = ipv4(body, protocol, POD_A, POD_B)
        outer_value = (RIGHT, ZERO, LCO if value == PARTIAL else RIGHT, 0xFFFF)[n % 4]
        outer = tunnelled(
            inner, NODES[n % 3], NODES[(n + 1) % 3], sport=40000 + n % 5, value=outer_value
        )
        out.append(Frame(framed(outer)))
        if n % 9 == 0:
            out.append(plain(put(inner, 10, 0)))
        if n % 11 == 0:
            out.append(out[-1].cut(60))
        if n % 13 == 0:
            out += [plain(p) for p in fragments_of(inner, [1])][:1]
        if n % 17 == 0:
            out.append(plain(ipv4(body, protocol, NODES[n // 17], POD_B)))
    return [*out, *echoes(), out[1], *out[4:9]]


def echoes() -> list[Frame]:
    """Pings and their answers in a tunnel, and an outer header that is not to be believed."""
    out: list[Frame] = []
    for n in range(4):
        for ends, kind in (((POD_A, POD_B), 8), ((POD_B, POD_A), 0)):
            body = segment(ICMP, *ends, bytes(9 * n), sport=7, seq=n, value=RIGHT)
            body = put(body, 0, kind << 8)
            body = put(put(body, 2, 0), 2, 0xFFFF - ones_sum(put(body, 2, 0)))
            nodes = NODES[:2] if kind else NODES[1::-1]
            outer = tunnelled(ipv4(body, ICMP, *ends), *nodes, sport=40100 + n, value=RIGHT)
            out.append(Frame(framed(put(outer, 10, 0xBEEF) if n == 3 and kind else outer)))
    return out


TABLE = read(mixture())
FACTS = [CaptureFacts("a", len(TABLE), 0, True, None, None)]


def fold(parts: list[Any]) -> Evidence:
    out = Evidence(counts=COUNTS)
    for part in parts:
        out.update(part)
    return out


def said(evidence: Evidence) -> Any:
    """Everything that can be seen of some evidence."""
    findings = run(evidence, FACTS)
    return (
        evidence.layers.tolist(),
        evidence.kinds.tolist(),
        evidence.truncated_frames,
        evidence.fragments,
        sorted(evidence.addresses),
        evidence.limits,
        held(evidence),
        [finding.to_dict() for finding in findings],
    )


def held(evidence: Evidence) -> dict[str, Any]:
    """What the accumulators hold, with paths by what they are: their numbers depend on blocks."""
    keys = evidence.paths.keys
    histograms = {key: evidence.paths.histogram([n]).tolist() for n, key in enumerate(keys)}
    assert all(np.any(histogram) for histogram in histograms.values())
    columns, entries = evidence.suspects.result()
    frames: list[Any] = [[] for _ in columns["path"]]
    for suspect, frame, time in entries.tolist():
        frames[suspect].append((frame, time))
    seen = evidence.right.columns()
    flows = zip(*(seen[name].tolist() for name in ("path", "sport", "length", "code")), strict=True)
    return {
        "paths": histograms,
        "suspects": sorted(zip(rows_of(columns, keys), map(sorted, frames), strict=True)),
        "right": sorted((keys[path], *rest) for path, *rest in flows),
        "doubtful": [sorted(rows_of(part, keys)) for part in [together(evidence)]],
        "echoes": {keys[number]: seen for number, seen in evidence.echoes.items()},
        "handshakes": {n: c.tolist() for n, c in evidence.handshakes.columns().items()},
        "variety": evidence.variety.share,
        "captures": evidence.captures,
        "timeline": (evidence.timeline.start, evidence.timeline.counts.tolist()),
    }


def rows_of(columns: dict[str, Any], keys: list[Any]) -> list[Any]:
    """The rows of columns, each with the key of its path and all that is kept of it."""
    names = sorted(set(columns) - {"path"})
    values = (columns[name].tolist() for name in names)
    rows = zip(columns["path"].tolist(), *values, strict=True)
    return [(keys[path], *zip(names, rest, strict=True)) for path, *rest in rows]


def together(evidence: Evidence) -> dict[str, Any]:
    parts = evidence.doubtful.result()
    names = parts[0] if parts else {"path": 0}
    return {n: np.concatenate([p[n] for p in parts] or [np.zeros(0, int)]) for n in names}


WHOLE = said(fold([TABLE]))


def pieces(cuts: list[int]) -> list[Any]:
    bounds = [0, *sorted(cuts), len(TABLE)]
    return [TABLE[a:b] for a, b in itertools.pairwise(bounds)]


places = st.lists(st.integers(0, len(TABLE)), min_size=2, max_size=4)


def test_the_mixture_is_a_hard_one() -> None:
    assert len(WHOLE[-1]) >= 3
    assert len(TABLE) > 40


@given(places)
@settings(max_examples=25)
def test_tables_split_anywhere_give_what_one_pass_gives(cuts: list[int]) -> None:
    assert said(fold(pieces(cuts))) == WHOLE


@given(places, st.data())
@settings(max_examples=25)
def test_merging_is_associative(cuts: list[int], data: Any) -> None:
    parts = [fold([part]) for part in pieces(cuts)]
    while len(parts) > 1:  # neighbours are put together in any order
        at = data.draw(st.integers(0, len(parts) - 2))
        parts[at].merge(parts.pop(at + 1))
    assert said(parts[0]) == WHOLE


def test_what_a_process_draws_by_lot_is_nowhere_to_be_seen(monkeypatch: pytest.MonkeyPatch) -> None:
    # Two runs over one capture give the same report, to the octet.
    for seed in range(1, 9):
        monkeypatch.setattr(suspects, "_SEED", np.uint64(seed))
        assert said(fold([TABLE])) == WHOLE


def test_empty_evidence_is_the_neutral_element() -> None:
    before, after = Evidence(), fold([TABLE])
    before.merge(fold([TABLE]))
    after.merge(Evidence())
    assert said(before) == said(after) == WHOLE
    assert said(fold([TABLE[:0]])) == said(Evidence())


def test_merging_does_not_change_what_is_merged() -> None:
    one, other = fold([TABLE[:20]]), fold([TABLE[20:]])
    before = said(other)
    one.merge(other)
    one.update(TABLE)
    assert said(other) == before


def test_an_echo_reply_of_zeros_is_no_minus_zero_but_a_request_may_have_one() -> None:
    zeros = b"\0\0\xff\xff" + bytes(20)
    request = b"\x08\0\xff\xff\0\1\xf7\xfe"  # the rest comes to 0xffff
    for body, found in ((zeros, []), (request, ["VX402"])):
        packet = ipv4(body, ICMP, POD_A, POD_B)
        for frame in (packet, tunnelled(packet, *NODES[:2], value=RIGHT)):
            report = diagnose([plain(frame)])
            assert [each.code for each in report.findings] == found


#: Where a bound is, and how its sentence begins.
BOUNDS = {
    "MAX_SUSPECTS": (suspects, "more than 2 kinds of wrong packets"),
    "MAX_LISTED": (suspects, "frames with a wrong checksum are counted, and not known by number"),
    "MAX_PATHS": (paths, "more than 2 pairs of outer addresses"),
    "MAX_RIGHT": (right, "more than 2 kinds of right packets"),
    "MAX_HANDSHAKES": (handshakes, "only the first 2 TCP handshake packets"),
    "MAX_ADDRESSES": (evidence_module, "only 2 addresses were kept"),
}


def bounded(monkeypatch: pytest.MonkeyPatch, bound: str, value: int) -> None:
    for module in {BOUNDS[bound][0], evidence_module}:
        if hasattr(module, bound):
            monkeypatch.setattr(module, bound, value)


@pytest.mark.parametrize("bound", BOUNDS)
def test_a_bound_that_was_hit_is_told(bound: str, monkeypatch: pytest.MonkeyPatch) -> None:
    bounded(monkeypatch, bound, 2)
    report = diagnose(mixture())
    assert [limit for limit in report.evidence.limits if BOUNDS[bound][1] in limit]
    assert report.to_dict()["limits"] == report.evidence.limits
    assert all(limit in report.to_text() for limit in report.evidence.limits)


@pytest.mark.parametrize("bound", BOUNDS)
def test_no_bound_changes_what_is_counted(bound: str, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = fold([TABLE])
    bounded(monkeypatch, bound, 2)
    for cuts in ([], [1, 30], list(range(1, len(TABLE)))):
        for evidence in (fold(pieces(cuts)), merged(pieces(cuts))):
            run(evidence, FACTS)
            assert evidence.limits
            assert (evidence.layers == whole.layers).all()
            assert (evidence.kinds == whole.kinds).all()
            assert evidence.captures == whole.captures
            frames = sum(count for _, _, count in zip(*evidence.paths.cells(), strict=True))
            assert frames == len(TABLE)


def merged(parts: list[Any]) -> Evidence:
    out = Evidence(counts=COUNTS)
    for part in parts:
        out.merge(fold([part]))
    return out


def test_every_wrong_frame_is_examined_or_counted_as_dropped(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wrong = int(fold([TABLE]).suspects.result()[0]["frames"].sum())
    for bound in (1, 3, 5):
        monkeypatch.setattr(suspects, "MAX_SUSPECTS", bound)
        for evidence in (fold([TABLE]), merged(pieces([7, 20, 41]))):
            columns, entries = evidence.suspects.result()
            assert len(columns["path"]) <= bound
            assert int(columns["frames"].sum()) + evidence.suspects.dropped == wrong
            assert len(entries) == int(columns["frames"].sum())


def test_frames_that_are_not_known_by_number_are_still_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = diagnose(mixture())
    bounded(monkeypatch, "MAX_LISTED", 4)
    after = diagnose(mixture())
    said_of = [[(f.code, f.frames, f.first_frame) for f in r.findings] for r in (before, after)]
    assert said_of[0] == said_of[1]
    assert after.evidence.suspects.unlisted > 0


def test_a_share_of_the_right_observations_stands_for_all(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    packet = ipv4(segment(TCP, POD_A, POD_B), TCP, POD_A, POD_B)
    table = read(
        [
            Frame(framed(tunnelled(packet, *NODES[:2], sport=20_000 + n, value=RIGHT)))
            for n in range(600)
        ]
    )
    whole = fold([table]).right
    assert len(whole.numbers) == 600
    monkeypatch.setattr(right, "MAX_RIGHT", 100)
    parts = [fold([table]).right, fold([table[:50], table[50:]]).right]
    parts.append(merged([table[:300], table[200:]]).right)
    for some in parts:
        assert len(some.numbers) <= 100
        assert set(some.numbers.tolist()) <= set(whole.numbers.tolist())
        assert 0.5 * 600 < len(some.numbers) << some.thinned < 2 * 600
    # Which ones they are follows from what they are, and not from when they came.
    assert all((some.numbers == parts[0].numbers).all() for some in parts)


# Pairs of nodes

PAIRS = 1500


def crowd(*bad: int) -> PacketTable:
    """Pairs of nodes with a few right packets each; behind NAT with a stale checksum are some."""
    out: list[Frame] = []
    for n in range(PAIRS):
        nodes = [address(f"10.{side}.{n >> 8}.{n & 0xFF}") for side in (1, 2)]
        for m in range(6 if n in bad else 1):
            packet = ipv4(segment(TCP, POD_A, POD_B, sport=3000 + m, flags=2), TCP, POD_A, POD_B)
            outer = tunnelled(packet, *nodes, sport=40_000 + 7 * m, value=RIGHT)
            if n in bad:
                outer = put(outer, 20, 52_000 + 11 * m)
            out.append(Frame(framed(outer)))
        if n in bad:
            ping = ipv4(segment(ICMP, POD_A, POD_B, b"ping"), ICMP, POD_A, POD_B)
            out.append(Frame(framed(tunnelled(ping, *nodes, sport=40_900, value=RIGHT))))
    return read(pcapng(out))


def named(evidence: Evidence, table: PacketTable) -> list[tuple[str, int, str]]:
    """Errors with their frames, and who sent these."""
    facts = [CaptureFacts("a", len(table), 0, True, None, None)]
    return [
        (f.code, f.frames, f.evidence["post_nat_source"])
        for f in run(evidence, facts)
        if f.severity.name == "ERROR" and f.code[:3] != "VX7"
    ]


@pytest.mark.parametrize("last", [1024, 1025, PAIRS - 1])
def test_the_cause_is_named_however_many_pairs_came_before(last: int) -> None:
    table = crowd(last)
    evidence = fold([table[at : at + 256] for at in range(0, len(table), 256)])
    assert evidence.limits == []
    assert len(evidence.paths.keys) == PAIRS
    source = f"10.1.{last >> 8}.{last & 0xFF}"
    assert named(evidence, table) == named(fold([table]), table) == [("VX102", 6, source)]


@pytest.mark.parametrize("bound", [2, 64, 1024])
def test_healthy_pairs_give_way_to_those_with_a_wrong_frame(
    bound: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    bounded(monkeypatch, "MAX_PATHS", bound)
    table = crowd(0, PAIRS - 1)
    evidence = fold([table[at : at + 100] for at in range(0, len(table), 100)])
    sources = ["10.1.0.0", f"10.1.{PAIRS - 1 >> 8}.{PAIRS - 1 & 0xFF}"]
    assert named(evidence, table) == [("VX102", 6, source) for source in sources]
    assert len(evidence.paths.keys) <= bound + 100
    assert evidence.paths.dropped >= PAIRS - 2 - bound - 100
    (limit,) = evidence.limits
    assert limit.startswith(f"more than {bound:,} pairs of outer addresses: ")
    assert layer_of(evidence, "outer_udp") == {"valid": PAIRS, "invalid": 12}


def layer_of(evidence: Evidence, layer: str) -> dict[str, int]:
    counts = evidence.layers[list(LAYERS).index(layer)]
    return {Status(n).name.lower(): int(frames) for n, frames in enumerate(counts) if frames}


def test_what_gave_way_is_still_counted_by_what_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    whole = fold([TABLE])
    bounded(monkeypatch, "MAX_PATHS", 2)
    evidence = fold(pieces(list(range(1, len(TABLE)))))
    for some in (evidence, whole):
        total = some.paths.histogram(list(range(len(some.paths.keys))))
        assert (total == some.paths.total).all()
    assert (evidence.paths.total == whole.paths.total).all()
    wrong = evidence.suspects.paths
    assert all(key.kind != "tunnel" or n in wrong for n, key in enumerate(evidence.paths.keys[:-1]))
    columns, _ = evidence.suspects.result()
    assert columns["path"].max() < len(evidence.paths.keys)


def test_frames_of_the_same_pair_are_told_by_port_and_capture() -> None:
    packet = ipv4(segment(TCP, POD_A, POD_B), TCP, POD_A, POD_B)
    sent = [Frame(framed(tunnelled(packet, *NODES[:2], dport=port))) for port in (4789, 8472, 8472)]
    table = read(sent)
    seen = Paths()
    code = np.zeros(len(table), np.uint16)
    for capture in (0, 1):
        ids, _ = seen.update(table, code, capture)
        assert ids.tolist() == [2 * capture, 2 * capture + 1, 2 * capture + 1]
    assert [(key.capture, key.port) for key in seen.keys] == [
        (capture, port) for capture in (0, 1) for port in (4789, 8472)
    ]
    assert seen.find(seen.keys[0].back) is None
    assert seen.keys[0].back.back == seen.keys[0]


def test_the_headline_counts_at_least_the_frames_that_were_examined(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    packet = ipv4(segment(TCP, POD_A, POD_B), TCP, POD_A, POD_B)
    frames = [plain(put(packet, 36, 7 * n)) for n in range(1, 9)]
    assert "wrong checksums in 8 frames" in diagnose(frames).to_text()
    monkeypatch.setattr(suspects, "MAX_SUSPECTS", 3)
    # Which suspects stand for all is chosen by hashes, which differ from process to process.
    monkeypatch.setattr(suspects, "_SEED", np.uint64(2))
    report = diagnose(frames)
    examined = 8 - report.evidence.suspects.dropped
    assert 1 <= examined <= 3
    for page in (report.to_text(), report.to_html()):
        assert f"wrong checksums in at least {examined} frame" in page


def test_nothing_is_told_of_bounds_that_were_not_hit() -> None:
    assert diagnose(mixture()).evidence.limits == []


def test_a_finding_lists_at_most_a_thousand_frames() -> None:
    frame = plain(put(ipv4(segment(TCP, POD_A, POD_B), TCP, POD_A, POD_B), 36, 1))
    report = diagnose([frame] * 1203)
    finding = next(f for f in report.findings if f.severity.name == "ERROR")
    assert finding.frames == 1203
    assert finding.frame_numbers == list(range(1, 1001))
    assert (finding.first_frame, finding.last_frame) == (1, 1203)
    occurrences = diagnose([frame.cut(50)] * 1203)
    (finding,) = [f for f in occurrences.findings if f.code == "VX901"]
    assert (finding.frames, len(finding.frame_numbers)) == (1203, 1000)
    assert finding.last_frame == 1203


def test_times_of_a_finding_are_those_of_its_frames() -> None:
    frame = plain(put(ipv4(segment(TCP, POD_A, POD_B), TCP, POD_A, POD_B), 36, 1))
    good = plain(ipv4(segment(TCP, POD_A, POD_B), TCP, POD_A, POD_B))
    table = read([good, frame, good, frame, good])
    report = diagnose([good, frame, good, frame, good])
    finding = next(f for f in report.findings if f.severity.name == "ERROR")
    times = table["timestamp"].astype(np.int64)
    assert finding.first_timestamp == times[1]
    assert finding.last_timestamp == times[3]


def test_nothing_of_a_diagnosis_outlives_it() -> None:
    # Whoever analyzes one capture after the other in a notebook must not keep all their tables.
    captures = Path(__file__).parents[2] / "captures"
    before = contexts()
    report = vxcsum.analyze(captures / "kernel" / "u61bug-nat-udpcsum.snd.pcap")
    assert any(finding.code == "VX102" for finding in report.findings)
    assert contexts() <= before


def contexts() -> set[int]:
    gc.collect()
    return {id(thing) for thing in gc.get_objects() if isinstance(thing, Context)}
