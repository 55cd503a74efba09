"""``vxcsum analyze``: the main job."""

from __future__ import annotations

import sys
import warnings
from contextlib import ExitStack
from typing import TYPE_CHECKING

import click

from vxcsum import _optional
from vxcsum.analysis import analyze as run
from vxcsum.cli.completion import complete_file, complete_rules
from vxcsum.cli.options import (
    ENGINE,
    PORT,
    PROGRESS,
    listed,
    parse_ports,
    plot_format,
    show_warnings,
    wants_color,
)
from vxcsum.cli.progress import ProgressLine
from vxcsum.errors import TruncatedCaptureWarning, VxcsumError
from vxcsum.report.formats import FORMATS, render
from vxcsum.report.text import printable
from vxcsum.rules.model import Severity
from vxcsum.rules.vantage import VANTAGES

if TYPE_CHECKING:
    from vxcsum.errors import CaptureError


_SEVERITIES = [severity.name.lower() for severity in Severity]


@click.command()
@click.argument(
    "captures", nargs=-1, required=True, metavar="CAPTURE...", shell_complete=complete_file
)
@PORT
@click.option("--format", "format_", type=click.Choice(FORMATS), default="text", show_default=True)
@click.option(
    "--output",
    "-o",
    metavar="FILE",
    shell_complete=complete_file,
    help="Write the report there.",
)
@click.option(
    "--packets",
    metavar="FILE",
    shell_complete=complete_file,
    help="Write a table of all frames there: a name that ends in .parquet, .arrow or .csv.",
)
@click.option(
    "--flows",
    metavar="FILE",
    shell_complete=complete_file,
    help="Write a table of all connections there, as for --packets.",
)
@click.option(
    "--select",
    multiple=True,
    metavar="RULES",
    shell_complete=complete_rules,
    help="Only these rules, by prefix.",
)
@click.option(
    "--ignore",
    multiple=True,
    metavar="RULES",
    shell_complete=complete_rules,
    help="Without these rules, by prefix.",
)
@click.option(
    "--html",
    metavar="FILE",
    shell_complete=complete_file,
    help="Write the report as one HTML page, to be mailed.",
)
@click.option(
    "--plot",
    metavar="FILE",
    shell_complete=complete_file,
    help="Write its pictures as .svg, .png or .pdf (matplotlib).",
)
@click.option(
    "--pre-nat",
    multiple=True,
    metavar="ADDRESS|CIDR",
    help="Where packets may have come from before NAT. Repeatable.",
)
@click.option(
    "--vantage",
    type=click.Choice(VANTAGES),
    default="auto",
    show_default=True,
    help="Where the captures were taken: it decides what unfinished checksums mean.",
)
@ENGINE
@click.option("--jobs", "-j", type=click.IntRange(min=1), help="Threads; all cores if large.")
@click.option(
    "--fail-on",
    type=click.Choice(["never", *_SEVERITIES]),
    default="error",
    show_default=True,
    help="Exit with status 1 on findings of this severity or worse.",
)
@click.option(
    "--top",
    type=click.IntRange(min=0),
    default=0,
    metavar="N",
    help="List N connections in the text: the longest waits, then the most octets.",
)
@click.option("--quiet", "-q", is_flag=True, help="No report; the exit status tells.")
@click.option("--no-color", is_flag=True, help="No colours, also on a terminal.")
@PROGRESS
def analyze(
    captures: tuple[str, ...],
    port: tuple[str, ...],
    format_: str,
    output: str | None,
    packets: str | None,
    flows: str | None,
    html: str | None,
    plot: str | None,
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    pre_nat: tuple[str, ...],
    vantage: str,
    engine: str,
    jobs: int | None,
    fail_on: str,
    top: int,
    *,
    quiet: bool,
    no_color: bool,
    no_progress: bool,
) -> None:
    """Verify all checksums of captures, and name what went wrong.

    CAPTURE is a path, a glob, a directory, "-" for standard input, or a URL.
    """
    failed: list[CaptureError] = []
    if plot is not None:  # what is wrong with it is told before the work, not after it
        plot_format(plot)
        _optional.matplotlib()
    if output == "-":
        output = None
    if html == "-" and output is None and not quiet:
        problem = "--html - and the report are both for standard output: wanted -q or -o FILE"
        raise VxcsumError(problem)

    def tell(error: CaptureError) -> None:
        failed.append(error)
        click.echo(f"vxcsum: {printable(str(error))}", err=True)

    with ExitStack() as stack:
        caught = stack.enter_context(warnings.catch_warnings(record=True))
        warnings.simplefilter("always", TruncatedCaptureWarning)
        on_table = flow_file = None
        if any(path is not None for path in (output, packets, flows, html, plot)):
            from vxcsum.cli import outputs  # a report to the terminal needs it not

            outputs.all_different(output=output, packets=packets, flows=flows, html=html, plot=plot)
            outputs.check_folders(output, html, plot)
            if packets is not None:
                on_table = stack.enter_context(outputs.packet_file(packets, captures)).write
            if flows is not None:
                flow_file = stack.enter_context(outputs.flow_file(flows, captures))
        progress = stack.enter_context(ProgressLine(wanted=not no_progress))
        report = run(
            list(captures),
            ports=parse_ports(port),
            engine=engine,
            select=listed(select, "--select"),
            ignore=listed(ignore, "--ignore"),
            vantage=vantage,
            jobs=jobs,
            pre_nat=[part for value in pre_nat for part in value.split(",")],
            on_error=tell,
            on_table=on_table,
            on_start=progress.watch,
        )
        if not report.captures:  # inside, so that no table appears
            if failed:
                sys.exit(2)
            problem = "no capture found in " + ", ".join(printable(name) for name in captures)
            raise VxcsumError(problem)
        if flow_file is not None:
            outputs.write_flows(flow_file, report.flows)
    show_warnings(caught)
    if not quiet:
        color = output is None and wants_color(no_color=no_color)
        text = render(report, format_, color=color, top=top)
        if output is None:
            click.echo(text, nl=False, color=color)
        else:
            outputs.write_whole(output, text, captures)
    if report.captures and html is not None:
        if html == "-":
            click.echo(report.to_html(), nl=False)
        else:
            outputs.write_whole(html, report.to_html(), captures)
    if report.captures and plot is not None:
        outputs.write_plots(plot, plot_format(plot), report, captures)
    if failed:
        sys.exit(2)
    worst = report.worst
    if fail_on != "never" and worst is not None and worst >= Severity[fail_on.upper()]:
        sys.exit(1)
