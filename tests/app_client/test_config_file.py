"""Configuration files: the format of the guide is parsed; ambiguous values are refused with their line, not shown."""

import json

import pytest

from app_client.config_file import ConfigProblem, load_config

GUIDE = """\
FLASK:
    DEBUG: True
    DEBUG_WITH_APTANA: True
"""


@pytest.fixture
def write(tmp_path):
    def write(text: str | bytes, name: str = "config.yaml"):
        path = tmp_path / name
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return path

    return write


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("config.yaml", GUIDE),
        (
            "config.yml",
            "---\r\n# ours\r\n\r\nFLASK:   # the app\r\n  DEBUG: true\r\n  DEBUG_WITH_APTANA : TRUE # x\r\n",
        ),
        ("config.toml", "[FLASK]\nDEBUG = true\nDEBUG_WITH_APTANA = true\n"),
        ("CONFIG.JSON", json.dumps({"FLASK": {"DEBUG": True, "DEBUG_WITH_APTANA": True}})),
        ("bom.yaml", b"\xef\xbb\xbf" + GUIDE.encode()),
    ],
)
def test_the_guides_file_reads_the_same_in_every_format(write, name, text):
    assert load_config(str(write(text, name))) == {"DEBUG": True, "DEBUG_WITH_APTANA": True}


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("", None),
        ("~", None),
        ("false", False),
        ("-12", -12),
        ("2.50", 2.5),
        ("127.0.0.1:2525", "127.0.0.1:2525"),
        ("relay:2525", "relay:2525"),
        ("postgresql://db/shop", "postgresql://db/shop"),
        ("/var/log/shop.log", "/var/log/shop.log"),
        ("My Shop Failed  # a comment", "My Shop Failed"),
        ("a#b", "a#b"),
        ("'it''s #1' # a comment", "it's #1"),
        (r'"a \"b\" \\ é: # "', 'a "b" \\ é: # '),
        ('"no"', "no"),
        ('"007"', "007"),
        ("[]", []),
        ("[a@example.com, 'b@example.com', \"c, d\", 5, true]", ["a@example.com", "b@example.com", "c, d", 5, True]),
    ],
)
def test_values_of_yaml(write, written, expected):
    assert load_config(write(f"FLASK:\n  KEY: {written}\n")) == {"KEY": expected}


def test_blocks_of_other_programs_are_skipped(write):
    text = "celery:\n  - x\n  nested: {a: 1}\nversion: 2\nFLASK:\n  A: 1\n\n  # more\n  B: 2\nlogs: [a]\n"

    assert load_config(write(text)) == {"A": 1, "B": 2}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("FLASK:\n  KEY: yes-secret\n  KEY: 1", "line 3: KEY occurs twice"),
        ("FLASK:\n  A: 1\nFLASK:\n  A: 2", "line 3: FLASK occurs twice"),
        ("FLASK:\n  A: 1\n   B: 2", "line 3: the indentation differs from that of the first key"),
        ("FLASK:\n\tA: 1", "line 2: neither the name of a block"),
        ("FLASK:\n  A:\n    B: 1", "line 3: the indentation differs from that of the first key"),
        ("FLASK:\n  A:\n  - 1", "line 3: not of the form `KEY: value`"),
        ("FLASK:\n  A:1", "line 2: not of the form `KEY: value`"),
        ("FLASK: {A: 1}", "line 1: FLASK is followed by a value"),
        ("other: 'a\nFLASK:\n  A: 1'", "line 1: a value that may continue"),
        ("other: [\nFLASK:\n  A: 1]", "line 1: a value that may continue"),
        ("[a]", "line 1: neither the name of a block"),
        ("FLASK:\n  ON: 1", "line 2: some YAML readers do not take ON for a name"),
        *[
            (f"FLASK:\n  A: {value}", "line 2: A: put the value in quotes")
            for value in (
                *("yes", "No", "on", "OFF", "n", "010", "0x1F", "1_000", "1e5", "12:30", "2024-01-01", ".5", "5."),
                *(".inf", "*alias", "&anchor a", "!tag a", "|", ">", "{a: 1}", "- 1", "@a", "%a", "<<", "="),
                *("a: b", "a:"),
                "1" * 5000,
            )
        ],
        ("FLASK:\n  A: 'secret", "line 2: A: the quotes are not closed"),
        ('FLASK:\n  A: "secret" more', "line 2: A: the quotes are not closed"),
        ('FLASK:\n  A: "secret\\x41"', "line 2: A: in double quotes a backslash"),
        ('FLASK:\n  A: "\\ud83d\\ude00"', "line 2: A: write characters beyond"),
        ("FLASK:\n  A: [secret, [b]]", "line 2: A: a list must be [value, value]"),
        ("FLASK:\n  A: [secret,]", "line 2: A: a list must be [value, value]"),
        ("FLASK:\n  A: [secret,", "line 2: A: a list must end with ]"),
        ("FLASK:\n  A: secret\x0bB: 1", "line 2: not of the form"),
        ("FLASK:\n  A: secret\u2028  B: 1", "line 2: not of the form"),
    ],
)  # fmt: skip
def test_yaml_that_readers_parse_differently_is_refused_with_its_line(write, text, words):
    path = write(text)

    with pytest.raises(ConfigProblem) as refusal:
        load_config(path)

    assert str(refusal.value).startswith(f"{path}, {words}")
    assert "for more write TOML or JSON" in str(refusal.value)
    assert "secret" not in str(refusal.value)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("name", "text", "words"),
    [
        ("config.ini", "", ": the name must end in one of .yaml, .yml, .toml, .json"),
        ("config.yaml", "", ': no block "FLASK"'),
        ("config.yaml", "OTHER:\n  A: 1", ': no block "FLASK"'),
        ("config.toml", "FLASK = 1", ': no block "FLASK"'),
        ("config.json", "[1]", ': no block "FLASK"'),
        ("config.toml", "[FLASK]\nA = secret", ": invalid TOML: Invalid value (at line 2, column 5)"),
        ("config.json", '{"FLASK": {"A": secret}}', ": invalid JSON: Expecting value: line 1 column 17"),
        ("config.json", "[" * 100_000, ": invalid JSON: "),
        ("config.json", '{"FLASK": {"A": ' + "1" * 5000 + "}}", ": invalid JSON: "),
        ("config.yaml", "FLASK:\n  debug: secret", ": FLASK: 'debug': Flask reads only upper-case keys; write DEBUG"),
        ("config.yaml", "FLASK:\n  DEBUG: 'false'", ": FLASK: DEBUG: must be true or false, without quotes"),
        ("config.json", '{"FLASK": {"DEBUG_WITH_EXTERNAL": 1}}', ": FLASK: DEBUG_WITH_EXTERNAL: must be true or false"),
        ("config.yaml", b"FLASK:\n  A: \xff", ": not UTF-8"),
        ("config.yaml", "#" * (1024 * 1024 + 1), ": over 1 MiB"),
    ],
)
def test_an_invalid_file_is_refused_with_the_reason(write, name, text, words):
    path = write(text, name)

    with pytest.raises(ConfigProblem) as refusal:
        load_config(path)

    assert str(refusal.value).startswith(f"{path}{words}")
    assert "secret" not in str(refusal.value)


def test_a_missing_file_is_reported_with_the_current_folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    with pytest.raises(ConfigProblem, match=rf"^config\.yaml: cannot be read from {tmp_path}: No such file"):
        load_config("config.yaml")


def test_time_to_parse_a_list_grows_linearly(write):
    """A list of one megabyte. If each step copied the rest of it, this would take minutes."""
    assert len(load_config(write("FLASK:\n  A: [" + "a," * 500_000 + "a]"))["A"]) == 500_001
