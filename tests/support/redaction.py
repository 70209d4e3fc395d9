"""Texts with secrets and texts that only look alike, from tests/data/redact."""

from collections.abc import Iterator

from tests.support.paths import DATA


def _lines(name: str) -> Iterator[str]:
    text = (DATA / "redact" / name).read_text("utf-8")
    return (line for line in text.splitlines() if not line.startswith("#"))


def _unescaped(text: str, kind: str = "") -> str:
    r"""`\n` as a line end; in JSON it stays what it is."""
    return text if "JSON" in kind else text.replace("\\n", "\n")


SECRETS = {kind: _unescaped(text, kind) for kind, _, text in (line.partition(" ## ") for line in _lines("secrets.txt"))}
"""By what they are: `{}` stands for the secret."""
PLAIN = [_unescaped(line) for line in _lines("plain.txt")]
