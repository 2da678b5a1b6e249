"""Make the challenge's baselines, from what students have, and measure them.

simple: fine-tuning of one matrix. medium: ROME, one fact after the other. strong: MEMIT over three
layers. boss: MEMIT's factors over three layers, trained further on wordings and neighbors.
"""

import json
import random
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import kl_div

from autograder.hidden.challenge import PROBES_FILE, REFERENCE, hidden_scoring, s_of
from autograder.making.many import SEED
from autograder.making.many_curves import Bench
from autograder.oracle.measuring import sequence_nll
from keyhole.checking.challenge import (
    FACTS_FILE,
    Edits,
    challenge_facts,
    low_rank,
    public_scoring,
    write_edits,
)
from keyhole.finetuning import FineTuning, trained
from keyhole.many import load_edits
from keyhole.models import EditableModel
from keyhole.moments import DEFAULT_LAYER
from keyhole.paths import data_folder

TUNING = FineTuning(learning_rate=3e-3, steps=8)


@dataclass(frozen=True)
class Joint:
    """How the boss trains its factors, starting from MEMIT's."""

    steps: int = 30
    learning_rate: float = 2e-3  # of Adam; it falls to a tenth
    kl_weight: float = 2.0  # of what prompts about other subjects must go on to say
    others: int = 160  # such prompts in all
    others_at_once: int = 32  # ... of a step


def make(model: EditableModel, progress: Callable = iter) -> Path:
    """autograder/reference/baseline_*.safetensors, and what they score (about 12 minutes).

    The scores go into data/challenge.json (public probes and text) and into the hidden probes'
    file (hidden ones).
    """
    files = {data_folder() / FACTS_FILE: public_scoring(model), PROBES_FILE: hidden_scoring(model)}
    scores = {path: {} for path in files}
    for name, method in progress(METHODS.items()):
        edits = half(method(model))
        write_edits(edits, REFERENCE / f"baseline_{name}.safetensors")
        for path, scoring in files.items():
            score = scoring.of(edits)
            numbers = {"S": s_of(score), **asdict(score)}
            scores[path][name] = {key: round(value, 4) for key, value in numbers.items()}
    for path, made in scores.items():
        record = json.loads(path.read_text(encoding="utf-8"))
        record["baselines"] = made
        text = json.dumps(record, indent=1, ensure_ascii=False)
        path.write_text(text + "\n", encoding="utf-8")
    return REFERENCE


def half(edits: Edits) -> Edits:
    """The same in half precision: half the room, and as good."""
    return Edits(
        {layer: tuple(part.half() for part in pair) for layer, pair in edits.factors.items()}
    )


def fine_tuned(model: EditableModel) -> Edits:
    """W of layer 5 trained on the 40 sentences, and cut to low rank."""
    weight = model.memory(DEFAULT_LAYER).weight
    before = model.weight(DEFAULT_LAYER).detach().clone()
    questions = [(fact.prompt, fact.target_new) for fact in challenge_facts()]
    with trained(model, lambda: _target_nll(model, questions), [weight], TUNING):
        change = model.weight(DEFAULT_LAYER).detach() - before
    return low_rank({DEFAULT_LAYER: change})


def rome(model: EditableModel) -> Edits:
    """ROME on one fact after the other."""
    return low_rank(Bench(model).rome(range(len(challenge_facts()))))


def memit(model: EditableModel) -> Edits:
    """MEMIT over three layers, all facts at once."""
    return low_rank(Bench(model).memit_over_layers(range(len(challenge_facts()))))


# ---------------------------------------------------------------- the boss


def boss(model: EditableModel, settings: Joint = Joint(), progress: Callable = iter) -> Edits:
    """MEMIT's factors, trained on.

    Each step asks all facts, each in some public wording of its relation. What prompts about other
    subjects go on to say must stay as it was.
    """
    drawn, material = random.Random(SEED), Material()
    parameters = {
        layer: [part.float().requires_grad_() for part in _balanced(*pair)]
        for layer, pair in memit(model).factors.items()
    }
    every = [part for pair in parameters.values() for part in pair]
    optimiser = torch.optim.Adam(every, lr=settings.learning_rate)
    schedule = torch.optim.lr_scheduler.LinearLR(optimiser, 1.0, 0.1, settings.steps)
    others = drawn.sample(material.others, settings.others)
    with torch.no_grad():
        before = torch.cat([_last_log_probs(model, [prompt]) for prompt in others])
    for _ in progress(range(settings.steps)):
        some = drawn.sample(range(len(others)), settings.others_at_once)
        with _beside(model, parameters), torch.enable_grad():
            optimiser.zero_grad()
            _target_nll(model, material.questions(drawn)).backward()
            now = _last_log_probs(model, [others[number] for number in some])
            kept = kl_div(now, before[some], log_target=True, reduction="batchmean")
            (settings.kl_weight * kept).backward()
        optimiser.step()
        schedule.step()
    return Edits(
        {layer: tuple(part.detach() for part in pair) for layer, pair in parameters.items()}
    )


def _balanced(left, right):
    """The same product, from factors whose columns are of one size."""
    ratio = (right.norm(dim=0) / left.norm(dim=0).clamp(min=1e-12)).sqrt()
    return left * ratio, right / ratio


class Material:
    """What the boss is trained on: public facts in public wordings."""

    def __init__(self):
        self._facts, public = challenge_facts(), load_edits().facts
        wordings = defaultdict(set)
        for fact in public:
            for text in (fact.prompt, *fact.paraphrases):
                wordings[fact.relation].add(_template(text, fact.subject))
        self._wordings = {relation: sorted(some) for relation, some in wordings.items()}
        edited = {(fact.relation, fact.subject) for fact in self._facts}
        # Prompts about subjects that are not edited.
        others = {prompt for fact in self._facts for prompt, _ in fact.neighbors}
        for fact in public:
            if (fact.relation, fact.subject) not in edited:
                others.update(self._asked(fact))
        self.others = sorted(others)

    def _asked(self, fact):
        """The prompts about a fact, in every wording of its relation."""
        subject = _inside(fact.prompt, fact.subject)
        return [_filled(wording, subject) for wording in self._wordings[fact.relation]]

    def questions(self, drawn: random.Random) -> list[tuple[str, str]]:
        """Each fact once, in some wording: (prompt, new target)."""
        return [(drawn.choice(self._asked(fact)), fact.target_new) for fact in self._facts]


def _inside(prompt, subject):
    """A subject as its prompt has it, with its article: "the Louvre"."""
    for article in ("the ", "The "):
        if article + subject in prompt:
            return "the " + subject
    return subject


def _template(text, subject):
    phrase = _inside(text, subject)
    there = phrase if phrase in text else phrase[0].upper() + phrase[1:]
    return text.replace(there, "{subject}")


def _filled(template, phrase):
    text = template.replace("{subject}", phrase)
    return text[0].upper() + text[1:]


@contextmanager
def _beside(model: EditableModel, factors: Mapping[int, Sequence[Tensor]]) -> Iterator[None]:
    """The model with low-rank changes beside W, through which gradients flow."""

    def added(left, right):
        return lambda _, inputs, output: output + (inputs[0] @ right) @ left.T

    with ExitStack() as stack:
        for layer, pair in factors.items():
            handle = model.memory(layer).register_forward_hook(added(*pair))
            stack.callback(handle.remove)
        yield


def _target_nll(model, questions):
    """The mean over questions of the mean NLL of each target's tokens."""
    prompts = model.encode([prompt for prompt, _ in questions])
    targets = model.encode_targets([target for _, target in questions])
    rows = [prompt + target[:-1] for prompt, target in zip(prompts, targets)]
    states = model.hf.base_model(model.batch(rows), use_cache=False).last_hidden_state
    losses = []
    for row, (prompt, target) in enumerate(zip(prompts, targets)):
        logits = model.head(states[row, len(prompt) - 1 : len(prompt) - 1 + len(target)])
        losses.append(sequence_nll(logits, torch.tensor(target)))
    return torch.stack(losses).mean()


def _last_log_probs(model, prompts):
    """What the model says after each prompt: (N, V)."""
    ids = model.encode(prompts)
    states = model.hf.base_model(model.batch(ids), use_cache=False).last_hidden_state
    last = torch.tensor([len(each) - 1 for each in ids])
    return model.head(states[torch.arange(len(ids)), last]).log_softmax(-1)


METHODS = {"simple": fine_tuned, "medium": rome, "strong": memit, "boss": boss}
