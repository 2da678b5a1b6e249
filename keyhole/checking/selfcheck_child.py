"""The child of a self-check: runs a notebook's definitions and the public checks of its functions.

It reads one request from stdin, {"source", "names"}, and answers on what was stdout in lines of
JSON: one when it is ready, then one for each function. What the student's code prints goes nowhere.
"""

import json
import os
import sys

from keyhole.checking.adapters import BadResult
from keyhole.checking.cases import load_cases
from keyhole.checking.checks import examine
from keyhole.checking.student import Student, fresh_main, missed_name


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
        answer(examined(student, name))


def examined(student: Student, name: str) -> dict:
    """How the function `name` did: {"passed", "line", "missing": a name it missed, or None}."""
    try:
        report = examine(name, student.function(name))
    except BadResult as bad:
        line = str(bad.remark(name))
        return {"passed": False, "line": line, "missing": student.missing.get(name)}
    line = report.reason + student.why_missing(report.cause)
    return {"passed": report.passed, "line": line, "missing": missed_name(report.cause)}
