"""``vxcsum analyze``: the main job."""

from __future__ import annotations

import sys
import warnings
from typing import TYPE_CHECKING

import click

from vxcsum.analysis import analyze as run
from vxcsum.cli.options import listed, parse_ports, wants_color
from vxcsum.errors import TruncatedCaptureWarning, VxcsumError
from vxcsum.packet.engine import ENGINES
from vxcsum.report.text import printable
from vxcsum.rules.base import Severity
from vxcsum.rules.vantage import VANTAGES

if TYPE_CHECKING:
    from vxcsum.errors import CaptureError

_SEVERITIES = [severity.name.lower() for severity in Severity]


@click.command()
@click.argument("captures", nargs=-1, required=True, metavar="CAPTURE...")
@click.option(
    "--port",
    multiple=True,
    metavar="PORT",
    help="UDP port of VXLAN instead of the default set; +PORT adds one. Repeatable.",
)
@click.option(
    "--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True
)
@click.option("--output", "-o", metavar="FILE", help="Write the report there.")
@click.option("--select", multiple=True, metavar="RULES", help="Only these rules, by prefix.")
@click.option("--ignore", multiple=True, metavar="RULES", help="Without these rules, by prefix.")
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
@click.option("--engine", type=click.Choice(ENGINES), default="auto", show_default=True)
@click.option("--jobs", "-j", type=click.IntRange(min=1), help="Threads; all cores if large.")
@click.option(
    "--fail-on",
    type=click.Choice(["never", *_SEVERITIES]),
    default="error",
    show_default=True,
    help="Exit with status 1 on findings of this severity or worse.",
)
@click.option("--quiet", "-q", is_flag=True, help="No report; the exit status tells.")
@click.option("--no-color", is_flag=True, help="No colours, also on a terminal.")
@click.option("--no-progress", is_flag=True, help="Accepted for scripts; nothing to switch off.")
def analyze(
    captures: tuple[str, ...],
    port: tuple[str, ...],
    format_: str,
    output: str | None,
    select: tuple[str, ...],
    ignore: tuple[str, ...],
    pre_nat: tuple[str, ...],
    vantage: str,
    engine: str,
    jobs: int | None,
    fail_on: str,
    *,
    quiet: bool,
    no_color: bool,
    no_progress: bool,
) -> None:
    """Verify all checksums of captures, and name what went wrong.

    CAPTURE is a path, a glob, a directory, "-" for standard input, or a URL.
    """
    failed: list[CaptureError] = []
    if output == "-":
        output = None

    def tell(error: CaptureError) -> None:
        failed.append(error)
        click.echo(f"vxcsum: {printable(str(error))}", err=True)

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always", TruncatedCaptureWarning)
        report = run(
            list(captures),
            ports=parse_ports(port),
            engine=engine,
            select=listed(select),
            ignore=listed(ignore),
            vantage=vantage,
            jobs=jobs,
            pre_nat=[part for value in pre_nat for part in value.split(",")],
            on_error=tell,
        )
    for warning in caught:
        click.echo(f"vxcsum: warning: {printable(str(warning.message))}", err=True)
    if report.captures and not quiet:
        color = output is None and wants_color(no_color=no_color)
        text = report.to_json() if format_ == "json" else report.to_text(color=color)
        if output is None:
            click.echo(text, nl=False, color=color)
        else:
            from vxcsum.source.whole import write_whole

            write_whole(output, text, captures)
    if failed:
        sys.exit(2)
    if not report.captures:
        problem = "no capture found in " + ", ".join(printable(name) for name in captures)
        raise VxcsumError(problem)
    worst = report.worst
    if fail_on != "never" and worst is not None and worst >= Severity[fail_on.upper()]:
        sys.exit(1)
