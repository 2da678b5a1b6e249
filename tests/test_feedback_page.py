"""A student's one page: total, functions, tests, written answers, and what the staff changed."""

import re
from datetime import datetime

from nbgrader.api import Gradebook

from autograder import cli
from autograder.gradebook.standings import standings
from autograder.messages import on_page
from autograder.pages.feedback import Totals, feedback_page
from autograder.result import Result
from keyhole import messages
from tests.standins import DOUBLE, HOSTILE, TRIPLE
from tests.test_nbgrader import autograde, course, hand_in, page, prepared, visible

assert course and prepared  # fixtures


def give(course, cell, points, comment=None, where=None):
    """Points and a comment by hand, as formgrader gives them."""
    with Gradebook(f"sqlite:///{course / 'grading' / 'gradebook.db'}") as book:
        grade = book.find_grade(cell, "3_edit", "model_editing", "ada")
        grade.manual_score, grade.needs_manual_grade = points, False
        if comment:
            found = book.find_comment(where or cell, "3_edit", "model_editing", "ada")
            found.manual_comment = comment
        book.db.commit()


def text_of(course):
    return visible(page(course, "ada").partition("<body>")[2])


def test_one_page_shows_totals_functions_tests_and_answers(course):
    half = "def triple(x):\n    return x"
    hand_in(course, "ada", double=DOUBLE, triple=half, written_why="Because $C$ is <b>.")
    autograde(course)
    folder = course / "grading" / "feedback" / "ada" / "model_editing"
    assert [path.name for path in folder.iterdir()] == ["feedback.html"]
    text = text_of(course)
    assert "5 of 9 points" in text and "hidden tests 5 / 6 · written questions 0 / 3" in text
    assert on_page("feedback_open", count=1) in text
    assert "✓ double 4 / 4 All tests passed (2)." in text
    # First what is wrong, in large type; then the tests, folded.
    html = page(course, "ada")
    assert '<p class="diagnosis">It is another multiple. Is the factor another one?</p>' in html
    assert "another one? All tests (1, of which 1 failed) result" in text
    assert html.index("diagnosis") < html.index("<details>") < html.index("A title")
    assert "✗ not yet 1 / 2 A title It is another multiple." in text
    assert "Because C is &lt; b&gt;." in text and "not graded yet / 3" in text
    assert "return x" in text


def test_points_and_comments_by_hand_and_an_override_that_says_so(course):
    hand_in(course, "ada", double=DOUBLE, triple=TRIPLE, written_why="So.")
    autograde(course)
    give(course, "written_why", 2.5, f"Nearly {HOSTILE}\nSee p. 4.")
    give(course, "test_double", 1, "Copied from the board.", where="double")
    standing = standings(course, "model_editing")["ada"]
    assert (standing.automatic, standing.manual, standing.total) == (3, 2.5, 5.5)
    assert cli.main(["feedback", "r.json", "--course", str(course)]) == 0
    text, html = text_of(course), page(course, "ada")
    assert "5.5 of 9 points" in text and "written questions 2.5 / 3" in text
    assert on_page("feedback_overridden", points="4") in text and "double 1 / 4" in text
    assert "Copied from the board." in text and "See p. 4." in text
    assert "not graded yet" not in text and "Not final" not in text
    assert "<script" not in html and "\x1b" not in html and "\u202e" not in html
    assert not re.search(r"(?:src|href)=|url\(|https?://", html)


def test_the_page_speaks_the_courses_language_or_the_one_asked_for(course):
    hand_in(course, "ada", double=DOUBLE)
    autograde(course)
    assert cli.main(["feedback", "r.json", "--course", str(course), "--lang", "zh-TW"]) == 0
    assert messages.language() == "zh-TW" and on_page("feedback_automatic") in text_of(course)
    assert "滿分 9" in text_of(course)


def test_what_stands_at_the_bottom_has_lines_of_its_own():
    result = Result("ada", "model_editing", "graded", None, "A", 1.0, ())
    html = feedback_page(result, (), Totals(1, 9, 1, 6, 0, 3, 0, 0), datetime(2026, 11, 2, 10))
    assert "Handed in on 2026-11-02 10:00 UTC.<br>Isolation level A.</footer>" in html


def test_who_is_not_in_the_gradebook_is_named(course, capsys):
    hand_in(course, "ada", double=DOUBLE)
    autograde(course)
    report = (course / "r.json").read_text()
    (course / "r.json").write_text(report.replace('"ada"', '"zoe"'))
    assert cli.main(["feedback", "r.json", "--course", str(course)]) == 3
    assert "zoe: no page: not in the gradebook" in capsys.readouterr().err
    (course / "grading" / "gradebook.db").unlink()
    assert cli.main(["feedback", "r.json", "--course", str(course)]) == 1
    assert "grade the class first" in capsys.readouterr().err
    assert not (course / "grading" / "gradebook.db").exists()
