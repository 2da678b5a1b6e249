"""Grading one submission of each notebook: all hidden tests, all metrics run again."""

from autograder.grade import Grader, grade_submission
from autograder.secret import TEST_SECRET
from bench.row import Row, timed
from keyhole.paths import data_folder


def rows():
    folder = data_folder() / "sample_class" / "ada-complete" / "model_editing"
    grader = Grader(secret=TEST_SECRET)
    grader.model()
    _, first = timed(lambda: grade_submission(folder, "ada", grader))
    yield Row("grade the first submission of a batch", first, notes=("what the grader keeps for the rest of the batch is made here",))
    _, seconds = timed(lambda: grade_submission(folder, "ada", grader))
    yield Row("grade one submission", seconds, target="at most 10 s")
