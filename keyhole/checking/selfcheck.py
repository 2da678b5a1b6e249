"""A notebook's public checks in a process of their own: what the grader will see, since only definitions run there."""

import json
import os
import queue
import subprocess
import sys
import threading
from pathlib import Path

from keyhole.errors import KeyholeError
from keyhole.messages import feedback, language, problem, sentences
from keyhole.notebooks.definitions import definitions, read_notebook
from keyhole.notebooks.file import file_called
from keyhole.paths import data_folder
from keyhole.text import one_line

SECONDS = 60.0  # most that the checks of one function may take
START_SECONDS = 180.0  # until torch is loaded: a cold disk is slow
OWN, FILES = (
    "my_edit",
    ("my_fact.json", "my_edit.safetensors"),
)  # as in keyhole.checking.own_fact, which needs torch


def graded_functions(path, found):
    """The graded functions that the notebook at `path` should define, in order. Raises KeyholeError where it is another notebook."""
    for file in sorted((data_folder() / "checks").glob("*.json")):
        names = list(json.loads(file.read_text(encoding="utf-8")))
        if Path(path).stem == file.stem or any(
            name in found.functions or name in found.broken for name in names
        ):
            return names
    raise KeyholeError(problem("other_notebook", file=one_line(Path(path).name, 80)))


def check_notebook(path, seconds=SECONDS):
    """Check a notebook's graded functions: yields (function, passed, one line on it), as they are done.

    Raises KeyholeError where the file is no notebook, or not one of the homework.
    """
    found = definitions(read_notebook(path))
    lines = {name: unrunnable(name, found) for name in graded_functions(path, found)}
    running = _run(found, [name for name, line in lines.items() if line is None], seconds)
    for name, line in lines.items():
        yield (name, False, str(line)) if line else next(running)


def check_beside(path):
    """Check what is handed in beside the notebook at `path`: (name, passed, one line on it).

    `passed` is None where nothing is there yet; the whole is None for a notebook beside which nothing is handed in.
    """
    if not any(
        "check_files(" in cell["source"]
        for cell in read_notebook(path).cells
        if cell["cell_type"] == "code"
    ):
        return None
    folder = Path(path).absolute().parent
    if not any(file_called(folder, file) for file in FILES):
        return OWN, None, str(feedback("own_not_yet", file=FILES[0]))
    from keyhole.models import load_model
    from keyhole.checking.own_fact import examine_files  # late: it needs torch

    report = examine_files(load_model(), folder)
    return OWN, report.passed, report.reason


def unrunnable(name, found):
    """The remark on a graded function that cannot be run at all (broken, not read, absent, still a blank), or None."""
    if name in found.broken:
        return found.broken[name]
    if name in found.dropped and (name not in found.functions or name in found.untouched):
        return feedback("no_def", function=name)
    if name not in found.functions:
        return feedback("absent", function=name)
    return feedback("blank", function=name) if name in found.untouched else None


def _run(found, names, seconds):
    """Run the checks of `names` in as few processes as possible: one, and another after each that had to be stopped."""
    names = list(names)
    while names:
        with _Child(found.source, names) as child:
            ready = child.reply(START_SECONDS)
            if ready is None:
                raise KeyholeError(problem("checks_not_started"))
            while names:
                reply = child.reply(seconds)
                name = names.pop(0)
                if reply is None:
                    how = "timeout" if child.runs() else "ended"
                    yield name, False, str(feedback(how, function=name, seconds=seconds))
                    break
                yield name, reply["passed"], _with_dropped(reply, found.dropped)


def _with_dropped(reply, dropped):
    """The line on a function; where it missed a name that the notebook sets by a call, that is said."""
    return sentences(
        reply["line"],
        feedback("only_defines", variable=reply["missing"]) if reply["missing"] in dropped else "",
    )


class _Child:
    """A process that answers in lines of JSON: one when it is ready, then one a function."""

    def __init__(self, source, names):
        program = "from keyhole.checking.selfcheck import serve; serve()"
        self._process = subprocess.Popen(
            [sys.executable, "-c", program],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            env=os.environ | {"KEYHOLE_LANG": language()},
        )
        self._lines = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        try:
            self._process.stdin.write(json.dumps({"source": source, "names": names}))
            self._process.stdin.close()
        except OSError:
            pass  # it died at once; reply() will tell

    def _read(self):
        for line in self._process.stdout:
            self._lines.put(json.loads(line))
        self._lines.put(None)

    def reply(self, seconds):
        """The next answer; None where it takes longer, or the process has ended."""
        try:
            return self._lines.get(timeout=seconds)
        except queue.Empty:
            return None

    def runs(self):
        try:
            self._process.wait(0.5)  # an end that is just happening
        except subprocess.TimeoutExpired:
            return True
        return False

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._process.kill()
        self._process.wait()
        self._reader.join(5)  # a grandchild of the student's may hold the pipe open
        self._process.stdout.close()


def serve():
    """In the child: read the request from stdin, answer on what was stdout; a student's own prints go nowhere."""
    sys.stdin.reconfigure(encoding="utf-8")
    request = json.loads(sys.stdin.read())
    replies = os.fdopen(os.dup(1), "w", encoding="utf-8")
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)

    def answer(**content):
        replies.write(json.dumps(content) + "\n")
        replies.flush()

    from keyhole.checking.checks import examine, load_cases, raised

    load_cases()
    answer(ready=True)
    student = Student(request["source"])
    for name in request["names"]:
        if name not in student.names:
            answer(
                passed=False,
                line=str(feedback("undefined", function=name, error=student.failed.get(name, "?"))),
                missing=student.missing.get(name),
            )
            continue
        try:
            report = examine(name, student.names[name])
        except Exception as error:  # a result that cannot even be looked at
            answer(passed=False, line=str(raised(name, error, student.names[name])), missing=None)
            continue
        answer(
            passed=report.passed, line=report.reason, missing=getattr(report.cause, "name", None)
        )


class Student:
    """A student's definitions, run one after the other, so that one that fails loses only what it would have bound."""

    def __init__(self, source, file="<notebook>"):
        import ast
        import linecache

        # As for a cell: lines of the source can be shown.
        linecache.cache[file] = (len(source), None, source.splitlines(keepends=True), file)
        self.names = {"__name__": "__main__"}
        self.failed, self.missing = (
            {},
            {},
        )  # name -> what its definition raised; the name that it missed
        body = ast.parse(source).body
        future = [
            node
            for node in body
            if isinstance(node, ast.ImportFrom) and node.module == "__future__"
        ]
        for node in body:
            try:
                exec(compile(ast.Module([*future, node], []), file, "exec"), self.names)
            except Exception as error:
                for name in _names(node):
                    self.names.pop(name, None)
                    self.failed[name] = one_line(f"{type(error).__name__}: {error}", 200)
                    self.missing[name] = getattr(error, "name", None)


def _names(node):
    import ast

    if hasattr(node, "name"):
        return [node.name]
    return [
        part.id
        for part in ast.walk(node)
        if isinstance(part, ast.Name) and isinstance(part.ctx, ast.Store)
    ]
