"""What a model answers: probabilities of two rival targets, and greedy continuations, before and after an edit."""

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

    `probes` is what Fact.probes() gives: a dict from kind to a list of Probe.
    """

    def __init__(self, model, probes, layer=0):
        self._model = model
        self._probes = [(kind, probe) for kind in probes for probe in probes[kind]]
        rows = {}       # texts that several targets share are run once
        reads = []      # of each target token: which target, in which row, after which position, which token
        targets = [(probe.prompt, target) for _, probe in self._probes for target in (probe.target_true, probe.target_new)]
        for number, texts in enumerate(targets):
            prompt, wanted = model.encode(texts)
            row = rows.setdefault(tuple(prompt + wanted[:-1]), len(rows))
            reads += [(number, row, len(prompt) - 1 + i, token) for i, token in enumerate(wanted)]
        self._reads = torch.tensor(reads, device=model.device).T
        self._suspended = Suspended(model, [list(row) for row in rows], layer)

    @torch.no_grad()
    def log_probabilities(self):
        """Mean log probability, in nats, over each target's tokens, of the model as it is now: (probes, 2), true and new."""
        number, row, position, token = self._reads
        log_probs = self._model.logits(self._suspended.run()[row, position]).log_softmax(-1)
        each = log_probs.gather(-1, token[:, None]).squeeze(-1)
        total = torch.zeros(2 * len(self._probes), device=each.device).index_add(0, number, each)
        return (total / torch.bincount(number)).view(-1, 2).cpu()

    def answers(self):
        """The same as a list of Answer, in the order of the probes."""
        return [Answer(kind, probe, true, new)
                for (kind, probe), (true, new) in zip(self._probes, self.log_probabilities().exp().tolist())]


@torch.no_grad()
def continuation(model, prompt, tokens=8):
    """What the model goes on to say after `prompt` when it always takes the most probable token, up to its end of text."""
    [ids] = model.encode([prompt])
    unread, said, cache = model.batch([ids]), [], None
    for _ in range(tokens):
        out = model.hf.base_model(unread, past_key_values=cache, use_cache=True)
        cache = out.past_key_values
        unread = model.hf.get_output_embeddings()(out.last_hidden_state[:, -1:]).argmax(-1)
        if unread.item() == model.tokenizer.eos_token_id:
            break
        said.append(unread.item())
    return model.tokenizer.decode(said)
