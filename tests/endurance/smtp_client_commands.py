"""How each SMTP client is run: its program, its configuration, and how it asks for TLS, AUTH and DSN."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from tests.support.paths import DATA

SCRIPTS = DATA / "smtp_clients"
FROM, TO = "app@example.com", "ops@example.com"
MAIL = f"From: {FROM}\r\nTo: {TO}\r\nSubject: Shop Failed\r\n\r\norder 4711 is lost\r\n".encode()
LF_MAIL = MAIL.replace(b"\r\n", b"\n")


class Target(NamedTuple):
    """The receiver to which a client sends."""

    mode: str
    """plain, TLS (STARTTLS with a check of the certificate), AUTH (app, secret), or DSN."""
    port: int
    ca_file: Path
    cache: Path


def find(program: str, cache: Path) -> str:
    """Return the path of a program: the system's, else the one that `.ci/clients` unpacked; "" if there is none."""
    paths = [cache / "root" / folder for folder in ("usr/bin", "usr/sbin", "usr/lib/nullmailer")]
    return shutil.which(program) or next((str(path / program) for path in paths if (path / program).exists()), "")


@dataclass(frozen=True, kw_only=True)
class Client:
    """One client. `program` has to exist, and `needs` too."""

    name: str
    program: str
    command: Callable[[Target, Path], list[str]]
    modes: tuple[str, ...] = ("plain",)
    stdin: bytes = LF_MAIL
    needs: tuple[str, ...] = ()
    version: tuple[str, ...] = ("--version",)
    applet: str = ""
    """What `program --list` has to name: not every busybox has every applet."""

    def installed(self, cache: Path) -> bool:
        """Whether the program and all that it needs are there."""
        files = all(Path(each.format(cache=cache)).exists() for each in self.needs)
        program = find(self.program, cache)
        if not files or not program:
            return False
        if not self.applet:
            return True
        listed = subprocess.run([program, "--list"], capture_output=True, check=False, timeout=30)
        return self.applet.encode() in listed.stdout.split()

    def version_of(self, cache: Path) -> str:
        """Return the version that the program names, "" if it names none."""
        program = find(self.program, cache) or self.program
        if not self.version or not self.installed(cache):
            return ""
        done = subprocess.run([program, *self.version], capture_output=True, check=False, timeout=30)
        found = re.search(r"\d+\.[\w.]*\w", (done.stdout or done.stderr).decode("utf-8", "replace"))
        return found[0] if found and done.returncode == 0 else ""


def _file(folder: Path, name: str, text: str) -> str:
    path = folder / name
    path.write_text(text)
    path.chmod(0o600)
    return str(path)


# --- Languages --------------------------------------------------------------------------------------------------------


def script(interpreter: list[str], template: str) -> Callable[[Target, Path], list[str]]:
    """Return a command that runs a file of `tests/data/smtp_clients`, with the target filled in."""

    def command(target: Target, folder: Path) -> list[str]:
        return [*interpreter, _fill(template, target, folder)]

    return command


def _fill(template: str, target: Target, folder: Path) -> str:
    values = {"port": target.port, "mode": target.mode, "ca": target.ca_file, "cache": target.cache}
    text = (SCRIPTS / template).read_text().format(**values, sender=FROM, to=TO, mail=MAIL.decode())
    return _file(folder, template if template == "Send.java" else f"send-{template.removesuffix('.txt')}", text)


# --- Programs ---------------------------------------------------------------------------------------------------------


def _curl(target: Target, folder: Path) -> list[str]:
    mail = _file(folder, "mail", MAIL.decode())
    options = {"TLS": ["--ssl-reqd", "--cacert", str(target.ca_file)], "AUTH": ["--user", "app:secret"]}
    to = ["--mail-from", FROM, "--mail-rcpt", TO, "--upload-file", mail]
    return ["curl", "-sS", f"smtp://localhost:{target.port}/web", *to, *options.get(target.mode, [])]


def _swaks(target: Target, _: Path) -> list[str]:
    options = {
        "TLS": ["--tls", "--tls-verify", "--tls-ca-path", str(target.ca_file)],
        "AUTH": ["-a", "-au", "app", "-ap", "secret"],
    }
    base = ["swaks", "--server", "localhost", "--port", str(target.port), "--from", FROM, "--to", TO, "--pipeline"]
    return [*base, "--body", "order 4711 is lost", *options.get(target.mode, [])]


def _msmtp_config(target: Target, folder: Path) -> str:
    lines = [f"host localhost\nport {target.port}\nfrom {FROM}\ndomain web\n"]
    lines.append({"TLS": f"tls on\ntls_starttls on\ntls_trust_file {target.ca_file}\n"}.get(target.mode, "tls off\n"))
    lines.append({"AUTH": "auth plain\nuser app\npassword secret\n"}.get(target.mode, ""))
    lines.append({"DSN": "dsn_notify failure\ndsn_return headers\n"}.get(target.mode, ""))
    return _file(folder, "msmtprc", "".join(lines))


def _msmtp(target: Target, folder: Path) -> list[str]:
    return ["msmtp", "-C", _msmtp_config(target, folder), TO]


def _php_mail(target: Target, folder: Path) -> list[str]:
    code = _fill("mail.php", target, folder)
    return ["php", "-d", f"sendmail_path=msmtp -C {_msmtp_config(target, folder)} -t", code]


def _esmtp(target: Target, folder: Path) -> list[str]:
    auth = "username = app\npassword = secret\n" if target.mode == "AUTH" else ""
    config = _file(folder, "esmtprc", f"hostname = localhost:{target.port}\n{auth}starttls = disabled\n")
    dsn = ["-N", "failure", "-R", "hdrs"] if target.mode == "DSN" else []
    return ["esmtp", "-C", config, "-f", FROM, *dsn, TO]


def _busybox(target: Target, _: Path) -> list[str]:
    auth = ["-amPLAIN", "-auapp", "-apsecret"] if target.mode == "AUTH" else []
    return ["busybox", "sendmail", "-S", f"localhost:{target.port}", *auth, "-f", FROM, TO]


def _s_nail(target: Target, _: Path) -> list[str]:
    user = "app:secret@" if target.mode == "AUTH" else ""
    auth = "plain" if target.mode == "AUTH" else "none"
    options = [
        "-S",
        "v15-compat",
        "-S",
        f"mta=smtp://{user}localhost:{target.port}",
        "-S",
        f"smtp-auth={auth}",
        "-S",
        "sendwait",
    ]
    return [
        "s-nail",
        "-:/",
        *options,
        "-S",
        f"smtp-config={'' if target.mode == 'TLS' else '-starttls'}",
        "-r",
        FROM,
        "-s",
        "Shop Failed",
        TO,
    ]


def _sendemail(target: Target, _: Path) -> list[str]:
    auth = ["-xu", "app", "-xp", "secret"] if target.mode == "AUTH" else []
    return [
        "sendemail",
        "-f",
        FROM,
        "-t",
        TO,
        "-u",
        "Shop Failed",
        "-s",
        f"localhost:{target.port}",
        "-o",
        "tls=no",
        *auth,
    ]


def _ssmtp(target: Target, folder: Path) -> list[str]:
    tls = f"UseTLS=YES\nUseSTARTTLS=YES\nTLS_CA_File={target.ca_file}\n" if target.mode == "TLS" else ""
    config = _file(folder, "ssmtp.conf", f"mailhub=localhost:{target.port}\nhostname=web\nFromLineOverride=YES\n{tls}")
    auth = ["-auapp", "-apsecret"] if target.mode == "AUTH" else []
    return [find("ssmtp", target.cache), "-C", config, *auth, "-f", FROM, TO]


def _nullmailer(target: Target, folder: Path) -> list[str]:
    mail = _file(folder, "mail", f"{FROM}\n{TO}\n\n" + LF_MAIL.decode())
    lines = ["host=localhost", f"port={target.port}"]
    lines += ["starttls", f"x509cafile={target.ca_file}"] if target.mode == "TLS" else []
    lines += ["user=app", "pass=secret"] if target.mode == "AUTH" else []
    options = _file(folder, "options", "\n".join(lines) + "\n\n")
    return ["sh", "-c", f"HELOHOST=web exec {find('smtp', target.cache)} <{options} 3<{mail}"]


def _exim(target: Target, folder: Path) -> list[str]:
    auth = """begin authenticators
plain:
  driver = plaintext
  public_name = PLAIN
  client_send = ^app^secret
"""
    tls = f"tls_verify_certificates = {target.ca_file}" if target.mode == "TLS" else "hosts_avoid_tls = *"
    program = find("exim4", target.cache)
    config = f"""exim_path = {program}
spool_directory = {folder}/spool
log_file_path = {folder}/%slog
exim_user = nobody
exim_group = nogroup
never_users =
primary_hostname = web.example.com
untrusted_set_sender = *
local_from_check = false
keep_environment = HOME
begin routers
all:
  driver = manualroute
  route_list = * 127.0.0.1
  self = send
  host_find_failed = defer
  transport = smtp
begin transports
smtp:
  driver = smtp
  port = {target.port}
  {tls}
  hosts_require_tls = {"*" if target.mode == "TLS" else ""}
  hosts_require_auth = {"*" if target.mode == "AUTH" else ""}
  tls_verify_cert_hostnames =
{auth if target.mode == "AUTH" else ""}"""
    folder.chmod(0o777)
    (folder / "spool").mkdir()
    (folder / "spool").chmod(0o777)
    path = _file(folder, "exim.conf", config)
    Path(path).chmod(0o644)
    dsn = ["-N", "failure", "-R", "hdrs"] if target.mode == "DSN" else []
    return [program, "-C", path, "-odf", "-oi", "-f", FROM, *dsn, TO]


ALL = ("plain", "TLS", "AUTH", "DSN")
PERL = ("-e", "print $^V")
JARS = "/usr/share/java/javax.mail.jar:/usr/share/java/javax.activation.jar"
PHPMAILER = "/usr/share/php/libphp-phpmailer/autoload.php"
TEXT = b"order 4711 is lost\n"
PYTHON = sys.executable
CLIENTS = (
    Client(name="Python smtplib", program=PYTHON, command=script([PYTHON], "smtplib.py.txt"), modes=ALL),
    Client(name="Python aiosmtplib", program=PYTHON, command=script([PYTHON], "aiosmtplib.py.txt"), modes=ALL),
    Client(name="curl", program="curl", command=_curl, modes=ALL[:3]),
    Client(name="swaks", program="swaks", command=_swaks, modes=ALL[:3]),
    Client(name="msmtp", program="msmtp", command=_msmtp, modes=ALL),
    Client(name="esmtp", program="esmtp", command=_esmtp, modes=("plain", "AUTH", "DSN"), version=("-V",)),
    Client(name="nullmailer", program="smtp", command=_nullmailer, modes=ALL[:3], version=()),
    Client(name="Exim", program="exim4", command=_exim, modes=ALL[:3], version=("-bV",)),
    Client(name="ssmtp", program="ssmtp", command=_ssmtp, modes=ALL[:3], version=("-V",)),
    Client(name="busybox sendmail", program="busybox", command=_busybox, modes=("plain", "AUTH"), applet="sendmail"),
    Client(name="s-nail", program="s-nail", command=_s_nail, modes=ALL[:3], stdin=TEXT),
    Client(
        name="sendEmail",
        program="sendemail",
        command=_sendemail,
        modes=("plain", "AUTH"),
        stdin=TEXT,
        version=(),
    ),
    Client(
        name="Perl Net::SMTP",
        program="perl",
        command=script(["perl"], "net-smtp.pl"),
        modes=ALL,
        version=PERL,
    ),
    Client(
        name="Perl Email::Sender",
        program="perl",
        command=script(["perl"], "email-sender.pl"),
        modes=ALL[:3],
        needs=("/usr/share/perl5/Email/Sender.pm",),
        version=PERL,
    ),
    Client(name="Ruby net/smtp", program="ruby", command=script(["ruby"], "net-smtp.rb"), modes=ALL[:3]),
    Client(
        name="Go net/smtp",
        program="go",
        command=script(["go", "run"], "net-smtp.go"),
        modes=ALL[:3],
        version=("version",),
    ),
    Client(
        name="Java Mail",
        program="java",
        command=script(["java", "-cp", JARS], "Send.java"),
        modes=ALL,
        needs=("/usr/share/java/javax.mail.jar",),
    ),
    Client(
        name="nodemailer",
        program="node",
        command=script(["node"], "nodemailer.js"),
        modes=ALL,
        needs=("{cache}/node/package",),
    ),
    Client(
        name="PHPMailer",
        program="php",
        command=script(["php"], "phpmailer.php"),
        modes=ALL,
        needs=(PHPMAILER,),
    ),
    Client(name="PHP mail()", program="php", command=_php_mail, modes=ALL, needs=("/usr/bin/msmtp",)),
    Client(
        name=".NET SmtpClient (commands)",
        program=PYTHON,
        command=script([PYTHON], "dotnet.py.txt"),
        modes=("plain", "AUTH"),
        version=(),
    ),
)
