"""What the page *Search* looks in: the book's text, section by section, without the code of its cells.

Sphinx's own index holds code too, knows only whole words and their stems, and was loaded by every page.
"""

import json
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx

SKIPPED = nodes.literal_block | nodes.raw | nodes.math_block | nodes.image | nodes.system_message


def sections(doctree: nodes.document) -> list[tuple[str, str, str]]:
    """Name, title and text of each section, and of each term of a glossary."""
    found = []
    for section in doctree.findall(nodes.section):
        own = [node for node in section.children if not isinstance(node, nodes.section | nodes.title)]
        title = section.next_node(nodes.title).astext()
        found.append((section["ids"][0], title, " ".join(_words(node) for node in own)))
    for item in doctree.findall(nodes.definition_list_item):
        term = item.next_node(nodes.term)
        if term["ids"]:
            found.append((term["ids"][0], term.astext(), _words(item.next_node(nodes.definition))))
    return found


def _words(node: nodes.Node) -> str:
    if isinstance(node, SKIPPED):
        return ""
    if isinstance(node, nodes.Text):
        return str(node)
    return (
        " ".join(filter(None, map(_words, node.children)))
        if not isinstance(node, nodes.TextElement)
        else "".join(map(_words, node.children))
    )


def write(app: Sphinx, failure: Exception | None) -> None:
    """Write all sections into one script: a script can be loaded where a file is opened without a server."""
    if failure or app.builder.format != "html":
        return
    rows = []
    for page in [app.config.root_doc, *sorted(app.env.found_docs - {app.config.root_doc})]:
        heading = app.env.titles[page].astext()
        for name, title, text in sections(app.env.get_doctree(page)):
            rows.append([page, name, heading, title, " ".join(text.split())])
    content = "const SECTIONS = " + json.dumps(rows, ensure_ascii=False, separators=(",", ":")) + ";\n"
    (Path(app.outdir) / "_static" / "sections.js").write_text(content, encoding="utf-8")


def without_sphinxs_index(app: Sphinx) -> None:
    """Keep the page, but let Sphinx make no index: of one that is taken away the next build says that it is missing."""
    if app.builder.name == "html":
        app.builder.search = False
        app.config.html_additional_pages |= {"search": "search.html"}


def setup(app: Sphinx) -> dict[str, Any]:
    """Sphinx calls this."""
    app.connect("builder-inited", without_sphinxs_index)
    app.connect("build-finished", write, priority=300)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
