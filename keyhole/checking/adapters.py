"""Ways to call a student's function: tensors go in, an observation comes out.

The public checks call an adapter in-process. The grader's child calls the same adapter behind its
walls and sends the observation back; the grader believes nothing of it and compares it.

An observation is a dict of tensors:

| name            | what it is                                                       |
| --------------- | ---------------------------------------------------------------- |
| result          | what the function returned                                       |
| after.ARGUMENT  | a tensor that was sent, as it is after the call                  |
| grad.ARGUMENT   | the derivative of the result's sum; absent where there is none   |
| hooks_left      | how many hooks the function left on the model (a whole number)   |
| model_changed   | whether the model's weights changed (a truth value)              |
| weight, bias    | what a module stores after the call                              |
| same_parameter  | whether the module still holds its own Parameter (a truth value) |
"""

from collections.abc import Callable, Mapping

import torch
from torch import nn

from keyhole.hooks import count_hooks
from keyhole.messages import Remark, feedback
from keyhole.models import EditableModel

NUMBERS = (bool, int, float)
WHOLE_NUMBERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.uint16, torch.uint32)
# What a result may be made of. autograder/sandbox/wire.py carries these and no others.
DTYPES = (torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.bool)
# BadResult.code -> the sentence for the student, and the gap that the detail fills
SENTENCES = {
    "none": ("none", None),
    "type": ("not_a_tensor", "got"),
    "device": ("device", "got"),
    "layout": ("layout", "got"),
    "dtype": ("dtype", "got"),
    "absent": ("absent", None),
    "definitions": ("undefined", "error"),
}


class BadResult(Exception):
    """A function, or what it returned, cannot be looked at.

    `code` says why: a key of SENTENCES, or "big" in the grader's child. `detail` is a word or a
    line more, such as the type that was returned.
    """

    def __init__(self, code: str, detail: str = ""):
        self.code, self.detail = code, detail

    def remark(self, function: str) -> Remark:
        """The sentence for the student whose `function` it is."""
        sentence, gap = SENTENCES[self.code]
        return feedback(sentence, function=function, **({gap: self.detail} if gap else {}))


# ---------------------------------------------------------------- the adapters


def plain(function: Callable, tensors: dict, options: Mapping) -> dict[str, torch.Tensor]:
    """Call function(*arguments); the observation holds "result" and what the options ask for.

    options:
    - "order": the arguments' names, in order.
    - "values": the arguments that are no tensors: {name: a value, or {"slice": [start, stop]}}.
    - "transposed": names of tensors of which the function gets the transposed view.
    - "after": true adds "after.NAME" for every tensor sent.
    - "grad": names of tensors that require grad; adds "grad.NAME" where the result depends on them.

    Raises BadResult, and whatever the function raises.
    """
    return _called(function, [], tensors, options)


def model_function(
    function: Callable, tensors: dict, options: Mapping, model: EditableModel
) -> dict[str, torch.Tensor]:
    """Like `plain`, with `model` as first argument; adds "hooks_left" and "model_changed"."""
    before, hooks = fingerprint(model.hf), count_hooks(model.hf)
    observation = _called(function, [model], tensors, options)
    observation["hooks_left"] = torch.tensor(count_hooks(model.hf) - hooks)
    observation["model_changed"] = torch.tensor(fingerprint(model.hf) != before)
    return observation


def write_edit(function: Callable, tensors: dict, options: Mapping) -> dict[str, torch.Tensor]:
    """Call function(module, new_weight) and look at what the module stores afterwards.

    options["kind"] is the module's, "linear" or "conv1d". It is made from tensors["weight"], as
    that kind stores it, and tensors["bias"] where there is one. The observation holds "weight",
    "same_parameter", "after.new_weight", and "bias" where one was sent (empty where it is gone).
    """
    module = module_of(options["kind"], tensors["weight"], tensors.get("bias"))
    weight = module.weight
    function(module, tensors["new_weight"])
    observation = {
        "weight": as_tensor(module.weight),
        "same_parameter": torch.tensor(module.weight is weight),
        "after.new_weight": as_tensor(tensors["new_weight"]),
    }
    if "bias" in tensors:
        observation["bias"] = torch.empty(0) if module.bias is None else as_tensor(module.bias)
    return observation


ADAPTERS = {"plain": plain, "model_function": model_function, "write_edit": write_edit}


# ---------------------------------------------------------------- what they are made of


def module_of(kind: str, weight: torch.Tensor, bias: torch.Tensor | None = None) -> nn.Module:
    """A Linear or a Conv1D (`kind` is "linear" or "conv1d") with copies of weight and bias.

    weight: as that kind stores it, (d_out, d_in) in a Linear and (d_in, d_out) in a Conv1D.
    """
    if kind == "conv1d":
        from transformers.pytorch_utils import Conv1D  # late: transformers takes seconds

        module = Conv1D(weight.shape[1], weight.shape[0])
    else:
        module = nn.Linear(weight.shape[1], weight.shape[0])
    module.weight = nn.Parameter(weight.clone())
    module.bias = None if bias is None else nn.Parameter(bias.clone())
    return module


def as_tensor(value: object) -> torch.Tensor:
    """What a student's function returned as a plain detached CPU tensor. Raises BadResult.

    Python's numbers and numpy's arrays become tensors, and whole numbers of any size int64. The
    type is asked of type(): `__class__` can lie.
    """
    if value is None:
        raise BadResult("none")
    if issubclass(type(value), torch.Tensor):
        with torch._C.DisableTorchFunctionSubclass():
            if value.device.type == "meta":
                raise BadResult("device", "meta")
            if value.layout != torch.strided:
                raise BadResult("layout", str(value.layout))
            value = value.detach().as_subclass(torch.Tensor).cpu()
    elif type(value) in NUMBERS:
        value = torch.tensor(value, dtype=torch.float64 if type(value) is float else None)
    elif type(value).__module__ == "numpy":
        try:
            value = torch.as_tensor(value.copy())  # a copy: torch refuses negative strides
        except (TypeError, AttributeError):
            raise BadResult("type", f"numpy {type(value).__name__}") from None
    else:
        raise BadResult("type", type(value).__name__)
    if value.dtype in WHOLE_NUMBERS:
        value = value.long()
    if value.dtype not in DTYPES:
        raise BadResult("dtype", str(value.dtype).removeprefix("torch."))
    return value


def fingerprint(module: nn.Module) -> list[tuple]:
    """Something that differs when a parameter or buffer of `module` changed, by whatever route."""
    tensors = [*module.named_parameters(), *module.named_buffers()]
    return [
        (name, tensor.dtype, tuple(tensor.shape), _sum_of_bits(tensor.detach()))
        for name, tensor in tensors
    ]


def _called(function, leading, tensors, options):
    grad = options.get("grad", ())
    for name in grad:
        tensors[name].requires_grad_(True)
    arguments = tensors | {name: tensors[name].t() for name in options.get("transposed", ())}
    arguments |= {name: _plain_value(value) for name, value in options.get("values", {}).items()}
    result = function(*leading, *(arguments[name] for name in options["order"]))
    observation = {"result": as_tensor(result)}
    if grad and isinstance(result, torch.Tensor) and result.requires_grad:
        derivatives = torch.autograd.grad(
            result.sum(), [tensors[name] for name in grad], allow_unused=True
        )
        observation |= {
            f"grad.{name}": derivative
            for name, derivative in zip(grad, derivatives)
            if derivative is not None
        }
    if options.get("after"):
        observation |= {f"after.{name}": tensor for name, tensor in tensors.items()}
    return observation


def _plain_value(value):
    """A value that came as JSON: a slice comes as {"slice": [start, stop]}."""
    if isinstance(value, dict) and value.keys() == {"slice"}:
        return slice(*value["slice"])
    return value


def _sum_of_bits(tensor) -> int:
    """The sum of a tensor's bits, by words where they fit: 25 times faster than by bytes."""
    bits = tensor.contiguous().flatten()
    whole_words = bits.nbytes % 8 == 0 and bits.storage_offset() * bits.itemsize % 8 == 0
    return int(bits.view(torch.int64 if whole_words else torch.uint8).sum(dtype=torch.int64))
