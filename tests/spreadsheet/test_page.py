"""The report as a page: one file, every text of the workbook escaped, both curves in it."""

import math
import re
from html.parser import HTMLParser
from pathlib import Path

import pytest
from toy_sheets import HEADINGS, ToySheet, right_formulas

from cellgrad.cli import main
from cellgrad.toynet import ToyNetwork

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


def html_of(sheet, tmp_path):
    page_of(sheet.save(tmp_path / "my sheet.xlsx"), tmp_path)
    return (tmp_path / "out.html").read_text(encoding="utf-8")


def test_of_a_long_table_the_first_rows_the_marked_ones_and_the_last_are_shown(tmp_path):
    sheet = ToySheet(rows=70, top=3, left=2)
    sheet.plant("E1", "(t1-a_o1)^2", [60])
    sheet.plant("w2", 0.25, [41, 42])
    page = html_of(sheet, tmp_path)
    assert re.findall("<tr><th>([^<]+)</th>", page) == [*map(str, range(3, 12)), "⋮", "45", "46", "⋮", "64", "⋮", "73"]
    heads = re.findall("<th>([A-Z]+)</th>", page)
    assert (len(heads), heads[0], heads[-1]) == (31, "B", "AF")
    marked = re.findall("<td class='([^']*)' id='([^']*)' title='([^']*)'>([^<]*)", page)
    assert marked == [
        ("error number", "table-1-G45", "0.25", "0.25"),
        ("error number", "table-1-G46", "0.25", "0.25"),
        ("error", "table-1-V64", "=(B64-S64)^2", "=(B64-S64)^2"),
    ]
    assert '<a href="#table-1-G45">G45:G46</a>' in page and '<a href="#table-1-V64">V64</a>' in page


def test_the_verdict_counts_what_was_found(tmp_path):
    sheet = ToySheet()
    assert '<p class="verdict right">All right</p>' in html_of(sheet, tmp_path)
    sheet.plant("E1", "(t1-a_o1)^2")
    sheet.plant("E2", "(t2-a_o2)^2")
    sheet.plant("a_h1", "1/(1+EXP(-h1))+NOSUCH(h1)")
    sheet.plant("dE_dw5", "(a_o1-0.5)*a_o1*(1-a_o1)*a_h1")
    page = html_of(sheet, tmp_path)
    assert '<p class="verdict wrong">Not all right: 2 mistakes, 1 thing not checked, 1 warning</p>' in page
    assert [kind for kind in re.findall('<li class="([a-z]+)"><b>', page)] == ["doubt", "error", "error", "doubt"]
    assert re.findall("<b>([A-Z][a-z ]+) ", page) == ["Not checked", "Wrong", "Wrong", "Warning"]


def test_a_formula_to_paste_stands_apart_from_what_it_means(tmp_path):
    sheet = ToySheet()
    sheet.plant("E1", "(t1-a_o1)^2")
    page = html_of(sheet, tmp_path)
    assert '<dt>found</dt><dd><code class="found">=(A3-R3)^2</code><br>(t1-a_o1)^2</dd>' in page
    assert '<dt>right</dt><dd><code class="paste">=(A3-R3)^2/2</code><br>(t1-a_o1)^2/2</dd>' in page


def test_both_curves_fill_the_picture_on_a_logarithmic_scale(tmp_path):
    sheet = ToySheet(rows=3)
    losses = ToyNetwork().descend(0.5, 2)["E_total"]
    page = html_of(sheet, tmp_path)
    right, theirs = re.findall('<polyline points="([^"]*)"', page)
    points = [tuple(map(float, point.split(","))) for point in right.split()]
    heights = [math.log10(loss) for loss in losses]
    expected = [220 - 190 * (height - heights[2]) / (heights[0] - heights[2]) for height in heights]
    assert right == theirs and [x for x, _ in points] == [76, 328, 580]
    assert [y for _, y in points] == pytest.approx(expected, abs=0.05)
    words = f"The loss E_total over 2 updates: this sheet from {losses[0]:.4g} to {losses[2]:.4g}, the right one from"
    assert page.count(words) == 2 and f">{losses[0]:.3g}</text>" in page and f">{losses[2]:.3g}</text>" in page
    assert ">update 2</text>" in page and ">E_total (logarithmic)</text>" in page


def test_a_page_names_the_file_the_place_and_the_biases(tmp_path):
    sheet = ToySheet(top=4, rate=0.25)
    sheet.extra["A1"] = 0.35
    for unit in ("h1", "h2"):
        sheet.plant(unit, f"{right_formulas()[unit]}+$A$1")
    page = html_of(sheet, tmp_path)
    assert "<title>Audit of my sheet.xlsx</title>" in page and "<h1>my sheet.xlsx</h1>" in page
    assert "<h2>Sheet1 A4:AE10</h2><p>6 rows, learning rate 0.25 from $C$3</p>" in page
    assert "<p>Biases: h1 adds A1, h2 adds A1.</p>" in page
    assert "<p>Everything agrees with the derivation.</p>" in page


def test_the_workbook_is_not_overwritten_by_its_report(tmp_path, capsys):
    path = ToySheet().save(tmp_path / "sheet.xlsx")
    before = path.read_bytes()
    assert main(["audit", str(path), "--html", str(path)]) == 2
    assert path.read_bytes() == before and [*tmp_path.iterdir()] == [path]
    assert main(["audit", str(path), "--html", str(tmp_path / "no" / "out.html")]) == 2
    assert capsys.readouterr().err.count("\n") == 2
