"""Accumulators: any split of the frames gives what one pass gives, and bounds are told."""

from __future__ import annotations

import gc
import itertools
from pathlib import Path
from typing import Any

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
    plain,
    put,
    read,
    segment,
    tunnelled,
)

import vxcsum
from vxcsum.rules import evidence as module
from vxcsum.rules.context import CaptureFacts, Context
from vxcsum.rules.engine import diagnose as run
from vxcsum.rules.evidence import Evidence

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
            out.append(plain(inner))
    return out


TABLE = read(mixture())
FACTS = [CaptureFacts("a", len(TABLE), 0, True, None, None)]


def fold(parts: list[Any]) -> Evidence:
    out = Evidence()
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
        [finding.to_dict() for finding in findings],
    )


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


@given(places)
@settings(max_examples=25)
def test_merging_is_associative(cuts: list[int]) -> None:
    parts = pieces(cuts)

    def left() -> Evidence:
        out = fold(parts[:1])
        for part in parts[1:]:
            out.merge(fold([part]))
        return out

    def right() -> Evidence:
        out = fold(parts[-1:])
        for part in reversed(parts[:-1]):
            first = fold([part])
            first.merge(out)
            out = first
        return out

    assert said(left()) == said(right()) == WHOLE


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


@pytest.mark.parametrize("bound", ["MAX_SUSPECTS", "MAX_PAIRS", "MAX_ADDRESSES"])
def test_a_bound_that_was_hit_is_told(bound: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, bound, 2)
    report = diagnose(mixture())
    assert report.evidence.limits
    assert report.to_dict()["limits"] == report.evidence.limits
    assert all(limit in report.to_text() for limit in report.evidence.limits)
    assert report.frames["total"] == len(TABLE)
    assert report.layers == diagnose(mixture()).layers


def test_the_headline_counts_at_least_the_frames_that_were_examined(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    packet = ipv4(segment(TCP, POD_A, POD_B), TCP, POD_A, POD_B)
    frames = [plain(put(packet, 36, 7 * n)) for n in range(1, 9)]
    assert "wrong checksums in 8 frames" in diagnose(frames).to_text()
    monkeypatch.setattr(module, "MAX_SUSPECTS", 3)
    report = diagnose(frames)
    for page in (report.to_text(), report.to_html()):
        assert "wrong checksums in at least 3 frames" in page


def test_nothing_is_told_of_bounds_that_were_not_hit() -> None:
    assert diagnose(mixture()).evidence.limits == []


def test_handshakes_that_were_left_out_are_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_HANDSHAKES", 1)
    evidence = fold([TABLE])
    assert evidence.handshakes.dropped
    assert evidence.limits


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
