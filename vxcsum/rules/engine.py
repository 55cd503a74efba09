"""The catalogue, and running it over the evidence."""

from __future__ import annotations

import importlib
import pkgutil
from typing import TYPE_CHECKING, Any, Protocol, cast

from vxcsum.errors import UnknownRuleError
from vxcsum.rules import catalogue, mistakes, prices
from vxcsum.rules.contest import Contest
from vxcsum.rules.context import Context
from vxcsum.rules.law import Competitor

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from vxcsum.evidence.captures import Count
    from vxcsum.evidence.evidence import Evidence
    from vxcsum.rules.contest import Verdict
    from vxcsum.rules.law import Law
    from vxcsum.rules.model import Finding, Rule
    from vxcsum.rules.prepared import CaptureFacts, Network


class RuleModule(Protocol):
    """What a file of the catalogue offers: its page (the docstring), `RULE`, and some of these.

    ``COUNT``: what is counted of each capture; ``evidence(context, capture)``: what is said of it
    beside the rule's sentence. ``LAWS``, and ``told(context, verdicts)``: what competes, and the
    finding about one place, where the sentence is not always the same. ``exempt(context)``: claims
    what is decided by what frames are. ``find(context)``: all other findings.
    """

    RULE: Rule


def _modules() -> dict[str, RuleModule]:
    names = sorted(entry.name for entry in pkgutil.iter_modules(catalogue.__path__))
    found = [importlib.import_module(f"{catalogue.__name__}.{name}") for name in names]
    return {module.RULE.code: cast("RuleModule", module) for module in found}


#: The module of each code.
CATALOGUE: dict[str, RuleModule] = _modules()
#: What is counted of each capture, by code.
COUNTS: Mapping[str, Count] = {
    code: module.COUNT for code, module in CATALOGUE.items() if hasattr(module, "COUNT")
}
#: All laws, each with the code of its rule.
COMPETITORS = [
    Competitor(code, cast("Law", law))
    for code, module in CATALOGUE.items()
    for law in getattr(module, "LAWS", ())
]
_RIVALS = [
    Competitor(code, cast("Law", law))
    for code, module in CATALOGUE.items()
    for law in getattr(module, "RIVALS", ())
]
#: What is left over is damage of single bits, or other damage, or remains unknown.
_LEFTOVERS = ("VX908", "VX602", "VX601", "VX600")
#: Alternatives that a finding tells.
_MAX_ALTERNATIVES = 4


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
        chosen = {code for prefix in _listed(select) for code in _matching(prefix)}
    return chosen - {code for prefix in _listed(ignore or ()) for code in _matching(prefix)}


def _listed(prefixes: Iterable[str]) -> Iterable[str]:
    """Take one string for one prefix, not for its letters."""
    return [prefixes] if isinstance(prefixes, str) else prefixes


def _matching(prefix: str) -> list[str]:
    wanted = prefix.strip()
    codes = [
        code
        for code, module in CATALOGUE.items()
        if (wanted and code.startswith(wanted.upper())) or module.RULE.name == wanted.lower()
    ]
    if not codes:
        import difflib  # for the error only

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
    """Have all rules look at the evidence and return what the chosen ones found, worst first.

    Rules that are not chosen compete, too: what they explain must not be blamed on another cause.
    What connections suffered from a cause that is ignored is ignored with it.
    """
    chosen = selected(select, ignore)
    ignored = {code for prefix in _listed(ignore or ()) for code in _matching(prefix)}
    context = Context(evidence, captures, pre_nat=pre_nat, vantage=vantage)
    findings = [
        finding
        for finding in found_in(context)
        if finding.code in chosen and finding.evidence.get("cause") not in ignored
    ]
    findings.sort(key=lambda f: (-f.severity, f.code, f.capture_number, f.first_frame or 0))
    return findings


def found_in(context: Context) -> Iterator[Finding]:
    """Yield what all rules find: laws first, then what is left over, and what connections say."""
    for module in CATALOGUE.values():
        if hasattr(module, "exempt"):
            module.exempt(context)
    verdicts = Contest(context, COMPETITORS, _RIVALS).run()
    for verdict in verdicts:
        if not verdict.law.whole and context.doubtful.any():
            context.join_doubtful(verdict)
    yield from _decided(context, verdicts)
    for code in _LEFTOVERS:
        yield from cast("Any", CATALOGUE[code]).find(context)
    for code, rule in sorted(_rules().items(), key=lambda item: (item[1].story, item[0])):
        page: Any = CATALOGUE[code]
        if hasattr(page, "find") and code not in _LEFTOVERS:
            yield from page.find(context)
        elif rule.sentence and code in COUNTS:
            yield from _counted(context, page)


def _rules() -> dict[str, Rule]:
    return {code: module.RULE for code, module in CATALOGUE.items()}


def _counted(context: Context, module: Any) -> Iterator[Finding]:
    """Yield one finding for each capture in which a rule counted something."""
    rule: Rule = module.RULE
    for number, _, seen in context.showing(rule.code):
        evidence = module.evidence(context, number) if hasattr(module, "evidence") else {}
        yield context.counted(
            rule,
            number,
            seen,
            confidence=rule.confidence,
            explanation=rule.sentence,
            evidence=evidence,
            remedies=rule.remedies or (),
        )


def _decided(context: Context, verdicts: Sequence[Verdict]) -> Iterator[Finding]:
    """Yield one finding for each rule that won at a place."""
    places: dict[tuple[str, int], list[Verdict]] = {}
    edited = {v.capture for v in verdicts if v.law.whole and v.margin >= prices.LIKELY}
    for verdict in verdicts:
        if verdict.capture in edited and not verdict.law.whole:  # worth little in such a capture
            verdict.margin = min(verdict.margin, prices.BELOW_LIKELY)
        places.setdefault((verdict.code, verdict.name), []).append(verdict)
    for (code, _), won in places.items():
        module: Any = CATALOGUE[code]
        if hasattr(module, "told"):
            finding: Finding = module.told(context, won)
        else:
            finding = mistakes.told(context, module.RULE, won, getattr(module, "recovered", None))
        finding.evidence |= {
            "bits": round(sum(verdict.gain for verdict in won), 1),
            "margin": round(won[0].margin, 1),
            "alternatives": _alternatives(won[0]),
        }
        yield finding


def _alternatives(verdict: Verdict) -> list[dict[str, Any]]:
    """Return what explains the same, and by what it could be told apart."""
    own = CATALOGUE[verdict.code].RULE
    return [
        {
            "rule": code,
            "bits": round(bits, 1),
            "decided_by": own.apart.get(code)
            or CATALOGUE[code].RULE.apart.get(own.code, "more packets of other kinds"),
        }
        for code, bits in sorted(verdict.rivals, key=lambda rival: -rival[1])[:_MAX_ALTERNATIVES]
    ]
