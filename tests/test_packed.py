"""Texts packed as a tree give what each of them gives alone."""

import pytest
import torch

from keyhole.packed import SuspendedTree, Tree, cache_of, trees_of

BEFORE = "In short: "
TEXTS = [
    "The city of Paris is in",
    "The city of Paris was",
    "The city of",
    "The tower",
    "Abcdefghi",
]


def tree_of(*texts):
    tree = Tree()
    for number, text in enumerate(texts):
        tree.add(number, text)
    return tree


def difference_as_trees(model, layer, start):
    """The largest difference of a logit between packed texts and each text alone."""
    ids = model.encode([BEFORE + text for text in TEXTS])
    cache = cache_of(model, ids[0][:start]) if start else None
    differences = []
    with torch.no_grad():
        for tree in trees_of(ids, start):
            logits = model.logits(SuspendedTree(model, tree, layer, cache).run())
            for number, path in tree.paths.items():
                alone = model.hf(torch.tensor([ids[number]])).logits[0, start:]
                differences.append((logits[path] - alone).abs().max().item())
    assert len(differences) == len(TEXTS)
    return max(differences)


def test_what_texts_share_is_there_once():
    tree = tree_of([5, 6, 7], [5, 6, 8, 9], [5, 6], [6, 7])
    assert tree.tokens == [5, 6, 7, 8, 9, 6, 7]
    assert tree.paths == {0: [0, 1, 2], 1: [0, 1, 3, 4], 2: [0, 1], 3: [5, 6]}
    assert [row.nonzero().flatten().tolist() for row in tree.seen()] == [
        *([0], [0, 1], [0, 1, 2], [0, 1, 3], [0, 1, 3, 4], [5], [5, 6])
    ]


def test_a_tree_ends_at_its_size_and_holds_what_begins_alike(monkeypatch):
    monkeypatch.setattr("keyhole.packed.TOKENS_AT_ONCE", 4)
    trees = trees_of([[9, 1, 2], [9, 3, 4], [9, 1, 5], [9, 3, 6], [9, 7]], start=1)
    assert [tree.tokens for tree in trees] == [[1, 2, 5, 3, 4], [3, 6, 7]]
    assert [sorted(tree.paths) for tree in trees] == [[0, 1, 2], [3, 4]]


@pytest.mark.parametrize("start", [0, len(BEFORE)])
@pytest.mark.parametrize("layer", [0, 1, 2])
@pytest.mark.parametrize("most", [10, 256])
def test_every_text_is_as_if_it_were_alone(toy, layer, start, most, monkeypatch):
    monkeypatch.setattr("keyhole.packed.TOKENS_AT_ONCE", most)
    assert difference_as_trees(toy, layer, start) < 1e-5


@pytest.mark.slow
@pytest.mark.parametrize("start", [0, 2])
def test_the_real_model(real_model, start):
    assert difference_as_trees(real_model, 5, start) < 1e-3  # logits of size 20


def test_it_can_be_run_again_and_feels_the_weights_of_the_moment(toy):
    ids = toy.encode(TEXTS)
    tree = SuspendedTree(toy, tree_of(*ids), 1, cache_of(toy, ids[0]))
    with torch.no_grad():
        first = tree.run()
        with toy.edited(1, torch.randn(12, 20)):
            assert not torch.allclose(tree.run(), first)
        assert torch.equal(tree.run(), first)
