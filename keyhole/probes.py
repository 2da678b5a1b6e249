"""What a model answers: probabilities of two rival targets, and greedy continuations, before and after an edit.

Two ways to count, never mixed: by probability (which of two targets is ahead) and by generation (is the target what the model says).
"""

from dataclasses import dataclass

import torch

from keyhole.facts import Probe
from keyhole.suspended import Suspended

KINDS = ("original", "paraphrase", "neighborhood", "reversion", "portability")


@dataclass(frozen=True)
class Answer:
    """How probable the two targets of a probe are: `true` and `new` in [0, 1], the geometric mean over a target's tokens."""

    kind: str
    probe: Probe
    true: float
    new: float


class ProbeSet:
    """Probes of one fact, run once through the layers below `layer`, then measured after each change of that layer.

    `probes` is what Fact.probes() gives: a dict from kind to a list of Probe. What lies below `layer` is taken as it was when the
    set was made, the embeddings too: after a change of all weights make a new one.
    """

    def __init__(self, model, probes, layer=0):
        self._model = model
        self._probes = [(kind, probe) for kind in probes for probe in probes[kind]]
        targets = [
            (probe.prompt, target)
            for _, probe in self._probes
            for target in (probe.target_true, probe.target_new)
        ]
        asked = [
            (number, *model.encode(texts))
            for number, texts in enumerate(targets)
            if texts[1] is not None
        ]  # a probe may lack a rival
        rows = []  # longest first: a text with which a longer one begins is read there, since nothing looks to the right
        reads = []  # of each target token: which target, in which row, after which position, which token
        for number, prompt, wanted in sorted(asked, key=lambda each: -len(each[1] + each[2])):
            text = prompt + wanted[:-1]
            row = next((i for i, other in enumerate(rows) if other[: len(text)] == text), len(rows))
            if row == len(rows):
                rows.append(text)
            reads += [(number, row, len(prompt) - 1 + i, token) for i, token in enumerate(wanted)]
        self._reads = torch.tensor(reads, device=model.device).T
        self._suspended = Suspended(model, rows, layer)

    @torch.no_grad()
    def measure(self):
        """Both ways to count, of the model as it is now, from one run: log_probabilities() and generated()."""
        number, row, position, token = self._reads
        log_probs = self._model.logits(self._suspended.run()[row, position]).log_softmax(-1)
        each = log_probs.gather(-1, token[:, None]).squeeze(-1)
        count = torch.bincount(number, minlength=2 * len(self._probes))
        total = torch.zeros(len(count), device=each.device).index_add(0, number, each)
        # The model says a target if each of its tokens is the most probable one behind those before it.
        said = torch.zeros_like(count).index_add(0, number, (log_probs.argmax(-1) == token).long())
        return (total / count).view(-1, 2).cpu(), ((said == count) & (count > 0)).view(-1, 2).cpu()

    def log_probabilities(self):
        """Mean log probability, in nats, over each target's tokens, of the model as it is now: (probes, 2), true and new; NaN where there is no target."""
        return self.measure()[0]

    def generated(self):
        """Whether the model's greedy continuation of the prompt begins with the target's tokens: (probes, 2) bool, true and new."""
        return self.measure()[1]

    def answers(self):
        """The probabilities as a list of Answer, in the order of the probes."""
        return [
            Answer(kind, probe, true, new)
            for (kind, probe), (true, new) in zip(
                self._probes, self.log_probabilities().exp().tolist()
            )
        ]


def answer_logits(model, prompt, target):
    """What the model predicts where `target` should stand after `prompt`: logits (T, V), and the target's token ids (T,).

    Row i is the prediction of target token i, given the prompt and the target tokens before it. Gradients flow where weights ask for them.
    """
    prompt_ids, target_ids = model.encode([prompt, target])
    states = model.hf.base_model(
        model.batch([prompt_ids + target_ids[:-1]]), use_cache=False
    ).last_hidden_state
    return model.hf.get_output_embeddings()(states[0, len(prompt_ids) - 1 :]), torch.tensor(
        target_ids, device=model.device
    )


@torch.no_grad()
def continuations(model, prompts, tokens=8):
    """What the model goes on to say after each prompt when it always takes the most probable token, up to its end of text: list of str.

    All prompts are one batch: after the first pass each step reads one token a prompt.
    """
    ids = model.encode(prompts)
    if not ids:
        return []
    lengths = torch.tensor([len(each) for each in ids], device=model.device)
    batch = model.batch(ids)
    out = model.hf.base_model(batch, use_cache=True)
    states, seen = (
        out.last_hidden_state[torch.arange(len(ids)), lengths - 1],
        torch.arange(batch.shape[1], device=model.device) < lengths[:, None],
    )
    said = []
    for step in range(tokens):
        said.append(model.hf.get_output_embeddings()(states).argmax(-1, keepdim=True))
        if step < tokens - 1:
            # The padding lies between a prompt and what is said after it: masked, and not counted in the positions.
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


def continuation(model, prompt, tokens=8):
    """The same for one prompt: str."""
    return continuations(model, [prompt], tokens)[0]
