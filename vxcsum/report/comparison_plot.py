"""A comparison as a picture: one small pair of bars for each thing that is compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vxcsum.checksum.status import Status
from vxcsum.report.figure import PlotFigure, style
from vxcsum.report.panel import COLORS, INK, label

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from matplotlib.figure import Figure

_COLUMNS, _SIZE = 3, (8.6, 2.0)
_BEFORE, _AFTER = COLORS[Status.ZERO], COLORS[Status.PARTIAL]


def draw(
    title: str,
    rows: Sequence[tuple[str, float | None, float | None]],
    written: Sequence[Callable[[float | None], str]],
) -> Figure:
    """Return a figure with before and after of each row, as numbers and as bars.

    Parameters
    ----------
    title : str
        One line or several.
    rows : sequence of (name, before, after)
    written : sequence of callable
        How the numbers of each row are written.
    """
    lines = -(-len(rows) // _COLUMNS)
    with style():
        figure: Figure = PlotFigure((_SIZE[0], _SIZE[1] * lines + 0.8), layout="constrained")
        said = "\n".join(label(line) for line in title.splitlines())
        figure.suptitle(said, fontsize=10, color=INK, wrap=True)
        axes: Any = figure.subplots(lines, _COLUMNS, squeeze=False).ravel()
        for ax in axes[len(rows) :]:
            ax.set_axis_off()
        for ax, (name, before, after), write in zip(axes, rows, written, strict=False):
            values = [0.0 if value is None else value for value in (before, after)]
            bars = ax.barh(["before", "after"], values, color=[_BEFORE, _AFTER])
            ax.bar_label(bars, [write(before), write(after)], padding=3, color=INK, fontsize=8)
            ax.set_xlim(0, 1.6 * (max(values) or 1.0))
            ax.invert_yaxis()
            ax.set_xticks([])
            ax.set_title(name.strip(), loc="left", fontsize=9, color=INK)
            for side in ("top", "right", "bottom"):
                ax.spines[side].set_visible(False)
    return figure
