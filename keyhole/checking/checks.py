"""The public checks: a student's function is given fixed inputs, and what it returns is compared with stored results.

No solution stands here. What is right, and what each misunderstanding gives, was computed beforehand and lies in
data/checks/; `autograder remake checks` makes it. The hidden tests judge in the same way, on other inputs.
"""

import dis
import json
import linecache
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import torch

from keyhole.checking.judging import (
    Verdict,
    cause_of,
    distance,
    judge,
    right,
    scalar,
    usable,
    wrong,
)
from keyhole.errors import KeyholeError
from keyhole.hooks import count_hooks
from keyhole.messages import (
    Remark,
    check_title,
    clauses,
    feedback,
    listed,
    percent,
    problem,
    titled,
    word,
)
from keyhole.messages import en as english
from keyhole.paths import data_folder
from keyhole.text import one_line

if TYPE_CHECKING:  # it takes a second, and only `compare` draws
    from matplotlib.figure import Figure


class CheckFailed(AssertionError):
    """A public check that failed. A notebook shows its text alone: the student's error is in there, ours is no help."""

    def _render_traceback_(self):
        return str(self).splitlines()


@dataclass(frozen=True)
class CheckReport:
    """How a function did in its checks: a pair (title of the case, Verdict) for each. A blank has one pair, without a title."""

    function: str
    verdicts: tuple[tuple[str, Verdict], ...]
    cause: BaseException | None = None  # what the student's function raised first

    @property
    def passed(self) -> bool:
        """Whether every case passed."""
        return all(verdict.passed for _, verdict in self.verdicts)

    @property
    def reason(self) -> str:
        """One line: how many cases passed, and why the first that failed did."""
        failed = [
            titled(title, verdict.message) for title, verdict in self.verdicts if not verdict.passed
        ]
        return clauses(None if self._is_blank else self._count(), *failed[:1])

    def __repr__(self):
        lines = [self._head(self.function), *(f"  {line}" for line in self._lines())]
        return "\n".join(lines)

    def _repr_markdown_(self):
        lines = [f"- {line}" for line in self._lines()]
        return "\n".join([self._head(f"**`{self.function}`**"), "", *lines])

    @property
    def _is_blank(self):
        return not self.verdicts[0][0]

    def _head(self, name):
        said = self.verdicts[0][1].message if self._is_blank else self._count()
        return f"{'✓' if self.passed else '✗'} {titled(name, said)}"

    def _lines(self):
        """A line for each case. What an earlier line said is not said again."""
        said = set()
        for title, verdict in () if self._is_blank else self.verdicts:
            yield f"✓ {title}" if verdict.passed else f"✗ {titled(title, _news(verdict, said))}"

    def _count(self):
        passed = sum(verdict.passed for _, verdict in self.verdicts)
        return feedback("count", right=passed, all=len(self.verdicts))


def _news(verdict, said):
    """The words of a verdict but for what was `said` already, a set of remarks and explanations that this adds to."""
    explanation = None if verdict.explanation in said else verdict.explanation
    if verdict.remarks in said and not explanation:
        return feedback("the_same")
    said.update((verdict.remarks, verdict.explanation))
    return replace(verdict, explanation=explanation).message


def check(function: Callable) -> CheckReport:
    """Check a graded function, known by its name, and return a CheckReport, which a notebook shows.

    Raises CheckFailed where a case fails: which one, what is wrong with the result, by how much, and the likely why.
    """
    report = examine(_name_of(function), function)
    if not report.passed:
        raise CheckFailed(repr(report)) from report.cause
    return report


def examine(name: str, function: Callable) -> CheckReport:
    """Run every public check of the graded function `name`."""
    cases = load_cases()
    if name not in cases:
        raise CheckFailed(feedback("no_check", function=one_line(name, 60), known=listed(cases)))
    verdicts, causes = [], []
    for case in cases[name]:
        try:
            verdict = case.run(function)
        except _NoAnswer as none:
            verdict = none.verdict
            causes.append(none.__cause__)
            if none.blank:
                return CheckReport(name, (("", verdict),), *causes)
        verdicts.append((check_title(f"{name}.{case.id}"), verdict))
    return CheckReport(name, tuple(verdicts), *causes[:1])


def compare(function: Callable) -> "Figure":
    """A picture of what a public check of `function` expects, of what the function gives, and of the difference.

    Of states it shows how far each is from where it was; of a map, the effects. Raises CheckFailed where nothing comes back to be
    shown.
    """
    from keyhole.plots import expected_and_obtained

    name = _name_of(function)
    case = next((case for case in load_cases().get(name, []) if case.axes), None)
    if case is None:
        raise CheckFailed(feedback("no_picture", function=one_line(name, 60)))
    try:
        got = _tensor(_answer(case, function, case.given()), case)
    except _NoAnswer as none:
        raise CheckFailed(none.verdict.message) from none.__cause__
    if unusable := usable(got, case.stored["right"].shape, case.result):
        raise CheckFailed(unusable.message)
    moved = [
        tensor.double() - case.stored[f"in/{case.origin}"].double()
        for tensor in (case.stored["right"], got)
    ]
    if moved[0].dim() == 3:
        moved = [tensor.norm(dim=-1) for tensor in moved]
    # All words in pictures are English: their font has no others.
    title = f"{name}: {english.CHECKS[f'{name}.{case.id}']}"
    return expected_and_obtained(*moved, *case.axes, title=title)


def _name_of(function):
    return getattr(function, "__name__", type(function).__name__)


# ---------------------------------------------------------------- stored cases


def load_cases():
    """All stored cases: {name of the graded function: [Case]}. Raises KeyholeError where they are missing or damaged."""
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    found = {}
    for path in sorted((data_folder() / "checks").glob("*.json")):
        try:
            numbers = load_file(path.with_suffix(".safetensors"))
            for name, records in json.loads(path.read_text(encoding="utf-8")).items():
                found[name] = [
                    Case(
                        function=name, **record, stored=_stored(numbers, f"{name}.{record['id']}/")
                    )
                    for record in records
                ]
        except (OSError, ValueError, TypeError, KeyError, SafetensorError) as error:
            raise KeyholeError(
                problem("checks_unreadable", path=path, error=one_line(error, 120))
            ) from None
    if not found:
        raise KeyholeError(problem("no_checks", folder=data_folder() / "checks"))
    return found


def _stored(numbers, prefix):
    return {
        name.removeprefix(prefix): tensor
        for name, tensor in numbers.items()
        if name.startswith(prefix)
    }


@dataclass(frozen=True)
class Case:
    """One check of a graded function: its arguments, and how what comes back is looked at.

    `stored` holds "in/<argument>", "right", "wrong/<misconception>" and "grad/<argument>" tensors, results in float64.
    """

    function: str
    id: str
    order: tuple  # the arguments, in order: names of stored tensors, keys of `values`, "model" or "module"
    looks_at: str  # one of LOOKS
    what: str  # the result, one of the WORDS of keyhole.messages
    stored: dict
    values: dict = field(default_factory=dict)
    model: dict = field(default_factory=dict)  # for keyhole.toy.toy_model
    module: str = (  # "Linear" or "Conv1D", made from the stored "in/weight" (as that kind keeps it) and "in/bias"
        ""
    )
    transposed: tuple = ()  # these arguments are given as transposed views
    scales: tuple = (1,)  # the right result, times any of these, is right
    origin: str = ""  # the stored "in/" tensor that sizes are counted from
    axes: tuple = ()  # what the rows and columns of a picture of the result are; no picture without
    tolerance: float = 1e-4
    sentence: str = "wrong"

    @property
    def result(self):
        """How messages name the result."""
        return word(self.what)

    def run(self, function):
        """Call `function` on fresh copies of the arguments: Verdict. Raises _NoAnswer where nothing comes back to be judged."""
        return LOOKS[self.looks_at](self, function, self.given())

    def given(self):
        """The arguments and what else a look may need, made anew: by name."""
        given = {
            name.removeprefix("in/"): tensor.clone()
            for name, tensor in self.stored.items()
            if name.startswith("in/")
        }
        given |= {name: given[name].T.contiguous().T for name in self.transposed}
        given |= {
            name: slice(*value["slice"]) if isinstance(value, dict) else value
            for name, value in self.values.items()
        }
        if self.model:
            given["model"] = self._toy()
        if self.module:
            given["module"] = self._module()
        return given

    def _toy(self):
        from keyhole.toy import toy_model

        return toy_model(**self.model)

    def _module(self):
        weight, bias = (self.stored.get(f"in/{name}") for name in ("weight", "bias"))
        if self.module == "Conv1D":
            from transformers.pytorch_utils import Conv1D

            module = Conv1D(weight.shape[1], weight.shape[0])
        else:
            module = torch.nn.Linear(weight.shape[1], weight.shape[0])
        module.weight = torch.nn.Parameter(weight.clone())
        module.bias = None if bias is None else torch.nn.Parameter(bias.clone())
        return module

    def shaped(self, got):
        """A result as its case expects it."""
        return got if self.stored["right"].dim() else scalar(got)

    def judge(self, got):
        """A result against the right one and the wrong ones, in the scale that fits it best."""
        origin = self.stored[f"in/{self.origin}"].double() if self.origin else 0
        wrongs = {
            name.removeprefix("wrong/"): wrong
            for name, wrong in self.stored.items()
            if name.startswith("wrong/")
        }
        verdicts = [
            judge(
                got,
                scale * self.stored["right"],
                lambda scale=scale: {name: scale * result for name, result in wrongs.items()},
                self.result,
                origin,
                self.tolerance,
                self.sentence,
            )
            for scale in self.scales
        ]
        # The order is of falling use: right, wrong in a way that has a name, simply wrong.
        return min(verdicts, key=lambda verdict: (not verdict.passed, not verdict.misconception))


# ---------------------------------------------------------------- ways to look at an answer


def _result(case, function, given):
    return case.judge(_tensor(_answer(case, function, given), case))


def _inputs(case, function, given):
    """The arguments are afterwards what they were; whether the result is right is for the other cases."""
    unusable = usable(
        case.shaped(_tensor(_answer(case, function, given), case)),
        case.stored["right"].shape,
        case.result,
    )
    for name, tensor in case.stored.items():
        if name.startswith("in/") and not torch.equal(
            given[name.removeprefix("in/")].detach(), tensor
        ):
            return wrong(misconception="input_changed", what=name.removeprefix("in/"))
    return unusable or right(feedback("untouched_inputs"))


def _model(case, function, given):
    """No hook stays on the model, and its weights are those of its twin."""
    unusable = usable(
        _tensor(_answer(case, function, given), case), case.stored["right"].shape, case.result
    )
    model, twin = given["model"].hf, case._toy().hf
    if count_hooks(model) > count_hooks(twin):
        return wrong(misconception="hooks_left")
    if any(
        not torch.equal(weight, other)
        for weight, other in zip(
            model.state_dict().values(), twin.state_dict().values(), strict=True
        )
    ):
        return wrong(misconception="model_changed")
    return unusable or right(feedback("clean"))


def _gradient(case, function, given):
    """The derivatives of the result, too."""
    live = [name.removeprefix("grad/") for name in case.stored if name.startswith("grad/")]
    for name in live:
        given[name].requires_grad_(True)
    result = _answer(case, function, given)
    verdict = case.judge(_tensor(result, case))
    if not verdict.passed:
        return verdict
    found = [None] * len(live)
    if isinstance(result, torch.Tensor) and result.requires_grad:
        found = torch.autograd.grad(result.sum(), [given[name] for name in live], allow_unused=True)
    for name, derivative in sorted(zip(live, found, strict=True)):
        if derivative is None:
            return wrong(misconception="graph_cut", what=f"`{name}`")
        expected = case.stored[f"grad/{name}"]
        judged = judge(derivative, expected, what=f"`{name}`", sentence="gradient")
        if not judged.passed:
            return judged
    return verdict


def _preservation(case, function, given):
    """Ŵ k* = v* alone proves nothing: what counts is how far the other keys move, tr((Ŵ - W) C (Ŵ - W)ᵀ)."""
    got = _tensor(_answer(case, function, given), case)
    verdict, expected = case.judge(got), case.stored["right"]
    if verdict.passed or usable(got, expected.shape, case.result):
        return verdict
    weight, moment, key, value = (case.stored[f"in/{name}"].double() for name in case.order)

    def movement(new):
        return float(torch.einsum("oi,ij,oj->", new - weight, moment, new - weight))

    miss = distance(got.double() @ key, value, weight @ key)
    if miss > case.tolerance:
        remark = feedback("misses_value", distance=percent(miss))
    else:
        excess = movement(got.double()) / movement(expected) - 1
        remark = feedback("constraint_only", excess=percent(excess))
    return replace(verdict, remarks=(remark,))


def _stored_weight(case, function, given):
    """What the module holds after the call, as it stores it; it keeps its own Parameter, and its bias."""
    module = given["module"]
    weight, bias = module.weight, None if module.bias is None else module.bias.detach().clone()
    _answer(case, function, given)
    verdict = case.judge(_tensor(module.weight, case))
    if verdict.passed and module.weight.dtype != case.stored["in/weight"].dtype:
        return wrong(misconception="dtype_changed")
    if (
        verdict.passed
        and bias is not None
        and (module.bias is None or not torch.equal(module.bias, bias))
    ):
        return wrong(misconception="bias_changed")
    if verdict.passed and case.looks_at == "parameter" and module.weight is not weight:
        return wrong(misconception="parameter_replaced")
    return verdict


LOOKS = {
    "result": _result,
    "inputs": _inputs,
    "model": _model,
    "gradient": _gradient,
    "preservation": _preservation,
    "weight": _stored_weight,
    "parameter": _stored_weight,
}


# ---------------------------------------------------------------- calling a student's function


class _NoAnswer(Exception):
    """A function gave nothing that could be judged. `verdict` says why; `blank`: it is still a blank."""

    def __init__(self, verdict: Verdict, blank: bool = False):
        super().__init__()
        self.verdict, self.blank = verdict, blank


def _answer(case, function, given):
    try:
        return function(*(given[name] for name in case.order))
    except Exception as error:
        problem = error.code if isinstance(error, KeyholeError) else None
        cause = cause_of(case.function, f"{type(error).__name__}: {error}", problem)
        verdict = wrong(raised(case.function, error, function), misconception=cause)
        raise _NoAnswer(verdict, _is_blank(error, _file_of(function))) from error


def raised(name: str, error: BaseException, function: Callable | None = None) -> Remark:
    """The remark on an exception of a student's function: the blank, or what was raised and in which line of theirs."""
    file = _file_of(function)
    if _is_blank(error, file):
        return feedback("blank", function=name)
    said = one_line(error, 200).rstrip(".。")
    what = f"{type(error).__name__}: {said}" if said else type(error).__name__
    lines = [
        linecache.getline(file, place.tb_lineno).strip()
        for place in _places(error)
        if place.tb_frame.f_code.co_filename == file
    ]
    if not lines or not lines[-1]:
        return feedback("raised", function=name, error=what)
    return feedback("raised_at", function=name, error=what, line=one_line(lines[-1], 100))


def _file_of(function):
    """The file, or a notebook's cell, in which a function stands."""
    return getattr(getattr(function, "__code__", None), "co_filename", None)


def _places(error):
    """The traceback, outermost call first."""
    place = error.__traceback__
    while place:
        yield place
        place = place.tb_next


def _is_blank(error, file):
    """Is this a `raise NotImplementedError()` that stands in `file`? (torch raises it too.)"""
    *_, last = _places(error)
    code = last.tb_frame.f_code
    return (
        isinstance(error, NotImplementedError)
        and code.co_filename == file
        and dis.opname[code.co_code[last.tb_lasti]] == "RAISE_VARARGS"
    )


def _tensor(value, case):
    """What came back as a plain tensor: detached, on the CPU; numpy's arrays and Python's numbers become tensors."""
    try:
        return as_tensor(value, case.function)
    except KeyholeError as unusable:
        raise _NoAnswer(wrong(*unusable.remarks)) from None


def as_tensor(value, function):
    """A result of the graded function of that name as a detached CPU tensor. Raises KeyholeError, the sentence for the student."""
    if value is None:
        raise KeyholeError(feedback("none", function=function))
    if isinstance(value, float):
        value = torch.tensor(value, dtype=torch.float64)
    elif isinstance(value, int):
        value = torch.tensor(value)
    elif type(value).__module__ == "numpy":
        try:
            value = torch.as_tensor(value.copy())  # a copy: torch refuses negative strides
        except (TypeError, AttributeError):
            raise KeyholeError(
                feedback("not_a_tensor", function=function, got=f"numpy {type(value).__name__}")
            ) from None
    if not isinstance(value, torch.Tensor):
        raise KeyholeError(feedback("not_a_tensor", function=function, got=type(value).__name__))
    if value.is_meta:
        raise KeyholeError(feedback("device", function=function, got="meta"))
    if value.layout != torch.strided:
        raise KeyholeError(feedback("layout", function=function, got=value.layout))
    if value.is_complex():
        raise KeyholeError(feedback("complex", function=function))
    return value.detach().cpu()
