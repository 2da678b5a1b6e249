"""The oracle of causal tracing: what the functions of 2_locate.ipynb should give, and whole maps.

The textbook runs the whole model once for every cell of the map. Here one sweep over the layers
carries all cells of a token along, with the same result:

- A cell joins the batch where its restoring begins, with states taken from the corrupted run. So
  nothing below is computed again.
- Only tokens from the restored one on are carried. Causal attention leaves those to its left as
  they were, and their attention keys and values come from the corrupted run.
- Each block is the model's own, called as the model calls it: with its own mask and its own rotary
  embedding. So any family's sweep is exact, whatever its blocks do.
"""

from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from transformers.cache_utils import Cache, DynamicCache

from keyhole.editable import Call, EditableModel
from keyhole.hooks import edit, record
from keyhole.tracing import CausalMap, check_cells, check_request, subject_noise, zero_noise

# Rows of a matrix product: enough for a CPU's full speed, and it bounds the memory. A GPU has more
# of both, and each call of a block costs it as much as thousands of rows.
TOKENS_AT_ONCE, ON_A_GPU = 2048, 8

Window = tuple[int, int]  # the layers [start, stop)


def corrupt(embeddings: Tensor, subject: slice, noise: Tensor) -> Tensor:
    """The embeddings (T, d) once a sample, with noise (n, |subject|, d) added at the subject.

    The result is (n, T, d), float64.
    """
    device = embeddings.device
    where = torch.zeros(len(embeddings), noise.shape[1], dtype=torch.float64, device=device)
    where[range(*subject.indices(len(embeddings))), range(noise.shape[1])] = 1
    added = torch.einsum("ts,nsd->ntd", where, noise.double().to(device))
    return embeddings.double()[None] + added


def restore(hidden: Tensor, clean: Tensor, position: int) -> Tensor:
    """hidden (n, T, d) with one token's state replaced by that of clean (T, d), in every sample.

    The result is (n, T, d), float64.
    """
    here = torch.zeros(len(clean), 1, dtype=torch.float64, device=hidden.device)
    here[position] = 1
    return hidden.double() * (1 - here) + clean.double() * here


def indirect_effect(restored: Tensor, corrupted: Tensor) -> Tensor:
    """The mean over samples of restored minus corrupted probabilities, (n,) each. (ROME, 2.1)

    The result is a float64 scalar.
    """
    return (restored.double() - corrupted.double()).sum() / len(restored)


def trace(
    model: EditableModel,
    prompt: str,
    subject: str,
    noise: Tensor,
    positions: Iterable[int],
    layers: Iterable[int],
    kind: str = "state",
    window: int = 10,
) -> Tensor:
    """The mean probability of the clean answer with one part restored. (ROME, 2.1, appendix B)

    That part is one token's state, or a window of its MLP or attention outputs. The result is
    (len(positions), len(layers)), float64.
    """
    return Sweep(model, prompt, subject, noise).values(positions, layers, kind, window)


def causal_map(
    model: EditableModel,
    prompt: str,
    subject: str,
    kind: str = "state",
    window: int = 10,
    corruption: str = "noise",
    sweep: "Sweep | None" = None,
    relation: str = "",
) -> CausalMap:
    """A whole map, all tokens by all layers.

    `sweep` may be given where several maps of one prompt are wanted, or with noise of one's own.
    """
    if sweep is None:
        noise_of = zero_noise if corruption == "zero" else subject_noise
        sweep = Sweep(model, prompt, subject, noise_of(model, prompt, subject))
    tokens = model.encode([prompt])[0]
    values = sweep.values(range(len(tokens)), range(model.n_layers), kind, window)
    return CausalMap(
        prompt,
        subject,
        model.tokenizer.decode([sweep.answer]),
        tuple(model.tokenizer.decode([token]) for token in tokens),
        (sweep.span.start, sweep.span.stop),
        sweep.clean_probability,
        sweep.corrupted_probability,
        kind,
        1 if kind == "state" else window,
        corruption,
        values.float(),
        relation,
    )


def window_of(layer: int, window: int, n_layers: int) -> Window:
    """The layers that a window centred on `layer` covers, clipped to the model.

    window // 2 of them lie before `layer`, the rest from it on. As in the authors' code, a window
    of 10 at layer 12 covers 7 to 16.
    """
    return max(0, layer - window // 2), min(n_layers, layer + window - window // 2)


@dataclass
class _Run:
    """What one run of the model on (n, T) tokens computed."""

    states: list[Tensor]  # L + 1 of (n, T, d): the inputs of every block, and the final states
    attention: list[Tensor]  # L of (n, T, d): outputs
    mlp: list[Tensor]  # the same
    keys: list[Tensor]  # L of (n, heads, T, d_head): of the attention
    values: list[Tensor]  # the same


class _Left:
    """Stands in for a cache: puts the keys and values of the tokens to the left before new ones."""

    def __init__(self, keys: Tensor, values: Tensor, rows: Tensor):
        # Row r of the batch is sample r % n.
        self._keys, self._values = keys[rows], values[rows]

    def update(self, keys: Tensor, values: Tensor, *_, **__) -> tuple[Tensor, Tensor]:
        return torch.cat([self._keys, keys], dim=2), torch.cat([self._values, values], dim=2)


@dataclass(frozen=True)
class _Token:
    """The token that a row of the map restores, and from which token on states are carried."""

    position: int
    kind: str
    start: int
    left: _Run  # where the tokens to the left of `start` come from


@dataclass(frozen=True)
class TracedRow:
    """The cells of one token, by layer."""

    values: dict[int, float]  # the mean probability of the clean answer
    states: dict[int, Tensor]  # (n, d): the final states of the last token that it was read from


@dataclass
class _Branch:
    """Cells that have been the same so far, carried as one; `inside`: within their window."""

    cells: list[int]
    inside: bool


class Sweep:
    """A prompt run clean and corrupted, ready for maps of any kind.

    `noise` is (n, subject tokens, d). `span` are the tokens that it covers, the subject's unless
    given. Raises KeyholeError where the request makes no sense.
    """

    @torch.no_grad()
    def __init__(
        self,
        model: EditableModel,
        prompt: str,
        subject: str,
        noise: Tensor,
        span: slice | None = None,
    ):
        self.model, self.noise = model, noise
        self.span = check_request(model, prompt, subject, noise) if span is None else span
        ids = torch.tensor(model.encode([prompt]), device=model.device)
        self.length = ids.shape[1]

        def with_noise(embeddings: Tensor) -> Tensor:
            changed = embeddings.clone()
            changed[:, self.span] += noise.to(changed)
            return changed

        self.clean = self._run(ids)
        with edit(model.embedding, with_noise):
            self.corrupted = self._run(ids.expand(len(noise), -1))
        clean = self.distribution(self.clean.states[-1][:, -1])
        self.answer = int(clean.argmax())
        self.clean_probability = float(clean[self.answer])
        corrupted = self.distribution(self.corrupted.states[-1][:, -1])
        self.corrupted_answer = int(corrupted.argmax())
        self.corrupted_probability = float(corrupted[self.answer])
        self._ids = ids
        self._calls: dict[int, list[Call]] = {}  # by the first token that is carried
        self._share = ON_A_GPU if model.device.type == "cuda" else 1

    def _run(self, ids: Tensor) -> _Run:
        model = self.model
        with ExitStack() as stack:
            blocks, attentions, mlps = (
                [stack.enter_context(record(part(layer))) for layer in range(model.n_layers)]
                for part in (model.block, model.attention, model.mlp)
            )
            # One that keeps all keys and values, also where a layer looks back a window only.
            options = {"use_cache": True, "past_key_values": DynamicCache()}
            cache = model.hf.base_model(ids, **options).past_key_values
        return _Run(
            [seen.input for seen in blocks] + [blocks[-1].output],
            [seen.output for seen in attentions],
            [seen.output for seen in mlps],
            [layer.keys for layer in cache.layers],
            [layer.values for layer in cache.layers],
        )

    @torch.no_grad()
    def distribution(self, states: Tensor) -> Tensor:
        """What comes after a last token with final states (n, d): the mean, (V,), float64."""
        return self.model.logits(states).double().softmax(-1).mean(0)

    def _probabilities(self, states: Tensor) -> Tensor:
        """The clean answer's, for final states (N, d) of last tokens: (N,), float64."""
        parts = []
        for part in states.split(128 * self._share):
            logits = self.model.logits(part)
            parts.append((logits[:, self.answer] - logits.logsumexp(-1)).double().exp())
        return torch.cat(parts)

    def values(
        self, positions: Iterable[int], layers: Iterable[int], kind: str = "state", window: int = 10
    ) -> Tensor:
        """The map's cells for some tokens and layers, in the order asked for.

        The result is (len(positions), len(layers)), float64.
        """
        positions, layers = list(positions), list(layers)
        check_cells(positions, layers, self.length, self.model.n_layers, kind, window)
        asked = sorted(set(positions)) if layers else []
        rows = {position: self.row(position, layers, kind, window) for position in asked}
        values = [rows[position].values[layer] for position in positions for layer in layers]
        return torch.tensor(values, dtype=torch.float64).reshape(len(positions), len(layers))

    @torch.no_grad()
    def row(
        self, position: int, layers: Iterable[int], kind: str = "state", window: int = 10
    ) -> TracedRow:
        """The map's cells for one token; the arguments are those of `values`."""
        layers = sorted(set(layers))
        check_cells([position], layers, self.length, self.model.n_layers, kind, window)
        windows = {layer: window_of(layer, window, self.model.n_layers) for layer in layers}
        everywhere = self._same_in_all_layers(position, kind)
        if everywhere is not None:
            value, run = everywhere
            final = run.states[-1][:, -1]
            return TracedRow(dict.fromkeys(windows, value), dict.fromkeys(windows, final))
        return self._swept(position, windows, kind)

    def _swept(self, position: int, windows: dict[int, Window], kind: str) -> TracedRow:
        """The row of one token by a sweep over the layers; `windows` is {layer: its window}."""
        token, last = self._token(position, kind), self.model.n_layers
        if kind == "state":  # a state joins after its own layer, and is held in none
            windows = {layer: (layer + 1, layer + 1) for layer in windows}
        empty = [
            layer for layer, (first, stop) in windows.items() if kind != "state" and first >= stop
        ]
        values = dict.fromkeys(empty, self.corrupted_probability)
        finals = dict.fromkeys(empty, self.corrupted.states[-1][:, -1])
        windows = {layer: window for layer, window in windows.items() if layer not in values}
        branches: list[_Branch] = []
        states = self.corrupted.states[0][:0, token.start :]
        for layer in range(last + 1):
            states = self._parted(layer, states, branches, windows)
            joining = [cell for cell, (first, _) in windows.items() if first == layer]
            if joining:
                branches.append(_Branch(joining, inside=kind != "state"))
                states = torch.cat([states, self._joined(layer, token)[:, -states.shape[1] :]])
            if layer < last and branches:
                states = self._block(layer, states, token, self._held(token, branches))
        final = states[:, -1].clone()  # a view would keep the states of all tokens
        # All at once: each number fetched from a GPU waits until it has done everything.
        probabilities = self._probabilities(final).cpu().split(len(self.noise))
        for branch, own, probability in zip(branches, final.split(len(self.noise)), probabilities):
            values |= dict.fromkeys(branch.cells, float(probability.mean()))
            finals |= dict.fromkeys(branch.cells, own)
        return TracedRow(values, finals)

    def _same_in_all_layers(self, position: int, kind: str) -> tuple[float, _Run] | None:
        """The value of a row whose cells are all the same, and the run it is from; else None."""
        if position < self.span.start:  # nothing to its left was corrupted, so it was not either
            return self.corrupted_probability, self.corrupted
        if kind == "state" and position == self.span.start == self.length - 1:
            return self.clean_probability, self.clean
        return None

    def _token(self, position: int, kind: str) -> _Token:
        if kind == "state" and position == self.span.start:
            # Nothing that it reads is corrupted: once restored, it stays clean.
            return _Token(position, kind, position + 1, self.clean)
        return _Token(position, kind, position, self.corrupted)

    def _parted(
        self, layer: int, states: Tensor, branches: list[_Branch], windows: dict[int, Window]
    ) -> Tensor:
        """The states, once cells that shared a beginning part where the first leaves its window."""
        samples = len(self.noise)
        for number, branch in enumerate(list(branches)):
            leaving = [cell for cell in branch.cells if branch.inside and windows[cell][1] == layer]
            staying = [cell for cell in branch.cells if cell not in leaving]
            if leaving and staying:
                branches.append(_Branch(leaving, inside=False))
                branch.cells = staying
                own = states[number * samples : (number + 1) * samples]
                states = torch.cat([states, own])
            elif leaving:
                branch.inside = False
        return states

    def _joined(self, layer: int, token: _Token) -> Tensor:
        """The states of cells that join the batch before this layer: (n, T - start, d)."""
        joined = self.corrupted.states[layer][:, token.start :].clone()
        if token.kind == "state" and token.start == token.position:
            joined[:, 0] = self.clean.states[layer][0, token.position]
        return joined

    def _held(self, token: _Token, branches: list[_Branch]) -> Tensor | None:
        """Which rows of the batch get their part restored now: (N,) bool, or None for no row."""
        inside = [branch.inside for branch in branches]
        if token.kind == "state" or not any(inside):
            return None
        held = torch.tensor(inside)
        if self.model.device.type == "cuda":
            held = held.pin_memory()  # only then is the GPU not waited for
        held = held.to(self.model.device, non_blocking=True)
        return held.repeat_interleave(len(self.noise))

    def _block(self, layer: int, states: Tensor, token: _Token, held: Tensor | None) -> Tensor:
        """All rows (branches x samples, T - start, d) through one block.

        The `held` rows get their part restored.
        """
        at_once = max(1, TOKENS_AT_ONCE * self._share // states.shape[1])
        parts = [
            self._piece(layer, states[first : first + at_once], token, held, first)
            for first in range(0, len(states), at_once)
        ]
        return torch.cat(parts)

    def _piece(
        self, layer: int, states: Tensor, token: _Token, held: Tensor | None, first: int
    ) -> Tensor:
        """Rows of the batch, from number `first` on, through one block."""
        args, kwargs = self._calls_from(token.start)[layer]
        left = self._left_of(layer, token, range(first, first + len(states)))

        def own(value: Any) -> Any:
            return left if isinstance(value, Cache) else value

        def put(output: Tensor) -> Tensor:
            clean = getattr(self.clean, token.kind)[layer][0, token.position]
            here = held[first : first + len(states), None]
            first_token = torch.where(here, clean, output[:, 0])
            return torch.cat([first_token[:, None], output[:, 1:]], dim=1)

        with ExitStack() as stack:
            # Asking a GPU whether any is held would wait for it.
            if held is not None and (held.is_cuda or held[first : first + len(states)].any()):
                part = {"attention": self.model.attention, "mlp": self.model.mlp}[token.kind]
                stack.enter_context(edit(part(layer), put))
            others = [own(value) for value in args[1:]]
            named = {name: own(value) for name, value in kwargs.items()}
            return self.model.block(layer)(states, *others, **named)

    def _calls_from(self, start: int) -> list[Call]:
        """How the model calls its blocks for the tokens from `start` on, having read the others."""
        if start not in self._calls:
            options: dict[str, Any] = {}
            if start:
                cache = DynamicCache()
                for layer in range(self.model.n_layers):
                    keys, values = self.clean.keys[layer], self.clean.values[layer]
                    cache.update(keys[:, :, :start], values[:, :, :start], layer)
                options = {"use_cache": True, "past_key_values": cache}
            self._calls = {start: self.model.calls_from(self._ids[:, start:], 0, **options)}
        return self._calls[start]

    def _left_of(self, layer: int, token: _Token, numbers: range) -> "_Left | None":
        """The keys and values to the left of the carried tokens, for rows with these numbers."""
        if not token.start:
            return None
        keys, values = token.left.keys[layer], token.left.values[layer]
        rows = torch.arange(numbers.start, numbers.stop, device=keys.device) % len(keys)
        return _Left(keys[:, :, : token.start], values[:, :, : token.start], rows)
