"""Plain links to a place on another page, `glossary.md#term-kernel` or `07-topic.ipynb#a-heading`, for Sphinx.

MyST knows such places only for headings, and only where it was asked to make anchors. Sphinx gives every heading and
every term of a glossary an id of its own; this tells MyST about them, so that a link in CommonMark, which reads as well
in Colab, is checked by the build and leads there on the site.
"""

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx


def _offer_ids(app: Sphinx, doctree: nodes.document) -> None:
    places = app.env.metadata[app.env.docname].setdefault("myst_slugs", {})
    for node in doctree.findall(lambda node: isinstance(node, nodes.section | nodes.term)):
        for name in node["ids"]:
            places[name] = (node.line, name, node.next_node(nodes.title).astext() if node.tagname == "section" else "")


def setup(app: Sphinx) -> dict[str, Any]:
    """Sphinx calls this."""
    app.connect("doctree-read", _offer_ids)
    return {"parallel_read_safe": True, "env_version": 1}
