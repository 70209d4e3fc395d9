"""Check the snippets of docs/docker.md: compose files with the real Compose, settings as their readers read them."""

import configparser
import json
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import click
import pytest
import yaml

from relay.cli import main
from relay.config import load
from tests.support.compose import COMPOSE_FILE, read_env
from tests.support.doc_snippets import replaced, snippets
from tests.support.paths import DOCS, ROOT
from tests.support.processes import Relay, send_mail, wait_for

BLOCKS = snippets("docker.md")
COMMANDS, APP, TRY, SERVICE, HOST, ENV, POSTFIX, PORTS, SOCKET, BACKUP, RESTORE = BLOCKS.values()
OURS = yaml.safe_load(COMPOSE_FILE.read_text())
RELAY = OURS["services"]["relay"]


def run(*command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, check=False, text=True, timeout=60)


def has_compose() -> bool:
    return shutil.which("docker") is not None and run("docker", "compose", "version").returncode == 0


needs_compose = pytest.mark.skipif(not has_compose(), reason="Docker Compose is not installed")


def composed(folder: Path, *files: Path) -> dict:
    """Return what the real Compose makes of these files; it needs no Docker engine for this."""
    command = ["docker", "compose", "--project-directory", str(folder)]
    command += [word for file in files for word in ("--file", str(file))]
    done = run(*command, "config", "--format", "json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def written(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text)
    return folder / name


def ports(service: dict) -> set[tuple[str, str, int]]:
    return {(port["host_ip"], port["published"], port["target"]) for port in service["ports"]}


def test_page_says_how_commands_run_in_the_container():
    commands = [line.partition("#")[0].split() for line in COMMANDS.splitlines()]

    assert [words[:5] for words in commands] == [["docker", "compose", "exec", "relay", "relay"]] * 3
    assert "relay" in OURS["services"]
    assert {words[5] for words in commands} <= set(main.list_commands(click.Context(main)))


def test_network_of_the_page_is_the_one_of_the_relay():
    network = yaml.safe_load(APP)["networks"]["error-mail-relay"]

    assert network == {"name": f"{OURS['name']}_default", "external": True}
    assert "networks" not in RELAY
    assert set(OURS["services"]) >= {"relay"}
    assert re.findall(r"relay:(\d+)", APP) == ["2525"]
    assert "EXPOSE 2525" in (ROOT / "Dockerfile").read_text()


def test_program_of_the_page_reaches_a_relay(sink):
    program = shlex.split(TRY)[-1]
    code = replaced(program, {"'relay', 2525": f"'127.0.0.1', {sink.port}"})
    done = run("python3", "-c", code)

    assert done.stdout.startswith("(250, ")


@needs_compose
def test_app_of_the_page_joins_the_network(tmp_path):
    made = composed(tmp_path, written(tmp_path, "compose.yml", "name: shop\n" + APP))

    assert set(made["services"]["app"]["networks"]) == {"default", "error-mail-relay"}
    assert made["networks"]["error-mail-relay"] == {"name": "error-mail-relay_default", "ipam": {}, "external": True}


def test_service_of_the_page_is_as_confined_as_ours():
    service = yaml.safe_load(SERVICE)["services"]["relay"]

    for key in ("read_only", "tmpfs", "cap_drop", "security_opt", "restart", "stop_grace_period"):
        assert service[key] == RELAY[key], key
    assert service["ports"] == [port for port in RELAY["ports"] if "8026" in port]
    assert [volume.partition(":")[2] for volume in service["volumes"]] == ["/var/lib/error-mail-relay"]
    assert service["environment"]["RELAY_SMTP__AUTH_IN_CLEAR"] == "true"


@needs_compose
def test_service_of_the_page_gets_the_settings_of_its_file(tmp_path):
    written(tmp_path, "relay.env", (ROOT / ".env.example").read_text())
    made = composed(tmp_path, written(tmp_path, "compose.yml", "name: shop\n" + SERVICE))

    settings = load(None, made["services"]["relay"]["environment"]).settings
    assert settings.admins == ("yourname@example.com",)


@needs_compose
def test_overrides_of_the_page_change_name_and_ports(tmp_path):
    host, other = written(tmp_path, "host.yml", HOST), written(tmp_path, "ports.yml", PORTS)
    made = composed(tmp_path, COMPOSE_FILE, host, other)

    service = made["services"]["relay"]
    assert service["extra_hosts"] == ["host.docker.internal=host-gateway"]
    assert ports(service) == {("127.0.0.1", "2525", 2525), ("127.0.0.1", "8026", 8026)}
    assert made["networks"]["default"]["ipam"]["config"] == [{"subnet": "172.30.25.0/24"}]


def test_relay_takes_the_settings_for_the_postfix_of_the_host():
    upstream = load(None, read_env(ENV)).settings.upstream

    assert (upstream.host, upstream.port) == ("host.docker.internal", 25)


@pytest.mark.skipif(shutil.which("postconf") is None, reason="Postfix is not installed")
def test_postfix_takes_the_settings_of_the_page(tmp_path):
    written(tmp_path, "main.cf", f"compatibility_level = 3.6\n{POSTFIX}")
    written(tmp_path, "master.cf", "smtp inet n - n - - smtpd\n")
    done = run("postconf", "-c", str(tmp_path), "-n")

    assert set(POSTFIX.splitlines()) <= set(done.stdout.splitlines())
    assert "unused parameter" not in done.stderr
    [subnet] = {config["subnet"] for config in yaml.safe_load(HOST)["networks"]["default"]["ipam"]["config"]}
    assert subnet in POSTFIX


def test_socket_of_the_page_replaces_the_port():
    parser = configparser.RawConfigParser(strict=False)
    parser.read_string((DOCS / "error-mail-relay.socket").read_text())

    assert parser["Socket"]["ListenStream"] == "127.0.0.1:25"
    assert SOCKET == "[Socket]\nListenStream=\nListenStream=127.0.0.1:2525\n"  # an empty line removes the earlier ones


def relay_commands(block: str) -> list[list[str]]:
    """The commands that `docker compose run` passes to the image's entry point, `relay`."""
    lines = [shlex.split(line) for line in block.splitlines() if line.startswith("docker compose run")]
    return [words[words.index("relay") + 1 :] for words in lines]


@pytest.mark.e2e
def test_backup_of_the_page_is_restored_into_an_empty_volume(tmp_path):
    [backup], [restore] = relay_commands(BACKUP), relay_commands(RESTORE)
    assert f"{OURS['name']}_state" in RESTORE
    assert "error-mail-relay_state" in DOCS.joinpath("docker.md").read_text()
    file = str(tmp_path / "relay.backup")
    here = {"/backup/relay.backup": file}
    with Relay(tmp_path / "old", admins=["yourname@example.com"]) as relay:
        send_mail(relay.smtp_port)
        wait_for(lambda: relay.status()["received"], "the mail to be counted")
        done = relay.run(*[here.get(word, word) for word in backup])
        assert done.returncode == 0, done.stderr
        again = relay.run(*[here.get(word, word) for word in backup])
        assert again.returncode == 0, again.stderr  # every night the same command
    new = Relay(tmp_path / "new", admins=["yourname@example.com"])
    done = new.run(*[here.get(word, word) for word in restore])

    assert done.returncode == 0, done.stderr
    assert new.status()["received"] == 1


@needs_compose
@pytest.mark.parametrize("block", [BACKUP, RESTORE], ids=["backup", "restore"])
def test_compose_knows_the_options_of_the_page(block):
    for line in block.splitlines():
        words = shlex.split(line)
        if words[0] == "docker":
            help_text = run(*words[:3], "--help").stdout
            until = words.index("relay") if "relay" in words else len(words)
            options = [word for word in words[3:until] if word.startswith("--")]
            assert [option for option in options if option not in help_text] == [], line


def test_every_snippet_is_run():
    assert [key.rpartition(" ")[0] for key in BLOCKS] == [
        "Docker: beside your app 1",
        "The app has a compose project of its own 1",
        "The app has a compose project of its own 2",
        "The relay as a service of your project 1",
        "The host's own Postfix as the upstream 1",
        "The host's own Postfix as the upstream 2",
        "The host's own Postfix as the upstream 3",
        "Port 25 is in use 1",
        "Port 25 is in use 2",
        "Backup out of the volume 1",
        "Backup out of the volume 2",
    ]
