"""Hints in English, one for each blank: three steps, from the idea to what one line must do.

An entry holds the idea, the shapes and calls to use, and what stands in each gap of the skeleton
(keyhole/checking/hints.py). It gives away no line that a gap leaves out.
"""

HINTS = {
    # 1_measure
    "sequence_nll": (
        "A probability is read off the softmax of the logits. Row i predicts target token i, so of "
        "each row exactly one entry counts: that of its own token.",
        "`logits.log_softmax(dim=-1)` gives log probabilities `(T, V)`, and no exponential can "
        "overflow. Pick one entry a row, by indexing with `torch.arange(T)` and `target_ids` "
        "together, or with `gather`. Then take minus the mean over the T tokens.",
        "(T,): of row i the entry of target token i",
    ),
    "efficacy": (
        "Ask each probe a yes-or-no question: is the new answer more probable than the true one? "
        "A more probable answer has a smaller NLL, and a tie is a no.",
        "A comparison of two tensors `(N,)` gives N truth values. `mean()` does not take truth "
        "values: make them numbers with `.float()` first.",
        "(N,) truth values: does the new answer win this probe?",
    ),
    "neighborhood": (
        "As `efficacy`, but now the true answer should be ahead. A tie is a failure here too, so "
        "it is not `1 - efficacy`.",
        "Compare `nll_true` with `nll_new`, probe by probe, and strictly. Then `.float()` and "
        "`.mean()`.",
        "(N,) truth values: has this neighbor kept its answer?",
    ),
    "edit_score": (
        "The harmonic mean is the number of shares, divided by the sum of their reciprocals. A "
        "share of 0 has no reciprocal, and then the score is 0 anyway.",
        "The shares are plain numbers, and may be Python's: use `min`, `sum` and `/`, and no "
        "method of tensors. Return early where one of them is exactly 0.",
        "3, divided by the sum of the three reciprocals",
    ),
    # 2_locate
    "corrupt": (
        "Make n copies of the same embeddings. Then add to each copy its own noise, at the "
        "subject's tokens only.",
        "`embeddings.repeat(n, 1, 1)` is a new tensor `(n, T, d)`; `expand` would share memory. "
        "`corrupted[:, subject]` has shape `(n, |subject|, d)`, the same as `noise`.",
        "add the noise at the subject's tokens of every sample",
    ),
    "restore": (
        "Copy the states of all samples, and overwrite one token's state by the clean one. The "
        "clean run has no samples: all of them get the same state.",
        "`hidden.clone()` is a new tensor `(n, T, d)`. `restored[:, position]` is `(n, d)`, and "
        "`clean[position]` is `(d,)`: torch copies it to every sample.",
        "in every sample the token at `position` gets its clean state",
    ),
    "indirect_effect": (
        "How much did the restored state bring? Subtract the probability without it from the "
        "probability with it; a negative effect stays negative.",
        "Both arguments are `(n,)`, a number for each sample. Use `.mean()`, and take no absolute "
        "value.",
        "the mean with the state restored, minus the mean without",
    ),
    "trace": (
        "Run clean once, and keep what each layer gives out. Then run corrupted once for each "
        "cell, with hooks that put clean outputs back at one token, and read the probability of "
        "the clean answer.",
        "`model.block(layer)`, `model.mlp(layer)` and `model.attention(layer)` are the parts, and "
        "`model.n_layers` is their number. After `record(part) as seen`, `seen.output[0]` is "
        "`(T, d)`. Give each hook its layer with `functools.partial`: a `lambda` in a loop would "
        "see the last layer only.",
        "begin and end of the window, cut at 0 and n_layers",
        "a hook on part(each): its clean output back at `position`",
    ),
    # 3_edit
    "subject_key": (
        "The key is what goes into W at the subject's last token. Each prefix moves the subject to "
        "the right, so find that token in every text anew, and average the keys.",
        "`record(model.memory(layer), stop=True) as seen` keeps the input, `seen.input[0]`, of "
        "shape `(T, d_in)`. `model.subject_slice(text, subject)` is a slice, whose `stop` is one "
        "too far. `torch.stack` makes `(N, d_in)` of the keys.",
        "the number of the subject's last token in `text`",
    ),
    "second_moment": (
        "C is a sum of outer products k kᵀ, one for each key. With keys as rows that is a single "
        "matrix product. Subtract no mean.",
        "`keys` is `(N, d_in)` and C is `(d_in, d_in)`: so the N must be what is summed over. "
        "`.T` and `@` are all you need.",
        "(d_in, d_in): the sum of k kᵀ over all keys",
    ),
    "value_objective": (
        "Three terms: say the target, keep what comes after the subject, stay small. The "
        "divergence weighs by what the model says now.",
        "All log probabilities are ready: no further softmax. KL(now ‖ before) is a sum over the "
        "vocabulary `(V,)` of p · (log p − log q). `delta.norm()` is |δ|. Stay in torch, so that "
        "gradients flow.",
        "KL(now ‖ before), from the two log distributions",
    ),
    "rank_one_update": (
        "The change is a column times a row. The column is what is still missing at k*; the row "
        "is C⁻¹k*, which listens to k*. One number makes the constraint exact.",
        "`torch.linalg.solve(A, b)` gives A⁻¹b. `torch.outer(column, row)` is `(d_out, d_in)`. "
        "Compute in `.double()`, and give the change the dtype of W at the end.",
        "(d_in,), in float64: C⁻¹k*",
    ),
    "write_edit": (
        "Ask the module's type how it stores W, never the shape. Then copy the numbers into the "
        "weight that is already there.",
        "`isinstance(module, torch.nn.Linear)` tells the two apart; a Conv1D stores the "
        "transpose. `module.weight.copy_(...)` under `torch.no_grad()` writes in place.",
        "Ŵ as this type of module stores it",
    ),
    "my_record": (
        "Choose a fact that the model knows, about a subject in the middle of its prompt. Ask "
        "`top_answers` before you decide.",
        'Targets begin with a space: `" Rome"`. Each paraphrase holds the subject, and neighbors '
        "are about other subjects with their own true answers.",
        "a sentence up to the answer, with a word or more before the subject",
    ),
    # 4_scale
    "demonstrations": (
        "Rank the examples by how alike their keys are to the new one. The kinds go to the most "
        "alike first; the text has them in the reverse order, so that the most alike stands last.",
        "`torch.cosine_similarity(keys, key[None])` is `(N,)`. `argsort(descending=True)` gives "
        "numbers of examples. `torch.stack([...], dim=1)` makes rows, and `.flip(0)` turns their "
        "order round.",
        "(count,): the most alike examples, the most alike one first",
    ),
    "locality_loss": (
        "Three terms: learn the target, keep what the model says to other prompts, keep its own "
        "texts. The divergence weighs by what the model said before.",
        "KL(before ‖ now) is a sum over the vocabulary, the last dimension of `(N, V)`, of "
        "p_before · (log p_before − log p_now). Then take the mean over the N prompts.",
        "KL(before ‖ now) of each prompt, then their mean",
    ),
    "scaled_change": (
        "Training moved the weight from `before` to `after`. Go only `scale` of that way, from "
        "`before` on.",
        "All tensors have one shape. The result must be a new tensor also for a scale of 0 or 1.",
        "what training did to the weight",
    ),
    "memit_update": (
        "As ROME, but for many keys at once, and old keys are weighed against new ones: the "
        "system holds λC for the old and K Kᵀ for the new.",
        "Facts are rows: K Kᵀ of the formula is `keys.T @ keys`, `(d_in, d_in)`, and R Kᵀ is "
        "`residual.T @ keys`. `torch.linalg.solve(system, keys.T @ residual)` is the change's "
        "transpose, because the system is symmetric.",
        "(d_in, d_in): λC plus the new keys' part",
    ),
    "spread_residual": (
        "What is missing now is shared equally among the layers that are still to come, this one "
        "among them. The last layer takes all of it.",
        "`layers.index(layer)` says how many layers are already done. Numbers of layers may have "
        "gaps, so do not subtract one from another.",
        "how many layers are still to come, this one among them",
    ),
    "null_space_projector": (
        "Eigenvectors of C with small eigenvalues are the directions that old keys hardly use. "
        "With them as columns of U, the projector is U Uᵀ.",
        "`values, vectors = torch.linalg.eigh(...)`: `values` is `(d_in,)`, and the eigenvectors "
        "are the columns of `vectors`. A truth value for each column picks columns: "
        "`vectors[:, chosen]`.",
        "(d_in, directions): columns whose eigenvalue is below the threshold",
    ),
    "alphaedit_update": (
        "As MEMIT, with projected keys in the system. The residual, though, is what is missing "
        "for the keys as they are.",
        "Rows again: `keys @ projector` projects them, for P is symmetric. The system is "
        "`(d_in, d_in)`, with ρ on its diagonal: `torch.eye(d_in, dtype=torch.float64)`. An "
        "`earlier_keys` of no rows adds zero by itself.",
        "(d_in, d_in): the new keys' part, the earlier keys' part, and ρI",
    ),
    # 5_learn_to_edit
    "editor_loss": (
        "Two terms: the wanted tokens are said, and the other prompts keep their answers. Take "
        "one mean over all wanted tokens, whatever text they stand in.",
        "`torch.nn.functional.nll_loss` takes log probabilities `(tokens, V)` and ids `(tokens,)`, "
        "and leaves out −100 by itself. `flatten(0, 1)` joins texts and tokens.",
        "the mean NLL over all wanted tokens, without those marked −100",
    ),
    "editor_parameters": (
        "Count the numbers of each map. A linear map from a numbers to b numbers has a · b of "
        "them.",
        "The gradient of one matrix has `d_out * d_in` numbers, and so has the change. MEND maps "
        "`d_in + d_out` numbers down to `rank`, and up again: two matrices, without biases.",
        "from every number of the gradient to every number of the change",
        "down and up again: two matrices",
    ),
    "rate_update": (
        "A step against the gradient, each number times its rate. A rate for each row must meet "
        "its row, and not a column.",
        "torch lines up the last dimensions: `(d_out,)` would meet the columns. Make it a "
        "column, `(d_out, 1)`, first. A step makes the loss smaller, so mind the sign.",
        "(d_out, 1): a rate for each row",
    ),
    "gradient_from_factors": (
        "Each token of each text gives one outer product δ uᵀ. A sum of outer products is one "
        "matrix product.",
        "`flatten(0, 1)` joins texts and tokens: `(N·T, d_in)` and `(N·T, d_out)`. The result is "
        "`(d_out, d_in)`, so what is summed over is N·T. `einsum` will do, too.",
        "(d_out, d_in): the sum of δ uᵀ over all rows",
    ),
    "transform_factors": (
        "Put u and δ side by side, bring every number to one size, and add what the small network "
        "makes of it to what came in.",
        "`torch.cat([...], dim=1)` is `(T, d_in + d_out)`. Tokens are rows, so D ẑ of the formula "
        "is `normed @ down.T`, of shape `(T, rank)`.",
        "ẑ + U relu(D ẑ), for all rows at once",
    ),
    "low_rank_output": (
        "Multiply in another order: first compare the keys with u, which gives T numbers a key, "
        "then add up the δ in these amounts. So no matrix `(d_out, d_in)` is needed.",
        "`inputs` is `(T, d_in)`, and `keys` `(..., d_in)`: with `@` and `.T` they make "
        "`(..., T)`. That times `output_grads` `(T, d_out)` is `(..., d_out)`.",
        "(..., T): how much each key has of each u",
    ),
}
