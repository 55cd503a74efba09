"""# VX101 outer-zero-nat-partial

## What it means

The tunnel sends no outer UDP checksum (the field is 0), but these packets carry a wrong one. On
its way out NAT rewrote the outer header, and the kernel "updated" a checksum that was never
there.

## Why it matters

Receivers verify an outer checksum that is not zero, and drop the packet. Connections that begin
while the NAT mapping lives wait: one second where the sender picks a new source port for each
SYN, 63 seconds or more where it does not. Ping works throughout, which misleads everybody.

## How it is recognised

Only packets with inner TCP or UDP are hit, because only their inner checksum is left to the
device (`CHECKSUM_PARTIAL`). The kernel takes that as the state of the outer header, and writes
the difference of the addresses as if the field held an un-complemented pseudo-header sum:

    found = S(new address) - S(old address)        modulo 0xffff
    found = 0xffff                                 where only the port changed

Ports, payload and lengths never enter, so the value is the same in packets whose right checksums
differ. ICMP and ARP keep their zero; where none is seen, and no address is known, VX103 with ports
that were kept fits as well.

## Example

    vxcsum analyze captures/kernel/u61bug-k8s-clusterip-norehash.snd.pcap

## Usual causes

* kube-proxy before 1.16.13, 1.17.9, 1.18.6 or 1.19 with `MASQUERADE --random-fully`: the mark of
  the inner packet survives encapsulation, and the outer packet is masqueraded, too.
* Any other NAT of the node's own tunnel packets, on a kernel without commit ea64d8d6c675 (before
  5.7, and before stable 5.6.13, 5.4.41, 4.19.123, 4.14.181; distributions backport it).

## Look-alikes

* A right checksum of 0xffff: one packet in 65,535 has it, and it verifies.
* VX102: the outer checksum is on; the residual is constant, not the field.
* VX103: textbook arithmetic on a zero field; the sign is opposite and ICMP is hit as well.
* VX205: a placeholder of 0xffff, which comes with an IPv4 header checksum of 0.

## What to do

Switch checksum offload off on the tunnel device, stop the second masquerade, or take a kernel
with the fix. See the remedies of the finding.

## References

Linux commit ea64d8d6c675 "netfilter: nat: never update the UDP checksum when it's 0"; kubernetes
#88986, PR #92035; projectcalico/calico #3145; flannel-io/flannel #1279; RFC 768; RFC 7348 section
5. Fact sheet: P01.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from vxcsum.checksum.grouping import grouped
from vxcsum.checksum.status import Status
from vxcsum.packet.columns import distinct
from vxcsum.rules.base import Confidence, Finding, Remedy, Rule, Severity, address_text, hex16
from vxcsum.rules.connections import connections
from vxcsum.rules.context import SPARED
from vxcsum.rules.nat import Candidate, candidates, proven
from vxcsum.rules.odds import repeats
from vxcsum.rules.platform import offload_off, platform_of, without_nat
from vxcsum.rules.readings import RARE, SINGLE_BITS

if TYPE_CHECKING:
    from collections.abc import Iterator

    from vxcsum.packet.columns import I64
    from vxcsum.rules.context import Context, Place

RULE = Rule(
    "VX101",
    "outer-zero-nat-partial",
    "NAT rewrote the outer UDP header of an offloaded packet",
    Severity.ERROR,
)

#: A value is named where chance would give it less often than this.
_MAX_CHANCE = 1e-3
_FIELD_VALUES = 0xFFFF
#: Beside so many different values, one that an address explains is likely chance.
_FEW_VALUES = 64
#: Packets with inner ICMP that may be damaged by chance, for each that kept its zero.
_FEW = 0.05
#: Packets with a value of one bit, or with all bits set, that damage does not bring about.
_MIN_REPEATED = 3
#: Of the wrong outer checksums over TCP and UDP, NAT has to explain this share.
_MIN_SHARE = 0.5


def find(context: Context) -> Iterator[Finding]:
    """Yield one finding for each pair of outer addresses that shows the pattern."""
    for case in context.places("outer_udp"):
        groups = _constant_fields(context, case)
        if groups:
            rows = np.sort(np.concatenate(list(groups.values())))
            context.claim(rows, "outer_udp")
            yield _finding(context, case, groups, rows)


def _constant_fields(context: Context, case: Place) -> dict[int, I64]:
    """Return the suspects by found value, for the values that the pattern explains."""
    transport = context.transport_rows(case.rows)
    rows, others = case.rows[transport], case.rows[~transport]
    header_zero = (context.column("outer_ip_status", rows) == Status.INVALID) & (
        context.column("outer_ip_found", rows) == 0
    )
    rows = rows[~header_zero]  # VX205
    if not rows.size or (case.summed and not case.zero):
        return {}
    zeros = case.path.outer(SPARED, Status.ZERO)
    if others.size > _FEW * max(zeros, case.rows.size):
        return {}  # inner ICMP is hit, too: VX103 or VX205
    found = context.column("outer_udp_found", rows)
    expected = context.expected("outer_udp", rows)
    sports = context.column("outer_sport", rows)
    chance = rows.size / _FIELD_VALUES
    by_value = [(int(found[m[0]]), m) for m in grouped(found.astype(np.int64))]
    several = distinct(sports).size > 1
    groups: dict[int, I64] = {}
    certain = False
    for value, members in by_value:
        observations = len(distinct(expected[members]))
        if value == _FIELD_VALUES:
            odds = repeats(rows.size, observations)
        elif observations > 1:
            odds = repeats(rows.size, observations - 1)
            # The port does not enter; where it seems to, it is VX103 or a mistake of arithmetic.
            ports = distinct(sports[members]).size
            if not case.zero and not _known(context, case, value) and min(observations, ports) < 3:
                continue  # no packet shows that the tunnel sends no checksum
            one_port = several and distinct(sports[members]).size == 1
            doubtful = one_port or _known(context, case, -value)
            if odds < _MAX_CHANCE and doubtful and not _known(context, case, value):
                continue
        else:
            odds = chance * context.tries
            if odds < _MAX_CHANCE and not (case.zero and _known(context, case, value)):
                continue
        if value in SINGLE_BITS and members.size < _MIN_REPEATED:
            continue  # one flipped bit in a field of 0
        if odds < _MAX_CHANCE:
            groups[value] = rows[members]
            repeated = value == _FIELD_VALUES and members.size >= _MIN_REPEATED
            certain |= case.zero > 0 and (odds < RARE or repeated)
    share = sum(members.size for members in groups.values()) / rows.size
    if share < _MIN_SHARE and not certain:
        return {}  # damage, which leaves the same value twice by chance
    if groups and case.zero and share >= _MIN_SHARE and len(by_value) <= _FEW_VALUES:
        # Single packets beside proven ones: the same NAT, other addresses.
        for value, members in by_value:
            if value not in groups and candidates(context, case.source, case.destination, value):
                groups[value] = rows[members]
    return dict(sorted(groups.items()))


def _known(context: Context, case: Place, change: int) -> bool:
    """Tell whether an address that was seen or given explains a change."""
    found = candidates(context, case.source, case.destination, change % _FIELD_VALUES)
    return proven(found) is not None


def _sign_is_open(context: Context, case: Place, rows: I64) -> bool:
    """Tell whether nothing shows which address was the old one: VX103 leaves the opposite."""
    values = distinct(context.column("outer_udp_found", rows)).tolist()
    return not case.zero and not any(
        value == _FIELD_VALUES or _known(context, case, value) for value in values
    )


def _confidence(
    context: Context, case: Place, rows: I64, *, open_sign: bool
) -> tuple[Confidence, int]:
    pairs = {
        (int(f), int(e))
        for f, e in zip(
            context.column("outer_udp_found", rows),
            context.expected("outer_udp", rows),
            strict=True,
        )
    }
    spared = case.path.outer(SPARED, Status.ZERO)
    if open_sign:
        return Confidence.LIKELY, len(pairs)
    if len(pairs) >= 3 or spared:
        return Confidence.CONFIRMED, len(pairs)
    if len(pairs) == 2 or case.zero:
        return Confidence.LIKELY, len(pairs)
    return Confidence.POSSIBLE, len(pairs)


def _mapping(
    context: Context, case: Place, value: int, rows: I64
) -> tuple[dict[str, Any], list[Candidate]]:
    mapping: dict[str, Any] = {
        "pre_nat_source": None,
        "pre_nat_destination": None,
        "pre_nat_source_port": None,
        "post_nat_source": address_text(case.source),
        "post_nat_source_port": None,
        "frames": int(rows.size),
        "found": hex16(value),
    }
    ports = distinct(context.column("outer_sport", rows))
    if ports.size == 1:
        mapping["post_nat_source_port"] = int(ports[0])
    if value == _FIELD_VALUES:  # the address stayed: only the port was rewritten
        mapping["pre_nat_source"] = address_text(case.source)
        mapping["pre_nat_destination"] = address_text(case.destination)
        return mapping, []
    found = candidates(context, case.source, case.destination, value)
    known = proven(found)
    if known is not None:
        mapping[f"pre_nat_{known.role}"] = known.text
    mapping["candidates"] = [c.text for c in found]
    return mapping, found


def _finding(context: Context, case: Place, groups: dict[int, I64], rows: I64) -> Finding:
    open_sign = _sign_is_open(context, case, rows)
    confidence, observations = _confidence(context, case, rows, open_sign=open_sign)
    mappings, all_candidates = [], []
    for value, members in groups.items():
        mapping, found = _mapping(context, case, value, members)
        mappings.append(mapping)
        all_candidates += found
    first = int(rows[0])
    port, vni = int(context.suspects["outer_dport"][first]), int(context.suspects["vni"][first])
    spared = case.path.outer(SPARED, Status.ZERO)
    evidence: dict[str, Any] = {
        "post_nat_source": address_text(case.source),
        "destination": address_text(case.destination),
        "destination_port": port,
        "vni": vni,
        "found": hex16(context.suspects["outer_udp_found"][first]),
        "expected": hex16(context.expected("outer_udp", rows[:1])[0]),
        "formula": "found = S(new address) - S(old address) modulo 0xffff; 0 is sent as 0xffff",
        "observations": observations,
        "chance": float(f"{repeats(rows.size, observations):.2g}"),
        "frames_without_checksum": case.zero,
        "spared_icmp_and_other": spared,
        "connections": connections(context, rows),
        "mappings": mappings,
    }
    for name in ("pre_nat_source", "pre_nat_destination"):
        values = {mapping[name] for mapping in mappings}
        if len(values) == 1 and None not in values:
            evidence[name] = values.pop()
    if all_candidates:
        evidence["candidates"] = list(dict.fromkeys(c.text for c in all_candidates))
    if open_sign:
        evidence["alternatives"] = [
            "VX103: a translator that kept the ports and updated the empty field leaves such "
            "values as well, with the addresses exchanged; inner ICMP tells them apart: it keeps "
            "its zero here, and is hit there"
        ]
    kept = set(groups) == {_FIELD_VALUES}
    what = (
        "The field is 0xffff, which is what the address difference 0 becomes: NAT kept the address "
        "and changed the port."
        if kept
        else "The field is the difference of the addresses before and after NAT."
    )
    contrast = (
        f" {spared} packets with inner ICMP or ARP on the same path kept their zero."
        if spared
        else ""
    )
    explanation = (
        "This tunnel sends no outer UDP checksum, but the kernel wrote one into the packets that "
        f"NAT rewrote while their inner checksum was left to the device. {what}{contrast} "
        "A receiver that verifies it drops the packet."
    )
    return context.finding(
        RULE,
        rows,
        confidence=confidence,
        explanation=explanation,
        evidence=evidence,
        remedies=remedies(port, vni),
    )


def remedies(port: int, vni: int) -> tuple[Remedy, ...]:
    """Return what cures the defect on the node that sent the packets."""
    return (
        *offload_off(platform_of(port, vni)),
        Remedy(
            "Kubernetes before 1.16.13, 1.17.9, 1.18.6 or 1.19",
            "kubectl -n kube-system get daemonset kube-proxy -o wide",
            "shows the version; a newer one stops the second masquerade of the tunnel packet",
        ),
        Remedy(
            "the kernel lacks commit ea64d8d6c675 (5.7; stable 5.6.13, 5.4.41, 4.19.123, 4.14.181)",
            "uname -r",
            "a kernel with the commit leaves a checksum of zero alone; it cures this, not VX102",
        ),
        without_nat(port),
    )
