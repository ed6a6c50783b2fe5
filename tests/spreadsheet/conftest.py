"""LibreOffice, for what must be held against a real spreadsheet program."""

import shutil
import subprocess

import pytest

# Otherwise it trusts the numbers in the file.
COMPUTES_ANEW = """<?xml version="1.0" encoding="UTF-8"?>
<oor:items xmlns:oor="http://openoffice.org/2001/registry">
<item oor:path="/org.openoffice.Office.Calc/Formula/Load">
<prop oor:name="OOXMLRecalcMode" oor:op="fuse"><value>0</value></prop></item>
</oor:items>"""


@pytest.fixture(scope="session")
def computed_by_libreoffice(tmp_path_factory):
    """A function that has LibreOffice open workbooks, compute them anew, and save them, of a kind, into a folder.

    It has one profile for all of a test process: another process has another, and they are not in each other's way.
    """
    office = shutil.which("soffice") or shutil.which("libreoffice")
    if office is None:
        pytest.skip("LibreOffice (soffice) is not installed: apt-get install --no-install-recommends libreoffice-calc")
    profile = tmp_path_factory.mktemp("libreoffice")
    (profile / "user").mkdir()
    (profile / "user" / "registrymodifications.xcu").write_text(COMPUTES_ANEW, encoding="utf-8")
    command = [office, f"-env:UserInstallation={profile.as_uri()}", "--headless", "--convert-to"]

    def compute(*paths, kind="xlsx"):
        folder = tmp_path_factory.mktemp("computed")
        subprocess.run([*command, kind, "--outdir", folder, *paths], check=True, capture_output=True, timeout=600)
        return folder

    return compute
