"""The notebooks, run from top to bottom as Jupyter would.

Their code is the same in every language, as tests/test_translation.py shows. So `make test` runs
each notebook in one language, and `make languages` in the others.
"""

import json
import re
import subprocess
import sys

import nbformat
import pytest
import torch
from safetensors.torch import load_file

from autograder.hidden import NOTEBOOKS
from autograder.making import sample_edits, translation
from keyhole.facts import fact_from
from keyhole.learned import load_editors
from keyhole.many import load_curves
from tests.standins import OfFiles
from tests.test_notebooks import NAMES, SOLUTIONS

pytestmark = pytest.mark.slow
LANGUAGES = ("en", *translation.LANGUAGE_CELLS)
RUN_IN_CHINESE = ("2_locate", "3_edit")  # by `make test`
# What is looked for in what a notebook prints, in each language.
WORDS = {
    "en": {
        "rows differ": r"differ from the stored ones by at most (\S+)",
        "before": ("before, by probability", "before, by generation"),
        "fine-tuned": "fine-tuned, by probability",
        "edits": "ROME, {} edits",
        "MEMIT": "MEMIT, λ = 300",
        "S": r" +S +([\d.]+) by probability, +([\d.]+) by generation",
        "off": r"off by (\S+);",
        "editors": ("one step", "a rate for each row", "a gate", "MEND"),
    },
    "zh-TW": {
        "rows differ": r"你算的列和存好的列，最多只差 (\S+)",
        "before": ("編輯前，看機率", "編輯前，看生成"),
        "fine-tuned": "微調後，看機率",
        "edits": "ROME，{} 次編輯",
        "MEMIT": "MEMIT，λ = 300",
        "S": r"\s+S 看機率 +([\d.]+)，看生成 +([\d.]+)",
        "off": r"相差 (\S+)；",
        "editors": ("的一步", "每列一個學習率", "閘門", "MEND"),
    },
}


def in_each_language(name):
    chosen = "zh-TW" if name in RUN_IN_CHINESE else "en"
    return pytest.mark.parametrize(
        "language",
        [
            pytest.param(each, marks=() if each == chosen else pytest.mark.other_language)
            for each in LANGUAGES
        ],
    )


class Ran:
    """The solution, run from top to bottom in a folder with all notebooks of its language."""

    def __init__(self, name, language, folder):
        made = (
            {each: nbformat.read(SOLUTIONS / f"{each}.ipynb", as_version=4) for each in NAMES}
            if language == "en"
            else translation.solutions(language)
        )
        for each, notebook in made.items():  # notebooks 4 and 5 take functions of others
            nbformat.write(notebook, folder / f"{each}.ipynb")
        run = [sys.executable, "-m", "nbconvert", "--to", "notebook", "--execute", "--inplace"]
        done = subprocess.run([*run, f"{name}.ipynb"], cwd=folder, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-2000:]
        cells = nbformat.read(folder / f"{name}.ipynb", as_version=4).cells
        outputs = {cell.id: cell.outputs for cell in cells if cell.cell_type == "code"}
        self.shown = {
            cell: "".join(output.get("text", "") for output in some)
            for cell, some in outputs.items()
        }
        self.said, self.words = "".join(self.shown.values()), WORDS[language]
        self.pictures = sum(
            "image/png" in output.get("data", ()) for some in outputs.values() for output in some
        )
        assert bool(re.search("[一-鿿]", self.said)) == (language != "en")
        assert "Glyph" not in self.said  # a warning: a letter that the font of a picture lacks


@in_each_language("1_measure")
def test_notebook_1_and_its_picture_of_the_warning_holds(tmp_path, language):
    ran = Ran("1_measure", language, tmp_path)
    rows = {
        " ".join(row.split()[:-6]): [float(share) for share in row.split()[-6:]]
        for row in ran.shown["fine-tune-measure"].splitlines()[1:]
    }
    assert all(rows[before] == [0, 0, 100, 0, 0, 0] for before in ran.words["before"])
    reliability, paraphrase, locality, *_, score = rows[ran.words["fine-tuned"]]
    assert reliability == paraphrase == 100 and locality < 60 and score < 80
    assert "' Rome Rome Rome" in ran.shown["turn-up-run"] and " 0.0" in ran.shown["turn-up-run"]
    assert ran.pictures >= 2


@in_each_language("2_locate")
def test_notebook_2_and_its_two_rows_are_those_of_the_stored_map(tmp_path, language):
    ran = Ran("2_locate", language, tmp_path)
    assert ran.pictures >= 12
    assert float(re.search(ran.words["rows differ"], ran.said)[1]) < 1e-4


@in_each_language("3_edit")
def test_notebook_3_hands_in_a_rank_one_edit(tmp_path, language, real_model):
    assert Ran("3_edit", language, tmp_path).pictures >= 1
    handed_in = json.loads((tmp_path / "my_fact.json").read_text(encoding="utf-8"))
    fact, factors = fact_from(handed_in["fact"]), load_file(tmp_path / "my_edit.safetensors")
    assert set(factors) == {"left", "right", "value"}
    with real_model.edited(handed_in["layer"], torch.outer(factors["left"], factors["right"])):
        after = real_model.next_token_probabilities([fact.prompt])[0].max()
    assert abs(after.item() - handed_in["measured"][0]["after"][1]) < 1e-3
    trial = OfFiles(tmp_path, real_model)
    found = {case.id: case.run(trial) for case in NOTEBOOKS["3_edit"].cells["test_my_edit"]}
    assert all(outcome.passed for outcome in found.values()), found
    assert sample_edits.fact_of("ada-complete") == handed_in["fact"]


@in_each_language("4_scale")
def test_notebook_4_agrees_with_the_stored_curves(tmp_path, language):
    """Of fewer facts than the stored ones: each score within three deviations, and four points."""
    ran = Ran("4_scale", language, tmp_path)
    assert ran.pictures >= 6
    curves = load_curves()["many edits"]
    for editor, title, edits in (
        ("ROME, one after the other", ran.words["edits"].format(10), 10),
        ("ROME, one after the other", ran.words["edits"].format(80), 80),
        ("MEMIT", ran.words["MEMIT"], 80),
    ):
        [stored] = [point["values"] for point in curves[editor] if point["edits"] == edits]
        found = re.search(re.escape(title) + ran.words["S"], ran.said)
        for got, name in zip(found.groups(), ("S", "S said")):
            mean, deviation = stored[name]
            assert abs(float(got) - 100 * mean) < 300 * deviation + 4, (title, got, mean)


@in_each_language("5_learn_to_edit")
def test_notebook_5_has_editors_about_as_good_as_the_stored_ones(tmp_path, language):
    ran = Ran("5_learn_to_edit", language, tmp_path)
    assert ran.pictures >= 4
    off = [float(each) for each in re.findall(ran.words["off"], ran.said)]
    assert len(off) == 3 and max(off) < 1e-4
    _, stored = load_editors()
    for title, words in zip(WORDS["en"]["editors"], ran.words["editors"], strict=True):
        found = re.search(rf"{words}[^/\n]*/ *\d+/ *\d+ +S +(\S+) ", ran.said)[1]
        scores = [100 * run[title]["tests"]["unseen subjects"]["S"] for run in stored["within"]]
        assert min(scores) - 15 < float(found) < max(scores) + 15, (title, found, scores)
