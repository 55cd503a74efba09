"""The catalogue, and running it over the evidence."""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, cast

from vxcsum.errors import UnknownRuleError
from vxcsum.rules.context import CaptureFacts, Context

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from vxcsum.rules.base import Finding, RuleModule
    from vxcsum.rules.evidence import Evidence
    from vxcsum.rules.lookups import Network

#: In the order in which they may claim frames: the most specific first, the leftovers last.
_MODULES = (
    "vx909_capture_cut_short",
    "vx206_ip_header_zero",
    "vx908_rewritten_capture",
    "vx905_gso_partial_lengths",
    "vx405_remote_checksum_offload",
    "vx205_placeholder_ffff",
    "vx101_outer_zero_nat_partial",
    "vx501_swapped_octets",
    "vx504_complement_missing",
    "vx506_pseudo_header_missing",
    "vx503_field_not_zeroed",
    "vx103_outer_zero_nat_rfc1624",
    "vx105_outer_nat_half",
    "vx102_outer_lco_nat",
    "vx104_outer_nat_stale",
    "vx201_offload_artefact",
    "vx202_partial_leak",
    "vx203_outer_partial",
    "vx204_inner_partial_outer_valid",
    "vx304_padding_counted",
    "vx505_carries_lost",
    "vx508_wrong_destination",
    "vx509_wrong_protocol",
    "vx507_wrong_length",
    "vx502_odd_octet_misplaced",
    "vx302_inner_nat_stale",
    "vx303_icmp_bad_tcp_good",
    "vx306_large_packets_only",
    "vx603_payload_rewritten",
    "vx305_inner_ipv6_tcp_only",
    "vx301_inner_overlay_offload",
    "vx401_udp_zero_for_ffff",
    "vx402_minus_zero",
    "vx403_ipv6_outer_zero",
    "vx404_ipv6_inner_udp_zero",
    "nat_of_few_flows",
    "vx602_single_bit_corruption",
    "vx601_random_corruption",
    "vx600_unexplained_checksum",
    "vx701_handshake_delayed",
    "vx702_connection_blackholed",
    "vx703_segmentation_offload_off",
    "vx901_truncated_frames",
    "vx902_incomplete_fragments",
    "vx903_superframes",
    "vx904_big_tcp",
    "vx906_multi_interface_duplicates",
    "vx907_not_vxlan_on_vxlan_port",
)
MODULES: tuple[RuleModule, ...] = tuple(
    cast("RuleModule", importlib.import_module(f"vxcsum.rules.{name}")) for name in _MODULES
)
#: The module of each code; `nat_of_few_flows` is no rule of its own.
CATALOGUE: dict[str, RuleModule] = {
    module.RULE.code: module
    for name, module in zip(_MODULES, MODULES, strict=True)
    if name.startswith("vx")
}


def selected(select: Iterable[str] | None, ignore: Iterable[str] | None) -> set[str]:
    """Return the codes chosen by prefixes.

    Parameters
    ----------
    select, ignore : iterable of str, optional
        Codes or their beginnings (``VX1``), or names; None selects all and ignores none.

    Raises
    ------
    UnknownRuleError
        A prefix that no rule begins with.
    """
    chosen = set(CATALOGUE)
    if select is not None:
        chosen = {code for prefix in _listed(select) for code in _matching(prefix)}
    return chosen - {code for prefix in _listed(ignore or ()) for code in _matching(prefix)}


def _listed(prefixes: Iterable[str]) -> Iterable[str]:
    """Take one string for one prefix, not for its letters."""
    return [prefixes] if isinstance(prefixes, str) else prefixes


def _matching(prefix: str) -> list[str]:
    wanted = prefix.strip()
    codes = [
        code
        for code, module in CATALOGUE.items()
        if (wanted and code.startswith(wanted.upper())) or module.RULE.name == wanted.lower()
    ]
    if not codes:
        import difflib  # for the error only

        names = {module.RULE.name: code for code, module in CATALOGUE.items()}
        near = difflib.get_close_matches(wanted.upper(), list(CATALOGUE), 3, 0.5)
        near += [names[n] for n in difflib.get_close_matches(wanted.lower(), list(names), 2, 0.5)]
        raise UnknownRuleError(prefix, tuple(dict.fromkeys(near)))
    return codes


def diagnose(
    evidence: Evidence,
    captures: Sequence[CaptureFacts],
    *,
    pre_nat: Sequence[Network] = (),
    vantage: str = "auto",
    select: Iterable[str] | None = None,
    ignore: Iterable[str] | None = None,
) -> list[Finding]:
    """Run all rules and return what the chosen ones found, worst first.

    Rules that are not chosen run, too: what they explain must not be blamed on another cause. What
    connections suffered from a cause that is ignored is ignored with it.
    """
    chosen = selected(select, ignore)
    ignored = {code for prefix in _listed(ignore or ()) for code in _matching(prefix)}
    context = Context(evidence, captures, pre_nat=pre_nat, vantage=vantage)
    findings = [finding for module in MODULES for finding in module.find(context)]
    findings = [
        finding
        for finding in findings
        if finding.code in chosen and finding.evidence.get("cause") not in ignored
    ]
    findings.sort(key=lambda f: (-f.severity, f.code, f.capture_number, f.first_frame or 0))
    return findings
