"""Cut the site's typeface down to the characters that it uses: `fonts.py FOLDER`.

FOLDER is where `npm install @fontsource-variable/stix-two-text @fontsource/stix-two-math` was run. Both are the STIX
Two fonts, under the SIL Open Font License; the one for mathematics carries the table MATH, by which a browser sets
MathML. Needed again only when a test says that a character is missing.
"""

import sys
from pathlib import Path

from fontTools.subset import main as subset

FONTS = Path(__file__).parents[1] / "book" / "_static" / "fonts"

TEXT = "U+20-7E,U+A0-FF,U+131,U+152-153,U+2013-2014,U+2018-201A,U+201C-201E,U+2022,U+2026,U+2032,U+2212"
# Latin and Greek, upright and in the italics of formulas; operators, arrows, brackets and what stretches.
MATHEMATICS = (
    "U+20-7E,U+A0,U+AC,U+B0-B3,U+B7,U+B9,U+D7,U+F7,U+391-3A9,U+3B1-3C9,U+3D1,U+3D5,U+3F1,U+3F5,U+302-304,U+2C6,"
    "U+2009,U+2016,U+2020,U+2026,U+2032-2034,U+203E,U+2044,U+2061-2063,U+2070,U+2074-2079,U+207B,U+2080-2089,"
    "U+210E,U+2113,U+211D,U+2190-2193,U+21A6,U+21D2,U+21D4,U+2200,U+2202-2203,U+2205-2208,U+220F,U+2211-2213,U+2217,"
    "U+2218,U+2219,U+221A,U+221D,U+221E,U+2223,U+2225,U+2227-222B,U+2248,U+2260-2261,U+2264-2265,U+226A-226B,U+2282,"
    "U+2286,U+2295,U+2299,U+22C5,U+22EE-22F1,U+2308-230B,U+23DE-23DF,U+27E8-27E9,U+1D434-1D467,U+1D5A0-1D5D3,"
    "U+1D6E4-1D71B"
)


def main() -> None:
    packages = Path(sys.argv[1]) / "node_modules"
    text, math = packages / "@fontsource-variable/stix-two-text", packages / "@fontsource/stix-two-math"
    FONTS.mkdir(exist_ok=True)
    for source, target, characters in (
        (text / "files/stix-two-text-latin-wght-normal.woff2", "text.woff2", TEXT),
        (text / "files/stix-two-text-latin-wght-italic.woff2", "text-italic.woff2", TEXT),
        (math / "files/stix-two-math-latin-400-normal.woff2", "mathematics.woff2", MATHEMATICS),
    ):
        features = "kern,liga,locl,mark,mkmk,ssty,dtls,flac"
        options = [f"--unicodes={characters}", "--flavor=woff2", f"--layout-features={features}", "--no-hinting"]
        subset([str(source), *options, f"--output-file={FONTS / target}"])
    (FONTS / "LICENSE.txt").write_text((math / "LICENSE").read_text(encoding="utf-8"), encoding="utf-8")


main()
