"""The pictures in the README: a causal map, an edit before and after, a feedback page, the demo.

The map is a stored one. The edit and the grading are done anew, so the pictures show what the kit
does today. The pages need a browser: Chromium or Chrome, which draws them without a window.
"""

import ast
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import torch
from matplotlib.figure import Figure

from autograder.making.demo_picture import photograph_demo
from autograder.making.sample_edits import by_rome
from autograder.pages.feedback import PAGE
from keyhole.errors import KeyholeError
from keyhole.facts import Fact, fact_from
from keyhole.models import EditableModel
from keyhole.moments import DEFAULT_LAYER
from keyhole.notebooks.definitions import read_notebook
from keyhole.paths import data_folder
from keyhole.plots import before_after, heat_map
from keyhole.probes import ProbeSet
from keyhole.text import one_line
from keyhole.tracing import CausalMap, load_maps

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "pictures"
DPI = 90  # sharp in a README, and each picture stays far below 150 kB
STUDENT, NOTEBOOK, FUNCTION = "bo-forgets-c", "3_edit", "rank_one_update"
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
WIDTH, HEIGHT = 1000, 620  # of the page's window, in pixels
SECONDS = 300  # for a program that is run: the grader, the browser
# Of the page, only the card of one function, with the student's code.
ONLY_ONE_FUNCTION = f"""<style>
body > header, footer, h2, .card:not(#{FUNCTION}) {{ display: none }}
body {{ padding: .25rem 1rem }}
::-webkit-scrollbar {{ display: none }}
</style></head>"""


def make(model: EditableModel) -> Path:
    """Draw all four pictures into docs/pictures/; that folder. Raises KeyholeError."""
    browser = find_browser()  # first: without one, no minute of grading
    FOLDER.mkdir(parents=True, exist_ok=True)
    fact = notebook_fact()
    heat_map(_stored_map(fact)).savefig(FOLDER / "map.png", dpi=DPI)
    _drawn_edit(model, fact).savefig(FOLDER / "before_after.png", dpi=DPI)
    with tempfile.TemporaryDirectory() as folder:
        photograph(browser, feedback_page(Path(folder)), FOLDER / "feedback.png")
    photograph_demo(browser, FOLDER / "demo.png")
    return FOLDER


def notebook_fact() -> Fact:
    """The fact that notebook 3 edits, read from the call of `fact_from` in its source."""
    for cell in read_notebook(ROOT / "solutions" / "model_editing" / f"{NOTEBOOK}.ipynb").cells:
        if "fact_from({" in cell.source:
            for node in ast.walk(ast.parse(cell.source)):
                if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "fact_from":
                    return fact_from(ast.literal_eval(node.args[0]))
    raise KeyholeError(f"notebook {NOTEBOOK} no longer writes its fact out: no fact_from({{...}})")


def _stored_map(fact: Fact) -> CausalMap:
    return next(
        each
        for each in load_maps()
        if (each.prompt, each.kind, each.corruption) == (fact.prompt, "state", "noise")
    )


def _drawn_edit(model: EditableModel, fact: Fact) -> Figure:
    probes = ProbeSet(model, fact.probes(), DEFAULT_LAYER)
    before = probes.answers()
    edit = by_rome(model, fact)
    with model.edited(DEFAULT_LAYER, torch.outer(edit["left"], edit["right"])):
        after = probes.answers()
    title = f"{fact.subject}:{fact.target_true} →{fact.target_new}"
    return before_after(before, after, title=title)


def feedback_page(folder: Path) -> Path:
    """Grade one member of the sample class in a course of its own in `folder`; the page's file.

    The hidden inputs are those of the repository's own tests, so anybody gets the same page.
    """
    course = folder / "course"
    course.mkdir()
    shutil.copy(ROOT / "nbgrader_config.py", course)
    shutil.copytree(ROOT / "solutions", course / "solutions")
    command = [Path(sys.executable).with_name("autograder"), "grade"]
    command += [data_folder() / "sample_class", "--students", STUDENT, "--course", course]
    command += ["--json", folder / "results.json", "--lang", "en"]
    command += ["--i-accept-no-isolation"]  # the sample class is the kit's own
    _run(command, {**os.environ, "KEYHOLE_SECRET_FILE": str(ROOT / "tests" / "secret.key")})
    page = course / "grading" / "feedback" / STUDENT / "model_editing" / PAGE
    if not page.is_file():
        raise KeyholeError(f"grading {STUDENT} made no feedback page")
    return page


def find_browser() -> str:
    """The path of a browser that can draw a page. Raises KeyholeError where there is none."""
    for name in BROWSERS:
        if path := shutil.which(name):
            return path
    raise KeyholeError("pages are drawn by Chromium or Chrome: install one of them")


def photograph(browser: str, page: Path, target: Path) -> None:
    """A picture of one function's card on a feedback page. Raises KeyholeError."""
    cut = page.with_name("cut.html")
    content = page.read_text(encoding="utf-8").replace("<details>", "<details open>")
    cut.write_text(content.replace("</head>", ONLY_ONE_FUNCTION, 1), encoding="utf-8")
    options = ["--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"]
    options += [f"--window-size={WIDTH},{HEIGHT}", f"--user-data-dir={page.parent / 'browser'}"]
    _run([browser, *options, f"--screenshot={target}", cut.as_uri()])


def _run(command: list, environment: dict | None = None) -> None:
    """Run a program to its end. Raises KeyholeError with its last line where it fails."""
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        raise KeyholeError(f"{command[0]} failed: {error}") from None
    if done.returncode:
        raise KeyholeError(f"{command[0]} failed: {one_line(done.stderr, 300)}")
