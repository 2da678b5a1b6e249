"""Shows lecture/demo.ipynb by Voila, on this machine only, and opens a browser."""

import argparse
import logging
import os
import socket
import sys
import tempfile
import threading
import time
import webbrowser
from pathlib import Path

from keyhole import messages
from keyhole.errors import KeyholeError
from keyhole.terminal import print_anything
from lecture.page.stored_model import check_model, choose_device
from lecture.page.words import LANGUAGES, say

FOLDER = Path(__file__).resolve().parents[1]
ADDRESS, PORT, MOST_PORTS = "127.0.0.1", 8866, 50
LONGEST_FOLDER = 30  # characters of the folder for temporary files
# JupyterLab's others are of no use here, and fail in Voila's older Lab.
EXTENSIONS = (
    "@jupyter-widgets/jupyterlab-manager",
    "@voila-dashboards/widgets-manager8",
    "anywidget",
)

SETTINGS = {
    # Voila's page ends its kernel by a request without this token when it is closed. Who does not
    # know the kernel's random name can end none.
    "disable_check_xsrf": True
}


def main(arguments: list[str] | None = None) -> int:
    """Serve the demo until Ctrl-C: the exit status."""
    print_anything()
    chosen = parser().parse_args(arguments)
    if chosen.lang:
        messages.use(chosen.lang)
    try:
        check_model()
        if chosen.device:
            choose_device(chosen.device)
        port = free_port(chosen.port)
    except KeyholeError as error:
        print(f"lecture: {error}", file=sys.stderr)
        return 1
    if port != chosen.port:
        print(say("port_taken", taken=chosen.port, port=port), flush=True)
    threading.Thread(target=announce, args=(port, not chosen.no_browser), daemon=True).start()
    serve(port)
    return 0


def parser() -> argparse.ArgumentParser:
    """What the command takes."""
    made = argparse.ArgumentParser(
        prog="python -m lecture", description="The lecture demo, as a page in a browser."
    )
    made.add_argument("--port", type=int, default=PORT, help=f"the first port to try ({PORT})")
    made.add_argument("--no-browser", action="store_true", help="only say the address")
    made.add_argument("--device", help='where the model runs: "cpu" (usual), or a GPU, "cuda"')
    made.add_argument("--lang", choices=tuple(LANGUAGES), help="the page's first language")
    return made


def free_port(first: int) -> int:
    """The first port from this one on that nobody listens at. Raises KeyholeError."""
    for port in range(first, min(first + MOST_PORTS, 65536)):
        with socket.socket() as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind((ADDRESS, port))
            except OSError:
                continue
            return port
    raise KeyholeError(say("no_port", first=first, last=first + MOST_PORTS - 1))


def transport() -> str:
    """How Voila talks to a kernel: by sockets that are files, to which nobody else can listen.

    Their names may have a hundred characters. Where temporary files have long ones: by TCP.
    """
    return "ipc" if len(tempfile.gettempdir()) <= LONGEST_FOLDER else "tcp"


def announce(port: int, browser: bool) -> None:
    """Say the address as soon as somebody answers there, and open it in a browser."""
    silent = True
    while silent:
        time.sleep(0.1)
        with socket.socket() as tried:
            silent = tried.connect_ex((ADDRESS, port)) != 0
    address = f"http://{ADDRESS}:{port}/?lang={messages.language()}"
    print(say("open_at", address=address), flush=True)
    if browser:
        webbrowser.open(address)


def serve(port: int) -> None:
    """Run Voila until Ctrl-C."""
    # Threads that wait leave the processor to others: the kernel inherits this.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    templates = str(FOLDER / "jupyter")
    os.environ["JUPYTER_PATH"] = os.pathsep.join(
        filter(None, [templates, os.environ.get("JUPYTER_PATH")])
    )
    from voila.app import Voila  # late: it reads JUPYTER_PATH, and takes a second

    options = {
        "Voila.ip": ADDRESS,
        "Voila.port": port,
        "Voila.port_retries": 0,
        "Voila.open_browser": False,
        "VoilaConfiguration.template": "keyhole",
        "KernelManager.transport": transport(),
    }
    # Voila reports every request of a tab that outlived its kernel: the page says that itself.
    logging.disable(logging.ERROR)
    app = Voila.instance(tornado_settings=SETTINGS)
    extensions = [f"--VoilaConfiguration.extension_allowlist={name}" for name in EXTENSIONS]
    arguments = [f"--{name}={value}" for name, value in options.items()]
    app.initialize([*arguments, *extensions, str(FOLDER / "demo.ipynb")])
    app.start()
