"""The public checks and the grader agree: each call starts from the same state in both."""

import random
import warnings

import numpy
import pytest
import torch

from autograder.grade import Grader, grade_submission
from autograder.sandbox import Sandbox
from autograder.validity.run import hand_in, only
from autograder.validity.solution import Solution
from keyhole.checking import adapters
from keyhole.checking.checks import examine
from keyhole.checking.selfcheck import check_notebook
from keyhole.checking.start import same_start
from keyhole.checking.student import Student

pytestmark = pytest.mark.slow  # many processes; `make test` runs it

NLL = """
def sequence_nll(logits: torch.Tensor, target_ids: torch.Tensor):
    log_probs = logits.log_softmax(-1)
    return -log_probs[torch.arange(len(target_ids)), target_ids].mean()
"""
# Right solutions of sequence_nll: what stands around the function.
WAYS = {
    "a script": ("import torch\n", f"@torch.jit.script{NLL}"),
    "compiled": ("import torch\n", f"@torch.compile{NLL}"),
    "compiled with options": (
        "import torch\n",
        f"@torch.compile(mode='max-autotune', fullgraph=True){NLL}",
    ),
    "compiled by another name": ("from torch import compile\n", f"@compile{NLL}"),
    "looks at its own source": (
        "import inspect, torch\n",
        f"{NLL}    assert 'log_softmax' in inspect.getsource(sequence_nll)",
    ),
    "names a temporary folder": (
        "import tempfile, torch\nclass Cache:\n    folder = tempfile.gettempdir()\n",
        NLL,
    ),
    "imports what torch compiles with": ("import torch\nclass C:\n    import torch._dynamo\n", NLL),
    "sets the dtype": (
        "import torch\n",
        NLL + "\nclass C:\n    torch.set_default_dtype(torch.half)",
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_a_right_function_is_right_by_both_routes(way, tmp_path):
    solution = Solution("sequence_nll", way, WAYS[way])
    grader = only(Grader(secret=b"routes"), "sequence_nll")
    hand_in(solution, tmp_path, grader)
    checked = {
        name: (well, line) for name, well, line in check_notebook(tmp_path / "1_measure.ipynb")
    }
    assert checked["sequence_nll"][0], checked
    result = grade_submission(tmp_path, way, grader)
    assert all(test.verdict == "pass" for test in result.tests), result.tests


# What a function may set for the next one, and what it sees when it is called.
STATE = """
import random, warnings
import numpy
import torch

def leave():
    torch.set_default_dtype(torch.float64)
    torch.set_default_device("meta")
    torch.set_grad_enabled(False)
    torch.set_anomaly_enabled(True)
    torch.set_autocast_enabled("cpu", True)
    torch.set_float32_matmul_precision("medium")
    torch.set_flush_denormal(True)
    torch.set_printoptions(precision=9, sci_mode=True)
    torch.use_deterministic_algorithms(True, warn_only=True)
    torch.set_num_threads(1)
    numpy.set_printoptions(precision=2)
    numpy.seterr(all="raise")
    warnings.simplefilter("error")
    random.random(), numpy.random.rand(), torch.rand(1, device="cpu")
    return 1.0

def see():
    warnings.warn("this may be said")
    with numpy.errstate(under="warn"):
        pass
    return torch.tensor([
        torch.get_default_dtype() == torch.float32,
        torch.get_default_device().type == "cpu",
        torch.is_grad_enabled(),
        not torch.is_inference_mode_enabled(),
        not torch.is_anomaly_enabled(),
        not torch.is_autocast_enabled("cpu"),
        torch.get_float32_matmul_precision() == "highest",
        float(torch.tensor([1e-45]) + 0) > 0,
        "e-" not in str(torch.tensor([0.5])),
        not torch.are_deterministic_algorithms_enabled(),
        numpy.get_printoptions()["precision"] == 8,
        numpy.geterr()["over"] == "warn",
        random.random() == random.Random(0).random(),
        numpy.random.rand() == numpy.random.RandomState(0).rand(),
        bool(torch.rand(1) == torch.rand(1, generator=torch.Generator().manual_seed(0))),
    ])
"""


def test_a_call_leaves_no_state_to_the_next_in_the_grader():
    with Sandbox(STATE) as sandbox:
        options = {"order": []}
        first = sandbox.call("see", options=options).tensors["result"]
        sandbox.call("leave", options=options)
        assert first.all(), first
        assert sandbox.call("see", options=options).tensors["result"].all()


def test_a_call_leaves_no_state_to_the_next_in_a_check():
    student = Student(STATE)
    before = torch.get_default_dtype(), torch.get_num_threads(), random.getstate()
    for name in ("leave", "see"):
        seen = adapters.plain(student.function(name), {}, {"order": []})["result"]
        assert seen.all(), seen
    assert before == (torch.get_default_dtype(), torch.get_num_threads(), random.getstate())


def test_a_check_judges_alike_whatever_the_notebook_has_set():
    """A notebook may set a dtype at its top; the grader does not run that line."""

    def corrupt(embeddings, subject, noise):
        out = embeddings.repeat(len(noise), 1, 1)
        out[:, subject] += noise
        return out

    def trace(model, *arguments, **options):
        return torch.zeros(len(arguments[3]), len(arguments[4]))

    try:
        torch.set_default_dtype(torch.float64)
        torch.set_grad_enabled(False)
        assert examine("corrupt", corrupt).passed
        changed = examine("trace", trace).reason
        assert torch.get_default_dtype() == torch.float64 and not torch.is_grad_enabled()
    finally:
        torch.set_default_dtype(torch.float32)
        torch.set_grad_enabled(True)
    assert changed == examine("trace", trace).reason


def test_the_same_start_is_a_plain_one_and_leaves_what_it_found():
    numpy.random.seed(7)
    expected = numpy.random.RandomState(7).rand()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with same_start():
            warnings.warn("shown, not raised", stacklevel=1)
            compiled = torch.compile(len)
            numpy.random.rand()
        with pytest.raises(UserWarning):
            warnings.warn("raised", stacklevel=1)
    assert compiled is len and torch.compile is not compiled
    assert numpy.random.rand() == expected


@pytest.mark.parametrize("kind", ["linear", "conv1d"])
def test_the_module_that_write_edit_gets_can_be_used(kind):
    """As the modules of the two layouts are: GPT-2's have a bias, Llama's have none."""

    def write_edit(module, new_weight):
        stored = new_weight if isinstance(module, torch.nn.Linear) else new_weight.T
        with torch.no_grad():
            module.weight.copy_(stored)
        keys = torch.eye(new_weight.shape[1], dtype=module.weight.dtype)
        moved = module(keys) - module(torch.zeros_like(keys))
        assert torch.allclose(moved.float(), new_weight.T.float(), atol=1e-2)

    new = torch.randn(3, 5)
    stored = torch.zeros_like(new if kind == "linear" else new.T)
    seen = adapters.write_edit(write_edit, {"weight": stored, "new_weight": new}, {"kind": kind})
    assert "bias" not in seen and seen["same_parameter"]
    assert examine("write_edit", write_edit).passed
