"""Formulas as MathML, made when the site is built.

Browsers set MathML by themselves: a formula is there at first paint, without a script, can be copied, is read aloud by
screen readers and is no stop of the tab key. The alternative, KaTeX, needs Node.js beside Python, twenty font files and
about ten times the markup, and keeps a second, hidden copy of each formula for screen readers.
"""

import re
from typing import Any

from docutils import nodes
from latex2mathml.converter import convert
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

# Environments that the converter knows by another name.
SAME = {"aligned": "align*", "gathered": "gather*"}
# A sign after an operator, a comma or an opening bracket belongs to what follows: −3 in "a = −3", "2 · (−2)".
SIGN = re.compile(r"(<mo(?: [^>]*)?>(?:[(\[{|=,·×+−/<>≤≥≈→←]|&[lg]t;)</mo>)<mo>([−+±])</mo>")
# Behind the name of a function, and behind a small fraction, TeX leaves a gap before what it is applied to: ln u, ½ m.
GAP = re.compile(r"(<mi>[a-z]{2,}</mi>|</mfrac></mstyle>)(?=<m(?!o|space))")


def mathml(latex: str, display: str = "inline") -> str:
    """A formula of LaTeX as MathML."""
    latex = re.sub(
        r"\\(begin|end)\{(\w+)\}", lambda match: f"\\{match[1]}{{{SAME.get(match[2], match[2])}}}", latex.strip()
    )
    latex = re.sub(r"\\\\\[[\d.]+\w\w\]", r"\\\\", latex)  # the space between rows, which it would print as text
    if latex.startswith(r"\displaystyle"):  # as SymPy writes them
        latex, display = latex.removeprefix(r"\displaystyle"), "block"
    made = convert(latex, display=display)
    made = re.sub(r"&#x([0-9A-F]{5});", lambda match: _character(int(match[1], 16)), made)
    # Browsers know the alignment of a column from its style alone.
    made = re.sub(r'<mtd columnalign="(\w+)"', r'<mtd style="text-align: \1"', made)
    made = GAP.sub(r'\1<mspace width="0.17em"/>', made)
    made = SIGN.sub(r'\1<mo form="prefix">\2</mo>', made)
    # Browsers put the space of an operator around these two; in TeX they are letters.
    made = made.replace("<mo>∂</mo>", "<mi>∂</mi>").replace("<mo>/</mo>", '<mo lspace="0" rspace="0">/</mo>')
    return made.replace(' xmlns="http://www.w3.org/1998/Math/MathML"', "").replace(' display="inline"', "")


def _character(code: int) -> str:
    return {"<": "&lt;", ">": "&gt;", "&": "&amp;"}.get(chr(code), chr(code))


def inline(translator: HTML5Translator, node: nodes.math) -> None:
    latex = node.astext()
    made = mathml(latex)
    if 'display="block"' in made:
        translator.body.append(f'<div class="formula">{made}</div>')
    else:
        before, after = (translator.encode(node.get(side, "")) for side in ("before", "after"))  # see wraps.py
        translator.body.append(f'<span class="together">{before}{made}{after}</span>' if before or after else made)
    raise nodes.SkipNode


def block(translator: HTML5Translator, node: nodes.math_block) -> None:
    name = f' id="{node["ids"][0]}"' if node["ids"] else ""
    number = f'<span class="number">({node["number"]})</span>' if node.get("number") else ""  # see kinds.py
    kind = "formula numbered" if number else "formula"
    # A formula that is wider than the page scrolls in itself, so the keyboard must be able to reach it.
    translator.body.append(f'<div class="{kind}"{name}>{mathml(node.astext(), "block")}{number}</div>')
    raise nodes.SkipNode


def setup(app: Sphinx) -> dict[str, Any]:
    """Sphinx calls this."""
    app.add_html_math_renderer("mathml", (inline, None), (block, None))
    app.config.html_math_renderer = "mathml"
    return {"parallel_read_safe": True, "parallel_write_safe": True}
