"""What a model answers, before and after an edit: probabilities of targets, greedy continuations.

There are two ways to count, never mixed. By probability: which of two rival targets is ahead. By
generation: is the target what the model says.
"""

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

import torch

from keyhole.facts import Probe
from keyhole.models import EditableModel
from keyhole.packed import SuspendedTree, cache_of, trees_of

PROBE_KINDS = ("original", "paraphrase", "neighborhood", "reversion", "portability")

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


class _Batch:
    """A tree of prompts with their targets, stopped below the layer, and what is read there."""

    def __init__(self, model, tree, asked, layer, cache):
        self._model, self._suspended = model, SuspendedTree(model, tree, layer, cache)
        # (which target, after which token of the tree, which token)
        reads = [
            (asked[text][0], after, token)
            for text, path in tree.paths.items()
            for after, token in zip(path[-len(asked[text][2]) :], asked[text][2])
        ]
        self.number, after, self._token = torch.tensor(reads, device=model.device).T
        # Two targets after one prompt are read from the same logits.
        self._after, self._place = after.unique(return_inverse=True)

    def run(self) -> tuple[torch.Tensor, torch.Tensor]:
        """The log probability of each token read, and whether it is the most probable one."""
        log_probs = self._model.logits(self._suspended.run()[self._after]).log_softmax(-1)
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
        cache = cache_of(model, prompts[0][:start]) if start else None
        asked = list(zip(there, prompts, wanted))
        trees = trees_of([prompt + target[:-1] for _, prompt, target in asked], start)
        self._batches = [_Batch(model, tree, asked, layer, cache) for tree in trees]

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
    before = dict(zip(prompts, texts or model.encode(prompts)))
    cache = cache_of(model, *model.encode([context])) if context else None
    ids = dict(zip(targets, model.encode_targets(targets)))
    trees = trees_of([before[prompt] + ids[target][:-1] for prompt, target in questions])
    scores = {}
    for tree in progress(trees):
        asked = {questions[number]: path for number, path in tree.paths.items()}
        scores |= _scores_of(model, tree, asked, ids, cache)
    return scores


def _scores_of(model, tree, asked, ids, cache):
    """The scores of one tree: {question: where its tokens are}, all from one pass.

    `ids` are the targets' tokens, `cache` is that of the context.
    """
    # Two targets after one prompt are read from the same logits.
    ends = {question: path[-len(ids[question[1]]) :] for question, path in asked.items()}
    places = {place: number for number, place in enumerate(sorted(set(chain(*ends.values()))))}
    states = SuspendedTree(model, tree, cache=cache).run()
    log_p = model.logits(states[list(places)]).log_softmax(-1)
    scores = {}
    for question, path in ends.items():
        at, target = [places[place] for place in path], ids[question[1]]
        each = log_p[at, target]
        ranks = (log_p[at] > each[:, None]).sum(-1) + 1
        scores[question] = Score(int(ranks.max()), float(each.mean()))
    return scores
