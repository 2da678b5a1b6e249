"""What a public check expected and what came back: shape, dtype, two or three numbers, a picture.

Only public checks have evidence: their inputs and right results lie in data/checks/. No message on
a hidden test shows any.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy
import torch
from torch import Tensor

from keyhole.checking.cases import Case
from keyhole.checking.looks import Observation
from keyhole.messages import Remark, word
from keyhole.text import short_numbers

NUMBERS = 3  # that are shown, of those that differ most
CELLS = 400  # most of a small picture
DIGITS = (4, 7, 12)  # more of them where two numbers would look alike


@dataclass(frozen=True)
class SeenRow:
    """One thing about two results: its name, what was expected, what came back."""

    name: str
    expected: str
    got: str

    @property
    def differs(self) -> bool:
        """Whether it shows a difference."""
        return self.expected != self.got


@dataclass(frozen=True)
class Evidence:
    """A result beside the right one; `what` names it.

    pictures: both as matrices, (rows, columns), where they can be drawn in little room.
    """

    what: Remark | str
    expected: Tensor
    got: Tensor
    whole: bool = False
    pictures: tuple[Tensor, Tensor] | None = None

    def rows(self) -> list[SeenRow]:
        """Shape, dtype, and the numbers that differ most."""
        same_shape = self.expected.shape == self.got.shape
        rows = [SeenRow(str(word("seen_shape")), _shape(self.expected), _shape(self.got))]
        usable = self.got.dtype in (torch.float32, torch.float64)
        due = torch.int64 if self.whole else self.got.dtype if usable else torch.float32
        names = (str(each).removeprefix("torch.") for each in (due, self.got.dtype))
        rows.append(SeenRow("dtype", *names))
        if not self.expected.dim() and self.got.numel() == 1:
            # A whole number may come as one: see `judge`.
            count = float(self.expected).is_integer() and self.got.dtype == torch.int64
            rows = [row for row in rows[1:] if row.differs and not count]
            numbers = _alike_no_more(float(self.expected), float(self.got))
            return [*rows, SeenRow(str(word("seen_value")), *numbers)]
        return [*rows, *(self._numbers() if same_shape else ())]

    def _numbers(self) -> Iterator[SeenRow]:
        off = (self.got.double() - self.expected).abs().nan_to_num(nan=torch.inf).flatten()
        size = float(self.expected.square().mean().sqrt())
        most = off.topk(min(NUMBERS, len(off))).indices.tolist()
        for number in sorted(each for each in most if off[each] > 1e-4 * size):
            # numpy's, since torch's takes most of a second: it loads sympy.
            place = [int(each) for each in numpy.unravel_index(number, tuple(self.got.shape))]
            pair = (float(each.flatten()[number]) for each in (self.expected, self.got))
            yield SeenRow(str(place), *_alike_no_more(*pair))


def _shape(tensor: Tensor) -> str:
    return str(tuple(tensor.shape)) if tensor.dim() else str(word("one_number"))


def _alike_no_more(expected: float, got: float) -> tuple[str, str]:
    """Both numbers, in as few digits as tell them apart."""
    for digits in DIGITS:
        pair = short_numbers(expected, got, digits=digits)
        if pair[0] != pair[1]:
            break
    return pair[0], pair[1]


def evidence_of(case: Case, observation: Observation) -> Evidence | None:
    """What of a call went wrong; None where that is not in its numbers."""
    got = observation["weight" if case.module else "result"]
    if not case.expected.judge(got).passed:
        pictures = matrices(case, got)
        if pictures and (pictures[0].numel() > CELLS or not pictures[1].isfinite().all()):
            pictures = None
        return Evidence(word(case.what), case.expected.right, got, case.whole, pictures)
    for name, expected, got in _others(case, observation):
        if expected.shape == got.shape and not torch.allclose(expected, got, rtol=1e-4):
            return Evidence(name, expected, got)
    return None


def _others(case, observation):
    """(name, what it should be, what it is) of gradients and of arguments after the call."""
    for name, tensor in case.stored.items():
        kind, _, argument = name.partition("/")
        if kind == "grad" and argument not in case.log_probabilities:
            if f"grad.{argument}" in observation:
                yield f"∂ / ∂ `{argument}`", tensor, observation[f"grad.{argument}"].double()
    for name, tensor in case.sent().items():
        if f"after.{name}" in observation:
            yield f"`{name}`", tensor.double(), observation[f"after.{name}"].double()


def matrices(case: Case, got: Tensor) -> tuple[Tensor, Tensor] | None:
    """The right result and `got` as matrices; None for single numbers and for another shape.

    Both are counted from where sizes are counted. Of states, what counts is how far each moved.
    """
    right = case.expected.right
    if right.shape != got.shape or not right.dim():
        return None
    origin = case.expected.origin

    def flat(tensor: Tensor) -> Tensor:
        moved = tensor.double() - origin
        if moved.dim() > 2:
            return moved.norm(dim=-1) if case.axes else moved.flatten(0, -2)
        return moved if moved.dim() == 2 else moved[None]

    return flat(right), flat(got)
