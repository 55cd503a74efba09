"""``vxcsum explain``: one frame as a teacher would show it."""

from __future__ import annotations

import warnings

import click

from vxcsum.cli.completion import complete_file
from vxcsum.cli.options import ENGINE, PORT, PROGRESS, listed, parse_ports, show_warnings
from vxcsum.cli.progress import ProgressLine
from vxcsum.rules.vantage import VANTAGES
from vxcsum.source.whole import write_whole


@click.command()
@click.argument("capture", metavar="CAPTURE", shell_complete=complete_file)
@click.argument("frame", type=click.IntRange(min=1), metavar="FRAME")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "json", "html"]),
    default="text",
    show_default=True,
)
@click.option(
    "--output",
    "-o",
    metavar="FILE",
    shell_complete=complete_file,
    help="Write the explanation there.",
)
@PORT
@click.option(
    "--pre-nat",
    multiple=True,
    metavar="ADDRESS|CIDR",
    help="Where packets may have come from before NAT. Repeatable.",
)
@click.option("--vantage", type=click.Choice(VANTAGES), default="auto", show_default=True)
@ENGINE
@PROGRESS
def explain(
    capture: str,
    frame: int,
    format_: str,
    output: str | None,
    port: tuple[str, ...],
    pre_nat: tuple[str, ...],
    vantage: str,
    engine: str,
    *,
    no_progress: bool,
) -> None:
    """Show the sums of one frame in steps, and what fits.

    FRAME counts from 1, as Wireshark does. The whole capture is analysed, too, to tell which of its
    findings name the frame.
    """
    from vxcsum.explain import explain as run

    with (
        warnings.catch_warnings(record=True) as caught,
        ProgressLine(wanted=not no_progress) as progress,
    ):
        warnings.simplefilter("always")
        found = run(
            capture,
            frame,
            ports=parse_ports(port),
            engine=engine,
            pre_nat=listed(pre_nat, "--pre-nat") or (),
            vantage=vantage,
            on_start=progress.watch,
        )
    show_warnings(caught)
    if format_ == "json":
        text = found.to_json()
    elif format_ == "html":
        text = found.to_html() + "\n"
    else:
        text = found.to_text()
    if output is None or output == "-":
        click.echo(text, nl=False)
    else:
        write_whole(output, text, [capture])
