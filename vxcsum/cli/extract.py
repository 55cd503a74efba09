"""``vxcsum extract``: chosen frames of a capture, or a display filter that shows them."""

from __future__ import annotations

import sys
import warnings
from typing import TYPE_CHECKING, Any

import click

from vxcsum.checksum.status import LAYERS, STATUSES
from vxcsum.cli.completion import complete_file, complete_rules, complete_words
from vxcsum.cli.options import ENGINE, PORT, PROGRESS, listed, parse_ports, show_warnings
from vxcsum.cli.progress import ProgressLine
from vxcsum.errors import VxcsumError
from vxcsum.report.text import printable
from vxcsum.rules.vantage import VANTAGES

if TYPE_CHECKING:
    from vxcsum.editing import Extraction

_STATUSES = " or ".join(status.name.lower() for status in STATUSES)


@click.command()
@click.argument("capture", metavar="CAPTURE", shell_complete=complete_file)
@click.option(
    "--output",
    "-o",
    metavar="FILE",
    shell_complete=complete_file,
    help='Write the frames there; "-": to stdout.',
)
@click.option(
    "--rule",
    multiple=True,
    metavar="CODE",
    shell_complete=complete_rules,
    help="Frames that such a finding names.",
)
@click.option(
    "--status",
    multiple=True,
    metavar="STATUS",
    shell_complete=complete_words([status.name.lower() for status in STATUSES]),
    help=f"Frames with a checksum that is {_STATUSES}; in the layers given. Repeatable.",
)
@click.option(
    "--layer",
    multiple=True,
    metavar="LAYER",
    shell_complete=complete_words(LAYERS),
    help=f"Frames with a checksum of this layer: {', '.join(LAYERS)}. Repeatable.",
)
@click.option("--frames", metavar="RANGES", help="Frame numbers: 1-10,25 or 40-.")
@click.option(
    "--flow",
    multiple=True,
    metavar="A:PORT-B:PORT",
    help="Both directions, tunnel or inner endpoints; [v6]:port, * for any. Repeatable.",
)
@click.option("--time", metavar="FROM..TO", help="ISO times or seconds after the first frame.")
@click.option("--comment", is_flag=True, help="Say on each frame what was found (pcapng).")
@click.option(
    "--filter",
    "filter_",
    type=click.Choice(["frames", "flows"]),
    help="Print a Wireshark display filter: by frame number, or by connection.",
)
@PORT
@click.option(
    "--pre-nat",
    multiple=True,
    metavar="ADDRESS|CIDR",
    help="Where packets may have come from before NAT, as for analyze.",
)
@click.option("--vantage", type=click.Choice(VANTAGES), default="auto", show_default=True)
@ENGINE
@click.option("--quiet", "-q", is_flag=True, help="Say nothing of what was written, no hint.")
@PROGRESS
def extract(
    capture: str,
    output: str | None,
    rule: tuple[str, ...],
    status: tuple[str, ...],
    layer: tuple[str, ...],
    frames: str | None,
    flow: tuple[str, ...],
    time: str | None,
    filter_: str | None,
    port: tuple[str, ...],
    pre_nat: tuple[str, ...],
    vantage: str,
    engine: str,
    *,
    comment: bool,
    quiet: bool,
    no_progress: bool,
) -> None:
    """Write chosen frames to a new capture, each record as it was.

    Options of several kinds narrow further; several of one kind widen. The container is that of
    CAPTURE, unless FILE ends in .pcap or .pcapng.
    """
    from vxcsum.editing import display_filter
    from vxcsum.editing import extract as run

    if output is None and filter_ is None:
        problem = "where to? Wanted: --output FILE, or --filter"
        raise click.UsageError(problem)
    wanted: dict[str, Any] = {
        "rule": listed(rule, "--rule") or (),
        "status": listed(status, "--status") or (),
        "layer": listed(layer, "--layer") or (),
        "frames": frames,
        "flow": flow,
        "time": time,
        "ports": parse_ports(port),
        "pre_nat": listed(pre_nat, "--pre-nat") or (),
        "vantage": vantage,
        "engine": engine,
    }
    if capture == "-" and output is not None and filter_ is not None:
        raise VxcsumError("standard input is read once: give --output or --filter, not both")
    with (
        warnings.catch_warnings(record=True) as caught,
        ProgressLine(wanted=not no_progress) as progress,
    ):
        warnings.simplefilter("always")
        result = None
        if output is not None:
            destination = sys.stdout.buffer if output == "-" else output
            result = run(capture, destination, comment=comment, on_start=progress.watch, **wanted)
        shown = None
        ports: list[int] = []
        if filter_ is not None:
            shown = display_filter(capture, by=filter_, on_ports=ports.extend, **wanted)
    show_warnings(caught)
    if shown is not None:
        click.echo(shown, err=output == "-")
        if ports and not quiet:
            decode = " ".join(f"-d udp.port=={number},vxlan" for number in ports)
            hint = f"by default Wireshark does not look into these tunnels; it needs {decode}"
            click.echo(f"vxcsum: {hint} (Decode As)", err=True)
    if result is not None and (not quiet or not result.written):
        _tell(result)


def _tell(result: Extraction) -> None:
    click.echo(f"vxcsum: {printable(str(result))}", err=True)
    if not result.written:
        click.echo("vxcsum: no frame was chosen, so the capture has none", err=True)
    if result.uncommented:
        note = f"{result.uncommented:,} frames are in blocks that cannot hold a comment"
        click.echo(f"vxcsum: {note}", err=True)
