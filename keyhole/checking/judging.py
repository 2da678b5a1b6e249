"""Judging a result against the right one and against the wrong ones that have a name.

The public checks and the hidden tests both judge here, so that they mean the same and say it in the
same words.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from keyhole import messages
from keyhole.messages import Remark, feedback, opened, percent, sentences, word
from keyhole.text import one_line

# float32 rounds at 6e-8. Results of a few hundred sums of products differ from the exact ones by
# far less than the first; what a small model gives, by less than the second.
TOLERANCE, ROUNDING = 1e-4, 1e-5
# How torch says that shapes do not fit, and that it has no such operation for a dtype.
MISFITS = (
    r"shapes cannot be multiplied",
    r"[Ss]izes? of tensors?",
    r"size mismatch",
    r"inconsistent tensor size",
    r"[Ii]ncompatible shapes",
    r"Expected \d-D argument",
    r"\dD tensors? expected",
    r"expanded size",
    r"is invalid for input of size",
    r"each tensor to be equal size",
    r"batches of square matrices",
    r"shape mismatch",
    r"operands do not broadcast",
)
UNSUITED = r"not implemented for '|could not infer output dtype|floating point or complex"
# What an error of Python's or torch's in a student's function means:
# (functions, or none for any; type of the error; pattern in its text; misconception).
# The first that fits counts, so what a function has of its own comes first.
ERRORS = (
    ((), "RuntimeError", r"view size is not compatible", "contiguity_assumed"),
    (
        ("sequence_nll", "value_objective"),
        "RuntimeError",
        r"numpy\(\) on Tensor that requires grad",
        "gradient_in_numpy",
    ),
    ((), "RuntimeError", r"size of tensor [ab] \(0\)", "slice_empty"),
    # Two matrices that do not fit are W and its change.
    (
        ("rank_one_update",),
        "RuntimeError",
        r"size of tensor.* non-singleton dimension 1",
        "change_transposed",
    ),
    (
        ("rank_one_update",),
        "RuntimeError",
        r"size mismatch|shapes cannot be multiplied|size of tensor",
        "shapes_disagree",
    ),
    (("low_rank_output",), "RuntimeError", r"(can't|not enough).* memory", "matrix_formed"),
    (("rate_update",), "RuntimeError", r"size of tensor.* must match", "rates_on_columns"),
    (("rate_update",), "RuntimeError", r"shapes cannot be multiplied|size mismatch", "rows_summed"),
    (("efficacy", "neighborhood"), "RuntimeError", r"mean\(\).*Bool", "mean_of_booleans"),
    (("edit_score",), "ZeroDivisionError", r"", "zero_division"),
    ((), "RuntimeError", r"Expected target size", "shapes_mismatch"),
    (
        ("edit_score",),
        "AttributeError",
        r"'(float|int)' object has no attribute",
        "method_of_tensors",
    ),
    (
        (),
        "RuntimeError",
        r"(?i)(dtype|scalar type|type).*(float\b.*double|double.*float\b)",
        "dtypes_mixed",
    ),
    (
        (),
        "TypeError",
        r"^{function}\(\) (missing \d+ required|takes \d+ positional)",
        "arguments_changed",
    ),
    ((), "RuntimeError", "|".join(MISFITS), "shapes_mismatch"),
    (
        (),
        "ValueError",
        r"could not be broadcast|not aligned|mismatch in its core",
        "shapes_mismatch",
    ),
    ((), "RuntimeError", r"non-empty (TensorList|list of Tensors)", "nothing_collected"),
    ((), "ValueError", r"need at least one array", "nothing_collected"),
    ((), "RuntimeError", r"refers to a single memory location", "expanded_written"),
    ((), "TypeError", r"'(builtin_function_or_method|method|function)'", "not_called"),
    ((), "RuntimeError", UNSUITED, "dtype_unsuited"),
    ((), "NotImplementedError", UNSUITED, "dtype_unsuited"),
    ((), "IndexError", r"Dimension out of range|too many indices", "too_few_dimensions"),
    ((), "TypeError", r"expected Tensor as element|must be Tensor, not", "tensor_wanted"),
    ((), "TypeError", r"unexpected keyword|invalid combination of arguments", "arguments_unknown"),
    ((), "RuntimeError", r"Boolean value of Tensor", "truth_of_many"),
    ((), "ValueError", r"only one element tensors|truth value of an array", "number_of_many"),
    ((), "RuntimeError", r"a Tensor with \d+ elements cannot be converted", "number_of_many"),
    ((), "IndexError", r"tensors used as indices must be", "index_not_whole"),
    ((), "AttributeError", r"'(Tensor|Parameter)' object has no attribute", "no_such_method"),
    ((), "AttributeError", r"module '(torch|numpy)[\w.]*' has no attribute", "no_such_method"),
    ((), "AttributeError", r"'NoneType' object has no attribute", "none_used"),
    ((), "TypeError", r"'NoneType' object is not|unsupported operand.*NoneType", "none_used"),
    ((), "UnboundLocalError", r"", "used_before_set"),
    ((), "RuntimeError", r"can't start new thread", "no_processes"),
    ((), "BlockingIOError", r"", "no_processes"),
    ((), "NameError", r"name '\w+' is not defined$", "name_unknown"),
    ((), "IndexError", r"index.* out of (bounds|range)", "index_past_end"),
    ((), "RuntimeError", r"index \S+ is out of bounds", "index_past_end"),
    (("write_edit",), "RuntimeError", r"leaf Variable that requires grad", "no_grad_missing"),
    (("write_edit",), "TypeError", r"cannot assign .* as parameter", "tensor_for_parameter"),
)
# What an error of keyhole's means there: (functions, or none for any; code of the KeyholeError;
# misconception).
PROBLEMS = ((("subject_key",), "no_layer", "other_layer"), ((), "no_layer", "layer_outside"))
RESULT = word("result")
# Remarks that only say how far off a result is: beside an explanation they matter less.
MEASURED = frozenset(
    ("wrong", "wrong_rows", "wrong_change", "wrong_in_change", "wrong_effects")
    + ("not_zero", "gradient", "misses_value", "constraint_only", "not_rank_one")
)


@dataclass(frozen=True)
class Verdict:
    """What a look at a result showed. This is data; `message` makes it words."""

    fraction: float  # of the points; 1 is right
    remarks: tuple[Remark, ...] = ()  # what is said, in order
    explanation: Remark | None = None  # the misconception, said after the remarks
    status: str = (
        "fail"  # how it went where it is not right: "fail", "missing", "error" or "timeout"
    )
    observed: Remark | None = None  # the symptom, said where there is no misconception
    # Of the misconceptions whose results are known: those that give this one, and the others.
    fits: frozenset[str] = frozenset()
    misses: frozenset[str] = frozenset()
    excludes: frozenset[str] = frozenset()  # those that would have given the right result
    single: bool = False  # whether it is about one number, which may fit by chance

    @property
    def passed(self) -> bool:
        """Whether the result is right."""
        return self.fraction == 1

    @property
    def misconception(self) -> str | None:
        """The name of the misunderstanding, if it was recognised."""
        return self.explanation and self.explanation.code

    @property
    def symptom(self) -> str | None:
        """The name of what is systematically different, where no misconception is named."""
        return self.observed.code if self.observed and not self.explanation else None

    def explained(self, name: str, **details: object) -> "Verdict":
        """The same with that misconception, which is sure, in the place of others."""
        explanation = messages.misconception(name, **details)
        return replace(
            self, explanation=explanation, fits=frozenset([name]), misses=self.misses - {name}
        )

    def unexplained(self, *remarks: Remark) -> "Verdict":
        """The same without its misconception and symptom; `remarks` come in their place."""
        return replace(self, remarks=(*self.remarks, *remarks), explanation=None, observed=None)

    @property
    def said(self) -> tuple[Remark, ...]:
        """All that is said of it, in order."""
        last = self.explanation or self.observed
        return (*self.remarks, last) if last else self.remarks

    @property
    def message(self) -> str:
        """The sentences for the student, in the language spoken.

        For display only: no code may read them.
        """
        return in_words(self.said)

    @property
    def diagnosis(self) -> str:
        """What of the message matters most, in the language spoken: for display only.

        Beside an explanation that is not by how much the result is off.
        """
        return in_words(
            remark
            for remark in self.said
            if not (self.explanation and getattr(remark, "code", None) in MEASURED)
        )


def in_words(remarks: Iterable[Remark]) -> str:
    """Remarks as sentences, each on one line of bounded length: one may quote a student."""
    return sentences(*(opened(one_line(remark)) for remark in remarks))


def right(*remarks: Remark) -> Verdict:
    """A result that is right."""
    return Verdict(1.0, remarks)


def wrong(*remarks: Remark, misconception: str | None = None, **details: object) -> Verdict:
    """A result that is wrong, with the misconception behind it, if it is known.

    `details` fill the gaps of the misconception's sentence.
    """
    explanation = messages.misconception(misconception, **details) if misconception else None
    return Verdict(0.0, remarks, explanation)


def usable(got: Tensor, shape: tuple[int, ...], what: Remark | str) -> Verdict | None:
    """The verdict on a result that cannot be compared with one of `shape`; None where it can be."""
    if got.dtype not in (torch.float32, torch.float64):
        kind, name = (
            ("half", "half_precision")
            if got.dtype.is_floating_point
            else ("integer", "whole_numbers")
        )
        dtype = str(got.dtype).removeprefix("torch.")
        return wrong(feedback(kind, what=what, got=dtype), misconception=name)
    if tuple(got.shape) != tuple(shape):
        remarks = [feedback("shape", what=what, got=tuple(got.shape), expected=tuple(shape))]
        if len(shape) == 2 and tuple(got.shape) == tuple(shape)[::-1]:
            remarks.append(feedback("shape_transposed"))
        return wrong(*remarks)
    broken = int((~got.isfinite()).sum())
    return wrong(feedback("not_finite", what=what, count=broken)) if broken else None


def distance(
    got: Tensor, expected: Tensor, origin: Tensor | int = 0, mistaken: Tensor | None = None
) -> float:
    """|got - expected| / |expected - origin|: how far off, in units of the right answer.

    With `mistaken` the distance to that, in units of the larger of the two: float32 rounds a large
    result more.
    """
    to, size = (expected, 0) if mistaken is None else (mistaken, (mistaken - origin).norm())
    size = max(size, (expected - origin).norm())
    return float((got.double() - to).norm() / (size if size > 0 else 1))


def scalar(got: Tensor) -> Tensor:
    """A result of one number as a scalar; others as they are.

    A loss of shape (1,) is as good as one of shape (), and a share of 0 may come as a whole number.
    """
    if got.numel() != 1:
        return got
    return got.reshape(()) if got.dtype.is_floating_point else got.reshape(()).double()


class Wrongs(dict):
    """Results of misconceptions by name; `same` are those that happen to give the right one."""

    same: frozenset[str] = frozenset()

    def __or__(self, other: Mapping) -> "Wrongs":
        joined = Wrongs({**self, **other})
        joined.same = self.same | getattr(other, "same", frozenset())
        return joined

    def times(self, factor: float) -> "Wrongs":
        """The same results in another scale."""
        scaled = Wrongs({name: factor * result for name, result in self.items()})
        scaled.same = self.same
        return scaled


def told_apart(
    wrongs: Mapping[str, Tensor],
    expected: Tensor,
    origin: Tensor | int = 0,
    tolerance: float = TOLERANCE,
) -> Wrongs:
    """Those of `wrongs` (misconception -> result) that would not happen to pass for the right one.

    `origin` and `tolerance` are as in `judge`. A misconception that gives several results has
    several entries, "name:variant". One that is not finite stands for all such.
    """
    apart = Wrongs(
        (name, result)
        for name, result in wrongs.items()
        if result.shape != expected.shape or not distance(result, expected, origin) <= tolerance
    )
    apart.same = frozenset(map(name_of, wrongs)) - frozenset(map(name_of, apart))
    return apart


def name_of(entry: str) -> str:
    """The misconception of an entry "name:variant"."""
    return entry.partition(":")[0]


def cause_of(function: str, error: str, problem: str | None = None) -> str | None:
    """The misconception behind an error that a student's `function` raised; None for most.

    `error` is its type and text, "IndexError: ...". `problem` is its code where it is a
    KeyholeError.
    """
    kind, _, text = error.partition(": ")
    for functions, code, name in PROBLEMS:
        if problem == code and (not functions or function in functions):
            return name
    for functions, known, pattern, name in ERRORS:
        if kind == known and (not functions or function in functions):
            if re.search(pattern.replace("{function}", re.escape(function)), text):
                return name
    return None


def judge(
    got: Tensor,
    expected: Tensor,
    wrongs: Callable[[], Mapping[str, Tensor]] = dict,
    what: Remark | str = RESULT,
    origin: Tensor | int = 0,
    tolerance: float = TOLERANCE,
    sentence: str = "wrong",
) -> Verdict:
    """Compare `got` with `expected` (float64), and a wrong one with each result of `wrongs()`.

    `wrongs()` is a dict from misconception to its result. `what` names the result; `sentence` is
    the name of the remark on a wrong one. Sizes are counted from `origin` and are relative: for Ŵ
    it is W, so that what counts is the change. A wrong answer is recognised when `got` lies as near
    to it as a right answer would lie to the right one. Where one number is expected, a whole number
    will do, since a share of 0 may come as one; a number that was rounded on the way is recognised
    before other mistakes.
    """
    rounded = {}
    if expected.dim() == 0:
        if not got.dtype.is_floating_point and got.dtype != torch.bool:
            rounded = {
                "whole_numbers:down": expected.floor(),
                "whole_numbers:nearest": expected.round(),
            }
        got = scalar(got)
    if unusable := usable(got, expected.shape, what):
        return unusable if unusable.misconception else _named_by_shape(unusable, got, wrongs())
    off = distance(got, expected, origin)
    if off <= tolerance:
        return right(feedback("right", what=what))
    due_zero = expected.dim() == 0 and expected == 0
    remark = feedback("not_zero" if due_zero else sentence, what=what, distance=percent(off))
    # Numbers coincide by chance more often than tensors do, and a nearly right answer lies close to
    # many wrong ones.
    radius = min(tolerance if got.dim() == 0 else 10 * tolerance, 0.05, off / 4)
    results = wrongs()
    near = {
        name: away
        for name, mistaken in (rounded | results).items()
        if mistaken.shape == got.shape
        and _of_its_size(got, mistaken, origin)
        and (away := distance(got, expected, origin, mistaken)) <= radius
    }
    # Which of two is nearer by rounding alone says nothing: then the first is named.
    nearest = min(near, key=lambda name: max(near[name], tolerance / 10), default=None)
    verdict = wrong(remark, misconception=nearest and name_of(nearest))
    return _beside(verdict, near, results, single=expected.dim() == 0)


def _beside(verdict: Verdict, near: Mapping, results: Mapping, single: bool) -> Verdict:
    """The verdict with the misconceptions that give its result, and those that do not."""
    fits = frozenset(map(name_of, near))
    return replace(
        verdict,
        fits=fits,
        misses=frozenset(map(name_of, results)) - fits,
        excludes=getattr(results, "same", frozenset()),
        single=single,
    )


def _of_its_size(got, mistaken, origin):
    """Whether `got` is `mistaken` also in units of `mistaken` itself, but for rounding.

    Next to a large right answer all small ones are alike.
    """
    size = (mistaken - origin).norm()
    return bool((got.double() - mistaken).norm() <= 0.05 * size + ROUNDING * mistaken.norm())


def _named_by_shape(unusable, got, results):
    """The verdict with the misconceptions of that (wrong) shape, or of values as little finite."""
    finite = bool(got.isfinite().all())
    named = [
        name
        for name, mistaken in results.items()
        if mistaken.shape == got.shape
        and bool(mistaken.isfinite().all()) == finite
        and (not finite or distance(got, mistaken) <= 10 * TOLERANCE)
    ]
    if named:
        # The name says it better than the second remark does, that the shape is transposed.
        unusable = wrong(unusable.remarks[0], misconception=name_of(named[0]))
    # What is not finite is alike, whatever made it so.
    return _beside(unusable, dict.fromkeys(named), results, single=not finite)
