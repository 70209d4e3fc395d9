# Weighs grain (Python 2.7 and 3).
# ruff: noqa: RUF059, UP031 - Python 2.7 runs it, too, and the unpacking is what fails
import collections
import functools
import json
import os
import sqlite3

env = os.environ


class WeightError(Exception):
    pass


class SackError(Exception):
    pass


def checked(function):
    @functools.wraps(function)
    def wrapper(*args, **kwargs):
        return function(*args, **kwargs)

    return wrapper


class Scale:
    @checked
    def weigh(self, which):
        if which.endswith(".type"):
            raise SackError("sack %s of %s is %s kg short" % (env["ID"], env["MAIL"], env["AMOUNT"]))
        if which.endswith(".msg"):
            raise WeightError("sack %s of %s is wet" % (env["ID"], env["MAIL"]))
        raise WeightError("sack %s of %s is %s kg short" % (env["ID"], env["MAIL"], env["AMOUNT"]))

    def reweigh(self, which):
        return self.weigh(which)


def store(which):
    db = sqlite3.connect(":memory:")
    db.execute("CREATE TABLE sacks (id INTEGER PRIMARY KEY, owner TEXT NOT NULL)")
    rows = [(int(env["ID"]), "x")] * (1 if which == "store.null" else 2)
    for row in rows:
        db.execute("INSERT INTO %s VALUES (?, ?)" % ("bins" if which == "store.table" else "sacks"), row)
    db.execute("INSERT INTO sacks VALUES (?, ?)", (1, None))


def read(which):
    bins = collections.OrderedDict()
    if which == "read":
        return bins[env["CODE"]]
    if which == "read.json":
        return json.loads(env["TEXT"])
    if which == "read.attr":
        return bins.get(env["CODE"]).owner
    if which == "read.int":
        return int(env["TEXT"])
    if which == "read.args":
        return Scale().weigh(which, env["TEXT"])
    if which == "read.unpack":
        first, second = env["CODE"].split("!")
    return sum(int(part) / 0 for part in env["AMOUNT"])


def run(which):
    family = which.split(".")[0]
    if which == "weigh.func":
        return Scale().reweigh(which)
    if family == "weigh":
        return Scale().weigh(which)
    return {"store": store, "read": read}[family](which)
