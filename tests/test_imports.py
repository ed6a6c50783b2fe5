"""What importing costs, and which names can be imported. That imports run one way, `make lint` checks."""

import ast
import subprocess
import sys
from importlib import import_module
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).parents[1]
CHAPTERS = sorted((ROOT / "book").glob("*.ipynb"))
SCRIPTS = sorted(path for folder in ("tools", "benchmarks", "book/_ext") for path in (ROOT / folder).glob("*.py"))


def heavy_after(*modules: str) -> set[str]:
    """Which of the packages that take long to import, or may be missing, a fresh Python has after these imports."""
    heavy = {"torch", "torchvision", "safetensors", "scipy", "openpyxl", "xlsxwriter", "matplotlib", "distributed"}
    code = f"import sys\nfor m in {modules}: __import__(m)\nprint(*{heavy} & set(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return set(ran.stdout.split())


def test_the_package_and_its_command_import_nothing_heavy():
    assert heavy_after("cellgrad", "cellgrad.cli") == set()


def test_the_toy_network_imports_nothing_heavy():
    assert heavy_after("cellgrad.toynet", "cellgrad.toynet.learning_rates") == set()


def test_whoever_only_counts_does_not_wait_for_torch():
    light = ("spreadsheet.audit", "spreadsheet.workbook", "layers", "receptive", "receptive.table", "plotting")
    light += ("training", "training.recipes", "trials", "trials.studies", "trials.records")
    assert not heavy_after(*(f"cellgrad.{name}" for name in light)) & {"torch", "torchvision", "safetensors", "scipy"}


@pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)
def test_a_chapter_uses_nothing_private(chapter):
    cells = [cell.source for cell in nbformat.read(chapter, as_version=4).cells if cell.cell_type == "code"]
    names = []
    for node in ast.walk(ast.parse("\n".join(line for cell in cells for line in cell.splitlines() if line[:1] != "%"))):
        if isinstance(node, ast.Import):
            names += [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            names += [f"{node.module}.{alias.name}" for alias in node.names]
        elif isinstance(node, ast.Attribute):
            names.append(node.attr)
    assert any(name.startswith("cellgrad") for name in names)
    assert not [name for name in names for part in name.split(".") if part[0] == "_" and not part.endswith("__")]


# The names that the chapters and the README of version 0.1.0 used, from the modules that have moved since.
OLD_NAMES = {
    "_torchvision": "import_torchvision",
    "audit": "audit",
    "convnets": "SOURCE avg_pool batch_norm block build conv count_parameters depthwise flatten global_avg_pool "
    "layer_table linear max_pool pixel_unshuffle relu",
    "descent": "compare_learning_rates descend",
    "formulas": "evaluate parse",
    "learning_rates": "at_update hessian jacobian largest_stable_rate loss_surface nearest_minimum settle",
    "measuring": "effective_receptive_field measure_receptive_field",
    "recipes": "RECIPES Recipe find_recipe",
    "records": "read_records shipped summary",
    "saving": "load_run shipped",
    "studies": "STUDIES find_study",
    "tasks": "study_tasks",
    "verdicts": "against compare",
    "workbook": "column_formulas excel_formula write_workbook",
}


@pytest.mark.parametrize("old", OLD_NAMES)
def test_names_of_version_0_1_0_go_on_importing(old):
    sys.modules.pop(f"cellgrad.{old}", None)
    with pytest.warns(DeprecationWarning) as warned:
        module = import_module(f"cellgrad.{old}")
    assert len(warned) == 1 and module.__name__ in str(warned[0].message)
    assert module is sys.modules[module.__name__] and module.__spec__.name == module.__name__ != f"cellgrad.{old}"
    assert not [name for name in OLD_NAMES[old].split() if not hasattr(module, name)]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_every_old_module_leads_to_one_that_is_there():
    from cellgrad._moved import MOVED

    assert set(OLD_NAMES) < set(MOVED)
    for old in MOVED:
        import_module(f"cellgrad.{old}")


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_what_lies_inside_a_moved_package_is_not_loaded_twice():
    from cellgrad.auditing.cells import Book
    from cellgrad.spreadsheet.audit import cells

    assert Book is cells.Book


@pytest.mark.parametrize("name", ["cellgrad.nothing_of_ours", "cellgrad.auditing.nothing_of_ours"])
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_a_module_that_never_was_is_still_an_error(name):
    with pytest.raises(ModuleNotFoundError, match="nothing_of_ours"):
        import_module(name)


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_what_a_script_imports_of_ours_is_there(script):
    for node in ast.walk(ast.parse(script.read_text(encoding="utf-8"))):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("cellgrad"):
            for alias in node.names:
                try:
                    import_module(f"{node.module}.{alias.name}")
                except ModuleNotFoundError:
                    assert hasattr(import_module(node.module), alias.name), f"{node.module} has no {alias.name}"
