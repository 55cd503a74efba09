"""What several commands share: their options, colours, and the naming of inputs."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from vxcsum.packet.engine import ENGINES
from vxcsum.pipeline import DEFAULT_PORTS
from vxcsum.report.text import printable

if TYPE_CHECKING:
    import warnings
    from collections.abc import Sequence

PLOT_FORMATS = ("svg", "png", "pdf")
PORT = click.option(
    "--port",
    multiple=True,
    metavar="PORT",
    help="UDP port of VXLAN instead of the default set; +PORT adds one. Repeatable.",
)
PROGRESS = click.option("--no-progress", is_flag=True, help="No progress on a terminal.")
ENGINE = click.option("--engine", type=click.Choice(ENGINES), default="auto", show_default=True)


def show_warnings(caught: Sequence[warnings.WarningMessage]) -> None:
    """Write warnings to standard error, each once."""
    for message in dict.fromkeys(str(warning.message) for warning in caught):
        click.echo(f"vxcsum: warning: {printable(message)}", err=True)


def parse_ports(values: Sequence[str]) -> list[int] | None:
    """Return the VXLAN ports of ``--port`` options; ``+NNNN`` adds to the default set."""
    if not values:
        return None
    ports: list[int] = []
    added: list[int] = []
    for value in ",".join(values).split(","):
        text = value.strip()
        if not text.removeprefix("+").isascii() or not text.removeprefix("+").isdigit():
            problem = f"{value!r} is no UDP port: wanted 1 to 65535, or +PORT to add one"
            raise click.BadParameter(problem, param_hint="--port")
        (added if text.startswith("+") else ports).append(int(text))
    return [*(ports or DEFAULT_PORTS), *added]


def listed(values: Sequence[str], option: str) -> list[str] | None:
    """Return the parts of a repeatable option that also takes commas; None where it is not given.

    Raises
    ------
    click.BadParameter
        A value without any part, such as that of an unset shell variable: it would choose all.
    """
    parts = [[part for part in value.split(",") if part.strip()] for value in values]
    if not all(parts):
        problem = "it is empty: wanted a value, or not to be given at all"
        raise click.BadParameter(problem, param_hint=option)
    return [part for each in parts for part in each] or None


def wants_color(*, no_color: bool) -> bool:
    """Tell whether colours are wanted: only on a terminal, and never under NO_COLOR."""
    return (
        sys.stdout is not None
        and sys.stdout.isatty()
        and not no_color
        and not os.environ.get("NO_COLOR")
    )


def plot_format(path: str) -> str:
    """Return the format of a picture by the end of its file's name."""
    found = Path(path).suffix.lower().removeprefix(".")
    if found not in PLOT_FORMATS:
        wanted = ", ".join(f".{name}" for name in PLOT_FORMATS)
        problem = f"cannot tell a format from {path!r}: wanted a name that ends in {wanted}"
        raise click.BadParameter(problem, param_hint="--plot")
    return found
