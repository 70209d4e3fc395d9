"""Runs one failing function of a program and logs what it raised, as an application would."""

import importlib
import logging
import random
import sys

LAYOUTS = {
    "flaskdoc": (
        "\nMessage type:       %(levelname)s\nLocation:           %(pathname)s:%(lineno)d\n"
        "Module:             %(module)s\nFunction:           %(funcName)s\nTime:               %(asctime)s\n\n"
        "Message:\n\n%(message)s\n"
    ),
    "std": "%(asctime)s %(levelname)s %(name)s: %(message)s",
    "plain": "%(message)s",
}


def main(program, function, seed, layout):
    work = importlib.import_module(f"{program}.work")
    logging.basicConfig(stream=sys.stdout, format=LAYOUTS[layout])
    logger = logging.getLogger(program)
    rng = random.Random(seed)
    try:
        getattr(work, function)(rng)
    except Exception:
        logger.exception("Job %08x of %s failed", rng.getrandbits(32), program)


if __name__ == "__main__":
    main(*sys.argv[1:])
