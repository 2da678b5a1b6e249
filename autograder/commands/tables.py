"""How results are shown to teaching assistants: a line while grading, a table, a spreadsheet."""

import csv
import io
import math

from autograder.result import BONUS, DECIMALS, Result, name_shown
from keyhole.terminal import columns, padded
from keyhole.text import one_line

# A spreadsheet takes what begins with one of these for a formula, also in their wide forms.
FORMULA = ("=", "+", "-", "@", "＝", "＋", "－", "＠")
LONGEST_NAME, LONGEST_REASON = 255, 10_000  # in points.csv


def progress(result: Result, done: int, of: int, seconds: float, since_first: float) -> str:
    """The line that is printed after each student.

    `seconds` have passed since the start, `since_first` since the first student was finished. Only
    the latter tell how long the others take: the first waits for what a class shares.
    """
    name = padded(name_shown(result.student), 20)
    student = f"{name} {result.score:6g} / {result.max_score:g}"
    line = f"[{done:>{len(str(of))}}/{of}] {student}  {result.seconds:6.1f} s"
    if done == of:
        line += f"  all in {_minutes(seconds)}"
    elif done > 1:
        line += f"  about {_minutes(since_first / (done - 1) * (of - done))} left"
    return line + (f"\n      {one_line(result.told)}" if result.told else "")


def _minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{math.ceil(seconds / 60)} min"


def as_table(results: list[Result]) -> str:
    """Students by notebooks, with points, and the functions in which points were lost."""
    notebooks = sorted({test.notebook for result in results for test in result.tests})
    most = [max(_in_notebook(each, name, "max_points") for each in results) for name in notebooks]
    tops = [f"/ {points:g}{' bonus' * (name in BONUS)}" for points, name in zip(most, notebooks)]
    tops.append(f"/ {max(each.max_score for each in results):g}")
    bonuses = [each.bonus.max_points for each in results if each.bonus]
    extra = ["bonus"] if bonuses else []  # nobody took up the challenge: no column
    tops += [f"/ {points:g}" for points in bonuses[:1]]
    rows = [["student", *notebooks, "total", *extra, "", "points lost"], ["", *tops, "", ""]]
    for each in results:
        points = [_in_notebook(each, name, "points") for name in notebooks]
        shown = [f"{value:g}" for value in (*points, each.score)]
        if extra:
            shown.append(f"{each.bonus.points:g}" if each.bonus else "")
        failed = "failed" if each.status == "failed" else ""
        rows.append([name_shown(each.student), *shown, failed, _lost(each)])
    lines = _aligned(rows)
    return "\n".join([*lines[:2], "-" * max(map(columns, lines)), *lines[2:]])


def _aligned(rows: list[list[str]]) -> list[str]:
    """The rows as lines. The first and the last column are set to the left."""
    widths = [max(map(columns, column)) for column in zip(*rows, strict=True)]
    left = 0, len(widths) - 1
    return [
        "  ".join(
            padded(cell, width, to_the_right=i not in left)
            for i, (cell, width) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]


def as_csv(results: list[Result]) -> str:
    """A row for each student, a column for each graded function.

    What of the score is bonus has a column, and so has the challenge's bonus, which is not in it.
    """
    functions = _functions_of(results)
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    head = ["student", "assignment", "status", *functions, "score", "max_score", "bonus_in_score"]
    writer.writerow([*head, "challenge_bonus", "reason", "told"])
    for each in results:
        points = [
            round(sum(test.points for test in each.tests if test.function == name), DECIMALS)
            for name in functions
        ]
        names = [_cell(name_shown(name, LONGEST_NAME)) for name in (each.student, each.assignment)]
        reason = _cell(one_line(each.told or "", LONGEST_REASON).replace(";", ","))
        on_top = round(sum(_in_notebook(each, name, "points") for name in BONUS), DECIMALS)
        challenge = each.bonus.points if each.bonus else ""
        row = [*names, each.status, *points, each.score, each.max_score, on_top, challenge]
        writer.writerow([*row, reason, _told(each)])
    return file.getvalue()


def _told(result: Result) -> str:
    """The misconceptions and symptoms of each function: "restore: restored_before, trace: late"."""
    names: dict[str, dict[str, None]] = {}
    for test in result.tests:
        if name := test.misconception or test.symptom:
            names.setdefault(test.function, {})[name] = None
    return ", ".join(f"{function}: {' '.join(each)}" for function, each in names.items())


def _cell(text: str) -> str:
    """Text for a spreadsheet, which may also be one that parts cells at semicolons.

    That is so where numbers have decimal commas. Quotes would not hold such a cell together, since
    to that spreadsheet they do not begin one.
    """
    text = text.replace(";", "\\x3b")
    return "'" + text if text.startswith(FORMULA) else text


def _functions_of(results: list[Result]) -> list[str]:
    """The graded functions, in the order of their tests."""
    return list(dict.fromkeys(test.function for result in results for test in result.tests))


def _in_notebook(result: Result, notebook: str, what: str) -> float:
    points = sum(getattr(test, what) for test in result.tests if test.notebook == notebook)
    return round(points, DECIMALS)


def _lost(result: Result) -> str:
    """As "restore 4, trace 11.5"; in one word where it is all."""
    if result.score == 0:
        return "all"
    lost = {
        name: sum(t.max_points - t.points for t in result.tests if t.function == name)
        for name in _functions_of([result])
    }
    return ", ".join(
        f"{name} {round(points, DECIMALS):g}" for name, points in lost.items() if points > 1e-9
    )
