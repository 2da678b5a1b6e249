"""One diagnosis for a function: its verdicts, judged together.

A mistake that explains one test and would have given something else in another is not what is wrong
with the function, if something else explains that other test. So it is not said.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import TypeVar

from keyhole.checking.judging import Verdict
from keyhole.messages import Remark, misconception

Failed = TypeVar("Failed")  # a Verdict, or a test in the report: both name what is wrong
FACTORS = ("factor", "factor_of_change", "sign", "sign_of_change")


def together(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """The verdicts on one function, in their order, without explanations that contradict others.

    Where several misconceptions give the result of a test, the one is named that explains most of
    the tests. A misconception goes where it would have given another result in a test that a better
    one explains. Points and remarks stay as they are.
    """
    told = _accepted([verdict for verdict in verdicts if not verdict.passed])
    return _same_factor([_with(verdict, told) for verdict in verdicts])


def leading(failed: Sequence[Failed]) -> Failed:
    """Of what failed, that which tells best what is wrong with the function.

    It is one with the misconception that most of them have, else one with a symptom, else the
    first.
    """
    names = [each.misconception for each in failed if each.misconception]
    return max(failed, key=lambda each: (names.count(each.misconception), each.symptom is not None))


def _same_factor(verdicts: list[Verdict]) -> list[Verdict]:
    """Where results are off by factors: what these are in all tests, else that they differ."""
    factors = [each.observed for each in verdicts if each.symptom in FACTORS]
    first, *others = [each.details.get("meanings", ()) for each in factors] or [()]
    common = [meaning for meaning in first if all(meaning in each for each in others)]
    if len(factors) < 2 or len({each.code for each in factors}) < 2 and "sign" in factors[0].code:
        return verdicts

    def told(observed: Remark) -> Remark:
        if not common:
            return Remark("factor_varies", {}, "SYMPTOMS")
        return replace(observed, details={**observed.details, "factor": common[0]})

    return [
        replace(each, observed=told(each.observed)) if each.symptom in FACTORS else each
        for each in verdicts
    ]


def _accepted(failed: list[Verdict]) -> list[str]:
    """The misconceptions that may be named: the one that fits the most tests comes first."""
    names = list(
        dict.fromkeys(
            name
            for verdict in failed
            if verdict.explanation
            for name in (verdict.misconception, *sorted(verdict.fits))
        )
    )

    def weight(name: str) -> int:
        """The tests that it explains, without those in which it would have given another result."""
        return sum(
            (name in _fitting(each)) - (name in each.misses | each.excludes) for each in failed
        )

    accepted: list[str] = []
    for name in sorted(names, key=weight, reverse=True):
        fitted = [each for each in failed if name in _fitting(each)]
        by_chance = all(each.single for each in fitted)
        if by_chance and any(name in each.excludes for each in failed):
            continue  # with that mistake this test would not have failed
        if weight(name) < 0:
            continue  # it would have given something else in most tests
        explained = [each for each in failed if not _fitting(each).isdisjoint(accepted)]
        if not any(name in each.misses for each in explained):
            accepted.append(name)
    return accepted


def _fitting(verdict: Verdict) -> frozenset[str]:
    """The misconceptions that explain a verdict."""
    return verdict.fits | ({verdict.misconception} if verdict.explanation else set())


def _with(verdict: Verdict, told: list[str]) -> Verdict:
    """The verdict with the best of the misconceptions told that fits it, or with none."""
    if verdict.passed or not verdict.explanation:
        return verdict
    fitting = [name for name in told if name in _fitting(verdict)]
    if not fitting:
        return replace(verdict, explanation=None)
    same = fitting[0] == verdict.misconception
    return verdict if same else replace(verdict, explanation=misconception(fitting[0]))
