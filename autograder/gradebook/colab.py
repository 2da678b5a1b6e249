"""The first cells of each released notebook: a way into Google Colab, and what must happen there.

Colab has its own torch and numpy, which fit its GPU and its other packages. So the cell installs
`keyhole` without dependencies, and only those packages that Colab lacks (docs/machines.md).
"""

import textwrap

from nbformat import NotebookNode
from nbformat.v4 import new_code_cell, new_markdown_cell
from nbgrader.preprocessors import NbGraderPreprocessor
from traitlets import Unicode

from autograder.messages import sentence

COLAB = "https://colab.research.google.com"
IDS = ("open-in-colab", "colab")  # of the two cells
CELL = """\
{comment}
try:
    from google.colab import files
except ImportError:
    files = None

if files:
    import subprocess
    import sys
    from importlib.metadata import requires, version
    from importlib.util import find_spec
    from pathlib import Path

    from packaging.requirements import Requirement

    wheel = "keyhole_homework-*.whl"
    address = {address!r}
    if not [*Path().glob(wheel)] and not address:
        print({choose})
        files.upload()
    course = str(max(Path().glob(wheel), default=address))
    if not course:
        raise FileNotFoundError(wheel)
    lacking = [name for name in ("accelerate", "filelock", "gguf", "nbformat", "wcwidth")
               if not find_spec(name)]
    pip = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    subprocess.run([*pip, *lacking, course], check=True)
    for name in ("keyhole-homework", "torch", "transformers", "numpy", *lacking):
        print(f"{{name:<18}}{{version(name)}}")
    for need in map(Requirement, requires("keyhole-homework")):
        if not need.marker and version(need.name) not in need.specifier:
            print({unfit}
                  .format(need=need, found=version(need.name)))
    print({ready})
    print({leave})
"""


class ForColab(NbGraderPreprocessor):
    """Puts two cells before a notebook that is released: a link to Colab, and an installing cell.

    On a machine other than Colab the second one does nothing.
    """

    repository = Unicode(
        "", help="The course's repository on GitHub, as OWNER/NAME. Without it no badge is shown."
    ).tag(config=True)
    branch = Unicode("main", help="The branch in which the released notebooks are.").tag(
        config=True
    )
    wheel = Unicode(
        "", help="Where students' wheel can be downloaded. Without it Colab asks them for the file."
    ).tag(config=True)

    def preprocess(self, nb: NotebookNode, resources: dict) -> tuple[NotebookNode, dict]:
        """The notebook with the two cells before its own, and `resources` as they were."""
        if nb.cells and nb.cells[0].get("id") == IDS[0]:  # a release that is released again
            return nb, resources
        names = resources["nbgrader"]
        path = f"assignments/{names['assignment']}/{names['notebook']}.ipynb"
        nb.cells = [*cells(path, self.repository, self.branch, self.wheel), *nb.cells]
        return nb, resources


def cells(path: str, repository: str, branch: str, wheel: str) -> list[NotebookNode]:
    """The two cells for the released notebook at `path` in the course's repository.

    The traits of `ForColab` describe the others.
    """
    if repository:
        opened = f"{COLAB}/github/{repository}/blob/{branch}/{path}"
        badge = f"[![{sentence('colab_open')}]({COLAB}/assets/colab-badge.svg)]({opened})"
    else:
        badge = str(sentence("colab_upload", address=COLAB))
    said = {
        "choose": sentence("colab_choose"),
        "unfit": sentence("colab_unfit", need="{need}", found="{found}"),
        "ready": sentence("colab_ready"),
        "leave": sentence("colab_leave"),
    }
    literals = {name: _literal(str(words)) for name, words in said.items()}
    code = CELL.format(address=wheel, comment=sentence("colab_comment"), **literals).strip()
    return [new_markdown_cell(badge, id=IDS[0]), new_code_cell(code, id=IDS[1])]


def _literal(words: str) -> str:
    """A string of Python over as many lines as it takes, in brackets."""
    lines = textwrap.wrap(words, 64, drop_whitespace=False)
    return "(" + f"\n{' ' * 18}".join(map(repr, lines)) + ")"
