"""Whatever passes the public checks carries its notebook to the end.

Each notebook runs once with each right solution of the catalogue, and once with each kind of result
that the checks let through. A toy stands in for the real model, so that a run takes seconds; what
a notebook does with results does not depend on the model. Stored keys and values are the toy's,
facts have fewer probes, training has fewer steps. Cells that use nothing of the student's are left
out: notebook 2 ends where it turns to stored maps, and pictures of stored data are not drawn.
"""

import io
import itertools
import tempfile
from collections import defaultdict
from contextlib import redirect_stdout
from dataclasses import dataclass, replace
from functools import cache, wraps
from pathlib import Path
from unittest.mock import Mock, patch

import IPython.display
import nbformat
import numpy
import pytest
import torch

import keyhole
from autograder.hidden import NOTEBOOKS
from autograder.result import function_of
from autograder.validity.catalogue import RIGHT
from autograder.validity.run import IMPORTS
from keyhole import moments, plots
from keyhole.checking.checks import examine
from keyhole.checking.functions import functions_of
from keyhole.checking.student import Student
from keyhole.learned import Training, load_requests
from keyhole.many import StoredEdits, load_edits
from keyhole.notebooks.definitions import grade_id
from keyhole.toy import toy_model
from tests.test_notebooks import SOLUTIONS

LAYER = 5  # of the edits of notebooks 3 and 4
# As few as a notebook gets along with.
LAYERS = {"1_measure": 6, "2_locate": 30, "3_edit": 8, "4_scale": 6, "5_learn_to_edit": 30}
LAST = {"2_locate": "maps = load_maps()"}  # in the first cell that is left out
LEFT_OUT = {  # by id; notebook 5 leaves editing at the end
    "4_scale": {"alike", "where-run"},
    "5_learn_to_edit": {"across-run", "stranger-run", "lens-run", "patch-run", "tent-run"},
}
STORED = ("layer_curves", "moment_spectrum", "score_bars")  # pictures
BORROWERS = ("4_scale", "5_learn_to_edit")  # of functions of notebooks 1 and 3


def _tensor(result):
    return result if isinstance(result, torch.Tensor) else torch.tensor(result)


# How a right result may come back, if the public checks let it.
KINDS = {
    "float64": lambda result: _tensor(result).double(),
    "numpy, float64": lambda result: _tensor(result).detach().double().numpy(),
    "numpy, backwards": lambda result: numpy.flip(
        numpy.flip(_tensor(result).detach().numpy()).copy()
    ),
    "a view": lambda result: torch.stack([_tensor(result)] * 2, dim=-1)[..., 0],
    "a Parameter": lambda result: torch.nn.Parameter(_tensor(result).detach()),
    "one row": lambda result: _tensor(result).reshape(1),
    "a Python number": lambda result: _tensor(result).item(),
}


def solutions(name):
    """{function: its right solutions} of a notebook."""
    own = defaultdict(list)
    functions = {function_of(case.id) for cases in NOTEBOOKS[name].cells.values() for case in cases}
    for solution in RIGHT:
        if solution.function in functions and solution.cells:
            own[solution.function].append(solution.cells)
    return own


def as_kind(function, kind):
    """The function with its results as that kind, where they still pass the public checks."""

    @wraps(function)
    def given(*arguments, **options):
        result = function(*arguments, **options)
        return result if result is None else KINDS[kind](result)

    given.__name__ = function.__name__
    return given


@cache
def passes(function, cells, kind):
    """Whether a right solution still passes the public checks with results of that kind."""
    written = Student("\n\n".join((IMPORTS, *cells))).function(function)
    return examine(function, as_kind(written, kind)).passed


@dataclass(frozen=True)
class ShortTraining(Training):
    """A look before each of two steps, and one at the end."""

    steps: int = 2
    every: int = 1


@cache
def few_facts():
    """The public facts in the stored order, with one probe of each kind."""
    return tuple(
        replace(fact, paraphrases=fact.paraphrases[:1], neighbors=fact.neighbors[:1])
        for fact in load_edits().facts
    )


class FewEdits(StoredEdits):
    """Stored edits of which notebook 4 gets few for three layers, where it computes every key."""

    def first(self, count):
        return super().first(6 if count == 40 else count)


def stored_for(model, keys):
    """Stored edits as they would be for a toy; the last key is an earlier one, as in the real."""
    facts, real = few_facts(), load_edits().keys
    keys = keys[:: len(keys) // len(facts)][: len(facts)].clone()
    keys[-1] = keys[int(torch.cosine_similarity(real[:-1], real[-1:]).argmax())]
    return FewEdits(facts, keys, keys.flip(0) @ model.weight(LAYER).T)


@pytest.fixture
def small(name, monkeypatch, tmp_path):
    """A toy in place of the model, new for each notebook, and little of everything else."""

    def new_model():
        return toy_model("llama", seed=3, layers=LAYERS[name], width=12, mlp_width=20)

    model = new_model()
    text = torch.randint(97, 123, (70, 12), generator=torch.Generator().manual_seed(0))
    keys = torch.cat(list(moments.keys_over(model, LAYER, text)))
    moment = keys.T @ keys / len(keys)
    moment *= 0.02 / torch.linalg.eigvalsh(moment).median()  # half are below notebook 4's threshold
    edits = stored_for(model, keys)
    requests = {part: each[:4] for part, each in load_requests().items()}
    quiet = {
        "load_model": new_model,
        "load_text": lambda: text,
        "load_fresh_text": lambda: text,
        "load_moment": lambda layer=LAYER: moment,
        "load_prefixes": lambda: ["", "Well. ", "It is so. "],
        "load_edits": lambda: edits,
        "load_requests": lambda: requests,
        "Training": ShortTraining,
        "check": lambda function: None,
        "check_files": lambda model: None,
        "compare": lambda function: None,
    }
    for each, stub in quiet.items():
        monkeypatch.setattr(keyhole, each, stub, raising=False)
    for each in STORED:
        monkeypatch.setattr(plots, each, lambda *shown: None)
    monkeypatch.setattr(IPython.display, "display", lambda *shown, **options: Mock())
    monkeypatch.chdir(tmp_path)


@cache
def lent(function, cells):
    """The function of those cells, as another notebook gets it."""
    notebook = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(source) for source in (IMPORTS, *cells)]
    )
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "lent.ipynb"
        nbformat.write(notebook, path)
        return functions_of(path, (function,))[function]


def in_turn(functions):
    """A function of which each call is one of another function."""
    turns = itertools.cycle(functions)
    return lambda *arguments: next(turns)(*arguments)


def of_kind(name, function, cells, kind):
    """The function with its results as that kind, if there is one and they pass so."""
    return as_kind(function, kind) if kind and passes(name, cells, kind) else function


def carry(name, put, borrowed, kind=None):
    """Run a notebook with other functions, whose results are of `kind` where that passes.

    put: {function: its cells}. borrowed: {function: several of them}, of other notebooks.
    """

    def functions_of(path, names):
        return {
            each: in_turn(
                [of_kind(each, lent(each, cells), cells, kind) for cells in borrowed[each]]
            )
            for each in names
        }

    namespace = {"__name__": "__main__"}
    notebook = nbformat.read(SOLUTIONS / f"{name}.ipynb", as_version=4)
    with patch.object(keyhole, "functions_of", functions_of, create=True):
        for cell in notebook.cells:
            if cell.cell_type != "code" or cell.id in LEFT_OUT.get(name, ()):
                continue
            if name in LAST and LAST[name] in cell.source:
                break
            function = grade_id(cell)
            with redirect_stdout(io.StringIO()):
                for source in put.get(function, (cell.source,)):
                    exec(compile(source, f"<{name}: {cell.id}>", "exec"), namespace)
            if function in put:
                written = namespace[function]
                namespace[function] = of_kind(function, written, put[function], kind)


def lenders(name):
    """{function: its right solutions} of the notebooks from which this one takes functions."""
    notebooks = ("1_measure", "3_edit") if name in BORROWERS else ()
    return {function: each for other in notebooks for function, each in solutions(other).items()}


@pytest.mark.slow
@pytest.mark.parametrize("name", NOTEBOOKS)
def test_every_right_solution_carries_its_notebook_to_the_end(name, small):
    own = solutions(name)
    for turn in range(max(map(len, own.values()))):
        put = {function: each[turn % len(each)] for function, each in own.items()}
        carry(name, put, lenders(name))


@pytest.mark.slow
@pytest.mark.parametrize(
    "name, kind",
    # Notebook 4 has one blank for a number, and its result needs a gradient.
    [
        each
        for each in itertools.product(NOTEBOOKS, KINDS)
        if each != ("4_scale", "a Python number")
    ],
)
def test_every_kind_of_result_that_passes_carries_its_notebook_to_the_end(name, kind, small):
    first = {function: each[0] for function, each in solutions(name).items()}
    assert any(passes(function, cells, kind) for function, cells in first.items())
    carry(name, first, {function: each[:1] for function, each in lenders(name).items()}, kind)
