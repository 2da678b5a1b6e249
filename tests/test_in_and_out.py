"""Downloads of course systems in, points and pages out: round trips through readers of their rules.

The readers are written after what Canvas's and Moodle's own code does (its gradebook importer and
its upload of feedback), not after our writers.
"""

import csv
import io
import json
import os
import re
import shutil
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
import yaml

from autograder import cli
from autograder.gradebook.collected import LIST, feedback_zip, rows_in
from autograder.gradebook.exports import (
    Points,
    canvas_gradebook,
    moodle_worksheet,
    questions,
    totals,
)
from autograder.gradebook.feedback import totals as shown
from autograder.gradebook.gradescope import results_of
from autograder.gradebook.roster import read_roster
from autograder.gradebook.standings import Mark, Standing
from autograder.pages.feedback import feedback_page
from autograder.result import Result, TestResult
from autograder.sandbox import isolation
from keyhole.errors import Unusable
from keyhole.paths import data_folder
from tests.standins import DOUBLE, HOSTILE
from tests.test_feedback_page import give
from tests.test_nbgrader import autograde, course, hand_in, prepared

assert course and prepared  # fixtures
ROSTER = (
    "student_id,name,email,canvas,moodle,gradescope\n"
    "ada,Ada Lovelace,ada@x.edu,101,5001,g1\n"
    'bo,"Li, Bo",bo@x.edu,102,5002,g2\n'
    "chen,陳小明,chen@x.edu,103,5003,g3\n"
    "dora,Dora Maar,dora@x.edu,104,5004,g4\n"
)
TEMPLATE = (
    "Student,ID,SIS User ID,SIS Login ID,Section,Keyhole (77),Quiz (78),Final Grade\n"
    "Manual Posting,,,,,,,\n"
    "    Points Possible,,,,,9,10,(read only)\n"
    '"Lovelace, Ada",101,S1,adal,NLP,3,7,90\n'
    '"Bo, Li",102,S2,bo,NLP,,8,80\n'
    '"Maar, Dora",104,S4,dora.m,NLP,2,9,70\n'
    '"Student, Test",999,,,NLP,,,\n'
)
WORKSHEET = (
    "\ufeffIdentifier,Full name,Email address,Status,Grade,Maximum Grade,Grade can be changed,"
    "Last modified (submission),Last modified (grade),Feedback comments\n"
    'Participant 5001,Ada Lovelace,ada@x.edu,Submitted,-,"9,00",Yes,"Monday, 1 June",-,Well done\n'
    'Participant 5002,Li Bo,bo@x.edu,Submitted,"1,50","9,00",No,"Monday, 1 June",-,\n'
    'Participant 5004,Dora Maar,dora@x.edu,Submitted,,"9,00",Yes,"Monday, 1 June",-,\n'
)
POINTS = Points({"ada": 8.25, "bo": 4.0}, 9.0, "automatic", ["dora"])


@pytest.fixture
def roster(tmp_path):
    (tmp_path / "roster.csv").write_text(ROSTER, encoding="utf-8")
    return read_roster(tmp_path / "roster.csv")


def zipped(path, files):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name, (2026, 11, 20, 23, 59, 58)), content)
    return path


def collected(tmp_path, system, files, *options):
    (tmp_path / "roster.csv").write_text(ROSTER, encoding="utf-8")
    download = zipped(tmp_path / "download.zip", files)
    where = ["--roster", str(tmp_path / "roster.csv"), "--to", str(tmp_path / "in"), *options]
    return cli.main(["collect", str(download), "--from", system, *where])


def files_in(tmp_path):
    return {
        path.relative_to(tmp_path / "in").as_posix(): path.read_text()
        for path in (tmp_path / "in").rglob("*")
        if path.is_file() and path.name != LIST
    }


# ---------------------------------------------------------------- readers after the systems' rules


def read_as_canvas(text, existing):
    """(assignment id, {user id: new grade}) as Canvas's importer finds them."""
    rows = list(csv.reader(io.StringIO(text)))
    header = rows[0]
    assert header[:2] == ["Student", "ID"] and "Section" in header
    first = header.index("Section") + 1
    assert len(header) == first + 1, "other columns would be imported too"
    number = re.search(r"\((\d+)\)$", header[first])[1]
    rest = rows[1:]
    while rest[0][0] == "Manual Posting":
        rest = rest[1:]
    assert "Points Possible" in rest[0][0]
    changes = {row[1]: row[first] for row in rest[1:]}
    assert all(grade for grade in changes.values()), "an empty cell takes a grade away"
    return number, {user: float(g) for user, g in changes.items() if existing.get(user) != float(g)}


def read_as_canvas_feedback(content, submissions):
    """{user id: page}, as Canvas finds the submission of an uploaded file."""
    found = {}
    for name, page in unzipped(content).items():
        parts = [part for part in name.split("_") if part != "LATE"]
        user, attachment = [part for part in parts if part.isdigit()][:2]
        if attachment in submissions.get(user, ()):
            found[user] = page
    return found


def read_as_moodle(text):
    """{participant: grade}; grades that Moodle would pass over in silence are not there."""
    found = {}
    for row in csv.reader(io.StringIO(text.removeprefix("\ufeff"))):
        number = re.search(r"Participant (\d+)", row[0])
        if number and row[6] == "Yes" and row[4] not in ("", "-"):
            grade, most = (float(cell.replace(",", ".")) for cell in row[4:6])
            assert 0 <= grade <= most
            found[number[1]] = grade
    return found


def unzipped(content):
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


# ---------------------------------------------------------------- in


def test_canvas_ids_late_marks_and_clashing_names(tmp_path, capsys):
    files = {
        "lovelaceada_101_9001_1_measure.ipynb": "a1",
        "lovelaceada_101_9002_3_edit-2.ipynb": "a3",
        "libo_LATE_102_9003_1_measure.ipynb": "b1",
        "libo_LATE_102_9004_1_Measure.ipynb": "b2",
        "nobody_777_9005_1_measure.ipynb": "n",
        "readme.txt": "x",
    }
    assert collected(tmp_path, "canvas", files) == 3
    assert files_in(tmp_path) == {
        "ada/model_editing/1_measure.ipynb": "a1",
        "ada/model_editing/3_edit.ipynb": "a3",
        "bo/model_editing/1_measure.ipynb": "b1",
        "bo/model_editing/1_Measure (2).ipynb": "b2",
    }
    out, err = capsys.readouterr()
    assert "2 students handed in 4 files" in out and "1 are late: bo" in out
    assert "2 handed in nothing: chen, dora" in out
    assert "bo: 1_Measure.ipynb kept as 1_Measure (2).ipynb" in out and "readme.txt" in out
    assert "nobody_777_9005: nobody in the roster" in err
    row = next(row for row in rows_in(tmp_path / "in") if row["student"] == "bo")
    assert (row["name"], row["late"], row["time"]) == ("Li, Bo", "late", "2026-11-20 23:59:58")


def test_a_page_finds_its_submission_in_canvas_and_in_moodle(tmp_path):
    collected(tmp_path, "canvas", {"libo_LATE_102_9003_1.ipynb": "b", "x_101_9001_1.ipynb": "a"})
    page = tmp_path / "page.html"
    page.write_text("of bo")
    rows = rows_in(tmp_path / "in")
    content = feedback_zip("canvas", rows, {"bo": page})
    assert read_as_canvas_feedback(content, {"102": {"9003"}}) == {"102": "of bo"}
    assert read_as_canvas_feedback(content, {"102": {"9999"}}) == {}
    shutil.rmtree(tmp_path / "in")
    folder = "陳小明_5003_assignsubmission_file"
    collected(tmp_path, "moodle", {f"{folder}/1_measure.ipynb": "c"})
    content = feedback_zip("moodle", rows_in(tmp_path / "in"), {"chen": page})
    assert unzipped(content) == {f"{folder}/feedback.html": "of bo"}


@pytest.mark.parametrize(
    "folder",
    [
        "Ada Lovelace_5001_assignsubmission_file/1_measure.ipynb",
        "Ada Lovelace_5001_assignsubmission_file_/1_measure.ipynb",
        "Ada Lovelace_5001_assignsubmission_file_1_measure.ipynb",
        "Participant_5001_assignsubmission_file/1_measure.ipynb",
        "Lovelace Ada_1_assignsubmission_file/1_measure.ipynb",
    ],
)
def test_moodle_in_all_its_forms(tmp_path, folder):
    assert collected(tmp_path, "moodle", {folder: "a"}) == 0
    assert files_in(tmp_path) == {"ada/model_editing/1_measure.ipynb": "a"}


def test_gradescope_with_its_times(tmp_path):
    about = {
        "submission_1": {
            ":submitters": [{":name": "Ada Lovelace", ":sid": "ada", ":email": "ada@x.edu"}],
            ":created_at": "2026-11-20 10:00:00 +0800",
        }
    }
    files = {
        "export/submission_metadata.yml": yaml.safe_dump(about),
        "export/submission_1/work/3_edit.ipynb": "a",
    }
    assert collected(tmp_path, "gradescope", files) == 0
    assert files_in(tmp_path) == {
        "ada/model_editing/work/3_edit.ipynb": "a",
        "ada/model_editing/timestamp.txt": "2026-11-20 10:00:00 +0800",
    }
    assert collected(tmp_path, "gradescope", {"submission_1/a.ipynb": "x"}) == 2


def test_any_zip_of_folders_and_a_second_time(tmp_path, capsys):
    files = {"hw/ada/3_edit.ipynb": "a", "hw/Bo Li/work/3_edit.ipynb": "b", "hw/eve/x/y": "e"}
    assert collected(tmp_path, "zip", files) == 3
    assert collected(tmp_path, "zip", {"ada/1.ipynb": "new", "ada/../../evil": "x"}) == 0
    assert files_in(tmp_path) == {
        "ada/model_editing/1.ipynb": "new",
        "bo/model_editing/work/3_edit.ipynb": "b",
    }
    assert {row["student"] for row in rows_in(tmp_path / "in")} == {"ada", "bo"}


def test_nothing_that_was_not_collected_is_replaced(tmp_path, capsys):
    (tmp_path / "in" / "ada" / "model_editing").mkdir(parents=True)
    assert collected(tmp_path, "zip", {"ada/1.ipynb": "a", "bo/1.ipynb": "b"}) == 2
    assert "was not collected" in capsys.readouterr().err


@pytest.mark.parametrize("content", ["", "a,b\n1,2\n", "student_id\n", "student_id\na\na\n"])
def test_a_roster_that_cannot_be_used_is_one_sentence(tmp_path, content):
    (tmp_path / "r.csv").write_text(content)
    with pytest.raises(Unusable):
        read_roster(tmp_path / "r.csv")


def test_rosters_of_canvas_moodle_and_nbgrader(tmp_path):
    def of(text):
        (tmp_path / "r.csv").write_text(text, encoding="utf-8-sig")
        return read_roster(tmp_path / "r.csv")

    assert of(TEMPLATE).find(["101"]) == "adal" and of(TEMPLATE).find(name="Ada Lovelace") == "adal"
    assert of(WORKSHEET).find(["5004"]) == "dora@x.edu"
    ours = of("id,first_name,last_name,email,lms_user_id\nada,Ada,Lovelace,a@x,101\n")
    assert ours.find(["101"]) == ours.find(name="lovelaceada") == "ada"
    two = of("id,name\na,Li Bo\nb,Bo Li\n")
    assert two.find(name="Li Bo") is None and two.find(["b"], "Li Bo") == "b"


# ---------------------------------------------------------------- out


def test_canvas_changes_the_one_column_and_nobody_without_points(roster):
    filled = canvas_gradebook(TEMPLATE, "Keyhole", POINTS, roster, scale=False)
    assert read_as_canvas(filled.text, {"101": 3.0}) == ("77", {"101": 8.25, "102": 4.0})
    assert filled.given == ["ada", "bo"]
    same = canvas_gradebook(TEMPLATE, "Keyhole (77)", POINTS, roster, scale=False)
    assert same.text == filled.text
    semicolons = TEMPLATE.replace(",", ";").replace('"Lovelace; Ada"', '"Lovelace, Ada"')
    assert ";8.25" in canvas_gradebook(semicolons, "Keyhole", POINTS, roster, scale=False).text


@pytest.mark.parametrize(
    "column, template, why",
    [
        ("Keyhol", TEMPLATE, "would make a new one"),
        ("Quiz", TEMPLATE, "add --scale"),
        ("Final Grade", TEMPLATE, "computes"),
        ("Keyhole", "a,b\n", "no gradebook"),
        ("Keyhole", TEMPLATE.replace("    Points Possible", "x"), "no row of points"),
    ],
)
def test_canvas_files_that_do_not_fit_are_refused(roster, column, template, why):
    with pytest.raises(Unusable, match=re.escape(why)):
        canvas_gradebook(template, column, POINTS, roster, scale=False)


def test_points_are_scaled_only_when_asked(roster):
    filled = canvas_gradebook(TEMPLATE, "Quiz", POINTS, roster, scale=True)
    assert read_as_canvas(filled.text, {}) == ("78", {"101": 9.1667, "102": 4.4444})


def test_moodle_reads_the_grades_and_keeps_its_comments(roster):
    filled = moodle_worksheet(WORKSHEET, POINTS, roster.find, scale=False)
    assert read_as_moodle(filled.text) == {"5001": 8.25}
    assert "Well done" in filled.text and '"8,25"' in filled.text
    assert filled.told == ["bo: Moodle has locked the grade"] and "5004" not in filled.text
    with pytest.raises(Unusable, match="no column of grades"):
        moodle_worksheet(WORKSHEET.replace(",Grade,", ",Note,"), POINTS, roster.find, False)


def test_a_total_holds_all_and_is_never_below_nothing():
    marks = (
        Mark("n", "test_a", False, 4, 3.0, 1.0, 0.5, False),
        Mark("n", "written_b", True, 3, None, 2.0, 0.0, False),
    )
    standing = Standing("ada", marks, {}, 1.0, None)
    assert (standing.automatic, standing.manual, standing.total) == (1.5, 2.0, 2.5)
    assert Standing("ada", marks, {}, 9.0, None).total == 0 and marks[0].overridden


def test_a_bonus_is_in_the_points_and_not_in_what_they_are_out_of():
    marks = (
        Mark("4_scale", "test_a", False, 4, 3.0, None, 0.0, False),
        Mark("4_scale", "written_b", True, 3, None, 2.0, 0.0, False),
        Mark("5_learn_to_edit", "test_c", False, 2, 2.0, None, 0.0, False),
        Mark("5_learn_to_edit", "written_d", True, 1, None, 0.5, 0.0, False),
    )
    ada = Standing("ada", marks, {}, 0.0, None)
    assert (ada.total, ada.max_points, ada.automatic_most) == (7.5, 7, 4)
    assert (ada.bonus, ada.max_bonus) == (2.5, 3)
    assert (totals({"ada": ada}, False).most, totals({"ada": ada}, True).most) == (7, 4)
    [row] = csv.DictReader(io.StringIO(questions({"ada": ada}, None)))
    assert (row["total"], row["bonus_in_total"], row["max"]) == ("7.5", "2.5", "7")
    result = Result("ada", "model_editing", "graded", None, "A", 1.0, ())
    page = feedback_page(result, (), shown(ada))
    assert "7.5 of 7 points" in page and "bonus in these" in page and "2.5 / 3" in page


@pytest.mark.slow
def test_from_the_gradebook_to_canvas_and_a_table(course, capsys):
    for name in ("ada", "bo"):
        hand_in(course, name, double=DOUBLE, written_why=f"Because, {name}.")
    autograde(course)
    give(course, "written_why", 2.5)
    give(course, "test_double", 3)
    (course / "roster.csv").write_text(ROSTER, encoding="utf-8")
    (course / "gradebook.csv").write_text(TEMPLATE, encoding="utf-8")
    where = ["--course", str(course), "--roster", "roster.csv", "--out"]
    canvas = ["export", "canvas", "--template", "gradebook.csv", "--column", "Keyhole", *where]
    assert cli.main([*canvas, "out.csv"]) == 3
    out, err = capsys.readouterr()
    assert read_as_canvas(Path("out.csv").read_text(), {}) == ("77", {"101": 5.5})
    assert "automatic and manual points (1 of them overridden by hand), less late" in out
    assert "bo: left out, has written answers to grade" in err
    assert cli.main([*canvas, "out.csv", "--automatic"]) == 2  # out of 6, not out of 9
    assert cli.main([*canvas, "out.csv", "--automatic", "--scale"]) == 0
    assert read_as_canvas(Path("out.csv").read_text(), {})[1] == {"101": 4.5, "102": 6.0}
    assert cli.main(["export", "questions", *where, "q.csv"]) == 0
    ada, bo = csv.DictReader(io.StringIO(Path("q.csv").read_text()))
    assert (ada["name"], ada["double"], ada["written_why"]) == ("Ada Lovelace", "3.0", "2.5")
    assert (ada["automatic"], ada["manual"], ada["total"]) == ("3.0", "2.5", "5.5")
    assert (ada["overridden"], bo["written_why"], bo["to_grade"]) == ("double", "", "1")


def test_gradescope_gets_plain_text():
    tests = (
        TestResult("f.a", "n", 1, 2, "fail", f"It is {HOSTILE}.", None, "title"),
        TestResult("f.b", "n", 2, 2, "pass", "Right.", None, "title"),
    )
    told = results_of(Result("s", "model_editing", "graded", "A note.", "B", 1.26, tests))
    assert told["score"] == 3 and told["stdout_visibility"] == "hidden"
    assert "3 of 4. A note. Isolation level B." in told["output"]
    assert [each["status"] for each in told["tests"]] == ["failed", "passed"]
    assert all(each["output_format"] == "text" for each in (told, *told["tests"]))
    assert "\x1b" not in json.dumps(told, ensure_ascii=False)


@pytest.mark.slow
def test_gradescopes_zip_grades_in_a_bare_folder(tmp_path):
    """Unpacked and run as Gradescope does. Only setup.sh is left out: it downloads the packages."""
    if isolation.best().level == "E":
        pytest.skip("needs isolation")
    assert cli.main(["export", "gradescope", "--out", str(tmp_path / "a.zip")]) == 0
    source = tmp_path / "autograder" / "source"
    with zipfile.ZipFile(tmp_path / "a.zip") as archive:
        archive.extractall(source)
        modes = {info.filename: info.external_attr >> 16 for info in archive.infolist()}
    assert stat.S_IMODE(modes["run_autograder"]) == stat.S_IMODE(modes["setup.sh"]) == 0o755
    assert not [name for name in modes if "solutions/" in name or name.endswith("/secret.key")]
    subprocess.run(["bash", "-n", source / "setup.sh"], check=True)
    (source / ".venv").symlink_to(Path(sys.executable).parent.parent)
    submission = data_folder() / "sample_class" / "ivo-untouched" / "model_editing"
    shutil.copytree(submission, tmp_path / "autograder" / "submission")
    environment = {**os.environ, "AUTOGRADER_ROOT": str(tmp_path / "autograder")}
    command = ["bash", str(source / "run_autograder")]
    results = tmp_path / "autograder" / "results" / "results.json"
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    told = json.loads(results.read_text("utf-8"))
    assert told["score"] == 0 and len(told["tests"]) > 100 and "of 89" in told["output"]
    shutil.rmtree(tmp_path / "autograder" / "submission")
    assert subprocess.run(command, env=environment, capture_output=True).returncode == 2
    assert "did not finish" in results.read_text("utf-8")
