"""Figures of Matplotlib that look the same everywhere, and how they are written.

Importing this module loads Matplotlib, without pyplot.
"""

from __future__ import annotations

import io
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from vxcsum import _optional
from vxcsum.report.panel import INK

if TYPE_CHECKING:
    from collections.abc import Iterator

    from matplotlib.figure import Figure

_FONT = b"font-family: 'DejaVu Sans'"
_STYLE = {
    "font.family": ["DejaVu Sans"],
    "font.size": 9,
    "text.color": INK,
    "axes.labelsize": 8.5,
    "svg.fonttype": "none",
    "svg.hashsalt": "vxcsum",
    "pdf.fonttype": 42,
    "savefig.dpi": 150,
}


class PlotFigure(_optional.matplotlib().figure.Figure):  # type: ignore[misc] # optional: Any
    """A figure that notebooks show by themselves, with nothing imported or switched on."""

    def _repr_svg_(self) -> str:
        file = io.BytesIO()
        write(self, file, "svg")
        return file.getvalue().decode()


def write(figure: Figure, file: BinaryIO, format_: str, *, transparent: bool = False) -> None:
    """Write a figure; the same figure gives the same octets."""
    undated: dict[str, dict[str, None]] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
    out = io.BytesIO()
    with style():
        metadata = undated.get(format_)
        figure.savefig(out, format=format_, metadata=metadata, transparent=transparent)
    # Text stays text in SVG; where the font is not installed, one of the same width is wanted.
    octets = out.getvalue()
    if format_ == "svg":
        octets = octets.replace(_FONT, _FONT + b", Verdana, sans-serif")
    file.write(octets)


@contextmanager
def style() -> Iterator[None]:
    """Set the look of a figure while it is made or written."""
    library = _optional.matplotlib()
    with library.rc_context():
        library.rcdefaults()
        library.rcParams.update(_STYLE)
        yield
