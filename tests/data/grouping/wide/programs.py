"""The programs: how each is built and run, and which of its errors are near misses of others."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from wide.data import Data

FOLDER = Path(__file__).parent
PHP_PACKAGES = "/usr/share/php"


@dataclass(frozen=True, kw_only=True)
class Run:
    """A built program, ready to run."""

    command: list[str]
    folder: Path
    """Replaced in the output by the installation folder."""
    postprocess: Callable[[str, str], str] = lambda text, _: text
    env: dict[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class Program:
    """One program of `wide/`."""

    source: str
    language: str
    errors: list[str]
    """`family`, or `family.what`, where `what` names the difference from the first error of the family."""
    made: Callable[[Path, list[str]], Run]
    layouts: dict[str, str] = field(default_factory=dict)
    layout: str = "native"
    own_layouts: tuple[str, ...] = ("native",)
    versions: bool = False
    called: str = ""
    home: Path = FOLDER

    @property
    def name(self) -> str:
        """The name in labels and folders."""
        return self.called or self.source.partition(".")[0].lower()

    def build(self, folder: Path, shift: int, pythons: list[str]) -> Run:
        """Copy the program to `folder`, shift its lines down by `shift`, and compile it."""
        source = folder / "src" / self.source
        source.parent.mkdir(parents=True, exist_ok=True)
        lines = (self.home / self.source).read_text(encoding="utf-8").split("\n")
        comment = {".py": "#", ".rb": "#", ".pl": "#", ".exs": "#", ".sh": "#", ".lua": "--"}.get(source.suffix, "//")
        source.write_text("\n".join([*lines[:2], *[f"{comment} moved"] * shift, *lines[2:]]), encoding="utf-8")
        return self.made(source, pythons)


def printed(run: Run, which: str, data: Data, root: str) -> str:
    """Return its output, as if installed in `root`."""
    env = {
        "PATH": os.environ["PATH"],
        "HOME": "/tmp",
        "LANG": "C.UTF-8",
        "WHICH": which,
        "TZ": "UTC",
        **data.environment(),
        **run.env,
    }
    command = [part.replace("WHICH", which) for part in run.command]
    done = subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False, env=env, cwd=run.folder
    )
    return run.postprocess(done.stdout.decode("utf-8", "replace"), root).replace(str(run.folder), root)


def shell(command: list[str], **more: object) -> None:
    """Run a compiler."""
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, **more)  # type: ignore[call-overload]


def php(*options: str, namespace: str = "Bakery") -> Callable[[Path, list[str]], Run]:
    def made(source: Path, _: list[str]) -> Run:
        source.write_text(source.read_text().replace("Bakery", namespace))

        def postprocess(text: str, root: str) -> str:
            return re.sub(
                rf"{PHP_PACKAGES}/(\w+)", lambda match: f"{root}/vendor/{match[1].lower()}/{match[1].lower()}/src", text
            )

        flags = ["-d", "log_errors=1", "-d", "display_errors=0", "-d", "error_log=", "-d", "memory_limit=32M", *options]
        return Run(
            command=["php", *flags, str(source), "WHICH"],
            folder=source.parent.parent,
            postprocess=postprocess,
            env={"VENDOR": PHP_PACKAGES},
        )

    return made


def go(source: Path, _: list[str]) -> Run:
    binary = source.parent.parent / "ferry"
    shell(["go", "build", "-o", str(binary), str(source)], cwd=source.parent)
    return Run(command=[str(binary), "WHICH"], folder=source.parent.parent)


def interpreter(*command: str) -> Callable[[Path, list[str]], Run]:
    return lambda source, _: Run(command=[*command, str(source), "WHICH"], folder=source.parent.parent)


def java_class(name: str) -> Callable[[Path, list[str]], Run]:
    def made(source: Path, _: list[str]) -> Run:
        shell(["javac", "-d", str(source.parent), str(source)])
        return Run(command=["java", "-cp", str(source.parent), name, "WHICH"], folder=source.parent.parent)

    return made


def kotlin(source: Path, _: list[str]) -> Run:
    jar = source.with_suffix(".jar")
    if not jar.exists():
        shell(["kotlinc", str(source), "-include-runtime", "-d", str(jar)])
    return Run(
        command=["java", "-cp", f"{jar}:/usr/share/kotlin/lib/kotlin-stdlib.jar", "org.vineyard.VineyardKt", "WHICH"],
        folder=source.parent.parent,
    )


def rust(backtrace: str) -> Callable[[Path, list[str]], Run]:
    def made(source: Path, _: list[str]) -> Run:
        binary = source.with_suffix("")
        shell(["rustc", "-g", "-o", str(binary), str(source)])
        return Run(command=[str(binary), "WHICH"], folder=source.parent.parent, env={"RUST_BACKTRACE": backtrace})

    return made


def mono(namespace: str, reworded: Callable[[str], str]) -> Callable[[Path, list[str]], Run]:
    def made(source: Path, _: list[str]) -> Run:
        source.write_text(source.read_text().replace("Freight.Dock", namespace))
        program = source.with_suffix(".exe")
        shell(["mcs", "-debug", f"-out:{program}", str(source)])
        return Run(
            command=["mono", "--debug", str(program), "WHICH"],
            folder=source.parent.parent,
            postprocess=lambda text, _: reworded(text),
        )

    return made


def python(layouts: dict[str, str], which: int, called: str = "") -> Callable[[Path, list[str]], Run]:
    def made(source: Path, pythons: list[str]) -> Run:
        name = called or source.stem
        interpreter_ = pythons[which] if len(pythons) > which else pythons[0]
        package = source.parent / name
        package.mkdir(exist_ok=True)
        (package / "__init__.py").touch()
        shutil.move(source, package / "work.py")
        shutil.copy(FOLDER / "start.py", source.parent)
        base = subprocess.run(
            [interpreter_, "-c", "import sys; print(sys.prefix)"], capture_output=True, text=True, check=True
        ).stdout.strip()
        command = [
            "sh",
            "-c",
            f'case WHICH in {cases(layouts)} esac; exec {interpreter_} -B "$0" {name} WHICH "$layout"',
            str(source.parent / "start.py"),
        ]
        return Run(
            command=command, folder=source.parent.parent, postprocess=lambda text, _: text.replace(base, "/usr/local")
        )

    return made


def cases(layouts: dict[str, str]) -> str:
    """The layout of each family, for the shell."""
    return " ".join(f"{family}|{family}.*) layout={layout} ;;" for family, layout in layouts.items())


# --- .NET words the same stack otherwise ------------------------------------------------------------------------------

_MONO_FRAME = re.compile(
    r"^  at (?P<name>.+?) ?\((?P<arguments>.*)\) \[0x\w+\] in (?P<file>.+):(?P<line>\d+) ?(?P<end><---)?$", re.MULTILINE
)
_NAMESPACES = re.compile(r"\b(?:\w+\.)+(?=[A-Z]\w*)")
_TYPE_ARGUMENTS = re.compile(r"(`\d)\[[^\]]*\]")
_STOREY = re.compile(r"\+<(\w+)>c__AnonStorey(\d)(`\d)?\.<>m__(\d)")


def as_core(text: str) -> str:
    """Return the trace as .NET 5 and later print it: each inner exception on its own line."""
    text = _MONO_FRAME.sub(_frame, text)
    return text.replace(" ---> ", "\n ---> ").replace(
        "previous location where exception was thrown ---\n", "previous location ---"
    )


def as_framework(text: str) -> str:
    """Return the trace as .NET Framework prints it: the chain on one line, async methods as their state machines."""
    text = _MONO_FRAME.sub(_frame, text)
    return re.sub(r"\b(Load|Sail)\(String ship\)", r"<\1>d__5.MoveNext()", text)


def _frame(match: re.Match[str]) -> str:
    name = _TYPE_ARGUMENTS.sub(r"\1", match["name"])
    name = _STOREY.sub(r".<>c__DisplayClass\g<2>_0.<\g<1>>b__\g<4>", name).replace("+", ".")
    arguments = _TYPE_ARGUMENTS.sub(r"\1", _NAMESPACES.sub("", match["arguments"]))
    place = "" if match["file"].startswith("<") else f" in {match['file']}:line {match['line']}"
    return f"   at {name}({arguments}){place}{match['end'] or ''}"


def near(*families: str) -> list[str]:
    """`"load type msg"` gives `load`, `load.type`, `load.msg`."""
    return [f"{family}.{what}".strip(".") for family, *whats in map(str.split, families) for what in ("", *whats)]


FREIGHT = near("lift type msg func", "count type msg func arg", "sail cause", "park cause")
MUSEUM = {
    "show": "flaskdoc",
    "label": "std",
    "guide": "flaskdoc",
    "store": "plain",
    "read": "celery",
    "reraise": "verbose",
    "thread": "kv",
}
CIRCUS = {
    "tent": "flaskdoc", "feed": "std", "tour": "json", "fanfare": "kv", "juggle": "plain", "count": "celery",
    "ride": "dash", "cannon": "file",
}  # fmt: skip

PROGRAMS = (
    Program(source="bakery.php", language="php", made=php(), layouts={"shelf": "native", "bill": "stack"},
            errors=near("order type msg func", "deliver cause", "bill func type null", "shelf msg func mem")),
    Program(source="bakery.php", called="patisserie", language="php", layout="journal",
            made=php("-d", "zend.exception_ignore_args=0", namespace="Patisserie"),
            errors=near("order type msg func", "bill func type null")),
    Program(source="gallery.php", language="php", made=php(),
            errors=near("laravel type msg func", "symfony type msg", "drupal type msg", "wordpress type msg func",
                        "mail type msg func", "twig msg")),
    Program(source="ferry.go", language="go", made=go, layouts={"weigh": "journal", "wait": "container"},
            errors=near("load type msg cause func", "weigh type msg func", "manifest cause msg", "wait func")),
    Program(source="choir.rb", language="ruby", made=interpreter("ruby"), layouts={"sing": "journal"},
            errors=near("sing type msg func", "score cause", "hall msg type func frozen key")),
    Program(source="orchard.js", language="node", made=interpreter("node"), layouts={"crate": "container"},
            errors=near("pick type msg func", "crate func msg type", "press cause")),
    Program(source="aquarium.mjs", language="node", made=interpreter("node"), layouts={"any": "stack"},
            errors=near("feed type msg func", "any type msg func", "light type msg func")),
    Program(source="Clinic.java", language="java", made=java_class("org.clinic.desk.Clinic"),
            layouts={"dose": "std", "later": "container"},
            errors=near("book type msg func", "record cause", "dose type msg func", "later cause")),
    Program(source="vineyard.kt", language="java", made=kotlin, layouts={"label": "journal"},
            errors=near("fill type msg func", "label type func cast", "sell cause")),
    Program(source="Freight.cs", language="dotnet", made=mono("Freight.Dock", str), errors=FREIGHT),
    Program(source="Freight.cs", called="tills", language="dotnet", made=mono("Kiosk.Tills", as_core), errors=FREIGHT,
            layouts={"count": "aspnet", "sail": "serilog"}),
    Program(source="Freight.cs", called="depot", language="dotnet", made=mono("Depot.Yard", as_framework),
            errors=FREIGHT, layouts={"lift": "flaskdoc"}),
    Program(source="turbine.rs", language="rust", made=rust("1"), layouts={"alarm": "journal"},
            errors=near("turn type msg func", "power type msg func div open", "alarm msg")),
    Program(source="turbine.rs", called="windmill", language="rust", made=rust("0"), layouts={"turn": "container"},
            errors=near("turn type msg", "power type msg func div open", "alarm msg")),
    Program(source="sluice.rs", language="rust", made=rust("0"), layouts={"open": "journal"},
            errors=near("open cause msg", "shut msg", "level msg")),
    Program(source="postroom.pl", language="perl", made=interpreter("perl"), layouts={"stamp": "journal"},
            errors=near("stamp msg func", "send msg type bare", "count msg type file")),
    Program(source="lighthouse.exs", language="elixir", made=interpreter("elixir"), layouts={"turn": "container"},
            errors=near("lit type msg func", "turn type msg func", "task type msg")),
    Program(source="nightly.sh", language="text", made=interpreter("bash"), layouts={"sql": "journal"},
            errors=near("copy msg func type", "call msg func type", "fetch msg", "sql msg func")),
    Program(source="museum.py", language="python27", made=python(MUSEUM, 1), layouts=MUSEUM,
            own_layouts=tuple(MUSEUM.values()),
            errors=near("show type msg func", "label type msg func", "guide type func", "store type msg",
                        "read type msg func net", "reraise func", "thread")),
    Program(source="circus.py", language="python", made=python(CIRCUS, 0), layouts=CIRCUS, versions=True,
            own_layouts=tuple(CIRCUS.values()),
            errors=near("tent type msg func", "feed type msg func", "tour cause bare", "fanfare type msg func",
                        "juggle msg func", "count type msg func", "ride func", "cannon msg type")),
)  # fmt: skip
