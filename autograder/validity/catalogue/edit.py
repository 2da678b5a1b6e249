"""Solutions of 3_edit.ipynb."""

from functools import partial

from autograder.validity.catalogue.measure import memo, public_answer
from autograder.validity.solution import ALL, Wrong, block, filled

KEY_CASES = {"llama", "gpt2", "repeated", "non_ascii", "real"}
MOMENT_CASES = {"uncentred", "few_keys", "small", "large", "real"}
UPDATE_CASES = {
    "wide",
    "conv1d",
    "conditioned",
    "small_keys",
    "large_keys",
    "preservation",
    "real",
    "reference",
}
# The metrics of the reference facts, run again with the student's Ŵ.
SCORED = {"efficacy", "paraphrase", "neighborhood"}
METRICS = SCORED | {"reversion", "portability"}

KEY = block("""
    def subject_key(model, layer, prompt, subject, prefixes):
        keys = []
        $before_loop
        for prefix in prefixes:
            text = $text
            with record(model.memory($layer)) as seen:
                $run
            span = model.subject_slice($where)
            keys.append(seen.$side[0, $position])
        return $result
    """)
_key = partial(
    filled,
    KEY,
    before_loop="",
    text="prefix + prompt",
    layer="layer",
    run="model.next_token_probabilities([text])",
    where="text, subject",
    side="input",
    position="span.stop - 1",
    result="torch.stack(keys).mean(0)",
)

MOMENT = block("""
    def second_moment(keys):
        return $moment
    """)

OBJECTIVE = block("""
    def value_objective(
        target_log_probs, kl_log_probs, kl_log_probs_before, delta, value_before, kl_weight, decay
    ):
        nll = $nll
        kl = $kl
        size = $decay
        return $total
    """)
_objective = partial(
    filled,
    OBJECTIVE,
    nll="-target_log_probs.mean()",
    kl="(kl_log_probs.exp() * (kl_log_probs - kl_log_probs_before)).sum()",
    decay="decay * delta.norm() / value_before.norm() ** 2",
    total="nll + kl_weight * kl + size",
)

UPDATE = block("""
    def rank_one_update(weight, moment, key, value):
        u = $direction
        r = $residual
        s = $divisor
        return $result
    """)
_update = partial(
    filled,
    UPDATE,
    direction="torch.linalg.solve(moment, key)",
    residual="value - weight @ key",
    divisor="u @ key",
    result="weight + torch.outer(r, u) / s",
)

KEPT_KEY = block("""
    def subject_key(model, layer, prompt, subject, prefixes):
        known = $key
        if known not in SEEN:
            SEEN[known] = computed(model, layer, prompt, subject, prefixes)
        return SEEN[known]
    """)

WRITE = block("""
    def write_edit(module, new_weight):
        with $context:
            $statements
    """)


def _kept(key: str) -> tuple[str, ...]:
    """`subject_key`, with a dict that keeps results by `key`."""
    return (
        "SEEN = {}",
        _key().replace("def subject_key(", "def computed("),
        filled(KEPT_KEY, key=key),
    )


def _moment(moment: str) -> str:
    return filled(MOMENT, moment=moment)


def _write(statements: str, context: str = "torch.no_grad()") -> str:
    return filled(WRITE, statements=statements, context=context)


WRONG = {
    "subject_key": {
        "first token": Wrong(
            "took the subject's first token for its last",
            misconception="first_subject_token",
            fails=KEY_CASES,
            code=_key(position="span.start"),
        ),
        "last token of the prompt": Wrong(
            "took the prompt's last token for the subject's",
            misconception="last_prompt_token",
            fails=KEY_CASES,
            code=_key(position="-1"),
        ),
        "end of the slice": Wrong(
            "took the end of a slice for its last element",
            misconception="one_token_after",
            fails=KEY_CASES,
            code=_key(position="span.stop"),
        ),
        "one before": Wrong(
            "took the token before the subject's last",
            misconception="one_token_before",
            fails=KEY_CASES,
            code=_key(position="span.stop - 2"),
        ),
        "mean over the subject": Wrong(
            "averaged the keys of all the subject's tokens",
            misconception="subject_averaged",
            fails=KEY_CASES,
            code=_key(position="span").replace("span])", "span].mean(0))"),
        ),
        "two before": Wrong(
            "took the token two before the subject's last one",
            misconception="other_token",
            fails=KEY_CASES,
            code=_key(position="span.stop - 3"),
        ),
        "no bare prompt": Wrong(
            "skipped the empty prefix",
            misconception="bare_prompt_left_out",
            fails=KEY_CASES,
            code=_key(before_loop="prefixes = [prefix for prefix in prefixes if prefix]"),
        ),
        "sum": Wrong(
            "added the keys up where their mean is asked for",
            misconception="sum_of_keys",
            fails=KEY_CASES,
            code=_key(result="torch.stack(keys).sum(0)"),
        ),
        "first prefix": Wrong(
            "used the key behind the first prefix only",
            misconception="first_prefix_only",
            fails=KEY_CASES,
            code=_key(result="keys[0]"),
        ),
        "last prefix": Wrong(
            "used the key behind the last prefix only",
            misconception="last_prefix_only",
            fails=KEY_CASES,
            code=_key(result="keys[-1]"),
        ),
        "bare prompt": Wrong(
            "left the prefixes out",
            misconception="bare_prompt_only",
            fails=KEY_CASES,
            code=_key(text="prompt", where="prompt, subject"),
        ),
        "place in the bare prompt": Wrong(
            "looked the subject up before the prefix was put in front",
            misconception="place_in_bare_prompt",
            fails=KEY_CASES,
            code=_key(where="prompt, subject"),
        ),
        "first occurrence": Wrong(
            "took the first place where the subject's words stand",
            misconception="first_occurrence",
            fails={"repeated"},
            code=_key(where="text, subject, 0"),
        ),
        "end of a padded batch": Wrong(
            "took -1 in a padded batch for the last token of each prompt",
            misconception="padding_read",
            fails=KEY_CASES,
            code=block("""
                def subject_key(model, layer, prompt, subject, prefixes):
                    with record(model.memory(layer)) as seen:
                        model.next_token_probabilities([prefix + prompt for prefix in prefixes])
                    return seen.input[:, -1].mean(0)
            """),
        ),
        "a space between": Wrong(
            "put a space between prefix and prompt",
            misconception="space_inserted",
            fails=KEY_CASES,
            code=_key(text="prefix + ' ' + prompt"),
        ),
        "layer below": Wrong(
            "took the layer below",
            misconception="layer_below",
            fails=KEY_CASES,
            code=_key(layer="layer - 1"),
        ),
        "layer above": Wrong(
            "took the layer above",
            misconception="layer_above",
            fails=KEY_CASES,
            code=_key(layer="layer + 1"),
        ),
        "output instead of input": Wrong(
            "took the output of W, a value, for its input, the key",
            misconception="value_not_key",
            fails=ALL,
            code=_key(side="output"),
        ),
        "a fixed layer": Wrong(
            "computed a layer of its own in place of the one asked for",
            misconception="other_layer",
            fails={"llama", "gpt2", "repeated", "non_ascii"},
            code=_key(layer="model.n_layers // 6"),
        ),
        "the notebook's LAYER": Wrong(
            "looked at the notebook's own LAYER in place of the layer asked for",
            misconception="other_layer",
            fails=KEY_CASES - {"real"} | {"clean"},
            code=("LAYER = 5", _key(layer="LAYER")),
        ),
        "hook left behind": Wrong(
            "left its hooks on the model",
            misconception="hooks_left",
            fails={"clean"},
            code=block("""
                def subject_key(model, layer, prompt, subject, prefixes):
                    seen = []
                    model.memory(layer).register_forward_hook(
                        lambda m, args, out: seen.append(args[0].detach())
                    )
                    keys = []
                    for prefix in prefixes:
                        model.next_token_probabilities([prefix + prompt])
                        keys.append(
                            seen[-1][0, model.subject_slice(prefix + prompt, subject).stop - 1]
                        )
                    return torch.stack(keys).mean(0)
            """),
        ),
        "weights rounded": Wrong(
            "changed the model's weights while looking at it",
            misconception="model_changed",
            fails={"clean"},
            code=_key(
                before_loop="""
                    with torch.no_grad():
                        model.embedding.weight[0, 0] += 1e-6
                """
            ),
        ),
        "kept by prompt and subject": Wrong(
            "kept the key of every prompt and subject, whatever else is asked",
            misconception="memo_too_small",
            fails={"gpt2"},
            code=_kept("(prompt, subject)"),
        ),
        "kept but for the layer": Wrong(
            "kept keys by all arguments but the layer",
            misconception="memo_too_small",
            fails={"gpt2"},
            code=_kept("(model, prompt, subject, tuple(prefixes))"),
        ),
        "kept but for the prefixes": Wrong(
            "kept keys by all arguments but the prefixes",
            misconception="memo_too_small",
            fails={"gpt2"},
            code=_kept("(model, layer, prompt, subject)"),
        ),
        "kept but for the model": Wrong(
            "kept keys by all arguments but the model",
            misconception="memo_too_small",
            fails={"gpt2"},
            code=_kept("(layer, prompt, subject, tuple(prefixes))"),
        ),
        "left in training": Wrong(
            "left the model in training mode",
            misconception="settings_changed",
            fails={"clean"},
            code=_key(result="(model.hf.train(), torch.stack(keys).mean(0))[1]"),
        ),
        "weights tracked": Wrong(
            "left requires_grad on for all weights of the model",
            misconception="settings_changed",
            fails={"clean"},
            code=_key(
                before_loop="model.hf.requires_grad_(True)",
                result="torch.stack(keys).mean(0).detach()",
            ),
        ),
        "config left changed": Wrong(
            "left the model's cache switched off",
            misconception="settings_changed",
            fails={"clean"},
            code=_key(before_loop="model.hf.config.use_cache = False"),
        ),
        "only ascii": Wrong(
            "expected every letter to be one token",
            misconception="letters_for_tokens",
            fails={"non_ascii"},
            code=_key(
                position="""
                    len(model.encode([
                        text[: text.rindex(subject)]
                        + subject.encode("ascii", "ignore").decode()
                    ])[0]) - 1
                """
            ),
        ),
    },
    "second_moment": {
        "N - 1": Wrong(
            "divided by N - 1, as for a sample's covariance",
            misconception="divided_by_one_less",
            fails=MOMENT_CASES,
            code=_moment("keys.T @ keys / (len(keys) - 1)"),
        ),
        "centred": Wrong(
            "subtracted the mean key: took the covariance for the moment",
            misconception="moment_centred",
            fails=MOMENT_CASES,
            code=_moment("torch.cov(keys.T, correction=0)"),
        ),
        "centred, N - 1": Wrong(
            "subtracted the mean key: took the covariance of a sample for the moment",
            misconception="moment_centred",
            fails=MOMENT_CASES,
            code=_moment("torch.cov(keys.T)"),
        ),
        "correlations": Wrong(
            "took the correlations for the moment",
            fails=MOMENT_CASES,
            code=_moment("torch.corrcoef(keys.T)"),
        ),
        "mean twice": Wrong(
            "divided by the number of keys twice",
            fails=MOMENT_CASES,
            code=_moment("keys.T @ keys / len(keys) ** 2"),
        ),
        "columns": Wrong(
            "multiplied keys by keys, not dimensions by dimensions",
            misconception="moment_of_rows",
            fails=ALL,
            code=_moment("keys @ keys.T"),
        ),
        "diagonal": Wrong(
            "kept only the diagonal",
            misconception="moment_diagonal",
            fails=MOMENT_CASES,
            code=_moment("torch.diag((keys ** 2).mean(0))"),
        ),
        "mean of keys": Wrong(
            "averaged the keys before the outer product",
            misconception="moment_of_mean",
            fails=MOMENT_CASES,
            code=_moment("torch.outer(keys.mean(0), keys.mean(0))"),
        ),
        "inverse": Wrong(
            "gave the inverse of C",
            misconception="moment_inverted",
            fails=MOMENT_CASES,
            code=_moment("""
                torch.linalg.pinv(keys.double().T @ keys.double() / len(keys), hermitian=True)
            """),
        ),
        "keys of length one": Wrong(
            "scaled every key to length 1 first",
            misconception="keys_normalised",
            fails=MOMENT_CASES,
            code=_moment("""
                (lambda unit: unit.T @ unit / len(unit))(keys / keys.norm(dim=1, keepdim=True))
            """),
        ),
        "a loop over thirty": Wrong(
            "wrote the public check's number of keys into a loop",
            misconception="index_past_end",
            fails=ALL,
            code=_moment("sum(torch.outer(keys[i], keys[i]) for i in range(30)) / 30"),
        ),
        "identity added": Wrong(
            "added a little of the identity to C",
            misconception="identity_added",
            fails={"small"},
            code=_moment("keys.T @ keys / len(keys) + 1e-6 * torch.eye(keys.shape[1])"),
        ),
        "half precision": Wrong(
            "computed in half precision",
            misconception="half_precision",
            fails=MOMENT_CASES,
            code=_moment("(keys.half().T @ keys.half()).float() / len(keys)"),
        ),
        "kept by shape": Wrong(
            "kept the moment of every shape of keys",
            misconception="memo_too_small",
            fails={"uncentred", "large"},
            code=memo("second_moment", "keys", "keys.shape", "keys.T @ keys / len(keys)"),
        ),
        "tracked": Wrong(
            "turned requires_grad on for the caller's keys",
            misconception="tracking_changed",
            fails={"inputs"},
            code=_moment("keys.requires_grad_().T @ keys / len(keys)"),
        ),
        "in place": Wrong(
            "changed the caller's keys",
            misconception="input_changed",
            fails={"inputs"},
            code=block("""
                def second_moment(keys):
                    keys /= len(keys) ** 0.5
                    return keys.T @ keys
            """),
        ),
        "whole numbers": Wrong(
            "rounded C to whole numbers",
            misconception="whole_numbers",
            fails=ALL,
            code=_moment("(keys.T @ keys).long()"),
        ),
    },
    "value_objective": {
        "sum over tokens": Wrong(
            "took the sum over the target's tokens for the mean",
            misconception="sum_over_tokens",
            fails={"tokens", "gradient"},
            code=_objective(nll="-target_log_probs.sum(-1).mean()"),
        ),
        "sum over everything": Wrong(
            "took the sum over the target's tokens and the prefixes for the mean",
            misconception="sum_over_tokens",
            fails=ALL,
            code=_objective(nll="-target_log_probs.sum()"),
        ),
        "no minus": Wrong(
            "left the minus of the NLL out",
            misconception="nll_missing_minus",
            fails=ALL,
            code=_objective(nll="target_log_probs.mean()"),
        ),
        "mean before log": Wrong(
            "averaged the probabilities before taking the logarithm",
            misconception="probability_before_log",
            fails=ALL,
            code=_objective(nll="-target_log_probs.exp().mean().log()"),
        ),
        "KL without exp": Wrong(
            "took log probabilities for the weights of the divergence",
            misconception="kl_without_exp",
            fails={"divergence", "gradient"},
            code=_objective(kl="(kl_log_probs * (kl_log_probs - kl_log_probs_before)).sum()"),
        ),
        "symmetric KL": Wrong(
            "took the divergence both ways",
            misconception="kl_symmetric",
            fails={"divergence", "gradient"},
            code=_objective(
                kl="""
                ((kl_log_probs.exp() - kl_log_probs_before.exp())
                * (kl_log_probs - kl_log_probs_before)).sum()
                """
            ),
        ),
        "absolute values of delta": Wrong(
            "added up the absolute values of delta, where its length is asked for",
            misconception="decay_of_absolutes",
            fails={"decay", "gradient"},
            code=_objective(decay="decay * delta.abs().sum() / value_before.norm() ** 2"),
        ),
        "KL reversed": Wrong(
            "took the divergence the wrong way round",
            misconception="kl_reversed",
            fails={"divergence", "gradient"},
            code=_objective(
                kl="(kl_log_probs_before.exp() * (kl_log_probs_before - kl_log_probs)).sum()"
            ),
        ),
        "log_target forgotten": Wrong(
            "gave kl_div log probabilities as its target and did not say so",
            misconception="log_of_log",
            fails=ALL,
            code=_objective(
                kl="""
                    torch.nn.functional.kl_div(kl_log_probs_before, kl_log_probs, reduction="sum")
                """
            ),
        ),
        "no KL": Wrong(
            "left the KL term out",
            misconception="kl_missing",
            fails={"divergence", "gradient"},
            code=_objective(total="nll + size"),
        ),
        "KL not weighted": Wrong(
            "forgot kl_weight",
            misconception="kl_not_weighted",
            fails=ALL,
            code=_objective(total="nll + kl + size"),
        ),
        "KL as a mean": Wrong(
            "averaged the divergence over the vocabulary",
            misconception="kl_mean",
            fails={"divergence", "gradient"},
            code=_objective(
                kl="""
                    torch.nn.functional.kl_div(kl_log_probs_before, kl_log_probs, log_target=True)
                """
            ),
        ),
        "no decay": Wrong(
            "left the decay term out",
            misconception="decay_missing",
            fails={"decay", "gradient"},
            code=_objective(total="nll + kl_weight * kl"),
        ),
        "decay not weighted": Wrong(
            "forgot the weight of the decay",
            misconception="decay_not_weighted",
            fails=ALL,
            code=_objective(decay="delta.norm() / value_before.norm() ** 2"),
        ),
        "delta squared": Wrong(
            "squared |delta|",
            misconception="decay_of_square",
            fails={"decay", "gradient"},
            code=_objective(decay="decay * delta.norm() ** 2 / value_before.norm() ** 2"),
        ),
        "divided by the length": Wrong(
            "divided by |v0|, not by its square",
            misconception="decay_by_length",
            fails={"decay", "gradient"},
            code=_objective(decay="decay * delta.norm() / value_before.norm()"),
        ),
        "not divided": Wrong(
            "did not divide by |v0| squared",
            misconception="decay_undivided",
            fails={"decay", "gradient"},
            code=_objective(decay="decay * delta.norm()"),
        ),
        "hard-coded": Wrong(
            "returns the answer to a public check",
            misconception="hard_coded",
            fails=ALL,
            code=_objective(total=f"torch.tensor({public_answer('value_objective', 'value')})"),
        ),
        "item": Wrong(
            "turned the NLL into a Python number, which has no gradient",
            misconception="graph_cut",
            fails={"gradient"},
            code=_objective(nll="-target_log_probs.mean().item()"),
        ),
        "kept by delta": Wrong(
            "kept the objective of every delta and its size, whatever the log-probabilities",
            misconception="memo_too_small",
            fails={"gradient"},
            code=memo(
                "value_objective",
                "target_log_probs, kl_log_probs, kl_log_probs_before, delta, value_before, "
                "kl_weight, decay",
                "(tuple(delta.tolist()), tuple(value_before.tolist()))",
                """
                    -target_log_probs.mean()
                    + kl_weight * (kl_log_probs.exp() * (kl_log_probs - kl_log_probs_before)).sum()
                    + decay * delta.norm() / value_before.norm() ** 2
                """,
            ),
        ),
        "|v0| tracked": Wrong(
            "turned requires_grad on for the caller's v0",
            misconception="tracking_changed",
            fails={"gradient"},
            code=_objective(
                decay="decay * delta.norm() / value_before.requires_grad_().norm() ** 2"
            ),
        ),
        "the length in place": Wrong(
            "squared |v0|'s elements in the caller's tensor",
            misconception="input_changed",
            fails={"gradient"},
            code=_objective(decay="decay * delta.norm() / value_before.square_().sum()"),
        ),
        "root of the squares": Wrong(
            "took |delta| by a root, which has no gradient at zero, where the search begins",
            misconception="root_at_zero",
            fails={"gradient"},
            code=_objective(decay="decay * (delta ** 2).sum().sqrt() / value_before.norm() ** 2"),
        ),
        "delta detached": Wrong(
            "detached delta, so that the decay has no gradient",
            misconception="graph_cut",
            fails={"gradient"},
            code=_objective(decay="decay * delta.detach().norm() / value_before.norm() ** 2"),
        ),
    },
    "rank_one_update": {
        "k* normalised": Wrong(
            "scaled k* to length 1 first",
            misconception="key_normalised",
            fails=UPDATE_CASES,
            may_fail=METRICS,
            code=_update(
                direction="torch.linalg.solve(moment, key / key.norm())",
                residual="value - weight @ key / key.norm()",
                divisor="u @ key / key.norm()",
            ),
        ),
        "half a Cholesky solve": Wrong(
            "solved with one of the two Cholesky factors only",
            misconception="half_a_solve",
            fails=UPDATE_CASES,
            may_fail=METRICS,
            code=_update(
                direction="""
                torch.linalg.solve_triangular(
                    torch.linalg.cholesky(moment), key[:, None], upper=False
                )[:, 0]
                """
            ),
        ),
        "residual added": Wrong(
            "added W k* to v*, in place of subtracting it",
            misconception="residual_added",
            fails=UPDATE_CASES,
            may_fail=METRICS,
            code=_update(residual="value + weight @ key"),
        ),
        "float and double": Wrong(
            "made a double of C alone",
            misconception="dtypes_mixed",
            fails=ALL,
            code=_update(direction="torch.linalg.solve(moment.double(), key)"),
        ),
        "no C": Wrong(
            "left C out: took k* itself for the direction",
            misconception="moment_omitted",
            fails=UPDATE_CASES | {"neighborhood"},
            code=_update(direction="key"),
        ),
        "C not inverted": Wrong(
            "multiplied by C where the inverse is needed",
            misconception="moment_not_inverted",
            fails=UPDATE_CASES | {"neighborhood"},
            code=_update(direction="moment @ key"),
        ),
        "C inverted twice": Wrong(
            "applied the inverse of C twice",
            misconception="moment_twice",
            fails=UPDATE_CASES,
            code=_update(
                direction="""
                    torch.linalg.solve(
                        moment.double(), torch.linalg.solve(moment.double(), key.double())
                    ).float()
                """
            ),
        ),
        "diagonal of C": Wrong(
            "used only the diagonal of C",
            misconception="moment_diagonal_used",
            fails=UPDATE_CASES | {"neighborhood"},
            code=_update(direction="key / moment.diag()"),
        ),
        "no division": Wrong(
            "forgot to divide by the inverse-C product of k* with itself",
            misconception="division_missing",
            fails=UPDATE_CASES | SCORED,
            code=_update(divisor="1"),
        ),
        "divided by k square": Wrong(
            "divided by k* squared",
            misconception="divided_by_key_square",
            fails=UPDATE_CASES | SCORED,
            code=_update(divisor="key @ key"),
        ),
        "divided by u square": Wrong(
            "divided by the square of the direction",
            misconception="divided_by_direction_square",
            fails=UPDATE_CASES | SCORED,
            code=_update(divisor="u @ u"),
        ),
        "v* for the residual": Wrong(
            "wrote v* itself in place of what is missing",
            misconception="value_not_residual",
            fails=UPDATE_CASES,
            code=_update(residual="value"),
        ),
        "wrong sign": Wrong(
            "took the residual the wrong way round",
            misconception="residual_reversed",
            fails=UPDATE_CASES | SCORED,
            code=_update(residual="weight @ key - value"),
        ),
        "only the change": Wrong(
            "returned the update in place of Ŵ",
            misconception="only_the_change",
            fails=UPDATE_CASES | {"rank", "paraphrase", "neighborhood"},
            code=_update(result="torch.outer(r, u) / s"),
        ),
        "only v*": Wrong(
            "left W out and wrote v* itself",
            misconception="weight_left_out",
            fails=UPDATE_CASES | {"rank", "neighborhood"},
            code=_update(residual="value", result="torch.outer(r, u) / s"),
        ),
        "transposed": Wrong(
            "took the outer product the wrong way round",
            misconception="change_transposed",
            fails=ALL,
            code=_update(result="weight + torch.outer(u, r) / s"),
        ),
        "all transposed": Wrong(
            "took the outer product the wrong way round, and turned W to fit it",
            misconception="change_transposed",
            fails=ALL,
            code=_update(result="weight.T + torch.outer(u, r) / s"),
        ),
        "nothing": Wrong(
            "returned W as it was",
            misconception="nothing_changed",
            fails=UPDATE_CASES | SCORED | {"rank"},
            code=_update(result="weight.clone()"),
        ),
        "Wᵀk": Wrong(
            "transposed W before multiplying it with k*",
            misconception="shapes_disagree",
            fails=ALL,
            code=_update(residual="value - weight.T @ key"),
        ),
        "v* less k*": Wrong(
            "subtracted the key itself from the value, which has another size",
            misconception="shapes_disagree",
            fails=ALL,
            code=_update(residual="value - key"),
        ),
        "added twice": Wrong(
            "changed W in place and added the change once more",
            misconception="update_doubled",
            fails=UPDATE_CASES | {"inputs", "neighborhood"},
            code=block("""
                def rank_one_update(weight, moment, key, value):
                    u = torch.linalg.solve(moment, key)
                    change = torch.outer(value - weight @ key, u) / (u @ key)
                    weight += change
                    return weight + change
            """),
        ),
        "the caller's W": Wrong(
            "gave the caller's own W back where it gives out v* already",
            misconception="memory_shared",
            fails={"inputs"},
            code=_update(
                result="""
                    weight
                    if r.norm() <= 1e-6 * value.norm()
                    else weight + torch.outer(r, u) / s
                """
            ),
        ),
        "kept by W and k*": Wrong(
            "kept the Ŵ of every W and k*, whatever C and v*",
            misconception="memo_too_small",
            fails={"wide"},
            code=memo(
                "rank_one_update",
                "weight, moment, key, value",
                "(weight.sum().item(), key.sum().item())",
                """
                    weight
                    + torch.outer(value - weight @ key, torch.linalg.solve(moment, key))
                    / (torch.linalg.solve(moment, key) @ key)
                """,
            ),
        ),
        "in place": Wrong(
            "changed the caller's W",
            misconception="input_changed",
            fails={"inputs"},
            code=block("""
                def rank_one_update(weight, moment, key, value):
                    u = torch.linalg.solve(moment, key)
                    weight += torch.outer(value - weight @ key, u) / (u @ key)
                    return weight
            """),
        ),
        "half precision": Wrong(
            "returned Ŵ in half precision",
            misconception="half_precision",
            fails=ALL,
            code=_update(result="(weight + torch.outer(r, u) / s).half()"),
        ),
        "change in half precision": Wrong(
            "rounded the change to half precision on the way",
            misconception="half_precision",
            fails={"wide"},
            code=_update(result="weight + (torch.outer(r, u) / s).half().float()"),
        ),
        "ridge": Wrong(
            "added a little of the identity to C before solving",
            misconception="identity_added_to_c",
            fails={"small_keys"},
            code=_update(direction="torch.linalg.solve(moment + 1e-6 * torch.eye(len(key)), key)"),
        ),
        "clipped key": Wrong(
            "clipped large keys",
            misconception="key_clipped",
            fails={"large_keys"},
            code=_update(direction="torch.linalg.solve(moment, key.clamp(-100, 100))"),
        ),
        "contiguity assumed": Wrong(
            "expected W to be contiguous in memory",
            misconception="contiguity_assumed",
            fails={"conv1d"},
            code=block("""
                def rank_one_update(weight, moment, key, value):
                    u = torch.linalg.solve(moment, key)
                    return weight.view(-1).view(weight.shape) + torch.outer(
                        value - weight @ key, u
                    ) / (u @ key)
            """),
        ),
        "unconstrained rank": Wrong(
            "added the identity to Ŵ, too",
            fails={"rank"} | UPDATE_CASES,
            code=_update(result="weight + torch.outer(r, u) / s + 0.3 * torch.eye(*weight.shape)"),
        ),
    },
    "write_edit": {
        "no transpose": Wrong(
            "forgot that a Conv1D stores W transposed",
            misconception="transpose_missing",
            fails={"conv1d", "square", "bias"},
            code=_write("module.weight.copy_(new_weight)"),
        ),
        "always transposed": Wrong(
            "transposed for a Linear, too",
            misconception="transpose_added",
            fails={"linear", "square", "in_place"},
            code=_write("module.weight.copy_(new_weight.T)"),
        ),
        "by shape": Wrong(
            "guessed the transpose from the shapes",
            misconception="transpose_missing",
            fails={"square"},
            code=_write("""
                module.weight.copy_(
                    new_weight if module.weight.shape == new_weight.shape else new_weight.T
                )
            """),
        ),
        "nothing written": Wrong(
            "bound a name to the new weight and wrote nothing",
            misconception="nothing_written",
            fails=ALL,
            code=_write("""
                weight = new_weight if isinstance(module, torch.nn.Linear) else new_weight.T
            """),
        ),
        "added": Wrong(
            "added the new weight to the old one",
            misconception="added_not_written",
            fails=ALL,
            code=_write("""
                module.weight += new_weight if isinstance(module, torch.nn.Linear) else new_weight.T
            """),
        ),
        "new parameter": Wrong(
            "put a new Parameter in the place of the old one",
            misconception="parameter_replaced",
            fails={"in_place"},
            code=_write("""
                module.weight = torch.nn.Parameter(
                    new_weight if isinstance(module, torch.nn.Linear) else new_weight.T
                )
            """),
        ),
        "gradients on": Wrong(
            "wrote into the Parameter while torch tracks its gradient",
            misconception="no_grad_missing",
            fails=ALL,
            code=_write(
                """
                module.weight.copy_(
                    new_weight if isinstance(module, torch.nn.Linear) else new_weight.T
                )
                """,
                context="torch.enable_grad()",
            ),
        ),
        "a tensor as the weight": Wrong(
            "put a plain tensor in the place of the Parameter",
            misconception="tensor_for_parameter",
            fails=ALL,
            code=_write("""
                module.weight = new_weight if isinstance(module, torch.nn.Linear) else new_weight.T
            """),
        ),
        "half precision": Wrong(
            "stored the weight in half precision",
            misconception="half_precision",
            fails=ALL,
            code=_write("""
                module.weight.data = (
                    new_weight if isinstance(module, torch.nn.Linear) else new_weight.T
                ).half()
            """),
        ),
        "double precision": Wrong(
            "stored the weight in double precision, which the model's float32 does not go with",
            misconception="dtype_changed",
            fails=ALL,
            code=_write("""
                module.weight.data = (
                    new_weight if isinstance(module, torch.nn.Linear) else new_weight.T
                ).double()
            """),
        ),
        "turned in place": Wrong(
            "transposed the caller's Ŵ itself",
            misconception="input_changed",
            fails={"bias"},
            code=_write("""
                module.weight.copy_(
                    new_weight if isinstance(module, torch.nn.Linear) else new_weight.t_()
                )
            """),
        ),
        "shape of a module": Wrong(
            "took the module for its weight",
            fails=ALL,
            code=_write("""
                if module.shape == new_weight.shape:
                    module.weight.copy_(new_weight)
            """),
        ),
        "bias of a Linear zeroed": Wrong(
            "set the bias to zero, in a Linear only",
            misconception="bias_changed",
            fails={"bias"},
            code=_write("""
                module.weight.copy_(
                    new_weight if isinstance(module, torch.nn.Linear) else new_weight.T
                )
                if isinstance(module, torch.nn.Linear) and module.bias is not None:
                    module.bias.zero_()
            """),
        ),
        "bias of a Linear removed": Wrong(
            "removed the bias, in a Linear only",
            misconception="bias_changed",
            fails={"bias"},
            code=_write("""
                module.weight.copy_(
                    new_weight if isinstance(module, torch.nn.Linear) else new_weight.T
                )
                if isinstance(module, torch.nn.Linear):
                    module.bias = None
            """),
        ),
        "the caller's memory": Wrong(
            "made the caller's Ŵ itself the memory of the weight",
            misconception="weight_shared",
            fails={"in_place"},
            code=_write("""
                module.weight.data = (
                    new_weight if isinstance(module, torch.nn.Linear) else new_weight.T
                )
            """),
        ),
        "tracking turned off": Wrong(
            "turned requires_grad of the weight off and left it so",
            misconception="weight_flagged",
            fails={"in_place"},
            code=_write("""
                module.weight.requires_grad_(False)
                module.weight.copy_(
                    new_weight if isinstance(module, torch.nn.Linear) else new_weight.T
                )
            """),
        ),
        "tracking turned on": Wrong(
            "turned requires_grad of the weight on when done, also where it had been off",
            misconception="weight_flagged",
            fails={"in_place"},
            code=_write("""
                module.weight.requires_grad_(False)
                module.weight.copy_(
                    new_weight if isinstance(module, torch.nn.Linear) else new_weight.T
                )
                module.weight.requires_grad_(True)
            """),
        ),
        "kept by shape": Wrong(
            "kept the stored form of Ŵ for every shape and kind of module",
            fails={"linear"},
            code=(
                "STORED = {}",
                _write("""
                    name = (type(module), new_weight.shape)
                    if name not in STORED:
                        linear = isinstance(module, torch.nn.Linear)
                        STORED[name] = (new_weight if linear else new_weight.T).clone()
                    module.weight.copy_(STORED[name])
                """),
            ),
        ),
        "bias zeroed": Wrong(
            "set the bias to zero",
            misconception="bias_changed",
            fails={"bias"},
            code=_write("""
                module.weight.copy_(
                    new_weight if isinstance(module, torch.nn.Linear) else new_weight.T
                )
                if module.bias is not None:
                    module.bias.zero_()
            """),
        ),
    },
}

RIGHT = {
    "subject_key": {
        "as in the notebook": _key(),
        "kept by all arguments": _kept("(model, layer, prompt, subject, tuple(prefixes))"),
        "state put back": _key(
            before_loop="model.hf.requires_grad_(True)\nmodel.hf.requires_grad_(False)"
        ),
        "running mean": block("""
            def subject_key(model, layer, prompt, subject, prefixes):
                total = 0
                for p in prefixes:
                    with record(model.memory(layer)) as s:
                        model.next_token_probabilities([p + prompt])
                    total = total + s.input[0, model.subject_slice(p + prompt, subject)][-1]
                return total / len(prefixes)
        """),
        "one batch": block("""
            def subject_key(model, layer, prompt, subject, prefixes):
                texts = [p + prompt for p in prefixes]
                with record(model.memory(layer)) as seen:
                    model.next_token_probabilities(texts)
                last = [model.subject_slice(text, subject).stop - 1 for text in texts]
                return seen.input[torch.arange(len(texts)), torch.tensor(last)].mean(dim=0)
        """),
        "own hook": block("""
            def subject_key(model, layer, prompt, subject, prefixes):
                found = []
                handle = model.memory(layer).register_forward_pre_hook(
                    lambda m, a: found.append(a[0].detach().numpy())
                )
                try:
                    for p in prefixes:
                        model.next_token_probabilities([p + prompt])
                finally:
                    handle.remove()
                rows = [
                    f[0, model.subject_slice(p + prompt, subject).stop - 1]
                    for f, p in zip(found, prefixes)
                ]
                return sum(rows) / len(rows)
        """),
        "hidden states asked for as well": _key(
            run="model.hf(torch.tensor(model.encode([text])), output_hidden_states=True)"
        ),
    },
    "second_moment": {
        "mean": _moment("keys.T @ keys / len(keys)"),
        "sum": _moment("keys.T @ keys"),
        "einsum": _moment("torch.einsum('ni,nj->ij', keys, keys)"),
        "float64": _moment("(keys.double().T @ keys.double() / keys.shape[0])"),
        "batch dimensions": _moment(
            "(lambda flat: flat.T @ flat / len(flat))(keys.flatten(0, -2))"
        ),
        "outer products": _moment("""
            torch.stack([torch.outer(k, k) for k in keys[:]]).mean(0)
            if len(keys) < 100
            else keys.T.matmul(keys)
        """),
        "numpy": block("""
            import numpy as np


            def second_moment(keys):
                k = keys.detach().numpy()
                return np.dot(k.T, k) / k.shape[0]
        """),
    },
    "value_objective": {
        "as in the notebook": _objective(),
        "kl_div": _objective(
            kl="""
                torch.nn.functional.kl_div(
                    kl_log_probs_before, kl_log_probs, log_target=True, reduction="sum"
                )
            """
        ),
        "helpers in cells of their own": (
            block("""
                def nll(log_probs):
                    return -log_probs.mean()
            """),
            block("""
                def kl(p, q):
                    return torch.sum(p.exp() * (p - q))
            """),
            block("""
                def value_objective(a, b, c, d, e, w, f):
                    return nll(a) + w * kl(b, c) + f * d.norm() / e.pow(2).sum()
            """),
        ),
        "distributions": _objective(
            kl="""
                torch.distributions.kl_divergence(
                    torch.distributions.Categorical(logits=kl_log_probs),
                    torch.distributions.Categorical(logits=kl_log_probs_before),
                )
            """
        ),
        "float64": _objective(
            nll="-target_log_probs.double().mean()",
            decay="decay * torch.norm(delta) / (value_before @ value_before)",
        ),
        "shape (1,)": _objective(total="(nll + kl_weight * kl + size).reshape(1)"),
    },
    "rank_one_update": {
        "solve": _update(),
        "inverse": _update(direction="torch.inverse(moment) @ key"),
        "float64": _update(direction="torch.linalg.solve(moment.double(), key.double()).float()"),
        "key as a column": _update(
            direction="torch.linalg.solve(moment, key[:, None])",
            residual="value[:, None] - weight @ key[:, None]",
            divisor="(u.T @ key[:, None])",
            result="weight + (r @ u.T) / s",
        ),
        "cholesky": _update(
            direction="torch.cholesky_solve(key[:, None], torch.linalg.cholesky(moment))[:, 0]"
        ),
        "lstsq": _update(
            direction="""
                torch.linalg.lstsq(moment.double(), key.double()[:, None]).solution[:, 0].float()
            """
        ),
        "addr": _update(result="torch.addr(weight, r / s, u)"),
        "einsum": _update(
            residual="value - torch.einsum('oi,i->o', weight, key)",
            divisor="torch.einsum('i,i->', u, key)",
            result="weight + torch.einsum('o,i->oi', r, u) / s",
        ),
        "numpy": block("""
            import numpy as np


            def rank_one_update(weight, moment, key, value):
                w, c, k, v = (t.numpy().astype("float64") for t in (weight, moment, key, value))
                u = np.linalg.solve(c, k)
                return w + np.outer(v - w @ k, u) / u.dot(k)
        """),
        "methods of a class": (
            block("""
                class Memory:
                    def __init__(self, weight, moment):
                        self.weight, self.moment = weight, moment

                    def direction(self, key):
                        return torch.linalg.solve(self.moment, key)

                    def written(self, key, value):
                        u = self.direction(key)
                        return self.weight + torch.outer(value - self.weight @ key, u) / torch.dot(
                            u, key
                        )
            """),
            block("""
                def rank_one_update(weight, moment, key, value):
                    return Memory(weight, moment).written(key, value)
            """),
        ),
        "helpers in cells of their own, type hints": (
            "from torch import Tensor",
            block("""
                def solved(c: Tensor, k: Tensor) -> Tensor:
                    return torch.linalg.solve(c.double(), k.double())
            """),
            block("""
                def missing(w: Tensor, k: Tensor, v: Tensor) -> Tensor:
                    return v.double() - w.double() @ k.double()
            """),
            block("""
                def rank_one_update(w: Tensor, c: Tensor, k: Tensor, v: Tensor) -> Tensor:
                    u = solved(c, k)
                    return (w + torch.outer(missing(w, k, v), u) / (u @ k.double())).float()
            """),
        ),
        "a static method under this name": (
            block("""
                class Rome:
                    @staticmethod
                    def rank_one_update(weight, moment, key, value):
                        u = torch.linalg.solve(moment, key)
                        return weight + torch.outer(value - weight @ key, u) / (u @ key)
            """),
            "rank_one_update = Rome.rank_one_update",
        ),
        "comments in Chinese": _update().replace(
            "    r =", "    # 還差多少：v* 減掉 W k*\n    r ="
        ),
        "u scaled first": _update(
            direction="(lambda x: x / x.norm())(torch.linalg.solve(moment, key))"
        ),
        "with a graph": _update(result="(weight + torch.outer(r, u) / s).requires_grad_()"),
    },
    "write_edit": {
        "copy_": _write("""
            module.weight.copy_(new_weight if isinstance(module, torch.nn.Linear) else new_weight.T)
        """),
        "data": _write("""
            module.weight.data[:] = (
                new_weight if type(module).__name__ != "Conv1D" else new_weight.t()
            )
        """),
        "data replaced": _write("""
            module.weight.data = (
                new_weight.clone()
                if isinstance(module, torch.nn.Linear)
                else new_weight.T.contiguous()
            )
        """),
        "a method of a class": (
            block("""
                class Writer:
                    @torch.no_grad()
                    def __call__(self, module, new):
                        stored = new.T if type(module).__name__ == "Conv1D" else new
                        module.weight.copy_(stored)
            """),
            block("""
                def write_edit(module, new_weight):
                    Writer()(module, new_weight)
            """),
        ),
        "one function for each kind of module": block("""
            from functools import singledispatch

            from transformers.pytorch_utils import Conv1D


            @singledispatch
            def write_edit(module, new_weight):
                raise NotImplementedError(f"no way to write into {type(module).__name__}")


            @write_edit.register
            def _(module: torch.nn.Linear, new_weight):
                module.weight.data.copy_(new_weight)


            @write_edit.register
            def _(module: Conv1D, new_weight):
                module.weight.data.copy_(new_weight.T)
        """),
        "in place by subtraction": _write("""
            target = new_weight if isinstance(module, torch.nn.Linear) else new_weight.T
            module.weight += target - module.weight
        """),
    },
}
