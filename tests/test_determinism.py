"""The report is the same, but for the seconds, in another order, with other threads and jobs."""

import json
import os
import shutil
import subprocess
import sys

import pytest

from keyhole.paths import data_folder

pytestmark = pytest.mark.slow
# Between them they have functions with full points, shares measured again and below the
# reference's, maps that are off, and nothing at all.
MEMBERS = ("bo-forgets-c", "ivo-untouched", "mads-window-upward")


def graded(folder, names, threads, jobs):
    """{member: its entry in the report, as `comparable` gives it}.

    `names` is {member: the name that it is handed in under}.
    """
    for member, name in names.items():
        shutil.copytree(data_folder() / "sample_class" / member, folder / "in" / name)
    environment = os.environ | {
        "OMP_NUM_THREADS": str(threads),
        "KEYHOLE_SECRET_FILE": str(folder.parent / "secret.key"),
    }
    command = [
        sys.executable,
        "-m",
        "autograder.cli",
        "grade",
        str(folder / "in"),
        "--json",
        str(folder / "r.json"),
        "--jobs",
        str(jobs),
        "--no-feedback",
        "--i-accept-no-isolation",
    ]
    subprocess.run(command, env=environment, check=True, capture_output=True)
    report = json.loads((folder / "r.json").read_text(encoding="utf-8"))
    assert [entry["student"] for entry in report] == sorted(names.values())
    return {
        member: comparable(entry, names)
        for member, name in names.items()
        for entry in report
        if entry["student"] == name
    }


def comparable(entry, names):
    """The entry without its seconds, and as if the members had handed in under their own names.

    Likely copies are told by the names of the batch and in their order, and groups are numbered
    in that order. So their words are compared without their order, and their groups without
    their numbers.
    """
    text = json.dumps({key: value for key, value in entry.items() if key != "seconds"})
    for member, name in names.items():
        text = text.replace(name, member)
    entry = json.loads(text)
    for key in ("note", "reason"):
        entry[key] = sorted((entry.get(key) or "").replace(":", "").split())
    entry["alike"] = sorted((each["kinds"], each["detail"]) for each in entry.get("alike", ()))
    return entry


def test_order_threads_and_jobs_change_nothing(tmp_path):
    one = graded(
        tmp_path / "one",
        {member: f"{i}-{member}" for i, member in enumerate(MEMBERS)},
        threads=1,
        jobs=1,
    )
    two = graded(
        tmp_path / "two",
        {member: f"{len(MEMBERS) - i}-{member}" for i, member in enumerate(MEMBERS)},
        threads=2,
        jobs=2,
    )
    assert (
        0
        == one["ivo-untouched"]["score"]
        < one["mads-window-upward"]["score"]
        < one["bo-forgets-c"]["score"]
    )
    for member in MEMBERS:
        assert one[member] == two[member], member
