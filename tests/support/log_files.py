"""The four kinds of file handlers, and a parser of log files in the documented format."""

import re
from pathlib import Path

import app_client

LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (\w+): (.*) \[in (.+):\d+\]")
MAKERS = {
    "plain": app_client.plain_file,
    "size": app_client.rotating_file,
    "time": app_client.timed_file,
    "watched": app_client.watched_file,
}


def messages(path: Path) -> list[str]:
    return [match[2] if (match := LINE.fullmatch(line)) else line for line in path.read_text().splitlines()]
