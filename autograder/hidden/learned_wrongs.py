"""Wrong results for the functions of 5_learn_to_edit.ipynb: {misconception: what it gives}.

A wrong result that happens to equal the right one is left out: of one token, say.
"""

import torch
from torch import Tensor

from autograder.hidden.edit_wrongs import Results
from autograder.oracle import learned
from keyhole.checking.judging import told_apart


def gradient_from_factors(inputs: Tensor, output_grads: Tensor) -> Results:
    """Wrong gradients: another sum, another order, or not of the weight."""
    u, delta = inputs.double(), output_grads.double()
    texts, tokens, d_in = u.shape
    d_out = delta.shape[-1]
    right = learned.gradient_from_factors(inputs, output_grads)
    each = torch.einsum("nto,nti->ntoi", delta, u)
    wrongs = {
        "factors_swapped": right.T,
        "averaged_over_tokens": right / (texts * tokens),
        "averaged_over_tokens:within a text": right / tokens,
        "averaged_over_texts": right / texts,
        "sums_multiplied": torch.outer(delta.sum((0, 1)), u.sum((0, 1))),
        "sums_multiplied:means": torch.outer(delta.mean((0, 1)), u.mean((0, 1))),
        "sums_multiplied:within a text": torch.einsum("no,ni->oi", delta.sum(1), u.sum(1)),
        "last_token_alone": each[:, -1].sum(0),
        "first_token_alone": each[:, 0].sum(0),
        "first_text_alone": each[0].sum(0),
        "tokens_not_summed": each,
        "tokens_not_summed:in one row": each.flatten(0, 1),
        "texts_not_summed": each.sum(1),
        "texts_not_summed:tokens": each.sum(0),
        "gradient_of_bias": delta.sum((0, 1)),
        "flattened_wrongly": delta.reshape(d_out, -1) @ u.reshape(d_in, -1).T,
        "flattened_wrongly:inputs back": delta.reshape(d_out, -1) @ u.reshape(-1, d_in),
        "flattened_wrongly:grads back": delta.reshape(-1, d_out).T @ u.reshape(d_in, -1).T,
        "flattened_wrongly:texts and tokens crossed": delta.reshape(-1, d_out).T
        @ u.transpose(0, 1).reshape(-1, d_in),
        "gradient_reversed": -right,
        "gradient_normalised": right / right.norm(),
    }
    return told_apart(wrongs, right)


def editor_parameters(kind: str, d_out: int, d_in: int, rank: int) -> Results:
    """Wrong counts of an editor of one kind."""
    numbers, both = d_out * d_in, d_out + d_in
    of_kind = {
        "full": {
            "map_not_counted": numbers,
            "map_halved": numbers * (numbers + 1) / 2,
            "map_from_sides": both**2,
            "map_from_one_side": d_out**4,
            "map_from_one_side:inputs": d_in**4,
        },
        "diagonal": {"diagonal_of_weight": min(d_out, d_in), "sides_added": both},
        "rows": {"columns_counted": d_in, "rates_of_weights": numbers, "sides_added": both},
        "factors": {
            "one_matrix_counted": rank * both,
            "biases_counted": 2 * rank * both + rank + both,
            "one_factor_counted": 2 * rank * d_in,
            "one_factor_counted:gradients": 2 * rank * d_out,
            "rank_left_out": both**2,
            "low_rank_of_full_map": 2 * rank * numbers,
            "counted_for_each_factor": 4 * rank * both,
        },
    }[kind]
    wrongs = {name: torch.tensor(float(count)).double() for name, count in of_kind.items()}
    return told_apart(wrongs, learned.editor_parameters(kind, d_out, d_in, rank))


def rate_update(gradient: Tensor, rates: Tensor) -> Results:
    """Wrong changes: the sign, the place of the rates, or how often they count."""
    gradient, rates = gradient.double(), rates.double()
    right = learned.rate_update(gradient, rates)
    wide = rates if rates.dim() == 2 else rates[:, None].expand_as(gradient)
    size = gradient.norm()
    wrongs = {
        "step_uphill": -right,
        "rates_twice": -wide.square() * gradient,
        "rates_left_out": -gradient,
        "rates_averaged": -rates.mean() * gradient,
        "rates_divided": -gradient / wide,
        "rates_exponentiated": -wide.exp() * gradient,
        "rates_made_positive": -wide.abs() * gradient,
        "rates_made_positive:zero": -wide.relu() * gradient,
        "sign_of_gradient": -wide * gradient.sign(),
        "length_forced": -wide * gradient / size,
        "length_forced:by row": -wide * gradient / gradient.norm(dim=1, keepdim=True),
    }
    if rates.dim() == 1:
        wrongs["rows_summed"] = -rates @ gradient
    if rates.dim() == 1 and len(rates) == gradient.shape[1]:
        wrongs["rates_on_columns"] = -gradient * rates
        wrongs["rows_summed:of columns"] = -gradient @ rates
    if rates.dim() == 2:
        wrongs["rates_of_rows_made"] = -rates.mean(1, keepdim=True) * gradient
    return told_apart(wrongs, right)


def transform_factors(
    inputs: Tensor, output_grads: Tensor, mean: Tensor, scale: Tensor, down: Tensor, up: Tensor
) -> Results:
    """Wrong factors: another normalisation, another residual, or a network of another form."""
    u, delta, mean, scale, down, up = (
        each.double() for each in (inputs, output_grads, mean, scale, down, up)
    )
    z, width = torch.cat([u, delta], 1), u.shape[1]
    normed = (z - mean) / scale
    right = learned.transform_factors(inputs, output_grads, mean, scale, down, up)

    def step(given: Tensor, kept: Tensor | None = None) -> Tensor:
        return (given if kept is None else kept) + (given @ down.T).relu() @ up.T

    centred = z - z.mean(0)
    swapped = torch.cat([delta, u], 1)
    wrongs = {
        "own_statistics": step(centred / z.std(0)) if len(z) > 1 else torch.full_like(z, torch.nan),
        "own_statistics:biased": step(centred / z.std(0, correction=0)),
        "own_statistics:of each token": step(
            (z - z.mean(1, keepdim=True)) / z.std(1, keepdim=True)
        ),
        "own_statistics:centred only": step(centred / scale),
        "not_normalised": step(z),
        "mean_kept": step(z / scale),
        "scale_left_out": step(z - mean),
        "scale_multiplied": step((z - mean) * scale),
        "scale_rooted": step((z - mean) / scale.sqrt()),
        "scale_before_mean": step(z / scale - mean),
        "residual_left_out": right - normed,
        "residual_not_normalised": step(normed, z),
        "put_back": right * scale + mean,
        "relu_left_out": normed + normed @ down.T @ up.T,
        "relu_at_the_end": normed + (normed @ down.T @ up.T).relu(),
        "relu_over_all": right.relu(),
        "other_activation": normed + torch.nn.functional.gelu(normed @ down.T) @ up.T,
        "other_activation:tanh": normed + (normed @ down.T).tanh() @ up.T,
        "other_activation:sigmoid": normed + (normed @ down.T).sigmoid() @ up.T,
        "parts_in_other_order": step((swapped - mean) / scale),
        "parts_in_other_order:at the end": torch.cat([right[:, width:], right[:, :width]], 1),
        "tokens_summed": right.sum(0),
        "tokens_summed:mean": right.mean(0),
        "only_inputs_transformed": torch.cat([right[:, :width], delta], 1),
        "only_inputs_transformed:grads": torch.cat([u, right[:, width:]], 1),
        "one_part_returned": right[:, :width],
        "one_part_returned:grads": right[:, width:],
    }
    return told_apart(wrongs, right)


def low_rank_output(
    outputs: Tensor, keys: Tensor, inputs: Tensor, output_grads: Tensor, rate: float | Tensor
) -> Results:
    """Wrong outputs: the sign, the rate, the tokens, or the order of the factors."""
    outputs, keys, u, delta = (each.double() for each in (outputs, keys, inputs, output_grads))
    tokens = len(u)
    change = (keys @ u.T) @ delta
    wrongs = {
        "step_uphill": outputs + rate * change,
        "rate_left_out": outputs - change,
        "rate_twice": outputs - rate * rate * change,
        "outputs_lost": -rate * change,
        "outputs_lost:sign": rate * change,
        "output_unchanged": outputs,
        "averaged_over_tokens": outputs - rate * change / tokens,
        "sums_multiplied": outputs - rate * (keys @ u.sum(0))[..., None] * delta.sum(0),
        "last_token_alone": outputs - rate * (keys @ u[-1])[..., None] * delta[-1],
        "first_token_alone": outputs - rate * (keys @ u[0])[..., None] * delta[0],
        "attention_made": outputs - rate * (keys @ u.T).softmax(-1) @ delta,
        "likeness_for_product": outputs
        - rate
        * (keys @ (u / u.norm(dim=1, keepdim=True)).T / keys.norm(dim=-1, keepdim=True))
        @ delta,
        "rate_on_outputs": rate * (outputs - change),
    }
    return told_apart(wrongs, outputs - rate * change)


def editor_loss(
    log_probs: Tensor,
    wanted: Tensor,
    other_log_probs: Tensor,
    other_log_probs_before: Tensor,
    kl_weight: float,
) -> Results:
    """Wrong losses: one of the two terms is wrong, the other is right."""
    log_p, now, before = (
        each.double() for each in (log_probs, other_log_probs, other_log_probs_before)
    )
    asked = wanted >= 0
    nll = -log_p.gather(-1, wanted.clamp(min=0)[..., None]).squeeze(-1)
    ends = asked & ~torch.cat([asked[:, 1:], torch.zeros_like(asked[:, :1])], 1)
    starts = asked & ~torch.cat([torch.zeros_like(asked[:, :1]), asked[:, :-1]], 1)
    last_id = -log_p.gather(-1, wanted.remainder(log_p.shape[-1])[..., None]).squeeze(-1)
    later, earlier = (_shifted(log_p, wanted, by) for by in (1, -1))
    kl = (before.exp() * (before - now)).sum(-1)
    reversed_kl = (now.exp() * (now - before)).sum(-1)
    edit, local = nll[asked].mean(), kl_weight * kl.mean()
    of_texts = (nll * asked).sum(1) / asked.sum(1)
    wrongs = {
        "every_token_wanted": nll.mean() + local,
        "every_token_wanted:from the end": last_id.mean() + local,
        "token_taken_for_padding": nll[wanted > 0].mean() + local,
        "divided_by_all_tokens": (nll * asked).mean() + local,
        "edit_summed": nll[asked].sum() + local,
        "edit_summed:over tokens": (nll * asked).sum(1).mean() + local,
        "edit_summed:over texts": of_texts.sum() + local,
        "mean_of_texts": of_texts.mean() + local,
        "first_wanted_token": nll[starts].mean() + local,
        "last_wanted_token": nll[ends].mean() + local,
        "one_token_off": later + local,
        "one_token_off:earlier": earlier + local,
        "edit_rewarded": -edit + local,
        "edit_missing": local,
        "probabilities_taken": -log_p.exp().gather(-1, wanted.clamp(min=0)[..., None])[asked].mean()
        + local,
        "divergence_reversed": edit + kl_weight * reversed_kl.mean(),
        "locality_missing": edit,
        "locality_not_weighted": edit + kl.mean(),
        "edit_weighted": kl_weight * edit + kl.mean(),
        "edit_weighted:both": kl_weight * (edit + kl.mean()),
        "kl_summed_over_prompts": edit + kl_weight * kl.sum(),
        "kl_mean": edit + local / now.shape[-1],
        "kl_of_first_prompt": edit + kl_weight * kl[0],
        "locality_rewarded": edit - local,
        "log_of_log": torch.tensor(torch.inf, dtype=torch.float64),  # or NaN
    }
    return told_apart(wrongs, edit + local)


def _shifted(log_p: Tensor, wanted: Tensor, by: int) -> Tensor:
    """The mean NLL where each wanted token is looked up `by` tokens later."""
    width = log_p.shape[1]
    nll = [
        -log_p[text, token + by, wanted[text, token]]
        for text, token in (wanted >= 0).nonzero().tolist()
        if 0 <= token + by < width
    ]
    return torch.stack(nll).mean() if nll else torch.tensor(torch.inf).double()
