"""`autograder grade`: grade a folder of submissions."""

import importlib.util
import os
from argparse import ArgumentParser, Namespace
from pathlib import Path

from autograder.commands.arguments import (
    Subparsers,
    add_jobs,
    check_folders,
    check_writable,
    cores_here,
    names_in,
    positive,
)
from autograder.running.forking import FORKS, start_mother
from autograder.submissions.folder import misplaced, students_in
from keyhole import messages
from keyhole.errors import KeyholeError, Unusable
from keyhole.fetch import fetched

TLS = {"ca": "authority", "cert": "certificate", "key": "key"}


def add(commands: Subparsers) -> None:
    """Add the parser of this command."""
    parser = commands.add_parser(
        "grade",
        help="grade a folder of submissions",
        description=(
            "Grade SUBMITTED_DIR/<student>/<assignment>/*.ipynb: print a table, write a report,"
            " fill nbgrader's gradebook, and make feedback pages. docs/grading.md says more."
        ),
    )
    parser.add_argument(
        "submitted",
        metavar="SUBMITTED_DIR",
        type=Path,
        help="a folder that holds one folder for each student",
    )
    parser.add_argument("--students", metavar="A,B", help="grade only these students")
    parser.add_argument(
        "--again",
        action="store_true",
        help="grade also those of whom nothing has changed since they were graded",
    )
    parser.add_argument(
        "--assignment",
        default="model_editing",
        metavar="NAME",
        help="name of the assignment's folders (default %(default)s)",
    )
    add_jobs(parser, cores_here() if _has_dask() else 1)
    _add_cluster(parser)
    _add_reports(parser)
    _add_safety(parser)
    parser.set_defaults(run=grade_class)


def _add_cluster(parser: ArgumentParser) -> None:
    """Other machines that grade."""
    parser.add_argument(
        "--cluster",
        metavar="URL",
        help="let the workers of this Dask scheduler grade, as tls://host:8786 (docs/cluster.md)",
    )
    for name, what in TLS.items():
        parser.add_argument(
            f"--tls-{name}", metavar="FILE", type=Path, help=f"with --cluster: the TLS {what}"
        )


def _add_reports(parser: ArgumentParser) -> None:
    """Where the results go, and in which language."""
    parser.add_argument(
        "--json",
        metavar="FILE",
        type=Path,
        required=True,
        help="where to write the report; it is written again and again during the batch",
    )
    parser.add_argument(
        "--csv",
        metavar="FILE",
        type=Path,
        help="where to write the points of every function as a table",
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
        help="the folder that holds nbgrader_config.py (default: this repository)",
    )
    parser.add_argument(
        "--lang",
        choices=tuple(messages.LANGUAGES),
        help=(
            "language of the feedback (default: that of nbgrader_config.py, else of KEYHOLE_LANG,"
            " else en)"
        ),
    )


def _add_safety(parser: ArgumentParser) -> None:
    """What students' code may do."""
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
        help="time limit for one call of a student's function, in seconds (default: limits.toml's)",
    )


def grade_class(chosen: Namespace) -> int:
    """Grade a class; the exit status.

    It is 0 when the batch ran to its end and all of it was recorded, whatever the scores.
    """
    check_folders()
    submitted = chosen.submitted.resolve()
    students = find_students(submitted, chosen.assignment, chosen.students)
    if chosen.csv and chosen.csv.resolve() == chosen.json.resolve():
        raise Unusable("--json and --csv name the same file")
    if (chosen.cluster or chosen.jobs > 1) and not _has_dask():
        raise Unusable(
            "--cluster, and --jobs above 1, need more packages: pip install --constraint"
            " constraints.txt --editable '.[grade,cluster]'"
        )
    _check_cluster(chosen)
    for path in filter(None, (chosen.json, chosen.csv)):
        check_writable(path.resolve())

    if FORKS and not chosen.cluster and chosen.jobs > 1 and len(students) > 1 and fetched():
        start_mother()  # it works while this process loads torch

    from autograder.commands.batch import Batch

    return Batch(chosen, submitted).run(students)


def _check_cluster(chosen: Namespace) -> None:
    """Raise Unusable where the arguments cannot name a scheduler and the way to it."""
    tls = {name: getattr(chosen, f"tls_{name}") for name in TLS}
    if not chosen.cluster:
        if given := [f"--tls-{name}" for name in tls if tls[name]]:
            raise Unusable(f"{given[0]} is of no use without --cluster")
        return
    if not chosen.cluster.startswith("tls://"):
        raise Unusable(
            f"{chosen.cluster} is not a tls:// address: without TLS anybody could read the secret,"
            " and run code on the workers"
        )
    for name, path in tls.items():
        if path is None:
            raise Unusable(f"--cluster needs --tls-{name} (docs/cluster.md)")
        if not path.is_file():
            raise Unusable(f"--tls-{name}: there is no file {path}")


def _has_dask() -> bool:
    """Are the packages here that start grader processes?"""
    return all(importlib.util.find_spec(name) for name in ("distributed", "cryptography"))


def find_students(submitted: Path, assignment: str, wanted: str | None) -> list[str]:
    """The students with a folder in `submitted`, in order; if any are `wanted`, only those.

    Raises Unusable where nobody has such an assignment.
    """
    if assignment in ("", ".", "..") or Path(assignment).name != assignment:
        raise Unusable(f"{assignment!r} is not the name of an assignment")
    if submitted.is_file():
        raise Unusable(f"{submitted} is a file: name the folder that holds the students' folders")
    try:
        students = students_in(submitted)
    except KeyholeError as error:
        raise Unusable(str(error)) from None
    inside = submitted / assignment
    if os.path.isdir(inside) and not os.path.exists(inside / assignment):
        raise Unusable(
            f"{submitted} is the folder of one student: grade {submitted.parent}, and add"
            f" --students {submitted.name}"
        )
    if wanted is not None:
        names = set(names_in(wanted))
        if not names:
            raise Unusable("--students names nobody")
        if unknown := sorted(names.difference(map(str.strip, students))):
            raise Unusable(f"no such student in {submitted}: {', '.join(unknown)}")
        students = [name for name in students if name.strip() in names]
    elif all(misplaced(submitted / name / assignment) for name in students):
        students = []
    if not students:
        raise Unusable(f"no submission found: expected {submitted}/<student>/{assignment}/")
    return students
