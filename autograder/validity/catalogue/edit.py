"""Solutions of 3_edit.ipynb."""

from autograder.validity.catalogue.measure import public_answer
from autograder.validity.solution import ALL, block

KEY_CASES = {"llama", "gpt2", "repeated", "non_ascii", "real"}
MOMENT_CASES = {"uncentred", "few_keys", "small", "large", "real"}
SCORED = {"efficacy", "paraphrase", "neighborhood"}
METRICS = SCORED | {
    "reversion",
    "portability",
}  # of the reference facts, run again with the student's Ŵ
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


KEY = """
def subject_key(model, layer, prompt, subject, prefixes):
    keys = []
    for prefix in prefixes:
        text = prefix + prompt
        with record(model.memory({layer})) as seen:
            model.next_token_probabilities([text])
        span = model.subject_slice({where})
        keys.append(seen.{side}[0, {position}])
    return {result}
"""


def _key(
    layer="layer",
    where="text, subject",
    side="input",
    position="span.stop - 1",
    result="torch.stack(keys).mean(0)",
):
    return KEY.format(layer=layer, where=where, side=side, position=position, result=result).strip()


def _moment(body):
    return f"def second_moment(keys):\n    return {body}"


def _objective(
    nll="-target_log_probs.mean()",
    kl="(kl_log_probs.exp() * (kl_log_probs - kl_log_probs_before)).sum()",
    decay="decay * delta.norm() / value_before.norm() ** 2",
    total="nll + kl_weight * kl + size",
):
    return block(f"""
        def value_objective(target_log_probs, kl_log_probs, kl_log_probs_before, delta, value_before, kl_weight, decay):
            nll = {nll}
            kl = {kl}
            size = {decay}
            return {total}
        """)


def _update(
    direction="torch.linalg.solve(moment, key)",
    residual="value - weight @ key",
    divisor="u @ key",
    result="weight + torch.outer(r, u) / s",
):
    return block(f"""
        def rank_one_update(weight, moment, key, value):
            u = {direction}
            r = {residual}
            s = {divisor}
            return {result}
        """)


def _write(*lines):
    return "def write_edit(module, new_weight):\n    with torch.no_grad():\n" + "".join(
        f"        {line}\n" for line in lines
    )


WRONG = {
    "subject_key": {
        "first token": (
            "took the subject's first token for its last",
            "first_subject_token",
            KEY_CASES,
            _key(position="span.start"),
        ),
        "last token of the prompt": (
            "took the prompt's last token for the subject's",
            "last_prompt_token",
            KEY_CASES,
            _key(position="-1"),
        ),
        "end of the slice": (
            "took the end of a slice for its last element",
            "one_token_after",
            KEY_CASES,
            _key(position="span.stop"),
        ),
        "one before": (
            "took the token before the subject's last",
            "one_token_before",
            KEY_CASES,
            _key(position="span.stop - 2"),
        ),
        "sum": (
            "added the keys up where their mean is asked for",
            "sum_of_keys",
            KEY_CASES,
            _key(result="torch.stack(keys).sum(0)"),
        ),
        "first prefix": (
            "used the key behind the first prefix only",
            "first_prefix_only",
            KEY_CASES,
            _key(result="keys[0]"),
        ),
        "last prefix": (
            "used the key behind the last prefix only",
            "last_prefix_only",
            KEY_CASES,
            _key(result="keys[-1]"),
        ),
        "bare prompt": (
            "left the prefixes out",
            "bare_prompt_only",
            KEY_CASES,
            _key(where="prompt, subject").replace("text = prefix + prompt", "text = prompt"),
        ),
        "place in the bare prompt": (
            "looked the subject up before the prefix was put in front",
            "place_in_bare_prompt",
            KEY_CASES,
            _key(where="prompt, subject"),
        ),
        "first occurrence": (
            "took the first place where the subject's words stand",
            "first_occurrence",
            {"repeated"},
            _key(where="text, subject, 0"),
        ),
        "end of a padded batch": (
            "took -1 in a padded batch for the last token of each prompt",
            "padding_read",
            KEY_CASES,
            block("""
                def subject_key(model, layer, prompt, subject, prefixes):
                    with record(model.memory(layer)) as seen:
                        model.next_token_probabilities([prefix + prompt for prefix in prefixes])
                    return seen.input[:, -1].mean(0)
                """),
        ),
        "a space between": (
            "put a space between prefix and prompt",
            "space_inserted",
            KEY_CASES,
            _key().replace("prefix + prompt", "prefix + ' ' + prompt"),
        ),
        "layer below": ("took the layer below", "layer_below", KEY_CASES, _key(layer="layer - 1")),
        "layer above": ("took the layer above", "layer_above", KEY_CASES, _key(layer="layer + 1")),
        "output instead of input": (
            "took the output of W, a value, for its input, the key",
            "value_not_key",
            ALL,
            _key(side="output"),
        ),
        "a fixed layer": (
            "computed a layer of its own in place of the one asked for",
            "other_layer",
            {"llama", "gpt2", "repeated", "non_ascii"},
            _key(layer="model.n_layers // 6"),
        ),
        "the notebook's LAYER": (
            "looked at the notebook's own LAYER in place of the layer asked for",
            "other_layer",
            KEY_CASES - {"real"} | {"clean"},
            ("LAYER = 5", _key(layer="LAYER")),
        ),
        "hook left behind": (
            "left its hooks on the model",
            "hooks_left",
            {"clean"},
            block("""
            def subject_key(model, layer, prompt, subject, prefixes):
                seen = []
                model.memory(layer).register_forward_hook(lambda m, args, out: seen.append(args[0].detach()))
                keys = []
                for prefix in prefixes:
                    model.next_token_probabilities([prefix + prompt])
                    keys.append(seen[-1][0, model.subject_slice(prefix + prompt, subject).stop - 1])
                return torch.stack(keys).mean(0)
            """),
        ),
        "weights rounded": (
            "changed the model's weights while looking at it",
            "model_changed",
            {"clean"},
            _key().replace(
                "keys = []",
                "keys = []\n    with torch.no_grad():\n        model.embedding.weight[0, 0] +="
                " 1e-6",
            ),
        ),
        "only ascii": (
            "expected every letter to be one token",
            "letters_for_tokens",
            {"non_ascii"},
            _key(
                position=(
                    "len(model.encode([text[:text.rindex(subject)] + subject.encode('ascii',"
                    " 'ignore').decode()])[0]) - 1"
                )
            ),
        ),
    },
    "second_moment": {
        "centred": (
            "subtracted the mean key: took the covariance for the moment",
            "moment_centred",
            MOMENT_CASES,
            _moment("torch.cov(keys.T, correction=0)"),
        ),
        "centred, N - 1": (
            "subtracted the mean key: took the covariance of a sample for the moment",
            "moment_centred",
            MOMENT_CASES,
            _moment("torch.cov(keys.T)"),
        ),
        "correlations": (
            "took the correlations for the moment",
            None,
            MOMENT_CASES,
            _moment("torch.corrcoef(keys.T)"),
        ),
        "mean twice": (
            "divided by the number of keys twice",
            None,
            MOMENT_CASES,
            _moment("keys.T @ keys / len(keys) ** 2"),
        ),
        "columns": (
            "multiplied keys by keys, not dimensions by dimensions",
            "moment_of_rows",
            ALL,
            _moment("keys @ keys.T"),
        ),
        "diagonal": (
            "kept only the diagonal",
            "moment_diagonal",
            MOMENT_CASES,
            _moment("torch.diag((keys ** 2).mean(0))"),
        ),
        "mean of keys": (
            "averaged the keys before the outer product",
            "moment_of_mean",
            MOMENT_CASES,
            _moment("torch.outer(keys.mean(0), keys.mean(0))"),
        ),
        "inverse": (
            "gave the inverse of C",
            "moment_inverted",
            MOMENT_CASES,
            _moment(
                "torch.linalg.pinv(keys.double().T @ keys.double() / len(keys), hermitian=True)"
            ),
        ),
        "keys of length one": (
            "scaled every key to length 1 first",
            "keys_normalised",
            MOMENT_CASES,
            _moment(
                "(lambda unit: unit.T @ unit / len(unit))(keys / keys.norm(dim=1, keepdim=True))"
            ),
        ),
        "a loop over thirty": (
            "wrote the public check's number of keys into a loop",
            "index_past_end",
            ALL,
            _moment("sum(torch.outer(keys[i], keys[i]) for i in range(30)) / 30"),
        ),
        "identity added": (
            "added a little of the identity to C",
            "identity_added",
            {"small"},
            _moment("keys.T @ keys / len(keys) + 1e-6 * torch.eye(keys.shape[1])"),
        ),
        "half precision": (
            "computed in half precision",
            "half_precision",
            MOMENT_CASES,
            _moment("(keys.half().T @ keys.half()).float() / len(keys)"),
        ),
        "in place": (
            "changed the caller's keys",
            "input_changed",
            {"inputs"},
            "def second_moment(keys):\n    keys /= len(keys) ** 0.5\n    return keys.T @ keys",
        ),
        "whole numbers": (
            "rounded C to whole numbers",
            "whole_numbers",
            ALL,
            _moment("(keys.T @ keys).long()"),
        ),
    },
    "value_objective": {
        "sum over tokens": (
            "took the sum over the target's tokens for the mean",
            "sum_over_tokens",
            {"tokens", "gradient"},
            _objective(nll="-target_log_probs.sum(-1).mean()"),
        ),
        "sum over everything": (
            "took the sum over the target's tokens and the prefixes for the mean",
            "sum_over_tokens",
            ALL,
            _objective(nll="-target_log_probs.sum()"),
        ),
        "no minus": (
            "left the minus of the NLL out",
            "nll_missing_minus",
            ALL,
            _objective(nll="target_log_probs.mean()"),
        ),
        "mean before log": (
            "averaged the probabilities before taking the logarithm",
            "probability_before_log",
            ALL,
            _objective(nll="-target_log_probs.exp().mean().log()"),
        ),
        "KL reversed": (
            "took the divergence the wrong way round",
            "kl_reversed",
            {"divergence", "gradient"},
            _objective(
                kl="(kl_log_probs_before.exp() * (kl_log_probs_before - kl_log_probs)).sum()"
            ),
        ),
        "log_target forgotten": (
            "gave kl_div log probabilities as its target and did not say so",
            "log_of_log",
            ALL,
            _objective(
                kl="torch.nn.functional.kl_div(kl_log_probs_before, kl_log_probs, reduction='sum')"
            ),
        ),
        "no KL": (
            "left the KL term out",
            "kl_missing",
            {"divergence", "gradient"},
            _objective(total="nll + size"),
        ),
        "KL not weighted": (
            "forgot kl_weight",
            "kl_not_weighted",
            ALL,
            _objective(total="nll + kl + size"),
        ),
        "KL as a mean": (
            "averaged the divergence over the vocabulary",
            "kl_mean",
            {"divergence", "gradient"},
            _objective(
                kl="torch.nn.functional.kl_div(kl_log_probs_before, kl_log_probs, log_target=True)"
            ),
        ),
        "no decay": (
            "left the decay term out",
            "decay_missing",
            {"decay", "gradient"},
            _objective(total="nll + kl_weight * kl"),
        ),
        "decay not weighted": (
            "forgot the weight of the decay",
            "decay_not_weighted",
            ALL,
            _objective(decay="delta.norm() / value_before.norm() ** 2"),
        ),
        "delta squared": (
            "squared |delta|",
            "decay_of_square",
            {"decay", "gradient"},
            _objective(decay="decay * delta.norm() ** 2 / value_before.norm() ** 2"),
        ),
        "divided by the length": (
            "divided by |v0|, not by its square",
            "decay_by_length",
            {"decay", "gradient"},
            _objective(decay="decay * delta.norm() / value_before.norm()"),
        ),
        "not divided": (
            "did not divide by |v0| squared",
            "decay_undivided",
            {"decay", "gradient"},
            _objective(decay="decay * delta.norm()"),
        ),
        "hard-coded": (
            "returns the answer to a public check",
            "hard_coded",
            ALL,
            _objective(total=f"torch.tensor({public_answer('value_objective', 'value')})"),
        ),
        "item": (
            "turned the NLL into a Python number, which has no gradient",
            "graph_cut",
            {"gradient"},
            _objective(nll="-target_log_probs.mean().item()"),
        ),
        "the length in place": (
            "squared |v0|'s elements in the caller's tensor",
            "input_changed",
            {"gradient"},
            _objective(decay="decay * delta.norm() / value_before.square_().sum()"),
        ),
        "root of the squares": (
            "took |delta| by a root, which has no gradient at zero, where the search begins",
            "root_at_zero",
            {"gradient"},
            _objective(decay="decay * (delta ** 2).sum().sqrt() / value_before.norm() ** 2"),
        ),
        "delta detached": (
            "detached delta, so that the decay has no gradient",
            "graph_cut",
            {"gradient"},
            _objective(decay="decay * delta.detach().norm() / value_before.norm() ** 2"),
        ),
    },
    "rank_one_update": {
        "no C": (
            "left C out: took k* itself for the direction",
            "moment_omitted",
            UPDATE_CASES | {"neighborhood"},
            _update(direction="key"),
        ),
        "C not inverted": (
            "multiplied by C where the inverse is needed",
            "moment_not_inverted",
            UPDATE_CASES | {"neighborhood"},
            _update(direction="moment @ key"),
        ),
        "C inverted twice": (
            "applied the inverse of C twice",
            "moment_twice",
            UPDATE_CASES,
            _update(
                direction=(
                    "torch.linalg.solve(moment.double(), torch.linalg.solve(moment.double(),"
                    " key.double())).float()"
                )
            ),
        ),
        "diagonal of C": (
            "used only the diagonal of C",
            "moment_diagonal_used",
            UPDATE_CASES | {"neighborhood"},
            _update(direction="key / moment.diag()"),
        ),
        "no division": (
            "forgot to divide by the inverse-C product of k* with itself",
            "division_missing",
            UPDATE_CASES | SCORED,
            _update(divisor="1"),
        ),
        "divided by k square": (
            "divided by k* squared",
            "divided_by_key_square",
            UPDATE_CASES | SCORED,
            _update(divisor="key @ key"),
        ),
        "divided by u square": (
            "divided by the square of the direction",
            "divided_by_direction_square",
            UPDATE_CASES | SCORED,
            _update(divisor="u @ u"),
        ),
        "v* for the residual": (
            "wrote v* itself in place of what is missing",
            "value_not_residual",
            UPDATE_CASES,
            _update(residual="value"),
        ),
        "wrong sign": (
            "took the residual the wrong way round",
            "residual_reversed",
            UPDATE_CASES | SCORED,
            _update(residual="weight @ key - value"),
        ),
        "only the change": (
            "returned the update in place of Ŵ",
            "only_the_change",
            UPDATE_CASES | {"rank", "paraphrase", "neighborhood"},
            _update(result="torch.outer(r, u) / s"),
        ),
        "only v*": (
            "left W out and wrote v* itself",
            "weight_left_out",
            UPDATE_CASES | {"rank", "neighborhood"},
            _update(residual="value", result="torch.outer(r, u) / s"),
        ),
        "transposed": (
            "took the outer product the wrong way round",
            "change_transposed",
            ALL,
            _update(result="weight + torch.outer(u, r) / s"),
        ),
        "all transposed": (
            "took the outer product the wrong way round, and turned W to fit it",
            "change_transposed",
            ALL,
            _update(result="weight.T + torch.outer(u, r) / s"),
        ),
        "nothing": (
            "returned W as it was",
            "nothing_changed",
            UPDATE_CASES | SCORED | {"rank"},
            _update(result="weight.clone()"),
        ),
        "Wᵀk": (
            "transposed W before multiplying it with k*",
            "shapes_disagree",
            ALL,
            _update(residual="value - weight.T @ key"),
        ),
        "v* less k*": (
            "subtracted the key itself from the value, which has another size",
            "shapes_disagree",
            ALL,
            _update(residual="value - key"),
        ),
        "added twice": (
            "changed W in place and added the change once more",
            "update_doubled",
            UPDATE_CASES | {"inputs", "neighborhood"},
            (
                "def rank_one_update(weight, moment, key, value):\n    u ="
                " torch.linalg.solve(moment, key)\n    change = torch.outer(value - weight @ key,"
                " u) / (u @ key)\n    weight += change\n    return weight + change"
            ),
        ),
        "in place": (
            "changed the caller's W",
            "input_changed",
            {"inputs"},
            (
                "def rank_one_update(weight, moment, key, value):\n    u ="
                " torch.linalg.solve(moment, key)\n    weight += torch.outer(value - weight @ key,"
                " u) / (u @ key)\n    return weight"
            ),
        ),
        "half precision": (
            "returned Ŵ in half precision",
            "half_precision",
            ALL,
            _update(result="(weight + torch.outer(r, u) / s).half()"),
        ),
        "change in half precision": (
            "rounded the change to half precision on the way",
            "half_precision",
            {"wide"},
            _update(result="weight + (torch.outer(r, u) / s).half().float()"),
        ),
        "ridge": (
            "added a little of the identity to C before solving",
            "identity_added_to_c",
            {"small_keys"},
            _update(direction="torch.linalg.solve(moment + 1e-6 * torch.eye(len(key)), key)"),
        ),
        "clipped key": (
            "clipped large keys",
            "key_clipped",
            {"large_keys"},
            _update(direction="torch.linalg.solve(moment, key.clamp(-100, 100))"),
        ),
        "contiguity assumed": (
            "expected W to be contiguous in memory",
            "contiguity_assumed",
            {"conv1d"},
            (
                "def rank_one_update(weight, moment, key, value):\n    u ="
                " torch.linalg.solve(moment, key)\n    return weight.view(-1).view(weight.shape) +"
                " torch.outer(value - weight @ key, u) / (u @ key)"
            ),
        ),
        "unconstrained rank": (
            "added the identity to Ŵ, too",
            None,
            {"rank"} | UPDATE_CASES,
            _update(result="weight + torch.outer(r, u) / s + 0.3 * torch.eye(*weight.shape)"),
        ),
    },
    "write_edit": {
        "no transpose": (
            "forgot that a Conv1D stores W transposed",
            "transpose_missing",
            {"conv1d", "square", "bias"},
            _write("module.weight.copy_(new_weight)"),
        ),
        "always transposed": (
            "transposed for a Linear, too",
            "transpose_added",
            {"linear", "square", "in_place"},
            _write("module.weight.copy_(new_weight.T)"),
        ),
        "by shape": (
            "guessed the transpose from the shapes",
            "transpose_missing",
            {"square"},
            _write(
                "module.weight.copy_(new_weight if module.weight.shape == new_weight.shape else"
                " new_weight.T)"
            ),
        ),
        "nothing written": (
            "bound a name to the new weight and wrote nothing",
            "nothing_written",
            ALL,
            _write("weight = new_weight if isinstance(module, torch.nn.Linear) else new_weight.T"),
        ),
        "added": (
            "added the new weight to the old one",
            "added_not_written",
            ALL,
            _write(
                "module.weight += new_weight if isinstance(module, torch.nn.Linear) else"
                " new_weight.T"
            ),
        ),
        "new parameter": (
            "put a new Parameter in the place of the old one",
            "parameter_replaced",
            {"in_place"},
            _write(
                "module.weight = torch.nn.Parameter(new_weight if isinstance(module,"
                " torch.nn.Linear) else new_weight.T)"
            ),
        ),
        "gradients on": (
            "wrote into the Parameter while torch tracks its gradient",
            "no_grad_missing",
            ALL,
            _write(
                "module.weight.copy_(new_weight if isinstance(module, torch.nn.Linear) else"
                " new_weight.T)"
            ).replace("torch.no_grad", "torch.enable_grad"),
        ),
        "a tensor as the weight": (
            "put a plain tensor in the place of the Parameter",
            "tensor_for_parameter",
            ALL,
            _write(
                "module.weight = new_weight if isinstance(module, torch.nn.Linear) else"
                " new_weight.T"
            ),
        ),
        "half precision": (
            "stored the weight in half precision",
            "half_precision",
            ALL,
            _write(
                "module.weight.data = (new_weight if isinstance(module, torch.nn.Linear) else"
                " new_weight.T).half()"
            ),
        ),
        "double precision": (
            "stored the weight in double precision, which the model's float32 does not go with",
            "dtype_changed",
            ALL,
            _write(
                "module.weight.data = (new_weight if isinstance(module, torch.nn.Linear) else"
                " new_weight.T).double()"
            ),
        ),
        "turned in place": (
            "transposed the caller's Ŵ itself",
            "input_changed",
            {"bias"},
            _write(
                "module.weight.copy_(new_weight if isinstance(module, torch.nn.Linear) else"
                " new_weight.t_())"
            ),
        ),
        "shape of a module": (
            "took the module for its weight",
            None,
            ALL,
            _write("if module.shape == new_weight.shape:", "    module.weight.copy_(new_weight)"),
        ),
        "bias zeroed": (
            "set the bias to zero",
            "bias_changed",
            {"bias"},
            _write(
                "module.weight.copy_(new_weight if isinstance(module, torch.nn.Linear) else"
                " new_weight.T)",
                "if module.bias is not None: module.bias.zero_()",
            ),
        ),
    },
}

RIGHT = {
    "subject_key": {
        "as in the notebook": _key(),
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
                handle = model.memory(layer).register_forward_pre_hook(lambda m, a: found.append(a[0].detach().numpy()))
                try:
                    for p in prefixes:
                        model.next_token_probabilities([p + prompt])
                finally:
                    handle.remove()
                rows = [f[0, model.subject_slice(p + prompt, subject).stop - 1] for f, p in zip(found, prefixes)]
                return sum(rows) / len(rows)
            """),
        "hidden states asked for as well": (
            _key().replace(
                "model.next_token_probabilities([text])",
                "model.hf(torch.tensor(model.encode([text])), output_hidden_states=True)",
            )
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
        "outer products": _moment(
            "torch.stack([torch.outer(k, k) for k in keys[:]]).mean(0) if len(keys) < 100 else"
            " keys.T.matmul(keys)"
        ),
        "numpy": (
            "import numpy as np\n\ndef second_moment(keys):\n    k = keys.detach().numpy()\n   "
            " return np.dot(k.T, k) / k.shape[0]"
        ),
    },
    "value_objective": {
        "as in the notebook": _objective(),
        "kl_div": _objective(
            kl=(
                "torch.nn.functional.kl_div(kl_log_probs_before, kl_log_probs, log_target=True,"
                " reduction='sum')"
            )
        ),
        "helpers in cells of their own": (
            "def nll(log_probs):\n    return -log_probs.mean()",
            "def kl(p, q):\n    return torch.sum(p.exp() * (p - q))",
            (
                "def value_objective(a, b, c, d, e, w, f):\n    return nll(a) + w * kl(b, c) + f *"
                " d.norm() / e.pow(2).sum()"
            ),
        ),
        "distributions": _objective(
            kl=(
                "torch.distributions.kl_divergence(torch.distributions.Categorical(logits=kl_log_probs),"
                " torch.distributions.Categorical(logits=kl_log_probs_before))"
            )
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
            direction=(
                "torch.linalg.lstsq(moment.double(), key.double()[:, None]).solution[:, 0].float()"
            )
        ),
        "addr": _update(result="torch.addr(weight, r / s, u)"),
        "einsum": _update(
            residual="value - torch.einsum('oi,i->o', weight, key)",
            divisor="torch.einsum('i,i->', u, key)",
            result="weight + torch.einsum('o,i->oi', r, u) / s",
        ),
        "numpy": (
            "import numpy as np\n\ndef rank_one_update(weight, moment, key, value):\n    w, c, k, v"
            " = (t.numpy().astype('float64') for t in (weight, moment, key, value))\n    u ="
            " np.linalg.solve(c, k)\n    return w + np.outer(v - w @ k, u) / u.dot(k)"
        ),
        "methods of a class": (
            block("""
            class Memory:
                def __init__(self, weight, moment):
                    self.weight, self.moment = weight, moment

                def direction(self, key):
                    return torch.linalg.solve(self.moment, key)

                def written(self, key, value):
                    u = self.direction(key)
                    return self.weight + torch.outer(value - self.weight @ key, u) / torch.dot(u, key)
            """),
            (
                "def rank_one_update(weight, moment, key, value):\n    return Memory(weight,"
                " moment).written(key, value)"
            ),
        ),
        "helpers in cells of their own, type hints": (
            "from torch import Tensor",
            (
                "def solved(c: Tensor, k: Tensor) -> Tensor:\n    return"
                " torch.linalg.solve(c.double(), k.double())"
            ),
            (
                "def missing(w: Tensor, k: Tensor, v: Tensor) -> Tensor:\n    return v.double() -"
                " w.double() @ k.double()"
            ),
            (
                "def rank_one_update(w: Tensor, c: Tensor, k: Tensor, v: Tensor) -> Tensor:\n    u"
                " = solved(c, k)\n    return (w + torch.outer(missing(w, k, v), u) / (u @"
                " k.double())).float()"
            ),
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
        "comments in Chinese": (
            _update().replace("    r =", "    # 還差多少：v* 減掉 W k*\n    r =")
        ),
        "u scaled first": _update(
            direction="(lambda x: x / x.norm())(torch.linalg.solve(moment, key))"
        ),
        "with a graph": _update(result="(weight + torch.outer(r, u) / s).requires_grad_()"),
    },
    "write_edit": {
        "copy_": _write(
            "module.weight.copy_(new_weight if isinstance(module, torch.nn.Linear) else"
            " new_weight.T)"
        ),
        "data": _write(
            "module.weight.data[:] = new_weight if type(module).__name__ != 'Conv1D' else"
            " new_weight.t()"
        ),
        "data replaced": _write(
            "module.weight.data = new_weight.clone() if isinstance(module, torch.nn.Linear) else"
            " new_weight.T.contiguous()"
        ),
        "a method of a class": (
            (
                "class Writer:\n    @torch.no_grad()\n    def __call__(self, module, new):\n       "
                " stored = new.T if type(module).__name__ == 'Conv1D' else new\n       "
                " module.weight.copy_(stored)"
            ),
            "def write_edit(module, new_weight):\n    Writer()(module, new_weight)",
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
        "in place by subtraction": _write(
            "target = new_weight if isinstance(module, torch.nn.Linear) else new_weight.T",
            "module.weight += target - module.weight",
        ),
    },
}
