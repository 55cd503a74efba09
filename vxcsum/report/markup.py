"""HTML written by one function, which escapes: what is not `Markup` is text, always.

Names and comments come from captures and may say anything. A page is made of calls of `tag`. Their
children are either `Markup`, which only `tag` and the constants of this project make, or text,
which is escaped: forgetting to escape is not possible.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from vxcsum.tabular.words import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

#: Elements that have no end tag in HTML.
_VOID = {"br", "link", "meta"}


class Markup(str):
    """Text that is HTML already."""

    __slots__ = ()


def escaped(text: str) -> Markup:
    """Return text as HTML, control characters made visible."""
    return text if isinstance(text, Markup) else Markup(html.escape(printable(text)))


def tag(name: str, /, *children: str, **attributes: str | None) -> Markup:
    """Return an element.

    Parameters
    ----------
    name : str
    *children : str
        Text, which is escaped, or `Markup`.
    **attributes : str or None
        ``class_`` stands for ``class``, ``aria_label`` for ``aria-label``; None leaves one out.

    Examples
    --------
    >>> tag("p", "1 < 2 ", tag("b", "&"), class_='"')
    '<p class="&quot;">1 &lt; 2 <b>&amp;</b></p>'
    """
    named = {key.rstrip("_").replace("_", "-"): text for key, text in attributes.items()}
    return element(name, {key: text for key, text in named.items() if text is not None}, *children)


def element(name: str, attributes: dict[str, str], *children: str) -> Markup:
    """Return an element whose attributes have names that are no Python names."""
    told = "".join(f' {key}="{escaped(text)}"' for key, text in attributes.items())
    if name in _VOID:
        return Markup(f"<{name}{told}>")
    return Markup(f"<{name}{told}>{join(children)}</{name}>")


def join(parts: Iterable[str], between: str = "") -> Markup:
    """Return parts one after the other, each escaped unless it is `Markup`."""
    return Markup(escaped(between).join(escaped(part) for part in parts))
