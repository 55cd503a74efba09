"""How the columns of a `PacketTable` are told: as words, addresses, and null where absent."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from vxcsum.checksum.status import LAYERS, Reason, Status
from vxcsum.packet.columns import FACTS, RECORD_COLUMNS, SLOTS, Coverage, Direction, Kind
from vxcsum.packet.protocols import IPPROTO_ICMP, IPPROTO_TCP, IPPROTO_UDP
from vxcsum.tabular.fields import Field, How, Present, all_of, nonzero
from vxcsum.tabular.words import flag_words

if TYPE_CHECKING:
    from enum import IntEnum

_SLL2 = 276
#: RFC 9293 section 3.1, RFC 3168 section 6.1.
TCP_FLAGS = flag_words(("FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"))
FRAGMENTS = (None, "outermost", "inside", "both")


def _words(codes: type[IntEnum]) -> tuple[str | None, ...]:
    """Return the words of an enumeration whose member 0 says that there is nothing."""
    return (None, *(code.name.lower() for code in codes if code))


def _captured(octets: int) -> Present:
    """So many octets of the transport header were captured."""

    def present(table: Any) -> Any:
        there = table["caplen"] >= table["inner_l4_offset"].astype(np.int64) + octets
        there &= table["inner_l4_coverage"] != Coverage.FIELDLESS
        return there & (table["inner_l4_status"] != Status.ABSENT)

    return present


def _ports(table: Any) -> Any:
    protocol = table["inner_protocol"]
    return (protocol == IPPROTO_TCP) | (protocol == IPPROTO_UDP)


def _tcp(table: Any) -> Any:
    return table["inner_protocol"] == IPPROTO_TCP


def _field_captured(slot: str) -> Present:
    def present(table: Any) -> Any:
        coverage = table[f"{slot}_coverage"]
        cut = (coverage == Coverage.FIELD_CUT) | (coverage == Coverage.FIELDLESS)
        return ~cut & (coverage != Coverage.ABSENT)

    return present


def summed(slot: str) -> Present:
    """Return what tells where a residual is that of the whole checksum.

    All octets were there, or (local checksum offload) the headers alone have proven it wrong.
    """

    def present(table: Any) -> Any:
        complete = table[f"{slot}_coverage"] == Coverage.COMPLETE
        return complete | (table[f"{slot}_status"] == Status.INVALID)

    return present


_TCP_HEADER = all_of(_tcp, _captured(14))
_PORTS = all_of(_ports, _captured(4))
_OUTER, _INNER = nonzero("outer_ip_version"), nonzero("inner_ip_version")
_INNER_L4 = nonzero("inner_l4_status")
_SPECIAL: dict[str, Field] = {
    "fragment": Field(How.WORD, words=FRAGMENTS),
    "kind": Field(How.WORD, words=tuple(kind.name.lower() for kind in Kind)),
    "vlan": Field(present=nonzero("vlan"), base=1),
    "direction": Field(How.WORD, words=_words(Direction)),
    "ifindex": Field(present=lambda table: table["linktype"] == _SLL2),
    "vxlan_flags": Field(present=_OUTER),
    "vni": Field(present=_OUTER),
    "outer_udp_lco": Field(present=all_of(_OUTER, _INNER_L4)),
    "inner_sport": Field(present=_PORTS),
    "inner_dport": Field(present=_PORTS),
    "inner_l4_length": Field(present=_INNER_L4),
    "inner_l4_offset": Field(present=_INNER_L4),
    "tcp_flags": Field(present=_TCP_HEADER),
    "tcp_seq": Field(present=_TCP_HEADER),
    "tcp_ack": Field(present=_TCP_HEADER),
    "tcp_header_length": Field(present=_TCP_HEADER),
}


def _checksums() -> dict[str, dict[str, Field]]:
    """Return the fields of what is known of a checksum, by slot."""
    fields = {}
    for slot in SLOTS:
        known = summed(slot)
        there = nonzero(f"{slot}_status")
        if slot == "inner_l4":  # ICMP has no pseudo-header
            not_icmp: Present = lambda table: table["inner_protocol"] != IPPROTO_ICMP  # noqa: E731
            there = all_of(there, not_icmp)
        fields[slot] = {
            "found": Field(present=_field_captured(slot)),
            "expected": Field(present=known),
            "residual": Field(present=known),
            "pseudo": Field(present=there),
            "status": Field(How.WORD, words=_words(Status)),
            "reason": Field(How.WORD, words=_words(Reason)),
            "coverage": Field(How.WORD, words=_words(Coverage)),
        }
    return fields


_CHECKSUMS = _checksums()


def _stored(name: str) -> Field:
    if name in _SPECIAL:
        return _SPECIAL[name]
    for slot in SLOTS:
        attribute = name.removeprefix(f"{slot}_")
        if attribute != name and attribute in _CHECKSUMS[slot]:
            return _CHECKSUMS[slot][attribute]
    place = name.partition("_")[0]
    present = {"outer": _OUTER, "inner": _INNER}.get(place)
    how = How.ADDRESS if name.endswith(("_src", "_dst")) else How.NUMBER
    return Field(how, present)


def packet_fields(judged: tuple[str, ...], layers: dict[str, tuple[Any, str]]) -> dict[str, Field]:
    """Return the fields of a table of packets, in the order of its columns.

    Parameters
    ----------
    judged : tuple of str
        The columns of the judgement.
    layers : dict
        Of the columns by layer, by name: the layer and the attribute.
    """
    fields = {}
    for name in (*RECORD_COLUMNS, *FACTS, *judged):
        fields[name] = Field() if name in RECORD_COLUMNS and name != "fragment" else _stored(name)
        if name == "tcp_flags":
            fields["tcp_flags_text"] = Field(
                How.TEXT, _TCP_HEADER, words=TCP_FLAGS, source="tcp_flags"
            )
    of_layer = {name: nonzero(f"{name}_status") for name in LAYERS}
    for name, (layer, attribute) in layers.items():
        field = _CHECKSUMS[layer.slot][attribute]
        if field.present is not None:
            field = Field(field.how, all_of(of_layer[layer.name], field.present))
        fields[name] = field
    return fields
