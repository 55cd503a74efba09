"""An explanation as text."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Any

from vxcsum.checksum.status import Status
from vxcsum.explain.arithmetic import fold
from vxcsum.explain.dump import WIDTH, letters, rows
from vxcsum.report.text import printable
from vxcsum.rules.model import hex16

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.explain.arithmetic import Term
    from vxcsum.explain.explanation import Explanation
    from vxcsum.explain.frames import FragmentSet
    from vxcsum.explain.question import Fit
    from vxcsum.explain.workings import Working

_COLUMNS = 100
_LABEL = 28
_MAX_PARTS = 40
_MAX_FRAMES = 12


def render(explanation: Explanation) -> str:
    """Return an explanation as text."""
    lines = [heading(explanation), "", "Layers (octets of the frame)", *_layers(explanation)]
    for fragments in explanation.fragments:
        lines += _wrapped(fragment_sentence(fragments), 2)
    lines += ["", "Findings of the whole capture that name this frame"]
    lines += [f"  {said}" for said in finding_lines(explanation)]
    for working in explanation.workings:
        lines += ["", *_working(working)]
    if not explanation.workings:
        lines += ["", "There is no Internet checksum in this frame that could be verified."]
    lines += ["", *_dump(explanation)]
    return "\n".join(lines) + "\n"


def heading(explanation: Explanation) -> str:
    """Return the first line: which frame it is."""
    size = f"{explanation.caplen} octets"
    if explanation.caplen < explanation.origlen:
        size = f"{explanation.caplen} of {explanation.origlen} octets"
    return (
        f"Frame {explanation.number} of {printable(explanation.name)}: {explanation.timestamp}, "
        f"{size}, link type {explanation.linktype}, {explanation.kind}"
    )


def _layers(explanation: Explanation) -> Iterator[str]:
    for part in explanation.parts[:_MAX_PARTS]:
        where = f"{part.start:>5} .. {max(part.stop - 1, part.start):<5}"
        if part.stop == part.start:
            where = f"{part.start:>5}         "
        elsewhere = part.start >= len(explanation.octets)
        said = part.said + (" (in other fragments)" if elsewhere else "")
        yield f"  {where} {part.name:<{_LABEL}} {said}".rstrip()
    left = len(explanation.parts) - _MAX_PARTS
    if left > 0:
        yield f"  and {left} more"


def fragment_sentence(fragments: FragmentSet) -> str:
    """Say what a frame is among the fragments of its datagram."""
    frames = fragments.frames
    listed = ", ".join(str(frame) for frame in frames[:_MAX_FRAMES])
    more = f" and {len(frames) - _MAX_FRAMES} more" if len(frames) > _MAX_FRAMES else ""
    what = "The packet inside" if fragments.level == "inner" else "The packet"
    said = f"{what} is a fragment, from octet {fragments.offset} of its datagram. "
    if fragments.payload is None:
        seen = f"it has those in frames {listed}{more}" if frames else "it has none that is whole"
        return said + f"The checksum needs all fragments, and the capture lacks some: {seen}."
    said += f"Frames {listed}{more} are all of it, {len(fragments.payload)} octets; "
    if fragments.offset:
        return said + f"the header with the checksum is in frame {frames[0]}: explain that one."
    return said + "its checksum is summed over all of them."


def finding_lines(explanation: Explanation) -> list[str]:
    """Return one line for each finding that names the frame."""
    return [
        f"{f.code} {f.rule.name} ({f.severity.name.lower()}, {f.confidence.value}, "
        f"{_frames(f.frames)}): {f.rule.title}"
        for f in explanation.findings
    ] or ["none"]


def _frames(number: int) -> str:
    return f"{number:,} frame" + ("" if number == 1 else "s")


def _working(w: Working) -> Iterator[str]:
    reason = f" ({w.why})" if w.why else ""
    yield f"{w.layer}: {w.status.name.lower()}{reason}"
    if not w.terms:
        yield "  Its header cannot be read."
        return
    yield f"  covers octets {w.start} .. {max(w.stop - 1, w.start)}, field at {w.field_offset}"
    yield ""
    for term in w.terms:
        yield from _term(term)
    for line in conclusion(w):
        yield from _wrapped(line, 4)
    if w.ahead:
        yield ""
        yield from _wrapped(AHEAD, 2)
        for term in w.ahead:
            yield from _term(term, above=term in w.terms)
        for line in conclusion_ahead(w):
            yield from _wrapped(line, 4)
    if w.fits:
        yield ""
        yield "  What fits"
        for fit in w.fits:
            yield from _fit(fit)


AHEAD = (
    "The inner checksum is unfinished. Once it is finished, the inner segment sums to the opposite "
    "of its pseudo-header, whatever it carries, so the headers alone tell what the outer one has "
    "to be:"
)


def conclusion(w: Working) -> Iterator[str]:
    """Say in steps what the sum of a checksum comes to."""
    total, folded = w.total, fold(w.total)
    carried = f" = 0x{total:x}, carries added: " if total > 0xFFFF else " = "
    if not w.complete:
        missing = f"; {w.missing} octets are missing at the end" if w.missing > 0 else ""
        yield f"sum of what is here{carried}{hex16(folded)}{missing}"
    else:
        yield f"sum{carried}{hex16(folded)}"
        udp = " (0 is sent as 0xffff)" if w.expected == 0xFFFF and w.layer[-3:] == "udp" else ""
        yield f"expected = complement of it = {_hex(w.expected)}{udp}"
    if w.found is None:
        yield "found: the field was not captured"
        return
    said = f"found {hex16(w.found)}"
    if w.residual is not None:
        said += f", residual = found - expected = {hex16(w.residual)} (modulo 0xffff)"
        said += ": it is right" if w.residual == 0 and w.status != Status.ZERO else ""
    if w.status == Status.ZERO:
        said += "; the sender computed none"
    if w.status == Status.PARTIAL and not w.ahead:
        said += f"; the pseudo-header alone sums to {hex16(w.pseudo)}, and the device does the rest"
    yield said


def conclusion_ahead(w: Working) -> Iterator[str]:
    """Say what an outer checksum over an unfinished inner one comes to."""
    plus = fold(sum(term.sum for term in w.ahead[:-1]))
    yield (
        f"expected on the wire = {hex16(w.ahead[-1].sum)} - {hex16(plus)} = "
        f"{_hex(w.expected_ahead)} (modulo 0xffff)"
    )
    if w.found is not None and w.residual_on_wire is not None:
        right = ": it is right" if w.residual_on_wire == 0 else ""
        yield f"found {hex16(w.found)}, residual {hex16(w.residual_on_wire)}{right}"


def _hex(value: int | None) -> str:
    return "unknown" if value is None else hex16(value)


def _term(term: Term, *, above: bool = False) -> Iterator[str]:
    label = term.label
    head = f"    {label:<{_LABEL}} {term.sum:04x}  "
    indent = " " * len(head)
    words = "as above" if above else " ".join(term.words)
    lines = textwrap.wrap(words, _COLUMNS - len(head)) or [""]
    yield (head + lines[0]).rstrip()
    yield from (indent + line for line in lines[1:])


def _fit(fit: Fit) -> Iterator[str]:
    name = f"{fit.rule} {fit.title}" if fit.rule else fit.title
    yield from _wrapped(("* " if fit.named else "- ") + name, 4)
    for line in fit_lines(fit):
        yield from _wrapped(line, 8)


def fit_lines(fit: Fit) -> Iterator[str]:
    """Return what is to be said of a formula, line by line."""
    yield fit.formula
    if fit.numbers:
        yield fit.numbers
    for name, value in fit.recovered.items():
        if isinstance(value, int) and fit.numbers.endswith(f"= {value}"):
            continue  # just said
        yield f"{name.replace('pre_nat', 'pre-NAT').replace('_', ' ')}: {_value(value)}"
    if fit.named:
        yield "the analysis of the whole capture says so"
    if fit.chance is not None:
        yield f"a random wrong field would fit {chance_text(fit.chance)}"
    if fit.decides:
        yield f"what would decide: {fit.decides}"


def chance_text(chance: float) -> str:
    """Return in words how often a random field fits."""
    if chance >= 1:
        return "always"
    return f"{chance:.0%} of the time" if chance >= 0.01 else f"once in {round(1 / chance):,}"


def _value(value: Any) -> str:
    return ", ".join(str(each) for each in value) if isinstance(value, list) else str(value)


def _wrapped(text: str, indent: int) -> list[str]:
    return textwrap.wrap(
        printable(text),
        _COLUMNS,
        initial_indent=" " * indent,
        subsequent_indent=" " * (indent + 2),
        break_on_hyphens=False,
    )


def _dump(explanation: Explanation) -> Iterator[str]:
    named = letters(explanation)
    legend = ", ".join(f"{letter} {layer}" for layer, letter in named.items())
    yield "Octets" + (f"; covered by: {legend}; capitals: the field" if legend else "")
    if "outer_udp" in named:
        yield "  outer_udp covers what is inside as well"
    for row in rows(explanation):
        if not row.octets:
            yield "        ..."
            continue
        cells = [f"{octet:02x}" for octet in row.octets]
        text = "".join(chr(o) if 0x20 <= o < 0x7F else "." for o in row.octets)
        body = " ".join(cells)
        yield f"  {row.start:04x}  {body:<{3 * WIDTH}} {text}"
        marks = " ".join(mark * 2 for mark in row.marks)
        if marks.strip():
            yield f"        {marks}".rstrip()
