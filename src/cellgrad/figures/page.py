"""A figure to touch: one piece of HTML that works in a notebook and on a static page, with no kernel and no network.

Its markup holds a complete first picture, an SVG in an image element: it remains where scripts are stripped, and in
notebooks that are not trusted, where SVG of the page's own is stripped too. Its one script puts that SVG into the page
and brings it to life; it finds its own root element and looks up everything inside it, so that two copies on a page, or
a cell that runs again, do not disturb each other.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import struct
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from html import escape
from importlib.resources import files

import numpy as np

PICTURE_WIDTH = 400  # the unit of all pictures: what a phone has; wider pages show it larger
BLUE, ORANGE, GREEN, RED, PURPLE = "#0072B2", "#A65F00", "#007A5A", "#C24E00", "#96487C"
INK, FAINT, LINE, PAPER = "#2B2B2B", "#6F6F6A", "#C9C9C3", "#FCFCFA"


@dataclass(frozen=True)
class Figure:
    """A figure as notebooks show it: `_repr_html_` is the living one, its text is the caption.

    name: of the .js file beside this module whose function `figure` brings `picture`, an SVG element, to life.
    data: what that function is given, as JSON can hold it. formulas: JavaScript that SymPy printed, put before it.
    """

    name: str
    title: str
    caption: str
    picture: str
    data: Mapping[str, object] = field(repr=False)
    formulas: str = ""

    def __repr__(self) -> str:
        return f"{self._heading} {self.caption}"

    @property
    def _heading(self) -> str:
        return self.title if self.title.endswith("?") else f"{self.title}."

    def _repr_html_(self) -> str:
        script = "\n".join([_source("base.js"), self.formulas, _source(f"{self.name}.js")])
        data = _json(self.data)
        key = f"{self.name}-{hashlib.sha256((script + data + self.picture).encode()).hexdigest()[:12]}"
        return (
            f'<figure class="cg cg-{self.name}" data-cg="{key}" aria-label="{escape(self.title)}">\n'
            f"<style>{_source('base.css')}</style>\n"
            f'<div class="cg-stage"><div class="cg-picture">{self._still()}</div><div class="cg-panel"></div></div>\n'
            f'<p class="cg-said" aria-live="polite"></p>\n'
            f"<figcaption><b>{escape(self._heading)}</b> {escape(self.caption)}</figcaption>\n"
            f'<script>(() => {{\n"use strict";\n{script}\ncellgradStart("{key}", {data}, figure);\n}})();</script>\n'
            "</figure>"
        )

    def _still(self) -> str:
        source = f"data:image/svg+xml;base64,{base64.b64encode(self.picture.encode()).decode()}"
        description = re.search('aria-label="([^"]*)"', self.picture)[1]  # already escaped
        return f'<img class="cg-still" width="600" alt="{description}" src="{source}">'


@cache
def _source(name: str) -> str:
    return (files("cellgrad") / "figures" / name).read_text("utf-8").strip()


def _json(data: object) -> str:
    """JSON that may stand inside a script element: no `</script>`, no `<!--`, and no line end that JavaScript minds."""
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"), allow_nan=False, default=np.generic.item)
    escapes = {"<": "\\u003c", ">": "\\u003e", "&": "\\u0026", "\u2028": "\\u2028", "\u2029": "\\u2029"}
    return text.translate(str.maketrans(escapes))


def tag(name: str, *content: str, **attributes: object) -> str:
    """One element of SVG. `class_` is class, and an underscore stands for a hyphen; a float gets two decimals."""
    written = "".join(f' {key.rstrip("_").replace("_", "-")}="{_written(v)}"' for key, v in attributes.items())
    return f"<{name}{written}>{''.join(content)}</{name}>" if content else f"<{name}{written}/>"


def _written(value: object) -> str:
    return escape(str(round(float(value), 2)) if isinstance(value, float) else str(value))


def text(x: float, y: float, content: str, size: float = 11, fill: str = INK, **attributes: object) -> str:
    """A line of text, its middle at x unless `text_anchor` says otherwise."""
    attributes = {"text_anchor": "middle"} | attributes
    return tag("text", escape(content), x=x, y=y, font_size=size, fill=fill, **attributes)


def frame(panel: Mapping[str, tuple[int, int]], name: str = "frame") -> str:
    """The ground of a panel that has its left and right as x, its bottom and top as y."""
    (left, right), (bottom, top) = panel["x"], panel["y"]
    box = {"x": left, "y": top, "width": right - left, "height": bottom - top}
    return tag("rect", **box, fill=PAPER, stroke=LINE, data_part=name)


def svg(height: int, description: str, *content: str) -> str:
    """The picture: `PICTURE_WIDTH` wide, with a description for those who do not see it."""
    return tag(
        "svg",
        tag("rect", width=PICTURE_WIDTH, height=height, fill=PAPER, class_="cg-ground"),
        *content,
        xmlns="http://www.w3.org/2000/svg",
        viewBox=f"0 0 {PICTURE_WIDTH} {height}",
        width="100%",
        role="img",
        aria_label=description,
        font_family="system-ui, sans-serif",
        font_size=11,
    )


def ink(pixels: np.ndarray) -> np.ndarray:
    """Pixels of 0 (nothing) to 255 (ink), shape (rows, columns), as RGBA: black, and as opaque as there is ink."""
    colours = np.zeros((*pixels.shape, 4), dtype=np.uint8)
    colours[..., 3] = pixels
    return colours


def signed(values: np.ndarray, largest: float | None = None) -> np.ndarray:
    """Numbers, shape (rows, columns), as RGBA: orange-red above zero, blue below, as opaque as they are large."""
    largest = np.abs(values).max() if largest is None else largest
    colours = np.zeros((*values.shape, 4), dtype=np.uint8)
    for where, colour in ((values > 0, RED), (values < 0, BLUE)):
        colours[where, :3] = [int(colour[at : at + 2], 16) for at in (1, 3, 5)]
    colours[..., 3] = np.round(255 * np.minimum(np.abs(values) / (largest or 1), 1))
    return colours


def image(colours: np.ndarray, x: float, y: float, width: float, height: float, **attributes: object) -> str:
    """RGBA colours, uint8, shape (rows, columns, 4), as an image in an SVG picture, one square for each pixel."""
    rows, columns, _ = colours.shape
    black = not colours[..., :3].any()
    colours = colours[..., 2:] if black else colours  # a shade of grey and an opacity are enough
    lines = b"".join(b"\0" + row.tobytes() for row in np.ascontiguousarray(colours))
    # Level 0 stores without compressing: the same bytes with every version of zlib.
    chunks = [
        (b"IHDR", struct.pack(">IIBBBBB", columns, rows, 8, 4 if black else 6, 0, 0, 0)),
        (b"IDAT", zlib.compress(lines, 0)),
    ]
    png = b"\x89PNG\r\n\x1a\n"
    for kind, content in (*chunks, (b"IEND", b"")):
        png += struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))
    source = f"data:image/png;base64,{base64.b64encode(png).decode()}"
    attributes = {"preserveAspectRatio": "none", "style": "image-rendering:pixelated"} | attributes
    return tag("image", href=source, x=x, y=y, width=width, height=height, **attributes)


def number(value: float, digits: int = 4) -> str:
    """A number as the figures write it: so many significant digits, no zeros at its end, a real minus sign."""
    written = f"{value or 0:.{digits}g}"  # no −0
    if "e" in written:
        mantissa, exponent = written.split("e")
        written = f"{mantissa}e{int(exponent)}"
    return written.replace("-", "−")
