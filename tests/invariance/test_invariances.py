"""What may not change a verdict, over the captures of the project.

The numbers are those of the list of invariances: size, share, form, names, union, edits, monotony.
``scoreboard.py`` beside this file measures the same over everything there is.
"""

from __future__ import annotations

import io
import ipaddress
import json
from typing import TYPE_CHECKING

import pytest
from container import frames
from edits import EDITS, edited
from judging import (
    CAPTURES,
    CONFIDENCES,
    LIKELY,
    Capture,
    Verdict,
    best,
    captures,
    false_names,
    frames_by_code,
    some,
    summary,
    verdicts,
)
from parts import (
    DAMAGE,
    as_pcap,
    as_pcapng,
    damaged,
    has_one_interface,
    part,
    pieces,
    repeated,
    union,
)
from renumbering import renumbered

from vxcsum import synth
from vxcsum.rules import prices

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

REAL = captures(CAPTURES)
SYNTHETIC = [capture for capture in captures(CAPTURES / "synthetic") if capture.expected]
SMALL = [capture for capture in REAL if capture.path.stat().st_size < 150_000]
HEALTHY = [capture for capture in SMALL if capture.is_healthy]
NAT = [capture for capture in SMALL if capture.is_nat]
#: Their outer checksum is computed over the addresses; that of VX101 only over what changed.
SUMMED_NAT = [capture for capture in NAT if set(capture.expected) == {"VX102"}]
SAMPLE = [*some(NAT, 12, 1), *some(HEALTHY, 12, 1)]
#: Captures of which all octets are there: a translation that was cut off could be in no other.
WHOLE = [c for c in HEALTHY if all(f.caplen == f.original for f in frames(c.data))]
#: Rules about single packets, which traffic of other networks cannot make more or less true.
BY_PACKET = {"VX102", "VX103", "VX104", "VX205", "VX301", "VX302", "VX304", "VX501", "VX504"}
SHARES = (0.05, 0.1, 0.25, 0.5, 0.8)
#: Of damaged captures, so many may have a finding that names a cause by chance.
MAX_DAMAGE_RATE = 0.004


def each(some_captures: Iterable[Capture]) -> pytest.MarkDecorator:
    listed = [pytest.param(capture, id=capture.path.name) for capture in some_captures]
    return pytest.mark.parametrize("capture", listed)


def judged(capture: Capture, data: bytes | Sequence[bytes] | None = None) -> list[Verdict]:
    return verdicts(capture.data if data is None else data, **capture.options)


def without_stories(found: Iterable[Verdict]) -> list[Verdict]:
    """Findings about frames: what connections suffered is told once, however often they try."""
    return [verdict for verdict in found if not verdict.code.startswith("VX7")]


def counted(found: Iterable[Verdict], times: int = 1) -> dict[tuple[str, str, str], int]:
    """Frames of each rule, severity and confidence, so many times."""
    out: dict[tuple[str, str, str], int] = {}
    for verdict in found:
        key = (verdict.code, verdict.severity, verdict.confidence)
        out[key] = out.get(key, 0) + verdict.frames * times
    return out


def sure_others(found: Iterable[Verdict], capture: Capture) -> list[Verdict]:
    """Causes and damage that are named at likely or above, and are not the truth."""
    return [
        verdict
        for verdict in found
        if (verdict.is_cause or verdict.is_damage) and verdict.is_sure
        if not capture.may_name(verdict.code)
    ]


def rank(confidence: str | None) -> int:
    return -1 if confidence is None else CONFIDENCES.index(confidence)


# 1. Size.


@pytest.mark.parametrize("times", [2, 8])
@each(SAMPLE)
def test_the_same_packets_again_are_no_new_evidence(capture: Capture, times: int) -> None:
    once = causes(judged(capture))
    again = causes(judged(capture, repeated(capture.data, times)))
    assert counted(again) == counted(once, times)


@each(some(NAT, 4, 2))
def test_sixty_four_times_the_same_is_the_same(capture: Capture) -> None:
    again = causes(judged(capture, repeated(capture.data, 64)))
    assert counted(again) == counted(causes(judged(capture)), 64)


@pytest.mark.parametrize("times", [2, 8])
@each(some(SYNTHETIC, 40, 1))
def test_a_scenario_again_names_no_other_cause(capture: Capture, times: int) -> None:
    found = judged(capture, repeated(capture.data, times))
    assert sure_others(found, capture) == []


def causes(found: Iterable[Verdict]) -> list[Verdict]:
    return [verdict for verdict in found if verdict.is_cause or verdict.is_damage]


# 2. Share.


@each(NAT)
def test_a_part_says_the_same_or_less(capture: Capture) -> None:
    whole = judged(capture)
    for share in SHARES:
        for seed in range(3):
            found = judged(capture, part(capture.data, share, seed))
            assert sure_others(found, capture) == [], (share, seed)
            for code in capture.expected:
                assert rank(best(found, code)) <= rank(best(whole, code)), (share, seed)


# Without the packet before NAT, VX105 is VX104: docs/diagnosis.md, what cannot be told apart.
@each(c for c in some(SYNTHETIC, 40, 2) if "VX105" not in c.expected)
def test_a_part_of_a_scenario_names_no_other_cause(capture: Capture) -> None:
    for share in SHARES:
        found = judged(capture, part(capture.data, share, 1))
        assert sure_others(found, capture) == [], share


@each(some(HEALTHY, 12, 3))
def test_a_part_of_a_healthy_capture_is_healthy(capture: Capture) -> None:
    for share in SHARES:
        found = judged(capture, part(capture.data, share, 1))
        assert false_names(found, capture.tolerated) == [], share


# 3. Form.


@each(SAMPLE)
def test_pcap_and_pcapng_say_the_same(capture: Capture) -> None:
    data = capture.data
    whole = judged(capture)
    forms = [as_pcapng(data)]
    if has_one_interface(data):
        forms += [as_pcap(data), as_pcap(as_pcapng(data))]
    for form in forms:
        found = judged(capture, form)
        assert summary(found) == summary(whole)
        assert {v.numbers for v in found} == {v.numbers for v in whole}


@each(some(SAMPLE, 8, 1))
def test_engines_threads_and_sources_say_the_same(capture: Capture) -> None:
    data = capture.data
    whole = judged(capture)
    ways = {
        "numpy": verdicts(data, engine="numpy"),
        "one thread": verdicts(data, jobs=1),
        "two threads": verdicts(data, jobs=2),
        "file": verdicts(io.BytesIO(data)),
        "path": verdicts(capture.path),
    }
    for way, found in ways.items():
        assert found == whole, way


@each(NAT)
def test_files_one_after_another_say_the_same_or_less(capture: Capture) -> None:
    whole = judged(capture)
    for number in (2, 3):
        found = judged(capture, pieces(capture.data, number))
        assert sure_others(found, capture) == []
        for code in capture.expected:
            # A piece may lack what speaks for a rival: likely may become confirmed.
            assert min(rank(best(found, code)), rank(LIKELY)) <= rank(best(whole, code))
            named = frames_by_code(found).get(code, (0, 0))[0]
            assert named <= frames_by_code(whole)[code][0]


@each(some(NAT, 8, 4))
def test_the_order_of_files_does_not_matter(capture: Capture) -> None:
    other = renumbered(WHOLE[0].data)
    data = capture.data
    one, two = judged(capture, [data, other]), judged(capture, [other, data])
    assert counted(one) == counted(two)


@each(NAT)
def test_healthy_traffic_of_other_hosts_changes_nothing(capture: Capture) -> None:
    alone = counted(causes(judged(capture)))
    for healthy in some(WHOLE, 3, 5):
        both = judged(capture, union(capture.data, renumbered(healthy.data)))
        found = [v for v in causes(both) if v.code not in healthy.tolerated]
        assert counted(found) == alone, healthy.name


# 4. Names.


@each([*SUMMED_NAT, *some(HEALTHY, 20, 6)])
def test_other_addresses_with_the_same_residuals_say_the_same(capture: Capture) -> None:
    whole, found = judged(capture), judged(capture, renumbered(capture.data))
    assert summary(found) == summary(whole)
    assert sorted(v.numbers for v in found) == sorted(v.numbers for v in whole)


@each(SAMPLE)
def test_what_no_checksum_covers_does_not_matter(capture: Capture) -> None:
    assert judged(capture, edited(capture.data, "outer-macs")) == judged(capture)


# 5. Union.


@each(c for c in SYNTHETIC if BY_PACKET.issuperset(c.expected) and not c.options)
def test_two_causes_together_are_both_named(capture: Capture) -> None:
    alone = causes(judged(capture))
    for other in some(NAT, 2, 7):
        both = causes(judged(capture, union(capture.data, other.data)))
        allowed = {*capture.expected, *other.expected, *other.tolerated}
        assert [v for v in both if v.is_sure and v.code not in allowed] == [], other.name
        for code in (*capture.expected, *other.expected):
            known = max(rank(best(alone, code)), rank(best(judged(other), code)))
            assert rank(best(both, code)) >= min(known, rank(LIKELY)), (code, other.name)


# 7. Edits.


@pytest.mark.parametrize("name", EDITS)
def test_an_edited_healthy_capture_blames_nothing(name: str) -> None:
    false = {}
    for capture in some(HEALTHY, 40, 8):
        sure = [
            (verdict.code, verdict.confidence, verdict.frames)
            for verdict in false_names(verdicts(edited(capture.data, name)), capture.tolerated)
            if verdict.is_sure
        ]
        if sure:
            false[capture.name] = sure
    assert false == {}


# Damage has no cause but damage.


def test_damage_names_no_cause() -> None:
    false, number = [], 0
    for capture in some(HEALTHY, 24, 9):
        for rate in (0.001, 0.02, 0.2):
            for kind in (None, *DAMAGE):
                number += 1
                found = verdicts(damaged(capture.data, rate, number, kind))
                sure = [v for v in false_names(found, capture.tolerated) if v.is_sure]
                if sure:
                    false.append((capture.name, rate, kind, sure))
    assert len(false) <= MAX_DAMAGE_RATE * number, false


# 8. Monotony.


def _translated() -> list[tuple[Capture, list[str]]]:
    entries = json.loads((CAPTURES / "manifest.json").read_text("utf-8"))["captures"]
    old = {entry["file"]: entry.get("pre_nat_address") for entry in entries}
    return [
        (capture, addresses)
        for capture in NAT
        if (addresses := old.get(str(capture.path.relative_to(CAPTURES))))
    ]


@pytest.mark.parametrize(
    ("capture", "addresses"), [pytest.param(*each, id=each[0].path.name) for each in _translated()]
)
def test_a_hint_never_weakens(capture: Capture, addresses: list[str]) -> None:
    before = judged(capture)
    networks = [
        str(ipaddress.ip_network(f"{address}/{'112' if ':' in address else '24'}", strict=False))
        for address in addresses
    ]
    for hint in (addresses, networks, [*addresses, "203.0.113.0/24"]):
        found = verdicts(capture.data, pre_nat=hint, **capture.options)
        assert sure_others(found, capture) == []
        for code in capture.expected:
            assert rank(best(found, code)) >= rank(best(before, code)), hint


def test_the_samples_are_there() -> None:
    assert len(HEALTHY) >= 60
    assert len(NAT) >= 35
    assert len(SUMMED_NAT) >= 10
    assert len(WHOLE) >= 30
    assert {f.linktype for capture in HEALTHY for f in frames(capture.data)} >= {1, 113, 276}


def test_an_edit_of_which_a_share_is_scored_is_an_edit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(prices, "SCORED", 64)
    monkeypatch.setattr(prices, "MIN_FLOWS", 8)
    healthy, _ = synth.make_capture("healthy", frames=6000)
    found = verdicts(edited(healthy, "payload-random"))
    assert [v.code for v in found if v.severity != "INFO"] == ["VX908"]
