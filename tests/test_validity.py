"""`autograder validity`: what its report finds, and docs/validity.md in step with the catalogue."""

import re
from pathlib import Path

import pytest

from autograder import cli, validity
from autograder.grade import Grader
from autograder.result import Result, TestResult
from autograder.secret import TEST_SECRET
from autograder.validity.catalogue import RIGHT, WRONG
from autograder.validity.report import Report, as_markdown, as_text, cell
from autograder.validity.run import Graded, case_of, chosen, graded, hidden_tests, only
from autograder.validity.solution import ALL, Solution
from keyhole.errors import KeyholeError

ROOT = Path(__file__).resolve().parent.parent
CASES = ["plain", "again", "free"]  # the last is worth nothing


def one(
    name="wrong",
    lost=("plain",),
    fails=("plain",),
    expected="other_factor",
    named="other_factor",
    may=(),
    part=(),
    our_fault=False,
):
    """A solution of `double`, and what the grader said of it."""
    tests = [
        TestResult(
            f"double.{case}",
            "3_edit",
            0.5 if case in part else float(case not in lost),
            float(case != "free"),
            "fail" if case in lost else "pass",
            "",
            named if case in lost else None,
            our_fault=our_fault,
        )
        for case in CASES
    ]
    solution = Solution(
        "double",
        name,
        ("def double(x): ...",),
        mistake="" if name == "right" else "took one for the other",
        misconception=expected,
        fails=frozenset(fails) if fails is not ALL else ALL,
        may_fail=frozenset(may),
    )
    return Graded(solution, Result(name, "model_editing", "graded", None, "A", 0.1, tuple(tests)))


def right(lost=()):
    return one("right", lost, (), None, None)


def report(*each):
    return Report(list(each), 12.3, 2, "A", {"double": CASES})


WHOLE = (one("both", ("plain", "again", "free"), ALL), one("first", part=("plain",)), right())


def test_where_all_is_as_it_should_be_nothing_is_said():
    found = report(*WHOLE)
    assert found.problems() == [] and found.unneeded("double") == ["again", "free"]
    assert found.needed("double")["plain"] == [WHOLE[1]]
    text = as_text(found)
    assert (
        "2 of 2 wrong solutions lose points, 2 of 2 (100.0%)" in text
        and "1 of 1 right ones" in text
        and "double: first (plain)" in text
    )
    assert (
        "  both   ●  ●  ●    other_factor 3" in text
        and "  first  ◐  ·  ·    other_factor 1" in text
    )


@pytest.mark.parametrize(
    "astray, says",
    [
        (one("astray", ()), "wrong and loses nothing"),
        (one("astray", ("free",), ("free",)), "wrong and loses nothing"),
        (one("astray", ("plain", "again")), "loses again, which it should not"),
        (one("astray", ("again",), ALL), "does not lose free, plain"),
        (one("astray", named="another"), "is not told of other_factor, but of another 1"),
        (one("astray", our_fault=True), "made the grader itself fail"),
        (right(("again",)), "is right and loses again"),
        (
            one("astray", expected=None, named=None),
            "only 2 of 3 (66.7%) of the wrong solutions are told",
        ),
    ],
)
def test_what_is_not_as_it_should_be_is_found(astray, says):
    problems = report(*WHOLE, astray).problems()
    assert any(says in problem for problem in problems), problems
    assert f"Not as it should be: {len(problems)}" in as_text(report(*WHOLE, astray))
    assert f"| results that the catalogue does not expect | {len(problems)} |" in as_markdown(
        report(*WHOLE, astray)
    )


def test_a_test_that_nothing_loses_is_found():
    assert report(WHOLE[1], right()).problems() == [
        "double.again is lost by no wrong solution",
        "double.free is lost by no wrong solution",
    ]


def test_what_depends_on_the_draw_is_neither_asked_for_nor_held_against_it():
    for lost in (("plain",), ("plain", "again")):
        assert report(*WHOLE, one("perhaps", lost, may=("again",))).problems() == []


def test_the_exit_status_says_whether_all_is_well(monkeypatch, capsys, tmp_path):
    for each, status in ((WHOLE, 0), ((*WHOLE, one("astray", ())), 1)):
        monkeypatch.setattr(validity, "examined", lambda *_, each=each: report(*each))
        assert cli.main(["validity", "--write", str(tmp_path / "validity.md")]) == status
        assert "right ones get full marks" in capsys.readouterr().out
        assert (tmp_path / "validity.md").read_text("utf-8").startswith("# Can the grading")


def test_what_there_is_not_is_told_in_a_sentence(capsys, tmp_path):
    assert cli.main(["validity", "--functions", "nonsense"]) == cli.UNUSABLE
    assert "no hidden tests of nonsense: there are those of sequence_nll" in capsys.readouterr().err
    assert cli.main(["validity", "--secret", str(tmp_path / "none.key")]) == cli.UNUSABLE
    with pytest.raises(KeyholeError):
        chosen(WRONG, ["nonsense"])


def test_a_grader_of_one_function_shares_all_but_the_tests():
    grader = Grader(secret=TEST_SECRET)
    one_function = only(grader, "my_edit")
    assert (one_function.lock, one_function.secret) == (grader.lock, grader.secret)
    [(name, hidden)] = one_function.notebooks.items()
    assert name == "3_edit" and {
        case.id.partition(".")[0] for cases in hidden.cells.values() for case in cases
    } == {"my_edit"}
    assert len(grader.notebooks) == 5


@pytest.mark.slow
def test_the_real_grader_agrees_with_the_catalogue():
    found = list(
        graded(
            chosen((*WRONG, *RIGHT), ["edit_score", "write_edit"]), Grader(secret=TEST_SECRET), 2
        )
    )
    assert Report(found, 1.0, 2, "A").problems() == []
    assert all(each.result.max_score or each.result.max_bonus for each in found)


def test_the_document_is_in_step_with_the_catalogue():
    document = (ROOT / "docs" / "validity.md").read_text("utf-8")
    sections = {part.partition("\n")[0]: part for part in document.split("\n## ")}
    for function, cases in hidden_tests().items():
        head = next(
            line
            for line in sections[function].splitlines()
            if line.startswith("| wrong solution |")
        )
        assert [case.id.partition(".")[2] for case in cases] == head.split(" | ")[2:-1]
    for solution in WRONG:
        [row] = [
            line
            for line in sections[solution.function].splitlines()
            if line.startswith(f"| {cell(solution.name)} | {cell(solution.mistake)} |")
        ]
        cases = [case_of(case.id) for case in hidden_tests()[solution.function]]
        *marks, named = (
            row.removeprefix(f"| {cell(solution.name)} | {cell(solution.mistake)} | ")
            .removesuffix(" |")
            .split(" | ")
        )
        lost = {case for case, mark in zip(cases, marks, strict=True) if mark != "·"}
        assert (
            lost ^ solution.must_fail(cases)
        ) - solution.may_fail == set() and "!" not in marks, row
        assert not solution.misconception or re.search(rf"\b{solution.misconception} \d", named), (
            row
        )
    for solution in RIGHT:
        assert (
            cell(solution.name) in sections[solution.function].partition("\nRight solutions:\n")[2]
        ), (solution.function, solution.name)
    assert (
        "| results that the catalogue does not expect | 0 |" in document
        and "/home" not in document
        and "/tmp" not in document
    )
