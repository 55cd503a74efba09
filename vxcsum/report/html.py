"""The report as one HTML page that can be mailed: no script, nothing loaded, any text inert."""

from __future__ import annotations

from collections import Counter
from itertools import groupby
from typing import TYPE_CHECKING

from vxcsum.checksum.status import STATUSES
from vxcsum.errors import MissingDependencyError
from vxcsum.report.facts import (
    Mood,
    evidence_rows,
    frames_of,
    frames_told,
    names_told,
    note,
    place_told,
    verdict,
    waits,
)
from vxcsum.report.markup import Markup, element, join, tag
from vxcsum.report.style import STYLE
from vxcsum.rules.base import Severity, iso_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from vxcsum.pipeline import CaptureInfo
    from vxcsum.report.facts import Wait
    from vxcsum.report.report import Report
    from vxcsum.rules.base import Finding, Remedy

#: What a page holds at most; the rest is counted. Findings in full, of one rule, in one line.
MAX_FULL, MAX_SAME, MAX_BRIEF = 40, 5, 200
#: Captures, connections, and characters of one text.
MAX_CAPTURES, MAX_WAITS, MAX_TEXT = 100, 50, 1500

#: A page that is opened may load nothing and run nothing, whatever is in it.
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'"
)
#: From so many findings on, a table of them comes first.
_OVERVIEW = 4
_STATUS_MEANINGS = {
    "valid": "right",
    "zero": "none was sent, which UDP allows",
    "partial": "left to a network device to finish; harmless before it",
    "invalid": "wrong",
    "unverifiable": "cut short, fragments missing, or impossible lengths",
}


def render(report: Report) -> str:
    """Return a report as an HTML page."""
    mood, sentence = verdict(report)
    word, _, rest = sentence.partition(": ")
    pictures = _pictures(report)
    sections = [
        ("findings", "Findings", _findings(report)),
        ("connections", "Connections that were hit", _connections(report, pictures)),
        ("checksums", "Checksums", _checksums(report, pictures)),
        ("patterns", "Where, and how far off", _patterns(pictures)),
        ("captures", "Captures", _captures(report)),
    ]
    shown = [(name, title, content) for name, title, content in sections if content]
    head = tag(
        "head",
        tag("meta", charset="utf-8"),
        element("meta", {"http-equiv": "Content-Security-Policy", "content": _POLICY}),
        *(
            tag("meta", name=name, content=content)
            for name, content in (
                ("viewport", "width=device-width, initial-scale=1"),
                ("color-scheme", "light dark"),
                ("referrer", "no-referrer"),
                ("robots", "noindex"),
                ("generator", f"vxcsum {report.version}"),
            )
        ),
        tag("link", rel="icon", href="data:,"),
        tag("title", _clip(f"{word}: {names_told(report)} - vxcsum", 300)),
        tag("style", Markup(STYLE)),
    )
    banner = tag(
        "header",
        tag(
            "div",
            tag("h1", tag("span", f"{word}: "), _clip(rest)),
            *(tag("p", line) for line in _lead(report)),
            tag("p", _span(report), class_="quiet small"),
            tag("nav", _links(shown), aria_label="On this page"),
            class_="wide",
        ),
        class_=f"verdict {mood.value}",
    )
    main = tag(
        "main",
        *(
            tag("section", tag("h2", title, id=f"{name}-title"), content, id=name,
                aria_labelledby=f"{name}-title")
            for name, title, content in shown
        ),
        id="main",
        class_="wide",
        tabindex="-1",
    )  # fmt: skip
    body = tag(
        "body",
        tag("a", "Skip to the findings", class_="skip", href="#main"),
        banner,
        main,
        tag("footer", _footer(report), class_="wide"),
    )
    return f"<!DOCTYPE html>\n{tag('html', head, body, lang='en')}\n"


def _clip(text: str, most: int = MAX_TEXT) -> str:
    return text if len(text) <= most else text[:most] + " ..."


def _lead(report: Report) -> Iterator[Markup]:
    """Say the worst in the words of its rule, or what cannot be seen from here."""
    serious = [f for f in report.findings if f.severity > Severity.INFO]
    if serious:
        worst = serious[0]
        link = tag("a", worst.code, href="#finding-1")
        yield tag("strong", worst.rule.title, " (", link, ")")
    elif not report.findings:
        yield tag("span", place_told(report))


def _span(report: Report) -> str:
    firsts = [i.first_timestamp for i in report.captures if i.first_timestamp is not None]
    lasts = [i.last_timestamp for i in report.captures if i.last_timestamp is not None]
    if not firsts:
        return frames_told(report)
    first, last = min(firsts), max(lasts)
    begin, end = ((iso_time(time) or "")[:19].replace("T", " ") for time in (first, last))
    seconds = (last - first) / 1e9
    long = f"{seconds:,.1f} s" if seconds < 10_000 else f"{seconds / 3600:,.1f} h"
    return f"{frames_told(report)} {begin} to {end} UTC, {long}."


def _links(shown: Iterable[tuple[str, str, Markup]]) -> Markup:
    return tag("ul", *(tag("li", tag("a", title, href=f"#{name}")) for name, title, _ in shown))


def _findings(report: Report) -> Markup:
    serious = [f for f in report.findings if f.severity > Severity.INFO]
    notes = [f for f in report.findings if f.severity == Severity.INFO]
    parts: list[Markup] = []
    if not serious:
        good = "Nothing is wrong with the checksums that could be verified."
        other = "No finding is an error or a warning."
        parts.append(tag("p", good if verdict(report)[0] is Mood.GOOD else other))
    several = len(report.captures) > 1
    full: list[Finding] = []
    brief: list[Finding] = []
    of_rule: Counter[str] = Counter()
    for finding in serious:
        of_rule[finding.code] += 1
        fits = of_rule[finding.code] <= MAX_SAME and len(full) < MAX_FULL
        (full if fits else brief).append(finding)
    if len(full) >= _OVERVIEW:
        parts.append(_overview(full, several=several))
    told: dict[tuple[Remedy, ...], int] = {}
    for number, finding in enumerate(full, 1):
        before = told.setdefault(finding.remedies, number)
        parts.append(_finding(finding, number, before, several=several))
    if brief:
        parts.append(tag("h3", "More findings"))
        parts.append(_briefly(brief, several=several))
    if notes:
        parts.append(tag("h3", "Also seen"))
        parts.append(_briefly(notes, several=several))
    parts += [tag("p", f"Note: {limit}.", class_="quiet") for limit in report.evidence.limits]
    return join(parts)


def _briefly(findings: Sequence[Finding], *, several: bool) -> Markup:
    shown = [
        tag("li", _clip(note(f) + (f", in {f.capture}" if several else "")))
        for f in findings[:MAX_BRIEF]
    ]
    if findings[MAX_BRIEF:]:
        shown.append(tag("li", f"and {len(findings) - MAX_BRIEF:,} more"))
    return tag("ul", *shown)


def _overview(findings: Sequence[Finding], *, several: bool) -> Markup:
    """Return a table of contents for many findings."""
    columns = ["rule", "what", "severity", "frames", *(["capture"] if several else [])]
    rows = [
        tag(
            "tr",
            tag("th", tag("a", finding.code, href=f"#finding-{number}"), scope="row"),
            tag("td", finding.rule.title),
            tag("td", finding.severity.name.lower()),
            tag("td", f"{finding.frames:,}", class_="number"),
            tag("td", _clip(finding.capture), class_="name") if several else "",
        )
        for number, finding in enumerate(findings, 1)
    ]
    return _table("Findings", "Worst first", columns, rows, numbers=(3,))


def _finding(finding: Finding, number: int, before: int, *, several: bool) -> Markup:
    """Return a finding in full; remedies that an earlier one has are not said twice."""
    severity = finding.severity.name.lower()
    parts = [
        tag("h3", f"{finding.code} {finding.rule.name}", id=f"finding-{number}-title"),
        tag(
            "p",
            *(tag("span", severity, class_="badge"), f" {finding.confidence.value}, "),
            frames_of(finding.frames),
            f", in {_clip(finding.capture)}" if several else "",
        ),
        tag("p", finding.rule.title, class_="title"),
        tag("p", _clip(finding.explanation)),
    ]
    rows = list(evidence_rows(finding))
    if rows:
        parts.append(tag("h4", "Evidence"))
        parts.append(_evidence(rows))
    if finding.remedies and before < number:
        link = tag("a", "the same as above", href=f"#finding-{before}-cures")
        parts.append(tag("p", tag("strong", "What to do: "), link, "."))
    elif finding.remedies:
        parts.append(tag("h4", "What to do", id=f"finding-{number}-cures"))
        hint = "A click on a command selects all of it."
        parts.append(tag("p", hint, class_="quiet small screen"))
        parts.append(tag("ol", *(_remedy(r) for r in finding.remedies), class_="cures"))
    return tag(
        "article",
        *parts,
        id=f"finding-{number}",
        class_=severity,
        aria_labelledby=f"finding-{number}-title",
    )


def _evidence(rows: list[tuple[str, str]]) -> Markup:
    """Return names and values; values of one name stand together."""
    named = [(name or rows[at - 1][0], value) for at, (name, value) in enumerate(rows)]
    parts: list[Markup] = []
    for name, values in groupby(named, key=lambda row: row[0]):
        parts.append(tag("dt", name))
        parts += [tag("dd", _clip(value)) for _, value in values]
    return tag("dl", *parts)


def _remedy(remedy: Remedy) -> Markup:
    lines = join(remedy.command.split("\n"), Markup("\n"))
    return tag(
        "li",
        tag("p", f"{remedy.when[:1].upper()}{remedy.when[1:]}:"),
        tag("pre", tag("code", lines)) if remedy.command else "",
        tag("p", remedy.note, class_="quiet small") if remedy.note else "",
    )


def _connections(report: Report, pictures: dict[str, Markup]) -> Markup:
    found = waits(report)
    if not found:
        return Markup()
    several = len(report.captures) > 1
    columns = ["connection", "sent in vain at (s)", "got through after (s)", "rule"]
    rows = [_wait(wait, several=several) for wait in found[:MAX_WAITS]]
    caption = "Seconds after the first packet that was hit"
    if found[MAX_WAITS:]:
        caption += f"; {MAX_WAITS} of {len(found):,}, those that waited longest"
    return join(
        [
            pictures.get("connections", Markup()),
            _table("Connections that were hit", caption, columns, rows, numbers=(2,)),
        ]
    )


def _wait(wait: Wait, *, several: bool) -> Markup:
    through = "not seen" if wait.through is None else f"{wait.through:.1f}"
    seconds = ", ".join(f"{second:g}" for second in wait.seconds)
    place = f", in {wait.capture}" if several else ""
    return tag(
        "tr",
        tag("th", _clip(f"{wait.client} > {wait.server} {wait.protocol}{place}"), scope="row"),
        tag("td", _clip(seconds)),
        tag("td", through, class_="number"),
        tag("td", wait.code),
    )


def _checksums(report: Report, pictures: dict[str, Markup]) -> Markup:
    names = [status.name.lower() for status in STATUSES]
    rows = []
    for layer, counts in report.layers.items():
        if any(counts.values()):
            cells = [
                tag("td", f"{counts[name]:,}", class_=f"number {_tone(name, counts[name])}")
                for name in names
            ]
            rows.append(tag("tr", tag("th", layer, scope="row"), *cells))
    meanings = [join([tag("dt", n), tag("dd", _STATUS_MEANINGS[n])]) for n in names]
    caption = "How many there are, by layer and status"
    return join(
        [
            _table("Checksums by layer", caption, ["layer", *names], rows, numbers=range(1, 6)),
            tag("dl", *meanings, class_="small"),
            pictures.get("status", Markup()),
            pictures.get("missing", Markup()),
        ]
    )


def _tone(name: str, count: int) -> str:
    if not count:
        return "none"
    return "hit" if name == "invalid" else ""


def _patterns(pictures: dict[str, Markup]) -> Markup:
    return join(pictures[name] for name in ("pairs", "residuals") if name in pictures)


def _captures(report: Report) -> Markup:
    columns = ["name", "frames", "octets", "kind", "snaplen", "first frame (UTC)", "last frame"]
    rows = [_capture(info) for info in report.captures[:MAX_CAPTURES]]
    more = len(report.captures) - MAX_CAPTURES
    caption = "What was read" + (f"; {more:,} more are not listed" if more > 0 else "")
    ports = ", ".join(str(port) for port in report.vxlan_ports)
    return join(
        [
            _table("Captures", caption, columns, rows, numbers=(1, 2, 4)),
            tag("p", f"UDP ports taken for VXLAN: {ports}.", class_="quiet small"),
        ]
    )


def _capture(info: CaptureInfo) -> Markup:
    form = f"{info.container}{f', {info.compression}' if info.compression else ''}, "
    form += " ".join(info.linktypes)
    if not info.complete:
        form += ", incomplete: " + (info.damage or "it ends early")
    times = (
        (iso_time(t) or "-")[:23].replace("T", " ")
        for t in (info.first_timestamp, info.last_timestamp)
    )
    return tag(
        "tr",
        tag("th", _clip(info.name), scope="row", class_="name"),
        tag("td", f"{info.frames:,}", class_="number"),
        tag("td", f"{info.octets:,}", class_="number"),
        tag("td", _clip(form)),
        tag("td", f"{info.snaplen:,}", class_="number"),
        *(tag("td", time) for time in times),
    )


def _table(
    label: str,
    caption: str,
    columns: Sequence[str],
    rows: Iterable[Markup],
    *,
    numbers: Sequence[int],
) -> Markup:
    """Return a table in a box of its own, which scrolls where the page is too narrow."""
    heads = [
        tag("th", column, scope="col", class_="number" if at in numbers else None)
        for at, column in enumerate(columns)
    ]
    table = tag(
        "table",
        tag("caption", caption, class_="small"),
        tag("thead", tag("tr", *heads)),
        tag("tbody", *rows),
    )
    return _scroll(label, table)


def _scroll(label: str, content: Markup) -> Markup:
    return tag("div", content, class_="scroll", role="region", aria_label=label, tabindex="0")


def _pictures(report: Report) -> dict[str, Markup]:
    """Return the pictures by name; where they cannot be drawn, why, under ``missing``."""
    from vxcsum.report.svg import inline  # only where a page is made

    try:
        return {
            panel.name: tag(
                "figure",
                _scroll(
                    panel.title,
                    inline(svg, name=f"plot-{panel.name}", title=panel.title, says=panel.says),
                ),
                tag("figcaption", tag("strong", panel.title), ". ", _clip(panel.says)),
            )
            for panel, svg in report.plot.svgs()
        }
    except MissingDependencyError as error:
        text = f"There are no pictures here: {error}"
        return {"missing": tag("p", text, class_="quiet small")}


def _footer(report: Report) -> Markup:
    text = (
        f"Made by vxcsum {report.version} with the {report.engine} engine. This page is complete: "
        "it loads nothing and runs nothing. The commands change network settings: read them first."
    )
    return tag("p", text, class_="quiet small")
