"""What is systematically different about a wrong result, where no misconception explains it.

A symptom is an observation, never a guess: each function here looks for one, and gives a Remark of
the table SYMPTOMS where it holds. It says nothing that a result drawn at random could show in one
case of a thousand; tests/test_symptoms.py draws such results. Two facts keep it so:

- A result of n numbers meets a given one by chance with a probability of about (2 ε)ⁿ, where ε is
  the tolerance, relative to its size. With four numbers or more that is nothing, even if one or two
  are fitted.
- A single number meets one of K candidates with at most 2 ε K. With ε = `SCALAR` and K below 200
  that is 0.0008.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from itertools import combinations, permutations
from types import MappingProxyType

import torch
from torch import Tensor

from keyhole.messages import Remark, listed, word

SCALAR = 2e-6  # how near a single number must come: float32 rounds a loss at about 3e-7
SEVERAL = 4  # with so many numbers one of them may be fitted, and the rest tells
CROWDED = 100_000  # numbers; more that are drawn alike lie too close to tell one from another
LARGE = 4_000_000  # numbers; what takes longer to look at is left out
SHARES = ("efficacy", "neighborhood")  # their results are k / N, which coincide by chance
PROBABILITIES = ("trace", "efficacy", "neighborhood", "edit_score")
SYMMETRIC = ("second_moment", "null_space_projector")
RANK_ONE = ("rank_one_update",)
NUMBERS = (
    2,
    3,
    4,
    8,
    10,
    100,
    1000,
    3 / 2,
    math.log(2),
    math.sqrt(2),
    math.log(10),
    2 * math.pi,
    math.e,
)

# What the dimensions of a result are, and what it is a mean over.
AXES = {
    "corrupt": ("samples", "tokens", "dimensions"),
    "restore": ("samples", "tokens", "dimensions"),
    "trace": ("positions", "layers"),
    "subject_key": ("dimensions",),
    "spread_residual": ("facts", "dimensions"),
}
MEANS = {
    "sequence_nll": "tokens",
    "efficacy": "probes",
    "neighborhood": "probes",
    "edit_score": "shares",
    "indirect_effect": "samples",
    "trace": "samples",
    "subject_key": "prefixes",
    "second_moment": "keys",
}
# What the sizes of arguments count.
SIZES = {
    "sequence_nll": {"logits": ("tokens", "vocabulary")},
    "efficacy": {"nll_true": ("probes",)},
    "neighborhood": {"nll_true": ("probes",)},
    "indirect_effect": {"restored": ("samples",)},
    "corrupt": {"noise": ("samples", "subject_tokens", "dimensions")},
    "restore": {"hidden": ("samples", "tokens", "dimensions")},
    "trace": {"noise": ("samples", "subject_tokens")},
    "second_moment": {"keys": ("keys", "dimensions")},
    "value_objective": {
        "target_log_probs": ("prompts", "tokens"),
        "kl_log_probs": ("vocabulary",),
        "delta": ("dimensions",),
    },
    "locality_loss": {"log_probs": ("prompts", "vocabulary"), "replay_nll": ("texts",)},
    "memit_update": {"keys": ("facts", "dimensions")},
    "alphaedit_update": {"keys": ("facts",), "earlier_keys": ("earlier_facts",)},
    "spread_residual": {"targets": ("facts",)},
}


@dataclass(frozen=True)
class Given:
    """What a function was asked, as far as a symptom may speak of it.

    arguments: tensors, and numbers as scalars, by name.
    make_parts: gives the numbers (n, ...) of which the right result is the mean over n.
    regions: names of groups of tokens, and the tokens in each.
    names: what some of the parts are called; the others are told by their number.
    """

    function: str = ""
    arguments: Mapping[str, object] = field(default_factory=lambda: MappingProxyType({}))
    make_parts: Callable[[], Tensor] | None = None
    regions: Mapping[str, Iterable[int]] = field(default_factory=lambda: MappingProxyType({}))
    names: Mapping[int, Remark] = field(default_factory=lambda: MappingProxyType({}))

    @cached_property
    def numbers(self) -> dict[str, Tensor]:
        """The arguments that are numbers, in float64."""
        found = {}
        for name, value in self.arguments.items():
            if isinstance(value, Tensor) and value.numel():
                found[name] = value.detach().double()
            elif type(value) in (int, float):
                found[name] = torch.tensor(float(value), dtype=torch.float64)
        return found

    @cached_property
    def parts(self) -> Tensor | None:
        """The numbers of which the right result is the mean; made when first asked for."""
        return self.make_parts().double() if self.make_parts else None

    def axis(self, number: int, dimensions: int) -> Remark:
        """What a dimension of the result is called."""
        plain = ("rows", "columns") if dimensions == 2 else ("numbers",) * dimensions
        return word((AXES.get(self.function) or plain)[number])


def regions_of(function: str, arguments: Mapping) -> dict[str, Iterable[int]]:
    """The groups of tokens that an argument of `corrupt` or `restore` sets apart; else none."""
    if function == "corrupt":
        place, count = arguments["subject"], len(arguments["embeddings"])
        start, stop = place["slice"] if isinstance(place, Mapping) else place
        names = ("before_subject", "subject_region", "after_subject")
    elif function == "restore":
        start, count = arguments["position"], len(arguments["clean"])
        stop, names = start + 1, ("tokens_before", "restored_token", "tokens_after")
    else:
        return {}
    return dict(zip(names, (range(start), range(start, stop), range(stop, count))))


@dataclass(frozen=True)
class Comparison:
    """A wrong result beside the right one, of the same shape; both finite, in float64."""

    got: Tensor
    right: Tensor
    origin: Tensor | float = 0  # what sizes are counted from
    tolerance: float = 1e-4
    given: Given = Given()

    @property
    def single(self) -> bool:
        """Whether the result is one number."""
        return self.right.numel() == 1

    @cached_property
    def change(self) -> Tensor:
        """The right result, counted from the origin."""
        return self.right - self.origin

    @cached_property
    def size(self) -> float:
        """The size of one number of the change (its root mean square)."""
        return float(self.change.square().mean().sqrt()) or 1.0

    def meets(self, other: Tensor, origin: Tensor | float | None = None) -> bool:
        """Whether the result is `other`, as near as a right one would lie to the right one."""
        if other.shape != self.got.shape:
            return False
        allowed = min(SCALAR, self.tolerance) if self.single else self.tolerance
        size = self._far(other, self.origin if origin is None else origin)
        return 0 < size < math.inf and self._far(self.got, other) <= allowed * size

    def differs(self, other: Tensor) -> bool:
        """Whether `other` is far enough from the right result to be told from it."""
        far = 10 * (SCALAR if self.single else self.tolerance)
        return other.shape != self.right.shape or not (
            self._far(other, self.right) <= far * max(self._length, 1e-300)
        )

    def _far(self, one: Tensor, other: Tensor | float) -> float:
        """|one - other|: dozens of single numbers are compared, and torch is slow with those."""
        if self.single:
            return abs(float(one) - float(other))
        return float(torch.linalg.vector_norm(one - other))

    @cached_property
    def _length(self) -> float:
        return float(self.change.norm())


Symptom = Callable[[Comparison], Remark | None]


def said(code: str, **details: object) -> Remark:
    """A symptom in words."""
    return Remark(code, details, "SYMPTOMS")


def found(comparison: Comparison) -> Remark | None:
    """The first symptom that the result shows; None where it shows none."""
    if comparison.right.numel() > LARGE or not comparison.differs(comparison.got):
        return None
    return next(filter(None, (look(comparison) for look in SYMPTOMS)), None)


# ---------------------------------------------------------------- what holds whatever was drawn


def out_of_range(seen: Comparison) -> Remark | None:
    """A probability or a share below 0 or above 1. Chance plays no part: it is not possible."""
    if seen.given.function not in PROBABILITIES:
        return None
    low, high = float(seen.got.min()), float(seen.got.max())
    return said("out_of_range") if low < -1e-6 or high > 1 + 1e-6 else None


def no_share(seen: Comparison) -> Remark | None:
    """A share of N that is no multiple of 1 / N: it did not count. Chance plays no part."""
    if seen.given.function not in SHARES or not seen.single or _is_share(seen):
        return None
    return said("no_share")


def pairs(seen: Comparison) -> Remark | None:
    """A share that is k / N²: each answer was compared with every other. Chance: 4 · 10⁻⁴."""
    rows = seen.given.numbers.get("nll_true")
    if seen.given.function not in SHARES or not seen.single or rows is None or _is_share(seen):
        return None
    counted = float(seen.got) * len(rows) ** 2
    within = len(rows) <= 30 and 0 < counted < len(rows) ** 2  # float32 is exact enough
    return said("pairs") if within and abs(counted - round(counted)) <= 2e-4 else None


def _is_share(seen: Comparison) -> bool:
    """Whether a share is wanted and the result is k / N: that meets others by chance."""
    rows = seen.given.numbers.get("nll_true")
    if seen.given.function not in SHARES or not seen.single or rows is None:
        return False
    counted = float(seen.got) * len(rows)
    return abs(counted - round(counted)) <= 1e-3


def all_alike(seen: Comparison) -> Remark | None:
    """One number everywhere, or the same along one dimension.

    Chance: none; of n whole numbers below m, m⁻ⁿ. So few of these tell nothing.
    """
    if seen.single:
        return None

    def flat(tensor: Tensor, axis: int) -> bool:
        spread = (tensor - tensor.mean(axis, keepdim=True)).norm()
        return bool(spread <= 1e-6 * tensor.norm())

    alike = [
        axis
        for axis in range(seen.right.dim())
        if seen.right.shape[axis] > 1 and flat(seen.got, axis) and not flat(seen.right, axis)
    ]
    if not alike:
        return None
    if len(alike) == seen.right.dim():
        return said("zero" if not seen.got.any() else "all_alike")
    if _few_choices(seen, seen.right.numel() - seen.right.numel() // seen.right.shape[alike[0]]):
        return None
    return said("alike_along", axis=seen.given.axis(alike[0], seen.right.dim()))


def _few_choices(seen: Comparison, count: int) -> bool:
    """Whether `count` whole numbers of the right result could be drawn in less than 1,000 ways."""
    if bool((seen.right % 1).any()):
        return False
    return seen.right.unique().numel() ** min(count, 10) < 1000


def asymmetric(seen: Comparison) -> Remark | None:
    """A matrix that should equal its transpose, and does not. Chance plays no part."""
    if seen.given.function not in SYMMETRIC or seen.got.dim() != 2:
        return None
    off = (seen.got - seen.got.T).norm() / max(float(seen.got.norm()), 1e-300)
    return said("asymmetric") if off > 1e-3 else None


# ---------------------------------------------------------------- where


def places(seen: Comparison) -> Remark | None:
    """Some rows, columns, samples, tokens, layers are wrong, and the others are right.

    Chance: two numbers at least would have to come out right, and no other nearly so; of n numbers
    that is below n² (2 ε)² / 2. Few whole numbers tell nothing.
    """
    wrong = _wrong_numbers(seen)
    if wrong is None:
        return None
    trivial = seen.change.abs() <= 1e-9 * seen.size  # what stays as it was tells nothing
    kept = int((~wrong & ~trivial).sum())
    if _few_choices(seen, kept):
        return None
    for axis in range(seen.right.dim()):
        others = [other for other in range(seen.right.dim()) if other != axis]
        off = wrong.any(dim=others) if others else wrong
        idle = trivial.all(dim=others) if others else trivial
        if remark := _region(seen, axis, off):
            return remark
        bad, good = _numbers(off), _numbers(~off & ~idle)
        if not bad or kept < 2 or not good:
            continue
        name = seen.given.axis(axis, seen.right.dim())
        total = len(off)
        if len(bad) <= len(good):
            return said("only_wrong", axis=name, which=_which(bad, total))
        return said("only_right", axis=name, which=_which(_numbers(~off), total))
    return None


def _wrong_numbers(seen: Comparison) -> Tensor | None:
    """Which numbers are wrong; None where some are neither right nor clearly wrong."""
    off = (seen.got - seen.right).abs() / (seen.tolerance * seen.size)
    wrong = off > 3
    unclear = wrong & (off < 30)
    return None if seen.single or bool(unclear.any()) or not bool(wrong.any()) else wrong


def _numbers(mask: Tensor) -> list[int]:
    return mask.nonzero().flatten().tolist()


def _region(seen: Comparison, axis: int, off: Tensor) -> Remark | None:
    """The groups of tokens that are wrong, where they are wrong as a whole."""
    regions = {name: set(places) for name, places in seen.given.regions.items() if list(places)}
    if not regions or axis != seen.right.dim() - 2 or bool(off.all()):
        return None
    bad = set(_numbers(off))
    names = [name for name, places in regions.items() if places <= bad]
    if not names or set().union(*(regions[name] for name in names)) != bad:
        return None
    return said("region_wrong", where=listed(word(name) for name in names))


def _which(numbers: list[int], total: int) -> Remark:
    """In words: the first, the last two, numbers 1 and 3."""
    count = len(numbers)
    if numbers == list(range(count)):
        return word("first" if count == 1 else "first_ones", count=count)
    if numbers == list(range(total - count, total)):
        return word("last" if count == 1 else "last_ones", count=count)
    name = "number_of" if count == 1 else "numbers_of"
    return word(name, numbers=listed(numbers[:6], more=count > 6))


def edges(seen: Comparison) -> Remark | None:
    """Right inside, wrong at the border of a matrix. Chance: as for `places`."""
    if seen.got.dim() != 2 or min(seen.got.shape) < 4:
        return None
    if (wrong := _wrong_numbers(seen)) is None:
        return None
    sides = (wrong[0], wrong[-1], wrong[:, 0], wrong[:, -1])
    whole = all(bool(side.any()) for side in sides) and not wrong[1:-1, 1:-1].any()
    return said("edges") if whole else None


def diagonal(seen: Comparison) -> Remark | None:
    """Only the diagonal of a matrix is wrong, or only it is right, or one half.

    Its rows and columns must be the same things: the diagonal of a map of tokens and layers is
    nothing. Chance: as for `places`.
    """
    if seen.given.function not in SYMMETRIC or seen.got.dim() != 2 or len(seen.got) < 3:
        return None
    if (wrong := _wrong_numbers(seen)) is None:
        return None
    inside = torch.eye(len(wrong), dtype=torch.bool)
    if not wrong[~inside].any():
        return said("diagonal_wrong")
    for name, half in (("lower", wrong.tril(-1)), ("upper", wrong.triu(1))):
        if not half.any() and len(wrong) > 3:
            return said("half_right", half=word(name))
    return said("diagonal_right") if not wrong[inside].any() else None


# ---------------------------------------------------------------- another order


def moved(seen: Comparison) -> Remark | None:
    """Transposed, reversed, one place too far, or in another order. Chance: (2 ε)ⁿ, n ≥ 4.

    An order is told where each slice has two numbers or more, else n! candidates would do.
    """
    if seen.right.numel() < SEVERAL:
        return None
    dims = seen.right.dim()
    for order in permutations(range(dims)):
        swapped = seen.right.permute(order)
        if seen.meets(swapped, 0) and seen.differs(swapped):
            pair = [axis for axis, other in enumerate(order) if axis != other][:2]
            return said("axes_swapped", axes=listed(seen.given.axis(axis, dims) for axis in pair))
    for axis in range(dims):
        count, name = seen.right.shape[axis], seen.given.axis(axis, dims)
        flipped = seen.right.flip(axis)
        if count > 1 and seen.meets(flipped, 0) and seen.differs(flipped):
            return said("reversed", axis=name)
        if remark := _shifted(seen, axis, name):
            return remark
        if dims > 1 and 2 < count <= 64 and (order := _order(seen, axis)):
            return said("reordered", axis=name, order=listed(order[:8], more=count > 8))
    return None


def _shifted(seen: Comparison, axis: int, name: Remark) -> Remark | None:
    """Every slice along the axis is its neighbor's; the one at the border may be anything."""
    count = seen.right.shape[axis]
    if count < 3:
        return None
    for code, start, source in (("late", 1, 0), ("early", 0, 1)):
        got = seen.got.narrow(axis, start, count - 1)
        right = seen.right.narrow(axis, source, count - 1)
        norm = right.norm()
        flat = (right - right.mean(axis, keepdim=True)).norm() <= 1e-3 * norm
        if norm > 0 and not flat and (got - right).norm() <= seen.tolerance * norm:
            return said(code, axis=name)
    return None


def _order(seen: Comparison, axis: int) -> list[int] | None:
    """Which slice of the right result stands where, if all are there; else None."""
    got = seen.got.movedim(axis, 0).flatten(1)
    right = seen.right.movedim(axis, 0).flatten(1)
    if right.shape[1] < 2:
        return None
    near = torch.cdist(got, right) <= seen.tolerance * right.norm(dim=1).clamp(min=1e-300)
    if not bool((near.sum(1) == 1).all()):
        return None
    order = near.double().argmax(1).tolist()
    return order if sorted(order) == list(range(len(order))) and order != sorted(order) else None


def scattered(seen: Comparison) -> Remark | None:
    """The right numbers in other places. Chance: n! (2 ε)ⁿ with n ≥ 4; of whole ones not told.

    Of many numbers the sorted ones are alike as soon as they are spread alike, so they must also
    differ by much where they stand.
    """
    right, got = seen.right.flatten(), seen.got.flatten()
    if not SEVERAL <= len(right) <= CROWDED or right.equal(right.round()):
        return None
    if (got - right).norm() < 0.3 * (right - right.mean()).norm():
        return None
    off = (got.sort().values - right.sort().values).norm()
    return said("scattered") if off <= seen.tolerance * right.norm() else None


# ---------------------------------------------------------------- how much


def factor(seen: Comparison) -> Remark | None:
    """A constant times the right result, or the right change; which familiar one, if it is one.

    Chance: (2 ε)ⁿ⁻¹ with n ≥ 4 numbers, of which one fits the factor. A single number must meet a
    familiar factor: 2 ε K, where K is the number of these.
    """
    if not seen.single and seen.right.numel() < SEVERAL or _is_share(seen):
        return None
    starts = [0.0] if isinstance(seen.origin, float | int) else [0.0, seen.origin]
    if isinstance(seen.origin, float | int) and seen.origin:
        starts.append(seen.origin)
    for start in starts:
        right, got = seen.right - start, seen.got - start
        norm = right.square().sum()
        if not norm > 0:
            continue
        times = float((got * right).sum() / norm)
        if abs(times) < 1e-9 or not seen.meets(times * right + start, start):
            continue
        moved = "_of_change" if isinstance(start, Tensor) or start else ""
        if abs(times + 1) < (SCALAR if seen.single else 1e-3):
            return said("sign" + moved)
        if meanings := _familiar(times, seen):
            # The others may be what it is in all tests of a function: see diagnosis.py.
            return said("factor" + moved, factor=meanings[0], meanings=tuple(meanings))
        if not seen.single and abs(times - 1) > 1e-3:
            return said("factor" + moved, factor=_digits(times), meanings=(_digits(times),))
    return None


def _digits(number: float) -> str:
    """Three digits are enough, and more would tell what is right."""
    return f"{number:.3g}".replace("-", "−")


def _familiar(times: float, seen: Comparison) -> list[Remark | str]:
    """What a factor is: small numbers, or those that the arguments give."""
    near = SCALAR if seen.single else max(10 * seen.tolerance, 1e-4)
    return [
        meaning
        for value, meaning in familiar_factors(seen)
        if abs(times - value) <= near * abs(value) and abs(value - 1) > 1e-3
    ]


def familiar_factors(seen: Comparison) -> Iterator[tuple[float, Remark | str]]:
    """(value, what it is): the factors that a single number is compared with."""
    for number in NUMBERS:
        for value in (number, 1 / number):
            name = _named_number(number) if value == number else _inverse_named(number)
            yield value, name
            yield -value, word("negative", factor=name)
    sizes = SIZES.get(seen.given.function, {})
    for argument, counts in sizes.items():
        tensor = seen.given.numbers.get(argument)
        for count, what in zip(tensor.shape if tensor is not None else (), counts):
            yield from _of_count(count, word("count_of", what=word(what)))
    if seen.given.function == "subject_key" and seen.given.parts is not None:
        yield from _of_count(len(seen.given.parts), word("count_of", what=word("prefixes")))
    for name, tensor in seen.given.numbers.items():
        for value, what in _measures(name, tensor):
            if value and math.isfinite(value):
                yield value, what
                yield 1 / value, word("one_over", what=what)


def _named_number(number: float) -> str:
    names = {math.log(2): "ln 2", math.sqrt(2): "√2", math.log(10): "ln 10"}
    return {**names, 2 * math.pi: "2π", math.e: "e"}.get(number) or f"{number:g}"


def _inverse_named(number: float) -> str | Remark:
    return {3 / 2: "2/3"}.get(number) or f"1/{_named_number(number)}"


def _measures(name: str, tensor: Tensor) -> Iterator[tuple[float, Remark]]:
    """Numbers that an argument gives: itself, or its length, mean and spread."""
    if tensor.dim() == 0:
        yield float(tensor), word("argument", name=name)
    if tensor.dim() == 1:
        length = float(tensor.norm())
        yield length, word("length_of", name=name)
        yield length**2, word("square_length_of", name=name)
        yield float(tensor.mean()), word("mean_of", name=name)
        yield 1 - float(tensor.mean()), word("rest_of_mean", name=name)
        yield float(tensor.max()), word("largest_of", name=name)
    if tensor.dim() == 1 and len(tensor) > 1:
        yield float(tensor.std()), word("spread_of", name=name)


def _of_count(count: int, what: Remark) -> Iterator[tuple[float, Remark]]:
    if count > 1:
        yield count, what
        yield 1 / count, word("one_over", what=what)
        yield count / (count - 1), word("n_by_less", what=what)
        yield (count - 1) / count, word("less_by_n", what=what)
        yield count**0.5, word("root_of", what=what)
        yield count**-0.5, word("one_over", what=word("root_of", what=what))


def row_factors(seen: Comparison) -> Remark | None:
    """Each vector along the last dimension is the right one times a number of its own.

    Chance: (2 ε)ⁿ⁻¹ for a vector of n ≥ 4 numbers, of which there are two or more.
    """
    if seen.right.dim() < 2 or seen.right.shape[-1] < SEVERAL:
        return None
    for dims, name in ((-1, seen.right.dim() - 2), (-2, seen.right.dim() - 1)):
        if seen.right.shape[dims] < SEVERAL or seen.right.shape[-3 - dims] < 2:
            continue
        square = seen.right.square().sum(dims, keepdim=True)
        times = (seen.got * seen.right).sum(dims, keepdim=True) / square.clamp(min=1e-300)
        if bool((square > 0).all()) and _near(seen, times * seen.right) and times.std() > 1e-3:
            return said("row_factors", axis=seen.given.axis(name, seen.right.dim()))
    return None


def unit_diagonal(seen: Comparison) -> Remark | None:
    """A matrix with ones on its diagonal, where others are due. Chance: none."""
    if seen.got.dim() != 2 or seen.got.shape[0] != seen.got.shape[1] or len(seen.got) < 3:
        return None
    ones = torch.ones(len(seen.got), dtype=seen.got.dtype)
    alike = (seen.got.diag() - ones).norm() <= 1e-4 and not seen.got.equal(ones.diag())
    return said("unit_diagonal") if alike and (seen.right.diag() - ones).norm() > 1e-2 else None


def patchwork(seen: Comparison) -> Remark | None:
    """Tokens of one argument among those of another, in other places than it should be.

    Chance: (2 ε)ⁿ for each slice of n numbers.
    """
    sources = {
        name: tensor.expand(seen.right.shape)
        for name, tensor in seen.given.numbers.items()
        if 1 < tensor.dim() and tensor.shape == seen.right.shape[-tensor.dim() :]
    }
    if not seen.given.regions or len(sources) < 2:
        return None
    where: dict[str, list[Remark]] = {}
    for region, places in seen.given.regions.items():
        places = list(places)
        if not places:
            continue
        near = [
            name
            for name, tensor in sources.items()
            if (seen.got[..., places, :] - tensor[..., places, :]).abs().max()
            <= seen.tolerance * seen.size
        ]
        if len(near) != 1:
            return None
        where.setdefault(near[0], []).append(word(region))
    if len(where) < 2:
        return None
    (first, some), (second, others) = list(where.items())[:2]
    return said("patchwork", first=first, some=listed(some), second=second, others=listed(others))


def offset(seen: Comparison) -> Remark | None:
    """The same amount added to every number. Chance: (2 ε)ⁿ⁻¹ with n ≥ 4; never of one number."""
    if seen.right.numel() < SEVERAL or _flat(seen.right):
        return None
    amount = (seen.got - seen.right).mean()
    if abs(float(amount)) > 10 * seen.tolerance * seen.size and _near(seen, seen.right + amount):
        return said("offset", amount=_digits(float(amount)))
    return None


def scale_and_offset(seen: Comparison) -> Remark | None:
    """The right result times a number, plus another: a result that was normalised.

    Chance: (2 ε)ⁿ⁻² with n ≥ 6.
    """
    if seen.right.numel() < SEVERAL + 2 or _flat(seen.right):
        return None
    centred, got = seen.right - seen.right.mean(), seen.got - seen.got.mean()
    times = float((centred * got).sum() / centred.square().sum())
    plus = float(seen.got.mean() - times * seen.right.mean())
    fits = (got - times * centred).norm() <= seen.tolerance * got.norm()
    if fits and abs(times) > 1e-6:
        return said("scale_and_offset", factor=_digits(times), amount=_digits(plus))
    return None


def _flat(tensor: Tensor) -> bool:
    return bool((tensor - tensor.mean()).norm() <= 1e-3 * tensor.norm())


def _near(seen: Comparison, other: Tensor) -> bool:
    """Whether the result is `other`, in units of the right change."""
    return bool((seen.got - other).norm() <= seen.tolerance * seen.change.norm())


# ---------------------------------------------------------------- something else


def arguments(seen: Comparison) -> Iterator[tuple[Tensor, Remark]]:
    """Arguments, and plain things made of one, that have the shape of the result."""
    shape = seen.right.shape
    for name, tensor in seen.given.numbers.items():
        if tensor.dim() == 0 or tensor.numel() > LARGE:
            continue
        yield tensor, word("argument", name=name)
        yield tensor.T if tensor.dim() == 2 else tensor, word("transpose_of", name=name)
        if tensor.dim() > len(shape):
            for code, made in (
                ("mean_of", tensor.mean(0)),
                ("sum_of", tensor.sum(0)),
                ("first_of", tensor[0]),
                ("last_of", tensor[-1]),
            ):
                yield made, word(code, name=name)
        elif tensor.dim() < len(shape) and shape[1:] == tensor.shape:
            yield tensor.expand(shape), word("copies_of", name=name)


def like_argument(seen: Comparison) -> Remark | None:
    """An argument, its transpose, its mean. Chance: (2 ε)ⁿ; for one number 2 ε K."""
    for made, what in () if _is_share(seen) else arguments(seen):
        if made.shape == seen.right.shape and seen.meets(made, 0) and seen.differs(made):
            return said("like_argument", what=what)
    return None


def with_argument(seen: Comparison) -> Remark | None:
    """The right result plus a number times an argument. Chance: (2 ε)ⁿ⁻¹ with n ≥ 4."""
    if seen.right.numel() < SEVERAL:
        return None
    for made, what in arguments(seen):
        if made.shape != seen.right.shape or not made.any():
            continue
        rest = seen.got - seen.right
        times = float((rest * made).sum() / made.square().sum())
        if (rest - times * made).norm() <= seen.tolerance * rest.norm() and times:
            return said("with_argument", factor=_digits(times), what=what)
    return None


TRANSFORMS = {
    "exponential": torch.exp,
    "exponential_of_minus": lambda each: (-each).exp(),
    "logarithm": torch.log,
    "minus_logarithm": lambda each: -each.log(),
    "square": torch.square,
    "root": torch.sqrt,
    "reciprocal": torch.reciprocal,
    "one_minus": lambda each: 1 - each,
    "one_plus": lambda each: 1 + each,
    "absolute": torch.abs,
    "sigmoid": torch.sigmoid,
    "tanh": torch.tanh,
}


def transformed(seen: Comparison) -> Remark | None:
    """A plain function of the right result. Chance: 2 ε K for one number, with K = 12.

    Of a share k / N most of them are shares again, so none is told.
    """
    if seen.given.function in SHARES or seen.right.dim() and _flat(seen.right):
        return None
    for name, function in TRANSFORMS.items():
        made = function(seen.right)
        if seen.meets(made, 0) and seen.differs(made):
            return said("transformed", how=word(name))
    return None


def reductions(parts: Tensor) -> Iterator[tuple[str, Tensor]]:
    """What else than the mean over the first dimension could be taken."""
    count = len(parts)
    yield "sum", parts.sum(0)
    yield "median", parts.median(0).values
    yield "median", parts.quantile(0.5, 0)
    yield "largest", parts.max(0).values
    yield "smallest", parts.min(0).values
    yield "root_mean_square", parts.square().mean(0).sqrt()
    yield "mean_of_absolutes", parts.abs().mean(0)
    yield "mean_of_squares", parts.square().mean(0)
    yield "product", parts.prod(0)
    yield "euclidean", parts.norm(dim=0)
    if count > 1:
        yield "deviation", parts.std(0)
        yield "deviation", parts.std(0, correction=0)
        yield "variance", parts.var(0)
        yield "variance", parts.var(0, correction=0)
    if bool((parts > 0).all()):
        yield "geometric_mean", parts.log().mean(0).exp()
        yield "harmonic_mean", 1 / (1 / parts).mean(0)


def reduced(seen: Comparison) -> Remark | None:
    """Another summary than the mean: sum, median, largest, ... Chance: 2 ε K, K below 20."""
    parts = _parts(seen)
    if parts is None:
        return None
    over = word(MEANS.get(seen.given.function, "numbers"))
    for name, made in reductions(parts):
        if not seen.differs(made):
            continue
        if seen.meets(made, 0):
            return said("reduced", how=word(name), over=over)
        if seen.meets(-made, 0) and seen.differs(-made):
            return said("reduced", how=word("negative", factor=word(name)), over=over)
    return None


def one_missing(seen: Comparison) -> Remark | None:
    """A mean that leaves one or two of its numbers out, or is one alone. Chance: 2 ε K.

    K is 4 n for one number: it is told up to n = 16.
    """
    parts = _parts(seen)
    if parts is None or len(parts) < 2 or seen.single and len(parts) > 16:
        return None
    over, count, total = word(MEANS.get(seen.given.function, "numbers")), len(parts), parts.sum(0)
    for i in range(count):
        which = seen.given.names.get(i) or _which([i], count)
        options = [("part_alone", parts[i]), ("part_missing", (total - parts[i]) / (count - 1))]
        options += [("part_uncounted", (total - parts[i]) / count)]
        options += [("part_twice", (total + parts[i]) / (count + 1))]
        for code, made in options:
            if seen.meets(made, 0) and seen.differs(made):
                return said(code, which=which, over=over)
    if not seen.single and count <= 12:
        for size in range(2, count - 1):
            for chosen in combinations(range(count), size):
                made = parts[list(chosen)].mean(0)
                if seen.meets(made, 0) and seen.differs(made):
                    return said("parts_alone", which=_which(list(chosen), count), over=over)
    return None


def _parts(seen: Comparison) -> Tensor | None:
    parts = seen.given.parts
    if (
        parts is None
        or not len(parts)
        or parts.shape[1:] != seen.right.shape
        or seen.given.function in SHARES
    ):
        return None
    return parts if parts.numel() <= LARGE else None


# ---------------------------------------------------------------- numbers that were cut


def rounded(seen: Comparison) -> Remark | None:
    """Rounded to a few decimals. Chance: a single number lies on 2 decimals by 2 · 10⁻⁷."""
    for decimals in (0, 1, 2, 3, 4, 5):
        made = seen.right.round(decimals=decimals)
        enough = seen.right.numel() >= SEVERAL or decimals >= 2
        exact = (seen.got - made).abs().max() <= 1e-6 * max(1.0, float(made.abs().max()))
        if enough and exact and seen.differs(made) and made.any():
            if seen.given.function not in SHARES:
                return said("rounded", decimals=decimals)
    return None


def whole(seen: Comparison) -> Remark | None:
    """Whole numbers where others are due. Chance: (2 ε)ⁿ with n ≥ 4."""
    if seen.right.numel() < SEVERAL or not seen.got.equal(seen.got.round()):
        return None
    due = bool(((seen.right - seen.right.round()).abs() <= 1e-3).all())
    return None if due else said("whole")


def clipped(seen: Comparison) -> Remark | None:
    """Right within limits, and at a limit elsewhere. Chance: (2 ε)ᵏ for the k ≥ 2 numbers within.

    Two numbers or more lie at the limit: they are equal, which chance does not give.
    """
    if seen.right.numel() < SEVERAL + 2:
        return None
    for code, bound, cut in (("cut_above", seen.got.max(), 1), ("cut_below", seen.got.min(), -1)):
        made = seen.right.clamp(max=bound) if cut == 1 else seen.right.clamp(min=bound)
        changed = int((made != seen.right).sum())
        if changed > 1 and seen.right.numel() - changed > 1:
            if _near(seen, made) and seen.differs(made):
                return said(code, bound=_digits(float(bound)))
    return None


# ---------------------------------------------------------------- a change of rank one


def one_side(seen: Comparison) -> Remark | None:
    """A change of rank one, of which one side is right: what is written, or the key it answers to.

    Chance: (2 ε)ᵈ⁻¹ for a side of d ≥ 4 numbers.
    """
    if seen.given.function not in RANK_ONE or min(seen.right.shape) < SEVERAL:
        return None
    change = seen.got - seen.origin
    left, sizes, right_side = torch.linalg.svd(change, full_matrices=False)
    true_left, _, true_right = torch.linalg.svd(seen.change, full_matrices=False)
    if not sizes[0] > 0 or sizes[1] > 1e-3 * sizes[0]:
        return None

    def along(one: Tensor, other: Tensor) -> bool:
        return bool(1 - abs(float(one @ other)) <= seen.tolerance**2)

    writes, reads = along(left[:, 0], true_left[:, 0]), along(right_side[0], true_right[0])
    if writes == reads:
        return said("neither_side") if not writes else None
    return said("only_written_right" if writes else "only_key_right")


# The order is that in which they are looked for: the most telling first.
SYMPTOMS: tuple[Symptom, ...] = (
    all_alike,
    reduced,
    one_missing,
    factor,
    moved,
    like_argument,
    transformed,
    rounded,
    offset,
    clipped,
    unit_diagonal,
    diagonal,
    patchwork,
    places,
    edges,
    scattered,
    with_argument,
    row_factors,
    scale_and_offset,
    one_side,
    whole,
    pairs,
    no_share,
    out_of_range,
    asymmetric,
)


# ---------------------------------------------------------------- a wrong shape


def of_shape(got: Tensor, right: Tensor, given: Given = Given()) -> Remark | None:
    """What is systematic about a wrong shape. It is read off the shape: chance plays no part."""
    shape, due = tuple(got.shape), tuple(right.shape)
    names = [given.axis(axis, len(due)) for axis in range(len(due))]
    for axis, name in enumerate(names):
        without = due[:axis] + due[axis + 1 :]
        if shape == without:
            return said("axis_missing", axis=name)
        if shape == (*due[:axis], 1, *due[axis + 1 :]) and due[axis] != 1:
            return said("axis_kept", axis=name)
        if len(shape) == len(due) and shape[:axis] + shape[axis + 1 :] == without:
            if name.code == "dimensions":
                return None  # none is missing or too many: these are vectors of another place
            code = "axis_short" if shape[axis] < due[axis] else "axis_long"
            return said(code, axis=name, count=abs(shape[axis] - due[axis]))
    if len(shape) == len(due) > 2 and sorted(shape) == sorted(due):
        return said("axes_ordered", axes=listed(names))
    if tuple(size for size in shape if size != 1) == tuple(size for size in due if size != 1):
        return said("axis_of_one")
    if not due and given.parts is not None and shape == (len(given.parts),):
        return said("not_reduced", over=word(MEANS.get(given.function, "numbers")))
    for axis in range(len(shape)):
        if shape[:axis] + shape[axis + 1 :] == due:
            return said("axis_too_many", count=shape[axis])
    return None
