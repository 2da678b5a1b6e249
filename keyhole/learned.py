"""Learning to edit: facts as training data, what a gradient is made of, and the training itself.

An editor is a module that turns the factors of a gradient into functions, one for each edited
layer: function(outputs, keys) gives what the layer's W gives out for `keys` after the edit, where
it gave `outputs` before. The editors themselves are in 5_learn_to_edit.ipynb.
"""

import copy
import json
import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from torch import Tensor, nn

from keyhole.editable import EditableModel
from keyhole.errors import KeyholeError
from keyhole.facts import Fact
from keyhole.many import FactAnswers, FactProbes
from keyhole.messages import problem
from keyhole.paths import data_folder
from keyhole.suspended import Suspended
from keyhole.text import one_line

EDITED = (25, 26, 27)  # layers; few are above them, so a step of training is short
NOT_WANTED = -100  # the place of a token that nobody asks for, as in torch

NewOutputs = Callable[[Tensor, Tensor], Tensor]  # (outputs, keys) of a layer -> new outputs
Editor = Callable[[Sequence["Factors"]], list[NewOutputs]]


class Factors(NamedTuple):
    """What the gradient of one W is made of: a row for each token."""

    inputs: Tensor  # u (T, d_in): what goes into W
    output_grads: Tensor  # δ (T, d_out): the loss's derivative by what comes out


@dataclass(frozen=True)
class Request:
    """What an editor is asked for, and by what it is trained."""

    prompt: str
    target: str  # what the model is to say after the prompt
    paraphrases: tuple[str, ...] = ()  # the same in other words
    others: tuple[str, ...] = ()  # prompts after which nothing may change

    @classmethod
    def of(cls, fact: Fact) -> "Request":
        """The edit of a fact, without anything to train by."""
        return cls(fact.prompt, fact.target_new)


def load_requests() -> dict[str, list[Request]]:
    """{"train", "held out"}: edits of capitals; no subject of the public facts is among them.

    Raises KeyholeError where the file is damaged.
    """
    path = data_folder() / "requests.json"
    try:
        stored = json.loads(path.read_text(encoding="utf-8"))
        return {part: [_request(*each) for each in requests] for part, requests in stored.items()}
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise _unreadable(path, error) from None


def _request(prompt, target, paraphrases, others):
    return Request(prompt, target, tuple(paraphrases), tuple(others))


def load_editors() -> tuple[dict[str, dict[str, Tensor]], dict]:
    """The stored weights {editor: its state}, and the measurements, of `autograder remake editors`.

    Raises KeyholeError where a file is damaged.
    """
    weights, record = (data_folder() / f"editors.{end}" for end in ("safetensors", "json"))
    try:
        states: dict[str, dict[str, Tensor]] = {}
        for name, tensor in load_file(weights).items():
            editor, _, part = name.partition("/")
            states.setdefault(editor, {})[part] = tensor.float()
        return states, json.loads(record.read_text(encoding="utf-8"))
    except (OSError, ValueError, SafetensorError) as error:
        raise _unreadable(weights, error) from None


def _unreadable(path, error):
    return KeyholeError(problem("kit_unreadable", path=path, error=one_line(error, 120)))


# ---------------------------------------------------------------- gradients, and edits


@contextmanager
def rerouted(
    model: EditableModel, layers: Sequence[int], functions: Sequence[NewOutputs]
) -> Iterator[EditableModel]:
    """The model whose W of each layer gives out what its function says, inside the block."""
    with ExitStack() as stack:
        for layer, function in zip(layers, functions, strict=True):

            def hook(_, args, output, function=function):
                return function(output, args[0])

            handle = model.memory(layer).register_forward_hook(hook)
            stack.callback(handle.remove)
        yield model


def gradient_factors(
    model: EditableModel, request: Request, layers: Sequence[int] = EDITED
) -> list[Factors]:
    """What the gradient of the target's mean NLL is made of, one pair for each layer.

    All gradients together are brought to length one: δ is divided by it. How far to go is for the
    editor to say.
    """
    [prompt], [target] = model.encode([request.prompt]), model.encode_targets([request.target])
    suspended, seen = Suspended(model, [prompt + target[:-1]], min(layers)), []

    def note(output, keys):
        output = output.detach().requires_grad_() if not output.requires_grad else output
        output.retain_grad()
        seen.append((keys.detach()[0], output))
        return output

    with torch.enable_grad(), rerouted(model, layers, [note] * len(layers)):
        logits = model.logits(suspended.run()[0, len(prompt) - 1 :])
        wanted = torch.tensor(target, device=model.device)
        nn.functional.cross_entropy(logits, wanted).backward()
    pairs = [(inputs, output.grad[0]) for inputs, output in seen]
    # |Σ δ uᵀ|², without ever forming the matrix.
    squares = [((u @ u.T) * (delta @ delta.T)).sum() for u, delta in pairs]
    length = torch.stack(squares).sum().sqrt()
    return [Factors(u, delta / length) for u, delta in pairs]


class EditorScores(NamedTuple):
    """What the model says after an edit, as `editor_loss` wants it; N texts, M other prompts."""

    log_probs: Tensor  # (N, T, V), of the next token after each of the last tokens
    wanted: Tensor  # (N, T): which token that should be, or NOT_WANTED
    other_log_probs: Tensor  # (M, V)
    other_log_probs_before: Tensor  # (M, V)


class Lesson:
    """A request, prepared for training: run up to the edited layers, its gradient taken."""

    def __init__(
        self, model: EditableModel, request: Request, layers: Sequence[int] = EDITED
    ) -> None:
        self._model, self._layers = model, layers
        [target] = model.encode_targets([request.target])
        asked = model.encode([request.prompt, *request.paraphrases])
        others = model.encode(request.others)
        ids = [prompt + target[:-1] for prompt in asked] + others
        self._suspended = Suspended(model, ids, min(layers))
        self._asked, self._first = len(asked), min(map(len, asked)) - 1
        width = max(len(prompt) for prompt in asked) + len(target) - 1 - self._first
        self.wanted = torch.full((len(asked), width), NOT_WANTED, device=model.device)
        for row, prompt in zip(self.wanted, asked):
            start = len(prompt) - 1 - self._first
            row[start : start + len(target)] = torch.tensor(target, device=model.device)
        self._ends = torch.tensor([len(prompt) - 1 for prompt in others])
        self.factors = gradient_factors(model, request, layers)
        with torch.no_grad():
            self._before = self._run()[1]

    def after(self, functions: Sequence[NewOutputs]) -> EditorScores:
        """What the model says where the edited layers give out other outputs. Gradients flow."""
        with torch.enable_grad(), rerouted(self._model, self._layers, functions):
            log_probs, others = self._run()
        return EditorScores(log_probs, self.wanted, others, self._before)

    def _run(self):
        states = self._suspended.run()
        asked = states[: self._asked, self._first : self._first + self.wanted.shape[1]]
        rows = torch.arange(len(self._ends)) + self._asked
        chosen = torch.cat([asked.flatten(0, 1), states[rows, self._ends]])
        log_probs = self._model.logits(chosen).log_softmax(-1)
        count = self.wanted.numel()
        return log_probs[:count].unflatten(0, self.wanted.shape), log_probs[count:]


def factor_statistics(lessons: Sequence[Lesson]) -> list[tuple[Tensor, Tensor]]:
    """Mean and standard deviation of (u, δ) over all tokens of the lessons, for each layer."""
    made = []
    for pairs in zip(*(lesson.factors for lesson in lessons)):
        rows = torch.cat([torch.cat(pair, dim=1) for pair in pairs])
        made.append((rows.mean(0), rows.std(0) + 1e-9))
    return made


# ---------------------------------------------------------------- training, and measuring


@dataclass(frozen=True)
class Training:
    """How an editor is trained."""

    learning_rate: float  # of Adam
    steps: int = 60
    lessons: int = 4  # in a step
    every: int = 10  # steps between two looks at the lessons that are held out
    kl_weight: float = 2.0
    seed: int = 0


class Look(NamedTuple):
    """How training stands after some steps: mean losses in nats."""

    step: int
    training: float  # over the lessons since the last look; NaN before the first step
    held_out: float


def train_editor(
    editor: nn.Module,
    lessons: tuple[Sequence[Lesson], Sequence[Lesson]],
    loss: Callable[..., Tensor],
    settings: Training,
    progress: Callable = iter,
    show: Callable[[list[Look]], object] = lambda looks: None,
) -> tuple[list[Look], float]:
    """Train an editor in place; it ends as it was where the held-out loss was least.

    It is moved to the lessons' device.
    lessons: those to train on, and those held out. `loss` gets the four parts of an EditorScores
    and kl_weight. `progress` wraps the range of steps; `show` gets all looks so far at each look.
    Returns the looks and the seconds of processor time.
    """
    train, held_out = lessons
    editor.to(train[0].factors[0].inputs.device)
    rng, optimiser = (
        random.Random(settings.seed),
        torch.optim.Adam(editor.parameters(), lr=settings.learning_rate),
    )
    started, looks, recent, best = time.process_time(), [], [], None

    def mean_loss(lesson):
        return loss(*lesson.after(editor(lesson.factors)), settings.kl_weight)

    for step in progress(range(settings.steps + 1)):
        if step % settings.every == 0:
            with torch.no_grad():
                now = sum(float(mean_loss(each).detach()) for each in held_out) / len(held_out)
            mean = sum(recent) / len(recent) if recent else float("nan")
            looks.append(Look(step, mean, now))
            recent.clear()
            show(looks)
            if now == min(look.held_out for look in looks):
                best = {name: value.clone() for name, value in editor.state_dict().items()}
        if step < settings.steps:
            optimiser.zero_grad()
            for lesson in rng.sample(train, settings.lessons):
                value = mean_loss(lesson)
                (value / settings.lessons).backward()
                recent.append(float(value.detach()))
            nn.utils.clip_grad_norm_(editor.parameters(), 1.0)
            optimiser.step()
    editor.load_state_dict(best)
    return looks, time.process_time() - started


class Pupils:
    """Facts on which editors are measured: each fact's gradient and probes are prepared once."""

    def __init__(
        self, model: EditableModel, facts: Sequence[Fact], layers: Sequence[int] = EDITED
    ) -> None:
        self._model, self._layers, self._facts = model, layers, list(facts)
        self._factors = [gradient_factors(model, Request.of(fact), layers) for fact in facts]
        self._probes = [FactProbes(model, [fact], min(layers)) for fact in facts]

    def of(self, facts: Sequence[Fact]) -> "Pupils":
        """The same with some of these facts only; nothing is prepared anew."""
        chosen = copy.copy(self)
        numbers = [self._facts.index(fact) for fact in facts]
        chosen._facts = list(facts)
        chosen._factors = [self._factors[number] for number in numbers]
        chosen._probes = [self._probes[number] for number in numbers]
        return chosen

    def measure(self, editor: Editor, at_once: int = 1) -> list[FactAnswers]:
        """The answers after edits of `at_once` facts at a time: their changes are added up."""
        answers = []
        with torch.no_grad():
            for start in range(0, len(self._factors), at_once):
                group = slice(start, start + at_once)
                edits = [editor(factors) for factors in self._factors[group]]
                together = [_added_up(functions) for functions in zip(*edits)]
                with rerouted(self._model, self._layers, together):
                    for probes in self._probes[group]:
                        answers += probes.measure()
        return answers


def _added_up(functions):
    """One function for several edits of a layer."""

    def new_outputs(outputs, keys):
        nothing = torch.zeros_like(outputs)
        return outputs + sum(function(nothing, keys) for function in functions)

    return new_outputs
