"""Hidden tests of 2_locate.ipynb: covering the subject, putting a state back, the indirect effect, the map.

Every input is drawn from the course secret, and every expected result comes from the oracle, in float64 on the small models.
"""

from dataclasses import replace
from functools import cached_property, lru_cache, partial

import torch

from autograder import secret as secrets
from autograder.hidden import locate_wrongs as wrongs
from autograder.hidden.case import (
    HiddenTest,
    NotebookTests,
    Outcome,
    arguments_kept,
    judge_number,
    outcome,
    words,
)
from autograder.oracle import tracing
from autograder.result import function_of
from keyhole.checking.judging import TOLERANCE, Verdict, distance, judge, usable
from keyhole.messages import feedback, listed, misconception, sentences
from keyhole.models import DEFAULT_MODEL, EditableModel
from keyhole.toy import toy_model
from keyhole.tracing import subject_noise

ORDER = ["prompt", "subject", "noise", "positions", "layers", "kind", "window"]
WORD = 4  # letters, hence tokens, of a word of a toy prompt
FIRST, LAST, END = (
    WORD + 1,
    2 * WORD,
    3 * WORD + 1,
)  # the subject's first and last token, the prompt's last


def _noted(bench, verdict):
    """The outcome; what failed is remembered, because `trace` is built on it."""
    if not verdict.passed:
        bench.shared.setdefault("failed", {})[function_of(bench.test_id)] = True
    return outcome(verdict)


# ---------------------------------------------------------------- corrupt


def _corrupt_case(bench, start, width, after, samples=3, keep=False):
    generator = bench.generator("inputs")
    tensors = {
        "embeddings": torch.randn(start + width + after, 6, generator=generator),
        "noise": 2 * torch.randn(samples, width, 6, generator=generator),
    }
    subject = slice(start, start + width)
    reply = bench.call(
        tensors=tensors,
        options={
            "order": ["embeddings", "subject", "noise"],
            "values": {"subject": {"slice": [start, start + width]}},
            "after": keep,
        },
    )
    right = tracing.corrupt(tensors["embeddings"], subject, tensors["noise"])
    if keep:
        return arguments_kept(reply.tensors, tensors, right.shape, "The result")
    got, origin = reply.tensors["result"], tensors["embeddings"].double()
    verdict = judge(
        got,
        right,
        partial(wrongs.corrupt, tensors["embeddings"], subject, tensors["noise"]),
        "The result",
        origin,
    )
    if not verdict.passed and not verdict.misconception and got.shape == right.shape:
        elsewhere = [
            token
            for token in range(start + width + after)
            if token not in range(start, start + width)
        ]
        if distance(got[:, elsewhere], right[:, elsewhere]) <= TOLERANCE:
            verdict = Verdict(
                False, sentences(verdict.message, misconception("other_noise")), "other_noise"
            )
    return _noted(bench, verdict)


def corrupt_middle(bench):
    return _corrupt_case(bench, 2, 3, 4)


def corrupt_start(bench):
    return _corrupt_case(bench, 0, 2, 5)


def corrupt_end(bench):
    return _corrupt_case(bench, 4, 3, 0)


def corrupt_single(bench):
    return _corrupt_case(bench, 3, 1, 2, samples=1)


def corrupt_inputs(bench):
    return _corrupt_case(bench, 1, 2, 3, keep=True)


# ---------------------------------------------------------------- restore


def _restore_case(bench, position, samples=3, tokens=7, keep=False):
    generator = bench.generator("inputs")
    tensors = {
        "hidden": torch.randn(samples, tokens, 5, generator=generator),
        "clean": torch.randn(tokens, 5, generator=generator),
    }
    reply = bench.call(
        tensors=tensors,
        options={
            "order": ["hidden", "clean", "position"],
            "values": {"position": position},
            "after": keep,
        },
    )
    right = tracing.restore(tensors["hidden"], tensors["clean"], position)
    if keep:
        return arguments_kept(reply.tensors, tensors, right.shape, "The result")
    return _noted(
        bench,
        judge(
            reply.tensors["result"],
            right,
            partial(wrongs.restore, tensors["hidden"], tensors["clean"], position),
            "The result",
            tensors["hidden"].double(),
        ),
    )


def restore_middle(bench):
    return _restore_case(bench, 2, samples=4)


def restore_first(bench):
    return _restore_case(bench, 0)


def restore_last(bench):
    return _restore_case(bench, 6, samples=2)


def restore_inputs(bench):
    return _restore_case(bench, 3, keep=True)


# ---------------------------------------------------------------- indirect_effect

# What some numbers would not tell from the right effect, or from one another.
BY_CHANCE = (
    "effect_of_first_sample",
    "effect_of_last_sample",
    "effect_of_best_sample",
    "effect_of_median",
    "effect_rounded:2",
)


def _effect_case(bench, low, high, samples, told=BY_CHANCE):
    """Corrupted probabilities around `low`, restored ones around `high`, drawn until what is `told` shows."""
    generator = bench.generator("inputs")
    while True:
        corrupted, restored = (
            middle * (0.5 + torch.rand(samples, generator=generator)) for middle in (low, high)
        )
        right, wrong = (
            tracing.indirect_effect(restored, corrupted),
            wrongs.indirect_effect(restored, corrupted),
        )
        apart = (
            torch.stack([right, *(wrong.get(name, right) for name in told)]).sort().values.diff()
        )
        if apart.min() > 0.002 * right.abs() and (restored.mean() > 1.1 * corrupted.mean()) == (
            high > low
        ):
            break
    got = bench.call(
        tensors={"restored": restored, "corrupted": corrupted},
        options={"order": ["restored", "corrupted"]},
    ).tensors["result"]
    return judge_number(bench, got, right, lambda: wrong, "The indirect effect")


def effect_difference(bench):
    verdict = _effect_case(bench, 0.1, 0.6, 7)
    bench.shared["right_above_zero"] = verdict.passed
    return outcome(verdict)


def effect_negative(bench):
    """Below zero a sign taken away gives the same as one turned round; whose effects above zero are right took it away."""
    verdict = _effect_case(bench, 0.5, 0.15, 6)
    if verdict.misconception == "effect_reversed" and bench.shared.get("right_above_zero"):
        message = verdict.message.replace(
            misconception("effect_reversed"), misconception("effect_absolute")
        )
        verdict = Verdict(False, message, "effect_absolute")
    return outcome(verdict)


def effect_small(bench):
    """A sign taken away shows in the mean where some samples lie below zero."""
    return outcome(_effect_case(bench, 0.02, 0.03, 10, (*BY_CHANCE, "effect_absolute")))


# ---------------------------------------------------------------- trace


class _Map:
    """What a call of `trace` is asked for, and what is right and what is wrong, computed once for all the submissions of a batch."""

    def __init__(self, model, prompt, subject, noise, positions, layers, kind="state", window=10):
        self.model, self.noise = model, noise
        self.asked = {
            "prompt": prompt,
            "subject": subject,
            "positions": positions,
            "layers": layers,
            "kind": kind,
            "window": window,
        }
        sweep = tracing.Sweep(model, prompt, subject, noise.to(model.embedding.weight))
        self.right, self.origin = (
            sweep.values(positions, layers, kind, window),
            sweep.corrupted_probability,
        )
        self.answer_moves = sweep.answer != sweep.corrupted_answer

    @cached_property
    def wrong(self):
        return wrongs.trace(
            self.model, **{**self.asked, "noise": self.noise.to(self.model.embedding.weight)}
        )

    def reply(self, bench, spec, noise):
        """What the student's function gives under a noise."""
        return bench.call(
            "model_function",
            {"noise": noise},
            {"model": spec, "order": ORDER, "values": self.asked},
        )

    def judged(self, bench, spec):
        """Ask the student's function, and judge: (reply, verdict)."""
        reply = self.reply(bench, spec, self.noise)
        # Without any effect there is no size to measure in but that of the probabilities.
        origin = self.origin if self.noise.any() else 0
        return reply, judge(
            reply.tensors["result"],
            self.right,
            lambda: self.wrong,
            "The map",
            origin,
            wrongs.EFFECT_TOLERANCE,
            "wrong_effects",
        )


@lru_cache(maxsize=64)
def _toy_map(
    secret, test_id, layout, kind, window, positions, layers, samples, scale, accents=False
):
    """The toy's specification and a _Map of it, for one test of one course. The subject is one word in the middle of three.

    accents: the first word has half the letters, of two tokens each.
    """
    generator = secrets.generator(secret, test_id, "inputs")
    while True:
        spec = {
            "layout": layout,
            "seed": int(torch.randint(10**6, (1,), generator=generator)),
            "layers": 6,
            "width": 12,
            "mlp_width": 20,
            "heads": 2,
        }
        before, subject, after = words(generator, 3, WORD)
        if accents:
            before = "".join(chr(ord(letter) + 128) for letter in before[: WORD // 2])
        noise = scale * torch.randn(samples, WORD, 12, generator=generator)
        toy = toy_model(**spec)
        precise = EditableModel(toy.hf.double(), toy.tokenizer)
        problem = _Map(
            precise,
            f"{before} {subject} {after}",
            subject,
            noise,
            list(positions),
            list(layers),
            kind,
            window,
        )
        if problem.answer_moves or not scale:  # else whose answer is followed would not show
            return spec, problem


def _trace_case(
    bench,
    layout,
    kind="state",
    window=10,
    positions=(FIRST, LAST, END),
    layers=(0, 2, 3, 5),
    samples=3,
    scale=1.5,
    accents=False,
):
    spec, problem = _toy_map(
        bench.secret,
        bench.test_id,
        layout,
        kind,
        window,
        positions,
        layers,
        samples,
        scale,
        accents,
    )
    return (problem, spec, *problem.judged(bench, spec))


def _built(bench, verdict):
    """The outcome; where what `trace` is built on failed too, that is said."""
    failed = bench.shared.get("failed")
    if not verdict.passed and failed:
        hint = feedback("built_on", functions=listed(f"`{name}`" for name in failed))
        verdict = replace(verdict, message=sentences(verdict.message, hint))
    return outcome(verdict)


def _trace_test(*arguments, **options):
    return lambda bench: _built(bench, _trace_case(bench, *arguments, **options)[-1])


def trace_given_noise(bench):
    """With a noise of nothing every cell is the clean probability, whatever is restored; who draws noise of their own gets less.

    Theirs is told by maps that differ when asked for twice, or that stay the same under another noise, though their cells differ.
    """
    problem, spec, reply, verdict = _trace_case(
        bench, "llama", scale=0.0, positions=(LAST, END), layers=(1, 4)
    )
    got = reply.tensors["result"]
    if (
        not verdict.passed
        and not verdict.misconception
        and not usable(got, (2, 2), "The map")
        and got.min() < got.max()
    ):
        noises = (
            problem.noise,
            torch.randn(problem.noise.shape, generator=bench.generator("another noise")),
        )
        same, same_for_other = (
            judge(problem.reply(bench, spec, noise).tensors["result"], got.double()).passed
            for noise in noises
        )
        if same_for_other or not same:
            verdict = Verdict(
                False,
                sentences(verdict.message, misconception("noise_of_its_own")),
                "noise_of_its_own",
            )
    return outcome(verdict)


def trace_clean(bench):
    *_, reply, verdict = _trace_case(bench, "gpt2", "mlp", 3, positions=(LAST,), layers=(1, 2, 4))
    for flag in ("hooks_left", "model_changed"):
        if reply.tensors[flag].item():
            return outcome(Verdict(False, misconception(flag), flag))
    unusable = usable(
        reply.tensors["result"], (1, 3), "The map"
    )  # which map it is, other tests ask
    return Outcome(True, feedback("clean"), fraction=1.0) if not unusable else outcome(verdict)


REAL = (
    ("The Colosseum is located in the city of", "Colosseum"),
    ("The Taj Mahal is located in the country of", "Taj Mahal"),
    ("The city of Nanjing lies in the country of", "Nanjing"),
    ("The city of Nagoya lies in the country of", "Nagoya"),
)


@lru_cache(maxsize=4)
def _real_map(secret, test_id, model):
    generator = secrets.generator(secret, test_id, "inputs")
    prompt, subject = REAL[int(torch.randint(len(REAL), (1,), generator=generator))]
    noise = subject_noise(
        model, prompt, subject, samples=4, seed=int(torch.randint(10**6, (1,), generator=generator))
    )
    positions = [model.subject_slice(prompt, subject).stop - 1, len(model.encode([prompt])[0]) - 1]
    return _Map(
        model,
        prompt,
        subject,
        noise,
        positions,
        [int(torch.randint(4, 12, (1,), generator=generator)), 25],
    )


def trace_real(bench):
    """Some cells of a map of the real model."""
    return _built(
        bench, _real_map(bench.secret, bench.test_id, bench.model()).judged(bench, DEFAULT_MODEL)[1]
    )


TESTS = NotebookTests(
    models=(DEFAULT_MODEL,),
    cells={
        "test_corrupt": (
            HiddenTest("corrupt.middle", 2, corrupt_middle),
            HiddenTest("corrupt.start", 1, corrupt_start),
            HiddenTest("corrupt.end", 1, corrupt_end),
            HiddenTest("corrupt.single", 0.5, corrupt_single),
            HiddenTest("corrupt.inputs", 0.5, corrupt_inputs),
        ),
        "test_restore": (
            HiddenTest("restore.middle", 2, restore_middle),
            HiddenTest("restore.first", 1, restore_first),
            HiddenTest("restore.last", 1, restore_last),
            HiddenTest("restore.inputs", 1, restore_inputs),
        ),
        "test_indirect_effect": (
            HiddenTest("indirect_effect.difference", 1.5, effect_difference),
            HiddenTest("indirect_effect.negative", 1, effect_negative),
            HiddenTest("indirect_effect.small", 0.5, effect_small),
        ),
        "test_trace": (
            HiddenTest("trace.state_llama", 2, _trace_test("llama")),
            HiddenTest(
                "trace.state_gpt2",
                1.5,
                _trace_test(
                    "gpt2",
                    positions=(1, FIRST, FIRST + 1, FIRST + 2, LAST, LAST + 2, END),
                    layers=(0, 3, 5),
                    accents=True,
                ),
            ),
            HiddenTest("trace.mlp", 1.5, _trace_test("gpt2", "mlp", 3, layers=(2, 3, 4))),
            HiddenTest(
                "trace.attention", 1.5, _trace_test("llama", "attention", 3, layers=(1, 3, 4))
            ),
            HiddenTest("trace.window_start", 1, _trace_test("llama", "mlp", 5, layers=(0, 1, 2))),
            HiddenTest(
                "trace.window_end", 1, _trace_test("gpt2", "attention", 5, layers=(3, 4, 5))
            ),
            HiddenTest("trace.window_even", 1, _trace_test("llama", "mlp", 4, layers=(2, 3))),
            HiddenTest(
                "trace.order",
                1,
                _trace_test("gpt2", positions=(END, FIRST, LAST), layers=(4, 0, 3, 1)),
            ),
            HiddenTest("trace.given_noise", 1, trace_given_noise),
            HiddenTest(
                "trace.one_sample",
                0.5,
                _trace_test("llama", samples=1, positions=(LAST, END), layers=(0, 2, 4)),
            ),
            HiddenTest("trace.clean", 1, trace_clean),
            HiddenTest("trace.real", 1, trace_real, seconds=30),
        ),
    },
)
