"""Ways to call a student's function inside the child: tensors in, tensors out.

Each adapter gets (function, tensors, options) and returns a dict of tensors; DESIGN.md lists the functions they serve.
What they return is claimed by the student's process and believed by nobody: the grader compares it.
"""

import torch
from torch import nn

from autograder.sandbox import wire
from keyhole.hooks import count_hooks

NUMBERS = (bool, int, float)
WHOLE_NUMBERS = (torch.uint8, torch.int8, torch.int16, torch.int32, torch.uint16, torch.uint32)


class BadResult(Exception):
    """What a function returned cannot be graded. `code` and `detail` name a sentence of `failures.FAILURES`."""

    def __init__(self, code: str, detail: str = ""):
        self.code, self.detail = code, detail


def plain(function, tensors, options) -> dict:
    """function(*arguments) -> {"result", and what options["after"] and options["grad"] ask for}.

    options: "order" [names of the arguments]; "transposed" [names]: the argument is the transposed view of the tensor sent;
    "values" {name: plain value, or {"slice": [start, stop]}}; "after": true also returns "after.<name>", every tensor sent, as it
    is after the call; "grad" [names]: those require grad, and "grad.<name>" is the derivative of the result's sum, absent where
    the result does not depend on it.
    """
    return _called(function, [], tensors, options)


def model_function(function, tensors, options, model) -> dict:
    """Like `plain`, with an EditableModel as first argument; also "hooks_left" (hooks it left on modules) and "model_changed"."""
    before, hooks = fingerprint(model.hf), count_hooks(model.hf)
    reply = _called(function, [model], tensors, options)
    reply["hooks_left"] = torch.tensor(count_hooks(model.hf) - hooks)
    reply["model_changed"] = torch.tensor(fingerprint(model.hf) != before)
    return reply


def write_edit(function, tensors, options) -> dict:
    """function(module, new_weight), with a module of options["kind"] ("linear" or "conv1d") made from "weight" as that kind
    stores it and an optional "bias" -> {"weight", and "bias" where there was one, as stored afterwards, "after.new_weight", "same_parameter"}.
    """
    stored = tensors["weight"]
    if options["kind"] == "conv1d":
        from transformers.pytorch_utils import Conv1D

        module = Conv1D(stored.shape[1], stored.shape[0])
    else:
        module = nn.Linear(stored.shape[1], stored.shape[0])
    module.weight = weight = nn.Parameter(stored.clone())
    module.bias = nn.Parameter(tensors["bias"].clone()) if "bias" in tensors else None
    function(module, tensors["new_weight"])
    reply = {
        "weight": as_tensor(module.weight),
        "same_parameter": torch.tensor(module.weight is weight),
        "after.new_weight": as_tensor(tensors["new_weight"]),
    }
    if "bias" in tensors:
        reply["bias"] = torch.empty(0) if module.bias is None else as_tensor(module.bias)
    return reply


def check_reply(reply, adapter, sent, options) -> None:
    """For the grader: are these the names that an adapter gives, its claims single values, and its derivatives like what was sent? Raises wire.WireError."""
    due = {*CLAIMS[adapter], *(f"after.{name}" for name in sent if options.get("after"))}
    due |= (
        {"weight", "after.new_weight", *sent} - {"new_weight"}
        if adapter == "write_edit"
        else {"result"}
    )
    derivatives = {f"grad.{name}": sent[name] for name in options.get("grad", ())}
    whole = due <= reply.keys() <= due | derivatives.keys()
    claims = whole and all(
        reply[name].dim() == 0 and reply[name].dtype == dtype
        for name, dtype in CLAIMS[adapter].items()
    )
    alike = whole and all(
        reply[name].shape == tensor.shape and reply[name].dtype == tensor.dtype
        for name, tensor in derivatives.items()
        if name in reply
    )
    if not (claims and alike):
        raise wire.WireError("it is not of the form that was asked for")


def _called(function, leading, tensors, options) -> dict:
    grad, transposed, values = (
        options.get("grad", ()),
        options.get("transposed", ()),
        options.get("values", {}),
    )
    for name in grad:
        tensors[name].requires_grad_(True)
    arguments = {
        name: tensor.t() if name in transposed else tensor for name, tensor in tensors.items()
    }
    arguments |= {
        name: (
            slice(*value["slice"])
            if isinstance(value, dict) and value.keys() == {"slice"}
            else value
        )
        for name, value in values.items()
    }
    result = function(*leading, *(arguments[name] for name in options["order"]))
    reply = {"result": as_tensor(result)}
    if grad and isinstance(result, torch.Tensor) and result.requires_grad:
        derivatives = torch.autograd.grad(
            result.sum(), [tensors[name] for name in grad], allow_unused=True
        )
        reply |= {
            f"grad.{name}": derivative
            for name, derivative in zip(grad, derivatives)
            if derivative is not None
        }
    if options.get("after"):
        reply |= {f"after.{name}": tensor for name, tensor in tensors.items()}
    return reply


def as_tensor(value) -> torch.Tensor:
    """A student's result as a plain detached CPU tensor; raises BadResult. (Types are asked of type(): `__class__` can lie.)"""
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
    if value.dtype not in wire.DTYPES.values():
        raise BadResult("dtype", str(value.dtype).removeprefix("torch."))
    return value


def fingerprint(module) -> list:
    """Something that differs when any parameter or buffer of `module` has changed, by whatever route."""
    tensors = [*module.named_parameters(), *module.named_buffers()]
    return [
        (name, tensor.dtype, tuple(tensor.shape), _sum_of_bits(tensor.detach()))
        for name, tensor in tensors
    ]


def _sum_of_bits(tensor) -> int:
    bits = tensor.contiguous().flatten()
    whole_words = bits.nbytes % 8 == 0 and bits.storage_offset() * bits.itemsize % 8 == 0
    return int(
        bits.view(torch.int64 if whole_words else torch.uint8).sum(dtype=torch.int64)
    )  # by words it is 25 times faster


# What an adapter says besides tensors of the student's: single values, each of its dtype.
CLAIMS = {
    "plain": {},
    "model_function": {"hooks_left": torch.int64, "model_changed": torch.bool},
    "write_edit": {"same_parameter": torch.bool},
}
ADAPTERS = {"plain": plain, "model_function": model_function, "write_edit": write_edit}
