"""The exercises as the chapters have them: each has a hint, a solution, and a check that the package knows."""

import re
from pathlib import Path

import nbformat
import pytest

from cellgrad import exercises
from cellgrad.exercises.kinds import Open

CHAPTERS = sorted((Path(__file__).parents[2] / "book").glob("*.ipynb"))
by_name = pytest.mark.parametrize("chapter", CHAPTERS, ids=lambda path: path.stem)


def exercises_of(chapter):
    """The text of each, without its number."""
    text = "\n".join(c.source for c in nbformat.read(chapter, as_version=4).cells if c.cell_type == "markdown")
    section = text.partition("## Exercises\n")[2].partition("\n## ")[0]
    return re.split(r"^\*\*\d\.\*\* ", section, flags=re.M)[1:]


@by_name
def test_six_to_eight_exercises_each_with_a_hint_before_its_solution(chapter):
    found = exercises_of(chapter)
    assert 6 <= len(found) <= 8
    for text in found:
        assert re.findall(r"<summary>(\w+)</summary>", text) == ["Hint", "Solution"]
        assert text.partition("<summary>Solution</summary>")[2].count("```python") == 1


@by_name
def test_each_says_how_it_is_checked_or_why_not(chapter):
    known = {n for part in exercises._PARTS for n in exercises.exercises(part) if n.startswith(chapter.stem[:2])}
    found = {f"{chapter.stem[:2]}.{place}": text for place, text in enumerate(exercises_of(chapter), start=1)}
    assert set(found) == known
    for number, text in found.items():
        _, asked = exercises.exercise(number)
        question, _, rest = text.partition("<details>")
        if isinstance(asked, Open):
            assert f"*No check:* {asked.asks[0].lower()}{asked.asks[1:]}." in question
        else:
            assert f'*Check:* `check("{number}", …)` with {asked.asks}.' in question
            assert f'\ncheck("{number}", ' in rest.partition("<summary>Solution</summary>")[2], number


@by_name
def test_no_answer_stands_where_the_reader_sees_it_before_unfolding(chapter):
    for text in exercises_of(chapter):
        assert not re.search(r'check\("[\d.]+", (?!…)', text.partition("<details>")[0])


# How the text asks the reader for a guess.
ASKS = re.compile(
    r"[Bb]efore you (?:run|look|read on|go on)|(?:do|would) you\s+expect"
    r"|[Gg]uess (?:what|before|first)|guess before you"
    r"|Which of the nine fit|what should the two|What does that do"
)
# A figure for the hand is not folded, nor digits whose labels stand above them: there is nothing else to see.
NOT_ASKED = ("Before you look at the maps", "Read them yourself")


@by_name
def test_what_the_reader_is_asked_to_guess_is_folded_on_the_site(chapter):
    cells = nbformat.read(chapter, as_version=4).cells
    asked = 0
    for place, cell in enumerate(cells):
        text = cell.source.partition("## Exercises\n")[0]
        if cell.cell_type == "markdown" and ASKS.search(text) and not any(words in text for words in NOT_ASKED):
            asked += 1
            after = [other for other in cells[place + 1 :] if other.cell_type == "code"][:5]
            folded = [other for other in after if "hide-output" in other.metadata.get("tags", [])]
            assert folded and all(other.outputs for other in folded), text[-200:]
    folded = [cell for cell in cells if "hide-output" in cell.metadata.get("tags", [])]
    assert bool(asked) == bool(folded)
