"""autograder.sandbox: tensors in, tensors out.

Whatever else a student's code does ends at a limit, and in one sentence.
"""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import asdict
from pathlib import Path
from types import SimpleNamespace

import numpy
import pytest
import torch

from autograder.messages.en import FAILURES
from autograder.sandbox import (
    Limits,
    Sandbox,
    StudentFailed,
    child,
    failures,
    isolation,
    limits,
    process,
    replies,
    wire,
    zygote_client,
)
from autograder.sandbox.zygote_client import ZygoteClient
from keyhole.checking.adapters import DTYPES
from keyhole.errors import KeyholeError
from keyhole.models import DEFAULT_MODEL

linux = pytest.mark.skipif(sys.platform != "linux", reason="limits of the Linux kernel")
QUICK = Limits(seconds=2, memory_mb=256, reply_mb=1, file_mb=1)

SOURCE = """
from __future__ import annotations
import os, sys, signal, subprocess, threading, time
import numpy as np
import torch
from dataclasses import dataclass

@dataclass
class Pair:
    left: torch.Tensor
    right: torch.Tensor

SELF = os.getpid()
def product(a, b): return a @ b
def times(a, number, part): return a[part] * number
def identity(a): return a
def in_place(a): a += 1; return a
def square(a): return (a ** 2).sum()
def random(): return torch.rand(3)
def stub(a): raise NotImplementedError("fill in")
def calls_a_blank(a): return stub(a)
def meets_torch(): return torch.empty(2, device="meta").tolist()
def process_id(): return SELF

class Mine(torch.Tensor):
    pass
class Liar:
    @property
    def __class__(self): return torch.Tensor
class Silent(Exception):
    def __str__(self): raise ValueError("no")
class Endless(Exception):
    def __str__(self):
        while True: pass

def give(what):
    return {
        "float": lambda: 0.1, "int": lambda: 3, "truth": lambda: True,
        "numpy": lambda: np.arange(6.0)[::-2], "numpy float": lambda: np.float64(2.5),
        "subclass": lambda: torch.ones(2, 3).as_subclass(Mine),
        "parameter": lambda: torch.nn.Parameter(torch.ones(2, 3)),
        "int32": lambda: torch.ones(2, dtype=torch.int32),
        "view": lambda: torch.arange(6.0).reshape(2, 3).t(), "nothing": lambda: torch.empty(0, 3),
        "none": lambda: None, "list": lambda: [1.0], "string": lambda: "a", "liar": Liar,
        "tuple": lambda: (torch.ones(1),), "function": lambda: print,
        "meta": lambda: torch.empty(3, device="meta"),
        "sparse": lambda: torch.eye(3).to_sparse(),
        "complex": lambda: torch.ones(2, dtype=torch.complex64),
        "float8": lambda: torch.ones(2).to(torch.float8_e4m3fn),
        "large": lambda: torch.zeros(2**18 + 20_000),
        "endless view": lambda: torch.zeros(1).expand(10**12),
    }[what]()

def fail(how):
    def raising(error): raise error
    def deep(n): return deep(n + 1)
    return {
        "value": lambda: raising(ValueError("a\\x1b[31m\\n\\u202ebad" + "x" * 1000)),
        "silent": lambda: raising(Silent()), "endless": lambda: raising(Endless()),
        "exit": lambda: sys.exit(0), "interrupt": lambda: raising(KeyboardInterrupt()),
        "recursion": lambda: deep(0),
        "os exit": lambda: os._exit(0), "segfault": lambda: os.kill(os.getpid(), signal.SIGSEGV),
        "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    }[how]()

def loop():
    for number in range(1, 32):
        try: signal.signal(number, signal.SIG_IGN)
        except OSError: pass
    try:
        while True: pass
    finally:
        loop()

def sleep(): time.sleep(100)
def hog(): return torch.cat([torch.ones(2**20) for _ in range(1000)])
def outer(keys): return (keys[:, :, None] * keys[:, None, :]).mean(0)
def outer_numpy(keys):
    keys = keys.numpy()
    products = keys[:, :, None] * keys[:, None, :]
    return products.mean(0)
def waits(a):
    time.sleep(1)
    return a
def works(a):
    until = time.process_time() + 20
    while time.process_time() < until: pass
def hog_list(): return [bytearray(2**20) for _ in range(10_000)]
def pipes():
    found = []
    for fd in range(3, 200):
        try:
            if os.readlink(f"/proc/self/fd/{fd}").startswith("pipe:"): found.append(fd)
        except OSError: pass
    return found
def write(data):
    for fd in pipes():
        try: os.write(fd, eval(data))
        except OSError: pass
    return 1
def write_later():
    def late():
        time.sleep(0.1)
        write("bytes(100)")
    threading.Thread(target=late, daemon=True).start()
    return 1
def trickle():
    while True:
        write("b'\\\\1'")
        time.sleep(0.01)
def close_all(): os.closerange(0, 1000)
def close_and_stay(): os.closerange(0, 1000); time.sleep(100)
def chat():
    print("x" * 1000); sys.stderr.write("y"); os.write(1, b"garbage"); os.write(2, b"garbage")
    subprocess.run(["echo", "from another program"])
    return len(sys.stdin.read())
def fork_sleeper():
    if os.fork() == 0: time.sleep(100)
    return 1
def fork_sleeper_and_exit():
    if os.fork() == 0: time.sleep(100)
    os._exit(3)
def fork_twice_and_leave():
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0: time.sleep(100)
        os._exit(0)
    return 1
def leave_under_another_name():
    subprocess.Popen(["sleep", "100"], start_new_session=True, env={}, stdin=subprocess.DEVNULL)
    return 1
def both_return(): return torch.ones(1) if os.fork() else torch.zeros(1)
def thread_forever(): threading.Thread(target=lambda: time.sleep(100)).start(); return 1
def flood():
    for i in range(100): open(f"file{i}", "w").close()
    os.mkdir("locked"); open("locked/a", "w").close(); os.chmod("locked", 0)
    os.symlink("/", "root")
    for i in range(1010): os.mkdir("deeper"); os.chdir("deeper")
    return 1
def large_file():
    with open("large", "wb") as file: file.write(bytes(2**21))
def tell(what): raise ValueError(eval(what))
def use_cpu():
    while True: pass
"""

pytestmark = pytest.mark.slow  # more than a minute; `make test` runs it


@pytest.fixture(scope="module")
def zygote():
    """The process id of the zygote that all sandboxes share."""
    return zygote_of_all()


def zygote_of_all():
    """That process id, as seen from here: in namespaces it has another."""
    with Sandbox("def f(): return 1") as sandbox:
        run(sandbox, "f")
    return next(
        pid
        for pid in [
            zygote_client.SHARED._process.pid,
            *descendants(zygote_client.SHARED._process.pid),
        ]
        if is_python(pid)
    )


def is_python(pid):
    return (
        b"zygote.py" in (command := Path("/proc", str(pid), "cmdline").read_bytes())
        and b"--ro-bind" not in command
    )


def descendants(pid):
    """Process ids of the children of a process, and of theirs."""
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            if int(entry.read_text().rpartition(")")[2].split()[1]) == pid:
                child = int(entry.parent.name)
                yield from (child, *descendants(child))


@pytest.fixture(scope="module")
def plain_zygote():
    zygote = ZygoteClient("E")
    yield zygote
    zygote.close()


@pytest.fixture
def plain(plain_zygote, monkeypatch):
    """The lowest level.

    A submission can start processes and threads, write files and send signals there. It must not
    get far.
    """
    monkeypatch.setattr(zygote_client, "SHARED", plain_zygote)


@pytest.fixture
def plain_box(plain):
    with Sandbox(SOURCE, QUICK) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def box():
    with Sandbox(SOURCE, QUICK) as sandbox:
        yield sandbox


def give(box, what):
    return box.call("give", options={"order": ["what"], "values": {"what": what}}).tensors["result"]


def failure(box, function, *values, seconds=None):
    names = [f"v{i}" for i in range(len(values))]
    with pytest.raises(StudentFailed) as caught:
        box.call(
            function, options={"order": names, "values": dict(zip(names, values))}, seconds=seconds
        )
    said = str(caught.value)
    assert len(said) <= 300 and said.isprintable()
    return caught.value.kind, said


def run(box, function, **values):
    return box.call(function, options={"order": list(values), "values": values}).tensors["result"]


def still_works(box):
    a, b = torch.randn(2, 3), torch.randn(3, 5)
    assert torch.equal(
        box.call("product", tensors={"a": a, "b": b}, options={"order": ["a", "b"]}).tensors[
            "result"
        ],
        a @ b,
    )


# What comes back


def test_arguments_by_position_transposed_and_plain(box):
    a, b = torch.randn(2, 3), torch.randn(5, 3)
    reply = box.call(
        "product", tensors={"b": b, "a": a}, options={"order": ["a", "b"], "transposed": ["b"]}
    )
    assert list(reply.tensors) == ["result"] and torch.allclose(reply.tensors["result"], a @ b.t())
    reply = box.call(
        "times",
        tensors={"a": a},
        options={"order": ["a", "n", "p"], "values": {"n": 3, "p": {"slice": [1, None]}}},
    )
    assert torch.equal(reply.tensors["result"], 3 * a[1:])


def test_the_adapters_and_the_wire_accept_the_same_dtypes():
    assert set(DTYPES) == set(wire.DTYPES.values())


@pytest.mark.parametrize("dtype", wire.DTYPES.values())
def test_every_accepted_dtype_comes_back_bit_for_bit(box, dtype):
    sent = torch.randn(3, 4).mul(4).to(dtype)
    got = box.call("identity", tensors={"a": sent}, options={"order": ["a"]}).tensors["result"]
    assert got.dtype == dtype and torch.equal(got, sent)


def test_not_a_number_survives(box):
    got = box.call(
        "identity",
        tensors={"a": torch.tensor([float("nan"), float("inf")])},
        options={"order": ["a"]},
    ).tensors["result"]
    assert got[0].isnan() and got[1].isinf()


def test_changed_inputs_are_seen_and_the_graders_own_are_not_changed(box):
    a = torch.zeros(2, 3)
    reply = box.call("in_place", tensors={"a": a}, options={"order": ["a"], "after": True}).tensors
    assert reply["after.a"].eq(1).all() and a.eq(0).all()


def test_gradients(box):
    a = torch.randn(3)
    call = {"tensors": {"a": a}, "options": {"order": ["a"], "grad": ["a"]}}
    assert torch.allclose(box.call("square", **call).tensors["grad.a"], 2 * a)
    assert not box.call("identity", **call).tensors["result"].requires_grad
    reply = box.call("process_id", tensors={"a": a}, options={"order": [], "grad": ["a"]}).tensors
    assert list(reply) == ["result"]


@pytest.mark.parametrize(
    "what, expected",
    [
        ("float", torch.tensor(0.1, dtype=torch.float64)),
        ("int", torch.tensor(3)),
        ("truth", torch.tensor(True)),
        ("numpy", torch.tensor([5.0, 3, 1], dtype=torch.float64)),
        ("numpy float", torch.tensor(2.5, dtype=torch.float64)),
        ("subclass", torch.ones(2, 3)),
        ("parameter", torch.ones(2, 3)),
        ("int32", torch.ones(2, dtype=torch.int64)),
        ("view", torch.arange(6.0).reshape(2, 3).t()),
        ("nothing", torch.empty(0, 3)),
    ],
)
def test_results_become_plain_tensors(box, what, expected):
    got = give(box, what)
    assert (
        type(got) is torch.Tensor
        and got.dtype == expected.dtype
        and torch.equal(got, expected)
        and got.is_contiguous()
        and not got.requires_grad
    )


@pytest.mark.parametrize(
    "what, says",
    [
        ("none", "returned None: is there a `return`?"),
        ("list", "returned a list, not a tensor"),
        ("string", "returned a str"),
        ("liar", "returned a Liar"),
        ("tuple", "returned a tuple"),
        ("function", "returned a builtin_function_or_method"),
        ("meta", "the meta device"),
        ("sparse", "torch.sparse_coo"),
        ("complex", "complex64"),
        ("float8", "float8"),
        ("large", "too large"),
        ("endless view", "too large"),
    ],
)
def test_results_that_cannot_be_graded(box, what, says):
    kind, message = failure(box, "give", what)
    assert kind == "error" and says in message


def test_randomness_starts_anew_at_each_call(box):
    assert torch.equal(run(box, "random"), run(box, "random"))


def test_one_process_serves_many_calls(box):
    assert run(box, "process_id") == run(box, "process_id")


def test_write_edit():
    source = """
def put(module, new):
    stored = new if isinstance(module, torch.nn.Linear) else new.t()
    with torch.no_grad(): module.weight.copy_(stored)
def replace(module, new): module.weight = torch.nn.Parameter(new.t())
import torch"""
    new, bias = torch.randn(2, 3), torch.randn(2)
    with Sandbox(source, QUICK) as sandbox:
        conv = sandbox.call(
            "put",
            "write_edit",
            {"weight": torch.zeros(3, 2), "new_weight": new, "bias": bias},
            {"kind": "conv1d"},
        ).tensors
        assert torch.equal(conv["weight"], new.t()) and torch.equal(conv["bias"], bias)
        linear = sandbox.call(
            "put",
            "write_edit",
            {"weight": torch.zeros(2, 3), "new_weight": new},
            {"kind": "linear"},
        ).tensors
        assert (
            torch.equal(linear["weight"], new) and linear["same_parameter"] and "bias" not in linear
        )
        assert not sandbox.call(
            "replace",
            "write_edit",
            {"weight": torch.zeros(3, 2), "new_weight": new},
            {"kind": "conv1d"},
        ).tensors["same_parameter"]


def test_functions_of_a_model():
    from keyhole.toy import toy_model

    source = """
import torch
def weight(model, layer): return model.weight(layer)
def spoil(model, layer): next(model.hf.parameters()).data.add_(1); return 1
def hook(model, layer): model.block(layer).register_forward_hook(lambda *a: None); return 1
def ask(model, layer):
    asked = {"output_hidden_states": True, "output_attentions": True}
    return model.hf(torch.tensor([[1, 2]]), **asked).hidden_states[layer]
def pretend(model, layer):
    def look(*a): pass
    look.__module__ = ask(model, layer) is None or "transformers.utils.output_capturing"
    model.block(layer).register_forward_pre_hook(look)
    return 1"""
    spec = {"layout": "gpt2", "seed": 3, "width": 12, "mlp_width": 20}
    options = {"order": ["layer"], "values": {"layer": 1}, "model": spec}
    with Sandbox(source, QUICK) as sandbox:
        reply = sandbox.call("weight", "model_function", options=options).tensors
        assert (
            torch.equal(reply["result"], toy_model(**spec).weight(1))
            and reply["hooks_left"] == 0
            and not reply["model_changed"]
        )
        assert sandbox.call("spoil", "model_function", options=options).tensors["model_changed"]
        assert sandbox.call("ask", "model_function", options=options).tensors["hooks_left"] == 0
        for leaves in ("hook", "pretend"):
            reply = sandbox.call(leaves, "model_function", options=options).tensors
            assert reply["hooks_left"] == 1 and not reply["model_changed"]


def test_a_model_that_was_changed_is_loaded_again(plain, tmp_path):
    from keyhole.toy import toy_model

    toy, name = toy_model("gpt2"), str(tmp_path / "model")
    toy.hf.save_pretrained(name)
    toy.tokenizer.save_pretrained(name)
    source = """
def weight(model): return model.weight(1)
def spoil(model): model.weight(1).data.add_(1); return model.weight(1)
def train(model): model.hf.train(); return model.weight(1)
def trained(model): return model.hf.training"""
    options = {"order": [], "model": name}
    with Sandbox(source, QUICK, models=[name]) as sandbox:
        assert torch.equal(
            sandbox.call("weight", "model_function", options=options).tensors["result"],
            toy.weight(1),
        )
        assert sandbox.call("spoil", "model_function", options=options).tensors["model_changed"]
        assert torch.equal(
            sandbox.call("weight", "model_function", options=options).tensors["result"],
            toy.weight(1),
        )
        assert sandbox.call("train", "model_function", options=options).tensors["settings_changed"]
        assert not sandbox.call("trained", "model_function", options=options).tensors["result"]


def test_a_toy_is_the_same_object_while_nothing_is_left_on_it():
    source = """
SEEN = []
def same(model): SEEN.append(model); return SEEN[-1] is SEEN[0]
def train(model): model.hf.train(); return same(model)"""
    toy = {"order": [], "model": {"layout": "gpt2", "seed": 3}}
    other = {"order": [], "model": {"layout": "gpt2", "seed": 4}}
    asked = [("same", toy), ("same", toy), ("same", other), ("train", toy), ("same", toy)]
    with Sandbox(source, QUICK) as sandbox:
        answers = [
            sandbox.call(name, "model_function", options=options).tensors["result"].item()
            for name, options in asked
        ]
    assert answers == [True, True, False, False, False]


def test_a_bias_that_was_taken_away_is_none_of_the_right_kind():
    with Sandbox("def drop(module, new): module.bias = None", QUICK) as sandbox:
        reply = sandbox.call(
            "drop",
            "write_edit",
            {"weight": torch.zeros(2, 3), "new_weight": torch.ones(2, 3), "bias": torch.ones(2)},
            {"kind": "linear"},
        ).tensors
    assert reply["bias"].shape == (0,)


GRADIENT = {"order": ["a"], "grad": ["a"]}
ONE, NO = torch.ones(2, 3), torch.tensor(False)
# (adapter, options, a reply of the right form, changes that spoil it; None leaves a tensor out)
FORMS = [
    ("plain", {"order": ["a"]}, {"result": ONE}, [{"result": None}, {"more": ONE}]),
    (
        "plain",
        {"order": ["a"], "after": True},
        {"result": ONE, "after.a": ONE, "shared.a": NO, "flagged.a": NO},
        [{"after.a": None}, {"shared.a": None}, {"flagged.a": torch.tensor(0)}],
    ),
    (
        "plain",
        GRADIENT,
        {"result": ONE},
        [{"grad.b": ONE}, {"grad.a": torch.ones(6)}, {"grad.a": ONE.double()}],
    ),
    ("plain", GRADIENT, {"result": ONE, "grad.a": ONE}, [{"result": None}]),
    (
        "model_function",
        {"order": ["a"]},
        {"result": ONE, "hooks_left": torch.tensor(0), "model_changed": NO, "settings_changed": NO},
        [
            {"settings_changed": None},
            {"hooks_left": None},
            {"model_changed": None},
            {"model_changed": NO[None]},
            {"model_changed": torch.tensor(0)},
            {"hooks_left": torch.zeros(2, dtype=torch.int64)},
        ],
    ),
    (
        "write_edit",
        {"kind": "linear"},
        {
            "weight": ONE,
            "a": ONE,
            "after.new_weight": ONE,
            "same_parameter": NO,
            "weight_shared": NO,
            "weight_flagged": NO,
        },
        [
            {"weight_shared": None},
            {"weight_flagged": None},
            {"weight": None},
            {"after.new_weight": None},
            {"same_parameter": None},
            {"same_parameter": torch.ones(3).bool()},
            {"a": None},
        ],
    ),
]


@pytest.mark.parametrize(
    "adapter, options, reply, others", FORMS, ids=lambda part: part if isinstance(part, str) else ""
)
def test_a_reply_of_another_form_is_refused(adapter, options, reply, others):
    replies.check_reply(reply, adapter, {"a": ONE}, options)
    for other in others:
        with pytest.raises(wire.WireError):
            replies.check_reply(
                {name: tensor for name, tensor in (reply | other).items() if tensor is not None},
                adapter,
                {"a": ONE},
                options,
            )


# What goes wrong


@pytest.mark.parametrize(
    "source",
    ["import numpy.f2py.__main__", "TEXT = '''\nimport numpy.f2py.__main__\n'''"],
    ids=["it ends the process", "it is only a text"],
)
def test_what_a_notebook_imports_is_no_affair_of_the_start(source):
    with Sandbox(source + "\ndef f(): return 1", QUICK) as sandbox:
        assert run(sandbox, "f") == 1


def test_blanks_and_absent_functions(box):
    assert failure(box, "stub", 1) == ("missing", FAILURES["stub"])
    assert failure(box, "calls_a_blank", 1) == (
        "missing",
        "calls `stub`, which is still a blank: fill that in first.",
    )
    assert failure(box, "nowhere") == ("missing", "there is no function `nowhere`.")
    kind, message = failure(box, "meets_torch", seconds=10)
    assert kind == "error" and "NotImplementedError" in message


def test_a_definition_that_fails_loses_only_itself():
    source = (
        "import nowhere\ndef f(): return 1\ndef g(): return nowhere.x\ndef h(x=missing): return"
        " 1\ndef k(): break\ndef m(): return other"
    )
    with Sandbox(source, QUICK) as sandbox:
        assert run(sandbox, "f") == 1
        assert "module `nowhere`, which is not installed" in failure(sandbox, "g")[1]
        assert failure(sandbox, "h") == (
            "error",
            "your definitions did not run: NameError: name 'missing' is not defined.",
        )
        assert "SyntaxError" in failure(sandbox, "k")[1]
        assert failure(sandbox, "m") == ("error", "raised NameError: name 'other' is not defined.")


@pytest.mark.parametrize(
    "source, kind, says",
    [
        ("class C:\n    while True: pass", "timeout", "did not run: took longer than 1 s"),
        ("import os\nclass C: os._exit(7)", "error", "exit status 7"),
        ("def f(:", "error", "did not run"),
    ],
)
def test_definitions_that_never_come_to_an_end(source, kind, says, monkeypatch):
    with Sandbox(source + "\ndef f(): return 1", Limits(seconds=1)) as sandbox:
        start = failure(sandbox, "f")
        assert start[0] == kind and says in start[1]
        monkeypatch.setattr("autograder.sandbox.sandbox.ChildProcess", None)  # none is started
        assert failure(sandbox, "f") == start  # said again, not suffered again


@pytest.mark.parametrize(
    "how, kind, says",
    [
        ("value", "error", "raised ValueError: a [31m badxxx"),
        ("silent", "error", "raised Silent"),
        ("endless", "timeout", "took longer than 1 s"),
        ("exit", "error", "raised SystemExit: 0"),
        ("interrupt", "error", "raised KeyboardInterrupt"),
        ("recursion", "error", "raised RecursionError"),
        ("os exit", "error", "exit status 0"),
        ("segfault", "error", "Segmentation fault"),
        ("kill", "error", "killed from outside"),
    ],
)
def test_every_way_to_fail_is_a_sentence(box, how, kind, says):
    got = failure(box, "fail", how, seconds=1)
    assert got[0] == kind and says in got[1]
    still_works(box)


FORGED = """
import json, os
def double(x, status):
    detail = " ".join(f"{value:.4f}" for value in x.flatten().tolist())
    text = json.dumps({"__metadata__": {"status": status, "detail": detail}}).encode()
    for descriptor in range(3, 16):
        sizes = (len(text) + 8).to_bytes(8, "little") + len(text).to_bytes(8, "little")
        try: os.write(descriptor, sizes + text)
        except OSError: pass
    os._exit(0)
"""


@pytest.mark.parametrize("code", sorted(failures.FAILURES))
def test_a_forged_failure_has_known_words_or_is_the_student_s_own(code):
    x = torch.randn(3, 5)
    with Sandbox(FORGED, QUICK) as sandbox, pytest.raises(StudentFailed) as caught:
        sandbox.call(
            "double",
            tensors={"x": x},
            options={"order": ["x", "status"], "values": {"status": code}},
        )
    own_words, told = (
        {"definitions", "raised", "type"},
        {"absent", "memory", "big"},
    )  # the former are quoted without numbers, where a test is graded
    assert caught.value.code == (code if code in own_words | told else "garbled")
    assert code in own_words or f"{x.flatten()[0]:.4f}" not in str(caught.value)


def test_a_standstill_of_the_grader_s_own_is_no_time_out(plain_box, monkeypatch):
    still_works(plain_box)
    late, ready, clock = [0], process._ready, time.monotonic

    def stalled(*watched):
        found = ready(*watched)
        late[0] = 1000
        return found

    monkeypatch.setattr(process, "_ready", stalled)
    monkeypatch.setattr(limits, "time", SimpleNamespace(monotonic=lambda: clock() + late[0]))
    used = plain_box._allowance.used
    still_works(plain_box)
    assert late[0] and plain_box._allowance.used - used < 100


@pytest.mark.parametrize("level", ["plain", "best"])
def test_what_is_set_on_standard_input_does_not_reach_the_next(level, request):
    if level == "plain":
        request.getfixturevalue("plain")
    source = (
        "import ctypes, os\nlibc = ctypes.CDLL(None)\ndef put(): return libc.ioctl(0, 0x5421,"
        " ctypes.byref(ctypes.c_int(1)))\ndef get(): return libc.fcntl(0, 3, 0) & os.O_NONBLOCK"
    )
    for function in ("put", "get"):
        with Sandbox(source, QUICK) as sandbox:
            assert run(sandbox, function) == 0


@pytest.mark.parametrize("function", ["loop", "sleep", "trickle", "close_and_stay"])
def test_the_wall_limit_holds(box, function):
    still_works(box)
    used = box._allowance.used
    kind, _ = failure(box, function, seconds=0.5)
    # By the sandbox's own clock, which a busy machine can stop for no longer than that.
    assert box._allowance.used - used <= 0.5 * limits.WALL + limits.STANDSTILL_SECONDS
    assert kind == "timeout" or function in (
        "trickle",
        "close_and_stay",
    )  # these may be told apart earlier
    still_works(box)


@pytest.mark.parametrize("which", ["plain_box", "box"])
def test_processor_time_decides_what_is_too_slow(which, request, monkeypatch):
    """A process that waits, as all do on a loaded machine, has three times its limit."""
    box, a = request.getfixturevalue(which), torch.ones(1)
    options = {"order": ["a"]}
    reply = box.call("waits", tensors={"a": a}, options=options, seconds=0.5)
    assert torch.equal(reply.tensors["result"], a)
    reply = box.call("waits", tensors={"a": a}, options=options, seconds=0.5)  # counted anew
    monkeypatch.setattr("autograder.sandbox.sandbox.WALL", 100)  # however loaded this machine is
    start = time.monotonic()
    with pytest.raises(StudentFailed, match="took longer than 0.7 s and was stopped") as caught:
        box.call("works", tensors={"a": a}, options=options, seconds=0.7)
    assert caught.value.code == "timeout" and 0.7 <= time.monotonic() - start < 20
    still_works(box)


def test_a_large_request_to_a_process_that_does_not_read_ends_too(plain_box):
    os.kill(int(run(plain_box, "process_id")), signal.SIGSTOP)
    with pytest.raises(StudentFailed, match="took longer"):
        plain_box.call(
            "identity", tensors={"a": torch.zeros(2**20)}, options={"order": ["a"]}, seconds=0.5
        )
    still_works(plain_box)


@linux
@pytest.mark.parametrize("function", ["hog", "hog_list"])
def test_the_memory_limit_is_named(box, function):
    assert failure(box, function) == ("error", "ran out of memory: the limit is 256 MB.")
    still_works(box)


@linux
@pytest.mark.parametrize("function, line", [("outer", "def outer("), ("outer_numpy", "products =")])
def test_a_step_that_asks_for_too_much_memory_is_named(box, function, line):
    with pytest.raises(StudentFailed) as caught:
        box.call(function, tensors={"keys": torch.ones(300, 700)}, options={"order": ["keys"]})
    [said] = [each for each in SOURCE.splitlines() if each.strip().startswith(line)]
    assert str(caught.value) == (
        f"ran out of memory at `{said.strip()}`, 600 MB / 256 MB (this step asks for / all steps "
        "may use): look for a way without so large a tensor."
    )
    still_works(box)


def test_megabytes_are_told_with_one_digit():
    assert [wire.rounded(count) for count in (0.2, 7.6, 64, 97, 8694)] == [1, 8, 60, 100, 9000]


@linux
def test_the_processor_limit_is_a_backstop():
    with Sandbox(SOURCE, Limits(seconds=20, cpu_seconds=1)) as sandbox:
        assert failure(sandbox, "use_cpu") == (
            "timeout",
            "used more than 1 s of processor time and was stopped.",
        )


@pytest.mark.parametrize(
    "data",
    [
        "bytes(8)",
        "b'\\xff' * 8",
        "b'garbage' * 100",
        "(10).to_bytes(8, 'little')",
        "(100).to_bytes(8, 'little') + bytes(100)",
    ],
)
def test_garbage_in_the_pipe_spoils_one_call(box, data):
    kind, message = failure(box, "write", data, seconds=1)
    assert kind in ("error", "timeout") and (
        "too large" in message or "cannot read" in message or "took longer" in message
    )
    still_works(box)


def test_what_is_written_after_the_reply_is_not_taken_for_the_next(plain_box):
    run(plain_box, "write_later")
    time.sleep(0.3)
    still_works(plain_box)


def test_closing_every_descriptor(box):
    assert failure(box, "close_all")[0] == "error"
    still_works(box)


def test_output_and_input_are_nobodys(plain_box, capfd):
    assert run(plain_box, "chat") == 0
    assert capfd.readouterr() == ("", "")


def test_a_grandchild_that_keeps_the_pipe_open(plain_box):
    assert run(plain_box, "fork_sleeper") == 1
    still_works(plain_box)
    start = time.monotonic()
    assert failure(plain_box, "fork_sleeper_and_exit") == (
        "error",
        FAILURES["exited"].format(detail=3),
    )
    assert time.monotonic() - start < 30  # the sleeper sleeps for 100 s
    assert run(plain_box, "both_return") == 1
    still_works(plain_box)


@linux
def test_processes_and_threads_are_counted_where_the_user_is_not_root():
    """In a process of its own that is nobody, since the kernel does not count root's."""
    if not (pid := os.fork()):
        started = 0
        try:
            if os.getuid() == 0:
                os.setresuid(65534, 65534, 65534)
            child.limit(asdict(Limits(processes=5, memory_mb=8192)), alone=False)
            while started < 100:
                threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
                started += 1
        finally:
            os._exit(started)
    assert 0 < os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) <= 5


def test_a_file_has_a_size_limit(plain_box):
    assert (
        "OSError" in failure(plain_box, "large_file")[1]
        or "File too large" in failure(plain_box, "large_file")[1]
    )


# What is there to be found, and what is left


@pytest.fixture(scope="module")
def fresh():
    """A sandbox that tells what there is.

    The grader that starts it has a secret in its environment, and a descriptor that is ready to be
    inherited.
    """
    with pytest.MonkeyPatch.context() as patch, open(__file__) as own:
        patch.setenv("SECRET_OF_THE_GRADER", "canary")
        patch.setattr(zygote_client, "SHARED", zygote := ZygoteClient("E"))
        os.set_inheritable(own.fileno(), True)
        sandbox = Sandbox(SOURCE, QUICK)
        run(sandbox, "process_id")
    yield sandbox
    sandbox.close()
    zygote.close()


def told(sandbox, expression):
    return (
        failure(sandbox, "tell", expression)[1]
        .removeprefix("raised ValueError: ")
        .removesuffix(".")
    )


def test_the_environment_is_clean(fresh):
    known = (
        "PATH LANG LC_CTYPE HOME TMPDIR MPLCONFIGDIR MPLBACKEND OMP_NUM_THREADS OMP_THREAD_LIMIT"
        " OPENBLAS_NUM_THREADS MKL_NUM_THREADS MALLOC_ARENA_MAX HF_HUB_OFFLINE TRANSFORMERS_OFFLINE"
        " PYTHONHASHSEED PYTHONDONTWRITEBYTECODE TOKENIZERS_PARALLELISM CUDA_VISIBLE_DEVICES"
        " KEYHOLE_LANG KEYHOLE_CACHE KEYHOLE_DATA"
    )
    others = told(fresh, f"[name for name in os.environ if name not in {known.split()}]")
    assert re.fullmatch(
        r"\[('(KMP|TORCH|PYTORCH)_\w+'(, )?)*\]", others
    )  # torch sets some for itself
    place = told(fresh, "os.getcwd()")
    assert told(fresh, "os.environ['HOME']") == place and os.path.dirname(
        place
    ) == os.path.realpath(tempfile.gettempdir())
    assert told(fresh, "os.listdir('.')") == "[]"


@linux
def test_no_descriptor_is_inherited(fresh):
    places = told(
        fresh,
        "sorted(os.readlink(fd).split(':')[0] for fd in map('/proc/self/fd/{}'.format, range(256))"
        " if os.path.lexists(fd))",
    )
    assert places == "['/dev/null', '/dev/null', '/dev/null', 'pipe', 'pipe']"
    assert told(fresh, "[os.get_inheritable(fd) for fd in pipes()]") == "[False, False]"
    assert told(fresh, "'canary' in open('/proc/self/environ').read()") == "False"


def test_a_module_in_the_working_folder_is_not_imported(fresh):
    assert (
        told(
            fresh,
            "[path for path in sys.path if path in ('', '.', os.getcwd())], sys.flags.safe_path",
        )
        == "([], True)"
    )


def leftovers(folder):
    """(temporary folders, processes, our open descriptors).

    The processes are those that know the folder or live in it, and our zombies.
    """
    processes = set()
    for entry in Path("/proc").glob("[0-9]*") if sys.platform == "linux" else ():
        try:
            zombie = re.search(
                rf"^State:\s+Z.*^PPid:\s+{os.getpid()}$",
                (entry / "status").read_text(),
                re.MULTILINE | re.DOTALL,
            )
            if (
                zombie
                or str(folder).encode() in (entry / "environ").read_bytes()
                or os.readlink(entry / "cwd").startswith(str(folder))
            ):
                processes.add(entry.name)
        except OSError:
            pass
    return set(folder.iterdir()), processes, len(os.listdir("/dev/fd"))


def test_nothing_is_left_of_a_sandbox(plain, tmp_path, monkeypatch):
    zygote_of_all()
    monkeypatch.setattr(
        tempfile, "tempdir", str(tmp_path)
    )  # others' sandboxes are none of our business
    before = leftovers(tmp_path)
    for function in [
        "process_id",
        "flood",
        "thread_forever",
        "fork_sleeper",
        "fork_twice_and_leave",
        "leave_under_another_name",
    ]:
        with Sandbox(SOURCE, Limits(seconds=10)) as sandbox:
            assert run(sandbox, function)
        assert leftovers(tmp_path) == before
    with (
        pytest.raises(StudentFailed),
        Sandbox("class C:\n    while True: pass\ndef f(): pass", Limits(seconds=0.3)) as sandbox,
    ):
        run(sandbox, "f")
    with pytest.raises(KeyError), Sandbox(SOURCE, QUICK) as sandbox:
        run(sandbox, "process_id")
        raise KeyError
    assert leftovers(tmp_path) == before == (set(), set(), before[2])


def test_a_sandbox_that_cannot_start_is_no_fault_of_the_student(tmp_path, monkeypatch):
    python = tmp_path / "python"
    for content, says in [
        (None, "No such file"),
        ("exit 1", "exit status 1"),
        ("echo 'OSError: no room' >&2; exit 1", "OSError: no room"),
    ]:
        if content:
            python.write_text(f"#!/bin/sh\n{content}\n")
            python.chmod(0o700)
        monkeypatch.setattr(zygote_client, "SHARED", ZygoteClient("E"))
        monkeypatch.setattr(isolation.sys, "executable", str(python))
        with Sandbox("def f(): pass") as sandbox:
            with pytest.raises(KeyholeError, match=f"did not start: .*{says}") as first:
                sandbox.call("f")
            with pytest.raises(KeyholeError) as second:
                sandbox.call("f")
            assert (
                not content or second.value is first.value
            )  # a start that takes its time to fail is not tried once a test


# The zygote


HOSTILE = """
import os, signal, torch
def break_torch():
    torch.Tensor.__matmul__ = torch.matmul = None
    torch.manual_seed = lambda seed: None
    os.environ["HOME"] = "/nowhere"
    return 1
def product(a, b): return a @ b
def kill_parent(): os.kill(os.getppid(), signal.SIGKILL); signal.pause()
def stop_parent(): os.kill(os.getppid(), signal.SIGSTOP); return 1
def sleep(seconds): __import__("time").sleep(seconds); return os.getppid()
def parent(): return os.getppid()
"""


def test_what_one_child_changes_the_next_does_not_see():
    with Sandbox(HOSTILE, QUICK) as sandbox:
        assert run(sandbox, "break_torch") == 1
        with Sandbox(SOURCE, QUICK) as other:
            still_works(other)
        assert "TypeError" in failure(sandbox, "product", 1, 2)[1]
    with Sandbox(SOURCE, QUICK) as other:
        still_works(other)


@linux
def test_a_start_is_a_fork(zygote):
    parent = zygote_of_all()
    with Sandbox(SOURCE, QUICK) as sandbox:
        still_works(sandbox)
        assert zygote_of_all() == parent
        # What is forked has the command line of its parent, and what is started has one of its own.
        line = Path("/proc", str(parent), "cmdline").read_bytes()
        children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
        assert children and all(
            Path("/proc", pid, "cmdline").read_bytes() == line for pid in children
        )


def asked(sandbox, monkeypatch):
    """An event that is set as soon as the sandbox's process has a request."""
    held, event = sandbox._child, threading.Event()

    def receive(*arguments, receive=held._receive):
        event.set()
        return receive(*arguments)

    monkeypatch.setattr(held, "_receive", receive)
    return event


@linux
def test_a_zygote_killed_from_outside_is_replaced(zygote, monkeypatch):
    with Sandbox(HOSTILE) as sandbox, ThreadPoolExecutor() as pool:
        run(sandbox, "parent")
        before, in_work = zygote_of_all(), asked(sandbox, monkeypatch)
        answer = pool.submit(run, sandbox, "sleep", seconds=1)
        assert in_work.wait(60)
        os.kill(before, signal.SIGKILL)
        assert (
            answer.result() and sandbox._zygote is not zygote_client.SHARED
        )  # the call is made again, from a zygote of the sandbox's own
    with Sandbox(SOURCE) as other:
        still_works(other)
    assert zygote_of_all() != before


@linux
def test_a_zygote_killed_between_two_calls_is_not_noticed():
    with Sandbox(HOSTILE) as sandbox:
        run(sandbox, "parent")
        os.kill(zygote_of_all(), signal.SIGKILL)
        time.sleep(0.3)
        assert run(sandbox, "parent")


@linux
def test_a_child_that_kills_its_zygote_fails_alone(plain, monkeypatch):
    """Nobody waits for the silence of a zygote that is gone."""
    monkeypatch.setattr("autograder.sandbox.zygote_client.SILENT_SECONDS", 600)
    begun = time.monotonic()
    with Sandbox(HOSTILE) as hostile, Sandbox(HOSTILE) as honest, ThreadPoolExecutor() as pool:
        run(honest, "parent")
        slow = pool.submit(run, honest, "sleep", seconds=1)
        time.sleep(0.3)
        assert failure(hostile, "kill_parent") == ("error", FAILURES["lost"])
        assert slow.result() > 1
        shared = zygote_of_all()
        assert (
            failure(hostile, "kill_parent")[0] == "error" and zygote_of_all() == shared
        )  # it has a zygote of its own by now
        still_works(hostile)
    with Sandbox(SOURCE) as other:
        still_works(other)
    assert time.monotonic() - begun < 300


@linux
def test_definitions_that_kill_the_zygote_are_not_run_over_and_over(plain, monkeypatch):
    with Sandbox(
        "import os\nos.kill(os.getppid(), 9)\nimport time\ntime.sleep(9)\ndef f(): return 1"
    ) as sandbox:
        first = failure(sandbox, "f")
        assert first == ("error", "your definitions did not run: " + FAILURES["lost"])
        monkeypatch.setattr("autograder.sandbox.sandbox.ChildProcess", None)  # none is started
        assert failure(sandbox, "f") == first


@linux
def test_a_stopped_zygote_is_given_up(plain, monkeypatch):
    monkeypatch.setattr("autograder.sandbox.zygote_client.SILENT_SECONDS", 0.5)
    with Sandbox(HOSTILE) as hostile:
        assert run(hostile, "stop_parent") == 1
    with Sandbox(SOURCE) as other:
        still_works(other)
    with Sandbox(HOSTILE) as hostile:
        assert run(hostile, "stop_parent") == 1
        with Sandbox(SOURCE, Limits(start_seconds=40)) as other:
            still_works(other)


@linux
def test_a_zygote_that_hangs_is_ended_with_all_that_is_around_it(zygote):
    group = zygote_of_all(), zygote_client.SHARED._process.pid
    os.kill(group[0], signal.SIGSTOP)
    zygote_client.SHARED.close(patience=0.1)
    assert all_end(map(str, group))


@linux
def test_thirty_sandboxes_leave_nothing(zygote, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    def held():
        pid = zygote_of_all()
        return (
            pid,
            leftovers(tmp_path),
            len(os.listdir(f"/proc/{pid}/fd")),
            len(list(Path("/proc").glob(f"{pid}/task/*"))),
        )

    before = held()

    def start(_):
        with Sandbox(SOURCE, Limits(seconds=10)) as sandbox:
            still_works(sandbox)

    with ThreadPoolExecutor(3) as pool:
        list(pool.map(start, range(30)))
    deadline = time.monotonic() + 10
    while (
        held() != before and time.monotonic() < deadline
    ):  # the zygote may just be closing what a child has left
        time.sleep(0.1)
    assert held() == before


@linux
def test_the_zygote_ends_with_the_grader(tmp_path):
    program = """
import time
from autograder.sandbox import Sandbox
sandbox = Sandbox("def f(): return 1")
print(int(sandbox.call("f", options={"order": []}).tensors["result"]), flush=True)
time.sleep(100)
"""
    place = {
        "cwd": Path(__file__).parent.parent,
        "env": os.environ | {"TMPDIR": str(tmp_path)},
    }  # for what a killed grader leaves
    with subprocess.Popen(
        [sys.executable, "-c", program], stdout=subprocess.PIPE, text=True, **place
    ) as grader:
        assert grader.stdout.readline() == "1\n"
        family = [*map(str, descendants(grader.pid))]
        assert len(family) >= 2 and all(map(runs, family))
        grader.kill()
    assert all_end(family)


def all_end(processes):
    processes, until = list(processes), time.monotonic() + 10
    while any(map(runs, processes)) and time.monotonic() < until:
        time.sleep(0.05)
    return not any(map(runs, processes))


def runs(pid):
    """Is there such a process that is more than a zombie?"""
    try:
        return Path("/proc", pid, "stat").read_text().rpartition(")")[2].split()[0] not in "ZX"
    except OSError:
        return False


@pytest.mark.skipif(not Path("/proc/self/smaps_rollup").exists(), reason="no smaps_rollup")
def test_children_share_the_memory_of_the_model(plain):
    source = """
import re
from pathlib import Path
def private(model):
    model.next_token_probabilities(["The Seine flows through"])
    memory = Path("/proc/self/smaps_rollup").read_text()
    return sum(map(int, re.findall(r"Private_\\w+: +(\\d+)", memory)))
def size(model): return sum(weight.nbytes for weight in model.hf.parameters())
"""
    options = {"order": [], "model": DEFAULT_MODEL}
    with Sandbox(source, models=[DEFAULT_MODEL]) as sandbox:
        private, size = (
            int(sandbox.call(name, "model_function", options=options).tensors["result"])
            for name in ("private", "size")
        )
    assert size > 400 * 2**20 and private * 1024 < size / 4


# The wire


def blob(header, data=b"", length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + data


def entry(dtype="F32", shape=(1,), offsets=(0, 4)):
    return {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"1234567",
        blob({}, length=1),
        blob({}, length=2**63),
        blob({}, length=5),
        blob(b"[]"),
        blob(b"{"),
        blob(b"\xff\xfe"),
        blob(b"[" * 60_000),
        blob(b"1" * 10_000),
        blob({"a": entry()}),
        blob({"a": entry()}, bytes(5)),
        blob({}, b"x"),
        blob(
            b'{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},'
            b'"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}',
            bytes(4),
        ),
        blob(b'{"a":{"dtype":"F32","dtype":"F64","shape":[1],"data_offsets":[0,4]}}', bytes(4)),
        blob({"a": entry(), "b": entry()}, bytes(4)),
        blob({"a": entry(offsets=(4, 8))}, bytes(8)),
        blob({"a": entry(), "b": entry(offsets=(2, 6))}, bytes(6)),
        blob({"a": entry("U8", [4])}, bytes(4)),
        blob({"a": entry(["F32"])}, bytes(4)),
        blob({"a": entry("C64", [1], [0, 8])}, bytes(8)),
        blob({"a": entry(shape=[1] * 9)}, bytes(4)),
        blob({"a": entry(shape=[1] * 100_000)}, bytes(4)),
        blob({"a": entry(shape=[-1, -1])}, bytes(4)),
        blob({"a": entry(shape=[True])}, bytes(4)),
        blob({"a": entry(shape=[1.0])}, bytes(4)),
        blob({"a": entry(shape=[0, 2**60], offsets=[0, 0])}),
        blob({"a": entry(shape=[2**62, 4], offsets=[0, 0])}),
        blob({"a": entry(offsets=[4, 0])}, bytes(4)),
        blob({"a": entry(offsets=[0, 4, 4])}, bytes(4)),
        blob({"a": {**entry(), "more": 1}}, bytes(4)),
        blob({"a": [1]}),
        blob({"../a": entry()}, bytes(4)),
        blob({"": entry()}, bytes(4)),
        blob({"a" * 65: entry()}, bytes(4)),
        blob({"a\n": entry()}, bytes(4)),
        blob({"__metadata__": [1]}),
        blob({"__metadata__": {"a": 1}}),
        blob({"a": entry("BOOL", [4])}, b"\0\1\2\1"),
        blob({f"a{i}": entry(shape=[0], offsets=[0, 0]) for i in range(65)}),
        blob({"__metadata__": {"a": "x" * 70_000}}),
    ],
    ids=lambda bad: f"{len(bad)} bytes",
)
def test_a_hostile_header_is_refused_before_anything_is_built(bad):
    with pytest.raises(wire.WireError):
        wire.unpack(bad)


def test_a_frame_is_what_it_says():
    base = torch.randn(4, 6)
    frame = wire.pack(
        {
            "a": base,
            "b": base.t(),
            "c": base[:, ::2],
            "d": torch.tensor(True),
            "e": torch.empty(0, 3),
        },
        status="done",
        detail="é",
    )
    assert wire.size(frame[:8]) == len(frame) - 8
    tensors, text = wire.unpack(frame[8:])
    assert text == {"status": "done", "detail": "é"}
    assert (
        torch.equal(tensors["b"], base.t())
        and torch.equal(tensors["c"], base[:, ::2])
        and tensors["d"].item() is True
        and tensors["e"].shape == (0, 3)
    )
    tensors["a"].zero_()
    assert torch.equal(tensors["b"], base.t())


def test_what_the_library_writes_is_read_the_same(tmp_path):
    from safetensors.numpy import save_file

    save_file({"u": numpy.ones((2, 3), dtype=numpy.float64)}, tmp_path / "a.safetensors")
    assert torch.equal(
        wire.unpack((tmp_path / "a.safetensors").read_bytes())[0]["u"],
        torch.ones(2, 3, dtype=torch.float64),
    )


def test_the_oracle_cannot_be_imported():
    source = (
        "from autograder.oracle.editing import second_moment as right\n\ndef second_moment(keys):\n"
        "    return right(keys)"
    )
    with (
        Sandbox(source) as sandbox,
        pytest.raises(StudentFailed, match="not for submissions|'right' is not defined"),
    ):
        sandbox.call(
            "second_moment", tensors={"keys": torch.ones(3, 2)}, options={"order": ["keys"]}
        )


def test_a_second_moment_in_float64_of_the_real_size_comes_back():
    keys = torch.ones(6 * 161, 1536)
    with Sandbox("def second_moment(keys):\n    return keys.double().T @ keys.double()") as sandbox:
        reply = sandbox.call("second_moment", tensors={"keys": keys}, options={"order": ["keys"]})
    assert reply.tensors["result"].shape == (1536, 1536)
