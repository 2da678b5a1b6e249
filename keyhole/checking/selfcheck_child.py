"""The child of a self-check: runs a notebook's definitions and the public checks of its functions.

It reads one request from stdin, {"source", "names", "altered"}, and answers on what was stdout in
lines of JSON: one when it is ready, then one for each function. What the student's code prints goes
nowhere.
"""

import json
import os
import sys

from keyhole.checking.adapters import BadResult
from keyhole.checking.cases import load_cases
from keyhole.checking.checks import examine
from keyhole.checking.student import Student, describe, fresh_main


def serve() -> None:
    """Answer the request on stdin."""
    sys.stdin.reconfigure(encoding="utf-8")
    request = json.loads(sys.stdin.read())
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)

    def answer(content):
        replies.write(json.dumps(content) + "\n")
        replies.flush()

    load_cases()
    answer({"ready": True})
    student = Student(request["source"], fresh_main())
    for name in request["names"]:
        answer(examined(student, name, name in request["altered"]))


def examined(student: Student, name: str, altered: bool = False) -> dict:
    """How the function `name` did: {"passed", "line", "error": what was raised, or empty}.

    Below the first line stands what the notebook's card shows. One that is `altered` rests on
    something that is not as in the notebook: no misconception is named.
    """
    try:
        report = examine(name, student.function(name))
    except BadResult as bad:
        return {
            "passed": False,
            "line": str(bad.remark(name)),
            "error": student.failed.get(name, ""),
        }
    card = (report.unexplained() if altered else report).card
    line = "\n".join([card.head, *card.lines()])
    if not report.cause:
        return {"passed": report.passed, "line": line, "error": ""}
    why = student.why_missing(report.cause)
    line = f"{line}\n  {why.strip()}" if why else line
    return {"passed": report.passed, "line": line, "error": describe(report.cause)}
