"""The oracle of causal tracing: what every graded function of 2_locate.ipynb should give, and whole maps, exactly and fast.

The textbook way runs the whole model once for every cell of the map. Here one sweep over the layers carries all cells of a token
along: a cell joins the batch where its restoring begins, with states taken from the corrupted run, so nothing before is computed
again; and only tokens from the restored one on are carried, since causal attention leaves those to its left as they were: their
attention keys and values come from the corrupted run. In the last block only the last token goes through the MLP.
"""

from contextlib import ExitStack
from dataclasses import dataclass

import torch

from keyhole.hooks import edit, record
from keyhole.tracing import CausalMap, check_cells, check_request, subject_noise, zero_noise

TOKENS_AT_ONCE = 2048  # rows of a matrix product: enough for full speed, and it bounds the memory


def corrupt(embeddings, subject, noise):
    """The embeddings (T, d) once a sample, with noise (n, |subject|, d) added at the subject's tokens: (n, T, d), float64."""
    where = torch.zeros(len(embeddings), noise.shape[1], dtype=torch.float64)
    where[range(*subject.indices(len(embeddings))), range(noise.shape[1])] = 1
    return embeddings.double()[None] + torch.einsum("ts,nsd->ntd", where, noise.double())


def restore(hidden, clean, position):
    """hidden (n, T, d) with the state of one token replaced by that of clean (T, d), in every sample: (n, T, d), float64."""
    here = torch.zeros(len(clean), 1, dtype=torch.float64)
    here[position] = 1
    return hidden.double() * (1 - here) + clean.double() * here


def indirect_effect(restored, corrupted):
    """The mean over samples of restored minus corrupted probabilities, (n,) each: a float64 scalar. (ROME, section 2.1)"""
    return (restored.double() - corrupted.double()).sum() / len(restored)


def trace(model, prompt, subject, noise, positions, layers, kind="state", window=10):
    """The mean probability of the clean answer with one token's state, or a window of its MLP or attention outputs, restored:
    (len(positions), len(layers)), float64. (ROME, section 2.1 and appendix B)"""
    return Sweep(model, prompt, subject, noise).values(positions, layers, kind, window)


def causal_map(
    model,
    prompt,
    subject,
    kind="state",
    window=10,
    corruption="noise",
    noise=None,
    sweep=None,
    relation="",
    progress=iter,
):
    """A whole map, all tokens by all layers: CausalMap. `sweep` may be given where several maps of one prompt are wanted."""
    if sweep is None:
        made = (
            noise
            if noise is not None
            else (
                zero_noise(model, prompt, subject)
                if corruption == "zero"
                else subject_noise(model, prompt, subject)
            )
        )
        sweep = Sweep(model, prompt, subject, made)
    tokens = model.encode([prompt])[0]
    values = sweep.values(range(len(tokens)), range(model.n_layers), kind, window, progress)
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


def window_of(layer, window, n_layers):
    """The layers [start, stop) that a window centred on `layer` covers: window // 2 before it, the rest from it on, clipped.

    As in the authors' code: a window of 10 at layer 12 covers 7 to 16.
    """
    return max(0, layer - window // 2), min(n_layers, layer + window - window // 2)


@dataclass
class _Run:
    """One run of the model on (n, T) tokens: the inputs of every block and the final states, the outputs of every attention and
    MLP, and every layer's attention keys and values."""

    states: list  # L + 1 tensors (n, T, d)
    attention: list  # L tensors (n, T, d)
    mlp: list
    keys: list  # L tensors (n, heads, T, d_head)
    values: list


class _Left:
    """Stands in for a cache: puts the keys and values of the tokens to the left before those just computed."""

    def __init__(self, keys, values, rows):
        # Row r of the batch is sample r % n.
        self._keys, self._values = keys[rows], values[rows]

    def update(self, keys, values, *_, **__):
        return torch.cat([self._keys, keys], dim=2), torch.cat([self._values, values], dim=2)


class Sweep:
    """A prompt run clean and corrupted, ready for maps of any kind.

    noise: (n, subject tokens, d); `span` are the tokens that it covers, the subject's unless given. Raises KeyholeError where the
    request makes no sense.
    """

    @torch.no_grad()
    def __init__(self, model, prompt, subject, noise, span=None):
        self.model, self.noise = model, noise
        self.span = check_request(model, prompt, subject, noise) if span is None else span
        ids = torch.tensor(model.encode([prompt]), device=model.device)
        self.length = ids.shape[1]

        def corrupted(embeddings):
            changed = embeddings.clone()
            changed[:, self.span] += noise.to(changed)
            return changed

        self.clean = self._run(ids)
        with edit(model.embedding, corrupted):
            self.corrupted = self._run(ids.expand(len(noise), -1))
        clean = self._distribution(self.clean.states[-1][:, -1])[0]
        self.answer = int(clean.argmax())
        self.clean_probability = float(clean[self.answer])
        corrupted = self._distribution(self.corrupted.states[-1][:, -1]).mean(0)
        self.corrupted_answer, self.corrupted_probability = (
            int(corrupted.argmax()),
            float(corrupted[self.answer]),
        )
        call = model.run_below(ids, 0)[1]
        self._rotary = call.get(
            "position_embeddings"
        )  # Llama's; GPT-2 has its positions in the states

    def _run(self, ids):
        model = self.model
        with ExitStack() as stack:
            blocks, attentions, mlps = (
                [stack.enter_context(record(part(layer))) for layer in range(model.n_layers)]
                for part in (model.block, model.attention, model.mlp)
            )
            cache = model.hf.base_model(ids, use_cache=True).past_key_values
        return _Run(
            [seen.input for seen in blocks] + [blocks[-1].output],
            [seen.output for seen in attentions],
            [seen.output for seen in mlps],
            [layer.keys for layer in cache.layers],
            [layer.values for layer in cache.layers],
        )

    def _distribution(self, states):
        return self.model.logits(states).double().softmax(-1)

    def _probabilities(self, states):
        """Of the clean answer, for final states (N, d) of last tokens."""
        found = []
        for part in states.split(128):
            logits = self.model.logits(part)
            found.append((logits[:, self.answer] - logits.logsumexp(-1)).double().exp())
        return torch.cat(found)

    @torch.no_grad()
    def values(self, positions, layers, kind="state", window=10, progress=iter, bounds=window_of):
        """The map's cells for some tokens and layers, in the order asked for: (len(positions), len(layers)), float64.

        `bounds` says which layers [start, stop) a window covers.
        """
        positions, layers = list(positions), list(layers)
        check_cells(positions, layers, self.length, self.model.n_layers, kind, window)
        windows = {
            layer: bounds(layer, window, self.model.n_layers) for layer in sorted(set(layers))
        }
        rows = (
            {
                position: self._row(position, windows, kind)
                for position in progress(sorted(set(positions)))
            }
            if layers
            else {}
        )
        values = [rows[position][layer] for position in positions for layer in layers]
        return torch.tensor(values, dtype=torch.float64).reshape(len(positions), len(layers))

    def _row(self, position, windows, kind):
        """{layer: value} of one token; `windows` {layer: (start, stop)}."""
        if position < self.span.start:  # nothing to its left was corrupted, so it was not either
            return dict.fromkeys(windows, self.corrupted_probability)
        start, left = position, self.corrupted
        if (
            kind == "state" and position == self.span.start
        ):  # nothing that it reads is corrupted: once restored it stays clean
            if position == self.length - 1:
                return dict.fromkeys(windows, self.clean_probability)
            start, left = position + 1, self.clean
        samples, last = len(self.noise), self.model.n_layers
        # A state joins after its own layer, and is held in none.
        bounds = {
            layer: (layer + 1, layer + 1) if kind == "state" else window
            for layer, window in windows.items()
        }
        found = {
            layer: self.corrupted_probability
            for layer, (first, stop) in bounds.items()
            if kind != "state" and first >= stop
        }
        bounds = {layer: bound for layer, bound in bounds.items() if layer not in found}
        cells, inside = (
            [],
            [],
        )  # of each branch of the batch: its cells, and whether it is within its window
        states = self.corrupted.states[0][:0, start:]
        for layer in range(last + 1):
            # Cells that shared a beginning part where the first of them leaves its window.
            for i in range(len(cells)):
                leaving = [cell for cell in cells[i] if inside[i] and bounds[cell][1] == layer]
                staying = [cell for cell in cells[i] if cell not in leaving]
                if leaving and staying:
                    cells.append(leaving)
                    inside.append(False)
                    cells[i] = staying
                    states = torch.cat([states, states[i * samples : (i + 1) * samples]])
                elif leaving:
                    inside[i] = False
            joining = [cell for cell, (first, _) in bounds.items() if first == layer]
            if joining:
                joined = self.corrupted.states[layer][:, start:].clone()
                if kind == "state" and start == position:
                    joined[:, 0] = self.clean.states[layer][0, position]
                cells.append(joining)
                inside.append(kind != "state")
                states = torch.cat([states, joined[:, -states.shape[1] :]])
            if layer < last and cells:
                held = torch.tensor(inside).repeat_interleave(samples).to(states.device)
                states = self._block(layer, states, start, left, position, kind, held)
        for cell, each in zip(cells, self._probabilities(states[:, -1]).split(samples)):
            found |= dict.fromkeys(cell, float(each.mean()))
        return found

    def _block(self, layer, states, start, left, position, kind, held):
        """All rows (branches x samples, T - start, d) through one block, `held` rows with their part restored; of the last block only the last token."""
        at_once = max(1, TOKENS_AT_ONCE // states.shape[1])
        parts = [
            self._piece(
                layer,
                piece,
                range(first, first + len(piece)),
                start,
                left,
                position,
                kind,
                held[first : first + len(piece)],
            )
            for first, piece in zip(range(0, len(states), at_once), states.split(at_once))
        ]
        return torch.cat(parts)

    def _piece(self, layer, states, numbers, start, left, position, kind, held):
        model, block = self.model, self.model.block(layer)
        before_attention, before_mlp = (
            (block.input_layernorm, block.post_attention_layernorm)
            if self._rotary
            else (block.ln_1, block.ln_2)
        )
        options = {}
        if self._rotary:
            options["position_embeddings"] = tuple(part[:, start:] for part in self._rotary)
        if start:
            rows = torch.tensor([number % len(left.keys[layer]) for number in numbers])
            options["past_key_values"] = _Left(
                left.keys[layer][:, :, :start], left.values[layer][:, :, :start], rows
            )
        count = states.shape[1]
        mask = torch.ones(count, self.length, dtype=torch.bool, device=states.device).tril(start)[
            None, None
        ]
        attended = model.attention(layer)(before_attention(states), attention_mask=mask, **options)[
            0
        ]
        if kind == "attention":
            attended[held, 0] = self.clean.attention[layer][0, position]
        if layer == model.n_layers - 1:  # from here on only the last token is asked for
            states, attended = states[:, -1:], attended[:, -1:]
        states = states + attended
        added = model.mlp(layer)(before_mlp(states))
        if kind == "mlp" and states.shape[1] == count:
            added[held, 0] = self.clean.mlp[layer][0, position]
        return states + added
