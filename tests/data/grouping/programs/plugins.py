"""Loads plug-ins by name (standard library): errors whose wording changed with Python."""

import importlib
import json


class Plugin:
    def __init__(self, name, version):
        self.name, self.version = name, version

    def start(self, host):
        return self.nane

    @property
    def title(self):
        return self.name.title()


def load(name):
    return getattr(importlib.import_module("json"), name)


def run_attribute(rng):
    """A slip of the pen, for which newer versions suggest the right name."""
    return Plugin("mail", rng.randrange(9)).start(rng.randrange(9))


def run_arguments(rng):
    """A missing argument."""
    return Plugin(f"plugin-{rng.randrange(99)}")


def run_module(rng):
    """A function that a module does not have."""
    return load("load_all")


def run_read_only(rng):
    """A property that cannot be set."""
    plugin = Plugin("mail", rng.randrange(9))
    plugin.title = f"Mail {rng.randrange(9)}"


def run_syntax(rng):
    """A plug-in's settings that are no Python."""
    return compile("\n" * rng.randrange(20) + "if version > 3\n    pass\n", "settings.conf", "exec")


def run_json(rng):
    """A configuration that is no JSON."""
    return json.loads('{"a": 1,' + "\n" * rng.randrange(9) + " b}")
