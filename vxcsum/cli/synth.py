"""``vxcsum synth``: captures with a known truth."""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

import click

from vxcsum.cli.completion import complete_rules
from vxcsum.report.text import printable
from vxcsum.synth.containers import CONTAINERS
from vxcsum.synth.shapes import SHAPES
from vxcsum.synth.writing import truth_file, write_capture

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

_FACTORS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


_SIZE = re.compile(r"([0-9]{1,18}(?:\.[0-9]{1,9})?)([KMGT]?)B?")


def _size(_ctx: click.Context, _param: click.Parameter, value: str | None) -> int | None:
    """Return octets from ``50000``, ``200M``, ``2.5G``."""
    if value is None:
        return None
    match = _SIZE.fullmatch(value.strip().upper())
    if match is None:
        problem = f"{value!r} is no size: wanted 50000, 200M or 2.5G"
        raise click.BadParameter(problem)
    return int(float(match[1]) * _FACTORS[match[2]])


def _complete_scenario(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    from click.shell_completion import CompletionItem

    healthy = [CompletionItem("healthy")] if "healthy".startswith(incomplete) else []
    return healthy + complete_rules(context, parameter, incomplete)


@click.command()
@click.argument("scenario", shell_complete=_complete_scenario)
@click.option("--output", "-o", required=True, metavar="OUT", help='"-" for standard output.')
@click.option("--frames", type=click.IntRange(min=1), help="How many in all.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True)
@click.option(
    "--rate", type=click.FloatRange(0, 1), metavar="SHARE", help="Share of wrong frames, 0 to 1."
)
@click.option("--size", callback=_size, metavar="BYTES", help="Of the file: 50000, 200M, 2.5G.")
@click.option(
    "--shape",
    type=click.Choice(list(SHAPES)),
    help="Of the healthy traffic; mixed, and around a scenario summed, where not given.",
)
@click.option(
    "--format",
    "format_",
    type=click.Choice(list(CONTAINERS)),
    help="By the name of OUT where not given.",
)
@click.option("--quiet", "-q", is_flag=True, help="Say nothing.")
def synth(
    scenario: str,
    output: str,
    frames: int | None,
    seed: int,
    rate: float | None,
    size: int | None,
    shape: str | None,
    format_: str | None,
    *,
    quiet: bool,
) -> None:
    """Make a capture with a known truth, which is written to OUT.truth.json.

    SCENARIO is a rule code, or healthy. The same arguments give the same octets.
    """
    truth = write_capture(
        scenario,
        sys.stdout.buffer if output == "-" else output,
        frames=frames,
        seed=seed,
        rate=rate,
        size=size,
        shape=shape,
        container=format_,
    )
    if not quiet:
        marks = {**truth.findings, **truth.info}
        found = [f"{rule} in {len(of):,}" if of else rule for rule, of in marks.items()]
        written = truth_file(output)
        beside = f"; truth in {printable(str(written))}" if written.is_file() else ""
        what = f"{truth.frames:,} frames, {', '.join(found) or 'nothing wrong'}{beside}"
        click.echo(f"vxcsum: {printable(output)}: {what}", err=True)
