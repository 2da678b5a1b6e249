"""The command `autograder`: what teaching assistants run."""

import argparse
import csv
import io
import logging
import math
import os
import sys
import time
from collections.abc import Callable
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from pathlib import Path

from autograder.result import Result, read_json, write_json, write_text
from autograder.submissions.folder import misplaced, students_in
from keyhole import messages
from keyhole.errors import KeyholeError
from keyhole.text import one_line

log = logging.getLogger(__name__)

UNUSABLE = 2  # exit status for arguments that nothing can be done with
os.environ.setdefault(
    "OMP_WAIT_POLICY", "PASSIVE"
)  # read when torch is imported: threads that wait leave the processor to others


class Unusable(KeyholeError):
    """Arguments that nothing can be done with."""


def add_grade(commands) -> None:
    parser = commands.add_parser(
        "grade",
        help="grade a folder of submissions",
        description="Grade SUBMITTED_DIR/<student>/<assignment>/*.ipynb.",
    )
    parser.add_argument(
        "submitted", metavar="SUBMITTED_DIR", type=Path, help="folder with one folder a student"
    )
    parser.add_argument(
        "--json",
        metavar="FILE",
        type=Path,
        required=True,
        help="the report; rewritten after every student",
    )
    parser.add_argument(
        "--csv", metavar="FILE", type=Path, help="the points of every function as a table"
    )
    parser.add_argument(
        "--jobs",
        metavar="N",
        type=positive(int),
        default=min(2, os.cpu_count() or 1),
        help="submissions graded at once (default %(default)s)",
    )
    parser.add_argument("--students", metavar="A,B", help="only these")
    parser.add_argument(
        "--assignment",
        default="model_editing",
        help="folder of the assignment (default %(default)s)",
    )
    parser.add_argument(
        "--require-isolation",
        metavar="LEVEL",
        choices="ABCDE",
        default="E",
        help="A to E: stop rather than run students' code at a lower level",
    )
    parser.add_argument(
        "--i-accept-no-isolation",
        action="store_true",
        help="run hidden tests even at level E, where code can read every file that you can read",
    )
    parser.add_argument(
        "--timeout",
        metavar="S",
        type=positive(float),
        help="most seconds that a call of a student's function may take",
    )
    parser.add_argument(
        "--no-feedback",
        action="store_true",
        help="leave nbgrader's gradebook and feedback pages as they are",
    )
    parser.add_argument(
        "--course",
        metavar="DIR",
        type=Path,
        help="folder of nbgrader_config.py (default: this repository)",
    )
    parser.add_argument(
        "--lang",
        choices=tuple(messages.LANGUAGES),
        help=(
            "language of what students read (default: the course's, else that of KEYHOLE_LANG,"
            " else en)"
        ),
    )
    parser.set_defaults(run=grade)


def add_secret(commands) -> None:
    parser = commands.add_parser(
        "secret",
        help="show or renew what the hidden inputs derive from",
        description=(
            "The course secret: autograder/secret.key, or the file that KEYHOLE_SECRET_FILE names."
            " Keep it for a course, and out of any repository."
        ),
    )
    parser.add_argument(
        "what",
        choices=("show", "new"),
        help=(
            "show: where it lies, and its fingerprint; new: put a fresh one in its place, and keep"
            " the old one beside it"
        ),
    )
    parser.set_defaults(run=secret)


def secret(chosen) -> int:
    """Show the course secret's fingerprint, after a fresh one was made if that is asked for."""
    from autograder import secret as secrets

    if chosen.what == "new" and (kept := secrets.renew()):
        print(f"The old one is kept in {kept}: with it an earlier grading can be repeated.")
    print(
        f"Course secret {secrets.fingerprint(secrets.course_secret())} in {secrets.secret_file()}"
    )
    tell_if_known(secrets.course_secret())
    return 0


def tell_if_known(secret: bytes) -> None:
    from autograder.secret import warning

    if said := warning(secret):
        print(f"Warning: {said}.", file=sys.stderr)


def add_remake(commands) -> None:
    parser = commands.add_parser(
        "remake",
        help="make a piece of data/ or reference/ anew",
        description=(
            "Make anew what the kit carries, from the model and stored seeds; docs/data.md says in"
            " which order."
        ),
    )
    parser.add_argument(
        "what",
        choices=(
            "prefixes",
            "text",
            "moment",
            "facts",
            "references",
            "maps",
            "checks",
            "sample-edits",
            "sample-class",
            "pictures",
        ),
    )
    parser.set_defaults(run=remake)


def remake(chosen) -> int:
    """Make one of the pieces of data that the kit carries."""
    from tqdm import tqdm

    from autograder.making import checks as make_checks
    from autograder.making import facts, pictures, sample_class, sample_edits
    from autograder.making import model_data as making
    from autograder.oracle import references
    from keyhole.models import load_model

    makers = {
        "prefixes": lambda: making.prefixes(load_model(), tqdm),
        "text": lambda: making.text(load_model(), tqdm),
        "moment": lambda: making.moment(load_model(), tqdm),
        "facts": lambda: facts.make(load_model(), tqdm, print),
        "references": lambda: references.make(load_model(), tqdm),
        "maps": lambda: making.maps(load_model(), tqdm),
        "checks": make_checks.make,
        "sample-edits": lambda: sample_edits.make(load_model(), tqdm),
        "sample-class": sample_class.make,
        "pictures": lambda: pictures.make(load_model()),
    }
    print(f"Made {makers[chosen.what]()}")
    return 0


def add_validity(commands) -> None:
    parser = commands.add_parser(
        "validity",
        help="hold the hidden tests against wrong and right solutions",
        description=(
            "Grade every solution of the catalogue; the exit status is 1 if one loses other tests"
            " than it should."
        ),
    )
    parser.add_argument(
        "--functions", metavar="A,B", help="only the solutions of these graded functions"
    )
    parser.add_argument(
        "--secret",
        metavar="FILE",
        type=Path,
        help="the secret that hidden inputs derive from (default: the course's)",
    )
    parser.add_argument(
        "--jobs",
        metavar="N",
        type=positive(int),
        default=min(2, os.cpu_count() or 1),
        help="submissions graded at once (default %(default)s)",
    )
    parser.add_argument("--write", metavar="FILE", type=Path, help="the report as Markdown, too")
    parser.set_defaults(run=validity)


def validity(chosen) -> int:
    """Print how wrong and right solutions fare."""
    from tqdm import tqdm

    from autograder.validity import examined
    from autograder.validity.report import as_markdown, as_text

    if chosen.write:
        check_writable(chosen.write.resolve())
    if chosen.secret and not chosen.secret.exists():
        raise Unusable(f"there is no secret {chosen.secret}")
    try:
        report = examined(
            [name.strip() for name in chosen.functions.split(",")] if chosen.functions else None,
            chosen.secret,
            chosen.jobs,
            tqdm,
        )
    except KeyholeError as error:
        raise Unusable(error) from None
    print(as_text(report))
    if chosen.write:
        write_text(chosen.write, as_markdown(report))
        print(f"Written: {chosen.write}")
    return 1 if report.problems() else 0


# Each adds one subcommand, whose `run` takes the arguments and returns an exit status.
COMMANDS: list[Callable] = [add_grade, add_validity, add_secret, add_remake]


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="autograder", description="Grades notebooks about model editing."
    )
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for add in COMMANDS:
        add(commands)
    chosen = parser.parse_args(arguments)
    try:
        return chosen.run(chosen) or 0
    except Unusable as error:
        print(f"autograder: {error}", file=sys.stderr)
        return UNUSABLE
    except KeyholeError as error:
        print(f"autograder: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("autograder: stopped; the students graded so far are in the report", file=sys.stderr)
        return 130


def grade(chosen) -> int:
    """Grade a class; the exit status is 0 when the batch ran to its end, whatever the scores."""
    submitted = chosen.submitted.resolve()
    students = find_students(submitted, chosen.assignment, chosen.students)
    report = [path.resolve() if path else None for path in (chosen.json, chosen.csv)]
    for path in filter(None, report):
        check_writable(path)

    from autograder.grade import Grader, admit
    from autograder.submissions.copies import (
        with_note,
    )  # late: torch takes seconds, bad arguments should not

    try:
        print(admit(chosen.require_isolation, chosen.i_accept_no_isolation))
    except KeyholeError as error:
        raise Unusable(error) from None
    speak(chosen)
    grader = Grader(seconds=chosen.timeout)
    tell_if_known(grader.secret)
    grader.prepare()
    course = None if chosen.no_feedback else open_course(chosen, grader)
    copies = copies_in(submitted, chosen.assignment, grader)
    clock, results = (
        time.perf_counter(),
        (earlier(report[0], submitted, chosen) if chosen.students else {}),
    )
    results = {student: with_note(result, copies) for student, result in results.items()}
    done = 0
    for student, result in graded(submitted, students, grader, chosen):
        results[student] = result = with_note(result, copies)
        in_order, done = [results[name] for name in sorted(results)], done + 1
        write_json(report[0], in_order)
        if report[1]:
            write_text(report[1], as_csv(in_order))
        print(progress(result, done, len(students), time.perf_counter() - clock), flush=True)
        if course:
            record(course, result, submitted / student / chosen.assignment)
    print("\n" + table(in_order))
    if copies:
        print(
            "\nHanded in alike, for you to look at (no points lost):\n"
            + "\n".join(f"  {copy}" for copy in copies)
        )
    print(f"\nReport: {report[0]}")
    if course:
        print(f"Feedback pages: {course.grading / 'feedback'}/<student>/{chosen.assignment}/")
    return 0


def speak(chosen) -> None:
    """Speak to students in the language asked for, else in the course's."""
    from autograder.gradebook.course import REPOSITORY, language_of

    try:
        messages.use(chosen.lang or language_of(chosen.course or REPOSITORY) or messages.language())
    except ValueError as error:
        raise Unusable(str(error)) from None


def copies_in(submitted: Path, assignment: str, grader) -> list:
    """Who handed in the same fact or the same edit, where a fact is part of the assignment at all."""
    from autograder.grade import cases_of
    from autograder.submissions.copies import likely_copies

    if not any(case.of_files for hidden in grader.notebooks.values() for case in cases_of(hidden)):
        return []
    from keyhole.moments import DEFAULT_LAYER

    return likely_copies(submitted, assignment, grader.model().weight(DEFAULT_LAYER).shape)


def earlier(path: Path, submitted: Path, chosen) -> dict[str, Result]:
    """What an earlier report of the same class says: grading some students again loses none of the others."""
    try:
        present = students_in(submitted)
        return {result.student: result for result in read_json(path) if result.student in present}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def find_students(submitted: Path, assignment: str, wanted: str | None) -> list[str]:
    """The students with a folder in `submitted`, in order; only those named in `wanted`, if any are. Raises Unusable where nobody has such an assignment."""
    if not submitted.is_dir():
        raise Unusable(f"there is no folder {submitted}")
    if assignment in ("", ".", "..") or Path(assignment).name != assignment:
        raise Unusable(f"{assignment!r} is not the name of an assignment")
    students = students_in(submitted)
    if wanted is not None:
        names = {name.strip() for name in wanted.split(",") if name.strip()}
        if unknown := sorted(names.difference(students)):
            raise Unusable(f"no such student in {submitted}: {', '.join(unknown)}")
        students = [name for name in students if name in names]
    elif all(misplaced(submitted / name / assignment) for name in students):
        students = []
    if not students:
        raise Unusable(f"no submission found: expected {submitted}/<student>/{assignment}/")
    return students


def check_writable(path: Path) -> None:
    """Find out before an hour of grading that the report cannot be written."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir() or not os.access(path.parent, os.W_OK):
            raise PermissionError
    except OSError:
        raise Unusable(f"the report {path} cannot be written there") from None


def open_course(chosen, grader):
    """The gradebook, or None with a sentence: a course without one still gets its report."""
    from autograder.gradebook.course import REPOSITORY, Course

    try:
        return Course(chosen.assignment, grader.notebooks, chosen.course or REPOSITORY)
    except KeyholeError as error:
        print(f"No gradebook and no feedback pages: {error}", file=sys.stderr)
        return None


def graded(submitted: Path, students: list[str], grader, chosen):
    """(student, Result) as they are finished. A thread drives each sandbox."""
    from autograder.grade import grade_submission, not_graded

    with ThreadPoolExecutor(chosen.jobs) as pool:
        running = {
            pool.submit(
                grade_submission,
                submitted / name / chosen.assignment,
                name,
                grader,
                chosen.assignment,
            ): name
            for name in students
        }
        try:
            while running:
                for done in wait(running, return_when=FIRST_COMPLETED).done:
                    name = running.pop(done)
                    try:
                        result = done.result()
                    except Exception:  # a defect of ours: one student's grade, not the batch
                        log.exception("grading %s", name)
                        result = not_graded(name, grader, chosen.assignment)
                    yield name, result
        finally:
            for waiting in running:
                waiting.cancel()


def record(course, result: Result, folder: Path) -> None:
    if result.status == "failed" and (why := misplaced(folder)):
        print(f"  {shown(result.student)}: not in the gradebook: {why}", file=sys.stderr)
        return
    try:
        course.record(result, folder)
    except Exception as error:
        if not isinstance(error, KeyholeError):
            log.exception("recording %s", result.student)
        print(
            f"  {shown(result.student)}: not in the gradebook: {one_line(error)}", file=sys.stderr
        )


def progress(result: Result, done: int, of: int, seconds: float) -> str:
    left = seconds / done * (of - done)
    line = (
        f"[{done:>{len(str(of))}}/{of}] {shown(result.student):<20} {result.score:6g} /"
        f" {result.max_score:g}  {result.seconds:6.1f} s"
    )
    line += f"  about {minutes(left)} left" if done < of else f"  all in {minutes(seconds)}"
    return line + (f"\n      {one_line(result.told)}" if result.told else "")


def minutes(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 100 else f"{math.ceil(seconds / 60)} min"


def functions_of(results: list[Result]) -> list[str]:
    """The graded functions, in the order of their tests."""
    return list(dict.fromkeys(test.function for result in results for test in result.tests))


def points(result: Result, function: str) -> float:
    return round(sum(test.points for test in result.tests if test.function == function), 4)


def table(results: list[Result]) -> str:
    """Students by notebooks, with points, and the functions in which points were lost."""
    notebooks = sorted({test.notebook for result in results for test in result.tests})
    most = [max(_in_notebook(r, name, "max_points") for r in results) for name in notebooks]
    rows = [
        ["student", *notebooks, "total", "", "points lost"],
        ["", *(f"/ {points:g}" for points in [*most, max(r.max_score for r in results)]), "", ""],
    ]
    rows += [
        [
            shown(r.student),
            *(f"{_in_notebook(r, name, 'points'):g}" for name in notebooks),
            f"{r.score:g}",
            "failed" if r.status == "failed" else "",
            _lost(r),
        ]
        for r in results
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    left = (0, len(widths) - 1)
    lines = [
        "  ".join(
            cell.ljust(w) if i in left else cell.rjust(w)
            for i, (cell, w) in enumerate(zip(row, widths, strict=True))
        ).rstrip()
        for row in rows
    ]
    return "\n".join([*lines[:2], "-" * max(map(len, lines)), *lines[2:]])


def _in_notebook(result: Result, notebook: str, what: str) -> float:
    return round(sum(getattr(test, what) for test in result.tests if test.notebook == notebook), 4)


def _lost(result: Result) -> str:
    """As "restore 4, trace 11.5"; in one word where it is all."""
    if result.score == 0:
        return "all"
    lost = {
        name: sum(t.max_points - t.points for t in result.tests if t.function == name)
        for name in functions_of([result])
    }
    return ", ".join(
        f"{name} {round(points, 4):g}" for name, points in lost.items() if points > 1e-9
    )


def as_csv(results: list[Result]) -> str:
    functions = functions_of(results)
    file = io.StringIO()
    writer = csv.writer(file, lineterminator="\n")
    writer.writerow(["student", "assignment", "status", *functions, "score", "max_score", "reason"])
    for r in results:
        row = [
            cell(r.student),
            r.assignment,
            r.status,
            *(points(r, name) for name in functions),
            r.score,
            r.max_score,
            cell(r.told or ""),
        ]
        writer.writerow(row)
    return file.getvalue()


def cell(text: str) -> str:
    """Text for a spreadsheet, which takes what begins with one of these for a formula."""
    return "'" + text if text[:1] in ("=", "+", "-", "@", "\t", "\r") else text


def shown(student: str) -> str:
    return one_line(student, 40)


def positive(kind):
    """An argparse type: a number of `kind` above 0."""

    def parse(text: str):
        number = kind(text)
        if not 0 < number < float("inf"):
            raise ValueError
        return number

    parse.__name__ = f"positive {kind.__name__}"
    return parse


if __name__ == "__main__":
    sys.exit(main())
