"""The form that a child's reply must have before the grader reads it.

The adapters of keyhole/checking/adapters.py make the reply. They run in the student's process, so
what they return is only claimed, and the grader compares it.
"""

from collections.abc import Mapping

import torch

from autograder.sandbox import wire

# What an adapter says besides tensors of the student's: single values, each of its dtype.
CLAIMS = {
    "plain": {},
    "model_function": {
        "hooks_left": torch.int64,
        "model_changed": torch.bool,
        "settings_changed": torch.bool,
    },
    "write_edit": dict.fromkeys(("same_parameter", "weight_shared", "weight_flagged"), torch.bool),
}


def check_reply(
    reply: Mapping[str, torch.Tensor],
    adapter: str,
    sent: Mapping[str, torch.Tensor],
    options: Mapping,
) -> None:
    """Check that a reply has the form that its adapter gives. Raises wire.WireError.

    Its names are those that are due, its claims are single values, and its derivatives have the
    shapes and dtypes of what was sent.
    """
    dtypes, after = dict(CLAIMS[adapter]), sent if options.get("after") else ()
    dtypes |= {f"{what}.{name}": torch.bool for name in after for what in ("shared", "flagged")}
    due = {*dtypes, *(f"after.{name}" for name in after)}
    due |= (
        {"weight", "after.new_weight", *sent} - {"new_weight"}
        if adapter == "write_edit"
        else {"result"}
    )
    derivatives = {f"grad.{name}": sent[name] for name in options.get("grad", ())}
    whole = due <= reply.keys() <= due | derivatives.keys()
    claims = whole and all(
        reply[name].dim() == 0 and reply[name].dtype == dtype for name, dtype in dtypes.items()
    )
    alike = whole and all(
        reply[name].shape == tensor.shape and reply[name].dtype == tensor.dtype
        for name, tensor in derivatives.items()
        if name in reply
    )
    if not (claims and alike):
        raise wire.WireError("it is not of the form that was asked for")
