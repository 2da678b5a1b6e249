"""A terminal that lacks letters: every program prints all the same, and ends as it should."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow  # many processes; `make test` runs it

ROOT = Path(__file__).resolve().parent.parent
NAME = "陳大文"
TERMINALS = {
    "latin-1": {"PYTHONIOENCODING": "latin-1"},
    "ASCII": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "UTF-8": {"PYTHONIOENCODING": "utf-8"},
}
POOREST = "ASCII"  # what loads much is tried on this one alone
# The program's own `main`, with a command that prints the names.
PROGRAMS = {
    "keyhole": """
from keyhole import cli
def fetch(chosen):
    print(NAMES)
cli.fetch = fetch
status = cli.main(["fetch"])
""",
    "autograder": """
from types import SimpleNamespace
from autograder import cli
def add(commands):
    def run(chosen):
        print(NAMES)
        return 0
    commands.add_parser("say").set_defaults(run=run)
cli.COMMANDS = [SimpleNamespace(add=add)]
status = cli.main(["say"])
""",
    "bench": """
from types import SimpleNamespace
from bench import __main__ as program
def rows():
    yield SimpleNamespace(what=NAMES, seconds=1.0, baseline=None, target="", notes=[NAMES])
program.matrix_rate = lambda: 0.0
program.MODULES = [SimpleNamespace(__name__="bench.editing", rows=rows)]
program.main(["editing"])
status = 0
""",
    "bench.house": """
import sys
from bench import house
house.table = lambda folders: NAMES
sys.argv[1:] = []
house.main()
status = 0
""",
    "student-pack": """
from pathlib import Path
from types import SimpleNamespace
from autograder.making import student_pack
class Target:
    parent = None
    def __init__(self, name):
        pass
    def __str__(self):
        return NAMES
    def stat(self):
        return SimpleNamespace(st_size=0)
student_pack.Path, student_pack.pack = Target, lambda target, language: target
student_pack.pack_wheel = lambda folder: Target("")
status = student_pack.main([])
""",
}


@pytest.mark.parametrize(
    "program, terminal",
    [
        (program, terminal)
        for program in PROGRAMS
        for terminal in TERMINALS
        if program in ("keyhole", "autograder") or terminal == POOREST
    ],
)
def test_a_name_that_the_terminal_cannot_show_ends_no_program(program, terminal):
    """The other name holds half a character, which no terminal can show."""
    named = f"import sys\nNAMES = {NAME!a} + ' \\u2713 \\udc99'\n"
    run = subprocess.run(
        [sys.executable, "-c", f"{named}{PROGRAMS[program]}sys.exit(status)"],
        cwd=ROOT,
        env=os.environ | TERMINALS[terminal],
        capture_output=True,
    )
    assert run.returncode == 0, run.stderr.decode()
    shown = NAME.encode() if terminal == "UTF-8" else NAME.encode("ascii", "backslashreplace")
    assert shown in run.stdout and b"\\udc99" in run.stdout


@pytest.mark.parametrize(
    "arguments, terminal",
    [
        *((("keyhole", "check", NAME), terminal) for terminal in TERMINALS),
        *((("autograder.cli", "grade", NAME, "--json", "r.json"), each) for each in TERMINALS),
        (("keyhole", "--lang", NAME), POOREST),
        (("autograder.cli", "validity", "--secret", NAME), POOREST),
    ],
)
def test_refused_arguments_are_one_sentence_on_any_terminal(tmp_path, arguments, terminal):
    run = subprocess.run(
        [sys.executable, "-m", *arguments],
        cwd=tmp_path,
        env=os.environ | TERMINALS[terminal] | {"PYTHONPATH": str(ROOT)},
        capture_output=True,
    )
    assert run.returncode == 2 and b"Traceback" not in run.stderr
