"""An SVG document of Matplotlib as part of a page: named, described, in the page's colours."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from vxcsum.report.markup import Markup, element, join, tag
from vxcsum.report.panel import INK

if TYPE_CHECKING:
    from xml.etree.ElementTree import Element

#: ``url(#name)``, or a link that is ``#name`` and nothing else; not the colour ``#aabbcc``.
_REFERENCE = re.compile(r"(?<=url\(#)[\w-]+(?=\))|(?<=^#)[\w-]+$")
_LONG = re.compile(r"\d+\.\d{3,}")
_HREF = "{http://www.w3.org/1999/xlink}href"
#: Descriptions of how the file was made, and a style sheet that would apply to the whole page.
_LEFT_OUT = {"metadata", "style"}


def inline(document: bytes, *, name: str, title: str, says: str) -> Markup:
    """Return a picture as an element of an HTML page.

    Parameters
    ----------
    document : bytes
        An SVG file made by Matplotlib.
    name : str
        Goes before the identifiers in it, as a page has several pictures.
    title, says : str
        What screen readers tell: its name, and what is to be seen in it.
    """
    root = ElementTree.fromstring(document)
    used = set()
    for node in root.iter():
        for key in ("clip-path", "style", _HREF):
            used.update(_REFERENCE.findall(node.get(key, "")))
    title_id, says_id = f"{name}-title", f"{name}-says"
    return element(
        "svg",
        {
            "viewBox": root.get("viewBox", ""),
            "role": "img",
            "aria-labelledby": f"{title_id} {says_id}",
        },
        tag("title", title, id=title_id),
        tag("desc", says, id=says_id),
        _children(root, name, used),
    )


def _children(parent: Element, name: str, used: set[str]) -> Markup:
    return join(_node(node, name, used) for node in parent)


def _node(node: Element, name: str, used: set[str]) -> Markup:
    kind = node.tag.rpartition("}")[2]
    if kind in _LEFT_OUT:
        return Markup()
    attributes = {}
    for key, text in node.attrib.items():
        if key == "id":
            if text in used:
                attributes["id"] = f"{name}-{text}"
        elif key in ("clip-path", "style", _HREF):
            renamed = _REFERENCE.sub(
                lambda found: f"{name}-{found[0]}" if found[0] in used else found[0], text
            )
            attributes[key.replace(_HREF, "href")] = renamed.replace(INK, "currentColor")
        else:
            attributes[key] = _LONG.sub(_shorter, " ".join(text.split()))
    text = (node.text or "") if kind == "text" else ""
    return element(kind, attributes, text, _children(node, name, used))


def _shorter(number: re.Match[str]) -> str:
    """Hundredths of a point are finer than any screen."""
    return f"{float(number[0]):.2f}"
