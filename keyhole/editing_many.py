"""Many facts by any of the lecture's editors, with functions that somebody else wrote.

As in keyhole/editing.py, what a notebook's blanks do comes from a notebook: the keys, the update,
the demonstrations, the loss, and the measures themselves.
"""

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle

import torch
from torch import Tensor

from keyhole.checking.functions import result_of
from keyhole.errors import KeyholeError
from keyhole.fact_files import Record
from keyhole.facts import load_facts
from keyhole.finetuning import FineTuning, trained
from keyhole.incontext import COPY, RETAIN, UPDATE, context
from keyhole.many import SCORED, FactAnswers, FactProbes
from keyhole.messages import problem, word
from keyhole.models import EditableModel
from keyhole.moments import load_prefixes
from keyhole.probes import answer_logits
from keyhole.values import Rewrite, optimise_value

SAME_KEY = 0.999  # the cosine of keys that are one key
WEIGHT_OF_OLD = 300.0  # MEMIT's λ
THRESHOLD, RIDGE = 0.02, 1.0  # AlphaEdit's; the first as in the authors' code
TUNING = FineTuning(5e-5, 8)  # of each group of facts
TOGETHER = 20  # facts in one step of training: more need too much memory
KL_WEIGHT, REPLAY_WEIGHT = 3.0, 0.5
OTHERS, REPLAYED, REPLAYED_TOKENS = 6, 4, 12  # prompts and texts that training must not forget
KINDS = [RETAIN, UPDATE, RETAIN, COPY, UPDATE, RETAIN, RETAIN, UPDATE]  # of demonstrations
MEASURED_AT_ONCE = 10  # facts

MEASURES = {"1_measure": ("efficacy", "neighborhood", "edit_score")}
# Of each method: the functions that it needs, by the notebook that defines them.
METHODS: dict[str, dict[str, tuple[str, ...]]] = {
    "rome": {"3_edit": ("subject_key", "value_objective", "rank_one_update")},
    "memit": {"3_edit": ("subject_key", "value_objective"), "4_scale": ("memit_update",)},
    "alphaedit": {
        "3_edit": ("subject_key", "value_objective"),
        "4_scale": ("null_space_projector", "alphaedit_update"),
    },
    "finetuning": {"1_measure": ("sequence_nll",), "4_scale": ("locality_loss",)},
    "in-context": {"3_edit": ("subject_key",), "4_scale": ("demonstrations",)},
}


@dataclass(frozen=True)
class Task:
    """Facts to edit into one layer, and what it takes.

    `progress(stage, things)` wraps what is gone through; the stages are "keys", "values",
    "writing", "training" and "measuring".
    """

    model: EditableModel
    layer: int
    facts: Sequence[Record]
    functions: Mapping[str, Callable]
    moment: Callable[[], Tensor]  # gives C of that layer, for the methods that need it
    text: Tensor  # token ids (sequences, tokens) of what the model says by itself
    progress: Callable[[str, Iterable], Iterable] = lambda stage, things: things

    @property
    def weight(self) -> Tensor:
        """W of the layer, (d_out, d_in), as it is now."""
        return self.model.weight(self.layer).detach()

    def call(self, name: str, shape: tuple[int, ...], what: str, *arguments: object) -> Tensor:
        """What a function of the notebook returns, as a tensor of that shape, in W's type.

        It is given tensors of the CPU, since it may well make others there.
        """
        given = [each.cpu() if isinstance(each, Tensor) else each for each in arguments]
        made, whole = self.functions[name](*given), name == "demonstrations"
        tensor = result_of(name, made, shape, word(what), self.weight.device, whole)
        return tensor.to(self.weight)


@dataclass(frozen=True)
class Outcome:
    """What an editor did: answers before and after it, the size of the change, and its time."""

    before: list[FactAnswers]
    after: list[FactAnswers]
    moved: float  # |Ŵ - W| / |W| in the layer
    seconds: float  # of the edit, without measuring
    one_key: tuple[tuple[Record, Record], ...]  # facts whose key an earlier one has


def edit_many(task: Task, method: str) -> Outcome:
    """Edit all facts by one of METHODS and measure them; afterwards the model is as it was.

    Raises KeyholeError where a function's result cannot be used.
    """
    probes = [FactProbes(task.model, facts, task.layer) for facts in _tens(task.facts)]
    before = _measured(task, probes)
    clock = time.perf_counter()
    if method == "finetuning":
        with _finetuned(task) as moved:
            seconds = time.perf_counter() - clock
            # What is read below a layer has changed, too.
            probes = [FactProbes(task.model, facts) for facts in _tens(task.facts)]
            return Outcome(before, _measured(task, probes), moved, seconds, ())
    keys = _keys(task)
    twins = _one_key(task.facts, keys)
    if method == "in-context":
        seconds = time.perf_counter() - clock
        return Outcome(before, _in_context(task, keys), 0.0, seconds, twins)
    weight = task.weight.clone()
    change = _WRITERS[method](task, keys, _values(task)) - weight
    moved, seconds = float(change.norm() / weight.norm()), time.perf_counter() - clock
    with task.model.edited(task.layer, change):
        return Outcome(before, _measured(task, probes), moved, seconds, twins)


def scores(task: Task, answers: Iterable[FactAnswers]) -> dict[str, tuple[float, ...]]:
    """S, efficacy, paraphrase and neighborhood, by the notebook's own measures: means over facts.

    {"probability": four shares, "generation": four shares}
    """
    answers, made = list(answers), {}
    for way in ("probability", "generation"):
        shares = [
            float(torch.tensor([_share(task, each, kind, way) for each in answers]).mean())
            for kind in SCORED
        ]
        made[way] = (float(task.call("edit_score", (), "score", *shares)), *shares)
    return made


def _share(task, answer, kind, way):
    if way == "generation":
        return float(answer.says[kind].float().mean())
    name = "neighborhood" if kind == "neighborhood" else "efficacy"
    return float(task.call(name, (), name, *answer.nll[kind]))


def _tens(facts):
    return [
        facts[start : start + MEASURED_AT_ONCE] for start in range(0, len(facts), MEASURED_AT_ONCE)
    ]


def _measured(task, probes):
    return [answer for each in task.progress("measuring", probes) for answer in each.measure()]


# ---------------------------------------------------------------- keys and values


def _keys(task):
    """k* of each fact, as rows."""
    prefixes = load_prefixes()
    return torch.stack(
        [
            task.call(
                *("subject_key", task.weight.shape[1:], "key"),
                *(task.model, task.layer, fact.prompt, fact.subject, prefixes),
            )
            for fact in task.progress("keys", task.facts)
        ]
    )


def _values(task):
    """v* of each fact in the model as it is, as rows."""
    prefixes, objective = load_prefixes(), task.functions["value_objective"]
    rewrites = [
        Rewrite(fact.prompt, fact.subject, fact.target_new, prefixes) for fact in task.facts
    ]
    return torch.stack(
        [
            optimise_value(task.model, task.layer, rewrite, objective).value
            for rewrite in task.progress("values", rewrites)
        ]
    )


def _one_key(facts, keys):
    """(earlier fact, later fact) for each fact whose key an earlier one has."""
    unit = keys / keys.norm(dim=1, keepdim=True)
    likeness = (unit @ unit.T).tril(diagonal=-1)
    later = (likeness.amax(1) > SAME_KEY).nonzero().flatten().tolist()
    return tuple((facts[int(likeness[each].argmax())], facts[each]) for each in later)


# ---------------------------------------------------------------- what is written into W


def _rome(task, keys, values):
    new, moment = task.weight.clone(), task.moment().to(keys)
    pairs = list(zip(keys, values))
    for key, value in task.progress("writing", pairs):
        new = task.call("rank_one_update", new.shape, "new_weight", new, moment, key, value)
    return new


def _memit(task, keys, values):
    weight, moment = task.weight.clone(), task.moment().to(keys)
    arguments = weight, moment, keys, values, WEIGHT_OF_OLD
    return task.call("memit_update", weight.shape, "new_weight", *arguments)


def _alphaedit(task, keys, values):
    weight, moment = task.weight.clone(), task.moment().to(keys)
    found = "null_space_projector", moment.shape, "projector"
    projector = task.call(*found, moment, THRESHOLD)
    arguments = weight, projector, keys, values, keys[:0], RIDGE
    return task.call("alphaedit_update", weight.shape, "new_weight", *arguments)


_WRITERS = {"rome": _rome, "memit": _memit, "alphaedit": _alphaedit}


# ---------------------------------------------------------------- training, and telling


@contextmanager
def _finetuned(task):
    """The model with all weights trained on all facts, and on what must stay; gives |Ŵ - W|/|W|."""
    model, weight = task.model, task.weight.clone()
    groups = [task.facts[i : i + TOGETHER] for i in range(0, len(task.facts), TOGETHER)]
    settings = FineTuning(TUNING.learning_rate, TUNING.steps * len(groups))
    others, replayed = _others(task), task.text[:REPLAYED, :REPLAYED_TOKENS].to(model.device)
    with torch.no_grad():
        before = _next_log_probs(model, others)
    turns = cycle(groups)

    def loss() -> Tensor:
        losses = torch.stack([_target_nll(task, fact) for fact in next(turns)])
        return task.functions["locality_loss"](
            *(losses.mean(), _next_log_probs(model, others), before),
            *(_replay_nll(model, replayed), KL_WEIGHT, REPLAY_WEIGHT),
        )

    def steps(count: Iterable) -> Iterable:
        return task.progress("training", count)

    with trained(model, loss, settings=settings, progress=steps):
        yield float((task.weight - weight).norm() / weight.norm())


def _target_nll(task, fact):
    asked = answer_logits(task.model, fact.prompt, fact.target_new)
    nll = task.functions["sequence_nll"](*asked)
    if not isinstance(nll, Tensor) or nll.numel() != 1:
        raise KeyholeError(problem("loss_value", got=type(nll).__name__))
    return nll.reshape(())


def _others(task):
    """Prompts about other subjects, whose answers training must not change."""
    edited = {fact.subject for fact in task.facts}
    prompts = [
        fact.prompt for fact in load_facts() if not fact.hidden and fact.subject not in edited
    ]
    return prompts[:: max(1, len(prompts) // OTHERS)][:OTHERS] or load_prefixes()[1:]


def _next_log_probs(model, prompts):
    ids = model.encode(prompts)
    states = model.hf.base_model(model.batch(ids), use_cache=False).last_hidden_state
    last = torch.tensor([len(each) - 1 for each in ids])
    return model.head(states[torch.arange(len(ids)), last]).log_softmax(-1)


def _replay_nll(model, ids):
    states = model.hf.base_model(ids, use_cache=False).last_hidden_state
    log_probs = model.head(states[:, :-1]).log_softmax(-1)
    return -log_probs.gather(-1, ids[:, 1:, None]).squeeze(-1).mean(1)


def _in_context(task, keys):
    """Each fact told before its own questions, after demonstrations with the others."""
    answers = []
    for number, fact in enumerate(task.progress("measuring", task.facts)):
        others = [i for i in range(len(task.facts)) if i != number]
        count, rows = min(len(others), len(KINDS)), []
        if others:
            named = "demonstrations", (count, 2), "demonstrations"
            rows = task.call(*named, keys[number], keys[others], KINDS).int().tolist()
        for example, kind in rows:
            if not 0 <= example < len(others) or kind not in KINDS:
                raise KeyholeError(problem("no_demonstration", example=example, kind=kind))
        told = context(fact, [task.facts[i] for i in others], rows)
        answers += FactProbes(task.model, [fact], before=told).measure()
    return answers
