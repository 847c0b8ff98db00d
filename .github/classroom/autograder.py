#!/usr/bin/env python3
"""Autograder of Classroom 50 for one lab: runs the grader of the course, which writes result.json.

To put at CLASSROOM/autograders/ASSIGNMENT/autograder.py. Anyone who has the address of this file can read
it: it holds no solution. Exit code 0 when there is a verdict, anything else when the machine failed.
"""

import os
import pathlib
import platform
import subprocess
import sys
import tempfile

LAB = "__LAB__"
COURSE = "__COURSE__"
VERSION = "__VERSION__"
# The runner stops a job after 15 minutes; the grader has to have cleaned up by then.
TIME = "720s"


def grader(folder: pathlib.Path) -> str:
    """The grader that is there (GRADER), else that of the release."""
    if os.environ.get("GRADER"):
        return os.environ["GRADER"]
    machine = {"arm64": "aarch64"}.get(platform.machine(), platform.machine())
    name = f"tp-docker-{VERSION.removeprefix('v')}-{machine}-unknown-linux-musl"
    subprocess.run(
        ["gh", "release", "download", VERSION, "--repo", COURSE, "--dir", str(folder), "--pattern", f"{name}.tar.gz*"],
        check=True,
    )
    subprocess.run(["sha256sum", "--check", "--quiet", f"{name}.tar.gz.sha256"], cwd=folder, check=True)
    subprocess.run(["tar", "-xzf", f"{name}.tar.gz"], cwd=folder, check=True)
    return str(folder / name / "grader")


def main() -> int:
    with tempfile.TemporaryDirectory() as temporary:
        folder = pathlib.Path(temporary)
        program = grader(folder)
        journal = folder / "journal.jsonl"
        # Outside of Actions' reach: what a submission makes the grader say is no command.
        with open(folder / "said.txt", "wb") as said:
            code = subprocess.run(
                [program, "check", LAB, "--timeout", TIME, "--format", "jsonl", "-o", str(journal), "--progress", "none"],
                stdout=said,
                stderr=subprocess.STDOUT,
            ).returncode
        if not journal.is_file() or journal.stat().st_size == 0:
            print(f"non noté : la correction n'a pas commencé (code {code})", file=sys.stderr)
            return code or 1
        # Told by the grader itself, which escapes what comes from the submission. Its own outputs are not
        # those that the runner wants.
        quiet = {key: value for key, value in os.environ.items() if key != "GITHUB_OUTPUT"}
        subprocess.run([program, "replay", str(journal), "--progress", "none", "--format", "github"], env=quiet)
        result = folder / "result.json"
        subprocess.run(
            [program, "replay", str(journal), "--progress", "none", "--format", "classroom50", "-o", str(result)]
        )
        text = result.read_text(encoding="utf-8") if result.is_file() else ""
        if not text:
            # No verdict: the runner must not read a zero.
            print(f"non noté (code {code}) : relancez", file=sys.stderr)
            return code or 1
        pathlib.Path("result.json").write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
