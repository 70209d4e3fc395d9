"""Puts up tents (Python 3, nothing else; near misses beside each error)."""

import asyncio
import collections
import dataclasses
import functools
import os
import re
import socket
import struct
import subprocess
import sys
import threading

env = os.environ


class TentError(Exception):
    """Something is wrong with a tent."""


class PoleError(TentError):
    """Something is wrong with a pole."""


@dataclasses.dataclass
class Animal:
    name: str
    kind: str = "lion"

    @property
    def weight(self):
        return self.kilos


def logged(function):
    @functools.wraps(function)
    def wrapper(*arguments):
        return function(*arguments)

    return wrapper


class Ring:
    def __init__(self, which):
        self.which = which

    @logged
    def raise_tent(self):
        for pole in (1, 2):
            self.hammer(pole) if self.which == "tent.func" else self.set_up(pole)

    def set_up(self, pole):
        if self.which == "tent.type":
            raise PoleError(f"tent {env['CODE']} of {env['MAIL']} needs {env['AMOUNT']} poles")
        if self.which == "tent.msg":
            raise TentError(f"tent {env['CODE']} of {env['MAIL']} blew away from {env['HOST']}")
        raise TentError(f"tent {env['CODE']} of {env['MAIL']} needs {env['AMOUNT']} poles")

    def hammer(self, pole):
        raise TentError(f"tent {env['CODE']} of {env['MAIL']} needs {env['AMOUNT']} poles")

    def feed(self):
        lion = Animal(env["NAME"])
        if self.which == "feed.type":
            return {"lion": 1}[lion.name]
        if self.which == "feed.msg":
            return lion.keeper
        if self.which == "feed.func":
            return self.weigh(lion)
        return lion.weight

    def weigh(self, lion):
        return lion.keeper

    def tour(self):
        try:
            if self.which == "tour.cause":
                int(env["TEXT"])
            else:
                struct.unpack(">I", env["NAME"][:3].encode())
        except (ValueError, struct.error) as error:
            if self.which == "tour.bare":
                raise TentError(f"no way to {env['HOST']} on {env['DAY']}") from None
            raise TentError(f"no way to {env['HOST']} on {env['DAY']}") from error

    def fanfare(self):
        if self.which == "fanfare.type":
            return subprocess.run(["false", env["ID"]], check=True)
        if self.which == "fanfare.msg":
            return subprocess.run(["sleep", "5", env["ID"][:1]], timeout=0.05, check=True)
        if self.which == "fanfare.func":
            return subprocess.run([env["FILE"], "--loud"], check=True)
        return socket.create_connection(("127.0.0.1", int(env["ID"]) % 9 + 1), timeout=1)

    def juggle(self):
        async def throw(ball):
            await asyncio.sleep(0)
            if self.which == "juggle.msg":
                raise TentError(f"ball {ball} hit {env['MAIL']}")
            raise TentError(f"ball {ball} fell at {env['WHEN']}")

        async def catch(ball):
            await throw(ball)

        async def show():
            await asyncio.gather(*(catch(ball) if self.which == "juggle.func" else throw(ball) for ball in range(3)))

        asyncio.run(show())

    def count(self):
        if self.which == "count.type":
            return collections.deque([1]).index(env["NAME"])
        if self.which == "count.msg":
            return collections.OrderedDict.fromkeys([[env["ID"]]])
        if self.which == "count.func":
            return re.compile(env["TEXT"] + "(")
        return max(len(str(part)) for part in int(env["ID"]))

    def ride(self, depth=0):
        sys.setrecursionlimit(150) if depth == 0 else None
        if self.which == "ride.func" and depth > 50:
            return self.gallop(depth)
        return self.ride(depth + 1)

    def gallop(self, depth):
        return self.ride(depth) + self.gallop(depth)

    def cannon(self):
        fired = threading.Event()
        error = TentError(f"cannon {env['UUID']} fired at {env['IP']}")
        if self.which == "cannon.msg":
            assert fired.is_set(), f"cannon {env['UUID']} is silent"
        if self.which == "cannon.type":
            assert fired.is_set()
        raise error


def run(which):
    ring = Ring(which)
    return (ring.raise_tent if which.startswith("tent") else getattr(ring, which.partition(".")[0]))()
