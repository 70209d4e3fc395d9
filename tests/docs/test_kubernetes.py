"""Check the manifests in docs/kubernetes: against the schema of Kubernetes, and as relay and image read them."""

import json
import re
import shlex
from pathlib import Path

import jsonschema
import pytest
import yaml
from click.testing import CliRunner

from relay.cli import main
from relay.config import load
from tests.support.doc_snippets import snippets
from tests.support.paths import DATA, DOCS, ROOT

BLOCKS = snippets("kubernetes.md")
FILES = sorted((DOCS / "kubernetes").glob("*.yaml"))
SCHEMA = json.loads((DATA / "kubernetes" / "schema.json").read_text())
SECRETS = "/run/secrets/error-mail-relay"
each_manifest = pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)


def objects(file: Path) -> dict[str, dict]:
    """Return the objects of a manifest by kind; there is one of each."""
    found = list(yaml.safe_load_all(file.read_text()))
    assert len({each["kind"] for each in found}) == len(found)
    return {each["kind"]: each for each in found}


def container(file: Path) -> dict:
    [only] = objects(file)["StatefulSet"]["spec"]["template"]["spec"]["containers"]
    return only


def faults(manifest: dict) -> list[str]:
    """Return what the schema of this kind finds, as Kubernetes would: also unknown fields."""
    kinds = {name.rpartition(".")[2]: name for name in SCHEMA["$defs"]}
    schema = {"$schema": SCHEMA["$schema"], "$ref": f"#/$defs/{kinds[manifest['kind']]}", "$defs": SCHEMA["$defs"]}
    return [error.message for error in jsonschema.Draft202012Validator(schema).iter_errors(manifest)]


@each_manifest
def test_manifest_fits_the_schema_of_kubernetes(file):
    assert {kind: faults(manifest) for kind, manifest in objects(file).items() if faults(manifest)} == {}


@pytest.mark.parametrize("change", [{"replicas": "two"}, {"replica": 1}], ids=["type", "name"])
def test_wrong_field_is_found(change):
    manifest = objects(FILES[0])["StatefulSet"]
    manifest["spec"] |= change

    assert faults(manifest)


def test_missing_field_is_found():
    manifest = objects(FILES[0])["StatefulSet"]
    del manifest["spec"]["selector"]

    assert faults(manifest) == ["'selector' is a required property"]


@each_manifest
def test_objects_find_each_other(file):
    found = objects(file)
    spec = found["StatefulSet"]["spec"]
    pod = spec["template"]["spec"]
    labels = spec["template"]["metadata"]["labels"]

    assert spec["selector"]["matchLabels"] == found["Service"]["spec"]["selector"] == labels
    assert spec["serviceName"] == found["Service"]["metadata"]["name"]
    assert {port["targetPort"] for port in found["Service"]["spec"]["ports"]} == {
        port["name"] for port in container(file)["ports"]
    }
    volumes = {volume["name"]: volume for volume in pod["volumes"]}
    assert volumes["config"]["configMap"]["name"] == found["ConfigMap"]["metadata"]["name"]
    assert volumes["secrets"]["secret"]["secretName"] == found["Secret"]["metadata"]["name"]
    claims = {claim["metadata"]["name"] for claim in spec["volumeClaimTemplates"]}
    assert {mount["name"] for mount in container(file)["volumeMounts"]} == {*volumes, *claims}


def image_environment() -> dict[str, str]:
    text = (ROOT / "Dockerfile").read_text()
    return dict(re.findall(r"(RELAY_\w+)=(\S+)", text))


@each_manifest
def test_relay_takes_the_configuration_with_the_variables_of_image_and_manifest(file, tmp_path):
    found = objects(file)
    for name, value in found["Secret"]["stringData"].items():
        (tmp_path / name).write_text(value)
    config = tmp_path / "relay.toml"
    config.write_text(found["ConfigMap"]["data"]["relay.toml"].replace(SECRETS, str(tmp_path)))
    variables = {each["name"]: each["value"] for each in container(file)["env"]}
    mounts = {mount["name"]: mount["mountPath"] for mount in container(file)["volumeMounts"]}
    settings = load(config, image_environment() | variables).require_files()

    assert variables["RELAY_CONFIG"] == f"{mounts['config']}/relay.toml"
    assert mounts["secrets"] == SECRETS
    assert str(settings.storage.data_dir) == f"{mounts['state']}/state"
    assert settings.upstream.secret("password") == settings.http.secret("password") == "change-me"
    assert [str(network) for network in settings.smtp.clients][-1] == "10.0.0.0/8"
    ports = {port["name"]: port["containerPort"] for port in container(file)["ports"]}
    assert (str(settings.smtp.listen), str(settings.http.listen)) == (
        f"0.0.0.0:{ports['smtp']}",
        f"0.0.0.0:{ports['http']}",
    )
    assert settings.storage.ledger_url.startswith("sqlite" if "one" in file.stem else "postgresql")


@each_manifest
def test_user_of_the_manifest_is_that_of_the_image(file):
    context = objects(file)["StatefulSet"]["spec"]["template"]["spec"]["securityContext"]
    [user] = re.findall(r"^USER (\d+):\1$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)

    assert {context[name] for name in ("runAsUser", "runAsGroup", "fsGroup")} == {int(user)}


@each_manifest
def test_probes_ask_whether_mail_is_accepted_and_never_about_the_upstream(file):
    probes = {name: container(file)[name] for name in ("startupProbe", "readinessProbe", "livenessProbe")}

    assert (
        probes["startupProbe"]["exec"]["command"] == probes["readinessProbe"]["exec"]["command"] == ["relay", "health"]
    )
    assert probes["livenessProbe"]["httpGet"]["path"] == "/livez"


def test_replicas_share_a_ledger_only_in_postgresql():
    replicas = {file.stem: objects(file)["StatefulSet"]["spec"]["replicas"] for file in FILES}

    assert replicas == {"one-replica": 1, "several-replicas": 2}
    assert "ledger_file" in objects(FILES[1])["ConfigMap"]["data"]["relay.toml"]


@pytest.mark.parametrize("line", [line for block in BLOCKS.values() for line in block.splitlines()])
def test_commands_of_the_page_name_what_the_manifest_has(line):
    words = shlex.split(line)
    found = objects(FILES[0])
    service, pods = found["Service"]["metadata"]["name"], found["StatefulSet"]["metadata"]["name"]
    known = {f"statefulset/{pods}", f"service/{service}", f"{pods}-0:/var/lib/error-mail-relay/relay.backup"}

    assert words[0] == "kubectl"
    named = [word for word in words if word.startswith(("statefulset/", "service/", "error-mail-relay-0"))]
    files = [ROOT / word for word in words if word.endswith(".yaml")]
    assert named or files
    assert set(named) <= known
    assert all(file.is_file() for file in files)
    if "--" in words:
        command = words[words.index("--") + 2 :]
        done = CliRunner().invoke(main, [command[0], "--help"])
        options = [word for word in command if word.startswith("--")]
        assert done.exit_code == 0
        assert [option for option in options if option not in done.output] == []


def test_every_snippet_is_run():
    assert list(BLOCKS) == ["First steps 1 sh", "One replica 1 sh"]
