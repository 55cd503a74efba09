"""Where a capture was taken: before the sending device, behind it, or at the receiver.

It decides whether an unfinished checksum is an artefact or a leak. Sources: SLL packet types,
pcapng EPB flags; fact sheet P10, P11 and P59.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vxcsum.evidence.captures import CaptureEvidence

VANTAGES = ("auto", "sender", "receiver", "wire")


@dataclass(frozen=True, slots=True)
class Vantage:
    """Where a capture was taken, and how that is known."""

    where: str  # "sender", "receiver" or "wire"
    reason: str
    given: bool = False


def vantage_of(capture: CaptureEvidence, asked: str = "auto") -> Vantage:
    """Return the vantage of a capture.

    Parameters
    ----------
    capture : CaptureEvidence
    asked : {"auto", "sender", "receiver", "wire"}
        What the user says; believed.
    """
    if asked != "auto":
        return Vantage(asked, "as given by --vantage", given=True)
    pending = capture.seen("VX201").frames + capture.seen("VX203").frames
    if capture.partial_out:
        return Vantage(
            "sender", f"{capture.partial_out} outgoing packets have unfinished checksums"
        )
    if capture.partial_in and capture.partial_in == capture.seen("VX201").frames:
        return Vantage(
            "receiver", f"all {capture.partial_in} packets with unfinished checksums are incoming"
        )
    if pending:
        return Vantage("sender", f"{pending} packets have unfinished checksums")
    large = capture.seen("VX903").frames
    if large:
        return Vantage("sender", f"{large} frames are larger than a wire carries")
    return Vantage("wire", "no unfinished checksum and no superframe")
