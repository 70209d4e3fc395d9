"""Loading the configuration: what it accepts, and the sentence for each error."""

from datetime import timedelta
from pathlib import Path

import pytest

from relay.config import Listen, load, make_settings
from relay.config.listen import check_host
from relay.errors import ConfigError
from relay.model import Level, Situation
from tests.support.paths import DATA

BROKEN = sorted((DATA / "config").glob("*.toml"))
SECRETS = ("correct horse", "correct-horse")


def write(folder: Path, text: str) -> Path:
    file = folder / "relay.toml"
    file.write_text(text)
    return file


@pytest.mark.parametrize("file", BROKEN, ids=lambda file: file.stem)
def test_error_says_what_is_wrong_where_and_what_would_be_right(file, monkeypatch):
    monkeypatch.chdir(file.parent)

    with pytest.raises(ConfigError) as caught:
        load(Path(file.name), {}).require_files()

    assert str(caught.value) + "\n" == file.with_suffix(".expected").read_text()
    assert not any(secret in str(caught.value) for secret in SECRETS)


def test_there_are_at_least_fifteen_kinds_of_broken_configuration():
    assert len(BROKEN) >= 15


def test_defaults_are_the_documented_ones(tmp_path):
    settings = make_settings(tmp_path)

    assert settings.smtp.listen == Listen("127.0.0.1", 2525)
    assert settings.http.listen == Listen("127.0.0.1", 8026)
    assert settings.smtp.max_size == 32 * 1024 * 1024
    assert settings.timing.first_wait == timedelta(seconds=10)
    assert [step.total_seconds() / 60 for step in settings.timing.steps] == [5, 10, 20, 30, 60, 240]
    assert (settings.budget.per_hour, settings.budget.burst, settings.budget.per_day) == (20, 5, 300)
    assert settings.storage.ledger_url == f"sqlite:///{tmp_path}/ledger.db"


def test_user_without_home_must_name_a_folder(monkeypatch, tmp_path):
    """A container may run under a user id that is not in its passwd file."""
    for name in ("HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr("pwd.getpwuid", {}.__getitem__)

    with pytest.raises(ConfigError, match="this user has no home directory; name a folder"):
        load(write(tmp_path, ""), {})
    assert load(write(tmp_path, f'[storage]\ndata_dir = "{tmp_path}"\n'), {}).settings.storage.data_dir == tmp_path


def test_environment_wins_over_the_file(tmp_path):
    file = write(
        tmp_path, 'admins = ["a@example.com"]\n[upstream]\nhost = "one.example.com"\n[timing]\nsteps = ["1m"]\n'
    )
    environ = {"RELAY_UPSTREAM__HOST": "two.example.com", "RELAY_TIMING__STEPS": "2m, 3m"}

    settings = load(file, environ).settings

    assert settings.upstream.host == "two.example.com"
    assert settings.timing.steps == (timedelta(minutes=2), timedelta(minutes=3))
    assert settings.admins == ("a@example.com",)


@pytest.mark.parametrize("written", ["a@example.com,b@example.com", '["a@example.com", "b@example.com"]'])
def test_a_list_in_the_environment_is_comma_separated_or_json(written):
    assert load(None, {"RELAY_ADMINS": written}).settings.admins == ("a@example.com", "b@example.com")


def test_an_empty_variable_counts_as_unset():
    environ = {"RELAY_UPSTREAM__HOST": "", "RELAY_UPSTREAM__PORT": " ", "RELAY_UPSTREAM__PASSWORD": ""}

    assert load(None, environ).settings.upstream.host == ""


def test_unknown_variable_is_a_warning_that_names_the_nearest_setting():
    loaded = load(None, {"RELAY_UPSTREM__HOST": "x", "RELAY_PORT_25_TCP": "tcp://10.0.0.1:25"})

    assert "did you mean RELAY_UPSTREAM__HOST?" in loaded.warnings[0]
    assert len(loaded.warnings) == 2


def test_misspelt_variable_for_the_configuration_file_is_a_warning():
    [warning] = load(None, {"RELAY_CONFG": "/etc/relay.toml"}).warnings

    assert "did you mean RELAY_CONFIG?" in warning


def test_error_about_a_variable_names_it():
    with pytest.raises(ConfigError, match=r"^RELAY_TIMING__INTERVAL: 'soon' is no duration"):
        load(None, {"RELAY_TIMING__INTERVAL": "soon"})


def test_secret_is_read_from_the_file_of_its_file_setting(tmp_path):
    secret = tmp_path / "password"
    secret.write_text("open sesame\n")
    environ = {
        "RELAY_ADMINS": "a@example.com",
        "RELAY_UPSTREAM__HOST": "mail.example.com",
        "RELAY_UPSTREAM__USERNAME": "relay",
        "RELAY_UPSTREAM__PASSWORD_FILE": str(secret),
    }

    settings = load(None, environ).settings

    assert settings.upstream.secret("password") == "open sesame"
    assert "open sesame" not in repr(settings)


@pytest.mark.parametrize("table", ["upstream", "smtp", "http", "storage"])
@pytest.mark.parametrize(
    ("content", "problem"), [(b"\n", "is empty"), (b"\xff", "no UTF-8 text"), (None, "No such file or directory")]
)
def test_unusable_secret_is_an_error_for_the_service_only(tmp_path, table, content, problem):
    name = "ledger" if table == "storage" else "password"
    secret = tmp_path / "secret"
    if content is not None:
        secret.write_bytes(content)
    user = 'username = "relay"\n' if table in {"upstream", "smtp"} else ""
    found = load(write(tmp_path, f'[{table}]\n{user}{name}_file = "{secret}"\n'), {})

    with pytest.raises(ConfigError, match=rf"relay\.toml:\d: \[{table}\] {name}_file: .*{problem}"):
        found.require_files()
    found.require_files("time")


@pytest.mark.parametrize("table", ["upstream", "smtp"])
def test_user_name_without_a_password_is_an_error_for_the_service_only(tmp_path, table):
    found = load(write(tmp_path, f'[{table}]\nusername = "relay"\n'), {})

    with pytest.raises(ConfigError, match=rf"relay\.toml:2: \[{table}\] username: password \(or password_file\)"):
        found.require_files(table)


def test_empty_file_setting_counts_as_unset(tmp_path):
    assert load(write(tmp_path, '[http]\npassword_file = ""\n'), {}).settings.http.secret("password") is None


def test_ledger_file_must_hold_a_url_of_a_known_kind(tmp_path):
    (tmp_path / "url").write_text("mysql://db")
    found = load(write(tmp_path, f'[storage]\nledger_file = "{tmp_path}/url"\n'), {})

    with pytest.raises(ConfigError, match="ledger_file: holds no URL of a kind that is known"):
        found.require_files()


def test_secret_in_the_environment_wins_over_a_file_setting_in_the_file(tmp_path):
    file = write(
        tmp_path,
        'admins = ["a@example.com"]\n[upstream]\nhost = "m.example.com"\nusername = "u"\npassword_file = "/none"\n',
    )

    settings = load(file, {"RELAY_UPSTREAM__PASSWORD": "open sesame"}).settings

    assert settings.upstream.password is not None


def test_a_route_overrides_only_the_timing_it_names(tmp_path):
    file = write(
        tmp_path,
        '[timing]\nfirst_wait = "3s"\n'
        '[[route]]\nname = "shop"\nrecipients = ["s@example.com"]\nlevel = "critical"\ntiming = { interval = "1m" }\n',
    )

    shop, admins = load(file, {}).settings.routes

    assert (shop.timing.first_wait, shop.timing.interval) == (timedelta(seconds=3), timedelta(minutes=1))
    assert shop.level is Level.CRITICAL
    assert (admins.name, admins.timing.interval) == ("admins", timedelta(minutes=5))


def test_route_after_one_that_takes_everything_is_a_warning(tmp_path):
    file = write(
        tmp_path,
        '[[route]]\nname = "all"\nrecipients = ["a@example.com"]\n'
        '[[route]]\nname = "shop"\nrecipients = ["s@example.com"]\napp = "shop"\n',
    )

    assert "never reached" in load(file, {}).warnings[0]


ROUTE = '[[route]]\nname = "{}"\nrecipients = ["a@acme.test"]\n{}\n'


@pytest.mark.parametrize("condition", ['situation = "deadlock*"', 'logger = "sql*"', 'app = "a"', 'level = "critical"'])
def test_route_with_any_one_condition_does_not_take_everything(tmp_path, condition):
    if condition.startswith("situation"):
        condition = f'situation = "{next(iter(Situation))}"'
    file = write(tmp_path, ROUTE.format("some", condition) + ROUTE.format("rest", ""))

    assert load(file, {}).warnings == ()


def test_route_that_is_covered_by_an_earlier_one_is_a_warning(tmp_path):
    file = write(
        tmp_path,
        ROUTE.format("shop", 'app = "shop"')
        + ROUTE.format("critical", 'app = "shop"\nlevel = "critical"')
        + ROUTE.format("shopping", 'app = "shop*"'),
    )

    assert load(file, {}).warnings == (
        "route 'critical' is never reached: route 'shop' before it takes all of its errors",
    )


@pytest.mark.parametrize("host", ["mail", "smtp_1", "mail.acme.test.", "::1", "192.0.2.1", "bücher.example", ""])
def test_host_is_a_name_or_an_address(host):
    assert check_host(host) == host


@pytest.mark.parametrize(
    ("one", "other", "collides"),
    [
        ("127.0.0.1:25", "localhost:25", True),
        ("0.0.0.0:25", "10.0.0.1:25", True),
        ("[::]:25", "[::1]:25", True),
        ("0.0.0.0:25", "[::1]:25", False),
        ("127.0.0.1:25", "127.0.0.2:25", False),
        ("127.0.0.1:0", "127.0.0.1:0", False),
    ],
)
def test_two_sockets_collide_if_one_address_includes_the_other(one, other, collides):
    assert Listen.parse(one).collides(Listen.parse(other)) is collides


def test_a_named_file_that_is_missing_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match="there is no such file"):
        load(tmp_path / "relay.toml", {})


def test_postgresql_url_gets_the_installed_driver(tmp_path):
    settings = make_settings(tmp_path, storage={"ledger": "postgresql://u:secret@db/relay"})

    assert settings.storage.ledger_url == "postgresql+psycopg://u:secret@db/relay"
    assert "u:secret" not in repr(settings)


@pytest.mark.parametrize(
    ("text", "listen"),
    [("127.0.0.1:25", ("127.0.0.1", 25)), ("[::1]:2525", ("::1", 2525)), ("localhost:0", ("localhost", 0))],
)
def test_listen_address_is_parsed_and_printed_unchanged(text, listen):
    assert Listen.parse(text) == listen
    assert str(Listen.parse(text)) == text
    assert Listen.parse(text).loopback


@pytest.mark.parametrize("text", ["::1:25", "25", ":25", "host:", "host:99999", "host:http", "host:²"])
def test_invalid_listen_address_is_an_error(text):
    with pytest.raises(ValueError, match="write host:port"):
        Listen.parse(text)
