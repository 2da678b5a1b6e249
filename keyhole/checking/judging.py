"""Judging a result against the right one and against the wrong ones that have a name.

The public checks and the hidden tests both judge here, so that they mean the same and say it in the same words.
"""

import re
from dataclasses import dataclass

import torch

from keyhole.messages import feedback, misconception, percent, sentences

# float32 rounds at 6e-8; results of a few hundred sums of products differ by far less than this from the exact ones, and
# what a small model gives by less than the second.
TOLERANCE, ROUNDING = 1e-4, 1e-5
NO_LAYER = r"layer \S+ does not exist|層不存在"  # our own, in the languages of keyhole.messages
# What an error of a student's function means: (functions, or none for any; its type; in its text; misconception).
ERRORS = (
    ((), "RuntimeError", r"view size is not compatible", "contiguity_assumed"),
    (("subject_key",), "KeyholeError", NO_LAYER, "other_layer"),
    ((), "KeyholeError", NO_LAYER, "layer_outside"),
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
    ((), "IndexError", r"index.* out of (bounds|range)", "index_past_end"),
    ((), "RuntimeError", r"index \S+ is out of bounds", "index_past_end"),
    (("write_edit",), "RuntimeError", r"leaf Variable that requires grad", "no_grad_missing"),
    (("write_edit",), "TypeError", r"cannot assign .* as parameter", "tensor_for_parameter"),
)


@dataclass(frozen=True)
class Verdict:
    """Whether a result is right, the sentence for the student, and the name of the misunderstanding, if it was recognised."""

    passed: bool
    message: str
    misconception: str | None = None


def usable(got, shape, what):
    """None where `got` can be compared with something of `shape`, else the Verdict that says why not."""
    if got.dtype not in (torch.float32, torch.float64):
        kind, name = (
            ("half", "half_precision")
            if got.dtype.is_floating_point
            else ("integer", "whole_numbers")
        )
        said = feedback(kind, what=what, got=str(got.dtype).removeprefix("torch."))
        return Verdict(False, sentences(said, misconception(name)), name)
    if tuple(got.shape) != tuple(shape):
        message = feedback("shape", what=what, got=tuple(got.shape), expected=tuple(shape))
        if len(shape) == 2 and tuple(got.shape) == tuple(shape)[::-1]:
            message = sentences(message, feedback("shape_transposed"))
        return Verdict(False, message)
    broken = int((~got.isfinite()).sum())
    return Verdict(False, feedback("not_finite", what=what, count=broken)) if broken else None


def distance(got, right, origin=0, wrong=None):
    """|got - right| / |right - origin|: how far off, in units of the right answer (counted from `origin`).

    With `wrong` the distance to that, in units of the larger of the two: float32 rounds a large result more.
    """
    to, size = (right, 0) if wrong is None else (wrong, (wrong - origin).norm())
    size = max(size, (right - origin).norm())
    return float((got.double() - to).norm() / (size if size > 0 else 1))


def scalar(got):
    """A result of one number as a scalar: a loss of shape (1,) is as good, and a share of 0 may come as a whole number. Others as they are."""
    if got.numel() != 1:
        return got
    return got.reshape(()) if got.dtype.is_floating_point else got.reshape(()).double()


def told_apart(wrongs, right, origin=0, tolerance=TOLERANCE):
    """Those of `wrongs`, a dict from misconception to result, that would not happen to pass for the right one; `origin` and `tolerance` as in `judge`.

    A misconception that gives several results has several entries: "name:variant". One that is not finite stands for all such.
    """
    return {
        name: wrong
        for name, wrong in wrongs.items()
        if wrong.shape != right.shape or not distance(wrong, right, origin) <= tolerance
    }


def name_of(wrong):
    """The misconception of an entry "name:variant"."""
    return wrong.partition(":")[0]


def cause_of(error, function):
    """The misconception that an error of a student's `function` tells of, by its text "IndexError: ..."; None for most."""
    kind, _, text = error.removeprefix("raised ").partition(": ")
    return next(
        (
            name
            for functions, known, pattern, name in ERRORS
            if (not functions or function in functions)
            and kind == known
            and re.search(pattern, text)
        ),
        None,
    )


def judge(
    got, right, wrongs=dict, what="The result", origin=0, tolerance=TOLERANCE, sentence="wrong"
):
    """Compare `got` with `right` (float64); if it is wrong, with each of `wrongs()`, a dict from misconception to what it gives.

    `origin` is subtracted before sizes are taken: for Ŵ it is W, so that what counts is the change. Everything is relative.
    A wrong answer is recognised when `got` lies as near to it as a right answer would to the right one. A number may come as a whole one, as a
    share of 0 does; what was rounded to one is recognised first.
    """
    rounded = {}
    if right.dim() == 0:
        if not got.dtype.is_floating_point and got.dtype != torch.bool:
            rounded = {"whole_numbers:down": right.floor(), "whole_numbers:nearest": right.round()}
        got = scalar(got)
    unusable = usable(got, right.shape, what)
    if unusable:
        named = None if unusable.misconception else _named_by_shape(got, wrongs())
        shape = unusable.message.removesuffix(
            feedback("shape_transposed")
        ).strip()  # which the name says better
        return Verdict(False, sentences(shape, misconception(named)), named) if named else unusable
    off = distance(got, right, origin)
    if off <= tolerance:
        return Verdict(True, feedback("right", what=what))
    message = feedback(
        "not_zero" if right.dim() == 0 and right == 0 else sentence,
        what=what,
        distance=percent(off),
    )
    # Single numbers meet by chance more often than tensors do; and what is only a little wrong is near to whatever else is.
    radius = min(tolerance if got.dim() == 0 else 10 * tolerance, 0.05, off / 4)
    near = {
        name: away
        for name, wrong in (rounded | wrongs()).items()
        if wrong.shape == got.shape
        and _of_its_size(got, wrong, origin)
        and (away := distance(got, right, origin, wrong)) <= radius
    }
    if near:
        likely = min(near, key=near.get)
        return Verdict(False, sentences(message, misconception(name_of(likely))), name_of(likely))
    return Verdict(False, message)


def _of_its_size(got, wrong, origin):
    """Whether `got` is `wrong` in units of that one, too, but for rounding: next to a large right answer all small ones are alike."""
    return bool(
        (got.double() - wrong).norm() <= 0.05 * (wrong - origin).norm() + ROUNDING * wrong.norm()
    )


def _named_by_shape(got, wrongs):
    """The misconception whose result has the same (wrong) shape and values, or is no more finite than this one, if there is one."""
    finite = bool(got.isfinite().all())
    for name, wrong in wrongs.items():
        if (
            wrong.shape == got.shape
            and bool(wrong.isfinite().all()) == finite
            and (not finite or distance(got, wrong) <= 10 * TOLERANCE)
        ):
            return name_of(name)
    return None
