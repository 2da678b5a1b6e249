"""Ways to call a student's function: tensors go in, an observation comes out.

The public checks call an adapter in-process. The grader's child calls the same adapter behind its
walls and sends the observation back; the grader believes nothing of it and compares it.

Each call of the function starts from the same state of torch (start.py).

An observation is a dict of tensors:

| name            | what it is                                                       |
| --------------- | ---------------------------------------------------------------- |
| result          | what the function returned                                       |
| after.ARGUMENT  | a tensor that was sent, as it is after the call                  |
| shared.ARGUMENT | with `after`: whether the result lies in its memory (truth value) |
| flagged.ARGUMENT | with `after`: whether its requires_grad changed (truth value)    |
| grad.ARGUMENT   | the derivative of the result's sum; absent where there is none   |
| hooks_left      | how many hooks the function left on the model (a whole number)   |
| model_changed   | whether the model's weights changed (a truth value)              |
| settings_changed | whether the model was left in another state (a truth value)     |
| weight, bias    | what a module stores after the call                              |
| same_parameter  | whether the module still holds its own Parameter (a truth value) |
| weight_shared   | whether its weight lies in the memory of Ŵ (a truth value)       |
| weight_flagged  | whether the weight's requires_grad changed (a truth value)       |
"""

from collections.abc import Callable, Mapping

import torch
from torch import nn

from keyhole.checking.start import same_start
from keyhole.hooks import count_hooks
from keyhole.messages import Remark, feedback
from keyhole.models import EditableModel

NUMBERS = (bool, int, float)
WHOLE_NUMBERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.uint16, torch.uint32)
# What a result may be made of. autograder/sandbox/wire.py carries these and no others.
DTYPES = (torch.float64, torch.float32, torch.float16, torch.bfloat16, torch.int64, torch.bool)
# What an observation says of a model on which a call left something behind.
LEFT_BEHIND = ("hooks_left", "model_changed", "settings_changed")
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
    - "after": true adds "after.NAME", "shared.NAME" and "flagged.NAME" for every tensor sent.
    - "grad": names of tensors that require grad; adds "grad.NAME" where the result depends on them.

    Raises BadResult, and whatever the function raises.
    """
    return _called(function, [], tensors, options)


def model_function(
    function: Callable, tensors: dict, options: Mapping, model: EditableModel
) -> dict[str, torch.Tensor]:
    """Like `plain`, with `model` as first argument; adds three truths about `model`.

    "hooks_left", "model_changed" and "settings_changed" tell what the function left there.
    """
    before, hooks, state = fingerprint(model.hf), count_hooks(model.hf), settings(model)
    observation = _called(function, [model], tensors, options)
    observation["hooks_left"] = torch.tensor(count_hooks(model.hf) - hooks)
    observation["model_changed"] = torch.tensor(fingerprint(model.hf) != before)
    observation["settings_changed"] = torch.tensor(settings(model) != state)
    return observation


def write_edit(function: Callable, tensors: dict, options: Mapping) -> dict[str, torch.Tensor]:
    """Call function(module, new_weight) and look at what the module stores afterwards.

    options["kind"] is the module's, "linear" or "conv1d". The module is made from
    tensors["weight"], as that kind stores it, and tensors["bias"] where there is one. With
    options["frozen"], torch does not track its gradients. The observation holds "weight",
    "same_parameter", "weight_shared", "weight_flagged", "after.new_weight", and "bias" where one
    was sent (empty where it is gone).
    """
    module = module_of(options["kind"], tensors["weight"], tensors.get("bias"))
    module.requires_grad_(not options.get("frozen", False))
    weight, tracked = module.weight, module.weight.requires_grad
    with same_start():
        function(module, tensors["new_weight"])
    stored = as_tensor(module.weight)
    observation = {
        "weight": stored,
        "same_parameter": torch.tensor(module.weight is weight),
        "weight_shared": torch.tensor(_in_memory_of(stored, tensors["new_weight"])),
        "weight_flagged": torch.tensor(module.weight.requires_grad != tracked),
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
    bias: where there is none, a Linear has none, and a Conv1D one of zeros. Its forward needs one.
    """
    if kind == "conv1d":
        from transformers.pytorch_utils import Conv1D  # late: transformers takes seconds

        module = Conv1D(weight.shape[1], weight.shape[0])
        bias = weight.new_zeros(weight.shape[1]) if bias is None else bias
    else:
        module = nn.Linear(weight.shape[1], weight.shape[0])
    module.weight = nn.Parameter(weight.clone())
    module.bias = None if bias is None else nn.Parameter(bias.clone())
    return module


def as_tensor(value: object, device: torch.device | str = "cpu") -> torch.Tensor:
    """What a student's function returned as a plain detached tensor on `device`. Raises BadResult.

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
            value = value.detach().as_subclass(torch.Tensor)
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
    return value.to(device)


def fingerprint(module: nn.Module) -> list[tuple]:
    """Something that differs when a parameter or buffer of `module` changed, by whatever route."""
    tensors = [*module.named_parameters(), *module.named_buffers()]
    return [
        (name, tensor.dtype, tuple(tensor.shape), _sum_of_bits(tensor.detach()))
        for name, tensor in tensors
    ]


def settings(model: EditableModel) -> list:
    """Something that differs when `model` was left in another state with the same weights."""
    parts = [(type(part), part.training, "forward" in vars(part)) for part in model.hf.modules()]
    weights = [(weight.requires_grad, weight.grad is None) for weight in model.hf.parameters()]
    configs = [getattr(model.hf, name, None) for name in ("config", "generation_config")]
    words = [repr(config and config.to_dict()) for config in configs]
    implementation = getattr(model.hf.config, "_attn_implementation", None)
    side = getattr(model.tokenizer, "padding_side", None)
    return [parts, weights, *words, implementation, side]


def _called(function, leading, tensors, options):
    grad = options.get("grad", ())
    for name in grad:
        tensors[name].requires_grad_(True)
    arguments = tensors | {name: tensors[name].t() for name in options.get("transposed", ())}
    arguments |= {name: _plain_value(value) for name, value in options.get("values", {}).items()}
    tracked = {name: arguments[name].requires_grad for name in tensors}
    with same_start():
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
        for name, tensor in tensors.items():
            observation |= {
                f"after.{name}": tensor,
                f"shared.{name}": torch.tensor(_in_memory_of(observation["result"], tensor)),
                f"flagged.{name}": torch.tensor(arguments[name].requires_grad != tracked[name]),
            }
    return observation


def _in_memory_of(tensor, other) -> bool:
    """Whether two tensors lie in one storage, so that a change of one can change the other."""
    return tensor.untyped_storage().data_ptr() == other.untyped_storage().data_ptr() != 0


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
