"""Solutions of 5_learn_to_edit.ipynb."""

from functools import partial

from autograder.validity.catalogue.measure import memo, public_answer
from autograder.validity.solution import ALL, Wrong, block, filled

GRADIENTS = {"texts", "square", "one_token"}
SEVERAL = {"texts", "square"}  # texts, and tokens
COUNTS = {"full", "diagonal", "rows", "factors"}
RATES = {"rows", "weights", "square", "trained"}
BY_ROW = {"rows", "square", "trained"}
FACTORS = {"tokens", "one_token", "far", "trained"}
OUTPUTS = {"texts", "one_token", "wide", "trained"}
TOKENS = {"texts", "wide", "trained"}  # more than one
LOSSES = {"whole", "edit", "divergence", "trained"}
LOCAL = {"whole", "divergence", "trained"}

GRADIENT = block("""
    def gradient_from_factors(inputs, output_grads):
        return $gradient
    """)

COUNT = block("""
    def editor_parameters(kind, d_out, d_in, rank):
        counts = {
            "full": $full,
            "diagonal": $diagonal,
            "rows": $rows,
            "factors": $factors,
        }
        return counts[kind]
    """)
_count = partial(
    filled,
    COUNT,
    full="(d_out * d_in) ** 2",
    diagonal="d_out * d_in",
    rows="d_out",
    factors="2 * rank * (d_in + d_out)",
)

RATE = block("""
    def rate_update(gradient, rates):
        if rates.dim() == 1:
            rates = $by_row
        return $change
    """)
_rate = partial(filled, RATE, by_row="rates[:, None]", change="-rates * gradient")

NETWORK = block("""
    def transform_factors(inputs, output_grads, mean, scale, down, up):
        z = $z
        normed = $normed
        step = $step
        return $result
    """)
_network = partial(
    filled,
    NETWORK,
    z="torch.cat([inputs, output_grads], dim=1)",
    normed="(z - mean) / scale",
    step="torch.relu(normed @ down.T) @ up.T",
    result="normed + step",
)

OUTPUT = block("""
    def low_rank_output(outputs, keys, inputs, output_grads, rate):
        return $result
    """)

LOSS = block("""
    def editor_loss(log_probs, wanted, other_log_probs, other_log_probs_before, kl_weight):
        asked = $asked
        nll = $nll
        kl = $kl
        return $total
    """)
_loss = partial(
    filled,
    LOSS,
    asked="wanted >= 0",
    nll="-log_probs[asked].gather(1, wanted[asked][:, None]).mean()",
    kl="""
        (other_log_probs_before.exp() * (other_log_probs_before - other_log_probs)).sum(-1).mean()
    """,
    total="nll + kl_weight * kl",
)
EVERY = "-log_probs.gather(-1, wanted.clamp(min=0)[..., None]).squeeze(-1)"


def _gradient(gradient: str) -> str:
    return filled(GRADIENT, gradient=gradient)


def _output(result: str) -> str:
    return filled(OUTPUT, result=result)


def _kept(code: str, function: str, arguments: str, key: str) -> tuple[str, str]:
    """A right solution, and one that keeps its results by `key`."""
    return (
        code.replace(f"def {function}", "def computed"),
        memo(function, arguments, key, f"computed({arguments})"),
    )


SUM = "torch.einsum('nto,nti->oi', output_grads, inputs)"
ONE_CHANGE = "keys @ inputs.T @ output_grads"

WRONG = {
    "gradient_from_factors": {
        "factors swapped": Wrong(
            "swapped inputs and output gradients, so the gradient is transposed",
            misconception="factors_swapped",
            fails=ALL,
            code=_gradient("torch.einsum('nti,nto->io', inputs, output_grads)"),
        ),
        "mean over tokens": Wrong(
            "took the mean over texts and tokens for the sum",
            misconception="averaged_over_tokens",
            fails=SEVERAL,
            code=_gradient(f"{SUM} / inputs[..., 0].numel()"),
        ),
        "mean within a text": Wrong(
            "took the mean over the tokens of a text",
            misconception="averaged_over_tokens",
            fails=SEVERAL,
            code=_gradient(f"{SUM} / inputs.shape[1]"),
        ),
        "mean over texts": Wrong(
            "took the mean over the texts for the sum",
            misconception="averaged_over_texts",
            fails=SEVERAL,
            code=_gradient(f"{SUM} / len(inputs)"),
        ),
        "sums multiplied": Wrong(
            "summed each factor over the tokens before multiplying",
            misconception="sums_multiplied",
            fails=SEVERAL,
            code=_gradient("torch.outer(output_grads.sum((0, 1)), inputs.sum((0, 1)))"),
        ),
        "means multiplied": Wrong(
            "took the mean of each factor before multiplying",
            misconception="sums_multiplied",
            fails=SEVERAL,
            code=_gradient("torch.outer(output_grads.mean((0, 1)), inputs.mean((0, 1)))"),
        ),
        "sums within a text": Wrong(
            "summed each factor over the tokens of a text before multiplying",
            misconception="sums_multiplied",
            fails=SEVERAL,
            code=_gradient("output_grads.sum(1).T @ inputs.sum(1)"),
        ),
        "last token": Wrong(
            "looked at the last token only, where the answer is read",
            misconception="last_token_alone",
            fails=SEVERAL,
            code=_gradient("output_grads[:, -1].T @ inputs[:, -1]"),
        ),
        "first token": Wrong(
            "looked at the first token only",
            misconception="first_token_alone",
            fails=SEVERAL,
            code=_gradient("output_grads[:, 0].T @ inputs[:, 0]"),
        ),
        "first text": Wrong(
            "looked at the first text only",
            misconception="first_text_alone",
            fails=SEVERAL,
            code=_gradient("output_grads[0].T @ inputs[0]"),
        ),
        "tokens not summed": Wrong(
            "forgot the sum over texts and tokens",
            misconception="tokens_not_summed",
            fails=ALL,
            code=_gradient("output_grads[..., :, None] * inputs[..., None, :]"),
        ),
        "texts not summed": Wrong(
            "forgot the sum over the texts",
            misconception="texts_not_summed",
            fails=ALL,
            code=_gradient("output_grads.transpose(1, 2) @ inputs"),
        ),
        "gradient of the bias": Wrong(
            "returned the gradient of the layer's bias",
            misconception="gradient_of_bias",
            fails=ALL,
            code=_gradient("output_grads.sum((0, 1))"),
        ),
        "flattened wrongly": Wrong(
            "flattened to (d, tokens) by reshape, which mixes tokens and features",
            misconception="flattened_wrongly",
            fails=SEVERAL,
            code=_gradient(
                """
                output_grads.reshape(output_grads.shape[-1], -1)
                @ inputs.reshape(inputs.shape[-1], -1).T
                """
            ),
        ),
        "texts and tokens crossed": Wrong(
            "flattened one factor text by text and the other token by token",
            misconception="flattened_wrongly",
            fails=SEVERAL,
            code=_gradient("output_grads.flatten(0, 1).T @ inputs.transpose(0, 1).flatten(0, 1)"),
        ),
        "wrong sign": Wrong(
            "returned the step, not the gradient",
            misconception="gradient_reversed",
            fails=GRADIENTS,
            code=_gradient(f"-{SUM}"),
        ),
        "unit length": Wrong(
            "brought the gradient to length one",
            misconception="gradient_normalised",
            fails=GRADIENTS,
            code=_gradient(f"torch.nn.functional.normalize({SUM}.flatten(), dim=0).view_as({SUM})"),
        ),
        "in place": Wrong(
            "scaled the caller's inputs on the way",
            misconception="input_changed",
            fails={"inputs"},
            code=_gradient("torch.einsum('nto,nti->oi', output_grads, inputs.mul_(2)) / 2"),
        ),
        "kept by the inputs": Wrong(
            "kept the gradient of the same inputs, whatever the output gradients",
            misconception="memo_too_small",
            fails={"texts"},
            code=_kept(
                _gradient(SUM),
                "gradient_from_factors",
                "inputs, output_grads",
                "inputs.sum().item()",
            ),
        ),
    },
    "editor_parameters": {
        "one number for each weight": Wrong(
            "counted the numbers that a full map gives out, not those that it has",
            misconception="map_not_counted",
            fails={"full"},
            code=_count(full="d_out * d_in"),
        ),
        "symmetric": Wrong(
            "counted half of the map, as if it were symmetric",
            misconception="map_halved",
            fails={"full"},
            code=_count(full="d_out * d_in * (d_out * d_in + 1) // 2"),
        ),
        "sides squared": Wrong(
            "added the sides where they multiply",
            misconception="map_from_sides",
            fails={"full"},
            code=_count(full="(d_out + d_in) ** 2"),
        ),
        "the lecture's square": Wrong(
            "took the fourth power of one side, as for a square matrix",
            misconception="map_from_one_side",
            fails={"full"},
            code=_count(full="d_in ** 4"),
        ),
        "diagonal of W": Wrong(
            "counted the diagonal of W, not that of the map",
            misconception="diagonal_of_weight",
            fails={"diagonal"},
            code=_count(diagonal="min(d_out, d_in)"),
        ),
        "diagonal by sides": Wrong(
            "added the sides of W up",
            misconception="sides_added",
            fails={"diagonal"},
            code=_count(diagonal="d_out + d_in"),
        ),
        "columns": Wrong(
            "counted columns for rows",
            misconception="columns_counted",
            fails={"rows"},
            code=_count(rows="d_in"),
        ),
        "rates of weights": Wrong(
            "counted a rate for each weight where each row has one",
            misconception="rates_of_weights",
            fails={"rows"},
            code=_count(rows="d_out * d_in"),
        ),
        "down only": Wrong(
            "counted one of MEND's two matrices",
            misconception="one_matrix_counted",
            fails={"factors"},
            code=_count(factors="rank * (d_in + d_out)"),
        ),
        "biases of MEND": Wrong(
            "counted biases, which this network lacks",
            misconception="biases_counted",
            fails={"factors"},
            code=_count(factors="2 * rank * (d_in + d_out) + rank + d_in + d_out"),
        ),
        "only the inputs": Wrong(
            "counted a network that looks at u only",
            misconception="one_factor_counted",
            fails={"factors"},
            code=_count(factors="2 * rank * d_in"),
        ),
        "no rank": Wrong(
            "counted a full matrix on the factors",
            misconception="rank_left_out",
            fails={"factors"},
            code=_count(factors="(d_in + d_out) ** 2"),
        ),
        "sides multiplied": Wrong(
            "counted a network of low rank on the whole gradient",
            misconception="low_rank_of_full_map",
            fails={"factors"},
            code=_count(factors="2 * rank * d_in * d_out"),
        ),
        "a network for each factor": Wrong(
            "counted two networks, each as large as the one",
            misconception="counted_for_each_factor",
            fails={"factors"},
            code=_count(factors="4 * rank * (d_in + d_out)"),
        ),
        "hard coded": Wrong(
            "returned the number that the check expects",
            misconception="hard_coded",
            fails={"full"},
            code=_count(full=str(int(public_answer("editor_parameters", "full")))),
        ),
        "kept by the kind": Wrong(
            "kept the count of each kind, whatever the sizes",
            misconception="memo_too_small",
            fails=COUNTS,
            code=_kept(_count(), "editor_parameters", "kind, d_out, d_in, rank", "kind"),
        ),
    },
    "rate_update": {
        "uphill": Wrong(
            "went along the gradient, not against it",
            misconception="step_uphill",
            fails=RATES,
            code=_rate(change="rates * gradient"),
        ),
        "rates twice": Wrong(
            "applied the rates twice",
            misconception="rates_twice",
            fails=RATES,
            code=_rate(change="-rates * (rates * gradient)"),
        ),
        "no rates": Wrong(
            "left the rates out",
            misconception="rates_left_out",
            fails=RATES,
            code=_rate(change="-gradient"),
        ),
        "mean rate": Wrong(
            "took the mean of all rates",
            misconception="rates_averaged",
            fails=RATES,
            code=_rate(change="-rates.mean() * gradient"),
        ),
        "divided": Wrong(
            "divided by the rates",
            misconception="rates_divided",
            fails=RATES,
            code=_rate(change="-gradient / rates"),
        ),
        "exponentiated": Wrong(
            "took the rates for logarithms",
            misconception="rates_exponentiated",
            fails=RATES,
            code=_rate(change="-rates.exp() * gradient"),
        ),
        "absolute rates": Wrong(
            "took the absolute value of each rate",
            misconception="rates_made_positive",
            fails=RATES,
            code=_rate(change="-rates.abs() * gradient"),
        ),
        "no rate below 0": Wrong(
            "took negative rates for 0",
            misconception="rates_made_positive",
            fails=RATES,
            code=_rate(change="-rates.clamp(min=0) * gradient"),
        ),
        "sign only": Wrong(
            "used only the gradient's sign",
            misconception="sign_of_gradient",
            fails=RATES,
            code=_rate(change="-rates * gradient.sign()"),
        ),
        "length one": Wrong(
            "brought the gradient to length one first",
            misconception="length_forced",
            fails=RATES,
            code=_rate(change="-rates * gradient / gradient.norm()"),
        ),
        "rates on columns": Wrong(
            "gave the rates of the rows to the columns",
            misconception="rates_on_columns",
            fails=BY_ROW,
            code=_rate(by_row="rates[None]"),
        ),
        "matrix product": Wrong(
            "multiplied matrices, where each weight has its rate",
            misconception="rows_summed",
            fails=RATES,
            code=block("""
                def rate_update(gradient, rates):
                    return -rates @ gradient
            """),
        ),
        "rows always": Wrong(
            "made one rate for each row of the rates of all weights",
            misconception="rates_of_rows_made",
            fails={"weights"},
            code=_rate(
                change="-gradient * (rates.mean(1, keepdim=True) if rates.dim() > 1 else rates)"
            ),
        ),
        "detached": Wrong(
            "took the rates out of the graph, so that they never learn",
            misconception="graph_cut",
            fails={"trained"},
            code=_rate(change="-rates.detach() * gradient"),
        ),
        "in place": Wrong(
            "scaled the caller's gradient",
            misconception="input_changed",
            fails={"trained"},
            code=_rate(
                change="gradient.mul_(-rates) if rates.requires_grad else -rates * gradient"
            ),
        ),
    },
    "transform_factors": {
        "own statistics": Wrong(
            "normalised by the mean and spread of these tokens",
            misconception="own_statistics",
            fails=FACTORS,
            code=_network(normed="(z - z.mean(0)) / z.std(0)"),
        ),
        "layer norm": Wrong(
            "normalised each token by itself",
            misconception="own_statistics",
            fails=FACTORS,
            code=_network(normed="(z - z.mean(1, keepdim=True)) / z.std(1, keepdim=True)"),
        ),
        "not normalised": Wrong(
            "gave the network the factors as they are",
            misconception="not_normalised",
            fails=FACTORS,
            code=_network(normed="z"),
        ),
        "mean kept": Wrong(
            "divided without subtracting the mean",
            misconception="mean_kept",
            fails=FACTORS,
            code=_network(normed="z / scale"),
        ),
        "not scaled": Wrong(
            "subtracted the mean without dividing",
            misconception="scale_left_out",
            fails=FACTORS,
            code=_network(normed="z - mean"),
        ),
        "multiplied": Wrong(
            "multiplied by the scale",
            misconception="scale_multiplied",
            fails=FACTORS,
            code=_network(normed="(z - mean) * scale"),
        ),
        "scale for variance": Wrong(
            "took the root of the scale, as if it were a variance",
            misconception="scale_rooted",
            fails=FACTORS,
            code=_network(normed="(z - mean) / scale.sqrt()"),
        ),
        "divided first": Wrong(
            "divided first, and subtracted the mean afterwards",
            misconception="scale_before_mean",
            fails=FACTORS,
            code=_network(normed="z / scale - mean"),
        ),
        "no residual": Wrong(
            "returned the network's part alone",
            misconception="residual_left_out",
            fails=FACTORS,
            code=_network(result="step"),
        ),
        "residual as it was": Wrong(
            "added the factors as they were",
            misconception="residual_not_normalised",
            fails=FACTORS,
            code=_network(result="z + step"),
        ),
        "put back": Wrong(
            "undid the normalisation at the end",
            misconception="put_back",
            fails=FACTORS,
            code=_network(result="(normed + step) * scale + mean"),
        ),
        "no relu": Wrong(
            "left the relu out, so the two matrices are one",
            misconception="relu_left_out",
            fails=FACTORS,
            code=_network(step="normed @ down.T @ up.T"),
        ),
        "relu at the end": Wrong(
            "put the relu behind the second matrix",
            misconception="relu_at_the_end",
            fails=FACTORS,
            code=_network(step="torch.relu(normed @ down.T @ up.T)"),
        ),
        "relu over all": Wrong(
            "cut the result off at zero",
            misconception="relu_over_all",
            fails=FACTORS,
            code=_network(result="torch.relu(normed + step)"),
        ),
        "gelu": Wrong(
            "took another activation",
            misconception="other_activation",
            fails=FACTORS,
            code=_network(step="torch.nn.functional.gelu(normed @ down.T) @ up.T"),
        ),
        "gradients first": Wrong(
            "put the gradients before the inputs",
            misconception="parts_in_other_order",
            fails=FACTORS,
            code=_network(z="torch.cat([output_grads, inputs], dim=1)"),
        ),
        "tokens summed": Wrong(
            "summed over the tokens",
            misconception="tokens_summed",
            fails=FACTORS,
            code=_network(result="(normed + step).sum(0)"),
        ),
        "only the inputs": Wrong(
            "transformed the inputs only",
            misconception="only_inputs_transformed",
            fails=FACTORS,
            code=_network(
                result="torch.cat([(normed + step)[:, :inputs.shape[1]], output_grads], 1)"
            ),
        ),
        "the inputs alone": Wrong(
            "returned the new inputs without the new gradients",
            misconception="one_part_returned",
            fails=FACTORS,
            code=_network(result="(normed + step)[:, :inputs.shape[1]]"),
        ),
        "detached": Wrong(
            "computed without gradients, so that the network never learns",
            misconception="graph_cut",
            fails={"trained"},
            code="@torch.no_grad()\n" + _network(),
        ),
        "kept by the tokens": Wrong(
            "kept the factors of the same tokens, whatever the network",
            misconception="memo_too_small",
            fails={"tokens"},
            code=_kept(
                _network(),
                "transform_factors",
                "inputs, output_grads, mean, scale, down, up",
                "(inputs.sum().item(), output_grads.sum().item())",
            ),
        ),
    },
    "low_rank_output": {
        "uphill": Wrong(
            "added the change, and so went up the gradient",
            misconception="step_uphill",
            fails=OUTPUTS,
            code=_output(f"outputs + rate * ({ONE_CHANGE})"),
        ),
        "no rate": Wrong(
            "left the rate out",
            misconception="rate_left_out",
            fails=OUTPUTS,
            code=_output(f"outputs - {ONE_CHANGE}"),
        ),
        "rate twice": Wrong(
            "applied the rate to both factors",
            misconception="rate_twice",
            fails=OUTPUTS,
            code=_output("outputs - keys @ (rate * inputs).T @ (rate * output_grads)"),
        ),
        "only the change": Wrong(
            "returned what the change gives out, without the layer's outputs",
            misconception="outputs_lost",
            fails=OUTPUTS,
            code=_output(f"-rate * ({ONE_CHANGE})"),
        ),
        "nothing": Wrong(
            "returned the outputs as they were",
            misconception="output_unchanged",
            fails=OUTPUTS,
            code=_output("outputs.clone()"),
        ),
        "mean over tokens": Wrong(
            "took the mean over the tokens of the change",
            misconception="averaged_over_tokens",
            fails=TOKENS,
            code=_output(f"outputs - rate * ({ONE_CHANGE}) / len(inputs)"),
        ),
        "sums multiplied": Wrong(
            "summed each factor over the tokens first",
            misconception="sums_multiplied",
            fails=TOKENS,
            code=_output(
                "outputs - rate * (keys @ inputs.sum(0))[..., None] * output_grads.sum(0)"
            ),
        ),
        "last token": Wrong(
            "used the last token's factors only",
            misconception="last_token_alone",
            fails=TOKENS,
            code=_output("outputs - rate * (keys @ inputs[-1])[..., None] * output_grads[-1]"),
        ),
        "attention": Wrong(
            "put a softmax over the products with the inputs",
            misconception="attention_made",
            fails=OUTPUTS,
            code=_output("outputs - rate * (keys @ inputs.T).softmax(-1) @ output_grads"),
        ),
        "cosine": Wrong(
            "compared keys and inputs by their cosine",
            misconception="likeness_for_product",
            fails=OUTPUTS,
            code=_output(
                """
                outputs - rate * torch.cosine_similarity(keys[..., None, :], inputs, dim=-1)
                @ output_grads
                """
            ),
        ),
        "rate on the outputs": Wrong(
            "scaled the outputs too",
            misconception="rate_on_outputs",
            fails=OUTPUTS,
            code=_output(f"rate * (outputs - {ONE_CHANGE})"),
        ),
        "a matrix": Wrong(
            "formed the whole change, which fits into no memory where the layer is wide",
            misconception="matrix_formed",
            fails={"wide"},
            code=_output("outputs - rate * keys @ (output_grads.T @ inputs).T"),
        ),
        "detached": Wrong(
            "took the factors out of the graph, so that the editor never learns",
            misconception="graph_cut",
            fails={"trained"},
            code=_output("outputs - rate * (keys @ inputs.detach().T @ output_grads.detach())"),
        ),
        "a number for the rate": Wrong(
            "made a number of the rate, so that the editor never learns it",
            misconception="graph_cut",
            fails={"trained"},
            code=_output(f"outputs - float(rate) * ({ONE_CHANGE})"),
        ),
        "in place": Wrong(
            "changed the caller's outputs",
            misconception="input_changed",
            fails={"trained"},
            code=_output(
                f"""
                outputs.data.sub_(rate * ({ONE_CHANGE}).detach())
                - rate * ({ONE_CHANGE} - ({ONE_CHANGE}).detach()) + outputs - outputs.detach()
                """
            ),
        ),
    },
    "editor_loss": {
        "every token": Wrong(
            "asked for a token at each place, also where none is wanted",
            misconception="every_token_wanted",
            fails=LOSSES,
            code=_loss(nll=f"({EVERY}).mean()"),
        ),
        "0 not wanted": Wrong(
            "took token 0 for one that is not wanted",
            misconception="token_taken_for_padding",
            fails=LOSSES,
            code=_loss(asked="wanted > 0"),
        ),
        "divided by all": Wrong(
            "divided by the number of all tokens",
            misconception="divided_by_all_tokens",
            fails=LOSSES,
            code=_loss(nll=f"(({EVERY}) * asked).mean()"),
        ),
        "sum": Wrong(
            "took the sum over the wanted tokens",
            misconception="edit_summed",
            fails=LOSSES,
            code=_loss(nll="-log_probs[asked].gather(1, wanted[asked][:, None]).sum()"),
        ),
        "mean of texts": Wrong(
            "took the mean within each text first",
            misconception="mean_of_texts",
            fails=LOSSES,
            code=_loss(nll=f"((({EVERY}) * asked).sum(1) / asked.sum(1)).mean()"),
        ),
        "a token later": Wrong(
            "shifted the predictions by one token once more",
            misconception="one_token_off",
            fails=LOSSES,
            code=_loss(
                asked="wanted[:, :-1] >= 0",
                nll="""
                    -log_probs[:, 1:][asked].gather(1, wanted[:, :-1][asked][:, None]).mean()
                """,
            ),
        ),
        "a token earlier": Wrong(
            "took the token before each wanted one",
            misconception="one_token_off",
            fails=LOSSES,
            code=_loss(
                asked="wanted[:, 1:] >= 0",
                nll="-log_probs[:, :-1][asked].gather(1, wanted[:, 1:][asked][:, None]).mean()",
            ),
        ),
        "first token": Wrong(
            "asked for the first token of each new answer only",
            misconception="first_wanted_token",
            fails=LOSSES,
            code=_loss(asked="(wanted >= 0) & ((wanted >= 0).cumsum(1) == 1)"),
        ),
        "last token": Wrong(
            "asked for the last token of each new answer only",
            misconception="last_wanted_token",
            fails=LOSSES,
            code=_loss(asked="(wanted >= 0) & ((wanted >= 0).flip(1).cumsum(1).flip(1) == 1)"),
        ),
        "probabilities": Wrong(
            "took the probability of the new answer for its logarithm",
            misconception="probabilities_taken",
            fails=LOSSES,
            code=_loss(nll="-log_probs.exp()[asked].gather(1, wanted[asked][:, None]).mean()"),
        ),
        "no minus": Wrong(
            "left the minus out, so that the new answer is unlearned",
            misconception="edit_rewarded",
            fails=LOSSES,
            code=_loss(nll="log_probs[asked].gather(1, wanted[asked][:, None]).mean()"),
        ),
        "no edit": Wrong(
            "left the new answer out",
            misconception="edit_missing",
            fails=LOSSES,
            code=_loss(total="kl_weight * kl"),
        ),
        "divergence reversed": Wrong(
            "took KL(now ‖ before)",
            misconception="divergence_reversed",
            fails=LOCAL,
            code=_loss(
                kl="""
                    (other_log_probs.exp() * (other_log_probs - other_log_probs_before))
                    .sum(-1).mean()
                """
            ),
        ),
        "no locality": Wrong(
            "left the divergence out",
            misconception="locality_missing",
            fails=LOCAL,
            code=_loss(total="nll"),
        ),
        "unweighted": Wrong(
            "forgot the weight of the divergence",
            misconception="locality_not_weighted",
            fails=LOSSES,
            code=_loss(total="nll + kl"),
        ),
        "weight on the edit": Wrong(
            "weighed the edit in place of the divergence",
            misconception="edit_weighted",
            fails=LOSSES,
            code=_loss(total="kl_weight * nll + kl"),
        ),
        "summed over prompts": Wrong(
            "added the divergences of the prompts up",
            misconception="kl_summed_over_prompts",
            fails=LOCAL,
            code=_loss(
                kl="""
                    (other_log_probs_before.exp() * (other_log_probs_before - other_log_probs))
                    .sum()
                """
            ),
        ),
        "mean by entry": Wrong(
            "took the mean over the vocabulary too",
            misconception="kl_mean",
            fails=LOCAL,
            code=_loss(
                kl="""
                    (other_log_probs_before.exp() * (other_log_probs_before - other_log_probs))
                    .mean()
                """
            ),
        ),
        "first prompt": Wrong(
            "looked at the first of the other prompts only",
            misconception="kl_of_first_prompt",
            fails=LOCAL,
            code=_loss(
                kl="""
                    (other_log_probs_before.exp() * (other_log_probs_before - other_log_probs))
                    .sum(-1)[0]
                """
            ),
        ),
        "locality rewarded": Wrong(
            "subtracted the divergence",
            misconception="locality_rewarded",
            fails=LOCAL,
            code=_loss(total="nll - kl_weight * kl"),
        ),
        "log of log": Wrong(
            "gave kl_div log-probabilities as if they were probabilities",
            misconception="log_of_log",
            fails=LOSSES,
            code=_loss(
                kl="""
                    torch.nn.functional.kl_div(
                        other_log_probs.log(), other_log_probs_before.exp(), reduction="batchmean"
                    )
                """
            ),
        ),
        "detached": Wrong(
            "took the divergence out of the graph",
            misconception="graph_cut",
            fails={"trained"},
            code=_loss(total="nll + kl_weight * kl.detach()"),
        ),
        "kept by the edit": Wrong(
            "kept the loss of the same edit, whatever happens to the others",
            misconception="memo_too_small",
            fails={"whole"},
            code=_kept(
                _loss(),
                "editor_loss",
                "log_probs, wanted, other_log_probs, other_log_probs_before, kl_weight",
                "(log_probs.sum().item(), wanted.sum().item())",
            ),
        ),
    },
}

RIGHT = {
    "gradient_from_factors": {
        "as in the notebook": _gradient("output_grads.flatten(0, 1).T @ inputs.flatten(0, 1)"),
        "einsum": _gradient(SUM),
        "batched products": _gradient("(output_grads.transpose(1, 2) @ inputs).sum(0)"),
        "a loop": block("""
            def gradient_from_factors(inputs, output_grads):
                total = torch.zeros(output_grads.shape[-1], inputs.shape[-1])
                for us, deltas in zip(inputs, output_grads):
                    for u, delta in zip(us, deltas):
                        total += torch.outer(delta, u)
                return total
        """),
        "autograd": block("""
            def gradient_from_factors(inputs, output_grads):
                weight = torch.zeros(output_grads.shape[-1], inputs.shape[-1], requires_grad=True)
                (inputs @ weight.T).backward(output_grads)
                return weight.grad
        """),
        "tensordot": _gradient("torch.tensordot(output_grads, inputs, dims=([0, 1], [0, 1]))"),
    },
    "editor_parameters": {
        "as in the notebook": _count(),
        "by the shapes": block("""
            def editor_parameters(kind, d_out, d_in, rank):
                if kind == "full":
                    return torch.tensor([d_out, d_in, d_out, d_in]).prod()
                if kind == "factors":
                    return rank * (d_in + d_out) + (d_in + d_out) * rank
                return d_out * d_in if kind == "diagonal" else d_out
        """),
        "floating-point numbers": block("""
            def editor_parameters(kind, d_out, d_in, rank):
                if kind == "full":
                    return float(d_out * d_in) ** 2
                if kind == "diagonal":
                    return float(d_out * d_in)
                return float(d_out) if kind == "rows" else 2.0 * rank * (d_in + d_out)
        """),
    },
    "rate_update": {
        "as in the notebook": _rate(),
        "a diagonal matrix": block("""
            def rate_update(gradient, rates):
                return -torch.diag(rates) @ gradient if rates.dim() == 1 else -rates * gradient
        """),
        "einsum": block("""
            def rate_update(gradient, rates):
                if rates.dim() == 2:
                    return torch.neg(rates.mul(gradient))
                return torch.einsum("o,oi->oi", -rates, gradient)
        """),
        "view": block("""
            def rate_update(gradient, rates):
                return -gradient * rates.view(len(rates), -1)
        """),
    },
    "transform_factors": {
        "as in the notebook": _network(),
        "clamp": _network(step="(normed @ down.T).clamp(min=0) @ up.T"),
        "linear": _network(
            step="""
                torch.nn.functional.linear(
                    torch.nn.functional.relu(torch.nn.functional.linear(normed, down)), up
                )
            """
        ),
        "a loop": block("""
            def transform_factors(inputs, output_grads, mean, scale, down, up):
                rows = []
                for u, delta in zip(inputs, output_grads):
                    z = (torch.cat([u, delta]) - mean) / scale
                    rows.append(z + up @ torch.relu(down @ z))
                return torch.stack(rows)
        """),
    },
    "low_rank_output": {
        "as in the notebook": _output(f"outputs - rate * ({ONE_CHANGE})"),
        "the rate first": _output("outputs - keys @ (rate * inputs).T @ output_grads"),
        "einsum": _output(
            "outputs - rate * torch.einsum('...t,to->...o', keys @ inputs.T, output_grads)"
        ),
        "token by token": block("""
            def low_rank_output(outputs, keys, inputs, output_grads, rate):
                for u, delta in zip(inputs, output_grads):
                    outputs = outputs - rate * (keys @ u)[..., None] * delta
                return outputs
        """),
    },
    "editor_loss": {
        "as in the notebook": block("""
            def editor_loss(log_probs, wanted, other_log_probs, other_log_probs_before, kl_weight):
                edit = torch.nn.functional.nll_loss(log_probs.flatten(0, 1), wanted.flatten())
                before = other_log_probs_before
                kl = (before.exp() * (before - other_log_probs)).sum(-1).mean()
                return edit + kl_weight * kl
        """),
        "a mask": _loss(),
        "masked sum": _loss(nll=f"(({EVERY}) * asked).sum() / asked.sum()"),
        "cross-entropy": block("""
            def editor_loss(log_probs, wanted, other_log_probs, other_log_probs_before, kl_weight):
                edit = torch.nn.functional.cross_entropy(log_probs.transpose(1, 2), wanted)
                kl = torch.nn.functional.kl_div(
                    other_log_probs, other_log_probs_before, log_target=True, reduction="batchmean"
                )
                return edit + kl_weight * kl
        """),
    },
}
