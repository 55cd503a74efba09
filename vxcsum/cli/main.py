"""The command ``vxcsum``: commands, exit status, and what goes where.

Results go to standard output, messages to standard error. Exit status: 0 nothing at or above
``--fail-on``, 1 findings, 2 bad usage or an input that cannot be read.
"""

from __future__ import annotations

import importlib
import os
import sys
from typing import Any

import click

from vxcsum._version import __version__
from vxcsum.errors import VxcsumError
from vxcsum.report.text import printable

#: Commands by name; the module of one, which has a command of the same name, is loaded on use.
_COMMANDS = {
    "analyze": "vxcsum.cli.analyze",
    "compare": "vxcsum.cli.compare",
    "explain": "vxcsum.cli.explain",
    "extract": "vxcsum.cli.extract",
    "repair": "vxcsum.cli.repair",
    "rules": "vxcsum.cli.rules",
    "synth": "vxcsum.cli.synth",
    "completion": "vxcsum.cli.completion",
}
#: What tells the program to complete instead of running, also as ``python -m vxcsum``.
COMPLETE_VARIABLE = "_VXCSUM_COMPLETE"
_INTERRUPTED = 130  # what shells make of SIGINT
_CONTEXT = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


class _Group(click.Group):
    """A group whose commands end the way users of other Unix tools expect."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        module = _COMMANDS.get(cmd_name)
        if module is None:
            return None
        command: click.Command = getattr(importlib.import_module(module), cmd_name)
        return command

    def main(self, *args: Any, **kwargs: Any) -> Any:
        try:
            fixed = {"standalone_mode": False, "complete_var": COMPLETE_VARIABLE}
            return super().main(*args, **{**kwargs, **fixed})
        except click.exceptions.Exit as error:
            sys.exit(error.exit_code)
        except click.ClickException as error:
            error.show()
            sys.exit(2)
        except VxcsumError as error:
            click.echo(f"vxcsum: {printable(str(error))}", err=True)
            sys.exit(2)
        except (click.Abort, KeyboardInterrupt):
            sys.exit(_INTERRUPTED)
        except OSError as error:
            if not isinstance(error, BrokenPipeError):
                click.echo(f"vxcsum: cannot write the report: {error.strerror or error}", err=True)
                _drop_stdout()
                sys.exit(2)
            # The reader has seen enough; nothing may be written to it at shutdown either.
            _drop_stdout()
            sys.exit(0)


def _drop_stdout() -> None:
    """Let what is still buffered go nowhere."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@click.group(cls=_Group, context_settings=_CONTEXT)
@click.version_option(__version__, "--version", prog_name="vxcsum")
def main() -> None:
    """Find wrong checksums in VXLAN captures, name their cause, print the cure."""
