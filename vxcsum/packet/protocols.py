"""Numbers of the headers: protocols of IPv4 and IPv6 (IANA), and a flag of VXLAN."""

from __future__ import annotations

IPPROTO_HOPOPTS = 0
IPPROTO_ICMP = 1
IPPROTO_TCP = 6
IPPROTO_UDP = 17
IPPROTO_ROUTING = 43
IPPROTO_FRAGMENT = 44
IPPROTO_AH = 51
IPPROTO_ICMPV6 = 58
IPPROTO_NONE = 59

#: Remote checksum offload, in the upper half of a VXLAN header's first word (Linux VXLAN_HF_RCO).
VXLAN_RCO = 0x0020

#: Tunnels over UDP that may leave out the checksum over IPv6 (RFC 6935): VXLAN, Geneve, LISP, MPLS,
#: GUE, AMT, GTP-U.
UDP_TUNNEL_PORTS = (4789, 4790, 8472, 6081, 4341, 6635, 6080, 2268, 2152)
