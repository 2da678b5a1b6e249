"""One way to look inside a model and one way to change what it computes; both remove their hooks, whatever happens."""

from contextlib import contextmanager

KINDS = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks")


class Seen:
    """What a recorded module saw in its last call: `input` and `output`, detached tensors, None before the first call."""

    input = None
    output = None


def _first(value):
    return value[0] if isinstance(value, tuple) else value


@contextmanager
def record(module):
    """Record the first input and the (first) output of every call of `module`; the last call stays.

    with record(model.memory(5)) as seen:
        model.next_token_probabilities(["The Eiffel Tower is"])
    seen.input      # (1, T, d_in)
    """
    seen = Seen()

    def hook(_, args, kwargs, output):
        given = args[0] if args else kwargs["hidden_states"]
        seen.input, seen.output = given.detach(), _first(output).detach()

    handle = module.register_forward_hook(hook, with_kwargs=True)
    try:
        yield seen
    finally:
        handle.remove()


@contextmanager
def edit(module, function):
    """Put `function(output)` in the place of the output of `module`, for as long as the block lasts.

    `function` takes and returns a tensor; where a module returns a tuple, that is its first element.
    """

    def hook(_, args, output):
        changed = function(_first(output))
        return (changed, *output[1:]) if isinstance(output, tuple) else changed

    handle = module.register_forward_hook(hook)
    try:
        yield
    finally:
        handle.remove()


def count_hooks(module):
    """How many hooks are on `module` and its parts, but for transformers' own, which stay once hidden states or attentions were asked for."""
    from transformers.utils import output_capturing

    hooks = [
        hook for part in module.modules() for kind in KINDS for hook in getattr(part, kind).values()
    ]
    # By __globals__, since a function's __module__ is whatever it was set to.
    return sum(getattr(hook, "__globals__", None) is not vars(output_capturing) for hook in hooks)
