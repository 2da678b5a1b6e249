"""Ctrl-C twice: what the first one began to put back is put back whole."""

import os
import shutil
import signal
import threading

import pytest
import torch

from keyhole import fetch, finetuning
from keyhole.finetuning import FineTuning, fine_tuned
from keyhole.interrupts import held_back
from tests import test_finetuning as tuned

pytestmark = pytest.mark.skipif(os.name == "nt", reason="Windows sends no SIGINT to one process")


def press() -> None:
    """Ctrl-C, as the terminal sends it."""
    os.kill(os.getpid(), signal.SIGINT)


def test_a_second_ctrl_c_waits_until_the_trained_weights_are_restored(toy, monkeypatch):
    before, in_block, pressed = tuned.weights(toy), False, []

    def bytes_of(weight, original=finetuning._bytes):
        if in_block and len(pressed) < 3:
            pressed.append(press())
        return original(weight)

    monkeypatch.setattr(finetuning, "_bytes", bytes_of)
    with pytest.raises(KeyboardInterrupt):
        with fine_tuned(toy, tuned.PROMPT, tuned.TARGET, tuned.nll, tuned.FAST):
            in_block = True
            press()
    assert len(pressed) == 3 and tuned.same(toy, before)
    assert not any(weight.requires_grad for weight in toy.hf.parameters())


def test_a_second_ctrl_c_leaves_no_hook_of_the_training(toy, monkeypatch):
    before, removed = tuned.weights(toy), []
    register = torch.Tensor.register_post_accumulate_grad_hook

    def registered(weight, hook):
        handle = register(weight, hook)
        remove = handle.remove

        def interrupted():
            removed.append(press())
            remove()

        handle.remove = interrupted
        return handle

    monkeypatch.setattr(torch.Tensor, "register_post_accumulate_grad_hook", registered)
    with pytest.raises(KeyboardInterrupt):
        with fine_tuned(toy, tuned.PROMPT, tuned.TARGET, lambda *_: press(), FineTuning(steps=1)):
            raise AssertionError("unreachable")
    weights = list(toy.hf.parameters())
    assert len(removed) == len(weights) and tuned.same(toy, before)
    assert not any(weight._post_accumulate_grad_hooks for weight in weights)


def test_a_second_ctrl_c_waits_until_an_edited_weight_is_restored(toy, monkeypatch):
    before, in_block = toy.weight(1).detach().clone(), False

    def copied(weight, source, original=torch.Tensor.copy_):
        if in_block:
            press()
            # a bytecode later, as when the copy takes its time
            threading.current_thread()
        return original(weight, source)

    monkeypatch.setattr(torch.Tensor, "copy_", copied)
    with pytest.raises(KeyboardInterrupt):
        with toy.edited(1, torch.ones(12, 20)):
            in_block = True
            press()
    assert torch.equal(toy.weight(1), before)


def test_a_second_ctrl_c_leaves_no_half_of_the_download(tmp_path, monkeypatch):
    def removed(path, original=shutil.rmtree):
        press()
        original(path)

    monkeypatch.setattr(shutil, "rmtree", removed)
    monkeypatch.setattr(fetch, "_bring", lambda *_: press())
    with pytest.raises(KeyboardInterrupt):
        fetch._make(tmp_path / "model", None, fetch.SMOLLM2, False)
    assert list(tmp_path.iterdir()) == []


def test_a_ctrl_c_that_was_held_back_comes_after_the_block():
    done = []
    with pytest.raises(KeyboardInterrupt):
        with held_back():
            press()
            done.append("all of it")
    assert done and signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_error_in_the_block_stays_itself_and_ctrl_c_works_again():
    with pytest.raises(ZeroDivisionError), held_back():
        1 / 0
    with pytest.raises(KeyboardInterrupt):
        press()


def test_another_thread_and_an_ignored_ctrl_c_change_nothing():
    ran = []

    def in_thread():
        with held_back():
            ran.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=in_thread)
    thread.start()
    thread.join()
    assert ran == [signal.default_int_handler]
    old = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        with held_back():
            press()
    finally:
        signal.signal(signal.SIGINT, old)
