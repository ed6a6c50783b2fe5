"""The fields for answers, in a real browser that reaches no network: they say what `check` says."""

import html
import importlib.util
import json
from pathlib import Path

import pytest
from exercises.wrong_answers import WRONG
from pages import opened

from cellgrad.exercises import AT_THE_END, exercises, judge
from cellgrad.exercises.kinds import Numbers

FOLDER = Path(__file__).parents[2] / "book" / "_ext"


@pytest.fixture(scope="module")
def answers():
    """The extension that makes the fields."""
    spec = importlib.util.spec_from_file_location("answers", FOLDER / "answers.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def fields(answers):
    """Markup with the fields of a part's exercises, as the extension writes it."""

    def make(asked):
        data = [html.escape(json.dumps(answers.sealed(number, one), default=float)) for number, one in asked.items()]
        places = "\n".join(f'<div class="answer" data-answer="{one}"></div>' for one in data)
        return places + answers.assets()

    return make


def numeric(part):
    return {number: asked for number, asked in exercises(part).items() if isinstance(asked, Numbers)}


# All in one go, because a hand takes the time of three frames for each; what is pressed has to be within its reach.
REPLIES = """replies => replies.map(([name, text]) => {
  const input = document.getElementById(name), form = input.form, button = form.querySelector("button");
  for (const one of [input, button]) {
    one.scrollIntoView({block: "center"});
    const {x, y, width, height} = one.getBoundingClientRect();
    if (document.elementFromPoint(x + width / 2, y + height / 2) !== one) throw new Error(`${name} is out of reach`);
  }
  if (button.innerText !== "Check") throw new Error(`${name} has no button to check it`);
  input.value = text;
  button.click();
  return form.querySelector("[role=status]").innerText;
})"""


def replies(tab, *answers):
    """What the fields say to each (number, text), one after the other."""
    return tab.evaluate(REPLIES, [[f"answer-{number.replace('.', '-')}", text] for number, text in answers])


def reply(tab, number, text):
    """The same by hand."""
    field = tab.locator(f"form:has(#answer-{number.replace('.', '-')})")
    field.get_by_role("textbox").fill(text)
    field.get_by_role("button", name="Check").click()
    return field.get_by_role("status").inner_text()


def as_text(answer):
    if isinstance(answer, str):
        return answer
    parts = answer if isinstance(answer, tuple | list) else (answer,)
    return "; ".join(part if isinstance(part, str) else f"{part:.12g}" for part in parts)


@pytest.mark.parametrize("part", ["part_1", "part_2", "part_3"])
def test_a_field_says_what_check_says(browser, fields, part):
    asked = numeric(part)
    assert len(asked) >= 15
    expected = []
    for number, exercise in asked.items():
        said = []
        for wrong in WRONG[number]:
            verdict = judge(number, as_text(wrong), said)
            assert not verdict.right
            said.append(verdict.text)
            expected.append(((number, as_text(wrong)), verdict.text))
        for pattern in exercise.patterns():
            if pattern.says is None:
                expected.append(((number, as_text(pattern.values)), "Right."))
    answers = [answer for answer, _ in expected]
    with opened(browser, fields(asked)) as tab:
        assert list(zip(answers, replies(tab, *answers), strict=True)) == expected


FORMS = ["0.0425", "0,0425", " 4.25 % ", "4.25e-2", "4.25 × 10^-2", "17/400", "17 / 400", "+.0425", "0.0425 units"]
COUNTS = ["4864, 4915200", "4,864 and 4,915,200", "(4864; 4915200)", "4864 4915200", "4864,4915200"]


def test_a_field_reads_the_forms_that_check_reads(browser, fields):
    right = [("01.1", form) for form in FORMS]
    right += [("06.5", form) for form in COUNTS]
    right += [("05.1", form) for form in ("1/8 and −1/8", "12.5 % -12.5 %", "[0.125, -0.125]")]
    wrong = ("", "abc", "1 2", "1/0", "1e999", "0x1", "--1", "1.2.3", "<b>1</b>", "Infinity")
    with opened(browser, fields(numeric("part_1") | numeric("part_2"))) as tab:
        for answer, said in zip(right, replies(tab, *right), strict=True):
            assert judge(*answer).right and said == "Right.", answer
        for form, said in zip(wrong, replies(tab, *(("01.1", form) for form in wrong)), strict=True):
            assert said.startswith("Give one number"), form
        assert reply(tab, "06.5", "4864").startswith("Give 2 numbers")


def test_a_field_is_used_by_keyboard_and_has_a_name(browser, fields):
    with opened(browser, fields(numeric("part_1"))) as tab:
        tab.keyboard.press("Tab")
        field = tab.get_by_label("Your answer: the sum h2")
        assert field.evaluate("input => input === document.activeElement")
        tab.keyboard.type("0.0275")
        tab.keyboard.press("Enter")
        status = tab.get_by_role("status").first
        assert "first hidden unit" in status.inner_text()
        assert field.evaluate("input => input === document.activeElement"), "nothing was sent and nothing reloaded"
        field.fill("0.0425")
        tab.keyboard.press("Tab")
        tab.keyboard.press("Space")
        assert status.inner_text() == "Right."


def test_the_same_wrong_answer_again_gets_another_hint(browser, fields):
    with opened(browser, fields(numeric("part_1"))) as tab:
        replies = [reply(tab, "01.1", "0.0275") for _ in range(5)]
        assert len(set(replies[:4])) == 4 and replies[3] == replies[4] == AT_THE_END


def test_there_is_no_field_on_paper_nor_without_scripts(browser, fields):
    markup = fields(numeric("part_1"))
    with opened(browser, markup) as tab:
        assert tab.locator("form").first.is_visible()
        tab.emulate_media(media="print")
        assert not tab.locator("form").first.is_visible()
    with opened(browser, markup, scripts=False) as tab:
        assert tab.locator("form").count() == 0 and tab.locator("body").inner_text().strip() == ""


@pytest.mark.parametrize("width", [320, 900])
def test_no_field_is_wider_than_the_page(browser, fields, width):
    with opened(browser, fields(numeric("part_3")), width=width) as tab:
        assert tab.evaluate("document.documentElement.scrollWidth") <= width


def test_no_answer_stands_in_the_page(fields):
    """Neither the numbers to give, nor the numbers of recognised mistakes."""
    for part in ("part_1", "part_2", "part_3"):
        for number, asked in numeric(part).items():
            markup = html.unescape(fields({number: asked}).partition("<style>")[0])
            data = json.loads(markup[markup.index("{") : markup.rindex("}") + 1])
            assert set(data) == {"number", "label", "names", "patterns", "hints"}
            assert all(set(pattern) == {"units", "seals", "says", "whole"} for pattern in data["patterns"])
            for pattern in data["patterns"]:
                assert all(len(seal) == 8 for seals in pattern["seals"] for seal in seals)
