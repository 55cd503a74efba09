"""Random damage in random healthy traffic, and which rules name a cause for it.

    python tests/catalogue/soak.py [CORRUPTED FRAMES] [SEED]

prints the rate of false names by rule. Damage has no cause but damage: only VX600, VX601 and VX602
may be named, and what says that frames cannot be judged.
"""

from __future__ import annotations

import random
import struct
import sys
import warnings
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from vxcsum import analyze
from vxcsum.synth.packet import TCP, Packet, framed, lco
from vxcsum.synth.sums import none, partial, right
from vxcsum.synth.traffic import Traffic

if TYPE_CHECKING:
    from collections.abc import Callable

#: Truth for damage, and what only says that something cannot be judged or was not there.
TRUE = {"VX600", "VX601", "VX602", "VX901", "VX902", "VX905", "VX907"}
#: As info, checksums that damage set to 0.
TRUE_AS_INFO = {"VX206", "VX404"}
_SHARES = (0.0, 0.0, 0.002, 0.01, 0.01, 0.03, 0.03, 0.1, 0.3, 1.0)


def single_bit(rng: random.Random, frame: bytearray) -> None:
    frame[rng.randrange(len(frame))] ^= 1 << rng.randrange(8)


def several_bits(rng: random.Random, frame: bytearray) -> None:
    for _ in range(rng.randrange(2, 9)):
        single_bit(rng, frame)


def random_field(rng: random.Random, frame: bytearray) -> None:
    size = rng.choice((1, 2, 4))
    at = rng.randrange(max(1, len(frame) - size) // 2) * 2
    frame[at : at + size] = rng.randbytes(size)


def random_octets(rng: random.Random, frame: bytearray) -> None:
    for _ in range(rng.randrange(1, 20)):
        frame[rng.randrange(len(frame))] = rng.randrange(256)


def zeroed_run(rng: random.Random, frame: bytearray) -> None:
    at, size = rng.randrange(len(frame)), rng.randrange(1, 40)
    frame[at : at + size] = bytes(min(size, len(frame) - at))


def cut_off(rng: random.Random, frame: bytearray) -> None:
    del frame[rng.randrange(1, len(frame)) :]


def swapped_neighbours(rng: random.Random, frame: bytearray) -> None:
    at = rng.randrange(len(frame) - 1)
    frame[at], frame[at + 1] = frame[at + 1], frame[at]


DAMAGE: tuple[Callable[[random.Random, bytearray], None], ...] = (
    single_bit,
    several_bits,
    random_field,
    random_octets,
    zeroed_run,
    cut_off,
    swapped_neighbours,
)


@dataclass
class Shape:
    """Healthy frames of one kind of network, and what is found in them without damage."""

    frames: list[tuple[int, bytes]]
    found: set[str] = field(default_factory=set)


def shape(rng: random.Random) -> Shape:
    """Build healthy traffic of a random shape."""
    version, outer_version = rng.choice((4, 4, 4, 6)), rng.choice((4, 4, 4, 6))
    outer = rng.choice((right, none, right, none, None))
    kind = rng.choice(("tunnel",) * 6 + ("plain", "sender", "mixed"))
    packets: list[Packet] = []
    for number in range(rng.choice((1, 1, 1, 2, 3, 8, 25))):
        nodes = _addresses(rng, outer_version, number) if number else None
        traffic = Traffic(
            rng.randrange(1 << 30),
            outer=rng.choice((right, none)) if outer is None else outer,
            version=version,
            outer_version=outer_version,
            dport=rng.choice((4789, 8472)),
            vni=rng.randrange(1, 5000),
            nodes=nodes,
            rounds=rng.choice((1, 1, 2, 5, 10)),
        ).everything()
        if rng.random() < 0.3:
            for _ in range(rng.randrange(1, 4)):
                traffic.connection(3, low=800, high=1390)
        if rng.random() < 0.2:
            traffic.packets = [p for p in traffic.packets if p.protocol == TCP]
        packets += traffic.packets
    if kind == "plain":
        packets = [p.but(plain=True) for p in packets]
    elif kind == "mixed":
        other = Traffic(rng.randrange(1 << 30), version=version, rounds=5).everything()
        packets += [p.but(plain=True) for p in other.packets]
    elif kind == "sender":
        packets = [_unfinished(p) for p in packets]
    packets.sort(key=lambda p: p.time)
    return Shape([(round(p.time * 1e6), framed(p, 1)[0]) for p in packets])


def _addresses(rng: random.Random, version: int, number: int) -> tuple[str, str]:
    if version == 4:
        return f"192.0.2.{20 + number}", f"10.{rng.randrange(256)}.{rng.randrange(256)}.7"
    return f"2001:db8::{number:x}", f"2001:db8:{rng.randrange(65536):x}::{number:x}"


def _unfinished(p: Packet) -> Packet:
    if not p.transport or p.node_src > p.node_dst:
        return p
    q = p.but(inner=partial)
    return q if q.outer is none else q.but(outer=lco(q))


def pcap(frames: list[tuple[int, bytes]]) -> bytes:
    out = [struct.pack("<IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, 1)]
    for time, frame in frames:
        seconds, micro = divmod(time, 1_000_000)
        out += (struct.pack("<IIII", 1_700_000_000 + seconds, micro, len(frame), len(frame)), frame)
    return b"".join(out)


def names(frames: list[tuple[int, bytes]]) -> list[tuple[str, str, int, str]]:
    """What vxcsum finds: rule, severity, frames, confidence."""
    report = analyze(pcap(frames))
    return [(f.code, f.severity.name, f.frames, f.confidence.value) for f in report.findings]


def is_true(code: str, severity: str) -> bool:
    return code in TRUE or (code in TRUE_AS_INFO and severity == "INFO")


@dataclass
class Outcome:
    """How often each rule was named falsely."""

    corrupted: int = 0
    captures: int = 0
    healthy: int = 0
    false: Counter[str] = field(default_factory=Counter)
    false_frames: Counter[str] = field(default_factory=Counter)
    examples: list[tuple[str, list[tuple[int, bytes]]]] = field(default_factory=list)

    def text(self) -> str:
        lines = [
            f"{self.corrupted:,} corrupted frames in {self.captures:,} captures, and "
            f"{self.healthy:,} healthy captures"
        ]
        for name, times in sorted(self.false.items()):
            lines.append(
                f"  {name}: {times} false findings, {times / max(self.captures, 1):.2%} of the "
                f"captures; {self.false_frames[name] / max(self.corrupted, 1):.3%} of the frames"
            )
        return "\n".join(lines if self.false else [*lines, "  no false name"])


def soak(corrupted: int, seed: int = 1, *, one_kind: float = 0.4) -> Outcome:
    """Damage that many frames in random captures, and count false names."""
    rng = random.Random(seed)
    outcome = Outcome()
    shapes: list[Shape] = []
    while outcome.corrupted < corrupted:
        if len(shapes) < 80 and outcome.captures >= 6 * len(shapes):
            new = shape(rng)
            found = names(new.frames)
            new.found = {code for code, _, _, _ in found}
            outcome.healthy += 1
            for code, severity, frames, _ in found:
                if code not in {"VX201", "VX403"}:
                    outcome.false[f"{code} {severity.lower()} (healthy)"] += 1
                    outcome.false_frames[f"{code} {severity.lower()} (healthy)"] += frames
            shapes.append(new)
        _one_capture(rng, rng.choice(shapes), outcome, one_kind)
    return outcome


def _one_capture(rng: random.Random, healthy: Shape, outcome: Outcome, one_kind: float) -> None:
    frames = list(healthy.frames)
    if rng.random() < 0.4:  # a capture of few frames
        start = rng.randrange(len(frames))
        frames = frames[start : start + rng.choice((1, 2, 3, 5, 10, 20, 40))]
    share = min(rng.choice(_SHARES), 1.0 if len(frames) <= 40 else 0.3)
    rows = [n for n in range(len(frames)) if rng.random() < share] or [rng.randrange(len(frames))]
    only = rng.choice(DAMAGE) if rng.random() < one_kind else None
    for row in rows:
        time, octets = frames[row]
        frame = bytearray(octets)
        (only or rng.choice(DAMAGE))(rng, frame)
        frames[row] = (time, bytes(frame))
    outcome.corrupted += len(rows)
    outcome.captures += 1
    for code, severity, count, confidence in names(frames):
        if not is_true(code, severity) and code not in healthy.found:
            name = f"{code} {severity.lower()} {confidence}"
            outcome.false[name] += 1
            outcome.false_frames[name] += count
            outcome.examples.append((name, frames))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    result = soak(
        int(sys.argv[1]) if len(sys.argv) > 1 else 100_000,
        int(sys.argv[2]) if len(sys.argv) > 2 else 1,
    )
    sys.stdout.write(f"{result.text()}\n")
