"""Who handed in alike: groups, not pairs, of facts, edits and a student's own writing."""

import json
from dataclasses import replace

import nbformat
import pytest

from autograder.grade import submission_in
from autograder.hidden import NOTEBOOKS
from autograder.result import Alike, Result
from autograder.submissions.copies import OwnWork, likely_copies, own_work, with_note
from autograder.submissions.writing import HELPERS, handout_in, own_writing
from autograder.validity.catalogue import RIGHT
from keyhole.paths import data_folder
from tests.test_notebooks import ASSIGNMENTS

SHAPE = 576, 1536
HANDOUT = handout_in(ASSIGNMENTS, NOTEBOOKS)
TRACES = {each.name: each.cells for each in RIGHT if each.function == "trace"}
ANSWER = (
    "The map shows that the last token of the subject carries the fact in the early layers, and "
    "that attention hands it on to the last token of the prompt later on. So an edit belongs there."
)
HELPER = '''
def ranks_of(values, largest=True):
    """The place of each value, from 1."""
    order = values.argsort(descending=largest)
    ranks = torch.empty_like(order)
    ranks[order] = torch.arange(1, len(values) + 1)
    return [(int(rank), float(value)) for rank, value in zip(ranks, values) if value > 0]
'''
# Functions of the handout, handed in once more: nobody's own.
GIVEN = "\n\n".join(
    cell.source
    for path in sorted(ASSIGNMENTS.glob("*.ipynb"))
    for cell in nbformat.read(path, as_version=4).cells
    if cell.cell_type == "code"
    and "def " in cell.source
    and "NotImplementedError" not in cell.source
)
RENAMED = HELPER.replace("order", "o").replace("ranks", "places").replace("value", "v")


def hand_in(root, student, trace, answer="", helper=""):
    """A submission of 2_locate alone; `trace` names a right solution of the catalogue."""
    notebook = nbformat.read(ASSIGNMENTS / "2_locate.ipynb", as_version=4)
    for cell in notebook.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        if name == "trace" and trace:
            cell.source = "\n\n".join(TRACES[trace])
        if name == "written_what_a_map_shows" and answer:
            cell.source = answer
    if helper:
        notebook.cells.append(nbformat.v4.new_code_cell(helper))
    folder = root / student / "model_editing"
    folder.mkdir(parents=True)
    nbformat.write(notebook, folder / "2_locate.ipynb")
    with submission_in(folder, NOTEBOOKS) as submission:
        return own_work(folder, SHAPE, own_writing(submission, HANDOUT))


def found(works):
    return {(group.students, group.kinds) for group in likely_copies(works)}


def test_twenty_five_alike_are_one_group_and_one_line():
    folder = data_folder() / "sample_class" / "ada-complete" / "model_editing"
    works = {f"s{number:02}": own_work(folder, SHAPE) for number in range(25)}
    [group] = likely_copies(works)
    assert len(group.students) == 25 and group.kinds == ("fact", "edit")
    assert str(group).startswith("s00, s01, s02, s03, s04 and 20 more: the same fact (")
    assert str(group).endswith("every probe word for word; the same change of W")
    noted = with_note(Result("s03", "model_editing", "graded", None, "A", 1.0, ()), [group])
    assert noted.alike == (Alike(1, ("fact", "edit"), group.detail),)
    assert "like s00, s01, s02, s04, s05 and 19 more: the same fact" in noted.note
    assert Result.from_json(json.loads(json.dumps(noted.to_json()))) == noted


def test_renaming_and_comments_hide_no_copied_code(tmp_path):
    by_hooks, in_a_batch = "own hooks", "a row in one batch"
    works = {
        "ann": hand_in(tmp_path, "ann", by_hooks, helper=HELPER),
        "bea": hand_in(tmp_path, "bea", in_a_batch, helper="# mine\n" + RENAMED),
        "cyd": hand_in(tmp_path, "cyd", "as in the notebook"),
        "dan": hand_in(tmp_path, "dan", by_hooks),
        "eve": hand_in(tmp_path, "eve", None, helper=GIVEN),
        "fay": hand_in(tmp_path, "fay", None, helper=GIVEN),
    }
    assert found(works) == {(("ann", "dan"), ("trace",)), (("ann", "bea"), (HELPERS,))}
    assert [str(group) for group in likely_copies(works)] == [
        "ann and bea: nearly the same helpers",
        "ann and dan: nearly the same trace",
    ]


def test_written_answers_are_compared_and_the_question_itself_is_not(tmp_path):
    works = {
        "ann": hand_in(tmp_path, "ann", None, ANSWER),
        "bea": hand_in(tmp_path, "bea", None, ANSWER.upper().replace(",", " -") + " I think."),
        "cyd": hand_in(tmp_path, "cyd", None, " ".join(reversed(ANSWER.split()))),
        "dan": hand_in(tmp_path, "dan", None),
        "eve": hand_in(tmp_path, "eve", None),
    }
    assert found(works) == {(("ann", "bea"), ("written_what_a_map_shows",))}


def test_right_solutions_written_independently_are_no_copies(tmp_path):
    independent = ("as in the notebook", "own hooks", "a row in one batch")
    works = {str(n): hand_in(tmp_path, str(n), name) for n, name in enumerate(independent)}
    assert found(works) == set()


def test_a_chain_of_alike_edits_is_one_group():
    work = own_work(data_folder() / "sample_class" / "ada-complete" / "model_editing", SHAPE)
    turned = {}
    for number in range(3):  # each a little further from the first
        right = work.edit.right.clone()
        right[0] += number * 0.012 * right.norm()
        turned[f"s{number}"] = OwnWork(None, replace(work.edit, right=right))
    assert found(turned) == {(("s0", "s1", "s2"), ("edit",))}
    del turned["s1"]
    assert found(turned) == set()


@pytest.mark.parametrize("damage", ["def trace(x):\n" * 3, "x = " + "(" * 500, "def f(): pass\x00"])
def test_writing_that_cannot_be_read_is_no_copy(tmp_path, damage):
    works = {name: hand_in(tmp_path, name, None, helper=damage) for name in ("ann", "bea")}
    assert found(works) == set()
