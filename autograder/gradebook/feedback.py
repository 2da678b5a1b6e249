"""One page of feedback for a student, from the result, the gradebook and the graded notebooks."""

from contextlib import suppress
from pathlib import Path

import nbformat
from nbgrader.coursedir import CourseDirectory

from autograder.gradebook.standings import Standing
from autograder.pages.feedback import PAGE, Card, Totals, feedback_page
from autograder.result import Result, write_text
from keyhole.notebooks.definitions import grade_id

TEST = "test_"  # begins the grade id of a test cell; the function's own cell has the rest
Texts = dict[tuple[str, str], str]  # (notebook, grade id) -> what stands in the cell


def write_page(folders: CourseDirectory, result: Result, standing: Standing) -> Path:
    """Write the page of one result where nbgrader has a student's pages; the file.

    Raises OSError.
    """
    names = result.student, result.assignment
    texts = texts_in(Path(folders.format_path(folders.autograded_directory, *names)))
    page = Path(folders.format_path(folders.feedback_directory, *names)) / PAGE
    write_text(
        page, feedback_page(result, cards(result, standing, texts), totals(standing), standing.time)
    )
    return page


def texts_in(folder: Path) -> Texts:
    """The texts of the graded cells of the notebooks in a folder, in order."""
    texts = {}
    for path in sorted(folder.glob("*.ipynb")):
        with suppress(Exception):  # a page without the student's text is better than none
            for cell in nbformat.read(path, as_version=4).cells:
                if name := grade_id(cell):
                    texts[path.stem, name] = cell.source
    return texts


def cards(result: Result, standing: Standing, texts: Texts) -> list[Card]:
    """What the page shows, in the order of the notebooks' cells."""
    places = {place: number for number, place in enumerate(texts)}
    last = len(places)
    found = []
    for mark in sorted(
        standing.marks,
        key=lambda mark: (mark.notebook, places.get((mark.notebook, mark.cell), last)),
    ):
        name = mark.cell.removeprefix(TEST)
        tests = () if mark.written else tuple(t for t in result.tests if t.function == name)
        comments = (
            standing.comments.get((mark.notebook, each)) for each in {name: 1, mark.cell: 1}
        )
        found.append(
            Card(
                name=name,
                notebook=mark.notebook,
                points=None if mark.written and mark.open else mark.points,
                most=mark.max_points,
                tests=tests,
                written=mark.written,
                replaced=mark.automatic if mark.overridden else None,
                text=texts.get((mark.notebook, name), ""),
                comment="\n\n".join(filter(None, comments)),
            )
        )
    return found


def totals(standing: Standing) -> Totals:
    """The points at the top of the page."""
    return Totals(
        standing.total,
        standing.max_points,
        standing.automatic,
        standing.automatic_most,
        standing.manual,
        standing.max_points - standing.automatic_most,
        standing.penalty,
        sum(mark.open for mark in standing.marks if mark.written),
        standing.bonus,
        standing.max_bonus,
    )
