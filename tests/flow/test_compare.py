"""Two captures side by side."""

from __future__ import annotations

import json
import random
import re
import shutil
import struct
import subprocess
from typing import TYPE_CHECKING

import pytest
from click.testing import CliRunner
from test_flow_connections import ACK, SYN, Timed, capture, handshake, tcp

import vxcsum
from vxcsum.cli.main import main

if TYPE_CHECKING:
    from pathlib import Path

OFF, ON = "h618-throughput-off.snd-s200.pcap", "h618-throughput-on.snd-s200.pcap"
SIDES = ("before", "after")
KEYS = {
    "frames",
    "duration_seconds",
    "goodput_bits_per_second",
    "segment_bytes_median",
    "superframes",
    "partial_share",
    "retransmissions",
    "connections",
    "handshake_seconds_median",
    "findings",
}


def transfer(seconds: float, value: str = "right", outer: str | int = "zero") -> bytes:
    sent = [
        tcp(1 + n * seconds / 149, ACK, seq=101 + 1000 * n, payload=1000, value=value, outer=outer)
        for n in range(150)
    ]
    return capture([*handshake(), *sent])


def test_the_pair_of_transfers_comes_out_in_the_right_order(
    project_captures: Path, engine: str
) -> None:
    folder = project_captures / "kernel"
    told = vxcsum.compare(folder / OFF, folder / ON, engine=engine).to_dict()
    before, after = told["before"], told["after"]
    assert set(before) >= KEYS
    assert told["schema"] == "vxcsum.compare/1"
    assert before["goodput_bits_per_second"] < after["goodput_bits_per_second"]
    assert (before["segment_bytes_median"], after["segment_bytes_median"]) == (1398, 64308)
    assert (before["superframes"], after["superframes"]) == (0, 176)
    assert (before["segmentation_offload"], after["segmentation_offload"]) == (False, True)
    assert (before["checksum_offload"], after["checksum_offload"]) == (False, True)
    assert told["ratio"]["goodput_bits_per_second"] == pytest.approx(1.332, abs=0.01)
    assert told["ratio"]["superframes"] is None
    assert told["verdict"].startswith("NO CORRUPTION")


@pytest.mark.parametrize("name", [OFF, ON])
def test_goodput_is_what_tshark_counts(name: str, project_captures: Path) -> None:
    if shutil.which("tshark") is None:
        pytest.skip("tshark is not installed")
    path = project_captures / "kernel" / name
    fields = ["frame.time_epoch", "tcp.stream", "ip.src", "tcp.len"]
    wanted = [part for field in fields for part in ("-e", field)]
    options = ["-d", "udp.port==8472,vxlan", "-Y", "tcp.len > 0", "-T", "fields", *wanted]
    lines = subprocess.run(
        ["tshark", "-r", str(path), *options], capture_output=True, text=True, check=True
    ).stdout.splitlines()
    streams: dict[tuple[str, str], list[tuple[float, int]]] = {}
    for line in lines:
        time, stream, sources, length = line.split("\t")
        streams.setdefault((stream, sources), []).append((float(time), int(length)))
    busiest = max(streams.values(), key=lambda sent: sum(size for _, size in sent))
    lasted = busiest[-1][0] - busiest[0][0]
    goodput = sum(size for _, size in busiest) * 8 / lasted
    told = vxcsum.compare(path, path).to_dict()["before"]["goodput_bits_per_second"]
    assert told == pytest.approx(goodput, rel=0.02)


def test_a_change_that_corrupts_is_not_safe(engine: str) -> None:
    good, bad = transfer(1.0), transfer(0.5, value="partial", outer=0xFFFF)
    worse = vxcsum.compare(good, bad, engine=engine)
    assert worse.verdict.startswith("NOT SAFE: after the change there is VX")
    assert worse.ratio["goodput_bits_per_second"] == pytest.approx(2, rel=0.01)
    assert vxcsum.compare(bad, good).verdict.startswith("CURED")
    assert vxcsum.compare(bad, bad).verdict.startswith("NOT CURED")
    assert vxcsum.compare(good, good).verdict == (
        "NO CORRUPTION in either capture. Goodput is 1.00 times what it was."
    )


@pytest.mark.parametrize(
    "name", ["h618-throughput-off.snd-s200.pcap", "h618-tcp-offload-off.rcv.pcap"]
)
def test_frames_cut_short_are_no_proof(name: str, project_captures: Path) -> None:
    path = project_captures / "kernel" / name
    verdict = vxcsum.compare(path, path).verdict
    cut = "most checksums of TCP, UDP and ICMP before and after could not" in verdict
    assert cut == ("s200" in name)


def test_a_capture_cut_in_its_first_record_is_nothing_to_compare(project_captures: Path) -> None:
    whole = (project_captures / "kernel" / "h618-tcp-offload-off.rcv.pcap").read_bytes()
    with pytest.warns(vxcsum.TruncatedCaptureWarning):
        told = vxcsum.compare(whole[:30], whole).to_dict()
    assert told["before"]["finding_shares"] == {"VX909": 0}


def test_copies_that_other_interfaces_saw_count_once(project_captures: Path) -> None:
    folder = project_captures / "kernel"
    names = ("h618-formats.sll.pcap", "h618-formats.sll2.pcap", "h618-formats.multi-if.pcapng")
    for name in names:
        side = vxcsum.compare(folder / "h618-formats.us.pcap", folder / name).sides[1]
        assert side["connections"] == 1
        assert side["retransmissions"] == 0
        assert side["goodput_bits_per_second"] == pytest.approx(429e6, rel=0.01)
    notes = vxcsum.compare(folder / names[0], folder / names[1]).notes
    assert any("does not number its interfaces" in note for note in notes)


BUG = "u61bug-k8s-clusterip-norehash.snd.pcap"


def cut(whole: bytes, size: int) -> bytes:
    """Return a little-endian capture as it is with a small snaplen."""
    out, place = [whole[:24]], 24
    while place < len(whole):
        second, rest, kept, length = struct.unpack_from("<IIII", whole, place)
        octets = whole[place + 16 : place + 16 + kept][:size]
        out += [struct.pack("<IIII", second, rest, len(octets), length), octets]
        place += 16 + kept
    return b"".join(out)


def corrupted(frames: int, wrong: int, seed: int = 1) -> bytes:
    """Return a transfer with some checksums of which nothing can be told."""
    rng = random.Random(seed)
    hit = set(rng.sample(range(frames), wrong))
    return capture([
        *handshake(),
        *(
            tcp(
                1 + n / 100,
                ACK,
                seq=101 + 1000 * n,
                payload=1000,
                value=rng.randrange(1, 0xFFFF) if n in hit else "right",
            )
            for n in range(frames)
        ),
    ])  # fmt: skip


def test_a_cure_is_what_the_capture_after_can_show(project_captures: Path, engine: str) -> None:
    folder = project_captures / "kernel"
    cured = vxcsum.compare(folder / BUG, folder / "u61fix-k8s-clusterip.snd.pcap", engine=engine)
    assert cured.verdict.startswith("CURED")


@pytest.mark.parametrize(
    ("after", "reason"),
    [
        (BUG.replace(".snd", ".vx"), "connections still waited after the change (VX701)"),
        (BUG.replace(".snd", ".vx"), "no outer_udp checksum could be verified"),
        ("u61bug-inner-udp.snd.pcap", "no inner_tcp checksum could be verified"),
        (capture([]), "no outer_udp checksum could be verified"),
        ([], "no outer_udp checksum could be verified"),
        (capture(handshake()), "only 3 outer_udp checksums were verified"),
    ],
)
def test_a_capture_that_could_not_show_the_error_shows_no_cure(
    after: str | bytes | list[str], reason: str, project_captures: Path
) -> None:
    folder = project_captures / "kernel"
    source = folder / after if isinstance(after, str) else after
    verdict = vxcsum.compare(folder / BUG, source).verdict
    assert verdict.startswith("CANNOT TELL: ")
    assert reason in verdict


def test_cutting_frames_short_is_no_cure(project_captures: Path) -> None:
    path = project_captures / "kernel" / BUG
    verdict = vxcsum.compare(path, cut(path.read_bytes(), 60)).verdict
    assert verdict.startswith("CANNOT TELL: most outer_udp checksums could not be verified")


def test_connections_that_still_wait_are_not_cured(project_captures: Path) -> None:
    sent = [tcp(8 + n / 100, ACK, seq=101 + 100 * n, payload=100) for n in range(100)]
    waiting = [tcp(0, SYN), tcp(1, SYN), tcp(3, SYN), *((7 + at, f) for at, f in handshake())]
    after = capture([*waiting, *sent])
    verdict = vxcsum.compare(project_captures / "kernel" / BUG, after).verdict
    assert verdict.startswith("CANNOT TELL: connections still waited after the change (VX701).")


def test_no_corruption_is_not_said_of_what_was_not_verified() -> None:
    good = transfer(1.0)
    for nothing in (capture([]), []):
        assert vxcsum.compare(nothing, nothing).verdict.startswith("NOTHING TO VERIFY")
        assert vxcsum.compare(nothing, good).verdict == (
            "CANNOT TELL: no checksum could be verified before the change."
        )
        assert vxcsum.compare(good, nothing).verdict == (
            "CANNOT TELL: no checksum could be verified after the change."
        )


def test_corruption_is_compared_by_its_share_of_the_frames() -> None:
    before, after = corrupted(100, 10), corrupted(2000, 40)
    comparison = vxcsum.compare(before, after)
    told = comparison.to_dict()
    codes = [{c for c in told[n]["findings"] if c in {"VX600", "VX601"}} for n in SIDES]
    assert all(codes)
    assert comparison.verdict.startswith("NOT CURED")
    assert comparison.new_errors == []
    assert vxcsum.compare(after, before).new_errors == sorted(codes[0])  # five times as much
    (code,) = codes[0]
    same = vxcsum.compare(before, corrupted(200, 20))
    assert same.to_dict()["before"]["finding_shares"][code] == pytest.approx(10 / 103)
    assert same.ratio[code] == pytest.approx(20 / 203 / (10 / 103), rel=1e-5)
    assert vxcsum.compare(transfer(1), before).ratio[code] is None
    assert re.search(rf"{code} frames +10 \(9.71%\) +20 \(9.85%\) +1.01", same.to_text())
    assert "shares of all frames" in " ".join(same.notes)


def test_tcp_is_compared_where_most_of_it_is() -> None:
    bare = [tcp(1 + n / 149, ACK, seq=101 + 1000 * n, payload=1000, plain=True) for n in range(150)]
    noise = [tcp(0.5 + n, ACK, seq=101 + 10 * n, payload=10, sport=41000) for n in range(3)]
    comparison = vxcsum.compare(capture([*bare, *noise]), transfer(1))
    before = comparison.to_dict()["before"]
    assert before["goodput_bits_per_second"] == pytest.approx(1.2e6, rel=0.01)
    notes = " ".join(comparison.notes)
    assert "outside of VXLAN before and inside VXLAN after" in notes
    assert "before: 30 octets of TCP inside VXLAN are left out" in notes
    assert "different places" not in " ".join(vxcsum.compare(capture(bare), []).notes)
    assert "different places" not in " ".join(vxcsum.compare([], transfer(1)).notes)


def sent_by(port: int, size: int, frames: int, start: float, stop: float) -> list[Timed]:
    gap = (stop - start) / (frames - 1)
    return [
        tcp(start + n * gap, ACK, seq=101 + n * size, payload=size, sport=port)
        for n in range(frames)
    ]


def test_goodput_counts_all_connections_of_a_transfer() -> None:
    many = sent_by(40000, 1000, 100, 1, 2)
    for port in range(41000, 41050):
        many += sent_by(port, 900, 10, 1, 2)
    told = vxcsum.compare(capture(sorted(many)), []).to_dict()["before"]
    assert told["goodput_bits_per_second"] == pytest.approx(8 * 550_000, rel=0.001)


def test_a_connection_that_only_controls_does_not_stretch_the_time_of_goodput() -> None:
    frames = sent_by(40000, 1000, 100, 10, 11) + sent_by(41000, 40, 20, 1, 60)
    told = vxcsum.compare(capture(sorted(frames)), []).to_dict()["before"]
    assert told["goodput_bits_per_second"] == pytest.approx(8 * 100_000, rel=0.01)


def test_how_captures_were_made_comparable_is_said(project_captures: Path) -> None:
    folder = project_captures / "kernel"
    notes = " ".join(vxcsum.compare(folder / OFF, transfer(9)).notes)
    assert "last differently long" in notes
    assert "snaplen" in notes
    assert "same place" in " ".join(vxcsum.compare(folder / OFF, folder / ON).notes)


def test_nothing_to_compare_is_said_with_nulls() -> None:
    told = vxcsum.compare(capture([]), capture([])).to_dict()
    assert told["before"]["goodput_bits_per_second"] is None
    assert told["before"]["segment_bytes_median"] is None
    assert set(told["ratio"].values()) == {None}


@pytest.mark.parametrize("ending", ["svg", "png", "pdf"])
def test_the_comparison_is_drawn(ending: str, project_captures: Path, tmp_path: Path) -> None:
    pytest.importorskip("matplotlib")
    paths = [str(project_captures / "kernel" / name) for name in (OFF, ON)]
    drawn = []
    for place in ("one", "other"):
        out = tmp_path / f"{place}.{ending}"
        done = CliRunner().invoke(main, ["compare", *paths, "--plot", str(out)])
        assert done.exit_code == 0
        drawn.append(out.read_bytes())
    assert drawn[0] == drawn[1]
    done = CliRunner().invoke(main, ["compare", *paths, "--plot", str(tmp_path / "x.gif")])
    assert done.exit_code == 2
    assert not (tmp_path / "x.gif").exists()


def test_the_picture_has_corruption_by_rule_and_the_state_of_offload(
    project_captures: Path,
) -> None:
    pytest.importorskip("matplotlib")
    folder = project_captures / "kernel"
    figure = vxcsum.compare(folder / BUG, folder / "u61fix-k8s-clusterip.snd.pcap").plot()
    titles = [ax.get_title(loc="left") for ax in figure.axes]
    assert "VX101, share of frames" in titles
    assert "VX201, share of frames" not in titles  # no error
    assert "VX701, share of frames" not in titles  # no wrong checksum
    title = vxcsum.compare(folder / OFF, folder / ON).plot().get_suptitle()
    assert "checksum offload: off before, on after" in title
    assert "\\u" not in title


def test_text_and_picture_do_not_overwrite_each_other(
    project_captures: Path, tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib")
    paths = [str(project_captures / "kernel" / name) for name in (OFF, ON)]
    out = tmp_path / "x.svg"
    done = CliRunner().invoke(main, ["compare", *paths, "-o", str(out), "--plot", str(out)])
    assert done.exit_code == 2
    assert "are the same file" in done.output
    assert not out.exists()


def test_the_command_prints_text_and_json(project_captures: Path, tmp_path: Path) -> None:
    paths = [str(project_captures / "kernel" / name) for name in (OFF, ON)]
    done = CliRunner().invoke(main, ["compare", *paths])
    assert done.exit_code == 0
    assert re.search(r"goodput, busiest direction +1\.43 Gbit/s +1\.9 Gbit/s +1\.33", done.output)
    assert re.search(r"segmentation offload +off +on", done.output)
    out = tmp_path / "comparison.json"
    done = CliRunner().invoke(main, ["compare", *paths, "--format", "json", "-o", str(out)])
    assert (done.exit_code, done.output) == (0, "")
    assert json.loads(out.read_text("utf-8"))["after"]["superframes"] == 176
    done = CliRunner().invoke(main, ["compare", paths[0], str(tmp_path / "none.pcap")])
    assert done.exit_code == 2
