"""One submission -> Result: the student's definitions meet the hidden tests, and nothing that goes wrong stops the batch."""

import logging
import re
import threading
import time
from collections.abc import Iterable, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch

from autograder import messages
from autograder import secret as secrets
from autograder.result import Result, TestResult, function_of
from autograder.sandbox import Allowance, Limits, NotStarted, Sandbox, StudentFailed, isolation
from autograder.submissions.cells import Expected
from autograder.submissions.notebooks import Submission, read_submission
from keyhole.errors import KeyholeError
from keyhole.checking.judging import cause_of
from keyhole.messages import listed, misconception, opened, sentences
from keyhole.notebooks.definitions import Definitions
from keyhole.checking.selfcheck import unrunnable

log = logging.getLogger(__name__)

ASSIGNMENT = "model_editing"
LIMITS_FILE = Path(__file__).resolve().parent.parent / "limits.toml"

QUOTING = (
    "raised",
    "definitions",
    "type",
)  # codes of failures whose detail is in the student's own words
WORD = re.compile(r"\w{4,}")  # shorter ones stand in every sentence
OWN_SUBJECT = ("absent", "definitions")  # codes whose sentence is not about the function
TOO_LOW = (
    "isolation level {required} is required, but this machine gives level {found.level}. {found}"
)
REFUSED = (
    "hidden tests are refused, because nothing would keep a submission from reading their answers."
    " {found} `keyhole check NOTEBOOK` runs the public checks; --i-accept-no-isolation runs the"
    " hidden tests all the same (for nbgrader: accept_no_isolation in nbgrader_config.py)"
)


class Grader:
    """
    What every submission of a batch shares. One Grader may serve many threads: whatever runs in this process
    (oracles, metrics on the grader's own model) holds `lock`; only the waiting for a student's process does not.

    notebooks: notebook name -> its hidden tests; None means those of the course.
    secret: what the hidden inputs derive from; None means the course's secret.
    limits: what each submission may use; None means those of limits.toml.
    seconds: the most that a call of a student's function may take; None leaves it to each test.
    """

    def __init__(
        self,
        notebooks: Mapping | None = None,
        secret: bytes | None = None,
        seconds: float | None = None,
        limits: Limits | None = None,
    ):
        if notebooks is None:
            from autograder.hidden import NOTEBOOKS as notebooks  # late: it loads every oracle
        self.notebooks = notebooks
        self.secret = secrets.course_secret() if secret is None else secret
        self.seconds = seconds
        self.limits = limits or Limits.read(LIMITS_FILE)
        self.lock = threading.Lock()
        self._model = None

    def model(self):
        """The grader's own real model, loaded once; for hidden tests, which hold the lock."""
        if self._model is None:
            from keyhole.models import load_model

            self._model = load_model()
        return self._model

    def prepare(self):
        """Load what the hidden tests need, before a batch: a model that is not there is nobody's fault in it. Raises KeyholeError."""
        if any(getattr(hidden, "models", ()) for hidden in self.notebooks.values()):
            self.model()

    @contextmanager
    def unlocked(self):
        """Let other threads of the grader work while this one waits for a student's process."""
        self.lock.release()
        try:
            yield
        finally:
            self.lock.acquire()


@dataclass(frozen=True)
class Bench:
    """What a hidden test is given: the student's function at arm's length, randomness, and the grader's own model."""

    grader: Grader = field(repr=False)
    sandbox: Sandbox = field(repr=False)
    test_id: str
    seconds: float | None
    folder: Path  # the submission, for what is handed in beside the notebook
    shared: dict = field(
        default_factory=dict, repr=False
    )  # what the tests of one submission hand to one another

    @property
    def secret(self) -> bytes:
        return self.grader.secret

    @property
    def function(self) -> str:
        return function_of(self.test_id)

    def call(
        self,
        adapter: str = "plain",
        tensors: dict | None = None,
        options: dict | None = None,
        seconds: float | None = None,
    ):
        """The student's function called in its process. Returns a Reply; raises StudentFailed."""
        # The shorter wins: --timeout may only tighten what a test asks for.
        limit = min(
            seconds or self.seconds or self.grader.limits.seconds,
            self.grader.seconds or float("inf"),
        )
        self.shared.setdefault("words", set()).update(words_of(options or {}))
        with self.grader.unlocked():
            return self.sandbox.call(
                self.function, adapter, tensors or {}, options or {}, seconds=limit
            )

    def generator(self, *names: str) -> torch.Generator:
        """Randomness for this test's hidden inputs, from the course secret."""
        return secrets.generator(self.grader.secret, self.test_id, *names)

    def model(self):
        return self.grader.model()


def grade_submission(
    folder: str | Path,
    student: str,
    grader: Grader | None = None,
    assignment: str = ASSIGNMENT,
    only: str | None = None,
) -> Result:
    """Read the folder of one student's submission, and grade it: see `grade_read`."""
    grader = grader or Grader()
    with submission_in(folder, grader.notebooks) as submission:
        return grade_read(submission, student, grader, assignment, only)


def submission_in(folder: str | Path, notebooks: Mapping) -> Submission:
    """A student's folder, read for the hidden tests of `notebooks`."""
    return read_submission(folder, {name: expected(tests) for name, tests in notebooks.items()})


def grade_read(
    submission: Submission,
    student: str,
    grader: Grader,
    assignment: str = ASSIGNMENT,
    only: str | None = None,
) -> Result:
    """
    Grade the notebooks of one student's submission (or `only` the one of that name). Never raises for what
    a student handed in, nor for a hidden test of ours that fails: that test gets 0 and `reason` says so.
    """
    start = time.perf_counter() - submission.seconds
    notebooks = {only: grader.notebooks[only]} if only else grader.notebooks
    tests, reasons, level, allowance = (
        [],
        [],
        isolation.best().level,
        Allowance(grader.limits.submission_seconds),
    )
    for name, hidden in notebooks.items():
        submitted = submission[name]
        reasons += submitted.notes
        if submitted.definitions is None:
            reasons.append(submitted.reason)
            tests += [
                result_of(case, name, "missing", messages.sentence("unreadable"))
                for case in cases_of(hidden)
            ]
            continue
        with Sandbox(
            submitted.definitions.source, grader.limits, getattr(hidden, "models", ()), allowance
        ) as sandbox:
            level, shared = sandbox.level, {}
            for case in cases_of(hidden):
                late = any(
                    test.verdict == "timeout" and test.function == function_of(case.id)
                    for test in tests
                )
                bench = Bench(grader, sandbox, case.id, case.seconds, submitted.folder, shared)
                try:
                    tests.append(grade_test(case, name, submitted.definitions, bench, late))
                except NotStarted as error:
                    log.error("hidden test %s: %s", case.id, error)
                    reasons.append(str(error))
                    tests.append(result_of(case, name, "error", messages.sentence("our_fault")))
    ours = [test.id for test in tests if test.message == messages.sentence("our_fault")]
    if ours:
        reasons.append(messages.sentence("our_fault_on", tests=listed(ours)))
    return Result(
        student=student,
        assignment=assignment,
        status=("graded" if any(submission[name].definitions for name in notebooks) else "failed"),
        reason=sentences(*map(opened, dict.fromkeys(reasons))) or None,
        isolation=level,
        seconds=time.perf_counter() - start,
        tests=tuple(tests),
    )


def not_graded(student: str, grader: Grader, assignment: str = ASSIGNMENT) -> Result:
    """What stands for a submission on which the grader itself came to grief."""
    tests = [
        result_of(case, name, "error", messages.sentence("our_fault"))
        for name, hidden in grader.notebooks.items()
        for case in cases_of(hidden)
    ]
    return Result(
        student,
        assignment,
        "failed",
        messages.sentence("our_fault_whole"),
        isolation.best().level,
        0.0,
        tuple(tests),
    )


def cases_of(hidden) -> list:
    """The hidden tests of a notebook, in the order of its cells."""
    return [case for cases in hidden.cells.values() for case in cases]


def expected(hidden) -> Expected:
    """What is graded in a notebook; what is handed in as files has no function."""
    functions = dict.fromkeys(
        function_of(case.id) for case in cases_of(hidden) if not case.of_files
    )
    return Expected(
        tuple(functions),
        {cell: sum(case.points for case in cases) for cell, cases in hidden.cells.items()},
    )


def grade_test(case, notebook: str, found: Definitions, bench: Bench, late: bool) -> TestResult:
    """One hidden test of one submission; `late`: its function already ran out of time. Raises NotStarted."""
    if not case.of_files and (not_run := not_runnable(case, notebook, bench.function, found, late)):
        return not_run
    try:
        with bench.grader.lock:
            outcome = case.run(bench)
        verdict = "pass" if outcome.passed else "missing" if outcome.missing else "fail"
        return result_of(
            case, notebook, verdict, outcome.message, outcome.fraction, outcome.misconception
        )
    except StudentFailed as failure:
        cause = cause_of(failure.detail, bench.function) if failure.code == "raised" else None
        message = sentences(
            explained(failure, bench.function, found, bench.shared.get("words", ())),
            *([misconception(cause)] if cause else []),
        )
        return result_of(case, notebook, failure.kind, message, named=cause)
    except NotStarted:
        raise
    except Exception:
        log.exception("hidden test %s", case.id)
        return result_of(case, notebook, "error", messages.sentence("our_fault"))


def not_runnable(
    case, notebook: str, function: str, found: Definitions, late: bool
) -> TestResult | None:
    """What is said of a function that cannot be called at all, or not again."""
    if why := unrunnable(function, found):
        return result_of(
            case, notebook, "error" if function in found.broken else "missing", opened(why)
        )
    if late:
        return result_of(
            case, notebook, "timeout", messages.sentence("not_run_again", function=function)
        )
    return None


def result_of(
    case, notebook: str, verdict: str, message: str, fraction: float = 0.0, named: str | None = None
) -> TestResult:
    return TestResult(
        case.id,
        notebook,
        case.points * float(fraction),
        case.points,
        verdict,
        message,
        named,
        case.title,
    )


def words_of(options: Mapping) -> set[str]:
    """The words of the texts that a call hands to a function."""
    return set(WORD.findall(str(list(options.get("values", {}).values()))))


def explained(
    failure: StudentFailed, function: str, found: Definitions, sent: Iterable[str] = ()
) -> str:
    """The sentence on a failure: the student's error without what it may quote of a hidden input, which is numbers, and quotations and
    words that were `sent` that are not in their own text.

    With the reason why a name that exists in their notebook does not exist here.
    """
    code, detail = failure.code, failure.detail
    name = re.search(r"NameError: name '(\w+)' is not defined", detail)
    if code in QUOTING:
        detail = re.sub(
            r"(?<!\w)(['\"`])(.*?)(?:\1(?!\w)|$)",
            lambda quoted: quoted[0] if quoted[2] in found.source else "‘…’",
            detail,
        )
        detail = WORD.sub(
            lambda word: "…" if word[0] in sent and word[0] not in found.source else word[0], detail
        )
        detail = re.sub(r"-?\d[\d.]*(?:e[+-]?\d+)?", "…", detail)
    message = StudentFailed(code, detail).message
    if code not in OWN_SUBJECT:
        message = messages.sentence("failed", function=function, failure=message)
    return sentences(
        opened(message),
        (
            messages.sentence("made_by_call", name=name[1])
            if name and name[1] in found.dropped
            else ""
        ),
    )


def admit(required: str = "E", accept_no_isolation: bool = False) -> isolation.MachineLevel:
    """The level at which this machine runs students' code. Raises KeyholeError when that is below `required`, or no isolation at all
    and nobody accepted that."""
    found = isolation.best()
    if found.level > required:
        raise KeyholeError(TOO_LOW.format(required=required, found=found))
    if found.level == "E" and not accept_no_isolation:
        raise KeyholeError(REFUSED.format(found=found))
    return found
