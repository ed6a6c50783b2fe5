"""`figure-to-touch`: one of the package's figures on a page of text, alive as in the chapters."""

from typing import Any, ClassVar

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from cellgrad import figures


class FigureToTouch(SphinxDirective):
    """Its argument is the name of a function of `cellgrad.figures` that needs no data."""

    required_arguments = 1
    option_spec: ClassVar[dict] = {}

    def run(self) -> list[nodes.Node]:
        self.env.note_reread()  # the figure may be another though the page is the same
        return [nodes.raw("", getattr(figures, self.arguments[0])()._repr_html_(), format="html")]


def setup(app: Sphinx) -> dict[str, Any]:
    """Sphinx calls this."""
    app.add_directive("figure-to-touch", FigureToTouch)
    return {"parallel_read_safe": True}
