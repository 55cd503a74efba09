"""Parts of pages: text of bounded length, and tables that scroll in a box of their own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vxcsum.report.markup import Markup, tag

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

#: Characters of one text that comes from a capture.
MAX_TEXT = 1500


def clip(text: str, most: int = MAX_TEXT) -> str:
    """Return a text, cut where it is longer than a page wants it."""
    return text if len(text) <= most else text[:most] + " ..."


def table(
    label: str,
    caption: str,
    columns: Sequence[str],
    rows: Iterable[Markup],
    *,
    numbers: Sequence[int],
) -> Markup:
    """Return a table in a box of its own, which scrolls where the page is too narrow."""
    heads = [
        tag("th", column, scope="col", class_="number" if at in numbers else None)
        for at, column in enumerate(columns)
    ]
    content = tag(
        "table",
        tag("caption", caption, class_="small"),
        tag("thead", tag("tr", *heads)),
        tag("tbody", *rows),
    )
    return scroll(label, content)


def scroll(label: str, content: Markup) -> Markup:
    """Return a box that scrolls, also with the keyboard."""
    return tag("div", content, class_="scroll", role="region", aria_label=label, tabindex="0")
