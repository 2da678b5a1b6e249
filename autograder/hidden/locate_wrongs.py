"""Wrong results for the functions of 2_locate.ipynb: {misconception: what it gives}, in float64.

A wrong result that happens to equal the right one is left out: a window that fits at the model's
edge, say, or a layer that is asked for alone.
"""

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from functools import cached_property, partial
from itertools import chain, product

import torch
from torch import Tensor

from autograder.oracle import tracing
from keyhole.checking.judging import told_apart
from keyhole.hooks import edit, record
from keyhole.models import EditableModel

# A map is judged by its effects. They are a tenth of its probabilities or less, and float32 rounds
# the probabilities at 1e-7.
EFFECT_TOLERANCE = 1e-3

Results = dict[str, Tensor]
Window = tuple[int, int]  # the layers [start, stop)
Cell = tuple[int, Window]  # a token, and the layers in which it is restored


def corrupt(embeddings: Tensor, subject: slice, noise: Tensor) -> Results:
    """Wrong corruptions: at other tokens, or with other noise."""
    embeddings, noise = embeddings.double(), noise.double()
    count, width = len(embeddings), subject.stop - subject.start

    def added(start: int, noise: Tensor) -> Tensor:
        corrupted = embeddings.repeat(len(noise), 1, 1)
        corrupted[:, start : start + noise.shape[1]] += noise
        return corrupted

    replaced = embeddings.repeat(len(noise), 1, 1)
    replaced[:, subject] = noise
    right = added(subject.start, noise)
    wrongs = {
        "noise_at_beginning": added(0, noise),
        "noise_at_end": added(count - width, noise),
        "noise_only_first_token": added(subject.start, noise[:, :1]),
        "noise_only_last_token": added(subject.stop - 1, noise[:, -1:]),
        "noise_replaces": replaced,
        "noise_subtracted": added(subject.start, -noise),
        "noise_of_first_sample": added(subject.start, noise[:1].expand_as(noise)),
        "noise_averaged": added(subject.start, noise.mean(0, keepdim=True).expand_as(noise)),
        "noise_same_for_tokens": added(subject.start, noise[:, :1].expand_as(noise)),
        "nothing_corrupted": embeddings.repeat(len(noise), 1, 1),
    }
    if len(noise) > 1:
        wrongs |= {"noise_summed": right.sum(0), "noise_one_sample": right[0]}
    else:  # to sum, to take the first and to squeeze all give the one sample without its dimension
        wrongs["samples_squeezed"] = right[0]
    if subject.start > 0:
        wrongs["noise_before_subject"] = added(subject.start - 1, noise)
    if subject.stop < count:
        wrongs["noise_after_subject"] = added(subject.start + 1, noise)
    return told_apart(wrongs, tracing.corrupt(embeddings, subject, noise), embeddings)


def restore(hidden: Tensor, clean: Tensor, position: int) -> Results:
    """Wrong restorings: of other tokens, of some samples only, or of something else."""
    hidden, clean = hidden.double(), clean.double()
    after = (position + 1) % len(clean)

    def put(place: int | slice, value: Tensor, samples: int | slice = slice(None)) -> Tensor:
        restored = hidden.clone()
        restored[samples, place] = value
        return restored

    wrongs = {
        "restored_first_sample": put(position, clean[position], 0),
        "restored_everything": clean.expand_as(hidden),
        "restored_nothing": hidden,
        "restored_added": put(position, hidden[:, position] + clean[position]),
        "restored_before": put(position - 1, clean[position - 1]),
        "restored_after": put(after, clean[after]),
        "restored_up_to": put(slice(position + 1), clean[: position + 1]),
        "restored_from": put(slice(position, None), clean[position:]),
        "restored_other_row": put(position, clean[0]),
        "restored_last_row": put(position, clean[-1]),
    }
    if position < len(hidden):
        sample = hidden.clone()
        sample[position] = clean[position]
        wrongs["restored_sample_for_token"] = sample
    return told_apart(wrongs, tracing.restore(hidden, clean, position), hidden)


def indirect_effect(restored: Tensor, corrupted: Tensor) -> Results:
    """Wrong effects: without the baseline, the wrong way round, or no mean of differences."""
    a, b = restored.double(), corrupted.double()
    right = tracing.indirect_effect(a, b)
    wrongs = {
        "baseline_not_subtracted": a.mean(),
        "effect_reversed": -right,
        "effect_summed": (a - b).sum(),
        "effect_as_ratio": a.mean() / b.mean(),
        "effect_relative": right / b.mean(),
        "effect_in_percent": 100 * right,
        "effect_absolute": (a - b).abs().mean(),
        "effect_of_first_sample": a[0] - b[0],
        "effect_of_last_sample": a[-1] - b[-1],
        "effect_of_best_sample": a.max() - b.max(),
        "effect_in_logs": a.log().mean() - b.log().mean(),
        "effect_of_median": a.median() - b.median(),
        "effect_per_sample": a - b,
        "effect_cut_at_zero": right.clamp(min=0),
    }
    for decimals in (1, 2, 3, 4):
        rounded = right.round(decimals=decimals)
        if rounded:  # zero is not made by rounding alone
            wrongs[f"effect_rounded:{decimals}"] = rounded
    return told_apart(wrongs, right)


# ---------------------------------------------------------------- windows


def _around(before: Callable[[int], int], after: Callable[[int], int]) -> Callable[..., Window]:
    """A window clipped to the model, as (layer, window, n_layers) -> (start, stop).

    It goes from `before(window)` layers below `layer` to `after(window)` layers above it.
    """

    def bounds(layer: int, window: int, n_layers: int) -> Window:
        return max(0, layer - before(window)), min(n_layers, layer + after(window) + 1)

    return bounds


def _pushed_in(layer: int, window: int, n_layers: int) -> Window:
    start = min(max(0, layer - window // 2), max(0, n_layers - window))
    return start, min(n_layers, start + window)


def _dropped_at_edges(layer: int, window: int, n_layers: int) -> Window:
    start, stop = _unclipped(layer, window)
    return (start, stop) if start >= 0 and stop <= n_layers else (0, 0)


def _unclipped(layer: int, window: int) -> Window:
    return layer - window // 2, layer + window - window // 2


WINDOWS = {
    "window_ignored": _around(lambda window: 0, lambda window: 0),
    "window_upward": _around(lambda window: 0, lambda window: window - 1),
    "window_downward": _around(lambda window: window - 1, lambda window: 0),
    "window_mirrored": _around(lambda window: (window - 1) // 2, lambda window: window // 2),
    "window_one_short": _around(lambda window: window // 2, lambda window: (window - 1) // 2 - 1),
    "window_one_long": _around(lambda window: window // 2, lambda window: (window + 1) // 2),
    "window_both_ways": _around(lambda window: window, lambda window: window),
    "window_pushed_in": _pushed_in,
    "window_dropped_at_edges": _dropped_at_edges,
    "window_of_all": lambda layer, window, n_layers: (0, n_layers),
}


# ---------------------------------------------------------------- the textbook loop


@dataclass(frozen=True)
class Twist:
    """What a loop over the cells does otherwise than the textbook's; a field is one difference."""

    late: bool = False  # the noise comes after the first block
    piles_up: bool = False  # what earlier cells restored stays restored
    of_corrupted: bool = False  # what is put back is the corrupted run's, its first sample's
    bound_late: bool = False  # every part gets the states of the window's last one
    added: bool = False  # what is put back is added to what is there
    place: Callable[[int], int | slice] = lambda position: position  # the tokens restored


@dataclass(frozen=True)
class Loop:
    """The textbook way to a map: for every cell, one run of the whole model.

    The runs of all cells are made as one batch. `parts` are the modules that it restores, one a
    layer; `noise` (n, subject tokens, d) is added at the tokens `span`.
    """

    model: EditableModel
    prompt: str
    span: slice
    noise: Tensor
    parts: Sequence[torch.nn.Module]

    def _run(self, rows: int) -> Tensor:
        """The last token's logits in so many rows: (rows, V)."""
        ids = torch.tensor(self.model.encode([self.prompt]))
        return self.model.hf(ids.expand(rows, -1), logits_to_keep=1).logits[:, -1].double()

    @torch.no_grad()
    def _recorded(self, samples: int) -> tuple[Tensor, list[Tensor]]:
        """The last token's logits (samples, V), and of every part its first sample's states."""
        with ExitStack() as stack:
            parts = [stack.enter_context(record(part)) for part in self.parts]
            logits = self._run(samples)
        return logits, [seen.output[0] for seen in parts]

    @cached_property
    def clean(self) -> tuple[Tensor, list[Tensor]]:
        """The run without noise: logits (1, V), and of every part the states (T, d)."""
        return self._recorded(1)

    @cached_property
    def corrupted(self) -> tuple[Tensor, list[Tensor]]:
        """The run with noise: logits (n, V), and of every part the first sample's states (T, d)."""
        with self._with_noise():
            return self._recorded(len(self.noise))

    def covering(self, span: slice, noise: Tensor) -> "Loop":
        """The same with this noise on these tokens."""
        other = replace(self, span=span, noise=noise)
        vars(other)["clean"] = self.clean
        return other

    def _with_noise(self, cells: int = 1, late: bool = False):
        """The model with noise in all samples of so many cells, as long as this context lasts."""
        noise = self.noise.repeat(cells, 1, 1)

        def added(embeddings: Tensor) -> Tensor:
            changed = embeddings.clone()
            changed[:, self.span] += noise
            return changed

        return edit(self.model.block(0) if late else self.model.embedding, added)

    @torch.no_grad()
    def cells(self, cells: Sequence[Cell], twist: Twist = Twist()) -> Tensor:
        """The last token's logits of cells: (cells, n, V).

        Past an end of the model a window goes on at the other.
        """
        stored, samples = (self.corrupted if twist.of_corrupted else self.clean)[1], len(self.noise)
        restored = defaultdict(list)  # of every part: rows, tokens and what they get
        for number, (position, (start, stop)) in enumerate(cells):
            last = len(cells) if twist.piles_up else number + 1
            rows, place = slice(number * samples, last * samples), twist.place(position)
            for layer in range(start, stop):
                states = stored[((stop - 1) if twist.bound_late else layer) % len(stored)]
                restored[layer % len(stored)].append((rows, place, states[place]))

        def put(output: Tensor, into: Sequence[tuple[slice, int | slice, Tensor]]) -> Tensor:
            changed = output.clone()
            for rows, place, states in into:
                changed[rows, place] = states + twist.added * changed[rows, place]
            return changed

        with self._with_noise(len(cells), twist.late), ExitStack() as stack:
            for part, into in restored.items():
                stack.enter_context(edit(self.parts[part], partial(put, into=into)))
            logits = self._run(len(cells) * samples)
        return logits.reshape(len(cells), samples, -1)


# ---------------------------------------------------------------- wrong maps


@dataclass(frozen=True)
class AskedMap:
    """The map that `trace` is asked for, and ways to make maps like it."""

    model: EditableModel
    prompt: str
    subject: str
    noise: Tensor
    positions: Sequence[int]
    layers: Sequence[int]
    kind: str
    window: int

    @cached_property
    def span(self) -> slice:
        return self.model.subject_slice(self.prompt, self.subject)

    @cached_property
    def sweep(self) -> tracing.Sweep:
        return tracing.Sweep(self.model, self.prompt, self.subject, self.noise)

    @cached_property
    def right(self) -> Tensor:
        return self.swept()

    @cached_property
    def loop(self) -> Loop:
        part = {"state": self.model.block, "mlp": self.model.mlp}.get(
            self.kind, self.model.attention
        )
        parts = [part(layer) for layer in range(self.model.n_layers)]
        return Loop(self.model, self.prompt, self.span, self.noise, parts)

    @property
    def answer(self) -> Tensor:
        """The clean run's answer, a token id."""
        return self.loop.clean[0][0].argmax()

    @property
    def corrupted(self) -> Tensor:
        """The corrupted run's probabilities: (n, V)."""
        return self.loop.corrupted[0].softmax(-1)

    @cached_property
    def logits(self) -> Tensor:
        """The last token's logits of all cells, rightly made: (positions, layers, n, V)."""
        return self._shaped(self.loop.cells(self._cells(self.window_of)))

    @property
    def samples(self) -> Tensor:
        """The clean answer's probability in each sample of each cell: (positions, layers, n)."""
        return self.logits.softmax(-1)[..., self.answer]

    def of_states(self) -> "AskedMap":
        """The same with the whole blocks in the place of their MLP or attention outputs."""
        other = replace(self)
        blocks = [self.model.block(layer) for layer in range(self.model.n_layers)]
        vars(other)["loop"] = Loop(self.model, self.prompt, self.span, self.noise, blocks)
        return other

    def window_of(self, layer: int) -> Window:
        """The layers that the cell of `layer` restores."""
        if self.kind == "state":
            return layer, layer + 1
        return tracing.window_of(layer, self.window, self.model.n_layers)

    def swept(self, sweep: tracing.Sweep | None = None, **changes: object) -> Tensor:
        """The map by the oracle's sweep, with some arguments of `Sweep.values` changed."""
        arguments = {"positions": self.positions, "layers": self.layers, "kind": self.kind}
        return (sweep or self.sweep).values(**arguments | {"window": self.window} | changes)

    def covering(self, start: int, stop: int, noise: Tensor | None = None) -> Tensor:
        """The map with the noise, or another, on the tokens [start, stop)."""
        noise = self.noise if noise is None else noise
        return self.looped(loop=self.loop.covering(slice(start, stop), noise))

    def looped(
        self,
        twist: Twist = Twist(),
        windows: Callable[[int], Window] | None = None,
        loop: Loop | None = None,
    ) -> Tensor:
        """The map by a loop with a twist, or with other windows, or by another loop."""
        cells = self._cells(windows or self.window_of)
        return self.mean(self._shaped((loop or self.loop).cells(cells, twist)))

    def looped_each(self, windows: Mapping[str, Callable[[int], Window]]) -> Results:
        """The maps with each of these windows, by one loop: a cell that several share runs once."""
        asked = {name: self._cells(each) for name, each in windows.items()}
        cells = list(dict.fromkeys(chain.from_iterable(asked.values())))
        values = dict(zip(cells, self.mean(self.loop.cells(cells))))
        return {
            name: self._shaped(torch.stack([values[cell] for cell in each]))
            for name, each in asked.items()
        }

    def _cells(self, windows: Callable[[int], Window]) -> list[Cell]:
        return [(each, windows(layer)) for each, layer in product(self.positions, self.layers)]

    def _shaped(self, cells: Tensor) -> Tensor:
        """What there is of every cell, (P L, ...), as (P, L, ...)."""
        return cells.unflatten(0, (len(self.positions), len(self.layers)))

    def mean(self, logits: Tensor) -> Tensor:
        """The answer's mean probability over the samples, for logits (..., n, V)."""
        return logits.softmax(-1).mean(-2)[..., self.answer]


def trace(
    model: EditableModel,
    prompt: str,
    subject: str,
    noise: Tensor,
    positions: Sequence[int],
    layers: Sequence[int],
    kind: str = "state",
    window: int = 10,
) -> Results:
    """Wrong maps; `model` and `noise` in float64."""
    asked = AskedMap(model, prompt, subject, noise, positions, layers, kind, window)
    wrongs = (
        _wrong_noise(asked)
        | _wrong_restoring(asked)
        | _wrong_cells(asked)
        | _wrong_places(asked)
        | _wrong_tokens(asked)
        | (_wrong_layers(asked) if kind == "state" else _wrong_windows(asked))
    )
    origin = asked.sweep.corrupted_probability if noise.any() else 0
    return told_apart(wrongs, asked.right, origin, EFFECT_TOLERANCE)


def _wrong_noise(asked: AskedMap) -> Results:
    """Maps of a run that is corrupted otherwise."""
    noise, span = asked.noise, asked.span
    embeddings = asked.model.embedding(torch.tensor(asked.model.encode([asked.prompt])[0]))
    return {
        "noise_at_last_subject_token": asked.covering(span.stop - 1, span.stop, noise[:, -1:]),
        "noise_at_first_subject_token": asked.covering(span.start, span.start + 1, noise[:, :1]),
        "noise_after_first_block": asked.looped(Twist(late=True)),
        "noise_replaces": asked.covering(span.start, span.stop, noise - embeddings[span]),
        "noise_subtracted": asked.covering(span.start, span.stop, -noise),
        "other_noise": asked.covering(span.start, span.stop, 3 * noise),
    }


def _wrong_restoring(asked: AskedMap) -> Results:
    """Maps whose cells restore something else."""
    samples = asked.samples
    first_sample = samples[..., 0]
    corrupted_ones = asked.corrupted[1:, asked.answer].sum()

    def beside(step: int) -> Tensor:
        positions = [(position + step) % asked.sweep.length for position in asked.positions]
        return asked.swept(positions=positions)

    return {
        "trace_of_first_sample": first_sample,
        **{
            f"trace_of_some_samples:{count}": samples[..., :count].mean(-1)
            for count in range(2, len(asked.noise))
        },
        "cell_per_sample": samples,
        "restored_first_sample": (first_sample + corrupted_ones) / len(asked.noise),
        "restored_added": asked.looped(Twist(added=True)),
        "restored_before": beside(-1),
        "restored_after": beside(1),
        "restored_up_to": asked.looped(Twist(place=lambda position: slice(position + 1))),
        "restored_from": asked.looped(Twist(place=lambda position: slice(position, None))),
        "restorings_pile_up": asked.looped(Twist(piles_up=True)),
    }


def _wrong_cells(asked: AskedMap) -> Results:
    """Maps whose runs are right, and whose cells are not."""
    right, answer, samples = asked.right, asked.answer, asked.logits.softmax(-1)
    return {
        "softmax_after_mean": asked.logits.mean(-2).softmax(-1)[..., answer],
        "softmax_after_mean:of_logs": samples[..., answer].log().mean(-1).exp(),
        "cells_summed": samples[..., answer].sum(-1),
        "cells_of_median": samples[..., answer].median(-1).values,
        "cells_of_best_sample": samples[..., answer].max(-1).values,
        "cells_in_percent": 100 * right,
        "cells_in_logs": samples[..., answer].log().mean(-1),
        "answer_of_corrupted_run": samples.mean(-2)[..., asked.corrupted.mean(0).argmax()],
        "answer_of_each_run": samples.mean(-2).max(-1).values,
        "corrupted_subtracted": right - asked.sweep.corrupted_probability,
        "nothing_restored": torch.full_like(right, asked.sweep.corrupted_probability),
    }


def _wrong_places(asked: AskedMap) -> Results:
    """Right cells in wrong places, and rounded ones."""
    right = asked.right
    wrongs = {
        "positions_sorted": asked.swept(positions=sorted(asked.positions)),
        "layers_sorted": asked.swept(layers=sorted(asked.layers)),
        "index_for_position": asked.swept(positions=range(len(asked.positions))),
        "index_for_layer": asked.swept(layers=range(len(asked.layers))),
        "map_transposed": right.T,
    }
    for decimals in (1, 2, 3):
        rounded = right.round(decimals=decimals)
        if rounded.any():  # a map of zeros was not made by rounding
            wrongs[f"cells_rounded:{decimals}"] = rounded
    return wrongs


def _wrong_tokens(asked: AskedMap) -> Results:
    """Maps that this prompt and these samples allow: noise at other tokens, corrupted states."""
    span, width, length = asked.span, asked.noise.shape[1], asked.sweep.length
    letter = asked.prompt.index(asked.subject)
    wrongs = {}
    if len(asked.noise) > 1:  # with one sample, its own state changes nothing
        wrongs["corrupted_state_restored"] = asked.looped(Twist(of_corrupted=True))
    if span.start > 0:
        wrongs["noise_at_beginning"] = asked.covering(0, width)
    if letter + width <= length:
        wrongs["noise_at_letters"] = asked.covering(letter, letter + width)
    if span.stop < length:
        wrongs["noise_one_token_late"] = asked.covering(span.start + 1, span.stop + 1)
    if span.start > 0:
        wrongs["noise_one_token_early"] = asked.covering(span.start - 1, span.stop - 1)
    return wrongs


def _wrong_layers(asked: AskedMap) -> Results:
    """Wrong maps of states.

    A clean state of all tokens hides what was corrupted, or restored elsewhere; so those
    misconceptions are told apart in maps of other kinds.
    """
    model, layers, last = asked.model, asked.layers, asked.model.n_layers - 1
    below = asked.swept(layers=[max(layer - 1, 0) for layer in layers])
    inputs = below.clone()
    if 0 in layers:  # the first block has no layer below it, and the embeddings as its input
        blocks = [model.embedding, *(model.block(layer) for layer in range(last))]
        loop = Loop(model, asked.prompt, asked.span, asked.noise, blocks)
        embeddings = loop.cells([(position, (0, 1)) for position in asked.positions])
        inputs[:, layers.index(0)] = asked.mean(embeddings)
        below[:, layers.index(0)] = asked.sweep.corrupted_probability
    return {
        "cells_all_clean": torch.full_like(asked.right, asked.sweep.clean_probability),
        "layer_input_restored": inputs,
        "layer_below_restored": below,
        "layer_above_restored": asked.swept(layers=[min(layer + 1, last) for layer in layers]),
        "window_of_states": asked.looped(
            windows=lambda layer: tracing.window_of(layer, asked.window, last + 1)
        ),
    }


def _wrong_windows(asked: AskedMap) -> Results:
    """Wrong maps of MLP or attention outputs."""
    window, n_layers = asked.window, asked.model.n_layers
    wrongs = {
        "nothing_corrupted": torch.full_like(asked.right, asked.sweep.clean_probability),
        "restored_everything": asked.looped(Twist(place=lambda position: slice(None))),
        "kind_ignored": asked.swept(kind="state"),
        "kind_ignored:window": asked.of_states().looped(),
        "late_binding": asked.looped(Twist(bound_late=True)),
        "other_kind": asked.swept(kind="attention" if asked.kind == "mlp" else "mlp"),
    }
    windows = {
        name: partial(bounds, window=window, n_layers=n_layers) for name, bounds in WINDOWS.items()
    }
    named = [list(map(each, asked.layers)) for each in windows.values()]
    for width in range(1, 13):
        other = partial(tracing.window_of, window=width, n_layers=n_layers)
        # Where it covers what a named window covers, that is the name.
        if list(map(other, asked.layers)) not in named:
            windows[f"other_width:{width}"] = other
    if window < n_layers:

        def wrapping_below(layer: int) -> Window:
            start, stop = _unclipped(layer, window)
            return start, min(stop, n_layers)

        windows["window_wraps_around:below"] = wrapping_below
        windows["window_wraps_around"] = partial(_unclipped, window=window)
    wrongs |= asked.looped_each(windows)
    return wrongs
