"""Pictures as lossless WebP, with their sizes, loaded when they come near: the page never jumps, and weighs a third."""

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from PIL import Image
from sphinx.application import Sphinx

IMAGE = re.compile(r'<img ([^>]*?)src="(_images/[^"]+)\.png"([^>]*?)/?>')


def lighten(path: Path) -> tuple[int, int]:
    """Write a picture once more as WebP, unless that was done before; its width and height."""
    with Image.open(path) as picture:
        if not path.with_suffix(".webp").exists():
            picture.save(path.with_suffix(".webp"), lossless=True, method=4)
        return picture.size


def replace(app: Sphinx, failure: Exception | None) -> None:
    if failure or app.builder.format != "html":
        return
    out = Path(app.outdir)
    pages = {page: page.read_text(encoding="utf-8") for page in out.glob("*.html")}
    names = sorted({name for text in pages.values() for _, name, _ in IMAGE.findall(text)})
    with ThreadPoolExecutor() as pool:
        sizes = dict(zip(names, pool.map(lambda name: lighten(out / f"{name}.png"), names), strict=True))

    def tag(match: re.Match) -> str:
        width, height = sizes[match[2]]
        before, after = (re.sub(r'\s*(width|height|style|loading)="[^"]*"', "", part) for part in match.group(1, 3))
        return f'<img {before}src="{match[2]}.webp" width="{width}" height="{height}" loading="lazy"{after.rstrip()}>'

    for page, text in pages.items():
        page.write_text(IMAGE.sub(tag, text), encoding="utf-8")
    for name in names:
        (out / f"{name}.png").unlink(missing_ok=True)


def setup(app: Sphinx) -> dict[str, Any]:
    """Sphinx calls this."""
    app.connect("build-finished", replace, priority=700)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
