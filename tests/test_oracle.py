"""The oracle against the definitions it implements, not against the solution notebook."""

import itertools
import math

import pytest
import torch

from autograder.hidden.locate_wrongs import AskedMap, Twist
from autograder.oracle import editing, metrics, references, tracing
from keyhole.facts import Fact, Probe
from keyhole.hooks import edit, record
from keyhole.models import EditableModel
from keyhole.moments import DEFAULT_LAYER, keys_over, load_moment, load_text


def problem(d_out=4, d_in=7, n=50, seed=0):
    generator = torch.Generator().manual_seed(seed)
    draw = lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)
    keys = draw(n, d_in) + draw(d_in)
    return draw(d_out, d_in), editing.second_moment(keys), draw(d_in), draw(d_out), keys


def test_the_update_meets_the_constraint_and_moves_other_keys_least():
    weight, moment, key, value, keys = problem()
    new = editing.rank_one_update(weight, moment, key, value)
    torch.testing.assert_close(new @ key, value)
    moved = lambda matrix: (keys @ (matrix - weight).T).square().sum()
    # Any other matrix that meets the constraint differs by something that is deaf to the key.
    for seed in range(20):
        other = torch.randn(
            4, 7, generator=torch.Generator().manual_seed(seed), dtype=torch.float64
        )
        other -= torch.outer(other @ key, key) / (key @ key)
        assert moved(new + 0.1 * other) > moved(new)


def test_the_update_solves_the_whole_system_where_w_is_the_least_squares_solution():
    _, _, key, value, keys = problem()
    values = torch.randn(50, 4, generator=torch.Generator().manual_seed(9), dtype=torch.float64)
    weight = torch.linalg.lstsq(keys, values).solution.T
    c = keys.T @ keys
    system = torch.cat([torch.cat([c, -key[:, None]], 1), torch.cat([key, key.new_zeros(1)])[None]])
    exact = torch.linalg.solve(system, torch.cat([keys.T @ values, value[None]]))[:-1].T
    torch.testing.assert_close(editing.rank_one_update(weight, c, key, value), exact)


def test_the_scale_of_c_cancels():
    weight, moment, key, value, _ = problem()
    torch.testing.assert_close(
        editing.rank_one_update(weight, moment, key, value),
        editing.rank_one_update(weight, 1e6 * moment, key, value),
    )


def test_the_objective_by_hand():
    now, before = torch.tensor([0.7, 0.3]).log(), torch.tensor([0.5, 0.5]).log()
    got = editing.value_objective(
        torch.tensor([[-1.0, -3.0]]),
        now,
        before,
        torch.tensor([3.0, 4.0]),
        torch.tensor([0.0, 2.0]),
        10.0,
        8.0,
    )
    kl = 0.7 * math.log(0.7 / 0.5) + 0.3 * math.log(0.3 / 0.5)
    assert got.item() == pytest.approx(2 + 10 * kl + 8 * 5 / 4, rel=1e-6)


def test_the_key_by_hand(toy):
    precise = EditableModel(toy.hf.double(), toy.tokenizer)
    prompt, subject, prefixes = "The Big Tower is", "Big Tower", ["", "Hé. "]
    found = []
    for prefix in prefixes:
        with record(precise.memory(1)) as seen:
            precise.next_token_probabilities([prefix + prompt])
        found.append(seen.input[0, len((prefix + "The Big Tower").encode()) - 1])
    torch.testing.assert_close(
        editing.subject_key(precise, 1, prompt, subject, prefixes),
        (found[0] + found[1]) / 2,
        rtol=1e-12,
        atol=1e-12,
    )


def test_a_tie_is_a_failure_and_neighbors_go_the_other_way():
    probe = Probe("x", " a", " b")
    fact = Fact("f", "r", "S x", "S", " a", " b", ("S y", "S z"), (("n", " a"),), probe, probe)
    log = lambda true, new: [math.log(true), math.log(new)]
    rows = torch.tensor(
        [log(0.2, 0.6), log(0.3, 0.3), log(0.1, 0.2), log(0.5, 0.1), log(0.4, 0.1), log(0.1, 0.4)],
        dtype=torch.float64,
    )
    found = metrics.scores([metrics.by_kind(fact, rows)])
    assert {kind: score.share for kind, score in found.items()} == {
        "original": 1,
        "paraphrase": 0.5,
        "neighborhood": 1,
        "reversion": 0,
        "portability": 1,
    }
    assert found["original"].magnitude == pytest.approx(0.4) and found[
        "neighborhood"
    ].magnitude == pytest.approx(0.4)
    assert metrics.edit_score(found) == pytest.approx(3 / (1 + 2 + 1))


def test_a_score_is_zero_if_any_part_is():
    zero, one = metrics.ProbabilityScore(0.0, 0, 1), metrics.ProbabilityScore(1.0, 0, 1)
    for parts in itertools.permutations([zero, one, one]):
        assert metrics.edit_score(dict(zip(("original", "paraphrase", "neighborhood"), parts))) == 0


def test_by_generation_a_neighbor_says_its_own_answer_and_the_rest_the_new_one():
    probe = Probe("x", " a", " b")
    fact = Fact(
        "f", "r", "S x", "S", " a", " b", ("S y", "S z"), (("n", " a"), ("m", " c")), probe, probe
    )
    said = torch.tensor([[0, 1], [0, 1], [1, 0], [1, 0], [0, 1], [0, 0], [0, 1]], dtype=torch.bool)
    found = metrics.generation_scores([metrics.generated_by_kind(fact, said)])
    assert {kind: score.share for kind, score in found.items()} == {
        "original": 1,
        "paraphrase": 0.5,
        "neighborhood": 0.5,
        "reversion": 0,
        "portability": 1,
    }
    assert (
        metrics.edit_score(found) == pytest.approx(3 / (1 + 2 + 2))
        and found["paraphrase"].probes == 2
    )


def test_the_two_ways_to_count_are_never_mixed():
    one = metrics.ProbabilityScore(1.0, 0, 1)
    with pytest.raises(TypeError, match="never mixed"):
        metrics.edit_score(
            {"original": one, "paraphrase": metrics.GenerationScore(1.0, 1), "neighborhood": one}
        )


def test_a_probe_without_a_rival_is_scored_by_generation_alone():
    class Lone:
        def probes(self):
            return {"original": [Probe("x", " a", " b")], "portability": [Probe("x", None, " b")]}

    by_probability = metrics.scores(
        [metrics.by_kind(Lone(), torch.tensor([[-2.0, -1.0], [float("nan"), -1.0]]))]
    )
    assert set(by_probability) == {"original"} and by_probability["original"].share == 1
    assert set(
        metrics.generation_scores(
            [metrics.generated_by_kind(Lone(), torch.tensor([[False, True], [False, True]]))]
        )
    ) == {"original", "portability"}


def test_a_model_that_says_nan_has_failed():
    class One:
        def probes(self):
            return {"original": [Probe("x", " a", " b")], "neighborhood": [Probe("x", " a", " b")]}

    found = metrics.scores([metrics.by_kind(One(), torch.full((2, 2), float("nan")))])
    assert found["original"].share == found["neighborhood"].share == 0


@pytest.mark.slow
def test_the_mean_key_is_that_of_the_text_that_c_is_of(real_model):
    mean, moment = references.mean_key(), load_moment().double()
    some = torch.cat(list(keys_over(real_model, DEFAULT_LAYER, load_text()[::40]))).double().mean(0)
    assert torch.cosine_similarity(mean, some, dim=0) > 0.9
    assert (
        torch.linalg.eigvalsh(moment - torch.outer(mean, mean)).min() > 0
        and mean @ torch.linalg.solve(moment, mean) < 1
    )


@pytest.fixture
def asked(toy):
    """A map of MLP outputs of a toy, in float64."""
    precise = EditableModel(toy.hf.double(), toy.tokenizer)
    generator = torch.Generator().manual_seed(3)
    noise = torch.randn(2, 2, 12, generator=generator, dtype=torch.float64)
    return AskedMap(precise, "At noon Bo is", "Bo", noise, (9, 12), (0, 2), "mlp", 2)


CELLS = [(9, (0, 2)), (8, (1, 3)), (12, (2, 4)), (9, (1, 1))]
TWISTS = [
    Twist(),
    Twist(late=True),
    Twist(of_corrupted=True),
    Twist(bound_late=True),
    Twist(added=True),
    Twist(place=lambda position: slice(position + 1)),
]


@pytest.mark.parametrize("twist", TWISTS)
def test_a_loop_gives_each_cell_what_it_has_alone(asked, twist):
    together = asked.loop.cells(CELLS, twist)
    alone = [asked.loop.cells([cell], twist)[0] for cell in CELLS]
    torch.testing.assert_close(together, torch.stack(alone))
    assert not torch.allclose(together[0], together[1])


def test_a_loop_without_a_twist_makes_the_sweep_s_map_wherever_the_noise_lies(asked):
    torch.testing.assert_close(asked.looped(), asked.right)
    for start in (0, 7, 11):
        span = slice(start, start + 2)
        swept = tracing.Sweep(asked.model, asked.prompt, asked.subject, 2 * asked.noise, span)
        looped = asked.covering(span.start, span.stop, 2 * asked.noise)
        torch.testing.assert_close(looped, asked.swept(swept))


def test_several_windows_at_once_make_the_maps_that_each_makes_alone(asked):
    windows = {"one": lambda layer: (layer, layer + 1), "all": lambda layer: (0, 3)}
    together = asked.looped_each(windows)
    assert list(together) == ["one", "all"]
    for name, window in windows.items():
        torch.testing.assert_close(together[name], asked.looped(windows=window))


def test_restorings_that_pile_up_hold_in_all_cells_after_theirs(asked):
    # What the second cell restores beside its own is what the first one did.
    first, second = (9, (0, 2)), (12, (2, 3))
    model, (_, stored) = asked.model, asked.loop.clean

    def put(position, layer):
        def changed(output):
            output = output.clone()
            output[:, position] = stored[layer][position]
            return output

        return edit(model.mlp(layer), changed)

    with put(9, 0), put(9, 1):
        both = asked.loop.cells([second])[0]
    piled = asked.loop.cells([first, second], Twist(piles_up=True))
    torch.testing.assert_close(piled, torch.stack([asked.loop.cells([first])[0], both]))
