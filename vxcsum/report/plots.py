"""`Report.plot`: the pictures of a report as Matplotlib figures, and as files.

Figures are made without pyplot: no display, no window, no state shared with the user's own plots.
They have the same look whatever style the user has set, and the same report gives the same SVG.
"""

from __future__ import annotations

import io
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, BinaryIO

from vxcsum import _optional
from vxcsum.report.facts import names_told
from vxcsum.report.panels import (
    INK,
    PANELS,
    ConnectionsPanel,
    PairsPanel,
    Panel,
    ResidualsPanel,
    StatusPanel,
    label,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from matplotlib.figure import Figure

    from vxcsum.report.report import Report

_WIDTH = 8.6
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


class Plots:
    """The pictures of a report; each method returns a new ``matplotlib.figure.Figure``.

    Raises
    ------
    MissingDependencyError
        Matplotlib is not installed; the message says how to.
    """

    def __init__(self, report: Report) -> None:
        self._report = report

    def status(self) -> Figure:
        """Draw how checksums fared over time, in a row for each status of each layer."""
        return self._figure([StatusPanel(self._report)])

    def residuals(self) -> Figure:
        """Draw how far wrong checksums are off: one spike is one cause, a carpet is chance."""
        return self._figure([ResidualsPanel(self._report)])

    def connections(self) -> Figure:
        """Draw when the connections that were hit sent in vain, and when they got through."""
        return self._figure([ConnectionsPanel(self._report)])

    def pairs(self) -> Figure:
        """Draw from which node to which the frames with wrong checksums went."""
        return self._figure([PairsPanel(self._report)])

    def all(self) -> Figure:
        """Draw everything there is to see into one figure."""
        panels = [panel(self._report) for panel in PANELS]
        return self._figure([panel for panel in panels if panel.height] or panels[:1], named=True)

    def save(self, file: BinaryIO, format_: str) -> None:
        """Write everything there is to see, as SVG, PNG or PDF.

        Parameters
        ----------
        file : binary file
        format_ : {"svg", "png", "pdf"}
        """
        _write(self.all(), file, format_)

    def svgs(self) -> Iterator[tuple[Panel, bytes]]:
        """Yield each picture that shows anything, as an SVG document of its own."""
        for panel in (made(self._report) for made in PANELS):
            if panel.height:
                file = io.BytesIO()
                _write(self._figure([panel], titled=False), file, "svg")
                yield panel, file.getvalue()

    def _figure(
        self, panels: Sequence[Panel], *, named: bool = False, titled: bool = True
    ) -> Figure:
        with _style() as library:
            heights = [panel.height or 1.0 for panel in panels]
            top = 0.4 if named else 0.0
            size = (_WIDTH, sum(heights) + top)
            figure: Figure = library.figure.Figure(size, layout="constrained")
            if named:
                figure.suptitle(label(names_told(self._report)), fontsize=10, color=INK)
            parts: Any = [figure]
            if len(panels) > 1 or named:
                parts = figure.subfigures(len(panels), height_ratios=heights, squeeze=False)[:, 0]
            for panel, part in zip(panels, parts, strict=True):
                if titled:
                    panel.draw_title(part)
                if panel.height:
                    panel.draw(part)
                else:
                    part.text(0.5, 0.4, panel.nothing, ha="center", va="center", color=INK)
        return figure


def _write(figure: Figure, file: BinaryIO, format_: str) -> None:
    undated: dict[str, dict[str, None]] = {"svg": {"Date": None}, "pdf": {"CreationDate": None}}
    out = io.BytesIO()
    with _style():
        metadata = undated.get(format_)
        figure.savefig(out, format=format_, metadata=metadata, transparent=format_ == "svg")
    # Text stays text in SVG; where the font is not installed, one of the same width is wanted.
    octets = out.getvalue()
    if format_ == "svg":
        octets = octets.replace(_FONT, _FONT + b", Verdana, sans-serif")
    file.write(octets)


@contextmanager
def _style() -> Iterator[Any]:
    """Set the look of a figure while it is made or written."""
    library = _optional.matplotlib()
    with library.rc_context():
        library.rcdefaults()
        library.rcParams.update(_STYLE)
        yield library
