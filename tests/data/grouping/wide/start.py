# -*- coding: utf-8 -*-
"""Runs one failing function of a program and logs what it raised, as an application would (Python 2.7 and 3)."""

import importlib
import json
import logging
import os
import sys
import time

LAYOUTS = {
    "flaskdoc": (
        "\nMessage type:       %(levelname)s\nLocation:           %(pathname)s:%(lineno)d\n"
        "Module:             %(module)s\nFunction:           %(funcName)s\nTime:               %(asctime)s\n\n"
        "Message:\n\n%(message)s\n"
    ),
    "plain": "%(message)s",
    "std": "%(asctime)s %(levelname)s %(name)s: %(message)s",
    "flasklog": "[%(asctime)s] %(levelname)s in %(module)s: %(message)s",
    "file": "%(asctime)s %(levelname)s: %(message)s [in %(pathname)s:%(lineno)d]",
    "verbose": "%(levelname)s %(asctime)s %(module)s %(process)d %(thread)d %(message)s",
    "kv": 'time="%(asctime)s" level=%(levelname)s logger=%(name)s msg="%(message)s"',
    "celery": "[%(asctime)s: %(levelname)s/%(processName)s] %(message)s",
    "dash": "%(asctime)s - %(name)s - %(levelname)s - %(message)s",
}


class Structured(logging.Formatter):
    def format(self, record):
        return json.dumps(
            {
                "timestamp": self.formatTime(record),
                "level": record.levelname.lower(),
                "logger": record.name,
                "event": record.getMessage(),
                "exception": self.formatException(record.exc_info),
            }
        )


def main(program, which, layout):
    work = importlib.import_module(program + ".work")
    now = time.mktime(time.strptime(os.environ["NOW"], "%Y-%m-%d %H:%M:%S"))
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(Structured() if layout == "json" else logging.Formatter(LAYOUTS[layout]))
    logger = logging.getLogger(program + ".jobs")
    logger.addHandler(handler)
    try:
        work.run(which)
    except Exception:
        record = logger.makeRecord(
            logger.name,
            logging.ERROR,
            os.path.abspath(__file__),
            71,
            "Job %s of %s failed",
            (os.environ["UUID"], os.environ["NAME"]),
            sys.exc_info(),
            "main",
        )
        record.created = now
        record.msecs = int(os.environ["ID"]) % 1000
        handler.handle(record)


if __name__ == "__main__":
    main(*sys.argv[1:])
