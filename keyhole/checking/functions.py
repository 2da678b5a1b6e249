"""A notebook's functions, for a command that works with them: whatever is wrong is one sentence."""

from collections.abc import Callable, Iterable
from pathlib import Path

import torch

from keyhole.checking.adapters import BadResult, as_tensor
from keyhole.checking.judging import scalar, usable
from keyhole.checking.selfcheck import unrunnable
from keyhole.checking.student import Student, raised
from keyhole.errors import KeyholeError
from keyhole.messages import Remark, titled
from keyhole.notebooks.definitions import definitions, read_notebook


def functions_of(path: str | Path, names: Iterable[str]) -> dict[str, Callable]:
    """The functions of those names that a notebook defines.

    Raises KeyholeError where one is absent, broken or still a blank. What a function raises becomes
    a KeyholeError, too.
    """
    defined = definitions(read_notebook(path))
    for name in names:
        if why := unrunnable(name, defined):
            raise KeyholeError(titled(path, why))
    student, functions = Student(defined.source), {}
    for name in names:
        try:
            functions[name] = _explained(name, student.function(name))
        except BadResult as bad:
            raise KeyholeError(titled(path, bad.remark(name))) from None
    return functions


def _explained(name, function):
    def call(*arguments):
        try:
            return function(*arguments)
        except Exception as error:
            raise KeyholeError(raised(name, error, function)) from error

    return call


def result_of(
    name: str,
    value: object,
    shape: tuple[int, ...],
    what: Remark,
    device: torch.device,
    whole: bool = False,
) -> torch.Tensor:
    """What the function `name` returned, as a tensor of `shape` on `device`.

    `what` names it in a sentence. A scalar may come as a whole number; with `whole` all may.

    Raises KeyholeError where it cannot be used.
    """
    try:
        tensor = as_tensor(value, device)
    except BadResult as bad:
        raise KeyholeError(bad.remark(name)) from None
    if not shape:
        tensor = scalar(tensor)
    if whole and not tensor.dtype.is_floating_point and tensor.dtype != torch.bool:
        tensor = tensor.double()
    if unusable := usable(tensor, shape, what):
        raise KeyholeError(*unusable.said)
    return tensor
