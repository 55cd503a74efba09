"""``vxcsum rules``: the catalogue and its pages."""

from __future__ import annotations

import inspect
import json
from typing import TYPE_CHECKING, Any

import click

from vxcsum.cli.completion import complete_rules
from vxcsum.rules.engine import CATALOGUE, selected

if TYPE_CHECKING:
    from vxcsum.rules.engine import RuleModule


def page(module: RuleModule) -> str:
    """Return the page of a rule, which is the docstring of its file, as Markdown."""
    return inspect.cleandoc(module.__doc__ or "") + "\n"


def _entry(module: RuleModule) -> dict[str, Any]:
    rule = module.RULE
    return {
        "rule": rule.code,
        "name": rule.name,
        "severity": rule.severity.name.lower(),
        "title": rule.title,
    }


@click.command()
@click.argument("code", required=False, shell_complete=complete_rules)
@click.option(
    "--format",
    "format_",
    type=click.Choice(["text", "json", "markdown"]),
    default="text",
    show_default=True,
)
def rules(code: str | None, format_: str) -> None:
    """List the catalogue, or print the page of one rule."""
    codes = sorted(CATALOGUE if code is None else selected([code], None))
    modules = [CATALOGUE[chosen] for chosen in codes]
    single = code is not None and len(modules) == 1
    if format_ == "json":
        entries = [_entry(m) | ({"page": page(m)} if single else {}) for m in modules]
        document: Any = entries[0] if single else entries
        click.echo(json.dumps(document, indent=2))
    elif single:
        click.echo(page(modules[0]), nl=False)
    elif format_ == "markdown":
        click.echo("| rule | name | severity | meaning |\n|---|---|---|---|")
        for module in modules:
            entry = _entry(module)
            click.echo("| " + " | ".join(entry.values()) + " |")
    else:
        for module in modules:
            rule = module.RULE
            click.echo(f"{rule.code}  {rule.name:<26} {rule.severity.name.lower():<8} {rule.title}")
