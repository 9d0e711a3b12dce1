"""The picture of a leaderboard, from what ``ltr compare`` prints.

ltr compare | python docs/leaderboard.py > docs/_static/leaderboard.svg
"""

import re
import sys
from html import escape
from typing import NamedTuple

ROW_HEIGHT, LEFT, WIDTH, RIGHT, TOP = 28, 170, 420, 210, 46
BLUE, GRAY, INK, RULE = "#1f6feb", "#8b949e", "#24292f", "#d0d7de"
LINE = re.compile(r"^(\w+) +([\d.]+) +\[([\d.]+), ([\d.]+)\]")


class Row(NamedTuple):
    """A ranker of the table, with its mean and interval."""

    name: str
    mean: float
    low: float
    high: float


def parse(table: str) -> tuple[str, list[Row]]:
    """The metric and the rows of a printed table."""
    metric = re.search(r"^ +(\S+) +95 % interval", table, re.MULTILINE)
    matches = (LINE.match(line) for line in table.splitlines())
    rows = [Row(m[1], float(m[2]), float(m[3]), float(m[4])) for m in matches if m]
    if metric is None or not rows:
        raise ValueError("the table must be what ltr compare prints; got no such rows.")
    return metric[1], rows


def draw(metric: str, rows: list[Row]) -> str:
    """One dot with its interval per ranker, the best in color."""
    low = min(row.low for row in rows) // 0.1 * 0.1
    high = -(-max(row.high for row in rows) // 0.1) * 0.1
    x = lambda value: LEFT + WIDTH * (value - low) / (high - low)
    size = LEFT + WIDTH + RIGHT, TOP + ROW_HEIGHT * len(rows) + 44
    bottom = TOP + ROW_HEIGHT * len(rows) + 4
    title = f"ltr compare: {metric.upper()} on held-out queries, 95 % intervals"
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {size[0]} {size[1]}" '
        f'width="{size[0]}" height="{size[1]}" role="img" '
        'font-family="system-ui, sans-serif" font-size="14">',
        f"<title>{escape(title)}</title>",
        f'<rect width="{size[0]}" height="{size[1]}" rx="8" fill="#ffffff"/>',
        f'<text x="20" y="28" fill="{INK}" font-weight="600">{escape(title)}</text>',
    ]
    tick = low
    while tick <= high + 1e-9:
        parts.append(
            f'<path d="M{x(tick):.1f} {TOP}V{bottom}" stroke="{RULE}"/>'
            f'<text x="{x(tick):.1f}" y="{bottom + 20}" fill="{GRAY}" font-size="12" '
            f'text-anchor="middle">{tick:.1f}</text>'
        )
        tick += 0.1
    for place, row in enumerate(rows):
        y = TOP + ROW_HEIGHT * (place + 0.5)
        color = BLUE if place == 0 else GRAY
        weight = ' font-weight="600"' if place == 0 else ""
        parts.append(
            f'<text x="{LEFT - 14}" y="{y + 5}" fill="{INK}" text-anchor="end"{weight}>'
            f"{escape(row.name)}</text>"
            f'<path d="M{x(row.low):.1f} {y}H{x(row.high):.1f}" stroke="{color}" '
            'stroke-width="4" stroke-linecap="round"/>'
            f'<circle cx="{x(row.mean):.1f}" cy="{y}" r="6" fill="{color}"/>'
            f'<text x="{LEFT + WIDTH + 16}" y="{y + 5}" fill="{INK}"{weight}>'
            f"{row.mean:.3f}  [{row.low:.3f}, {row.high:.3f}]</text>"
        )
    return "\n".join([*parts, "</svg>", ""])


if __name__ == "__main__":
    sys.stdout.write(draw(*parse(sys.stdin.read())))
