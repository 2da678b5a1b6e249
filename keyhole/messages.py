"""Every sentence that a student may read about an answer, in one place, so that another language can stand beside it.

`MISCONCEPTIONS` says what was probably misunderstood; `FEEDBACK` is the rest. The public checks and the hidden tests use
the same words.
"""

MISCONCEPTIONS = {
    # subject_key
    "first_subject_token": "This is the key at the subject's first token; the model has read the whole name only at its last.",
    "last_prompt_token": "This is the key at the last token of the prompt; k* is the key at the last token of the subject.",
    "bare_prompt_only": "This is the key in the bare prompt alone; k* is the mean over all the prefixes, the bare prompt being one of them.",
    "first_prefix_only": "This is the key behind the first prefix alone: is there a `return` inside your loop?",
    "last_prefix_only": "This is the key behind the last prefix alone: does your loop overwrite the keys it found before?",
    "sum_of_keys": "This is the sum of the keys over the prefixes; k* is their mean.",
    "place_in_bare_prompt": "The subject was looked up in the bare prompt; a prefix moves it to the right, so look it up in prefix + prompt.",
    "first_occurrence": "This is the key at the first place where the subject's words stand, inside a prefix; the subject of the prompt comes last.",
    "layer_below": "This is the key of the layer below: layers are counted from 0.",
    "layer_above": "This is the key of the layer above: layers are counted from 0.",
    "one_token_before": "This is the key one token before the subject's last one: the end of a slice is the first position *after* it.",
    "one_token_after": "This is the key one token after the subject's last one: the end of a slice is the first position *after* it.",
    # second_moment
    "moment_centred": "The mean key was subtracted: this is the covariance. C is not centred, since a memory sees the keys as they are.",
    "moment_of_rows": "This is K Kᵀ with the keys as rows, one number for each pair of *keys*; C has one for each pair of *dimensions*.",
    "moment_diagonal": "Only the diagonal of C is there; how dimensions go together is what C knows.",
    "moment_of_mean": "This is the outer product of the mean key with itself; C is the mean of the outer products.",
    "moment_inverted": "This is the inverse of C; `second_moment` gives C itself, and the solving comes later.",
    # value_objective
    "sum_over_tokens": "The target's log probabilities were added up; the negative log-likelihood is their mean, so that long targets are not worse.",
    "nll_missing_minus": "The sign of the target's term is wrong: a probable target must give a small loss.",
    "probability_before_log": "The probabilities were averaged before the logarithm; the mean is taken over log probabilities.",
    "kl_reversed": "The divergence runs the wrong way round: it is KL(now ‖ before), weighted by the probabilities *now*.",
    "kl_missing": "The KL term is missing: nothing keeps what the model says of the subject in general.",
    "kl_not_weighted": "The KL term is not multiplied by `kl_weight`.",
    "kl_mean": "The KL term was divided by the size of the vocabulary; a divergence is a sum over it.",
    "decay_missing": "The decay term is missing: nothing keeps delta small.",
    "decay_not_weighted": "The decay term is not multiplied by `decay`.",
    "decay_of_square": "The decay has |delta|² on top; it is |delta| / |v0|².",
    "decay_by_length": "The decay was divided by |v0|; it is |delta| / |v0|².",
    "decay_undivided": "The decay was not divided by |v0|²; it is |delta| / |v0|².",
    # rank_one_update
    "moment_omitted": "Your Ŵ equals W + Λ k*ᵀ: the C⁻¹ is missing. Ŵ k* = v* holds all the same, but the other keys are moved more than they need.",
    "moment_not_inverted": "Your Ŵ uses C k* where C⁻¹ k* belongs.",
    "moment_twice": "Your Ŵ uses C⁻¹ C⁻¹ k*: the inverse was applied twice.",
    "moment_diagonal_used": "Your Ŵ uses only the diagonal of C; dimensions that go together must be undone together.",
    "division_missing": "Ŵ k* misses v*: the division by λ = (C⁻¹ k*)ᵀ k* is missing.",
    "divided_by_key_square": "You divided by k*ᵀ k*; λ is (C⁻¹ k*)ᵀ k*.",
    "value_not_residual": "You wrote v* itself into W; what has to be added is what is missing, v* − W k*.",
    "residual_reversed": "Your change has the wrong sign: the residual is v* − W k*, not W k* − v*.",
    "only_the_change": "You returned the change Ŵ − W; asked for is Ŵ itself.",
    "change_transposed": "The outer product is the wrong way round: rows of W belong to the value, columns to the key.",
    "nothing_changed": "Your Ŵ equals W: nothing was changed.",
    "update_doubled": "Your change is twice the right one: was W changed in place, or the update added twice?",
    # write_edit
    "transpose_missing": "A Conv1D stores W the other way round, as (d_in, d_out): Ŵ has to be transposed before it is written there.",
    "transpose_added": "A Linear stores W as (d_out, d_in), just as Ŵ is given: no transpose here.",
    "nothing_written": "The module's weight is what it was: the new weight never reached it. Write into `module.weight`, for example with `copy_`.",
    "added_not_written": "The new weight was added to the old one; it takes its place.",
    "parameter_replaced": "The module holds another Parameter now; write into the one that it has, so that whatever shares it sees the edit.",
    "bias_changed": "The bias was changed too; an edit of W leaves it alone.",
    # any function
    "graph_cut": "The result does not depend on {what} any more, so no gradient reaches it: keep tensors, without .item(), .detach() or numpy.",
    "input_changed": "Your function changed its argument `{what}` in place; work on a copy, since the caller goes on using it.",
    "hooks_left": "Hooks were left on the model: use `with record(...)`, which removes them.",
    "model_changed": "The model's weights were changed by looking at it.",
}

FEEDBACK = {
    "right": "Right: {what} agrees with the reference.",
    "wrong": "{what} is off by {distance} of its size.",
    "wrong_change": "The change Ŵ − W is off by {distance} of its size.",
    "shape": "{what} has shape {got}; expected is {expected}.",
    "shape_transposed": "It is the right shape transposed.",
    "not_finite": "{what} holds {count} values that are NaN or infinite.",
    "half": "{what} has dtype {got}, which keeps three digits; stay in float32 or float64.",
    "integer": "{what} holds whole numbers (dtype {got}); expected are floating-point numbers.",
    "misses_value": "Ŵ k* misses v* by {distance}.",
    "constraint_only": "Ŵ k* = v* holds, but the other keys are moved {excess} more than the smallest change would.",
    "not_rank_one": "Ŵ − W is not of rank one: its second singular value is {ratio} of the first.",
    "rank_one": "Right: Ŵ − W has rank one.",
    "untouched_inputs": "Right: the arguments are as they were.",
    "clean": "Right: no hook was left, and the weights are as they were.",
    "gradient": "The derivative with respect to {what} is off by {distance} of its size.",
    "gradient_right": "Right: the gradient reaches delta as it should.",
    "references": "{right} of {all} edits agree with the reference matrices.",
    "metric": "{what}: {got} with your Ŵ; the facts' {probes} probes were run again.",
    "metric_reached": "That is what it should reach.",
    "metric_below": "The reference reaches more.",
    "metric_missing": "{what} could not be measured: no Ŵ of yours could be used.",
    "blank": "`{function}` is still a blank: replace `raise NotImplementedError()` by your own lines.",
    "raised": "`{function}` raised {error}.",
    "no_check": "There is no check called {function!r}; there are checks of {known}.",
    "none": "`{function}` returned None: is there a `return`?",
    "not_a_tensor": "`{function}` returned {got}; expected is a tensor.",
    "complex": "`{function}` returned complex numbers; expected are real ones.",
    # the public checks
    "count": "{right} of {all} public checks passed",
    "raised_at": "`{function}` raised {error}, in the line `{line}`.",
    "the_same": "the same.",
    "absent": "The notebook has no function `{function}`; keep its name and its arguments as they were released.",
    "timeout": "`{function}` was stopped after {seconds:g} s: is there a loop that never ends?",
    "ended": "`{function}` ended the process that ran it: is there an exit(), or was the memory used up?",
    "undefined": "`{function}` is not there: its definition did not run ({error}).",
    "only_defines": "`{variable}` is set by a line that calls something; the grader keeps definitions only and does not run that line.",
    "passed_all": "All {all} functions pass their public checks.",
    "passed_some": "{right} of {all} functions pass their public checks.",
}

# The public checks by name, in words: "<graded function>.<case>".
CHECKS = {
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
}


def misconception(name, **details):
    """The sentence for a misconception."""
    return MISCONCEPTIONS[name].format(**details)


def feedback(name, **details):
    """One of the other sentences, filled in."""
    return FEEDBACK[name].format(**details)


def percent(share):
    """A share as a person would say it: '31 %', '0.02 %', '12 times'."""
    if share >= 10:
        return f"{share:,.0f} times"
    return f"{100 * share:.2g} %" if share < 0.1 else f"{100 * share:.0f} %"
