"""From the mail to the report: what real handlers send, what our client adds, and what is guessed."""

import re
from dataclasses import fields
from types import SimpleNamespace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from relay.grouping.fingerprint import fingerprint
from relay.model import Form, Kept, Level
from relay.parse.report import CONTENT_NOT_KEPT, parse, parse_text
from tests.support.mails import TRACEBACK, ends_of, mail, raw, record, stored
from tests.support.paths import DATA

ALL_STORED = sorted(file.name for file in (DATA / "mails").glob("*.eml"))


def parsed(content, apps=(), **more):
    return parse(record(content, **more), apps)


def app(name, sender="*", subject="*"):
    return SimpleNamespace(name=name, sender=sender, subject=subject)


# --- What real handlers send ------------------------------------------------------------------------------------------


def test_documented_mail_format_gives_every_label_message_and_trace():
    report = parsed(stored("flask_documented.eml"))

    assert report.form is Form.DOCUMENTED
    assert report.level is Level.ERROR
    assert report.location == "/srv/harbour/venv/lib/python3.11/site-packages/flask/app.py:875"
    assert (report.module, report.function) == ("app", "log_exception")
    assert re.fullmatch(r"2026-11-22 \d\d:\d\d:\d\d,\d{3}", report.time)
    assert report.message == "Exception on /checkout/0 [GET]"
    assert report.trace.startswith("Traceback (most recent call last):\n  File ")
    assert report.trace.endswith("\nZeroDivisionError: division by zero")
    assert (report.subject, report.sender) == ("Harbour Books Failed", "server-error@example.com")
    assert report.app == "Harbour Books Failed"
    assert (report.count, report.dropped, report.record_id, report.own, report.cut) == (1, 0, "", False, False)


def test_documented_mail_format_survives_folding_by_quoted_printable():
    report = parsed(stored("flask_documented_chain.eml"))

    assert report.location == "/srv/harbour/venv/lib/python3.11/site-packages/flask/app.py:875"
    assert report.message == "Exception on /münze/978-9 [GET]"
    assert "KeyError: '978-9'\n\nThe above exception was the direct cause" in report.trace
    assert report.trace.endswith("harbour.catalogue.PriceError: no price for 978-9")


def test_message_of_several_lines_without_a_trace():
    report = parsed(stored("documented_message_only.eml"))

    assert report.message == "Bestellung 4711 für „Jürgen Öztürk“ fehlgeschlagen:\nKarte abgelehnt,\nbitte prüfen"
    assert report.trace == ""
    assert (report.module, report.function) == ("nightly", "report_refusal")


def test_a_long_line_is_whole_again_and_the_level_is_told():
    report = parsed(stored("documented_long_line.eml"))

    assert report.message == "Import stopped at " + "x" * 1500 + " the end"
    assert report.level is Level.CRITICAL


@pytest.mark.parametrize(
    ("name", "message", "end"),
    [
        (
            "documented_recursion.eml",
            "Shelves of A cannot be counted",
            "RecursionError: maximum recursion depth exceeded",
        ),
        (
            "documented_exception_group.eml",
            "Prices could not be refreshed",
            "    +------------------------------------",
        ),
        ("default.eml", "Nightly totals failed", "ZeroDivisionError: division by zero"),
        ("flask_default.eml", "Exception on /checkout/0 [GET]", "ZeroDivisionError: division by zero"),
        ("django_without_request.eml", "Nightly totals failed", "Exception Value: division by zero"),
    ],
)
def test_message_and_trace_are_told_apart(name, message, end):
    report = parsed(stored(name))

    assert report.message == message
    assert report.trace.endswith(end)


def test_default_format_is_the_bare_message_and_the_trace():
    assert parsed(stored("flask_default.eml")).form is Form.DEFAULT
    assert parsed(stored("default_message_only.eml")).form is Form.PLAIN
    assert parsed(stored("default_message_only.eml")).message == "Stock of 978-1 is -3"


def test_documented_format_for_files_is_understood():
    report = parsed(stored("file_format.eml"))

    assert report.message == "Stock of 978-1 is -3"
    assert report.level is Level.ERROR
    assert report.location == "/srv/harbour/current/harbour/nightly.py:10"
    assert report.time.startswith("2026-11-22 ")


@pytest.mark.parametrize("name", ["django_text.eml", "django_html.eml"])
def test_django_report_keeps_the_message_the_request_and_the_trace(name):
    report = parsed(stored(name))

    assert report.form is Form.DJANGO
    assert report.level is Level.ERROR
    assert report.app == "Django"
    assert report.message.split("\n")[0] == "Internal Server Error: /books/978-9/"
    assert re.search(
        r"\nRequest Method: (GET|POST)\nRequest URL: http://books\.example\.org/books/978-9/", report.message
    )
    assert report.trace.startswith("Traceback (most recent call last):\n  File ")
    assert "Exception Type: PriceError at /books/978-9/\nException Value: no price for 978-9" in report.trace


@pytest.mark.parametrize("name", [name for name in ALL_STORED if name.startswith("django")])
def test_nothing_of_djangos_settings_or_request_data_is_kept(name):
    report = parsed(stored(name))

    assert not re.search("opensesame|SECRET_KEY|ALLOWED_HOSTS|HTTP_|MIDDLEWARE", report.message + report.trace)


def test_django_message_without_a_trace():
    report = parsed(stored("django_message_only.eml"))

    assert report.message == "Stock of 978-1 is -3"
    assert report.trace == ""


def test_django_report_in_html_alone_gives_the_same_error():
    content = stored("django_html.eml")
    html = content[content.index(b"Content-Type: text/html") :]
    report = parsed(b"Subject: [Django] ERROR (EXTERNAL IP): Internal Server Error: /books/978-9/\r\n" + html)

    assert report.form is Form.DJANGO
    assert report.message.split("\n")[:3] == ["Internal Server Error: /books/978-9/", "", "Request Method: POST"]
    assert fingerprint(report) == fingerprint(parsed(content))
    assert "opensesame" not in report.message + report.trace


# --- The documented format, bent --------------------------------------------------------------------------------------

DOCUMENTED = f"""
Message type:       CRITICAL
Location:           /srv/harbour/current/harbour/nightly.py:9
Module:             nightly
Function:           totals
Time:               2026-11-22 17:03:19,532

Message:

Totals failed:
  twice

{TRACEBACK}
"""


@pytest.mark.parametrize(
    "bend",
    [
        str,
        lambda text: text.replace("\n", "\r\n"),
        lambda text: "Hello,\n\nyour app wrote this:\n" + text,
        lambda text: text.replace("\n", "\n    "),
        lambda text: text.replace("\n", "\n> "),
        lambda text: text.replace(":       ", ":").replace(":           ", ": "),
        lambda text: text.upper().split("MESSAGE:")[0] + "Message:" + text.split("Message:")[1],
    ],
    ids=["as it is", "CRLF", "text before", "indented", "quoted", "narrow", "capitals"],
)
def test_documented_format_is_understood_however_it_is_bent(bend):
    report = parse_text("x", bend(DOCUMENTED))

    assert report.form is Form.DOCUMENTED
    assert report.level is Level.CRITICAL
    assert report.location.lower() == "/srv/harbour/current/harbour/nightly.py:9"
    assert report.message == "Totals failed:\n  twice"
    assert report.trace.endswith("ZeroDivisionError: division by zero")


def test_missing_labels_are_simply_missing():
    report = parse_text("x", "Message type: WARNING\n\nMessage:\n\nLow on ink\n")

    assert (report.form, report.level, report.message) == (Form.DOCUMENTED, Level.WARNING, "Low on ink")
    assert (report.location, report.module, report.function, report.time) == ("", "", "", "")


def test_a_message_on_the_line_of_its_label_is_found():
    assert parse_text("x", "Message type: ERROR\nLocation: a.py:1\nMessage: Low on ink").message == "Low on ink"


@pytest.mark.parametrize(
    "text", ["Message: Low on ink", "Time: 5\nMessage: Low on ink", "Location: Hall 3\n\nLow on ink"]
)
def test_single_labels_in_other_texts_are_no_documented_format(text):
    assert parse_text("x", text).form is Form.PLAIN


# --- Our client -------------------------------------------------------------------------------------------------------

CLIENT = {
    "X_Error_Mail_Client": "1",
    "X_Error_Mail_Record": "0123456789abcdef0123456789abcdef",
    "X_Error_Mail_Count": "17",
    "X_Error_Mail_Dropped": "3",
    "X_Error_Mail_App": "Bücher",
    "X_Error_Mail_Environment": "production",
    "X_Error_Mail_Logger": "harbour.nightly",
    "X_Error_Mail_Level": "CRITICAL",
    "X_Error_Mail_Host": "web-1",
    "X_Error_Mail_Release": "2026.11",
}


def test_every_header_of_our_client_is_used():
    report = parsed(mail(DOCUMENTED, **CLIENT), [app("by rule")])

    assert report.form is Form.CLIENT
    assert report.record_id == "0123456789abcdef0123456789abcdef"
    assert (report.count, report.dropped, report.level) == (17, 3, Level.CRITICAL)
    assert (report.app, report.environment, report.logger) == ("Bücher", "production", "harbour.nightly")
    assert (report.host, report.release) == ("web-1", "2026.11")
    assert report.function == "totals"


@pytest.mark.parametrize("count", ["0", "-1", "1000001", "1.5", "", "x", "٣", "9" * 50, "1 2"])
def test_a_count_that_is_none_counts_as_one(count):
    assert parsed(mail("x", X_Error_Mail_Client="1", X_Error_Mail_Count=count)).count == 1


@pytest.mark.parametrize(("count", "expected"), [("1", 1), ("1000000", 1_000_000), (" 42 ", 42)])
def test_a_count_within_its_bounds_is_taken(count, expected):
    assert parsed(mail("x", X_Error_Mail_Count=count)).count == expected


@pytest.mark.parametrize(
    "record_id", ["0123456789ABCDEF0123456789ABCDEF", "0123", "g" * 32, "0" * 33, "../../etc/passwd"]
)
def test_a_record_id_that_is_none_is_ignored(record_id):
    assert parsed(mail("x", X_Error_Mail_Record=record_id)).record_id == ""


def test_headers_of_our_client_are_bounded_and_one_line():
    report = parsed(raw("X-Error-Mail-App: " + "a" * 5_000 + "\nX-Error-Mail-Host: a\n b\x00c"))

    assert report.app == "a" * 200
    assert report.host == "a bc"


def test_our_own_mail_is_recognised():
    assert parsed(mail("x", X_Error_Mail_Relay="digest")).own
    assert not parsed(mail("x", X_Error_Mail_Client="1")).own


# --- The app's name ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("subject", "expected"),
    [
        ("YourApplication Failed", "YourApplication Failed"),
        ("Re: Fwd: YourApplication Failed", "YourApplication Failed"),
        ("[Django] ERROR: Internal Server Error: /x/1", "Django"),
        ("[shop-2] 3 errors", "shop-2"),
        ("[ERROR] errors#create", "[ERROR] errors#create"),
        ("Order 17 failed", "server-error@example.com"),
        ("x" * 61, "server-error@example.com"),
        ("", "server-error@example.com"),
    ],
)
def test_app_is_told_by_the_subject_else_by_the_sender(subject, expected):
    assert parsed(mail("x", subject=subject)).app == expected


def test_first_rule_that_fits_names_the_app():
    rules = [app("other", sender="*@example.net"), app("shop", sender="SERVER-error@*", subject="*failed"), app("late")]

    assert parsed(mail("x", subject="Harbour Books Failed"), rules).app == "shop"
    assert parsed(mail("x", subject="Other"), rules).app == "late"


def test_without_any_sign_the_app_is_unknown():
    assert parsed(b"\r\nIt broke 2 times", sender="").app == "unknown app"
    assert parsed(b"\r\nIt broke 2 times", sender="App@Example.com").app == "app@example.com"


# --- Other layouts ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "level", "logger", "message"),
    [
        ("2026-11-22 17:03:19,532 ERROR shop.cart: Cart 5 is gone", Level.ERROR, "shop.cart", "Cart 5 is gone"),
        ("2026-11-22T17:03:19Z [main] WARN  o.s.Cart - Cart 5 is gone", Level.WARNING, "o.s.Cart", "Cart 5 is gone"),
        ("[2026-11-22 17:03:19,532] ERROR in cart: Cart 5 is gone", Level.ERROR, "", "Cart 5 is gone"),
        ("[2026-11-22 17:03:19,532: CRITICAL/ForkPoolWorker-6] Cart 5 is gone", Level.CRITICAL, "", "Cart 5 is gone"),
        ("ERROR 2026-11-22 17:03:19,532 cart 4711 140311451243661 Cart 5 is gone", Level.ERROR, "", "Cart 5 is gone"),
        ("WARNING:shop.cart:Cart 5 is gone", Level.WARNING, "shop.cart", "Cart 5 is gone"),
        ("E, [2026-11-22T17:03:19.532000 #4711] ERROR -- : Cart 5 is gone", Level.ERROR, "", "Cart 5 is gone"),
        ("CRITICAL: Cart 5 is gone", Level.CRITICAL, "", "Cart 5 is gone"),
        ("Cart 5 is gone", Level.ERROR, "", "Cart 5 is gone"),
        ("Error while packing", Level.ERROR, "", "Error while packing"),
    ],
)
def test_the_beginning_of_a_log_line_is_taken_off(line, level, logger, message):
    report = parse_text("x", line)

    assert (report.level, report.logger, report.message) == (level, logger, message)


def test_a_block_of_known_labels_is_read_and_others_stay():
    text = "Logger: shop.cart\nLevel: WARNING\nShelf: B\nHost: web-1\nWhere: cart.py:20 in refill\n\nCart 5 is gone"

    report = parse_text("x", text)

    assert (report.logger, report.level, report.host) == ("shop.cart", Level.WARNING, "web-1")
    assert (report.location, report.function) == ("cart.py:20", "refill")
    assert report.message == "Shelf: B\nCart 5 is gone"


def test_labels_that_are_the_message_stay_in_it():
    text = "Disk: /dev/sda1\nUsage: 96%\n\nPlease check."

    assert parse_text("x", text).message == text


def test_a_record_in_json_is_taken_apart():
    text = (
        '{"level": "critical", "logger": "shop", "event": "Cart 5 is gone", "exception": ' + repr_json(TRACEBACK) + "}"
    )

    report = parse_text("x", text)

    assert (report.level, report.logger, report.message) == (Level.CRITICAL, "shop", "Cart 5 is gone")
    assert report.trace == TRACEBACK


def repr_json(text):
    return '"' + text.replace('"', '\\"').replace("\n", "\\n") + '"'


@pytest.mark.parametrize(
    "text", ['{"message": ', "{}", "[" * 100_000, '{"message": ' + "[" * 100_000, '{"a": ' + "9" * 5_000 + "}"]
)
def test_what_only_begins_like_json_is_plain_text(text):
    assert parse_text("x", text).message == text.strip()


@pytest.mark.parametrize(
    "margin",
    [
        "Nov 22 17:03:1{n} web-1 shop[47{n}]: ",
        "web-1  | ",
        "2026-11-22T17:03:1{n}.5Z stderr F ",
        "2026-11-22T17:03:1{n}+00:00 app[web.1]: ",
    ],
)
def test_what_a_log_transport_puts_before_each_line_is_taken_off(margin):
    lines = ["Totals failed", *TRACEBACK.split("\n")]

    report = parse_text("x", "\n".join(margin.format(n=n % 10) + line for n, line in enumerate(lines)))

    assert report.message == "Totals failed"
    assert report.trace == TRACEBACK


@pytest.mark.parametrize(
    "header",
    [
        "Nov 22 17:03:11 web-1 sshd[4711]: ",
        "<34>Nov  2 07:03:11 web-1.example.net sshd: ",
        "2026-11-22T17:03:11.512345+01:00 web-1 /usr/sbin/sshd[47]: ",
        "<165>1 2026-11-22T17:03:11.5Z 10.0.0.7 sshd 4711 ID47 - ",
    ],
)
def test_a_single_line_of_syslog_is_read_as_its_message_host_and_program(header):
    report = parse_text("x", f"{header}Failed password for ada\n")

    assert (report.message, report.logger) == ("Failed password for ada", "sshd")
    assert report.host in header
    assert report.time in " ".join(header.split())


def test_the_kernel_does_not_tell_when_it_started():
    report = parse_text("x", "Nov 22 17:03:11 web-1 kernel: [12345.678901] Out of memory: Killed process 17 (java)")

    assert (report.message, report.logger) == ("Out of memory: Killed process 17 (java)", "kernel")


@pytest.mark.parametrize("text", ["Nov 22 17:03:11 something happened", "May I ask: what is this?", "1 of 2: no"])
def test_what_only_begins_like_syslog_stays_as_it_is(text):
    assert parse_text("x", text).message == text


def test_a_record_of_pairs_is_read_by_the_names_of_its_fields():
    text = 'time=2026-11-22T17:03:11Z level=warn host=web-1 pid=7 msg="order \\"17\\" failed" err="no route\\nto host"'

    report = parse_text("x", text)

    assert (report.message, report.host, report.time) == (
        'order "17" failed\nno route\nto host',
        "web-1",
        "2026-11-22T17:03:11Z",
    )
    assert report.level is Level.WARNING


def test_a_trace_below_a_record_of_pairs_is_its_trace():
    report = parse_text("x", f'ts=17:03:11 level=ERROR logger=shop.cart msg="Totals failed"\n{TRACEBACK}')

    assert (report.message, report.trace, report.logger) == ("Totals failed", TRACEBACK, "shop.cart")


@pytest.mark.parametrize("text", ['user=ada failed with level=3 msg="x"', "level=error code=7", "msg=hello to=you"])
def test_what_has_pairs_beside_other_words_is_a_message(text):
    assert parse_text("x", text).message == text


def test_what_stands_below_the_trace_joins_the_message():
    report = parse_text("x", f"Totals failed\n{TRACEBACK}\n\nRequest: 17\nUser: ada")

    assert report.message == "Totals failed\n\nRequest: 17\nUser: ada"
    assert report.trace == TRACEBACK


# --- Less than a whole mail -------------------------------------------------------------------------------------------


def test_a_mail_of_which_only_a_counter_was_kept_says_so():
    report = parse(record(b"", kept=Kept.COUNT, size=4_711), [app("shop", sender="app@*")])

    assert report.message == CONTENT_NOT_KEPT
    assert (report.app, report.sender, report.size, report.trace) == ("shop", "app@books.example.org", 4_711, "")


@pytest.mark.parametrize("cte", ["8bit", "quoted-printable", "base64"])
def test_the_exception_at_the_end_of_a_cut_mail_is_found(cte):
    rows = "\n".join(f"row {number}: nothing of note" for number in range(30_000))
    text = DOCUMENTED.replace("  twice\n", rows)

    report = parsed(ends_of(mail(text, cte=cte)), kept=Kept.ENDS, size=900_000)

    assert report.trace == TRACEBACK
    assert report.function == "totals"
    assert (report.cut, report.size) == (True, 900_000)
    assert "\n[... error-mail-relay: " in report.message


def test_a_trace_that_was_cut_in_two_is_one_trace():
    frames = (
        '  File "/srv/harbour/current/harbour/nightly.py", line 26, in depth\n    return 1 + depth(shelf)\n' * 9_000
    )
    text = f"Totals failed\nTraceback (most recent call last):\n{frames}RecursionError: too deep"

    report = parsed(ends_of(mail(text, cte="8bit")), kept=Kept.ENDS)

    assert report.message == "Totals failed"
    assert report.trace.startswith("Traceback (most recent")
    assert report.trace.endswith("RecursionError: too deep")


# --- Anything at all --------------------------------------------------------------------------------------------------

ONE_LINE = {field.name for field in fields(parse_text("", "")) if field.type == "str"} - {"message", "trace"}


def assert_clean(report):
    for name in (*ONE_LINE, "message", "trace"):
        text = getattr(report, name)
        assert not any(ord(char) < 32 and char not in "\n\t" for char in text), name
        assert len(text) <= 256 * 1024 + 100, name
        assert name not in ONE_LINE or "\n" not in text, name
    assert report.app


@pytest.mark.parametrize("name", ALL_STORED)
def test_every_stored_mail_gives_clean_texts(name):
    assert_clean(parsed(stored(name)))


PIECES = """Message type: |Location: |Message:|Traceback (most recent call last):|  File "a.py", line 1, in f|E: x
Host: a|Django Version: 1|Level: error|{|}|"message": |[|    at f (a.js:1:2)|\tat a.B.c(D.java:1)|panic: x
goroutine 1 [running]:|a.rb:1:in `b'|ERROR |2026-11-22 17:03:19 |ü|\u2028|\x00|\r\n"""
words = st.sampled_from(["\n", *PIECES.replace("\n", "|").split("|")])


@settings(max_examples=100, deadline=None)
@given(st.lists(st.one_of(words, st.text(max_size=20)), max_size=60), st.text(max_size=40))
def test_any_text_gives_a_report(pieces, subject):
    assert_clean(parse_text(subject, "".join(pieces)))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=2_000), st.sampled_from(list(Kept)))
def test_any_bytes_give_a_report(content, kept):
    assert_clean(parse(record(content, kept=kept), ()))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("2026-11-22T17:03:11.5Z stderr F no cart", "no cart"),
        ("web-1  | no cart", "no cart"),
        ('2026-11-22T17:03:11Z stdout F {"level": "error", "msg": "no cart"}', "no cart"),
        ('{"level": "error", "msg": "no cart", "error": "it is gone", "stack": "a"}', "no cart: it is gone\na"),
        ('{"msg": "no cart", "attr": {"error": 28, "message": "it is full"}}', "no cart: it is full"),
        ("[a-5] no cart\n[a-5]\n[a-6] no cart", "no cart\n\nno cart"),
        ("Cart | no cart", "Cart | no cart"),
    ],
)
def test_what_collectors_put_around_a_line_is_taken_off(text, message):
    assert parse_text("x", text).message == message
