"""Write styles.jsonl: tracebacks of many styles of raising, as real interpreters print them.

    python make.py PYTHON3.8 PYTHON3.9 … > styles.jsonl

Each style is one way to write a message (an f-string, a %-format, …) in one kind of statement (raise, assert, a helper
and so on). It is run by each version of Python, with other data each time. Every style also has a near miss, run by
every third version: the same function raises the same type with another wording. Equal labels are the same error.
"""

import json
import subprocess
import sys
import tempfile
from pathlib import Path

DATA = [
    {"who": "anna", "what": "QCZUFYRD", "n": 4, "title": "The Blue Chair", "pair": "EUR/USD", "city": "Bergen"},
    {
        "who": "j.kowalski",
        "what": "PLMOKNIJ",
        "n": 1712,
        "title": "Night Train",
        "pair": "GBP/JPY",
        "city": "Sao Paulo",
    },
    {"who": "chen-li", "what": "GARDENHOSE", "n": 0, "title": "A Song of Two Rivers", "pair": "CHF/SEK", "city": "Ulm"},
    {"who": "Olu", "what": "X-RAY-TUBE", "n": -3, "title": "Dust", "pair": "NOK/DKK", "city": "Aix-en-Provence"},
]

FORMATS = {
    "f.word": 'f"WORDING mailbox {who}"',
    "f.end": 'f"{who} has a WORDING basket"',
    "f.two": 'f"WORDING article {what} for {who}"',
    "f.repr": 'f"WORDING article {what!r} in cart"',
    "f.spec": 'f"WORDING amount {n:>8} for {who:<12} today"',
    "f.single": "f'WORDING article {what} in cart'",
    "f.attribute": 'f"WORDING order of {order.who} ({order.what})"',
    "f.index": """f"WORDING order of {row['who']} in queue\"""",
    "f.call": 'f"WORDING courier for {who.strip()} at {str(city)}"',
    "f.debug": 'f"WORDING basket with {who=} and {n=}"',
    "f.braces": 'f"WORDING set {{{what}}} is open"',
    "f.percent": 'f"WORDING at {n}% for {who}"',
    "f.title": 'f"WORDING title: {title} was not printed"',
    "f.pair": 'f"WORDING rate for pair {pair} today"',
    "f.escape": 'f"WORDING mailbox\\t{who} \\"now\\""',
    "f.raw": 'rf"WORDING path \\d for {who}"',
    "f.triple": 'f"""WORDING mailbox {who} of """ f"""{city}"""',
    "f.nested": 'f"WORDING order of {row["who"]} in queue"',
    "f.newline": 'f"WORDING mailbox {who}\\nsee the handbook for {what}"',
    "f.default": """f"WORDING order of {who or 'nobody'} in queue\"""",
    "joined.f": '"WORDING article " f"{what} in the " "basket"',
    "joined.mixed": 'f"WORDING mailbox {who}, " "please call " f"{city}"',
    "percent.one": '"WORDING mailbox %s" % who',
    "percent.tuple": '"WORDING article %s for %s" % (what, who)',
    "percent.single": '"WORDING mailbox %s" % (who,)',
    "percent.dict": '"WORDING article %(what)s for %(who)s" % {"what": what, "who": who}',
    "percent.row": '"WORDING article %(what)s for %(who)s" % row',
    "percent.repr": '"WORDING article %r (%d left) of %s" % (what, n, who)',
    "percent.percent": '"WORDING discount of 5%% for %s" % who',
    "percent.joined": '("WORDING article %s " "for %s") % (what, who)',
    "percent.number": '"WORDING amount %05d for %-10s now" % (n, who)',
    "format.auto": '"WORDING article {} for {}".format(what, who)',
    "format.index": '"WORDING article {1} for {0}".format(who, what)',
    "format.name": '"WORDING article {what} for {who}".format(what=what, who=who)',
    "format.kwargs": '"WORDING article {what} for {who}".format(**row)',
    "format.spec": '"WORDING article {:>20} for {!r}".format(what, who)',
    "format.attribute": '"WORDING order of {0.who}, {0.city}".format(order)',
    "format.braces": '"WORDING set {{{}}} of {}".format(what, who)',
    "format.map": '"WORDING article {what} for {who}".format_map(row)',
    "plus.end": '"WORDING mailbox: " + who',
    "plus.middle": '"WORDING mailbox " + who + " in basket"',
    "plus.str": '"WORDING amount " + str(n) + " for " + who',
    "plus.first": 'who + " has a WORDING basket"',
    "plus.percent": '"WORDING article %s" % what + " for " + who',
    "plus.f": '"WORDING mailbox " + f"{who} in {city}"',
    "plus.parentheses": '("WORDING mailbox " + who)',
    "gettext": '_("WORDING mailbox %s of shop") % who',
    "gettext.format": '_("WORDING mailbox {} of shop").format(who)',
    "constant": '"WORDING basket, please call"',
    "list": 'f"WORDING articles: {[what, who]}"',
    "join": '"WORDING articles: " + ", ".join([what, who])',
}

STATEMENTS = {
    "raise": "raise Failed(EXPRESSION)",
    "from": "raise Failed(EXPRESSION) from None",
    "value_error": "raise ValueError(EXPRESSION)",
    "key_error": "raise KeyError(EXPRESSION)",
    "one_line": "if n is not None: raise Failed(EXPRESSION)",
    "assert": "assert n is None, EXPRESSION",
    "assert.call": "assert check(who, n), (EXPRESSION)",
    "keyword": "raise Coded(404, detail=EXPRESSION)",
    "second": "raise Coded(404, EXPRESSION)",
    "helper": "fail(EXPRESSION)",
    "helper.return": "return fail(EXPRESSION)",
    "helper.two": "return find(order, row) or fail(EXPRESSION)",
    "abort": "abort(404, EXPRESSION)",
    "comment": "raise Failed(EXPRESSION)  # it's gone (see #12)",
    "bound": "raise order.error(EXPRESSION)",
}

ARGUMENTS = {
    "logging.one": 'later("WORDING mailbox %s", who)',
    "logging.two": 'later("WORDING article %s for %s", what, who)',
    "logging.repr": 'later("WORDING article %r", what)',
    "logging.number": 'later("WORDING amount %d of %s in basket", n, who)',
    "braces.one": 'braces("WORDING mailbox {}", who)',
    "braces.names": 'braces("WORDING article {what} for {who}", what=what, who=who)',
    "cause": 'raise_from("WORDING order of " + who, n)',
}

HEAD = """
class Failed(Exception): pass
class Coded(Exception):
    def __init__(self, code, detail): self.code, self.detail = code, detail
    def __str__(self): return self.detail
class NotFound(Exception):
    def __str__(self): return "404 Not Found: " + self.args[0]
def _(text): return text
def check(*_): return False
def find(*_): return None
def fail(text):
    error = Failed(text)
    raise error
def abort(code, text):
    raise NotFound(text)
def later(text, *values):
    raise Failed(text % values)
def braces(text, *values, **names):
    raise Failed(text.format(*values, **names))
def raise_from(text, n):
    raise Failed(text)
class Order:
    error = Failed
    def __init__(self, row): self.__dict__.update(row)
"""
FUNCTION = """
def {name}(who, what, n, title, pair, city, row, order, other):
    if other:
        {second}
    {first}
"""
RUN = """
import json, sys, traceback
import styles
data, names = json.load(sys.stdin)
for name in names:
    for other in (False, True):
        try:
            getattr(styles, name)(row=data, order=styles.Order(data), other=other, **data)
        except Exception:
            print(json.dumps([name, other, traceback.format_exc()]))
"""


def styles():
    """Each style: its name, and its statement with the wording left open."""
    number = 0
    for kind, expression in FORMATS.items():
        for where, statement in STATEMENTS.items():
            number += 1
            if where in ("raise", "helper", "assert") or number % 3 != 0:
                yield f"{kind}.{where}", statement.replace("EXPRESSION", expression)
    yield from ARGUMENTS.items()


def main(pythons):
    """Run every style by each version that can parse it."""
    by_style = dict(styles())
    for number, python in enumerate(pythons):
        data = DATA[number % len(DATA)]
        for name, other, text in run(python, data, by_style):
            if not other or number % 3 == 0:
                heading, _, stack = text.partition("\n")
                short = "\n".join((heading, stack[stack.index('  File "/srv/shop/current/shop/styles.py"') :]))
                found = {"label": name + (".msg" if other else ""), "python": version(python), "text": short}
                print(json.dumps(found, ensure_ascii=False))


def version(python):
    """`3.8` of the interpreter `python`."""
    command = "import sys; print('%d.%d' % sys.version_info[:2])"
    return subprocess.run([python, "-c", command], capture_output=True, check=True, text=True).stdout.strip()


def run(python, data, by_style):
    """What one version prints for each style."""
    with tempfile.TemporaryDirectory() as folder:
        functions = {name: "run_" + name.replace(".", "_") for name in by_style}
        parts = [HEAD]
        for name, line in by_style.items():
            first, second = (line.replace("WORDING", word) for word in ("unknown", "expired"))
            part = FUNCTION.format(name=functions[name], first=first, second=second)
            if 'row["' in line and int(version(python)[2:]) < 12:  # PEP 701
                functions.pop(name)
            else:
                parts.append(part)
        Path(folder, "styles.py").write_text("".join(parts))
        Path(folder, "run.py").write_text(RUN)
        done = subprocess.run(
            [python, f"{folder}/run.py"], input=json.dumps([data, list(functions.values())]).encode(), cwd=folder,
            capture_output=True, check=True,
        )  # fmt: skip
        names = {function: name for name, function in functions.items()}
        for line in done.stdout.decode().splitlines():
            function, other, text = json.loads(line)
            yield names[function], other, text.replace(folder, "/srv/shop/current/shop")


if __name__ == "__main__":
    main(sys.argv[1:])
