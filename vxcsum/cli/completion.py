"""``vxcsum completion``, and what completes the values of options and arguments."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from click.shell_completion import CompletionItem

_SHELLS = ("bash", "zsh", "fish")
_PROGRAM = "vxcsum"


def complete_file(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Let the shell complete the name of a file; a capture may also be ``-`` or a URL."""
    from click.shell_completion import CompletionItem  # as elsewhere here: only to complete

    return [CompletionItem(incomplete, type="file")]


def complete_rules(
    context: click.Context, parameter: click.Parameter, incomplete: str
) -> list[CompletionItem]:
    """Complete the last code or name of a list of rules separated by commas."""
    from click.shell_completion import CompletionItem

    from vxcsum.rules.engine import CATALOGUE

    before, comma, wanted = incomplete.rpartition(",")
    return [
        CompletionItem(f"{before}{comma}{text}", help=CATALOGUE[code].RULE.title)
        for code in sorted(CATALOGUE)
        for text in (code, CATALOGUE[code].RULE.name)
        if (wanted or text == code) and text.startswith((wanted, wanted.upper()))
    ]


def complete_words(
    words: Iterable[str],
) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem]]:
    """Return what completes the last of some words separated by commas."""

    def complete(
        context: click.Context, parameter: click.Parameter, incomplete: str
    ) -> list[CompletionItem]:
        from click.shell_completion import CompletionItem

        before, comma, wanted = incomplete.rpartition(",")
        return [CompletionItem(before + comma + w) for w in words if w.startswith(wanted)]

    return complete


@click.command()
@click.argument("shell", type=click.Choice(_SHELLS))
@click.pass_context
def completion(context: click.Context, shell: str) -> None:
    r"""Print what makes a shell complete commands, options, rules and files.

    \b
    bash  eval "$(vxcsum completion bash)"         in ~/.bashrc
    zsh   eval "$(vxcsum completion zsh)"          in ~/.zshrc, after compinit
    fish  vxcsum completion fish > ~/.config/fish/completions/vxcsum.fish
    """
    from click.shell_completion import get_completion_class

    from vxcsum.cli.main import COMPLETE_VARIABLE  # which loads this module on use

    kind = get_completion_class(shell)
    if kind is None:  # click knows all three
        raise click.BadParameter(shell)
    click.echo(kind(context.find_root().command, {}, _PROGRAM, COMPLETE_VARIABLE).source())
