"""The report as text, for a tired operator: verdict, evidence, what to run."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

from vxcsum.rules.base import Severity, iso_time
from vxcsum.tabular.words import printable as printable  # belongs to every text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.report.report import Report
    from vxcsum.rules.base import Finding

WIDTH = 92
_MAX_LISTED = 8
_MAX_WAITS = 16
#: Rules about connections rather than checksums.
_CONNECTIONS = "VX7"
_COLORS = {Severity.ERROR: "31", Severity.WARNING: "33", Severity.INFO: "36"}


class _Paint:
    """Colours, where they are wanted."""

    def __init__(self, *, color: bool) -> None:
        self.color = color

    def __call__(self, text: str, code: str) -> str:
        return f"\x1b[{code}m{text}\x1b[0m" if self.color else text


def render(report: Report, *, color: bool = False, top: int = 0) -> str:
    """Return a report as text.

    Parameters
    ----------
    report : Report
    color : bool
        Whether to write ANSI colours.
    top : int
        How many connections to list.
    """
    paint = _Paint(color=color)
    lines = [_verdict(report, paint)]
    serious = [f for f in report.findings if f.severity > Severity.INFO]
    notes = [f for f in report.findings if f.severity == Severity.INFO]
    listed = _connections(report, top, paint) if top else []
    if not serious:
        lines.append(_counts(report))
        lines.append(_one_line(notes) if notes else _where(report))
        return "\n".join(lines + listed + _limits(report)) + "\n"
    told: set[str] = set()
    for finding in serious:
        lines += ["", *_finding(finding, paint, told, several=len(report.captures) > 1)]
        told.add(finding.code)
    if notes:
        lines += ["", paint("Also seen", "1")]
        lines += [f"  {_note(finding)}" for finding in notes]
    lines += ["", paint("Checksums", "1"), *_table(report), frames_line(report)]
    return "\n".join(lines + listed + _limits(report)) + "\n"


def _connections(report: Report, top: int, paint: _Paint) -> list[str]:
    from vxcsum.report.connections import connection_lines  # only where they are asked for

    shown = min(top, len(report.flows))
    title = f"Connections, {shown:,} of {len(report.flows):,}"
    return ["", paint(title, "1"), *(f"  {line}" for line in connection_lines(report.flows, top))]


def _where(report: Report) -> str:
    """Say what cannot be seen from here, or which engine looked."""
    if report.frames["plain"] and not report.frames["vxlan"]:
        ports = ", ".join(str(port) for port in report.vxlan_ports)
        return (
            f"No VXLAN here (UDP ports {ports}): to see the tunnel's own checksums, capture on the "
            "underlay device of both nodes."
        )
    return f"Verified with the {report.engine} engine."


def _limits(report: Report) -> list[str]:
    return [f"Note: {limit}." for limit in report.evidence.limits]


def _names(report: Report) -> str:
    names = [printable(info.name) for info in report.captures]
    return names[0] if len(names) == 1 else f"{len(names)} captures"


def verdict(report: Report) -> str:
    """Return the one line that says whether something is wrong."""
    return _verdict(report, _Paint(color=False))


def _verdict(report: Report, paint: _Paint) -> str:
    errors = [f for f in report.findings if f.severity == Severity.ERROR]
    warnings = [f for f in report.findings if f.severity == Severity.WARNING]
    waits = [f for f in errors if f.code.startswith(_CONNECTIONS)]
    errors = [f for f in errors if f not in waits]
    said = ", ".join(dict.fromkeys(f.code for f in waits))
    if errors:
        codes = ", ".join(dict.fromkeys(f.code for f in errors))
        frames = sum(f.frames for f in errors)
        what = f"CORRUPT: {_names(report)}: wrong checksums in {frames_of(frames)} ({codes})"
        return paint(what + (f", and connections that suffered ({said})" if said else ""), "1;31")
    checked = _checked(report)
    if not checked:
        return f"NOTHING TO VERIFY: no checksum in {_names(report)} could be verified."
    good = f"{_names(report)}: no wrong checksum among {checked:,}"
    wrong = sum(counts["invalid"] for counts in report.layers.values())
    if waits:
        title = "UNREACHABLE" if "VX702" in said else "DELAYED"
        what = f"{_names(report)}: {wrong:,} invalid checksums" if wrong else good
        return paint(f"{title}: {what}, and connections that suffered ({said})", "1;31")
    unknown = sum(counts["unverifiable"] for counts in report.layers.values())
    if wrong:
        explained = ", ".join(f.code for f in report.findings) or "none, as rules were left out"
        good = f"{_names(report)}: {wrong:,} invalid checksums, reported under: {explained}"
        return paint(f"NO ERROR: {good}.", "1;33")
    if unknown:
        good += f"; {unknown:,} could not be verified"
    if warnings:
        codes = ", ".join(dict.fromkeys(f.code for f in warnings))
        return paint(f"OK, with a warning: {good} ({codes})", "1;33")
    return paint(f"OK: {good}.", "1;32")


def _checked(report: Report) -> int:
    return sum(
        counts["valid"] + counts["zero"] + counts["partial"] for counts in report.layers.values()
    )


def frames_of(number: int) -> str:
    """Return ``1 frame``, ``2 frames``."""
    return f"{number:,} frame" + ("" if number == 1 else "s")


def _counts(report: Report) -> str:
    parts = []
    for layer, counts in report.layers.items():
        said = [f"{number:,} {status}" for status, number in counts.items() if number]
        if said and not layer.endswith("_ipv4"):
            parts.append(f"{layer} {', '.join(said)}")
    return f"{frames_line(report)} " + ("; ".join(parts) or "No transport checksum") + "."


def frames_line(report: Report) -> str:
    """Return the counts of frames in one sentence."""
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


def _one_line(notes: list[Finding]) -> str:
    return "Notes: " + "; ".join(_note(finding) for finding in notes) + "."


def _note(finding: Finding) -> str:
    said = f"{finding.code} {finding.rule.title} ({frames_of(finding.frames)})"
    reason = finding.evidence.get("vantage_reason")
    return f"{said}; seen from the {finding.evidence['vantage']}: {reason}" if reason else said


def _wrap(text: str, indent: int) -> list[str]:
    return textwrap.wrap(
        printable(text),
        WIDTH,
        initial_indent=" " * indent,
        subsequent_indent=" " * indent,
        break_on_hyphens=False,
        break_long_words=False,
    )


def _finding(finding: Finding, paint: _Paint, told: set[str], *, several: bool) -> Iterator[str]:
    color = _COLORS[finding.severity]
    head = f"{finding.code} {finding.rule.name}"
    yield (
        paint(head, f"1;{color}")
        + f"  {finding.severity.name.lower()}, {finding.confidence.value}, "
        + frames_of(finding.frames)
        + (f", in {printable(finding.capture)}" if several else "")
    )
    yield f"  {finding.rule.title}"
    yield ""
    yield from _wrap(finding.explanation, 2)
    rows = list(evidence_rows(finding))
    if rows:
        yield ""
        yield f"  {paint('Evidence', '1')}"
        width = max(len(name) for name, _ in rows)
        for name, value in rows:
            first, *rest = _wrap(value, width + 6) or [""]
            yield f"    {name:<{width}}  {first.strip()}"
            yield from rest
    if finding.evidence.get("cause") in told:
        yield ""
        yield f"  {paint('What to do', '1')}"
        yield f"    as for {finding.evidence['cause']}"
    elif finding.remedies:
        yield ""
        yield f"  {paint('What to do', '1')}"
        for remedy in finding.remedies:
            yield from _wrap(f"- {remedy.when}:", 4)
            if remedy.command:
                yield f"        {paint(remedy.command, '1')}"
            if remedy.note:
                yield from _wrap(f"({remedy.note})", 8)


def evidence_rows(finding: Finding) -> Iterator[tuple[str, str]]:
    """Yield names and values of what proves a finding, in short."""
    e = finding.evidence
    if finding.frame_numbers:
        yield "frames", _ranges(finding)
    if "syn_offsets" in e:
        yield from _wait(e)
    source = e.get("post_nat_source")
    if source:
        where = f"{source} > {e['destination']}, UDP port {e['destination_port']}, VNI {e['vni']}"
        yield "path", where
        extra = f", residual {e['residual']}" if "residual" in e else ""
        yield "outer checksum", f"found {e['found']}, right would be {e['expected']}{extra}"
        yield "formula", e["formula"]
    for mapping in e.get("mappings", [])[:_MAX_LISTED]:
        yield "before NAT", _mapping(mapping)
    left = len(e.get("mappings", [])) - _MAX_LISTED
    if left > 0:
        yield "", f"and {left} more"
    if "candidates" in e and "pre_nat_source" not in e:
        yield "candidates", ", ".join(e["candidates"][:_MAX_LISTED])
    for connection in e.get("connections", [])[:_MAX_LISTED]:
        yield "connection", _connection(connection)
    for alternative in e.get("alternatives", []):
        yield "or", alternative
    if e.get("spared_icmp_and_other"):
        spared = e["spared_icmp_and_other"]
        yield "contrast", f"{spared} packets with inner ICMP or ARP on this path are not hit"
    if "observations" in e:
        chance = f", chance alone: {e['chance']:.1g}" if "chance" in e else ""
        yield "observations", f"{e['observations']} independent{chance}"
    if "vantage_reason" in e:
        yield "vantage", f"{e['vantage']}: {e['vantage_reason']}"
    for name in ("wrong", "paths", "residuals"):
        if isinstance(e.get(name), dict):
            yield name, ", ".join(f"{key} ({number})" for key, number in e[name].items())


def _wait(e: dict[str, Any]) -> Iterator[tuple[str, str]]:
    yield "connection", f"{e['client']} > {e['server']}"
    shown = ", ".join(f"{s:.3g}" for s in e["syn_offsets"][:_MAX_WAITS])
    yield "SYNs at", f"{shown} s ({e['timing']})"
    if "client_node" in e:
        ports = ", ".join(str(port) for port in e["outer_source_ports"][:_MAX_WAITS])
        yield "path", f"{e['client_node']} > {e['server_node']}, VNI {e['vni']}"
        yield "outer ports", ports
    for wait in e["waiting"][1:_MAX_LISTED]:
        yield "also", f"{wait['client']} > {wait['server']}: {wait['delay_seconds']:.3g} s"
    left = e["waiting_connections"] - _MAX_LISTED
    if left > 0:
        yield "", f"and {left:,} more"


def _ranges(finding: Finding) -> str:
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
    after = mapping["post_nat_source"] + (f" port {new_port}" if new_port is not None else "")
    more = ""
    if mapping.get("pre_nat_destination") and mapping["pre_nat_source"] is None:
        more = f", destination was {mapping['pre_nat_destination']}"
    return f"{before} -> {after} ({frames_of(mapping['frames'])}){more}"


def _connection(connection: dict[str, Any]) -> str:
    seconds = ", ".join(f"{s:g}" for s in connection["seconds"][:_MAX_LISTED])
    more = ", ..." if connection["frames"] > _MAX_LISTED else ""
    text = (
        f"{connection['source']} > {connection['destination']} {connection['protocol']}: "
        f"{frames_of(connection['frames'])} wrong, at {seconds}{more} s"
    )
    through = connection.get("got_through_after_seconds")
    return text + (f"; got through after {through:.1f} s" if through is not None else "")


def _table(report: Report) -> Iterator[str]:
    for layer, counts in report.layers.items():
        said = [f"{number:,} {status}" for status, number in counts.items() if number]
        if said:
            yield f"  {layer:<13} {', '.join(said)}"
