"""One submission -> Result: the student's definitions meet the hidden tests.

Nothing that goes wrong in one submission stops the batch.
"""

import logging
import re
import threading
import time
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import torch
from torch import Tensor

from autograder import messages
from autograder import secret as secrets
from autograder.result import Bonus, Result, TestResult, function_of, versions_here
from autograder.sandbox import (
    Allowance,
    Limits,
    NotStarted,
    Reply,
    Sandbox,
    StudentFailed,
    isolation,
)
from autograder.submissions.cells import Plan
from autograder.submissions.notebooks import Submission, Submitted, read_submission
from keyhole.checking.diagnosis import together
from keyhole.checking.judging import Verdict, cause_of
from keyhole.checking.selfcheck import unrunnable, why_otherwise
from keyhole.errors import KeyholeError
from keyhole.messages import Remark, feedback, listed, misconception, opened, sentences, titled
from keyhole.models import EditableModel
from keyhole.notebooks.definitions import Definitions

if TYPE_CHECKING:  # it loads every oracle
    from autograder.hidden.case import HiddenTest, NotebookTests, Trial
    from keyhole.checking.challenge import Scoring

log = logging.getLogger(__name__)
Once = TypeVar("Once")

ASSIGNMENT = "model_editing"
LIMITS_FILE = Path(__file__).resolve().parent.parent / "limits.toml"

QUOTING = ("raised", "definitions", "type")  # failures whose detail is in the student's own words
WORD = re.compile(r"\w{4,}")  # shorter ones stand in every sentence
# What Python and torch quote of themselves: it says nothing of an input, and much of the mistake.
THEIR_OWN = frozenset(
    "Tensor Parameter NoneType int float bool complex str list tuple dict slice range generator "
    "function method builtin_function_or_method Float Double Half BFloat16 Int Long Bool "
    "ComplexFloat ComplexDouble weight bias".split()
)
NOT_RUN = ("set_by_call", "changed_later")  # remarks on a line that the grader does not run
OWN_SUBJECT = ("absent", "definitions")  # failures whose sentence is not about the function
OUR_FAULT = Verdict(0.0, (messages.sentence("our_fault"),), status="error")
UNREADABLE = Verdict(0.0, (messages.sentence("unreadable"),), status="missing")
TOO_LOW = (
    "isolation level {required} is required, but this machine gives level {found.level}. {found}"
)
REFUSED = (
    "hidden tests are refused, because nothing would keep a submission from reading their answers."
    " {found} `keyhole check NOTEBOOK` runs the public checks; --i-accept-no-isolation runs the"
    " hidden tests all the same (for nbgrader: accept_no_isolation in nbgrader_config.py)"
)


class Grader:
    """What every submission of a batch shares.

    One Grader may serve many threads: whatever runs in this process (oracles, metrics on the
    grader's own model) holds `lock`; only the waiting for a student's process does not.

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
        self._model = self._challenge = None

    def challenge(self) -> "Scoring":
        """What the challenge is scored by, made once; whoever asks holds the lock."""
        if self._challenge is None:
            from autograder.hidden.challenge import hidden_scoring  # late, as above

            self._challenge = hidden_scoring(self.model())
        return self._challenge

    def model(self) -> EditableModel:
        """The grader's own real model, loaded once; for hidden tests, which hold the lock."""
        if self._model is None:
            from keyhole.models import load_model

            self._model = load_model()
        return self._model

    def share(self, other: "Grader") -> None:
        """Use the model of another grader, and what was made with it, if the secret is the same."""
        if other.secret == self.secret:
            self._model, self._challenge = other._model, other._challenge

    def prepare(self) -> None:
        """Load what the hidden tests need, before a batch. Raises KeyholeError.

        A model that is not there is no student's fault.
        """
        if self.needs_model:
            self.model()

    @property
    def needs_model(self) -> bool:
        """Whether any hidden test runs the real model."""
        return any(getattr(hidden, "models", ()) for hidden in self.notebooks.values())

    @contextmanager
    def unlocked(self) -> Iterator[None]:
        """Let other threads of the grader work while this one waits for a student's process."""
        self.lock.release()
        try:
            yield
        finally:
            self.lock.acquire()


class Sitting:
    """The hidden tests of one notebook on one submission. Each runs at most once.

    Whoever calls `verdict` holds the grader's lock.
    """

    def __init__(self, grader: Grader, sandbox: Sandbox, hidden, submitted: Submitted):
        self.grader, self.sandbox, self.submitted = grader, sandbox, submitted
        # Of the texts that were handed to the student's functions.
        self.sent_words: set[str] = set()
        self._example = getattr(hidden, "example", None)
        self._cases = {case.id: case for case in cases_of(hidden)}
        self._verdicts: dict[str, Verdict] = {}
        self._made: dict[object, object] = {}

    def verdict(self, test_id: str) -> Verdict | None:
        """How a hidden test goes; None where the notebook has no such test. Raises NotStarted."""
        if test_id in self._cases and test_id not in self._verdicts:
            self._verdicts[test_id] = self._run(self._cases[test_id])
        return self._verdicts.get(test_id)

    def with_example(self, function: str, verdicts: list[Verdict]) -> list[Verdict]:
        """The verdicts on a function; those that nothing explains get a tiny call that fails."""
        silent = [
            each
            for each in verdicts
            if each.status == "fail" and not (each.passed or each.misconception or each.symptom)
        ]
        failed = [each for each in verdicts if not each.passed]
        if not self._example or not silent or any(each.status != "fail" for each in failed):
            return verdicts
        if len(silent) < len(failed) and any(each.misconception for each in failed):
            return verdicts  # a misconception is named elsewhere
        if self.submitted.definitions.why_altered(function):
            return verdicts
        try:
            with self.grader.lock:
                remark = self._example(SandboxTrial(self, f"{function}.example", None))
        except Exception:
            log.exception("example of %s", function)
            return verdicts
        return [replace(each, observed=remark) if each in silent else each for each in verdicts]

    def once(self, kind: Callable[["Trial"], Once], trial: "Trial") -> Once:
        """`kind(trial)`, made for the first who asks."""
        if kind not in self._made:
            self._made[kind] = kind(trial)
        return self._made[kind]

    def _run(self, case):
        function, definitions = function_of(case.id), self.submitted.definitions
        if not case.of_files and (not_run := self._not_runnable(function)):
            return not_run
        try:
            verdict = case.run(SandboxTrial(self, case.id, case.seconds))
            if not isinstance(verdict, Verdict):
                raise TypeError(f"{case.id} gave a {type(verdict).__name__}, not a Verdict")
            altered = not verdict.passed and definitions.why_altered(function)
            return verdict.unexplained(altered) if altered else verdict
        except StudentFailed as failure:
            return failed(failure, function, definitions, self.sent_words)
        except NotStarted:
            raise
        except Exception:
            log.exception("hidden test %s", case.id)
            return OUR_FAULT

    def _not_runnable(self, function):
        """The verdict on a function that cannot be called at all, or not again; else None."""
        definitions = self.submitted.definitions
        if why := unrunnable(function, definitions):
            return Verdict(
                0.0, (why,), status="error" if function in definitions.broken else "missing"
            )
        if any(
            verdict.status == "timeout" and function_of(test_id) == function
            for test_id, verdict in self._verdicts.items()
        ):
            not_again = messages.sentence("not_run_again", function=function)
            return Verdict(0.0, (not_again,), status="timeout")
        return None


@dataclass(frozen=True)
class SandboxTrial:
    """The Trial (autograder.hidden.case) of a student's function that lives in a sandbox."""

    sitting: Sitting = field(repr=False)
    test_id: str
    seconds: float | None  # the limit of one call that the test asks for

    @property
    def secret(self) -> bytes:
        """The course's."""
        return self.sitting.grader.secret

    @property
    def function(self) -> str:
        """The name of the graded function."""
        return function_of(self.test_id)

    @property
    def folder(self) -> Path:
        """The submission, for what is handed in beside the notebook."""
        return self.sitting.submitted.folder

    def call(
        self,
        adapter: str = "plain",
        tensors: dict[str, Tensor] | None = None,
        options: dict | None = None,
        seconds: float | None = None,
    ) -> Reply:
        """The student's function called in its process. Raises StudentFailed."""
        grader = self.sitting.grader
        # The shorter wins: --timeout may only tighten what a test asks for.
        limit = min(
            seconds or self.seconds or grader.limits.seconds, grader.seconds or float("inf")
        )
        self.sitting.sent_words.update(words_of(options or {}))
        with grader.unlocked():
            return self.sitting.sandbox.call(
                self.function, adapter, tensors or {}, options or {}, seconds=limit
            )

    def generator(self, *names: str) -> torch.Generator:
        """Randomness for this test's hidden inputs, from the course secret."""
        return secrets.generator(self.secret, self.test_id, *names)

    def model(self) -> EditableModel:
        """The grader's own real model."""
        return self.sitting.grader.model()

    def verdict(self, test_id: str) -> Verdict | None:
        """How another hidden test went; None where the notebook has no such test."""
        return self.sitting.verdict(test_id)

    def rests_on(self, name: str) -> bool:
        """Whether the student's function looks up another one, itself or through others."""
        return self.sitting.submitted.definitions.rests_on(self.function, name)

    def once(self, kind: Callable[["Trial"], Once]) -> Once:
        """`kind(trial)`, made when first asked for; all tests of the submission share it."""
        return self.sitting.once(kind, self)


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


def submission_in(folder: str | Path, notebooks: "Mapping[str, NotebookTests]") -> Submission:
    """A student's folder, read for the hidden tests of `notebooks`."""
    return read_submission(folder, {name: expected(tests) for name, tests in notebooks.items()})


def grade_read(
    submission: Submission,
    student: str,
    grader: Grader,
    assignment: str = ASSIGNMENT,
    only: str | None = None,
) -> Result:
    """Grade the notebooks of one student's submission, or `only` one of them.

    Never raises for what a student handed in, nor for a hidden test of ours that fails: that test
    gets 0 and `reason` says so.
    """
    start = time.perf_counter() - submission.seconds
    notebooks = {only: grader.notebooks[only]} if only else grader.notebooks
    allowance = Allowance(grader.limits.submission_seconds)
    tests, reasons, level = [], [], isolation.best().level
    for name, hidden in notebooks.items():
        submitted = submission[name]
        reasons += submitted.notes
        if submitted.definitions is None:
            reasons.append(submitted.reason)
            tests += all_alike(name, hidden, UNREADABLE)
            continue
        models = getattr(hidden, "models", ())
        source = submitted.definitions.source
        with Sandbox(source, grader.limits, models, allowance) as sandbox:
            level = sandbox.level
            tests += graded_tests(
                name, hidden, Sitting(grader, sandbox, hidden, submitted), reasons
            )
    if ours := [test.id for test in tests if test.our_fault]:
        reasons.append(messages.sentence("our_fault_on", tests=listed(ours)))
    readable = any(submission[name].definitions for name in notebooks)
    bonus = bonus_of(submission, student, grader, notebooks)
    return Result(
        student=student,
        assignment=assignment,
        status="graded" if readable else "failed",
        reason=sentences(*map(opened, dict.fromkeys(reasons))) or None,
        isolation=level,
        seconds=time.perf_counter() - start,
        tests=tuple(tests),
        bonus=bonus,
        versions=versions_here(),
    )


def bonus_of(
    submission: Submission, student: str, grader: Grader, notebooks: "Mapping[str, NotebookTests]"
) -> Bonus | None:
    """What the challenge gives; None where these notebooks have none, or nothing was handed in."""
    path = submission.handed.challenge
    if path is None or not any(
        getattr(hidden, "challenge", False) for hidden in notebooks.values()
    ):
        return None
    from autograder.hidden import challenge  # late: it loads every oracle

    name = secrets.pseudonym(grader.secret, student)
    try:
        with grader.lock:
            return challenge.bonus(path, grader.model(), grader.challenge, name)
    except Exception:
        log.exception("the challenge")
        failed = messages.sentence("challenge_failed")
        return Bonus(0.0, float(sum(challenge.POINTS.values())), str(failed), name, our_fault=True)


def graded_tests(
    name: str, hidden: "NotebookTests", sitting: Sitting, reasons: list
) -> list[TestResult]:
    """The results of a notebook's hidden tests; `reasons` gets what kept one from running.

    That is also a constant that the student's own notebook makes by a call.
    """
    verdicts: dict[str, Verdict] = {}
    for case in cases_of(hidden):
        try:
            with sitting.grader.lock:
                verdicts[case.id] = sitting.verdict(case.id)
        except NotStarted as error:
            log.error("hidden test %s: %s", case.id, error)
            reasons += error.remarks
            verdicts[case.id] = OUR_FAULT
        reasons += [
            titled(f"{name}.ipynb", remark)
            for remark in verdicts[case.id].remarks
            if getattr(remark, "code", None) in NOT_RUN
        ]
    for function in dict.fromkeys(map(function_of, verdicts)):
        of_it = [test_id for test_id in verdicts if function_of(test_id) == function]
        diagnosed = together([verdicts[test_id] for test_id in of_it])
        diagnosed = sitting.with_example(function, diagnosed)
        verdicts |= zip(of_it, diagnosed, strict=True)
    return [result_of(case, name, verdicts[case.id]) for case in cases_of(hidden)]


def not_graded(student: str, grader: Grader, assignment: str = ASSIGNMENT) -> Result:
    """What stands for a submission on which the grader itself came to grief."""
    tests = [
        test
        for name, hidden in grader.notebooks.items()
        for test in all_alike(name, hidden, OUR_FAULT)
    ]
    return Result(
        student=student,
        assignment=assignment,
        status="failed",
        reason=str(messages.sentence("our_fault_whole")),
        isolation=isolation.best().level,
        seconds=0.0,
        tests=tuple(tests),
        versions=versions_here(),
    )


def cases_of(hidden: "NotebookTests") -> list["HiddenTest"]:
    """The hidden tests of a notebook, in the order of its cells."""
    return [case for cases in hidden.cells.values() for case in cases]


def expected(hidden: "NotebookTests") -> Plan:
    """What is graded in a notebook; what is handed in as files has no function."""
    functions = dict.fromkeys(
        function_of(case.id) for case in cases_of(hidden) if not case.of_files
    )
    return Plan(
        tuple(functions),
        {cell: sum(case.points for case in cases) for cell, cases in hidden.cells.items()},
    )


def all_alike(notebook: str, hidden: "NotebookTests", verdict: Verdict) -> list[TestResult]:
    """One verdict for all hidden tests of a notebook."""
    return [result_of(case, notebook, verdict) for case in cases_of(hidden)]


def result_of(case: "HiddenTest", notebook: str, verdict: Verdict) -> TestResult:
    """A verdict as the report has it: here, and nowhere else, it becomes words."""
    return TestResult(
        id=case.id,
        notebook=notebook,
        points=case.points * float(verdict.fraction),
        max_points=case.points,
        verdict="pass" if verdict.passed else verdict.status,
        message=verdict.message,
        misconception=verdict.misconception,
        symptom=verdict.symptom,
        diagnosis="" if verdict.passed else verdict.diagnosis,
        title=case.title,
        our_fault=verdict == OUR_FAULT,
    )


def words_of(options: Mapping) -> set[str]:
    """The words of the texts that a call hands to a function."""
    return set(WORD.findall(str(list(options.get("values", {}).values()))))


def failed(
    failure: StudentFailed, function: str, definitions: Definitions, sent: Collection[str] = ()
) -> Verdict:
    """The verdict on a function that gave nothing to judge; `sent`: the words handed to it."""
    cause = None
    if failure.code == "raised":
        cause = cause_of(function, failure.detail, failure.problem)
    elif failure.code in ("memory", "memory_step"):
        cause = cause_of(function, "RuntimeError: not enough memory")
    if definitions.why_altered(function):
        cause = None
    remarks = explained(failure, function, definitions, sent)
    if cause == "name_unknown" and len(remarks) > 1:
        cause = None  # the notebook does define it, and the remark says where
    return Verdict(0.0, remarks, misconception(cause) if cause else None, failure.kind)


def explained(
    failure: StudentFailed, function: str, definitions: Definitions, sent: Collection[str] = ()
) -> tuple[Remark, ...]:
    """What is said of a failure, and why it may not happen in the student's own notebook."""
    told = redacted(failure, definitions.source, sent)
    remark = told.remark
    if failure.code == "raised" and failure.line:
        error = told.detail.rstrip(".。?？")
        remark = feedback("raised_at", function=function, error=error, line=failure.line)
    elif failure.code not in OWN_SUBJECT:
        remark = messages.sentence("failed", function=function, failure=remark)
    return remark, *why_otherwise(function, (failure.cause or failure).detail, definitions)


def redacted(failure: StudentFailed, source: str, sent: Collection[str] = ()) -> StudentFailed:
    """A failure without what it may quote of a hidden input.

    That is numbers, quotations, and words that were `sent`. What stands in the student's own text
    may stay.
    """
    if failure.cause:
        return StudentFailed(failure.code, cause=redacted(failure.cause, source, sent))
    if failure.code not in QUOTING:
        return failure

    def quotation(match):
        return match[0] if match[2] in THEIR_OWN or match[2] in source else "‘…’"

    def word(match):
        return "…" if match[0] in sent and match[0] not in source else match[0]

    detail = re.sub(r"(?<!\w)(['\"`])(.*?)(?:\1(?!\w)|$)", quotation, failure.detail)
    detail = re.sub(r"-?\d[\d.]*(?:e[+-]?\d+)?", "…", WORD.sub(word, detail))
    return StudentFailed(failure.code, detail)


def admit(required: str = "E", accept_no_isolation: bool = False) -> isolation.MachineLevel:
    """The level at which this machine runs students' code.

    Raises KeyholeError when that is below `required`, or no isolation at all and nobody accepted
    that.
    """
    found = isolation.best()
    if found.level > required:
        raise KeyholeError(TOO_LOW.format(required=required, found=found))
    if found.level == "E" and not accept_no_isolation:
        raise KeyholeError(REFUSED.format(found=found))
    return found
