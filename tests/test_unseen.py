"""`autograder validity --unseen`: the folder, its table of verdicts, and the figures."""

from dataclasses import replace
from pathlib import Path

import pytest

from autograder import cli
from autograder.result import Result, TestResult
from autograder.validity import unseen
from autograder.validity.run import Graded
from autograder.validity.solution import Solution
from keyhole import messages
from keyhole.errors import KeyholeError

ROOT = Path(__file__).resolve().parent.parent
CODE = "def efficacy(nll_true, nll_new):\n    return (nll_new < nll_true).mean()\n"
HEAD = "# function: efficacy\n# wrong: takes the mean of booleans\n"
ROW = unseen.Told("a", "efficacy", "takes|it", "yes", "factor", "It is wrong. / So *it* is.")


def test_a_file_is_a_solution_of_one_or_more_cells(tmp_path):
    (tmp_path / "booleans.py").write_text(HEAD + "import math\n# %% next\n" + CODE, "utf-8")
    [found] = unseen.solutions(tmp_path)
    assert (found.function, found.name) == ("efficacy", "booleans")
    assert found.mistake == "takes the mean of booleans"
    assert found.cells == ("import math\n", CODE)


@pytest.mark.parametrize(
    "content, says",
    [
        ("", "does not begin with the lines"),
        (CODE, "does not begin with the lines"),
        ("# function: efficacy\n" + CODE, "does not begin with the lines"),
        (HEAD.replace("efficacy", "nonsense") + CODE, "no hidden tests of nonsense"),
        (HEAD.encode() + b"\xff", "cannot be read"),
    ],
)
def test_what_is_no_solution_is_told_in_a_sentence(tmp_path, content, says, capsys):
    content = content if isinstance(content, bytes) else content.encode()
    (tmp_path / "one.py").write_bytes(content)
    with pytest.raises(KeyholeError, match=says):
        unseen.solutions(tmp_path)
    assert cli.main(["validity", "--unseen", str(tmp_path)]) == cli.UNUSABLE
    assert says in capsys.readouterr().err


def test_a_folder_that_is_not_there_or_empty_is_told(tmp_path, capsys):
    for folder, says in ((tmp_path / "none", "there is no folder"), (tmp_path, "no files *.py")):
        assert cli.main(["validity", "--unseen", str(folder)]) == cli.UNUSABLE
        assert says in capsys.readouterr().err


def test_what_is_told_is_each_sentence_and_each_name_once():
    def test(case, verdict="fail", **more):
        points = float(verdict == "pass")
        return TestResult(f"efficacy.{case}", "1_measure", points, 1.0, verdict, "No.", **more)

    tests = (
        test("mixed", misconception="tie_counts"),
        test("ties", symptom="factor"),
        test("close", symptom="factor"),
        test("one", "pass"),
    )
    graded = Graded(
        Solution("efficacy", "a", mistake="took it"),
        Result("a", "model_editing", "graded", None, "A", 0.1, tests),
    )
    row = unseen.told(graded)
    assert (row.caught, row.named, row.told) == ("yes", "tie_counts, factor", "No.")
    assert row.contradictions == ""
    tests = (
        test("mixed", misconception="share_in_percent"),
        test("ties", misconception="tie_counts"),
    )
    told = (messages.misconception(each.misconception) for each in tests)
    tests = tuple(replace(each, message=str(words)) for each, words in zip(tests, told))
    graded = replace(graded, result=replace(graded.result, tests=tests))
    assert unseen.told(graded).contradictions == "share_in_percent and tie_counts"


def test_a_verdict_stays_as_long_as_the_same_is_told():
    judged = replace(ROW, verdict="specific")
    assert ROW.judged(judged).verdict == "specific"
    other = replace(ROW, told="Something else.").judged(judged)
    assert (other.verdict, other.before) == ("", "specific")
    assert ROW.judged(None) == ROW


def test_the_table_comes_back_and_a_wrong_verdict_is_told(tmp_path):
    rows = [replace(ROW, verdict="false"), replace(ROW, file="b", told='two\nlines, "quoted"')]
    (tmp_path / unseen.TOLD).write_text(unseen.as_csv(rows), "utf-8")
    assert unseen.read(tmp_path) == rows and unseen.read(tmp_path / "none") == []
    (tmp_path / unseen.TOLD).write_text(unseen.as_csv([replace(ROW, verdict="fine")]), "utf-8")
    with pytest.raises(KeyholeError, match="the verdict 'fine'"):
        unseen.read(tmp_path)


def test_the_figures_count_what_people_judged():
    rows = [
        replace(ROW, verdict="specific"),
        replace(ROW, verdict="vague", named=""),
        replace(ROW, caught="no", named=""),
        ROW,
    ]
    shown = dict(unseen.figures(rows))
    assert shown["wrong solutions that lose points"] == "3 of 4 (75.0%)"
    assert shown["of these, told a misconception or a symptom"] == "2 of 3 (66.7%)"
    assert shown["of these, judged `specific` by a person"] == "1 of 3 (33.3%)"
    assert shown["of these, not judged yet"] == "1"
    assert unseen.short_of(rows) == ["caught"]
    assert unseen.short_of([rows[0]]) == []
    assert unseen.short_of([replace(ROW, verdict="false")]) == ["specific", "false"]
    torn = replace(rows[0], contradictions="factor and sign, factor and zero")
    figures = dict(unseen.figures([torn]))
    assert figures["pairs of sentences on one feedback page that contradict each other"] == "2"
    assert unseen.short_of([torn]) == ["contradictions"]
    assert "takes|it" in unseen.as_text(rows) and "NOT CAUGHT" in unseen.as_text(rows)


def test_the_page_keeps_the_catalogue_and_gets_the_set(tmp_path):
    page = "# Can the grading be trusted?\n\nthe catalogue\n"
    before = unseen.put_into(page, tmp_path)
    assert before.startswith(page) and "No set was graded yet." in before
    (tmp_path / unseen.TOLD).write_text(unseen.as_csv([ROW]), "utf-8")
    after = unseen.put_into(before, tmp_path)
    assert after.startswith(page) and "takes\\|it" in after and "So \\*it\\* is." in after
    assert "No set was graded yet." not in after and after == unseen.put_into(after, tmp_path)


def test_a_set_in_the_folder_of_another_stands_apart(tmp_path):
    later = tmp_path / "second"
    later.mkdir()
    (tmp_path / unseen.TOLD).write_text(unseen.as_csv([ROW]), "utf-8")
    (later / unseen.TOLD).write_text(unseen.as_csv([replace(ROW, wrong="another")] * 2), "utf-8")
    page = unseen.put_into("the catalogue\n", tmp_path)
    first, second = page.split(f"### A later set: {tmp_path.name}/second")
    assert "1 of 1 (100.0%)" in first and "another" not in first
    assert "2 of 2 (100.0%)" in second and second.count("another") == 2
    assert page == unseen.put_into(page, later)


def test_the_document_describes_the_folder():
    document = (ROOT / "docs" / "validity.md").read_text("utf-8")
    assert document == unseen.put_into(document, ROOT / "unseen")
