"""Somebody's network, found where she wrote it: in a file, a notebook, a package, or among our recipes.

From a file or a notebook only imports, constants, functions and classes are taken, so that nobody's training starts and
no missing package stops what does not need it. It is not a sandbox: classes and functions of the file do run.
"""

from __future__ import annotations

import ast
import builtins
import contextlib
import copy
import hashlib
import importlib
import inspect
import io
import json
import os
import sys
import types
import warnings
from collections.abc import Iterator, Mapping, Set
from pathlib import Path

from cellgrad.torchvision import import_torchvision

Definition = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef
Compound = ast.If | ast.With | ast.For | ast.While


class NetworkError(ValueError):
    """A network that cannot be found, made or used; the message says why and what to do."""


@contextlib.contextmanager
def quietly() -> Iterator[None]:
    """Let somebody's code run without its prints and warnings."""
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def split(what: str) -> tuple[str, str]:
    """Where a network is and its name there, empty if none is given: "models.py:Net" is ("models.py", "Net")."""
    place, colon, name = what.rpartition(":")
    if colon and place and (name.isidentifier() or not name) and not (len(place) == 1 and os.name == "nt"):
        return place, name
    return what, ""


def is_file(place: str) -> bool:
    """Whether a place names a Python file or a notebook."""
    return place.endswith((".py", ".ipynb"))


def load_definitions(path: str | os.PathLike) -> Definitions:
    """What a Python file or a notebook defines. Raises NetworkError where it cannot be read."""
    path = Path(path)
    try:
        text = path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise NetworkError(f"{path}: this is no text in UTF-8; save it as a Python file or a notebook") from None
    definitions = Definitions(path)
    if path.suffix != ".ipynb":
        definitions.read(text, str(path))
        return definitions
    try:
        cells = json.loads(text)["cells"]
        sources = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "code"]
    except (ValueError, KeyError, TypeError, RecursionError):
        raise NetworkError(f"{path}: this is no notebook of version 4; open it in Jupyter and save it again") from None
    for number, source in enumerate(sources, start=1):
        definitions.read(_without_magics(source), f"{path}, code cell {number}", strict=False)
    return definitions


def _without_magics(source: str) -> str:
    """A notebook's cell as plain Python: lines for IPython or the shell taken out, a cell of another language whole.

    The lines' numbers stay. What stands indented below such a line in a block keeps a `pass`.
    """
    lines = source.splitlines()
    first = next((line.strip() for line in lines if line.strip()), "")
    if first.startswith("%%") and first.split()[0] not in ("%%time", "%%timeit", "%%capture"):
        return ""
    plain = []
    for line in lines:
        stripped = line.lstrip()
        magic = stripped.startswith(("%", "!", "?")) or (stripped.endswith("?") and not stripped.startswith("#"))
        plain.append(line[: len(line) - len(stripped)] + "pass" if magic else line)
    return "\n".join(plain)


class Definitions:
    """The imports, constants, functions and classes of one file; names are looked up with `get`.

    Of several definitions of a name the last one counts, as when the file is run.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.namespace: dict[str, object] = {"__name__": path.stem, "__file__": str(path), "__builtins__": builtins}
        self.missing: dict[str, str] = {}  # name: why it is not to be had
        self.namespace["__missing__"] = self.missing
        self._assigned: dict[str, tuple[ast.stmt, str]] = {}  # name: the statement that would make it, and where
        self._changes: dict[str, list[tuple[ast.stmt, str]]] = {}  # name: what changes it once it is made
        self._earlier: dict[str, dict[str, object]] = {}  # name: what others stood for where it is made
        self._reads: dict[str, list[str]] = {}  # function or class: the names in it
        self._ran: set[ast.stmt] = set()  # assignments that are not to be run again
        self._seen = hashlib.sha256()

    def read(self, source: str, where: str, strict: bool = True) -> None:
        """Take the definitions of some source; raises NetworkError where it is no Python and `strict` says so."""
        try:
            statements = ast.parse(source).body
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            line = getattr(error, "lineno", None)
            problem = f"{where}{f', line {line}' if line else ''}: this is no Python that can be read ({error})"
            if strict:
                raise NetworkError(problem.splitlines()[0]) from None
            self.missing[""] = problem.splitlines()[0]
            return
        for statement in statements:
            self._take(statement, where)

    @property
    def fingerprint(self) -> str:
        """Of imports, definitions and assignments, here and in the files beside this: no other code makes a network."""
        return self._seen.hexdigest()

    def _take(self, statement: ast.stmt, where: str) -> None:
        for part in ast.walk(statement) if isinstance(statement, ast.If | ast.With) else [statement]:
            if isinstance(part, ast.Import | ast.ImportFrom | Definition | ast.Assign | ast.AnnAssign):
                self._seen.update(ast.dump(part).encode())
        if isinstance(statement, ast.Import | ast.ImportFrom):
            self._import(statement, where)
        elif isinstance(statement, Definition):
            self._define(statement, where)
        elif isinstance(statement, ast.Try):
            self._try(statement, where)
        elif isinstance(statement, ast.Assign | ast.AnnAssign | ast.If | ast.With):
            for name in _assigned_names(statement):
                self._assigned[name] = statement, where
                for known in (self.namespace, self.missing, self._changes, self._earlier):
                    known.pop(name, None)
            if _is_constant(statement):
                self._run(statement, where)
            elif isinstance(statement, ast.Assign) and not _is_harmless(statement):
                reason = f"line {statement.lineno}, which makes it, is not run; make it where it is used"
                self.missing |= dict.fromkeys(_assigned_names(statement), reason)
        changed = [name for name in _changed_names(statement) if name in self._assigned]
        if changed:
            self._change(changed, statement, where)

    def _change(self, names: list[str], statement: ast.stmt, where: str) -> None:
        """Run what changes these names, where it is harmless, or keep it until the one name is made.

        Where neither can be, they are missing: something else than the file says would be made of them.
        """
        self._keep(names)
        made = [name for name in names if self._needed(name)]
        self._seen.update(ast.dump(statement).encode() if _is_harmless(statement) else b"")
        if len(names) == 1 and not made and not isinstance(statement, Compound):
            self._changes.setdefault(names[0], []).append((statement, where))
            return
        problem = self._changed_by(statement, where) if made == names else _not_run(statement)
        for name in names if problem else []:
            for known in (self.namespace, self._assigned, self._changes):
                known.pop(name, None)
            self.missing[name] = problem

    def _keep(self, names: list[str]) -> None:
        """Before names are changed: make what is made of them, or keep what they stand for until it is."""
        for waiting, (statement, _) in list(self._assigned.items()):
            used = [name for name in names if name in self._read_by(statement)]
            if waiting in self.namespace or waiting in names or not used or self._needed(waiting):
                continue
            for name in used:
                if name in self.namespace:
                    with contextlib.suppress(Exception):  # what cannot be copied
                        kept = copy.deepcopy(self.namespace[name])
                        self._earlier.setdefault(waiting, {}).setdefault(name, kept)

    def _read_by(self, statement: ast.stmt) -> set[str]:
        """The names in a statement, and those in the functions and classes that it names, and so on."""
        found: set[str] = set()
        waiting = _free_names(statement)
        while waiting:
            name = waiting.pop()
            if name not in found:
                found.add(name)
                waiting += self._reads.get(name, [])
        return found

    def _needed(self, name: str, tried: set[str] | None = None) -> bool:
        """Whether a variable is made; if need be, and it is harmless, it is made now, after those that it needs."""
        tried = set() if tried is None else tried
        statement = self._assigned[name][0] if name in self._assigned and name not in self.namespace else None
        if statement and name not in tried and statement not in self._ran and _is_harmless(statement):
            tried.add(name)
            for other in _free_names(statement):
                self._needed(other, tried)
            self._make(name)
        return name in self.namespace

    def _try(self, statement: ast.Try, where: str) -> None:
        """Take what Python would run: after an import that fails only more imports, then what is said for this case."""
        failed = False
        for inner in statement.body:
            if isinstance(inner, ast.Import | ast.ImportFrom):
                self._take(inner, where)
                failed |= any(name in self.missing for name in _imported_names(inner))
            elif not failed:
                self._take(inner, where)
        handlers = [handler.body for handler in statement.handlers if _is_for_imports(handler)]
        chosen = (handlers[0] if handlers else []) if failed else statement.orelse
        for inner in [*chosen, *statement.finalbody]:
            self._take(inner, where)

    def _import(self, statement: ast.Import | ast.ImportFrom, where: str) -> None:
        names = _imported_names(statement)
        try:
            with quietly():
                neighbour = self._neighbour(statement)
                if neighbour is None:
                    _prepare_torchvision(statement)
                    exec(compile(ast.Module([statement], []), where, "exec"), self.namespace)  # nosec B102
                else:
                    self.namespace |= neighbour
            for name in names:
                self.missing.pop(name, None)
        except (Exception, SystemExit) as error:  # whatever an import raises
            module = getattr(statement, "module", None) or statement.names[0].name
            reason = "is not installed" if isinstance(error, ModuleNotFoundError) else f"cannot be imported ({error})"
            self.missing |= dict.fromkeys(names, f"{module} {reason}")

    def _neighbour(self, statement: ast.Import | ast.ImportFrom) -> dict[str, object] | None:
        """What an import of a file beside this one brings, of which only the definitions are taken too; else None."""
        if isinstance(statement, ast.Import):
            modules = {alias.name: alias for alias in statement.names}
            found = {name: self._beside(name) for name in modules}
            if not any(found.values()):
                return None
            brought: dict[str, object] = {}
            for name, path in found.items():
                if path is None:
                    raise ImportError(f"{name} is not beside this file")
                definitions = load_definitions(path)
                self._seen.update(definitions.fingerprint.encode())
                brought[modules[name].asname or name.partition(".")[0]] = definitions.as_module()
            return brought
        path = self._beside("." * statement.level + (statement.module or ""))
        if path is None:
            return None
        definitions = load_definitions(path)
        self._seen.update(definitions.fingerprint.encode())
        if [alias.name for alias in statement.names] == ["*"]:
            self.missing |= definitions.missing
            return {name: value for name, value in definitions.namespace.items() if not name.startswith("_")}
        return {alias.asname or alias.name: definitions.get(alias.name) for alias in statement.names}

    def _beside(self, module: str) -> Path | None:
        """The file of a module beside this one, if there is one; a leading dot stands for this folder."""
        folder = self.path.absolute().parent
        levels = len(module) - len(module.lstrip("."))
        for _ in range(levels - 1):
            folder = folder.parent
        place = folder.joinpath(*filter(None, module.lstrip(".").split(".")))
        candidates = [place.with_name(f"{place.name}.py"), place / "__init__.py"]
        return next((path for path in candidates if path.is_file() and path != self.path.absolute()), None)

    def as_module(self) -> types.ModuleType:
        """The definitions as a module."""
        module = types.ModuleType(self.path.stem)
        module.__dict__.update(self.namespace)
        return module

    def _define(self, statement: Definition, where: str) -> None:
        for known in (self._assigned, self.missing, self.namespace):
            known.pop(statement.name, None)
        self._reads[statement.name] = _free_names(statement)
        for name in _free_names(statement):
            self._needed(name)
        self._run(statement, where)

    def _run(self, statement: ast.stmt, where: str) -> None:
        names = _assigned_names(statement) or [getattr(statement, "name", "")]
        try:
            self._execute(statement, where)
            self._ran.add(statement)
        except (Exception, SystemExit) as error:  # whatever somebody's code raises
            self.missing |= dict.fromkeys(names, in_a_line(error))

    def _execute(self, statement: ast.stmt, where: str) -> None:
        with quietly():
            exec(compile(ast.Module([statement], []), where, "exec"), self.namespace)  # nosec B102

    def _make(self, name: str) -> None:
        """Run the assignment of a name, whatever it is, with what others stood for there, and then what changes it."""
        earlier = self._earlier.get(name, {})
        now = {other: self.namespace.pop(other) for other in earlier if other in self.namespace}
        self.namespace |= earlier
        self._run(*self._assigned[name])
        for other in earlier:
            del self.namespace[other]
        self.namespace |= now
        classes = {own for own in self._reads if isinstance(self.namespace.get(own), type)}
        for statement, where in self._changes.get(name, []):
            if name in self.namespace:
                problem = self._changed_by(statement, where, classes)
                if problem:
                    del self.namespace[name]
                    self.missing[name] = problem

    def _changed_by(self, statement: ast.stmt, where: str, classes: Set[str] = frozenset()) -> str:
        """Run what changes a variable, where it is harmless; else why not. classes: those that may be called, too."""
        if not _is_harmless(statement, classes):
            return _not_run(statement)
        for name in _free_names(statement):
            self._needed(name)
        try:
            self._execute(statement, where)
        except (Exception, SystemExit) as error:  # whatever somebody's code raises
            return f"line {statement.lineno} changes it and fails ({in_a_line(error)})"
        return ""

    def complete(self) -> None:
        """Run the harmless assignments, which functions and classes may need when they are used."""
        for name in list(self._assigned):
            self._needed(name)

    def get(self, name: str) -> object:
        """What a name stands for; a variable is computed now. Raises NetworkError where it is not to be had."""
        self.complete()
        if name not in self.namespace and name in self._assigned:
            self._make(name)
        if name in self.namespace:
            return self.namespace[name]
        if name in self.missing:
            raise NetworkError(f"{self.path}: {name} cannot be made: {self.missing[name]}")
        listed = ", ".join(self.names()) or "nothing that could be a network"
        note = f"; {self.missing['']}" if "" in self.missing else ""
        raise NetworkError(f"{self.path}: there is no {name} in it, but {listed}{note}")

    def names(self) -> list[str]:
        """The classes that are networks, and the functions and variables that may make one, in the file's order."""
        from torch import nn

        self.complete()
        own = {name: value for name, value in self.namespace.items() if not name.startswith("_")}
        classes = [name for name, value in own.items() if _is_own_network(value, nn.Module, self.path.stem)]
        made = [name for name, value in own.items() if isinstance(value, nn.Module)]
        makers = [
            name
            for name, (statement, _) in self._assigned.items()
            if name not in own and isinstance(statement, ast.Assign) and _called(statement.value) in classes
        ]
        return [*classes, *made, *makers]


def _prepare_torchvision(statement: ast.Import | ast.ImportFrom) -> None:
    """Make torchvision importable beside any torch, before somebody's code imports it."""
    modules = [getattr(statement, "module", None) or "", *(alias.name for alias in statement.names)]
    if any(module.partition(".")[0] == "torchvision" for module in modules):
        import_torchvision()


def _imported_names(statement: ast.Import | ast.ImportFrom) -> list[str]:
    return [alias.asname or alias.name.partition(".")[0] for alias in statement.names]


def _is_for_imports(handler: ast.ExceptHandler) -> bool:
    """Whether a handler catches an import that fails."""
    kinds = handler.type.elts if isinstance(handler.type, ast.Tuple) else [handler.type]
    caught = {"ImportError", "ModuleNotFoundError", "Exception", "BaseException"}
    return any(kind is None or (isinstance(kind, ast.Name) and kind.id in caught) for kind in kinds)


def _is_own_network(value: object, base: type, module: str) -> bool:
    return isinstance(value, type) and issubclass(value, base) and value.__module__ == module


def _not_run(statement: ast.stmt) -> str:
    return f"line {statement.lineno} changes it and is not run; put it in a function"


def _called(value: ast.expr) -> str:
    """The name at the bottom of a chain of calls: of `Net(3).to(device)`, Net."""
    while isinstance(value, ast.Call | ast.Attribute):
        value = value.func if isinstance(value, ast.Call) else value.value
    return value.id if isinstance(value, ast.Name) else ""


def _assigned_names(statement: ast.stmt) -> list[str]:
    """The names that a statement gives values to."""
    if isinstance(statement, ast.FunctionDef | ast.ClassDef):
        return []
    parts = list(ast.walk(statement))
    within = [part.target for part in parts if isinstance(part, ast.AugAssign | ast.comprehension)]
    others = {part for target in within for part in ast.walk(target)}
    return [n.id for n in parts if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store) and n not in others]


def _changed_names(statement: ast.stmt) -> list[str]:
    """The names whose values a statement changes: by +=, by an item, an attribute, or a method such as append.

    Not of which it changes numbers of a tensor alone, nor what runs only where the file is started itself.
    """
    if isinstance(statement, Compound):
        if isinstance(statement, ast.If) and "__name__" in _free_names(statement.test):
            return []
        parts = [*statement.body, *getattr(statement, "orelse", [])]
        given = set(_assigned_names(statement)) if isinstance(statement, ast.If | ast.With) else set()
        return [name for name in dict.fromkeys(n for part in parts for n in _changed_names(part)) if name not in given]
    changed: list[ast.expr] = []
    if isinstance(statement, ast.AugAssign):
        changed = [statement.target]
    elif isinstance(statement, ast.Assign | ast.Delete):
        changed = [target for target in statement.targets if not isinstance(target, ast.Name)]
    elif isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call):
        method = statement.value.func
        changed = [method.value] if isinstance(method, ast.Attribute) and method.attr in _CHANGING_CALLS else []
    return [name for name in dict.fromkeys(map(_changed, changed)) if name]


def _changed(target: ast.expr) -> str:
    """The name at the bottom of what is changed; empty where there is none, and for the numbers of a tensor."""
    item, attributes = isinstance(target, ast.Subscript), set()
    while isinstance(target, ast.Call | ast.Attribute | ast.Subscript):
        if isinstance(target, ast.Attribute):
            attributes.add(target.attr)
        target = target.func if isinstance(target, ast.Call) else target.value
    numbers = attributes & {"data", "grad", "requires_grad"} or (item and attributes & {"weight", "bias"})
    return target.id if isinstance(target, ast.Name) and not numbers else ""


def _free_names(statement: ast.AST) -> list[str]:
    return [n.id for n in ast.walk(statement) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Load)]


def _is_constant(statement: ast.stmt) -> bool:
    """Whether a statement gives names to a literal: numbers, texts, and tuples, lists and dictionaries of them."""
    if not isinstance(statement, ast.Assign | ast.AnnAssign) or statement.value is None:
        return False
    try:
        ast.literal_eval(statement.value)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return False
    return True


# What may be called by the way, when a class needs a variable of its file: nothing here trains or reads anything.
_CHANGING_CALLS = {"append", "extend", "insert", "update", "add_module", "register_module"}
_CHANGING_CALLS |= {"register_buffer", "register_parameter"}
_HARMLESS_CALLS = {"device", "is_available", "int", "float", "len", "max", "min", "tuple", "list", "dict", "range"}
_HARMLESS_CALLS |= {"SimpleNamespace", "Namespace", "partial", "namedtuple"}
_HARMLESS_CALLS |= {"sum", "zip", "enumerate", "reversed", "sorted", *_CHANGING_CALLS}
_HARMLESS = (
    *(ast.Assign, ast.AnnAssign, ast.If, ast.IfExp, ast.Name, ast.Attribute, ast.Constant, ast.BinOp, ast.UnaryOp),
    *(ast.operator, ast.unaryop, ast.expr_context, ast.Tuple, ast.List, ast.Dict, ast.Set, ast.Compare, ast.cmpop),
    *(ast.BoolOp, ast.boolop, ast.Call, ast.keyword, ast.Subscript, ast.Slice, ast.JoinedStr, ast.FormattedValue),
    *(ast.Lambda, ast.arguments, ast.arg, ast.Starred),
    *(ast.AugAssign, ast.Delete, ast.Expr, ast.For, ast.Pass),
    *(ast.ListComp, ast.SetComp, ast.DictComp, ast.GeneratorExp, ast.comprehension),
)


def _is_harmless(statement: ast.stmt, classes: Set[str] = frozenset()) -> bool:
    """Whether a statement only computes a value from others: settings, devices, layers' classes, layers of torch.nn.

    classes: names that may be called besides.
    """
    for node in ast.walk(statement):
        if not isinstance(node, _HARMLESS):
            return False
        if isinstance(node, ast.Call):
            name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
            layer = isinstance(node.func, ast.Attribute) and _called(node.func) == "nn"
            if name not in _HARMLESS_CALLS | classes and not layer:
                return False
    return True


def in_a_line(error: BaseException) -> str:
    """An error of somebody's code in one line; where it is a name whose import failed, that in place of the error."""
    if type(error) is NameError:
        trace = error.__traceback__
        while trace is not None and trace.tb_next is not None:
            trace = trace.tb_next
        missing = trace.tb_frame.f_globals.get("__missing__", {}) if trace else {}
        if error.name in missing or "*" in missing:
            return f"it needs {error.name}, but {missing.get(error.name) or missing['*']}"
    if isinstance(error, SystemExit):
        return "it ends the program (sys.exit, or a command line that it reads)"
    lines = str(error).strip().splitlines()
    return f"{type(error).__name__}: {lines[0]}" if lines else type(error).__name__


def setting(text: str) -> tuple[str, object]:
    """An argument as the command takes it: "dropout=0.1" is ("dropout", 0.1); what is no literal is text."""
    name, equals, value = text.partition("=")
    if not equals or not name.strip().isidentifier():
        raise NetworkError(f"--set {text}: expected name=value, as in --set dropout=0.1")
    try:
        return name.strip(), ast.literal_eval(value.strip())
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return name.strip(), value.strip()


def find(what: str) -> object:
    """The class, function or network that `what` names; see the command's help for its forms.

    Raises NetworkError for what is not to be found, and FileNotFoundError for a file that is not there.
    """
    place, name = split(what)
    if is_file(place):
        definitions = load_definitions(place)
        if name:
            return definitions.get(name)
        listed = definitions.names()
        advice = ", ".join(f"{place}:{choice}" for choice in listed) or "but there is no network in it"
        raise NetworkError(f"{place}: which one? {advice}")
    try:
        with quietly(), _importable(Path.cwd()):
            if place.partition(".")[0] == "torchvision":
                import_torchvision()
            return getattr(importlib.import_module(place), name)
    except AttributeError:
        raise NetworkError(f"{place}: there is no {name} in it") from None
    except (Exception, SystemExit) as error:  # whatever an import raises
        raise NetworkError(f"{place} cannot be imported: {type(error).__name__}: {error}".splitlines()[0]) from None


def fingerprint(what: str) -> str:
    """Of the code that makes a network: what its file defines, or its module's source; empty for a recipe of ours."""
    place, name = split(what)
    if is_file(place):
        return load_definitions(place).fingerprint
    try:
        source = inspect.getsource(sys.modules[place]) if name else ""
    except (KeyError, OSError, TypeError):  # compiled, or made at run time
        return ""
    return hashlib.sha256(source.encode()).hexdigest()


@contextlib.contextmanager
def _importable(folder: Path) -> Iterator[None]:
    before = list(sys.path)
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        sys.path[:] = before


def listing(place: str) -> list[str]:
    """The networks of a file, as `cellgrad network` takes them."""
    return [f"{place}:{name}" for name in load_definitions(place).names()]


def arguments(settings: list[str]) -> Mapping[str, object]:
    """Several `setting`s as one mapping."""
    return dict(map(setting, settings))
