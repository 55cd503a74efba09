"""Captures of frames that people build with scapy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from vxcsum import _optional
from vxcsum.errors import VxcsumError
from vxcsum.source.whole import whole_file
from vxcsum.synth.build import START
from vxcsum.synth.containers import checked_size, container_of, file_of

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

_RAW = 101
_ANY_IP = {228, 229}


def from_scapy(
    packets: Any | Iterable[Any],
    destination: str | os.PathLike[str] | None = None,
    *,
    container: str | None = None,
) -> bytes:
    """Return a capture of packets built with scapy.

    scapy computes the checksums that are not given. Times are a millisecond apart.

    Parameters
    ----------
    packets : scapy packet, or iterable of them
        All of one link type: Ethernet, Linux cooked, or IP.
    destination : path, optional
        Where the capture is written as well; no truth is known of it.
    container : {"pcap", "pcapng"}, optional
        By the name of ``destination`` where None.

    Returns
    -------
    bytes
        The capture.

    Raises
    ------
    MissingDependencyError
        scapy is not installed.
    VxcsumError
        Something that is no packet, packets of several link types, or frames that are too large.
    """
    scapy = _optional.scapy()
    packets = [packets] if isinstance(packets, scapy.Packet) else list(packets)
    linktypes = set()
    for packet in packets:
        if not isinstance(packet, scapy.Packet):
            problem = f"{type(packet).__name__} is no scapy packet"
            raise VxcsumError(problem)
        try:
            linktype = scapy.conf.l2types.layer2num[type(packet)]
        except KeyError:
            linktype = scapy.conf.l3types.layer2num.get(type(packet))
            if linktype is None:
                problem = f"a frame cannot begin with {packet.name}: wanted Ethernet or IP"
                raise VxcsumError(problem) from None
            linktype = _RAW
        linktypes.add(_RAW if linktype in _ANY_IP else linktype)
    if len(linktypes) != 1:
        problem = f"packets of {len(linktypes)} link types: wanted 1"
        raise VxcsumError(problem)
    frames = [bytes(packet) for packet in packets]
    checked_size(frames)
    form = container_of("" if destination is None else Path(destination).name, container)
    timed = ((f, START + 1000 * number, len(f)) for number, f in enumerate(frames))
    data = file_of(timed, linktypes.pop(), form)
    if destination is not None:
        with whole_file(Path(destination)) as out:
            out.write(data)
    return data
