"""An explanation as HTML for notebooks: one element, no script, nothing from elsewhere."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from vxcsum.explain.dump import letters, rows
from vxcsum.explain.text import (
    AHEAD,
    conclusion,
    conclusion_ahead,
    finding_lines,
    fit_lines,
    fragment_sentence,
    heading,
)
from vxcsum.report.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vxcsum.explain.arithmetic import Term
    from vxcsum.explain.dump import Row
    from vxcsum.explain.explanation import Explanation
    from vxcsum.explain.workings import Working

_MAX_PARTS = 40
#: Half-transparent colours read on a light ground and on a dark one.
_TINTS = ("128,128,128", "0,114,178", "230,159,0", "0,158,115")
_STYLE = """
.vxcsum-explain {line-height: 1.4; max-width: 72em}
.vxcsum-explain table {border-collapse: collapse; font-size: inherit}
.vxcsum-explain td, .vxcsum-explain th {text-align: left; padding: .1em .8em .1em 0;
 vertical-align: top; border: 0; background: transparent; color: inherit}
.vxcsum-explain caption {text-align: left; font-weight: bold; color: inherit}
.vxcsum-explain code, .vxcsum-explain pre {font-family: monospace; background: transparent;
 color: inherit; white-space: pre-wrap}
.vxcsum-explain pre.octets {white-space: pre; overflow-x: auto; line-height: 1.5}
.vxcsum-explain b.field {outline: 1px solid currentColor}
"""


def render(explanation: Explanation) -> str:
    """Return an explanation as one HTML element."""
    return "".join(_pieces(explanation))


def _text(text: str) -> str:
    return escape(printable(text), quote=True)


def _pieces(explanation: Explanation) -> Iterator[str]:
    tints = "".join(
        f".vxcsum-explain .t{letter} {{background: rgba({_TINTS[n % len(_TINTS)]},.28)}}\n"
        for n, letter in enumerate(letters(explanation).values())
    )
    yield f'<div class="vxcsum-explain mathjax_ignore"><style>{_STYLE}{tints}</style>'
    yield f"<p><strong>{_text(heading(explanation))}</strong></p>"
    yield "<table><caption>Layers</caption><tr><th>octets</th><th>header</th><th></th></tr>"
    for part in explanation.parts[:_MAX_PARTS]:
        where = f"{part.start} .. {max(part.stop - 1, part.start)}"
        elsewhere = " (in other fragments)" if part.start >= len(explanation.octets) else ""
        yield f"<tr><td>{where}</td><td>{_text(part.name)}</td>"
        yield f"<td>{_text(part.said + elsewhere)}</td></tr>"
    yield "</table>"
    for fragments in explanation.fragments:
        yield f"<p>{_text(fragment_sentence(fragments))}</p>"
    yield "<p>Findings of the whole capture that name this frame</p>"
    yield _list(finding_lines(explanation))
    for working in explanation.workings:
        yield from _working(working)
    yield from _dump(explanation)
    yield "</div>"


def _list(lines: Iterable[str]) -> str:
    return "<ul>" + "".join(f"<li>{_text(line)}</li>" for line in lines) + "</ul>"


def _working(w: Working) -> Iterator[str]:
    opened = " open" if w.fits else ""
    reason = f" ({w.why})" if w.why else ""
    yield f"<details{opened}><summary><strong>{_text(w.layer)}</strong>: "
    yield f"{_text(w.status.name.lower() + reason)}</summary>"
    if w.terms:
        yield _terms(w.terms)
        yield _list(conclusion(w))
    if w.ahead:
        yield f"<p>{_text(AHEAD)}</p>"
        yield _terms(w.ahead)
        yield _list(conclusion_ahead(w))
    if w.fits:
        yield "<p>What fits</p><ul>"
        for fit in w.fits:
            name = f"{fit.rule} {fit.title}" if fit.rule else fit.title
            yield f"<li>{'<strong>' if fit.named else ''}{_text(name)}"
            yield f"{'</strong>' if fit.named else ''}{_list(fit_lines(fit))}</li>"
        yield "</ul>"
    yield "</details>"


def _terms(terms: Iterable[Term]) -> str:
    body = "".join(
        f"<tr><td>{_text(term.label)}</td><td><code>{term.sum:04x}</code></td>"
        f"<td><code>{_text(' '.join(term.words))}</code></td></tr>"
        for term in terms
    )
    return f"<table><tr><th>what</th><th>sum</th><th>words</th></tr>{body}</table>"


def _dump(explanation: Explanation) -> Iterator[str]:
    legend = ", ".join(
        f'<span class="t{letter}">{_text(layer)}</span>'
        for layer, letter in letters(explanation).items()
    )
    yield f"<p>Octets{'; covered by: ' + legend if legend else ''}; outlined: the field"
    yield "; outer_udp covers what is inside as well</p>" if "outer_udp" in legend else "</p>"
    lines = [_row(row) if row.octets else "      ..." for row in rows(explanation)]
    yield '<pre class="octets">' + "\n".join(lines) + "</pre>"


def _row(row: Row) -> str:
    cells = []
    for octet, mark in zip(row.octets, row.marks, strict=True):
        cell = f"{octet:02x}"
        if mark.isupper():
            cell = f'<b class="field t{mark.lower()}">{cell}</b>'
        elif mark != " ":
            cell = f'<span class="t{mark}">{cell}</span>'
        cells.append(cell)
    return f"{row.start:04x}  {' '.join(cells)}"
