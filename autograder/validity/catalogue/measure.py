"""Solutions of 1_measure.ipynb."""

from autograder.validity.solution import ALL, block
from keyhole.checking.checks import load_cases

HARMONIC = "0.0 if min(parts) == 0 else {}"
LONG = {
    "tokens",
    "repeated",
    "large",
    "improbable",
    "gradient",
    "real",
}  # targets of several tokens
LIKELIHOODS = LONG | {"one_token"}
SHARES = {"mixed", "ties", "close"}


def _nll(body):
    return (
        "def sequence_nll(logits, target_ids):\n    log_probs = logits.log_softmax(-1)\n    rows ="
        f" torch.arange(len(target_ids))\n    return {body}"
    )


def _share(name, body):
    return f"def {name}(nll_true, nll_new):\n    return {body}"


def public_answer(function, case):
    """The number that a public check expects."""
    [found] = [stored for stored in load_cases()[function] if stored.id == case]
    return found.stored["right"].item()


def _score(body):
    return (
        "def edit_score(efficacy, paraphrase, neighborhood):\n    parts = [efficacy, paraphrase,"
        f" neighborhood]\n    return {body}"
    )


WRONG = {
    "sequence_nll": {
        "sum": (
            "took the sum over the target's tokens for the mean",
            "nll_summed",
            LONG,
            _nll("-log_probs[rows, target_ids].sum()"),
        ),
        "no minus": (
            "left the minus out: gave the log-likelihood",
            "likelihood_not_negated",
            LIKELIHOODS,
            _nll("log_probs[rows, target_ids].mean()"),
        ),
        "mean before log": (
            "averaged the probabilities before taking the logarithm",
            "nll_of_mean_probability",
            LONG,
            _nll("-log_probs[rows, target_ids].exp().mean().log()"),
        ),
        "probability of the whole": (
            "gave the probability of the whole target",
            "nll_of_product",
            LIKELIHOODS,
            _nll("log_probs[rows, target_ids].sum().exp()"),
        ),
        "a probability again": (
            "took the exponential of the mean, so that a probability came out",
            "nll_as_probability",
            LIKELIHOODS,
            _nll("log_probs[rows, target_ids].mean().exp()"),
        ),
        "perplexity": (
            "gave the perplexity in place of the NLL",
            "nll_as_perplexity",
            LIKELIHOODS,
            _nll("(-log_probs[rows, target_ids].mean()).exp()"),
        ),
        "bits": (
            "took the logarithm to base 2",
            "nll_in_bits",
            LIKELIHOODS,
            _nll("-(log_probs[rows, target_ids] / torch.tensor(2.0).log()).mean()"),
        ),
        "no softmax": (
            "took logits for log probabilities",
            "softmax_missing",
            LIKELIHOODS,
            _nll("-logits[rows, target_ids].mean()"),
        ),
        "cross entropy of probabilities": (
            "gave cross_entropy probabilities, where it expects logits",
            "softmax_twice",
            LIKELIHOODS,
            _nll("torch.nn.functional.cross_entropy(logits.softmax(-1), target_ids)"),
        ),
        "no logarithm": (
            "gave nll_loss probabilities, where it expects log probabilities",
            "logarithm_missing",
            LIKELIHOODS,
            _nll("torch.nn.functional.nll_loss(logits.softmax(-1), target_ids)"),
        ),
        "softmax over tokens": (
            "took the softmax over the target's positions, not over the vocabulary",
            "softmax_over_tokens",
            LIKELIHOODS,
            _nll("-logits.log_softmax(0)[rows, target_ids].mean()"),
        ),
        "first token only": (
            "took the first token for the whole target",
            "nll_of_first_token",
            LONG,
            _nll("-log_probs[0, target_ids[0]]"),
        ),
        "last token only": (
            "took the last token for the whole target",
            "nll_of_last_token",
            LONG,
            _nll("-log_probs[-1, target_ids[-1]]"),
        ),
        "all pairs": (
            "read every row at every target token",
            "nll_all_pairs",
            LONG,
            _nll("-log_probs[:, target_ids].mean()"),
        ),
        "the best token": (
            "took the most probable token for that of the target",
            "nll_of_best_token",
            LIKELIHOODS,
            _nll("-log_probs.max(-1).values.mean()"),
        ),
        "one-hot, mean over all": (
            "divided by the size of the vocabulary as well",
            "nll_over_vocabulary",
            LIKELIHOODS,
            _nll("-(log_probs * torch.nn.functional.one_hot(target_ids, logits.shape[1])).mean()"),
        ),
        "the vocabulary for the tokens": (
            "divided by the size of the vocabulary, not by the number of tokens",
            "nll_over_vocabulary",
            LIKELIHOODS,
            _nll("-log_probs[rows, target_ids].sum() / logits.shape[1]"),
        ),
        "one a token": (
            "forgot to average over the tokens",
            "nll_per_token",
            LONG | {"inputs"},
            _nll("-log_probs[rows, target_ids]"),
        ),
        "a start token that is none": (
            "skipped the first target token as if it were a start token",
            "first_token_skipped",
            LIKELIHOODS,
            _nll("-log_probs[rows, target_ids][1:].mean()"),
        ),
        "shifted, one row late": (
            "shifted the logits by one, though row i already predicts token i",
            "row_too_late",
            LIKELIHOODS,
            _nll("torch.nn.functional.cross_entropy(logits[1:], target_ids[:-1])"),
        ),
        "shifted, one row early": (
            "shifted the target by one, though row i already predicts token i",
            "row_too_early",
            LIKELIHOODS,
            _nll("torch.nn.functional.cross_entropy(logits[:-1], target_ids[1:])"),
        ),
        "exponentials": (
            "wrote the softmax with bare exponentials, which overflow",
            "exponential_overflows",
            {"large"},
            _nll(
                "-(logits.exp() / logits.exp().sum(-1, keepdim=True))[rows,"
                " target_ids].log().mean()"
            ),
        ),
        "epsilon": (
            "added an epsilon inside the logarithm",
            "epsilon_in_log",
            {"improbable"},
            _nll("-(logits.softmax(-1)[rows, target_ids] + 1e-9).log().mean()"),
        ),
        "distinct tokens": (
            "counted a token that occurs twice only once",
            "repeated_token_once",
            {"repeated"},
            _nll(
                "sum(dict(zip(target_ids.tolist(), -log_probs[rows, target_ids])).values()) /"
                " len(set(target_ids.tolist()))"
            ),
        ),
        "item": (
            "turned the loss into a Python number, which has no gradient",
            "graph_cut",
            {"gradient"},
            _nll("-log_probs[rows, target_ids].mean().item()"),
        ),
        "gathered along the rows": (
            "took the target's tokens for numbers of rows",
            "index_past_end",
            LIKELIHOODS,
            _nll("-log_probs.gather(0, target_ids[None]).mean()"),
            {"inputs"},
        ),
        "numpy": (
            "took the mean with numpy, which knows no gradient",
            "gradient_in_numpy",
            {"gradient"},
            _nll("-log_probs[rows, target_ids].numpy().mean()"),
        ),
        "one row for all": (
            "read all tokens from the first row, as if none saw those before it",
            "one_row_for_all",
            LONG,
            _nll("-log_probs[0, target_ids].mean()"),
        ),
        "a loop over three": (
            "wrote the length of the public check's target into a loop",
            "index_past_end",
            {"one_token", "tokens", "repeated"},
            _nll("sum(-log_probs[i, target_ids[i]] for i in range(3)) / 3"),
            {"real"},
        ),
        "hard-coded": (
            "returns the answer to a public check",
            "hard_coded",
            LIKELIHOODS,
            (
                "def sequence_nll(logits, target_ids):\n    return"
                f" torch.tensor({public_answer('sequence_nll', 'tokens')})"
            ),
        ),
        "in place": (
            "changed the logits of the caller",
            "input_changed",
            {"inputs"},
            (
                "def sequence_nll(logits, target_ids):\n    with torch.no_grad():\n        logits"
                " -= logits.max(-1, keepdim=True).values\n    return"
                " torch.nn.functional.cross_entropy(logits, target_ids)"
            ),
        ),
    },
    "efficacy": {
        "ties succeed": (
            "counted a tie as a success",
            "tie_counts",
            {"ties"},
            _share("efficacy", "(nll_new <= nll_true).float().mean()"),
        ),
        "half a tie": (
            "counted a tie as half a success",
            "tie_counts_half",
            {"ties"},
            _share("efficacy", "((nll_new < nll_true).float() + (nll_new == nll_true) / 2).mean()"),
        ),
        "reversed": (
            "took a large NLL for a probable answer",
            "efficacy_reversed",
            ALL,
            _share("efficacy", "(nll_new > nll_true).float().mean()"),
        ),
        "a number of probes": (
            "counted the successes and did not divide",
            "counted_not_shared",
            SHARES,
            _share("efficacy", "(nll_new < nll_true).sum()"),
        ),
        "percent": (
            "gave percent in place of a share",
            "share_in_percent",
            ALL,
            _share("efficacy", "100 * (nll_new < nll_true).float().mean()"),
        ),
        "means": (
            "compared the two means, not probe by probe",
            "one_verdict_for_all",
            SHARES,
            _share("efficacy", "float(nll_new.mean() < nll_true.mean())"),
        ),
        "any": (
            "asked whether any probe succeeds",
            "one_verdict_for_all",
            SHARES,
            _share("efficacy", "(nll_new < nll_true).any()"),
        ),
        "whole division": (
            "divided with //, which rounds down",
            "whole_numbers",
            SHARES,
            _share("efficacy", "(nll_new < nll_true).sum() // len(nll_new)"),
        ),
        "all": (
            "asked whether all probes succeed",
            "all_or_nothing",
            SHARES,
            _share("efficacy", "bool((nll_new < nll_true).all())"),
        ),
        "a difference": (
            "gave the mean difference of the NLLs",
            "difference_not_share",
            ALL,
            _share("efficacy", "(nll_true - nll_new).mean()"),
        ),
        "magnitude": (
            "gave the mean difference of the probabilities, the paper's magnitude",
            "probability_difference",
            ALL,
            _share("efficacy", "((-nll_new).exp() - (-nll_true).exp()).mean()"),
        ),
        "one a probe": (
            "gave a verdict for each probe and no share",
            "share_per_probe",
            SHARES,
            _share("efficacy", "(nll_new < nll_true).float()"),
        ),
        "rounded": (
            "rounded the NLLs before comparing them",
            "near_tie",
            {"close"},
            _share(
                "efficacy",
                "(nll_new.round(decimals=1) < nll_true.round(decimals=1)).float().mean()",
            ),
        ),
        "hard-coded": (
            "returns the answer to a public check",
            "hard_coded",
            ALL,
            _share("efficacy", f"torch.tensor({public_answer('efficacy', 'mixed')})"),
        ),
        "isclose is a tie": (
            "took what is nearly equal for a tie",
            "near_tie",
            {"close"},
            _share(
                "efficacy",
                "((nll_new < nll_true) & ~torch.isclose(nll_new, nll_true,"
                " atol=0.02)).float().mean()",
            ),
        ),
    },
    "neighborhood": {
        "as efficacy": (
            "asked for the new answer to win, as in efficacy",
            "neighborhood_reversed",
            ALL,
            _share("neighborhood", "(nll_new < nll_true).float().mean()"),
        ),
        "one minus efficacy": (
            "took 1 - efficacy, which counts ties as kept",
            "tie_counts",
            {"ties"},
            _share("neighborhood", "1 - (nll_new < nll_true).float().mean()"),
        ),
        "half a tie": (
            "counted a tie as half a success",
            "tie_counts_half",
            {"ties"},
            _share(
                "neighborhood", "((nll_new > nll_true).float() + (nll_new == nll_true) / 2).mean()"
            ),
        ),
        "a number of neighbors": (
            "counted the neighbors kept and did not divide",
            "counted_not_shared",
            SHARES,
            _share("neighborhood", "(nll_true < nll_new).sum()"),
        ),
        "percent": (
            "gave percent in place of a share",
            "share_in_percent",
            ALL,
            _share("neighborhood", "100 * (nll_true < nll_new).float().mean()"),
        ),
        "means": (
            "compared the two means, not neighbor by neighbor",
            "one_verdict_for_all",
            SHARES,
            _share("neighborhood", "float(nll_true.mean() < nll_new.mean())"),
        ),
        "always 1": ("always gave 1", "one_verdict_for_all", SHARES, _share("neighborhood", "1.0")),
        "a whole number": (
            "made a whole number of the share",
            "whole_numbers",
            SHARES,
            _share("neighborhood", "int((nll_true < nll_new).float().mean())"),
        ),
        "all": (
            "asked whether all neighbors are kept",
            "all_or_nothing",
            SHARES,
            _share("neighborhood", "float((nll_true < nll_new).all())"),
        ),
        "a difference": (
            "gave the mean difference of the NLLs",
            "difference_not_share",
            ALL,
            _share("neighborhood", "(nll_new - nll_true).mean()"),
        ),
        "magnitude": (
            "gave the mean difference of the probabilities, the paper's magnitude",
            "probability_difference",
            ALL,
            _share("neighborhood", "((-nll_true).exp() - (-nll_new).exp()).mean()"),
        ),
        "one a neighbor": (
            "gave a verdict for each neighbor and no share",
            "share_per_probe",
            SHARES,
            _share("neighborhood", "(nll_true < nll_new).float()"),
        ),
        "hard-coded": (
            "returns the answer to a public check",
            "hard_coded",
            ALL,
            _share("neighborhood", f"torch.tensor({public_answer('neighborhood', 'mixed')})"),
        ),
        "clearly": (
            "asked for the true answer to win by a margin",
            "near_tie",
            {"close"},
            _share("neighborhood", "(nll_true < nll_new - 0.1).float().mean()"),
        ),
    },
    "edit_score": {
        "arithmetic": (
            "took the arithmetic mean for the harmonic one",
            "mean_arithmetic",
            {"mixed", "zero"},
            _score("sum(parts) / 3"),
        ),
        "geometric": (
            "took the geometric mean for the harmonic one",
            "mean_geometric",
            {"mixed"},
            _score("(parts[0] * parts[1] * parts[2]) ** (1 / 3)"),
        ),
        "two of three": (
            "left the paraphrases out",
            "paraphrase_left_out",
            {"mixed"},
            _score("0.0 if min(parts) == 0 else 2 / (1 / efficacy + 1 / neighborhood)"),
        ),
        "lowest": (
            "took the lowest of the three shares",
            "score_lowest",
            {"mixed"},
            _score("min(parts)"),
        ),
        "product": (
            "multiplied the three shares",
            "score_product",
            {"mixed"},
            _score("parts[0] * parts[1] * parts[2]"),
        ),
        "no 3": (
            "forgot the 3 above the sum of reciprocals",
            "harmonic_without_count",
            {"mixed"},
            _score(HARMONIC.format("1 / sum(1 / part for part in parts)")),
        ),
        "reciprocals": (
            "took the mean of the reciprocals, and not its reciprocal",
            "harmonic_inverted",
            {"mixed"},
            _score(HARMONIC.format("sum(1 / part for part in parts) / 3")),
        ),
        "percent": (
            "gave percent in place of a share",
            "score_in_percent",
            {"mixed"},
            _score(HARMONIC.format("300 / sum(1 / part for part in parts)")),
        ),
        "zero left out": (
            "left a share of 0 out of the mean",
            "zero_left_out",
            {"zero"},
            _score(
                "(lambda above: len(above) / sum(1 / part for part in above) if above else 0)([part"
                " for part in parts if part > 0])"
            ),
        ),
        "zero division": (
            "divided by a share of 0",
            "zero_division",
            {"zero", "nothing"},
            _score("3 / (1 / efficacy + 1 / paraphrase + 1 / neighborhood)"),
        ),
        "only the last one guarded": (
            "expected a 0 only among the neighbors",
            "zero_division",
            {"zero"},
            _score(
                "0.0 if neighborhood == 0 else 3 / (1 / efficacy + 1 / paraphrase + 1 /"
                " neighborhood)"
            ),
        ),
        "the shares in the error": (
            "raises an error, with the shares that it was given in its text",
            "zero_division",
            ALL,
            (
                "def edit_score(efficacy, paraphrase, neighborhood):\n    raise"
                " ZeroDivisionError(str((efficacy, paraphrase, neighborhood)))"
            ),
        ),
        "product over sum of products": (
            "thought of one share of 0, not of three",
            "zero_division",
            {"nothing"},
            _score(
                "3 * efficacy * paraphrase * neighborhood / (efficacy * paraphrase + paraphrase *"
                " neighborhood + efficacy * neighborhood)"
            ),
        ),
        "not a number": (
            "gave NaN where a share is 0",
            "zero_division",
            {"zero", "nothing"},
            _score("float('nan') if min(parts) == 0 else 3 / sum(1 / part for part in parts)"),
        ),
        "hard-coded": (
            "returns the answer to a public check",
            "hard_coded",
            ALL,
            _score(f"{public_answer('edit_score', 'mixed')}"),
        ),
        "an epsilon": (
            "added a little to the shares, so as not to divide by 0",
            None,
            {"mixed", "zero", "nothing"},
            _score("3 / sum(1 / (part + 1e-3) for part in parts)"),
        ),
        "pairwise": (
            "took the harmonic mean of two, then that with the third",
            "harmonic_pairwise",
            {"mixed"},
            _score(
                "0.0 if min(parts) == 0 else (lambda a, b: 2 * a * b / (a + b))((lambda a, b: 2 * a"
                " * b / (a + b))(efficacy, paraphrase), neighborhood)"
            ),
        ),
        "only if all are 0": (
            "took the arithmetic mean where only some shares are 0",
            "mean_arithmetic",
            {"zero"},
            _score(
                "0.0 if max(parts) == 0 else 3 / sum(1 / part for part in parts) if min(parts) > 0"
                " else sum(parts) / 3"
            ),
        ),
    },
}

RIGHT = {
    "sequence_nll": {
        "as in the notebook": _nll("-log_probs[rows, target_ids].mean()"),
        "cross_entropy": _nll("torch.nn.functional.cross_entropy(logits, target_ids)"),
        "nll_loss": _nll("torch.nn.functional.nll_loss(log_probs, target_ids)"),
        "gather": _nll("-log_probs.gather(1, target_ids[:, None]).mean()"),
        "softmax, then log": (
            "def sequence_nll(logits, target_ids):\n    p = torch.softmax(logits.double(), dim=1)\n"
            "    return -torch.log(p[range(len(p)), target_ids]).mean()"
        ),
        "logsumexp": _nll("(torch.logsumexp(logits, dim=-1) - logits[rows, target_ids]).mean()"),
        "loop": (
            "def sequence_nll(logits, target_ids):\n    total = 0\n    for row, token in"
            " zip(logits, target_ids):\n        total = total - torch.log_softmax(row, 0)[token]\n "
            "   return total / len(target_ids)"
        ),
        "one-hot": _nll(
            "-(log_probs * torch.nn.functional.one_hot(target_ids, logits.shape[1])).sum() /"
            " len(target_ids)"
        ),
        "batch dimensions, type hints": block('''
            from torch import Tensor


            def sequence_nll(logits: Tensor, target_ids: Tensor) -> Tensor:
                """Works for (T, V) and for a batch (B, T, V) alike."""
                picked: Tensor = logits.log_softmax(dim=-1).gather(-1, target_ids.unsqueeze(-1)).squeeze(-1)
                return -picked.mean(dim=-1)
            '''),
        "comments in Chinese": block("""
            def sequence_nll(分數, 目標):
                # 每一列是一個 token 的預測；先取 log_softmax，再挑出目標的那一個
                對數機率 = torch.log_softmax(分數, dim=-1)
                挑出的 = 對數機率[torch.arange(目標.numel()), 目標]
                return 挑出的.neg().mean()   # 平均，不是總和
            """),
        "torch's own under this name": "sequence_nll = torch.nn.functional.cross_entropy",
        "shape (1,)": _nll("-log_probs[rows, target_ids].mean().reshape(1)"),
    },
    "efficacy": {
        "as in the notebook": _share("efficacy", "(nll_new < nll_true).float().mean()"),
        "a Python number": _share("efficacy", "(nll_new < nll_true).sum().item() / len(nll_new)"),
        "probabilities": _share(
            "efficacy", "((-nll_new.double()).exp() > (-nll_true.double()).exp()).double().mean()"
        ),
        "numpy": _share("efficacy", "(nll_new.numpy() < nll_true.numpy()).mean()"),
        "own imports, other names": (
            "from statistics import fmean\n\n\ndef efficacy(a, b):\n    return fmean(y < x for x, y"
            " in zip(a.tolist(), b.tolist()))"
        ),
        "loop, exact": (
            "def efficacy(nll_true, nll_new):\n    from fractions import Fraction\n    return"
            " float(Fraction(sum(n < t for t, n in zip(nll_true.tolist(), nll_new.tolist())),"
            " len(nll_new)))"
        ),
    },
    "neighborhood": {
        "as in the notebook": _share("neighborhood", "(nll_true < nll_new).float().mean()"),
        "efficacy the other way round": (
            "def efficacy(a, b):\n    return (b < a).float().mean()\n\n\ndef neighborhood(nll_true,"
            " nll_new):\n    return efficacy(nll_new, nll_true)"
        ),
        "sign": _share("neighborhood", "((nll_new - nll_true).sign() == 1).double().mean()"),
    },
    "edit_score": {
        "as in the notebook": _score(
            "0.0 if min(parts) == 0 else 3 / sum(1 / part for part in parts)"
        ),
        "statistics": (
            "import statistics\n\ndef edit_score(efficacy, paraphrase, neighborhood):\n    return"
            " statistics.harmonic_mean([efficacy, paraphrase, neighborhood])"
        ),
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
            (
                "def edit_score(efficacy, paraphrase, neighborhood):\n    return Shares(efficacy,"
                " paraphrase, neighborhood).harmonic_mean"
            ),
        ),
        "a whole 0": (
            "def edit_score(efficacy, paraphrase, neighborhood):\n    if 0 in (efficacy,"
            " paraphrase, neighborhood):\n        return 0\n    return 3 / (1 / efficacy + 1 /"
            " paraphrase + 1 / neighborhood)"
        ),
        "tensors": _score("3 / (1 / torch.tensor(parts)).sum()"),
        "numpy": (
            "import numpy as np\n\ndef edit_score(efficacy, paraphrase, neighborhood):\n    a ="
            " np.array([efficacy, paraphrase, neighborhood])\n    return 0.0 if (a == 0).any() else"
            " 1 / np.mean(1 / a)"
        ),
    },
}
