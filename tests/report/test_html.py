"""The page for a colleague: complete, bounded, well-formed, and inert whatever a capture says."""

from __future__ import annotations

import itertools
import re
import struct
import sys
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from support import TCP, Frame, address, framed, ipv4, pcap, segment, tunnelled

import vxcsum
from vxcsum.cli.main import main
from vxcsum.report.html import MAX_CAPTURES
from vxcsum.report.html_findings import MAX_BRIEF, MAX_FULL, MAX_SAME
from vxcsum.report.markup import Markup, join, tag

KERNEL = Path(__file__).parents[2] / "captures" / "kernel"
LATE = KERNEL / "u61bug-k8s-clusterip-norehash.snd.pcap"
HEALTHY = KERNEL / "u61fix-nat-vlan.snd.pcap"
MARKUP = "<script>alert(1)</script><img src=x onerror='alert(2)'>\"&lt;$x^2$"
VOID = {"meta", "link", "br"}


class Page(HTMLParser):
    """A page as a browser would read it; elements must be closed in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.open: list[str] = []
        self.words: list[tuple[str, str]] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append((self.open[-1] if self.open else "", data))

    @property
    def text(self) -> str:
        return "".join(text for parent, text in self.words if parent != "style")

    def all(self, *names: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.elements if name in names]

    def within(self, name: str) -> list[str]:
        return [text for parent, text in self.words if parent == name]


def page(source: Any) -> Page:
    return Page(vxcsum.analyze(source).to_html())


def wrong(count: int, source: str = "172.31.7.11") -> list[Frame]:
    """Frames with a wrong outer checksum that nothing explains."""
    ends = address("10.244.1.5"), address("10.244.2.5")
    inner = ipv4(segment(TCP, *ends, b"x"), TCP, *ends)
    outer = address(source), address("172.31.7.12")
    return [Frame(framed(tunnelled(inner, *outer, value=0x1111 * n + 1))) for n in range(count)]


@pytest.fixture(scope="module")
def late() -> Page:
    return page(LATE)


@pytest.mark.parametrize("capture", [LATE, HEALTHY, KERNEL / "h618-nat-udpcsum.snd.pcap"])
def test_all_that_the_text_says_is_there(capture: Path) -> None:
    report = vxcsum.analyze(capture)
    told = " ".join(Page(report.to_html()).text.split())
    for finding in report.findings:
        assert finding.code in told
        for remedy in finding.remedies if finding.severity.name != "INFO" else ():
            assert remedy.command in told
    for line in str(report).splitlines():
        if line.startswith("    ") and "  " in line.strip():  # name and value of some evidence
            assert line.strip().split("  ")[-1].strip() in told


def test_a_command_is_copied_as_it_is(late: Page) -> None:
    commands = "".join(late.within("code"))
    assert "ethtool -K flannel.1 tx-checksum-ip-generic off" in commands
    assert 'ENV{INTERFACE}=="flannel.1"' in commands


def test_it_needs_no_network_and_runs_nothing(late: Page) -> None:
    allowed = ("#", "data:,")
    for _, attributes in late.elements:
        for name in ("href", "src", "xlink:href", "action", "data", "poster", "srcset"):
            assert str(attributes.get(name) or "#").startswith(allowed)
        assert not any(name.startswith("on") for name in attributes)
    assert not late.all("script", "iframe", "object", "embed", "form", "base", "img")
    style = "".join(late.within("style")) + "".join(str(a.get("style")) for _, a in late.elements)
    assert "url(h" not in style
    assert "@import" not in style
    (policy,) = [a["content"] for a in late.all("meta") if "http-equiv" in a]
    assert str(policy).startswith("default-src 'none'")
    assert "script-src" not in str(policy)


def test_it_can_be_found_one_s_way_in(late: Page) -> None:
    identifiers = [a["id"] for _, a in late.elements if "id" in a]
    assert len(identifiers) == len(set(identifiers))
    for _, attributes in late.elements:
        link = attributes.get("href") or ""
        assert not link.startswith("#") or link[1:] in identifiers
        for name in (attributes.get("aria-labelledby") or "").split():
            assert name in identifiers
    for name in ("header", "nav", "main", "footer", "h1"):
        assert len(late.all(name)) == 1
    levels = [int(name[1]) for name, _ in late.elements if re.fullmatch("h[1-6]", name)]
    assert levels[0] == 1
    assert all(after <= before + 1 for before, after in itertools.pairwise(levels))
    assert all(a.get("scope") in ("row", "col") for a in late.all("th"))
    assert late.all("html")[0]["lang"] == "en"
    assert len(late.all("caption")) == len(late.all("table"))
    boxes = [a for a in late.all("div") if a.get("class") == "scroll"]
    assert all(a["tabindex"] == "0" and a["role"] == "region" and a["aria-label"] for a in boxes)
    assert len(boxes) == len(late.all("table", "svg"))


def test_pictures_say_in_words_what_is_to_be_seen(late: Page) -> None:
    pytest.importorskip("matplotlib", reason="matplotlib is not installed (extra plot)")
    assert len(late.all("svg")) == 4
    assert all(a["role"] == "img" and a["aria-labelledby"] for a in late.all("svg"))
    assert any("one value: one cause" in text for text in late.within("desc"))
    assert not late.all("metadata")


def test_without_matplotlib_the_page_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    made = page(LATE)
    assert not made.all("svg")
    assert 'pip install "vxcsum[plot]"' in made.text
    assert "VX101" in made.text


def test_a_hostile_name_is_text(tmp_path: Path) -> None:
    folder = tmp_path / "<b onclick=alert(3)>"
    folder.mkdir()
    name = MARKUP.replace("/", "") + "\n\x1b[31m\u202e.pcap"
    (folder / name).write_bytes(pcap(wrong(3)))
    (folder / "2.pcap").write_bytes(pcap(wrong(2)))
    for source in (folder, folder / name):
        made = page(source)
        assert not made.all("script", "img", "b")
        assert MARKUP.replace("/", "") + r"\u000a\u001b[31m\u202e.pcap" in made.text


def pcapng_with(text: bytes) -> bytes:
    """A capture that says a text wherever one can be said: comments, hardware, interface names."""

    def option(code: int) -> bytes:
        return struct.pack("<HH", code, len(text)) + text + bytes(-len(text) % 4)

    def block(kind: int, body: bytes) -> bytes:
        size = len(body) + 12
        return struct.pack("<II", kind, size) + body + struct.pack("<I", size)

    end = bytes(4)
    (frame,) = wrong(1)
    head = struct.pack("<IIIII", 0, 0, 0, len(frame.octets), len(frame.octets))
    padded = frame.octets + bytes(-len(frame.octets) % 4)
    section = struct.pack("<IHHq", 0x1A2B3C4D, 1, 0, -1)
    return (
        block(0x0A0D0D0A, section + option(1) + option(2) + option(3) + option(4) + end)
        + block(1, struct.pack("<HHI", 1, 0, 0) + option(2) + option(3) + option(12) + end)
        + block(6, head + padded + option(1) + end)
    )


def test_hostile_comments_and_interface_names_are_text() -> None:
    made = page(pcapng_with(MARKUP.encode()))
    assert not made.all("script", "img")
    assert "VX60" in made.text


def test_what_a_page_holds_is_bounded(tmp_path: Path) -> None:
    for number in range(MAX_CAPTURES + 20):
        (tmp_path / f"{number:03}{'x' * 150}.pcap").write_bytes(pcap(wrong(1)))
    report = vxcsum.analyze(tmp_path)
    report = replace(report, findings=list(report.findings) * 5)
    text = report.to_html()
    made = Page(text)
    assert len(made.all("article")) == MAX_SAME <= MAX_FULL
    assert f"and {5 * (MAX_CAPTURES + 20) - MAX_SAME - MAX_BRIEF:,} more" in made.text
    assert "20 more are not listed" in made.text
    assert len(text) < 1_000_000


def test_a_page_does_not_call_good_what_is_not() -> None:
    left_out = Page(vxcsum.analyze(LATE, ignore=["VX"]).to_html())
    assert "NO ERROR: " in left_out.text
    assert "Nothing is wrong" not in left_out.text
    empty = page(pcap([]))
    assert "NOTHING TO VERIFY" in empty.text
    assert "Nothing is wrong" not in empty.text
    assert "Nothing is wrong" in page(HEALTHY).text


def test_the_same_report_gives_the_same_page() -> None:
    assert vxcsum.analyze(LATE).to_html() == vxcsum.analyze(LATE).to_html()


@given(st.text(), st.text())
def test_text_is_never_markup(text: str, value: str) -> None:
    made = Page(tag("p", text, tag("b", "x"), title=value))
    assert [name for name, _ in made.elements] == ["p", "b"]
    assert join([text]) == join([join([text])])
    assert not isinstance(text + Markup("<i>"), Markup)


class TestCommandLine:
    def test_a_page_is_written_beside_the_report(self, tmp_path: Path) -> None:
        target = tmp_path / "report.html"
        result = CliRunner().invoke(main, ["analyze", "--html", str(target), str(LATE)])
        assert result.exit_code == 1
        assert result.stdout.startswith("CORRUPT")
        assert target.read_text(encoding="utf-8") == vxcsum.analyze(str(LATE)).to_html()

    def test_a_dash_is_standard_output(self) -> None:
        result = CliRunner().invoke(main, ["analyze", "-q", "--html", "-", str(LATE)])
        assert result.stdout == vxcsum.analyze(str(LATE)).to_html()
        assert not Path("-").exists()

    def test_a_page_that_cannot_be_written_is_one_line(self, tmp_path: Path) -> None:
        target = tmp_path / "no" / "report.html"
        result = CliRunner().invoke(main, ["analyze", "-q", "--html", str(target), str(LATE)])
        assert result.exit_code == 2
        assert result.stderr.count("\n") == 1

    def test_there_is_no_page_without_a_capture(self, tmp_path: Path) -> None:
        target = tmp_path / "report.html"
        (tmp_path / "c.pcap").write_bytes(b"no capture")
        result = CliRunner().invoke(
            main, ["analyze", "--html", str(target), str(tmp_path / "c.pcap")]
        )
        assert result.exit_code == 2
        assert not target.exists()
