"""The public checks: a student's function is given fixed inputs, and what it returns is compared with stored results.

No solution stands here. What is right, and what each misunderstanding gives, was computed beforehand and lies in
data/checks/; `autograder remake checks` makes it. The hidden tests judge in the same way, on other inputs.
"""

import dis
import json
import linecache
from dataclasses import dataclass, field

import torch

from keyhole.errors import KeyholeError
from keyhole.hooks import count_hooks
from keyhole.checking.judging import Verdict, cause_of, distance, judge, scalar, usable
from keyhole.messages import (
    check_title,
    clauses,
    explanation,
    feedback,
    listed,
    misconception,
    percent,
    problem,
    sentences,
    titled,
)
from keyhole.messages import en as english
from keyhole.paths import data_folder
from keyhole.text import one_line


class CheckFailed(AssertionError):
    """A public check that failed. A notebook shows its text alone: the student's error is in there, ours is no help."""

    def _render_traceback_(self):
        return str(self).splitlines()


@dataclass(frozen=True)
class CheckReport:
    """How a function did in its checks: `verdicts` is a tuple of (title of the case, Verdict); a blank has one, without title."""

    function: str
    verdicts: tuple
    cause: BaseException | None = None  # what the student's function raised first

    @property
    def passed(self):
        return all(verdict.passed for _, verdict in self.verdicts)

    @property
    def reason(self):
        """One line: how many cases passed, and why the first that failed did."""
        failed = [
            titled(title, verdict.message) for title, verdict in self.verdicts if not verdict.passed
        ]
        return clauses(self._count() if self.verdicts[0][0] else "", *failed[:1])

    def __repr__(self):
        if not self.verdicts[0][0]:
            return f"✗ {titled(self.function, self.verdicts[0][1].message)}"
        lines = [
            f"  ✓ {title}" if verdict.passed else f"  ✗ {titled(title, verdict.message)}"
            for title, verdict in self.verdicts
        ]
        return "\n".join(
            [f"{'✓' if self.passed else '✗'} {titled(self.function, self._count())}", *lines]
        )

    def _repr_markdown_(self):
        head, *lines = repr(self).splitlines()
        return "\n".join(
            [
                head.replace(self.function, f"**`{self.function}`**", 1),
                "",
                *(f"- {line.strip()}" for line in lines),
            ]
        )

    def _count(self):
        return feedback(
            "count",
            right=sum(verdict.passed for _, verdict in self.verdicts),
            all=len(self.verdicts),
        )


def check(function):
    """Check a graded function, known by its name, and return a CheckReport, which a notebook shows.

    Raises CheckFailed where a case fails: which one, what is wrong with the result, by how much, and the likely why.
    """
    report = examine(getattr(function, "__name__", type(function).__name__), function)
    if not report.passed:
        raise CheckFailed(repr(report)) from report.cause
    return report


def examine(name, function):
    """Run every public check of the graded function `name`; CheckReport."""
    cases = load_cases()
    if name not in cases:
        raise CheckFailed(feedback("no_check", function=one_line(name, 60), known=listed(cases)))
    verdicts, said, causes = [], set(), []
    for case in cases[name]:
        try:
            verdict = case.run(function)
        except _NoAnswer as none:
            verdict = Verdict(False, str(none), none.misconception)
            causes.append(none.__cause__)
            if none.blank:
                return CheckReport(name, (("", verdict),), *causes)
        verdicts.append(
            (
                check_title(f"{name}.{case.id}"),
                verdict if verdict.passed else _not_again(verdict, said),
            )
        )
    return CheckReport(name, tuple(verdicts), *causes[:1])


def _not_again(verdict, said):
    """The verdict without what an earlier case of the same function said already."""
    explained = explanation(verdict.misconception)
    message = (
        verdict.message.removesuffix(explained).strip() if explained in said else verdict.message
    )
    if message in said:
        message = feedback("the_same")
    said.update({message, explained} - {""})
    return Verdict(False, message, verdict.misconception)


def compare(function):
    """A picture of what a public check of `function` expects, of what the function gives, and of the difference: a Figure.

    Of states it shows how far each is from where it was; of a map, the effects. Raises CheckFailed where nothing comes back to be shown.
    """
    from keyhole.plots import expected_and_obtained

    name = getattr(function, "__name__", type(function).__name__)
    case = next((case for case in load_cases().get(name, []) if case.axes), None)
    if case is None:
        raise CheckFailed(feedback("no_picture", function=one_line(name, 60)))
    try:
        got = _tensor(_answer(case, function, case.given()), case)
    except _NoAnswer as none:
        raise CheckFailed(str(none)) from none.__cause__
    unusable = usable(got, case.stored["right"].shape, case.what)
    if unusable:
        raise CheckFailed(unusable.message)
    shown = [
        tensor.double() - case.stored[f"in/{case.origin}"].double()
        for tensor in (case.stored["right"], got)
    ]
    if shown[0].dim() == 3:
        shown = [tensor.norm(dim=-1) for tensor in shown]
    return expected_and_obtained(
        *shown, *case.axes, title=f"{name}: {english.CHECKS[f'{name}.{case.id}']}"
    )  # as all words in pictures: their font has no others


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
    what: str  # how messages name the result
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
                lambda: {name: scale * wrong for name, wrong in wrongs.items()},
                self.what,
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
        case.what,
    )
    for name, tensor in case.stored.items():
        if name.startswith("in/") and not torch.equal(
            given[name.removeprefix("in/")].detach(), tensor
        ):
            return Verdict(
                False,
                misconception("input_changed", what=name.removeprefix("in/")),
                "input_changed",
            )
    return unusable or Verdict(True, feedback("untouched_inputs"))


def _model(case, function, given):
    """No hook stays on the model, and its weights are those of its twin."""
    unusable = usable(
        _tensor(_answer(case, function, given), case), case.stored["right"].shape, case.what
    )
    model, twin = given["model"].hf, case._toy().hf
    if count_hooks(model) > count_hooks(twin):
        return Verdict(False, misconception("hooks_left"), "hooks_left")
    if any(
        not torch.equal(weight, other)
        for weight, other in zip(
            model.state_dict().values(), twin.state_dict().values(), strict=True
        )
    ):
        return Verdict(False, misconception("model_changed"), "model_changed")
    return unusable or Verdict(True, feedback("clean"))


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
            return Verdict(False, misconception("graph_cut", what=name), "graph_cut")
        judged = judge(derivative, case.stored[f"grad/{name}"], what=name, sentence="gradient")
        if not judged.passed:
            return judged
    return verdict


def _preservation(case, function, given):
    """Ŵ k* = v* alone proves nothing: what counts is how far the other keys move, tr((Ŵ - W) C (Ŵ - W)ᵀ)."""
    got = _tensor(_answer(case, function, given), case)
    verdict, right = case.judge(got), case.stored["right"]
    if verdict.passed or usable(got, right.shape, case.what):
        return verdict
    weight, moment, key, value = (case.stored[f"in/{name}"].double() for name in case.order)

    def movement(new):
        return float(torch.einsum("oi,ij,oj->", new - weight, moment, new - weight))

    miss = distance(got.double() @ key, value, weight @ key)
    if miss > case.tolerance:
        message = feedback("misses_value", distance=percent(miss))
    else:
        message = feedback(
            "constraint_only", excess=percent(movement(got.double()) / movement(right) - 1)
        )
    return Verdict(
        False, sentences(message, explanation(verdict.misconception)), verdict.misconception
    )


def _stored_weight(case, function, given):
    """What the module holds after the call, as it stores it; it keeps its own Parameter, and its bias."""
    module = given["module"]
    weight, bias = module.weight, None if module.bias is None else module.bias.detach().clone()
    _answer(case, function, given)
    verdict = case.judge(_tensor(module.weight, case))
    if verdict.passed and module.weight.dtype != case.stored["in/weight"].dtype:
        return Verdict(False, misconception("dtype_changed"), "dtype_changed")
    if (
        verdict.passed
        and bias is not None
        and (module.bias is None or not torch.equal(module.bias, bias))
    ):
        return Verdict(False, misconception("bias_changed"), "bias_changed")
    if verdict.passed and case.looks_at == "parameter" and module.weight is not weight:
        return Verdict(False, misconception("parameter_replaced"), "parameter_replaced")
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
    """A function gave nothing that could be judged; the text is the sentence for the student."""

    blank, misconception = False, None


def _answer(case, function, given):
    try:
        return function(*(given[name] for name in case.order))
    except Exception as error:
        cause = cause_of(f"{type(error).__name__}: {error}", case.function)
        none = _NoAnswer(
            sentences(
                raised(case.function, error, function), *([misconception(cause)] if cause else [])
            )
        )
        none.misconception = cause
        none.blank = _is_blank(error, _file_of(function))
        raise none from error


def raised(name, error, function=None):
    """The sentence for an exception of a student's function: the blank, or what was raised and in which line of theirs."""
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
        raise _NoAnswer(str(unusable)) from None


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
