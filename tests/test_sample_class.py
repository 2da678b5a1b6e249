"""The sample class, graded for real.

Each member loses exactly the tests that its mistake touches, and the messages say why. The report
is the same, but for the seconds, in another order, with other threads, jobs and processes.
"""

import os
import shutil
import subprocess
import sys
from dataclasses import replace
from functools import partial
from pathlib import Path

import pytest

from autograder import grade
from autograder.grade import Grader, grade_submission
from autograder.hidden import NOTEBOOKS
from autograder.result import read_json
from autograder.secret import TEST_SECRET
from autograder.submissions.copies import likely_copies, own_work
from keyhole.paths import data_folder

pytestmark = pytest.mark.slow
IDS = [
    case.id
    for notebook in NOTEBOOKS.values()
    for cases in notebook.cells.values()
    for case in cases
]


def all_of(function, *but):
    return {test for test in IDS if test.startswith(f"{function}.")} - {
        f"{function}.{name}" for name in but
    }


EXPECTED = {
    "ada-complete": (set(), None, None),
    "hana-other-words": (set(), None, None),
    "rosa-arithmetic-mean": (
        {"edit_score.mixed", "edit_score.zero"} | all_of("spread_residual", "inputs"),
        "fail",
        "divided_by_all_layers",
    ),
    "sami-counts-ties": (
        {"efficacy.ties"} | all_of("locality_loss", "replay"),
        "fail",
        "divergence_reversed",
    ),
    "otto-copies-a-fact": (set(), None, None),  # told to the staff, not punished
    "pia-claims-too-much": (
        {"my_edit.reversion", "my_edit.portability"}
        | all_of("gradient_from_factors", "one_token", "inputs"),
        "fail",
        "claim_not_measured",
    ),
    "quin-fine-tunes": ({"my_edit.direction"} | all_of("low_rank_output"), "fail", None),
    "ivo-untouched": (set(IDS), "missing", None),
    # Without C the constraint still holds and the direction still has rank one: those tests are
    # not lost.
    "bo-forgets-c": (
        all_of(
            "rank_one_update",
            "rank",
            "inputs",
            "efficacy",
            "paraphrase",
            "neighborhood",
            "reversion",
            "portability",
        )
        | {"my_edit.direction"},
        "fail",
        "moment_omitted",
    ),
    "chen-centres-c": (all_of("second_moment", "inputs"), "fail", "moment_centred"),
    # Nobody comes to the end of a notebook with these two; so there are no files beside it.
    "dora-syntax-error": (
        all_of("value_objective") | all_of("my_edit"),
        {"error", "missing"},
        None,
    ),
    "emil-endless-loop": (all_of("subject_key") | all_of("my_edit"), {"timeout", "missing"}, None),
    "fay-forgets-conv1d": (
        {"write_edit.conv1d", "write_edit.square", "write_edit.bias"},
        None,
        "transpose_missing",
    ),
    "gus-first-token": (
        all_of("subject_key", "clean")
        | {"my_edit.direction", "my_edit.value", "my_edit.original"}
        | all_of("null_space_projector", "inputs"),
        "fail",
        "first_subject_token",
    ),
    "jia-no-baseline": (
        all_of("indirect_effect") | all_of("memit_update", "one", "inputs"),
        "fail",
        "facts_in_sequence",
    ),
    # `trace` is built on `restore` and `corrupt`: what is wrong there is wrong here, but for what
    # does not depend on it.
    "ken-first-sample": (
        all_of("restore", "inputs")
        | all_of("trace", "given_noise", "one_sample", "clean")
        | all_of("transform_factors"),
        "fail",
        "restored_first_sample",
    ),
    "lena-input-of-layer": (
        {"trace.state_llama", "trace.state_gpt2", "trace.order", "trace.one_sample", "trace.real"}
        | all_of("rate_update"),
        "fail",
        "layer_below_restored",  # the same, and nothing for layer 0
    ),
    "mads-window-upward": (
        {
            "trace.mlp",
            "trace.attention",
            "trace.window_start",
            "trace.window_end",
            "trace.window_even",
        }
        | all_of("memit_update", "inputs"),
        "fail",
        "window_upward",
    ),
    "nora-covers-the-beginning": (
        {"corrupt.middle", "corrupt.end", "corrupt.single"}
        | all_of("trace", "given_noise", "clean")
        | all_of("demonstrations", "inputs"),
        "fail",
        "noise_at_beginning",
    ),
}
# Of the challenge: the points, and whether it was measured at all.
BONUS = {
    "ada-complete": (3, True),
    "hana-other-words": (2, True),
    "quin-fine-tunes": (1, True),
    "jia-no-baseline": (0, True),  # four times as large: the text suffers
    "gus-first-token": (0, False),  # holds a number that is none
}
# What a W without C does to the neighbors of eight facts is measured, not deduced.
MEASURED = {"bo-forgets-c": {"rank_one_update.paraphrase", "rank_one_update.neighborhood"}}


# Between them they have functions with full points, shares measured again and below the
# reference's, maps that are off, and nothing at all.
GRADED_TWICE = ("bo-forgets-c", "ivo-untouched", "mads-window-upward")


@pytest.fixture(scope="module")
def grader():
    return Grader(secret=TEST_SECRET, seconds=8)


@pytest.fixture(scope="module")
def graded(grader, real_model):
    """A member's Result, made once. A notebook that several have alike runs once as well."""
    results, of_source, graded_tests = {}, {}, grade.graded_tests

    def tests_of(name, hidden, sitting, reasons):
        source = name, sitting.submitted.definitions.source
        if source not in of_source:
            told = []
            of_source[source] = graded_tests(name, hidden, sitting, told), told
        tests, told = of_source[source]
        reasons += told
        return tests

    def result_of(student):
        if student not in results:
            folder = data_folder() / "sample_class" / student / "model_editing"
            results[student] = grade_submission(folder, student, grader)
        return results[student]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("keyhole.models.load_model", lambda *_: real_model)
        patch.setattr(grade, "graded_tests", tests_of)
        yield result_of


def test_the_copied_fact_is_told(real_model):
    shape = real_model.weight(5).shape
    members = (data_folder() / "sample_class").iterdir()
    work = {each.name: own_work(each / "model_editing", shape) for each in sorted(members)}
    [copy] = likely_copies(work)
    [again] = likely_copies(dict(reversed(work.items())))
    assert set(again.students) == set(copy.students) and set(again.alike) == set(copy.alike)
    assert (
        copy.students == ("hana-other-words", "otto-copies-a-fact")
        and "word for word" in copy.alike
        and "the same change" in copy.alike
    )


def test_everybody_in_the_class_is_expected():
    assert {path.name for path in (data_folder() / "sample_class").iterdir()} == set(EXPECTED)


@pytest.mark.parametrize("student", EXPECTED)
def test_each_member_loses_exactly_what_the_mistake_touches(student, graded):
    lost, verdict, misconception = EXPECTED[student]
    result = graded(student)
    failed = {test.id: test for test in result.tests if test.verdict != "pass"}
    assert failed.keys() - MEASURED.get(student, set()) == lost, {
        name: failed[name].message for name in failed.keys() ^ lost
    }
    assert result.status == "graded" and result.isolation
    assert result.score == sum(test.max_points for test in result.tests if test.id not in failed)
    if verdict:
        assert {failed[name].verdict for name in lost} == (
            verdict if isinstance(verdict, set) else {verdict}
        )
    if misconception:
        assert misconception in {test.misconception for test in failed.values()}
    assert all(test.message for test in result.tests)
    bonus = result.bonus
    assert (bonus and (bonus.points, bonus.measured is not None)) == BONUS.get(student)


def test_order_threads_and_jobs_change_nothing(graded, tmp_path):
    """Beside the results of this process: two others, with two threads each, in another order."""
    names = {member: f"{9 - i}-{member}" for i, member in enumerate(GRADED_TWICE)}
    for member, name in names.items():
        shutil.copytree(data_folder() / "sample_class" / member, tmp_path / "in" / name)
    report = tmp_path / "r.json"
    command = [sys.executable, "-m", "autograder.cli", "grade", tmp_path / "in", "--json", report]
    command += ["--jobs", "2", "--no-feedback", "--i-accept-no-isolation"]
    secret = Path(__file__).with_name("secret.key")
    environment = os.environ | {"OMP_NUM_THREADS": "2", "KEYHOLE_SECRET_FILE": str(secret)}
    subprocess.run(command, env=environment, check=True, capture_output=True)
    others = {result.student: result.bare() for result in read_json(report)}
    assert list(others) == sorted(names.values())
    for member, name in names.items():
        assert replace(others[name], student=member) == graded(member).bare(), member
    # What is kept needs no model. Where one is needed, the command says so before it begins.
    without = environment | {"KEYHOLE_CACHE": str(tmp_path / "none"), "PIP_NO_INDEX": "1"}
    run = partial(subprocess.run, env=without, capture_output=True, text=True)
    assert f"{len(names)} of {len(names)} taken over" in run(command, check=True).stdout
    kept = report.read_bytes()
    for jobs in ("1", "2"):
        done = run([*command, "--again", "--jobs", jobs])
        said = done.stderr.splitlines()[-1]
        assert done.returncode == 1 and "could not download the model" in said, done.stderr
        assert report.read_bytes() == kept
