"""What stands around the text of every page: its title, description and links, and the few scripts that it loads.

The theme's own scripts and styles are taken as they are, but only those that this book uses; `stylesheet.py` joins the
styles. Nothing is asked of another server.
"""

import re
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from docutils import nodes
from sphinx.application import Sphinx

import cellgrad

SCRIPTS = ["scripts/pydata-sphinx-theme.js", "scripts/sphinx-book-theme.js", "site.js"]
LONGEST_DESCRIPTION = 160


def address(app: Sphinx) -> str:
    """Where the site of this repository is, if GitHub's pages show it."""
    owner, name = app.config.html_theme_options["repository_url"].rstrip("/").split("/")[-2:]
    return f"https://{owner.lower()}.github.io/{name}/"


def description(doctree: nodes.document | None) -> str:
    """The beginning of the page's text, in whole sentences as far as they fit."""
    if doctree is None:
        return "An executable book, from eight weights in a spreadsheet to a small network that reads handwriting."
    paragraphs = (node for node in doctree.findall(nodes.paragraph) if not isinstance(node.parent, nodes.Admonition))
    text = " ".join(next(paragraphs, nodes.paragraph()).astext().split())
    if len(text) <= LONGEST_DESCRIPTION:
        return text
    sentences = re.match(rf".{{60,{LONGEST_DESCRIPTION - 1}}}[.?!](?= )", text)
    return sentences[0] if sentences else text[: text.rindex(" ", 0, LONGEST_DESCRIPTION - 1)] + " …"


def complete(app: Sphinx, pagename: str, templatename: str, context: dict, doctree: nodes.document | None) -> None:
    """Give the templates what they need, and take away what is not used."""
    options = app.config.html_theme_options
    repository, branch = options["repository_url"], options["repository_branch"]
    name = app.config.html_title or app.config.project
    title = re.sub(r"<[^>]+>", "", context.get("title", ""))
    home = pagename == app.config.root_doc
    context |= {
        "docstitle": name,
        "page_title": escape(name) if home or not title else f"{title} · {escape(name)}",
        "description": description(doctree),
        "default_mode": "light",  # of a page without scripts; layout.html asks for the reader's
        "html_baseurl": app.config.html_baseurl,
        "repository_url": repository,
        "book_version": cellgrad.__version__,
        "scripts_of_the_book": SCRIPTS + (["sections.js", "find.js"] if pagename == "search" else []),
    }
    source = app.env.doc2path(pagename, base=False) if pagename in app.env.all_docs else None
    if source and (Path(app.srcdir) / source).exists():
        context["edit_url"] = f"{repository}/edit/main/{options['path_to_docs']}/{source}"
        context["report_url"] = f"{repository}/issues/new?title={pagename}"
        if source.endswith(".ipynb"):
            colab = options["launch_buttons"]["colab_url"]
            tail = repository.removeprefix("https://github.com/")
            context["colab_url"] = f"{colab}/github/{tail}/blob/{branch}/{options['path_to_docs']}/{source}"

    context["metatags"] = re.sub(
        r'<meta name="viewport"[^>]*>', "", context.get("metatags", "")
    )  # stands there already
    # Roles that ARIA has given up, or that promise children which are not there.
    context["body"] = re.sub(r' role="(list|doc-biblioentry|doc-backlink|note)"', "", context.get("body", ""))


def set_address(app: Sphinx) -> None:
    app.config.html_baseurl = address(app)


def tell_robots(app: Sphinx, failure: Exception | None) -> None:
    """Write the map of the site, and what robots may read: everything."""
    if failure or app.builder.format != "html":
        return
    pages = sorted(f"{name}.html" for name in app.env.found_docs)
    places = "".join(f"  <url><loc>{app.config.html_baseurl}{page}</loc></url>\n" for page in pages)
    xml = f'<?xml version="1.0" encoding="utf-8"?>\n<urlset xmlns="{SITEMAP}">\n{places}</urlset>\n'
    (Path(app.outdir) / "sitemap.xml").write_text(xml, encoding="utf-8")
    robots = f"User-agent: *\nAllow: /\nSitemap: {app.config.html_baseurl}sitemap.xml\n"
    (Path(app.outdir) / "robots.txt").write_text(robots, encoding="utf-8")


SITEMAP = "http://www.sitemaps.org/schemas/sitemap/0.9"


def setup(app: Sphinx) -> dict[str, Any]:
    """Sphinx calls this."""
    app.connect("builder-inited", set_address)
    app.connect("html-page-context", complete, priority=900)
    app.connect("build-finished", tell_robots)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
