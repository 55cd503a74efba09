"""`Report.plot`: the pictures of a report as Matplotlib figures, and as files.

Figures are made without pyplot: no display, no window, no state shared with the user's own plots.
They have the same look whatever style the user has set, and the same report gives the same SVG.
"""

from __future__ import annotations

import io
from typing import TYPE_CHECKING, Any, BinaryIO

from vxcsum.report.facts import names_told
from vxcsum.report.figure import PlotFigure, style, write
from vxcsum.report.panel import INK, Panel, label
from vxcsum.report.panels import (
    PANELS,
    ConnectionsPanel,
    PairsPanel,
    ResidualsPanel,
    StatusPanel,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from matplotlib.figure import Figure

    from vxcsum.report.report import Report

_WIDTH = 8.6


class Plots:
    """The pictures of a report; each method returns a new ``matplotlib.figure.Figure``."""

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
        write(self.all(), file, format_)

    def svgs(self) -> Iterator[tuple[Panel, bytes]]:
        """Yield each picture that shows anything, as an SVG document of its own."""
        for panel in (made(self._report) for made in PANELS):
            if panel.height:
                file = io.BytesIO()
                write(self._figure([panel], titled=False), file, "svg", transparent=True)
                yield panel, file.getvalue()

    def _figure(
        self, panels: Sequence[Panel], *, named: bool = False, titled: bool = True
    ) -> Figure:
        with style():
            heights = [panel.height or 1.0 for panel in panels]
            top = 0.4 if named else 0.0
            size = (_WIDTH, sum(heights) + top)
            figure: Figure = PlotFigure(size, layout="constrained")
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
