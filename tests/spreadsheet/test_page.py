"""The report as a page: one file, every text of the workbook escaped, both curves in it."""

from html.parser import HTMLParser
from pathlib import Path

import pytest
from toy_sheets import HEADINGS, ToySheet

from cellgrad.cli import main

FOLDER = Path(__file__).parent / "workbooks"


class Tags(HTMLParser):
    """Collects the tags, their attributes and the text of a page."""

    def __init__(self, page):
        super().__init__()
        self.tags, self.attributes, self.text = [], [], ""
        self.feed(page)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += attrs

    def handle_data(self, data):
        self.text += data


def page_of(workbook, tmp_path):
    code = main(["audit", str(workbook), "--html", str(tmp_path / "out.html")])
    assert code in (0, 1)
    return Tags((tmp_path / "out.html").read_text(encoding="utf-8"))


def test_each_mistake_stands_once_with_the_formula_to_paste_and_both_curves(tmp_path):
    page = page_of(FOLDER / "gb_delta_helper_wrong.xlsx", tmp_path)
    assert page.tags.count("li") == 1 and page.tags.count("polyline") == 2
    assert "=(T4-B4)*T4*(1-T4)" in page.text and "the factor 1 - a_o2 is missing" in page.text
    assert ("class", "error") in page.attributes
    links, places = ([value for name, value in page.attributes if name == kind] for kind in ("href", "id"))
    assert links == ["#table-1-AH4"] and links[0][1:] in places
    assert not [value for name, value in page.attributes if name == "src"]


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", '"><img src=x onerror=alert(1)>', "</td></table>"])
def test_what_the_cells_say_is_text_and_never_markup(tmp_path, text):
    sheet = ToySheet(headings=HEADINGS[0] | {"E1": text})
    sheet.plant("h1", "'" + text, [1])
    sheet.extra[sheet.rate_cell.replace("$", "")] = text
    page = page_of(sheet.save(tmp_path / "sheet.xlsx", title="a<b>&c"), tmp_path)
    assert not {"script", "img", "b>"} & set(page.tags)
    assert text in page.text and "a<b>&c" in page.text
    assert page.tags.count("table") == 1


def test_the_workbook_is_not_overwritten_by_its_report(tmp_path, capsys):
    path = ToySheet().save(tmp_path / "sheet.xlsx")
    before = path.read_bytes()
    assert main(["audit", str(path), "--html", str(path)]) == 2
    assert path.read_bytes() == before and [*tmp_path.iterdir()] == [path]
    assert main(["audit", str(path), "--html", str(tmp_path / "no" / "out.html")]) == 2
    assert capsys.readouterr().err.count("\n") == 2
