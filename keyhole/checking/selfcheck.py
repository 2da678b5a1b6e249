"""A notebook's public checks, run in a child process on its definitions alone, as the grader does.

The other side is keyhole/checking/selfcheck_child.py. This one needs no torch, which takes seconds.
"""

import json
import os
import queue
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

from keyhole.errors import KeyholeError
from keyhole.importing import import_path
from keyhole.messages import LANGUAGES, Remark, feedback, language, problem
from keyhole.notebooks import newer
from keyhole.notebooks.definitions import Definitions, definitions, read_notebook
from keyhole.notebooks.file import file_called
from keyhole.paths import FACT_FILE, OWN_FACT, OWN_FILES, data_folder
from keyhole.text import one_line

# What the child runs. Its working folder is the student's, and it imports nothing from there.
CHILD_CODE = """
import sys
sys.path[:] = {path}
from keyhole.checking.selfcheck_child import serve
serve()
"""
SECONDS = 60.0  # most that the checks of one function may take
START_SECONDS = 180.0  # until torch is loaded: a cold disk is slow
ASKED = re.compile(r"""^messages\.use\(["']([\w-]+)["']\)""", re.MULTILINE)
MISSED = re.compile(r"NameError: name '(\w+)' is not defined")
# What Python says where a module has nothing of that name, perhaps not yet.
LACKING = re.compile(
    r"(?:ImportError: cannot import name '\w+' from|ModuleNotFoundError: No module named"
    r"|AttributeError: module) '(\w+)[.']"
)


def graded_functions(path: str | Path, defined: Definitions) -> list[str]:
    """The graded functions that the notebook at `path` should define, in order.

    Raises KeyholeError where it is another notebook.
    """
    for file in sorted((data_folder() / "checks").glob("*.json")):
        names = list(json.loads(file.read_text(encoding="utf-8")))
        if Path(path).stem == file.stem or any(
            name in defined.functions or name in defined.broken for name in names
        ):
            return names
    raise KeyholeError(problem("other_notebook", file=one_line(Path(path).name, 80)))


def language_of(path: str | Path) -> str | None:
    """The language that a notebook asks for in a line of its own; None where it asks for none."""
    with suppress(KeyholeError):  # whoever checks the notebook is told what is wrong with it
        for cell in read_notebook(path).cells:
            if cell.cell_type == "code" and (asked := ASKED.search(cell.source)):
                return asked[1] if asked[1] in LANGUAGES else None
    return None


def check_notebook(path: str | Path, seconds: float = SECONDS) -> Iterator[tuple[str, bool, str]]:
    """Check a notebook's graded functions: (function, passed, words on it), as they are done.

    The words are a line, and of a function that failed a line for each thing that its card shows.
    `seconds` is the most that the checks of one function may take. Raises KeyholeError where the
    file is no notebook, or not one of the homework.
    """
    defined = definitions(read_notebook(path))
    refused = {name: unrunnable(name, defined) for name in graded_functions(path, defined)}
    running = _run(defined, [name for name, why in refused.items() if why is None], seconds)
    for name, why in refused.items():
        yield (name, False, str(why)) if why else next(running)


def check_beside(path: str | Path) -> tuple[str, bool | None, str] | None:
    """Check the files beside the notebook at `path`: (name, passed, one line on it).

    `passed` is None where no file is there yet. The whole is None for a notebook beside which
    nothing is handed in.
    """
    if not any(
        "check_files(" in cell["source"]
        for cell in read_notebook(path).cells
        if cell["cell_type"] == "code"
    ):
        return None
    folder = Path(path).absolute().parent
    if not any(file_called(folder, file) for file in OWN_FILES):
        return OWN_FACT, None, str(feedback("own_not_yet", file=FACT_FILE))
    from keyhole.checking.own_fact import examine_files  # late, as the next: they need torch
    from keyhole.models import load_model

    report = examine_files(load_model(), folder)
    return OWN_FACT, report.passed, report.reason


def unrunnable(name: str, defined: Definitions) -> Remark | None:
    """The remark on a graded function that cannot be called at all; None where it can.

    It cannot where it is broken, not read, absent or still a blank.
    """
    if name in defined.broken:
        return defined.broken[name]
    if name in defined.dropped and (name not in defined.functions or name in defined.untouched):
        why = defined.why_absent(name)
        return feedback("no_def", function=name) if why.code == "set_by_call" else why
    if name not in defined.functions:
        return feedback("absent", function=name)
    return feedback("blank", function=name) if name in defined.untouched else None


def _run(defined, names, seconds):
    """Run the checks of `names` in one process, and in a new one after each that was stopped."""
    names = list(names)
    while names:
        with _Child(defined, names) as child:
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
                why = () if reply["passed"] else why_otherwise(name, reply["error"], defined)
                yield name, reply["passed"], "\n  ".join([reply["line"], *map(str, why)])


def why_otherwise(name: str, error: str, defined: Definitions) -> tuple[Remark, ...]:
    """Why a function that failed may do otherwise in the student's own notebook.

    A name that it missed was not kept, one on which it rests would have been changed afterwards, or
    its Python is newer. `error` is what was raised, "NameError: ...", or empty.
    """
    missed = (defined.why_absent(each) for each in MISSED.findall(error))
    why = next(filter(None, missed), None) or defined.why_altered(name)
    lacking = LACKING.search(error) if defined.python and not why else None
    if lacking and lacking[1] in sys.stdlib_module_names:
        why = feedback("newer_python", saved=defined.python, grades=newer.shown(newer.here()))
    return (why,) if why else ()


class _Child:
    """A process that answers in lines of JSON: one when it is ready, then one a function."""

    def __init__(self, defined, names):
        self._process = subprocess.Popen(
            [sys.executable, "-P", "-c", CHILD_CODE.format(path=import_path())],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
            encoding="utf-8",
            env=os.environ | {"KEYHOLE_LANG": language(), "PYTHONPATH": ""},
        )
        self._lines = queue.Queue()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()
        with suppress(OSError):  # it died at once; reply() will tell
            request = {"source": defined.source, "names": names, "altered": [*defined.altered]}
            self._process.stdin.write(json.dumps(request))
            self._process.stdin.close()

    def _read(self):
        for line in self._process.stdout:
            self._lines.put(json.loads(line))
        self._lines.put(None)

    def reply(self, seconds: float) -> dict | None:
        """The next answer; None where it takes longer, or the process has ended."""
        try:
            return self._lines.get(timeout=seconds)
        except queue.Empty:
            return None

    def runs(self) -> bool:
        """Whether the process still runs."""
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
