"""How a student's process can fail: codes and details. autograder/messages holds the sentences.

The zygote imports this package, and at level A it cannot read the staff's sentences. So this module
imports autograder.messages only when a sentence is asked for, which happens in the grader alone.
"""

import torch

from keyhole.errors import KeyholeError
from keyhole.text import one_line

# Code of a failure -> verdict of the test. The child sends a code and a detail, never a sentence.
FAILURES = {
    **dict.fromkeys(["stub", "absent"], "missing"),
    **dict.fromkeys(["definitions", "raised", "none", "type"], "error"),
    **dict.fromkeys(["device", "layout", "dtype", "big", "memory"], "error"),
    **dict.fromkeys(["timeout", "cpu", "submission"], "timeout"),
    **dict.fromkeys(["exited", "crashed", "killed", "lost", "garbled"], "error"),
}

# The codes that a child may send. What it sends may be forged, so each code has the set of details
# that exist; None stands for free text, which is quoted with care.
SAID = {
    **dict.fromkeys(["stub", "none"], {""}),
    **dict.fromkeys(["definitions", "raised", "type"]),
    "device": {"meta"},
    "layout": {str(each) for each in vars(torch).values() if isinstance(each, torch.layout)},
    "dtype": {
        str(each).removeprefix("torch.")
        for each in vars(torch).values()
        if isinstance(each, torch.dtype)
    },
}


class NotStarted(KeyholeError):
    """No process for students' code could be started. The machine is at fault, never a student."""

    def __init__(self, name: str, error: object):
        from autograder.messages import sentence

        super().__init__(sentence(name, error=one_line(error).rstrip(".。")))


class StudentFailed(Exception):
    """The student's code gave no tensor. `kind` is "error", "timeout" or "missing"."""

    def __init__(self, code: str, detail: object = ""):
        self.code, self.kind, self.detail = code, FAILURES[code], one_line(detail, 250)
        super().__init__(self.message)

    @property
    def message(self) -> str:
        """One line in the language spoken. It may quote the student: escape it when it is shown."""
        from autograder.messages import failure

        said = failure(self.code, self.detail.rstrip(".。"))
        # A detail may end with a question mark; the sentence adds a full stop to it.
        return one_line(said.replace("?.", "?").replace("？。", "？"))


class ZygoteLost(Exception):
    """The zygote died, and its child with it. Nobody knows yet whose fault it was."""
