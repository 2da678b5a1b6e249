"""One way to look inside a model, and one way to change what it computes.

Both remove their hooks, whatever happens.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy
import torch

# The attributes in which a module of torch keeps its hooks.
HOOK_TABLES = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


class _Stop(Exception):
    """Ends a run once everything that was asked for is recorded."""


class Seen:
    """What a recorded module saw in its last call: detached tensors, None before the first call."""

    input: torch.Tensor | None = None
    output: torch.Tensor | None = None


def _first(value):
    return value[0] if isinstance(value, tuple) else value


@contextmanager
def record(module: torch.nn.Module, stop: bool = False) -> Iterator[Seen]:
    """Record the first input and the first output of `module`; of several calls the last stays.

    With `stop` the block ends as soon as the module has run once, so no time goes into what comes
    after it.

    with record(model.memory(5)) as seen:
        model.next_token_probabilities(["The Eiffel Tower is"])
    seen.input      # (1, T, d_in)
    """
    seen, ended = Seen(), _Stop()

    def hook(_, args, kwargs, output):
        given = args[0] if args else kwargs["hidden_states"]
        seen.input, seen.output = given.detach(), _first(output).detach()
        if stop:
            raise ended

    handle = module.register_forward_hook(hook, with_kwargs=True)
    try:
        yield seen
    except _Stop as reached:
        if reached is not ended:
            raise
    finally:
        handle.remove()


def without_numpy(value: object) -> object:
    """A numpy array as a tensor, also one that is seen backwards; anything else as it is."""
    if isinstance(value, numpy.ndarray):
        return torch.as_tensor(value.copy())  # a copy: torch refuses negative strides
    return value


@contextmanager
def edit(
    module: torch.nn.Module, function: Callable[[torch.Tensor], torch.Tensor]
) -> Iterator[None]:
    """Replace the output of `module` by `function(output)`, for as long as the block lasts.

    `function` takes and returns a tensor: the first element where a module returns a tuple. Of
    another dtype, or as numpy's array, it becomes what the output was: layers take nothing else.
    """

    def hook(_, args, output):
        changed = without_numpy(function(_first(output)))
        if isinstance(changed, torch.Tensor):
            changed = changed.to(_first(output))
        return (changed, *output[1:]) if isinstance(output, tuple) else changed

    handle = module.register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


def count_hooks(module: torch.nn.Module) -> int:
    """How many hooks are on `module` and its parts.

    Those of transformers do not count: they stay once somebody asked for hidden states or
    attentions.
    """
    from transformers.utils import output_capturing  # late: transformers takes a second

    hooks = [
        hook
        for part in module.modules()
        for table in HOOK_TABLES
        for hook in getattr(part, table).values()
    ]
    # Told by __globals__, since anybody may set a function's __module__.
    return sum(getattr(hook, "__globals__", None) is not vars(output_capturing) for hook in hooks)
