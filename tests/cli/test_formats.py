"""The formats of a report, read back, and inert whatever a capture is called."""

from __future__ import annotations

import csv
import io
import json
import re
import struct
from html.parser import HTMLParser
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result
from support import (
    ICMP,
    TCP,
    Frame,
    address,
    diagnose,
    framed,
    ipv4,
    pcap,
    pcapng,
    segment,
    tunnelled,
)

from vxcsum import analyze, read_packets
from vxcsum.cli.main import main
from vxcsum.report.formats import FORMATS, render
from vxcsum.report.notebook import MAX_FINDINGS

if TYPE_CHECKING:
    from pathlib import Path

    import vxcsum

A, B = address("10.244.1.5"), address("10.244.2.5")
NODE_A, NODE_B = address("172.31.7.11"), address("172.31.7.12")


def tunnel(n: int, protocol: int = TCP, value: int = 0) -> Frame:
    inner = ipv4(segment(protocol, A, B, bytes(n), sport=3000 + n), protocol, A, B)
    return Frame(framed(tunnelled(inner, NODE_A, NODE_B, sport=40000 + n, value=value)))


CORRUPT = [tunnel(n, ICMP) for n in range(5)] + [tunnel(n, value=0xFFFF) for n in range(6)]
TABLES = ("json", "jsonl", "csv", "markdown", "github")
#: Names that do something where they are not escaped.
HOSTILE = [
    "<script>alert(1)</script>.pcap",
    "\"><img src=x onerror=alert(1)>'.pcap",
    "</code></pre></table><b>.pcap",
    "a|b|c.pcap",
    "```\n# heading\n[x](http://evil.example).pcap",
    "`x` ``y`` @team ![i](http://evil.example/i.png).pcap",
    "=cmd|' /C calc'!A0.pcap",
    "+1.pcap",
    "-1.pcap",
    "@SUM(1).pcap",
    " =1+1.pcap",
    "\uff1d1+1.pcap",
    'quote",=1+1,".pcap',
    "\t=1+1.pcap",
    "two\r\n::set-env name=X::evil\n.pcap",
    "a,title=evil::message%0A.pcap",
    "##[add-mask]x.pcap",
    "\x1b[31mred\x1b[0m.pcap",
    "\u202egnp.pcap",
    "line\u2028separator\x85.pcap",
    "javascript:alert(1).pcap",
]


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, [str(a) for a in arguments])


@pytest.fixture(scope="module")
def capture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("formats") / "corrupt.pcapng"
    path.write_bytes(pcapng(CORRUPT))
    return path


def report_named(name: str) -> vxcsum.Report:
    """A report with a finding of a capture of this name."""
    file = io.BytesIO(pcapng(CORRUPT))
    file.name = name  # type: ignore[attr-defined]
    return diagnose(file)


# What is in them


def test_all_formats_are_there_and_are_text_that_ends_with_a_line(capture: Path) -> None:
    assert FORMATS == ("text", "json", "jsonl", "csv", "markdown", "github")
    for format_ in FORMATS:
        result = run("analyze", "--format", format_, capture)
        assert result.exit_code == 1
        assert result.stdout.endswith("\n")
        assert "VX101" in result.stdout


@pytest.mark.parametrize("format_", FORMATS)
def test_a_file_has_what_standard_output_would_have(
    capture: Path, tmp_path: Path, format_: str
) -> None:
    out = tmp_path / "report"
    run("analyze", "--format", format_, "-o", out, capture)
    assert out.read_text() == run("analyze", "--format", format_, capture).stdout


def test_json_lines_are_the_json_report_line_by_line(capture: Path) -> None:
    document = json.loads(run("analyze", "--format", "json", capture).stdout)
    facts, *findings = map(
        json.loads, run("analyze", "--format", "jsonl", capture).stdout.splitlines()
    )
    assert findings == document.pop("findings")
    assert facts == document
    assert facts["schema"] == "vxcsum.report/1"


def test_csv_has_a_row_for_each_finding(capture: Path) -> None:
    findings = json.loads(run("analyze", "--format", "json", capture).stdout)["findings"]
    rows = list(csv.DictReader(io.StringIO(run("analyze", "--format", "csv", capture).stdout)))
    assert len(rows) == len(findings) > 0
    for row, finding in zip(rows, findings, strict=True):
        for name in ("rule", "severity", "title", "first_timestamp", "explanation"):
            assert row[name] == finding[name]
        assert int(row["frames"]) == finding["frames"]
        assert json.loads(row["evidence"]) == finding["evidence"]
        assert row["command"] == finding["remedies"][0]["command"]


def test_a_github_annotation_names_file_rule_and_cure(capture: Path) -> None:
    (line,) = run("analyze", "--format", "github", capture).stdout.splitlines()
    match = re.fullmatch(r"::error file=([^,:]*),title=([^,:]*)::(.*)", line)
    assert match is not None
    file, title, message = match.groups()
    assert file == str(capture)
    assert title == "VX101 outer-zero-nat-partial"
    assert "6 frames, the first is 6" in message
    assert "%0A" in message
    assert "ethtool -K" in message


def test_severities_become_the_commands_of_github(tmp_path: Path) -> None:
    cut, partial = tmp_path / "cut.pcap", tmp_path / "partial.pcap"
    cut.write_bytes(pcap([tunnel(1)])[:-3])
    inner = ipv4(segment(TCP, A, B, value="partial"), TCP, A, B)
    partial.write_bytes(pcap([Frame(framed(tunnelled(inner, NODE_A, NODE_B)))] * 3))
    out = run("analyze", "--format", "github", cut, partial).stdout
    assert [line.split()[0] for line in out.splitlines()] == ["::warning", "::notice"]


def test_octets_and_pipes_are_no_file_of_an_annotation() -> None:
    assert render(diagnose(CORRUPT), "github").startswith("::error title=VX101")


def test_healthy_captures_annotate_nothing(tmp_path: Path) -> None:
    path = tmp_path / "healthy.pcap"
    path.write_bytes(pcap([tunnel(n) for n in range(4)]))
    assert run("analyze", "--format", "github", path).stdout == ""
    assert len(run("analyze", "--format", "csv", path).stdout.splitlines()) == 1
    assert len(run("analyze", "--format", "jsonl", path).stdout.splitlines()) == 1
    assert "**OK:**" in run("analyze", "--format", "markdown", path).stdout


def rendered(markdown: str) -> str:
    parser = pytest.importorskip("markdown_it").MarkdownIt("commonmark", {"html": True})
    return str(parser.enable("table").render(markdown))


def test_markdown_has_verdict_table_sections_and_commands(capture: Path) -> None:
    html = rendered(run("analyze", "--format", "markdown", capture).stdout)
    assert "<strong>CORRUPT:</strong>" in html
    assert html.count("<table>") == 2
    assert "<td>VX101</td>" in html
    assert "<h2>VX101 outer-zero-nat-partial</h2>" in html
    assert "<code>ethtool -K" in html
    assert re.search(r"<td><code>outer_udp</code></td>\s*<td[^>]*>0</td>\s*<td[^>]*>5</td>", html)


# Hostile names


ELEMENTS = {
    *("div", "p", "strong", "b", "details", "summary", "pre", "code"),
    *("table", "caption", "thead", "tbody", "tr", "th", "td"),
}


class Tags(HTMLParser):
    """The elements, attributes and text of some HTML."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.text = ""
        self.open: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: Any) -> None:
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text += data


def visible(name: str) -> str:
    """What of a name has to be seen in every format: its letters."""
    return "".join(re.findall(r"[a-z]{2,}", name)[:1]) or "pcap"


@pytest.mark.parametrize("name", HOSTILE)
def test_html_of_a_hostile_name_is_text(name: str) -> None:
    report = report_named(name)
    html = report._repr_html_()
    tags = Tags(html)
    assert tags.open == []
    assert tags.tags <= ELEMENTS
    assert tags.attributes <= {"style", "open", "scope", "class"}
    assert html.startswith('<div class="mathjax_ignore"')  # or notebooks typeset what is in dollars
    assert not re.search("[\x00-\x09\x0b-\x1f\x7f\x85\u2028\u202e]", html)
    assert visible(name) in tags.text


@pytest.mark.parametrize("name", HOSTILE)
def test_markdown_of_a_hostile_name_is_text(name: str) -> None:
    plain = rendered(render(report_named("a.pcap"), "markdown"))
    hostile = rendered(render(report_named(name), "markdown"))
    assert re.findall("<[a-z0-9]+", hostile) == re.findall("<[a-z0-9]+", plain)
    for code in re.findall("<code>.*?</code>", hostile, re.DOTALL):
        hostile = hostile.replace(code, "")
    assert "evil" not in hostile  # outside of code, GitHub makes links and mentions of bare text
    assert "@team" not in hostile
    assert "pcap" not in hostile


@pytest.mark.parametrize("name", HOSTILE)
def test_github_annotations_of_a_hostile_name_are_one_command(name: str) -> None:
    text = render(report_named(name), "github")
    (line,) = re.split("[\r\n\x85\u2028\u2029]", text.removesuffix("\n"))
    match = re.fullmatch(r"::error file=([^,:]*),title=VX101 outer-zero-nat-partial::(.*)", line)
    assert match is not None
    assert not re.search("[\x00-\x1f\x7f\u202e]", line)
    decoded = match[1].replace("%3A", ":").replace("%2C", ",").replace("%25", "%")
    assert decoded == "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in name)


@pytest.mark.parametrize("name", HOSTILE)
def test_csv_of_a_hostile_name_is_a_cell_of_text(name: str) -> None:
    text = render(report_named(name), "csv")
    assert len(text.splitlines()) == 2
    (row,) = csv.DictReader(io.StringIO(text))
    assert None not in row
    for cell in row.values():
        assert not cell.lstrip().startswith(("=", "+", "-", "@", "\uff1d", "\t", "\r"))
    shown = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in name)
    assert row["capture"].removeprefix("'") == shown
    assert row["rule"] == "VX101"


@pytest.mark.parametrize("name", HOSTILE)
def test_json_lines_of_a_hostile_name_are_lines_of_ascii(name: str) -> None:
    text = render(report_named(name), "jsonl")
    assert text.isascii()
    facts, finding = map(json.loads, text.splitlines())
    assert facts["captures"][0]["name"] == finding["capture"] == name


@pytest.mark.parametrize("format_", FORMATS)
def test_no_format_has_control_characters_of_a_name(format_: str) -> None:
    for name in HOSTILE:
        text = render(report_named(name), format_)
        assert not re.search("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202e]", text)


@pytest.mark.parametrize("name", [*HOSTILE, "lone \udcff", "c1 \x9b31m", "\u202egnp.pcap"])
def test_json_of_a_hostile_name_is_ascii_and_keeps_it(name: str) -> None:
    text = render(report_named(name), "json")
    assert text.isascii()
    assert json.loads(text)["captures"][0]["name"] == name


# The notebook


def test_a_report_in_a_notebook_says_verdict_evidence_and_command() -> None:
    report = diagnose(CORRUPT)
    html = report._repr_html_()
    text = Tags(html).text
    for part in ("CORRUPT", "VX101", "172.31.7.11 > 172.31.7.12", "ethtool -K", "outer_udp"):
        assert part in text
    assert "<details open" in html
    assert not re.search(r"<script|<style|<link|src=|href=|url\(", html)
    assert not re.search("(?<!-)color: *#", html.replace("border-left", ""))


def test_html_and_repr_are_bounded_for_any_number_of_findings() -> None:
    captures = [pcapng(CORRUPT)] * 60
    report = analyze(captures)
    assert len(report.findings) == 60
    html, one = report._repr_html_(), analyze(captures[:1])._repr_html_()
    assert html.count("<details") == MAX_FINDINGS
    assert len(html) < (MAX_FINDINGS + 1) * len(one)
    assert "and 40 more findings" in html
    assert "and 40 more findings" in repr(report)
    assert len(repr(report).splitlines()) == MAX_FINDINGS + 4


def test_a_healthy_report_in_a_notebook_is_short() -> None:
    report = diagnose([tunnel(n) for n in range(4)])
    assert "<details" not in report._repr_html_()
    assert "OK" in Tags(report._repr_html_()).text
    assert repr(report).startswith("<Report: 4 frames, 0 findings>\nOK")


def test_an_overlong_name_is_cut() -> None:
    report = report_named("x" * 100_000)
    assert len(report._repr_html_()) < 20_000
    assert len(repr(report)) < 2_000


def test_names_of_interfaces_and_comments_do_nothing() -> None:
    evil = b"<script>evil</script>\r\n::error::evil\x1b[31m=evil()|evil`evil`"
    text = evil + bytes(-len(evil) % 4)

    def block(kind: int, body: bytes) -> bytes:
        total = struct.pack("<I", len(body) + 12)
        return struct.pack("<I", kind) + total + body + total

    def option(code: int) -> bytes:
        return struct.pack("<HH", code, len(evil)) + text

    out = [block(0x0A0D0D0A, struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1) + option(1) + option(4))]
    out.append(block(1, struct.pack("<HHI", 1, 0, 0) + option(2) + option(3) + option(1)))
    for frame in CORRUPT:
        octets = frame.octets + bytes(-len(frame.octets) % 4)
        head = struct.pack("<IIIII", 0, 0, 0, len(frame.octets), len(frame.octets))
        out.append(block(6, head + octets + option(1)))
    capture = b"".join(out)
    report, packets = analyze(capture), read_packets(capture)
    assert [finding.code for finding in report.findings] == ["VX101"]
    for told in (
        *(render(report, format_) for format_ in FORMATS),
        *(repr(report), report._repr_html_(), repr(packets), packets._repr_html_()),
    ):
        assert "evil" not in told
