"""The command ``vxcsum``: commands, exit status, and what goes where.

Results go to standard output, messages to standard error. Exit status: 0 nothing at or above
``--fail-on``, 1 findings, 2 bad usage or an input that cannot be read.
"""

from __future__ import annotations

import importlib
import os
import signal
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from vxcsum._version import __version__
from vxcsum.errors import VxcsumError
from vxcsum.report.text import printable

if TYPE_CHECKING:
    from collections.abc import Iterator

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
_SIGNALLED = 128  # what shells add to the number of a signal
_INTERRUPTED = _SIGNALLED + 2
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

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:
            # The reader has seen enough; nothing may be written to it at shutdown either.
            _drop_stdout()
            raise click.exceptions.Exit(0) from None

    def main(self, *args: Any, **kwargs: Any) -> Any:
        try:
            fixed = {"standalone_mode": False, "complete_var": COMPLETE_VARIABLE}
            with _unwound_by_signals():
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
            click.echo(f"vxcsum: cannot write the report: {error.strerror or error}", err=True)
            _drop_stdout()
            sys.exit(2)


@contextmanager
def _unwound_by_signals() -> Iterator[None]:
    """Let signals that end the program unwind it, so that no half-written file is left behind."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    names = [name for name in ("SIGTERM", "SIGHUP") if hasattr(signal, name)]
    before = {signal.Signals[name]: signal.getsignal(signal.Signals[name]) for name in names}
    try:
        for number, handler in before.items():
            if handler is signal.SIG_DFL:
                signal.signal(number, lambda number, _: sys.exit(_SIGNALLED + number))
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _drop_stdout() -> None:
    """Let what is still buffered go nowhere."""
    if sys.stdout is not None:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@click.group(cls=_Group, context_settings=_CONTEXT)
@click.version_option(__version__, "--version", prog_name="vxcsum")
def main() -> None:
    """Find wrong checksums in VXLAN captures, name their cause, print the cure."""
