"""Serve MathJax from the site itself: one file, from the package sphinx-mathjax-offline, instead of from a CDN.

The package's own extension would copy all of MathJax (24 MB); the one file with TeX input and SVG output has its
glyphs inside it and needs no fonts.
"""

import shutil
from importlib.metadata import files
from pathlib import Path

FILE = "tex-svg.js"


def copy_mathjax(app):
    if app.builder.format == "html":
        (source,) = (file for file in files("sphinx-mathjax-offline") if file.name == FILE)
        target = Path(app.outdir) / "_static" / "mathjax" / FILE
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(source.locate(), target)


def setup(app):
    app.setup_extension("sphinx.ext.mathjax")
    app.config.mathjax_path = f"mathjax/{FILE}"
    app.connect("builder-inited", copy_mathjax)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
