"""Show on the site what kind of thing a paragraph is, from how it begins; Colab shows the same text without.

`**You will be able to**` and `**You need**` head a chapter, `## Recap` ends it, `**2.**` below `## Exercises` is an
exercise, `*Figure 7.1. …*` and `*Table 7.1. …*` are captions, and `\\tag{7.1}` ends a formula that has a number. Every
other "Figure 7.1", "Table 7.1" or "equation (7.1)" becomes a link to it, from any page. The folded cells say what is in
them.
"""

import re
from typing import Any

from docutils import nodes
from myst_nb.sphinx_ import HideCodeCellNode
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

NUMBERED = re.compile(r"\b(Figure|Table|[Ee]quation) (\()?(\d+\.\d+)\b(?(2)\))")
TAG = re.compile(r"\s*\\tag\{(\d+\.\d+)\}")


def mark(app: Sphinx, doctree: nodes.document) -> None:
    """Give classes and names to the paragraphs of a page, and remember which figures, tables and equations it has."""
    names = app.env.metadata[app.env.docname].setdefault("numbered", [])
    for paragraph in doctree.findall(nodes.paragraph):
        first = _first(paragraph)
        begin = first.astext()
        if isinstance(first, nodes.emphasis) and (match := NUMBERED.match(begin)) and begin[match.end()] == ".":
            names.append(_name(match))
            paragraph["ids"].append(names[-1])
            paragraph["classes"].append("caption")
            _set_apart(first, match.end() + 1)
        elif isinstance(first, nodes.strong) and begin.startswith("You will be able to"):
            paragraph["classes"].append("goals")
        elif isinstance(first, nodes.strong) and begin.startswith("You need"):
            paragraph["classes"].append("needs")
    for formula in doctree.findall(nodes.math_block):
        if match := TAG.search(latex := formula.astext()):
            names.append("equation-" + match[1].replace(".", "-"))
            formula["ids"].append(names[-1])
            formula["number"] = match[1]
            formula.children = [nodes.Text(TAG.sub("", latex))]
    for section in doctree.findall(nodes.section):
        if "recap" in section["ids"]:
            section["classes"].append("recap")
        if "exercises" in section["ids"]:
            _mark_exercises(section)


def _name(match: re.Match) -> str:
    """What a figure, a table or an equation is called in addresses: figure-7-1."""
    return f"{match[1]}-{match[3]}".lower().replace(".", "-")


def _set_apart(caption: nodes.emphasis, end: int) -> None:
    """Put the number of a caption into an element of its own."""
    text = next(caption.findall(nodes.Text))
    caption.replace(text, [nodes.inline("", text[:end], classes=["number"]), nodes.Text(text[end:])])


def _first(paragraph: nodes.paragraph) -> nodes.Node:
    """What a paragraph begins with; MyST puts an empty text before what is bold."""
    return next((node for node in paragraph.children if node.astext()), nodes.Text(""))


def _mark_exercises(section: nodes.section) -> None:
    for node in section.findall(lambda node: isinstance(node, nodes.paragraph | nodes.raw)):
        if isinstance(node, nodes.raw):
            text = re.sub(r"<details>(\s*<summary>Hint)", r'<details class="hint">\1', node.astext())
            text = re.sub(r"<details>(\s*<summary>Solution)", r'<details class="solution">\1', text)
            node.children, node.rawsource = [nodes.Text(text)], text
        elif isinstance(first := _first(node), nodes.strong) and re.fullmatch(r"\d+\.", first.astext()):
            node["classes"].append("exercise")
            node["ids"].append("exercise-" + first.astext()[:-1])


def link(app: Sphinx, doctree: nodes.document, docname: str) -> None:
    """Make a link of every number of a figure, a table or an equation, and label the folded cells."""
    for cell in doctree.findall(lambda node: isinstance(node, nodes.container) and "cell" in node["classes"]):
        for fold in (child for child in cell.children if isinstance(child, HideCodeCellNode)):
            if fold["prompt_show"] in ("Show code cell source", "Show code cell content"):
                fold["prompt_show"] = _label(cell)
    places = {name: page for page, data in app.env.metadata.items() for name in data.get("numbered", [])}
    inside = nodes.reference | nodes.title | nodes.literal | nodes.literal_block | nodes.raw | nodes.math
    for text in list(doctree.findall(nodes.Text)):
        if any(isinstance(node, inside) or "caption" in node.get("classes", ()) for node in _above(text)):
            continue
        pieces: list[nodes.Node] = []
        end = 0
        for match in NUMBERED.finditer(text):
            if (name := _name(match)) in places:
                page = places[name]
                address = ("" if page == docname else app.builder.get_relative_uri(docname, page)) + f"#{name}"
                pieces += [nodes.Text(text[end : match.start()])]
                together = match[0].replace(" ", "\u00a0")
                pieces += [nodes.reference("", together, internal=True, refuri=address)]
                end = match.end()
        if pieces:
            text.parent.replace(text, [*pieces, nodes.Text(text[end:])])


def _above(node: nodes.Node) -> list[nodes.Element]:
    above = []
    while (node := node.parent) is not None:
        above.append(node)
    return above


def _label(cell: nodes.container) -> str:
    """What a folded cell holds: set-up, or the code of what stands below it."""
    source = next(part.astext() for part in cell.findall(nodes.literal_block))
    lines = [line for line in source.splitlines() if line.strip() and not line.startswith("#")]
    if any("git+https" in line for line in lines):
        return "Set-up: the book's package"
    outputs = [part for part in cell.findall(nodes.container) if "cell_output" in part["classes"]]
    shown = "".join(output.astext() for output in outputs)
    pictures = any(True for output in outputs for _ in output.findall(nodes.image))
    imported = [line for line in lines if line.startswith(("import ", "from "))]
    if not shown and not pictures and len(imported) * 2 >= len(lines):
        part = "section" if len([node for node in _above(cell) if isinstance(node, nodes.section)]) > 1 else "chapter"
        ours = all(line.startswith("from cellgrad") for line in imported)
        return f"Set-up: what this {part} {'takes from the package' if ours else 'imports'}"
    if pictures or "<svg" in shown or 'class="cg' in shown:
        return "Code of the figure"
    if "<table" in shown:
        return "Code of the table"
    if shown:
        return "Code of what follows"
    named = re.search(r"^(?:def|class) (\w+)", "\n".join(lines), flags=re.M)
    return f"Code: {named[1]}" if named else "Code that prepares the next step"


def open_fold(translator: HTML5Translator, node: HideCodeCellNode) -> None:
    label = translator.encode(node["prompt_show"])
    translator.body.append(f'<details class="fold {" ".join(node["classes"])}">\n<summary>{label}</summary>\n')


def close_fold(translator: HTML5Translator, node: HideCodeCellNode) -> None:
    translator.body.append("</details>\n")


def setup(app: Sphinx) -> dict[str, Any]:
    """Sphinx calls this."""
    app.add_node(HideCodeCellNode, override=True, html=(open_fold, close_fold))
    app.connect("doctree-read", mark, priority=400)
    app.connect("doctree-resolved", link, priority=900)
    return {"parallel_read_safe": True, "env_version": 2}
