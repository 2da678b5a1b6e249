"""Damaged submissions, as classes hand them in.

Each has a name, what damages a right submission, and what the grader is to make of it.
"""

import copy
import io
import json
import os
import re
import zipfile
from collections.abc import Callable
from dataclasses import dataclass
from itertools import cycle
from pathlib import Path

from tests.standins import DOUBLE, TRIPLE

ALL, NOTHING, ONLY_DOUBLE, ONLY_TRIPLE = 6, 0, 4, 2
COLAB = {
    "colab": {"provenance": []},
    "kernelspec": {"name": "python3", "display_name": "Python 3"},
    "language_info": {"name": "python"},
}
VSCODE = {"kernelspec": {"display_name": ".venv", "language": "python", "name": "python3"}}


@dataclass(frozen=True)
class Damage:
    """`make(folder, notebook)` writes the submission `folder` from the JSON of a right notebook.

    `says` names a sentence of the submission's reason; None where nothing has to be mended.
    """

    make: Callable
    score: int
    says: str | None = None


DAMAGES: dict[str, Damage] = {}


def kind(name, score, says=None):
    def add(make):
        DAMAGES[name] = Damage(make, score, says)
        return make

    return add


def of_cells(name, score, says=None):
    """A damage to the notebook's JSON: `change(cells, notebook)` changes it in place."""

    def add(change):
        def make(folder, notebook):
            change(notebook["cells"], notebook)
            save(folder, notebook)

        DAMAGES[name] = Damage(make, score, says)
        return change

    return add


def of_text(name, score, says=None):
    """A damage to the file: `change(text)` gives other text, or bytes."""

    def add(change):
        DAMAGES[name] = Damage(
            lambda folder, notebook: save(
                folder, change(json.dumps(notebook, indent=1, ensure_ascii=False))
            ),
            score,
            says,
        )
        return change

    return add


def save(folder: Path, content, name: str = "3_edit.ipynb") -> None:
    content = json.dumps(content) if isinstance(content, dict) else content
    path = Path(os.path.normpath(folder / name))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content if isinstance(content, bytes) else content.encode())


def cell(cells, name) -> dict:
    return next(
        each for each in cells if each["metadata"].get("nbgrader", {}).get("grade_id") == name
    )


def unmarked(source, kind="code") -> dict:
    return {"cell_type": kind, "metadata": {}, "source": source} | (
        {"outputs": [], "execution_count": None} if kind == "code" else {}
    )


def without_marks(notebook) -> dict:
    for each in notebook["cells"]:
        each["metadata"] = {}
    return notebook


def blank(notebook) -> dict:
    notebook = copy.deepcopy(notebook)
    for name in ("double", "triple"):
        cell(notebook["cells"], name)["source"] = (
            f"def {name}(x):\n    # YOUR CODE HERE\n    raise NotImplementedError()"
        )
    return notebook


def zipped(files: dict) -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return held.getvalue()


# ---------------------------------------------------------------- cells


@of_cells("every cell twice", ALL, "cells_twice")
def _(cells, notebook):
    cells += [each | {"id": each["id"] + "x"} for each in copy.deepcopy(cells)]


@of_cells("a blank copy below", ALL, "cells_twice")
def _(cells, notebook):
    cells.append(copy.deepcopy(cell(blank(notebook)["cells"], "double")))


@of_cells("a blank copy above", ALL, "cells_twice")
def _(cells, notebook):
    cells.insert(0, copy.deepcopy(cell(blank(notebook)["cells"], "double")))


@of_cells("a broken copy below", ALL, "cells_twice")
def _(cells, notebook):
    cells.append(
        copy.deepcopy(cell(cells, "double"))
        | {"id": "copy", "source": "def double(x:\n    return 2 * x"}
    )


@of_cells("another schema", ALL, "marks_changed")
def _(cells, notebook):
    for number, each in enumerate(cells):
        each["metadata"].get("nbgrader", {})["schema_version"] = [99, 0, "x"][number % 3]


@of_cells("points and flags changed", ALL, "marks_changed")
def _(cells, notebook):
    for each in cells:
        each["metadata"].get("nbgrader", {}).update(
            points=1e9, locked=False, solution=True, grade=True
        )


@of_cells("a test cell deleted", ALL, "cells_missing")
def _(cells, notebook):
    cells.remove(cell(cells, "test_double"))


@of_cells("a solution cell deleted", ONLY_DOUBLE, "cells_missing")
def _(cells, notebook):
    cells.remove(cell(cells, "triple"))


@of_cells("all metadata stripped", ALL, "marks_lost")
def _(cells, notebook):
    without_marks(notebook)["metadata"] = {}


@of_cells("all metadata stripped and cells deleted", ALL, "marks_lost")
def _(cells, notebook):
    notebook["cells"] = [
        each for each in without_marks(notebook)["cells"] if "def " in "".join(each["source"])
    ]


@of_cells("metadata of one cell stripped", ALL, "cells_recovered")
def _(cells, notebook):
    cell(cells, "double")["metadata"] = {}


@of_cells("metadata that is none", ALL, "marks_lost")
def _(cells, notebook):
    for each, metadata in zip(
        cells,
        cycle(
            [[], None, 7, "x", {"nbgrader": "?"}, {"nbgrader": {"grade_id": 3}}, {"nbgrader": None}]
        ),
        strict=False,
    ):
        each["metadata"] = metadata


@of_cells("a solution turned into Markdown", ALL, "kinds_changed")
def _(cells, notebook):
    cell(cells, "double").update(cell_type="markdown")


@of_cells("a solution turned into a raw cell", ALL, "kinds_changed")
def _(cells, notebook):
    cell(cells, "triple").update(cell_type="raw")


@of_cells("a test cell turned into Markdown", ALL, "kinds_changed")
def _(cells, notebook):
    cell(cells, "test_double").update(cell_type="markdown")


@of_cells("a cell of an unknown type", ALL, "kinds_changed")
def _(cells, notebook):
    cell(cells, "double").update(cell_type="sql")
    cells.insert(0, {"cell_type": ["?"], "source": "", "metadata": {}})


@of_cells("two functions in one cell", ALL, "functions_elsewhere")
def _(cells, notebook):
    cell(cells, "double")["source"] = f"{DOUBLE}\n\n\n{TRIPLE}"
    cells.remove(cell(cells, "triple"))


@of_cells("all functions in a cell of its own", ALL, "functions_elsewhere")
def _(cells, notebook):
    cell(cells, "double")["source"] = cell(cells, "triple")["source"] = ""
    cells.insert(0, unmarked(f"{DOUBLE}\n\n\n{TRIPLE}"))


@of_cells("blanks left, and filled in above them", ALL, "functions_elsewhere")
def _(cells, notebook):
    cells[:] = [unmarked(DOUBLE), unmarked(TRIPLE), *blank(notebook)["cells"]]


@of_cells("blanks left, and filled in below them", ALL, "functions_elsewhere")
def _(cells, notebook):
    cells[:] = [*blank(notebook)["cells"], unmarked(f"{DOUBLE}\n\n\n{TRIPLE}")]


@of_cells("a helper in its own cell", ALL)
def _(cells, notebook):
    cell(cells, "double")["source"] = "def double(x):\n    return times(2, x)"
    cells.append(unmarked("def times(a, b):\n    return a * b"))


@of_cells("a function split over two cells", ALL, "cells_joined")
def _(cells, notebook):
    cell(cells, "double")["source"] = "def double(x):\n    y = 2 * x"
    cells.insert(cells.index(cell(cells, "double")) + 1, unmarked("    return y"))


@of_cells("a function split over three cells", ALL, "cells_joined")
def _(cells, notebook):
    cell(cells, "double")["source"] = "def double(x):"
    at = cells.index(cell(cells, "double")) + 1
    cells[at:at] = [
        unmarked("    y = 2 * x"),
        unmarked("note", "markdown"),
        unmarked("    return y"),
    ]


@of_cells("cells in another order", ALL, "cells_reordered")
def _(cells, notebook):
    cells.reverse()


@of_cells("functions in one another's cells", ALL, "functions_elsewhere")
def _(cells, notebook):
    cell(cells, "double")["source"], cell(cells, "triple")["source"] = TRIPLE, DOUBLE


@of_cells("a function defined twice", ALL, "defined_twice")
def _(cells, notebook):
    cells.insert(0, unmarked("def double(x):\n    return x"))


@of_cells("a cell that is indented as a whole", ALL, "cells_indented")
def _(cells, notebook):
    cell(cells, "double")["source"] = "    def double(x):\n        return 2 * x"


@of_cells("tabs and spaces mixed", ONLY_TRIPLE, "syntax_tabs")
def _(cells, notebook):
    cell(cells, "double")["source"] = "def double(x):\n        y = 2 * x\n\treturn y"


@of_cells("full-width punctuation", ONLY_TRIPLE, "syntax_character")
def _(cells, notebook):
    cell(cells, "double")["source"] = "def double（x）：\n    return 2 * x"


@of_cells("curly quotation marks", ONLY_TRIPLE, "syntax_character")
def _(cells, notebook):
    cell(cells, "double")["source"] = "def double(x):\n    assert x is not “x”\n    return 2 * x"


@of_cells("a character that Python does not know", ONLY_TRIPLE, "syntax_foreign")
def _(cells, notebook):
    cell(cells, "double")["source"] = "def double(x):\n    return 2 * x\u200b"


@of_cells("marks of a merge in a cell", ONLY_TRIPLE, "syntax_merge")
def _(cells, notebook):
    cell(cells, "double")["source"] = (
        "def double(x):\n<<<<<<< HEAD\n    return 2 * x\n=======\n    return x\n>>>>>>> b"
    )


@of_cells("a syntax error", ONLY_TRIPLE, "syntax")
def _(cells, notebook):
    cell(cells, "double")["source"] = "def double(x:\n    return 2 * x"


@of_cells("a form of a newer Python", ONLY_TRIPLE, "syntax_perhaps_newer")
def _(cells, notebook):
    notebook["metadata"] = {"language_info": {"name": "python", "version": "9.13.0"}}
    cell(cells, "double")["source"] = "def double(x) of a later time:\n    return 2 * x"


@of_cells("imports under a condition and in a try", ALL)
def _(cells, notebook):
    cells.insert(
        0,
        unmarked(
            "import sys\nif 'google.colab' in sys.modules:\n    from google.colab import drive\n"
            "    drive.mount('/x')\nelse:\n    import math\n"
            "try:\n    from nowhere import times\nexcept ImportError:\n    print('none')\n"
            "    def times(a, b):\n        return a * b"
        ),
    )
    cell(cells, "double")["source"] = "def double(x):\n    return times(int(math.sqrt(4)), x)"


@of_cells("a constant changed later", ALL)
def _(cells, notebook):
    cells.insert(0, unmarked("FACTOR, ALL = 4, {}"))
    cells.append(unmarked("FACTOR //= 2\nALL['triple'] = 3\nprint(FACTOR)"))
    cell(cells, "double")["source"] = "def double(x):\n    return FACTOR * x"
    cell(cells, "triple")["source"] = "def triple(x):\n    return ALL['triple'] * x"


@of_cells("code nested too deeply", ONLY_TRIPLE, "cell_left_out")
def _(cells, notebook):
    cell(cells, "double")["source"] = "x = " + "-" * 100_000 + "1\n" + DOUBLE


@of_cells("a cell of two megabytes", ALL, "cell_too_much")
def _(cells, notebook):
    cells.insert(0, unmarked("x = 1\n" * 300_000))


@of_cells("null characters", ALL, "file_nulls")
def _(cells, notebook):
    cell(cells, "double")["source"] = DOUBLE.replace(" ", " \0", 1)


@of_cells("line ends of Windows in cells", ALL, "file_line_ends")
def _(cells, notebook):
    for each in cells:
        each["source"] = "".join(each["source"]).replace("\n", "\r\n")


@of_cells("a byte-order mark in a cell", ALL, "file_marks")
def _(cells, notebook):
    cell(cells, "double")["source"] = "\ufeff" + DOUBLE


@of_cells("sources that are lists", ALL)
def _(cells, notebook):
    for each in cells:
        each["source"] = "".join(each["source"]).splitlines(keepends=True)


@of_cells("cells without a source", ALL, "file_no_text")
def _(cells, notebook):
    cells[:0] = [{"cell_type": "code", "metadata": {}}, {"cell_type": "markdown", "source": 7}, {}]


@of_cells("things among the cells that are none", ALL, "file_no_cell")
def _(cells, notebook):
    cells[1:1] = [None, 3, "cell", []]


@of_cells("the same id for all cells", ALL, "ids_repeated")
def _(cells, notebook):
    for each in cells:
        each["id"] = "a"


@of_cells("six thousand cells", ALL, "file_many_cells")
def _(cells, notebook):
    cells += [unmarked("", "raw")] * 6000


@of_cells("metadata nested deeply", ALL)
def _(cells, notebook):
    cells[1]["metadata"]["x"] = json.loads("[" * 200 + "]" * 200)


# ---------------------------------------------------------------- what other programs save


@of_cells("saved as nbformat 3", ALL, "file_version")
def _(cells, notebook):
    for each in cells:
        if each["cell_type"] == "code":
            each |= {
                "input": each.pop("source"),
                "language": "python",
                "collapsed": False,
                "prompt_number": 1,
            }
    cells.insert(0, {"cell_type": "heading", "level": 2, "source": "Twice", "metadata": {}})
    notebook |= {
        "nbformat": 3,
        "nbformat_minor": 0,
        "worksheets": [{"cells": notebook.pop("cells"), "metadata": {}}],
    }
    old = copy.deepcopy(notebook)
    notebook.clear()
    notebook.update(old)


@of_cells("saved as nbformat 2", ALL, "file_version")
def _(cells, notebook):
    old = [
        (
            {"cell_type": "code", "language": "python", "input": each["source"], "outputs": []}
            if each["cell_type"] == "code"
            else {"cell_type": "markdown", "source": each["source"]}
        )
        for each in cells
    ]
    notebook.clear()
    notebook.update(nbformat=2, metadata={"name": "3_edit"}, worksheets=[{"cells": old}])


@of_cells("a future nbformat", ALL, "file_version")
def _(cells, notebook):
    notebook.update(nbformat=5, nbformat_minor=1, metadata={"new": {"deep": [1]}})


@of_cells("an nbformat that is none", ALL, "file_version")
def _(cells, notebook):
    notebook["nbformat"] = "four"


@of_cells("saved by Colab", ALL)
def _(cells, notebook):
    for number, each in enumerate(cells):
        each.pop("id", None)
        each["metadata"] |= {
            "id": f"Xy{number}",
            "colab": {"base_uri": "https://localhost:8080/"},
            "outputId": "1",
        }
    cell(cells, "double")["source"] = (
        f'#@title Double {{ display-mode: "form" }}\n{DOUBLE}\nfactor = 2 #@param'
        ' {type:"integer"}'
    )
    notebook.update(metadata=COLAB, nbformat_minor=0)


@of_cells("saved by Colab, which lost the marks", ALL, "marks_lost")
def _(cells, notebook):
    for number, each in enumerate(cells):
        each.pop("id", None)
        each["metadata"] = {"id": f"Xy{number}"}
    notebook.update(metadata=COLAB, nbformat_minor=0)


@of_cells("saved by VS Code", ALL)
def _(cells, notebook):
    for each in cells:
        each["metadata"]["vscode"] = {"languageId": "python"}
        each["outputs"] = [{"name": "stdout", "output_type": "stream", "text": ["1\n"]}]
    notebook["metadata"] = VSCODE


@of_cells("a kernel of another language", ALL, "kernel")
def _(cells, notebook):
    notebook["metadata"] = {
        "kernelspec": {"name": "ir", "language": "R", "display_name": "R"},
        "language_info": {"name": "R"},
    }


@of_cells("a kernelspec that is none", ALL, "kernel")
def _(cells, notebook):
    notebook["metadata"] = {"kernelspec": {"name": "fortran"}, "language_info": 7}


# ---------------------------------------------------------------- the file


@of_text("outputs of 100 MB", ALL, "file_large")
def _(text):
    picture = '{"output_type": "display_data", "metadata": {}, "data": {"image/png": "%s"}}' % (
        "A" * 2**20
    )
    return text.replace('"outputs": []', f'"outputs": [{",".join([picture] * 100)}]', 1)


@of_text("a byte-order mark", ALL, "file_mark")
def _(text):
    return b"\xef\xbb\xbf" + text.encode()


@of_text("UTF-16", ALL, "file_encoding")
def _(text):
    return text.encode("utf-16")


@of_text("Latin-1", ALL, "file_encoding")
def _(text):
    return text.replace("# Twice", "# Zweimal für später, déjà vu").encode("latin-1")


@of_text("Big5", ALL, "file_encoding")
def _(text):
    return text.replace("# Twice", "# 兩倍的成功，許多功課").encode("cp950")


@of_text("a byte of UTF-8 spoilt", ALL, "file_spoilt")
def _(text):
    return (
        text.replace("# Twice", "# 兩倍的成功，許多功課")
        .encode()
        .replace("倍".encode(), b"\xe5\x80 ")
    )


@of_text("line ends of Windows in the file", ALL)
def _(text):
    return text.replace("\n", "\r\n")


@of_text("null bytes behind the end", ALL, "file_goes_on")
def _(text):
    return text.encode() + bytes(4096)


@of_text("cut off in the middle", ONLY_DOUBLE, "file_damaged")
def _(text):
    return text[: text.index("def triple") + 15]


@of_text("a hole in the middle", ONLY_TRIPLE, "file_damaged")
def _(text):
    return text.replace("def double(x):", 'def double(x):"', 1)


@of_text("text behind the end", ALL, "file_goes_on")
def _(text):
    return text + '\n "metadata": {}\n}\n'


@of_text("a comma behind the last of each list and object", ALL, "file_commas")
def _(text):
    return re.sub(r"(?<=[\]}\"\dn])(\n *[\]}])", r",\1", text)


@of_text("commas too many, and cut off behind them", ONLY_DOUBLE, "file_damaged")
def _(text):
    text = re.sub(r"(?<=[\]}\"\dn])(\n *[\]}])", r",\1", text)
    return text[: text.index("def triple") + 15]


@of_text("marks of a merge", ALL, "file_conflict")
def _(text):
    line = next(line for line in text.split("\n") if "def double" in line)
    return text.replace(
        line, f"<<<<<<< HEAD\n{line}\n=======\n{line.replace('2 *', '')}\n>>>>>>> other"
    )


@of_text("deep nesting in the file", ALL, "file_damaged")
def _(text):
    return text.replace(
        '"cells": [',
        '"cells": [{"cell_type": "code", "metadata": ' + "[" * 100_000 + "]" * 100_000 + "},",
        1,
    )


@of_text("an empty file", NOTHING, "file_empty")
def _(text):
    return ""


@of_text("a file of zeros", NOTHING, "file_empty")
def _(text):
    return bytes(5000)


@of_text("text that is no JSON", NOTHING, "file_no_json")
def _(text):
    return f"{DOUBLE}\n{TRIPLE}"


@of_text("JSON that is no notebook", NOTHING, "file_no_cells")
def _(text):
    return '{"double": 2}'


@of_text("cells that are null", NOTHING, "file_no_cells")
def _(text):
    return '{"cells": null, "nbformat": 4, "metadata": {}}'


@of_text("a notebook without cells", NOTHING, "not_this")
def _(text):
    return '{"cells": [], "nbformat": 4, "metadata": {}}'


@of_text("millions of lists", NOTHING, "file_crowded")
def _(text):
    return '{"cells": [' + "[]," * 1_500_000 + "[]]}"


@of_text("more than is read", NOTHING, "file_too_large")
def _(text):
    return '{"cells": ["' + "x" * 21 * 2**20 + '"]}'


# ---------------------------------------------------------------- names and places


def named(name, score=ALL, says="found", also=None):
    def make(folder, notebook):
        save(folder, notebook, name)
        if also:
            also(folder, notebook)

    return Damage(make, score, says)


for name in (
    "3_edit (1).ipynb",
    "3_edit-Copy1.ipynb",
    "第三題.ipynb",
    "my edit.ipynb",
    "3_EDIT.ipynb",
    "3_edit.ipynb.txt",
    "final/3_edit.ipynb",
    "我的 作業/3_edit.ipynb",
    ".ipynb_checkpoints/3_edit-checkpoint.ipynb",
):
    DAMAGES[f"named {name.replace('/', ' in ')}"] = named(name)

DAMAGES |= {
    "no notebook": Damage(
        lambda folder, notebook: folder.mkdir(parents=True), NOTHING, "none_at_all"
    ),
    "a .py file instead": Damage(
        lambda folder, notebook: save(folder, f"{DOUBLE}\n{TRIPLE}", "3_edit.py"),
        NOTHING,
        "other_form",
    ),
    "another notebook only": Damage(
        lambda folder, notebook: save(
            folder, {"cells": [unmarked("x = 1")], "nbformat": 4}, "1_measure.ipynb"
        ),
        NOTHING,
        "only_others",
    ),
    "another notebook in its place": Damage(
        lambda folder, notebook: save(folder, {"cells": [unmarked("x = 1")], "nbformat": 4}),
        NOTHING,
        "not_this",
    ),
    "without marks and renamed": Damage(
        lambda folder, notebook: save(folder, without_marks(notebook), "x.ipynb"), ALL, "found"
    ),
    "a blank copy in a folder": named(
        "3_edit.ipynb",
        says="also_there",
        also=lambda folder, notebook: save(folder, blank(notebook), "old/3_edit.ipynb"),
    ),
    "the same name in capitals": named(
        "3_edit.ipynb",
        says="also_there",
        also=lambda folder, notebook: save(folder, blank(notebook), "3_EDIT.ipynb"),
    ),
    "a checkpoint beside it": named(
        "3_edit.ipynb",
        says=None,
        also=lambda folder, notebook: save(
            folder, blank(notebook), ".ipynb_checkpoints/3_edit-checkpoint.ipynb"
        ),
    ),
    "two that could be it": named(
        "3_edit (2).ipynb",
        says="found_among",
        also=lambda folder, notebook: save(folder, blank(notebook), "3_edit (10).ipynb"),
    ),
    "blank in its place": named(
        "3_edit (1).ipynb",
        says="taken_instead",
        also=lambda folder, notebook: save(folder, blank(notebook)),
    ),
    "empty in its place": named(
        "backup.ipynb", says="taken_instead", also=lambda folder, notebook: save(folder, "")
    ),
    "directly in the student's folder": Damage(
        lambda folder, notebook: save(folder.parent, notebook), ALL, "found"
    ),
}


@kind("two of the same name in two folders", ALL, "found_tied")
def _(folder, notebook):
    save(folder, json.dumps(notebook).replace("3 * x", "x"), "a/3_edit.ipynb")
    save(folder, notebook, "b/3_edit.ipynb")


for name in (
    "a/b/c",
    "model_editing/model_editing",
    "../hw7",
    "../Model_Editing",
    "../model_editing (1)",
    "../hw7/model_editing",
):
    DAMAGES[f"in the folder {name.replace('/', ' in ')}"] = named(f"{name}/3_edit.ipynb")

for name in ("homework.rar", "homework.7z", "homework.tar.gz", "../homework.rar"):
    DAMAGES[f"only {name.replace('/', ' in ')}"] = named(name, NOTHING, "archive_closed")


@kind("only a .py file in the student's folder", NOTHING, "other_form")
def _(folder, notebook):
    save(folder.parent, DOUBLE, "3_edit.py")


@kind("a file in place of the folder", NOTHING, "only_these")
def _(folder, notebook):
    save(folder.parent, notebook, folder.name)


@kind("another assignment only", NOTHING, "only_others")
def _(folder, notebook):
    save(folder.parent, {"cells": [unmarked("x = 1")], "nbformat": 4}, "homework1/one.ipynb")


@kind("an empty folder of another name", NOTHING, "only_these")
def _(folder, notebook):
    (folder.parent / "homework1").mkdir(parents=True)


@kind("an empty folder of the student's", NOTHING, "folder_absent")
def _(folder, notebook):
    folder.parent.mkdir(parents=True)


for name, content in (
    ("that is none", b"yesterday"),
    ("of other bytes", b"\xff\xfe gestern \xa4"),
    ("that is empty", b""),
):
    DAMAGES[f"a time {name}"] = named(
        "3_edit.ipynb",
        says="time_unreadable",
        also=lambda folder, notebook, content=content: save(folder, content, "timestamp.txt"),
    )
for mark in ("utf-8-sig", "utf-16"):
    DAMAGES[f"a time in {mark}"] = named(
        "3_edit.ipynb",
        says=None,
        also=lambda folder, notebook, mark=mark: save(
            folder, "2025-01-01 00:00:00 UTC".encode(mark), "timestamp.txt"
        ),
    )


@kind("a link", NOTHING, "file_link")
def _(folder, notebook):
    save(folder.parent / "elsewhere", notebook, "x")
    folder.mkdir()
    (folder / "3_edit.ipynb").symlink_to(folder.parent / "elsewhere" / "x")


@kind("a pipe", NOTHING, "file_not_ordinary")
def _(folder, notebook):
    folder.mkdir(parents=True)
    os.mkfifo(folder / "3_edit.ipynb")


@kind("a folder of that name", NOTHING, "file_not_ordinary")
def _(folder, notebook):
    (folder / "3_edit.ipynb").mkdir(parents=True)


# ---------------------------------------------------------------- what cannot be read


def closed(name, score, place, mode, also=None):
    """A right submission, whose `place` then has other permissions."""

    def make(folder, notebook):
        (also or save)(folder, notebook)
        Path(os.path.normpath(folder / place)).chmod(mode)

    DAMAGES[name] = Damage(make, score, "unread")


closed("a student's folder that may not be read", NOTHING, "..", 0)
closed("a student's folder that may only be listed", NOTHING, "..", 0o444)
closed("a folder that may not be read", NOTHING, ".", 0)
closed("a folder that may only be listed", NOTHING, ".", 0o444)
closed("a folder that may not be listed", ALL, ".", 0o111)
closed("a notebook that may not be read", NOTHING, "3_edit.ipynb", 0)
closed(
    "a notebook of another name that may not be read",
    NOTHING,
    "mine.ipynb",
    0,
    lambda folder, notebook: save(folder, notebook, "mine.ipynb"),
)
closed(
    "a zip that may not be read",
    NOTHING,
    "homework.zip",
    0,
    lambda folder, notebook: save(
        folder, zipped({"3_edit.ipynb": json.dumps(notebook)}), "homework.zip"
    ),
)


@kind("a folder below that may not be read", ALL, "unread")
def _(folder, notebook):
    save(folder, notebook)
    (folder / "old").mkdir(mode=0)


@kind("a folder of another name that may not be read", NOTHING, "unread")
def _(folder, notebook):
    save(folder.parent, notebook, "hw7/3_edit.ipynb")
    (folder.parent / "hw7").chmod(0)


# ---------------------------------------------------------------- links


def elsewhere(folder, notebook, name="model_editing/3_edit.ipynb") -> Path:
    """A right notebook of the staff's, which no link of a student's may lead to."""
    staff = folder.parents[2] / "staff"
    save(staff, notebook, name)
    folder.parent.parent.mkdir(parents=True, exist_ok=True)
    return staff


@kind("a link in place of the student's folder", NOTHING, "place_linked")
def _(folder, notebook):
    folder.parent.symlink_to(elsewhere(folder, notebook))


@kind("a link to nothing in place of the student's folder", NOTHING, "place_linked")
def _(folder, notebook):
    folder.parent.symlink_to(elsewhere(folder, notebook) / "nothing")


@kind("a link in place of the folder", NOTHING, "place_linked")
def _(folder, notebook):
    folder.parent.mkdir(parents=True)
    folder.symlink_to(elsewhere(folder, notebook) / "model_editing")


@kind("a link in place of a folder of another name", NOTHING, "only_links")
def _(folder, notebook):
    folder.parent.mkdir(parents=True)
    (folder.parent / "hw7").symlink_to(elsewhere(folder, notebook) / "model_editing")


@kind("a link in place of a folder below", NOTHING, "only_links")
def _(folder, notebook):
    folder.mkdir(parents=True)
    (folder / "mine").symlink_to(elsewhere(folder, notebook) / "model_editing")


@kind("a link of another name", NOTHING, "only_links")
def _(folder, notebook):
    folder.mkdir(parents=True)
    notebook = elsewhere(folder, notebook) / "model_editing" / "3_edit.ipynb"
    (folder / "mine.ipynb").symlink_to(notebook)


@kind("a link in place of a zip", NOTHING, "only_links")
def _(folder, notebook):
    folder.mkdir(parents=True)
    staff = elsewhere(folder, zipped({"3_edit.ipynb": json.dumps(notebook)}), "right.zip")
    (folder / "homework.zip").symlink_to(staff / "right.zip")


@kind("a link in place of a zip in place of the student's folder", NOTHING, "place_linked")
def _(folder, notebook):
    staff = elsewhere(folder, zipped({"3_edit.ipynb": json.dumps(notebook)}), "right.zip")
    folder.parent.with_name(f"{folder.parent.name}.zip").symlink_to(staff / "right.zip")


# ---------------------------------------------------------------- zips


@kind("a zip in the folder", ALL, "zip_opened")
def _(folder, notebook):
    save(folder, zipped({"3_edit.ipynb": json.dumps(notebook)}), "homework.zip")


@kind("a zip a folder down", ALL, "zip_opened")
def _(folder, notebook):
    save(folder, zipped({"3_edit.ipynb": json.dumps(notebook)}), "mine/homework.zip")


@kind("a zip in a folder of another name", ALL, "zip_opened")
def _(folder, notebook):
    save(folder.parent, zipped({"3_edit.ipynb": json.dumps(notebook)}), "hw7/homework.zip")


@kind("a zip in a zip", NOTHING, "archive_closed")
def _(folder, notebook):
    save(
        folder,
        zipped({"mine/inner.zip": zipped({"3_edit.ipynb": json.dumps(notebook)})}),
        "outer.zip",
    )


@kind("a zip in place of the folder", ALL, "zip_opened")
def _(folder, notebook):
    inside = {
        "__MACOSX/model_editing/._3_edit.ipynb": "x",
        "model_editing/3_edit.ipynb": json.dumps(notebook),
        "model_editing/my_fact.json": "{}",
    }
    save(folder.parent, zipped(inside), f"{folder.name}.zip")


@kind("a zip in place of the student's folder", ALL, "zip_opened")
def _(folder, notebook):
    save(
        folder.parent.parent,
        zipped({"a/b/c/作業 三.ipynb": json.dumps(notebook)}),
        f"{folder.parent.name}.zip",
    )


@kind("two of the same name in a zip", ALL, "found_tied")
def _(folder, notebook):
    inside = {
        "9/3_edit.ipynb": json.dumps(notebook).replace("3 * x", "x"),
        "10/3_edit.ipynb": json.dumps(notebook),
        "3_edit.ipynb": json.dumps(blank(notebook)),
    }
    save(folder, zipped(inside), "homework.zip")


@kind("a zip as Windows writes it in Taiwan", ALL, "zip_opened")
def _(folder, notebook):
    content = zipped({"AB\\3_edit.ipynb".replace("\\", "/"): json.dumps(notebook)})
    save(folder, content.replace(b"AB/3_edit", "功".encode("cp950") + b"/3_edit"), "作業.zip")


@kind("a zip whose paths lead out", NOTHING, "only_others")
def _(folder, notebook):
    inside = {
        name: json.dumps(notebook)
        for name in ("../../3_edit.ipynb", "/.tmp/../3_edit.ipynb", "..\\3_edit.ipynb")
    }
    save(folder, zipped(inside), "out.zip")
    save(folder, {"cells": []}, "other.ipynb")


@kind("a zip with a link", NOTHING, "only_these")
def _(folder, notebook):
    link = zipfile.ZipInfo("3_edit.ipynb")
    link.external_attr = 0o120777 << 16
    save(folder, zipped({link: "/etc/passwd"}), "link.zip")


@kind("a zip that unpacks to gigabytes", NOTHING, "zip_too_large")
def _(folder, notebook):
    held = io.BytesIO()
    with (
        zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
        archive.open("3_edit.ipynb", "w", force_zip64=True) as file,
    ):
        for _ in range(300):
            file.write(bytes(2**20))
    save(folder, held.getvalue(), "bomb.zip")


@kind("a zip of ten thousand files", ALL, "zip_opened")
def _(folder, notebook):
    save(
        folder,
        zipped({"3_edit.ipynb": json.dumps(notebook)} | {f"{n}.txt": "" for n in range(10_000)}),
        "many.zip",
    )


@kind("a zip with a list of contents beyond all bounds", NOTHING, "zip_damaged")
def _(folder, notebook):
    save(
        folder,
        zipped(
            {"3_edit.ipynb": json.dumps(notebook)} | {f"{n}{'x' * 200}": "" for n in range(5_000)}
        ),
        "list.zip",
    )


@kind("a damaged zip", NOTHING, "zip_damaged")
def _(folder, notebook):
    save(folder, zipped({"3_edit.ipynb": json.dumps(notebook)})[:-30], "half.zip")


@kind("a zip with a password", NOTHING, "zip_locked")
def _(folder, notebook):
    content = bytearray(zipped({"3_edit.ipynb": json.dumps(notebook)}))
    content[content.rindex(b"PK\x01\x02") + 8] |= 1
    save(folder, bytes(content), "locked.zip")


# ---------------------------------------------------------------- what other programs left


@of_cells("the text of cells twice without a line end", ALL, "file_doubled")
def _(cells, notebook):
    for name in ("double", "triple"):
        cell(cells, name)["source"] = 2 * "".join(cell(cells, name)["source"])


@kind("a web page of the notebook", NOTHING, "file_page")
def _(folder, notebook):
    save(
        folder, "\n<!DOCTYPE html>\n<html lang=en><body>" + json.dumps(notebook) + "</body></html>"
    )


@kind("a pointer of Git LFS", NOTHING, "file_lfs")
def _(folder, notebook):
    oid = "oid sha256:" + 64 * "a"
    save(folder, f"version https://git-lfs.github.com/spec/v1\n{oid}\nsize 12345\n")


@kind("what iCloud left, under the notebook's name", NOTHING, "file_icloud")
def _(folder, notebook):
    save(folder, b"bplist00\xd3\x01\x02\x03" + bytes(range(40)))


@kind("what iCloud left", NOTHING, "in_icloud")
def _(folder, notebook):
    save(folder, b"bplist00\xd3\x01\x02\x03" + bytes(range(40)), ".3_edit.ipynb.icloud")


@of_text("a blank notebook and a filled one in one file", ALL, "file_two")
def _(text):
    return json.dumps(blank(json.loads(text)), indent=1) + "\n" + text


@of_text("a filled notebook and a blank one in one file", ALL, "file_two")
def _(text):
    return text + json.dumps(blank(json.loads(text)), indent=1)


@of_cells("Markdown's fences around code", ALL, "cells_fenced")
def _(cells, notebook):
    code = "".join(cell(cells, "double")["source"])
    cell(cells, "double")["source"] = f"Here is the function:\n\n```python\n{code}\n```\nIt works."
    cell(cells, "triple")["source"] = "".join(cell(cells, "triple")["source"]) + "\n```"


@of_cells("prose with the ids of cells of code", ALL, "cells_twice")
def _(cells, notebook):
    for name in ("double", "triple"):
        prose = copy.deepcopy(cell(cells, name))
        prose |= {"cell_type": "markdown", "source": "I think that this is (nearly) right."}
        prose.pop("outputs", None)
        cells.append(prose)


@of_cells("a constant made by a call", ONLY_TRIPLE, "set_by_call")
def _(cells, notebook):
    cells.insert(1, unmarked("FACTOR = int('2')"))
    cell(cells, "double")["source"] = "def double(x):\n    return FACTOR * x"
