"""Scenarios by the name that users give them."""

from __future__ import annotations

import difflib

from vxcsum.errors import VxcsumError
from vxcsum.synth.recipes import RECIPES, Recipe

#: Where there is no recipe of a rule's own name, or it has to be analysed with options.
_PREFERRED = {
    "VX101": "vx101-pods",
    "VX102": "vx102-pods",
    "VX202": "vx202-receiver",
    "VX203": "vx203-sender",
    "VX507": "vx507-total",
}

HEALTHY = "healthy"
#: The recipe of each rule.
SCENARIOS: dict[str, Recipe] = {
    code: RECIPES[_PREFERRED.get(code, code.lower())]
    for code in sorted({name[:5].upper() for name in RECIPES if name.startswith("vx")})
}


def recipe_of(scenario: str) -> Recipe | None:
    """Return the recipe of a rule code, or of a recipe's own name; None for ``healthy``.

    Raises
    ------
    VxcsumError
        There is no such scenario.

    Examples
    --------
    >>> recipe_of("VX101").name
    'vx101-pods'
    >>> recipe_of("like-snat").about
    'NAT of the outer header that updates checksums as it should.'
    """
    if scenario.lower() == HEALTHY:
        return None
    found = SCENARIOS.get(scenario.upper()) or RECIPES.get(scenario.lower())
    if found is None:
        known = [HEALTHY, *SCENARIOS, *RECIPES]
        near = difflib.get_close_matches(scenario, known, 3, 0.5)
        near += [code for code in SCENARIOS if code.startswith(scenario.upper())][:3]
        hint = f"; did you mean {', '.join(dict.fromkeys(near))}?" if near else ""
        problem = f"no scenario {scenario!r}: wanted a rule code, or healthy{hint}"
        raise VxcsumError(problem)
    return found
