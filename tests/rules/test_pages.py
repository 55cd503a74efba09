"""One rule = one file = one page."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from conftest import PROJECT

from vxcsum import Severity
from vxcsum.cli.main import main
from vxcsum.errors import UnknownRuleError
from vxcsum.rules import catalogue
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
    "VX106": ("outer-gso-twice", "ERROR"),
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


def shown(code: str, form: str) -> str:
    result = CliRunner().invoke(main, ["rules", code, "--format", form])
    assert result.exit_code == 0, result.output
    return result.stdout


def code_blocks(page: str) -> list[list[str]]:
    """The indented blocks of a page: such as a reader of Markdown takes for code."""
    blocks: list[list[str]] = []
    before, listed = "", False
    for line in page.splitlines():
        if not line.strip():
            before = ""
            continue
        if line.startswith("    "):
            if before.startswith("    "):
                blocks[-1].append(line)
            else:
                assert not before, f"no empty line before: {line}"
                assert not listed, f"part of a list item, and no code: {line}"
                blocks.append([line])
        else:
            listed = line.startswith(("* ", "- ", "  ")) or bool(re.match(r"\d+\. ", line))
        before = line
    return blocks


@pytest.mark.parametrize("form", ["text", "markdown"])
@pytest.mark.parametrize("module", RULES)
def test_formulas_and_commands_of_a_page_are_code_as_it_is_shown(module: Any, form: str) -> None:
    page = shown(module.RULE.code, form)
    blocks = code_blocks(page)
    written = [line for line in module.__doc__.splitlines() if line.startswith("    ")]
    assert [line for block in blocks for line in block] == written
    assert all(line == line.rstrip() and "\t" not in line for line in page.splitlines())
    # What is aligned, computed or typed in is in one of them, and the rest is prose.
    prose = [line for line in page.splitlines() if not line.startswith("    ")]
    assert not [line for line in prose if re.match(r"(found|residual|outer \w+) += ", line)]
    assert not [line for line in prose if re.match(r"(vxcsum|ethtool|iptables|tcpdump) -?\S", line)]
    if module.RULE.formula:
        part = page.partition("## How it is recognised\n")[2].partition("\n## ")[0]
        assert any(" = " in line for block in code_blocks(part) for line in block)
    example = page.partition("## Example\n")[2].partition("\n## ")[0]
    assert any(" vxcsum " in line for block in code_blocks(example) for line in block)


@pytest.mark.parametrize("module", RULES)
def test_the_parts_of_the_fact_sheet_that_a_page_cites_exist(module: Any) -> None:
    sheet = (PROJECT / "docs" / "fact-sheet.md").read_text("utf-8")
    headings = re.findall(r"^#+ (.+)$", sheet, re.MULTILINE)
    patterns = {heading[:3]: heading for heading in headings if re.match(r"P\d\d ", heading)}
    sections = {heading.split()[0] for heading in headings if heading[0].isdigit()}
    references = " ".join(module.__doc__.partition("## References\n")[2].split())
    assert "docs/fact-sheet.md" in references
    cited = references.partition("docs/fact-sheet.md")[2]
    found = re.findall(r"\bP\d\d\b", module.__doc__)
    assert set(found) <= set(patterns)
    assert set(re.findall(r"sections? (\d(?:\.\d)?)", cited)) <= sections
    for family in re.findall(r"family ([A-Z])\b", cited):
        assert f"**Family {family}: " in sheet
    assert re.search(r"\bP\d\d\b|section \d|family [A-Z]", cited)
    # A pattern that is headed with the code of a rule is cited by its page.
    own = {name for name, heading in patterns.items() if f"({module.RULE.code})" in heading}
    assert own <= set(found)


@pytest.mark.parametrize("module", RULES)
def test_a_pattern_has_the_name_of_its_rule(module: Any) -> None:
    sheet = (PROJECT / "docs" / "fact-sheet.md").read_text("utf-8")
    for name in re.findall(rf"^### P\d\d (\S+) \({module.RULE.code}\)$", sheet, re.MULTILINE):
        assert name == module.RULE.name


def test_every_rule_file_is_in_the_catalogue() -> None:
    folder = Path(catalogue.__file__).parent
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
