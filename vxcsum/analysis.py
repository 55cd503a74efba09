"""The functions that users call: `analyze`, `compare`, `read_packets`, `iter_packets`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from vxcsum._version import __version__
from vxcsum.checksum.table import PacketTable, concatenate
from vxcsum.errors import VxcsumError
from vxcsum.evidence.evidence import Evidence
from vxcsum.evidence.occurrences import MAX_FRAME_NUMBERS
from vxcsum.pipeline import Reading
from vxcsum.report.report import Report
from vxcsum.rules.engine import COUNTS, diagnose, selected
from vxcsum.rules.prepared import CaptureFacts
from vxcsum.rules.vantage import VANTAGES

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Iterator

    from vxcsum.errors import CaptureError
    from vxcsum.report.comparison import Comparison
    from vxcsum.rules.prepared import Network


def analyze(
    source: Any,
    *,
    ports: Collection[int] | None = None,
    engine: str = "auto",
    jobs: int | None = None,
    select: Iterable[str] | None = None,
    ignore: Iterable[str] | None = None,
    pre_nat: Iterable[str] = (),
    vantage: str = "auto",
    listed_frames: int = MAX_FRAME_NUMBERS,
    on_error: Callable[[CaptureError], None] | None = None,
    on_table: Callable[[PacketTable], None] | None = None,
    on_start: Callable[[Reading], None] | None = None,
) -> Report:
    """Verify every checksum of some captures and name what went wrong.

    Parameters
    ----------
    source : path, glob, directory, "-", URL, bytes, binary file, packets, or a list of them
    ports : collection of int, optional
        UDP destination ports of VXLAN; the default set where None.
    engine : {"auto", "native", "numpy"}
        The kernel that dissects and sums.
    jobs : int, optional
        Threads; by default all cores for large captures, one for small ones.
    select, ignore : iterable of str, optional
        Rules by code or its beginning.
    pre_nat : iterable of str
        Addresses or networks that packets may have come from before NAT.
    vantage : {"auto", "sender", "receiver", "wire"}
        Where the captures were taken; it decides whether unfinished checksums are an error.
    listed_frames : int
        Frames that a finding names by number at most.
    on_error : callable, optional
        Is told of each input that cannot be read; without it the error is raised.
    on_table : callable, optional
        Is given the frames as `iter_packets` yields them, so that one reading serves both.
    on_start : callable, optional
        Is given the `Reading` before it begins; its ``position`` tells how far it has come.

    Returns
    -------
    Report

    Raises
    ------
    CaptureError
        An input that is no capture or cannot be read.

    Warns
    -----
    TruncatedCaptureWarning
        A capture that ends early; it is analysed up to there.
    """
    networks = networks_of(pre_nat)
    if vantage not in VANTAGES:
        problem = f"unknown vantage {vantage!r}: wanted one of {', '.join(VANTAGES)}"
        raise VxcsumError(problem)
    selected(select, ignore)  # a wrong rule is told before the work, not after it
    reading = Reading(source, ports=ports, engine=engine, jobs=jobs, on_error=on_error)
    evidence = Evidence(reading.ports, reading.engine.NAME, listed=listed_frames, counts=COUNTS)
    if on_start is not None:
        on_start(reading)
    for table in reading.tables():
        evidence.update(table)
        if on_table is not None:
            on_table(table)
    facts = [
        CaptureFacts(i.name, i.frames, i.snaplen, i.complete, i.damage, i.last_timestamp)
        for i in reading.captures
    ]
    findings = diagnose(
        evidence, facts, pre_nat=networks, vantage=vantage, select=select, ignore=ignore
    )
    return Report(
        version=__version__,
        engine=reading.engine.NAME,
        captures=reading.captures,
        vxlan_ports=reading.ports,
        evidence=evidence,
        findings=findings,
    )


def compare(before: Any, after: Any, **options: Any) -> Comparison:
    """Put two captures side by side: corruption, goodput, handshakes, offload.

    Parameters
    ----------
    before, after : source
        As for `analyze`: the same kind of traffic before a change and after it.
    **options
        Passed to `analyze`.

    Returns
    -------
    Comparison
    """
    from vxcsum.report.comparison import Comparison  # where it is asked for

    return Comparison(analyze(before, **options), analyze(after, **options))


def iter_packets(
    source: Any,
    *,
    ports: Collection[int] | None = None,
    engine: str = "auto",
    jobs: int | None = None,
) -> Iterator[PacketTable]:
    """Yield the frames of some captures in tables of bounded size.

    Parameters
    ----------
    source, ports, engine, jobs
        As for `analyze`.

    Yields
    ------
    PacketTable
        In the order of the captures; no table spans two of them.
    """
    return Reading(source, ports=ports, engine=engine, jobs=jobs).tables()


def read_packets(
    source: Any,
    *,
    ports: Collection[int] | None = None,
    engine: str = "auto",
    jobs: int | None = None,
) -> PacketTable:
    """Return all frames of some captures as one table, about 250 octets a frame.

    Parameters
    ----------
    source, ports, engine, jobs
        As for `analyze`.

    Returns
    -------
    PacketTable
    """
    return concatenate(list(iter_packets(source, ports=ports, engine=engine, jobs=jobs)))


def networks_of(addresses: Iterable[str]) -> tuple[Network, ...]:
    """Return networks from addresses and CIDR notations.

    Raises
    ------
    VxcsumError
        One that is neither.
    """
    networks = []
    for text in [addresses] if isinstance(addresses, str) else addresses:
        import ipaddress  # most calls give none

        try:
            networks.append(ipaddress.ip_network(text, strict=False))
        except ValueError as error:
            problem = f"{text!r} is neither an address nor a network in CIDR notation"
            raise VxcsumError(problem) from error
    return tuple(networks)
