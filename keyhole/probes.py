"""What a model answers, before and after an edit: probabilities of targets, greedy continuations.

There are two ways to count, never mixed. By probability: which of two rival targets is ahead. By
generation: is the target what the model says.
"""

import copy
import math
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch

from keyhole.facts import Probe
from keyhole.models import EditableModel
from keyhole.suspended import Suspended

PROBE_KINDS = ("original", "paraphrase", "neighborhood", "reversion", "portability")
PROBES_AT_ONCE = 32  # rows of a set, alike in length, so that little is padding
SEQUENCES_AT_ONCE = 64  # of a batch of questions
AT_ONCE_AFTER = 8  # ... after a context, whose keys and values each of them needs

Question = tuple[str, str]  # (prompt, target)


@dataclass(frozen=True)
class Answer:
    """How probable the two targets of a probe are: the geometric mean over a target's tokens."""

    kind: str
    probe: Probe
    true: float  # in [0, 1]
    new: float  # in [0, 1]


def _alike(prompts):
    """How many tokens all prompts begin with, but for the last of each."""
    most = min(map(len, prompts)) - 1
    first, *others = prompts
    return next((i for i in range(most) if any(other[i] != first[i] for other in others)), most)


def _rows_and_reads(asked):
    """The texts to run, and of each target token where it is read, for (number, prompt, target).

    A read is (which target, in which row, after which position, which token). Longest first: a text
    that is the beginning of a longer one is read there, since nothing looks to the right.
    """
    rows, row_of, reads = [], {}, []
    for number, prompt, wanted in sorted(asked, key=lambda each: -len(each[1] + each[2])):
        text = tuple(prompt + wanted[:-1])
        if text not in row_of:
            row_of |= {text[: i + 1]: len(rows) for i in range(len(text))}
            rows.append(list(text))
        row = row_of[text]
        reads += [(number, row, len(prompt) - 1 + i, token) for i, token in enumerate(wanted)]
    return rows, reads


class _Batch:
    """Some of a set's rows, stopped below the layer, and what is read there."""

    def __init__(self, model, rows, numbers, reads, layer, start):
        here = [
            (number, row - numbers.start, position - start, token)
            for number, row, position, token in reads
            if row in numbers
        ]
        rows = rows[numbers.start : numbers.stop]
        self._model, self._suspended = model, Suspended(model, rows, layer, [start] * len(rows))
        self.number, row, position, self._token = torch.tensor(here, device=model.device).T
        # Two targets after one prompt are read from the same logits.
        self._places, self._place = torch.stack([row, position]).unique(dim=1, return_inverse=True)

    def run(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The log probability of each token read, and whether it is the most probable one."""
        log_probs = self._model.logits(self._suspended.run()[tuple(self._places)]).log_softmax(-1)
        each = log_probs[self._place, self._token]
        return each, log_probs.argmax(-1)[self._place] == self._token


class ProbeSet:
    """Probes: run once through the layers below `layer`, measured after each change.

    `probes` is what Fact.probes() gives: a dict from kind to a list of Probe. What is below `layer`
    stays as it was when the set was made, the embeddings too: after a change of all weights make a
    new set. `before` is a text that stands before every prompt. It is read once, by the model as it
    is when the set is made: then nothing may change until it is measured.
    """

    def __init__(
        self, model: EditableModel, probes: dict[str, list[Probe]], layer: int = 0, before: str = ""
    ):
        self._model = model
        self._probes = [(kind, probe) for kind in probes for probe in probes[kind]]
        targets = [
            (before + probe.prompt, target)
            for _, probe in self._probes
            for target in (probe.target_true, probe.target_new)
        ]
        # A probe may lack a rival.
        there = [number for number, (_, target) in enumerate(targets) if target is not None]
        prompts = model.encode([targets[number][0] for number in there])
        wanted = model.encode_targets([targets[number][1] for number in there])
        start = _alike(prompts) if before else 0
        rows, reads = _rows_and_reads(zip(there, prompts, wanted))
        self._batches = [
            _Batch(model, rows, range(first, first + PROBES_AT_ONCE), reads, layer, start)
            for first in range(0, len(rows), PROBES_AT_ONCE)
        ]

    @torch.no_grad()
    def measure(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Both ways to count, of the model as it is now, from one run.

        Returns what log_probabilities() and generated() do.
        """
        length, device = 2 * len(self._probes), self._model.device
        total = torch.zeros(length, device=device)
        count, said = torch.zeros(2, length, dtype=torch.long, device=device)
        for batch in self._batches:
            each, first = batch.run()
            total.index_add_(0, batch.number, each)
            count.index_add_(0, batch.number, torch.ones_like(batch.number))
            # The model says a target if each token is the most probable one after those before it.
            said.index_add_(0, batch.number, first.long())
        return (total / count).view(-1, 2).cpu(), ((said == count) & (count > 0)).view(-1, 2).cpu()

    def log_probabilities(self) -> torch.Tensor:
        """Mean log probability, in nats, over each target's tokens, of the model as it is now.

        Returns (probes, 2), the true target and the new one; NaN where there is no target.
        """
        return self.measure()[0]

    def generated(self) -> torch.Tensor:
        """Does the greedy continuation of the prompt begin with the target's tokens?

        Returns (probes, 2) bool, the true target and the new one.
        """
        return self.measure()[1]

    def answers(self) -> list[Answer]:
        """The probabilities as a list of Answer, in the order of the probes."""
        return [
            Answer(kind, probe, true, new)
            for (kind, probe), (true, new) in zip(
                self._probes, self.log_probabilities().exp().tolist()
            )
        ]


def answer_logits(
    model: EditableModel, prompt: str, target: str
) -> tuple[torch.Tensor, torch.Tensor]:
    """What the model predicts in the place of `target` after `prompt`, and the target's tokens.

    Returns logits (T, V) and token ids (T,). Row i is the prediction of target token i, given the
    prompt and the target tokens before it. Gradients flow where weights ask for them.
    """
    [prompt_ids], [target_ids] = model.encode([prompt]), model.encode_targets([target])
    ids = model.batch([prompt_ids + target_ids[:-1]])
    states = model.hf.base_model(ids, use_cache=False).last_hidden_state
    logits = model.head(states[0, len(prompt_ids) - 1 :])
    return logits, torch.tensor(target_ids, device=model.device)


@torch.no_grad()
def continuations(model: EditableModel, prompts: Sequence[str], tokens: int = 8) -> list[str]:
    """What the model goes on to say after each prompt, up to its end of text.

    It always takes the most probable token. All prompts are one batch: after the first pass each
    step reads one token a prompt.
    """
    ids = model.encode(prompts)
    if not ids:
        return []
    lengths = torch.tensor([len(each) for each in ids], device=model.device)
    batch = model.batch(ids, padded="left")
    positions = torch.arange(batch.shape[1], device=model.device) - batch.shape[1]
    positions = positions + lengths[:, None]
    seen = positions >= 0  # the rest is padding
    out = model.hf.base_model(
        batch, use_cache=True, attention_mask=seen.long(), position_ids=positions.clamp(min=0)
    )
    states = out.last_hidden_state[:, -1]
    said = []
    for step in range(tokens):
        said.append(model.head(states).argmax(-1, keepdim=True))
        if step < tokens - 1:
            seen = torch.cat([seen, torch.ones_like(said[-1], dtype=torch.bool)], dim=1)
            out = model.hf.base_model(
                said[-1],
                past_key_values=out.past_key_values,
                use_cache=True,
                attention_mask=seen.long(),
                position_ids=(lengths + step)[:, None],
            )
            states = out.last_hidden_state[:, -1]
    rows = torch.cat(said, dim=1).tolist() if said else [[] for _ in ids]
    end = model.tokenizer.eos_token_id
    return [model.tokenizer.decode(row[: row.index(end)] if end in row else row) for row in rows]


def continuation(model: EditableModel, prompt: str, tokens: int = 8) -> str:
    """The same for one prompt."""
    return continuations(model, [prompt], tokens)[0]


# ---------------------------------------------------------------- many questions at once


class Score(NamedTuple):
    """How the model takes a target after a prompt.

    The rank is the worst of its tokens' ranks, each after the right tokens before it; 1 is the
    model's own choice.
    """

    rank: int
    log_p: float  # mean log-probability of its tokens, in nats

    @property
    def p(self) -> float:
        return math.exp(self.log_p)


@torch.no_grad()
def score(
    model: EditableModel,
    questions: Iterable[Question],
    progress: Callable = iter,
    context: str = "",
) -> dict[Question, Score]:
    """The model's Score for each (prompt, target). `progress` wraps the list of batches.

    `context` is a text that stands before every prompt, with a blank between; it is read once.

    Questions that need the same tokens read share one pass, so many one-token targets after a
    prompt cost no more than one.
    """
    questions = list(dict.fromkeys(questions))
    if not questions:
        return {}
    prompts, targets = (list(dict.fromkeys(texts)) for texts in zip(*questions))
    texts = model.encode_targets([f" {prompt}" for prompt in prompts]) if context else None
    before = dict(zip(prompts, map(tuple, texts or model.encode(prompts))))
    cache = _cache_of(model, context) if context else None
    ids = dict(zip(targets, map(tuple, model.encode_targets(targets))))
    asked = defaultdict(list)
    for prompt, target in questions:
        asked[before[prompt] + ids[target][:-1]].append((prompt, target))
    # Sequences of one length together need little padding.
    sequences = sorted(asked, key=lambda tokens: (len(tokens), tokens))
    scores = {}
    at_once = AT_ONCE_AFTER if context else SEQUENCES_AT_ONCE
    for start in progress(range(0, len(sequences), at_once)):
        batch = {tokens: asked[tokens] for tokens in sequences[start : start + at_once]}
        scores |= _scores_of(model, batch, ids, cache)
    return scores


def _cache_of(model, context):
    """The attention's keys and values of a context."""
    read = model.batch(model.encode([context]))
    return model.hf.base_model(read, use_cache=True).past_key_values


def _states_of(model, rows, cache):
    """The final states of lists of tokens, after what is in the cache, if there is one."""
    options = {"use_cache": False}
    if cache is not None:
        cache = copy.deepcopy(cache)
        cache.batch_repeat_interleave(len(rows))
        options = {"use_cache": True, "past_key_values": cache}
    return model.hf.base_model(model.batch(rows), **options).last_hidden_state


def _scores_of(model, batch, ids, cache):
    """The scores of one batch: {tokens to read: [(prompt, target)]}, all from one pass.

    `ids` are the targets' tokens, `cache` is that of the context.
    """
    places = {}  # (row, position) whose logits are needed -> its number
    wanted = []  # (question, the tokens of its target, the numbers of their places)
    for row, (tokens, questions) in enumerate(batch.items()):
        for question in questions:
            target = ids[question[1]]
            first = len(tokens) - len(target)
            at = [places.setdefault((row, first + i), len(places)) for i in range(len(target))]
            wanted.append((question, target, at))
    states = _states_of(model, list(batch), cache)
    where = torch.tensor(list(places), device=states.device)
    log_p = model.head(states[where[:, 0], where[:, 1]]).log_softmax(-1)
    scores = {}
    for question, target, at in wanted:
        each = log_p[at, list(target)]
        ranks = (log_p[at] > each[:, None]).sum(-1) + 1
        scores[question] = Score(int(ranks.max()), float(each.mean()))
    return scores
