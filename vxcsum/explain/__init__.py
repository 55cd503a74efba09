"""One frame as a teacher would show it: headers, sums in steps, and the formulas that fit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable

    from vxcsum.explain.explanation import Explanation
    from vxcsum.pipeline import Reading

__all__ = ["explain"]


def explain(
    source: Any,
    frame: int,
    *,
    ports: Collection[int] | None = None,
    engine: str = "auto",
    jobs: int | None = None,
    pre_nat: Iterable[str] = (),
    vantage: str = "auto",
    on_start: Callable[[Reading], None] | None = None,
) -> Explanation:
    """Explain the checksums of one frame.

    Parameters
    ----------
    source : path, "-", URL, bytes or binary file
        One capture; read more than once, so what is no regular file is copied to a temporary one.
    frame : int
        Its number, from 1, as Wireshark counts.
    ports, engine, jobs, pre_nat, vantage
        As for `vxcsum.analyze`; the whole capture is analysed, too.
    on_start : callable, optional
        Is given each `Reading` before it begins, to see how far it has come.

    Returns
    -------
    Explanation

    Raises
    ------
    CaptureError
        The source is no capture or cannot be read.
    VxcsumError
        The capture has no such frame.

    Examples
    --------
    >>> explain("captures/kernel/u61bug-k8s-clusterip-norehash.snd.pcap", frame=7)
    <Explanation: frame 7, outer_ipv4 valid, outer_udp invalid, inner_ipv4 valid, inner_tcp partial>
    """
    from vxcsum.explain.explanation import explained  # ``import vxcsum`` need not wait for it

    return explained(
        source,
        frame,
        ports=ports,
        engine=engine,
        jobs=jobs,
        pre_nat=pre_nat,
        vantage=vantage,
        on_start=on_start,
    )
