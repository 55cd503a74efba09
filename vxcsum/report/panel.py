"""What the pictures of a report have in common: their colours, their text, their frame.

Colours are told apart by people who see few of them, and nothing is told by colour alone: rows have
their names, markers their shapes, cells their numbers. `INK` and `FAINT` are the only colours
of text and lines, so that a page may exchange them in its dark theme.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from vxcsum import _optional
from vxcsum.checksum.status import Status
from vxcsum.tabular.words import printable

if TYPE_CHECKING:
    from vxcsum.report.report import Report

INK, FAINT = "#1c2128", "#848d97"
#: After Okabe and Ito (jfly.uni-koeln.de/color), darkened until they show on white and on black.
COLORS = {
    Status.VALID: "#00916a",
    Status.ZERO: "#7d8590",
    Status.PARTIAL: "#2f87c8",
    Status.INVALID: "#d55e00",
    Status.UNVERIFIABLE: "#b05fa0",
}


def label(text: str) -> str:
    """Return text that is drawn as it is: no control characters, no mathematics, no missing glyphs.

    Notes
    -----
    Matplotlib typesets what stands between two dollar signs, unless they are escaped.
    """
    fonts = _optional.matplotlib().font_manager
    glyphs = fonts.get_font(fonts.findfont("DejaVu Sans"))
    shown = (c if glyphs.get_char_index(ord(c)) else f"\\u{ord(c):04x}" for c in printable(text))
    return "".join(shown).replace("$", r"\$")


class Panel:
    """A picture that knows how high it wants to be, and how to be drawn.

    Attributes
    ----------
    name, title : str
    says : str
        What can be seen in it, in words, for those who do not see it.
    height : float
        In inches; 0 where there is nothing to draw.
    """

    name: str
    title: str
    nothing: str

    def __init__(self, report: Report) -> None:
        self.says = self.nothing
        self.height = 0.0

    def draw(self, figure: Any) -> None:
        """Draw into a figure or a part of one."""
        raise NotImplementedError

    def draw_title(self, figure: Any) -> None:
        """Write the title, aligned with the edge of the figure."""
        figure.suptitle(self.title, x=0.01, ha="left", fontsize=11, fontweight="bold", color=INK)


def legible(color: Any) -> str:
    """Return black or white, whichever contrasts more with a colour (WCAG 2, luminance)."""
    channels = np.asarray(color[:3])
    linear = np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return "#000000" if linear @ (0.2126, 0.7152, 0.0722) > 0.179 else "#ffffff"


def plain(axes: Any, *spines: str) -> None:
    """Leave only the lines that mean something, in the colours of the page."""
    for side, spine in axes.spines.items():
        spine.set_visible(side in spines)
        spine.set_color(FAINT)
    axes.tick_params(colors=FAINT, labelcolor=INK, length=3 if spines else 0, which="both")
    if "left" not in spines:
        axes.tick_params(axis="y", length=0)
    axes.patch.set_visible(False)
    for text in (axes.xaxis.label, axes.yaxis.label):
        text.set_color(INK)
