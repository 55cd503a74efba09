"""Mutate frames and containers and compare the compiled kernel with the NumPy one.

Run it by ``fuzz/run`` with an extension built for the sanitizers, or as it is with the installed
one. Every round has a seed; the seed of a round that fails is printed and can be given back.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests" / "packet")]

import test_twins as twins  # noqa: E402

ROWS = 64


def seeds_from(folder: Path) -> list[tuple[int, bytes]]:
    """Return frames of the captures below a folder, a few of each."""
    frames = []
    for path in sorted(folder.rglob("*")):
        if not path.is_file() or "pcap" not in path.name:
            continue
        for block in twins.blocks_of(path):
            step = max(1, len(block.offset) // 30)
            for row in range(0, len(block.offset), step):
                at, size = int(block.offset[row]), min(int(block.caplen[row]), 2000)
                octets = block.octets[at : at + size].tobytes()
                frames.append((int(block.linktype[row]), octets))
            break
    return frames


def tight(block: twins.Block) -> twins.Block:
    """Return the block with its octets in memory of exactly that size, without slack."""
    end = int((block.offset + block.caplen).max(initial=0))
    return block._replace(octets=block.octets[:end].copy())


def scan_round(rng: random.Random, corpus: list[tuple[int, bytes]]) -> None:
    """Compare the kernels on frames at random and on mutated frames of the corpus."""
    frames = []
    for _ in range(ROWS):
        if corpus and twins.chance(rng, 0.5):
            kind, octets = rng.choice(corpus)
            frames.append((kind, twins.damaged(rng, twins.damaged(rng, octets))))
        else:
            frames.append(twins.frame(rng))
    block = twins.block_of(rng, frames)
    twins.assert_twins(block, jobs=rng.choice((1, 1, 2)))
    twins.native.scan(*tight(block))


def lone_frame_round(rng: random.Random, corpus: list[tuple[int, bytes]]) -> None:
    """Scan one frame that ends where its memory ends."""
    kind, octets = rng.choice(corpus) if corpus and rng.random() < 0.5 else twins.frame(rng)
    twins.native.scan(*tight(twins.block_of(rng, [(kind, octets)])))


def index_round(rng: random.Random) -> None:
    """Compare the indexers on damaged containers."""
    order = rng.choice("<>")
    for name, kinds, octets, others in (
        (
            "index_pcap",
            twins.PCAP_COLUMNS,
            twins.pcap_at_random(rng, order, 16),
            (order == ">", 16, rng.choice((1 << 24, 100))),
        ),
        (
            "index_pcapng",
            twins.PCAPNG_COLUMNS,
            twins.pcapng_at_random(rng, order),
            (order == ">", rng.choice((1 << 24, 100))),
        ),
    ):
        data = np.frombuffer(twins.damaged(rng, octets), np.uint8).copy()
        stop = rng.choice((data.size, rng.randrange(data.size + 1)))
        twins.assert_same_index(name, kinds, rng.choice((1, 5, 90)), data, 0, stop, *others)


def hostile_round(rng: random.Random) -> None:
    """Give arrays that lie about where the frames are."""
    block = twins.block_at_random(rng.getrandbits(32), 8)
    wrong = block.offset.copy()
    sizes = block.caplen.copy()
    row = rng.randrange(len(wrong))
    wrong[row] = rng.choice((-1, block.octets.size, 2**62, rng.getrandbits(63), -(2**63)))
    sizes[row] = rng.choice((0, 1, 2**32 - 1, rng.getrandbits(32), block.octets.size))
    try:
        twins.native.scan(*block._replace(offset=wrong, caplen=sizes))
    except IndexError:
        inside = wrong[row] >= 0 and int(wrong[row]) + int(sizes[row]) <= block.octets.size
        assert not inside, (wrong[row], sizes[row])


def main() -> None:
    """Run rounds until the time is over."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=time.time_ns())
    parser.add_argument("--corpus", type=Path, help="a folder of captures to mutate")
    arguments = parser.parse_args()
    corpus = seeds_from(arguments.corpus) if arguments.corpus else []
    until = time.monotonic() + arguments.seconds
    seed, rounds = arguments.seed, 0
    while rounds == 0 or time.monotonic() < until:
        rng = random.Random(seed)
        try:
            scan_round(rng, corpus)
            for _ in range(20):
                lone_frame_round(rng, corpus)
                index_round(rng)
            hostile_round(rng)
        except BaseException:
            sys.stderr.write(f"failed with --seed {seed}\n")
            raise
        seed += 1
        rounds += 1
    sys.stdout.write(f"{rounds} rounds, {len(corpus)} frames of captures\n")


if __name__ == "__main__":
    main()
