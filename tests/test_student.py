"""keyhole.checking.student: a notebook's definitions, run as a notebook would have run them."""

import dataclasses
import typing

import pytest
import torch

from keyhole.checking.adapters import BadResult
from keyhole.checking.student import Student, fresh_main
from tests.standins import feedback


@pytest.fixture
def student(monkeypatch):
    """Runs definitions in a `__main__` of their own, which is gone after the test."""
    monkeypatch.setitem(__import__("sys").modules, "__main__", None)
    return lambda source: Student(source, fresh_main())


def test_an_annotation_that_cannot_be_evaluated_costs_nothing(student):
    found = student(
        "from nowhere_to_be_found import Float\n"
        "def f(x: Float[Tensor, 'n'], *rest: Float) -> Float[Tensor, 'n']:\n    return x + 1\n"
        "class C:\n    y: Float = 2\n    def g(self, x: Float): return x + self.y\n"
        "X: Float[Tensor, ''] = 3\n"
        "if X:\n    def h(x: Float): return x + X\n"
    )
    names = found.names
    assert names["f"](1) == 2 and names["C"]().g(1) == 3 and names["h"](1) == 4
    assert not {"f", "C", "X", "h"} & found.failed.keys()


def test_annotations_that_can_be_evaluated_are_what_they_are_in_the_notebook(student):
    names = student(
        "import dataclasses, functools, torch\n"
        "@dataclasses.dataclass\nclass Pair:\n"
        "    left: int\n    _: dataclasses.KW_ONLY\n    right: int = 3\n"
        "@functools.singledispatch\ndef f(x): return 'any'\n"
        "@f.register\ndef _(x: int): return 'int'\n"
        "@torch.jit.ignore\ndef g(x: torch.Tensor, n: int) -> torch.Tensor: return n * x\n"
        "def typed(function):\n    for kind in function.__annotations__.values(): kind()\n"
        "    return function\n"
        "@typed\ndef h(x: int): return x"
    ).names
    assert names["Pair"](1, right=2).right == 2 and names["f"](1) == "int" and names["h"](2) == 2
    assert typing.get_type_hints(names["g"])["n"] is int
    assert names["g"].__annotations__["x"] is torch.Tensor


def test_a_dataclass_whose_annotations_cannot_be_evaluated_is_one_all_the_same(student):
    pair = student(
        "from dataclasses import dataclass, field, KW_ONLY\nfrom typing import ClassVar\n"
        "@dataclass\nclass Pair:\n    left: Unknown\n    size: ClassVar[Unknown] = 2\n"
        "    _: KW_ONLY\n    right: Unknown = field(default=3)"
    ).names["Pair"]
    assert [each.name for each in dataclasses.fields(pair)] == ["left", "right"]
    assert pair(1, right=4).right == 4 and pair.size == 2


def test_imports_run_first_and_a_later_definition_still_wins(student):
    names = student(
        "def f(x: np.ndarray, y=math.pi): return y\n"
        "class C(nn.Module): pass\n"
        "HALF = math.pi / 2\n"
        "import math, cmath\nimport numpy as np\nfrom torch import nn\n"
        "try:\n    import nowhere_to_be_found\nexcept ImportError:\n    from os import path\n"
        "def sin(): return 'own'\n"
        "from math import cos\n"
        "def cos(): return 'own'\n"
        "from math import sin\n"
    ).names
    assert names["f"](0) == names["math"].pi and issubclass(names["C"], torch.nn.Module)
    assert names["sin"] is names["math"].sin and names["cos"]() == "own" and names["path"]


@pytest.mark.parametrize(
    "imported",
    [
        "from nowhere_to_be_found.of.it import Float",
        "from nowhere_to_be_found import Real as Float",
        "import nowhere_to_be_found as Float",
        "from nowhere_to_be_found import *",
        "try:\n    from nowhere_to_be_found import Float\nexcept ImportError:\n    pass",
    ],
)
def test_what_is_missing_is_named_as_the_module_that_it_would_have_come_from(student, imported):
    found = student(
        f"{imported}\ndef f(): return Float\n@Float\ndef g(): pass\ndef h(x=other): pass"
    )
    with pytest.raises(NameError) as raised:
        found.function("f")()
    said = feedback("its_module", module="nowhere_to_be_found")
    assert said.strip(" ()") in found.explain(raised.value).replace(".of.it", "")
    with pytest.raises(BadResult) as bad:
        found.function("g")
    assert "nowhere_to_be_found" in bad.value.detail and "not installed" in bad.value.detail
    with pytest.raises(BadResult) as bad:
        found.function("h")
    assert ("not installed" in bad.value.detail) == ("*" in imported)


def test_of_a_module_that_is_there_its_own_error_is_told(student):
    found = student("from math import no_such_thing\ndef f(): return no_such_thing")
    with pytest.raises(NameError) as raised:
        found.function("f")()
    assert "cannot import name 'no_such_thing' from 'math'" in found.explain(raised.value)


def test_ctrl_c_ends_a_command_and_not_a_process_for_students_code(student):
    source = "class C:\n    raise KeyboardInterrupt"
    assert "C" in student(source).failed
    with pytest.raises(KeyboardInterrupt):
        Student(source)
