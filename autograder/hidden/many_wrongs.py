"""Wrong results for the functions of 4_scale.ipynb: {misconception: what it gives}, in float64.

A wrong result that happens to equal the right one is left out: of one fact, say, or of one layer.
"""

from collections.abc import Sequence

import torch
from torch import Tensor

from autograder.hidden.edit_wrongs import CHANGE_TOLERANCE, Results
from autograder.oracle import many
from keyhole.checking.judging import told_apart


def demonstrations(key: Tensor, keys: Tensor, kinds: Sequence[int]) -> Results:
    """Wrong examples, kinds or orders."""
    key, keys = key.double(), keys.double()
    right = many.demonstrations(key, keys, kinds)
    count = len(right)
    kinds = torch.tensor(kinds)[:count]

    def rows(chosen: Tensor, of: Tensor | None = None) -> Tensor:
        return torch.stack([chosen, kinds.flip(0) if of is None else of], 1)

    def last(likeness: Tensor) -> Tensor:
        return likeness.argsort(descending=True)[:count].flip(0)

    cosines = keys @ key / keys.norm(dim=1)
    nearest = last(cosines)
    wrongs = {
        "nearest_first": right.flip(0),
        "least_like_chosen": rows(last(-cosines)),
        "dot_for_cosine": rows(last(keys @ key)),
        "distance_for_cosine": rows(last(-(keys - key).norm(dim=1))),
        "kinds_from_the_front": rows(nearest, kinds),
        "kinds_from_the_front:nearest first": rows(nearest.flip(0), kinds.flip(0)),
        "columns_swapped": right.flip(1),
        "first_examples": rows(torch.arange(count).flip(0)),
        "first_examples:in their order": rows(torch.arange(count), kinds),
        "only_examples": right[:, 0],
    }
    wrongs = {name: result.double() for name, result in wrongs.items()}
    return told_apart(wrongs, right.double())


def locality_loss(
    target_nll: Tensor,
    log_probs: Tensor,
    log_probs_before: Tensor,
    replay_nll: Tensor,
    kl_weight: float,
    replay_weight: float,
) -> Results:
    """Wrong losses: one of the three terms is wrong, the others are right."""
    target, now, before = target_nll.double(), log_probs.double(), log_probs_before.double()
    kl, replay = (before.exp() * (before - now)).sum(-1), replay_nll.double()
    kl_part, replay_part = kl_weight * kl.mean(), replay_weight * replay.mean()
    reversed_kl = (now.exp() * (now - before)).sum(-1).mean()
    wrongs = {
        "divergence_reversed": target + kl_weight * reversed_kl + replay_part,
        "kl_missing": target + replay_part,
        "kl_not_weighted": target + kl.mean() + replay_part,
        "kl_summed_over_prompts": target + kl_weight * kl.sum() + replay_part,
        "kl_mean": target + kl_part / now.shape[-1] + replay_part,
        "replay_missing": target + kl_part,
        "replay_not_weighted": target + kl_part + replay.mean(),
        "replay_summed": target + kl_part + replay_weight * replay.sum(),
        "replay_rewarded": target + kl_part - replay_part,
        "weights_swapped": target + replay_weight * kl.mean() + kl_weight * replay.mean(),
        "target_missing": kl_part + replay_part,
        "kl_of_first_prompt": target + kl_weight * kl[0] + replay_part,
        "log_of_log": torch.tensor(torch.inf, dtype=torch.float64),  # or NaN
    }
    return told_apart(wrongs, target + kl_part + replay_part)


def scaled_change(before: Tensor, after: Tensor, scale: float) -> Results:
    """Wrong weights: another scale, another origin."""
    before, after = before.double(), after.double()
    change = after - before
    wrongs = {
        "after_scaled": scale * after,
        "before_lost": scale * change,
        "scale_mirrored": after - scale * change,
        "change_added_to_after": after + scale * change,
        "change_reversed": before - scale * change,
        "both_added": before + scale * after,
        "scale_ignored": after,
        "scale_clamped": before + min(max(scale, 0.0), 1.0) * change,
        "half_always": before + change / 2,
    }
    return told_apart(wrongs, before + scale * change, before)


def memit_update(
    weight: Tensor, moment: Tensor, keys: Tensor, values: Tensor, weight_of_old: float
) -> Results:
    """Wrong Ŵ: another metric, another weight, another residual, or not Ŵ at all."""
    weight, moment = weight.double(), moment.double()
    keys, values = keys.double(), values.double()
    residual, count = values - keys @ weight.T, len(keys)
    identity = torch.eye(len(moment), dtype=torch.float64)

    def solved(old: Tensor, new: Tensor = keys.T @ keys, left: Tensor = residual) -> Tensor:
        return weight + torch.linalg.solve(old + new, keys.T @ left).T

    right = many.memit_update(weight, moment, keys, values, weight_of_old)
    one_by_one = weight
    for key, value in zip(keys, values):
        one_by_one = many.memit_update(one_by_one, moment, key[None], value[None], weight_of_old)
    singles = sum(
        many.memit_update(weight, moment, key[None], value[None], weight_of_old) - weight
        for key, value in zip(keys, values)
    )
    old = weight_of_old * moment
    wrongs = {
        "moment_left_out": solved(weight_of_old * identity),
        "weight_forgotten": solved(moment),
        "weight_on_new": solved(moment, weight_of_old * keys.T @ keys),
        "weight_inverted": solved(moment / weight_of_old),
        "new_averaged": solved(old, keys.T @ keys / count),
        "new_left_out": solved(old, 0 * identity),
        "diagonal_of_moment": solved(old.diag().diag()),
        "value_not_residual": solved(old, left=values),
        "residual_reversed": solved(old, left=-residual),
        "facts_in_sequence": one_by_one,
        "facts_added_up": weight + singles,
        "rome_in_sequence": many.one_after_the_other(weight, moment, keys, values),
        "equality_for_all": many.memit_update(weight, moment, keys, values, 0.0)
        if torch.linalg.matrix_rank(keys) == count
        else torch.full_like(weight, torch.inf),
        "first_fact_only": many.memit_update(weight, moment, keys[:1], values[:1], weight_of_old),
        "mean_of_facts": many.memit_update(
            weight, moment, keys.mean(0, True), values.mean(0, True), weight_of_old
        ),
    }
    return told_apart(wrongs | _of_any_update(weight, right), right, weight, CHANGE_TOLERANCE)


def spread_residual(targets: Tensor, states: Tensor, layer: int, layers: Sequence[int]) -> Results:
    """Wrong shares of what is left."""
    whole, count = targets.double() - states.double(), len(layers)
    place = list(layers).index(layer)
    left = count - place
    wrongs = {
        "not_spread": whole,
        "divided_by_all_layers": whole / count,
        "divided_by_layers_done": whole / (place + 1),
        "layers_counted_by_number": whole / (layers[-1] - layer + 1),
        "last_layer_not_counted": whole / (left - 1)
        if left > 1
        else torch.full_like(whole, torch.inf),
        "last_layer_not_counted:by number": whole / (layers[-1] - layer)
        if layer < layers[-1]
        else torch.full_like(whole, torch.inf),
        "one_layer_too_many": whole / (left + 1),
        "divided_by_root": whole / left**0.5,
        "share_reversed": -whole / left,
        "target_spread": targets.double() / left,
        "states_included": states.double() + whole / left,
    }
    return told_apart(wrongs, whole / left)


def null_space_projector(moment: Tensor, threshold: float) -> Results:
    """Wrong projectors: onto other directions, or no projectors at all."""
    moment = moment.double()
    values, vectors = torch.linalg.eigh(moment)
    small, identity = values < threshold, torch.eye(len(moment), dtype=torch.float64)
    below, rows = vectors[:, small], vectors[small]
    relative = vectors[:, values < threshold * values[-1]]
    roots = vectors[:, values < threshold**2]
    squares = vectors[:, values < threshold**0.5]
    wrongs = {
        "other_end": identity - below @ below.T,
        "vectors_as_rows": rows.T @ rows,
        "transposed_product": below.T @ below,
        "only_the_vectors": below,
        "threshold_of_largest": relative @ relative.T,
        "threshold_on_roots": roots @ roots.T,
        "threshold_on_squares": squares @ squares.T,
        "coordinates_not_directions": (moment.diag() < threshold).double().diag(),
        "values_kept": (below * values[small]) @ below.T,
        "small_values_cut": moment - (below * values[small]) @ below.T,
        "only_the_smallest": vectors[:, :1] @ vectors[:, :1].T,
        "identity_returned": identity,
    }
    return told_apart(wrongs, below @ below.T)


def alphaedit_update(
    weight: Tensor,
    projector: Tensor,
    keys: Tensor,
    values: Tensor,
    earlier_keys: Tensor,
    ridge: float,
) -> Results:
    """Wrong Ŵ: the projector, the earlier keys or the ridge are somewhere else, or nowhere."""
    weight, projector = weight.double(), projector.double()
    keys, earlier = keys.double(), earlier_keys.double()
    residual = values.double() - keys @ weight.T
    identity = torch.eye(len(projector), dtype=torch.float64)

    def along(
        p: Tensor = projector,
        inner: Tensor = projector,
        old: Tensor = earlier,
        of_old: Tensor = projector,
        diagonal: float = ridge,
        left: Tensor = residual,
    ) -> Tensor:
        """Ŵ with the keys projected by `p` outside, and by `inner` and `of_old` in the solve."""
        seen = torch.cat([keys @ inner, old @ of_old])
        return weight + (_solved(seen, diagonal, (keys @ p).T) @ left).T

    right = along()
    large = identity - projector
    wrongs = {
        "projector_left_out": along(identity, identity, of_old=identity),
        "projector_of_other_end": along(large, large, of_old=large),
        "keys_not_projected_in_solve": along(inner=identity, of_old=identity),
        "only_solve_projected": along(p=identity),
        "earlier_forgotten": along(old=earlier[:0]),
        "earlier_not_projected": along(of_old=identity),
        "earlier_averaged": along(old=earlier / max(len(earlier), 1) ** 0.5),
        "ridge_left_out": along(diagonal=0.0),
        "ridge_of_one": along(diagonal=1.0),
        "value_not_residual": along(left=values.double()),
        "residual_reversed": along(left=-residual),
        "weight_projected": right - weight + weight @ projector,
    }
    return told_apart(wrongs | _of_any_update(weight, right), right, weight, CHANGE_TOLERANCE)


def _of_any_update(weight: Tensor, right: Tensor) -> Results:
    """Wrong Ŵ whose change is right, or missing."""
    return {
        "only_the_change": right - weight,
        "nothing_changed": weight,
        "update_doubled": 2 * right - weight,
        "half_precision": weight + (right - weight).half().double(),
    }


def _solved(seen: Tensor, diagonal: float, right: Tensor) -> Tensor:
    """(XᵀX + diagonal I)⁻¹ `right` for few rows X; without a diagonal, by the pseudoinverse."""
    if not diagonal:
        inverse = torch.linalg.pinv(seen)
        return inverse @ (inverse.T @ right)
    small = seen @ seen.T + diagonal * torch.eye(len(seen), dtype=torch.float64)
    return (right - seen.T @ torch.linalg.solve(small, seen @ right)) / diagonal
