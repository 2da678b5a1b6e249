"""Ways to look at what a call of a student's function left behind: each takes an observation.

keyhole/checking/adapters.py makes observations and lists what they hold. The public checks look at
one made in-process, the hidden tests at one that came from the grader's child. Each look is here
once, so a public check and a hidden test that look alike judge alike.
"""

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

import torch

from keyhole.checking import symptoms
from keyhole.checking.adapters import LEFT_BEHIND
from keyhole.checking.judging import (
    TOLERANCE,
    Verdict,
    Wrongs,
    distance,
    judge,
    right,
    scalar,
    usable,
    wrong,
)
from keyhole.messages import Remark, feedback, percent, word

Observation = Mapping[str, torch.Tensor]
NONE: Mapping[str, torch.Tensor] = MappingProxyType({})


@dataclass(frozen=True)
class Expected:
    """The right result, and how another one is compared with it, as `judge` does.

    wrongs: makes the results of known misunderstandings, misconception -> tensor.
    scales: the right result times any of these is right, too. (The scale of C cancels in ROME.)
    whole: the right result holds whole numbers, which may come in any dtype.
    given: what was asked, of which a symptom may speak.
    """

    right: torch.Tensor
    wrongs: Callable[[], Mapping] = dict
    what: Remark = word("result")
    origin: torch.Tensor | float = 0
    tolerance: float = TOLERANCE
    sentence: str = "wrong"
    scales: tuple = (1,)
    whole: bool = False
    given: symptoms.Given = symptoms.Given()

    def judge(self, got: torch.Tensor) -> Verdict:
        """`got` against the right result and the wrong ones, in the scale that suits it best.

        That is a scale in which it is right, else one in which its mistake has a name, else the
        nearest.
        """
        verdicts = []
        for scale in self.scales:
            verdict = self._judge(got, scale)
            if verdict.passed:
                return verdict
            verdicts.append(verdict)
        if named := next((verdict for verdict in verdicts if verdict.misconception), None):
            return named
        nearest = min(range(len(verdicts)), key=lambda i: self._distance(got, self.scales[i]))
        return replace(verdicts[nearest], observed=self._symptom(got, self.scales[nearest]))

    def _distance(self, got, scale):
        """How far `got` is from the right result in that scale; 0 where it cannot be compared."""
        if self.unusable(got):
            return 0
        return distance(self._numbers(got), scale * self.right, self.origin)

    def _symptom(self, got, scale):
        """What is systematic about a wrong result that no misconception explains, in that scale."""
        got = self._numbers(got)
        got, due = got if self.right.dim() else scalar(got), scale * self.right
        if got.shape != due.shape:
            return symptoms.of_shape(got, due, self.given)
        if not got.is_floating_point() or not bool(got.isfinite().all()):
            return None
        return symptoms.found(
            symptoms.Comparison(got.double(), due, self.origin, self.tolerance, self.given)
        )

    def _judge(self, got, scale):
        of_change = self.sentence == "wrong" and isinstance(self.origin, torch.Tensor)
        sentence = "wrong_in_change" if of_change else self.sentence
        return judge(
            self._numbers(got),
            scale * self.right,
            self.wrongs if scale == 1 else lambda: (Wrongs() | self.wrongs()).times(scale),
            self.what,
            self.origin,
            self.tolerance,
            sentence,
        )

    def unusable(self, got: torch.Tensor) -> Verdict | None:
        """Why `got` cannot be compared with the right result; None where it can."""
        got = self._numbers(got)
        return usable(got if self.right.dim() else scalar(got), self.right.shape, self.what)

    def _numbers(self, got):
        """`got` as floating-point numbers, where whole ones are wanted."""
        whole = not got.dtype.is_floating_point and got.dtype != torch.bool
        return got.double() if self.whole and whole else got


# ---------------------------------------------------------------- the result


def right_result(observation: Observation, expected: Expected) -> Verdict:
    """Whether the function returned the right result."""
    return expected.judge(observation["result"])


def preservation(observation: Observation, expected: Expected, problem: Mapping) -> Verdict:
    """Whether Ŵ is right; if not, whether Ŵ k* = v* holds, and how far the other keys move.

    The constraint alone proves nothing: what counts is tr((Ŵ - W) C (Ŵ - W)ᵀ). (ROME, eq. 2)
    problem: "weight" (d_out, d_in), "moment" (d_in, d_in), "key" (d_in,) and "value" (d_out,).
    """
    new, verdict = observation["result"], expected.judge(observation["result"])
    if verdict.passed or expected.unusable(new):
        return verdict
    weight, moment, key, value = (
        problem[name].double() for name in ("weight", "moment", "key", "value")
    )

    def movement(updated):
        change = updated.double() - weight
        return float(torch.einsum("oi,ij,oj->", change, moment, change))

    miss = distance(new.double() @ key, value, weight @ key)
    if miss > expected.tolerance:
        remark = feedback("misses_value", distance=percent(miss))
    else:
        excess = percent(movement(new) / movement(expected.right) - 1)
        remark = feedback("constraint_only", excess=excess)
    return replace(verdict, remarks=(remark,))


def gradient(
    observation: Observation,
    expected: Expected,
    derivatives: Mapping[str, torch.Tensor],
    log_probabilities: Mapping[str, torch.Tensor] = NONE,
) -> Verdict:
    """Whether the result and its derivatives are right.

    derivatives: argument -> the right derivative of the result; they are judged in this order.
    log_probabilities: the arguments that hold log-probabilities. Their derivative is compared at
        the logits: a function that normalises them once more has the same one there, and another
        one here.
    """
    verdict = right_result(observation, expected)
    if not verdict.passed:
        return verdict
    for name, derivative in derivatives.items():
        if f"grad.{name}" not in observation:
            return wrong(misconception="graph_cut", what=f"`{name}`")
        got = observation[f"grad.{name}"]
        if name in log_probabilities:
            shares = log_probabilities[name].double().exp()
            got, derivative = (
                each - shares * each.sum(-1, keepdim=True) for each in (got.double(), derivative)
            )
        verdict = Expected(derivative, what=f"`{name}`", sentence="gradient").judge(got)
        if not verdict.passed:
            return verdict
    return right(feedback("gradient_right"))


# ---------------------------------------------------------------- what else the call did


def arguments_kept(observation: Observation, expected: Expected, sent: Mapping) -> Verdict:
    """Whether the tensors `sent` are after the call what they were, and the result is usable.

    Their values count, and whether torch tracks their gradients. The result must not lie in the
    memory of one of them: then a change of one is a change of the other. Whether the result is
    right is for other looks.
    """
    return (
        expected.unusable(observation["result"])
        or _changed(observation, sent, sent)
        or right(feedback("untouched_inputs"))
    )


def left_clean(observation: Observation, expected: Expected) -> Verdict:
    """Whether the function left no hook on the model, and its weights and state as they were.

    Whether the result is right is for other looks; here it only has to be usable, since a function
    that does nothing leaves nothing behind.
    """
    for flag in LEFT_BEHIND:
        if observation[flag].item():
            return wrong(misconception=flag)
    if expected.unusable(observation["result"]):
        return right_result(observation, expected)
    return right(feedback("clean"))


def weight_written(observation: Observation, expected: Expected, sent: Mapping) -> Verdict:
    """Whether the module stores the new weight, in its old dtype.

    Where a bias was `sent`, that bias and the caller's Ŵ must be what they were, too.
    """
    verdict = expected.judge(observation["weight"])
    if not verdict.passed:
        return verdict
    if observation["weight"].dtype != sent["weight"].dtype:
        return wrong(misconception="dtype_changed")
    if "bias" in sent:
        if not torch.equal(observation["bias"], sent["bias"]):
            return wrong(misconception="bias_changed")
        return _changed(observation, sent, ["new_weight"]) or verdict
    return verdict


def written_in_place(observation: Observation, expected: Expected, sent: Mapping) -> Verdict:
    """Whether the new weight stands in the Parameter that the module had, in memory of its own.

    torch must track the Parameter's gradient as before.
    """
    verdict = weight_written(observation, expected, sent)
    if not verdict.passed:
        return verdict
    if not observation["same_parameter"].item():
        return wrong(misconception="parameter_replaced")
    for flag in ("weight_shared", "weight_flagged"):
        if observation[flag].item():
            return wrong(misconception=flag)
    return verdict


def _changed(observation: Observation, sent: Mapping, names: Iterable[str]) -> Verdict | None:
    """The Verdict on the first of these arguments that the call changed; None without one."""
    for name in names:
        if not torch.equal(observation[f"after.{name}"], sent[name]):
            return wrong(misconception="input_changed", what=name)
        for flag, misconception in (("flagged", "tracking_changed"), ("shared", "memory_shared")):
            if f"{flag}.{name}" in observation and observation[f"{flag}.{name}"].item():
                return wrong(misconception=misconception, what=name)
    return None
