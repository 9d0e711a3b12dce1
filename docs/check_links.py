"""Links of the built site to itself: pages, pictures and anchors.

python docs/check_links.py docs/build/html
"""

import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """The anchors of a page, and the links that it has."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.anchors: set[str] = set()
        self.links: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collect ids and names, and what points elsewhere."""
        values = dict(attrs)
        self.anchors |= {values[key] or "" for key in ("id", "name") if key in values}
        self.links |= {values[key] or "" for key in ("href", "src") if key in values}


def broken_links(folder: Path) -> list[str]:
    """Every link of a page in ``folder`` to what is not there."""
    paths = [
        path for path in sorted(folder.rglob("*.html")) if "_static" not in path.parts
    ]
    pages = {path: Page(path.read_text()) for path in paths}
    broken = []
    for path, page in pages.items():
        for link in sorted(page.links):
            parts = urlsplit(link)
            if parts.scheme or parts.netloc:
                continue
            target = (
                (path.parent / unquote(parts.path)).resolve() if parts.path else path
            )
            anchor = unquote(parts.fragment)
            has_anchor = target not in pages or anchor in {"", *pages[target].anchors}
            if not target.exists() or not has_anchor:
                broken.append(f"{path.relative_to(folder)}: {link}")
    return broken


if __name__ == "__main__":
    site = Path(sys.argv[1]).resolve()
    broken = broken_links(site)
    n_pages = len(list(site.rglob("*.html")))
    sys.stdout.write(
        "\n".join([*broken, f"{n_pages} pages, {len(broken)} dead links\n"])
    )
    sys.exit(bool(broken) or not n_pages)
