"""Pictures: what they show, that they say it in words too, and that they disturb nobody."""

from __future__ import annotations

import io
import subprocess
import sys
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import pytest
from click.testing import CliRunner
from support import TCP, Frame, address, diagnose, framed, ipv4, pcap, segment, tunnelled

import vxcsum
from vxcsum import Status
from vxcsum.cli.main import main
from vxcsum.report.facts import waits
from vxcsum.report.panel import COLORS, FAINT
from vxcsum.report.series import MAX_NODES, pairs, residuals, status_rows
from vxcsum.report.style import STYLE
from vxcsum.rules.engine import CATALOGUE

pytest.importorskip("matplotlib", reason="matplotlib is not installed (extra plot)")

KERNEL = Path(__file__).parents[2] / "captures" / "kernel"
LATE = KERNEL / "u61bug-k8s-clusterip-norehash.snd.pcap"  # six SYNs are lost, the seventh arrives
HEALTHY = KERNEL / "u61fix-nat-vlan.snd.pcap"
POD_A, POD_B = address("10.244.1.5"), address("10.244.2.5")


def tunnel(source: str, destination: str, value: int | str = "right") -> Frame:
    inner = ipv4(segment(TCP, POD_A, POD_B, b"x"), TCP, POD_A, POD_B)
    return Frame(framed(tunnelled(inner, address(source), address(destination), value=value)))


def texts(figure: Any) -> str:
    """What is written in a figure."""
    import matplotlib as mpl

    file = io.BytesIO()
    with mpl.rc_context({"svg.fonttype": "none"}):
        figure.savefig(file, format="svg")
    root = ElementTree.fromstring(file.getvalue())
    return "\n".join(node.text or "" for node in root.iter() if node.tag.endswith("}text"))


def test_statuses_over_time_are_those_of_the_layers() -> None:
    report = vxcsum.analyze(LATE)
    found = {
        (row.layer, row.status): int(row.counts.sum())
        for row in status_rows(report.evidence.timeline)
    }
    assert found["outer_udp", Status.INVALID] == 6
    assert found["outer_udp", Status.ZERO] == 34
    assert found["inner_tcp", Status.PARTIAL] == 15
    assert sum(found.values()) == sum(sum(c.values()) for c in report.layers.values())


def test_residuals_are_counted_by_place_most_frequent_first() -> None:
    frames = [tunnel("172.31.7.11", "172.31.7.12", value) for value in (0x1111, 0x1111, 0x2222)]
    (place,) = residuals(diagnose(frames).evidence)
    right = int.from_bytes(tunnel("172.31.7.11", "172.31.7.12").octets[40:42], "big")
    assert place.place == "outer UDP"
    assert place.frames.tolist() == [2, 1]
    assert place.values.tolist() == [(v - right) % 0xFFFF for v in (0x1111, 0x2222)]


@pytest.mark.parametrize(
    ("frames", "words"),
    [
        ([1], "one frame"),
        ([7], "one cause"),
        ([90, 5, 5], "few causes"),
        ([1] * 50, "random damage"),
    ],
)
def test_a_spike_is_told_from_a_carpet(frames: list[int], words: str) -> None:
    from vxcsum.report.series import Residuals

    values = np.arange(len(frames), dtype=np.uint16)
    assert words in Residuals("outer UDP", values, np.array(frames)).reading


def test_pairs_count_each_wrong_frame_once() -> None:
    frames = [tunnel("172.31.7.11", "172.31.7.12", value) for value in ("right", 0x1111, "right")]
    frames.append(tunnel("172.31.7.12", "172.31.7.11"))
    both_wrong = bytearray(tunnel("172.31.7.11", "172.31.7.12", 0x1111).octets)
    both_wrong[-1] ^= 1  # the payload that the inner checksum covers
    frames.append(Frame(bytes(both_wrong)))
    found = pairs(diagnose(frames).evidence)
    assert found.sources == found.destinations == ["172.31.7.11", "172.31.7.12"]
    assert found.frames.tolist() == [[0, 4], [1, 0]]
    assert found.wrong.tolist() == [[0, 2], [0, 0]]


def test_many_nodes_leave_room_for_the_worst() -> None:
    frames = [
        tunnel(f"10.0.0.{n}", "10.0.1.1", 0x1111 if n == 40 else "right") for n in range(1, 41)
    ]
    found = pairs(diagnose(frames).evidence)
    assert len(found.sources) == MAX_NODES
    assert found.sources[0] == "10.0.0.40"
    assert found.left_out == 40 - MAX_NODES


def test_a_late_connection_has_its_timeline() -> None:
    (wait,) = waits(vxcsum.analyze(LATE))
    assert (wait.client, wait.server) == ("10.244.1.0:56387", "10.244.2.5:8080")
    assert [round(second) for second in wait.seconds] == [0, 1, 3, 7, 15, 32]
    assert wait.through is not None
    assert 63 < wait.through < 66
    written = texts(vxcsum.analyze(LATE).plot.connections())
    assert "10.244.1.0:56387 > 10.244.2.5:8080 tcp" in written
    assert "through after 64.6 s (VX101)" in written


@pytest.mark.parametrize(
    ("code", "offsets", "delay", "seconds", "through"),
    [
        ("VX701", [0.0, 1.0, 3.0, 64.6], 64.7, (0.0, 1.0, 3.0), 64.7),
        ("VX701", [0.0], 2.5, (), 2.5),
        ("VX702", [0.0, 1.0, 3.0], 3.0, (0.0, 1.0, 3.0), None),
    ],
)
def test_what_was_noticed_as_a_wait_goes_before_what_a_cause_lists(
    code: str, offsets: list[float], delay: float, seconds: tuple[float, ...], through: float | None
) -> None:
    report = vxcsum.analyze(LATE)
    cause = report.findings[0]
    evidence = {
        "client": "10.244.1.0:56387",
        "server": "10.244.2.5:8080",
        "delay_seconds": delay,
        "syn_offsets": offsets,
        "cause": None,
    }
    rule = CATALOGUE[code].RULE
    report = replace(report, findings=[cause, replace(cause, rule=rule, evidence=evidence)])
    (wait,) = waits(report)
    assert (wait.seconds, wait.through, wait.code) == (seconds, through, code)
    assert f"({code})" in texts(report.plot.connections())


def test_each_wait_of_one_connection_is_told() -> None:
    (finding,) = (f for f in vxcsum.analyze(LATE).findings if f.code == "VX701")
    report = vxcsum.analyze(LATE)
    late = finding.evidence
    soon = {**late, "delay_seconds": 1.0, "syn_offsets": [0.0, 1.0]}
    again = replace(finding, evidence={**late, "waiting": [late, soon]})
    found = waits(replace(report, findings=[report.findings[0], again]))
    assert [wait.through for wait in found] == [late["delay_seconds"], 1.0]


@pytest.mark.parametrize("name", ["status", "connections", "residuals", "pairs", "all"])
@pytest.mark.parametrize("capture", [LATE, HEALTHY])
def test_every_picture_is_a_figure_also_where_there_is_nothing_to_see(
    name: str, capture: Path
) -> None:
    from matplotlib.figure import Figure

    figure = getattr(vxcsum.analyze(capture).plot, name)()
    assert isinstance(figure, Figure)
    assert texts(figure)


def luminance(color: str) -> float:
    """Relative luminance as WCAG 2 defines it."""
    channels = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    linear = [c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("page", ["#ffffff", "#12161b"], ids=["light", "dark"])
def test_what_is_drawn_stands_out_from_both_pages(page: str) -> None:
    for color in (*COLORS.values(), FAINT):
        low, high = sorted([luminance(color), luminance(page)])
        assert (high + 0.05) / (low + 0.05) >= 3  # WCAG 2.2, 1.4.11
    assert page in STYLE


def test_a_notebook_shows_a_figure_by_itself() -> None:
    figure: Any = vxcsum.analyze(LATE).plot.connections()
    root = ElementTree.fromstring(figure._repr_svg_())
    assert root.tag.endswith("}svg")
    paper = next(node for node in root.iter() if node.get("id") == "patch_1")
    assert "fill: #ffffff" in str(paper[0].get("style"))  # legible in a dark theme


def test_an_empty_capture_can_be_drawn() -> None:
    assert "No checksum was seen" in texts(vxcsum.analyze(pcap([])).plot.all())


def test_drawing_leaves_the_settings_of_the_user_alone() -> None:
    import matplotlib as mpl

    before = dict(mpl.rcParams)
    with mpl.rc_context({"font.size": 31.0, "svg.fonttype": "path"}):
        vxcsum.analyze(LATE).plot.save(io.BytesIO(), "svg")
        assert (mpl.rcParams["font.size"], mpl.rcParams["svg.fonttype"]) == (31.0, "path")
    assert dict(mpl.rcParams) == before


def test_drawing_needs_no_display_and_no_pyplot() -> None:
    program = (
        "import io, sys, vxcsum\n"
        f"vxcsum.analyze({str(LATE)!r}).plot.save(io.BytesIO(), 'svg')\n"
        "assert 'matplotlib.pyplot' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-W", "error", "-c", program], check=True, env={"PATH": ""})


@pytest.mark.parametrize("format_", ["svg", "pdf", "png"])
def test_the_same_report_gives_the_same_file(format_: str) -> None:
    files = [io.BytesIO(), io.BytesIO()]
    for file in files:
        vxcsum.analyze(LATE).plot.save(file, format_)
    assert files[0].getvalue() == files[1].getvalue()
    assert files[0].getvalue()


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("a $x^2$ b $", "a $x^2$ b $"),
        (r"\$x$ \frac{1}{2}", r"\$x$ \frac{1}{2}"),
        ("tab\tbell\a", r"tab\u0009bell\u0007"),
        ("\u202egnp", r"\u202egnp"),
        ("\u5317\u4eac", r"\u5317\u4eac"),  # the font has no such glyphs
        ("\udcff", r"\udcff"),
        ("M\u00fcnchen <&>", "M\u00fcnchen <&>"),
    ],
)
def test_names_are_drawn_letter_by_letter(name: str, shown: str) -> None:
    report = vxcsum.analyze(LATE)
    report.captures[0].name = name
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert shown in texts(report.plot.all()).splitlines()


def test_hundreds_of_nodes_and_a_clock_that_jumps_stay_small() -> None:
    frames = [tunnel(f"10.0.{n % 50}.1", f"10.1.{n % 61}.1", n) for n in range(1, 600)]
    capture = bytearray(pcap(frames))
    capture[24:28] = b"\xff" * 4  # the first frame is of 2106, the rest of 2023
    file = io.BytesIO()
    vxcsum.analyze(bytes(capture)).plot.save(file, "svg")
    assert 10_000 < len(file.getvalue()) < 2_000_000


class TestCommandLine:
    def test_the_format_is_that_of_the_name(self, tmp_path: Path) -> None:
        signs = {"a.svg": b"<?xml", "a.PNG": b"\x89PNG", "a.pdf": b"%PDF"}
        for name, sign in signs.items():
            target = tmp_path / name
            result = CliRunner().invoke(main, ["analyze", "-q", "--plot", str(target), str(LATE)])
            assert (result.exit_code, result.output) == (1, "")
            assert target.read_bytes().startswith(sign)

    @pytest.mark.parametrize("name", ["a.gif", "svg", "a.svg.txt", ""])
    def test_another_name_is_refused_before_the_work(self, name: str, tmp_path: Path) -> None:
        target = tmp_path / name if name else ""
        result = CliRunner().invoke(main, ["analyze", "--plot", str(target), "no-such.pcap"])
        assert result.exit_code == 2
        assert "wanted a name that ends in .svg, .png, .pdf" in result.output

    def test_a_capture_is_never_overwritten(self, tmp_path: Path) -> None:
        copy = tmp_path / "c.svg"
        copy.write_bytes(LATE.read_bytes())
        result = CliRunner().invoke(main, ["analyze", "-q", "--plot", str(copy), str(copy)])
        assert result.exit_code == 2
        assert "one of the captures" in result.output
        assert copy.read_bytes() == LATE.read_bytes()

    def test_without_matplotlib_it_says_what_to_install(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
        target = tmp_path / "a.svg"
        result = CliRunner().invoke(main, ["analyze", "-q", "--plot", str(target), str(LATE)])
        assert result.exit_code == 2
        assert 'pip install "vxcsum[plot]"' in result.output
        assert not target.exists()
