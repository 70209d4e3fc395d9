"""Which text of a mail reports the error: the plain part, the HTML part or an attachment."""

from base64 import b64encode

from relay.clock import utc_now
from relay.model import Envelope, Level, Record, Retained
from relay.parse.report import parse

HEAD = "From: app@example.com\nSubject: Shop error\nMIME-Version: 1.0\n"
PLAIN = "--b\nContent-Type: text/plain; charset=utf-8\n\n{}\n"


def parsed(body, head=HEAD + "Content-Type: multipart/mixed; boundary=b\n"):
    content = f"{head}\n{body}".encode() if isinstance(body, str) else f"{head}\n".encode() + body
    envelope = Envelope(sender="app@example.com", recipients=(), peer="")
    record = Record(
        position=0, end=0, received_at=utc_now(), envelope=envelope, retained=Retained.WHOLE, content=content,
        size=len(content),
    )  # fmt: skip
    return parse(record, ())


def html(text):
    return f"--b\nContent-Type: text/html; charset=utf-8\n\n{text}\n"


def attachment(name, text, kind="application/octet-stream"):
    data = text if isinstance(text, bytes) else text.encode()
    head = f"--b\nContent-Type: {kind}; name={name}\nContent-Transfer-Encoding: base64\n"
    return f"{head}Content-Disposition: attachment; filename={name}\n\n{b64encode(data).decode()}\n"


def test_html_part_is_read_where_the_plain_part_is_a_stub():
    stub = PLAIN.format("This is the body in plain text for non-HTML mail clients")
    report = parsed(
        stub + html("<h2>Error in shop</h2><p>PDOException: Connection refused in /srv/db.php:12</p>") + "--b--"
    )

    assert "PDOException: Connection refused" in report.message
    assert report.reason.endswith("in the HTML part")


def test_attached_log_is_read_where_the_plain_part_says_nothing():
    log = "[2026-11-30T09:19:32.169] [FATAL] orders - db down: ECONNREFUSED 10.0.0.5:5432\n"
    report = parsed(PLAIN.format("See logs as attachment") + attachment("default.log", log) + "--b--")

    assert report.message == "db down: ECONNREFUSED 10.0.0.5:5432"
    assert report.level is Level.CRITICAL
    assert "See logs as attachment" in report.text
    assert report.reason.endswith("in the attachment default.log")


def test_attachment_that_is_no_text_is_not_read():
    report = parsed(PLAIN.format("See attachment") + attachment("dump.bin", b"\x00\x01error: broken\x00") + "--b--")

    assert "broken" not in report.message + report.text


def test_plain_part_that_names_the_failure_stays_the_report():
    report = parsed(PLAIN.format("Backup failed: disk full") + attachment("a.log", "error: other") + "--b--")

    assert report.message == "Backup failed: disk full"


def test_flowed_lines_are_joined():
    flowed = "Content-Type: text/plain; format=flowed; delsp=yes\n"
    report = parsed("The import failed because the file  \nwas not found\n", head=HEAD + flowed)

    assert report.message == "The import failed because the file was not found"


def test_text_without_a_charset_is_guessed():
    report = parsed("Fehler: Größe überschritten, Datei für Prüfung fehlt\n".encode("cp1252"), head=HEAD)

    assert report.message.endswith("Größe überschritten, Datei für Prüfung fehlt")


def test_gb2312_that_is_gbk_is_decoded():
    head = HEAD + "Content-Type: text/plain; charset=gb2312\n"

    assert "連線失敗" in parsed("错误: 連線失敗\n".encode("gb18030"), head=head).message


def test_rows_of_a_table_with_headings_are_log_records():
    rows = "".join(
        f"<tr><td>{time}</td><td>{level}</td><td>shop.Cart</td><td>{text}</td></tr>"
        for time, level, text in (("09:00:01", "INFO", "started"), ("09:00:02", "FATAL", "no stock left"))
    )
    table = f"<table><tr><th>Time</th><th>Level</th><th>Category</th><th>Message</th></tr>{rows}</table>"
    report = parsed(html(table) + "--b--")

    assert (report.message, report.level, report.logger) == ("no stock left", Level.CRITICAL, "shop.Cart")
