"""Captures of others: as many frames as their manifests say."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from vxcsum.capture import open_capture
from vxcsum.errors import CaptureError
from vxcsum.source import open_streams

CAPTURES = Path(__file__).parents[2].parent / "shared" / "captures"

# their reader knew no zstd; capinfos -c agrees with these
ZSTD = {
    "seladb__PcapPlusPlus__pcapng-example.pcapng.zst": 159,
    "fpcap__fpcap__pcapng-example.pcapng.zst": 159,
    "fpcap__fpcap__fritzbox-ip.pcap.zst": 5,
}


def manifest(folder: str) -> dict:
    path = CAPTURES / folder / "manifest.json"
    if not path.exists():
        pytest.skip(f"no shared captures ({folder})")
    return json.loads(path.read_text(encoding="utf-8"))


def count(path: Path) -> tuple[int, str | None]:
    with next(open_streams(path)) as stream:
        reader = open_capture(stream)
        frames = sum(len(block) for block in reader.blocks())
        assert frames == reader.frames
        return frames, reader.damage


def test_peers() -> None:
    for entry in manifest("peers")["files"]:
        path = CAPTURES / "peers" / "files" / entry["file"]
        if entry["file"] in ZSTD:
            pytest.importorskip("backports.zstd")
            assert count(path) == (ZSTD[entry["file"]], None)
        elif "pcap" in entry["container"]:
            frames, damage = count(path)
            assert frames == entry["frames"], entry["file"]
            told = ("cut short", "absurd", "trailing", "> body")
            wrong = any(word in note for note in entry["container_notes"] for word in told)
            assert (damage is not None) == wrong, (entry["file"], damage)
        else:
            with pytest.raises(CaptureError):
                count(path)


def test_kernel() -> None:
    for entry in manifest("kernel")["captures"]:
        expected = (entry["packet_count"], None)
        assert count(CAPTURES / "kernel" / entry["file"]) == expected, entry["file"]


def test_netns() -> None:
    for path in sorted((CAPTURES / "netns").glob("*.pcap")):
        frames, damage = count(path)
        assert frames > 0
        assert damage is None
    manifest("netns")
