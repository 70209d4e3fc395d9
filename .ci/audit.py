"""`make audit`: check the locked packages for known vulnerabilities; offline check only their hashes.

pip-audit looks up every pinned version. If its data is not reachable, the script says so, and pip downloads the locked
packages for this machine and compares their hashes. If no package index is reachable either, each line of the locks is
only checked for a version and a hash. Exits with 1 if there is a vulnerability, or a hash is wrong or missing.
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
LOCKS = ("requirements.lock", "requirements-oauth.lock", "requirements-dev.lock", "requirements-build.lock")
TIMEOUT = 60
"""Seconds for each of the two look-ups of a lock."""
_PIN = re.compile(r"[\w.\[\],-]+==[^\s;]+(?: ;[^\\]*)? \\(?:\n +--hash=sha256:[0-9a-f]{64}(?: \\)?)+")
_NAME = re.compile(r"^[\w.\[\]-]+", re.MULTILINE)


def main() -> int:
    """Audit every lock; return the exit code."""
    reachable, worst = True, 0
    for name in LOCKS:
        reachable, code = audit(ROOT / name, online=reachable)  # do not wait again for a service that did not answer
        worst = max(worst, code)
    return worst


def audit(lock: Path, *, online: bool) -> tuple[bool, int]:
    """Look up the known vulnerabilities of what `lock` pins, or compare its hashes if not `online`.

    Return whether the vulnerability data was reachable, and 0 if nothing is wrong.
    """
    pinned = _NAME.findall(lock.read_text())
    if len(_PIN.findall(lock.read_text())) != len(pinned):
        print(f"{lock.name}: a line has no version or no hash")
        return online, 1
    found = vulnerabilities(lock) if online else None
    if found is not None:
        for line in found:
            print(f"{lock.name}: {line}")
        print(f"{lock.name}: {len(pinned)} packages, {len(found)} known vulnerabilities")
        return True, 1 if found else 0
    print(f"{lock.name}: the data on known vulnerabilities is not reachable; comparing hashes instead")
    return False, compare_hashes(lock, len(pinned))


def vulnerabilities(lock: Path) -> list[str] | None:
    """Return the known vulnerabilities of what `lock` pins; None if the data is not reachable."""
    with tempfile.TemporaryDirectory() as folder:
        answer = Path(folder) / "answer.json"
        options = ("--disable-pip", "--require-hashes", "--timeout", "10", "--progress-spinner", "off")
        _run("pip_audit", *options, "--format", "json", "--output", str(answer), "--requirement", str(lock))
        if not answer.exists():
            return None
        found: dict[str, Any] = json.loads(answer.read_text())
    return [
        f"{package['name']} {package['version']}: {each['id']}, fixed in {', '.join(each['fix_versions']) or '-'}"
        for package in found["dependencies"]
        for each in package.get("vulns", ())
    ]


def compare_hashes(lock: Path, pinned: int) -> int:
    """Download with pip what `lock` pins and compare its hashes; 0 if all match, or if nothing can be downloaded."""
    options = ("--dry-run", "--ignore-installed", "--no-deps", "--require-hashes", "--quiet", "--retries", "1")
    done = _run("pip", "install", *options, "--timeout", "10", "--requirement", str(lock))
    if done.returncode == 0:
        print(f"{lock.name}: {pinned} packages, all hashes match")
        return 0
    if "DO NOT MATCH" in done.stderr or "--require-hashes mode" in done.stderr:
        print(f"{lock.name}: a package does not match its hash\n{done.stderr[-2000:]}")
        return 1
    print(f"{lock.name}: {pinned} packages, each pinned by a hash; none could be downloaded to compare it")
    return 0


def _run(*command: str) -> subprocess.CompletedProcess[str]:
    """Run a module of this environment; a timeout counts as a failure."""
    command_line = [sys.executable, "-m", *command]
    try:
        return subprocess.run(command_line, check=False, capture_output=True, text=True, timeout=TIMEOUT, cwd=ROOT)
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command_line, 1, "", f"no answer within {TIMEOUT} s")


if __name__ == "__main__":
    sys.exit(main())
