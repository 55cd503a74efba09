"""Keep the documentation in step with the code.

``python docs/columns.py`` writes docs/columns.md: names and types come from vxcsum, the meanings
are here, and a column without one is an error. ``--check`` compares only, and looks for options
of the command line that docs/usage.md does not mention.
"""

from __future__ import annotations

import sys
from pathlib import Path

from vxcsum.checksum.status import LAYERS
from vxcsum.checksum.table import LAYER_COLUMNS, STORED_COLUMNS
from vxcsum.cli.main import main as command_line
from vxcsum.packet.columns import SLOTS, Coverage, Direction, Kind

TARGET = Path(__file__).with_suffix(".md")

MEANINGS = {
    "capture": "which capture of the source, counted from 0",
    "frame_number": "from 1 in each capture, as Wireshark counts",
    "timestamp": "UTC",
    "interface": "pcapng interface, counted from 0",
    "linktype": "LINKTYPE number; 1 is Ethernet, 276 Linux cooked v2",
    "caplen": "octets captured",
    "origlen": "octets the frame had",
    "fragment": "1: an IP fragment, 2: the packet inside VXLAN is one, 3: both",
    "kind": ", ".join(f"{kind.value} {kind.name.lower()}" for kind in Kind),
    "vlan": "identifier + 1 of the outermost VLAN tag; 0: untagged",
    "direction": ", ".join(f"{way.value} {way.name.lower()}" for way in Direction)
    + "; from cooked headers and pcapng flags",
    "ifindex": "device number, Linux cooked v2 only",
    "vxlan_flags": "the first two octets of the VXLAN header",
    "vni": "VXLAN network identifier",
    "tcp_flags": "of the innermost packet: FIN 1, SYN 2, RST 4, PSH 8, ACK 16",
    "tcp_seq": "sequence number",
    "tcp_ack": "acknowledgement number",
    "tcp_header_length": "octets, options included",
    "outer_udp_lco": "sum of the outer pseudo-header and all octets up to the inner transport "
    "header; what local checksum offload is judged by",
    "outer_udp_length": "octets, as the UDP header says",
    "outer_udp_offset": "octets from the start of the frame to the UDP header",
    "inner_l4_length": "octets the checksum covers, without the pseudo-header",
    "inner_l4_offset": "octets from the start of the frame to the transport header",
    "inner_protocol": "6 TCP, 17 UDP, 1 ICMP, 58 ICMPv6",
}
HEADER = {
    "ip_version": "4 or 6; 0: no IP header",
    "src": "source address",
    "dst": "destination address",
    "ttl": "TTL or hop limit",
    "length": "octets of the IP packet, its header included",
    "sport": "source port",
    "dport": "destination port",
}
CHECKSUM = {
    "found": "the field as captured",
    "expected": "what the field should be for the octets as captured; 0 where that cannot be told",
    "residual": "found - expected modulo 0xffff; 0: right",
    "pseudo": "sum of the pseudo-header, not complemented",
    "status": "`vxcsum.Status`",
    "reason": "`vxcsum.Reason`",
    "coverage": ", ".join(f"{part.value} {part.name.lower()}" for part in Coverage),
}
TYPES = {
    "u1": "uint8",
    "u2": "uint16",
    "u4": "uint32",
    "i4": "int32",
    "i8": "int64",
    "2u8": "uint64[2]",
    "M8[ns]": "datetime64[ns]",
}
INTRODUCTION = """\
# Columns

`vxcsum.read_packets` and `iter_packets` give a `PacketTable`: `packets["vni"]` is a NumPy array
with one value a frame, `packets[mask]`, `packets[10:20]` and `packets[indices]` are tables of
some frames, `len()` is the number of frames, `list()` the names. Written from the code by
`python docs/columns.py`.

What a frame does not have is 0. Whether it has a checksum is told by the status column, whether
it has a header by `*_ip_version`. Addresses are two 64-bit halves, high first; IPv4 is
`::ffff:a.b.c.d`. [Tables](tables.md) for other libraries have text and null instead.

`inner_*` is the innermost packet that is followed: the one inside VXLAN, or, in a frame without
VXLAN, the only one. `outer_*` is the packet around it.
"""
LAYERS_TEXT = """\
## By layer

`<layer>_<attribute>`, computed on request, 0 where a frame has no checksum of that layer. The
layers are {layers}. The attributes:
"""


def _meaning(name: str) -> str:
    if name in MEANINGS:
        return MEANINGS[name]
    for slot in SLOTS:
        attribute = name.removeprefix(f"{slot}_")
        if attribute in CHECKSUM and attribute != name:
            return CHECKSUM[attribute]
    place, _, attribute = name.partition("_")
    if place in ("outer", "inner") and attribute in HEADER:
        return HEADER[attribute]
    message = f"docs/columns.py does not say what {name!r} means"
    raise SystemExit(message)


def page() -> str:
    """Return the page."""
    lines = [INTRODUCTION, "## By frame\n", "| column | type | meaning |", "|---|---|---|"]
    checksums = [name for name in STORED_COLUMNS if name.startswith(SLOTS)]
    checksums = [name for name in checksums if name.rpartition("_")[2] in CHECKSUM]
    for name, code in STORED_COLUMNS.items():
        if name not in checksums:
            lines.append(f"| `{name}` | {TYPES[code]} | {_meaning(name)} |")
    lines += [
        "",
        "## By place of a checksum",
        "",
        "A frame has at most four: `outer_ip`, `outer_udp`, `inner_ip`, `inner_l4` (transport).",
        "",
        "| column | type | meaning |",
        "|---|---|---|",
    ]
    order = {name: place for place, name in enumerate(CHECKSUM)}
    checksums.sort(
        key=lambda name: (SLOTS.index("_".join(name.split("_")[:2])), order[name.split("_")[2]])
    )
    lines += [f"| `{n}` | {TYPES[STORED_COLUMNS[n]]} | {_meaning(n)} |" for n in checksums]
    attributes = dict.fromkeys(attribute for _, attribute in LAYER_COLUMNS.values())
    lines += ["", LAYERS_TEXT.format(layers=", ".join(f"`{name}`" for name in LAYERS))]
    lines += ["| attribute | type | meaning |", "|---|---|---|"]
    for attribute in attributes:
        kind = "uint8" if attribute in ("status", "reason") else "uint16"
        note = "; not of IPv4 headers" if attribute == "pseudo" else ""
        lines.append(f"| `{attribute}` | {kind} | {CHECKSUM[attribute]}{note} |")
    return "\n".join(lines) + "\n"


def missing_options() -> list[str]:
    """Return the commands and options that docs/usage.md does not mention."""
    said = TARGET.with_name("usage.md").read_text(encoding="utf-8")
    wanted = []
    for name, command in sorted(command_line.commands.items()):
        wanted.append(f"vxcsum {name}")
        for parameter in command.params:
            wanted += [f"`{option}" for option in parameter.opts if option.startswith("-")]
    return [text.lstrip("`") for text in wanted if text not in said]


if __name__ == "__main__":
    if "--check" not in sys.argv[1:]:
        TARGET.write_text(page(), encoding="utf-8")
    elif TARGET.read_text(encoding="utf-8") != page():
        sys.exit("docs/columns.md is not what the code says: run python docs/columns.py")
    elif missing := missing_options():
        sys.exit(f"docs/usage.md does not mention {', '.join(missing)}")
