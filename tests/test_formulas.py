"""Formulas are drawn without a script and without a network, and hold nothing but MathML."""

import re

import nbformat
import pytest
from nbconvert.exporters import HTMLExporter
from traitlets.config import Config

from autograder.pages.formulas import LONGEST, markdown_to_html, mathml, with_formulas
from tests.test_notebooks import SOLUTIONS

MATH = re.compile("<math.*?</math>", re.DOTALL)


def test_every_formula_of_the_notebooks_is_drawn():
    drawn = 0
    for path in SOLUTIONS.glob("*.ipynb"):
        for cell in nbformat.read(path, 4).cells:
            if cell.cell_type == "markdown":
                html = markdown_to_html({}, cell.source)
                drawn += len(MATH.findall(html))
                rest = re.sub("<code>.*?</code>", "", MATH.sub("", html), flags=re.DOTALL)
                assert "$" not in rest, (path.name, cell.id)
                assert "\\" not in "".join(MATH.findall(html)), (path.name, cell.id)
    assert drawn > 200


def test_an_answer_is_escaped_around_its_formulas():
    html = with_formulas("<b>so</b> $\\hat W k^* = v^*$, for $5 or $6; $$a < b$$")
    assert html.startswith("&lt;b&gt;so&lt;/b&gt; <math")
    assert ", for $5 or $6; <math" in html and 'display="block"' in html and "&lt;" in html[-60:]


@pytest.mark.parametrize(
    "tex",
    [
        r"\text{<script>alert(1)</script>}",
        r"\text{&lt;script&gt;alert(1)&lt;/script&gt;}",
        r"\href{javascript:alert(1)}{x}",
        r"\style{background:url(x)}{x}",
        r"\class{x}{y}",
    ],
)
def test_a_formula_brings_no_script_no_link_and_no_style(tex):
    html = str(with_formulas(f"${tex}$"))
    assert "<math" in html
    assert not re.search(r"<(?!/?m)|href|style|class|javascript", html)


@pytest.mark.parametrize("tex", [r"\frac{", "x" * (LONGEST + 1), "{" * 1500, r"\left("])
def test_what_is_no_formula_stays_as_it_was_written(tex):
    assert mathml(tex, "inline") is None
    assert with_formulas(f"<{tex}> $x$").startswith(f"&lt;{tex}&gt; <math")


def test_nbgraders_pages_draw_them_by_the_courses_own_settings():
    """The name in nbgrader_config.py is one that nbconvert finds."""
    line = next(
        line
        for line in (SOLUTIONS.parents[1] / "nbgrader_config.py").read_text().splitlines()
        if "HTMLExporter.filters" in line
    )
    settings = Config()
    exec(line, {"c": settings})
    cell = nbformat.v4.new_markdown_cell("The memory: $y = W k$.")
    html, _ = HTMLExporter(config=settings).from_notebook_node(
        nbformat.v4.new_notebook(cells=[cell])
    )
    assert '<math display="inline"' in html and "$y" not in html
