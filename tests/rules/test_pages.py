"""One rule = one file = one page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from vxcsum import Severity
from vxcsum.errors import UnknownRuleError
from vxcsum.rules.engine import CATALOGUE, selected

HEADINGS = [
    "What it means",
    "Why it matters",
    "How it is recognised",
    "Example",
    "Usual causes",
    "Look-alikes",
    "What to do",
    "References",
]
#: The design's table: code, name, severities that it allows.
PROMISED = {
    "VX101": ("outer-zero-nat-partial", "ERROR"),
    "VX102": ("outer-lco-nat", "ERROR"),
    "VX103": ("outer-zero-nat-rfc1624", "ERROR"),
    "VX104": ("outer-nat-stale", "ERROR"),
    "VX105": ("outer-nat-half", "ERROR"),
    "VX201": ("offload-artefact", "INFO"),
    "VX202": ("partial-leak", "ERROR"),
    "VX203": ("outer-partial", "INFO"),
    "VX204": ("inner-partial-outer-valid", "ERROR"),
    "VX205": ("placeholder-ffff", "ERROR"),
    "VX206": ("ip-header-zero", "INFO"),
    "VX301": ("inner-overlay-offload", "ERROR"),
    "VX302": ("inner-nat-stale", "ERROR"),
    "VX303": ("icmp-bad-tcp-good", "ERROR"),
    "VX304": ("padding-counted", "ERROR"),
    "VX305": ("inner-ipv6-tcp-only", "ERROR"),
    "VX306": ("large-packets-only", "ERROR"),
    "VX401": ("udp-zero-for-ffff", "WARNING"),
    "VX402": ("minus-zero", "INFO"),
    "VX403": ("ipv6-outer-zero", "WARNING"),
    "VX404": ("ipv6-inner-udp-zero", "ERROR"),
    "VX405": ("remote-checksum-offload", "INFO"),
    "VX601": ("random-corruption", "ERROR"),
    "VX602": ("single-bit-corruption", "ERROR"),
    "VX603": ("payload-rewritten", "ERROR"),
    "VX701": ("handshake-delayed", "WARNING"),
    "VX702": ("connection-blackholed", "ERROR"),
    "VX703": ("segmentation-offload-off", "INFO"),
    "VX901": ("truncated-frames", "INFO"),
    "VX902": ("incomplete-fragments", "INFO"),
    "VX903": ("superframes", "INFO"),
    "VX904": ("big-tcp", "INFO"),
    "VX905": ("gso-partial-lengths", "INFO"),
    "VX906": ("multi-interface-duplicates", "INFO"),
    "VX907": ("not-vxlan-on-vxlan-port", "INFO"),
    "VX908": ("rewritten-capture", "WARNING"),
    "VX909": ("capture-cut-short", "WARNING"),
}
RULES = [pytest.param(module, id=code) for code, module in sorted(CATALOGUE.items())]


@pytest.mark.parametrize("module", RULES)
def test_a_rule_lives_in_a_file_of_its_name(module: Any) -> None:
    rule = module.RULE
    expected = f"{rule.code}_{rule.name}".lower().replace("-", "_")
    assert Path(module.__file__).stem == expected
    assert re.fullmatch(r"VX\d{3}", rule.code)
    assert rule.title.strip() == rule.title
    assert rule.title


@pytest.mark.parametrize("module", RULES)
def test_the_docstring_is_a_page_with_all_headings_in_order(module: Any) -> None:
    page = module.__doc__
    assert page.startswith(f"# {module.RULE.code} {module.RULE.name}\n")
    parts = re.split(r"^## (.+)$", page, flags=re.MULTILINE)
    assert parts[1::2] == HEADINGS
    assert all(text.strip() for text in parts[2::2])


@pytest.mark.parametrize("module", RULES)
def test_name_and_severity_are_those_of_the_design(module: Any) -> None:
    if module.RULE.code not in PROMISED:
        assert module.RULE.code[:3] in ("VX5", "VX6")
        return
    assert (module.RULE.name, module.RULE.severity.name) == PROMISED[module.RULE.code]


@pytest.mark.parametrize("module", RULES)
def test_codes_that_a_page_mentions_are_codes_of_the_design(module: Any) -> None:
    for code in set(re.findall(r"VX\d{3}", module.__doc__)):
        assert code in PROMISED or code in CATALOGUE or code[:3] == "VX5", code


@pytest.mark.parametrize("module", RULES)
def test_captures_of_an_example_exist(module: Any, project_captures: Path) -> None:
    for name in re.findall(r"captures/\S+\.pcap(?:ng)?\S*", module.__doc__):
        assert (project_captures.parent / name).is_file(), name


def test_every_rule_file_is_in_the_catalogue() -> None:
    import vxcsum.rules

    folder = Path(vxcsum.rules.__file__).parent
    files = {path.stem[:5].upper() for path in folder.glob("vx[0-9]*.py")}
    assert files == set(CATALOGUE)
    names = [module.RULE.name for module in CATALOGUE.values()]
    assert len(set(names)) == len(names)
    assert {module.RULE.severity for module in CATALOGUE.values()} <= set(Severity)


def test_rules_are_selected_by_prefix_and_name() -> None:
    assert selected(None, None) == set(CATALOGUE)
    assert selected(["VX1"], None) == {code for code in CATALOGUE if code.startswith("VX1")}
    assert selected(["vx101"], None) == {"VX101"}
    assert selected(["outer-lco-nat"], None) == {"VX102"}
    assert selected(None, ["VX9"]) == {code for code in CATALOGUE if not code.startswith("VX9")}
    assert selected(["VX"], ["VX101"]) == set(CATALOGUE) - {"VX101"}


@pytest.mark.parametrize("wrong", ["VX8", "VX1010", "nonsense", "", " "])
def test_a_prefix_that_selects_nothing_is_an_error(wrong: str) -> None:
    with pytest.raises(UnknownRuleError):
        selected([wrong], None)
    with pytest.raises(UnknownRuleError):
        selected(None, [wrong])
