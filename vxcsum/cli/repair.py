"""``vxcsum repair``: the same capture with right checksums."""

from __future__ import annotations

import json
import sys
import tempfile
import warnings
from typing import TYPE_CHECKING, TextIO

import click

from vxcsum.checksum.status import LAYERS
from vxcsum.cli.completion import complete_file, complete_words
from vxcsum.cli.options import ENGINE, PORT, PROGRESS, listed, parse_ports, show_warnings
from vxcsum.cli.progress import ProgressLine
from vxcsum.report.text import printable
from vxcsum.rules.model import hex16

if TYPE_CHECKING:
    from collections.abc import Iterable

    from vxcsum.packet.columns import AnyArray

_LIST_OCTETS = 1 << 20


@click.command()
@click.argument("capture", metavar="CAPTURE", shell_complete=complete_file)
@click.option(
    "--output",
    "-o",
    metavar="FILE",
    shell_complete=complete_file,
    required=True,
    help='Write there; "-": to stdout.',
)
@click.option(
    "--only",
    multiple=True,
    metavar="LAYER",
    shell_complete=complete_words(LAYERS),
    help=f"Repair these layers alone: {', '.join(LAYERS)}. Repeatable.",
)
@click.option(
    "--fill-zero", is_flag=True, help="Compute UDP checksums that were left out legally, too."
)
@click.option("--list", "list_", is_flag=True, help="List every change: frame, layer, old, new.")
@click.option(
    "--format", "format_", type=click.Choice(["text", "json"]), default="text", show_default=True
)
@PORT
@ENGINE
@click.option("--quiet", "-q", is_flag=True, help="Say nothing of what was changed.")
@PROGRESS
def repair(
    capture: str,
    output: str,
    only: tuple[str, ...],
    format_: str,
    port: tuple[str, ...],
    engine: str,
    *,
    fill_zero: bool,
    list_: bool,
    quiet: bool,
    no_progress: bool,
) -> None:
    """Write the capture with right checksums.

    Unfinished checksums are completed, inner ones first. What cannot be verified is left alone,
    and told; all other octets stay as they are.
    """
    from vxcsum.editing import repair as run

    names = list(LAYERS)
    with (
        warnings.catch_warnings(record=True) as caught,
        # The list may be long, and is shown once the capture is written.
        ProgressLine(wanted=not no_progress) as progress,
        tempfile.SpooledTemporaryFile(_LIST_OCTETS, "w+", encoding="utf-8") as lines,
    ):
        warnings.simplefilter("always")

        def note(changes: AnyArray) -> None:
            for frame, layer, _, old, new in changes.tolist():
                change = (frame, names[layer], hex16(old), hex16(new))
                if format_ == "json":
                    keys = ("frame", "layer", "old", "new")
                    lines.write(json.dumps(dict(zip(keys, change, strict=True))) + "\n")
                else:
                    lines.write("{:>8}  {:<13} {} -> {}\n".format(*change))

        result = run(
            capture,
            sys.stdout.buffer if output == "-" else output,
            only=listed(only, "--only"),
            fill_zero=fill_zero,
            ports=parse_ports(port),
            engine=engine,
            on_change=note if list_ else None,
            on_start=progress.watch,
        )
        show_warnings(caught)
        if quiet:
            return
        out = sys.stderr if output == "-" else sys.stdout
        lines.seek(0)
        if format_ == "json":
            _write_json(result.to_dict(), lines if list_ else None, out)
        else:
            for line in lines:
                click.echo(line, nl=False, file=out)
            click.echo(f"{printable(result.source)} -> {printable(result.destination)}", file=out)
            click.echo(str(result), nl=False, file=out)


def _write_json(document: dict[str, object], lines: Iterable[str] | None, out: TextIO) -> None:
    text = json.dumps(document, indent=2)
    if lines is None:
        click.echo(text, file=out)
        return
    click.echo(text.removesuffix("\n}") + ',\n  "changes": [', nl=False, file=out)
    for number, line in enumerate(lines):
        click.echo(("," if number else "") + "\n    " + line.rstrip(), nl=False, file=out)
    click.echo("\n  ]\n}", file=out)
