"""What a CNI wants to hold for ever: no change of it lets a wrong checksum out."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tinycni import PORT

from vxcsum.testing import assert_checksums_good, assert_findings

if TYPE_CHECKING:
    from collections.abc import Callable

    from tinycni import Overlay

    from vxcsum import Report
    from vxcsum.testing import Recording

    Sniff = Callable[..., Recording]

TUNNEL = f"udp port {PORT}"


def test_pods_talk_with_right_checksums(overlay: Overlay, vxcsum_sniff: Sniff) -> None:
    with vxcsum_sniff("eth0", filter=TUNNEL, netns=overlay.nodes[1]) as capture:
        assert overlay.ping()
        assert overlay.connect()
    assert_checksums_good(capture)


def test_masquerading_the_tunnel_breaks_tcp_and_not_ping(
    overlay: Overlay, vxcsum_sniff: Sniff
) -> None:
    """The defect: the kernel updates the checksum of an offloaded packet in the wrong way."""
    overlay.masquerade()
    with vxcsum_sniff("eth0", filter=TUNNEL, netns=overlay.nodes[1]) as capture:
        assert overlay.ping()
        assert not overlay.connect()
    with pytest.raises(AssertionError, match="VX102"):
        assert_checksums_good(capture)
    assert_findings(capture, {"VX102": None})


def test_masquerading_is_harmless_without_offload(overlay: Overlay, vxcsum_sniff: Sniff) -> None:
    """The cure."""
    overlay.masquerade()
    overlay.checksum_offload("off")
    with vxcsum_sniff("eth0", filter=TUNNEL, netns=overlay.nodes[1]) as capture:
        assert overlay.ping()
        assert overlay.connect()
    assert_checksums_good(capture)


@pytest.mark.vxcsum(ignore=["VX102"])
def test_the_defect_can_be_accepted(
    overlay: Overlay, vxcsum_sniff: Sniff, vxcsum_analyze: Callable[..., Report]
) -> None:
    overlay.masquerade()
    with vxcsum_sniff("eth0", filter=TUNNEL, netns=overlay.nodes[1]) as capture:
        overlay.connect()
    assert vxcsum_analyze(capture).ok
