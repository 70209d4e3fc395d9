"""`make audit`: is there a known hole in what the locks pin? Where nobody can be asked, do at least the hashes hold?

pip-audit asks for every pinned version. Where its data cannot be had, that is said, and pip fetches what the locks
name, as far as this machine takes it, and compares it with their hashes; where no index answers either, each line of
the locks is looked at for its version and its hashes. Exits 1 where there is a hole or a hash is wrong or missing.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-build.lock")
PATIENCE = 60
"""Seconds for each lock and each of the two questions."""
_PIN = re.compile(r"[\w.\[\],-]+==[^\s;]+(?: ;[^\\]*)? \\(?:\n +--hash=sha256:[0-9a-f]{64}(?: \\)?)+")
_NAME = re.compile(r"^[\w.\[\]-]+", re.MULTILINE)


def main() -> int:
    """Look at every lock; return the exit code."""
    answered, worst = True, 0
    for name in LOCKS:
        answered, code = audited(ROOT / name, ask=answered)  # who did not answer once is not waited for again
        worst = max(worst, code)
    return worst


def audited(lock: Path, *, ask: bool) -> tuple[bool, int]:
    """Ask for the holes in what `lock` pins, else compare its hashes.

    Return whether somebody answered, and 0 where nothing is wrong.
    """
    pinned = _NAME.findall(lock.read_text())
    if len(_PIN.findall(lock.read_text())) != len(pinned):
        print(f"{lock.name}: a line has no version or no hash")
        return ask, 1
    found = holes(lock) if ask else None
    if found is not None:
        for line in found:
            print(f"{lock.name}: {line}")
        print(f"{lock.name}: {len(pinned)} packages, {len(found)} known holes")
        return True, 1 if found else 0
    print(f"{lock.name}: the data on known holes cannot be had here; its hashes are compared instead")
    return False, hashes(lock, len(pinned))


def holes(lock: Path) -> list[str] | None:
    """What is known against what `lock` pins; None where nobody could be asked."""
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer.json"
        options = ("--disable-pip", "--require-hashes", "--timeout", "10", "--progress-spinner", "off")
        _run("pip_audit", *options, "--format", "json", "--output", str(answer), "--requirement", str(lock))
        if not answer.exists():
            return None
        found: dict[str, Any] = json.loads(answer.read_text())
    return [
        f"{package['name']} {package['version']}: {hole['id']}, mended in {', '.join(hole['fix_versions']) or '-'}"
        for package in found["dependencies"]
        for hole in package.get("vulns", ())
    ]


def hashes(lock: Path, pinned: int) -> int:
    """Have pip fetch what `lock` names and compare; 0 where all is as pinned, or nothing can be fetched."""
    options = ("--dry-run", "--ignore-installed", "--no-deps", "--require-hashes", "--quiet", "--retries", "1")
    done = _run("pip", "install", *options, "--timeout", "10", "--requirement", str(lock))
    if done.returncode == 0:
        print(f"{lock.name}: {pinned} packages, as their hashes say")
        return 0
    if "DO NOT MATCH" in done.stderr or "--require-hashes mode" in done.stderr:
        print(f"{lock.name}: a package is not what its hash says\n{done.stderr[-2000:]}")
        return 1
    print(f"{lock.name}: {pinned} packages, each pinned by hashes; none could be fetched to compare them")
    return 0


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a module of this environment; one that takes too long has failed."""
    words = [sys.executable, "-m", *command]
    try:
        return subprocess.run(words, check=False, capture_output=True, text=True, timeout=PATIENCE, cwd=ROOT)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(words, 1, "", f"no answer within {PATIENCE} s")


if __name__ == "__main__":
    sys.exit(main())
