"""The facts that an operator is told, chosen and put into words once for text and HTML."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from vxcsum.rules import prices
from vxcsum.rules.model import Severity, iso_time
from vxcsum.tabular.words import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.report.report import Report
    from vxcsum.rules.model import Finding

#: Of mappings, candidates, connections and the seconds of one, at most this many are told.
MAX_LISTED = 8
_MAX_SYNS = 16
_MAX_OTHERS = 2


class Mood(Enum):
    """What a verdict means to the one who reads it."""

    GOOD = "good"
    UNSURE = "unsure"
    WARNING = "warning"
    BAD = "bad"


@dataclass(frozen=True, slots=True)
class Wait:
    """A connection that was hit: what it sent in vain, and when it got through.

    Attributes
    ----------
    seconds : tuple of float
        When it sent its SYNs, or packets with a wrong checksum, after the first of them.
    through : float or None
        Seconds until it got through; None where the capture does not show it.
    code : str
        The rule that names the cause, or that noticed the wait.
    """

    capture: str
    client: str
    server: str
    protocol: str
    seconds: tuple[float, ...]
    through: float | None
    code: str

    @property
    def length(self) -> float:
        """How long it waited, as far as the capture shows, in seconds."""
        return max(self.seconds, default=0.0) if self.through is None else self.through


def names_told(report: Report) -> str:
    """Return the name of the capture, or how many there are."""
    names = [printable(info.name) for info in report.captures]
    return names[0] if len(names) == 1 else f"{len(names)} captures"


def verdict(report: Report) -> tuple[Mood, str]:
    """Return what the report comes to, in one sentence."""
    names = names_told(report)
    errors = [f for f in report.findings if f.severity == Severity.ERROR]
    warnings = [f for f in report.findings if f.severity == Severity.WARNING]
    hit = [f for f in errors if f.rule.story]
    errors = [f for f in errors if f not in hit]
    said = ", ".join(dict.fromkeys(f.code for f in hit))
    suffered = f", and connections that suffered ({said})" if said else ""
    if errors:
        codes = ", ".join(dict.fromkeys(f.code for f in errors))
        least = "at least " if report.evidence.suspects.dropped else ""
        what = f"wrong checksums in {least}{frames_of(sum(f.frames for f in errors))} ({codes})"
        return Mood.BAD, f"CORRUPT: {names}: {what}{suffered}"
    checked = verified(report)
    if not checked:
        return Mood.UNSURE, f"NOTHING TO VERIFY: no checksum in {names} could be verified."
    good = f"{names}: no wrong checksum among {checked:,}"
    wrong = sum(counts["invalid"] for counts in report.layers.values())
    if hit:
        title = "UNREACHABLE" if any(f.rule.unreachable for f in hit) else "DELAYED"
        what = f"{names}: {wrong:,} invalid checksums" if wrong else good
        return Mood.BAD, f"{title}: {what}{suffered}"
    unknown = sum(counts["unverifiable"] for counts in report.layers.values())
    if wrong:
        about = ", ".join(dict.fromkeys(f.code for f in report.findings if f.rule.explains))
        said = f"reported under {about}" if about else "whose rules were left out"
        good = f"{names}: {wrong:,} invalid checksums, {said}"
        return Mood.WARNING, f"NO ERROR: {good}."
    if unknown:
        good += f"; {unknown:,} could not be verified"
    if warnings:
        codes = ", ".join(dict.fromkeys(f.code for f in warnings))
        return Mood.WARNING, f"OK, with a warning: {good} ({codes})"
    return Mood.GOOD, f"OK: {good}."


def verified(report: Report) -> int:
    """Return how many checksums could be judged and are not wrong."""
    return sum(
        counts["valid"] + counts["zero"] + counts["partial"] for counts in report.layers.values()
    )


def frames_of(number: int) -> str:
    """Return a number of frames in words."""
    return f"{number:,} frame" + ("" if number == 1 else "s")


def counts_told(report: Report) -> str:
    """Return frames and transport checksums in one line."""
    parts = []
    for layer, counts in report.layers.items():
        said = [f"{number:,} {status}" for status, number in counts.items() if number]
        if said and not layer.endswith("_ipv4"):
            parts.append(f"{layer} {', '.join(said)}")
    return f"{frames_told(report)} " + ("; ".join(parts) or "No transport checksum") + "."


def frames_told(report: Report) -> str:
    """Return how many frames there are of each kind."""
    frames = report.frames
    more = [
        f"{frames[name]:,} {word}"
        for name, word in (("truncated", "cut short"), ("fragments", "fragments"))
        if frames[name]
    ]
    return (
        f"{frames_of(frames['total'])}: {frames['vxlan']:,} VXLAN, {frames['plain']:,} plain, "
        f"{frames['other']:,} other" + "".join(f", {part}" for part in more) + "."
    )


def note(finding: Finding) -> str:
    """Return a finding in one line."""
    said = f"{finding.code} {finding.rule.title} ({frames_of(finding.frames)})"
    reason = finding.evidence.get("vantage_reason")
    return f"{said}; seen from the {finding.evidence['vantage']}: {reason}" if reason else said


def place_told(report: Report) -> str:
    """Say what cannot be seen from here, or which engine looked."""
    if report.frames["plain"] and not report.frames["vxlan"]:
        ports = ", ".join(str(port) for port in report.vxlan_ports)
        return (
            f"No VXLAN here (UDP ports {ports}): to see the tunnel's own checksums, capture on the "
            "underlay device of both nodes."
        )
    return f"Verified with the {report.engine} engine."


def evidence_rows(finding: Finding) -> Iterator[tuple[str, str]]:
    """Yield name and value of what speaks for a finding, as a person would put it."""
    e = finding.evidence
    if finding.frame_numbers:
        yield "frames", _frames_and_time(finding)
    if "syn_offsets" in e:
        yield from _wait(e)
    source = e.get("post_nat_source")
    if source:
        where = f"{source} > {e['destination']}, UDP port {e['destination_port']}, VNI {e['vni']}"
        yield "path", where
        extra = f", residual {e['residual']}" if "residual" in e else ""
        yield "outer checksum", f"found {e['found']}, right would be {e['expected']}{extra}"
        yield "formula", e["formula"]
    for mapping in e.get("mappings", [])[:MAX_LISTED]:
        yield "before NAT", _mapping(mapping)
    left = len(e.get("mappings", [])) - MAX_LISTED
    if left > 0:
        yield "", f"and {left} more"
    if "candidates" in e and "pre_nat_source" not in e:
        yield "candidates", ", ".join(e["candidates"][:MAX_LISTED])
    for connection in e.get("connections", [])[:MAX_LISTED]:
        yield "connection", _connection(connection)
    yield from _certainty(e)
    if e.get("spared_icmp_and_other"):
        spared = e["spared_icmp_and_other"]
        yield "contrast", f"{spared} packets with inner ICMP or ARP on this path are not hit"
    if "observations" in e:
        yield "observations", f"{e['observations']:,} (repeated packets count once)"
    if "vantage_reason" in e:
        yield "vantage", f"{e['vantage']}: {e['vantage_reason']}"
    for name in ("wrong", "paths", "residuals"):
        if isinstance(e.get(name), dict):
            yield name, ", ".join(f"{key} ({number})" for key, number in e[name].items())


def _certainty(e: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Say how far a cause is ahead of the next one, and what would decide between them."""
    if "margin" not in e:
        return
    margin = e["margin"]
    others = e["alternatives"] if margin < prices.CONFIRMED else []
    ahead = f"{margin:.0f} bits ahead of " + (f"{others[0]['rule']}" if others else "chance")
    if margin >= prices.CONFIRMED:
        ahead = f"{margin:,.0f} bits ahead of any other cause"
    yield (
        "certainty",
        (f"{ahead} (likely from {prices.LIKELY:.0f}, confirmed from {prices.CONFIRMED:.0f})"),
    )
    for other in others[:_MAX_OTHERS]:
        yield "or", f"{other['rule']}; to tell them apart: {other['decided_by']}"


def _wait(e: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield "connection", f"{e['client']} > {e['server']}"
    shown = ", ".join(f"{s:.3g}" for s in e["syn_offsets"][:_MAX_SYNS])
    yield "SYNs at", f"{shown} s" + (f" ({e['timing']})" if "timing" in e else "")
    if "client_node" in e:
        ports = ", ".join(str(port) for port in e["outer_source_ports"][:_MAX_SYNS])
        yield "path", f"{e['client_node']} > {e['server_node']}, VNI {e['vni']}"
        yield "outer ports", ports
    for wait in e.get("waiting", [])[1:MAX_LISTED]:
        yield "also", f"{wait['client']} > {wait['server']}: {wait['delay_seconds']:.3g} s"
    left = e.get("waiting_connections", 1) - MAX_LISTED
    if left > 0:
        yield "", f"and {left:,} more"


def _frames_and_time(finding: Finding) -> str:
    numbers = finding.frame_numbers
    shown = ", ".join(str(n) for n in numbers[:12])
    more = "" if finding.frames <= 12 else f", ... {finding.last_frame}"
    first, last = iso_time(finding.first_timestamp), iso_time(finding.last_timestamp)
    when = "" if first is None else f" ({first[:23]}Z to {(last or first)[11:23]}Z)"
    return shown + more + when


def _mapping(mapping: dict[str, Any]) -> str:
    old = mapping["pre_nat_source"] or "?"
    port = mapping["pre_nat_source_port"]
    new_port = mapping["post_nat_source_port"]
    before = f"{old} port {port}" if port is not None else f"{old}"
    if mapping.get("port_if_address_kept") is not None:
        before = f"? (port {mapping['port_if_address_kept']} if the address was kept)"
    after = mapping["post_nat_source"] + (f" port {new_port}" if new_port is not None else "")
    more = ""
    if mapping.get("pre_nat_destination") and mapping["pre_nat_source"] is None:
        more = f", destination was {mapping['pre_nat_destination']}"
    return f"{before} -> {after} ({frames_of(mapping['frames'])}){more}"


def _connection(connection: dict[str, Any]) -> str:
    seconds = ", ".join(f"{s:g}" for s in connection["seconds"][:MAX_LISTED])
    more = ", ..." if connection["frames"] > MAX_LISTED else ""
    text = (
        f"{connection['source']} > {connection['destination']} {connection['protocol']}: "
        f"{frames_of(connection['frames'])} wrong, at {seconds}{more} s"
    )
    through = connection.get("got_through_after_seconds")
    return text + (f"; got through after {through:.1f} s" if through is not None else "")


def waits(report: Report) -> list[Wait]:
    """Return the connections that findings name, those that waited longest first.

    What was noticed as a wait (VX701, VX702) is preferred to what a cause lists of the same
    connection.
    """
    found: list[Wait] = []
    told: set[tuple[int, str, str]] = set()
    for finding in report.findings:
        e = finding.evidence
        for one in e.get("waiting", [e] if "syn_offsets" in e else []):
            through = None if finding.rule.unreachable else one["delay_seconds"]
            code = one.get("cause") or finding.code
            # The last SYN of a connection that got through is the one that was answered.
            seconds = tuple(one["syn_offsets"][: None if through is None else -1])
            ends = one["client"], one["server"]
            found.append(Wait(finding.capture, *ends, "tcp", seconds, through, code))
            told.add((finding.capture_number, *ends))
    for finding in report.findings:
        for c in finding.evidence.get("connections", []):
            ends = c["source"], c["destination"]
            through = c.get("got_through_after_seconds")
            seconds = tuple(c["seconds"])
            wait = Wait(finding.capture, *ends, c["protocol"], seconds, through, finding.code)
            if (finding.capture_number, *ends) not in told:
                found.append(wait)
    return sorted(found, key=lambda wait: -wait.length)
