"""What manifests promise, in the words of the contract."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from vxcsum import Report
    from vxcsum.checksum.table import PacketTable

#: Words of the kernel manifests that the contract says differently.
_KERNEL_WORDS = {"lco": "partial", "truncated": "unverifiable", "fragment": "unverifiable"}
_L4 = tuple(
    f"{place}_{name}" for place in ("inner", "plain") for name in ("tcp", "udp", "icmp", "icmpv6")
)
_SERIOUS = ("WARNING", "ERROR")


def _add(into: Counter[str], more: dict[str, int], words: dict[str, str]) -> None:
    for status, number in more.items():
        into[words.get(status, status)] += number


def kernel_layers(truth: dict[str, Any], table: PacketTable) -> dict[str, dict[str, int]]:
    """Layer counts as the contract wants them, from the truth of one entry.

    The kernel manifests say ``outermost_ipv4_header`` of VXLAN and plain frames together and count
    fragments singly, with what reassembly gives in keys of their own. The contract adds sums of
    fragments up, so ``fragment`` frames become what ``reassembled`` says.
    """
    if "outer_ipv4" in truth or "plain_ipv4" in truth or "inner_ipv4" in truth:
        return {layer: dict(of) for layer, of in truth.items() if of}  # already in these words
    out: dict[str, Counter[str]] = {layer: Counter() for layer in ("outer_udp", "inner_ipv4", *_L4)}
    for layer in ("outer_udp", *_L4):
        _add(out[layer], truth.get(layer, {}), _KERNEL_WORDS)
        reassembled = truth.get(f"reassembled.{layer}", {})
        if layer == "outer_udp":
            # Zero needs the header only, so it is in the truth of the first fragment already.
            reassembled = {s: n for s, n in reassembled.items() if s != "zero"}
            out[layer]["unverifiable"] -= sum(reassembled.values())
        _add(out[layer], reassembled, _KERNEL_WORDS)
    _add(out["inner_ipv4"], truth.get("inner_ipv4_header", {}), _KERNEL_WORDS)
    # A first fragment without its others still shows the inner headers; the truth stops there.
    firsts = truth.get("outermost_fragments", {}).get("first", 0)
    alone = firsts - sum(truth.get("reassembled.outer_udp", {}).values())
    if alone > 0:
        assert set(truth) & set(out) >= {"inner_tcp"}, "only TCP was fragmented by these kernels"
        out["inner_ipv4"]["valid"] += alone
        out["inner_tcp"]["unverifiable"] += alone
    return {
        **{layer: dict(+of) for layer, of in out.items() if +of},
        **_headers(truth, table),
    }


def _headers(truth: dict[str, Any], table: PacketTable) -> dict[str, dict[str, int]]:
    """Outer and plain IPv4 headers: the truth has only their total, which must agree."""
    from support import counts

    found = counts(table)
    total: Counter[str] = Counter()
    for layer in ("outer_ipv4", "plain_ipv4"):
        total.update(found.get(layer, {}))
    assert dict(total) == truth.get("outermost_ipv4_header", {})
    return {layer: found[layer] for layer in ("outer_ipv4", "plain_ipv4") if layer in found}


def check_findings(report: Report, entry: dict[str, Any]) -> None:
    """Compare the errors and warnings with ``findings`` and ``tolerated`` of an entry."""
    found: Counter[str] = Counter()
    for finding in report.findings:
        if finding.severity.name in _SERIOUS:
            found[finding.code] += finding.frames
    expected = entry["findings"]
    for code, frames in expected.items():
        assert code in found, (code, dict(found))
        assert frames in (None, found[code]), (code, frames, dict(found))
    assert set(found) <= set(expected) | set(entry["tolerated"])


def check_recovered(report: Report, entry: dict[str, Any]) -> None:
    """Compare what NAT rewrote with what an entry says is within reach of the checksum."""
    evidence = [f.evidence for f in report.findings if f.code in ("VX101", "VX102")]
    ports = {m["pre_nat_source_port"] for e in evidence for m in e["mappings"]}
    assert ports >= set(entry.get("pre_nat_source_ports", ()))
    addresses = known_addresses(report)
    assert addresses >= set(entry.get("pre_nat_addresses_in_reach", ()))


def known_addresses(report: Report) -> set[str]:
    """Every pre-NAT address that the findings name or list as a candidate."""
    out: set[str] = set()
    for finding in report.findings:
        evidence = finding.evidence
        out.update(evidence.get("candidates", ()))
        for mapping in evidence.get("mappings", ()):
            out.update((mapping["pre_nat_source"], mapping["pre_nat_destination"]))
    return out - {None}  # type: ignore[arg-type]


def check_one_claim(report: Report) -> None:
    """No frame is claimed by two error findings, and a pair has one finding for each cause."""
    claimed: Counter[tuple[str, int]] = Counter()
    pairs: Counter[tuple[str, ...]] = Counter()
    for finding in report.findings:
        if finding.severity.name != "ERROR" or finding.code.startswith("VX7"):
            continue  # what a connection suffered is told of the frames that are wrong
        claimed.update((finding.capture, number) for number in finding.frame_numbers)
        if "post_nat_source" in finding.evidence:
            path = (finding.evidence["post_nat_source"], finding.evidence["destination"])
            pairs[(finding.capture, finding.code, *path)] += 1
    assert not [frame for frame, times in claimed.items() if times > 1]
    assert not [pair for pair, times in pairs.items() if times > 1]
