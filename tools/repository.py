"""Change the repository's address everywhere: `repository.py https://github.com/OWNER/NAME`.

The one place that it is read from is pyproject.toml; every other file repeats it.
"""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]


def current() -> str:
    """The address as pyproject.toml has it."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"]["Repository"]


def main() -> None:
    """Replace the address in every text file that git tracks."""
    new = sys.argv[1].removesuffix("/").removesuffix(".git") if len(sys.argv) == 2 else ""
    if not re.fullmatch(r"https://github\.com/[\w.-]+/[\w.-]+", new):
        sys.exit("Give the address in the form https://github.com/OWNER/NAME: Colab opens notebooks from there only.")
    old_path, new_path = (address.removeprefix("https://github.com/") for address in (current(), new))
    files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, files.split("\0")):
        path = ROOT / name
        if path.is_symlink() or b"\0" in (content := path.read_bytes()):
            continue
        changed = content.replace(f"github.com/{old_path}".encode(), f"github.com/{new_path}".encode())
        if changed != content:
            path.write_bytes(changed)
            print(name)


main()
