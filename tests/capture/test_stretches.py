"""Stretches: frames beside all octets of a capture, however it is read."""

from __future__ import annotations

import io
import struct
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from conftest import CAPTURES, SHARED
from hypothesis import given
from hypothesis import strategies as st
from support import TCP, address, fragments_of, ip, pcap, pcapng, plain, segment

import vxcsum
from vxcsum import CaptureError, extract, repair
from vxcsum.capture import Stretches, open_capture, stretches
from vxcsum.editing.lockstep import Lockstep
from vxcsum.errors import VxcsumError
from vxcsum.source.again import one_stream

if TYPE_CHECKING:
    from pathlib import Path

ALL = [*sorted(CAPTURES.glob("kernel/*")), *sorted(SHARED.glob("peers/files/*.pcap*"))]
A, B = address("10.244.1.5"), address("10.244.2.5")


def frames() -> list[Any]:
    whole = ip(segment(TCP, A, B, bytes(300), value=1), TCP, A, B)
    packets = [ip(segment(TCP, A, B, bytes(n), value=n), TCP, A, B) for n in range(40)]
    packets[20:20] = fragments_of(whole, [16, 8])
    return [plain(packet) for packet in packets]


@pytest.mark.skipif(not ALL, reason="no captures are there")
@pytest.mark.parametrize("block", [64, 5000, 4 << 20])
def test_stretches_joined_are_the_capture(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(stretches, "_BLOCK_OCTETS", block)
    for path in ALL:
        if path.stat().st_size > 30_000:
            continue
        whole = path.read_bytes()
        with one_stream(whole) as stream:
            if stream.compression is not None:
                continue
            found = list(Stretches(stream))
        assert b"".join(stretch.octets for stretch in found) == whole
        positions = [stretch.position for stretch in found]
        assert positions == np.cumsum([0, *(len(s.octets) for s in found)])[:-1].tolist()


@pytest.mark.parametrize("build", [pcap, pcapng])
def test_frames_are_where_their_stretch_says(build: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stretches, "_BLOCK_OCTETS", 300)
    whole, numbers = build(frames()), []
    wanted = [frame.octets for frame in frames()]
    with one_stream(whole) as stream:
        for stretch in Stretches(stream):
            block = stretch.frames
            if block is None:
                continue
            for row in range(len(block)):
                number = block.first_frame + row
                numbers.append(number)
                at = block.position - stretch.position + int(block.offset[row])
                octets = stretch.octets[at : at + int(block.caplen[row])]
                assert bytes(octets) == wanted[number - 1]
    assert numbers == list(range(1, len(wanted) + 1))


@pytest.mark.parametrize("build", [pcap, pcapng])
@pytest.mark.parametrize("block", [64, 700])
def test_what_is_written_does_not_depend_on_the_size_of_blocks(
    build: Any, block: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = build(frames())

    def written() -> tuple[bytes, bytes]:
        one, other = io.BytesIO(), io.BytesIO()
        repair(whole, one)
        extract(whole, other, status="invalid", layer="plain_tcp", frames="3-", comment=True)
        return one.getvalue(), other.getvalue()

    wanted = written()
    monkeypatch.setattr(stretches, "_BLOCK_OCTETS", block)
    assert written() == wanted
    counts = np.bincount(vxcsum.read_packets(wanted[0])["plain_tcp_status"], minlength=6)
    assert counts[vxcsum.Status.INVALID] == 0


def test_octets_without_a_frame_have_a_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stretches, "_BLOCK_OCTETS", 256)
    monkeypatch.setattr(stretches, "_MOST", 4096)
    whole = pcapng(frames()[:2])
    filler = struct.pack("<II", 0x0BAD, 8192) + bytes(8180) + struct.pack("<I", 8192)
    with one_stream(whole + filler) as stream:
        parts = iter(Stretches(stream))
        assert next(parts).frames is not None
        with pytest.raises(CaptureError, match="more than 4,096 octets without a frame"):
            list(parts)


@given(st.integers(0, 400))
@pytest.mark.filterwarnings("ignore::vxcsum.errors.TruncatedCaptureWarning")
def test_a_capture_cut_anywhere_is_copied_whole(cut: int) -> None:
    whole = pcapng(frames()[:5])[: 40 + cut]
    out = io.BytesIO()
    result = repair(whole, out)
    assert len(out.getvalue()) == len(whole)
    with one_stream(whole) as stream:
        reader = open_capture(stream)
        assert result.frames == sum(len(block) for block in reader.blocks())


def test_a_capture_that_changes_while_it_is_read_is_an_error() -> None:
    rows = np.zeros(2, [("frame", "i8")])
    rows["frame"] = [1, 3]
    steps = Lockstep(iter([(3, rows)]), "node1.pcap")
    assert [part["frame"].tolist() for part in steps.until(2)] == [[1]]
    assert [part["frame"].tolist() for part in steps.until(3)] == [[3]]
    with pytest.raises(VxcsumError, match=r"node1\.pcap changed while it was read"):
        steps.until(4)


def test_a_temporary_copy_goes_away(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(folder))
    repair(io.BytesIO(pcap(frames())), io.BytesIO())
    with pytest.raises(CaptureError):
        repair(io.BytesIO(b"no capture at all"), io.BytesIO())
    assert list(folder.iterdir()) == []
