"""The lecture demo's page: its pure parts, and the whole of it in a real browser."""

import os
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import asdict
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import nbformat
import psutil
import pytest
from nbclient import NotebookClient

from autograder.making.pictures import find_browser
from keyhole import messages
from keyhole.errors import KeyholeError
from keyhole.models import load_model
from keyhole.tracing import MAP_KINDS
from lecture.editing import EditRequest, presets
from lecture.page import form, link, markup, stills, stored_model
from lecture.page.frame import Frame
from lecture.page.lanes import Lane
from lecture.page.serve import ADDRESS, free_port, transport
from lecture.page.serve import main as serve
from lecture.page.words import LANGUAGES, en, say

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "lecture" / "page"
GAP = re.compile(r"{(\w+)}")
PATIENCE = 150_000  # milliseconds: the machine may have other work

# ---------------------------------------------------------------- words


@pytest.mark.parametrize("language", sorted(set(LANGUAGES) - {"en"}))
def test_the_languages_say_the_same(language):
    other = LANGUAGES[language].PAGE
    assert list(other) == list(en.PAGE)
    for name, words in en.PAGE.items():
        assert set(GAP.findall(words)) == set(GAP.findall(other[name])), name


def test_every_word_is_used_and_every_used_one_is_there():
    sources = "".join(path.read_text("utf-8") for path in PAGE.glob("*.py"))
    engine = "".join(path.read_text("utf-8") for path in PAGE.parent.glob("*.py"))
    used = set(re.findall(r"""["'](\w[\w-]*)["']""", sources + engine)) | set(MAP_KINDS)
    made = set()
    for start in set(re.findall(r'f"(\w+_){', sources)):  # as in say(f"kind_{kind}")
        made |= {name for name in en.PAGE if name.startswith(start)}
    made |= {name for name in en.PAGE if name.startswith(("kind_", "note_")) or "_long" in name}
    assert not set(en.PAGE) - used - made
    assert set(re.findall(r'\bsay\(\s*"(\w+)"', sources)) <= set(en.PAGE)


# ---------------------------------------------------------------- links


def test_a_link_gives_the_state_back():
    edit = link.packed(asdict(EditRequest("Où est la tour de", "tour", " Rome & Co", factor=2.0)))
    state = {"lang": "zh-TW", "tab": "change", "prompt": "a?b=c&d 東", "edit": [edit, edit]}
    assert link.read(link.write(state)) == state


def test_a_link_keeps_only_what_it_knows():
    long = "x" * (link.LONGEST + 1)
    query = f"?tab=where&token=1&prompt={long}&subject=%ff" + "&edit=e" * (link.MOST_EDITS + 3)
    state = link.read(query)
    assert set(state) == {"tab", "subject", "edit"}
    assert len(state["edit"]) == link.MOST_EDITS


@pytest.mark.parametrize(
    "text", ["", "7", "[1]", "{", '{"prompt": 1}', '{"owner": "x"}', '{"factor": "much"}']
)
def test_an_edit_in_a_link_that_is_none_is_left_out(text):
    assert form.wanted_edit(text) is None


def test_an_edit_in_a_link():
    request = EditRequest("The Louvre is in", "Louvre", " Rome", layer=7, prefixed=False)
    assert form.wanted_edit(link.packed(asdict(request))) == request


def test_the_bookmarks_of_the_script_are_understood():
    script = (ROOT / "lecture" / "README.md").read_text("utf-8")
    queries = re.findall(r"`http://127\.0\.0\.1:\d+/(\?[^`]+)`", script)
    assert len(queries) == 5
    facts = {each.name for each in presets()}
    for query in queries:
        state = link.read(query)
        assert link.write(state) == query
        assert state["tab"] in ("where", "change", "compare")
        assert state.get("fact", "handsome") in facts


# ---------------------------------------------------------------- pieces


def test_what_people_type_is_no_markup():
    evil = "<img src=x onerror=alert(1)>"
    for made in (
        markup.marked_prompt(f"a {evil}", (2, 6), evil),
        markup.top_list(evil, [(evil, 0.5)]),
        markup.two_answers(evil, (evil, evil), (evil, evil)),
        markup.table([evil], [[evil, evil]]),
        markup.line_chart(
            [markup.Line(evil, [(0, 0), (1, 1)])] * 2, markup.Axes(evil, evil), 300, 200
        ),
    ):
        assert "<img" not in made


@pytest.mark.parametrize("low, high", [(0, 1), (-0.03, 0.69), (0, 12.4), (0, 0), (3, 3.0001)])
def test_an_axis_has_round_numbers(low, high):
    numbers = markup.round_numbers(low, high)
    assert all(low - 1e-9 <= number <= high + 1e-9 for number in numbers)
    assert 1 <= len(numbers) <= 7


def test_stills_are_pictures():
    lines = [markup.Line("ROME", [(1, 0.9), (10, 0.5)])]
    axes = markup.Axes("edits", "S", by_logarithm=True, ticks=(1, 10))
    figure = stills.of_lines(lines, axes)
    assert stills.drawn(figure, "png").startswith(b"\x89PNG")
    assert b">ROME<" in stills.drawn(figure, "svg")  # a word, not an outline


def test_a_lane_stops_what_is_older_and_says_what_failed():
    said, done, started = [], threading.Event(), threading.Event()
    lane = Lane(said.append, lambda idle: None)

    def first(stopped):
        started.set()
        assert stopped.wait(20)
        raise KeyholeError("stopped")

    def second(stopped):
        raise ZeroDivisionError("oh")

    lane.put(first)
    assert started.wait(20)
    lane.put(second)
    lane.put(lambda stopped: done.set(), waiting=True)
    assert done.wait(20)
    assert [error.args[0] for error in said][:1] == ["stopped"]
    assert "ZeroDivisionError: oh" in str(said[-1])


def test_the_pages_own_changes_are_not_heard_and_a_viewers_at_the_same_time_are():
    frame, heard = Frame(), []
    choice = frame.switch("editors", ["thought_out", "learned"])
    frame.when(choice, lambda: heard.append(choice.value))
    with frame.quietly():
        choice.value = "learned"
    assert heard == []
    begun, ended = threading.Event(), threading.Event()

    def load():
        with frame.quietly():
            begun.set()
            ended.wait(20)

    worker = threading.Thread(target=load)
    worker.start()
    assert begun.wait(20)
    choice.value = "thought_out"  # the viewer's
    with frame.quietly():  # ends after the worker's
        ended.set()
        worker.join(20)
    choice.value = "learned"
    assert heard == ["thought_out", "learned"]


# ---------------------------------------------------------------- the command


def test_a_taken_port_gives_the_next_one():
    with socket.socket() as taken:
        taken.bind((ADDRESS, 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert port < free_port(port) < port + 50


@pytest.mark.parametrize("folder, kind", [("/short", "ipc"), ("/" + 60 * "x", "tcp")])
def test_sockets_that_are_files_have_short_names(monkeypatch, folder, kind):
    monkeypatch.setattr("tempfile.tempdir", folder)
    assert transport() == kind


def test_without_the_model_it_says_what_to_run(monkeypatch, tmp_path, capsys):
    monkeypatch.setenv("KEYHOLE_CACHE", str(tmp_path))
    monkeypatch.delenv("KEYHOLE_MODEL", raising=False)
    assert serve(["--no-browser"]) == 1
    assert "make fetch" in capsys.readouterr().err


def test_a_device_that_there_is_not_is_said_before_anything_starts(monkeypatch, capsys):
    monkeypatch.setattr("lecture.page.serve.check_model", lambda: None)
    assert serve(["--no-browser", "--device", "tpu"]) == 1
    assert "tpu" in capsys.readouterr().err


def test_the_pages_processes_are_told_the_device(monkeypatch):
    monkeypatch.delenv(stored_model.DEVICE, raising=False)
    assert stored_model.chosen_device() == "cpu"
    monkeypatch.setenv(stored_model.DEVICE, "to be put back")
    monkeypatch.setattr("keyhole.models.check_device", lambda device: None)
    for name in ("check_model", "serve", "announce"):
        monkeypatch.setattr(f"lecture.page.serve.{name}", lambda *_: None)
    assert serve(["--no-browser", "--device", "cuda:1"]) == 0
    assert stored_model.chosen_device() == "cuda:1"


def test_nothing_on_the_page_comes_from_elsewhere():
    for path in [*PAGE.glob("*.js"), *PAGE.glob("*.css"), *(ROOT / "lecture").rglob("*.j2")]:
        addresses = set(re.findall(r"https?://[^\s\"']+", path.read_text("utf-8")))
        assert addresses <= {"http://www.w3.org/2000/svg"}, path


@pytest.mark.slow
def test_the_notebook_shows_the_page_without_voila_too():
    notebook = nbformat.read(ROOT / "lecture" / "demo.ipynb", as_version=4)
    assert all(not cell.outputs for cell in notebook.cells)
    NotebookClient(notebook, timeout=PATIENCE // 1000).execute()
    [shown] = notebook.cells[0].outputs
    assert "application/vnd.jupyter.widget-view+json" in shown.data


# ---------------------------------------------------------------- in a browser


class Seen:
    """What the browser did that it should not have done."""

    def __init__(self):
        self.elsewhere, self.errors, self.lost = [], [], []

    def watch(self, page, port):
        own = (f"http://{ADDRESS}:{port}/", f"ws://{ADDRESS}:{port}/", "data:", "blob:")
        page.on(
            "request",
            lambda request: request.url.startswith(own) or self.elsewhere.append(request.url),
        )
        page.on(
            "websocket",
            lambda socket: socket.url.startswith(own) or self.elsewhere.append(socket.url),
        )
        page.on("websocket", lambda socket: socket.on("close", lambda _: self.lost.append(page)))
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("console", lambda said: said.type == "error" and self.errors.append(said.text))


@pytest.fixture(scope="module")
def seen():
    return Seen()


@pytest.fixture(scope="module")
def chromium():
    """The path of a browser; without one, all that needs it is skipped."""
    try:
        return find_browser()
    except KeyholeError:
        pytest.skip("no browser on this machine: install Chromium, as .ci/run does")


@pytest.fixture(scope="module")
def server(chromium, tmp_path_factory):
    """The demo, served in a process of its own: (process, port)."""
    load_model()  # fetches it where it is not there yet
    port = free_port(9400)
    log = (tmp_path_factory.mktemp("demo") / "log.txt").open("w+")
    command = [sys.executable, "-m", "lecture", "--no-browser", "--port", str(port)]
    process = subprocess.Popen(command, cwd=ROOT, stdout=log, stderr=subprocess.STDOUT)
    try:
        until = time.monotonic() + 60
        while not _listens(port):
            assert process.poll() is None and time.monotonic() < until, Path(log.name).read_text()
            time.sleep(0.2)
        yield process, port
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def _listens(port):
    with socket.socket() as tried:
        return tried.connect_ex((ADDRESS, port)) == 0


@pytest.fixture(scope="module")
def context(server, chromium):
    playwright = pytest.importorskip("playwright.sync_api")
    with playwright.sync_playwright() as running:
        # Chromium's own sandbox does not work for root, as in continuous integration.
        browser = running.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        context = browser.new_context(viewport={"width": 1280, "height": 720})
        context.set_default_timeout(PATIENCE)
        yield context
        browser.close()


def opened(context, server, seen, query):
    """A new tab of the browser, with the model loaded."""
    page = context.new_page()
    seen.watch(page, server[1])
    page.goto(f"http://{ADDRESS}:{server[1]}/{query}")
    page.locator(".kh-map-svg").wait_for(state="attached")
    page.locator(".kh-primary:not([disabled])").first.wait_for(state="attached")
    return page


@pytest.fixture(scope="module")
def page(context, server, seen):
    return opened(context, server, seen, "?lang=en")


def tab(page, number):
    page.locator(".kh-tabs button").nth(number).click()


def idle(page):
    page.wait_for_function(
        "() => getComputedStyle(document.querySelector('.kh-busy')).visibility === 'hidden'"
    )


@pytest.mark.slow
def test_a_stored_map_is_there_and_answers_mouse_and_keyboard(page):
    tab(page, 0)
    assert page.locator(".kh-subject").first.inner_text() == "Colosseum*"
    assert page.locator(".kh-cell").count() == 10 * 30
    cell = page.locator(".kh-cell").nth(2 * 30 + 4)
    cell.hover()
    assert re.search(r"“osse”, layer 4: p = 0\.\d{3}", page.locator(".kh-map-said").inner_text())
    page.locator(".kh-map-svg").focus()
    for key in ("ArrowDown", "ArrowRight", "Enter"):
        page.keyboard.press(key)
    page.get_by_text("“um” restored in layer 5: the model says").wait_for()
    assert page.locator(".kh-top").count() == 5
    assert "cell=3.5" in page.url


@pytest.mark.slow
def test_the_map_fills_the_screen(page):
    page.locator(".kh-map-svg").focus()
    page.keyboard.press("f")
    page.wait_for_function("() => document.fullscreenElement !== null")
    page.keyboard.press("f")
    page.wait_for_function("() => document.fullscreenElement === null")


@pytest.mark.slow
def test_ones_own_prompt_is_traced_row_by_row_and_can_be_stopped(page):
    page.get_by_label("Prompt").first.fill("The Brandenburg Gate stands in the city of")
    page.get_by_label("Subject").first.fill("Brandenburg Gate")
    page.get_by_role("button", name="Trace").click()
    page.get_by_text(re.compile(r"Row \d+ of")).wait_for()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_text("Stopped.").wait_for()
    assert page.locator(".kh-cell-open").count() > 0
    page.get_by_role("button", name="Trace").click()
    idle(page)
    page.wait_for_function("() => document.querySelectorAll('.kh-cell-open').length === 0")
    assert page.locator(".kh-answer").first.inner_text() == "Berlin"


@pytest.mark.slow
def test_a_subject_that_is_not_there_gets_a_sentence(page):
    page.get_by_label("Subject").first.fill("Louvre")
    page.keyboard.press("Enter")
    page.locator(".kh-bad").wait_for()
    assert "Louvre" in page.locator(".kh-bad").inner_text()
    assert "Traceback" not in page.content()
    page.get_by_label("Subject").first.fill("Brandenburg Gate")
    page.keyboard.press("Enter")


@pytest.mark.slow
def test_an_edit_moves_the_bars_and_is_undone(page):
    tab(page, 1)
    page.get_by_label("Fact").select_option(label="Egypt: Cairo → Warsaw")
    page.get_by_role("button", name="Edit", exact=True).click()
    page.get_by_text("Loss of the search for v*").wait_for()
    page.locator(".kh-planted table").wait_for()
    idle(page)
    assert page.locator(".kh-kind").count() == 5
    new = page.locator(".kh-kind").first.locator(".kh-figures b").nth(1).inner_text()
    assert float(new.removeprefix("✓ ")) > 0.5
    assert "Rank 1" in page.locator(".kh-size").inner_text()
    [edit] = parse_qs(urlsplit(page.url).query)["edit"]
    assert form.wanted_edit(edit).target == " Warsaw"
    page.get_by_label("Ask anything").fill("The capital city of Egypt is called")
    page.get_by_role("button", name="Ask").click()
    page.locator(".kh-two").wait_for()
    was, now = page.locator(".kh-said b").all_inner_texts()
    assert "Cairo" in was and "Warsaw" in now
    page.get_by_role("button", name="Undo last").click()
    page.get_by_text("W is as it was, bit for bit").wait_for()
    assert page.locator(".kh-planted table").count() == 0
    idle(page)


@pytest.mark.slow
def test_an_edit_can_be_stopped(page):
    tab(page, 1)
    page.get_by_label("Fact").select_option(label="Japan: Tokyo → Rome")
    page.get_by_role("button", name="Edit", exact=True).click()
    page.get_by_text("Searching v*").wait_for()
    page.get_by_role("button", name="Cancel").click()
    page.get_by_text("Stopped. Nothing was changed.").wait_for()
    idle(page)
    assert page.locator(".kh-planted table").count() == 0


@pytest.mark.slow
def test_an_answer_that_the_model_gives_already_gets_a_sentence(page):
    tab(page, 1)
    page.get_by_label("Fact").select_option(label="Japan: Tokyo → Rome")
    page.get_by_label("New answer").fill("Tokyo")
    page.get_by_role("button", name="Edit", exact=True).click()
    page.locator(".kh-bad").wait_for()
    assert "Tokyo" in page.locator(".kh-bad").inner_text()
    idle(page)


@pytest.mark.slow
def test_editors_are_compared(page):
    tab(page, 2)
    assert "no weight changed" in page.locator(".kh-legend:visible").inner_text()
    before = page.locator(".kh-side-table h3").inner_text()
    page.locator(".kh-tab:visible .noUi-handle").focus()
    page.keyboard.press("ArrowRight")
    page.wait_for_function(
        "said => document.querySelector('.kh-side-table h3').innerText !== said", arg=before
    )
    assert "MEND" not in page.locator(".kh-tab:visible").inner_text()


@pytest.mark.slow
def test_learned_editors_stand_beside_the_step_that_they_must_beat(page):
    tab(page, 2)
    page.get_by_role("button", name="learned", exact=True).click()
    page.locator(".kh-legend:visible").get_by_text("MEND").wait_for()
    legend = page.locator(".kh-legend:visible").inner_text()
    assert "nothing is learned" in legend and "ROME" in legend and "MEMIT" not in legend
    assert page.locator(".kh-side-table h3").last.inner_text() == str(say("elsewhere"))
    assert "editors=learned" in page.url
    page.get_by_role("button", name="thought out").click()
    page.locator(".kh-legend:visible").get_by_text("MEMIT").first.wait_for()


@pytest.mark.slow
@pytest.mark.parametrize("number, name", [(0, "where"), (1, "change"), (2, "compare")])
def test_a_still_can_be_saved(page, number, name):
    tab(page, number)
    for kind, start in (("SVG", b"<?xml"), ("PNG", b"\x89PNG")):
        with page.expect_download() as download:
            page.get_by_role("button", name=kind).click()
        assert download.value.suggested_filename == f"keyhole-{name}.{kind.lower()}"
        assert Path(download.value.path()).read_bytes().startswith(start)


@pytest.mark.slow
def test_the_language_is_switched_on_the_page(page):
    tab(page, 0)
    page.get_by_role("button", name="中文").click()
    page.get_by_role("button", name="開始追蹤").wait_for()
    assert page.evaluate("document.documentElement.lang") == "zh-TW"
    page.locator(".kh-map-svg").get_by_text("層").wait_for()
    messages.use("zh-TW")
    for number, name in enumerate(("tab_where", "tab_change", "tab_compare")):
        tab(page, number)
        shown = page.locator(".kh-tabs button").nth(number).inner_text()
        assert shown.split() == str(say(name)).split()
    page.get_by_role("button", name="English").click()
    page.get_by_role("button", name="Copy link").wait_for()


@pytest.mark.slow
def test_a_link_opens_its_state_in_a_second_tab_and_a_dead_kernel_is_noticed(context, server, seen):
    query = "?lang=en&tab=where&kind=mlp&cell=3.5&samples=10"
    second = opened(context, server, seen, query)
    second.get_by_text("This is tab number 2").wait_for()
    second.get_by_text("“um” restored in layer 5").wait_for()
    assert "MLP outputs" in second.locator(".kh-map-box h2").inner_text()
    errors = len(seen.errors)
    youngest = max(
        psutil.Process(server[0].pid).children(), key=lambda process: process.create_time()
    )
    os.kill(youngest.pid, signal.SIGKILL)
    second.get_by_text("Python has stopped").wait_for()
    second.get_by_role("button", name="Reload the page").click()
    second.get_by_text("MLP outputs").first.wait_for()
    del seen.errors[errors:]  # the broken connection is an error, and was meant
    second.close()


@pytest.mark.slow
def test_no_connection_is_lost_while_the_page_is_open(page, seen):
    age = 70  # seconds: by then the server has asked twice whether the browser is still there
    page.wait_for_function("age => performance.now() / 1000 > age", arg=age)
    assert page not in seen.lost


@pytest.mark.slow
def test_no_request_left_the_machine_and_the_console_is_clean(page, seen):
    assert seen.elsewhere == []
    assert seen.errors == []
