"""The command ``vxcsum``: commands, exit status, and what goes where.

Results go to standard output, messages to standard error. Exit status: 0 nothing at or above
``--fail-on``, 1 findings, 2 bad usage or an input that cannot be read.
"""

from __future__ import annotations

import os
import sys
from typing import Any

import click

from vxcsum._version import __version__
from vxcsum.cli.analyze import analyze
from vxcsum.cli.rules import rules
from vxcsum.errors import VxcsumError

_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class _Group(click.Group):
    """A group whose commands end the way users of other Unix tools expect."""

    def main(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().main(*args, **kwargs)
        except VxcsumError as error:
            click.echo(f"vxcsum: {error}", err=True)
            sys.exit(2)
        except BrokenPipeError:
            # The reader has seen enough; nothing may be written to it at shutdown either.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(0)


@click.group(cls=_Group, context_settings=_CONTEXT)
@click.version_option(__version__, "--version", prog_name="vxcsum")
def main() -> None:
    """Find wrong checksums in VXLAN captures, name their cause, print the cure."""


main.add_command(analyze)
main.add_command(rules)
