"""A frame in one line of a few cells, for people who look at a table."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vxcsum.checksum.fields import TCP_FLAGS
from vxcsum.checksum.status import LAYERS, Reason, Status
from vxcsum.packet.columns import Kind
from vxcsum.packet.protocols import IPPROTO_ICMP, IPPROTO_ICMPV6, IPPROTO_TCP, IPPROTO_UDP
from vxcsum.tabular.words import address_text, time_text

if TYPE_CHECKING:
    from vxcsum.checksum.table import PacketTable

NAMES = ("frame", "time (UTC)", "tunnel", "vni", "packet", "protocol", "checksums")
_PROTOCOLS = {
    IPPROTO_TCP: "TCP",
    IPPROTO_UDP: "UDP",
    IPPROTO_ICMP: "ICMP",
    IPPROTO_ICMPV6: "ICMPv6",
}


def rows_of(table: PacketTable) -> list[list[str]]:
    """Return the cells of each frame; meant for few frames."""
    return [_row(table[row]) for row in range(len(table))]


def _row(frame: PacketTable) -> list[str]:
    vxlan = frame["kind"][0] == Kind.VXLAN
    protocol = int(frame["inner_protocol"][0])
    has_ports = protocol in (IPPROTO_TCP, IPPROTO_UDP) and bool(frame["inner_l4_status"][0])
    what = ""
    if frame["inner_ip_version"][0]:
        what = _PROTOCOLS.get(protocol, f"protocol {protocol}")
        if protocol == IPPROTO_TCP and has_ports:
            what += f" {TCP_FLAGS[frame['tcp_flags'][0]]}"
    elif vxlan:
        what = "no IP"
    return [
        str(frame["frame_number"][0]),
        time_text(frame["timestamp"][0])[:26].replace("T", " "),
        _way(frame, "outer", ports=False) if vxlan else "",
        str(frame["vni"][0]) if vxlan else "",
        _way(frame, "inner", ports=has_ports),
        what,
        ", ".join(_checksums(frame)),
    ]


def _way(frame: PacketTable, place: str, *, ports: bool) -> str:
    if not frame[f"{place}_ip_version"][0]:
        return ""
    ends = []
    for address, port in (("src", "sport"), ("dst", "dport")):
        text = address_text(frame[f"{place}_{address}"][0])
        if ports:
            text = f"[{text}]" if ":" in text else text
            text += f":{frame[f'{place}_{port}'][0]}"
        ends.append(text)
    return " > ".join(ends)


def _checksums(frame: PacketTable) -> list[str]:
    """Say the statuses by layer; of IP headers only those that are not valid."""
    said = []
    for name in LAYERS:
        status = Status(int(frame[f"{name}_status"][0]))
        header = name.endswith("_ipv4")
        if status is Status.ABSENT or (header and status is Status.VALID):
            continue
        reason = Reason(int(frame[f"{name}_reason"][0]))
        why = f" ({reason.name.lower()})" if reason else ""
        said.append(f"{name} {status.name.lower()}{why}")
    return said
