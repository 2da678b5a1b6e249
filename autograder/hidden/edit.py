"""Hidden tests of 3_edit.ipynb: key, second moment, objective, closed form, writing, own fact.

Every input is drawn from the course secret, except the reference matrices, which stand in
autograder/reference/. Every expected result comes from the oracle. No shape is square, except in
the test of square ones.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property, lru_cache, partial

import torch
from torch import Tensor

from autograder import messages
from autograder import secret as secrets
from autograder.hidden import edit_wrongs as wrongs
from autograder.hidden import own_fact
from autograder.hidden.case import (
    HiddenTest,
    NotebookTests,
    Trial,
    asked_again,
    expected_number,
    words,
)
from autograder.hidden.edit_wrongs import CHANGE_TOLERANCE
from autograder.hidden.examples import example
from autograder.oracle import editing, references
from autograder.oracle.metrics import ProbabilityScore
from autograder.sandbox import StudentFailed
from keyhole.checking import looks
from keyhole.checking.judging import Verdict, judge, right, usable, wrong
from keyhole.checking.looks import Expected
from keyhole.checking.symptoms import Given
from keyhole.facts import load_facts
from keyhole.messages import feedback, percent, word
from keyhole.models import DEFAULT_MODEL
from keyhole.moments import DEFAULT_LAYER, keys_over, load_moment, load_prefixes, load_text
from keyhole.toy import toy_model

# A float32 inverse loses about condition x 6e-8 x 30 of the change; the nearest wrong answer
# (diagonal of C) is at 0.6.
ILL_CONDITIONED, ILL_CONDITIONED_TOLERANCE = 1e4, 2e-2
# Here float32 loses 2e-6 of the change at most, and half precision 1e-4 at least.
WELL_CONDITIONED, WELL_CONDITIONED_TOLERANCE = 10.0, 3e-5
# Whose Ŵ is right for so many reference facts is not asked for the others.
FIRST_REFERENCES = 3


# ---------------------------------------------------------------- subject_key

MOST_NUMBERS = 10**6
TOY_KEY = 20  # d_in of the toy models


def _observed_key(trial, spec, asked):
    options = {"model": spec, "order": list(asked), "values": asked}
    return trial.call("model_function", options=options).tensors


def _toy_key_drawn(trial, layout, subject=None, repeated=False):
    """(the model's specification, what is asked)."""
    generator = trial.generator("inputs")
    spec = {
        "layout": layout,
        "seed": int(torch.randint(10**6, (1,), generator=generator)),
        "layers": 4,
        "width": 12,
        "mlp_width": TOY_KEY,
        "heads": 2,
    }
    a, b, c, d, e = words(generator, 5)
    subject = subject or f"{a} {b}"
    prompt = f"{c} {subject} {d} {e}"
    middle = f"{e} {subject} {c}. " if repeated else f"{d} {a}. "
    return spec, {
        "layer": 2,
        "prompt": prompt,
        "subject": subject,
        "prefixes": [f"{c}{d} {e}. ", "", middle],
    }


@lru_cache(maxsize=16)  # all submissions of a batch are asked of the same ones
def _toy(**spec):
    return toy_model(**spec)


def _toy_key_asked(trial, spec, asked):
    """(observation, Expected)."""
    model = _toy(**spec)
    key, mistaken = editing.subject_key(model, **asked), partial(wrongs.subject_key, model, **asked)
    return _observed_key(trial, spec, asked), Expected(
        key, mistaken, word("key"), given=_given_key(model, asked)
    )


def _given_key(model, asked):
    # By its number a student would look for it in another list, where it may come first.
    names = {asked["prefixes"].index(""): word("empty_one")}
    return Given("subject_key", {}, lambda: wrongs.AskedKey(model, **asked).keys(), names=names)


def _toy_key_case(trial, layout, **drawn):
    return _toy_key_asked(trial, *_toy_key_drawn(trial, layout, **drawn))


def key_llama(trial: Trial) -> Verdict:
    return looks.right_result(*_toy_key_case(trial, "llama"))


def key_gpt2(trial: Trial) -> Verdict:
    """Then, where one argument is another, the key for that. The model is an argument, too."""
    spec, asked = _toy_key_drawn(trial, "gpt2")
    observation, expected = _toy_key_asked(trial, spec, asked)
    before, first, second, *after = asked["prompt"].split(" ")
    others = {
        "layer": 1,
        "prompt": " ".join([after[0], first, second, before]),
        "subject": f"{before} {first}",
        "prefixes": [f"{after[1]}. ", "", f"{after[0]} {after[0]}. "],
        # The last one, since the toy model stays the same object only for calls in a row.
        "spec": {**spec, "seed": spec["seed"] + 1},
    }
    return asked_again(
        looks.right_result(observation, expected),
        expected,
        {"spec": spec, **asked},
        others,
        lambda given: _toy_key_asked(trial, given.pop("spec"), given),
    )


def key_repeated(trial: Trial) -> Verdict:
    return looks.right_result(*_toy_key_case(trial, "llama", repeated=True))


def key_non_ascii(trial: Trial) -> Verdict:
    a, b = words(trial.generator("subject"), 2)
    return looks.right_result(*_toy_key_case(trial, "llama", subject=f"{a}é {b}東"))


def key_clean(trial: Trial) -> Verdict:
    return looks.left_clean(*_toy_key_case(trial, "gpt2"))


@lru_cache(maxsize=1)
def _real_keys(secret, test_id, model):
    """What is asked of the real model, and the Expected: made once a batch."""
    generator = secrets.generator(secret, test_id, "inputs")
    spans = {
        fact: model.subject_slice(fact.prompt, fact.subject)
        for fact in load_facts()
        if fact.hidden and fact.prompt.isascii()
    }
    facts = [fact for fact, span in spans.items() if span.stop - span.start > 1]
    prefixes = [prefix for prefix in load_prefixes() if prefix]
    fact = facts[int(torch.randint(len(facts), (1,), generator=generator))]
    first, *rest = (prefixes[i] for i in torch.randperm(len(prefixes), generator=generator)[:3])
    # In this order none of the wrong choices (the first, the last, the bare one) is another.
    asked = {
        "layer": DEFAULT_LAYER,
        "prompt": fact.prompt,
        "subject": fact.subject,
        "prefixes": [first, "", *rest],
    }
    key, mistaken = editing.subject_key(model, **asked), wrongs.subject_key(model, **asked)
    given = _given_key(model, asked)
    return asked, Expected(key, lambda: mistaken, word("key"), given=given)


def key_real(trial: Trial) -> Verdict:
    asked, expected = _real_keys(trial.secret, trial.test_id, trial.model())
    return looks.right_result(_observed_key(trial, DEFAULT_MODEL, asked), expected)


# ---------------------------------------------------------------- second_moment


def _moment_test(trial, keys):
    return looks.right_result(*_moment_asked(trial, keys))


def _moment_observed(trial, keys):
    return trial.call(tensors={"keys": keys}, options={"order": ["keys"]}).tensors


def _moment_asked(trial, keys):
    """(observation, Expected)."""
    return _moment_observed(trial, keys), _expected_moment(keys)


def _outer_products(keys):
    """Those of a few keys, of which C is the mean; for many it would not fit into memory."""
    few = keys.double() if keys.numel() * keys.shape[1] < MOST_NUMBERS else keys[:0].double()
    return few[:, :, None] * few[:, None]


def _expected_moment(keys, mistaken=None):
    """A sum is as right as a mean: the scale of C cancels in ROME.

    `mistaken()` gives the moments that misunderstandings give, where they are made already.
    """
    mistaken = mistaken or partial(wrongs.second_moment, keys)
    return Expected(
        editing.second_moment(keys),
        mistaken,
        word("moment"),
        scales=(1, len(keys)),
        given=Given("second_moment", {"keys": keys}, partial(_outer_products, keys)),
    )


def _random_keys(generator, n, d):
    return torch.randn(n, d, generator=generator) @ torch.randn(
        d, d, generator=generator
    ) + torch.randn(d, generator=generator)


def moment_uncentred(trial: Trial) -> Verdict:
    """Then for as many other keys."""
    keys, others = (_random_keys(trial.generator(name), 40, 7) for name in ("keys", "again"))
    observation, expected = _moment_asked(trial, keys)
    return asked_again(
        looks.right_result(observation, expected),
        expected,
        {"keys": keys},
        {"keys": others},
        lambda asked: _moment_asked(trial, **asked),
    )


def moment_few_keys(trial: Trial) -> Verdict:
    return _moment_test(trial, _random_keys(trial.generator("keys"), 5, 11))


def moment_small(trial: Trial) -> Verdict:
    return _moment_test(trial, 1e-3 * _random_keys(trial.generator("keys"), 33, 6))


def moment_large(trial: Trial) -> Verdict:
    return _moment_test(trial, 1e3 * _random_keys(trial.generator("keys"), 33, 6))


def moment_inputs(trial: Trial) -> Verdict:
    keys = _random_keys(trial.generator("keys"), 12, 5)
    sent, options = {"keys": keys}, {"order": ["keys"], "after": True}
    observation = trial.call(tensors=sent, options=options).tensors
    return looks.arguments_kept(observation, _expected_moment(keys), sent)


@lru_cache(maxsize=1)
def _real_moment(secret, test_id, model):
    """Keys of the real model, and the Expected: made once for all submissions of a batch."""
    text = load_text()
    rows = text[torch.randperm(len(text), generator=secrets.generator(secret, test_id, "rows"))[:6]]
    keys = next(keys_over(model, DEFAULT_LAYER, rows))
    mistaken = wrongs.second_moment(keys)
    return keys, _expected_moment(keys, lambda: mistaken)


def moment_real(trial: Trial) -> Verdict:
    keys, expected = _real_moment(trial.secret, trial.test_id, trial.model())
    return looks.right_result(_moment_observed(trial, keys), expected)


# ---------------------------------------------------------------- value_objective

OBJECTIVE_ORDER = [
    "target_log_probs",
    "kl_log_probs",
    "kl_log_probs_before",
    "delta",
    "value_before",
    "kl_weight",
    "decay",
]
LIVE = ["target_log_probs", "kl_log_probs", "delta"]  # the arguments that require grad


def _objective_drawn(trial, tokens, kl_weight, decay, spread=1.0, name="inputs"):
    """(the tensors, the weights)."""
    generator = trial.generator(name)

    def draw(*shape):
        return torch.randn(*shape, generator=generator)

    before = (spread * draw(23)).log_softmax(-1)
    inputs = {
        "target_log_probs": -draw(6, tokens).abs() * torch.linspace(0.5, 3, tokens) - 0.2,
        "kl_log_probs": (before + spread * draw(23)).log_softmax(-1),
        "kl_log_probs_before": before,
        "delta": draw(9),
        "value_before": 0.6 * draw(9),
    }
    return inputs, {"kl_weight": kl_weight, "decay": decay}


def _objective_asked(trial, inputs, weights):
    """(observation, Expected)."""
    expected = expected_number(
        trial,
        editing.value_objective(**inputs, **weights),
        partial(wrongs.value_objective, **inputs, **weights),
        word("loss"),
        Given(arguments=inputs | weights),
    )
    return _observed_objective(trial, inputs, weights), expected


def _observed_objective(trial, inputs, weights):
    options = {"order": OBJECTIVE_ORDER, "values": weights, "after": True, "grad": LIVE}
    return trial.call(tensors=inputs, options=options).tensors


def _objective_test(trial, tokens, kl_weight, decay, spread=1.0):
    drawn = _objective_drawn(trial, tokens, kl_weight, decay, spread)
    return looks.right_result(*_objective_asked(trial, *drawn))


def objective_value(trial: Trial) -> Verdict:
    return _objective_test(trial, 1, 0.0, 0.0)


def objective_tokens(trial: Trial) -> Verdict:
    return _objective_test(trial, 3, 0.0, 0.0)


def objective_divergence(trial: Trial) -> Verdict:
    return _objective_test(trial, 1, 3.0, 0.0, spread=2.0)


def objective_decay(trial: Trial) -> Verdict:
    return _objective_test(trial, 1, 0.0, 4.0)


def objective_gradient(trial: Trial) -> Verdict:
    inputs, weights = _objective_drawn(trial, 2, 0.6, 0.8)
    observation, expected = _objective_asked(trial, inputs, weights)
    live = {name: inputs[name].double().requires_grad_() for name in LIVE}
    editing.value_objective(**{**inputs, **live}, **weights).backward()
    verdict = looks.gradient(
        observation,
        expected,
        {name: tensor.grad for name, tensor in live.items()},
        log_probabilities={"kl_log_probs": inputs["kl_log_probs"]},
    )
    if not verdict.passed:
        return verdict
    # The loop that looks for v* begins at a delta of zero, and hands in the same tensors each step.
    at_zero = inputs | {"delta": torch.zeros_like(inputs["delta"])}
    there = _observed_objective(trial, at_zero, weights)
    if not there.get("grad.delta", inputs["delta"]).isfinite().all():
        return wrong(misconception="root_at_zero")
    kept = looks.arguments_kept(observation, expected, inputs)
    if not kept.passed:
        return kept
    other_inputs, other_weights = _objective_drawn(trial, 2, 1.4, 1.9, name="again")
    again = asked_again(
        verdict,
        expected,
        inputs | weights,
        other_inputs | other_weights,
        lambda asked: _objective_asked(
            trial, *({name: asked[name] for name in names} for names in (inputs, weights))
        ),
    )
    return verdict if again.passed else again


# ---------------------------------------------------------------- rank_one_update

ORDER = ["weight", "moment", "key", "value"]


def _problem(generator, d_out, d_in, condition=100.0, scale=1.0, missing=1.0):
    """W, C, k* and v* in float32.

    C has the condition number `condition` and keys of size `scale`; k* is like those keys;
    v* - W k* has the size `missing` |W k*|.
    """

    def draw(*shape):
        return torch.randn(*shape, generator=generator, dtype=torch.float64)

    basis = torch.linalg.qr(draw(d_in, d_in)).Q
    roots = scale * torch.logspace(
        0, -0.5 * torch.log10(torch.tensor(condition)).item(), d_in, dtype=torch.float64
    )
    weight, key = draw(d_out, d_in), basis @ (roots * draw(d_in))
    value = weight @ key + draw(d_out) * missing * (weight @ key).norm() / d_out**0.5
    moment = (basis * roots.square()) @ basis.T
    return {
        "weight": weight.float(),
        "moment": moment.float(),
        "key": key.float(),
        "value": value.float(),
    }


def _update(trial, problem, conv1d=False, after=False):
    """The observation of the student's function on a problem.

    conv1d: W comes as a view of its transpose. after: the arguments after the call are in it.
    """
    sent = {**problem, "weight": problem["weight"].T.contiguous()} if conv1d else problem
    reply = trial.call(
        tensors=sent,
        options={"order": ORDER, "after": after, "transposed": ["weight"] if conv1d else []},
    )
    return reply.tensors


def _expected_update(problem, tolerance=CHANGE_TOLERANCE):
    mistaken = partial(wrongs.rank_one_update, **problem, tolerance=tolerance)
    new = editing.rank_one_update(**problem)
    given = Given("rank_one_update", problem)
    return Expected(
        new,
        mistaken,
        word("new_weight"),
        problem["weight"].double(),
        tolerance,
        "wrong_change",
        given=given,
    )


def _update_test(trial, conv1d=False, tolerance=CHANGE_TOLERANCE, **problem):
    problem = _problem(trial.generator("problem"), **problem)
    observation = _update(trial, problem, conv1d)
    return looks.right_result(observation, _expected_update(problem, tolerance))


def update_wide(trial: Trial) -> Verdict:
    """Then, where one argument is another, the Ŵ for that."""
    problem, other = (
        _problem(trial.generator(name), 5, 13, condition=WELL_CONDITIONED)
        for name in ("problem", "again")
    )

    def ask(given):
        return _update(trial, given), _expected_update(given, WELL_CONDITIONED_TOLERANCE)

    observation, expected = ask(problem)
    verdict = looks.right_result(observation, expected)
    return asked_again(verdict, expected, problem, other, ask)


def update_conv1d(trial: Trial) -> Verdict:
    return _update_test(trial, conv1d=True, d_out=11, d_in=6)


def update_conditioned(trial: Trial) -> Verdict:
    """Little is missing of v*, because such a C makes the change large.

    Next to a much larger change a wrong W would pass.
    """
    return _update_test(
        trial,
        d_out=7,
        d_in=24,
        condition=ILL_CONDITIONED,
        missing=0.1,
        tolerance=ILL_CONDITIONED_TOLERANCE,
    )


def update_small_keys(trial: Trial) -> Verdict:
    return _update_test(trial, d_out=9, d_in=16, scale=1e-3)


def update_large_keys(trial: Trial) -> Verdict:
    return _update_test(trial, d_out=9, d_in=16, scale=1e3)


def update_preservation(trial: Trial) -> Verdict:
    problem = _problem(trial.generator("problem"), 8, 20)
    return looks.preservation(_update(trial, problem), _expected_update(problem), problem)


def update_rank(trial: Trial) -> Verdict:
    problem = _problem(trial.generator("problem"), 9, 15)
    got, expected = _update(trial, problem)["result"], _expected_update(problem)
    if expected.unusable(got):
        return expected.judge(got)
    first, second, *_ = torch.linalg.svdvals(got.double() - problem["weight"].double())
    if first == 0:
        return wrong(misconception="nothing_changed")
    if second > CHANGE_TOLERANCE * first:
        remark = feedback("not_rank_one", ratio=percent(float(second / first)))
        return replace(expected.judge(got), remarks=(remark,))
    return right(feedback("rank_one"))


def update_inputs(trial: Trial) -> Verdict:
    """Then where W gives out v* already: Ŵ is a new tensor all the same."""
    problem = _problem(trial.generator("problem"), 6, 10)
    done = problem | {"value": problem["weight"] @ problem["key"]}
    for given in (problem, done):
        observation = _update(trial, given, after=True)
        verdict = looks.arguments_kept(observation, _expected_update(given), given)
        if not verdict.passed:
            break
    return verdict


def _real_problem(model, key, value):
    return {
        "weight": model.weight(DEFAULT_LAYER).detach().contiguous(),
        "moment": load_moment(),
        "key": key,
        "value": value,
    }


@lru_cache(maxsize=1)  # all submissions of a batch are asked the same
def _real_asked(secret, test_id, model):
    """(what `update_real` hands over, what it expects)."""
    generator = secrets.generator(secret, test_id, "row")
    row = int(torch.randint(len(load_text()), (1,), generator=generator))
    keys = next(keys_over(model, DEFAULT_LAYER, load_text()[[row]]))
    key, other = keys[torch.randint(8, len(keys), (2,), generator=generator)]
    problem = _real_problem(model, key, model.weight(DEFAULT_LAYER) @ other)
    return problem, _expected_update(problem)


def update_real(trial: Trial) -> Verdict:
    """The real W and C, with a key from the text and a value like that of another token."""
    problem, expected = _real_asked(trial.secret, trial.test_id, trial.model())
    return looks.right_result(_update(trial, problem), expected)


class ReferenceUpdates:
    """The student's Ŵ for the reference facts, and the metrics with them: once a submission.

    Whoever has the first few right is not asked for the others: a formula that holds for these keys
    holds for all. Whoever has one of them wrong is asked for all, since the metrics count facts.
    """

    def __init__(self, trial: Trial):
        self._trial = trial
        # (reference, Ŵ) for the reference facts asked for; and those whose Ŵ is not the reference
        # matrix. Made here and not in cached properties: in Python 3.11 the lock of one is the same
        # for all submissions, and a call of the student's lets other threads run.
        self.updates: list[tuple[references.Reference, Tensor]] = []
        self.wrong: list[tuple[references.Reference, Tensor]] = []
        for reference in references.load():
            if len(self.updates) == FIRST_REFERENCES and not self.wrong:
                break
            got = _update(trial, self.problem(reference))["result"]
            self.updates.append((reference, got))
            if not self._agree(reference, got):
                self.wrong.append((reference, got))

    def problem(self, reference: references.Reference) -> dict[str, Tensor]:
        """What the student's function is given for a reference fact."""
        model = self._trial.model()
        return _real_problem(model, reference.key.float(), reference.value.float())

    def _agree(self, reference: references.Reference, got: Tensor) -> bool:
        weight = self._weight.double()
        right = weight + reference.change()
        return judge(got, right, origin=weight, tolerance=CHANGE_TOLERANCE).passed

    @cached_property
    def unusable(self) -> int:
        """How many of the Ŵ cannot be put in the place of W."""
        shape = self._weight.shape
        return sum(bool(usable(got, shape, word("new_weight"))) for _, got in self.updates)

    @cached_property
    def scores(self) -> Mapping[str, ProbabilityScore]:
        """The metrics of the grader's own model with each Ŵ in the place of W: kind -> score.

        Reference matrices have the references' scores: they are not measured again for everybody.
        """
        if not self.wrong:
            return references.scores(self._trial.model())
        changes = [got.to(self._weight) - self._weight for _, got in self.updates]
        return references.measured_once(self._trial.model(), changes)

    @property
    def nothing_changed(self) -> bool:
        """Whether every Ŵ is W itself."""
        return all(torch.equal(got.to(self._weight), self._weight) for _, got in self.updates)

    @property
    def _weight(self):
        return self._trial.model().weight(DEFAULT_LAYER)


def update_reference(trial: Trial) -> Verdict:
    mine = trial.once(ReferenceUpdates)
    failed = mine.wrong
    count, agree = len(mine.updates), len(mine.updates) - len(failed)
    remarks = [feedback("references", right=agree, all=count)]
    explanation = observed = None
    if failed:  # the first is told, and named
        reference, got = failed[0]
        verdict = _expected_update(mine.problem(reference)).judge(got)
        remarks += [] if verdict.explanation else verdict.remarks
        explanation, observed = verdict.explanation, verdict.observed
    return Verdict(agree / count, tuple(remarks), explanation, observed=observed)


def _metric_test(name: str, kind: str, scored: bool = True) -> Callable[[Trial], Verdict]:
    def run(trial):
        mine = trial.once(ReferenceUpdates)
        if mine.unusable:
            counts = {"count": mine.unusable, "all": references.COUNT}
            return wrong(feedback("metric_missing", what=name, **counts))
        score = mine.scores[kind]
        share = f"{100 * score.share:.0f} %"
        remark = feedback("metric", what=name, got=share, probes=score.probes)
        if not scored:
            return right(remark)
        passed = score.share >= references.scores(trial.model())[kind].share - 1e-6
        compared = feedback("metric_reached" if passed else "metric_below")
        if kind == "neighborhood" and mine.scores["original"].share == 0:
            # Where no edit succeeds neighbors show nothing, since whoever changes nothing keeps
            # them all.
            if mine.nothing_changed:
                return wrong(remark, compared, misconception="nothing_changed")
            return wrong(remark, compared, feedback("metric_without_edit"))
        return right(remark, compared) if passed else wrong(remark, compared)

    return run


# ---------------------------------------------------------------- write_edit

SHAPES_DISAGREE = re.compile(
    r"(Runtime|Value)Error: .*(size of tensor|shape|sizes? mismatch|expanded size)"
)


def _write_test(trial, look, kind, d_out, d_in, bias=False, frozen=False, drawn="weights"):
    """The verdict of a look at what a module of that kind stores."""
    generator = trial.generator(drawn)
    shape = (d_in, d_out) if kind == "conv1d" else (d_out, d_in)
    before = torch.randn(*shape, generator=generator)
    new = torch.randn(d_out, d_in, generator=generator)
    tensors = {"weight": before, "new_weight": new}
    if bias:
        tensors["bias"] = torch.randn(d_out, generator=generator)
    try:
        observation = trial.call("write_edit", tensors, {"kind": kind, "frozen": frozen}).tensors
    except StudentFailed as failure:
        disagree = failure.code == "raised" and SHAPES_DISAGREE.search(failure.detail)
        if d_out == d_in or not disagree:
            raise
        # Nothing here has two shapes but W and its transpose. (What was raised is not told: it can
        # quote the hidden weights.)
        name = "transpose_missing" if kind == "conv1d" else "transpose_added"
        remark = messages.sentence("shapes_disagree", function="write_edit")
        return wrong(remark, misconception=name)
    due = (new.T if kind == "conv1d" else new).double()
    mistaken = partial(wrongs.write_edit, kind, before.double(), due)
    given = Given("write_edit", tensors)
    return look(observation, Expected(due, mistaken, word("stored_weight"), given=given), tensors)


def write_linear(trial: Trial) -> Verdict:
    """Then another Ŵ of the same shape into another Linear."""
    verdict = _write_test(trial, looks.weight_written, "linear", 5, 8)
    if not verdict.passed:
        return verdict
    return _write_test(trial, looks.weight_written, "linear", 5, 8, drawn="again")


def write_conv1d(trial: Trial) -> Verdict:
    return _write_test(trial, looks.weight_written, "conv1d", 5, 8)


def write_square(trial: Trial) -> Verdict:
    """A square W does not tell how it is stored; it must come out right in both kinds of module."""
    first = _write_test(trial, looks.weight_written, "conv1d", 7, 7)
    return first if not first.passed else _write_test(trial, looks.weight_written, "linear", 7, 7)


def write_bias(trial: Trial) -> Verdict:
    """A bias, and the caller's own Ŵ, are nothing to write into, in both kinds of module.

    Another test catches a function that stores W wrongly in a Linear. Here it gets only a Conv1D.
    """
    verdict = _write_test(trial, looks.weight_written, "conv1d", 6, 9, bias=True)
    linear = trial.verdict("write_edit.linear")
    if not verdict.passed or not (linear and linear.passed):
        return verdict
    return _write_test(trial, looks.weight_written, "linear", 6, 9, bias=True)


def write_in_place(trial: Trial) -> Verdict:
    """Then where torch does not track the weight's gradient, as in the notebook's model."""
    verdict = _write_test(trial, looks.written_in_place, "linear", 4, 7)
    if not verdict.passed:
        return verdict
    return _write_test(trial, looks.written_in_place, "linear", 4, 7, frozen=True)


def _rehearse(secret, model):
    """Make what tests share that hang on a student's answer."""
    references.scores(model)
    own_fact.triangle()


TESTS = NotebookTests(
    models=(DEFAULT_MODEL,),
    example=example,
    rehearse=_rehearse,
    cells={
        "test_subject_key": (
            HiddenTest("subject_key.llama", 2, key_llama),
            HiddenTest("subject_key.gpt2", 2, key_gpt2),
            HiddenTest("subject_key.repeated", 1, key_repeated),
            HiddenTest("subject_key.non_ascii", 1, key_non_ascii),
            HiddenTest("subject_key.clean", 1, key_clean),
            HiddenTest("subject_key.real", 2, key_real, seconds=20),
        ),
        "test_second_moment": (
            HiddenTest("second_moment.uncentred", 1.5, moment_uncentred),
            HiddenTest("second_moment.few_keys", 1, moment_few_keys),
            HiddenTest("second_moment.small", 1, moment_small),
            HiddenTest("second_moment.large", 1, moment_large),
            HiddenTest("second_moment.inputs", 0.5, moment_inputs),
            HiddenTest("second_moment.real", 1, moment_real),
        ),
        "test_value_objective": (
            HiddenTest("value_objective.value", 2, objective_value),
            HiddenTest("value_objective.tokens", 1, objective_tokens),
            HiddenTest("value_objective.divergence", 1, objective_divergence),
            HiddenTest("value_objective.decay", 1, objective_decay),
            HiddenTest("value_objective.gradient", 2, objective_gradient),
        ),
        "test_rank_one_update": (
            HiddenTest("rank_one_update.wide", 0.5, update_wide),
            HiddenTest("rank_one_update.conv1d", 0.5, update_conv1d),
            HiddenTest("rank_one_update.conditioned", 0.5, update_conditioned),
            HiddenTest("rank_one_update.small_keys", 0.5, update_small_keys),
            HiddenTest("rank_one_update.large_keys", 0.5, update_large_keys),
            HiddenTest("rank_one_update.preservation", 0.5, update_preservation),
            HiddenTest("rank_one_update.rank", 0.5, update_rank),
            HiddenTest("rank_one_update.inputs", 0.5, update_inputs),
            HiddenTest("rank_one_update.real", 0.5, update_real, seconds=20),
            HiddenTest("rank_one_update.reference", 2, update_reference, seconds=20),
            HiddenTest(
                "rank_one_update.efficacy", 0.5, _metric_test("Efficacy", "original"), seconds=20
            ),
            HiddenTest(
                "rank_one_update.paraphrase",
                0.5,
                _metric_test("Paraphrase", "paraphrase"),
                seconds=20,
            ),
            HiddenTest(
                "rank_one_update.neighborhood",
                0.5,
                _metric_test("Neighborhood", "neighborhood"),
                seconds=20,
            ),
            HiddenTest(
                "rank_one_update.reversion",
                0,
                _metric_test("Reversion", "reversion", scored=False),
                seconds=20,
            ),
            HiddenTest(
                "rank_one_update.portability",
                0,
                _metric_test("Portability", "portability", scored=False),
                seconds=20,
            ),
        ),
        "test_write_edit": (
            HiddenTest("write_edit.linear", 1.5, write_linear),
            HiddenTest("write_edit.conv1d", 1.5, write_conv1d),
            HiddenTest("write_edit.square", 1.5, write_square),
            HiddenTest("write_edit.bias", 0.5, write_bias),
            HiddenTest("write_edit.in_place", 1, write_in_place),
        ),
        "test_my_edit": own_fact.TESTS,
    },
)
