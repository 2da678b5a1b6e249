"""One diagnosis for a function: its verdicts, judged together.

A mistake that explains one test and would have given something else in another is not what is wrong
with the function, if something else explains that other test. So it is not said. Of what is left,
one diagnosis is told; `compatible` says what may stand beside it.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from itertools import product
from typing import TypeVar

from keyhole.checking.judging import ERRORS, Verdict
from keyhole.messages import Remark, misconception

Failed = TypeVar("Failed")  # a Verdict, or a test in the report: both name what is wrong
FACTORS = ("factor", "factor_of_change", "sign", "sign_of_change")
PARTS = ("part_alone", "part_missing", "part_uncounted", "part_twice")
# What may stand beside any diagnosis, since it does not say what is wrong with a result:
BESIDE = frozenset(
    (
        # what Python or torch means by an error
        *(name for functions, _, _, name in ERRORS if not functions),
        # what a call left behind, and what carries no gradient
        *("input_changed", "tracking_changed", "memory_shared", "graph_cut", "gradient_in_numpy"),
        *("hooks_left", "model_changed", "settings_changed", "half_precision", "dtype_changed"),
        *("bias_changed", "parameter_replaced", "weight_shared", "weight_flagged"),
        # the student's own fact, of which each test asks another question
        *("claim_not_measured", "fact_not_known", "fact_of_handout", "subject_at_start"),
        "value_without_target",
        # calls that came out wrong, and which kinds of call did
        *("example", "zero_noise", "last_state", "early_token", "bare_key", "prefixed_key"),
        *("averaged_key", "other_moment", "doubled", "later_call", "only_windows", "only_states"),
        *("only_edges", "only_even", "only_order"),
    )
)
# Maps of states and maps of windows are made by different lines, so each may have its own mistake.
OF_STATES = ("layer_input_restored", "layer_below_restored", "layer_above_restored")
OF_WINDOWS = (
    *("window_ignored", "window_upward", "window_downward", "window_mirrored"),
    *("window_one_short", "window_one_long", "window_both_ways", "window_pushed_in"),
    *("window_dropped_at_edges", "window_wraps_around", "window_of_all"),
    *("other_width", "other_kind", "late_binding"),
)
# What else may be told together.
PAIRS = frozenset(
    map(
        frozenset,
        (
            # The second sentence names the first as a reason.
            ("nothing_corrupted", "cells_all_clean"),
            ("restored_everything", "cells_all_clean"),
            *product(OF_STATES, OF_WINDOWS),
        ),
    )
)


def compatible(name: str, other: str) -> bool:
    """Whether two diagnoses, misconceptions or symptoms, may be told of one function."""
    return bool({name, other} & BESIDE) or frozenset((name, other)) in PAIRS


def together(verdicts: Sequence[Verdict]) -> list[Verdict]:
    """The verdicts on one function, in their order, without explanations that contradict others.

    Where several misconceptions give the result of a test, the one is named that explains most of
    the tests. A misconception goes where it would have given another result in a test that a better
    one explains, and where it is not `compatible` with the best. So do symptoms: they are told
    where no misconception is, and of these the one that most tests show. Points and remarks stay as
    they are.
    """
    told = _accepted([verdict for verdict in verdicts if not verdict.passed])
    best = next((name for name in told if name not in BESIDE), None)
    told = [name for name in told if best in (None, name) or compatible(best, name)]
    named = _same_factor([_with(verdict, told) for verdict in verdicts])
    return _one_symptom(_shown_again(named), best)


def leading(failed: Sequence[Failed]) -> Failed:
    """Of what failed, that which tells best what is wrong with the function.

    It is one with the misconception that most of them have, else one with a symptom, else the
    first. What only explains an error, or what a call left behind, comes after what is wrong.
    """
    names = [each.misconception for each in failed if each.misconception]

    def rank(each: Failed) -> tuple[bool, int, bool]:
        told = each.misconception not in {None, *BESIDE}
        return told, names.count(each.misconception), each.symptom is not None

    return max(failed, key=rank)


def _same_factor(verdicts: list[Verdict]) -> list[Verdict]:
    """Where results are off by factors: what these are in all tests, else that they differ."""
    factors = [each.observed for each in verdicts if each.symptom in FACTORS]
    first, *others = [each.details.get("meanings", ()) for each in factors] or [()]
    common = [meaning for meaning in first if all(meaning in each for each in others)]
    if len(factors) < 2 or len({each.code for each in factors}) < 2 and "sign" in factors[0].code:
        return verdicts

    changes = any(each.code.endswith("_of_change") for each in factors)

    def told(observed: Remark) -> Remark:
        if not common:
            return Remark("change_varies" if changes else "factor_varies", {}, "SYMPTOMS")
        return replace(observed, details={"factor": common[0], "meanings": tuple(common)})

    return [
        replace(each, observed=told(each.observed)) if each.symptom in FACTORS else each
        for each in verdicts
    ]


def _shown_again(verdicts: list[Verdict]) -> list[Verdict]:
    """Without a part of a mean that counts wrongly in a single one of several tests.

    What a mistake does to certain numbers, such as negative ones, looks like that where one part
    alone holds them.
    """
    numbers = [each for each in verdicts if each.single and not (each.passed or each.explanation)]
    shown = Counter(each.symptom for each in numbers)
    once = {name for name in PARTS if shown[name] == 1 < len(numbers)}
    return [
        replace(each, observed=None) if each.single and each.symptom in once else each
        for each in verdicts
    ]


def _one_symptom(verdicts: list[Verdict], best: str | None) -> list[Verdict]:
    """The verdicts without symptoms that are compatible neither with `best` nor with another one.

    `best` is a misconception, the diagnosis of the function. Without one the symptom that the most
    tests show takes its place.
    """
    shown = Counter(each.observed for each in verdicts if each.symptom not in {None, *BESIDE})
    first = None if best or not shown else max(shown, key=shown.get)
    name = best or first and first.code

    def stays(observed: Remark) -> bool:
        return name is None or observed == first or compatible(name, observed.code)

    return [
        each if not each.symptom or stays(each.observed) else replace(each, observed=None)
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
        excluding = [each for each in failed if name in each.excludes]
        whole = name not in (*OF_STATES, *OF_WINDOWS)  # not of one kind of map alone
        if by_chance and excluding or whole and not all(map(_fitting, excluding)):
            continue  # with that mistake a test would not have failed, and nothing else explains it
        if weight(name) < (whole or by_chance):
            continue  # it would have given something else in as many tests as it explains
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
