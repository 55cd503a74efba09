"""``vxcsum compare``: before a change and after it."""

from __future__ import annotations

import warnings

import click

from vxcsum import _optional
from vxcsum.analysis import compare as run
from vxcsum.cli import outputs
from vxcsum.cli.completion import complete_file
from vxcsum.cli.options import ENGINE, PORT, PROGRESS, parse_ports, plot_format, show_warnings
from vxcsum.cli.progress import ProgressLine
from vxcsum.errors import TruncatedCaptureWarning
from vxcsum.rules.vantage import VANTAGES
from vxcsum.source.whole import whole_file


@click.command()
@click.argument("before", shell_complete=complete_file)
@click.argument("after", shell_complete=complete_file)
@PORT
@click.option(
    "--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True
)
@click.option(
    "--output",
    "-o",
    metavar="FILE",
    shell_complete=complete_file,
    help="Write the comparison there.",
)
@click.option(
    "--plot",
    metavar="FILE",
    shell_complete=complete_file,
    help="Draw it as .svg, .png or .pdf (matplotlib).",
)
@click.option("--vantage", type=click.Choice(VANTAGES), default="auto", show_default=True)
@ENGINE
@click.option("--jobs", "-j", type=click.IntRange(min=1), help="Threads; all cores if large.")
@PROGRESS
def compare(
    before: str,
    after: str,
    port: tuple[str, ...],
    format_: str,
    output: str | None,
    plot: str | None,
    vantage: str,
    engine: str,
    jobs: int | None,
    *,
    no_progress: bool,
) -> None:
    """Put two captures side by side: corruption, offload, throughput, connection delay.

    BEFORE and AFTER hold the same kind of traffic, before a change and after it.
    """
    if output == "-":
        output = None
    outputs.all_different(output=output, plot=plot)
    drawn_as = None if plot is None else plot_format(plot)
    if drawn_as is not None:
        _optional.matplotlib()  # told before the work
    with (
        warnings.catch_warnings(record=True) as caught,
        ProgressLine(wanted=not no_progress) as progress,
    ):
        warnings.simplefilter("always", TruncatedCaptureWarning)
        comparison = run(
            before,
            after,
            ports=parse_ports(port),
            vantage=vantage,
            engine=engine,
            jobs=jobs,
            on_start=progress.watch,
        )
    show_warnings(caught)
    text = comparison.to_json() if format_ == "json" else comparison.to_text()
    if output is None:
        click.echo(text, nl=False)
    else:
        outputs.write_whole(output, text, [before, after])
    if plot is not None and drawn_as is not None:
        from vxcsum.report.figure import write  # needs Matplotlib

        with whole_file(plot, [before, after]) as file:
            write(comparison.plot(), file, drawn_as)
