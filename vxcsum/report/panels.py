"""The four pictures of a report, each drawn into a figure it is given."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from vxcsum import _optional
from vxcsum.checksum.status import Status
from vxcsum.report.facts import frames_of, waits
from vxcsum.report.panel import COLORS, FAINT, INK, Panel, label, legible, plain
from vxcsum.report.series import pairs, residuals, status_rows
from vxcsum.rules.model import iso_time
from vxcsum.tabular.words import printable

if TYPE_CHECKING:
    from vxcsum.report.facts import Wait
    from vxcsum.report.report import Report
    from vxcsum.report.series import Residuals

#: Connections drawn, and residuals named.
MAX_WAITS, _MAX_NAMED = 20, 4
_RESIDUAL_BINS = 256
#: Up to here a scale of frames is linear.
_LINEAR = 20
_UNITS = ((7200.0, 3600.0, "hours"), (180.0, 60.0, "minutes"), (2.0, 1.0, "seconds"))


class StatusPanel(Panel):
    """Checksums over time: a row for each status of each layer, logarithmic in height."""

    name = "status"
    title = "Checksums over time"
    nothing = "No checksum was seen."

    def __init__(self, report: Report) -> None:
        super().__init__(report)
        self._timeline = report.evidence.timeline
        self._rows = status_rows(self._timeline)
        if self._rows:
            self.height = 1.1 + 0.27 * len(self._rows)
            told = (
                f"{r.layer} {r.status.name.lower()} {int(r.counts.sum()):,}" for r in self._rows
            )
            self.says = f"Counts in {self._timeline.bins} bins of time. In all: {', '.join(told)}."

    def draw(self, figure: Any) -> None:
        """Draw the rows from top to bottom, in the order of the layers."""
        axes = figure.subplots()
        edges = self._timeline.seconds
        span = float(edges[-1] - max(0.0, edges[0]))
        unit, name = next(((u, n) for least, u, n in _UNITS if span >= least), (1e-3, "ms"))
        top = max(int(row.counts.max()) for row in self._rows)
        y = 0.0
        places, before = [], self._rows[0].layer
        for row in self._rows:
            y -= 1.0 if row.layer == before else 1.35
            before = row.layer
            places.append(y)
            starts = np.flatnonzero(np.diff(row.counts, prepend=-1))  # equal neighbours are one
            axes.stairs(
                y + np.log1p(row.counts[starts]) / np.log1p(top) * 0.82,
                np.append(edges[starts], edges[-1]) / unit,
                baseline=y,
                fill=True,
                facecolor=COLORS[row.status],
                edgecolor=COLORS[row.status],
                linewidth=0.9,
            )
            axes.text(
                *(1.01, y + 0.1, f"{int(row.counts.sum()):,}"),
                transform=axes.get_yaxis_transform(),
                color=INK,
            )
        axes.set_yticks(
            [place + 0.3 for place in places],
            [f"{row.layer}  {row.status.name.lower()}" for row in self._rows],
        )
        for row, tick in zip(self._rows, axes.get_yticklabels(), strict=True):
            tick.set_fontweight("bold" if row.status == Status.INVALID else "normal")
        axes.set_ylim(y - 0.3, 0.2)
        axes.set_xlim(max(0.0, edges[0] / unit), edges[-1] / unit)
        begin = (iso_time(self._timeline.first) or "")[:23].replace("T", " ")
        axes.set_xlabel(
            f"{name} after {begin} UTC; height: frames in {_width(self._timeline.shift)}, "
            f"logarithmic, at most {top:,}"
        )
        plain(axes, "bottom")


class ResidualsPanel(Panel):
    """How far wrong checksums are off: one spike is one cause, a carpet is chance."""

    name = "residuals"
    title = "How far wrong checksums are off"
    nothing = "No checksum is wrong."

    def __init__(self, report: Report) -> None:
        super().__init__(report)
        self._places = residuals(report.evidence)
        if self._places:
            self.height = 0.75 + 1.35 * len(self._places)
            self.says = " ".join(f"{_told(p)}; {p.reading}." for p in self._places)

    def draw(self, figure: Any) -> None:
        """Draw a histogram for each place of a checksum."""
        column = figure.subplots(len(self._places), sharex=True, squeeze=False)[:, 0]
        edges = np.linspace(0, 0xFFFF, _RESIDUAL_BINS + 1)
        for axes, place in zip(column, self._places, strict=True):
            heights, _ = np.histogram(place.values, edges, weights=place.frames)
            color = COLORS[Status.INVALID]
            axes.stairs(heights, edges, fill=True, color=color, linewidth=1.2, edgecolor=color)
            top = int(heights.max())
            ticks = [0, top]
            if top > _LINEAR:
                axes.set_yscale("symlog", linthresh=1)
                decades = len(str(top // 8))
                ticks[1:1] = [10**n for n in range(0, decades, 1 if decades < 4 else 2)]
            axes.set_ylim(0, top * (1.3 if top <= _LINEAR else 3))
            axes.set_yticks(ticks, [f"{tick:,}" for tick in ticks])
            axes.minorticks_off()
            axes.set_title(f"{_told(place)}\n{place.reading}", loc="left", fontsize=8.5, color=INK)
            axes.set_ylabel("frames")
            _name_spikes(axes, place, heights)
            plain(axes, "left", "bottom")
        values = [*range(0, 0xFFFF, 0x2000), 0xFFFF]
        axes.set_xticks(values, [f"0x{value:04x}" for value in values])
        axes.set_xlim(0, 0xFFFF)
        axes.set_xlabel("residual: found minus right, modulo 0xffff")


class ConnectionsPanel(Panel):
    """When each connection sent in vain, and when it got through."""

    name = "connections"
    title = "Connections that were hit"
    nothing = "No finding names a connection."

    def __init__(self, report: Report) -> None:
        super().__init__(report)
        found = waits(report)
        self._waits, self._left = found[:MAX_WAITS], len(found[MAX_WAITS:])
        if found:
            self.height = 1.25 + 0.3 * len(self._waits)
            longest = found[0]
            self.says = (
                f"{len(found):,} connection{'s' * (len(found) != 1)}; the longest wait is that of "
                f"{printable(longest.client)} for {printable(longest.server)}: {outcome(longest)}."
            )

    def draw(self, figure: Any) -> None:
        """Draw a line of time for each connection, the longest wait first."""
        axes = figure.subplots()
        lost, through = COLORS[Status.INVALID], COLORS[Status.VALID]
        y = -np.arange(len(self._waits), dtype=float)
        for at, wait in zip(y, self._waits, strict=True):
            axes.plot([0, wait.length], [at, at], color=FAINT, linewidth=1, zorder=1)
            axes.text(
                *(1.02, at, f"{outcome(wait)} ({wait.code})"),
                transform=axes.get_yaxis_transform(),
                va="center",
                color=INK,
            )
        sent = [(s, at) for at, wait in zip(y, self._waits, strict=True) for s in wait.seconds]
        done = [
            (wait.through, at)
            for at, wait in zip(y, self._waits, strict=True)
            if wait.through is not None
        ]
        marks = ((sent, "X", lost, "sent in vain"), (done, "o", through, "got through"))
        for places, marker, color, name in marks:
            if places:
                axes.scatter(
                    *zip(*places, strict=True),
                    *(52, color),
                    marker=marker,
                    label=name,
                    zorder=2,
                    clip_on=False,
                    linewidths=0,
                )
        axes.set_yticks(y, [label(f"{w.client} > {w.server} {w.protocol}") for w in self._waits])
        axes.tick_params(axis="y", pad=9)
        axes.set_ylim(y[-1] - 0.6, 0.6)
        longest = max(wait.length for wait in self._waits)
        # SYNs wait twice as long each time: on this scale they are evenly spaced.
        axes.set_xscale("function", functions=(np.log1p, np.expm1))
        ticks = [0, 1, 3]
        while ticks[-1] < longest:
            ticks.append(2 * ticks[-1] + 1)
        axes.set_xticks(ticks, [str(tick) for tick in ticks])
        axes.set_xlim(0, max(1.0, longest * 1.04))
        more = f"; {self._left:,} more are not shown" if self._left else ""
        axes.set_xlabel(f"seconds after the first packet, logarithmic{more}")
        axes.grid(axis="x", color=FAINT, alpha=0.35, linewidth=0.6)
        axes.set_axisbelow(True)
        figure.legend(loc="outside upper right", ncols=2, frameon=False, labelcolor=INK)
        plain(axes, "bottom")


class PairsPanel(Panel):
    """From which node to which the wrong checksums went."""

    name = "pairs"
    title = "Wrong checksums from node to node"
    nothing = "No VXLAN was seen."

    def __init__(self, report: Report) -> None:
        super().__init__(report)
        self._pairs = pairs(report.evidence)
        if self._pairs.sources:
            self.height = 1.4 + 0.42 * len(self._pairs.sources)
            p = self._pairs
            source, destination = np.unravel_index(p.wrong.argmax(), p.wrong.shape)
            worst, frames = int(p.wrong.max()), int(p.frames[source, destination])
            self.says = "No frame between nodes has a wrong checksum."
            if worst:
                self.says = (
                    f"Most wrong checksums: {frames_of(worst)} of {frames:,} from "
                    f"{p.sources[source]} to {p.destinations[destination]}."
                )

    def draw(self, figure: Any) -> None:
        """Draw a matrix; each cell says how many frames of how many are wrong."""
        p = self._pairs
        axes = figure.subplots()
        ramp = _optional.matplotlib().colors.LinearSegmentedColormap.from_list(
            "wrong", ["#fbd9b5", "#f08a3c", "#a63a00"]
        )
        for row, column in np.argwhere(p.frames):
            wrong, frames = int(p.wrong[row, column]), int(p.frames[row, column])
            depth = (wrong / frames) ** 0.5
            axes.add_patch(
                _optional.matplotlib().patches.Rectangle(
                    (column - 0.48, row - 0.46),
                    *(0.96, 0.92),
                    facecolor=ramp(depth) if wrong else "none",
                    edgecolor=FAINT,
                    linewidth=0.8,
                )
            )
            axes.text(
                *(column, row, f"{wrong:,} of {frames:,}" if wrong else f"0 of {frames:,}"),
                color=legible(ramp(depth)) if wrong else INK,
                fontweight="bold" if wrong else "normal",
                fontsize=8 if len(p.destinations) < 9 else 6,
                ha="center",
                va="center",
            )
        axes.set_xticks(range(len(p.destinations)), p.destinations)
        axes.set_yticks(range(len(p.sources)), p.sources)
        slanted = len(p.destinations) > 5 or any(":" in name for name in p.destinations)
        if slanted:
            for name in axes.get_xticklabels():
                name.set(rotation=30, ha="right", rotation_mode="anchor")
        axes.set_xlim(-0.6, max(len(p.destinations), 3) - 0.4)
        axes.set_ylim(len(p.sources) - 0.4, -0.6)
        more = f"; {p.left_out:,} more pairs are not shown" if p.left_out else ""
        axes.set_xlabel(f"to (outer destination); each cell: wrong of all frames{more}")
        axes.set_ylabel("from (outer source)")
        plain(axes)


def outcome(wait: Wait) -> str:
    """Return how the wait of a connection ended."""
    if wait.through is not None:
        return f"through after {wait.through:.1f} s"
    return f"not through in {wait.length:.1f} s" if wait.length else "not seen to get through"


def _width(shift: int) -> str:
    """Return the width of a bin as people say it."""
    seconds = 2.0**shift / 1e9
    for least, word in ((3600.0, "h"), (60.0, "min"), (1.0, "s"), (1e-3, "ms")):
        if seconds >= least:
            return f"{seconds / least:.3g} {word}"
    return f"{seconds * 1e6:.3g} us"


def _told(place: Residuals) -> str:
    """Return how many wrong checksums there are in a place, and how varied."""
    distinct = f"{len(place.values):,} distinct residual{'s' * (len(place.values) != 1)}"
    return f"{place.place}: {frames_of(int(place.frames.sum()))} with {distinct}"


def _name_spikes(axes: Any, place: Residuals, heights: Any) -> None:
    """Write the most frequent residuals beside their spikes, no two over each other."""
    named: list[int] = []
    for value, frames in zip(place.values.tolist(), place.frames.tolist(), strict=True):
        apart = all(abs(value - other) > 0x1400 for other in named)
        if len(named) == _MAX_NAMED or frames * 20 < int(place.frames.sum()):
            break
        if apart and (frames > 1 or len(place.values) <= _MAX_NAMED):
            named.append(value)
            right = value > 0xD000
            height = int(heights[value * _RESIDUAL_BINS // 0xFFFF])  # a residual is at most 0xfffe
            axes.annotate(
                f"0x{value:04x}: {frames:,}" + (f" of {height:,} here" if height > frames else ""),
                (value, height),
                xytext=(-4 if right else 4, 3),
                textcoords="offset points",
                ha="right" if right else "left",
                fontsize=8,
                color=INK,
            )


PANELS: tuple[type[Panel], ...] = (StatusPanel, ConnectionsPanel, ResidualsPanel, PairsPanel)
