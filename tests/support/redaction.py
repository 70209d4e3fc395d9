"""Texts with secrets, and similar texts without a secret, from tests/data/redact."""

from collections.abc import Iterator

from tests.support.paths import DATA


def _lines(name: str) -> Iterator[str]:
    text = (DATA / "redact" / name).read_text("utf-8")
    return (line for line in text.splitlines() if not line.startswith("#"))


def _unescaped(text: str, kind: str = "") -> str:
    r"""Replace `\n` by a line end, except in JSON, where it is an escape."""
    return text if "JSON" in kind else text.replace("\\n", "\n")


SECRETS = {kind: _unescaped(text, kind) for kind, _, text in (line.partition(" ## ") for line in _lines("secrets.txt"))}
"""Texts by their kind. `{}` is the place of the secret."""
PLAIN = [_unescaped(line) for line in _lines("plain.txt")]
