"""What `vxcsum.compare` takes from one capture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from vxcsum.checksum.grouping import group_labels
from vxcsum.flow.offload import transfers
from vxcsum.flow.records import ABSENT_TIME
from vxcsum.packet.columns import Kind
from vxcsum.packet.protocols import IPPROTO_TCP
from vxcsum.rules.model import address_text

if TYPE_CHECKING:
    from vxcsum.flow.offload import Transfer
    from vxcsum.packet.columns import I64
    from vxcsum.report.report import Report

_SUMMED = (
    "frames",
    "repeated_frames",
    "late_frames",
    "superframes",
    "partial",
    "missing",
)
#: What tells interfaces apart; ``side`` where a capture does not number them.
_PLACE = ("capture", "interface", "ifindex", "side")


def kind_compared(report: Report, octets: dict[Kind, int]) -> Kind:
    """Return where more TCP payload is; VXLAN frames win where it is as much."""
    inside, outside = octets[Kind.VXLAN], octets[Kind.PLAIN]
    if inside != outside:
        return Kind.VXLAN if inside > outside else Kind.PLAIN
    return Kind.VXLAN if report.frames["vxlan"] else Kind.PLAIN


def tcp_octets(report: Report, rows: I64) -> int:
    """Return the TCP payload of some connections, without repetitions."""
    sent = report.flows.field("from")
    return int((sent["octets"][rows] - sent["repeated_octets"][rows]).sum())


def connections_compared(report: Report, kind: Kind) -> I64:
    """Return the TCP connections of one interface of each capture, the one that saw most of them.

    Others may have seen copies of the same packets.
    """
    flows = report.flows
    tcp = (flows.field("protocol") == IPPROTO_TCP) & (flows.field("kind") == kind)
    rows = np.flatnonzero(tcp)
    places = group_labels(*(flows.field(name)[rows] for name in _PLACE))
    sent = flows.field("from")
    octets = (sent["octets"][rows] - sent["repeated_octets"][rows]).sum(axis=1)
    _, first = np.unique(places, return_index=True)
    captures = flows.field("capture")[rows][first]
    order = np.lexsort((-np.bincount(places), -np.bincount(places, octets), captures))
    _, best = np.unique(captures[order], return_index=True)
    chosen: I64 = rows[np.isin(places, order[best])]
    return chosen


def side_of(report: Report, kind: Kind, rows: I64) -> tuple[dict[str, Any], Transfer | None]:
    """Return what is compared of some connections of a kind, and the busiest direction."""
    flows = report.flows
    sent, syns = flows.field("from")[rows], flows.field("syns")[rows].astype(np.int64)
    total = {name: int(sent[name].sum(dtype=np.int64)) for name in _SUMMED}
    again = total["repeated_frames"] + int(np.maximum(syns - 1, 0).sum())
    segments = report.evidence.connections.segments[int(kind == Kind.VXLAN)]
    begun = rows[flows.field("established")[rows] != ABSENT_TIME]
    waited = np.maximum(flows.field("established")[begun] - flows.field("first")[begun], 0) / 1e9
    moved = [t for t in transfers(flows) if t.octets and t.kind == kind]
    busiest = moved[0] if moved else None
    found: dict[str, int] = {}
    for finding in report.findings:
        found[finding.code] = found.get(finding.code, 0) + finding.frames
    frames = total["frames"]
    said = {
        "frames": report.frames["total"],
        "duration_seconds": _duration(report),
        "goodput_bits_per_second": None
        if busiest is None or busiest.goodput is None
        else round(busiest.goodput, 1),
        "segment_bytes_median": _median(segments),
        "superframes": total["superframes"],
        "partial_share": round(total["partial"] / frames, 6) if frames else None,
        "retransmissions": again,
        "late_frames": total["late_frames"],
        "missing_bytes": total["missing"],
        "retransmission_share": round(again / frames, 6) if frames else None,
        "connections": rows.size,
        "handshake_seconds_median": round(float(np.median(waited)), 9) if waited.size else None,
        "handshake_seconds_longest": round(float(waited.max()), 9) if waited.size else None,
        "checksum_offload": None if busiest is None else busiest.checksum_offload,
        "segmentation_offload": None if busiest is None else busiest.segmentation_offload,
        "busiest_direction": None if busiest is None else _direction(busiest),
        "findings": dict(sorted(found.items())),
        "finding_shares": {
            code: round(number / max(report.frames["total"], 1), 12)
            for code, number in sorted(found.items())
        },
    }
    return said, busiest


def _direction(transfer: Transfer) -> dict[str, str]:
    return {
        "sender_node": address_text(transfer.sender),
        "receiver_node": address_text(transfer.receiver),
    }


def _duration(report: Report) -> float:
    times = [(i.first_timestamp, i.last_timestamp) for i in report.captures]
    spans = [last - first for first, last in times if first is not None and last is not None]
    return round(sum(spans) / 1e9, 9)


def _median(segments: I64) -> int | None:
    """Return the lower median of a histogram."""
    total = np.cumsum(segments)
    if not total[-1]:
        return None
    return int(np.searchsorted(total, (int(total[-1]) + 1) // 2))
