"""The census of public workbooks, counted by hand from their formulas before the audit judged them."""

import pytest

from cellgrad.spreadsheet import census, judge_formula, public_formulas


def test_twenty_eight_are_right_thirty_six_make_one_mistake_and_six_another():
    table = census()
    counts = table.groupby("judgement")["workbooks"].sum().to_dict()
    assert counts == {"right": 28, "a_h1 and a_h2 confused": 36, "another mistake": 6}
    assert table["workbooks"].sum() == 70 and len(table) == len(public_formulas())


def test_the_class_mistake_stands_in_two_columns():
    table = census()
    confused = table[(table["dE_dw3"] == "a_h1 stands where a_h2 belongs") & (table["dE_dw4"] == table["dE_dw3"])]
    assert confused["workbooks"].sum() == 35
    others = [name for name in table.columns if name.startswith("dE_") and name not in ("dE_dw3", "dE_dw4")]
    assert (confused[others] == "").all(axis=None)


@pytest.mark.parametrize(
    ("column", "formula", "words"),
    [
        ("dE_dw5", "(a_o1-t1)*a_o1*(1-a_o1)*a_h1", None),
        ("dE_dw5", "=-(t1-a_o1)*(a_o1-a_o1^2)*a_h1", None),
        ("dE_dw5", "(a_o1-t1)*a_o1*(1-a_o1)*a_h2", "a_h2 stands where a_h1 belongs"),
        ("E1", "(t1-a_o1)^2", "it is 2.0 times what it should be: a factor is wrong or missing"),
        ("h1", "W1*I1+w2*i2", None),
    ],
)
def test_one_formula_is_judged_by_itself(column, formula, words):
    assert judge_formula(column, formula) == words


@pytest.mark.parametrize(("column", "formula"), [("w1", "w1"), ("t1", "1"), ("z", "1"), ("h1", "q7"), ("h1", "w1*")])
def test_what_is_no_formula_of_a_column_is_refused(column, formula):
    with pytest.raises(ValueError, match=r"\S"):
        judge_formula(column, formula)
