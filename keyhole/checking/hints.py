"""`hint(function)`: a blank's hint in three steps, one a call. Nobody is told who asked for it.

The words lie in keyhole/messages; here are the skeletons, whose crucial lines are missing. None is
a solution: tests/test_hints.py runs each.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from html import escape

from keyhole.checking.card import CODE, POSITIVE, boxed, marked
from keyhole.checking.checks import name_of_function
from keyhole.errors import KeyholeError
from keyhole.messages import feedback, hinted, hinted_blanks, listed, problem
from keyhole.terminal import folded
from keyhole.text import one_line

STEPS = ("hint_idea", "hint_calls", "hint_skeleton")  # what each step holds, as a title
SCROLLED = "white-space:pre;overflow-x:auto;margin:4px 0"  # no line of code is broken
FACT = "my_record"  # the one blank that is no function

# Blank -> its code. The hint's last words say what is missing at `...`, in the place of {0}, {1}.
SKELETONS = {
    "sequence_nll": """
def sequence_nll(logits, target_ids):
    log_probs = logits.log_softmax(dim=-1)             # (T, V)
    of_targets = ...  # {0}
    return -of_targets.mean()
""",
    "efficacy": """
def efficacy(nll_true, nll_new):
    wins = ...  # {0}
    return wins.float().mean()
""",
    "neighborhood": """
def neighborhood(nll_true, nll_new):
    kept = ...  # {0}
    return kept.float().mean()
""",
    "edit_score": """
def edit_score(efficacy, paraphrase, neighborhood):
    shares = [efficacy, paraphrase, neighborhood]
    if min(shares) == 0:
        return 0.0
    return ...  # {0}
""",
    "corrupt": """
def corrupt(embeddings, subject, noise):
    corrupted = embeddings.repeat(len(noise), 1, 1)    # (n, T, d)
    ...  # {0}
    return corrupted
""",
    "restore": """
def restore(hidden, clean, position):
    restored = hidden.clone()                          # (n, T, d)
    ...  # {0}
    return restored
""",
    "indirect_effect": """
def indirect_effect(restored, corrupted):
    return ...  # {0}
""",
    "trace": """
def trace(model, prompt, subject, noise, positions, layers, kind="state", window=10):
    part = {"state": model.block, "mlp": model.mlp, "attention": model.attention}[kind]
    span = model.subject_slice(prompt, subject)
    with ExitStack() as stack:
        seen = [
            stack.enter_context(record(part(layer))) for layer in range(model.n_layers)
        ]
        answer = model.next_token_probabilities([prompt])[0].argmax()

    def cover(embeddings):
        return corrupt(embeddings[0], span, noise)

    values = torch.zeros(len(positions), len(layers))
    for i, position in enumerate(positions):
        for j, layer in enumerate(layers):
            first, stop = layer, layer + 1
            if kind != "state":
                first, stop = ...  # {0}
            with ExitStack() as stack:
                stack.enter_context(edit(model.embedding, cover))
                for each in range(first, stop):
                    ...  # {1}
                probabilities = model.next_token_probabilities([prompt] * len(noise))
                values[i, j] = probabilities[:, answer].mean()
    return values
""",
    "subject_key": """
def subject_key(model, layer, prompt, subject, prefixes):
    keys = []
    for prefix in prefixes:
        text = prefix + prompt
        with record(model.memory(layer), stop=True) as seen:
            model.next_token_probabilities([text])
        last = ...  # {0}
        keys.append(seen.input[0, last])               # (d_in,)
    return torch.stack(keys).mean(0)
""",
    "second_moment": """
def second_moment(keys):
    products = ...  # {0}
    return products / len(keys)
""",
    "value_objective": """
def value_objective(
    target_log_probs, kl_log_probs, kl_log_probs_before,
    delta, value_before, kl_weight, decay,
):
    nll = -target_log_probs.mean()
    kl = ...  # {0}
    size = delta.norm() / value_before.norm() ** 2
    return nll + kl_weight * kl + decay * size
""",
    "rank_one_update": """
def rank_one_update(weight, moment, key, value):
    direction = ...  # {0}
    residual = (value - weight @ key).double()         # (d_out,)
    change = torch.outer(residual, direction) / (direction @ key.double())
    return weight + change.to(weight.dtype)
""",
    "write_edit": """
def write_edit(module, new_weight):
    stored = ...  # {0}
    with torch.no_grad():
        module.weight.copy_(stored)
""",
    "my_record": """
my_record = {
    "id": "my-fact", "relation": "landmark",
    "prompt": ...,  # {0}
    "subject": "", "target_true": " ", "target_new": " ",
    "paraphrases": ["", ""],
    "neighbors": [{"prompt": "", "answer": " "}],
    "reversion": {"prompt": "", "target_true": " ", "target_new": " "},
    "portability": {"prompt": "", "target_true": " ", "target_new": " "},
}
""",
    "demonstrations": """
def demonstrations(key, keys, kinds):
    count = min(len(keys), len(kinds))
    likeness = torch.cosine_similarity(keys, key[None])                # (N,)
    nearest = ...  # {0}
    return torch.stack([nearest, torch.tensor(kinds[:count])], dim=1).flip(0)
""",
    "locality_loss": """
def locality_loss(
    target_nll, log_probs, log_probs_before, replay_nll, kl_weight, replay_weight
):
    kl = ...  # {0}
    return target_nll + kl_weight * kl + replay_weight * replay_nll.mean()
""",
    "scaled_change": """
def scaled_change(before, after, scale):
    change = ...  # {0}
    return before + scale * change
""",
    "memit_update": """
def memit_update(weight, moment, keys, values, weight_of_old):
    residual = (values - keys @ weight.T).double()     # (N, d_out)
    keys = keys.double()
    system = ...  # {0}
    change = torch.linalg.solve(system, keys.T @ residual).T
    return weight + change.to(weight.dtype)
""",
    "spread_residual": """
def spread_residual(targets, states, layer, layers):
    to_come = ...  # {0}
    return (targets - states) / to_come
""",
    "null_space_projector": """
def null_space_projector(moment, threshold):
    values, vectors = torch.linalg.eigh(moment.double())
    small = ...  # {0}
    return (small @ small.T).to(moment.dtype)
""",
    "alphaedit_update": """
def alphaedit_update(weight, projector, keys, values, earlier_keys, ridge):
    residual = (values - keys @ weight.T).double()     # (N, d_out)
    new = keys.double() @ projector.double()           # (N, d_in)
    earlier = earlier_keys.double() @ projector.double()
    identity = torch.eye(len(projector), dtype=torch.float64)
    system = ...  # {0}
    return weight + torch.linalg.solve(system, new.T @ residual).T.to(weight.dtype)
""",
    "editor_loss": """
def editor_loss(log_probs, wanted, other_log_probs, other_log_probs_before, kl_weight):
    edit_term = ...  # {0}
    before = other_log_probs_before
    kl = (before.exp() * (before - other_log_probs)).sum(-1).mean()
    return edit_term + kl_weight * kl
""",
    "editor_parameters": """
def editor_parameters(kind, d_out, d_in, rank):
    counts = {
        "full": ...,  # {0}
        "diagonal": d_out * d_in,
        "rows": d_out,
        "factors": ...,  # {1}
    }
    return counts[kind]
""",
    "rate_update": """
def rate_update(gradient, rates):
    if rates.dim() == 1:
        rates = ...  # {0}
    return -rates * gradient
""",
    "gradient_from_factors": """
def gradient_from_factors(inputs, output_grads):
    inputs, output_grads = inputs.flatten(0, 1), output_grads.flatten(0, 1)
    return ...  # {0}
""",
    "transform_factors": """
def transform_factors(inputs, output_grads, mean, scale, down, up):
    z = torch.cat([inputs, output_grads], dim=1)       # (T, d_in + d_out)
    normed = (z - mean) / scale
    return ...  # {0}
""",
    "low_rank_output": """
def low_rank_output(outputs, keys, inputs, output_grads, rate):
    alike = ...  # {0}
    return outputs - rate * alike @ output_grads
""",
}


@dataclass(frozen=True)
class Hint:
    """The first `steps` of a blank's three; a notebook shows it, and other places print it."""

    name: str
    steps: int

    def parts(self) -> list[tuple[str, str]]:
        """(title, words) of each step; the third one's words are code."""
        idea, calls, *gaps = hinted(self.name)
        code = SKELETONS[self.name].strip("\n")
        for number, words in enumerate(gaps):
            code = code.replace(f"{{{number}}}", words)
        titles = (str(feedback(name)) for name in STEPS)
        return list(zip(titles, (idea, calls, code)))[: self.steps]

    @property
    def _head(self):
        return str(feedback("hint_head", function=self.name, step=self.steps, all=len(STEPS)))

    @property
    def _more(self):
        last = self.steps == len(STEPS)
        asked = repr(self.name) if self.name == FACT else self.name
        return str(feedback("hint_last" if last else "hint_more", function=asked))

    def __repr__(self):
        lines = [self._head]
        for title, words in self.parts():
            lines += [f"  {title}", *(f"    {line}" for line in words.split("\n"))]
        return folded([*lines, f"  {self._more}"])

    def _repr_html_(self):
        shown = [f'<div style="opacity:.85">{marked(self._head)}</div>']
        for number, (title, words) in enumerate(self.parts(), 1):
            style = "font-size:1.12em" if number == self.steps else ""
            body = f'<div style="{style}">{marked(words)}</div>'
            if number == len(STEPS):
                body = f'<pre style="{CODE};{SCROLLED}">{escape(words)}</pre>'
            shown.append(f'<div style="margin-top:8px;font-weight:600">{marked(title)}</div>{body}')
        more = f'<div style="margin-top:10px;opacity:.85">{marked(self._more)}</div>'
        return boxed("".join(shown) + more, POSITIVE)


class Hinting:
    """`hint`: knows how many steps were shown of each blank, and forgets it with the process."""

    def __init__(self):
        self._shown = Counter()

    def __call__(self, blank: Callable | str | dict) -> Hint:
        """A hint on a blank: the idea first; called again, the calls to use; then a skeleton.

        blank: the function, or the name of a blank. Using it costs nothing, and is told to nobody.
        Raises KeyholeError for what is no blank.
        """
        name = FACT if isinstance(blank, dict) else blank
        name = name if isinstance(name, str) else name_of_function(name)
        if hinted(name) is None:
            known = listed(hinted_blanks())
            raise KeyholeError(problem("no_hint", function=one_line(name, 60), known=known))
        self._shown[name] = min(self._shown[name] + 1, len(STEPS))
        return Hint(name, self._shown[name])


hint = Hinting()
