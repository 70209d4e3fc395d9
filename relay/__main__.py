"""The `relay` command, also as `python -m relay`.

The base install holds `app_client`, which needs no other package. The command needs the libraries of the extra
`server`. Where they are missing, it says in one sentence what to install, instead of a traceback.
"""

from __future__ import annotations

import sys

_EXTRAS = {
    "psycopg": "server,postgres",
    **dict.fromkeys(("authlib", "cryptography", "httpx2", "joserfc"), "server,oauth"),
}
"""The libraries that the extra `server` does not bring: for a ledger in PostgreSQL, and for OAuth2."""


def main() -> None:
    """Run the command line; exit with 2 if a library of an extra is missing."""
    try:
        from relay.cli import main as command  # noqa: PLC0415 -- its libraries may be missing

        command()
    except ModuleNotFoundError as error:
        library = (error.name or "").partition(".")[0]
        if library in {"", "relay"} or library in sys.stdlib_module_names:
            raise  # a fault of ours, or a broken Python: the traceback says where
        extra = _EXTRAS.get(library, "server")
        sys.exit(_missing(f'the library {library} is not installed: run pip install "error-mail-relay[{extra}]"'))


def _missing(sentence: str) -> int:
    print(f"relay: {sentence}", file=sys.stderr)  # noqa: T201 -- click may be what is missing
    return 2


if __name__ == "__main__":
    main()
