"""Hidden tests of 2_locate.ipynb: covering the subject, restoring a state, the effect, the map.

Every input is drawn from the course secret, and every expected result comes from the oracle, in
float64 on the small models.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import cached_property, lru_cache, partial

import torch
from torch import Tensor

from autograder import secret as secrets
from autograder.hidden import locate_wrongs as wrongs
from autograder.hidden.case import (
    HiddenTest,
    NotebookTests,
    Trial,
    asked_again,
    expected_number,
    not_kept,
    words,
)
from autograder.hidden.examples import example
from autograder.oracle import tracing
from autograder.sandbox import Reply
from keyhole.checking import looks, symptoms
from keyhole.checking.judging import TOLERANCE, Verdict, distance, judge
from keyhole.checking.looks import Expected
from keyhole.checking.symptoms import Given, regions_of
from keyhole.messages import feedback, listed, word
from keyhole.models import DEFAULT_MODEL, EditableModel
from keyhole.toy import toy_model
from keyhole.tracing import subject_noise

ORDER = ["prompt", "subject", "noise", "positions", "layers", "kind", "window"]
VAGUE = (None, "region_wrong", "only_right")  # symptoms that a look at the noise can better
WORD = 4  # letters, hence tokens, of a word of a toy prompt
FIRST, LAST, END = (
    WORD + 1,
    2 * WORD,
    3 * WORD + 1,
)  # the subject's first and last token, the prompt's last


# ---------------------------------------------------------------- corrupt


def _corrupt_drawn(trial, start, width, after, samples=3, name="inputs"):
    generator = trial.generator(name)
    return {
        "embeddings": torch.randn(start + width + after, 6, generator=generator),
        "noise": 2 * torch.randn(samples, width, 6, generator=generator),
        "subject": (start, start + width),
    }


def _corrupt_asked(trial, arguments, keep=False):
    """(the tensors sent, observation, Expected)."""
    tensors = {name: arguments[name] for name in ("embeddings", "noise")}
    subject = slice(*arguments["subject"])
    reply = trial.call(
        tensors=tensors,
        options={
            "order": ["embeddings", "subject", "noise"],
            "values": {"subject": {"slice": list(arguments["subject"])}},
            "after": keep,
        },
    )
    expected = Expected(
        tracing.corrupt(tensors["embeddings"], subject, tensors["noise"]),
        partial(wrongs.corrupt, tensors["embeddings"], subject, tensors["noise"]),
        origin=tensors["embeddings"].double(),
        given=Given("corrupt", tensors, regions=regions_of("corrupt", arguments)),
    )
    return tensors, reply.tensors, expected


def _corrupt_case(trial, start, width, after, samples=3):
    arguments = _corrupt_drawn(trial, start, width, after, samples)
    _, observation, expected = _corrupt_asked(trial, arguments)
    return _corrupt_verdict(observation, expected, start, width, after)


def _corrupt_verdict(observation, expected, start, width, after):
    """Where all other tokens are right, what was added is compared with the given noise."""
    hidden, origin, span = expected.right, expected.origin, slice(start, start + width)
    got, verdict = observation["result"], looks.right_result(observation, expected)
    if verdict.passed or verdict.misconception or got.shape != hidden.shape:
        return verdict
    elsewhere = [*range(start), *range(start + width, start + width + after)]
    if (
        verdict.symptom not in VAGUE
        or distance(got[:, elsewhere], hidden[:, elsewhere]) > TOLERANCE
    ):
        return verdict
    added, noise = (each[:, span].double() - origin[span] for each in (got, hidden))
    seen = symptoms.found(symptoms.Comparison(added, noise, given=Given("corrupt")))
    if not seen:
        return verdict.explained("other_noise")
    return replace(verdict, observed=symptoms.said("noise_otherwise", seen=seen))


def corrupt_middle(trial: Trial) -> Verdict:
    """Then, where one argument is another, the same for that."""
    drawn = _corrupt_drawn(trial, 2, 3, 4)
    _, observation, expected = _corrupt_asked(trial, drawn)
    others = _corrupt_drawn(trial, 3, 3, 3, name="again")
    return asked_again(
        _corrupt_verdict(observation, expected, 2, 3, 4),
        expected,
        drawn,
        others,
        lambda arguments: _corrupt_asked(trial, arguments)[1:],
    )


def corrupt_start(trial: Trial) -> Verdict:
    return _corrupt_case(trial, 0, 2, 5)


def corrupt_end(trial: Trial) -> Verdict:
    return _corrupt_case(trial, 4, 3, 0)


def corrupt_single(trial: Trial) -> Verdict:
    return _corrupt_case(trial, 3, 1, 2, samples=1)


def corrupt_inputs(trial: Trial) -> Verdict:
    """Then without any noise, where the result is like the embeddings and yet a new tensor."""
    drawn = _corrupt_drawn(trial, 1, 2, 3)
    for arguments in (drawn, drawn | {"noise": torch.zeros_like(drawn["noise"])}):
        tensors, observation, expected = _corrupt_asked(trial, arguments, keep=True)
        verdict = looks.arguments_kept(observation, expected, tensors)
        if not verdict.passed:
            break
    return verdict


# ---------------------------------------------------------------- restore


def _restore_drawn(trial, position, samples=3, tokens=7, name="inputs"):
    generator = trial.generator(name)
    return {
        "hidden": torch.randn(samples, tokens, 5, generator=generator),
        "clean": torch.randn(tokens, 5, generator=generator),
        "position": position,
    }


def _restore_asked(trial, arguments, keep=False):
    """(the tensors sent, observation, Expected)."""
    tensors = {name: arguments[name] for name in ("hidden", "clean")}
    position = arguments["position"]
    reply = trial.call(
        tensors=tensors,
        options={
            "order": ["hidden", "clean", "position"],
            "values": {"position": position},
            "after": keep,
        },
    )
    expected = Expected(
        tracing.restore(tensors["hidden"], tensors["clean"], position),
        partial(wrongs.restore, tensors["hidden"], tensors["clean"], position),
        origin=tensors["hidden"].double(),
        given=Given("restore", tensors, regions=regions_of("restore", arguments)),
    )
    return tensors, reply.tensors, expected


def _restore_case(trial, position, samples=3):
    return looks.right_result(*_restore_asked(trial, _restore_drawn(trial, position, samples))[1:])


def restore_middle(trial: Trial) -> Verdict:
    """Then, where one argument is another, the same for that."""
    drawn = _restore_drawn(trial, 2, samples=4)
    _, observation, expected = _restore_asked(trial, drawn)
    others = _restore_drawn(trial, 4, samples=4, name="again")
    return asked_again(
        looks.right_result(observation, expected),
        expected,
        drawn,
        others,
        lambda arguments: _restore_asked(trial, arguments)[1:],
    )


def restore_first(trial: Trial) -> Verdict:
    return _restore_case(trial, 0)


def restore_last(trial: Trial) -> Verdict:
    return _restore_case(trial, 6, samples=2)


def restore_inputs(trial: Trial) -> Verdict:
    """Then where the token has its clean state already: the result is a new tensor all the same."""
    drawn = _restore_drawn(trial, 3)
    healthy = drawn["hidden"].clone()
    healthy[:, 3] = drawn["clean"][3]
    for arguments in (drawn, drawn | {"hidden": healthy}):
        tensors, observation, expected = _restore_asked(trial, arguments, keep=True)
        verdict = looks.arguments_kept(observation, expected, tensors)
        if not verdict.passed:
            break
    return verdict


# ---------------------------------------------------------------- indirect_effect

# What some numbers would not tell from the right effect, or from one another.
BY_CHANCE = (
    "effect_of_first_sample",
    "effect_of_last_sample",
    "effect_of_best_sample",
    "effect_of_median",
    "effect_rounded:2",
)


def _effect_case(trial, low, high, samples, told=BY_CHANCE):
    """Corrupted probabilities around `low`, restored ones around `high`.

    They are drawn until the misconceptions in `told` can be told apart. Returns both, the
    observation and an Expected.
    """
    generator = trial.generator("inputs")
    while True:
        corrupted, restored = (
            middle * (0.5 + torch.rand(samples, generator=generator)) for middle in (low, high)
        )
        effect = tracing.indirect_effect(restored, corrupted)
        mistaken = wrongs.indirect_effect(restored, corrupted)
        results = [effect, *(mistaken.get(name, effect) for name in told)]
        apart = torch.stack(results).sort().values.diff()
        is_above = bool(restored.mean() > 1.1 * corrupted.mean())
        if apart.min() > 0.002 * effect.abs() and is_above == (high > low):
            break
    return restored, corrupted, *_effect_asked(trial, restored, corrupted)


def _effect_asked(trial, restored, corrupted):
    """(observation, Expected)."""
    observation = trial.call(
        tensors={"restored": restored, "corrupted": corrupted},
        options={"order": ["restored", "corrupted"]},
    ).tensors
    return observation, expected_number(
        trial,
        tracing.indirect_effect(restored, corrupted),
        partial(wrongs.indirect_effect, restored, corrupted),
        word("indirect_effect"),
        Given(
            arguments={"restored": restored, "corrupted": corrupted},
            make_parts=lambda: restored.double() - corrupted.double(),
        ),
    )


def effect_difference(trial: Trial) -> Verdict:
    """Then, where one argument is another, the same for that."""
    restored, corrupted, observation, expected = _effect_case(trial, 0.1, 0.6, 7)
    return asked_again(
        looks.right_result(observation, expected),
        expected,
        {"restored": restored, "corrupted": corrupted},
        {"restored": 0.8 * restored, "corrupted": 2 * corrupted},
        lambda arguments: _effect_asked(trial, **arguments),
    )


def effect_negative(trial: Trial) -> Verdict:
    """Below zero, a sign taken away gives the same as a sign turned round.

    A function that is right above zero takes it away.
    """
    verdict = looks.right_result(*_effect_case(trial, 0.5, 0.15, 6)[2:])
    above = trial.verdict("indirect_effect.difference")
    if verdict.misconception == "effect_reversed" and above and above.passed:
        return verdict.explained("effect_absolute")
    return verdict


def effect_small(trial: Trial) -> Verdict:
    """A sign taken away shows in the mean where some samples lie below zero."""
    told = (*BY_CHANCE, "effect_absolute")
    return looks.right_result(*_effect_case(trial, 0.02, 0.03, 10, told)[2:])


# ---------------------------------------------------------------- trace


@dataclass(frozen=True)
class _Cells:
    """Which cells of a map a call of `trace` is asked for."""

    positions: tuple[int, ...] = (FIRST, LAST, END)
    layers: tuple[int, ...] = (0, 2, 3, 5)
    kind: str = "state"
    window: int = 10


@dataclass(frozen=True)
class _Toy:
    """The small model and the noise that a map is asked of.

    accents: the first word of the prompt has half the letters, of two tokens each.
    """

    layout: str
    samples: int = 3
    scale: float = 1.5  # of the noise
    accents: bool = False
    layers: int = 6


class _Map:
    """What a call of `trace` is asked for, what is right and what is wrong.

    It is made once for all the submissions of a batch.
    """

    def __init__(
        self, model: EditableModel, prompt: str, subject: str, noise: Tensor, cells: _Cells
    ):
        self.model, self.noise = model, noise
        self.asked = {
            "prompt": prompt,
            "subject": subject,
            "positions": list(cells.positions),
            "layers": list(cells.layers),
            "kind": cells.kind,
            "window": cells.window,
        }
        sweep = tracing.Sweep(model, prompt, subject, noise.to(model.embedding.weight))
        # Without any effect there is no size to measure in but that of the probabilities.
        self.expected = Expected(
            sweep.values(cells.positions, cells.layers, cells.kind, cells.window),
            lambda: self.mistaken,
            word("map"),
            sweep.corrupted_probability if noise.any() else 0,
            wrongs.EFFECT_TOLERANCE,
            "wrong_effects",
            given=Given("trace", {"noise": noise}, lambda: self.samples),
        )
        self.answer_moves = sweep.answer != sweep.corrupted_answer

    @cached_property
    def mistaken(self) -> dict[str, Tensor]:
        """The maps that misunderstandings give."""
        noise = self.noise.to(self.model.embedding.weight)
        return wrongs.trace(self.model, **self.asked, noise=noise)

    @cached_property
    def samples(self) -> Tensor:
        """The probabilities of the samples, of which each cell is the mean: (n, P, L)."""
        noise = self.noise.to(self.model.embedding.weight)
        return wrongs.AskedMap(self.model, **self.asked, noise=noise).samples.movedim(-1, 0)

    def reply(self, trial: Trial, spec: str | dict, noise: Tensor) -> Reply:
        """What the student's function gives under a noise. `spec` is the model."""
        options = {"model": spec, "order": ORDER, "values": self.asked}
        return trial.call("model_function", {"noise": noise}, options)

    def judged(self, trial: Trial, spec: str | dict) -> tuple[Reply, Verdict]:
        """Ask the student's function, and judge."""
        reply = self.reply(trial, spec, self.noise)
        return reply, looks.right_result(reply.tensors, self.expected)


@lru_cache(maxsize=64)
def _toy_map(secret: bytes, test_id: str, toy: _Toy, cells: _Cells) -> tuple[dict, _Map]:
    """The toy's specification and a _Map of it, for one test of one course.

    The subject is one word in the middle of three.
    """
    generator = secrets.generator(secret, test_id, "inputs")
    while True:
        spec = {
            "layout": toy.layout,
            "seed": int(torch.randint(10**6, (1,), generator=generator)),
            "layers": toy.layers,
            "width": 12,
            "mlp_width": 20,
            "heads": 2,
        }
        before, subject, after = words(generator, 3, WORD)
        if toy.accents:
            before = "".join(chr(ord(letter) + 128) for letter in before[: WORD // 2])
        noise = toy.scale * torch.randn(toy.samples, WORD, 12, generator=generator)
        model = toy_model(**spec)
        precise = EditableModel(model.hf.double(), model.tokenizer)
        problem = _Map(precise, f"{before} {subject} {after}", subject, noise, cells)
        # Else it would not show whose answer is followed.
        if problem.answer_moves or not toy.scale:
            return spec, problem


def _trace_case(trial, toy, cells):
    """(the map, the toy's specification, the reply, the verdict)."""
    spec, problem = _toy_map(trial.secret, trial.test_id, toy, cells)
    return (problem, spec, *problem.judged(trial, spec))


# What `trace` is built on: graded function -> its tests.
BUILT_ON = {
    "corrupt": ("corrupt.middle", "corrupt.start", "corrupt.end", "corrupt.single"),
    "restore": ("restore.middle", "restore.first", "restore.last"),
}


def _built(trial, verdict):
    """The verdict; where something fails too on which this student's `trace` rests, that is said.

    Code that does without it cannot go wrong by it.
    """
    failed = [
        name
        for name in BUILT_ON
        if not verdict.passed and trial.rests_on(name) and _fails(trial, name)
    ]
    if not failed:
        return verdict
    hint = feedback("built_on", functions=listed(f"`{name}`" for name in failed))
    return replace(verdict, remarks=(*verdict.remarks, hint))


def _fails(trial, function):
    """Whether a function returned something wrong.

    One that returned nothing does not count: `trace` cannot go wrong by it.
    """
    verdicts = filter(None, map(trial.verdict, BUILT_ON[function]))
    return any(not verdict.passed and verdict.status == "fail" for verdict in verdicts)


def _trace_test(
    layout: str, samples: int = 3, accents: bool = False, **cells: object
) -> Callable[[Trial], Verdict]:
    toy = _Toy(layout, samples, accents=accents)
    return lambda trial: _built(trial, _trace_case(trial, toy, _Cells(**cells))[-1])


@lru_cache(maxsize=4)
def _other_maps(secret: bytes, test_id: str, toy: _Toy, cells: _Cells) -> list[tuple[dict, _Map]]:
    """Maps that differ from that of `_toy_map` in one argument each, the model among them."""
    spec, first = _toy_map(secret, test_id, toy, cells)
    prompt, generator = first.asked["prompt"], secrets.generator(secret, test_id, "again")
    _, subject, after = prompt.split(" ")
    [other] = words(generator, 1, WORD)
    other_spec = {**spec, "seed": spec["seed"] + 1}
    other_hf = toy_model(**other_spec)
    other_model = EditableModel(other_hf.hf.double(), other_hf.tokenizer)
    noise = torch.randn(first.noise.shape, generator=generator)
    asked = {
        "model": first.model,
        "prompt": prompt,
        "subject": subject,
        "noise": first.noise,
        "cells": cells,
    }
    changes = [
        {"prompt": f"{other} {subject} {after}"},
        {"subject": after},
        {"noise": noise},
        {"cells": replace(cells, positions=tuple(place - 1 for place in cells.positions))},
        {"cells": replace(cells, layers=tuple(layer - 1 for layer in cells.layers))},
        {"cells": replace(cells, kind="attention" if cells.kind == "mlp" else "mlp")},
        {"cells": replace(cells, window=1)},
    ]
    maps = [(spec, _Map(**asked | change)) for change in changes]
    return [*maps, (other_spec, _Map(**asked | {"model": other_model}))]


def trace_mlp(trial: Trial) -> Verdict:
    """A window of three MLP outputs. Then, where one argument is another, the map for that."""
    toy, cells = _Toy("gpt2"), _Cells((LAST, END), (2, 3, 4), "mlp", window=3)
    problem, spec, _, verdict = _trace_case(trial, toy, cells)
    if not verdict.passed:
        return _built(trial, verdict)
    for spec, other in _other_maps(trial.secret, trial.test_id, toy, cells):
        observation = other.reply(trial, spec, other.noise).tensors
        verdict = not_kept(problem.expected, observation, other.expected)
        if not verdict.passed:
            break
    return _built(trial, verdict)


# Widths that the other tests do not ask for, of which each fits into the model of this one.
WIDTHS = (1, 2, 10, 8, 7)
DEEP = 14  # layers


def trace_even(trial: Trial) -> Verdict:
    """A window of four layers, which has no middle. Then windows of other widths."""
    verdict = _trace_test("llama", kind="mlp", window=4, layers=(2, 3))(trial)
    for width in WIDTHS:
        if not verdict.passed:
            break
        cells = _Cells((LAST,), (DEEP // 2 - 1, DEEP // 2), "mlp", width)
        verdict = _trace_case(trial, _Toy("llama", layers=DEEP), cells)[-1]
    return verdict


def trace_given_noise(trial: Trial) -> Verdict:
    """With a noise of zero every cell is the clean probability, whatever is restored.

    A function that draws noise of its own gets less.

    Noise drawn anew shows in maps that differ when asked for twice, or that stay the same under
    another noise though their cells differ.
    """
    cells = _Cells(positions=(LAST, END), layers=(1, 4))
    problem, spec, reply, verdict = _trace_case(trial, _Toy("llama", scale=0.0), cells)
    got = reply.tensors["result"]
    if (
        verdict.passed
        or verdict.misconception
        or problem.expected.unusable(got)
        or got.min() == got.max()
    ):
        return verdict
    other = torch.randn(problem.noise.shape, generator=trial.generator("another noise"))
    same, same_for_other = (
        judge(problem.reply(trial, spec, noise).tensors["result"], got.double()).passed
        for noise in (problem.noise, other)
    )
    if same_for_other or not same:
        return verdict.explained("noise_of_its_own")
    return verdict


def trace_clean(trial: Trial) -> Verdict:
    cells = _Cells(positions=(LAST,), layers=(1, 2, 4), kind="mlp", window=3)
    spec, problem = _toy_map(trial.secret, trial.test_id, _Toy("gpt2"), cells)
    reply = problem.reply(trial, spec, problem.noise)
    return looks.left_clean(reply.tensors, problem.expected)


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
    # One sample more than the other maps have: whoever always takes three shows here.
    noise = subject_noise(
        model, prompt, subject, samples=4, seed=int(torch.randint(10**6, (1,), generator=generator))
    )
    positions = (model.subject_slice(prompt, subject).stop - 1, len(model.encode([prompt])[0]) - 1)
    layers = (int(torch.randint(4, 12, (1,), generator=generator)), 25)
    return _Map(model, prompt, subject, noise, _Cells(positions, layers))


def trace_real(trial: Trial) -> Verdict:
    """Some cells of a map of the real model."""
    problem = _real_map(trial.secret, trial.test_id, trial.model())
    return _built(trial, problem.judged(trial, DEFAULT_MODEL)[1])


TESTS = NotebookTests(
    models=(DEFAULT_MODEL,),
    example=example,
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
            HiddenTest("trace.mlp", 1.5, trace_mlp),
            HiddenTest(
                "trace.attention",
                1.5,
                _trace_test("llama", kind="attention", window=3, layers=(1, 3, 4)),
            ),
            HiddenTest(
                "trace.window_start",
                1,
                _trace_test("llama", kind="mlp", window=5, layers=(0, 1, 2)),
            ),
            HiddenTest(
                "trace.window_end",
                1,
                _trace_test("gpt2", kind="attention", window=5, layers=(3, 4, 5)),
            ),
            HiddenTest("trace.window_even", 1, trace_even),
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
