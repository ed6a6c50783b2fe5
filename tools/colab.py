"""Run chapters as on Colab: `colab.py [NAME…]`, each alone in an empty folder, the package absent at the start.

An environment of its own gets the versions below, which Colab had in autumn 2025, and the PyTorch of the environment
that this runs in, since Colab's would be gigabytes. The first cell of a chapter installs the package, from a wheel in
place of the address (that the address works is tested in tests/book/test_colab.py). Prints a line for each chapter;
exit 1 if one of them failed.
"""

import os
import subprocess
import sys
import sysconfig
import tempfile
import time
import tomllib
import venv
from pathlib import Path

import nbformat

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
COLABS = [
    "ipython==7.34.0",
    "ipykernel==6.17.1",
    "jupyter-client==7.4.9",
    "tornado==6.5.1",
    "numpy==2.0.2",
    "pandas==2.2.2",
    "matplotlib==3.10.0",
    "sympy==1.13.3",
    "scipy==1.16.3",
    "openpyxl==3.1.5",
    "pillow==11.3.0",
]
# What Colab has too, in whatever version: for PyTorch, and to run notebooks here.
BESIDE = [
    "safetensors",
    "filelock",
    "tqdm",
    "platformdirs",
    "nbclient",
    "jinja2",
    "networkx",
    "fsspec",
    "setuptools>=77,<81",
]
TORCH = ("torch", "torchgen", "functorch", "torchvision")


def run(*command: str | Path, **options) -> subprocess.CompletedProcess:
    return subprocess.run(list(map(str, command)), check=True, text=True, capture_output=True, **options)


def environment(folder: Path) -> tuple[Path, Path]:
    """The Python of a fresh environment, and the package's wheel."""
    venv.create(folder / "env", with_pip=True)
    python = folder / "env" / "bin" / "python"
    run(python, "-m", "pip", "install", "-q", *COLABS, *BESIDE)
    ours = Path(sysconfig.get_path("platlib"))
    theirs = Path(run(python, "-c", "import sysconfig; print(sysconfig.get_path('platlib'))").stdout.strip())
    for name in TORCH:
        for path in [ours / name, *ours.glob(f"{name}-*.dist-info"), *ours.glob(f"{name}.libs")]:
            if path.exists():
                (theirs / path.name).symlink_to(path)
    run(python, "-m", "ipykernel", "install", "--sys-prefix", "--name", "python3")
    run("git", "clone", "-q", ROOT, folder / "clone")
    run(python, "-m", "pip", "wheel", "-q", "--no-deps", "-w", folder, folder / "clone")
    return python, next(folder.glob("*.whl"))


def alone(chapter: Path, python: Path, wheel: Path) -> str:
    """What went wrong when a chapter ran top to bottom in an empty folder; nothing where it went well."""
    address = f"git+{PROJECT['urls']['Repository']}@v{PROJECT['version']}"
    subprocess.run([python, "-m", "pip", "uninstall", "-q", "-y", PROJECT["name"]], capture_output=True)
    with tempfile.TemporaryDirectory() as folder:
        notebook = nbformat.read(chapter, as_version=4)
        for cell in notebook.cells:
            if cell.cell_type == "code":
                cell.outputs, cell.execution_count = [], None
                cell.source = cell.source.replace(address, str(wheel))
        nbformat.write(notebook, Path(folder) / chapter.name)
        execute = "from nbclient.cli import main; main()"
        command = [python, "-c", execute, "--inplace", "--timeout", "1800", chapter.name]
        ran = subprocess.run(command, cwd=folder, env=os.environ | {"PYTHONPATH": ""}, text=True, capture_output=True)
        found = nbformat.read(Path(folder) / chapter.name, as_version=4).cells
        errors = [o for c in found if c.cell_type == "code" for o in c.outputs if o.get("output_type") == "error"]
    lines = [f"{e.ename}: {e.evalue}" for e in errors] or (ran.stderr.strip().splitlines()[-1:] or ["no message"])
    return lines[0] if ran.returncode else ""


def main() -> int:
    chapters = sorted(p for p in (ROOT / "book").glob("*.ipynb") if p.name.startswith(tuple(sys.argv[1:]) or ""))
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        python, wheel = environment(Path(folder))
        names = "import sys, IPython, numpy, torch; print(sys.version.split()[0], *(m.__version__ for m in"
        print("Python, IPython, numpy, torch:", run(python, "-c", f"{names} (IPython, numpy, torch)))").stdout.strip())
        for chapter in chapters:
            start = time.monotonic()
            said = alone(chapter, python, wheel)
            print(f"{chapter.stem:40}{time.monotonic() - start:7.0f} s  {said or 'ran'}", flush=True)
            failed += bool(said)
    return int(failed > 0)


if __name__ == "__main__":
    sys.exit(main())
