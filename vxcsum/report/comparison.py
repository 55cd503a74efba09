"""Comparison: two captures of the same kind of traffic side by side, before a change and after."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any

from vxcsum.packet.columns import Kind
from vxcsum.report.amounts import known, percent, written
from vxcsum.report.cure import checked, doubts, mostly_verified
from vxcsum.report.sides import connections_compared, kind_compared, side_of, tcp_octets
from vxcsum.report.text import printable
from vxcsum.rules.model import Severity

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from vxcsum.packet.columns import I64
    from vxcsum.report.report import Report

SCHEMA = "vxcsum.compare/1"

#: Name in the document, what it is called in the text, how it is written.
_ROWS = (
    ("frames", "frames", "count"),
    ("duration_seconds", "duration", "seconds"),
    ("goodput_bits_per_second", "goodput, busiest direction", "bits"),
    ("segment_bytes_median", "median TCP segment", "octets"),
    ("superframes", "superframes", "count"),
    ("partial_share", "unfinished TCP checksums", "share"),
    ("retransmissions", "retransmissions", "count"),
    ("retransmission_share", "retransmitted TCP frames", "share"),
    ("late_frames", "late frames (lost before, or reordered)", "count"),
    ("connections", "TCP connections", "count"),
    ("handshake_seconds_median", "median handshake", "seconds"),
    ("handshake_seconds_longest", "longest handshake", "seconds"),
)


_DRAWN = (
    "goodput_bits_per_second",
    "segment_bytes_median",
    "superframes",
    "partial_share",
    "retransmission_share",
    "handshake_seconds_median",
)
_OFFLOADS = ("checksum_offload", "segmentation_offload")
#: A capture of all interfaces that does not tell which one saw a packet.
_UNNUMBERED = "LINUX_SLL"
_PLACE = {Kind.VXLAN: "inside VXLAN", Kind.PLAIN: "outside of VXLAN"}
#: They are news after a change if their share of the frames has grown by more than this.
_GROWN = 2
#: Rules that are drawn, those with the largest shares.
_MAX_DRAWN = 6


@dataclass(frozen=True)
class Comparison:
    """The result of `vxcsum.compare`.

    Attributes
    ----------
    before, after : Report
    """

    before: Report
    after: Report

    @cached_property
    def sides(self) -> tuple[dict[str, Any], dict[str, Any]]:
        """What is compared, of each side."""
        kinds = self._kinds
        rows = [chosen[kind] for chosen, kind in zip(self._connections, kinds, strict=True)]
        (before, one), (after, other) = map(side_of, self._both, kinds, rows)
        # What one capture shows of its sender, the other would show as well, taken at that place.
        for name in _OFFLOADS:
            for here, there, transfer in ((before, after, one), (after, before, other)):
                if there[name] and here[name] is None and transfer is not None and transfer.bulk:
                    here[name] = False
        return before, after

    @property
    def ratio(self) -> dict[str, float | None]:
        """What comes after, divided by what was before; None where that is nothing."""
        before, after = self.sides
        ratio = {name: _divided(after[name], before[name]) for name, _, _ in _ROWS}
        old, new = before["finding_shares"], after["finding_shares"]
        # Shares, not numbers: captures are seldom of one length.
        return ratio | {code: _divided(new.get(code, 0), old.get(code)) for code in self._codes}

    @property
    def _codes(self) -> list[str]:
        """Rules that found anything, before or after."""
        return sorted({f.code for report in self._both for f in report.findings})

    @property
    def new_errors(self) -> list[str]:
        """Rules that found errors after, and none before.

        Notes
        -----
        VX600 and VX601 are taken as one: they are new if there was neither, or if their share of
        the frames has more than doubled.
        """
        old, new = (
            {f.code for f in r.findings if f.severity == Severity.ERROR} for r in self._both
        )
        unexplained = {f.code for r in self._both for f in r.findings if f.rule.unexplained}
        added = new - old
        if old & unexplained and new & unexplained:
            shares = [sum(side["finding_shares"].get(c, 0) for c in unexplained)
                      for side in self.sides]  # fmt: skip
            added -= unexplained
            if shares[1] > _GROWN * shares[0]:
                added |= new & unexplained
        return sorted(added)

    @property
    def _both(self) -> tuple[Report, Report]:
        return self.before, self.after

    @property
    def verdict(self) -> str:
        """Whether the change is safe, and what it brings, in a sentence or two."""
        safe = self._judgement
        speed = self.ratio["goodput_bits_per_second"]
        if speed is None:
            return safe
        return f"{safe} Goodput is {speed:.2f} times what it was."

    @property
    def _judgement(self) -> str:
        errors = sorted({f.code for f in self.after.findings if f.severity == Severity.ERROR})
        if self.new_errors:
            return f"NOT SAFE: after the change there is {', '.join(self.new_errors)}."
        if errors:
            return f"NOT CURED: {', '.join(errors)} before and after."
        if not self.before.ok:
            reasons = doubts(self.before, self.after)
            if reasons:
                return f"CANNOT TELL: {'; '.join(reasons)}."
            return "CURED: what was wrong before is gone."
        blind = [name for name, report in self._named if not checked(report)]
        if len(blind) == 2:
            return "NOTHING TO VERIFY: no checksum in either capture could be verified."
        if blind:
            return f"CANNOT TELL: no checksum could be verified {blind[0]} the change."
        part = [name for name, report in self._named if not mostly_verified(report)]
        if part:
            return (
                "NO CORRUPTION in what could be verified: most checksums of TCP, UDP and ICMP "
                f"{' and '.join(part)} could not."
            )
        return "NO CORRUPTION in either capture."

    @property
    def notes(self) -> list[str]:
        """How captures that differ were made comparable, and what cannot be."""
        said = []
        before, after = self.sides
        lengths = before["duration_seconds"], after["duration_seconds"]
        if min(lengths) > 0 and not 0.9 < lengths[1] / lengths[0] < 1.1:
            said.append(
                "the captures last differently long: goodput and shares are comparable, counts of "
                "frames, retransmissions and connections are not"
            )
        if self._codes:
            said.append(
                "frames of each rule are given as shares of all frames as well, and their ratio is "
                "that of the shares"
            )
        if any(report.frames["truncated"] for report in self._both):
            said.append(
                "frames were cut short (snaplen): sizes are taken from IP headers and unfinished "
                "checksums told from headers alone, so these are comparable; other checksums of "
                "such frames are not verified"
            )
        if any({before[name], after[name]} == {True, False} for name in _OFFLOADS):
            said.append(
                "that offload was off is told from the other capture, which shows it: this holds "
                "if both were taken at the same place"
            )
        gaps = [n for n, side in zip(("before", "after"), (before, after), strict=True)
                if side["missing_bytes"]]  # fmt: skip
        if gaps:
            said.append(
                f"octets are missing from the capture {' and '.join(gaps)}: lost before this "
                "place, or not recorded, which lowers goodput"
            )
        kinds = self._kinds
        if kinds[0] != kinds[1] and all(r.frames["vxlan"] + r.frames["plain"] for r in self._both):
            said.append(
                f"the TCP compared is {_PLACE[kinds[0]]} before and {_PLACE[kinds[1]]} after: "
                "different places"
            )
        for name, kind, sent in zip(("before", "after"), kinds, self._octets, strict=True):
            other = Kind.PLAIN if kind == Kind.VXLAN else Kind.VXLAN
            if octets := sent[other]:
                said.append(
                    f"{name}: {octets:,} octets of TCP {_PLACE[other]} are left out: what is "
                    f"{_PLACE[kind]} is compared, as it is no less"
                )
        copied = [n for n, r in self._named if any(_UNNUMBERED in i.linktypes for i in r.captures)]
        if copied:
            said.append(
                f"the capture {' and '.join(copied)} does not number its interfaces "
                f"({_UNNUMBERED}): copies of packets that several of them saw may count as "
                "retransmissions (tcpdump -y LINUX_SLL2 numbers them)"
            )
        said += [f"{n}: {limit}" for n, r in self._named for limit in r.evidence.limits]
        return said

    @cached_property
    def _connections(self) -> list[dict[Kind, I64]]:
        """The connections that may be compared, inside VXLAN and outside of it."""
        return [{kind: connections_compared(r, kind) for kind in _PLACE} for r in self._both]

    @property
    def _octets(self) -> list[dict[Kind, int]]:
        return [
            {kind: tcp_octets(report, rows) for kind, rows in chosen.items()}
            for report, chosen in zip(self._both, self._connections, strict=True)
        ]

    @property
    def _kinds(self) -> list[Kind]:
        """Where the TCP is that is compared."""
        return list(map(kind_compared, self._both, self._octets))

    @property
    def _named(self) -> tuple[tuple[str, Report], tuple[str, Report]]:
        return ("before", self.before), ("after", self.after)

    def to_dict(self) -> dict[str, Any]:
        """Return the comparison with the names and the order of the JSON schema."""
        before, after = self.sides
        return {
            "schema": SCHEMA,
            "before": before,
            "after": after,
            "ratio": self.ratio,
            "verdict": self.verdict,
            "notes": self.notes,
        }

    def to_json(self) -> str:
        """Return `to_dict` as a JSON document."""
        return json.dumps(self.to_dict(), indent=2) + "\n"

    def to_text(self) -> str:
        """Return the comparison as an operator reads it in a terminal."""
        before, after = self.sides
        ratio = self.ratio
        names = [printable(", ".join(i.name for i in r.captures)) for r in self._both]
        lines = [self.verdict, "", f"before  {names[0]}", f"after   {names[1]}", ""]
        rows = [("", "before", "after", "ratio")]
        for name, title, form in _ROWS:
            times = ratio[name]
            rows.append(
                (
                    title,
                    written(before[name], form),
                    written(after[name], form),
                    "" if times is None else f"{times:.2f}",
                )
            )
        rows += [
            (side.replace("_", " "), known(before[side]), known(after[side]), "")
            for side in _OFFLOADS
        ]
        for code in self._codes:
            times = ratio[code]
            rows.append(
                (
                    f"{code} frames",
                    _found(before, code),
                    _found(after, code),
                    "" if times is None else f"{times:.2f}",
                )
            )
        first = max(len(row[0]) for row in rows)
        widths = [max(len(row[n]) for row in rows) for n in (1, 2, 3)]
        for row in rows:
            cells = (f"{c:>{w}}" for c, w in zip(row[1:], widths, strict=True))
            lines.append(f"{row[0]:<{first}}  {'  '.join(cells)}".rstrip())
        lines += ["", *(f"Note: {note}." for note in self.notes)] if self.notes else []
        return "\n".join(lines) + "\n"

    def plot(self) -> Figure:
        """Return the comparison as a ``matplotlib.figure.Figure``.

        Raises
        ------
        MissingDependencyError
            Without matplotlib (extra ``plot``).
        """
        from vxcsum.report.comparison_plot import draw  # loads matplotlib

        before, after = self.sides
        rows = [(title, before[name], after[name], form)
                for name, title, form in _ROWS if name in _DRAWN]  # fmt: skip
        wrong = {f.code for r in self._both for f in r.findings if f.severity == Severity.ERROR}
        old, new = before["finding_shares"], after["finding_shares"]
        stories = {f.code for r in self._both for f in r.findings if f.rule.story}
        parts = [(c, old.get(c, 0.0), new.get(c, 0.0)) for c in sorted(wrong - stories)]
        parts.sort(key=lambda part: -max(part[1:]))
        rows += [(f"{c}, share of frames", *p, "part") for c, *p in parts[:_MAX_DRAWN]]
        state = [f"{name.replace('_', ' ')}: {known(before[name])} before, "
                 f"{known(after[name])} after" for name in _OFFLOADS]  # fmt: skip
        return draw(
            "\n".join((self.verdict, *state)),
            [row[:3] for row in rows],
            [partial(written, form=row[3]) for row in rows],
        )

    def __str__(self) -> str:
        """Return the comparison as text."""
        return self.to_text()

    def __repr__(self) -> str:
        """Return one line."""
        return f"<Comparison: {self.verdict}>"


def _divided(after: float | None, before: float | None) -> float | None:
    return round(after / before, 6) if before and after is not None else None


def _found(side: dict[str, Any], code: str) -> str:
    """Return the frames of a rule and their share."""
    share = side["finding_shares"].get(code, 0)
    return f"{side['findings'].get(code, 0):,} ({percent(share)})"
