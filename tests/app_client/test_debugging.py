"""Debug mode with Flask's server and real WSGI servers: who catches an exception, and where debug mode is refused."""

import http.client
import os
import re
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask

from app_client.debugging import DebugRefused, configure, run_options
from tests.support.paths import ROOT
from tests.support.smtp_sinks import TIMEOUT, wait_until

EXTERNAL = {"use_debugger": False, "use_reloader": False, "passthrough_errors": True, "threaded": False}
BUILT_IN = {"use_debugger": True, "use_reloader": True}
NEITHER = {"use_debugger": False, "use_reloader": False}

FACTORY = """
    from flask import Flask
    from app_client.debugging import configure, run

    def create_app(config="config.yaml"):
        app = Flask("yourapplication")
        configure(app, config)
        app.add_url_rule("/fail", "fail", lambda: {}["order"])
        app.add_url_rule("/", "well", lambda: "well")
        return app
"""


@pytest.fixture
def app() -> Flask:
    return Flask("yourapplication")


@pytest.fixture
def folder(tmp_path):
    """A folder with an app and the configuration of the guide."""
    (tmp_path / "shop.py").write_text(textwrap.dedent(FACTORY))
    (tmp_path / "config.yaml").write_text("FLASK:\n    DEBUG: True\n    DEBUG_WITH_APTANA: True\n")
    return tmp_path


@pytest.fixture
def start(folder) -> Iterator[Callable[..., subprocess.Popen]]:
    """Start Python with these arguments in the folder, its output in the file `output`; killed after the test."""
    processes = []

    def start(*arguments: str, **environment: str) -> subprocess.Popen:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("FLASK_", "WERKZEUG_"))}
        kept |= {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **environment}
        with (folder / "output").open("w") as output:
            process = subprocess.Popen(
                [sys.executable, *arguments], cwd=folder, env=kept, stderr=output, stdin=subprocess.DEVNULL,
                stdout=output, text=True, start_new_session=True,
            )  # fmt: skip
        processes.append(process)
        return process

    yield start
    for process in processes:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.wait()


def output(folder: Path) -> str:
    return (folder / "output").read_text()


def port_of(process: subprocess.Popen, folder: Path) -> int:
    found: list[str] = []

    def is_known() -> bool:
        found[:] = re.findall(r"http://127\.0\.0\.1:(\d+)", output(folder))
        return bool(found) or process.poll() is not None

    wait_until(is_known)
    assert found, output(folder)
    return int(found[0])


def get(port: int, path: str) -> tuple[int, str]:
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    connection.request("GET", path)
    response = connection.getresponse()
    try:
        return response.status, response.read().decode()
    finally:
        connection.close()


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({}, {"debug": False, **NEITHER}),
        ({"DEBUG": True}, {"debug": True, **BUILT_IN}),
        ({"DEBUG": True, "DEBUG_WITH_APTANA": True}, {"debug": True, **EXTERNAL}),
        ({"DEBUG": True, "DEBUG_WITH_EXTERNAL": True}, {"debug": True, **EXTERNAL}),
        ({"DEBUG": True, "DEBUG_WITH_EXTERNAL": False}, {"debug": True, **BUILT_IN}),
        ({"DEBUG_WITH_EXTERNAL": True}, {"debug": False, **NEITHER}),
    ],
)
def test_options_follow_the_configuration(app, config, expected):
    app.config.update(config)

    assert run_options(app) == {"host": None, **expected}


def test_given_options_take_precedence(app):
    app.config.update(DEBUG=True, DEBUG_WITH_EXTERNAL=True)

    assert run_options(app, threaded=True, ssl_context="adhoc")["threaded"] is True
    assert run_options(app, debug=False) == {"host": None, "debug": False, **NEITHER}


@pytest.mark.parametrize("host", ["127.0.0.1", "127.8.8.8", "::1", "localhost", "unix:///run/shop.sock", None])
def test_debug_mode_is_allowed_on_this_machine(app, host):
    app.debug = True

    assert run_options(app, host)["debug"]


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.1", "10.0.0.1", "no-such-host.invalid"])
@pytest.mark.parametrize(
    "options", [{"debug": True}, {"use_debugger": True}, {"debug": True, "use_debugger": False}], ids=str
)
def test_debug_mode_is_refused_on_a_public_address(app, host, options):
    with pytest.raises(DebugRefused, match=rf"^Debug mode is refused on {re.escape(host)}: .*force=True"):
        run_options(app, host, **options)

    assert run_options(app, host)["debug"] is False
    assert run_options(app, host, force=True, **options).items() >= options.items()


def test_without_a_host_the_server_name_counts(app):
    app.config.update(DEBUG=True, SERVER_NAME="192.0.2.1:80")

    with pytest.raises(DebugRefused, match=r"on 192\.0\.2\.1"):
        run_options(app)
    assert run_options(app, "127.0.0.1")["debug"]


def test_a_test_client_is_served_in_debug_mode(folder, app):
    configure(app, folder / "config.yaml")
    app.add_url_rule("/", view_func=lambda: "well")

    assert app.test_client().get("/").text == "well"
    assert app.test_client().get("/", base_url="http://192.0.2.1").text == "well"


def test_configuring_twice_guards_once(folder, app):
    configure(app, folder / "config.yaml")
    guard = app.wsgi_app
    configure(app, folder / "config.yaml")

    assert app.wsgi_app is guard


def test_with_an_external_debugger_the_exception_leaves_app_run(folder, start):
    """There pdb, and every debugger that stops at uncaught exceptions, sees it."""
    process = start(
        "-c", "import shop\ntry:\n shop.run(shop.create_app(), port=0)\nexcept KeyError as e: print('got', e)"
    )

    with pytest.raises((http.client.HTTPException, OSError)):
        get(port_of(process, folder), "/fail")

    assert process.wait(TIMEOUT) == 0
    assert "got 'order'" in output(folder)
    assert "Debugger is active" not in output(folder)
    assert "Restarting with" not in output(folder)


def test_pdb_shows_the_exception_of_a_request_post_mortem(folder, start):
    (folder / "main.py").write_text("import shop\nshop.run(shop.create_app('config.yaml'), port=0)\n")
    process = start("-m", "pdb", "-c", "continue", "main.py")

    with pytest.raises((http.client.HTTPException, OSError)):
        get(port_of(process, folder), "/fail")

    process.wait(TIMEOUT)
    assert "Uncaught exception. Entering post mortem debugging" in output(folder)
    assert 'lambda: {}["order"]' in output(folder)


def test_with_threads_the_exception_ends_only_its_thread(folder, start):
    process = start("-c", "import shop; shop.run(shop.create_app(), port=0, threaded=True)")
    port = port_of(process, folder)

    with pytest.raises((http.client.HTTPException, OSError)):
        get(port, "/fail")

    assert get(port, "/") == (200, "well")
    wait_until(lambda: "KeyError: 'order'" in output(folder))
    assert "Exception in thread" in output(folder)


def test_without_an_external_debugger_the_built_in_one_answers(folder, start):
    (folder / "config.yaml").write_text("FLASK:\n    DEBUG: True\n")
    process = start("-c", "import shop; shop.run(shop.create_app(), port=0, use_reloader=False)")

    status, page = get(port_of(process, folder), "/fail")

    assert (status, "Werkzeug Debugger" in page) == (500, True)


def test_in_production_the_error_page_shows_no_details(folder, start):
    (folder / "config.yaml").write_text("FLASK:\n    DEBUG: False\n    DEBUG_WITH_EXTERNAL: True\n")
    process = start("-c", "import shop; shop.run(shop.create_app(), '0.0.0.0', port=0)")

    status, page = get(port_of(process, folder), "/fail")

    assert status == 500
    assert "Werkzeug" not in page
    assert "order" not in page


def test_force_disables_the_guard(folder, start):
    process = start("-c", "import shop; shop.run(shop.create_app(), '0.0.0.0', port=0, force=True)")

    assert get(port_of(process, folder), "/") == (200, "well")
    assert "Debug mode is forced on 0.0.0.0" in output(folder)


def test_app_run_without_run_options_is_guarded(folder, start):
    process = start(
        "-c", "import shop; shop.create_app().run('0.0.0.0', port=0, use_debugger=False, use_reloader=False)"
    )

    status, page = get(port_of(process, folder), "/fail")

    assert (status, page) == (503, "Debug mode is refused here; the log of the app says why.\n")
    assert "Debug mode is refused on 0.0.0.0" in output(folder)


@pytest.mark.parametrize("options", [["run", "--host", "0.0.0.0"], ["run", "--debug", "-h", "0.0.0.0"]])
def test_flask_run_with_a_public_address_is_refused(folder, start, options):
    process = start("-m", "flask", "--app", "shop", *options, "--port", "0")

    assert process.wait(TIMEOUT) == 1
    assert "Debug mode is refused on 0.0.0.0" in output(folder)


def test_flask_run_with_the_debugger_is_refused_without_debug_mode_too(folder, start):
    (folder / "config.yaml").write_text("FLASK:\n    DEBUG: False\n")
    process = start("-m", "flask", "--app", "shop", "run", "--debugger", "--host", "0.0.0.0", "--port", "0")

    assert process.wait(TIMEOUT) == 1
    assert "Debug mode is refused on 0.0.0.0" in output(folder)


def test_flask_run_on_this_machine_serves(folder, start):
    process = start("-m", "flask", "--app", "shop", "run", "--debug", "--no-debugger", "--no-reload", "--port", "0")

    assert get(port_of(process, folder), "/") == (200, "well")


def test_gunicorn_refuses_to_start_an_app_in_debug_mode(folder, start):
    process = start("-m", "gunicorn", "--bind", "127.0.0.1:0", "shop:create_app()")

    assert process.wait(TIMEOUT) != 0
    assert "Debug mode is refused under gunicorn" in output(folder)


def test_waitress_started_from_code_answers_503_in_debug_mode(folder, start):
    """When it is called from code, waitress cannot be detected before the first request."""
    script = """
        import shop, waitress
        server = waitress.create_server(shop.create_app(), listen="127.0.0.1:0")
        print(f"http://127.0.0.1:{server.effective_port}")
        server.run()
    """
    process = start("-c", textwrap.dedent(script))

    port = port_of(process, folder)
    assert get(port, "/fail")[0] == 503
    assert get(port, "/")[0] == 503
    assert output(folder).count("Debug mode is refused under waitress") == 1


def test_waitress_serves_an_app_that_is_not_in_debug_mode(folder, start):
    (folder / "config.yaml").write_text("FLASK:\n    DEBUG: False\n")
    process = start("-m", "waitress", "--listen", "127.0.0.1:0", "--call", "shop:create_app")

    assert get(port_of(process, folder), "/") == (200, "well")


def test_waitress_started_by_its_command_is_refused_at_once(folder, start):
    process = start("-m", "waitress", "--listen", "127.0.0.1:0", "--call", "shop:create_app")

    assert process.wait(TIMEOUT) != 0
    assert "Debug mode is refused under waitress" in output(folder)


def example(kind: str) -> str:
    """Return the only code block of this kind in the section of the documentation."""
    section = (ROOT / "docs" / "app-client.md").read_text().partition("\n## Debugging\n")[2].partition("\n## ")[0]
    [code] = re.findall(rf"^```{kind}\n(.*?)^```$", section, re.MULTILINE | re.DOTALL)
    return code


def test_the_documented_app_passes_its_exceptions_to_the_debugger(folder, start):
    (folder / "config.yaml").write_text(example("yaml"))
    code = example("python").replace(
        "    ErrorMail(app)\n", '    ErrorMail(app)\n    app.add_url_rule("/fail", view_func=lambda: 1 / 0)\n'
    )
    (folder / "yourapplication.py").write_text(code.replace('"config.yaml"))', '"config.yaml"), port=0)'))
    process = start("yourapplication.py")

    with pytest.raises((http.client.HTTPException, OSError)):
        get(port_of(process, folder), "/fail")

    assert process.wait(TIMEOUT) == 1
    assert output(folder).endswith("ZeroDivisionError: division by zero\n")


@pytest.mark.parametrize("kind", ["yaml", "toml", "json"])
def test_the_documented_files_select_an_external_debugger(app, folder, kind):
    path = folder / f"documented.{kind}"
    path.write_text(example(kind))

    configure(app, path)

    assert run_options(app) == {"host": None, "debug": True, **EXTERNAL}
