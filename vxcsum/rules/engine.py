"""The catalogue, and running it over the evidence."""

from __future__ import annotations

import difflib
import importlib
from typing import TYPE_CHECKING, cast

from vxcsum.errors import UnknownRuleError
from vxcsum.rules.context import CaptureFacts, Context, Network

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from vxcsum.rules.base import Finding, RuleModule
    from vxcsum.rules.evidence import Evidence

#: In the order in which they may claim frames: the most specific first, the leftovers last.
_MODULES = (
    "vx101_outer_zero_nat_partial",
    "vx102_outer_lco_nat",
    "vx206_ip_header_zero",
    "vx201_offload_artefact",
    "vx601_random_corruption",
    "vx600_unexplained_checksum",
    "vx901_truncated_frames",
    "vx902_incomplete_fragments",
    "vx909_capture_cut_short",
)
MODULES: tuple[RuleModule, ...] = tuple(
    cast("RuleModule", importlib.import_module(f"vxcsum.rules.{name}")) for name in _MODULES
)
CATALOGUE: dict[str, RuleModule] = {module.RULE.code: module for module in MODULES}


def selected(select: Iterable[str] | None, ignore: Iterable[str] | None) -> set[str]:
    """Return the codes chosen by prefixes.

    Parameters
    ----------
    select, ignore : iterable of str, optional
        Codes or their beginnings (``VX1``), or names; None selects all and ignores none.

    Raises
    ------
    UnknownRuleError
        A prefix that no rule begins with.
    """
    chosen = set(CATALOGUE)
    if select is not None:
        chosen = {code for prefix in select for code in _matching(prefix)}
    return chosen - {code for prefix in ignore or () for code in _matching(prefix)}


def _matching(prefix: str) -> list[str]:
    wanted = prefix.strip()
    codes = [
        code
        for code, module in CATALOGUE.items()
        if (wanted and code.startswith(wanted.upper())) or module.RULE.name == wanted.lower()
    ]
    if not codes:
        names = {module.RULE.name: code for code, module in CATALOGUE.items()}
        near = difflib.get_close_matches(wanted.upper(), list(CATALOGUE), 3, 0.5)
        near += [names[n] for n in difflib.get_close_matches(wanted.lower(), list(names), 2, 0.5)]
        raise UnknownRuleError(prefix, tuple(dict.fromkeys(near)))
    return codes


def diagnose(
    evidence: Evidence,
    captures: Sequence[CaptureFacts],
    *,
    pre_nat: Sequence[Network] = (),
    vantage: str = "auto",
    select: Iterable[str] | None = None,
    ignore: Iterable[str] | None = None,
) -> list[Finding]:
    """Run all rules and return what the chosen ones found, worst first.

    Rules that are not chosen run, too: what they explain must not be blamed on another cause.
    """
    chosen = selected(select, ignore)
    context = Context(evidence, captures, pre_nat=pre_nat, vantage=vantage)
    findings = [finding for module in MODULES for finding in module.find(context)]
    findings = [finding for finding in findings if finding.code in chosen]
    order = {capture.name: number for number, capture in enumerate(captures)}
    findings.sort(key=lambda f: (-f.severity, f.code, order[f.capture], f.first_frame or 0))
    return findings
