"""The page in a real browser: Debian's Chromium, without a screen, over the loopback alone."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from support import TCP, Frame, address, framed, ipv4, pcap, segment, tunnelled

import vxcsum

if TYPE_CHECKING:
    from collections.abc import Iterator

CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")

KERNEL = Path(__file__).parents[2] / "captures" / "kernel"
LATE = KERNEL / "u61bug-k8s-clusterip-norehash.snd.pcap"
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--enable-logging=stderr",
    "--virtual-time-budget=4000",
)
#: Loads a page into a frame as wide as a phone, and writes down what it looks like there.
MEASURE = """<!DOCTYPE html><title>measure</title>
<iframe src="/report.html" style="border:0;width:WIDTHpx;height:700px"></iframe><pre></pre>
<script>
const light = c => { c = c / 255; return c <= .04045 ? c / 12.92 : ((c + .055) / 1.055) ** 2.4; };
const of = text => text.match(/[0-9.]+/g).map(Number);
const luminance = c => .2126 * light(c[0]) + .7152 * light(c[1]) + .0722 * light(c[2]);
const contrast = (a, b) => { const [x, y] = [luminance(a), luminance(b)].sort((p, q) => q - p);
  return (x + .05) / (y + .05); };
document.querySelector("iframe").onload = event => {
  const page = event.target.contentDocument, view = event.target.contentWindow;
  const root = page.documentElement, low = [], wide = [];
  for (const element of page.querySelectorAll("body *:not(svg *):not(svg)")) {
    const style = view.getComputedStyle(element);
    if (element.getBoundingClientRect().right > root.clientWidth + 1
        && !element.closest(".scroll")) wide.push(element.outerHTML.slice(0, 80));
    if (![...element.childNodes].some(n => n.nodeType == 3 && n.data.trim())) continue;
    let back = element;
    while (back && of(view.getComputedStyle(back).backgroundColor)[3] === 0)
      back = back.parentElement;
    const found = contrast(of(style.color), of(view.getComputedStyle(back).backgroundColor));
    if (found < 4.5) low.push(found.toFixed(2) + " " + element.outerHTML.slice(0, 80));
  }
  const pictures = [...page.querySelectorAll(".scroll")].map(
    e => [e.clientWidth, e.scrollWidth]);
  document.querySelector("pre").textContent = JSON.stringify({
    width: root.clientWidth, content: root.scrollWidth, wide, low, pictures,
    dark: view.getComputedStyle(page.body).backgroundColor,
    scripts: page.querySelectorAll("script").length,
    images: page.querySelectorAll("img").length,
    told: page.title, changed: page.body.dataset.changed || "",
  });
};
</script>"""


@dataclass
class Site:
    """A server of a few pages that notes what it is asked for."""

    address: str
    pages: dict[str, str] = field(default_factory=dict)
    asked: list[str] = field(default_factory=list)


@pytest.fixture
def site() -> Iterator[Site]:
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            here.asked.append(self.path)
            text = here.pages.get(self.path)
            self.send_response(404 if text is None else 200)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.end_headers()
            self.wfile.write((text or "").encode())

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        here = Site(f"http://127.0.0.1:{server.server_port}")
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield here
        server.shutdown()
        thread.join()


def browse(url: str, folder: Path, *flags: str) -> tuple[str, list[str]]:
    """Return what the browser printed, and what it had to complain about the page."""
    done = subprocess.run(
        [str(CHROMIUM), *FLAGS, f"--user-data-dir={folder / 'profile'}", *flags, url],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
        env={"HOME": str(folder), "PATH": "/usr/bin:/bin"},
    )
    return done.stdout, re.findall(r".*CONSOLE.*", done.stderr)


def measure(site: Site, folder: Path, width: int, *flags: str) -> dict[str, Any]:
    site.pages["/measure.html"] = MEASURE.replace("WIDTH", str(width))
    dom, complaints = browse(f"{site.address}/measure.html", folder, "--dump-dom", *flags)
    assert complaints == []
    found = re.search(r"<pre>(.+?)</pre>", dom, re.DOTALL)
    assert found, dom
    told: dict[str, Any] = json.loads(html.unescape(found[1]))
    return told


def hostile(target: str) -> tuple[str, bytes]:
    """A name and a capture that would like to run scripts and to fetch things."""
    name = (
        f"</title></style><script>document.body.dataset.changed='1';fetch('{target}/script')"
        f"</script><img src='{target}/image' onerror=\"document.body.dataset.changed='2'\">"
        f"<link rel=stylesheet href={target}/style><svg onload=\"location='{target}/svg'\">"
        f"<style>@import url({target}/import)</style>$\\frac{{1}}{{2}}$\u202e"
    )
    ends = address("10.244.1.5"), address("10.244.2.5")
    inner = ipv4(segment(TCP, *ends, b"x"), TCP, *ends)
    nodes = address("172.31.7.11"), address("172.31.7.12")
    frames = [
        Frame(framed(tunnelled(inner, *nodes, value=0x1111 * n + 1, sport=5000 + n)))
        for n in range(12)
    ]
    return name, pcap(frames)


def test_the_browser_asks_for_the_page_and_for_nothing_else(site: Site, tmp_path: Path) -> None:
    site.pages["/report.html"] = vxcsum.analyze(LATE).to_html()
    dom, complaints = browse(f"{site.address}/report.html", tmp_path, "--dump-dom")
    assert complaints == []
    assert site.asked == ["/report.html"]
    assert "ethtool -K flannel.1 tx-checksum-ip-generic off" in dom


def test_what_a_capture_says_stays_text(site: Site, tmp_path: Path) -> None:
    name, octets = hostile(site.address)
    report = vxcsum.analyze(octets)
    assert report.findings
    for finding in report.findings:
        report.captures[0].name = finding.capture = name
    site.pages["/report.html"] = report.to_html()
    found = measure(site, tmp_path, 390)
    assert (found["scripts"], found["images"], found["changed"]) == (0, 0, "")
    assert found["told"].startswith("CORRUPT: </title></style><script>")
    assert set(site.asked) <= {"/measure.html", "/report.html", "/favicon.ico"}
    assert found["content"] <= found["width"]


def test_the_policy_stops_a_script_that_got_in(site: Site, tmp_path: Path) -> None:
    page = vxcsum.analyze(LATE).to_html()
    script = "<script>document.body.dataset.changed='1'</script></main>"
    assert page.count("</main>") == 1
    site.pages["/report.html"] = page.replace("</main>", script)
    dom, complaints = browse(f"{site.address}/report.html", tmp_path, "--dump-dom")
    assert "data-changed" not in dom
    assert len(complaints) == 1
    assert "Content Security Policy" in complaints[0]


@pytest.mark.parametrize("width", [320, 390, 1200])
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_is_legible_on_a_phone_and_on_a_desk(
    width: int, dark: bool, site: Site, tmp_path: Path
) -> None:
    captures = [LATE, KERNEL / "h618-nat-udpcsum.snd.pcap", KERNEL / "u61fix-nat-vlan.snd.pcap"]
    site.pages["/report.html"] = vxcsum.analyze(captures).to_html()
    flags = ["--force-dark-mode"] if dark else []
    found = measure(site, tmp_path, width, *flags)
    assert found["content"] <= found["width"], found["wide"]
    assert found["wide"] == []
    assert found["low"] == []  # WCAG 2.2, 1.4.3: at least 4.5 to 1
    (red, *_) = re.findall(r"\d+", found["dark"])
    assert (int(red) < 128) == dark
    assert all(box >= 200 for box, _ in found["pictures"])


def test_it_prints(site: Site, tmp_path: Path) -> None:
    site.pages["/report.html"] = vxcsum.analyze(LATE).to_html()
    target = tmp_path / "report.pdf"
    _, complaints = browse(f"{site.address}/report.html", tmp_path, f"--print-to-pdf={target}")
    assert complaints == []
    octets = target.read_bytes()
    assert octets.startswith(b"%PDF")
    assert 2 <= len(re.findall(rb"/Type\s*/Page\b", octets)) <= 8
