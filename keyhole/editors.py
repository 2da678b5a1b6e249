"""Editors that are learned, as modules around the functions of 5_learn_to_edit.ipynb.

Each turns the factors of a gradient, one pair a layer, into functions (outputs, keys) -> outputs.
Untrained, each makes a step against the gradient, of a length that is given.
"""

from collections.abc import Callable, Sequence
from functools import partial

import torch
from torch import Tensor, nn

from keyhole.hooks import without_numpy
from keyhole.learned import Factors, Lesson, NewOutputs, factor_statistics

Function = Callable[..., Tensor]


class FixedStep(nn.Module):
    """Nothing to learn: one step of a fixed length against the gradient."""

    def __init__(self, length: float, low_rank_output: Function) -> None:
        super().__init__()
        self.length, self._output = length, low_rank_output

    def forward(self, factors: Sequence[Factors]) -> list[NewOutputs]:
        """The edit, by the layers' new outputs."""
        return [_by_factors(self._output, *pair, self.length) for pair in factors]


class Rates(nn.Module):
    """A learning rate for each row of W, or for each weight: `shape` is (d_out,) or W's own."""

    def __init__(
        self,
        shape: tuple[int, ...],
        layers: int,
        length: float,
        gradient_from_factors: Function,
        rate_update: Function,
    ) -> None:
        super().__init__()
        self.logs = nn.ParameterList(nn.Parameter(torch.zeros(shape)) for _ in range(layers))
        self._length, self._gradient, self._update = length, gradient_from_factors, rate_update

    def forward(self, factors: Sequence[Factors]) -> list[NewOutputs]:
        """The edit, by the layers' new outputs."""
        functions = []
        for (inputs, output_grads), log in zip(factors, self.logs):
            with torch.enable_grad():  # it may be built by torch.autograd
                gradient = self._gradient(inputs[None], output_grads[None])
            gradient = _like(inputs, gradient).detach()
            change = _like(inputs, self._update(gradient, self._length * log.exp()))
            functions.append(partial(_with_change, change))
        return functions


class Gate(nn.Module):
    """A gate for each input and each output of W, read from the factors. (After KnowledgeEditor)

    The change is the gradient times aᵢ bⱼ at row i and column j, with a and b from 0 to 2.
    """

    def __init__(
        self,
        width: int,
        rank: int,
        layers: int,
        length: float,
        low_rank_output: Function,
        seed: int = 0,
    ) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.down, self.up = _networks(width, rank, layers, generator)
        self.starts = nn.ParameterList(nn.Parameter(torch.zeros(width)) for _ in range(layers))
        self._length, self._output = length, low_rank_output

    def forward(self, factors: Sequence[Factors]) -> list[NewOutputs]:
        """The edit, by the layers' new outputs."""
        functions = []
        for (u, delta), down, up, start in zip(factors, self.down, self.up, self.starts):
            shares = delta.norm(dim=1) / delta.norm(dim=1).sum()
            seen = [_unit(shares @ u), _unit(delta.sum(0))]
            gates = 2 * torch.sigmoid(start + up @ torch.relu(down @ torch.cat(seen)))
            gated = u * gates[: u.shape[1]], delta * gates[u.shape[1] :]
            functions.append(_by_factors(self._output, *gated, self._length))
        return functions


class Mend(nn.Module):
    """A network on the factors of each token, u and δ side by side. (MEND)

    `fit` takes the statistics of training facts before training.
    """

    def __init__(
        self,
        width: int,
        rank: int,
        layers: int,
        transform_factors: Function,
        low_rank_output: Function,
        seed: int = 0,
    ) -> None:
        super().__init__()
        generator = torch.Generator().manual_seed(seed)
        self.down, self.up = _networks(width, rank, layers, generator)
        self.rates = nn.ParameterList(nn.Parameter(torch.zeros(())) for _ in range(layers))
        self.register_buffer("means", torch.zeros(layers, width))
        self.register_buffer("scales", torch.ones(layers, width))
        self.register_buffer("length", torch.ones(()))
        self._transform, self._output = transform_factors, low_rank_output

    def fit(self, lessons: Sequence[Lesson], length: float, each_feature: bool = True) -> "Mend":
        """Take over mean and scale of the lessons' factors, and a first step of mean `length`.

        The editor moves to the lessons' device.
        With `each_feature` every entry of u and δ has a mean and a scale of its own, as in the
        paper. Without it, u has one scale and δ another in all layers, and the means are zero;
        then the untrained editor is the fixed step.
        """
        means, scales = map(torch.stack, zip(*factor_statistics(lessons)))
        self.to(means.device)
        if not each_feature:
            d_in = lessons[0].factors[0].inputs.shape[1]
            parts = (means.square() + scales.square()).tensor_split([d_in], dim=1)
            scales = torch.cat([part.mean().sqrt().expand_as(part) for part in parts], dim=1)
            means = torch.zeros_like(scales)
        self.means.copy_(means)
        self.scales.copy_(scales)
        with torch.no_grad():
            sizes = [_size(self._new_factors(lesson.factors)) for lesson in lessons]
        self.length.fill_(length / (sum(sizes) / len(sizes)))
        return self

    def forward(self, factors: Sequence[Factors]) -> list[NewOutputs]:
        """The edit, by the layers' new outputs."""
        return [
            _by_factors(self._output, *pair, self.length * rate.exp())
            for pair, rate in zip(self._new_factors(factors), self.rates)
        ]

    def _new_factors(self, factors):
        parts = zip(factors, self.means, self.scales, self.down, self.up)
        return [
            _like(pair.inputs, self._transform(*pair, *others)).tensor_split(
                [pair.inputs.shape[1]], dim=1
            )
            for pair, *others in parts
        ]


def _networks(width, rank, layers, generator):
    """Two matrices a layer: down, drawn, and up, zero, so that nothing is added at first."""
    down = nn.ParameterList(
        nn.Parameter(torch.randn(rank, width, generator=generator) / width**0.5)
        for _ in range(layers)
    )
    return down, nn.ParameterList(nn.Parameter(torch.zeros(width, rank)) for _ in range(layers))


def _by_factors(low_rank_output, inputs, output_grads, rate):
    def new_outputs(outputs, keys):
        return _like(outputs, low_rank_output(outputs, keys, inputs, output_grads, rate))

    return new_outputs


def _like(given, result):
    """What a function returned, as a tensor of the dtype of what it was given.

    It may work in float64; where no gradient flows, a numpy array may come back.
    """
    return torch.as_tensor(without_numpy(result)).to(given)


def _with_change(change, outputs, keys):
    return outputs + keys @ change.T


def _unit(vector):
    """The vector, with entries of size one half in the mean."""
    return vector / vector.norm() * len(vector) ** 0.5 / 2


def _size(pairs):
    """The length of a change, by its factors."""
    squares = [((u @ u.T) * (delta @ delta.T)).sum() for u, delta in pairs]
    return float(torch.stack(squares).sum().sqrt())
