"""Figures that answer to the hand: data in, and what comes back shows itself in a notebook, on the site and in print.

Each is a Python function, which draws the first picture and prints the formulas, and a JavaScript file, which brings
that picture to life. They need no kernel, no network and no framework.
"""

# ruff: noqa: F401 (what this package is known by)
from cellgrad.figures.bowl import bowl
from cellgrad.figures.draw import draw
from cellgrad.figures.field import field
from cellgrad.figures.frontier import frontier
from cellgrad.figures.hard import hard_digits
from cellgrad.figures.network import network
from cellgrad.figures.page import Figure
from cellgrad.figures.seeds import seeds
from cellgrad.figures.slope import slope
from cellgrad.figures.window import window
