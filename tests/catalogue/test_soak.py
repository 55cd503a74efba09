"""Damage has no cause but damage.

``VXCSUM_SOAK=100000 pytest tests/catalogue/test_soak.py`` damages that many frames; the script
``soak.py`` beside this file prints the rates.
"""

from __future__ import annotations

import os
import random

import soak

from vxcsum import analyze

#: Of the captures, so many may have a finding that names a cause by chance: one that is called
#: likely or more, and one that is called possible.
MAX_RATE, MAX_POSSIBLE = 0.004, 0.08
SIZE = int(os.environ.get("VXCSUM_SOAK", "4000"))


def test_random_healthy_traffic_finds_nothing() -> None:
    rng = random.Random(5)
    for _ in range(12):
        healthy = soak.shape(rng)
        codes = {code for code, _, _, _ in soak.names(healthy.frames)}
        assert codes <= {"VX201", "VX403"}


def test_damage_is_not_given_another_name() -> None:
    outcome = soak.soak(SIZE, seed=3)
    assert outcome.corrupted >= SIZE
    possible = sum(times for name, times in outcome.false.items() if name.endswith("possible"))
    sure = sum(outcome.false.values()) - possible
    assert sure <= MAX_RATE * outcome.captures, outcome.text()
    assert possible <= MAX_POSSIBLE * outcome.captures, outcome.text()


def test_few_damaged_frames_among_many_are_called_damage() -> None:
    rng = random.Random(6)
    healthy = soak.shape(rng)
    while len(healthy.frames) < 500:
        healthy = soak.shape(rng)
    frames = list(healthy.frames)
    for row in range(50, 500, 90):
        time, octets = frames[row]
        damaged = bytearray(octets)
        damaged[-3] ^= 0x12
        damaged[-6] ^= 0x41
        frames[row] = (time, bytes(damaged))
    report = analyze(soak.pcap(frames))
    codes = {f.code for f in report.findings if f.severity.name == "ERROR"}
    assert codes <= {"VX601", "VX602"}
    assert codes
