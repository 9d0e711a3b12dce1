"""HTML template of a report, its style sheet, and its colors in light and dark."""

from ltr.plotting import COLORS, REFERENCE_COLOR

_DARK = ("#5db4f0", "#ff9455", "#45cfa2", "#ec94c6", "#e0b548", "#aab6c4")

# Colors of the figures, and the CSS variables that replace them.
THEMED = {
    "#1c1c22": "var(--ink)",
    "#fffffe": "var(--paper)",
    REFERENCE_COLOR: "var(--muted)",
    **{color: f"var(--c{number})" for number, color in enumerate(COLORS)},
}
_LIGHT_SERIES = "; ".join(f"--c{i}: {color}" for i, color in enumerate(COLORS))
_DARK_SERIES = "; ".join(f"--c{i}: {color}" for i, color in enumerate(_DARK))
_DAY = (
    f"--ink: #1c1c22; --paper: #fff; --muted: #63636d; --line: #dcdce2; "
    f"--wash: #f5f5f8; --alert: #b84a00; {_LIGHT_SERIES};"
)
_NIGHT = (
    f"--ink: #e9e9ee; --paper: #17181c; --muted: #9c9ca8; --line: #37383f; "
    f"--wash: #202127; --alert: #ff9455; {_DARK_SERIES};"
)

_CSS = f"""
:root {{ color-scheme: light dark; {_DAY} }}
@media (prefers-color-scheme: dark) {{ :root {{ {_NIGHT} }} }}
* {{ box-sizing: border-box; }}
body {{ margin: 0; background: var(--paper); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Liberation Sans",
  Arial, sans-serif; }}
main {{ max-width: 75rem; margin: 0 auto; padding: 2rem 1.25rem 4rem; }}
h1 {{ font-size: 1.7rem; line-height: 1.2; margin: 0 0 .25rem; }}
h2 {{ font-size: 1.2rem; margin: 2.5rem 0 .5rem; }}
h3 {{ font-size: 1rem; margin: 0 0 .5rem; }}
p, ul {{ margin: .5rem 0; max-width: 46rem; overflow-wrap: anywhere; }}
em {{ font-style: normal; font-weight: 600; }}
.what, .note, figcaption {{ color: var(--muted); }}
.note, figcaption {{ font-size: .875rem; }}
.verdict {{ font-size: 1.125rem; }}
.warning {{ border-left: 4px solid var(--alert); background: var(--wash);
  padding: .75rem 1rem; margin: 1.25rem 0; }}
.warning h2 {{ margin: 0; font-size: 1rem; }}
.scroll {{ overflow-x: auto; }}
table {{ border-collapse: collapse; width: 100%; font-size: .9375rem;
  font-variant-numeric: tabular-nums; }}
th, td {{ padding: .45rem .75rem; text-align: right; white-space: nowrap;
  vertical-align: top; border-bottom: 1px solid var(--line); }}
thead th {{ border-bottom: 2px solid var(--ink); vertical-align: bottom;
  white-space: normal; }}
th:first-child {{ text-align: left; position: sticky; left: 0;
  background: var(--paper); padding-left: 0; }}
tbody th {{ font-weight: 600; white-space: normal; overflow-wrap: anywhere;
  min-width: 8rem; max-width: 16rem; }}
.range {{ display: block; color: var(--muted); font-size: .8125rem; }}
.figures {{ display: grid; gap: 2.25rem 2.5rem; margin-top: 1rem;
  grid-template-columns: repeat(auto-fit, minmax(min(100%, 30rem), 1fr)); }}
figure {{ margin: 0; min-width: 0; }}
figcaption {{ margin-top: .25rem; overflow-wrap: anywhere; }}
svg {{ display: block; width: 100%; height: auto; }}
svg.narrow {{ display: none; }}
svg text {{ font-family: system-ui, -apple-system, "Segoe UI", Roboto,
  "Liberation Sans", Arial, sans-serif !important; }}
details {{ border-bottom: 1px solid var(--line); padding: .3rem 0; }}
summary {{ cursor: pointer; overflow-wrap: anywhere; }}
details dl div {{ grid-template-columns: 17rem 1fr; }}
code {{ font-size: .875rem; color: var(--muted); }}
dl {{ margin: .5rem 0; }}
dl div {{ display: grid; grid-template-columns: 11rem 1fr; gap: .25rem 1rem;
  padding: .3rem 0; border-bottom: 1px solid var(--line); }}
dt {{ color: var(--muted); }}
dd {{ margin: 0; overflow-wrap: anywhere; }}
pre {{ background: var(--wash); padding: .75rem 1rem; margin: .5rem 0;
  white-space: pre-wrap; overflow-wrap: anywhere; font-size: .875rem; }}
@media (max-width: 40rem) {{
  main {{ padding: 1.25rem 1rem 3rem; }}
  h1 {{ font-size: 1.4rem; }}
  .verdict {{ font-size: 1rem; }}
  svg.wide {{ display: none; }}
  svg.narrow {{ display: block; }}
  tbody th {{ min-width: 6.5rem; max-width: 8.5rem; }}
  th, td {{ padding: .4rem .5rem; }}
  dl div, details dl div {{ grid-template-columns: 1fr; gap: 0; }}
}}
@media print {{
  :root {{ color-scheme: light; font-size: 9.5pt; {_DAY} }}
  body {{ font-size: 1rem; }}
  main {{ max-width: none; padding: 0; }}
  figure, .warning, tr {{ break-inside: avoid; }}
  h2 {{ break-after: avoid; }}
  .figures {{ grid-template-columns: 1fr 1fr; gap: 1.5rem; }}
  svg.wide {{ display: none; }}
  svg.narrow {{ display: block; }}
  th:first-child {{ position: static; }}
  .scroll {{ overflow: visible; }}
  table {{ font-size: 8pt; }}
  th, td {{ padding: .25rem .35rem; }}
  tbody th {{ min-width: 0; }}
  .range {{ font-size: 7pt; }}
}}
"""

PAGE = f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Comparison of rankers</title>
<style>{_CSS}</style>
</head>
<body>
<main>
<header>
<h1>Comparison of rankers</h1>
<p class="what">$what</p>
</header>
<div class="verdict">$verdict</div>
$warnings
$failures
<h2>Leaderboard</h2>
$table
<h2>Figures</h2>
<div class="figures">
$figures</div>
$data
<h2>Provenance</h2>
$origin
</main>
</body>
</html>
"""
