"""Solutions of the graded functions, wrong and right, with what each is expected to lose.

A wrong one: name -> (the misconception that must be named, or None; the cases it must fail; its code). It must pass all others.
"""

from textwrap import dedent

ALL = "all"


def _(code):
    return dedent(code).strip()


KEY = '''
def subject_key(model, layer, prompt, subject, prefixes):
    keys = []
    for prefix in prefixes:
        text = prefix + prompt
        with record(model.memory({layer})) as seen:
            model.next_token_probabilities([text])
        span = model.subject_slice({where})
        keys.append(seen.{side}[0, {position}])
    return {result}
'''


def _key(layer="layer", where="text, subject", side="input", position="span.stop - 1", result="torch.stack(keys).mean(0)"):
    return KEY.format(layer=layer, where=where, side=side, position=position, result=result).strip()


def _moment(body):
    return f"def second_moment(keys):\n    return {body}"


def _objective(nll="-target_log_probs.mean()", kl="(kl_log_probs.exp() * (kl_log_probs - kl_log_probs_before)).sum()",
               decay="decay * delta.norm() / value_before.norm() ** 2", total="nll + kl_weight * kl + size"):
    return _(f'''
        def value_objective(target_log_probs, kl_log_probs, kl_log_probs_before, delta, value_before, kl_weight, decay):
            nll = {nll}
            kl = {kl}
            size = {decay}
            return {total}
        ''')


def _update(direction="torch.linalg.solve(moment, key)", residual="value - weight @ key", divisor="u @ key", result="weight + torch.outer(r, u) / s"):
    return _(f'''
        def rank_one_update(weight, moment, key, value):
            u = {direction}
            r = {residual}
            s = {divisor}
            return {result}
        ''')


def _write(*lines):
    return "def write_edit(module, new_weight):\n    with torch.no_grad():\n" + "".join(f"        {line}\n" for line in lines)


def _corrupt(body, give="corrupted"):
    return "def corrupt(embeddings, subject, noise):\n    corrupted = embeddings.repeat(len(noise), 1, 1)\n" + f"    {body}\n    return {give}\n"


def _restore(body, give="restored"):
    return f"def restore(hidden, clean, position):\n    restored = hidden.clone()\n    {body}\n    return {give}\n"


def _effect(body):
    return f"def indirect_effect(restored, corrupted):\n    return {body}"


TRACE = '''
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
'''


def _trace(samples=":", mlp="model.mlp", kind="kind", span="model.subject_slice(prompt, subject)", positions="positions", layers="layers",
           first="layer - window // 2", stop="layer + window - window // 2", where="model.embedding", noise="noise",
           low="max(first, 0)", high="min(stop, model.n_layers)", stored="each", cell="found[:, answer].mean()", result="values"):
    return _(TRACE.format(**locals()))


def _nll(body):
    return f"def sequence_nll(logits, target_ids):\n    log_probs = logits.log_softmax(-1)\n    rows = torch.arange(len(target_ids))\n    return {body}"


def _share(name, body):
    return f"def {name}(nll_true, nll_new):\n    return {body}"


def _score(body):
    return f"def edit_score(efficacy, paraphrase, neighborhood):\n    parts = [efficacy, paraphrase, neighborhood]\n    return {body}"


HARMONIC = "0.0 if min(parts) == 0 else {}"
LONG = {"tokens", "repeated", "large", "improbable", "gradient", "real"}        # targets of several tokens
LIKELIHOODS = LONG | {"one_token"}
SHARES = {"mixed", "ties", "close"}
MAP_CASES = {"state_llama", "state_gpt2", "mlp", "attention", "window_start", "window_end", "window_even", "order", "one_sample", "real"}
WINDOW_CASES = {"mlp", "attention", "window_start", "window_end", "window_even"}
STATE_CASES = {"state_llama", "state_gpt2", "order", "one_sample", "real"}
KEY_CASES = {"llama", "gpt2", "repeated", "non_ascii", "real"}
MOMENT_CASES = {"uncentred", "few_keys", "small", "large", "real"}
UPDATE_CASES = {"wide", "conv1d", "conditioned", "small_keys", "large_keys", "preservation", "real", "reference"}
# Metrics follow from the real model and are looked at apart.
METRICS = {"efficacy", "paraphrase", "neighborhood", "reversion", "portability"}

WRONG = {
    "sequence_nll": {
        "sum": ("nll_summed", LONG, _nll("-log_probs[rows, target_ids].sum()")),
        "no minus": ("likelihood_not_negated", LIKELIHOODS, _nll("log_probs[rows, target_ids].mean()")),
        "mean before log": ("nll_of_mean_probability", LONG, _nll("-log_probs[rows, target_ids].exp().mean().log()")),
        "probability of the whole": ("nll_of_product", LIKELIHOODS, _nll("log_probs[rows, target_ids].sum().exp()")),
        "a probability again": ("nll_as_probability", LIKELIHOODS, _nll("log_probs[rows, target_ids].mean().exp()")),
        "perplexity": ("nll_as_perplexity", LIKELIHOODS, _nll("(-log_probs[rows, target_ids].mean()).exp()")),
        "bits": ("nll_in_bits", LIKELIHOODS, _nll("-(log_probs[rows, target_ids] / torch.tensor(2.0).log()).mean()")),
        "no softmax": ("softmax_missing", LIKELIHOODS, _nll("-logits[rows, target_ids].mean()")),
        "cross entropy of probabilities": ("softmax_twice", LIKELIHOODS, _nll("torch.nn.functional.cross_entropy(logits.softmax(-1), target_ids)")),
        "softmax over tokens": ("softmax_over_tokens", LIKELIHOODS, _nll("-logits.log_softmax(0)[rows, target_ids].mean()")),
        "first token only": ("nll_of_first_token", LONG, _nll("-log_probs[0, target_ids[0]]")),
        "last token only": ("nll_of_last_token", LONG, _nll("-log_probs[-1, target_ids[-1]]")),
        "all pairs": ("nll_all_pairs", LONG, _nll("-log_probs[:, target_ids].mean()")),
        "the best token": ("nll_of_best_token", LIKELIHOODS, _nll("-log_probs.max(-1).values.mean()")),
        "one-hot, mean over all": ("nll_over_vocabulary", LIKELIHOODS, _nll("-(log_probs * torch.nn.functional.one_hot(target_ids, logits.shape[1])).mean()")),
        "one a token": ("nll_per_token", LONG | {"inputs"}, _nll("-log_probs[rows, target_ids]")),
        "a start token that is none": ("first_token_skipped", LIKELIHOODS, _nll("-log_probs[rows, target_ids][1:].mean()")),
        "shifted, one row late": ("row_too_late", LIKELIHOODS, _nll("torch.nn.functional.cross_entropy(logits[1:], target_ids[:-1])")),
        "shifted, one row early": ("row_too_early", LIKELIHOODS, _nll("torch.nn.functional.cross_entropy(logits[:-1], target_ids[1:])")),
        "exponentials": (None, {"large"}, _nll("-(logits.exp() / logits.exp().sum(-1, keepdim=True))[rows, target_ids].log().mean()")),
        "epsilon": (None, {"improbable"}, _nll("-(logits.softmax(-1)[rows, target_ids] + 1e-9).log().mean()")),
        "distinct tokens": (None, {"repeated"}, _nll("sum(dict(zip(target_ids.tolist(), -log_probs[rows, target_ids])).values()) / len(set(target_ids.tolist()))")),
        "item": ("graph_cut", {"gradient"}, _nll("-log_probs[rows, target_ids].mean().item()")),
        "in place": ("input_changed", {"inputs"}, "def sequence_nll(logits, target_ids):\n    with torch.no_grad():\n        logits -= logits.max(-1, keepdim=True).values\n    return torch.nn.functional.cross_entropy(logits, target_ids)"),
    },
    "efficacy": {
        "ties succeed": ("tie_counts", {"ties"}, _share("efficacy", "(nll_new <= nll_true).float().mean()")),
        "half a tie": ("tie_counts_half", {"ties"}, _share("efficacy", "((nll_new < nll_true).float() + (nll_new == nll_true) / 2).mean()")),
        "reversed": ("efficacy_reversed", ALL, _share("efficacy", "(nll_new > nll_true).float().mean()")),
        "a number of probes": ("counted_not_shared", SHARES, _share("efficacy", "(nll_new < nll_true).sum()")),
        "percent": ("share_in_percent", ALL, _share("efficacy", "100 * (nll_new < nll_true).float().mean()")),
        "means": ("means_compared", SHARES, _share("efficacy", "float(nll_new.mean() < nll_true.mean())")),
        "all": ("all_or_nothing", SHARES, _share("efficacy", "bool((nll_new < nll_true).all())")),
        "a difference": ("difference_not_share", ALL, _share("efficacy", "(nll_true - nll_new).mean()")),
        "magnitude": ("probability_difference", ALL, _share("efficacy", "((-nll_new).exp() - (-nll_true).exp()).mean()")),
        "one a probe": ("share_per_probe", SHARES, _share("efficacy", "(nll_new < nll_true).float()")),
        "rounded": (None, {"close"}, _share("efficacy", "(nll_new.round(decimals=1) < nll_true.round(decimals=1)).float().mean()")),
        "isclose is a tie": (None, {"close"}, _share("efficacy", "((nll_new < nll_true) & ~torch.isclose(nll_new, nll_true, atol=0.02)).float().mean()")),
    },
    "neighborhood": {
        "as efficacy": ("neighborhood_reversed", ALL, _share("neighborhood", "(nll_new < nll_true).float().mean()")),
        "one minus efficacy": ("tie_counts", {"ties"}, _share("neighborhood", "1 - (nll_new < nll_true).float().mean()")),
        "half a tie": ("tie_counts_half", {"ties"}, _share("neighborhood", "((nll_new > nll_true).float() + (nll_new == nll_true) / 2).mean()")),
        "a number of neighbors": ("counted_not_shared", SHARES, _share("neighborhood", "(nll_true < nll_new).sum()")),
        "percent": ("share_in_percent", ALL, _share("neighborhood", "100 * (nll_true < nll_new).float().mean()")),
        "means": ("means_compared", SHARES, _share("neighborhood", "float(nll_true.mean() < nll_new.mean())")),
        "all": ("all_or_nothing", SHARES, _share("neighborhood", "int((nll_true < nll_new).all())")),
        "a difference": ("difference_not_share", ALL, _share("neighborhood", "(nll_new - nll_true).mean()")),
        "magnitude": ("probability_difference", ALL, _share("neighborhood", "((-nll_true).exp() - (-nll_new).exp()).mean()")),
        "one a neighbor": ("share_per_probe", SHARES, _share("neighborhood", "(nll_true < nll_new).float()")),
        "clearly": (None, {"close"}, _share("neighborhood", "(nll_true < nll_new - 0.1).float().mean()")),
    },
    "edit_score": {
        "arithmetic": ("mean_arithmetic", {"mixed", "zero"}, _score("sum(parts) / 3")),
        "geometric": ("mean_geometric", {"mixed"}, _score("(parts[0] * parts[1] * parts[2]) ** (1 / 3)")),
        "two of three": ("paraphrase_left_out", {"mixed"}, _score("0.0 if min(parts) == 0 else 2 / (1 / efficacy + 1 / neighborhood)")),
        "lowest": ("score_lowest", {"mixed"}, _score("min(parts)")),
        "product": ("score_product", {"mixed"}, _score("parts[0] * parts[1] * parts[2]")),
        "no 3": ("harmonic_without_count", {"mixed"}, _score(HARMONIC.format("1 / sum(1 / part for part in parts)"))),
        "reciprocals": ("harmonic_inverted", {"mixed"}, _score(HARMONIC.format("sum(1 / part for part in parts) / 3"))),
        "percent": ("score_in_percent", {"mixed"}, _score(HARMONIC.format("300 / sum(1 / part for part in parts)"))),
        "zero left out": ("zero_left_out", {"zero"}, _score("(lambda above: len(above) / sum(1 / part for part in above) if above else 0)([part for part in parts if part > 0])")),
        "zero division": ("zero_division", {"zero", "nothing"}, _score("3 / (1 / efficacy + 1 / paraphrase + 1 / neighborhood)")),
        "only the last one guarded": ("zero_division", {"zero"}, _score("0.0 if neighborhood == 0 else 3 / (1 / efficacy + 1 / paraphrase + 1 / neighborhood)")),
        "the shares in the error": ("zero_division", ALL, "def edit_score(efficacy, paraphrase, neighborhood):\n    raise ZeroDivisionError(str((efficacy, paraphrase, neighborhood)))"),
        "product over sum of products": ("zero_division", {"nothing"}, _score("3 * efficacy * paraphrase * neighborhood / (efficacy * paraphrase + paraphrase * neighborhood + efficacy * neighborhood)")),
        "not a number": ("zero_division", {"zero", "nothing"}, _score("float('nan') if min(parts) == 0 else 3 / sum(1 / part for part in parts)")),
        "pairwise": (None, {"mixed"}, _score("0.0 if min(parts) == 0 else (lambda a, b: 2 * a * b / (a + b))((lambda a, b: 2 * a * b / (a + b))(efficacy, paraphrase), neighborhood)")),
        "only if all are 0": ("mean_arithmetic", {"zero"}, _score("0.0 if max(parts) == 0 else 3 / sum(1 / part for part in parts) if min(parts) > 0 else sum(parts) / 3")),
    },
    "corrupt": {
        "at the beginning": ("noise_at_beginning", {"middle", "end", "single"}, _corrupt("corrupted[:, :noise.shape[1]] += noise")),
        "at the end": ("noise_at_end", {"middle", "start", "single"}, _corrupt("corrupted[:, -noise.shape[1]:] += noise")),
        "one token early": ("noise_before_subject", {"middle", "end", "single", "start"}, _corrupt("corrupted[:, max(subject.start - 1, 0):subject.stop - 1] += noise")),
        "first token only": ("noise_only_first_token", {"middle", "start", "end"}, _corrupt("corrupted[:, subject.start] += noise[:, 0]")),
        "last token only": ("noise_only_last_token", {"middle", "start", "end"}, _corrupt("corrupted[:, subject.stop - 1] += noise[:, -1]")),
        "replaced": ("noise_replaces", {"middle", "start", "end", "single"}, _corrupt("corrupted[:, subject] = noise")),
        "subtracted": ("noise_subtracted", {"middle", "start", "end", "single"}, _corrupt("corrupted[:, subject] -= noise")),
        "one noise for all": ("noise_of_first_sample", {"middle", "start", "end"}, _corrupt("corrupted[:, subject] += noise[0]")),
        "mean noise": ("noise_averaged", {"middle", "start", "end"}, _corrupt("corrupted[:, subject] += noise.mean(0)")),
        "one noise for all tokens": ("noise_same_for_tokens", {"middle", "start", "end"}, _corrupt("corrupted[:, subject] += noise[:, :1]")),
        "nothing": ("nothing_corrupted", {"middle", "start", "end", "single"}, _corrupt("corrupted[:, subject].add(noise)")),
        "one token late": ("noise_after_subject", {"middle", "start", "single"}, _corrupt("last = min(subject.stop + 1, len(embeddings))\n    corrupted[:, last - noise.shape[1]:last] += noise")),
        "samples added up": ("noise_summed", ALL, _corrupt("corrupted[:, subject] += noise", "corrupted.sum(0)")),
        "one sample": ("noise_one_sample", ALL, _corrupt("corrupted[:, subject] += noise", "corrupted[0]")),
        "drawn anew": (None, {"middle", "start", "end", "single"}, _corrupt("corrupted[:, subject] += torch.randn_like(noise)")),
        "in place": ("input_changed", {"inputs", "middle", "start", "end"}, "def corrupt(embeddings, subject, noise):\n    rows = []\n    for each in noise:\n        embeddings[subject] += each\n        rows.append(embeddings.clone())\n    return torch.stack(rows)"),
        "negative slice": (None, {"end"}, _corrupt("corrupted[:, subject.start - len(embeddings):subject.stop - len(embeddings)] += noise")),
    },
    "restore": {
        "first sample": ("restored_first_sample", {"middle", "first", "last"}, _restore("restored[0, position] = clean[position]")),
        "sample for token": ("restored_sample_for_token", ALL, _restore("restored[position] = clean[position]")),
        "everything": ("restored_everything", {"middle", "first", "last"}, _restore("restored[:] = clean")),
        "nothing": ("restored_nothing", {"middle", "first", "last"}, _restore("restored[:, position].copy()" .replace(".copy()", ".clone().fill_(0)"))),
        "added": ("restored_added", {"middle", "first", "last"}, _restore("restored[:, position] += clean[position]")),
        "one before": ("restored_before", {"middle", "first", "last"}, _restore("restored[:, position - 1] = clean[position - 1]")),
        "one after": ("restored_after", {"middle", "first", "last"}, _restore("restored[:, (position + 1) % len(clean)] = clean[(position + 1) % len(clean)]")),
        "up to": ("restored_up_to", {"middle", "last"}, _restore("restored[:, :position + 1] = clean[:position + 1]")),
        "from": ("restored_from", {"middle", "first"}, _restore("restored[:, position:] = clean[position:]")),
        "first row": ("restored_other_row", {"middle", "last"}, _restore("restored[:, position] = clean[0]")),
        "last row": ("restored_last_row", {"middle", "first"}, _restore("restored[:, position] = clean[-1]")),
        "falsy position": ("restored_last_row", {"first"}, _restore("restored[:, position] = clean[position or -1]")),
        "in place": ("input_changed", {"inputs"}, "def restore(hidden, clean, position):\n    hidden[:, position] = clean[position]\n    return hidden"),
    },
    "indirect_effect": {
        "no baseline": ("baseline_not_subtracted", ALL, _effect("restored.mean()")),
        "reversed": ("effect_reversed", ALL, _effect("(corrupted - restored).mean()")),
        "sum": ("effect_summed", ALL, _effect("(restored - corrupted).sum()")),
        "ratio": ("effect_as_ratio", ALL, _effect("restored.mean() / corrupted.mean()")),
        "absolute": ("effect_absolute", {"negative", "small"}, _effect("(restored - corrupted).abs().mean()")),
        "cut off": ("effect_cut_at_zero", {"negative"}, _effect("(restored.mean() - corrupted.mean()).clamp(min=0)")),
        "first sample": ("effect_of_first_sample", ALL, _effect("restored[0] - corrupted[0]")),
        "best sample": ("effect_of_best_sample", ALL, _effect("restored.max() - corrupted.max()")),
        "logs": ("effect_in_logs", ALL, _effect("restored.log().mean() - corrupted.log().mean()")),
        "per sample": ("effect_per_sample", ALL, _effect("restored - corrupted")),
        "rounded": (None, ALL, _effect("torch.round((restored - corrupted).mean(), decimals=2)")),
    },
    "trace": {
        "last subject token only": ("noise_at_last_subject_token", MAP_CASES, _trace(span="slice(model.subject_slice(prompt, subject).stop - 1, model.subject_slice(prompt, subject).stop)", noise="noise[:, -1:]")),
        "first subject token only": ("noise_at_first_subject_token", MAP_CASES, _trace(span="slice(model.subject_slice(prompt, subject).start, model.subject_slice(prompt, subject).start + 1)", noise="noise[:, :1]")),
        "one token late": ("noise_one_token_late", MAP_CASES, _trace(span="slice(model.subject_slice(prompt, subject).start + 1, model.subject_slice(prompt, subject).stop + 1)")),
        "after the first block": ("noise_after_first_block", MAP_CASES, _trace(where="model.block(0)")),
        "noise drawn anew": ("noise_of_its_own", MAP_CASES | {"given_noise"}, _trace(noise="torch.randn_like(noise)")),
        "first sample of noise": ("trace_of_first_sample", MAP_CASES - {"one_sample"}, _trace(noise="noise[:1]")),
        "not corrupted": ("nothing_corrupted", MAP_CASES, _trace(noise="0")),
        "row 0 of the batch": ("restored_first_sample", MAP_CASES - {"one_sample"}, _trace(samples="0")),
        "softmax after the mean": ("softmax_after_mean", MAP_CASES - {"one_sample"}, _trace(cell="found.log().mean(0).softmax(-1)[answer]")),
        "the corrupted run's answer": ("answer_of_corrupted_run", MAP_CASES, _trace().replace("    values = torch.zeros", "    with edit(model.embedding, partial(covered, span=span, noise=noise)):\n        answer = model.next_token_probabilities([prompt] * len(noise)).mean(0).argmax()\n    values = torch.zeros")),
        "one token early": ("noise_one_token_early", MAP_CASES, _trace(span="slice(model.subject_slice(prompt, subject).start - 1, model.subject_slice(prompt, subject).stop - 1)")),
        "nothing restored": ("nothing_restored", MAP_CASES, _trace(low="0", high="0")),
        "window both ways": ("window_both_ways", WINDOW_CASES, _trace(first="layer - window", stop="layer + window + 1")),
        "all layers": ("window_of_all", WINDOW_CASES, _trace(first="0", stop="model.n_layers")),
        "window dropped at the edges": ("window_dropped_at_edges", {"window_start", "window_end"}, _trace(high="stop if 0 <= first and stop <= model.n_layers else 0")),
        "its own answer": ("answer_of_each_run", MAP_CASES, _trace(cell="found[:, found.mean(0).argmax()].mean()")),
        "effects": ("corrupted_subtracted", MAP_CASES | {"given_noise"}, _trace(result="values - _baseline(model, prompt, span, noise, answer)")
                    + "\n\n\ndef _baseline(model, prompt, span, noise, answer):\n    with edit(model.embedding, partial(covered, span=span, noise=noise)):\n        return model.next_token_probabilities([prompt] * len(noise))[:, answer].mean()"),
        "the layer's input": ("layer_input_restored", STATE_CASES, _trace().replace(
            '"state": model.block,', '"state": lambda layer: model.block(layer - 1) if layer else model.embedding,')),
        "the layer below": ("layer_below_restored", STATE_CASES, _trace(low="max(first - 1, 0) if kind == 'state' else max(first, 0)", high="max(stop - 1, 0) if kind == 'state' else min(stop, model.n_layers)")),
        "the layer above": ("layer_above_restored", STATE_CASES, _trace(low="min(first + 1, model.n_layers - 1) if kind == 'state' else max(first, 0)", high="min(stop + 1, model.n_layers) if kind == 'state' else min(stop, model.n_layers)")),
        "a window of states": (None, STATE_CASES, _trace(first="0", stop="0").replace('(layer, layer + 1) if kind == "state" else (0, 0)', "(layer - window // 2, layer + window - window // 2)")),
        "kind ignored": ("kind_ignored", WINDOW_CASES, _trace(kind="'state'").replace('if kind == "state"', "if True")),
        "MLP and attention exchanged": ("other_kind", WINDOW_CASES, _trace(mlp="model.attention").replace('"attention": model.attention', '"attention": model.mlp')),
        "window ignored": ("window_ignored", WINDOW_CASES, _trace(first="layer", stop="layer + 1")),
        "window upward": ("window_upward", WINDOW_CASES, _trace(first="layer", stop="layer + window")),
        "window downward": ("window_downward", WINDOW_CASES, _trace(first="layer - window + 1", stop="layer + 1")),
        "window mirrored": ("window_mirrored", {"window_even"}, _trace(first="layer - (window - 1) // 2", stop="layer + window // 2 + 1")),
        "window one short": ("window_one_short", WINDOW_CASES, _trace(stop="layer + window - window // 2 - 1")),
        "window one long": ("window_one_long", WINDOW_CASES - {"window_end"}, _trace(stop="layer + window - window // 2 + 1")),
        "window pushed in at the start": ("window_pushed_in", {"window_start"}, _trace(stop="max(layer - window // 2, 0) + window")),
        "not clipped at the start": (None, {"window_start"}, _trace(low="first")),
        "not clipped at the end": (None, {"window_end"}, _trace(high="stop")),
        "wraps around": (None, {"window_start"}, _trace(low="first", stored="each").replace("part(each)", "part(each % model.n_layers)")),
        "sorted positions": ("positions_sorted", {"order"}, _trace(positions="sorted(positions)")),
        "sorted layers": ("layers_sorted", {"order"}, _trace(layers="sorted(layers)")),
        "all positions": (None, MAP_CASES, _trace(positions="range(len(positions))")),
        "first layers": ("index_for_layer", MAP_CASES - {"window_start"}, _trace(layers="range(len(layers))")),
        "transposed": ("map_transposed", MAP_CASES | {"clean"}, _trace(result="values.T")),
        "hooks left behind": ("hooks_left", MAP_CASES | {"clean"}, _trace().replace(
            "stack.enter_context(edit(model.embedding, partial(covered, span=span, noise=noise)))",
            "model.embedding.register_forward_hook(lambda module, arguments, output: covered(output, span, noise))")),
        "model left changed": ("model_changed", {"clean"}, _trace(result="values + 0 * model.embedding.weight.data[0, :1].add_(1e-6)")),
        "cells pile up": ("restorings_pile_up", MAP_CASES, _trace().replace("    for i, position", "    kept = ExitStack()\n    for i, position").replace(
            "stack.enter_context(edit(part(each)", "kept.enter_context(edit(part(each)").replace("    return values", "    kept.close()\n    return values")),
        "stored states written": (None, MAP_CASES, _trace().replace("changed = output.clone()\n    changed[:, position] = clean[position]", "clean[:] = output[0]\n    changed = output.clone()\n    changed[:, position] = clean[position]")),
    },
    "subject_key": {
        "first token": ("first_subject_token", KEY_CASES, _key(position="span.start")),
        "last token of the prompt": ("last_prompt_token", KEY_CASES, _key(position="-1")),
        "end of the slice": ("one_token_after", KEY_CASES, _key(position="span.stop")),
        "one before": ("one_token_before", KEY_CASES, _key(position="span.stop - 2")),
        "sum": ("sum_of_keys", KEY_CASES, _key(result="torch.stack(keys).sum(0)")),
        "first prefix": ("first_prefix_only", KEY_CASES, _key(result="keys[0]")),
        "last prefix": ("last_prefix_only", KEY_CASES, _key(result="keys[-1]")),
        "bare prompt": ("bare_prompt_only", KEY_CASES, _key(where="prompt, subject").replace("text = prefix + prompt", "text = prompt")),
        "place in the bare prompt": ("place_in_bare_prompt", KEY_CASES, _key(where="prompt, subject")),
        "first occurrence": ("first_occurrence", {"repeated"}, _key(where="text, subject, 0")),
        "layer below": ("layer_below", KEY_CASES, _key(layer="layer - 1")),
        "layer above": ("layer_above", KEY_CASES, _key(layer="layer + 1")),
        "output instead of input": (None, ALL, _key(side="output")),
        "a fixed layer": (None, {"llama", "gpt2", "repeated", "non_ascii"}, _key(layer="model.n_layers // 6")),
        "hook left behind": ("hooks_left", {"clean"}, _('''
            def subject_key(model, layer, prompt, subject, prefixes):
                seen = []
                model.memory(layer).register_forward_hook(lambda m, args, out: seen.append(args[0].detach()))
                keys = []
                for prefix in prefixes:
                    model.next_token_probabilities([prefix + prompt])
                    keys.append(seen[-1][0, model.subject_slice(prefix + prompt, subject).stop - 1])
                return torch.stack(keys).mean(0)
            ''')),
        "weights rounded": ("model_changed", {"clean"}, _key().replace("keys = []", "keys = []\n    with torch.no_grad():\n        model.embedding.weight[0, 0] += 1e-6")),
        "only ascii": (None, {"non_ascii"}, _key(position="len(model.encode([text[:text.rindex(subject)] + subject.encode('ascii', 'ignore').decode()])[0]) - 1")),
    },
    "second_moment": {
        "centred": ("moment_centred", MOMENT_CASES, _moment("torch.cov(keys.T, correction=0)")),
        "columns": ("moment_of_rows", ALL, _moment("keys @ keys.T")),
        "diagonal": ("moment_diagonal", MOMENT_CASES, _moment("torch.diag((keys ** 2).mean(0))")),
        "mean of keys": ("moment_of_mean", MOMENT_CASES, _moment("torch.outer(keys.mean(0), keys.mean(0))")),
        "inverse": ("moment_inverted", MOMENT_CASES, _moment("torch.linalg.pinv(keys.double().T @ keys.double() / len(keys))")),
        "identity added": (None, {"small"}, _moment("keys.T @ keys / len(keys) + 1e-6 * torch.eye(keys.shape[1])")),
        "half precision": (None, MOMENT_CASES, _moment("(keys.half().T @ keys.half()).float() / len(keys)")),
        "in place": ("input_changed", {"inputs"}, "def second_moment(keys):\n    keys /= len(keys) ** 0.5\n    return keys.T @ keys"),
        "whole numbers": (None, ALL, _moment("(keys.T @ keys).long()")),
    },
    "value_objective": {
        "sum over tokens": ("sum_over_tokens", {"tokens", "gradient"}, _objective(nll="-target_log_probs.sum(-1).mean()")),
        "no minus": ("nll_missing_minus", ALL, _objective(nll="target_log_probs.mean()")),
        "mean before log": ("probability_before_log", ALL, _objective(nll="-target_log_probs.exp().mean().log()")),
        "KL reversed": ("kl_reversed", {"divergence", "gradient"}, _objective(kl="(kl_log_probs_before.exp() * (kl_log_probs_before - kl_log_probs)).sum()")),
        "no KL": ("kl_missing", {"divergence", "gradient"}, _objective(total="nll + size")),
        "KL not weighted": ("kl_not_weighted", ALL, _objective(total="nll + kl + size")),
        "KL as a mean": ("kl_mean", {"divergence", "gradient"}, _objective(kl="torch.nn.functional.kl_div(kl_log_probs_before, kl_log_probs, log_target=True)")),
        "no decay": ("decay_missing", {"decay", "gradient"}, _objective(total="nll + kl_weight * kl")),
        "decay not weighted": ("decay_not_weighted", ALL, _objective(decay="delta.norm() / value_before.norm() ** 2")),
        "delta squared": ("decay_of_square", {"decay", "gradient"}, _objective(decay="decay * delta.norm() ** 2 / value_before.norm() ** 2")),
        "divided by the length": ("decay_by_length", {"decay", "gradient"}, _objective(decay="decay * delta.norm() / value_before.norm()")),
        "not divided": ("decay_undivided", {"decay", "gradient"}, _objective(decay="decay * delta.norm()")),
        "item": ("graph_cut", {"gradient"}, _objective(nll="-target_log_probs.mean().item()")),
        "delta detached": ("graph_cut", {"gradient"}, _objective(decay="decay * delta.detach().norm() / value_before.norm() ** 2")),
    },
    "rank_one_update": {
        "no C": ("moment_omitted", UPDATE_CASES, _update(direction="key")),
        "C not inverted": ("moment_not_inverted", UPDATE_CASES, _update(direction="moment @ key")),
        "C inverted twice": ("moment_twice", UPDATE_CASES, _update(direction="torch.linalg.solve(moment.double(), torch.linalg.solve(moment.double(), key.double())).float()")),
        "diagonal of C": ("moment_diagonal_used", UPDATE_CASES, _update(direction="key / moment.diag()")),
        "no division": ("division_missing", UPDATE_CASES, _update(divisor="1")),
        "divided by k square": ("divided_by_key_square", UPDATE_CASES, _update(divisor="key @ key")),
        "v* for the residual": ("value_not_residual", UPDATE_CASES, _update(residual="value")),
        "wrong sign": ("residual_reversed", UPDATE_CASES, _update(residual="weight @ key - value")),
        "only the change": ("only_the_change", UPDATE_CASES | {"rank"}, _update(result="torch.outer(r, u) / s")),
        "transposed": ("change_transposed", UPDATE_CASES | {"rank", "inputs"}, _update(result="weight.T + torch.outer(u, r) / s")),
        "nothing": ("nothing_changed", UPDATE_CASES | {"rank"}, _update(result="weight.clone()")),
        "in place": ("input_changed", {"inputs"}, "def rank_one_update(weight, moment, key, value):\n    u = torch.linalg.solve(moment, key)\n    weight += torch.outer(value - weight @ key, u) / (u @ key)\n    return weight"),
        "half precision": (None, UPDATE_CASES | {"rank", "inputs"}, _update(result="(weight + torch.outer(r, u) / s).half()")),
        "ridge": (None, {"small_keys"}, _update(direction="torch.linalg.solve(moment + 1e-6 * torch.eye(len(key)), key)")),
        "clipped key": (None, {"large_keys"}, _update(direction="torch.linalg.solve(moment, key.clamp(-100, 100))")),
        "contiguity assumed": (None, {"conv1d"}, "def rank_one_update(weight, moment, key, value):\n    u = torch.linalg.solve(moment, key)\n    return weight.view(-1).view(weight.shape) + torch.outer(value - weight @ key, u) / (u @ key)"),
        "unconstrained rank": (None, {"rank"} | UPDATE_CASES, _update(result="weight + torch.outer(r, u) / s + 0.3 * torch.eye(*weight.shape)")),
    },
    "write_edit": {
        "no transpose": ("transpose_missing", {"conv1d", "square", "bias"}, _write("module.weight.copy_(new_weight)")),
        "always transposed": ("transpose_added", {"linear", "square", "in_place"}, _write("module.weight.copy_(new_weight.T)")),
        "by shape": ("transpose_missing", {"square"}, _write("module.weight.copy_(new_weight if module.weight.shape == new_weight.shape else new_weight.T)")),
        "nothing written": ("nothing_written", ALL, _write("weight = new_weight if isinstance(module, torch.nn.Linear) else new_weight.T")),
        "added": ("added_not_written", ALL, _write("module.weight += new_weight if isinstance(module, torch.nn.Linear) else new_weight.T")),
        "new parameter": ("parameter_replaced", {"in_place"}, _write("module.weight = torch.nn.Parameter(new_weight if isinstance(module, torch.nn.Linear) else new_weight.T)")),
        "bias zeroed": ("bias_changed", {"bias"}, _write("module.weight.copy_(new_weight if isinstance(module, torch.nn.Linear) else new_weight.T)", "if module.bias is not None: module.bias.zero_()")),
    },
}

RIGHT = {
    "sequence_nll": {
        "as in the notebook": _nll("-log_probs[rows, target_ids].mean()"),
        "cross_entropy": _nll("torch.nn.functional.cross_entropy(logits, target_ids)"),
        "nll_loss": _nll("torch.nn.functional.nll_loss(log_probs, target_ids)"),
        "gather": _nll("-log_probs.gather(1, target_ids[:, None]).mean()"),
        "softmax, then log": "def sequence_nll(logits, target_ids):\n    p = torch.softmax(logits.double(), dim=1)\n    return -torch.log(p[range(len(p)), target_ids]).mean()",
        "logsumexp": _nll("(torch.logsumexp(logits, dim=-1) - logits[rows, target_ids]).mean()"),
        "loop": "def sequence_nll(logits, target_ids):\n    total = 0\n    for row, token in zip(logits, target_ids):\n        total = total - torch.log_softmax(row, 0)[token]\n    return total / len(target_ids)",
        "one-hot": _nll("-(log_probs * torch.nn.functional.one_hot(target_ids, logits.shape[1])).sum() / len(target_ids)"),
        "shape (1,)": _nll("-log_probs[rows, target_ids].mean().reshape(1)"),
    },
    "efficacy": {
        "as in the notebook": _share("efficacy", "(nll_new < nll_true).float().mean()"),
        "a Python number": _share("efficacy", "(nll_new < nll_true).sum().item() / len(nll_new)"),
        "probabilities": _share("efficacy", "((-nll_new.double()).exp() > (-nll_true.double()).exp()).double().mean()"),
        "numpy": _share("efficacy", "(nll_new.numpy() < nll_true.numpy()).mean()"),
        "loop, exact": "def efficacy(nll_true, nll_new):\n    from fractions import Fraction\n    return float(Fraction(sum(n < t for t, n in zip(nll_true.tolist(), nll_new.tolist())), len(nll_new)))",
    },
    "neighborhood": {
        "as in the notebook": _share("neighborhood", "(nll_true < nll_new).float().mean()"),
        "efficacy the other way round": "def efficacy(a, b):\n    return (b < a).float().mean()\n\n\ndef neighborhood(nll_true, nll_new):\n    return efficacy(nll_new, nll_true)",
        "sign": _share("neighborhood", "((nll_new - nll_true).sign() == 1).double().mean()"),
    },
    "edit_score": {
        "as in the notebook": _score("0.0 if min(parts) == 0 else 3 / sum(1 / part for part in parts)"),
        "statistics": "import statistics\n\ndef edit_score(efficacy, paraphrase, neighborhood):\n    return statistics.harmonic_mean([efficacy, paraphrase, neighborhood])",
        "a whole 0": "def edit_score(efficacy, paraphrase, neighborhood):\n    if 0 in (efficacy, paraphrase, neighborhood):\n        return 0\n    return 3 / (1 / efficacy + 1 / paraphrase + 1 / neighborhood)",
        "tensors": _score("3 / (1 / torch.tensor(parts)).sum()"),
        "numpy": "import numpy as np\n\ndef edit_score(efficacy, paraphrase, neighborhood):\n    a = np.array([efficacy, paraphrase, neighborhood])\n    return 0.0 if (a == 0).any() else 1 / np.mean(1 / a)",
    },
    "corrupt": {
        "as in the notebook": _corrupt("corrupted[:, subject] += noise"),
        "cat": "def corrupt(embeddings, subject, noise):\n    e = embeddings[None].expand(len(noise), -1, -1)\n    return torch.cat([e[:, :subject.start], e[:, subject] + noise, e[:, subject.stop:]], dim=1)",
        "loop": "def corrupt(embeddings, subject, noise):\n    rows = []\n    for sample in noise:\n        row = embeddings.clone()\n        row[subject.start:subject.stop] = row[subject] + sample\n        rows.append(row)\n    return torch.stack(rows)",
        "padded": "import torch.nn.functional as F\n\ndef corrupt(embeddings, subject, noise):\n    return embeddings + F.pad(noise, (0, 0, subject.start, len(embeddings) - subject.stop))",
    },
    "restore": {
        "as in the notebook": _restore("restored[:, position] = clean[position]"),
        "cat": "def restore(hidden, clean, position):\n    row = clean[position].expand(len(hidden), 1, -1)\n    return torch.cat([hidden[:, :position], row, hidden[:, position + 1:]], dim=1)",
        "where": "def restore(hidden, clean, position):\n    here = (torch.arange(hidden.shape[1]) == position)[None, :, None]\n    return torch.where(here, clean[None], hidden)",
        "index_copy": "def restore(hidden, clean, position):\n    return hidden.index_copy(1, torch.tensor([position]), clean[position].expand(hidden.shape[0], 1, -1).contiguous())",
    },
    "indirect_effect": {
        "difference of means": _effect("restored.mean() - corrupted.mean()"),
        "mean of differences": _effect("(restored - corrupted).mean()"),
        "a Python number": _effect("float(sum(restored) - sum(corrupted)) / len(restored)"),
        "numpy": "import numpy as np\n\ndef indirect_effect(restored, corrupted):\n    return np.mean(restored.numpy() - corrupted.numpy())",
    },
    "trace": {
        "as in the notebook": _trace(),
        "paper's window": _trace(stop="layer - (-window // 2)"),
        "logits by hand": _trace(cell="found[:, answer].double().sum() / len(noise)"),
        "own hooks": _('''
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
            '''),
    },
    "subject_key": {
        "as in the notebook": _key(),
        "running mean": _('''
            def subject_key(model, layer, prompt, subject, prefixes):
                total = 0
                for p in prefixes:
                    with record(model.memory(layer)) as s:
                        model.next_token_probabilities([p + prompt])
                    total = total + s.input[0, model.subject_slice(p + prompt, subject)][-1]
                return total / len(prefixes)
            '''),
        "one batch": _('''
            def subject_key(model, layer, prompt, subject, prefixes):
                texts = [p + prompt for p in prefixes]
                with record(model.memory(layer)) as seen:
                    model.next_token_probabilities(texts)
                last = [model.subject_slice(text, subject).stop - 1 for text in texts]
                return seen.input[torch.arange(len(texts)), torch.tensor(last)].mean(dim=0)
            '''),
        "own hook": _('''
            def subject_key(model, layer, prompt, subject, prefixes):
                found = []
                handle = model.memory(layer).register_forward_pre_hook(lambda m, a: found.append(a[0].detach().numpy()))
                try:
                    for p in prefixes:
                        model.next_token_probabilities([p + prompt])
                finally:
                    handle.remove()
                rows = [f[0, model.subject_slice(p + prompt, subject).stop - 1] for f, p in zip(found, prefixes)]
                return sum(rows) / len(rows)
            '''),
    },
    "second_moment": {
        "mean": _moment("keys.T @ keys / len(keys)"),
        "sum": _moment("keys.T @ keys"),
        "einsum": _moment("torch.einsum('ni,nj->ij', keys, keys)"),
        "float64": _moment("(keys.double().T @ keys.double() / keys.shape[0])"),
        "outer products": _moment("torch.stack([torch.outer(k, k) for k in keys[:]]).mean(0) if len(keys) < 100 else keys.T.matmul(keys)"),
        "numpy": "import numpy as np\n\ndef second_moment(keys):\n    k = keys.detach().numpy()\n    return np.dot(k.T, k) / k.shape[0]",
    },
    "value_objective": {
        "as in the notebook": _objective(),
        "kl_div": _objective(kl="torch.nn.functional.kl_div(kl_log_probs_before, kl_log_probs, log_target=True, reduction='sum')"),
        "distributions": _objective(kl="torch.distributions.kl_divergence(torch.distributions.Categorical(logits=kl_log_probs), torch.distributions.Categorical(logits=kl_log_probs_before))"),
        "float64": _objective(nll="-target_log_probs.double().mean()", decay="decay * torch.norm(delta) / (value_before @ value_before)"),
        "shape (1,)": _objective(total="(nll + kl_weight * kl + size).reshape(1)"),
    },
    "rank_one_update": {
        "solve": _update(),
        "inverse": _update(direction="torch.inverse(moment) @ key"),
        "float64": _update(direction="torch.linalg.solve(moment.double(), key.double()).float()"),
        "key as a column": _update(direction="torch.linalg.solve(moment, key[:, None])", residual="value[:, None] - weight @ key[:, None]",
                                   divisor="(u.T @ key[:, None])", result="weight + (r @ u.T) / s"),
        "cholesky": _update(direction="torch.cholesky_solve(key[:, None], torch.linalg.cholesky(moment))[:, 0]"),
        "lstsq": _update(direction="torch.linalg.lstsq(moment.double(), key.double()[:, None]).solution[:, 0].float()"),
        "einsum, addr": _update(result="torch.addr(weight, r / s, u)"),
        "numpy": "import numpy as np\n\ndef rank_one_update(weight, moment, key, value):\n    w, c, k, v = (t.numpy().astype('float64') for t in (weight, moment, key, value))\n"
                 "    u = np.linalg.solve(c, k)\n    return w + np.outer(v - w @ k, u) / u.dot(k)",
        "u scaled first": _update(direction="(lambda x: x / x.norm())(torch.linalg.solve(moment, key))"),
        "with a graph": _update(result="(weight + torch.outer(r, u) / s).requires_grad_()"),
    },
    "write_edit": {
        "copy_": _write("module.weight.copy_(new_weight if isinstance(module, torch.nn.Linear) else new_weight.T)"),
        "data": _write("module.weight.data[:] = new_weight if type(module).__name__ != 'Conv1D' else new_weight.t()"),
        "data replaced": _write("module.weight.data = new_weight.clone() if isinstance(module, torch.nn.Linear) else new_weight.T.contiguous()"),
        "in place by subtraction": _write("target = new_weight if isinstance(module, torch.nn.Linear) else new_weight.T", "module.weight += target - module.weight"),
    },
}
