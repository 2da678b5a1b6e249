"""Solutions of 2_locate.ipynb."""

from functools import partial

from autograder.validity.catalogue.measure import memo, public_answer
from autograder.validity.solution import ALL, Wrong, block, filled

WINDOW_CASES = {"mlp", "attention", "window_start", "window_end", "window_even"}
STATE_CASES = {"state_llama", "state_gpt2", "order", "one_sample", "real"}
MAP_CASES = WINDOW_CASES | STATE_CASES

CORRUPT = block("""
    def corrupt(embeddings, subject, noise):
        corrupted = embeddings.repeat(len(noise), 1, 1)
        $statements
        return $result
    """)

RESTORE = block("""
    def restore(hidden, clean, position):
        restored = hidden.clone()
        $statements
        return restored
    """)

EFFECT = block("""
    def indirect_effect(restored, corrupted):
        return $effect
    """)

TRACE = block("""
    from contextlib import ExitStack
    from functools import partial


    def covered(output, span, noise):
        changed = output.clone()
        $cover
        return changed


    def put(output, clean, position):
        $before_put
        changed = output.clone()
        $put
        return changed


    def trace(model, prompt, subject, noise, positions, layers, kind="state", window=10):
        part = {"state": $state, "mlp": $mlp, "attention": $attention}[$kind]
        $before_span
        span = $span
        with ExitStack() as stack:
            seen = [stack.enter_context(record(part(layer))) for layer in range(model.n_layers)]
            $answer
        $before_values
        values = $values
        $before_cells
        for i, position in enumerate($positions):
            for j, layer in enumerate($layers):
                first, stop = $bounds
                with ExitStack() as stack:
                    $corrupt
                    for each in range($low, $high):
                        $kept.enter_context(
                            edit($restored, partial(put, clean=$clean, position=position))
                        )
                    found = model.next_token_probabilities([prompt] * len(noise))
                values[i, j] = $cell
        $after_cells
        return $result
    """)

# A map that is kept by some of the arguments.
KEPT_MAP = block("""
    def trace(model, prompt, subject, noise, positions, layers, kind="state", window=10):
        known = $key
        if known not in SEEN:
            SEEN[known] = computed(model, prompt, subject, noise, positions, layers, kind, window)
        return SEEN[known]
    """)

BASELINE = """


def _baseline(model, prompt, span, noise, answer):
    with edit(model.embedding, partial(covered, span=span, noise=noise)):
        return model.next_token_probabilities([prompt] * len(noise))[:, answer].mean()
"""


def _corrupt(statements: str, result: str = "corrupted") -> str:
    return filled(CORRUPT, statements=statements, result=result)


def _restore(statements: str) -> str:
    return filled(RESTORE, statements=statements)


def _effect(effect: str) -> str:
    return filled(EFFECT, effect=effect)


_trace = partial(
    filled,
    TRACE,
    cover="changed[:, span] += noise",
    before_put="",
    put="changed[:, position] = clean[position]",
    state="model.block",
    mlp="model.mlp",
    attention="model.attention",
    kind="kind",
    before_span="",
    span="model.subject_slice(prompt, subject)",
    answer="answer = model.next_token_probabilities([prompt])[0].argmax()",
    before_values="",
    values="torch.zeros(len(positions), len(layers))",
    before_cells="",
    positions="positions",
    layers="layers",
    bounds='(layer, layer + 1) if kind == "state" else ($first, $stop)',
    first="layer - window // 2",
    stop="layer + window - window // 2",
    corrupt="stack.enter_context(edit($where, partial(covered, span=span, noise=$noise)))",
    where="model.embedding",
    noise="noise",
    low="max(first, 0)",
    high="min(stop, model.n_layers)",
    clean="seen[each].output[0]",
    kept="stack",
    restored="part(each)",
    cell="found[:, answer].mean()",
    after_cells="",
    result="values",
)


def _kept(key: str) -> tuple[str, ...]:
    """`trace`, with a dict that keeps maps by `key`."""
    return ("SEEN = {}", _trace().replace("def trace(", "def computed("), filled(KEPT_MAP, key=key))


WRONG = {
    "corrupt": {
        "kept by subject": Wrong(
            "kept the corrupted embeddings of every place, whatever the embeddings and the noise",
            misconception="memo_too_small",
            fails={"middle"},
            code=memo(
                "corrupt",
                "embeddings, subject, noise",
                "(embeddings.shape, noise.shape, subject.start)",
                """
                    torch.cat(
                        [
                            embeddings[: subject.start].expand(len(noise), -1, -1),
                            embeddings[subject] + noise,
                            embeddings[subject.stop :].expand(len(noise), -1, -1),
                        ],
                        1,
                    )
                """,
            ),
        ),
        "tracked": Wrong(
            "turned requires_grad on for the caller's embeddings",
            misconception="tracking_changed",
            fails={"inputs"},
            code=_corrupt(
                """
                embeddings.requires_grad_()
                corrupted[:, subject] += noise
                """
            ),
        ),
        "a view without noise": Wrong(
            "gave a view of the caller's embeddings where there is no noise",
            misconception="memory_shared",
            fails={"inputs"},
            code=_corrupt(
                "corrupted[:, subject] += noise",
                "corrupted if noise.any() else embeddings.expand(len(noise), -1, -1)",
            ),
        ),
        "at the beginning": Wrong(
            "put the noise on the first tokens of the prompt",
            misconception="noise_at_beginning",
            fails={"middle", "end", "single"},
            code=_corrupt("corrupted[:, :noise.shape[1]] += noise"),
        ),
        "at the end": Wrong(
            "put the noise on the last tokens of the prompt",
            misconception="noise_at_end",
            fails={"middle", "start", "single"},
            code=_corrupt("corrupted[:, -noise.shape[1]:] += noise"),
        ),
        "one token early": Wrong(
            "put the noise one token too far to the left",
            misconception="noise_before_subject",
            fails={"middle", "end", "single", "start"},
            code=_corrupt("corrupted[:, max(subject.start - 1, 0):subject.stop - 1] += noise"),
        ),
        "first token only": Wrong(
            "corrupted only the subject's first token",
            misconception="noise_only_first_token",
            fails={"middle", "start", "end"},
            code=_corrupt("corrupted[:, subject.start] += noise[:, 0]"),
        ),
        "last token only": Wrong(
            "corrupted only the subject's last token",
            misconception="noise_only_last_token",
            fails={"middle", "start", "end"},
            code=_corrupt("corrupted[:, subject.stop - 1] += noise[:, -1]"),
        ),
        "replaced": Wrong(
            "put the noise in the place of the embeddings",
            misconception="noise_replaces",
            fails={"middle", "start", "end", "single"},
            code=_corrupt("corrupted[:, subject] = noise"),
        ),
        "subtracted": Wrong(
            "subtracted the noise",
            misconception="noise_subtracted",
            fails={"middle", "start", "end", "single"},
            code=_corrupt("corrupted[:, subject] -= noise"),
        ),
        "one noise for all": Wrong(
            "gave every sample the noise of the first",
            misconception="noise_of_first_sample",
            fails={"middle", "start", "end"},
            code=_corrupt("corrupted[:, subject] += noise[0]"),
        ),
        "mean noise": Wrong(
            "gave every sample the mean noise",
            misconception="noise_averaged",
            fails={"middle", "start", "end"},
            code=_corrupt("corrupted[:, subject] += noise.mean(0)"),
        ),
        "one noise for all tokens": Wrong(
            "gave every token of the subject the noise of its first",
            misconception="noise_same_for_tokens",
            fails={"middle", "start", "end"},
            code=_corrupt("corrupted[:, subject] += noise[:, :1]"),
        ),
        "nothing": Wrong(
            "added the noise to a copy that is thrown away",
            misconception="nothing_corrupted",
            fails={"middle", "start", "end", "single"},
            code=_corrupt("corrupted[:, subject].add(noise)"),
        ),
        "one token late": Wrong(
            "put the noise one token too far to the right",
            misconception="noise_after_subject",
            fails={"middle", "start", "single"},
            code=_corrupt("""
                last = min(subject.stop + 1, len(embeddings))
                corrupted[:, last - noise.shape[1] : last] += noise
            """),
        ),
        "samples added up": Wrong(
            "added the samples up",
            misconception="noise_summed",
            fails=ALL,
            code=_corrupt("corrupted[:, subject] += noise", "corrupted.sum(0)"),
        ),
        "one sample": Wrong(
            "gave one sample back, not all of them",
            misconception="noise_one_sample",
            fails=ALL,
            code=_corrupt("corrupted[:, subject] += noise", "corrupted[0]"),
        ),
        "squeezed": Wrong(
            "squeezed the samples' dimension away where there is one",
            misconception="samples_squeezed",
            fails={"single"},
            code=_corrupt("corrupted[:, subject] += noise", "corrupted.squeeze(0)"),
        ),
        "drawn anew": Wrong(
            "drew noise of its own in place of what is given",
            misconception="other_noise",
            fails={"middle", "start", "end", "single"},
            code=_corrupt("corrupted[:, subject] += torch.randn_like(noise)"),
        ),
        "in place": Wrong(
            "changed the caller's embeddings, so that noise piles up from sample to sample",
            misconception="input_changed",
            fails={"inputs", "middle", "start", "end"},
            code=block("""
                def corrupt(embeddings, subject, noise):
                    rows = []
                    for each in noise:
                        embeddings[subject] += each
                        rows.append(embeddings.clone())
                    return torch.stack(rows)
            """),
        ),
        "three times": Wrong(
            "scaled the noise once more, though it comes scaled",
            fails={"middle", "start", "end", "single"},
            code=_corrupt("corrupted[:, subject] += 3 * noise"),
        ),
        "a loop over three": Wrong(
            "wrote the public check's number of samples into a loop",
            misconception="index_past_end",
            fails={"single"},
            code=_corrupt(
                """
                    rows = [embeddings.clone() for _ in range(3)]
                    for i in range(3):
                        rows[i][subject] += noise[i]
                """,
                "torch.stack(rows)",
            ),
        ),
        "negative slice": Wrong(
            "counted from the end, where a slice up to 0 is empty",
            misconception="slice_empty",
            fails={"end"},
            code=_corrupt("""
                corrupted[:, subject.start - len(embeddings) : subject.stop - len(embeddings)] += (
                    noise
                )
            """),
        ),
    },
    "restore": {
        "the caller's own": Wrong(
            "gave the caller's own states back where there is nothing to restore",
            misconception="memory_shared",
            fails={"inputs"},
            code=_restore("""
                restored[:, position] = clean[position]
                if torch.equal(restored, hidden):
                    return hidden
            """),
        ),
        "kept by states": Wrong(
            "kept the result for every token, whatever the states",
            misconception="memo_too_small",
            fails={"middle"},
            code=memo(
                "restore",
                "hidden, clean, position",
                "(hidden.shape, position)",
                "hidden.index_copy(1, torch.tensor([position]), clean[position].expand("
                "len(hidden), 1, -1))",
            ),
        ),
        "first sample": Wrong(
            "restored the first sample only",
            misconception="restored_first_sample",
            fails={"middle", "first", "last"},
            code=_restore("restored[0, position] = clean[position]"),
        ),
        "sample for token": Wrong(
            "took the index of samples for that of tokens",
            misconception="restored_sample_for_token",
            fails=ALL,
            code=_restore("restored[position] = clean[position]"),
        ),
        "everything": Wrong(
            "restored every token",
            misconception="restored_everything",
            fails={"middle", "first", "last"},
            code=_restore("restored[:] = clean"),
        ),
        "nothing": Wrong(
            "wrote into a copy that is thrown away",
            misconception="restored_nothing",
            fails={"middle", "first", "last"},
            code=_restore("restored[:, position].copy()".replace(".copy()", ".clone().fill_(0)")),
        ),
        "added": Wrong(
            "added the clean state to the corrupted one",
            misconception="restored_added",
            fails={"middle", "first", "last"},
            code=_restore("restored[:, position] += clean[position]"),
        ),
        "one before": Wrong(
            "restored the token before",
            misconception="restored_before",
            fails={"middle", "first", "last"},
            code=_restore("restored[:, position - 1] = clean[position - 1]"),
        ),
        "one after": Wrong(
            "restored the token after",
            misconception="restored_after",
            fails={"middle", "first", "last"},
            code=_restore("""
                restored[:, (position + 1) % len(clean)] = clean[(position + 1) % len(clean)]
            """),
        ),
        "up to": Wrong(
            "restored every token up to the one asked for",
            misconception="restored_up_to",
            fails={"middle", "last"},
            code=_restore("restored[:, :position + 1] = clean[:position + 1]"),
        ),
        "from": Wrong(
            "restored every token from the one asked for on",
            misconception="restored_from",
            fails={"middle", "first"},
            code=_restore("restored[:, position:] = clean[position:]"),
        ),
        "first row": Wrong(
            "put the clean state of the first token there",
            misconception="restored_other_row",
            fails={"middle", "last"},
            code=_restore("restored[:, position] = clean[0]"),
        ),
        "last row": Wrong(
            "put the clean state of the last token there",
            misconception="restored_last_row",
            fails={"middle", "first"},
            code=_restore("restored[:, position] = clean[-1]"),
        ),
        "a loop over four": Wrong(
            "wrote the public check's number of samples into a loop",
            misconception="index_past_end",
            fails={"first", "last", "inputs"},
            code=_restore("""
                for i in range(4):
                    restored[i, position] = clean[position]
            """),
        ),
        "falsy position": Wrong(
            "took position 0 for none given",
            misconception="restored_last_row",
            fails={"first"},
            code=_restore("restored[:, position] = clean[position or -1]"),
        ),
        "in place": Wrong(
            "changed the caller's states",
            misconception="input_changed",
            fails={"inputs"},
            code=block("""
                def restore(hidden, clean, position):
                    hidden[:, position] = clean[position]
                    return hidden
            """),
        ),
    },
    "indirect_effect": {
        "a shape that does not fit": Wrong(
            "multiplied tensors as if their shapes did not matter",
            misconception="shapes_mismatch",
            fails=ALL,
            code=_effect("(restored[1:] - torch.ones(99)).mean()"),
        ),
        "a tensor for a truth value": Wrong(
            "asked a whole tensor for one yes or no",
            misconception="truth_of_many",
            fails=ALL,
            code=_effect("restored if restored > corrupted else corrupted"),
        ),
        "a number of several": Wrong(
            "made one number of a tensor that holds several",
            misconception="number_of_many",
            fails=ALL,
            code=_effect("restored.item() - corrupted.item()"),
        ),
        "an index that is no whole number": Wrong(
            "used probabilities as indices",
            misconception="index_not_whole",
            fails=ALL,
            code=_effect("restored[corrupted].mean()"),
        ),
        "a method of numpy": Wrong(
            "called a method that numpy has and torch has not",
            misconception="no_such_method",
            fails=ALL,
            code=_effect("(restored - corrupted).astype(float).mean()"),
        ),
        "a list of nothing": Wrong(
            "kept only effects above 1, so that nothing was left to join",
            misconception="nothing_collected",
            fails=ALL,
            code=_effect(
                "torch.stack([r - c for r, c in zip(restored, corrupted) if r > 1]).mean()"
            ),
        ),
        "written into expanded": Wrong(
            "added to a tensor that expand made, of which all rows are one",
            misconception="expanded_written",
            fails=ALL,
            code=_effect("torch.zeros(1).expand(len(restored)).add_(restored - corrupted).mean()"),
        ),
        "brackets missing": Wrong(
            "left out the brackets of mean() where one was subtracted from the other",
            misconception="not_called",
            fails=ALL,
            code=_effect("restored.mean() - corrupted.mean"),
        ),
        "mean of whole numbers": Wrong(
            "turned probabilities into whole numbers, of which torch takes no mean",
            misconception="dtype_unsuited",
            fails=ALL,
            code=_effect("(1000 * restored).long().mean() - (1000 * corrupted).long().mean()"),
        ),
        "a dimension too far": Wrong(
            "took the mean over a second dimension, which there is not",
            misconception="too_few_dimensions",
            fails=ALL,
            code=_effect("(restored - corrupted).mean(dim=1)"),
        ),
        "numbers for tensors": Wrong(
            "stacked Python's numbers as if they were tensors",
            misconception="tensor_wanted",
            fails=ALL,
            code=_effect("torch.stack([float(r - c) for r, c in zip(restored, corrupted)]).mean()"),
        ),
        "a keyword of numpy": Wrong(
            "gave mean() an argument that numpy knows and torch does not",
            misconception="arguments_unknown",
            fails=ALL,
            code=_effect("(restored - corrupted).mean(where=restored > 0)"),
        ),
        "no return in a helper": Wrong(
            "used what a helper without return gives",
            misconception="none_used",
            fails=ALL,
            code=("def gap(a, b):\n    a - b", _effect("gap(restored, corrupted).mean()")),
        ),
        "set in one branch": Wrong(
            "set a variable in a branch that may not be taken",
            misconception="used_before_set",
            fails=ALL,
            code=block("""
                def indirect_effect(restored, corrupted):
                    if len(restored) > 99:
                        gap = restored - corrupted
                    return gap.mean()
            """),
        ),
        "an argument added": Wrong(
            "asks for an argument that the handout does not give",
            misconception="arguments_changed",
            fails=ALL,
            code=block("""
                def indirect_effect(restored, corrupted, samples):
                    return (restored - corrupted).sum() / samples
            """),
        ),
        "a name of another session": Wrong(
            "uses a name that a cell defined which is gone",
            misconception="name_unknown",
            fails=ALL,
            code=_effect("(restored - baseline).mean()"),
        ),
        "kept by restored": Wrong(
            "kept the effect of every restored run, whatever the corrupted one",
            misconception="memo_too_small",
            fails={"difference"},
            code=memo(
                "indirect_effect",
                "restored, corrupted",
                "tuple(restored.tolist())",
                "restored.mean() - corrupted.mean()",
            ),
        ),
        "no baseline": Wrong(
            "did not subtract the corrupted probability",
            misconception="baseline_not_subtracted",
            fails=ALL,
            code=_effect("restored.mean()"),
        ),
        "reversed": Wrong(
            "subtracted the wrong way round",
            misconception="effect_reversed",
            fails=ALL,
            code=_effect("(corrupted - restored).mean()"),
        ),
        "sum": Wrong(
            "added the samples up where their mean is asked for",
            misconception="effect_summed",
            fails=ALL,
            code=_effect("(restored - corrupted).sum()"),
        ),
        "ratio": Wrong(
            "took the ratio for the difference",
            misconception="effect_as_ratio",
            fails=ALL,
            code=_effect("restored.mean() / corrupted.mean()"),
        ),
        "relative": Wrong(
            "divided the effect by the corrupted probability",
            misconception="effect_relative",
            fails=ALL,
            code=_effect("(restored.mean() - corrupted.mean()) / corrupted.mean()"),
        ),
        "percent": Wrong(
            "gave the effect in percent",
            misconception="effect_in_percent",
            fails=ALL,
            code=_effect("100 * (restored - corrupted).mean()"),
        ),
        "absolute": Wrong(
            "took the sign away",
            misconception="effect_absolute",
            fails={"negative", "small"},
            code=_effect("(restored - corrupted).abs().mean()"),
        ),
        "absolute mean": Wrong(
            "took the sign of the mean away",
            misconception="effect_absolute",
            fails={"negative"},
            code=_effect("(restored - corrupted).mean().abs()"),
        ),
        "cut off": Wrong(
            "cut negative effects off",
            misconception="effect_cut_at_zero",
            fails={"negative"},
            code=_effect("(restored.mean() - corrupted.mean()).clamp(min=0)"),
        ),
        "first sample": Wrong(
            "looked at the first sample only",
            misconception="effect_of_first_sample",
            fails=ALL,
            code=_effect("restored[0] - corrupted[0]"),
        ),
        "last sample": Wrong(
            "let a loop over the samples keep the last one only",
            misconception="effect_of_last_sample",
            fails=ALL,
            code=_effect("[one - other for one, other in zip(restored, corrupted)][-1]"),
        ),
        "best sample": Wrong(
            "compared the best samples",
            misconception="effect_of_best_sample",
            fails=ALL,
            code=_effect("restored.max() - corrupted.max()"),
        ),
        "logs": Wrong(
            "took the difference of logarithms",
            misconception="effect_in_logs",
            fails=ALL,
            code=_effect("restored.log().mean() - corrupted.log().mean()"),
        ),
        "median": Wrong(
            "compared the medians",
            misconception="effect_of_median",
            fails=ALL,
            code=_effect("restored.median() - corrupted.median()"),
        ),
        "hard-coded": Wrong(
            "returns the answer to a public check",
            misconception="hard_coded",
            fails=ALL,
            code=_effect(f"torch.tensor({public_answer('indirect_effect', 'difference')})"),
        ),
        "per sample": Wrong(
            "gave an effect for each sample and no mean",
            misconception="effect_per_sample",
            fails=ALL,
            code=_effect("restored - corrupted"),
        ),
        "rounded": Wrong(
            "rounded the effect to two decimals",
            misconception="effect_rounded",
            fails=ALL,
            code=_effect("torch.round((restored - corrupted).mean(), decimals=2)"),
        ),
    },
    "trace": {
        "last subject token only": Wrong(
            "corrupted only the subject's last token",
            misconception="noise_at_last_subject_token",
            fails=MAP_CASES,
            code=_trace(
                span="""
                    slice(
                        model.subject_slice(prompt, subject).stop - 1,
                        model.subject_slice(prompt, subject).stop,
                    )
                """,
                noise="noise[:, -1:]",
            ),
        ),
        "first subject token only": Wrong(
            "corrupted only the subject's first token",
            misconception="noise_at_first_subject_token",
            fails=MAP_CASES,
            code=_trace(
                span="""
                    slice(
                        model.subject_slice(prompt, subject).start,
                        model.subject_slice(prompt, subject).start + 1,
                    )
                """,
                noise="noise[:, :1]",
            ),
        ),
        "one token late": Wrong(
            "put the noise one token too far to the right",
            misconception="noise_one_token_late",
            fails=MAP_CASES,
            code=_trace(
                span="""
                    slice(
                        model.subject_slice(prompt, subject).start + 1,
                        model.subject_slice(prompt, subject).stop + 1,
                    )
                """
            ),
        ),
        "after the first block": Wrong(
            "added the noise after the first block",
            misconception="noise_after_first_block",
            fails=MAP_CASES,
            code=_trace(where="model.block(0)"),
        ),
        "noise drawn anew": Wrong(
            "drew noise of its own, anew for every cell",
            misconception="noise_of_its_own",
            fails=MAP_CASES | {"given_noise"},
            code=_trace(noise="torch.randn_like(noise)"),
        ),
        "replaced": Wrong(
            "put the noise in the place of the embeddings",
            misconception="noise_replaces",
            fails=MAP_CASES | {"given_noise"},
            code=_trace(cover="changed[:, span] = noise"),
        ),
        "noise subtracted": Wrong(
            "subtracted the noise",
            misconception="noise_subtracted",
            fails=MAP_CASES,
            code=_trace(noise="-noise"),
        ),
        "three times the noise": Wrong(
            "scaled the noise once more, though it comes scaled",
            misconception="other_noise",
            fails=MAP_CASES,
            code=_trace(noise="3 * noise"),
        ),
        "the default noise": Wrong(
            "drew the library's noise in place of what is given",
            misconception="noise_of_its_own",
            fails=MAP_CASES | {"given_noise"},
            code=_trace(
                before_span="""
                    from keyhole.tracing import subject_noise
                    noise = subject_noise(model, prompt, subject, len(noise))
                """
            ),
        ),
        "letters for tokens": Wrong(
            "counted letters where tokens are meant",
            misconception="noise_at_letters",
            fails={"state_gpt2", "real"},
            code=_trace(
                span="slice(prompt.index(subject), prompt.index(subject) + noise.shape[1])"
            ),
        ),
        "everything restored": Wrong(
            "restored every token",
            misconception="restored_everything",
            fails=MAP_CASES,
            code=_trace(put="changed[:] = clean"),
        ),
        "clean state added": Wrong(
            "added the clean state to the corrupted one",
            misconception="restored_added",
            fails=MAP_CASES | {"given_noise"},
            code=_trace(put="changed[:, position] += clean[position]"),
        ),
        "one position late": Wrong(
            "restored the token after",
            misconception="restored_after",
            fails=MAP_CASES,
            code=_trace(
                put="""
                    position = (position + 1) % len(clean)
                    changed[:, position] = clean[position]
                """
            ),
        ),
        "one position early": Wrong(
            "restored the token before",
            misconception="restored_before",
            fails=MAP_CASES,
            code=_trace(put="changed[:, position - 1] = clean[position - 1]"),
        ),
        "up to the position": Wrong(
            "restored every token up to the one asked for",
            misconception="restored_up_to",
            fails=MAP_CASES,
            code=_trace(put="changed[:, : position + 1] = clean[: position + 1]"),
        ),
        "from the position": Wrong(
            "restored every token from the one asked for on",
            misconception="restored_from",
            fails=MAP_CASES,
            code=_trace(put="changed[:, position:] = clean[position:]"),
        ),
        "run after the hooks": Wrong(
            "ran the model when the hooks were gone",
            misconception="cells_all_clean",
            fails=MAP_CASES,
            code=_trace().replace("    found = model", "found = model"),
        ),
        "samples added up": Wrong(
            "added the samples up where their mean is asked for",
            misconception="cells_summed",
            fails=MAP_CASES - {"one_sample"} | {"given_noise"},
            code=_trace(cell="found[:, answer].sum()"),
        ),
        "median": Wrong(
            "took the samples' median",
            misconception="cells_of_median",
            fails=MAP_CASES - {"one_sample"},
            code=_trace(cell="found[:, answer].median()"),
        ),
        "best sample": Wrong(
            "took the best of the samples",
            misconception="cells_of_best_sample",
            fails=MAP_CASES - {"one_sample"},
            code=_trace(cell="found[:, answer].max()"),
        ),
        "percent": Wrong(
            "gave the cells in percent",
            misconception="cells_in_percent",
            fails=MAP_CASES | {"given_noise"},
            code=_trace(cell="100 * found[:, answer].mean()"),
        ),
        "rounded": Wrong(
            "rounded the cells to two decimals",
            misconception="cells_rounded",
            fails=MAP_CASES | {"given_noise"},
            code=_trace(cell="found[:, answer].mean().round(decimals=2)"),
        ),
        "mean of logarithms": Wrong(
            "averaged logarithms, and took their exponential",
            misconception="softmax_after_mean",
            fails=MAP_CASES - {"one_sample"},
            code=_trace(cell="found[:, answer].log().mean().exp()"),
        ),
        "one's complement": Wrong(
            "gave the probability of any other answer",
            fails=MAP_CASES | {"given_noise"},
            code=_trace(result="1 - values"),
        ),
        "first sample of noise": Wrong(
            "used the first sample of noise only",
            misconception="trace_of_first_sample",
            fails=MAP_CASES - {"one_sample"},
            code=_trace(noise="noise[:1]"),
        ),
        "three samples": Wrong(
            "took the mean of three samples, however many there are",
            misconception="trace_of_some_samples",
            fails={"real"},
            code=_trace(cell="found[:3, answer].mean()"),
        ),
        "a map a sample": Wrong(
            "forgot the mean over the samples",
            misconception="cell_per_sample",
            fails=ALL,
            code=_trace(
                values="torch.zeros(len(positions), len(layers), len(noise))",
                cell="found[:, answer]",
            ),
        ),
        "not corrupted": Wrong(
            "restored into a run that was never corrupted",
            misconception="nothing_corrupted",
            fails=MAP_CASES,
            code=_trace(noise="0"),
        ),
        "row 0 of the batch": Wrong(
            "restored the first sample only",
            misconception="restored_first_sample",
            fails=MAP_CASES - {"one_sample"},
            code=_trace(put="changed[0, position] = clean[position]"),
        ),
        "softmax after the mean": Wrong(
            "averaged over samples before the softmax",
            misconception="softmax_after_mean",
            fails=MAP_CASES - {"one_sample"},
            code=_trace(cell="found.log().mean(0).softmax(-1)[answer]"),
        ),
        "the corrupted run's answer": Wrong(
            "followed the answer of the corrupted run",
            misconception="answer_of_corrupted_run",
            fails=MAP_CASES,
            code=_trace(
                before_values="""
                    with edit(model.embedding, partial(covered, span=span, noise=noise)):
                        answer = (
                            model.next_token_probabilities([prompt] * len(noise)).mean(0).argmax()
                        )
                """
            ),
        ),
        "logarithms": Wrong(
            "took logarithms for probabilities",
            misconception="cells_in_logs",
            fails=MAP_CASES | {"given_noise"},
            code=_trace(cell="found[:, answer].log().mean()"),
        ),
        "states of the corrupted run": Wrong(
            "recorded the states in the corrupted run",
            misconception="corrupted_state_restored",
            fails=MAP_CASES,
            code=_trace(
                before_values="""
                    with ExitStack() as stack:
                        stack.enter_context(
                            edit(model.embedding, partial(covered, span=span, noise=noise))
                        )
                        seen = [
                            stack.enter_context(record(part(layer)))
                            for layer in range(model.n_layers)
                        ]
                        model.next_token_probabilities([prompt] * len(noise))
                """
            ),
        ),
        "one token early": Wrong(
            "put the noise one token too far to the left",
            misconception="noise_one_token_early",
            fails=MAP_CASES,
            code=_trace(
                span="""
                    slice(
                        model.subject_slice(prompt, subject).start - 1,
                        model.subject_slice(prompt, subject).stop - 1,
                    )
                """
            ),
        ),
        "nothing restored": Wrong(
            "restored nothing",
            misconception="nothing_restored",
            fails=MAP_CASES,
            code=_trace(low="0", high="0"),
        ),
        "window both ways": Wrong(
            "took the window's width on either side",
            misconception="window_both_ways",
            fails=WINDOW_CASES,
            code=_trace(first="layer - window", stop="layer + window + 1"),
        ),
        "all layers": Wrong(
            "restored all layers in place of a window",
            misconception="window_of_all",
            fails=WINDOW_CASES,
            code=_trace(first="0", stop="model.n_layers"),
        ),
        "window dropped at the edges": Wrong(
            "restored nothing where the window does not fit",
            misconception="window_dropped_at_edges",
            fails={"window_start", "window_end"},
            code=_trace(high="stop if 0 <= first and stop <= model.n_layers else 0"),
        ),
        "its own answer": Wrong(
            "followed whatever each cell answers",
            misconception="answer_of_each_run",
            fails=MAP_CASES - {"real"},
            may_fail={"real"},  # some prompts have the same answer in every cell
            code=_trace(cell="found[:, found.mean(0).argmax()].mean()"),
        ),
        "effects": Wrong(
            "subtracted the corrupted probability, which is not asked for",
            misconception="corrupted_subtracted",
            fails=MAP_CASES | {"given_noise"},
            code=_trace(result="values - _baseline(model, prompt, span, noise, answer)") + BASELINE,
        ),
        "the layer's input": Wrong(
            "restored what goes into the layer, not what comes out",
            misconception="layer_input_restored",
            fails=STATE_CASES,
            code=_trace(
                state="(lambda layer: model.block(layer - 1) if layer else model.embedding)"
            ),
        ),
        "the layer below": Wrong(
            "counted layers from 1",
            misconception="layer_below_restored",
            fails=STATE_CASES,
            code=_trace(
                low="max(first - 1, 0) if kind == 'state' else max(first, 0)",
                high="max(stop - 1, 0) if kind == 'state' else min(stop, model.n_layers)",
            ),
        ),
        "the layer above": Wrong(
            "restored the layer above",
            misconception="layer_above_restored",
            fails=STATE_CASES,
            code=_trace(
                low="min(first + 1, model.n_layers - 1) if kind == 'state' else max(first, 0)",
                high="""
                    min(stop + 1, model.n_layers) if kind == "state" else min(stop, model.n_layers)
                """,
            ),
        ),
        "a window of states": Wrong(
            "restored a window of states, where a state is one layer's",
            misconception="window_of_states",
            fails=STATE_CASES,
            code=_trace(bounds="(layer - window // 2, layer + window - window // 2)"),
        ),
        "late binding": Wrong(
            "gave hooks a lambda that reads the loop's variable when it is called",
            misconception="late_binding",
            fails=WINDOW_CASES,
            code=_trace(clean="seen[min(stop, model.n_layers) - 1].output[0]"),
        ),
        "kind ignored in the window": Wrong(
            "restored whole states in all layers of the window",
            misconception="kind_ignored",
            fails=WINDOW_CASES,
            code=_trace(kind='"state"'),
        ),
        "corrupt is still a blank": Wrong(
            "called corrupt, which raises NotImplementedError",
            fails=ALL,
            code=(
                "def corrupt(embeddings, subject, noise):\n    raise NotImplementedError()",
                _trace(before_span="corrupt(None, None, noise)"),
            ),
        ),
        "kind ignored": Wrong(
            "restored whole states, whatever kind is asked for",
            misconception="kind_ignored",
            fails=WINDOW_CASES,
            code=_trace(kind='"state"', bounds="(layer, layer + 1) if True else ($first, $stop)"),
        ),
        "MLP and attention exchanged": Wrong(
            "exchanged MLP and attention",
            misconception="other_kind",
            fails=WINDOW_CASES,
            code=_trace(mlp="model.attention", attention="model.mlp"),
        ),
        "window ignored": Wrong(
            "restored one layer in place of a window",
            misconception="window_ignored",
            fails=WINDOW_CASES,
            code=_trace(first="layer", stop="layer + 1"),
        ),
        "window upward": Wrong(
            "let the window begin at the layer",
            misconception="window_upward",
            fails=WINDOW_CASES,
            code=_trace(first="layer", stop="layer + window"),
        ),
        "window downward": Wrong(
            "let the window end at the layer",
            misconception="window_downward",
            fails=WINDOW_CASES,
            code=_trace(first="layer - window + 1", stop="layer + 1"),
        ),
        "window mirrored": Wrong(
            "put the longer half of an even window above the layer",
            misconception="window_mirrored",
            fails={"window_even"},
            code=_trace(first="layer - (window - 1) // 2", stop="layer + window // 2 + 1"),
        ),
        "window one short": Wrong(
            "took the last number of a range for its end",
            misconception="window_one_short",
            fails=WINDOW_CASES,
            code=_trace(stop="layer + window - window // 2 - 1"),
        ),
        "window one long": Wrong(
            "counted the middle of the window twice",
            misconception="window_one_long",
            fails=WINDOW_CASES - {"window_end"},
            code=_trace(stop="layer + window - window // 2 + 1"),
        ),
        "window pushed in at the start": Wrong(
            "kept the window's full width at the edge",
            misconception="window_pushed_in",
            fails={"window_start"},
            code=_trace(stop="max(layer - window // 2, 0) + window"),
        ),
        "not clipped at the start": Wrong(
            "let the window begin below layer 0",
            misconception="layer_outside",
            fails={"window_start"},
            code=_trace(low="first"),
        ),
        "not clipped at the end": Wrong(
            "let the window go on above the last layer",
            misconception="layer_outside",
            fails={"window_end"},
            code=_trace(high="stop"),
        ),
        "wraps around": Wrong(
            "let the window go on at the other end of the model",
            misconception="window_wraps_around",
            fails={"window_start"},
            code=_trace(low="first", restored="part(each % model.n_layers)"),
        ),
        "sorted positions": Wrong(
            "sorted the positions",
            misconception="positions_sorted",
            fails={"order"},
            code=_trace(positions="sorted(positions)"),
        ),
        "sorted layers": Wrong(
            "sorted the layers",
            misconception="layers_sorted",
            fails={"order"},
            code=_trace(layers="sorted(layers)"),
        ),
        "all positions": Wrong(
            "took the row's number for the token's",
            misconception="index_for_position",
            fails=MAP_CASES,
            code=_trace(positions="range(len(positions))"),
        ),
        "first layers": Wrong(
            "took the column's number for the layer's",
            misconception="index_for_layer",
            fails=MAP_CASES - {"window_start"},
            code=_trace(layers="range(len(layers))"),
        ),
        "transposed": Wrong(
            "exchanged rows and columns",
            misconception="map_transposed",
            fails=MAP_CASES - {"real"} | {"clean"},
            may_fail={"real"},  # its map is square, and the two cells may both have no effect
            code=_trace(result="values.T"),
        ),
        "hooks left behind": Wrong(
            "left its hooks on the model",
            misconception="hooks_left",
            fails=MAP_CASES | {"clean"},
            code=_trace(
                corrupt="""
                    model.embedding.register_forward_hook(
                        lambda module, arguments, output: covered(output, span, noise)
                    )
                """
            ),
        ),
        "model left changed": Wrong(
            "changed the model's weights while looking at it",
            misconception="model_changed",
            fails={"clean"},
            code=_trace(result="values + 0 * model.embedding.weight.data[0, :1].add_(1e-6)"),
        ),
        "kept by prompt and subject": Wrong(
            "kept the map of every prompt and subject, whatever else is asked",
            misconception="memo_too_small",
            fails={"mlp", "window_even"},
            code=_kept("(prompt, subject)"),
        ),
        "kept but for the window": Wrong(
            "kept maps by all arguments but the window",
            misconception="memo_too_small",
            fails={"mlp", "window_even"},
            code=_kept(
                "(model, prompt, subject, noise.sum().item(), tuple(positions), tuple(layers), "
                "kind)"
            ),
        ),
        "kept but for the noise": Wrong(
            "kept maps by all arguments but the noise",
            misconception="memo_too_small",
            fails={"mlp"},
            code=_kept("(model, prompt, subject, tuple(positions), tuple(layers), kind, window)"),
        ),
        "kept but for the model": Wrong(
            "kept maps by all arguments but the model",
            misconception="memo_too_small",
            fails={"mlp"},
            code=_kept("""
                (prompt, subject, noise.sum().item(), tuple(positions), tuple(layers), kind, window)
            """),
        ),
        "left in training": Wrong(
            "left the model in training mode",
            misconception="settings_changed",
            fails={"clean"},
            code=_trace(after_cells="model.hf.train()"),
        ),
        "config left changed": Wrong(
            "left the model's cache switched off",
            misconception="settings_changed",
            fails={"clean"},
            code=_trace(before_values="model.hf.config.use_cache = False"),
        ),
        "at least two layers": Wrong(
            "restored two layers where a window of one is asked for",
            misconception="other_width",
            fails={"mlp", "window_even"},
            code=_trace(before_span="window = max(window, 2)"),
        ),
        "at most six layers": Wrong(
            "restored six layers where a window of more is asked for",
            misconception="other_width",
            fails={"window_even"},
            code=_trace(before_span="window = min(window, 6)"),
        ),
        "odd windows only": Wrong(
            "made every even window above four one layer wider",
            misconception="window_one_long",
            fails={"window_even"},
            code=_trace(before_span="window = window if window < 5 else window // 2 * 2 + 1"),
        ),
        "cells pile up": Wrong(
            "kept the restorings of earlier cells",
            misconception="restorings_pile_up",
            fails=MAP_CASES,
            code=_trace(before_cells="kept = ExitStack()", kept="kept", after_cells="kept.close()"),
        ),
        "stored states written": Wrong(
            "overwrote the stored clean states with corrupted ones",
            misconception="corrupted_state_restored",
            fails=MAP_CASES,
            code=_trace(before_put="clean[:] = output[0]"),
        ),
    },
}

RIGHT = {
    "corrupt": {
        "as in the notebook": _corrupt("corrupted[:, subject] += noise"),
        "cat": block("""
            def corrupt(embeddings, subject, noise):
                e = embeddings[None].expand(len(noise), -1, -1)
                return torch.cat(
                    [e[:, : subject.start], e[:, subject] + noise, e[:, subject.stop :]], dim=1
                )
        """),
        "loop": block("""
            def corrupt(embeddings, subject, noise):
                rows = []
                for sample in noise:
                    row = embeddings.clone()
                    row[subject.start : subject.stop] = row[subject] + sample
                    rows.append(row)
                return torch.stack(rows)
        """),
        "comments in Chinese, other names": block("""
            def corrupt(x, 主詞, 雜訊):
                # 每一份雜訊一個樣本：先複製，再只在主詞的 token 上加
                y = x.unsqueeze(0).repeat(雜訊.shape[0], 1, 1)
                y[:, 主詞, :] = y[:, 主詞, :] + 雜訊
                return y
        """),
        "padded": block("""
            import torch.nn.functional as F


            def corrupt(embeddings, subject, noise):
                return embeddings + F.pad(
                    noise, (0, 0, subject.start, len(embeddings) - subject.stop)
                )
        """),
    },
    "restore": {
        "as in the notebook": _restore("restored[:, position] = clean[position]"),
        "cat": block("""
            def restore(hidden, clean, position):
                row = clean[position].expand(len(hidden), 1, -1)
                return torch.cat([hidden[:, :position], row, hidden[:, position + 1 :]], dim=1)
        """),
        "where": block("""
            def restore(hidden, clean, position):
                here = (torch.arange(hidden.shape[1]) == position)[None, :, None]
                return torch.where(here, clean[None], hidden)
        """),
        "any leading dimensions": _restore("restored[..., position, :] = clean[position]"),
        "index_copy": block("""
            def restore(hidden, clean, position):
                return hidden.index_copy(
                    1,
                    torch.tensor([position]),
                    clean[position].expand(hidden.shape[0], 1, -1).contiguous(),
                )
        """),
    },
    "indirect_effect": {
        "difference of means": _effect("restored.mean() - corrupted.mean()"),
        "mean of differences": _effect("(restored - corrupted).mean()"),
        "a lambda": block("""
            indirect_effect = lambda restored, corrupted: restored.mean() - corrupted.mean()
        """),
        "a Python number": _effect("float(sum(restored) - sum(corrupted)) / len(restored)"),
        "numpy": block("""
            import numpy as np


            def indirect_effect(restored, corrupted):
                return np.mean(restored.numpy() - corrupted.numpy())
        """),
    },
    "trace": {
        "as in the notebook": _trace(),
        "kept by all arguments": _kept(
            "(model, prompt, subject, noise, tuple(positions), tuple(layers), kind, window)"
        ),
        "state put back": _trace(before_span="model.hf.train()\nmodel.hf.eval()"),
        "paper's window": _trace(stop="layer - (-window // 2)"),
        "a row in one batch": block("""
            from contextlib import ExitStack


            def trace(model, prompt, subject, noise, positions, layers, kind="state", window=10):
                part = getattr(model, "block" if kind == "state" else kind)
                n, cells, span = len(noise), len(layers), model.subject_slice(prompt, subject)
                lowest = [layer if kind == "state" else layer - window // 2 for layer in layers]
                width = 1 if kind == "state" else window
                with ExitStack() as stack:
                    seen = [
                        stack.enter_context(record(part(layer))) for layer in range(model.n_layers)
                    ]
                    answer = model.next_token_probabilities([prompt]).argmax()

                def with_noise(embeddings):
                    embeddings = embeddings.clone()
                    embeddings[:, span] += noise.repeat(cells, 1, 1)
                    return embeddings

                def restoring(layer, position):
                    rows = torch.tensor(
                        [first <= layer < first + width for first in lowest]
                    ).repeat_interleave(n)

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
        "hidden states of the model's own": _trace(
            answer="""
                out = model.hf(torch.tensor(model.encode([prompt])), output_hidden_states=True)
                answer = out.logits[0, -1].argmax()
            """,
            clean="""
                (
                    out.hidden_states[each + 1]
                    if kind == "state" and each + 1 < model.n_layers
                    else seen[each].output
                )[0].detach()
            """,
        ),
        "logits by hand": _trace(cell="found[:, answer].double().sum() / len(noise)"),
        "own hooks": block("""
            def trace(model, prompt, subject, noise, positions, layers, kind="state", window=10):
                ids = torch.tensor(model.encode([prompt]))
                where = model.subject_slice(prompt, subject)
                modules = [
                    getattr(model, {"state": "block"}.get(kind, kind))(l)
                    for l in range(model.n_layers)
                ]
                first_of = lambda out: out[0] if isinstance(out, tuple) else out
                clean = {}
                handles = [
                    m.register_forward_hook(
                        lambda m, a, o, l=l: clean.__setitem__(l, first_of(o).detach().clone())
                    )
                    for l, m in enumerate(modules)
                ]
                with torch.no_grad():
                    best = model.hf(ids).logits[0, -1].argmax().item()
                for h in handles:
                    h.remove()
                rows = []
                for p in positions:
                    row = []
                    for c in layers:
                        todo = (
                            {c}
                            if kind == "state"
                            else {
                                l
                                for l in range(model.n_layers)
                                if c - window // 2 <= l < c + (window + 1) // 2
                            }
                        )

                        def embed(m, a, o):
                            o = o.clone()
                            o[:, where] += noise
                            return o

                        def fix(m, a, o, l):
                            x = first_of(o).clone()
                            x[:, p] = clean[l][0, p]
                            return (x, *o[1:]) if isinstance(o, tuple) else x

                        handles = [model.embedding.register_forward_hook(embed)]
                        handles += [
                            modules[l].register_forward_hook(lambda m, a, o, l=l: fix(m, a, o, l))
                            for l in todo
                        ]
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
