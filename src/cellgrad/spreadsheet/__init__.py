"""The toy network in spreadsheets: written as live formulas, and somebody else's judged."""

from cellgrad.spreadsheet.audit.census import census, judge_formula, public_formulas

__all__ = ["census", "judge_formula", "public_formulas"]
