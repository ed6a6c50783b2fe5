"""What the site's extensions make of the chapters: formulas, tables, captions, one stylesheet, the search."""

import json
import re
import shutil
import subprocess
import sys
import sysconfig
import xml.etree.ElementTree as ET
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from docutils import nodes
from test_book import BOOK, CHAPTERS, PAGES, article

from cellgrad.trials.records import shipped_records

sys.path.append(str(BOOK / "_ext"))
mathml = pytest.importorskip("mathml")
import map_of_chapters  # noqa: E402
import measured  # noqa: E402
import stylesheet  # noqa: E402
import tables  # noqa: E402
import wraps  # noqa: E402


def leaves(latex: str, display: str = "inline") -> str:
    """The characters that a formula shows, from left to right."""
    return "".join(ET.fromstring(mathml.mathml(latex, display)).itertext()).replace("\u2062", "")


def test_lines_of_a_formula_stand_below_each_other_at_their_signs():
    tree = ET.fromstring(mathml.mathml("\\begin{aligned} a &= b \\\\[2pt] &= c , \\end{aligned}", "block"))
    assert ["".join(row.itertext()) for row in tree.iter("mtr")] == ["a=b", "=c,"]
    assert [cell.get("style") for cell in tree.iter("mtd")] == ["text-align: right", "text-align: left"] * 2


def test_formulas_show_the_characters_of_their_latex():
    assert leaves(r"\frac{\partial E}{\partial w_5} = \delta_{o1}\, a_{h1}") == "∂E∂w5=δo1ah1"
    assert leaves(r"a < b") == "a<b"
    assert leaves(r"\displaystyle \left[\begin{matrix}1 & x\\2 & y\end{matrix}\right]") == "[1x2y]"


def test_a_sign_without_a_left_side_belongs_to_what_follows():
    def prefixes(latex: str) -> list[bool]:
        return [
            sign.get("form") == "prefix" for sign in ET.fromstring(mathml.mathml(latex)).iter("mo") if sign.text == "−"
        ]

    assert prefixes(r"2 \cdot (-2) + 1 = -3") == [True, True]
    assert prefixes(r"(a - b) - c = f(x) - 1") == [False, False, False]


def test_there_is_a_gap_before_what_a_function_is_applied_to():
    def after_gaps(latex: str) -> list[str]:
        parts = list(ET.fromstring(mathml.mathml(latex)).iter())
        return [after.tag for gap, after in pairwise(parts) if gap.tag == "mspace"]

    assert after_gaps(r"E = -\ln p_c + \ln 10") == ["msub", "mn"]
    assert after_gaps(r"\tfrac14 m") == ["mi"]
    assert after_gaps(r"\ln(a) + ab + \text{start} u + \tfrac14 + \frac{a}{b} m") == []


def test_no_line_ends_before_a_comma_and_none_must_be_wider_than_a_phone():
    formula, name = nodes.math("", "w_5"), nodes.literal("", "cellgrad audit --html cellgrad.spreadsheet.audit")
    parts = nodes.Text("99.4 % of 3 × 3 ("), formula, nodes.Text("); the "), name, nodes.Text(" a × b")
    page = nodes.document(None, None, "", nodes.paragraph("", "", *parts))
    wraps.tie(None, page, "page")
    assert (formula["before"], formula["after"]) == ("(", ");")
    texts = [node for node in page[0].children if isinstance(node, nodes.Text)]
    assert texts == ["99.4\u00a0% of 3\u00a0×\u00a03 ", " the ", " a × b"]
    broken = [part.astext() for part in name.children]
    assert broken[-5:] == ["cellgrad.", "<wbr>", "spreadsheet.", "<wbr>", "audit"] and "--html" in broken


@pytest.mark.parametrize("chapter", [path.stem for path in CHAPTERS])
def test_no_formula_of_a_page_is_left_as_latex(site, chapter):
    formulas = re.findall(r"<math.*?</math>", article(site / f"{chapter}.html"), flags=re.S)
    written = len(re.findall(r"(?<![\\$])\$\$?[^$\n]+\$", "".join(texts(chapter))))
    assert bool(formulas) == bool(written)
    shown = "".join("".join(ET.fromstring(formula.replace("&nbsp;", " ")).itertext()) for formula in formulas)
    assert not re.search(r"[\\&$]|\[\d+\w\w\]", shown)


def texts(chapter: str) -> list[str]:
    cells = json.loads((BOOK / f"{chapter}.ipynb").read_text(encoding="utf-8"))["cells"]
    return ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]


def as_frame(html: str) -> pd.DataFrame:
    rows = [re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row) for row in re.findall(r"<tr[^>]*>(.*?)</tr>", html, re.S)]
    return pd.DataFrame(rows[1:], columns=rows[0])


def told(frame: pd.DataFrame) -> str:
    return tables.of_a_book(re.search(r"<table.*</table>", frame.to_html(), re.S)[0])


def test_a_table_says_yes_and_no_and_has_no_row_numbers_and_no_negative_zero():
    html = told(pd.DataFrame({"what": ["a<b", "c"], "right": [True, False], "size": [-0.0, np.nan]}))
    assert as_frame(html).values.tolist() == [["a&lt;b", "yes", "0.0"], ["c", "no", "–"]]
    assert html.count('class="words') == 6 and html.count('class="words short"') == 4 and "<th></th>" not in html


def test_a_p_below_a_bound_is_a_number_and_stands_to_the_right():
    assert "words" not in told(pd.DataFrame({"p": ["< 0.001", "0.25"]}, index=[3, 5]))
    assert "words" in told(pd.DataFrame({"p": ["< a", "0.25"]}, index=[3, 5]))


def test_a_table_keeps_its_named_rows_under_one_row_of_headings():
    frame = pd.DataFrame({"loss": [1.5, 2.5]}, index=pd.Index([0, 100], name="update"))
    assert list(as_frame(told(frame))) == ["update", "loss"] and told(frame).count("<tr>") == 3
    assert 'scope="row">100<' in told(frame)
    several = frame.T.set_axis(pd.MultiIndex.from_tuples([("a", 1), ("a", 2)]), axis=1).to_html()
    assert tables.of_a_book(several) == several


def test_the_stylesheet_keeps_what_a_page_can_use_and_nothing_else():
    css = """@charset "utf-8"; /* } */ .used, .unused:hover { color: red } .unused { color: blue }
    @media print { .used:not(.unused) { top: 0 } .unused { left: 0 } } @media print { .unused { left: 0 } }
    a:is(.used, b) { background: url("data:a;b") } @font-face { font-family: "Font Awesome"; src: x }"""
    kept = re.sub(r"\s+", " ", stylesheet.needed(css, {"used"}))
    assert kept == (
        '.used{color: red}@media print{.used:not(.unused){top: 0}}a:is(.used, b){background: url("data:a;b")}'
    )


def test_the_map_shows_only_arrows_that_do_not_follow_from_others():
    needs = {"a": set(), "b": {"a"}, "c": {"a", "b"}, "d": {"a"}}
    assert map_of_chapters.direct(needs) == {("a", "b"), ("b", "c"), ("a", "d")}
    where = map_of_chapters.places(needs, {"a": 0, "b": 0, "c": 0, "d": 1})
    assert where == {"a": (0, 0), "b": (0, 1), "c": (0, 2), "d": (1, 1)}


def test_no_two_arrows_of_the_map_meet_at_their_ends():
    found = map_of_chapters.chapters(BOOK)
    parts = {name: sum(int(name[:2]) >= first for first in (6, 9)) for name in found}
    svg = map_of_chapters.drawing(found, parts)
    ends = re.findall(r' d="M([\d. ]+)C[-\d. ]+ ([-\d.]+ [-\d.]+)"', svg)
    assert len(ends) == svg.count("url(#arrow)") > len(found)
    places = [tuple(map(float, place.split())) for pair in ends for place in pair]
    assert all(abs(x - u) + abs(y - v) > 10 for n, (x, y) in enumerate(places) for u, v in places[:n])


def test_every_chapter_is_on_the_map_and_needs_what_it_says(site):
    html = article(site / "what-needs-what.html")
    assert {f"{chapter.stem}.html" for chapter in CHAPTERS} <= set(re.findall(r'<a href="([^"]+)"', html))
    found = map_of_chapters.chapters(BOOK)
    assert found["03-its-derivatives"][1] == {"01-the-network", "02-slopes"}
    assert found["06-convolutions-and-their-cost"][1] == {"01-the-network"}  # only an exercise needs more


def numbered(chapter: str) -> dict[str, list[str]]:
    """The numbers of a chapter's figures, tables and equations, in their order."""
    found = {"Figure": [], "Table": [], "equation": []}
    caption_or_tag = r"^\*(Figure|Table) (\d+\.\d+)\. |\\tag\{(\d+\.\d+)\}"
    for kind, number, tag in re.findall(caption_or_tag, "\n".join(texts(chapter)), flags=re.M):
        found[kind or "equation"].append(number or tag)
    return found


def places(chapter: str) -> set[str]:
    """What its figures, tables and equations are called in addresses."""
    return {f"{kind}-{n}".lower().replace(".", "-") for kind, numbers in numbered(chapter).items() for n in numbers}


@pytest.mark.parametrize("chapter", [path.stem for path in CHAPTERS])
def test_numbers_follow_one_another(chapter):
    for numbers in numbered(chapter).values():
        assert numbers == [f"{int(chapter[:2])}.{n}" for n in range(1, len(numbers) + 1)]


@pytest.mark.parametrize("chapter", [path.stem for path in CHAPTERS])
def test_what_has_a_number_can_be_linked_to_and_every_mention_is_a_link(site, chapter):
    html = article(site / f"{chapter}.html")
    assert {name: html.count(f'id="{name}"') for name in places(chapter)} == dict.fromkeys(places(chapter), 1)
    shown = re.findall(r'<div class="formula numbered".*?<span class="number">\((.*?)\)</span></div>', html)
    assert shown == numbered(chapter)["equation"]
    plain = re.sub(r'<p class="caption.*?</p>|<a [^>]*>.*?</a>|<pre.*?</pre>|<h\d.*?</h\d>', "", html, flags=re.S)
    plain = re.sub(r"<script.*?</script>|<[^>]*>", "", plain, flags=re.S)
    assert not re.search(r"\b(Figure|Table|[Ee]quation)\s\(?\d+\.\d+", plain)


def test_links_to_numbers_lead_to_them_and_every_equation_is_referred_to(site):
    links = {
        (other or page, name)
        for page in PAGES
        for other, name in re.findall(
            r'href="(?:([\w-]+)\.html)?#((?:figure|table|equation)-\d+-\d+)"', article(site / f"{page}.html")
        )
    }
    there = {(chapter.stem, name) for chapter in CHAPTERS for name in places(chapter.stem)}
    assert links <= there
    assert not {name for _, name in there - links if name.startswith("equation")}


@pytest.mark.parametrize("chapter", [path.stem for path in CHAPTERS])
def test_a_table_has_its_caption_below_and_a_caption_its_table_above(chapter):
    cells = json.loads((BOOK / f"{chapter}.ipynb").read_text(encoding="utf-8"))["cells"]
    for cell, below in pairwise(cells):
        shown = "".join("".join(output.get("data", {}).get("text/html", "")) for output in cell.get("outputs", []))
        rows = shown.partition("<tbody>")[2].count("<tr") if "dataframe" in shown else 0
        text = "".join(below["source"]) if below["cell_type"] == "markdown" else ""
        captioned = text.startswith("*Table ")
        assert captioned or rows < 4 or "hide-output" in cell["metadata"].get("tags", ()), cell["source"][-1]
        assert rows or not captioned, text[:80]
        after_tables = re.findall(r"^\|.*\n\s*^(?!\|)(.*)", text, flags=re.M)
        assert all(line.startswith("*Table ") for line in after_tables), after_tables
        assert len(re.findall(r"^\*Table ", text, flags=re.M)) == len(after_tables) + captioned, text[:80]


def test_folded_cells_say_what_is_in_them(site):
    labels = re.findall(r"<summary>(.*?)</summary>", article(site / "01-the-network.html"))
    assert labels[:3] == ["Set-up: the book's package", "Set-up: what this chapter imports", "Code of the figure"]
    assert not any("code cell" in label for label in labels)
    for page in sorted(site.glob("[01]*.html")):
        setup = re.findall(r"<summary>(Set-up.*?)</summary>", article(page))
        assert len(set(setup)) == len(setup), (page.name, setup)


@pytest.mark.parametrize("page", ["index", "07-the-receptive-field", "glossary"])
def test_a_page_can_be_found_and_shown_by_others(site, page):
    html = (site / f"{page}.html").read_text(encoding="utf-8")
    description = re.search(r'<meta name="description" content="([^"]*)"', html)[1]
    assert 50 < len(description) <= 160
    place = re.search(r'<link rel="canonical" href="([^"]+)"', html)[1]
    assert place.endswith(f"/{page}.html") and place in (site / "sitemap.xml").read_text(encoding="utf-8")
    assert html.count("<title>") == 1 and html.count('name="viewport"') == 1
    card = re.search(r'<meta property="og:image" content="([^"]+)"', html)[1]
    assert (site / card.removeprefix(place.removesuffix(f"{page}.html"))).is_file()


def test_the_search_has_its_page_and_our_index_and_not_sphinxs(site):
    assert '<link rel="search" title="Search" href="search.html">' in (site / "index.html").read_text(encoding="utf-8")
    assert (site / "search.html").is_file() and (site / "_static" / "sections.js").is_file()
    assert not (site / "searchindex.js").exists()


@pytest.mark.slow
def test_a_book_that_is_built_again_is_the_same(site, tmp_path):
    """Twice: the second build reads all pages anew, the third those alone that may be others."""
    again = shutil.copytree(site.parents[1], tmp_path / "again")
    program = shutil.which("jupyter-book", path=sysconfig.get_path("scripts"))
    for _ in range(2):
        command = [program, "build", "book/", "--path-output", again, "-W", "-n", "--keep-going"]
        built = subprocess.run(command, cwd=Path(__file__).parents[2], capture_output=True, text=True)
        assert built.returncode == 0, built.stdout[-3000:] + built.stderr[-3000:]
    assert "0 added, 2 changed" in built.stdout
    for page in ("index.html", "search.html", "_static/site.css", "_static/sections.js"):
        assert (again / "_build" / "html" / page).read_bytes() == (site / page).read_bytes()


def test_the_records_behind_the_long_results_are_told(site):
    html = article(site / "reproducing.html")
    assert f"<td><p>{len(shipped_records('source'))}</p></td>" in html
    assert {row[0] for row in measured.rows()} >= {"recipes", "source", "advice", "tricks", "seconds"}


def test_the_page_of_the_package_says_what_the_docstrings_say(site):
    text = re.sub(r"<[^>]+>", "", article(site / "package.html"))
    assert "measure_receptive_field(" in text and "A row for each layer of a layer list" in text


def test_what_is_not_asked_for_is_not_there(site):
    names = {path.name for path in Path(site).rglob("*") if path.is_file()}
    assert not {name for name in names if name.endswith((".map", ".ttf")) or "fontawesome" in name or "mathjax" in name}
