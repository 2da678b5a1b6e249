"""What the graded functions of 2_locate.ipynb give when something was misunderstood: misconception -> result, in float64.

A wrong result that happens to equal the right one (a window that fits, a layer asked for alone) is left out.
"""

from contextlib import ExitStack
from functools import partial

import torch

from autograder.oracle import tracing
from keyhole.hooks import edit, record
from keyhole.checking.judging import told_apart

# A map is judged by its effects, which are a tenth of its probabilities and less; float32 rounds those at 1e-7.
EFFECT_TOLERANCE = 1e-3


def corrupt(embeddings, subject, noise):
    """Wrong corruptions: at other tokens, with other noise."""
    embeddings, noise = embeddings.double(), noise.double()
    count, width = len(embeddings), subject.stop - subject.start

    def added(start, noise, stop=None):
        found = embeddings.repeat(len(noise), 1, 1)
        found[:, start : start + noise.shape[1] if stop is None else stop] += noise
        return found

    replaced = embeddings.repeat(len(noise), 1, 1)
    replaced[:, subject] = noise
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
        wrongs["noise_summed"], wrongs["noise_one_sample"] = (
            added(subject.start, noise).sum(0),
            added(subject.start, noise)[0],
        )
    else:  # both, and whoever squeezes, give the one sample without its dimension
        wrongs["samples_squeezed"] = added(subject.start, noise)[0]
    if subject.start > 0:
        wrongs["noise_before_subject"] = added(subject.start - 1, noise)
    if subject.stop < count:
        wrongs["noise_after_subject"] = added(subject.start + 1, noise)
    return told_apart(wrongs, tracing.corrupt(embeddings, subject, noise), embeddings)


def restore(hidden, clean, position):
    """Wrong restorings: of other tokens, of some samples only, of something else."""
    hidden, clean = hidden.double(), clean.double()

    def put(place, value, samples=slice(None)):
        found = hidden.clone()
        found[samples, place] = value
        return found

    wrongs = {
        "restored_first_sample": put(position, clean[position], 0),
        "restored_everything": clean.expand_as(hidden),
        "restored_nothing": hidden,
        "restored_added": put(position, hidden[:, position] + clean[position]),
        "restored_before": put(position - 1, clean[position - 1]),
        "restored_after": put((position + 1) % len(clean), clean[(position + 1) % len(clean)]),
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


def indirect_effect(restored, corrupted):
    """Wrong effects: without the baseline, the wrong way round, not a mean of differences."""
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
        **{
            f"effect_rounded:{decimals}": right.round(decimals=decimals)
            for decimals in (1, 2, 3, 4)
        },
    }
    return told_apart(wrongs, right)


def _added(embeddings, span, noise):
    changed = embeddings.clone()
    changed[:, span] += noise
    return changed


@torch.no_grad()
def _logits(
    model,
    prompt,
    span,
    noise,
    positions,
    layers,
    parts,
    windows,
    late=False,
    keep=False,
    of_corrupted=False,
    place=lambda position: position,
    add=False,
):
    """The textbook loop: the last token's logits of the clean run (V,), of the corrupted one (n, V), and of every cell (P, L, n, V), float64.

    parts: the modules that are restored; windows: layer -> range of them, which goes on at the other end of the model; late: the noise comes
    after the first block; keep: cells before stay restored; of_corrupted: what is put back comes from the corrupted run, its first sample;
    place: position -> the tokens that are restored; add: what is put back is added.
    """
    ids = torch.tensor(model.encode([prompt]))

    def run(samples=len(noise)):
        return model.hf(ids.expand(samples, -1)).logits[:, -1].double()

    def put(output, clean, position):
        changed, there = output.clone(), place(position)
        changed[:, there] = clean[there] + add * output[:, there]
        return changed

    with ExitStack() as stack:
        seen = [stack.enter_context(record(part)) for part in parts]
        clean = run(1)[0]
    with ExitStack() as stack:
        stack.enter_context(
            edit(
                model.block(0) if late else model.embedding, partial(_added, span=span, noise=noise)
            )
        )
        with ExitStack() as here:
            again = [here.enter_context(record(part)) for part in parts] if of_corrupted else []
            corrupted, cells = run(), []
        seen = again or seen
        for position in positions:
            for layer in layers:
                with ExitStack() as here:
                    for each in (layer % len(parts) for layer in range(*windows(layer))):
                        (stack if keep else here).enter_context(
                            edit(
                                parts[each],
                                partial(put, clean=seen[each].output[0], position=position),
                            )
                        )
                    cells.append(run())
    return (
        clean,
        corrupted,
        torch.stack(cells).reshape(len(positions), len(layers), *corrupted.shape),
    )


def _around(before, after):
    """A window from `before` layers below to `after` layers above, clipped: (layer, window, n_layers) -> (start, stop)."""
    return lambda layer, window, last: (
        max(0, layer - before(window)),
        min(last, layer + after(window) + 1),
    )


def _pushed_in(layer, window, last):
    start = min(max(0, layer - window // 2), max(0, last - window))
    return start, min(last, start + window)


def _dropped_at_edges(layer, window, last):
    start, stop = layer - window // 2, layer + window - window // 2
    return (start, stop) if start >= 0 and stop <= last else (0, 0)


WINDOWS = {
    "window_ignored": _around(lambda window: 0, lambda window: 0),
    "window_upward": _around(lambda window: 0, lambda window: window - 1),
    "window_downward": _around(lambda window: window - 1, lambda window: 0),
    "window_mirrored": _around(lambda window: window - window // 2 - 1, lambda window: window // 2),
    "window_one_short": _around(
        lambda window: window // 2, lambda window: window - window // 2 - 2
    ),
    "window_one_long": _around(lambda window: window // 2, lambda window: window - window // 2),
    "window_both_ways": _around(lambda window: window, lambda window: window),
    "window_pushed_in": _pushed_in,
    "window_dropped_at_edges": _dropped_at_edges,
    "window_of_all": lambda layer, window, last: (0, last),
}


def trace(model, prompt, subject, noise, positions, layers, kind="state", window=10):
    """Wrong maps; `model` and `noise` in float64."""
    span, last = model.subject_slice(prompt, subject), model.n_layers
    sweep = tracing.Sweep(model, prompt, subject, noise)
    right, baseline = sweep.values(positions, layers, kind, window), sweep.corrupted_probability

    def of(positions=positions, layers=layers, kind=kind, sweep=sweep, **options):
        return sweep.values(positions, layers, kind, window, **options)

    def covering(start, stop, noise=noise):
        return of(sweep=tracing.Sweep(model, prompt, subject, noise, slice(start, stop)))

    def right_window(layer):
        return (layer, layer + 1) if kind == "state" else tracing.window_of(layer, window, last)

    def loop(windows=right_window, **twist):
        parts = [
            {"state": model.block, "mlp": model.mlp, "attention": model.attention}[kind](layer)
            for layer in range(last)
        ]
        return _logits(model, prompt, span, noise, positions, layers, parts, windows, **twist)

    def looped(*arguments, **twist):
        return loop(*arguments, **twist)[-1].softmax(-1).mean(-2)[..., answer]

    def beside(step):
        return of(positions=[(position + step) % sweep.length for position in positions])

    clean, corrupted, cells = loop()
    embeddings = model.embedding(torch.tensor(model.encode([prompt])[0]))
    letter = prompt.index(subject)
    answer, shares, covered = clean.argmax(), cells.softmax(-1), corrupted.softmax(-1)
    wrongs = {
        "noise_at_last_subject_token": covering(span.stop - 1, span.stop, noise[:, -1:]),
        "noise_at_first_subject_token": covering(span.start, span.start + 1, noise[:, :1]),
        "noise_after_first_block": looped(late=True),
        "noise_replaces": covering(span.start, span.stop, noise - embeddings[span]),
        "noise_subtracted": covering(span.start, span.stop, -noise),
        "other_noise": covering(span.start, span.stop, 3 * noise),
        "trace_of_first_sample": shares[:, :, 0, answer],
        "cell_per_sample": shares[..., answer],
        "restored_first_sample": (shares[:, :, 0, answer] + covered[1:, answer].sum()) / len(noise),
        "restored_added": looped(add=True),
        "restored_before": beside(-1),
        "restored_after": beside(1),
        "restored_up_to": looped(place=lambda position: slice(position + 1)),
        "restored_from": looped(place=lambda position: slice(position, None)),
        "restorings_pile_up": looped(keep=True),
        "softmax_after_mean": cells.mean(-2).softmax(-1)[..., answer],
        "softmax_after_mean:of_logs": shares[..., answer].log().mean(-1).exp(),
        "cells_summed": shares[..., answer].sum(-1),
        "cells_of_median": shares[..., answer].median(-1).values,
        "cells_of_best_sample": shares[..., answer].max(-1).values,
        "cells_in_percent": 100 * right,
        "cells_in_logs": shares[..., answer].log().mean(-1),
        "answer_of_corrupted_run": shares.mean(-2)[..., covered.mean(0).argmax()],
        "answer_of_each_run": shares.mean(-2).max(-1).values,
        "corrupted_subtracted": right - baseline,
        "nothing_restored": torch.full_like(right, baseline),
        "positions_sorted": of(positions=sorted(positions)),
        "layers_sorted": of(layers=sorted(layers)),
        "index_for_position": of(positions=range(len(positions))),
        "index_for_layer": of(layers=range(len(layers))),
        "map_transposed": right.T,
        **{
            f"cells_rounded:{decimals}": right.round(decimals=decimals)
            for decimals in (1, 2, 3)
            if noise.any() or right.round(decimals=decimals).any()
        },
    }
    if len(noise) > 1:  # one sample's own state changes nothing
        wrongs["corrupted_state_restored"] = looped(of_corrupted=True)
    if span.start > 0:
        wrongs["noise_at_beginning"] = covering(0, noise.shape[1])
    if letter + noise.shape[1] <= sweep.length:
        wrongs["noise_at_letters"] = covering(letter, letter + noise.shape[1])
    if span.stop < sweep.length:
        wrongs["noise_one_token_late"] = covering(span.start + 1, span.stop + 1)
    if span.start > 0:
        wrongs["noise_one_token_early"] = covering(span.start - 1, span.stop - 1)
    if (
        kind == "state"
    ):  # what was corrupted, or restored elsewhere, does not show in a clean state of all tokens
        wrongs["cells_all_clean"] = torch.full_like(right, sweep.clean_probability)
        blocks = [model.embedding, *(model.block(layer) for layer in range(last - 1))]
        below = (
            _logits(
                model,
                prompt,
                span,
                noise,
                positions,
                [layer for layer in layers if layer == 0],
                blocks,
                lambda layer: (layer, layer + 1),
            )[-1]
            if 0 in layers
            else None
        )
        shifted = of(layers=[max(layer - 1, 0) for layer in layers])
        if below is not None:
            shifted[:, layers.index(0)] = below[:, 0].softmax(-1).mean(-2)[..., answer]
        wrongs["layer_input_restored"] = shifted.clone()
        if below is not None:
            shifted[:, layers.index(0)] = baseline
        wrongs["layer_below_restored"] = shifted
        wrongs["layer_above_restored"] = of(layers=[min(layer + 1, last - 1) for layer in layers])
        wrongs["window_of_states"] = looped(lambda layer: tracing.window_of(layer, window, last))
    else:
        wrongs["nothing_corrupted"] = torch.full_like(right, sweep.clean_probability)
        wrongs["restored_everything"] = looped(place=lambda position: slice(None))
        wrongs["kind_ignored"] = of(kind="state")
        wrongs["other_kind"] = of(kind="attention" if kind == "mlp" else "mlp")
        wrongs |= {name: of(bounds=wrong) for name, wrong in WINDOWS.items()}
        if window < last:
            lowest, highest = (
                lambda layer: layer - window // 2,
                lambda layer: layer + window - window // 2,
            )
            wrongs["window_wraps_around:below"] = looped(
                lambda layer: (lowest(layer), min(highest(layer), last))
            )
            wrongs["window_wraps_around"] = looped(lambda layer: (lowest(layer), highest(layer)))
    return told_apart(wrongs, right, baseline if noise.any() else 0, EFFECT_TOLERANCE)
