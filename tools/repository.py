"""Change the repository's address, or the package's version, everywhere at once.

python tools/repository.py https://github.com/OWNER/NAME
python tools/repository.py --version 0.3.0

Both are read from pyproject.toml; every other file that git tracks repeats them. The version is also the one reference
that readers meet: Colab opens a chapter at the tag v0.3.0, and the chapter's first cell installs the package from it.
"""

import argparse
import datetime
import re
import subprocess
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
ADDRESS = re.compile(r"https://github\.com/[\w.-]+/[\w.-]+")
VERSION = re.compile(r"\d+\.\d+\.\d+")


def change_address(new: str) -> dict[str, str]:
    """What to replace, and by what, for the address to be the new one."""
    old = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["urls"]["Repository"]
    return {re.escape(old.removeprefix("https://")) + r"(?![\w-])": new.removeprefix("https://")}


def change_version(new: str) -> dict[str, str]:
    """The same for the version, in each of the forms that files write it in."""
    old = re.escape(tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"])
    return {
        rf'(?m)^((?:__)?version(?:__)? = ")({old})"$': rf'\g<1>{new}"',  # pyproject.toml, src/cellgrad/__init__.py
        rf'(?m)^version: {old}$(?:\ndate-released: "[\d-]+")?':  # CITATION.cff
        f'version: {new}\ndate-released: "{datetime.date.today()}"',
        rf"(?m)^  branch: v{old}$": f"  branch: v{new}",  # _config.yml
        rf"@v{old}\b": f"@v{new}",  # the chapters' first cells
    }


def replace(patterns: dict[str, str]) -> None:
    """Replace them in every text file that git tracks, and say which files changed."""
    files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    for name in filter(None, files.split("\0")):
        path = ROOT / name
        if path.is_symlink() or b"\0" in (content := path.read_bytes()):
            continue
        changed = content
        for pattern, new in patterns.items():
            changed = re.sub(pattern.encode(), new.encode(), changed)
        if changed != content:
            path.write_bytes(changed)
            print(name)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("address", nargs="?")
    parser.add_argument("--version")
    options = parser.parse_args()
    if options.version:
        if not VERSION.fullmatch(options.version):
            parser.error("give the version in the form 1.2.3")
        replace(change_version(options.version))
    if options.address or not options.version:
        address = (options.address or "").removesuffix("/").removesuffix(".git")
        if not ADDRESS.fullmatch(address):
            parser.error(
                "give the address in the form https://github.com/OWNER/NAME: Colab opens notebooks from there only"
            )
        replace(change_address(address))


main()
