"""`docstrings`: the public functions of a module, with their signatures and what their docstrings say.

It reads the source, and imports nothing: the site is built in seconds, without torch.
"""

import ast
import re
from pathlib import Path
from typing import Any, ClassVar

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from cellgrad import __file__ as package_file


def signature(node: ast.FunctionDef | ast.ClassDef) -> str:
    """How a function or class is called, as its source says it."""
    if isinstance(node, ast.FunctionDef):
        returns = f" → {ast.unparse(node.returns)}" if node.returns else ""
        return f"{node.name}({_without_self(node.args)}){returns}"
    makers = [part for part in node.body if isinstance(part, ast.FunctionDef) and part.name == "__init__"]
    if makers:
        arguments = _without_self(makers[0].args)
    else:
        fields = [part for part in node.body if isinstance(part, ast.AnnAssign)]
        arguments = ", ".join(ast.unparse(part) for part in fields)
    return f"{node.name}({arguments})" if arguments else node.name


def _without_self(arguments: ast.arguments) -> str:
    return re.sub(r"^self(, )?", "", ast.unparse(arguments))


class Docstrings(SphinxDirective):
    """Its argument is a module's file or a package's folder below `src/cellgrad`; `:only:` names what is shown."""

    required_arguments = 1
    option_spec: ClassVar[dict] = {"only": str.split, "methods": str.split}

    def run(self) -> list[nodes.Node]:
        place = Path(package_file).parent / self.arguments[0]
        public = {}
        for path in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            self.env.note_dependency(str(path))
            for node in ast.parse(path.read_text(encoding="utf-8")).body:
                if isinstance(node, ast.FunctionDef | ast.ClassDef) and ast.get_docstring(node) and node.name[0] != "_":
                    public.setdefault(node.name, node)
        shown: list[nodes.Node] = []
        for name in self.options.get("only", list(public)):
            if name not in public:
                raise self.error(f"{self.arguments[0]} has no public {name!r}")
            shown += self.told(public[name], name)
            for method in public[name].body:
                if isinstance(method, ast.FunctionDef) and method.name in self.options.get("methods", ()):
                    shown += self.told(method, f"{name}.{method.name}")
        return shown

    def told(self, node: ast.FunctionDef | ast.ClassDef, name: str) -> list[nodes.Node]:
        """The signature, and the docstring as text with code in it."""
        prefix = name.removesuffix(node.name)
        title = nodes.paragraph("", "", nodes.literal("", prefix + signature(node)), classes=["signature"], ids=[name])
        body = nodes.container(classes=["docstring"])
        lines = (ast.get_docstring(node) or "").splitlines()
        self.state.nested_parse(StringList(lines, source=self.arguments[0]), 0, body)
        return [title, body]


def setup(app: Sphinx) -> dict[str, Any]:
    """Sphinx calls this."""
    app.add_directive("docstrings", Docstrings)
    return {"parallel_read_safe": True}
