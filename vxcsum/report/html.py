"""The report as one HTML page that can be mailed: no script, nothing loaded, any text inert."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vxcsum.checksum.status import STATUSES
from vxcsum.errors import MissingDependencyError
from vxcsum.report.boxes import clip, scroll, table
from vxcsum.report.facts import frames_told, names_told, place_told, verdict, waits
from vxcsum.report.html_findings import findings
from vxcsum.report.markup import Markup, element, join, tag
from vxcsum.report.style import STYLE
from vxcsum.rules.model import Severity, iso_time

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from vxcsum.pipeline import CaptureInfo
    from vxcsum.report.facts import Wait
    from vxcsum.report.report import Report

#: Captures and connections that a page lists at most.
MAX_CAPTURES, MAX_WAITS = 100, 50
#: A page that is opened may load nothing and run nothing, whatever is in it.
_POLICY = (
    "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
    "form-action 'none'"
)
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
        ("findings", "Findings", findings(report)),
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
        tag("title", clip(f"{word}: {names_told(report)} - vxcsum", 300)),
        tag("style", Markup(STYLE)),
    )
    banner = tag(
        "header",
        tag(
            "div",
            tag("h1", tag("span", f"{word}: "), clip(rest)),
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
            table("Connections that were hit", caption, columns, rows, numbers=(2,)),
        ]
    )


def _wait(wait: Wait, *, several: bool) -> Markup:
    through = "not seen" if wait.through is None else f"{wait.through:.1f}"
    seconds = ", ".join(f"{second:g}" for second in wait.seconds) or "none"
    place = f", in {wait.capture}" if several else ""
    return tag(
        "tr",
        tag("th", clip(f"{wait.client} > {wait.server} {wait.protocol}{place}"), scope="row"),
        tag("td", clip(seconds)),
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
            table("Checksums by layer", caption, ["layer", *names], rows, numbers=range(1, 6)),
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
            table("Captures", caption, columns, rows, numbers=(1, 2, 4)),
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
        tag("th", clip(info.name), scope="row", class_="name"),
        tag("td", f"{info.frames:,}", class_="number"),
        tag("td", f"{info.octets:,}", class_="number"),
        tag("td", clip(form)),
        tag("td", f"{info.snaplen:,}", class_="number"),
        *(tag("td", time) for time in times),
    )


def _pictures(report: Report) -> dict[str, Markup]:
    """Return the pictures by name; where they cannot be drawn, why, under ``missing``."""
    from vxcsum.report.svg import inline  # only where a page is made

    try:
        return {
            panel.name: tag(
                "figure",
                scroll(
                    panel.title,
                    inline(svg, name=f"plot-{panel.name}", title=panel.title, says=panel.says),
                ),
                tag("figcaption", tag("strong", panel.title), ". ", clip(panel.says)),
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
