"""bench/house.py on a small made-up tree, whose figures can be counted by hand."""

from textwrap import dedent

from bench.house import circles, figures, floors, table

TREE = {
    "README.md": "Four words stand here.",
    "docs/more/depth.md": "# One\n\ntwo",
    "keyhole/__init__.py": '_HOMES = {"hooks": ("edit", "Hook")}\n',
    "keyhole/hooks.py": '''
        """What reaches into a model."""
        from typing import TYPE_CHECKING

        from keyhole.messages import sentence

        if TYPE_CHECKING:
            from autograder.grade import Grader


        def edit(module: int, change: int, *, clean: int) -> int:
            return sentence(
                module,
                # why this comes second
                change,
            )


        class Hook:
            def close(self, first, *rest) -> None:
                """Let go.

                Twice does no harm.
                """
        ''',
    "keyhole/messages/__init__.py": "import keyhole.hooks\n",
    "autograder/__init__.py": "",
    "autograder/cli.py": "from autograder import plugin\nfrom autograder.hidden import cases\n",
    "autograder/grade.py": """
        from autograder.hidden.cases import run

        def result(bench):
            from autograder import plugin
            def inner(a, b, c, d): ...
        """,
    "autograder/plugin.py": "from autograder.grade import result\n",
    "autograder/hidden/__init__.py": "",
    "autograder/hidden/cases.py": """
        from keyhole import edit, messages
        from torch import nn

        def run(bench: int): ...
        def _own(bench): ...
        """,
    "tests/test_cli.py": '"""A docstring alone."""\nimport autograder.cli  ' + "#" * 80 + "\n",
    "bench/__init__.py": "",
}


def test_the_figures_of_a_tree_counted_by_hand(tmp_path):
    for name, text in TREE.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(dedent(text).lstrip("\n"), encoding="utf-8")
    found = figures(tmp_path)
    assert found == {
        "rooms": "6",  # keyhole, its messages, and cli, grade, plugin and hidden
        "floors": "5",  # cli, plugin, grade, hidden, keyhole: without the way back up from grade
        "arrows": "7",
        "arrows that run back up": "1",
        "circles": "1 (autograder.grade and autograder.plugin)",
        "lines of code: keyhole": "13",
        "lines of code: autograder": "11",
        "lines of code: lecture": "0",
        "lines of code: bench": "0",
        "lines of code: tests": "1",
        "lines over 100 columns": "1",
        "longest function": "6 (keyhole.hooks.edit)",
        "longest parameter list": "4 (autograder.grade.inner)",
        "longest parameter list of keyhole's public names": "3 (keyhole.hooks.edit)",
        "late imports": "1",
        "public functions without type hints": "3",  # close, result and run
        "words in README and docs/": "7",
    }
    text = table([tmp_path, tmp_path])
    assert "| arrows | 7 | 7 |" in text and text.count("\n") == len(found) + 1


def test_a_circle_that_nothing_opens_is_one_floor():
    ring = [("a", "b"), ("b", "c"), ("c", "b"), ("c", "d")]
    assert circles(ring) == {frozenset("bc")} and floors(ring) == 3
    assert circles([("a", "b")]) == set() and floors([]) == 0
