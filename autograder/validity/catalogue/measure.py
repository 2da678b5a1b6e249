"""Solutions of 1_measure.ipynb."""

from functools import partial

from autograder.validity.solution import ALL, Wrong, block, filled
from keyhole.checking.cases import load_cases

# A dict that a function keeps its results in, by a part of its arguments.
MEMO = block("""
    SEEN = {}


    def $function($arguments):
        known = $key
        if known not in SEEN:
            SEEN[known] = $result
        return SEEN[known]
    """)

# Targets of several tokens.
LONG = {"tokens", "repeated", "large", "improbable", "gradient", "real"}
LIKELIHOODS = LONG | {"one_token"}
SHARES = {"mixed", "ties", "close"}

NLL = block("""
    def sequence_nll(logits, target_ids):
        log_probs = logits.log_softmax(-1)
        rows = torch.arange(len(target_ids))
        return $nll
    """)

SHARE = block("""
    def $function(nll_true, nll_new):
        return $share
    """)

SCORE = block("""
    def edit_score(efficacy, paraphrase, neighborhood):
        parts = [efficacy, paraphrase, neighborhood]
        return $score
    """)
HARMONIC = "0.0 if min(parts) == 0 else {}"


def _nll(nll: str) -> str:
    return filled(NLL, nll=nll)


def _share(function: str, share: str) -> str:
    return filled(SHARE, function=function, share=share)


_efficacy, _neighborhood = partial(_share, "efficacy"), partial(_share, "neighborhood")


def _score(score: str) -> str:
    return filled(SCORE, score=score)


def memo(function: str, arguments: str, key: str, result: str) -> str:
    """The code of a function that keeps its results by `key`, a part of its arguments."""
    return filled(MEMO, function=function, arguments=arguments, key=key, result=result)


def public_answer(function: str, case: str) -> float:
    """The number that a public check expects."""
    [stored] = [each.stored for each in load_cases()[function] if each.id == case]
    return stored["right"].item()


WRONG = {
    "sequence_nll": {
        "sum": Wrong(
            "took the sum over the target's tokens for the mean",
            misconception="nll_summed",
            fails=LONG,
            code=_nll("-log_probs[rows, target_ids].sum()"),
        ),
        "threads": Wrong(
            "starts threads, which the grader's process cannot",
            misconception="no_processes",
            fails=ALL,
            code=block("""
                def sequence_nll(logits, target_ids):
                    raise RuntimeError("can't start new thread")  # as the sandbox answers
            """),
        ),
        "no minus": Wrong(
            "left the minus out: gave the log-likelihood",
            misconception="likelihood_not_negated",
            fails=LIKELIHOODS,
            code=_nll("log_probs[rows, target_ids].mean()"),
        ),
        "mean before log": Wrong(
            "averaged the probabilities before taking the logarithm",
            misconception="nll_of_mean_probability",
            fails=LONG,
            code=_nll("-log_probs[rows, target_ids].exp().mean().log()"),
        ),
        "probability of the whole": Wrong(
            "gave the probability of the whole target",
            misconception="nll_of_product",
            fails=LIKELIHOODS,
            code=_nll("log_probs[rows, target_ids].sum().exp()"),
        ),
        "a probability again": Wrong(
            "took the exponential of the mean, so that a probability came out",
            misconception="nll_as_probability",
            fails=LIKELIHOODS,
            code=_nll("log_probs[rows, target_ids].mean().exp()"),
        ),
        "perplexity": Wrong(
            "gave the perplexity in place of the NLL",
            misconception="nll_as_perplexity",
            fails=LIKELIHOODS,
            code=_nll("(-log_probs[rows, target_ids].mean()).exp()"),
        ),
        "bits": Wrong(
            "took the logarithm to base 2",
            misconception="nll_in_bits",
            fails=LIKELIHOODS,
            code=_nll("-(log_probs[rows, target_ids] / torch.tensor(2.0).log()).mean()"),
        ),
        "no softmax": Wrong(
            "took logits for log probabilities",
            misconception="softmax_missing",
            fails=LIKELIHOODS,
            code=_nll("-logits[rows, target_ids].mean()"),
        ),
        "cross entropy of probabilities": Wrong(
            "gave cross_entropy probabilities, where it expects logits",
            misconception="softmax_twice",
            fails=LIKELIHOODS,
            code=_nll("torch.nn.functional.cross_entropy(logits.softmax(-1), target_ids)"),
        ),
        "no logarithm": Wrong(
            "gave nll_loss probabilities, where it expects log probabilities",
            misconception="logarithm_missing",
            fails=LIKELIHOODS,
            code=_nll("torch.nn.functional.nll_loss(logits.softmax(-1), target_ids)"),
        ),
        "softmax over tokens": Wrong(
            "took the softmax over the target's positions, not over the vocabulary",
            misconception="softmax_over_tokens",
            fails=LIKELIHOODS,
            code=_nll("-logits.log_softmax(0)[rows, target_ids].mean()"),
        ),
        "first token only": Wrong(
            "took the first token for the whole target",
            misconception="nll_of_first_token",
            fails=LONG,
            code=_nll("-log_probs[0, target_ids[0]]"),
        ),
        "last token only": Wrong(
            "took the last token for the whole target",
            misconception="nll_of_last_token",
            fails=LONG,
            code=_nll("-log_probs[-1, target_ids[-1]]"),
        ),
        "all pairs": Wrong(
            "read every row at every target token",
            misconception="nll_all_pairs",
            fails=LONG,
            code=_nll("-log_probs[:, target_ids].mean()"),
        ),
        "the best token": Wrong(
            "took the most probable token for that of the target",
            misconception="nll_of_best_token",
            fails=LIKELIHOODS,
            code=_nll("-log_probs.max(-1).values.mean()"),
        ),
        "one-hot, mean over all": Wrong(
            "divided by the size of the vocabulary as well",
            misconception="nll_over_vocabulary",
            fails=LIKELIHOODS,
            code=_nll("""
                -(log_probs * torch.nn.functional.one_hot(target_ids, logits.shape[1])).mean()
            """),
        ),
        "the vocabulary for the tokens": Wrong(
            "divided by the size of the vocabulary, not by the number of tokens",
            misconception="nll_over_vocabulary",
            fails=LIKELIHOODS,
            code=_nll("-log_probs[rows, target_ids].sum() / logits.shape[1]"),
        ),
        "one a token": Wrong(
            "forgot to average over the tokens",
            misconception="nll_per_token",
            fails=LONG | {"inputs"},
            code=_nll("-log_probs[rows, target_ids]"),
        ),
        "a start token that is none": Wrong(
            "skipped the first target token as if it were a start token",
            misconception="first_token_skipped",
            fails=LIKELIHOODS,
            code=_nll("-log_probs[rows, target_ids][1:].mean()"),
        ),
        "shifted, one row late": Wrong(
            "shifted the logits by one, though row i already predicts token i",
            misconception="row_too_late",
            fails=LIKELIHOODS,
            code=_nll("torch.nn.functional.cross_entropy(logits[1:], target_ids[:-1])"),
        ),
        "shifted, one row early": Wrong(
            "shifted the target by one, though row i already predicts token i",
            misconception="row_too_early",
            fails=LIKELIHOODS,
            code=_nll("torch.nn.functional.cross_entropy(logits[:-1], target_ids[1:])"),
        ),
        "exponentials": Wrong(
            "wrote the softmax with bare exponentials, which overflow",
            misconception="exponential_overflows",
            fails={"large"},
            code=_nll("""
                -(logits.exp() / logits.exp().sum(-1, keepdim=True))[rows, target_ids].log().mean()
            """),
        ),
        "epsilon": Wrong(
            "added an epsilon inside the logarithm",
            misconception="epsilon_in_log",
            fails={"improbable"},
            code=_nll("-(logits.softmax(-1)[rows, target_ids] + 1e-9).log().mean()"),
        ),
        "0 for padding": Wrong(
            "took token id 0 for padding",
            misconception="token_taken_for_padding",
            fails={"tokens"},
            code=_nll("torch.nn.functional.cross_entropy(logits, target_ids, ignore_index=0)"),
        ),
        "0 masked": Wrong(
            "multiplied by a mask of the ids above 0, and divided by the number of all tokens",
            misconception="token_taken_for_padding",
            fails={"tokens"},
            code=_nll("-(log_probs[rows, target_ids] * (target_ids > 0)).sum() / len(target_ids)"),
        ),
        "an end of text that is none": Wrong(
            "took the vocabulary's last id for the end of the text",
            misconception="token_taken_for_padding",
            fails={"tokens"},
            code=_nll("-log_probs[rows, target_ids][target_ids < logits.shape[1] - 1].mean()"),
        ),
        "neighbors collapsed": Wrong(
            "took equal tokens side by side for one",
            misconception="repeated_token_once",
            fails={"repeated"},
            code=_nll("""
                -log_probs[rows, target_ids][
                    torch.cat([torch.ones(1), target_ids.diff()]).bool()
                ].mean()
            """),
        ),
        "neighbors collapsed, first rows": Wrong(
            "collapsed equal tokens side by side, and read the first rows at those left",
            misconception="repeated_token_once",
            fails={"repeated"},
            code=block("""
                def sequence_nll(logits, target_ids):
                    ids = target_ids.unique_consecutive()
                    return -logits.log_softmax(-1)[torch.arange(len(ids)), ids].mean()
            """),
        ),
        "kept by target": Wrong(
            "kept the NLL of every target, whatever the logits",
            misconception="memo_too_small",
            fails={"tokens"},
            code=memo(
                "sequence_nll",
                "logits, target_ids",
                "tuple(target_ids.tolist())",
                "torch.nn.functional.cross_entropy(logits, target_ids)",
            ),
        ),
        "tracked": Wrong(
            "turned requires_grad on for the logits of the caller",
            misconception="tracking_changed",
            fails={"inputs"},
            code=_nll("torch.nn.functional.cross_entropy(logits.requires_grad_(), target_ids)"),
        ),
        "distinct tokens": Wrong(
            "counted a token that occurs twice only once",
            misconception="repeated_token_once",
            fails={"repeated"},
            code=_nll("""
                sum(dict(zip(target_ids.tolist(), -log_probs[rows, target_ids])).values())
                / len(set(target_ids.tolist()))
            """),
        ),
        "item": Wrong(
            "turned the loss into a Python number, which has no gradient",
            misconception="graph_cut",
            fails={"gradient"},
            code=_nll("-log_probs[rows, target_ids].mean().item()"),
        ),
        "gathered along the rows": Wrong(
            "took the target's tokens for numbers of rows",
            misconception="index_past_end",
            fails=LIKELIHOODS,
            code=_nll("-log_probs.gather(0, target_ids[None]).mean()"),
            may_fail={"inputs"},
        ),
        "numpy": Wrong(
            "took the mean with numpy, which knows no gradient",
            misconception="gradient_in_numpy",
            fails={"gradient"},
            code=_nll("-log_probs[rows, target_ids].numpy().mean()"),
        ),
        "one row for all": Wrong(
            "read all tokens from the first row, as if none saw those before it",
            misconception="one_row_for_all",
            fails=LONG,
            code=_nll("-log_probs[0, target_ids].mean()"),
        ),
        "a loop over three": Wrong(
            "wrote the length of the public check's target into a loop",
            misconception="index_past_end",
            fails={"one_token", "tokens", "repeated"},
            code=_nll("sum(-log_probs[i, target_ids[i]] for i in range(3)) / 3"),
            may_fail={"real"},
        ),
        "hard-coded": Wrong(
            "returns the answer to a public check",
            misconception="hard_coded",
            fails=LIKELIHOODS,
            code=block(f"""
                def sequence_nll(logits, target_ids):
                    return torch.tensor({public_answer("sequence_nll", "tokens")})
            """),
        ),
        "in place": Wrong(
            "changed the logits of the caller",
            misconception="input_changed",
            fails={"inputs"},
            code=block("""
                def sequence_nll(logits, target_ids):
                    with torch.no_grad():
                        logits -= logits.max(-1, keepdim=True).values
                    return torch.nn.functional.cross_entropy(logits, target_ids)
            """),
        ),
    },
    "efficacy": {
        "ties succeed": Wrong(
            "counted a tie as a success",
            misconception="tie_counts",
            fails={"ties"},
            code=_efficacy("(nll_new <= nll_true).float().mean()"),
        ),
        "ties left out": Wrong(
            "left ties out of the number of probes",
            misconception="ties_left_out",
            fails={"ties"},
            code=_efficacy("(nll_new < nll_true).sum() / (nll_new != nll_true).sum()"),
        ),
        "mean of booleans": Wrong(
            "took the mean of a comparison as it is",
            misconception="mean_of_booleans",
            fails=ALL,
            code=_efficacy("(nll_new < nll_true).mean()"),
        ),
        "half a tie": Wrong(
            "counted a tie as half a success",
            misconception="tie_counts_half",
            fails={"ties"},
            code=_efficacy("((nll_new < nll_true).float() + (nll_new == nll_true) / 2).mean()"),
        ),
        "reversed": Wrong(
            "took a large NLL for a probable answer",
            misconception="efficacy_reversed",
            fails=ALL,
            code=_efficacy("(nll_new > nll_true).float().mean()"),
        ),
        "a number of probes": Wrong(
            "counted the successes and did not divide",
            misconception="counted_not_shared",
            fails=SHARES,
            code=_efficacy("(nll_new < nll_true).sum()"),
        ),
        "percent": Wrong(
            "gave percent in place of a share",
            misconception="share_in_percent",
            fails=ALL,
            code=_efficacy("100 * (nll_new < nll_true).float().mean()"),
        ),
        "means": Wrong(
            "compared the two means, not probe by probe",
            misconception="one_verdict_for_all",
            fails=SHARES,
            code=_efficacy("float(nll_new.mean() < nll_true.mean())"),
        ),
        "any": Wrong(
            "asked whether any probe succeeds",
            misconception="one_verdict_for_all",
            fails=SHARES,
            code=_efficacy("(nll_new < nll_true).any()"),
        ),
        "whole division": Wrong(
            "divided with //, which rounds down",
            misconception="whole_numbers",
            fails=SHARES,
            code=_efficacy("(nll_new < nll_true).sum() // len(nll_new)"),
        ),
        "all": Wrong(
            "asked whether all probes succeed",
            misconception="all_or_nothing",
            fails=SHARES,
            code=_efficacy("bool((nll_new < nll_true).all())"),
        ),
        "a difference": Wrong(
            "gave the mean difference of the NLLs",
            misconception="difference_not_share",
            fails=ALL,
            code=_efficacy("(nll_true - nll_new).mean()"),
        ),
        "magnitude": Wrong(
            "gave the mean difference of the probabilities, the paper's magnitude",
            misconception="probability_difference",
            fails=ALL,
            code=_efficacy("((-nll_new).exp() - (-nll_true).exp()).mean()"),
        ),
        "one a probe": Wrong(
            "gave a verdict for each probe and no share",
            misconception="share_per_probe",
            fails=SHARES,
            code=_efficacy("(nll_new < nll_true).float()"),
        ),
        "rounded": Wrong(
            "rounded the NLLs before comparing them",
            misconception="near_tie",
            fails={"close"},
            code=_efficacy("""
                (nll_new.round(decimals=1) < nll_true.round(decimals=1)).float().mean()
            """),
        ),
        "hard-coded": Wrong(
            "returns the answer to a public check",
            misconception="hard_coded",
            fails=ALL,
            code=_efficacy(f"torch.tensor({public_answer('efficacy', 'mixed')})"),
        ),
        "kept by the true answers": Wrong(
            "kept the share of every nll_true, whatever nll_new",
            misconception="memo_too_small",
            fails={"mixed"},
            code=memo(
                "efficacy",
                "nll_true, nll_new",
                "tuple(nll_true.tolist())",
                "(nll_new < nll_true).float().mean()",
            ),
        ),
        "isclose is a tie": Wrong(
            "took what is nearly equal for a tie",
            misconception="near_tie",
            fails={"close"},
            code=_efficacy("""
                ((nll_new < nll_true) & ~torch.isclose(nll_new, nll_true, atol=0.02)).float().mean()
            """),
        ),
    },
    "neighborhood": {
        "as efficacy": Wrong(
            "asked for the new answer to win, as in efficacy",
            misconception="neighborhood_reversed",
            fails=ALL,
            code=_neighborhood("(nll_new < nll_true).float().mean()"),
        ),
        "one minus efficacy": Wrong(
            "took 1 - efficacy, which counts ties as kept",
            misconception="tie_counts",
            fails={"ties"},
            code=_neighborhood("1 - (nll_new < nll_true).float().mean()"),
        ),
        "half a tie": Wrong(
            "counted a tie as half a success",
            misconception="tie_counts_half",
            fails={"ties"},
            code=_neighborhood("""
                ((nll_new > nll_true).float() + (nll_new == nll_true) / 2).mean()
            """),
        ),
        "a number of neighbors": Wrong(
            "counted the neighbors kept and did not divide",
            misconception="counted_not_shared",
            fails=SHARES,
            code=_neighborhood("(nll_true < nll_new).sum()"),
        ),
        "percent": Wrong(
            "gave percent in place of a share",
            misconception="share_in_percent",
            fails=ALL,
            code=_neighborhood("100 * (nll_true < nll_new).float().mean()"),
        ),
        "means": Wrong(
            "compared the two means, not neighbor by neighbor",
            misconception="one_verdict_for_all",
            fails=SHARES,
            code=_neighborhood("float(nll_true.mean() < nll_new.mean())"),
        ),
        "always 1": Wrong("always gave 1", fails=ALL, code=_neighborhood("1.0")),
        "a whole number": Wrong(
            "made a whole number of the share",
            misconception="whole_numbers",
            fails=SHARES,
            code=_neighborhood("int((nll_true < nll_new).float().mean())"),
        ),
        "all": Wrong(
            "asked whether all neighbors are kept",
            misconception="all_or_nothing",
            fails=SHARES,
            code=_neighborhood("float((nll_true < nll_new).all())"),
        ),
        "a difference": Wrong(
            "gave the mean difference of the NLLs",
            misconception="difference_not_share",
            fails=ALL,
            code=_neighborhood("(nll_new - nll_true).mean()"),
        ),
        "magnitude": Wrong(
            "gave the mean difference of the probabilities, the paper's magnitude",
            misconception="probability_difference",
            fails=ALL,
            code=_neighborhood("((-nll_true).exp() - (-nll_new).exp()).mean()"),
        ),
        "one a neighbor": Wrong(
            "gave a verdict for each neighbor and no share",
            misconception="share_per_probe",
            fails=SHARES,
            code=_neighborhood("(nll_true < nll_new).float()"),
        ),
        "hard-coded": Wrong(
            "returns the answer to a public check",
            misconception="hard_coded",
            fails=ALL,
            code=_neighborhood(f"torch.tensor({public_answer('neighborhood', 'mixed')})"),
        ),
        "kept by the new answers": Wrong(
            "kept the share of every nll_new, whatever nll_true",
            misconception="memo_too_small",
            fails={"mixed"},
            code=memo(
                "neighborhood",
                "nll_true, nll_new",
                "tuple(nll_new.tolist())",
                "(nll_true < nll_new).float().mean()",
            ),
        ),
        "clearly": Wrong(
            "asked for the true answer to win by a margin",
            misconception="near_tie",
            fails={"close"},
            code=_neighborhood("(nll_true < nll_new - 0.1).float().mean()"),
        ),
    },
    "edit_score": {
        "arithmetic": Wrong(
            "took the arithmetic mean for the harmonic one",
            misconception="mean_arithmetic",
            fails={"mixed", "zero"},
            code=_score("sum(parts) / 3"),
        ),
        "geometric": Wrong(
            "took the geometric mean for the harmonic one",
            misconception="mean_geometric",
            fails={"mixed"},
            code=_score("(parts[0] * parts[1] * parts[2]) ** (1 / 3)"),
        ),
        "two of three": Wrong(
            "left the paraphrases out",
            misconception="paraphrase_left_out",
            fails={"mixed"},
            code=_score("0.0 if min(parts) == 0 else 2 / (1 / efficacy + 1 / neighborhood)"),
        ),
        "lowest": Wrong(
            "took the lowest of the three shares",
            misconception="score_lowest",
            fails={"mixed"},
            code=_score("min(parts)"),
        ),
        "product": Wrong(
            "multiplied the three shares",
            misconception="score_product",
            fails={"mixed"},
            code=_score("parts[0] * parts[1] * parts[2]"),
        ),
        "no 3": Wrong(
            "forgot the 3 above the sum of reciprocals",
            misconception="harmonic_without_count",
            fails={"mixed"},
            code=_score(HARMONIC.format("1 / sum(1 / part for part in parts)")),
        ),
        "reciprocals": Wrong(
            "took the mean of the reciprocals, and not its reciprocal",
            misconception="harmonic_inverted",
            fails={"mixed"},
            code=_score(HARMONIC.format("sum(1 / part for part in parts) / 3")),
        ),
        "percent": Wrong(
            "gave percent in place of a share",
            misconception="score_in_percent",
            fails={"mixed"},
            code=_score(HARMONIC.format("300 / sum(1 / part for part in parts)")),
        ),
        "zero left out": Wrong(
            "left a share of 0 out of the mean",
            misconception="zero_left_out",
            fails={"zero"},
            code=_score("""
                (lambda above: len(above) / sum(1 / part for part in above) if above else 0)(
                    [part for part in parts if part > 0]
                )
            """),
        ),
        "methods of tensors": Wrong(
            "took Python's numbers for tensors",
            misconception="method_of_tensors",
            fails=ALL,
            code=_score("0.0 if efficacy.min() == 0 else 3 / sum(1 / part for part in parts)"),
        ),
        "zero division": Wrong(
            "divided by a share of 0",
            misconception="zero_division",
            fails={"zero", "nothing"},
            code=_score("3 / (1 / efficacy + 1 / paraphrase + 1 / neighborhood)"),
        ),
        "only the last one guarded": Wrong(
            "expected a 0 only among the neighbors",
            misconception="zero_division",
            fails={"zero"},
            code=_score("""
                0.0 if neighborhood == 0 else 3 / (1 / efficacy + 1 / paraphrase + 1 / neighborhood)
            """),
        ),
        "the shares in the error": Wrong(
            "raises an error, with the shares that it was given in its text",
            misconception="zero_division",
            fails=ALL,
            code=block("""
                def edit_score(efficacy, paraphrase, neighborhood):
                    raise ZeroDivisionError(str((efficacy, paraphrase, neighborhood)))
            """),
        ),
        "product over sum of products": Wrong(
            "thought of one share of 0, not of three",
            misconception="zero_division",
            fails={"nothing"},
            code=_score("""
                3
                * efficacy
                * paraphrase
                * neighborhood
                / (efficacy * paraphrase + paraphrase * neighborhood + efficacy * neighborhood)
            """),
        ),
        "not a number": Wrong(
            "gave NaN where a share is 0",
            misconception="zero_division",
            fails={"zero", "nothing"},
            code=_score("""
                float("nan") if min(parts) == 0 else 3 / sum(1 / part for part in parts)
            """),
        ),
        "hard-coded": Wrong(
            "returns the answer to a public check",
            misconception="hard_coded",
            fails=ALL,
            code=_score(f"{public_answer('edit_score', 'mixed')}"),
        ),
        "nearly 0": Wrong(
            "took a share below a hundredth for 0",
            misconception="near_zero_for_zero",
            fails={"zero"},
            code=_score("0.0 if min(parts) < 0.015 else 3 / sum(1 / part for part in parts)"),
        ),
        "close to 0": Wrong(
            "took a share of less than a millionth for 0",
            misconception="near_zero_for_zero",
            fails={"zero"},
            code=_score("""
                0.0 if min(parts) < 1e-6 else 3 / sum(1 / part for part in parts)
            """),
        ),
        "small shares left out": Wrong(
            "left shares below a thousandth out of the mean, and gave 0 for a 0",
            misconception="near_zero_for_zero",
            fails={"zero"},
            code=_score("""
                0.0
                if min(parts) == 0
                else (lambda above: len(above) / sum(1 / part for part in above))(
                    [part for part in parts if part > 1e-3]
                )
            """),
        ),
        "kept by two shares": Wrong(
            "kept the score of efficacy and paraphrase, whatever neighborhood",
            misconception="memo_too_small",
            fails={"mixed"},
            code=memo(
                "edit_score",
                "efficacy, paraphrase, neighborhood",
                "(efficacy, paraphrase)",
                """
                    0.0
                    if min(efficacy, paraphrase, neighborhood) == 0
                    else 3 / (1 / efficacy + 1 / paraphrase + 1 / neighborhood)
                """,
            ),
        ),
        "an epsilon": Wrong(
            "added a little to the shares, so as not to divide by 0",
            fails={"mixed", "zero", "nothing"},
            code=_score("3 / sum(1 / (part + 1e-3) for part in parts)"),
        ),
        "pairwise": Wrong(
            "took the harmonic mean of two, then that with the third",
            misconception="harmonic_pairwise",
            fails={"mixed"},
            code=_score("""
                0.0
                if min(parts) == 0
                else (lambda a, b: 2 * a * b / (a + b))(
                    (lambda a, b: 2 * a * b / (a + b))(efficacy, paraphrase), neighborhood
                )
            """),
        ),
        "only if all are 0": Wrong(
            "took the arithmetic mean where only some shares are 0",
            misconception="mean_arithmetic",
            fails={"zero"},
            code=_score("""
                0.0
                if max(parts) == 0
                else 3 / sum(1 / part for part in parts)
                if min(parts) > 0
                else sum(parts) / 3
            """),
        ),
    },
}

RIGHT = {
    "sequence_nll": {
        "as in the notebook": _nll("-log_probs[rows, target_ids].mean()"),
        "cross_entropy": _nll("torch.nn.functional.cross_entropy(logits, target_ids)"),
        "nll_loss": _nll("torch.nn.functional.nll_loss(log_probs, target_ids)"),
        "gather": _nll("-log_probs.gather(1, target_ids[:, None]).mean()"),
        "softmax, then log": block("""
            def sequence_nll(logits, target_ids):
                p = torch.softmax(logits.double(), dim=1)
                return -torch.log(p[range(len(p)), target_ids]).mean()
        """),
        "logsumexp": _nll("(torch.logsumexp(logits, dim=-1) - logits[rows, target_ids]).mean()"),
        "loop": block("""
            def sequence_nll(logits, target_ids):
                total = 0
                for row, token in zip(logits, target_ids):
                    total = total - torch.log_softmax(row, 0)[token]
                return total / len(target_ids)
        """),
        "one-hot": _nll("""
            -(log_probs * torch.nn.functional.one_hot(target_ids, logits.shape[1])).sum() / len(
                target_ids
            )
        """),
        "batch dimensions, type hints": block('''
            from torch import Tensor


            def sequence_nll(logits: Tensor, target_ids: Tensor) -> Tensor:
                """Works for (T, V) and for a batch (B, T, V) alike."""
                picked: Tensor = (
                    logits.log_softmax(dim=-1).gather(-1, target_ids.unsqueeze(-1)).squeeze(-1)
                )
                return -picked.mean(dim=-1)
        '''),
        "comments in Chinese": block("""
            def sequence_nll(分數, 目標):
                # 每一列是一個 token 的預測；先取 log_softmax，再挑出目標的那一個
                對數機率 = torch.log_softmax(分數, dim=-1)
                挑出的 = 對數機率[torch.arange(目標.numel()), 目標]
                return 挑出的.neg().mean()  # 平均，不是總和
        """),
        "kept by all arguments": memo(
            "sequence_nll",
            "logits, target_ids",
            "(logits, target_ids)",
            "torch.nn.functional.cross_entropy(logits, target_ids)",
        ),
        "torch's own under this name": "sequence_nll = torch.nn.functional.cross_entropy",
        "shape (1,)": _nll("-log_probs[rows, target_ids].mean().reshape(1)"),
    },
    "efficacy": {
        "as in the notebook": _efficacy("(nll_new < nll_true).float().mean()"),
        "a Python number": _efficacy("(nll_new < nll_true).sum().item() / len(nll_new)"),
        "probabilities": _efficacy("""
            ((-nll_new.double()).exp() > (-nll_true.double()).exp()).double().mean()
        """),
        "numpy": _efficacy("(nll_new.numpy() < nll_true.numpy()).mean()"),
        "own imports, other names": block("""
            from statistics import fmean


            def efficacy(a, b):
                return fmean(y < x for x, y in zip(a.tolist(), b.tolist()))
        """),
        "loop, exact": block("""
            def efficacy(nll_true, nll_new):
                from fractions import Fraction

                return float(
                    Fraction(
                        sum(n < t for t, n in zip(nll_true.tolist(), nll_new.tolist())),
                        len(nll_new),
                    )
                )
        """),
    },
    "neighborhood": {
        "as in the notebook": _neighborhood("(nll_true < nll_new).float().mean()"),
        "efficacy the other way round": block("""
            def efficacy(a, b):
                return (b < a).float().mean()


            def neighborhood(nll_true, nll_new):
                return efficacy(nll_new, nll_true)
        """),
        "sign": _neighborhood("((nll_new - nll_true).sign() == 1).double().mean()"),
    },
    "edit_score": {
        "as in the notebook": _score(
            "0.0 if min(parts) == 0 else 3 / sum(1 / part for part in parts)"
        ),
        "statistics": block("""
            import statistics


            def edit_score(efficacy, paraphrase, neighborhood):
                return statistics.harmonic_mean([efficacy, paraphrase, neighborhood])
        """),
        "methods of a class": (
            block("""
                class Shares:
                    def __init__(self, *shares):
                        self.shares = shares

                    @property
                    def harmonic_mean(self):
                        if not all(self.shares):
                            return 0.0
                        return len(self.shares) / sum(map(self.reciprocal, self.shares))

                    @staticmethod
                    def reciprocal(share):
                        return 1 / share
            """),
            block("""
                def edit_score(efficacy, paraphrase, neighborhood):
                    return Shares(efficacy, paraphrase, neighborhood).harmonic_mean
            """),
        ),
        "a constant changed later, a helper in a try": (
            block("""
                COUNT = 1
                try:
                    from my_helpers import reciprocal
                except ImportError:
                    print("my_helpers is not here")

                    def reciprocal(share):
                        return 1 / share
            """),
            _score(HARMONIC.format("COUNT / sum(map(reciprocal, parts))")),
            "COUNT += 2",
        ),
        "a whole 0": block("""
            def edit_score(efficacy, paraphrase, neighborhood):
                if 0 in (efficacy, paraphrase, neighborhood):
                    return 0
                return 3 / (1 / efficacy + 1 / paraphrase + 1 / neighborhood)
        """),
        "tensors": _score("3 / (1 / torch.tensor(parts)).sum()"),
        "numpy": block("""
            import numpy as np


            def edit_score(efficacy, paraphrase, neighborhood):
                a = np.array([efficacy, paraphrase, neighborhood])
                return 0.0 if (a == 0).any() else 1 / np.mean(1 / a)
        """),
    },
}
