"""Streams of octets: what can be named, and compression in all states of repair."""

from __future__ import annotations

import gzip
import io
import lzma
import os
import sys
import threading
from typing import TYPE_CHECKING

import numpy as np
import pytest

from vxcsum import _optional
from vxcsum.errors import CaptureError, MissingDependencyError
from vxcsum.source import open_streams

if TYPE_CHECKING:
    from pathlib import Path

    from vxcsum.source import OctetStream, Source

RNG = np.random.default_rng(4789)
PLAIN = b"".join(bytes(RNG.integers(0, 256, 300, dtype=np.uint8)) + bytes(700) for _ in range(400))


def compress(data: bytes, compression: str | None) -> bytes:
    if compression == "gzip":
        return gzip.compress(data, 6, mtime=0)
    if compression == "xz":
        return lzma.compress(data, preset=1)
    if compression == "zstd":
        pytest.importorskip("backports.zstd" if sys.version_info < (3, 14) else "compression.zstd")
        return bytes(_optional.zstd().compress(data))
    if compression == "lz4":
        return bytes(pytest.importorskip("lz4.frame").compress(data, content_checksum=True))
    return data


def read_all(stream: OctetStream, size: int = 50_000) -> bytes:
    buffer = bytearray(size)
    out = bytearray()
    while count := stream.readinto(memoryview(buffer)):
        out += buffer[:count]
    assert stream.readinto(memoryview(buffer)) == 0
    return bytes(out)


def read_one(source: Source, size: int = 50_000) -> tuple[bytes, str | None, str | None]:
    (stream,) = open_streams(source)
    with stream:
        return read_all(stream, size), stream.compression, stream.damage


COMPRESSIONS = [None, "gzip", "zstd", "xz", "lz4"]
COMPRESSED = COMPRESSIONS[1:]


@pytest.mark.parametrize("compression", COMPRESSIONS)
@pytest.mark.parametrize("size", [997, 50_000, 1 << 20])
def test_every_kind_of_source_gives_the_same_octets(
    tmp_path: Path, compression: str | None, size: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = compress(PLAIN, compression)
    path = tmp_path / "a.anything"
    path.write_bytes(data)
    expected = (PLAIN, compression, None)
    assert read_one(data, size) == expected
    assert read_one(bytearray(data), size) == expected
    assert read_one(memoryview(data), size) == expected
    assert read_one(str(path), size) == expected
    assert read_one(path, size) == expected
    assert read_one(str(tmp_path / "*.any*"), size) == expected
    assert read_one(tmp_path, size) == expected
    assert read_one(io.BytesIO(data), size) == expected
    with path.open("rb") as file:
        assert read_one(file, size) == expected
        assert not file.closed
    with path.open("rb") as file:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(file))
        assert read_one("-", size) == expected


@pytest.mark.parametrize("compression", COMPRESSIONS)
def test_urls(tmp_path: Path, compression: str | None) -> None:
    fsspec = pytest.importorskip("fsspec")
    data = compress(PLAIN, compression)
    (tmp_path / "b").write_bytes(data)
    assert read_one(f"file://{tmp_path}/b") == (PLAIN, compression, None)
    with fsspec.open("memory://vxcsum-test/one", "wb") as file:
        file.write(data)
    assert read_one("memory://vxcsum-test/one") == (PLAIN, compression, None)
    (stream,) = open_streams("memory://vxcsum-test/o*")
    assert stream.name.endswith("vxcsum-test/one")
    for bad in ("memory://vxcsum-test/none", "memory://vxcsum-test/n*", "nonsense://x/y"):
        with pytest.raises(CaptureError):
            next(open_streams(bad))


@pytest.mark.parametrize("compression", COMPRESSED)
def test_concatenated_frames_and_padding(compression: str | None) -> None:
    parts = [PLAIN[:1000], PLAIN[1000:], b"", b"end"]
    data = b"".join(compress(part, compression) for part in parts)
    assert read_one(data) == (PLAIN + b"end", compression, None)
    assert read_one(data + bytes(512)) == (PLAIN + b"end", compression, None)
    octets, _, damage = read_one(data + b"garbage which is long enough")
    assert octets == PLAIN + b"end"
    assert damage is not None
    assert "follow" in damage


def test_zstd_skippable_frames() -> None:
    skippable = b"\x53\x2a\x4d\x18\x05\0\0\0hello"
    data = skippable + compress(PLAIN, "zstd") + skippable + compress(b"tail", "zstd")
    assert read_one(data) == (PLAIN + b"tail", "zstd", None)


@pytest.mark.parametrize("compression", COMPRESSED)
def test_truncated_anywhere_gives_a_prefix_and_damage(compression: str | None) -> None:
    data = compress(PLAIN[:3000], compression)
    for length in [*range(6, len(data), 7), len(data) - 1]:
        octets, told, damage = read_one(data[:length], 4096)
        assert told == compression
        assert PLAIN[:3000].startswith(octets)
        assert damage == f"{compression} stream ends early"


@pytest.mark.parametrize("compression", COMPRESSED)
def test_corrupt_anywhere_never_raises(compression: str | None) -> None:
    data = compress(PLAIN[:3000], compression)
    for at in range(6, len(data), 3):
        broken = bytearray(data)
        broken[at] ^= 0x55
        octets, _, _ = read_one(bytes(broken), 4096)
        assert len(octets) < 1 << 24


def test_gzip_with_a_wrong_checksum_still_gives_everything() -> None:
    data = bytearray(compress(PLAIN, "gzip"))
    data[-8] ^= 1
    octets, _, damage = read_one(bytes(data))
    assert octets == PLAIN
    assert damage is not None
    assert damage.startswith("gzip stream is corrupt")


def test_a_bomb_is_streamed() -> None:
    size = 1 << 28
    (stream,) = open_streams(compress(bytes(size), "gzip"))
    buffer = memoryview(bytearray(1 << 20))
    total = 0
    while count := stream.readinto(buffer):
        total += count
    assert total == size


@pytest.mark.parametrize("compression", [None, "gzip"])
def test_a_live_pipe_is_not_waited_for(compression: str | None) -> None:
    reading, writing = os.pipe()
    first = PLAIN[:40] if compression is None else compress(PLAIN[:40], compression)
    os.write(writing, first)
    with os.fdopen(reading, "rb") as file:
        (stream,) = open_streams(file)
        got = bytearray(40)
        done = threading.Event()

        def read() -> None:
            filled = 0
            while filled < 40:
                filled += stream.readinto(memoryview(bytearray(65536)))
            done.set()

        reader = threading.Thread(target=read, daemon=True)
        reader.start()
        assert done.wait(5), "waited for octets beyond those which are there"
        os.close(writing)
        assert stream.readinto(memoryview(got)) == 0
    assert stream.compression == compression


def test_directories_and_lists_are_in_order(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    for name in ("b", "a", "sub/c"):
        (tmp_path / name).write_bytes(name.encode())
    streams = list(open_streams(tmp_path))
    assert [os.path.relpath(stream.name, tmp_path) for stream in streams] == ["a", "b", "sub/c"]
    assert all(stream.from_directory for stream in streams)
    for stream in streams:
        stream.close()
    streams = list(open_streams([str(tmp_path / "b"), b"octets", (tmp_path / "a",)]))
    assert [stream.name for stream in streams] == [
        str(tmp_path / "b"),
        "<bytes>",
        str(tmp_path / "a"),
    ]
    assert not any(stream.from_directory for stream in streams)
    for stream in streams:
        stream.close()


def test_what_cannot_be_opened(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    cases = {
        str(tmp_path / "none"): "No such file",
        str(tmp_path / "none*"): "no file matches",
        str(tmp_path / "empty"): "no files",
        "": "No such file",
        "a\0b": "null",
    }
    for source, message in cases.items():
        with pytest.raises(CaptureError, match=message) as caught:
            next(open_streams(source))
        assert "\n" not in str(caught.value)
    for source in (4, io.StringIO("text")):
        with pytest.raises(CaptureError):
            next(open_streams(source))


def test_after_an_error_the_next_input_can_be_asked_for(tmp_path: Path) -> None:
    streams = open_streams([str(tmp_path / "none"), b"there"])
    with pytest.raises(CaptureError):
        next(streams)
    assert read_all(next(streams)) == b"there"
    assert next(streams, None) is None


def test_a_file_with_glob_characters_is_a_file(tmp_path: Path) -> None:
    (tmp_path / "[a].pcap").write_bytes(b"literal")
    assert read_one(str(tmp_path / "[a].pcap"))[0] == b"literal"


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root reads all")
def test_permission(tmp_path: Path) -> None:
    path = tmp_path / "closed"
    path.write_bytes(b"x")
    path.chmod(0)
    with pytest.raises(CaptureError, match="Permission denied"):
        next(open_streams(path))


def test_only_read_and_failing_files() -> None:
    class OnlyRead:
        def __init__(self, octets: bytes) -> None:
            self._file = io.BytesIO(octets)

        def read(self, size: int) -> bytes:
            return self._file.read(min(size, 5))

    class Failing(OnlyRead):
        def read(self, size: int) -> bytes:
            octets = super().read(size)
            if not octets:
                raise OSError(5, "Input/output error")
            return octets

    assert read_one(OnlyRead(PLAIN)) == (PLAIN, None, None)
    assert read_one(Failing(PLAIN)) == (PLAIN, None, "cannot be read: Input/output error")


def test_missing_library_is_told_with_the_install_line(monkeypatch: pytest.MonkeyPatch) -> None:
    for compression, module in (("zstd", "zstd"), ("lz4", "lz4.frame")):
        data = compress(b"x", compression)
        for name in ("compression.zstd", "backports.zstd", "lz4.frame"):
            monkeypatch.setitem(sys.modules, name, None)
        (stream,) = open_streams(data)
        extra = module.partition(".")[0]
        with pytest.raises(MissingDependencyError, match=rf'pip install "vxcsum\[{extra}\]"'):
            read_all(stream)
        monkeypatch.undo()


def test_empty_views() -> None:
    for empty in (b"", memoryview(b""), memoryview(np.zeros((0, 3), np.uint8))):
        assert read_one(empty) == (b"", None, None)
    assert read_one(memoryview(b"a-b-c-")[::2])[0] == b"abc"
