# -*- coding: utf-8 -*-
"""Shows things of old (Python 2.7, nothing else)."""

import decimal
import json
import os
import sqlite3
import urllib2
import xml.dom.minidom

env = os.environ


class Stolen(Exception):
    pass


class Broken(Exception):
    pass


class Hall(object):
    def __init__(self, which):
        self.which = which
        self.pieces = {u"vase": 1}

    def find(self, name):
        if self.which == "show.type":
            raise Broken("piece %s of %r is missing" % (env["ID"], name))
        if self.which == "show.msg":
            raise Stolen("piece %s was lent to %r until %s" % (env["ID"], name, env["DAY"]))
        raise Stolen("piece %s of %r is missing" % (env["ID"], name))

    def look_up(self, name):
        raise Stolen("piece %s of %r is missing" % (env["ID"], name))

    def show(self):
        name = env["NAME"].decode("utf-8")
        return [self.look_up(each) if self.which == "show.func" else self.find(each) for each in [name]]

    def label(self):
        name = env["NAME"].decode("utf-8")
        if self.which == "label.type":
            return self.pieces[name]
        if self.which == "label.msg":
            return name + 7
        if self.which == "label.func":
            return self.print_label(name)
        return name.upper().frame()

    def print_label(self, name):
        return name.upper().frame()

    def guide(self):
        if self.which == "guide.type":
            return str(u"Führung %s" % env["NAME"].decode("utf-8"))
        if self.which == "guide.func":
            return open(env["FILE"]).read()
        return u"%s" % ("Führung " + env["NAME"])

    def store(self):
        db = sqlite3.connect(":memory:")
        db.execute("create table piece (id integer primary key, name text not null)")
        if self.which == "store.msg":
            return db.execute("insert into piece values (?, ?)", (env["ID"], None))
        if self.which == "store.type":
            return db.execute("select weight from piece")
        db.execute("insert into piece values (?, 'a')", (env["ID"],))
        return db.execute("insert into piece values (?, 'b')", (env["ID"],))

    def read(self):
        if self.which == "read.type":
            return decimal.Decimal(env["TEXT"])
        if self.which == "read.msg":
            return json.loads("")
        if self.which == "read.func":
            return xml.dom.minidom.parseString(env["TEXT"])
        if self.which == "read.net":
            return urllib2.urlopen("http://127.0.0.1:1/" + env["ID"])
        return json.loads("[1] " + env["TEXT"])

    def reraise(self):
        try:
            int(env["TEXT"])
        except ValueError:
            if self.which == "reraise.func":
                return self.look_up(u"é")
            raise

    def thread(self):
        return int(env["TEXT"], 36) / 0


def run(which):
    return getattr(Hall(which), which.partition(".")[0])()
