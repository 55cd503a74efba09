"""# VX204 inner-partial-outer-valid

## What it means

The outer UDP checksum is right for the octets in the capture, and the inner checksum among them
is unfinished (`CHECKSUM_PARTIAL`). Whoever encapsulated the packet summed it as it was.

## Why it matters

No device on the way finishes the inner checksum, and if one did, the outer would be wrong. The
receiving host drops the inner packet. TCP and UDP through the tunnel fail, ping works.

## How it is recognised

Both hold, and the outer field is not 0:

    outer residual = 0
    inner field = S(inner pseudo-header)

The kernel never sends this. Where it leaves the inner checksum to the device, its own outer
checksum is the one that will be right afterwards (local checksum offload).

## Example

    vxcsum analyze captures/synthetic/vx204.pcap

## Usual causes

* A tunnel end outside the kernel (DPDK, a hypervisor switch, a userspace proxy) that takes
  unfinished packets from a guest or a tap device and does not complete them.

## Look-alikes

* VX201: the outer checksum is 0, unfinished itself, or right only once the inner one is
  finished.
* VX202: unfinished inner checksums on the wire, below a tunnel without outer checksums.

## What to do

Switch transmit checksum offload off on the interface that feeds the tunnel end, and report it
to the maker of the tunnel end:

    ethtool -K ens192 tx-checksum-ip-generic off

## References

projectcalico/calico #7040. docs/fact-sheet.md, P13.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from vxcsum.checksum.status import Status
from vxcsum.rules.mistakes import Formula
from vxcsum.rules.model import Remedy, Rule, Severity
from vxcsum.rules.prices import CLAIMS
from vxcsum.rules.scope import TRANSPORT, Scope

if TYPE_CHECKING:
    from vxcsum.packet.columns import Bool
    from vxcsum.rules.case import Case

RULE = Rule(
    "VX204",
    "inner-partial-outer-valid",
    "The outer checksum was computed over an unfinished inner one",
    Severity.ERROR,
    wrong=Status.PARTIAL,
    formula="outer residual = 0, inner field = S(inner pseudo-header)",
    sentence=(
        "The outer checksum covers the inner packet as it is here, with its checksum "
        "unfinished. Nobody will finish it later; the receiver drops the inner packet."
    ),
    remedies=(
        Remedy(
            "the guest or device that feeds the tunnel",
            "ethtool -K ens192 tx-checksum-ip-generic off",
            "costs throughput there: checksums in software",
        ),
    ),
)


def _unfinished(case: Case) -> list[Bool]:
    return [case.column("inner_l4_status") == Status.PARTIAL]


LAWS = (Formula(_unfinished, "inner_l4", CLAIMS["VX204"], scope=Scope(TRANSPORT)),)
