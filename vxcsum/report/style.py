"""The style sheet of the HTML report: light and dark, wide and narrow, screen and paper."""

STYLE = """
:root {
  color-scheme: light dark;
  --page: #ffffff; --soft: #f4f6f8; --ink: #1c2128; --quiet: #57606a; --line: #d5dbe1;
  --link: #0b57b0; --bad: #a11a12; --bad-soft: #fdecea; --warning: #6b4700; --warning-soft: #fff3d4;
  --good: #0d5a38; --good-soft: #e2f5ea; --info: #0a4f86; --info-soft: #e6f1fb;
  --unsure: #3d444d; --unsure-soft: #eaeef2;
}
@media screen and (prefers-color-scheme: dark) {
  :root {
    --page: #12161b; --soft: #1b2128; --ink: #e3e8ee; --quiet: #a3adb8; --line: #343c46;
    --link: #82b8ff; --bad: #ffb3a8; --bad-soft: #3b1714; --warning: #f2cd7d;
    --warning-soft: #33270b; --good: #8fddb2; --good-soft: #10291d; --info: #9dcbf7;
    --info-soft: #10263a; --unsure: #c9d1d9; --unsure-soft: #222931;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body {
  margin: 0; background: var(--page); color: var(--ink); overflow-wrap: anywhere;
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif;
}
.wide { max-width: 62rem; margin: 0 auto; padding: 0 1.25rem; }
a { color: var(--link); text-underline-offset: .15em; }
:focus-visible { outline: 3px solid var(--link); outline-offset: 2px; border-radius: 3px; }
.skip { position: absolute; left: -100rem; }
.skip:focus { left: 1rem; top: 1rem; padding: .5rem 1rem; background: var(--page); z-index: 1; }
h1, h2, h3, h4 { line-height: 1.25; text-wrap: balance; }
h1 { font-size: 1.55rem; margin: .3rem 0 .6rem; }
h2 { font-size: 1.3rem; margin: 2.75rem 0 .75rem; padding-top: .75rem;
     border-top: 1px solid var(--line); }
section:first-child h2 { border-top: 0; margin-top: 1.25rem; }
h3 { font-size: 1.1rem; margin: 0 0 .35rem; }
h4 { font-size: .95rem; margin: 1.4rem 0 .5rem; }
p { margin: 0 0 .75rem; max-width: 46rem; }
.quiet { color: var(--quiet); }
.small { font-size: .875rem; }
code, pre, .mono { font-family: ui-monospace, "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono",
  monospace; font-size: .9em; }

.verdict { background: var(--tint); border-bottom: 4px solid var(--tone);
  padding: 1.5rem 0 1.1rem; }
.verdict h1 { color: var(--tone); }
.verdict p { margin-bottom: .35rem; }
.bad, .error { --tone: var(--bad); --tint: var(--bad-soft); }
.warning { --tone: var(--warning); --tint: var(--warning-soft); }
.good { --tone: var(--good); --tint: var(--good-soft); }
.info { --tone: var(--info); --tint: var(--info-soft); }
.unsure { --tone: var(--unsure); --tint: var(--unsure-soft); }
.badge { display: inline-block; padding: .05rem .55rem; border-radius: 1rem; font-size: .8125rem;
  font-weight: 600; color: var(--tone); background: var(--tint); border: 1px solid var(--tone); }

nav ul { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; margin: 1rem 0 0; padding: 0;
  list-style: none; font-size: .9375rem; }
nav a { display: inline-block; padding: .25rem 0; }

article { border: 1px solid var(--line); border-left: .35rem solid var(--tone);
  border-radius: .4rem; padding: 1.1rem 1.25rem .6rem; margin: 0 0 1.25rem; }
article .title { font-weight: 600; margin-bottom: .5rem; }
dl { display: grid; grid-template-columns: max-content minmax(0, 1fr);
  gap: .3rem 1.25rem; margin: 0 0 .75rem; font-size: .9375rem; }
dt { color: var(--quiet); }
dd { margin: 0; grid-column: 2; }
dd + dd { margin-top: -.1rem; }
ol.cures { margin: 0; padding-left: 1.4rem; }
ol.cures > li { margin-bottom: .9rem; }
ol.cures p { margin: 0 0 .3rem; }
pre { margin: .25rem 0; padding: .6rem .8rem; background: var(--soft);
  border: 1px solid var(--line); border-radius: .3rem; white-space: pre-wrap; }
pre code { -webkit-user-select: all; user-select: all; }

.scroll { overflow-x: auto; margin: 0 0 1rem; }
table { border-collapse: collapse; font-size: .9375rem; width: 100%; overflow-wrap: normal; }
caption { text-align: left; color: var(--quiet); padding-bottom: .4rem; }
th, td { padding: .4rem .9rem .4rem 0; text-align: left; vertical-align: top;
  border-bottom: 1px solid var(--line); }
thead th { color: var(--quiet); font-weight: 600; white-space: nowrap; }
tbody th { font-weight: 500; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.name { min-width: 12rem; overflow-wrap: anywhere; }
td.hit { color: var(--bad); font-weight: 700; }
td.none { color: var(--quiet); }

figure { margin: 0 0 1.5rem; }
figure svg { display: block; width: 100%; min-width: 42rem; height: auto; stroke-linejoin: round; }
figcaption { font-size: .875rem; color: var(--quiet); margin-top: .35rem; max-width: 46rem; }
footer { margin: 3rem 0 2rem; padding-top: 1rem; border-top: 1px solid var(--line); }

@media (max-width: 36rem) {
  body { font-size: .9375rem; }
  .wide { padding: 0 1rem; }
  h1 { font-size: 1.3rem; }
  article { padding: .9rem .9rem .4rem; }
  dl { grid-template-columns: minmax(0, 1fr); gap: 0; }
  dt { margin-top: .55rem; font-size: .875rem; }
  dd { grid-column: 1; }
}
@media print {
  body { font-size: 10pt; }
  .wide { max-width: none; padding: 0; }
  .verdict .wide { padding: 0 1rem; }
  nav, .skip, .screen { display: none; }
  h1, h2, h3, h4, dt, thead { break-after: avoid; }
  figure, li, tr, .verdict, dd, .scroll { break-inside: avoid; }
  .scroll { overflow: visible; }
  figure svg { min-width: 0; }
  .verdict, .badge, article, pre { print-color-adjust: exact; -webkit-print-color-adjust: exact; }
  a { color: inherit; text-decoration: none; }
  @page { margin: 16mm 14mm; }
}
"""
