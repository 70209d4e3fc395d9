"""Layouts: the text that handlers, collectors and daemons write around a message."""

from __future__ import annotations

import json

from wide.data import Data, rng_of

ONCE = {
    "flaskdoc": (
        "\nMessage type:       ERROR\nLocation:           {folder}/{name}/{place}.py:{line}\n"
        "Module:             {place}\nFunction:           check_{place}\n"
        "Time:               {now:%Y-%m-%d %H:%M:%S},{milli:03}\n\nMessage:\n\n{text}\n"
    ),
    "std": "{now:%Y-%m-%d %H:%M:%S},{milli:03} ERROR {name}.{place}: {text}\n",
    "kv": 'ts={now:%Y-%m-%dT%H:%M:%S}Z level=error host={short} pid={pid} msg="{text}"\n',
    "kernel": "{now:%b %d %H:%M:%S} {short} kernel: [{uptime}.{pid:06}] {text}\n",
    "nginx": "{now:%Y/%m/%d %H:%M:%S} [error] {pid}#{pid}: *{uptime} {text}\n",
    "apache": (
        "[{now:%a %b %d %H:%M:%S}.{pid:06} {now:%Y}] [proxy_fcgi:error] [pid {pid}:tid {uptime}] "
        "[client {ip}:{pid}] {text}\n"
    ),
    "postgres": "{now:%Y-%m-%d %H:%M:%S}.{milli:03} UTC [{pid}] app@shop {text}\n",
    "serilog": (
        "{now:%Y-%m-%d %H:%M:%S}.{milli:03} +00:00 [ERR] HTTP POST /jobs/{number} responded 500 "
        "in {milli}.{pid:04} ms\n{text}"
    ),
    "stack": "host={host} pid={pid} {now:%Y-%m-%dT%H:%M:%S}Z\n\n{text}",
    "native": "{text}",
    "plain": "{text}",
}
EACH_LINE = {
    "journal": "{now:%b %d %H:%M:%S} {short} {name}[{pid}]: ",
    "syslog": "{now:%b %d %H:%M:%S} {short} ",
    "container": "web-{copy}  | ",
    "aspnet": "      ",
}
ABOVE = {
    "aspnet": (
        "fail: Microsoft.AspNetCore.Diagnostics.ExceptionHandlerMiddleware[1]\n"
        "      An unhandled exception has occurred while executing the request.\n"
    )
}


def render(layout: str, text: str, data: Data, name: str, place: str, folder: str = "/srv/{}/current") -> str:
    """Return `text` as a mail in `layout`. `name` is the program, `place` the module that logged it."""
    pid = data.now.second * 97 + 311
    if layout == "json":
        moment = f"{data.now:%Y-%m-%dT%H:%M:%S}Z"
        record = {"level": "error", "time": moment, "hostname": data.env["HOST"], "pid": pid, "msg": text}
        return json.dumps({**record, "reqId": data.env["UUID"]}) + "\n"
    fields = {
        "folder": folder.format(name), "name": name, "place": place, "now": data.now, "milli": pid % 1000, "pid": pid,
        "line": 10 + rng_of(name, place).randrange(300) + (31 if "releases" in folder else 0), "uptime": pid * 37,
        "host": data.env["HOST"], "short": data.env["HOST"].partition(".")[0], "ip": data.env["IP"],
        "number": data.env["ID"], "copy": 1 + pid % 3,
    }  # fmt: skip
    if layout in ONCE:
        return ONCE[layout].format(text=text, **fields)
    prefix = EACH_LINE[layout].format(**fields)
    return ABOVE.get(layout, "") + "".join(f"{prefix}{each}\n" for each in text.rstrip("\n").split("\n"))
