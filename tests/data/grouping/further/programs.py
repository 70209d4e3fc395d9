"""The programs of this folder, run in the same way as in `wide.programs`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from wide.programs import Program, as_core, as_framework, interpreter, java_class, mono, near, php, python, rust
from wide.programs import go as go_program

FOLDER = Path(__file__).parent


@dataclass(frozen=True, kw_only=True)
class Further(Program):
    """One program of `further/`."""

    home: Path = FOLDER


WHEEL = near("turn type msg func", "count null parse many cast file index enum", "ride cause")
GRANARY = {"weigh": "flaskdoc", "store": "std", "read": "celery"}
GRANARY_ERRORS = near("weigh type msg func", "store null table", "read json attr int args unpack div")
PROGRAMS = (
    Further(source="archive.php", language="php", made=php(namespace="Mercator"), layouts={"scale": "stack"},
            errors=near("fold type msg func", "scale type func msg", "walk type msg", "keep cause msg", "read msg")),
    Further(source="archive.php", called="atlas", language="php", layout="journal",
            made=php("-d", "zend.exception_ignore_args=0", namespace="Atlas"),
            errors=near("fold type msg func", "scale type func msg", "keep cause msg")),
    Further(source="lantern.go", language="go", made=go_program,
            errors=near("light type msg func", "serve type msg", "dead msg", "log msg", "tell cause msg")),
    Further(source="bindery.rb", language="ruby", made=interpreter("ruby"),
            errors=near("fold type msg func", "price func type msg nil", "sew bare cause", "log msg")),
    Further(source="postbox.js", language="node", made=interpreter("node"), layouts={"sort": "container"},
            errors=near("take type msg func", "route cause bare", "sort msg type call json vm", "emit msg", "log")),
    Further(source="Foundry.java", language="java", made=java_class("org.foundry.floor.Foundry"),
            layouts={"weigh": "stack"},
            errors=near("cast type msg func", "weigh type msg parse null enum opt", "later cause", "log msg thrown")),
    Further(source="Ferris.cs", language="dotnet", made=mono("Fair.Wheels", str), errors=WHEEL),
    Further(source="Ferris.cs", called="carousel", language="dotnet", made=mono("Pier.Carousel", as_core), errors=WHEEL,
            layouts={"turn": "serilog", "count": "journal"}),
    Further(source="Ferris.cs", called="swing", language="dotnet", made=mono("Park.Swing", as_framework),
            errors=WHEEL, layouts={"ride": "flaskdoc"}),
    Further(source="orrery.rs", language="rust", made=rust("full"), layouts={"look": "container"},
            errors=near("turn type msg func", "read type msg other", "look msg type func assert")),
    Further(source="orrery.rs", called="planets", language="rust", made=rust("0"), layout="journal",
            errors=near("turn type msg", "read type msg other", "look msg type func assert")),
    Further(source="tollgate.pl", language="perl", made=interpreter("perl"), layouts={"pay": "journal"},
            errors=near("lift msg func", "pay type func msg", "warn msg")),
    Further(source="kiln.exs", language="elixir", made=interpreter("elixir"), layouts={"spawn": "container"},
            errors=near("fire type msg func match key clause", "spawn type msg")),
    Further(source="weir.lua", language="lua", made=interpreter("lua"), layouts={"open": "native"},
            errors=near("open msg type arith call func")),
    Further(source="granary.py", language="python", made=python(GRANARY, 0), layouts=GRANARY,
            own_layouts=tuple(GRANARY.values()), errors=GRANARY_ERRORS),
    Further(source="granary.py", called="silo", language="python27", made=python(GRANARY, 1, "silo"), layouts=GRANARY,
            own_layouts=tuple(GRANARY.values()), errors=GRANARY_ERRORS),
)  # fmt: skip
