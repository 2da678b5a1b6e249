"""keyhole.notebooks.definitions: a notebook's definitions, and nothing but its definitions."""

import ast
import json
import os
import re
import subprocess
import sys

import nbformat
import pytest
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

from keyhole.checking.selfcheck import unrunnable
from keyhole.errors import KeyholeError
from keyhole.notebooks import definitions as reading
from keyhole.notebooks.definitions import definitions, read_notebook
from keyhole.notebooks.file import FILE_MB
from keyhole.notebooks.statements import text
from keyhole.text import one_line
from tests.standins import feedback, in_words


def of(*cells):
    found = definitions(new_notebook(cells=[new_code_cell(cell) for cell in cells]))
    return in_words(found)


def run(found):
    names = {}
    exec(found.source, names)
    return names


def test_definitions_are_kept_and_calls_are_not():
    found = of(
        "import math\nfrom os import path as p",
        "LAYER = 5\nA, (B) = 1, 2\nSCALE: float = LAYER * 0.5\nsquare = lambda x: math.sqrt(x)"
        " ** 4",
        "@staticmethod\ndef f(x):\n    '''Wörter: 字'''\n    return x + LAYER\nclass C:\n    y = 3",
        "model = load_model()\nprint(model)\nfor i in range(3):\n    total = i\nmodel.weight = 0; z"
        " = 'é'; w = 2",
    )
    names = run(found)
    assert (
        names["f"](1) == 6
        and names["square"](3) == pytest.approx(9)
        and (names["A"], names["B"], names["z"], names["w"]) == (1, 2, "é", 2)
    )
    assert found.functions == {"f", "square", "p"}
    assert {"model", "i", "total"} <= found.dropped.keys() and not found.dropped.keys() & names
    assert found.notes == () and found.broken == {}


def test_what_is_made_from_a_dropped_name_is_dropped_too():
    found = of("model = load()", "width = model.width\nhalf = width / 2\nown = 3")
    assert found.dropped.keys() == {"model", "width", "half"} and run(found)["own"] == 3


def test_a_call_may_stand_in_a_body_but_not_in_a_default():
    found = of(
        "late = lambda: go()",
        "early = lambda x=go(): x",
        "both = [go() for _ in (1, 2)]",
        "odd = [n for n in (1, 2) if n % 2]",
    )
    assert (
        found.functions == {"late"}
        and found.dropped.keys() == {"early", "both"}
        and run(found)["odd"] == [1]
    )


def test_the_later_definition_wins():
    found = of("def f(): return 1\ndef g(): return 1", "def f(): return 2", "g = 3")
    assert run(found)["f"]() == 2 and found.functions == {"f"}


def test_a_dropped_statement_does_not_hide_an_earlier_function():
    found = of("def subject_key(): return 1", "subject_key = subject_key()")
    assert found.functions == {"subject_key"} and run(found)["subject_key"]() == 1


def test_of_an_if_or_a_try_what_only_defines_is_kept():
    found = of(
        "try:\n    import nowhere\nexcept ImportError:\n    nowhere = None",
        "try:\n    import os\n    os.remove('x')\nexcept OSError:\n    pass",
        "if __name__ == '__main__':\n    started = True\n    main()",
    )
    names = run(found)
    assert names["nowhere"] is None and names["os"] is os and found.dropped == {}
    assert "remove" not in found.source and "main()" not in found.source


COLAB = """import sys
if 'google.colab' in sys.modules:
    !pip install keyhole
    from google.colab import drive
    drive.mount('/content')
else:
    import math
    FACTOR = 2"""


def test_an_import_under_a_condition_is_kept_whichever_way_it_goes():
    names = run(of(COLAB))
    assert names["math"].pi > 3 and names["FACTOR"] == 2 and "drive" not in names
    # Where the condition calls something, nobody knows which way it goes.
    found = of("if go():\n    import math as m\n    X = 1\nelse:\n    import cmath as c\n    X = 2")
    assert {"m", "c"} <= run(found).keys() and found.dropped == {"X": ("set_by_call", 1)}
    found = of("with quiet():\n    import json\nfor _ in range(3):\n    import re\n    late = _")
    assert {"json", "re"} <= run(found).keys() and found.dropped.keys() == {"late", "_"}
    found = of("if 1:\n    import re\nelif go():\n    import json\nelse:\n    y = go()")
    assert {"json", "re"} <= run(found).keys() and found.dropped.keys() == {"y"}


def test_a_function_in_a_try_or_an_if_is_found():
    source = (
        "try:\n    from nowhere import f\nexcept ImportError:\n    print('none')\n"
        "    @staticmethod\n    def f(x):\n        return x + 1; y = 'é'\n"
        "if f:\n    'é'; go(); g = lambda: 3\n    def h(): return g()"
    )
    found = of(source)
    names = run(found)
    assert found.functions == {"f", "g", "h"} and (names["f"](1), names["h"]()) == (2, 3)
    assert found.dropped == {} and all(unrunnable(name, found) is None for name in "fgh")
    stub = "def f():\n    raise NotImplementedError()"
    assert unrunnable("f", of(f"if 1:\n    {stub}".replace("    raise", "        raise"))).code == (
        "blank"
    )


def test_what_follows_on_a_left_out_line_of_a_try_is_not_taken_for_certain():
    found = of(
        "try:\n    X = go()\n    Y = 1\n    import math\n    def g(): return 1\n"
        "except OSError:\n    X = 2"
    )
    assert found.dropped.keys() == {"X", "Y"} and {"math", "g"} <= run(found).keys()


def test_setting_an_attribute_of_something_is_no_definition():
    assert (
        of("import torch", "torch.allclose = lambda *a: True\ntorch.x[0] = 1").source
        == "import torch"
    )


# ---------------------------------------------------------------- what changes a constant later

CHANGED = {
    "by a call": "X = go()",
    "added to by a call": "X += go()",
    "a method": "X.append(3)",
    "a method of an item": "X[0].update(a=1)",
    "a method of torch's": "X.mul_(2)",
    "an item": "X['a'] = go()",
    "deleted": "del X",
    "an item deleted": "del X['a']",
    "a loop": "for n in range(3):\n    X['a'] = n",
    "a with": "with go():\n    X = 3",
    "a condition": "if go():\n    X = 3",
    "a try": "try:\n    X = go()\nexcept OSError:\n    X = 3",
    "handed over": "fill(X)",
    "a command": "X = %time go()",
}


@pytest.mark.parametrize("line", CHANGED.values(), ids=CHANGED)
def test_a_function_that_rests_on_a_name_changed_by_a_dropped_line_is_known(line):
    found = of(
        "X = {}",
        "def f(): return X\ndef g(): return [f() for _ in range(3)]\ndef h(X): return X",
        f"print(X)\n{line}",
    )
    assert found.altered == {"f": ("X", 3), "g": ("X", 3)}
    said = str(found.why_altered("g"))
    assert "`X`" in said and "cell 3" in said and found.why_altered("h") is None


def test_what_a_later_line_makes_good_or_an_argument_hides_is_not_held_against_a_function():
    assert of("X = 1", "X = go()", "X = 3", "def f(): return X").altered == {}
    assert of("X = 1", "X = go()", "def f():\n    X = 2\n    return X").altered == {}
    assert of("X = go()", "X = 3", "def f(): return X").altered == {}
    assert of("X = 1\nY = X + 1", "X = go()", "def f(): return Y").altered == {}
    assert of("X = 1", "print(X)\nX.mean()\nY = X.sum()", "def f(): return X").altered == {}
    assert of("import torch", "torch.manual_seed(0)", "def f(): return torch.ones(1)").altered == {}
    assert of("def f(): return 1", "f = jit(f)", "def g(): return 1").altered == {}


def test_a_change_that_calls_nothing_is_kept():
    found = of(
        "SIGN = 1\nCONFIG = {'a': {}}\nclass C:\n    x = 1\ndef f(): return SIGN * C.x",
        "SIGN *= -1\nCONFIG['a']['b'] = SIGN\nC.x = 2\nf.cache = {}\nf.cache[1] = 2",
    )
    names = run(found)
    assert names["SIGN"] == -1 and names["CONFIG"] == {"a": {"b": -1}} and names["f"]() == -2
    assert names["f"].cache == {1: 2} and found.altered == found.dropped == {}
    assert found.functions == {"f"}
    # But not of what is no longer as it was, nor of what is not the notebook's own.
    found = of("import math\nX = []\nT = math", "X = go()", "X += [1]\nmath.pi = 3\nT.pi = 3")
    assert found.source == "import math\nX = []\nT = math"


def test_why_a_name_of_a_cell_that_was_left_out_is_not_there():
    found = of(
        "import torch.nn as nn, os.path\nfrom a import (b,\n    c as d)\n"
        "X: int = 1\nclass K: pass\n(",
        "def f(): return X",
        "import os",
        "def g(:\n    pass",
    )
    assert found.dropped == dict.fromkeys(("nn", "b", "d", "X", "K"), ("in_left_out", 1))
    assert "`X` stands in cell 1" in str(found.why_absent("X"))
    assert found.why_absent("g") == found.broken["g"] and found.why_absent("f") is None


# ---------------------------------------------------------------- a newer Python

old = pytest.mark.skipif(sys.version_info >= (3, 12), reason="it knows these forms")
NEWER = {
    "quotes in braces": 'def f(x):\n    return f"{x["a"]}"',
    "single quotes in braces": "def f(x):\n    return f'{x['a']:>5}'",
    "a call in braces": 'def f(x):\n    return f"a {", ".join(x)} b"',
    "a string in a string": 'def f(x):\n    return f"{f"{x}"}"',
    "a backslash in braces": "def f(x):\n    return f\"{'\\n'.join(x)}\"",
    "lines in braces": 'def f(x):\n    return f"{\n    x  # why\n}"',
    "a function's type parameter": "def f[T](x: T) -> T:\n    return x",
    "an async function's": "async def f [T: int, *Ts](x):\n    return x",
    "a method's": "class C:\n    def f[T](x):\n        return x",
    "a class's": "class C[T]:\n    pass\ndef f(x):\n    return C",
    "an alias": "type X = int\ndef f(x: X):\n    return x",
    "an alias with parameters": "type X[T] = list[T]\ndef f(x):\n    return x",
    "behind a command": '!pip install x\ndef f(x):\n    return f"{x["a"]}"',
}


@old
@pytest.mark.parametrize("source", NEWER.values(), ids=NEWER)
def test_a_form_of_a_newer_python_is_known_and_its_function_found(source):
    found = of(source)
    assert found.functions == set() and unrunnable("f", found) == found.broken["f"]
    assert "the notebook is in Python 3.12 or newer, and Python 3.11 grades it" in found.broken["f"]


@pytest.mark.parametrize(
    "source",
    [
        'def f(x):\n    print(f"{x", "}")',
        'def f(x):\n    return f"{x"',
        'def f(x):\n    return f"{x["a"]"',
        'def f(x:\n    return f"{x["a"]}"',
        "def f(x):\n    type = = 3",
        "def f(x):\n    return 'a",
        "def f(x)\n    return x",
        "def f(x):\n    class = 3",
        "def f(x):\n    except A, B: pass",
    ],
)
def test_an_ordinary_mistake_is_not_laid_on_a_newer_python(source):
    assert "Python" not in of(source).broken["f"]


def saved_by(version, *cells, name="python"):
    about = {"language_info": {"name": name, "version": version}}
    cells = [new_code_cell(cell) for cell in cells]
    return in_words(definitions(new_notebook(cells=cells, metadata=about)))


def test_the_notebook_s_metadata_tell_of_a_newer_python():
    unknown = "def f(x):\n    return x someday"
    found = saved_by("9.13.1", unknown)
    here = "{}.{}".format(*sys.version_info[:2])
    assert found.python == "9.13" and (
        f"saved by Python 9.13, and Python {here} grades it" in found.broken["f"]
    )
    for version, name in (("3.9.1", "python"), ("9.9", "R"), ("x", "python"), (here, "python")):
        other = saved_by(version, unknown, name=name)
        assert other.python is None and "grades" not in other.broken["f"]


@pytest.mark.parametrize(
    "body, untouched",
    [
        ("raise NotImplementedError", True),
        ("raise NotImplementedError()  # YOUR CODE HERE", True),
        (
            '"""What it does."""\n    # YOUR CODE HERE\n    raise NotImplementedError("fill in")',
            True,
        ),
        ('"""What it does."""', False),
        ("x = 1\n    raise NotImplementedError()", False),
        ("raise ValueError()", False),
        ("raise", False),
        ("return 1\n    raise NotImplementedError()", False),
    ],
)
def test_a_stub_is_known_by_its_body(body, untouched):
    assert of(f"def f(a):\n    {body}").untouched == ({"f"} if untouched else set())


def test_a_stub_with_a_decorator_may_do_its_work_elsewhere():
    found = of(
        "from functools import singledispatch",
        "@singledispatch\ndef f(a):\n    raise NotImplementedError(a)\n@f.register\ndef _(a: int):"
        " return a + 1",
    )
    assert found.untouched == set() and run(found)["f"](1) == 2


def test_what_a_name_is_given_may_be_a_function():
    found = of(
        "class A:\n    @staticmethod\n    def f(): return 1",
        "from os import getcwd as k\nf = A.f\ng = [A.f][0]\nh = f if f else g",
        "one = 1\nmade = A().f\nlater = made.f",
    )
    names = run(found)
    assert (
        found.functions == {"f", "g", "h", "k"}
        and names["k"] is os.getcwd
        and names["f"]() == names["g"]() == names["h"]() == 1
        and found.dropped.keys() == {"made", "later"}
    )


def test_of_a_function_that_is_not_read_that_is_said():
    made, real, stub = (
        "f = partial(min, 1)",
        "def f():\n    return 1",
        "def f():\n    raise NotImplementedError()",
    )
    for cells in (
        [made],
        [stub, made],
        ["if go():\n    def f(): return 1"],
        ["with go():\n    def f(): return 1"],
        ["f = made = go()"],
    ):
        assert str(unrunnable("f", of(*cells))) == feedback("no_def", function="f")
    for cells, code in (((made, stub), "blank"), (("f = 1",), "absent")):
        assert unrunnable("f", of(*cells)).code == code
    assert unrunnable("f", of(made, real)) is unrunnable("f", of(real, made)) is None


@pytest.mark.parametrize(
    "costly",
    [
        "import a" + ".b" * 10_000,
        "import a" + ". \\\n b" * 10_000,
        "TEXT = f'" + "{1}" * 100_000 + "'",
    ],
    ids=["dots", "spaced", "braces"],
)
def test_what_the_parser_would_take_minutes_or_gigabytes_for_is_not_parsed(monkeypatch, costly):
    parsed, tree = [], reading._tree
    monkeypatch.setattr(reading, "_tree", lambda source: parsed.append(source) or tree(source))
    found = of("def f(x): return x", costly + "\ndef g(x): return x", "def h(x): return x.a.b.c")
    assert (
        found.functions == {"f", "h"}
        and "the grader reads at most" in " ".join([*found.notes, *found.broken.values()])
        and not any(costly in source for source in parsed)
    )


def test_a_stub_filled_in_elsewhere_is_not_untouched():
    stub, real = "def f():\n    raise NotImplementedError()", "def f():\n    return 1"
    assert of(stub, real).untouched == set()
    assert of(real, stub).untouched == set() and run(of(real, stub))["f"]() == 1


def test_a_cell_with_a_syntax_error_loses_only_itself():
    found = of("def f(): return 1", "def g(:\n    return 2", "def h(): return 3")
    assert found.functions == {"f", "h"} and set(found.broken) == {"g"}
    assert "line 1" in found.broken["g"] and len(found.notes) == 1


def test_of_hundreds_of_broken_cells_some_are_named_and_the_rest_counted():
    found = of(*[f"def f{number}(:" for number in range(100)], *["    def g(): return 1"] * 9)
    assert len(found.broken) == 100 and len(found.notes) == 14
    assert "88" in found.notes[12] and found.notes[13] == feedback(
        "cells_indented", numbers="101, 102, 103, 104, 105 and 106 …"
    )


def test_a_broken_cell_beside_a_working_one_is_not_held_against_the_function():
    assert of("def g(): return 2", "def g(:").broken == {}
    assert set(of("def g():\n    raise NotImplementedError()", "def g(:").broken) == {"g"}


def test_magics_are_dropped_and_strings_that_look_like_them_are_not():
    found = of(
        "%matplotlib inline\n!pip install \\\n   x 'y\nimport math\n?math\nmath?\nfiles = !ls\nrate"
        " = %time f()\ndef f(a):\n    %time\n    return a",
        'def g(a):\n    """\n    %  of what?\n    !important\n    """\n    return (a\n        % 3)',
        "%%time\ndef h(): return 1",
        "%%bash\ndef not_python(): this",
        "%%writefile x.py\nx = 1",
    )
    assert (
        found.functions == {"f", "g", "h"}
        and run(found)["g"](5) == 2
        and found.dropped.keys() == {"files", "rate"}
        and found.notes == ()
    )


def test_line_ends_and_byte_order_mark():
    assert run(of("\ufeffdef f():\r\n    return 1\r\n"))["f"]() == 1


def test_a_line_of_many_statements_is_copied_once():
    copied = []

    class Line(bytes):
        def __getitem__(self, part):
            copied.append(len(piece := bytes(self)[part]))
            return piece

    lines = [Line(b"x=1;" * 1000)]
    found = [text(node, lines) for node in ast.parse(lines[0]).body]
    assert found == ["x=1"] * 1000 and sum(copied) == 3000


@pytest.mark.parametrize(
    "hostile",
    [
        "x = " + "-" * 100_000 + "1",
        "x = " + "(" * 100_000,
        "x = a" + ".b" * 100_000,
        "if 1: pass\n" + "elif 1: pass\n" * 20_000,
        "x = " + "lambda:" * 50_000 + "1",
        "x = " + "1+" * 100_000 + "1",
        "x = '\ud800'",
        "x = '\0'",
        "x = 1\n" * 500_000,
        "!ls\n" * 1000,
    ],
    ids=range(10),
)
def test_hostile_text_costs_its_own_cell_only(hostile):
    found = of(hostile + "\ndef f(): return 1", "def g(): return 2")
    assert found.functions == {"g"} and len(found.notes) == 1


def save(path, notebook):
    path.write_text(
        notebook if isinstance(notebook, str) else json.dumps(notebook), encoding="utf-8"
    )
    return path


def test_a_notebook_comes_back_without_its_outputs(tmp_path):
    cell = new_code_cell("x = 1", outputs=[new_output("stream", text="long" * 1000)])
    nbformat.write(new_notebook(cells=[cell, new_markdown_cell("text")]), tmp_path / "a.ipynb")
    read = read_notebook(tmp_path / "a.ipynb")
    assert (
        read.cells[0].outputs == []
        and read.cells[0].source == "x = 1"
        and read.cells[1].source == "text"
    )


def test_older_and_odd_notebooks_are_mended(tmp_path):
    old = {
        "nbformat": 3,
        "nbformat_minor": 0,
        "metadata": {"name": ""},
        "worksheets": [
            {
                "cells": [
                    {
                        "cell_type": "code",
                        "language": "python",
                        "input": "def f(): pass",
                        "outputs": [],
                        "metadata": {},
                    }
                ],
                "metadata": {},
            }
        ],
    }
    assert definitions(read_notebook(save(tmp_path / "old.ipynb", old))).functions == {"f"}
    odd = {
        "cells": [
            {"cell_type": "code", "source": ["def f():\n", "    pass", 3]},
            {"cell_type": "code", "source": 7, "metadata": []},
            "no cell",
            {},
        ]
    }
    assert definitions(read_notebook(save(tmp_path / "odd.ipynb", odd))).functions == {"f"}
    marked = tmp_path / "marked.ipynb"
    marked.write_bytes(b"\xef\xbb\xbf" + json.dumps(odd).encode())
    assert definitions(read_notebook(marked)).functions == {"f"}


@pytest.mark.parametrize(
    "content, says",
    [
        ("", "is empty"),
        ("def f(): pass", "not valid JSON"),
        ("[" * 100_000, "not valid JSON"),
        ('{"cells": [', "not valid JSON"),
        ("[]", "not a notebook"),
        ("{}", "not a notebook"),
        ('{"cells": 3, "nbformat": 4}', "not a notebook"),
        ('{"worksheets": "x"}', "not a notebook"),
    ],
)
def test_a_file_that_is_no_notebook_is_told_so(tmp_path, content, says):
    with pytest.raises(KeyholeError, match=says):
        read_notebook(save(tmp_path / "a.ipynb", content))


def test_files_that_are_not_read(tmp_path):
    with pytest.raises(KeyholeError, match="there is no a.ipynb"):
        read_notebook(tmp_path / "a.ipynb")
    with open(tmp_path / "big.ipynb", "wb") as big:
        big.truncate((FILE_MB + 1) * 2**20)
    os.mkfifo(tmp_path / "pipe.ipynb")
    (tmp_path / "folder.ipynb").mkdir()
    for name, says in [
        ("big", f"the limit is {FILE_MB} MB"),
        ("pipe", "not an ordinary file"),
        ("folder", "directory|ordinary"),
    ]:
        with pytest.raises(KeyholeError, match=says):
            read_notebook(tmp_path / f"{name}.ipynb")


def test_one_line_holds_nothing_that_moves_the_cursor():
    assert one_line("a\x1b[31m\n\tb\u202ec\u200bd 中文\ud800!") == "a [31m b c d 中文 !"
    assert len(one_line("x" * 10_000)) == 300


PEAK = """
import re, sys
from keyhole.errors import KeyholeError
from keyhole.notebooks.definitions import definitions, read_mended
try:
    notebook, notes = read_mended(sys.argv[1])
    said = f"{sorted(definitions(notebook).functions)} {notes}"
except KeyholeError as error:
    said = str(error)
print(int(re.search(r"VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1]) // 1024, said)
"""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform != "linux", reason="the peak stands in /proc")
@pytest.mark.parametrize(
    "output, says",
    [
        ('{"data": {"image/png": "%s"}}' % ("A" * 2**20), "['f']"),
        ('{"text": [%s""]}' % ('"line of text\\n",' * 60_000), "['f']"),
        ('"%s"' % ("字" * 350_000), "['f']"),
        ("[" * 500_000 + "]" * 500_000, "lists or objects"),
    ],
    ids=["pictures", "lines", "Chinese", "brackets"],
)
def test_outputs_of_100_mb_take_no_more_memory_than_the_file(tmp_path, output, says):
    path = tmp_path / "large.ipynb"
    with open(path, "w", encoding="utf-8") as file:
        file.write('{"cells": [{"cell_type": "code", "metadata": {}, "outputs": [')
        for _ in range(100):
            file.write(output + ",")
        file.write(
            '{}], "source": ["def f(): pass"]}], "metadata": {}, "nbformat": 4,'
            ' "nbformat_minor": 5}'
        )
    done = subprocess.run(
        [sys.executable, "-c", PEAK, str(path)], capture_output=True, text=True, check=True
    )
    peak, _, said = done.stdout.partition(" ")
    assert re.search(says, said) and int(peak) < path.stat().st_size / 2**20 + 150


def test_a_file_without_permission_is_told_so(tmp_path, monkeypatch):
    path = save(tmp_path / "a.ipynb", {"cells": []})
    monkeypatch.setattr(
        "keyhole.notebooks.file.os.open",
        lambda *_: (_ for _ in ()).throw(PermissionError(13, "Permission denied")),
    )
    with pytest.raises(KeyholeError, match="a.ipynb cannot be read: Permission denied"):
        read_notebook(path)


def test_an_indented_rest_belongs_to_the_function_before_it_and_a_whole_cell_does_not():
    assert run(of("def f(x):\n    y = x + 1", "    return y"))["f"](1) == 2
    whole = of("def f(): return 1", "    def g(): return 2", "    x = 1")
    assert whole.functions == {"f", "g"} and whole.notes == (
        feedback("cells_indented", numbers="2"),
    )
    lost = of("def f(x):", "y = 1\n\tz = 2", "    return x")
    assert set(lost.broken) == {"f"} and len(lost.notes) == 2


def test_prose_with_the_id_of_a_cell_of_code_is_no_syntax_error():
    def marked(make, source):
        return make(source, metadata={"nbgrader": {"grade_id": "f"}})

    code = marked(new_code_cell, "def f(x):\n    return x")
    prose = [marked(new_markdown_cell, f"(This is number {n}.") for n in range(20)]
    found = definitions(new_notebook(cells=[code, *prose]), code=["f"])
    assert found.notes == () and found.functions == {"f"} and not found.broken
    turned = marked(new_markdown_cell, code.source)  # code that was turned into Markdown
    assert definitions(new_notebook(cells=[turned, *prose]), code=["f"]).functions == {"f"}
