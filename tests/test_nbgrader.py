"""nbgrader around the grader: a small course with stand-in hidden tests.

The tests go from the course's source to its gradebook and feedback pages.
"""

import csv
import html
import json
import re
import shutil
from pathlib import Path
from types import SimpleNamespace

import nbformat
import pytest
import torch
from jupyter_core.application import JupyterApp, NoStart
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook
from nbgrader.api import Gradebook
from nbgrader.apps.nbgraderapp import NbGraderApp

from autograder import cli, hidden
from autograder import grade as grading
from autograder.gradebook.course import Course
from autograder.gradebook.mending import closed_up, harmless, mended
from autograder.gradebook.page import table_of
from autograder.gradebook.plugin import INTAKE, LATEST, GradeInSandbox, grader
from autograder.result import Bonus, TestResult
from autograder.sandbox import isolation
from autograder.submissions.latest import LatestSubmission
from keyhole import messages
from keyhole.checking.judging import Verdict
from keyhole.errors import KeyholeError
from tests.standins import (
    DOUBLE,
    HOSTILE,
    TESTS,
    TRIPLE,
    HiddenTest,
    InThisProcess,
    registry,
    said,
    times,
)

REPOSITORY = Path(__file__).resolve().parent.parent
STAFF_SECRET = "known to the staff only"


def mark(grade_id, grade, solution, points=None, kind="code"):
    marks = {
        "grade": grade,
        "solution": solution,
        "locked": grade and not solution,
        "task": False,
        "cell_type": kind,
    }
    marks |= {"schema_version": 3, "grade_id": grade_id}
    return {"nbgrader": marks | ({} if points is None else {"points": points})}


def blank(name, factor):
    source = (
        f'def {name}(x):\n    """{factor} times x."""\n    ### BEGIN SOLUTION\n    return {factor}'
        " * x\n    ### END SOLUTION"
    )
    return new_code_cell(source, metadata=mark(name, False, True))


def source_notebook():
    cells = [
        new_markdown_cell("# Twice\nwhere $|x|_C <y$"),
        new_code_cell("import torch"),
        blank("double", 2),
        new_code_cell("check(double)", metadata=mark("test_double", True, False, 4)),
        blank("triple", 3),
        new_code_cell("check(triple)", metadata=mark("test_triple", True, False, 2)),
        new_markdown_cell("Why?", metadata=mark("written_why", True, True, 3, "markdown")),
    ]
    return new_notebook(
        cells=cells,
        metadata={
            "kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}
        },
    )


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """The course with its assignment generated, made once."""
    root = tmp_path_factory.mktemp("course")
    shutil.copy(REPOSITORY / "nbgrader_config.py", root)
    (root / "solutions" / "model_editing").mkdir(parents=True)
    nbformat.write(source_notebook(), root / "solutions" / "model_editing" / "3_edit.ipynb")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(root)
        assert nbgrader("generate_assignment", "model_editing") == 0
    return root


@pytest.fixture
def course(tmp_path, monkeypatch, prepared):
    shutil.copytree(prepared, tmp_path, dirs_exist_ok=True)
    monkeypatch.setattr(hidden, "NOTEBOOKS", TESTS)
    monkeypatch.setattr(grading, "Sandbox", InThisProcess)
    monkeypatch.setattr(isolation, "best", lambda: isolation.MachineLevel("A", {}))
    monkeypatch.setenv("KEYHOLE_SECRET_FILE", str(tmp_path / "secret.key"))
    monkeypatch.chdir(tmp_path)
    grader.cache_clear()
    yield tmp_path
    grader.cache_clear()
    INTAKE.close()
    LATEST.close()
    assert not list(tmp_path.glob("grading/intake-*"))


def nbgrader(*arguments) -> int:
    """The command itself, in this process."""
    JupyterApp.clear_instance()
    app = NbGraderApp.instance()
    try:
        app.initialize(list(arguments))
        app.start()
    except NoStart:  # its way of saying that a subcommand ran
        return 0
    except SystemExit as end:
        return int(end.code or 0)
    finally:
        app.reset()
    return 0


def released(course):
    return nbformat.read(course / "assignments" / "model_editing" / "3_edit.ipynb", as_version=4)


def hand_in(course, student, notebook=None, **cells) -> Path:
    """A submission: the released notebook with some cells filled in, or another notebook."""
    notebook = notebook or released(course)
    for cell in notebook.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        cell.source = cells.get(name, cell.source)
    path = course / "grading" / "submitted" / student / "model_editing" / "3_edit.ipynb"
    path.parent.mkdir(parents=True)
    nbformat.write(notebook, path)
    return path


def autograde(course, *options) -> list[dict]:
    assert (
        cli.main(
            [
                "grade",
                "grading/submitted",
                "--json",
                "r.json",
                "--csv",
                "r.csv",
                "--course",
                str(course),
                *options,
            ]
        )
        == 0
    )
    return json.loads((course / "r.json").read_text())


def by_nbgrader(course) -> None:
    """nbgrader's own commands."""
    assert nbgrader("autograde", "model_editing", "--force") == 0
    assert nbgrader("generate_feedback", "model_editing", "--force") == 0


def gradebook(course) -> dict[str, float]:
    with Gradebook(f"sqlite:///{course / 'grading' / 'gradebook.db'}") as book:
        return {
            submission.student.id: submission.score
            for submission in book.assignment_submissions("model_editing")
        }


def page(course, student, notebook="3_edit") -> str:
    """The student's page; where nbgrader made its own, the one of the notebook."""
    folder = course / "grading" / "feedback" / student / "model_editing"
    pages = {path.name for path in folder.iterdir()}
    assert pages == {"feedback.html"} or "feedback.html" not in pages
    return (folder / (min(pages) if len(pages) == 1 else f"{notebook}.html")).read_text()


def body(course, student) -> str:
    return page(course, student).partition("<body>")[2]


def missing_on_pages(course, entry) -> set[str]:
    """Tests whose points, title and message do not stand in one row of the student's page."""
    pages = {
        name: squeezed(html.unescape(visible(page(course, entry["student"], name))))
        for name in {test["notebook"] for test in entry["tests"]}
    }
    return {
        test["id"]
        for test in entry["tests"]
        if squeezed("{points:g} / {max_points:g} {title} {message}".format(**test))
        not in pages[test["notebook"]]
    }


def squeezed(text: str) -> str:
    return re.sub(r"[\s`]", "", text)


def visible(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html).replace("\u2060", ""))


def column(path, name) -> dict[str, float]:
    with open(path, newline="") as file:
        return {
            row.get("student") or row["student_id"]: float(row[name])
            for row in csv.DictReader(file)
        }


@pytest.mark.slow
def test_scores_agree_everywhere(course):
    hand_in(course, "full", double=DOUBLE, triple=TRIPLE)
    hand_in(course, "half", double=DOUBLE, triple="def triple(x):\n    return x")
    hand_in(course, "blank")
    hand_in(course, "broken", double="def double(x:", triple=TRIPLE)
    expected = {"blank": 0, "broken": 2, "full": 6, "half": 5}
    assert {e["student"]: e["score"] for e in autograde(course)} == expected
    assert gradebook(course) == expected
    assert column(course / "r.csv", "score") == expected
    assert nbgrader("export", "--to", "n.csv") == 0
    assert column(course / "n.csv", "score") == expected
    # nbgrader's own commands on the same folder
    (course / "grading" / "gradebook.db").unlink()
    assert nbgrader("generate_assignment", "model_editing", "--force") == 0
    assert nbgrader("autograde", "model_editing", "--force") == 0
    assert nbgrader("generate_feedback", "model_editing", "--force") == 0
    assert gradebook(course) == expected


@pytest.mark.slow
@pytest.mark.usefixtures("one_model")
def test_the_real_course_gives_the_same_by_both_routes(tmp_path, monkeypatch):
    """Without the tests of 3_edit that take longest: those functions are left blank."""
    shutil.copy(REPOSITORY / "nbgrader_config.py", tmp_path)
    shutil.copytree(
        REPOSITORY / "solutions",
        tmp_path / "solutions",
        ignore=shutil.ignore_patterns("my_*", ".*"),
    )
    monkeypatch.setenv("KEYHOLE_SECRET_FILE", str(REPOSITORY / "tests" / "secret.key"))
    monkeypatch.chdir(tmp_path)
    grader.cache_clear()
    folder = tmp_path / "grading" / "submitted" / "mia" / "model_editing"
    folder.mkdir(parents=True)
    for member, name, blank in (
        ("rosa-arithmetic-mean", "1_measure", ()),
        ("jia-no-baseline", "2_locate", ()),
        ("fay-forgets-conv1d", "3_edit", ("subject_key", "second_moment", "rank_one_update")),
    ):
        notebook = nbformat.read(
            REPOSITORY / "data" / "sample_class" / member / "model_editing" / f"{name}.ipynb",
            as_version=4,
        )
        for cell in notebook.cells:
            if cell.metadata.get("nbgrader", {}).get("grade_id") in blank:
                cell.source = "raise NotImplementedError()"
        nbformat.write(notebook, folder / f"{name}.ipynb")
    [entry] = autograde(tmp_path, "--i-accept-no-isolation")
    assert entry["score"] == 89 - 1.5 - 3 - 3.5 - (9 + 6 + 8) - 5 - 8 and gradebook(tmp_path) == {
        "mia": entry["score"]
    } == column(tmp_path / "r.csv", "score")
    assert missing_on_pages(tmp_path, entry) == set()
    (tmp_path / "grading" / "gradebook.db").unlink()
    shutil.rmtree(tmp_path / "grading" / "feedback")
    for command in ("generate_assignment", "autograde", "generate_feedback"):
        assert nbgrader(command, "model_editing", "--force") == 0
    assert nbgrader("export", "--to", "n.csv") == 0
    assert gradebook(tmp_path) == {"mia": entry["score"]} == column(tmp_path / "n.csv", "score")
    assert missing_on_pages(tmp_path, entry) == set()
    grader.cache_clear()


@pytest.mark.slow
def test_files_beside_the_notebook_are_graded_by_both_routes(course, monkeypatch):
    def file_test(trial):
        there = [
            (trial.folder / name).read_text()
            for name in ("my_fact.json", "my_edit.safetensors")
            if (trial.folder / name).exists()
        ]
        remark = said(", ".join(there) or "nothing")
        return Verdict(len(there) / 2, (remark,), status="fail" if there else "missing")

    tests = registry(
        HiddenTest("double.plain", 4, file_test, of_files=True),
        HiddenTest("triple.plain", 2, times(3)),
    )
    monkeypatch.setattr(hidden, "NOTEBOOKS", tests)
    model = SimpleNamespace(weight=lambda layer: torch.empty(3, 2))
    monkeypatch.setattr(grading.Grader, "model", lambda self: model)
    for name, files in (
        ("both", ("my_fact.json", "my_edit.safetensors")),
        ("one", ("my_fact.json",)),
        ("none", ()),
    ):
        folder = hand_in(course, name, triple=TRIPLE).parent
        for file in files:
            (folder / file).write_text(f"of {name}")
    # Those of an instructor who ran the solution where it stands must not take their place.
    for file in ("my_fact.json", "my_edit.safetensors"):
        (course / "solutions" / "model_editing" / file).write_text("of the staff")
    expected = {"both": 6, "one": 4, "none": 2}
    assert {e["student"]: e["score"] for e in autograde(course)} == expected == gradebook(course)
    assert "Of both, of both" in visible(body(course, "both")) and "– missing" in visible(
        body(course, "none")
    )
    (course / "grading" / "gradebook.db").unlink()
    assert nbgrader("generate_assignment", "model_editing", "--force") == 0
    assert not list((course / "assignments").rglob("my_*"))
    assert nbgrader("autograde", "model_editing", "--force") == 0
    assert gradebook(course) == expected


def test_neither_route_runs_a_notebook(course):
    trap = course / "it ran"
    path = hand_in(course, "eve", double=DOUBLE, triple=TRIPLE)
    notebook = nbformat.read(path, as_version=4)
    notebook.cells.insert(0, new_code_cell(f"open({str(trap)!r}, 'w')"))
    nbformat.write(notebook, path)
    autograde(course)
    assert nbgrader("autograde", "model_editing", "--force") == 0
    assert not trap.exists() and gradebook(course) == {"eve": 6}


def test_each_submission_is_read_once_by_both_routes(course, monkeypatch):
    read, reads = grading.read_submission, []
    monkeypatch.setattr(
        grading, "read_submission", lambda folder, *a: reads.append(folder) or read(folder, *a)
    )
    folders = [
        hand_in(course, name, double=DOUBLE, triple=TRIPLE).parent for name in ("ada", "bob")
    ]
    autograde(course)
    assert sorted(reads) == folders
    reads.clear()
    assert nbgrader("autograde", "model_editing", "--force") == 0
    assert sorted(reads) == folders and gradebook(course) == {"ada": 6, "bob": 6}


def test_the_latest_submission_is_read_again_when_something_has_changed(course):
    path = hand_in(course, "ada", double=DOUBLE)
    folder, reads = path.parent, []
    latest = LatestSubmission(
        lambda folder: reads.append(folder) or grading.submission_in(folder, TESTS)
    )
    first = latest.of(folder)
    assert latest.of(folder) is first and first["3_edit"].filled == 1
    path.write_text(path.read_text().replace("raise NotImplementedError()", "return 3 * x"))
    assert latest.of(folder)["3_edit"].filled == 2
    changes = [
        lambda: (folder / "my_fact.json").write_text("{}"),
        lambda: (folder / "deeper").mkdir(),
        lambda: (folder / "deeper" / "1_measure.ipynb").symlink_to(path),
        lambda: folder.parent.with_name("ada.zip").write_bytes(b""),
        lambda: messages.use("zh-TW"),
        path.unlink,
    ]
    for number, change in enumerate(changes, start=3):
        change()
        assert latest.of(folder) is latest.of(folder) and len(reads) == number
    latest.close()


@pytest.mark.slow
def test_a_course_that_still_names_the_plugin_by_its_old_address_is_graded(course):
    config = course / "nbgrader_config.py"
    old = config.read_text().replace("autograder.gradebook.plugin", "autograder.nbgrader_plugin")
    assert old.count("autograder.nbgrader_plugin") == 3
    config.write_text(old)
    hand_in(course, "ada", double=DOUBLE, triple=TRIPLE)
    autograde(course)
    assert gradebook(course) == {"ada": 6}
    (course / "grading" / "gradebook.db").unlink()
    for command in ("generate_assignment", "autograde", "generate_feedback"):
        assert nbgrader(command, "model_editing", "--force") == 0
    assert gradebook(course) == {"ada": 6}
    assert "✓ passed" in visible(body(course, "ada"))


def test_a_manual_grade_survives_grading_again(course):
    hand_in(course, "ada", double=DOUBLE, written_why="Because.")
    autograde(course)
    with Gradebook(f"sqlite:///{course / 'grading' / 'gradebook.db'}") as book:
        grade = book.find_grade("written_why", "3_edit", "model_editing", "ada")
        assert grade.auto_score is None and grade.needs_manual_grade
        grade.manual_score = 3
        book.db.commit()
    autograde(course)
    assert gradebook(course) == {"ada": 7}


def test_feedback_shows_tests_and_messages(course):
    hand_in(course, "half", double=DOUBLE, triple="def triple(x):\n    return x")
    autograde(course)
    text = visible(body(course, "half"))
    assert (
        "✗ not yet 1 / 2 A title It is another multiple." in text
        and "✓ passed 3 / 3 A title It is as it should be." in text
    )


def test_the_page_tells_of_the_challenge_and_the_gradebook_does_not_count_it(course, monkeypatch):
    tests = {"3_edit": SimpleNamespace(cells=TESTS["3_edit"].cells, challenge=True)}
    monkeypatch.setattr(hidden, "NOTEBOOKS", tests)
    bonus = Bonus(3.0, 5.0, "Well <b>done</b>.", "Amber Otter 123")
    monkeypatch.setattr(grading, "bonus_of", lambda *_: bonus)
    hand_in(course, "ada")
    autograde(course)
    page = body(course, "ada")
    text = html.unescape(visible(page))
    assert "<b>done" not in page and "Well <b>done</b>." in text
    assert "3 of 5 points" in text and "Amber Otter 123" in text
    without = gradebook(course)
    monkeypatch.setattr(grading, "bonus_of", lambda *_: None)
    autograde(course)
    assert gradebook(course) == without
    assert "Amber Otter" not in visible(body(course, "ada"))


def test_nothing_of_a_student_becomes_markup(course):
    raises = f"def double(x):\n    raise ValueError({HOSTILE!r})"
    path = hand_in(
        course, "eve", double=raises, written_why=f"{HOSTILE}\n\n<img src=x onerror=alert(1)>"
    )
    notebook = json.loads(path.read_text())
    notebook["metadata"]["title"] = HOSTILE
    notebook["cells"][2]["metadata"]["tags"] = ['"><script>alert(2)</script>']
    notebook["cells"][6]["attachments"] = {"a.png": {'image/png"><script>alert(3)</script>': "x"}}
    notebook["cells"].append(
        {
            "cell_type": "raw",
            "metadata": {"raw_mimetype": "text/html"},
            "source": "<script>alert(4)</script>",
        }
    )
    notebook["cells"].append(
        {
            "cell_type": "markdown",
            "metadata": mark('x"><script>alert(5)</script>', True, True, 1),
            "source": "<iframe src=x>",
        }
    )
    path.write_text(json.dumps(notebook))
    for route in (
        autograde,
        lambda _: (
            nbgrader("autograde", "model_editing", "--force")
            + nbgrader("generate_feedback", "model_editing", "--force")
        ),
    ):
        route(course)
        html = body(course, "eve")
        tags = re.findall(r"<[^>]*>", html)
        assert not [
            tag for tag in tags if re.search(r"script|onerror|iframe|javascript:|<img", tag)
        ]
        assert "\u202e" not in html and "\x1b" not in html
        assert "raised ValueError: &lt;script&gt;" in html


def test_cells_of_the_release_stay_as_they_are(course):
    hand_in(course, "ada")
    by_nbgrader(course)
    assert "<mo>&lt;</mo><mi>y</mi>" in body(course, "ada")


def test_links_lead_nowhere(course):
    (course / "staff.txt").write_text(STAFF_SECRET)
    path = hand_in(course, "eve", double=DOUBLE)
    (path.parent / "my_fact.json").symlink_to(course / "staff.txt")
    (path.parent / "notes.txt").symlink_to(course / "staff.txt")
    linked = hand_in(course, "mal")
    linked.unlink()
    linked.symlink_to(course / "solutions" / "model_editing" / "3_edit.ipynb")
    (course / "grading" / "submitted" / "whole").mkdir()
    (course / "grading" / "submitted" / "whole" / "model_editing").symlink_to(
        course / "solutions" / "model_editing"
    )
    (course / "grading" / "submitted" / "all").symlink_to(course / "solutions")
    for route in (autograde, by_nbgrader):
        route(course)
        assert gradebook(course) == {"eve": 4, "mal": 0, "whole": 0, "all": 0}
        for path in (course / "grading" / "autograded").rglob("*"):
            assert (
                path.is_dir()
                or STAFF_SECRET not in path.read_text()
                and "return 3 * x" not in path.read_text()
            )
    assert (course / "staff.txt").read_text() == STAFF_SECRET
    assert (course / "solutions" / "model_editing" / "3_edit.ipynb").exists()


def test_nothing_beside_a_notebook_reaches_its_page(course):
    (course / "staff.txt").write_text(STAFF_SECRET)
    folder = hand_in(course, "eve", double=DOUBLE).parent
    names = {
        "timestamp.txt",
        "timestamp.unreadable.txt",
        "notes.txt",
        "3_edit.html",
        "my_fact.json",
    }
    (folder / "deeper").mkdir()
    for name in (*names, "deeper/a.txt"):
        (folder / name).hardlink_to(course / "staff.txt")
    for route in (by_nbgrader, autograde, by_nbgrader):
        route(course)
        assert gradebook(course) == {"eve": 4}
        page_of_ours = "feedback.html" if route is autograde else "3_edit.html"
        for step, file in (("autograded", "3_edit.ipynb"), ("feedback", page_of_ours)):
            made = [path for path in (course / "grading" / step).rglob("*") if path.is_file()]
            assert [path.name for path in made] == [file]
            assert STAFF_SECRET not in made[0].read_text()
    assert {path.name for path in folder.iterdir()} == {*names, "3_edit.ipynb", "deeper"}


def test_nbgrader_says_in_a_sentence_what_keeps_it_from_grading(course, caplog):
    hand_in(course, "ada", double=DOUBLE)
    (course / "assignments").rename(course / "elsewhere")
    assert nbgrader("autograde", "model_editing") == 1
    assert "run nbgrader generate_assignment model_editing" in caplog.text
    assert "Traceback" not in caplog.text


def test_a_broken_test_of_ours_shows_as_such(course, monkeypatch, caplog):
    tests = registry(
        HiddenTest("double.plain", 4, lambda bench: 1 / 0), HiddenTest("triple.plain", 2, times(3))
    )
    monkeypatch.setattr(hidden, "NOTEBOOKS", tests)
    hand_in(course, "ada", double=DOUBLE, triple=TRIPLE)
    autograde(course)
    assert gradebook(course) == {"ada": 2}
    text = visible(body(course, "ada"))
    assert "Tell the course staff" in text and "division" not in text


def test_a_lost_result_gives_zero_not_full_credit(course, monkeypatch):
    notebook = released(course)
    monkeypatch.setattr(GradeInSandbox, "result", lambda self, **where: 1 / 0)
    GradeInSandbox().preprocess(
        notebook,
        {"nbgrader": {"student": "a", "assignment": "m", "notebook": "3_edit", "db_url": ""}},
    )
    outputs = [cell.outputs for cell in notebook.cells if cell.source.startswith("check")]
    assert [output[1].data["text/plain"] for output in outputs] == ["0.0", "0.0"]
    assert all("course staff" in output[0].data["text/markdown"] for output in outputs)


def test_points_of_cell_and_tests_must_agree(course):
    tests = registry(HiddenTest("double.plain", 5, times(2)))
    with pytest.raises(KeyholeError, match="test_double .* worth 4 points"):
        Course("model_editing", tests, course)


def test_without_a_course_the_report_is_still_made(course, capsys):
    hand_in(course, "ada", double=DOUBLE)
    (course / "elsewhere").mkdir()
    assert (
        cli.main(["grade", "grading/submitted", "--json", "r.json", "--course", "elsewhere"]) == 0
    )
    assert "No gradebook" in capsys.readouterr().err
    assert json.loads((course / "r.json").read_text())[0]["score"] == 4


def test_neither_assignments_nor_submissions_change(course):
    hand_in(course, "ada", double=DOUBLE)
    paths = [
        course / "assignments" / "model_editing" / "3_edit.ipynb",
        course / "grading" / "submitted" / "ada" / "model_editing" / "3_edit.ipynb",
    ]
    before = [path.read_bytes() for path in paths]
    autograde(course)
    assert [path.read_bytes() for path in paths] == before


@pytest.mark.parametrize("text", [r"\begin{a}", r"\\[", r"\\("])
def test_formulas_that_are_opened_a_thousand_times_are_none(text):
    assert harmless(99 * text) == 99 * text and text not in harmless(1000 * text)


def test_empty_lines_in_plenty_are_closed_up():
    assert closed_up("a\n\n\nb" + 1000 * "\n " + "\nc") == "a\n\n\nb" + 20 * "\n " + "\nc"


def test_mending_a_whole_notebook_changes_no_text(course):
    notebook = released(course)
    path = hand_in(course, "ada", notebook)
    with grading.submission_in(path.parent, TESTS) as submission:
        again = mended(submission["3_edit"], released(course))
    assert [(c.cell_type, c.source, c.metadata) for c in again.cells] == [
        (c.cell_type, c.source, c.metadata) for c in notebook.cells
    ]


@pytest.mark.parametrize(
    "text, shown",
    [
        ("a<b", "a< b"),
        ("a < b", "a < b"),
        ("x<0", "x<0"),
        ("</p>", "< /p>"),
        ("<!--", "< !--"),
        ("[x](https://a.org)", "[x](https://a.org)"),
        ("[x](javascript:y)", "[x] (javascript:y)"),
        ("[x]( java&#115;cript:y)", "[x] ( java&#115;cript:y)"),
        ("[x]: javascript:y", "[x] : javascript:y"),
        ("[x]:\nhttp://a.org", "[x]:\nhttp://a.org"),
        ("![x](attachment:a.png)", "![x](attachment:a.png)"),
        ("![x](attachment:b.png)", "![x] (attachment:b.png)"),
    ],
)
def test_no_tag_can_begin_and_links_lead_to_pages_only(text, shown):
    assert harmless(text, {"a.png"}) == shown == harmless(shown, {"a.png"})


def test_feedback_names_no_markup_of_its_own_accord():
    test = TestResult("f.x", "n", 1, 2, "fail", "a|b\n\n# c `d` $e$ <f> \x1b[31m", title="T|T")
    row = table_of([test]).splitlines()[-1]
    assert (
        row.count("|") == 5
        and "<f>" not in row
        and "$" not in row
        and "\x1b" not in row
        and "<code>d</code>" in row
    )


def test_without_isolation_nothing_is_recorded_unless_that_is_accepted(course, monkeypatch, capfd):
    hand_in(course, "ada", double=DOUBLE, triple=TRIPLE)
    monkeypatch.setattr(isolation, "best", lambda: isolation.MachineLevel("E", {}))
    assert (
        nbgrader("autograde", "model_editing") == 1
        and "hidden tests are refused" in capfd.readouterr().err
    )
    assert not (course / "grading" / "autograded" / "ada" / "model_editing").exists()
    with (course / "nbgrader_config.py").open("a") as file:
        file.write("c.GradeInSandbox.accept_no_isolation = True\n")
    assert nbgrader("autograde", "model_editing") == 0 and gradebook(course) == {"ada": 6}


def test_without_the_model_nothing_is_recorded(course, monkeypatch, capfd):
    hand_in(course, "ada", double=DOUBLE, triple=TRIPLE)
    with_model = SimpleNamespace(cells=TESTS["3_edit"].cells, models=("smollm2-135m",))
    monkeypatch.setattr(hidden, "NOTEBOOKS", {"3_edit": with_model})
    monkeypatch.setenv("KEYHOLE_MODEL", str(course / "none"))
    assert (
        nbgrader("autograde", "model_editing") == 1
        and "which does not exist" in capfd.readouterr().err
    )
    assert not (course / "grading" / "autograded" / "ada" / "model_editing").exists()


def test_pages_are_in_the_courses_language_by_both_routes_and_in_the_one_asked_for(course):
    hand_in(course, "ada", double=DOUBLE)
    config = course / "nbgrader_config.py"
    config.write_text(config.read_text().replace('language = "en"', 'language = "zh-TW"'))
    chinese = ("結果", "✓ 通過", "– 缺少", "還是空白", "隔離等級 E。")

    def by_nbgrader(course):
        messages.use("en")
        assert (
            nbgrader("autograde", "model_editing", "--force")
            + nbgrader("generate_feedback", "model_editing", "--force")
            == 0
        )

    for route in (autograde, by_nbgrader):
        route(course)
        assert all(words in visible(body(course, "ada")) for words in chinese)
    autograde(course, "--lang", "en")
    assert not any(
        words in visible(body(course, "ada")) for words in chinese
    ) and "✓ passed" in visible(body(course, "ada"))


def test_feedback_names_the_level(course):
    hand_in(course, "ada", double=DOUBLE, triple=TRIPLE)
    autograde(course)
    assert "Isolation level E." in visible(body(course, "ada"))
