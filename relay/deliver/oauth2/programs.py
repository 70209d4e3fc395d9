"""Access tokens that another program gives: `token_command` prints one, `token_file` holds one.

Both may be the bare token or JSON, as token endpoints, `az` and `gcloud` write it. The program gets no variable of the
relay's own, which may be secrets. What it writes to standard error is not shown: it may be a secret too.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from relay.config.source import PREFIX
from relay.deliver.oauth2.errors import TokenFailed
from relay.deliver.oauth2.token import Token, new_token, token_from_reply

MAX_OUTPUT = 64 * 1024
"""Bytes that are read of what a program prints, or of a file."""


async def token_from_command(command: Sequence[str], *, timeout: float, now: datetime, jitter: float) -> Token:  # noqa: ASYNC109 -- kills the program, too
    """Run the program for at most `timeout` seconds and return the token that it prints. Raises TokenFailed."""
    environ = {name: value for name, value in os.environ.items() if not name.startswith(PREFIX)}
    quiet = asyncio.subprocess.DEVNULL
    try:
        process = await asyncio.create_subprocess_exec(
            *command, stdin=quiet, stdout=asyncio.subprocess.PIPE, stderr=quiet, env=environ, start_new_session=True
        )
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else "not a command"
        raise TokenFailed(f"token_command cannot be run: {reason}") from error
    try:
        async with asyncio.timeout(timeout):
            output = await _read(process)
            code = await process.wait()
    except TimeoutError as error:
        raise TokenFailed(f"token_command printed no token within {timeout:g} s") from error
    finally:
        await _end(process)
    if code:
        raise TokenFailed(f"token_command ended with exit code {code}")
    return _token(output, "token_command printed no token that can be used", now=now, jitter=jitter)


async def _read(process: asyncio.subprocess.Process) -> bytes:
    """Return what the program prints. Raises TokenFailed if it is too much."""
    output = b""
    while process.stdout and (chunk := await process.stdout.read(MAX_OUTPUT)):
        output += chunk
        if len(output) > MAX_OUTPUT:
            raise TokenFailed("token_command printed more than a token")
    return output


async def _end(process: asyncio.subprocess.Process) -> None:
    """End the program and what it has started, and close the connection to it."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, signal.SIGKILL)
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(1):
            await process.communicate()


def token_from_file(file: Path, *, now: datetime) -> Token:
    """Return the token in a file that another program keeps up to date. Raises TokenFailed."""
    try:
        with file.open("rb") as opened:
            content = opened.read(MAX_OUTPUT)
    except OSError as error:
        raise TokenFailed(f"token_file cannot be read: {error.strerror}") from error
    return _token(content, "token_file holds no token that can be used", now=now, jitter=0)


def _token(output: bytes, problem: str, *, now: datetime, jitter: float) -> Token:
    try:
        text = output.decode().strip()
        if text.startswith("{"):
            found = json.loads(text)
            return token_from_reply(found, now=now, jitter=jitter)
        return new_token(text, lifetime=None, now=now, jitter=jitter)
    except (ValueError, RecursionError) as error:
        raise TokenFailed(f"{problem}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """Return our own sentence on the token; errors of decoders quote what they decode."""
    return str(error) if type(error) is ValueError else "it is neither a bare token nor JSON"
