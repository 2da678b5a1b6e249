"""Fine-tuning of one fact, and of 20 at once: all weights, one matrix, LoRA, a scaled change."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from statistics import fmean

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from autograder.making.many_curves import ORDERS, Bench, groups, shares, spread_over, with_scores
from autograder.oracle.measuring import sequence_nll
from keyhole.facts import Fact
from keyhole.finetuning import FineTuning, trained
from keyhole.many import FactProbes, load_fresh_text, perplexity
from keyhole.models import EditableModel
from keyhole.moments import DEFAULT_LAYER
from keyhole.probes import answer_logits

TOGETHER = 20  # facts in one training
HELD_OUT = 24  # facts that are never trained
RANK = 8  # of LoRA
TEXT_EVERY = 8  # trainings of one fact: after one in so many perplexity is measured too
SCALES = (0.25, 0.5, 0.75, 1.0, 1.5)


@dataclass(frozen=True)
class Way:
    """How facts are trained into the model."""

    settings: FineTuning
    matrix_only: bool = False  # W of the default layer alone
    lora: bool = False


ONE = {
    "all weights": Way(FineTuning(5e-5, 4)),
    "one matrix": Way(FineTuning(1e-3, 8), matrix_only=True),
    "LoRA": Way(FineTuning(2e-3, 8), lora=True),
}
MANY = {
    "all weights": Way(FineTuning(5e-5, 8)),
    "one matrix": Way(FineTuning(1e-3, 16), matrix_only=True),
    "LoRA": Way(FineTuning(2e-3, 16), lora=True),
}


def tuning(bench: Bench, progress: Callable = iter) -> dict:
    """{"one": {way: values}, "20": {way: values}, "scaled": {scale: values}}."""
    edited = len(bench.stored.facts) - HELD_OUT
    made: dict = {"one": {}, str(TOGETHER): {}, "scaled": {}}
    for name, way in progress(ONE.items()):
        singles = groups(1, 0, edited)
        points = [_tuned(bench, way, group)[1.0] for group in singles]
        made["one"][name] = {"facts": len(points), "values": means(points)}
    for name, way in progress(MANY.items()):
        scales = SCALES if name == "all weights" else (1.0,)
        points = [
            _tuned(bench, way, groups(TOGETHER, order, edited)[0], scales)
            for order in range(ORDERS)
        ]
        made[str(TOGETHER)][name] = {
            "repeats": ORDERS,
            "values": spread_over([point[1.0] for point in points]),
        }
        if len(scales) > 1:
            made["scaled"] = {
                str(scale): spread_over([point[scale] for point in points]) for scale in scales
            }
    return made


def means(points: Sequence[dict[str, float]]) -> dict[str, float]:
    """Means over facts, and S of the mean shares. Perplexity is measured after some only."""
    made = {
        name: round(fmean(point[name] for point in points if name in point), 4)
        for name in points[0]
    }
    return with_scores(made)


def _tuned(bench, way, numbers, scales=(1.0,)):
    """{scale: what is measured} after training on the stored facts of those numbers."""
    model, facts = bench.model, [bench.stored.facts[each] for each in numbers]
    made = {}
    with _trainable(model, way) as weights:
        before = [weight.detach().clone() for weight in weights]
        with trained(model, _target(model, facts), weights, way.settings):
            after = [weight.detach().clone() for weight in weights]
            for scale in scales:
                with torch.no_grad():
                    for weight, old, new in zip(weights, before, after):
                        weight.copy_(torch.lerp(old, new, scale))
                made[scale] = shares(FactProbes(model, facts).measure())
                if len(numbers) > 1 or numbers[0] % TEXT_EVERY == 0:
                    made[scale]["perplexity"] = perplexity(model, load_fresh_text())
    return made


@contextmanager
def _trainable(model: EditableModel, way: Way) -> Iterator[list[nn.Parameter]]:
    """The weights that are trained. LoRA's stand beside the model's as long as the block lasts."""
    if way.lora:
        modules = [model.memory(layer) for layer in range(model.n_layers)]
        for module in modules:
            parametrize.register_parametrization(module, "weight", LowRank(module.weight))
        added = [module.parametrizations.weight[0] for module in modules]
        try:
            yield [weight for each in added for weight in each.parameters()]
        finally:
            for module in modules:
                parametrize.remove_parametrizations(module, "weight", leave_parametrized=False)
    elif way.matrix_only:
        yield [model.memory(DEFAULT_LAYER).weight]
    else:
        yield list(model.hf.parameters())


class LowRank(nn.Module):
    """W + B A, of rank 8, where W stays as it is. (LoRA)"""

    def __init__(self, weight: Tensor):
        super().__init__()
        generator = torch.Generator().manual_seed(0)
        inward = torch.randn(RANK, weight.shape[1], generator=generator) / weight.shape[1] ** 0.5
        self.inward = nn.Parameter(inward.to(weight))
        self.outward = nn.Parameter(weight.new_zeros(weight.shape[0], RANK))

    def forward(self, weight: Tensor) -> Tensor:
        """W as the model uses it."""
        return weight + self.outward @ self.inward


def _target(model: EditableModel, facts: Sequence[Fact]) -> Callable[[], Tensor]:
    """The mean NLL of the facts' new targets."""

    def loss() -> Tensor:
        pairs = [answer_logits(model, fact.prompt, fact.target_new) for fact in facts]
        return torch.stack([sequence_nll(*pair) for pair in pairs]).mean()

    return loss
