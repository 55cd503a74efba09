"""A few rows of a table for people to look at, in a terminal and in a notebook."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vxcsum.tabular.words import clipped, printable

if TYPE_CHECKING:
    from collections.abc import Sequence

#: Rows shown of each end of a table.
END_ROWS = 5
_LONGEST_CELL = 100
_GAP = "..."
#: Grey of middling lightness is seen on white and on black; text keeps the colour of its page.
RULE = "1px solid rgba(128,128,128,.4)"
TABLE_STYLE = "border-collapse:collapse;text-align:left;font-variant-numeric:tabular-nums"
CELL_STYLE = f"text-align:left;padding:.15em .6em;border-bottom:{RULE}"


def ends(rows: int) -> tuple[list[int], int | None]:
    """Return the rows to show of a table, and how many of them precede those left out."""
    if rows <= 2 * END_ROWS:
        return list(range(rows)), None
    return [*range(END_ROWS), *range(rows - END_ROWS, rows)], END_ROWS


def text_table(names: Sequence[str], rows: Sequence[Sequence[str]], gap: int | None = None) -> str:
    """Return rows below each other in columns, numbers to the right.

    Parameters
    ----------
    names : sequence of str
        Of the columns.
    rows : sequence of sequence of str
        Cells; what is not printable and what is overlong is replaced.
    gap : int, optional
        After so many rows, some were left out.
    """
    cells = [[_cell(cell) for cell in row] for row in rows]
    right = [all(_is_number(row[n]) for row in cells) for n in range(len(names))]
    lines = [list(names), *cells]
    if gap is not None:
        lines.insert(gap + 1, [_GAP] + [""] * (len(names) - 1))
    widths = [max(len(line[n]) for line in lines) for n in range(len(names))]
    return "\n".join(
        "  ".join(
            cell.rjust(width) if to_right else cell.ljust(width)
            for cell, width, to_right in zip(line, widths, right, strict=True)
        ).rstrip()
        for line in lines
    )


def html_table(
    caption: str,
    names: Sequence[str],
    rows: Sequence[Sequence[str]],
    gap: int | None = None,
    *,
    strong: Sequence[str] = (),
) -> str:
    """Return rows as an HTML table without script, styles of the page or anything from outside.

    Parameters
    ----------
    caption : str
    names, rows, gap
        As for `text_table`.
    strong : sequence of str
        Cells with one of these words are set in bold.
    """
    out = [
        f'<table class="mathjax_ignore" style="{TABLE_STYLE}">',
        f'<caption style="text-align:left">{escaped(caption)}</caption>',
        "<thead><tr>",
    ]
    out += [f'<th scope="col" style="{CELL_STYLE}">{escaped(name)}</th>' for name in names]
    out.append("</tr></thead><tbody>")
    for number, row in enumerate(rows):
        if number == gap:
            out.append(f'<tr><td colspan="{len(names)}" style="{CELL_STYLE}">{_GAP}</td></tr>')
        cells = []
        for cell in row:
            said = escaped(_cell(cell))
            bold = any(word in cell for word in strong)
            cells.append(f'<td style="{CELL_STYLE}">{f"<b>{said}</b>" if bold else said}</td>')
        out.append(f"<tr>{''.join(cells)}</tr>")
    out.append("</tbody></table>")
    return "".join(out)


def escaped(text: str) -> str:
    """Return text from anywhere as HTML that shows it and does nothing else."""
    from html import escape

    return escape(printable(text))


def _cell(text: str) -> str:
    return clipped(printable(text), _LONGEST_CELL)


def _is_number(text: str) -> bool:
    return not text or text.replace(",", "").replace(".", "", 1).isdecimal()
