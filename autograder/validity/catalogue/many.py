"""Solutions of 4_scale.ipynb."""

from functools import partial

from autograder.validity.catalogue.measure import memo
from autograder.validity.solution import ALL, Wrong, block, filled

EXAMPLES = {"nearest", "lengths", "few"}
LOSSES = {"whole", "divergence", "replay", "gradient"}
SCALED = {"part", "beyond", "negative"}
SEVERAL = {"wide", "tall", "scale", "many", "shared_key", "real"}  # with more than one fact
MEMIT = SEVERAL | {"one"}
SHARES = {"middle", "last", "gaps"}
PROJECTORS = {"below", "all", "none"}
ALPHAEDIT = {"first", "later", "tall"}

ROWS = block("""
    def demonstrations(key, keys, kinds):
        likeness = $likeness
        count = min(len(keys), len(kinds))
        chosen = likeness.argsort(descending=True)[:count]
        return $rows
    """)
_rows = partial(
    filled,
    ROWS,
    likeness="torch.cosine_similarity(keys, key[None])",
    rows="torch.stack([chosen, torch.tensor(kinds[:count])], 1).flip(0)",
)

LOSS = block("""
    def locality_loss(
        target_nll, log_probs, log_probs_before, replay_nll, kl_weight, replay_weight
    ):
        kl = $kl
        replay = $replay
        return $total
    """)
_loss = partial(
    filled,
    LOSS,
    kl="(log_probs_before.exp() * (log_probs_before - log_probs)).sum(-1).mean()",
    replay="replay_nll.mean()",
    total="target_nll + kl_weight * kl + replay_weight * replay",
)

SCALE = block("""
    def scaled_change(before, after, scale):
        return $weight
    """)

UPDATE = block("""
    def memit_update(weight, moment, keys, values, weight_of_old):
        residual = $residual
        old = $old
        new = $new
        change = $change
        return $result
    """)
_memit = partial(
    filled,
    UPDATE,
    residual="(values - keys @ weight.T).double()",
    old="weight_of_old * moment.double()",
    new="keys.double().T @ keys.double()",
    change="torch.linalg.solve(old + new, keys.double().T @ residual).T",
    result="weight + change.float()",
)

ONE_BY_ONE = block("""
    def memit_update(weight, moment, keys, values, weight_of_old):
        new, moment = weight.double(), moment.double()
        for key, value in zip(keys.double(), values.double()):
            direction = torch.linalg.solve(moment, key)
            inner = direction @ key
            residual = value - $seen @ key
            new = new + torch.outer(residual, direction) / ($more + inner)
            $after
        return new.float()
    """)
_one_by_one = partial(filled, ONE_BY_ONE, seen="new", more="weight_of_old", after="")

SHARE = block("""
    def spread_residual(targets, states, layer, layers):
        return $share
    """)

PROJECTOR = block("""
    def null_space_projector(moment, threshold):
        values, vectors = torch.linalg.eigh(moment.double())
        small = vectors[:, $which]
        return $projector
    """)
_projector = partial(
    filled, PROJECTOR, which="values < threshold", projector="(small @ small.T).float()"
)

NULL = block("""
    def alphaedit_update(weight, projector, keys, values, earlier_keys, ridge):
        p = $p
        residual = $residual
        new = $new
        earlier = $earlier
        system = new.T @ new + earlier.T @ earlier + $ridge
        change = torch.linalg.solve(system, $outer @ residual).T
        return $result
    """)
_alphaedit = partial(
    filled,
    NULL,
    p="projector.double()",
    residual="(values - keys @ weight.T).double()",
    new="keys.double() @ p",
    earlier="earlier_keys.double() @ p",
    ridge="ridge * torch.eye(len(p), dtype=torch.float64)",
    outer="(keys.double() @ p).T",
    result="weight + change.float()",
)


def _scaled(weight: str) -> str:
    return filled(SCALE, weight=weight)


def _share(share: str) -> str:
    return filled(SHARE, share=share)


WRONG = {
    "demonstrations": {
        "nearest first": Wrong(
            "put the most similar fact first, far from the question",
            misconception="nearest_first",
            fails=EXAMPLES,
            code=_rows(rows="torch.stack([chosen, torch.tensor(kinds[:count])], 1)"),
        ),
        "least alike": Wrong(
            "sorted upward and took the least similar facts",
            misconception="least_like_chosen",
            fails={"nearest", "lengths"},
            code=_rows(likeness="-torch.cosine_similarity(keys, key[None])"),
            may_fail={"few"},
        ),
        "inner product": Wrong(
            "compared by the inner product, in which long keys win",
            misconception="dot_for_cosine",
            fails={"lengths"},
            code=_rows(likeness="keys @ key"),
        ),
        "distance": Wrong(
            "compared by distance, in which the length of keys counts",
            misconception="distance_for_cosine",
            fails={"lengths"},
            code=_rows(likeness="-(keys - key).norm(dim=1)"),
        ),
        "kinds from the front": Wrong(
            "gave the kinds out in the order of the text",
            misconception="kinds_from_the_front",
            fails=EXAMPLES,
            code=_rows(rows="torch.stack([chosen.flip(0), torch.tensor(kinds[:count])], 1)"),
        ),
        "columns swapped": Wrong(
            "put the kind before the example",
            misconception="columns_swapped",
            fails=EXAMPLES,
            code=_rows(rows="torch.stack([torch.tensor(kinds[:count]), chosen], 1).flip(0)"),
        ),
        "as they come": Wrong(
            "took the examples as they come",
            misconception="first_examples",
            fails=EXAMPLES,
            code=_rows(likeness="-torch.arange(len(keys))"),
        ),
        "no kinds": Wrong(
            "returned the examples without their kinds",
            misconception="only_examples",
            fails=ALL,
            code=_rows(rows="chosen.flip(0)"),
        ),
        "always five": Wrong(
            "expected as many examples as kinds",
            fails={"few"},
            code=block("""
                def demonstrations(key, keys, kinds):
                    likeness = torch.cosine_similarity(keys, key[None])
                    chosen = likeness.topk(len(kinds)).indices
                    return torch.stack([chosen, torch.tensor(kinds)], 1).flip(0)
            """),
        ),
        "keys normalised in place": Wrong(
            "divided the caller's keys by their lengths",
            misconception="input_changed",
            fails={"inputs"},
            code=_rows(likeness="keys.div_(keys.norm(dim=1, keepdim=True)) @ key"),
        ),
        "kept by the number of keys": Wrong(
            "kept the rows for every number of examples",
            misconception="memo_too_small",
            fails={"nearest"},
            code=memo(
                "demonstrations",
                "key, keys, kinds",
                "(len(keys), len(kinds))",
                "rows(key, keys, kinds)",
            )
            + "\n\n\n"
            + _rows().replace("def demonstrations", "def rows"),
        ),
    },
    "locality_loss": {
        "divergence reversed": Wrong(
            "took KL(now ‖ before), as in notebook 3, for KL(before ‖ now)",
            misconception="divergence_reversed",
            fails={"whole", "divergence", "gradient"},
            code=_loss(kl="(log_probs.exp() * (log_probs - log_probs_before)).sum(-1).mean()"),
        ),
        "no divergence": Wrong(
            "left the divergence out",
            misconception="kl_missing",
            fails={"whole", "divergence", "gradient"},
            code=_loss(total="target_nll + replay_weight * replay"),
        ),
        "divergence unweighted": Wrong(
            "forgot the weight of the divergence",
            misconception="kl_not_weighted",
            fails=LOSSES,
            code=_loss(total="target_nll + kl + replay_weight * replay"),
        ),
        "divergence summed": Wrong(
            "added the divergences of the prompts up",
            misconception="kl_summed_over_prompts",
            fails={"whole", "divergence", "gradient"},
            code=_loss(kl="(log_probs_before.exp() * (log_probs_before - log_probs)).sum()"),
        ),
        "divergence by entry": Wrong(
            "let kl_div divide by the size of the vocabulary too",
            misconception="kl_mean",
            fails={"whole", "divergence", "gradient"},
            code=_loss(
                kl="""
                    torch.nn.functional.kl_div(
                        log_probs, log_probs_before, log_target=True, reduction="mean"
                    )
                """
            ),
        ),
        "first prompt": Wrong(
            "looked at the first of the other prompts only",
            misconception="kl_of_first_prompt",
            fails={"whole", "divergence", "gradient"},
            code=_loss(
                kl="(log_probs_before[0].exp() * (log_probs_before[0] - log_probs[0])).sum()"
            ),
        ),
        "log of log": Wrong(
            "took the logarithm of log-probabilities",
            misconception="log_of_log",
            fails=LOSSES,
            code=_loss(
                kl="(log_probs_before.exp() * (log_probs_before.log() - log_probs)).sum(-1).mean()"
            ),
        ),
        "no replay": Wrong(
            "left the replay out",
            misconception="replay_missing",
            fails={"whole", "replay", "gradient"},
            code=_loss(total="target_nll + kl_weight * kl"),
        ),
        "replay unweighted": Wrong(
            "forgot the weight of the replay",
            misconception="replay_not_weighted",
            fails=LOSSES,
            code=_loss(total="target_nll + kl_weight * kl + replay"),
        ),
        "replay summed": Wrong(
            "added the replayed texts up",
            misconception="replay_summed",
            fails={"whole", "replay", "gradient"},
            code=_loss(replay="replay_nll.sum()"),
        ),
        "replay rewarded": Wrong(
            "subtracted the replay, as if it were a log-likelihood",
            misconception="replay_rewarded",
            fails={"whole", "replay", "gradient"},
            code=_loss(total="target_nll + kl_weight * kl - replay_weight * replay"),
        ),
        "weights swapped": Wrong(
            "swapped the two weights",
            misconception="weights_swapped",
            fails=LOSSES,
            code=_loss(total="target_nll + replay_weight * kl + kl_weight * replay"),
        ),
        "no target": Wrong(
            "left the target out, so that nothing is learned",
            misconception="target_missing",
            fails=LOSSES,
            code=_loss(total="kl_weight * kl + replay_weight * replay"),
        ),
        "target detached": Wrong(
            "took the target's loss out of the graph",
            misconception="graph_cut",
            fails={"gradient"},
            code=_loss(total="target_nll.item() + kl_weight * kl + replay_weight * replay"),
        ),
        "kept by the target": Wrong(
            "kept the loss by the target's part",
            misconception="memo_too_small",
            fails={"whole"},
            code=(
                "SEEN = {}",
                _loss().replace("def locality_loss", "def computed"),
                block("""
                    def locality_loss(
                        target_nll, log_probs, log_probs_before, replay_nll, kl_weight,
                        replay_weight
                    ):
                        known = target_nll.item()
                        if known not in SEEN or target_nll.requires_grad:
                            SEEN[known] = computed(
                                target_nll, log_probs, log_probs_before, replay_nll, kl_weight,
                                replay_weight
                            )
                        return SEEN[known]
                """),
            ),
        ),
    },
    "scaled_change": {
        "after scaled": Wrong(
            "scaled the weights after training",
            misconception="after_scaled",
            fails=SCALED,
            code=_scaled("scale * after"),
        ),
        "only the change": Wrong(
            "returned the scaled change without the weights",
            misconception="before_lost",
            fails=SCALED,
            code=_scaled("scale * (after - before)"),
        ),
        "mirrored": Wrong(
            "took the share of the weights before for that of the change",
            misconception="scale_mirrored",
            fails=SCALED,
            code=_scaled("scale * before + (1 - scale) * after"),
        ),
        "added to after": Wrong(
            "added the scaled change to the weights after training",
            misconception="change_added_to_after",
            fails=SCALED,
            code=_scaled("after + scale * (after - before)"),
        ),
        "wrong sign": Wrong(
            "took the change the wrong way round",
            misconception="change_reversed",
            fails=SCALED,
            code=_scaled("before + scale * (before - after)"),
        ),
        "both added": Wrong(
            "added scaled weights to weights",
            misconception="both_added",
            fails=SCALED,
            code=_scaled("before + scale * after"),
        ),
        "scale ignored": Wrong(
            "returned the weights after training",
            misconception="scale_ignored",
            fails=SCALED,
            code=_scaled("after.clone()"),
        ),
        "clamped": Wrong(
            "cut the scale off at 0 and 1",
            misconception="scale_clamped",
            fails={"beyond", "negative"},
            code=_scaled("before + min(max(scale, 0), 1) * (after - before)"),
        ),
        "half": Wrong(
            "took half of the change whatever the scale",
            misconception="half_always",
            fails=SCALED,
            code=_scaled("(before + after) / 2"),
        ),
        "in place": Wrong(
            "changed the caller's weights",
            misconception="input_changed",
            fails={"inputs"},
            code=_scaled("before.add_(scale * (after - before))"),
        ),
        "nothing to do": Wrong(
            "gave the caller's own tensor back where the scale is 0 or 1",
            misconception="memory_shared",
            fails={"inputs"},
            code=_scaled(
                "before if scale == 0 else after if scale == 1 else before.lerp(after, scale)"
            ),
        ),
        "kept by the scale": Wrong(
            "kept the weights for every scale",
            misconception="memo_too_small",
            fails={"part"},
            code=memo(
                "scaled_change",
                "before, after, scale",
                "(scale, before.sum().item())",
                "before + scale * (after - before)",
            ),
        ),
    },
    "memit_update": {
        "no C": Wrong(
            "put the identity in the place of C",
            misconception="moment_left_out",
            fails=MEMIT,
            code=_memit(old="weight_of_old * torch.eye(len(moment), dtype=torch.float64)"),
        ),
        "no weight": Wrong(
            "left the weight of the old keys out",
            misconception="weight_forgotten",
            fails=MEMIT,
            code=_memit(old="moment.double()"),
        ),
        "weight on the new": Wrong(
            "weighed the new keys in place of the old ones",
            misconception="weight_on_new",
            fails=MEMIT,
            code=_memit(
                old="moment.double()", new="weight_of_old * keys.double().T @ keys.double()"
            ),
        ),
        "weight inverted": Wrong(
            "divided C by its weight",
            misconception="weight_inverted",
            fails=MEMIT,
            code=_memit(old="moment.double() / weight_of_old"),
        ),
        "mean of the new": Wrong(
            "took the mean over the new keys in the system",
            misconception="new_averaged",
            fails=SEVERAL,
            code=_memit(new="keys.double().T @ keys.double() / len(keys)"),
        ),
        "only the old": Wrong(
            "left the new keys out of the system",
            misconception="new_left_out",
            fails=MEMIT,
            code=_memit(new="0"),
        ),
        "diagonal of C": Wrong(
            "used only the diagonal of C",
            misconception="diagonal_of_moment",
            fails=MEMIT,
            code=_memit(old="weight_of_old * moment.double().diag().diag()"),
        ),
        "values for residuals": Wrong(
            "wrote the values themselves in place of what is missing",
            misconception="value_not_residual",
            fails=MEMIT,
            code=_memit(residual="values.double()"),
        ),
        "wrong sign": Wrong(
            "took the residual the wrong way round",
            misconception="residual_reversed",
            fails=MEMIT,
            code=_memit(residual="(keys @ weight.T - values).double()"),
        ),
        "in sequence": Wrong(
            "wrote one fact after the other with the same C",
            misconception="facts_in_sequence",
            fails=SEVERAL,
            code=_one_by_one(),
        ),
        "added up": Wrong(
            "added up what each fact alone would change",
            misconception="facts_added_up",
            fails=SEVERAL,
            code=_one_by_one(seen="weight.double()"),
        ),
        "ROME in sequence": Wrong(
            "applied ROME again and again",
            misconception="rome_in_sequence",
            fails=MEMIT,
            code=_one_by_one(more="0"),
        ),
        "equality": Wrong(
            "met all values exactly, without any weight of the old keys",
            misconception="equality_for_all",
            fails=MEMIT,
            code=block("""
                def memit_update(weight, moment, keys, values, weight_of_old):
                    k, v, w = keys.double(), values.double(), weight.double()
                    solved = torch.linalg.solve(moment.double(), k.T)
                    return (w + (v - k @ w.T).T @ torch.linalg.solve(k @ solved, solved.T)).float()
            """),
        ),
        "first fact": Wrong(
            "wrote the first fact only",
            misconception="first_fact_only",
            fails=SEVERAL,
            code=_memit(
                residual="(values[:1] - keys[:1] @ weight.T).double()",
                new="keys[:1].double().T @ keys[:1].double()",
                change="torch.linalg.solve(old + new, keys[:1].double().T @ residual).T",
            ),
        ),
        "mean fact": Wrong(
            "wrote one fact that is the mean of all",
            misconception="mean_of_facts",
            fails=SEVERAL,
            code=block("""
                def memit_update(weight, moment, keys, values, weight_of_old):
                    k, v, w = keys.double().mean(0), values.double().mean(0), weight.double()
                    system = weight_of_old * moment.double() + torch.outer(k, k)
                    return (w + torch.outer(v - w @ k, torch.linalg.solve(system, k))).float()
            """),
        ),
        "only the change": Wrong(
            "returned the change in place of Ŵ",
            misconception="only_the_change",
            fails=MEMIT,
            code=_memit(result="change.float()"),
        ),
        "nothing": Wrong(
            "returned W as it was",
            misconception="nothing_changed",
            fails=MEMIT,
            code=_memit(result="weight.clone()"),
        ),
        "added twice": Wrong(
            "changed W in place and added the change once more",
            misconception="update_doubled",
            fails=MEMIT | {"inputs"},
            code=_memit(result="weight.add_(change.float()) + change.float()"),
        ),
        "in place": Wrong(
            "changed the caller's W",
            misconception="input_changed",
            fails={"inputs"},
            code=_memit(result="weight.add_(change.float())"),
        ),
        "transposed": Wrong(
            "forgot to transpose the change",
            misconception="shapes_mismatch",
            fails=ALL,
            code=_memit(change="torch.linalg.solve(old + new, keys.double().T @ residual)"),
        ),
        "half precision": Wrong(
            "returned Ŵ in half precision",
            misconception="half_precision",
            fails=ALL,
            code=_memit(result="(weight + change.float()).half()"),
        ),
        "kept by W and keys": Wrong(
            "kept the Ŵ of every W and keys, whatever else is asked",
            misconception="memo_too_small",
            fails={"wide"},
            code=(
                _memit().replace("def memit_update", "def computed"),
                memo(
                    "memit_update",
                    "weight, moment, keys, values, weight_of_old",
                    "(weight.sum().item(), keys.sum().item())",
                    "computed(weight, moment, keys, values, weight_of_old)",
                ),
            ),
        ),
        "kept but for the weight of the old": Wrong(
            "kept the Ŵ of all tensors, whatever the weight of the old",
            misconception="memo_too_small",
            fails={"wide"},
            code=(
                _memit().replace("def memit_update", "def computed"),
                memo(
                    "memit_update",
                    "weight, moment, keys, values, weight_of_old",
                    "tuple(each.sum().item() for each in (weight, moment, keys, values))",
                    "computed(weight, moment, keys, values, weight_of_old)",
                ),
            ),
        ),
    },
    "spread_residual": {
        "all at once": Wrong(
            "let the first layer take everything",
            misconception="not_spread",
            fails={"middle", "gaps"},
            code=_share("targets - states"),
        ),
        "by all layers": Wrong(
            "divided by the number of all layers",
            misconception="divided_by_all_layers",
            fails=SHARES,
            code=_share("(targets - states) / len(layers)"),
        ),
        "by layers done": Wrong(
            "divided by the number of layers done",
            misconception="divided_by_layers_done",
            fails={"last", "gaps"},
            may_fail={"middle"},
            code=_share("(targets - states) / (layers.index(layer) + 1)"),
        ),
        "by their numbers": Wrong(
            "counted layers that are not edited",
            misconception="layers_counted_by_number",
            fails={"gaps"},
            code=_share("(targets - states) / (layers[-1] - layer + 1)"),
        ),
        "one too few": Wrong(
            "did not count the layer itself",
            misconception="last_layer_not_counted",
            fails=SHARES | {"inputs"},
            code=_share("(targets - states) / (layers[-1] - layer)"),
        ),
        "one too many": Wrong(
            "counted one layer too many",
            misconception="one_layer_too_many",
            fails=SHARES,
            code=_share("(targets - states) / (len(layers) - layers.index(layer) + 1)"),
        ),
        "by the root": Wrong(
            "divided by the root of the number",
            misconception="divided_by_root",
            fails={"middle", "gaps"},
            code=_share("(targets - states) / (len(layers) - layers.index(layer)) ** 0.5"),
        ),
        "wrong sign": Wrong(
            "took the residual the wrong way round",
            misconception="share_reversed",
            fails=SHARES,
            code=_share("(states - targets) / (len(layers) - layers.index(layer))"),
        ),
        "targets spread": Wrong(
            "spread the targets themselves",
            misconception="target_spread",
            fails=SHARES,
            code=_share("targets / (len(layers) - layers.index(layer))"),
        ),
        "with the states": Wrong(
            "returned the states that are to come out",
            misconception="states_included",
            fails=SHARES,
            code=_share("states + (targets - states) / (len(layers) - layers.index(layer))"),
        ),
        "in place": Wrong(
            "changed the caller's targets",
            misconception="input_changed",
            fails={"inputs"},
            code=_share("targets.sub_(states) / (len(layers) - layers.index(layer))"),
        ),
    },
    "null_space_projector": {
        "other end": Wrong(
            "projected onto the directions that old keys use",
            misconception="other_end",
            fails=PROJECTORS,
            code=_projector(which="values >= threshold"),
        ),
        "rows": Wrong(
            "took the rows for the eigenvectors",
            misconception="vectors_as_rows",
            fails={"below"},
            code=block("""
                def null_space_projector(moment, threshold):
                    values, vectors = torch.linalg.eigh(moment.double())
                    small = vectors[values < threshold]
                    return (small.T @ small).float()
            """),
        ),
        "product transposed": Wrong(
            "multiplied the other way round",
            misconception="transposed_product",
            fails={"below", "none", "inputs"},
            code=_projector(projector="(small.T @ small).float()"),
        ),
        "only U": Wrong(
            "returned the eigenvectors themselves",
            misconception="only_the_vectors",
            fails={"below", "none", "inputs"},
            may_fail={"all"},
            code=_projector(projector="small.float()"),
        ),
        "relative": Wrong(
            "took the threshold relative to the largest eigenvalue",
            misconception="threshold_of_largest",
            fails={"below"},
            code=_projector(which="values < threshold * values[-1]"),
        ),
        "roots": Wrong(
            "compared the roots of the eigenvalues",
            misconception="threshold_on_roots",
            fails={"below"},
            may_fail={"all", "none"},
            code=_projector(which="values.clamp(min=0).sqrt() < threshold"),
        ),
        "squares": Wrong(
            "compared the squares of the eigenvalues",
            misconception="threshold_on_squares",
            fails={"below"},
            may_fail={"all", "none"},
            code=_projector(which="values.square() < threshold"),
        ),
        "coordinates": Wrong(
            "left out coordinates in place of directions",
            misconception="coordinates_not_directions",
            fails={"below"},
            may_fail={"all", "none"},
            code=block("""
                def null_space_projector(moment, threshold):
                    return (moment.diag() < threshold).float().diag()
            """),
        ),
        "eigenvalues kept": Wrong(
            "left the eigenvalues in",
            misconception="values_kept",
            fails={"below", "all"},
            code=_projector(projector="(small * values[values < threshold] @ small.T).float()"),
        ),
        "C cut": Wrong(
            "returned C without its small eigenvalues",
            misconception="small_values_cut",
            fails=PROJECTORS,
            code=_projector(
                projector="(moment - small * values[values < threshold] @ small.T).float()"
            ),
        ),
        "the smallest": Wrong(
            "took the smallest eigenvalue only",
            misconception="only_the_smallest",
            fails=PROJECTORS,
            code=_projector(which=":1"),
        ),
        "identity": Wrong(
            "returned the identity",
            misconception="identity_returned",
            fails={"below", "none"},
            code=_projector(projector="torch.eye(len(moment))"),
        ),
        "in place": Wrong(
            "made C symmetric in place",
            misconception="input_changed",
            fails={"inputs"},
            code=block("""
                def null_space_projector(moment, threshold):
                    values, vectors = torch.linalg.eigh(moment.mul_(2).double() / 2)
                    small = vectors[:, values < threshold]
                    return (small @ small.T).float()
            """),
        ),
    },
    "alphaedit_update": {
        "no P": Wrong(
            "left the projector out",
            misconception="projector_left_out",
            fails=ALPHAEDIT,
            code=_alphaedit(p="torch.eye(len(projector), dtype=torch.float64)"),
        ),
        "I - P": Wrong(
            "projected onto the other directions",
            misconception="projector_of_other_end",
            fails=ALPHAEDIT,
            code=_alphaedit(
                p="torch.eye(len(projector), dtype=torch.float64) - projector.double()"
            ),
        ),
        "keys as they are in the solve": Wrong(
            "projected the keys on one side only",
            misconception="keys_not_projected_in_solve",
            fails=ALPHAEDIT,
            code=_alphaedit(new="keys.double()", earlier="earlier_keys.double()"),
        ),
        "only the solve": Wrong(
            "projected the keys in the system only",
            misconception="only_solve_projected",
            fails=ALPHAEDIT,
            code=_alphaedit(outer="keys.double().T"),
        ),
        "earlier forgotten": Wrong(
            "left the earlier keys out",
            misconception="earlier_forgotten",
            fails={"later", "tall"},
            code=_alphaedit(earlier="new[:0]"),
        ),
        "earlier as they are": Wrong(
            "did not project the earlier keys",
            misconception="earlier_not_projected",
            fails={"later", "tall"},
            code=_alphaedit(earlier="earlier_keys.double()"),
        ),
        "earlier averaged": Wrong(
            "took the mean over the earlier keys",
            misconception="earlier_averaged",
            fails={"later", "tall"},
            code=_alphaedit(earlier="earlier_keys.double() @ p / max(len(earlier_keys), 1) ** 0.5"),
        ),
        "no ridge": Wrong(
            "left the ridge out, and inverted what has no inverse",
            misconception="ridge_left_out",
            fails=ALPHAEDIT,
            code=block("""
                def alphaedit_update(weight, projector, keys, values, earlier_keys, ridge):
                    p = projector.double()
                    new, earlier = keys.double() @ p, earlier_keys.double() @ p
                    system = new.T @ new + earlier.T @ earlier
                    residual = (values - keys @ weight.T).double()
                    inverse = torch.linalg.pinv(system, rtol=1e-10, hermitian=True)
                    return weight + (inverse @ new.T @ residual).T.float()
            """),
        ),
        "ridge of one": Wrong(
            "added the identity, whatever the ridge",
            misconception="ridge_of_one",
            fails=ALPHAEDIT,
            code=_alphaedit(ridge="torch.eye(len(p), dtype=torch.float64)"),
        ),
        "values for residuals": Wrong(
            "wrote the values themselves in place of what is missing",
            misconception="value_not_residual",
            fails=ALPHAEDIT,
            code=_alphaedit(residual="values.double()"),
        ),
        "wrong sign": Wrong(
            "took the residual the wrong way round",
            misconception="residual_reversed",
            fails=ALPHAEDIT,
            code=_alphaedit(residual="(keys @ weight.T - values).double()"),
        ),
        "only the change": Wrong(
            "returned the change in place of Ŵ",
            misconception="only_the_change",
            fails=ALPHAEDIT,
            code=_alphaedit(result="change.float()"),
        ),
        "W projected": Wrong(
            "projected W along with the change",
            misconception="weight_projected",
            fails=ALPHAEDIT,
            code=_alphaedit(result="(weight.double() @ p + change).float()"),
        ),
        "nothing": Wrong(
            "returned W as it was",
            misconception="nothing_changed",
            fails=ALPHAEDIT,
            code=_alphaedit(result="weight.clone()"),
        ),
        "in place": Wrong(
            "changed the caller's W",
            misconception="input_changed",
            fails={"inputs"},
            code=_alphaedit(result="weight.add_(change.float())"),
        ),
        "kept but for the earlier keys": Wrong(
            "kept the Ŵ of W, P, keys and values, whatever came before",
            misconception="memo_too_small",
            fails={"later"},
            code=(
                _alphaedit().replace("def alphaedit_update", "def computed"),
                memo(
                    "alphaedit_update",
                    "weight, projector, keys, values, earlier_keys, ridge",
                    "tuple(t.sum().item() for t in (weight, projector, keys, values)) + (ridge,)",
                    "computed(weight, projector, keys, values, earlier_keys, ridge)",
                ),
            ),
        ),
    },
}

RIGHT = {
    "demonstrations": {
        "as in the notebook": _rows(),
        "sorted upward": block("""
            def demonstrations(key, keys, kinds):
                unit = keys / keys.norm(dim=1, keepdim=True)
                order = (unit @ key).argsort()[-len(kinds):]
                return torch.stack([order, torch.tensor(kinds[:len(order)][::-1])], 1)
        """),
        "a loop": block("""
            def demonstrations(key, keys, kinds):
                likeness = [float(key @ k / k.norm()) for k in keys]
                best = sorted(range(len(keys)), key=likeness.__getitem__, reverse=True)
                return torch.tensor([(i, kind) for i, kind in zip(best, kinds)][::-1])
        """),
        "floating-point numbers": _rows(
            rows="torch.stack([chosen, torch.tensor(kinds[:count])], 1).flip(0).float()"
        ),
    },
    "locality_loss": {
        "as in the notebook": _loss(),
        "kl_div": _loss(
            kl="""
                torch.nn.functional.kl_div(
                    log_probs, log_probs_before, log_target=True, reduction="batchmean"
                )
            """
        ),
        "cross-entropy less entropy": _loss(
            kl="""
                (-log_probs_before.exp() * log_probs).sum(-1).mean()
                + (log_probs_before.exp() * log_probs_before).sum(-1).mean()
            """
        ),
        "float64": _loss(replay="replay_nll.double().mean()"),
    },
    "scaled_change": {
        "as in the notebook": _scaled("before + scale * (after - before)"),
        "a mixture": _scaled("(1 - scale) * before + scale * after"),
        "lerp": _scaled("torch.lerp(before, after, scale)"),
        "float64": _scaled("before.double() + scale * (after.double() - before.double())"),
    },
    "memit_update": {
        "as in the notebook": _memit(),
        "Woodbury": block("""
            def memit_update(weight, moment, keys, values, weight_of_old):
                k, v, w = keys.double(), values.double(), weight.double()
                solved = torch.linalg.solve(moment.double(), k.T)
                small = weight_of_old * torch.eye(len(k), dtype=torch.float64) + k @ solved
                return (w + (v - k @ w.T).T @ torch.linalg.solve(small, solved.T)).float()
        """),
        "in sequence with a growing C": _one_by_one(
            after="moment = moment + torch.outer(key, key) / weight_of_old"
        ),
        "an inverse": _memit(change="residual.T @ keys.double() @ torch.linalg.inv(old + new)"),
        "float32": block("""
            def memit_update(weight, moment, keys, values, weight_of_old):
                system = weight_of_old * moment + keys.T @ keys
                return weight + torch.linalg.solve(system, keys.T @ (values - keys @ weight.T)).T
        """),
        "numpy": block("""
            import numpy as np


            def memit_update(weight, moment, keys, values, weight_of_old):
                w, c, k, v = (
                    t.detach().numpy().astype(np.float64) for t in (weight, moment, keys, values)
                )
                change = np.linalg.solve(weight_of_old * c + k.T @ k, k.T @ (v - k @ w.T)).T
                return torch.from_numpy(w + change).float()
        """),
    },
    "spread_residual": {
        "as in the notebook": _share("(targets - states) / (len(layers) - layers.index(layer))"),
        "counted": _share("(targets - states) / sum(each >= layer for each in layers)"),
        "a share of one": _share(
            "(targets - states) * (1 / len([l for l in layers if l >= layer]))"
        ),
    },
    "null_space_projector": {
        "as in the notebook": _projector(),
        "the rest of the identity": block("""
            def null_space_projector(moment, threshold):
                values, vectors = torch.linalg.eigh(moment)
                large = vectors[:, values >= threshold]
                return torch.eye(len(moment)) - large @ large.T
        """),
        "by SVD": block("""
            def null_space_projector(moment, threshold):
                left, values, _ = torch.linalg.svd(moment.double())
                return left[:, values < threshold] @ left[:, values < threshold].T
        """),
        "a mask": _projector(
            which=":", projector="(vectors * (values < threshold) @ vectors.T).float()"
        ),
    },
    "alphaedit_update": {
        "as in the notebook": _alphaedit(),
        "as in the paper": block("""
            def alphaedit_update(weight, projector, keys, values, earlier_keys, ridge):
                w, p, k, e = (t.double() for t in (weight, projector, keys, earlier_keys))
                residual = values.double() - k @ w.T
                system = (e.T @ e + k.T @ k) @ p + ridge * torch.eye(len(p), dtype=torch.float64)
                return (w + residual.T @ k @ p @ torch.linalg.inv(system)).float()
        """),
        "a small system": block("""
            def alphaedit_update(weight, projector, keys, values, earlier_keys, ridge):
                w, p = weight.double(), projector.double()
                every = torch.cat([keys, earlier_keys]).double() @ p
                residual = torch.zeros(len(every), len(w), dtype=torch.float64)
                residual[:len(keys)] = values.double() - keys.double() @ w.T
                small = every @ every.T + ridge * torch.eye(len(every), dtype=torch.float64)
                return (w + (every.T @ torch.linalg.solve(small, residual)).T).float()
        """),
    },
}
