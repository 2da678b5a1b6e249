"""Solutions of 2_locate.ipynb."""

from autograder.validity.catalogue.measure import public_answer
from autograder.validity.solution import ALL, block

MAP_CASES = {
    "state_llama",
    "state_gpt2",
    "mlp",
    "attention",
    "window_start",
    "window_end",
    "window_even",
    "order",
    "one_sample",
    "real",
}
WINDOW_CASES = {"mlp", "attention", "window_start", "window_end", "window_even"}
STATE_CASES = {"state_llama", "state_gpt2", "order", "one_sample", "real"}


def _corrupt(body, give="corrupted"):
    return (
        "def corrupt(embeddings, subject, noise):\n    corrupted = embeddings.repeat(len(noise), 1,"
        " 1)\n" + f"    {body}\n    return {give}\n"
    )


def _restore(body, give="restored"):
    return (
        f"def restore(hidden, clean, position):\n    restored = hidden.clone()\n    {body}\n   "
        f" return {give}\n"
    )


def _effect(body):
    return f"def indirect_effect(restored, corrupted):\n    return {body}"


TRACE = """
from contextlib import ExitStack
from functools import partial


def covered(output, span, noise):
    changed = output.clone()
    changed[:, span] += noise
    return changed


def put(output, clean, position):
    changed = output.clone()
    changed[{samples}, position] = clean[position]
    return changed


def trace(model, prompt, subject, noise, positions, layers, kind="state", window=10):
    part = {{"state": model.block, "mlp": {mlp}, "attention": model.attention}}[{kind}]
    span = {span}
    with ExitStack() as stack:
        seen = [stack.enter_context(record(part(layer))) for layer in range(model.n_layers)]
        answer = model.next_token_probabilities([prompt])[0].argmax()
    values = torch.zeros(len(positions), len(layers))
    for i, position in enumerate({positions}):
        for j, layer in enumerate({layers}):
            first, stop = (layer, layer + 1) if kind == "state" else ({first}, {stop})
            with ExitStack() as stack:
                stack.enter_context(edit({where}, partial(covered, span=span, noise={noise})))
                for each in range({low}, {high}):
                    stack.enter_context(edit(part(each), partial(put, clean=seen[{stored}].output[0], position=position)))
                found = model.next_token_probabilities([prompt] * len(noise))
            values[i, j] = {cell}
    return {result}
"""

RECORD_CORRUPTED = """\
    with ExitStack() as stack:
        stack.enter_context(edit(model.embedding, partial(covered, span=span, noise=noise)))
        seen = [stack.enter_context(record(part(layer))) for layer in range(model.n_layers)]
        model.next_token_probabilities([prompt] * len(noise))
"""


def _trace(
    samples=":",
    mlp="model.mlp",
    kind="kind",
    span="model.subject_slice(prompt, subject)",
    positions="positions",
    layers="layers",
    first="layer - window // 2",
    stop="layer + window - window // 2",
    where="model.embedding",
    noise="noise",
    low="max(first, 0)",
    high="min(stop, model.n_layers)",
    stored="each",
    cell="found[:, answer].mean()",
    result="values",
):
    return block(TRACE.format(**locals()))


WRONG = {
    "corrupt": {
        "at the beginning": (
            "put the noise on the first tokens of the prompt",
            "noise_at_beginning",
            {"middle", "end", "single"},
            _corrupt("corrupted[:, :noise.shape[1]] += noise"),
        ),
        "at the end": (
            "put the noise on the last tokens of the prompt",
            "noise_at_end",
            {"middle", "start", "single"},
            _corrupt("corrupted[:, -noise.shape[1]:] += noise"),
        ),
        "one token early": (
            "put the noise one token too far to the left",
            "noise_before_subject",
            {"middle", "end", "single", "start"},
            _corrupt("corrupted[:, max(subject.start - 1, 0):subject.stop - 1] += noise"),
        ),
        "first token only": (
            "corrupted only the subject's first token",
            "noise_only_first_token",
            {"middle", "start", "end"},
            _corrupt("corrupted[:, subject.start] += noise[:, 0]"),
        ),
        "last token only": (
            "corrupted only the subject's last token",
            "noise_only_last_token",
            {"middle", "start", "end"},
            _corrupt("corrupted[:, subject.stop - 1] += noise[:, -1]"),
        ),
        "replaced": (
            "put the noise in the place of the embeddings",
            "noise_replaces",
            {"middle", "start", "end", "single"},
            _corrupt("corrupted[:, subject] = noise"),
        ),
        "subtracted": (
            "subtracted the noise",
            "noise_subtracted",
            {"middle", "start", "end", "single"},
            _corrupt("corrupted[:, subject] -= noise"),
        ),
        "one noise for all": (
            "gave every sample the noise of the first",
            "noise_of_first_sample",
            {"middle", "start", "end"},
            _corrupt("corrupted[:, subject] += noise[0]"),
        ),
        "mean noise": (
            "gave every sample the mean noise",
            "noise_averaged",
            {"middle", "start", "end"},
            _corrupt("corrupted[:, subject] += noise.mean(0)"),
        ),
        "one noise for all tokens": (
            "gave every token of the subject the noise of its first",
            "noise_same_for_tokens",
            {"middle", "start", "end"},
            _corrupt("corrupted[:, subject] += noise[:, :1]"),
        ),
        "nothing": (
            "added the noise to a copy that is thrown away",
            "nothing_corrupted",
            {"middle", "start", "end", "single"},
            _corrupt("corrupted[:, subject].add(noise)"),
        ),
        "one token late": (
            "put the noise one token too far to the right",
            "noise_after_subject",
            {"middle", "start", "single"},
            _corrupt(
                "last = min(subject.stop + 1, len(embeddings))\n    corrupted[:, last -"
                " noise.shape[1]:last] += noise"
            ),
        ),
        "samples added up": (
            "added the samples up",
            "noise_summed",
            ALL,
            _corrupt("corrupted[:, subject] += noise", "corrupted.sum(0)"),
        ),
        "one sample": (
            "gave one sample back, not all of them",
            "noise_one_sample",
            ALL,
            _corrupt("corrupted[:, subject] += noise", "corrupted[0]"),
        ),
        "squeezed": (
            "squeezed the samples' dimension away where there is one",
            "samples_squeezed",
            {"single"},
            _corrupt("corrupted[:, subject] += noise", "corrupted.squeeze(0)"),
        ),
        "drawn anew": (
            "drew noise of its own in place of what is given",
            "other_noise",
            {"middle", "start", "end", "single"},
            _corrupt("corrupted[:, subject] += torch.randn_like(noise)"),
        ),
        "in place": (
            "changed the caller's embeddings, so that noise piles up from sample to sample",
            "input_changed",
            {"inputs", "middle", "start", "end"},
            (
                "def corrupt(embeddings, subject, noise):\n    rows = []\n    for each in noise:\n "
                "       embeddings[subject] += each\n        rows.append(embeddings.clone())\n   "
                " return torch.stack(rows)"
            ),
        ),
        "three times": (
            "scaled the noise once more, though it comes scaled",
            "other_noise",
            {"middle", "start", "end", "single"},
            _corrupt("corrupted[:, subject] += 3 * noise"),
        ),
        "a loop over three": (
            "wrote the public check's number of samples into a loop",
            "index_past_end",
            {"single"},
            _corrupt(
                "rows = [embeddings.clone() for _ in range(3)]\n    for i in range(3):\n       "
                " rows[i][subject] += noise[i]",
                "torch.stack(rows)",
            ),
        ),
        "negative slice": (
            "counted from the end, where a slice up to 0 is empty",
            "slice_empty",
            {"end"},
            _corrupt(
                "corrupted[:, subject.start - len(embeddings):subject.stop - len(embeddings)] +="
                " noise"
            ),
        ),
    },
    "restore": {
        "first sample": (
            "restored the first sample only",
            "restored_first_sample",
            {"middle", "first", "last"},
            _restore("restored[0, position] = clean[position]"),
        ),
        "sample for token": (
            "took the index of samples for that of tokens",
            "restored_sample_for_token",
            ALL,
            _restore("restored[position] = clean[position]"),
        ),
        "everything": (
            "restored every token",
            "restored_everything",
            {"middle", "first", "last"},
            _restore("restored[:] = clean"),
        ),
        "nothing": (
            "wrote into a copy that is thrown away",
            "restored_nothing",
            {"middle", "first", "last"},
            _restore("restored[:, position].copy()".replace(".copy()", ".clone().fill_(0)")),
        ),
        "added": (
            "added the clean state to the corrupted one",
            "restored_added",
            {"middle", "first", "last"},
            _restore("restored[:, position] += clean[position]"),
        ),
        "one before": (
            "restored the token before",
            "restored_before",
            {"middle", "first", "last"},
            _restore("restored[:, position - 1] = clean[position - 1]"),
        ),
        "one after": (
            "restored the token after",
            "restored_after",
            {"middle", "first", "last"},
            _restore(
                "restored[:, (position + 1) % len(clean)] = clean[(position + 1) % len(clean)]"
            ),
        ),
        "up to": (
            "restored every token up to the one asked for",
            "restored_up_to",
            {"middle", "last"},
            _restore("restored[:, :position + 1] = clean[:position + 1]"),
        ),
        "from": (
            "restored every token from the one asked for on",
            "restored_from",
            {"middle", "first"},
            _restore("restored[:, position:] = clean[position:]"),
        ),
        "first row": (
            "put the clean state of the first token there",
            "restored_other_row",
            {"middle", "last"},
            _restore("restored[:, position] = clean[0]"),
        ),
        "last row": (
            "put the clean state of the last token there",
            "restored_last_row",
            {"middle", "first"},
            _restore("restored[:, position] = clean[-1]"),
        ),
        "a loop over four": (
            "wrote the public check's number of samples into a loop",
            "index_past_end",
            {"first", "last", "inputs"},
            _restore("for i in range(4):\n        restored[i, position] = clean[position]"),
        ),
        "falsy position": (
            "took position 0 for none given",
            "restored_last_row",
            {"first"},
            _restore("restored[:, position] = clean[position or -1]"),
        ),
        "in place": (
            "changed the caller's states",
            "input_changed",
            {"inputs"},
            (
                "def restore(hidden, clean, position):\n    hidden[:, position] = clean[position]\n"
                "    return hidden"
            ),
        ),
    },
    "indirect_effect": {
        "no baseline": (
            "did not subtract the corrupted probability",
            "baseline_not_subtracted",
            ALL,
            _effect("restored.mean()"),
        ),
        "reversed": (
            "subtracted the wrong way round",
            "effect_reversed",
            ALL,
            _effect("(corrupted - restored).mean()"),
        ),
        "sum": (
            "added the samples up where their mean is asked for",
            "effect_summed",
            ALL,
            _effect("(restored - corrupted).sum()"),
        ),
        "ratio": (
            "took the ratio for the difference",
            "effect_as_ratio",
            ALL,
            _effect("restored.mean() / corrupted.mean()"),
        ),
        "relative": (
            "divided the effect by the corrupted probability",
            "effect_relative",
            ALL,
            _effect("(restored.mean() - corrupted.mean()) / corrupted.mean()"),
        ),
        "percent": (
            "gave the effect in percent",
            "effect_in_percent",
            ALL,
            _effect("100 * (restored - corrupted).mean()"),
        ),
        "absolute": (
            "took the sign away",
            "effect_absolute",
            {"negative", "small"},
            _effect("(restored - corrupted).abs().mean()"),
        ),
        "absolute mean": (
            "took the sign of the mean away",
            "effect_absolute",
            {"negative"},
            _effect("(restored - corrupted).mean().abs()"),
        ),
        "cut off": (
            "cut negative effects off",
            "effect_cut_at_zero",
            {"negative"},
            _effect("(restored.mean() - corrupted.mean()).clamp(min=0)"),
        ),
        "first sample": (
            "looked at the first sample only",
            "effect_of_first_sample",
            ALL,
            _effect("restored[0] - corrupted[0]"),
        ),
        "last sample": (
            "let a loop over the samples keep the last one only",
            "effect_of_last_sample",
            ALL,
            _effect("[one - other for one, other in zip(restored, corrupted)][-1]"),
        ),
        "best sample": (
            "compared the best samples",
            "effect_of_best_sample",
            ALL,
            _effect("restored.max() - corrupted.max()"),
        ),
        "logs": (
            "took the difference of logarithms",
            "effect_in_logs",
            ALL,
            _effect("restored.log().mean() - corrupted.log().mean()"),
        ),
        "median": (
            "compared the medians",
            "effect_of_median",
            ALL,
            _effect("restored.median() - corrupted.median()"),
        ),
        "hard-coded": (
            "returns the answer to a public check",
            "hard_coded",
            ALL,
            _effect(f"torch.tensor({public_answer('indirect_effect', 'difference')})"),
        ),
        "per sample": (
            "gave an effect for each sample and no mean",
            "effect_per_sample",
            ALL,
            _effect("restored - corrupted"),
        ),
        "rounded": (
            "rounded the effect to two decimals",
            "effect_rounded",
            ALL,
            _effect("torch.round((restored - corrupted).mean(), decimals=2)"),
        ),
    },
    "trace": {
        "last subject token only": (
            "corrupted only the subject's last token",
            "noise_at_last_subject_token",
            MAP_CASES,
            _trace(
                span=(
                    "slice(model.subject_slice(prompt, subject).stop - 1,"
                    " model.subject_slice(prompt, subject).stop)"
                ),
                noise="noise[:, -1:]",
            ),
        ),
        "first subject token only": (
            "corrupted only the subject's first token",
            "noise_at_first_subject_token",
            MAP_CASES,
            _trace(
                span=(
                    "slice(model.subject_slice(prompt, subject).start, model.subject_slice(prompt,"
                    " subject).start + 1)"
                ),
                noise="noise[:, :1]",
            ),
        ),
        "one token late": (
            "put the noise one token too far to the right",
            "noise_one_token_late",
            MAP_CASES,
            _trace(
                span=(
                    "slice(model.subject_slice(prompt, subject).start + 1,"
                    " model.subject_slice(prompt, subject).stop + 1)"
                )
            ),
        ),
        "after the first block": (
            "added the noise after the first block",
            "noise_after_first_block",
            MAP_CASES,
            _trace(where="model.block(0)"),
        ),
        "noise drawn anew": (
            "drew noise of its own, anew for every cell",
            "noise_of_its_own",
            MAP_CASES | {"given_noise"},
            _trace(noise="torch.randn_like(noise)"),
        ),
        "replaced": (
            "put the noise in the place of the embeddings",
            "noise_replaces",
            MAP_CASES | {"given_noise"},
            _trace().replace("+= noise", "= noise"),
        ),
        "noise subtracted": (
            "subtracted the noise",
            "noise_subtracted",
            MAP_CASES,
            _trace(noise="-noise"),
        ),
        "three times the noise": (
            "scaled the noise once more, though it comes scaled",
            "other_noise",
            MAP_CASES,
            _trace(noise="3 * noise"),
        ),
        "the default noise": (
            "drew the library's noise in place of what is given",
            "noise_of_its_own",
            MAP_CASES | {"given_noise"},
            _trace().replace(
                "    span =",
                "    from keyhole.tracing import subject_noise\n    noise = subject_noise(model,"
                " prompt, subject, len(noise))\n    span =",
            ),
        ),
        "letters for tokens": (
            "counted letters where tokens are meant",
            "noise_at_letters",
            {"state_gpt2", "real"},
            _trace(span="slice(prompt.index(subject), prompt.index(subject) + noise.shape[1])"),
        ),
        "everything restored": (
            "restored every token",
            "restored_everything",
            MAP_CASES,
            _trace().replace("changed[:, position] = clean[position]", "changed[:] = clean"),
        ),
        "clean state added": (
            "added the clean state to the corrupted one",
            "restored_added",
            MAP_CASES | {"given_noise"},
            _trace().replace("changed[:, position] = clean", "changed[:, position] += clean"),
        ),
        "one position late": (
            "restored the token after",
            "restored_after",
            MAP_CASES,
            _trace().replace(
                "changed[:, position] = clean[position]",
                "position = (position + 1) % len(clean)\n    changed[:, position] ="
                " clean[position]",
            ),
        ),
        "one position early": (
            "restored the token before",
            "restored_before",
            MAP_CASES,
            _trace().replace(
                "changed[:, position] = clean[position]",
                "changed[:, position - 1] = clean[position - 1]",
            ),
        ),
        "up to the position": (
            "restored every token up to the one asked for",
            "restored_up_to",
            MAP_CASES,
            _trace().replace(
                "changed[:, position] = clean[position]",
                "changed[:, :position + 1] = clean[:position + 1]",
            ),
        ),
        "from the position": (
            "restored every token from the one asked for on",
            "restored_from",
            MAP_CASES,
            _trace().replace(
                "changed[:, position] = clean[position]", "changed[:, position:] = clean[position:]"
            ),
        ),
        "run after the hooks": (
            "ran the model when the hooks were gone",
            "cells_all_clean",
            MAP_CASES,
            _trace().replace("    found = model", "found = model"),
        ),
        "samples added up": (
            "added the samples up where their mean is asked for",
            "cells_summed",
            MAP_CASES - {"one_sample"} | {"given_noise"},
            _trace(cell="found[:, answer].sum()"),
        ),
        "median": (
            "took the samples' median",
            "cells_of_median",
            MAP_CASES - {"one_sample"},
            _trace(cell="found[:, answer].median()"),
        ),
        "best sample": (
            "took the best of the samples",
            "cells_of_best_sample",
            MAP_CASES - {"one_sample"},
            _trace(cell="found[:, answer].max()"),
        ),
        "percent": (
            "gave the cells in percent",
            "cells_in_percent",
            MAP_CASES | {"given_noise"},
            _trace(cell="100 * found[:, answer].mean()"),
        ),
        "rounded": (
            "rounded the cells to one decimal",
            "cells_rounded",
            MAP_CASES | {"given_noise"},
            _trace(cell="found[:, answer].mean().round(decimals=1)"),
        ),
        "mean of logarithms": (
            "averaged logarithms, and took their exponential",
            "softmax_after_mean",
            MAP_CASES - {"one_sample"},
            _trace(cell="found[:, answer].log().mean().exp()"),
        ),
        "one's complement": (
            "gave the probability of any other answer",
            None,
            MAP_CASES | {"given_noise"},
            _trace(result="1 - values"),
        ),
        "first sample of noise": (
            "used the first sample of noise only",
            "trace_of_first_sample",
            MAP_CASES - {"one_sample"},
            _trace(noise="noise[:1]"),
        ),
        "a map a sample": (
            "forgot the mean over the samples",
            "cell_per_sample",
            ALL,
            _trace(cell="found[:, answer]").replace("len(layers))\n", "len(layers), len(noise))\n"),
        ),
        "not corrupted": (
            "restored into a run that was never corrupted",
            "nothing_corrupted",
            MAP_CASES,
            _trace(noise="0"),
        ),
        "row 0 of the batch": (
            "restored the first sample only",
            "restored_first_sample",
            MAP_CASES - {"one_sample"},
            _trace(samples="0"),
        ),
        "softmax after the mean": (
            "averaged over samples before the softmax",
            "softmax_after_mean",
            MAP_CASES - {"one_sample"},
            _trace(cell="found.log().mean(0).softmax(-1)[answer]"),
        ),
        "the corrupted run's answer": (
            "followed the answer of the corrupted run",
            "answer_of_corrupted_run",
            MAP_CASES,
            _trace().replace(
                "    values = torch.zeros",
                "    with edit(model.embedding, partial(covered, span=span, noise=noise)):\n       "
                " answer = model.next_token_probabilities([prompt] * len(noise)).mean(0).argmax()\n"
                "    values = torch.zeros",
            ),
        ),
        "logarithms": (
            "took logarithms for probabilities",
            "cells_in_logs",
            MAP_CASES | {"given_noise"},
            _trace(cell="found[:, answer].log().mean()"),
        ),
        "states of the corrupted run": (
            "recorded the states in the corrupted run",
            "corrupted_state_restored",
            MAP_CASES,
            _trace().replace(
                "    values = torch.zeros", RECORD_CORRUPTED + "    values = torch.zeros"
            ),
        ),
        "one token early": (
            "put the noise one token too far to the left",
            "noise_one_token_early",
            MAP_CASES,
            _trace(
                span=(
                    "slice(model.subject_slice(prompt, subject).start - 1,"
                    " model.subject_slice(prompt, subject).stop - 1)"
                )
            ),
        ),
        "nothing restored": (
            "restored nothing",
            "nothing_restored",
            MAP_CASES,
            _trace(low="0", high="0"),
        ),
        "window both ways": (
            "took the window's width on either side",
            "window_both_ways",
            WINDOW_CASES,
            _trace(first="layer - window", stop="layer + window + 1"),
        ),
        "all layers": (
            "restored all layers in place of a window",
            "window_of_all",
            WINDOW_CASES,
            _trace(first="0", stop="model.n_layers"),
        ),
        "window dropped at the edges": (
            "restored nothing where the window does not fit",
            "window_dropped_at_edges",
            {"window_start", "window_end"},
            _trace(high="stop if 0 <= first and stop <= model.n_layers else 0"),
        ),
        "its own answer": (
            "followed whatever each cell answers",
            "answer_of_each_run",
            MAP_CASES,
            _trace(cell="found[:, found.mean(0).argmax()].mean()"),
        ),
        "effects": (
            "subtracted the corrupted probability, which is not asked for",
            "corrupted_subtracted",
            MAP_CASES | {"given_noise"},
            _trace(result="values - _baseline(model, prompt, span, noise, answer)")
            + "\n\n\ndef _baseline(model, prompt, span, noise, answer):\n    with"
            " edit(model.embedding, partial(covered, span=span, noise=noise)):\n        return"
            " model.next_token_probabilities([prompt] * len(noise))[:, answer].mean()",
        ),
        "the layer's input": (
            "restored what goes into the layer, not what comes out",
            "layer_input_restored",
            STATE_CASES,
            _trace().replace(
                '"state": model.block,',
                '"state": lambda layer: model.block(layer - 1) if layer else model.embedding,',
            ),
        ),
        "the layer below": (
            "counted layers from 1",
            "layer_below_restored",
            STATE_CASES,
            _trace(
                low="max(first - 1, 0) if kind == 'state' else max(first, 0)",
                high="max(stop - 1, 0) if kind == 'state' else min(stop, model.n_layers)",
            ),
        ),
        "the layer above": (
            "restored the layer above",
            "layer_above_restored",
            STATE_CASES,
            _trace(
                low="min(first + 1, model.n_layers - 1) if kind == 'state' else max(first, 0)",
                high=(
                    "min(stop + 1, model.n_layers) if kind == 'state' else min(stop,"
                    " model.n_layers)"
                ),
            ),
        ),
        "a window of states": (
            "restored a window of states, where a state is one layer's",
            "window_of_states",
            STATE_CASES,
            _trace(first="0", stop="0").replace(
                '(layer, layer + 1) if kind == "state" else (0, 0)',
                "(layer - window // 2, layer + window - window // 2)",
            ),
        ),
        "kind ignored": (
            "restored whole states, whatever kind is asked for",
            "kind_ignored",
            WINDOW_CASES,
            _trace(kind="'state'").replace('if kind == "state"', "if True"),
        ),
        "MLP and attention exchanged": (
            "exchanged MLP and attention",
            "other_kind",
            WINDOW_CASES,
            _trace(mlp="model.attention").replace(
                '"attention": model.attention', '"attention": model.mlp'
            ),
        ),
        "window ignored": (
            "restored one layer in place of a window",
            "window_ignored",
            WINDOW_CASES,
            _trace(first="layer", stop="layer + 1"),
        ),
        "window upward": (
            "let the window begin at the layer",
            "window_upward",
            WINDOW_CASES,
            _trace(first="layer", stop="layer + window"),
        ),
        "window downward": (
            "let the window end at the layer",
            "window_downward",
            WINDOW_CASES,
            _trace(first="layer - window + 1", stop="layer + 1"),
        ),
        "window mirrored": (
            "put the longer half of an even window above the layer",
            "window_mirrored",
            {"window_even"},
            _trace(first="layer - (window - 1) // 2", stop="layer + window // 2 + 1"),
        ),
        "window one short": (
            "took the last number of a range for its end",
            "window_one_short",
            WINDOW_CASES,
            _trace(stop="layer + window - window // 2 - 1"),
        ),
        "window one long": (
            "counted the middle of the window twice",
            "window_one_long",
            WINDOW_CASES - {"window_end"},
            _trace(stop="layer + window - window // 2 + 1"),
        ),
        "window pushed in at the start": (
            "kept the window's full width at the edge",
            "window_pushed_in",
            {"window_start"},
            _trace(stop="max(layer - window // 2, 0) + window"),
        ),
        "not clipped at the start": (
            "let the window begin below layer 0",
            "layer_outside",
            {"window_start"},
            _trace(low="first"),
        ),
        "not clipped at the end": (
            "let the window go on above the last layer",
            "layer_outside",
            {"window_end"},
            _trace(high="stop"),
        ),
        "wraps around": (
            "let the window go on at the other end of the model",
            "window_wraps_around",
            {"window_start"},
            _trace(low="first", stored="each").replace("part(each)", "part(each % model.n_layers)"),
        ),
        "sorted positions": (
            "sorted the positions",
            "positions_sorted",
            {"order"},
            _trace(positions="sorted(positions)"),
        ),
        "sorted layers": (
            "sorted the layers",
            "layers_sorted",
            {"order"},
            _trace(layers="sorted(layers)"),
        ),
        "all positions": (
            "took the row's number for the token's",
            "index_for_position",
            MAP_CASES,
            _trace(positions="range(len(positions))"),
        ),
        "first layers": (
            "took the column's number for the layer's",
            "index_for_layer",
            MAP_CASES - {"window_start"},
            _trace(layers="range(len(layers))"),
        ),
        "transposed": (
            "exchanged rows and columns",
            "map_transposed",
            MAP_CASES | {"clean"},
            _trace(result="values.T"),
        ),
        "hooks left behind": (
            "left its hooks on the model",
            "hooks_left",
            MAP_CASES | {"clean"},
            _trace().replace(
                "stack.enter_context(edit(model.embedding, partial(covered, span=span,"
                " noise=noise)))",
                "model.embedding.register_forward_hook(lambda module, arguments, output:"
                " covered(output, span, noise))",
            ),
        ),
        "model left changed": (
            "changed the model's weights while looking at it",
            "model_changed",
            {"clean"},
            _trace(result="values + 0 * model.embedding.weight.data[0, :1].add_(1e-6)"),
        ),
        "cells pile up": (
            "kept the restorings of earlier cells",
            "restorings_pile_up",
            MAP_CASES,
            _trace()
            .replace("    for i, position", "    kept = ExitStack()\n    for i, position")
            .replace("stack.enter_context(edit(part(each)", "kept.enter_context(edit(part(each)")
            .replace("    return values", "    kept.close()\n    return values"),
        ),
        "stored states written": (
            "overwrote the stored clean states with corrupted ones",
            "corrupted_state_restored",
            MAP_CASES,
            _trace().replace(
                "changed = output.clone()\n    changed[:, position] = clean[position]",
                "clean[:] = output[0]\n    changed = output.clone()\n    changed[:, position] ="
                " clean[position]",
            ),
        ),
    },
}

RIGHT = {
    "corrupt": {
        "as in the notebook": _corrupt("corrupted[:, subject] += noise"),
        "cat": (
            "def corrupt(embeddings, subject, noise):\n    e = embeddings[None].expand(len(noise),"
            " -1, -1)\n    return torch.cat([e[:, :subject.start], e[:, subject] + noise, e[:,"
            " subject.stop:]], dim=1)"
        ),
        "loop": (
            "def corrupt(embeddings, subject, noise):\n    rows = []\n    for sample in noise:\n   "
            "     row = embeddings.clone()\n        row[subject.start:subject.stop] = row[subject]"
            " + sample\n        rows.append(row)\n    return torch.stack(rows)"
        ),
        "comments in Chinese, other names": block("""
            def corrupt(x, 主詞, 雜訊):
                # 每一份雜訊一個樣本：先複製，再只在主詞的 token 上加
                y = x.unsqueeze(0).repeat(雜訊.shape[0], 1, 1)
                y[:, 主詞, :] = y[:, 主詞, :] + 雜訊
                return y
            """),
        "padded": (
            "import torch.nn.functional as F\n\ndef corrupt(embeddings, subject, noise):\n   "
            " return embeddings + F.pad(noise, (0, 0, subject.start, len(embeddings) -"
            " subject.stop))"
        ),
    },
    "restore": {
        "as in the notebook": _restore("restored[:, position] = clean[position]"),
        "cat": (
            "def restore(hidden, clean, position):\n    row = clean[position].expand(len(hidden),"
            " 1, -1)\n    return torch.cat([hidden[:, :position], row, hidden[:, position + 1:]],"
            " dim=1)"
        ),
        "where": (
            "def restore(hidden, clean, position):\n    here = (torch.arange(hidden.shape[1]) =="
            " position)[None, :, None]\n    return torch.where(here, clean[None], hidden)"
        ),
        "any leading dimensions": _restore("restored[..., position, :] = clean[position]"),
        "index_copy": (
            "def restore(hidden, clean, position):\n    return hidden.index_copy(1,"
            " torch.tensor([position]), clean[position].expand(hidden.shape[0], 1,"
            " -1).contiguous())"
        ),
    },
    "indirect_effect": {
        "difference of means": _effect("restored.mean() - corrupted.mean()"),
        "mean of differences": _effect("(restored - corrupted).mean()"),
        "a lambda": (
            "indirect_effect = lambda restored, corrupted: restored.mean() - corrupted.mean()"
        ),
        "a Python number": _effect("float(sum(restored) - sum(corrupted)) / len(restored)"),
        "numpy": (
            "import numpy as np\n\ndef indirect_effect(restored, corrupted):\n    return"
            " np.mean(restored.numpy() - corrupted.numpy())"
        ),
    },
    "trace": {
        "as in the notebook": _trace(),
        "paper's window": _trace(stop="layer - (-window // 2)"),
        "a row in one batch": block("""
            from contextlib import ExitStack


            def trace(model, prompt, subject, noise, positions, layers, kind="state", window=10):
                part = getattr(model, "block" if kind == "state" else kind)
                n, cells, span = len(noise), len(layers), model.subject_slice(prompt, subject)
                lowest = [layer if kind == "state" else layer - window // 2 for layer in layers]
                width = 1 if kind == "state" else window
                with ExitStack() as stack:
                    seen = [stack.enter_context(record(part(layer))) for layer in range(model.n_layers)]
                    answer = model.next_token_probabilities([prompt]).argmax()

                def with_noise(embeddings):
                    embeddings = embeddings.clone()
                    embeddings[:, span] += noise.repeat(cells, 1, 1)
                    return embeddings

                def restoring(layer, position):
                    rows = torch.tensor([first <= layer < first + width for first in lowest]).repeat_interleave(n)

                    def put(output):
                        output = output.clone()
                        output[rows, position] = seen[layer].output[0, position]
                        return output
                    return put

                found = []
                for position in positions:
                    with ExitStack() as stack:
                        stack.enter_context(edit(model.embedding, with_noise))
                        for layer in range(model.n_layers):
                            stack.enter_context(edit(part(layer), restoring(layer, position)))
                        every = model.next_token_probabilities([prompt] * (cells * n))[:, answer]
                    found.append(every.view(cells, n).mean(dim=1))
                return torch.stack(found)
            """),
        "helpers in cells of their own": tuple(_trace().split("\n\n\n")),
        "hidden states of the model's own": (
            _trace()
            .replace(
                "answer = model.next_token_probabilities([prompt])[0].argmax()",
                "out = model.hf(torch.tensor(model.encode([prompt])), output_hidden_states=True)\n "
                "       answer = out.logits[0, -1].argmax()",
            )
            .replace(
                "clean=seen[each].output[0]",
                "clean=(out.hidden_states[each + 1] if kind == 'state' and each + 1 <"
                " model.n_layers else seen[each].output)[0].detach()",
            )
        ),
        "logits by hand": _trace(cell="found[:, answer].double().sum() / len(noise)"),
        "own hooks": block("""
            def trace(model, prompt, subject, noise, positions, layers, kind="state", window=10):
                ids = torch.tensor(model.encode([prompt]))
                where = model.subject_slice(prompt, subject)
                modules = [getattr(model, {"state": "block"}.get(kind, kind))(l) for l in range(model.n_layers)]
                first_of = lambda out: out[0] if isinstance(out, tuple) else out
                clean = {}
                handles = [m.register_forward_hook(lambda m, a, o, l=l: clean.__setitem__(l, first_of(o).detach().clone())) for l, m in enumerate(modules)]
                with torch.no_grad():
                    best = model.hf(ids).logits[0, -1].argmax().item()
                for h in handles:
                    h.remove()
                rows = []
                for p in positions:
                    row = []
                    for c in layers:
                        todo = {c} if kind == "state" else {l for l in range(model.n_layers) if c - window // 2 <= l < c + (window + 1) // 2}
                        def embed(m, a, o):
                            o = o.clone()
                            o[:, where] += noise
                            return o
                        def fix(m, a, o, l):
                            x = first_of(o).clone()
                            x[:, p] = clean[l][0, p]
                            return (x, *o[1:]) if isinstance(o, tuple) else x
                        handles = [model.embedding.register_forward_hook(embed)]
                        handles += [modules[l].register_forward_hook(lambda m, a, o, l=l: fix(m, a, o, l)) for l in todo]
                        try:
                            with torch.no_grad():
                                logits = model.hf(ids.repeat(len(noise), 1)).logits[:, -1]
                        finally:
                            for h in handles:
                                h.remove()
                        row.append(logits.softmax(-1)[:, best].mean().item())
                    rows.append(row)
                return torch.tensor(rows)
            """),
    },
}
