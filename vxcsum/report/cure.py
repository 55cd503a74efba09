"""Whether a capture can show that what was wrong in another one is gone."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

import numpy as np

from vxcsum.checksum.status import LAYERS, Status
from vxcsum.flow.records import ABSENT_TIME
from vxcsum.packet.protocols import IPPROTO_TCP
from vxcsum.rules.model import Severity

if TYPE_CHECKING:
    from collections.abc import Mapping

    from vxcsum.report.report import Report
    from vxcsum.rules.model import Finding

#: Wrong frames to be expected after, if nothing had changed, for their absence to say something.
_EXPECTED = 3
#: Where fewer than twice that were wrong before: the share of what was verified then.
_OF_BEFORE = 0.5
#: A layer belongs to an error if this share of its frames is wrong in it, or carries it.
_SHARE = 0.1
#: What can be verified of a layer may fall to this share of what could be before.
_READABLE = 0.5


def checked(report: Report) -> int:
    """Return how many checksums could be judged, right or wrong."""
    return sum(_judged(counts) for counts in report.layers.values())


def mostly_verified(report: Report) -> bool:
    """Tell whether most checksums of TCP, UDP and ICMP were verified, of those that are there."""
    counts: Counter[str] = Counter()
    for layer, statuses in report.layers.items():
        if not layer.endswith("_ipv4"):
            counts.update(statuses)
    return _readable(counts) >= _READABLE


def doubts(before: Report, after: Report) -> list[str]:
    """Return why one cannot tell whether the errors before are gone; empty where they are.

    Parameters
    ----------
    before : Report
        Has errors.
    after : Report
        Has none.

    Notes
    -----
    An error is gone if enough checksums of the layers that were wrong, and of what the wrong frames
    carried, were verified after: so many that 3 wrong ones were to be expected if nothing had
    changed, or half as many as before if there were few wrong ones before. A device or a filter
    that leaves nothing of these layers would otherwise pass for a cure.
    """
    said = []
    for layer, wrong in _wrong_layers(before).items():
        old, new = before.layers[layer], after.layers[layer]
        were, are = _judged(old), _judged(new)
        if not are:
            said.append(f"no {layer} checksum could be verified after the change")
        elif _readable(new) < _READABLE * _readable(old):
            said.append(f"most {layer} checksums could not be verified after the change")
        elif are * wrong < min(_EXPECTED, _OF_BEFORE * wrong) * were:
            said.append(
                f"only {are:,} {layer} checksums were verified after the change, too few for an "
                f"error of {round(wrong):,} frames in {were:,}"
            )
    waited = sorted({f.code for f in _suffered(after)})
    suffered = _suffered(before)
    if suffered and waited:
        said.append(f"connections still waited after the change ({', '.join(waited)})")
    elif any(f.severity == Severity.ERROR for f in suffered) and not _got_through(after):
        said.append("no TCP connection got through after the change")
    return said


def _suffered(report: Report) -> list[Finding]:
    """Return what is said of connections that waited, or that were never established."""
    return [f for f in report.findings if f.rule.story and f.rule.severity != Severity.INFO]


def _judged(counts: Mapping[str, int]) -> int:
    # A zero says that there is no checksum: it is judged, and right where it is no error.
    return counts["valid"] + counts["zero"] + counts["partial"] + counts["invalid"]


def _readable(counts: Mapping[str, int]) -> float:
    """Return the share that was verified of the checksums that are there."""
    # Zeros are left out: in frames cut short they are still read, wrong sums are not verified.
    known = counts["valid"] + counts["partial"] + counts["invalid"]
    there = known + counts["unverifiable"]
    return known / there if there else 1.0


def _wrong_layers(report: Report) -> dict[str, float]:
    """Return the layers that the errors of a report are about, and how many frames of each."""
    wrong: dict[str, float] = {}
    for finding in report.findings:
        if finding.severity == Severity.ERROR and not finding.rule.story:
            for layer, frames in _layers_of(report, finding).items():
                wrong[layer] = min(
                    wrong.get(layer, 0.0) + frames, float(_judged(report.layers[layer]))
                )
    return {layer: frames for layer, frames in wrong.items() if frames}


def _layers_of(report: Report, finding: Finding) -> dict[str, float]:
    """Return the layers in which frames of a finding are wrong, or which these carry."""
    rows, entries = report.evidence.suspects.result()
    if entries.size:
        listed = np.isin(entries["frame"], finding.frame_numbers)
        listed &= rows["capture"][entries["suspect"]] == finding.capture_number
        weight = np.bincount(entries["suspect"][listed], minlength=len(rows["capture"]))
        mine = weight > 0
        if mine.any():
            # Only some of the frames are listed: they stand for all.
            each = finding.frames / int(weight.sum())
            layers = {}
            for name, layer in LAYERS.items():
                status = rows[f"{layer.slot}_status"]
                hit = mine & (rows["kind"] == layer.kind)
                if layer.slot == "inner_l4":  # what the wrong frame carries
                    hit &= (status != Status.ABSENT) & (status != Status.UNVERIFIABLE)
                    hit &= rows["inner_protocol"] == layer.protocol
                else:
                    hit &= status == Status.INVALID
                layers[name] = float(weight[hit].sum() * each)
            return {n: frames for n, frames in layers.items() if frames >= _SHARE * finding.frames}
    unfinished = [
        name
        for name, counts in report.layers.items()
        if LAYERS[name].slot == "inner_l4" and counts["partial"]
    ]
    return dict.fromkeys(finding.rule.layers or unfinished, float(finding.frames))


def _got_through(report: Report) -> bool:
    flows = report.flows
    # Payload proves it where the capture began after the handshake.
    through = flows.field("established") != ABSENT_TIME
    through |= flows.field("from")["octets"].any(axis=1)
    return bool((through & (flows.field("protocol") == IPPROTO_TCP)).any())
