"""How a student's process can fail: codes and details. autograder/messages holds the sentences.

The zygote imports this package, and at level A it cannot read the staff's sentences. So this module
imports autograder.messages only when a sentence is asked for, which happens in the grader alone.
"""

import torch

from keyhole.errors import KeyholeError
from keyhole.messages import Remark
from keyhole.text import one_line

# Code of a failure -> verdict of the test. The child sends a code and a detail, never a sentence.
FAILURES = {
    **dict.fromkeys(["stub", "stub_called", "absent"], "missing"),
    **dict.fromkeys(["definitions", "raised", "none", "type"], "error"),
    **dict.fromkeys(["device", "layout", "dtype", "big"], "error"),
    **dict.fromkeys(["memory", "memory_step"], "error"),
    **dict.fromkeys(["timeout", "cpu", "submission"], "timeout"),
    **dict.fromkeys(["exited", "crashed", "killed", "lost", "garbled"], "error"),
}

# The codes that a child may send. What it sends may be forged, so each code has the set of details
# that exist; None stands for free text, which is quoted with care.
SAID = {
    **dict.fromkeys(["stub", "none"], {""}),
    **dict.fromkeys(["definitions", "raised", "type", "stub_called"]),
    "device": {"meta"},
    "layout": {str(each) for each in vars(torch).values() if isinstance(each, torch.layout)},
    "dtype": {
        str(each).removeprefix("torch.")
        for each in vars(torch).values()
        if isinstance(each, torch.dtype)
    },
}


class NotStarted(KeyholeError):
    """No process for students' code could be started. The machine is at fault, never a student.

    `said` is the name of the sentence; `error` fills its gap.
    """

    def __init__(self, said: str, error: object):
        from autograder.messages import sentence

        super().__init__(sentence(said, error=error))


class StudentFailed(Exception):
    """The student's code gave no tensor.

    `code` is one of FAILURES, and `kind` "error", "timeout" or "missing". `detail` is one untrusted
    line. `problem`, untrusted too, is the code of a KeyholeError of the library's that was raised.
    `cause` is the failure that kept definitions from running. `line` is the student's own text
    where it was raised; it may be another line of theirs, if the reply was forged.
    """

    def __init__(
        self,
        code: str,
        detail: object = "",
        problem: str | None = None,
        cause: "StudentFailed | None" = None,
        line: str = "",
    ):
        self.code, self.detail = code, one_line(detail, 250)
        self.problem, self.cause, self.line = problem, cause, line
        self.kind = cause.kind if cause else FAILURES[code]
        super().__init__(code, self.detail)

    def __str__(self):
        return one_line(self.remark)

    @property
    def remark(self) -> Remark:
        """What is said of it. The function is the subject, unless it is about the definitions."""
        from autograder.messages import failure, sentence

        if self.cause:
            return sentence("not_defined", failure=self.cause.remark)
        return failure(self.code, self.detail.rstrip(".。?？"))


class ZygoteLost(Exception):
    """The zygote died, and its child with it. Nobody knows yet whose fault it was."""
