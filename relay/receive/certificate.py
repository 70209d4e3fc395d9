"""The certificate for STARTTLS (RFC 3207) and for TLS from the first byte (RFC 8314), reloaded without a restart.

Guarantee: at least TLS 1.2. If a new file cannot be used, the old certificate stays in use.
"""

from __future__ import annotations

import logging
import ssl
from pathlib import Path

from relay.errors import ConfigError

_log = logging.getLogger(__name__)


class Certificate:
    """A certificate file and its key file, as a TLS context for handshakes."""

    def __init__(self, cert: str, key: str) -> None:
        """Read the file `cert` (PEM, with its chain) and `key` ("": in the same file). Raises ConfigError."""
        self._cert, self._key = Path(cert), Path(key or cert)
        self._state = self._file_state()
        self._context = self._load()

    def context(self) -> ssl.SSLContext:
        """Return the context for the next handshake; reload it if the files have changed."""
        state = self._file_state()
        if state != self._state:
            self._state = state
            try:
                self._context = self._load()
            except ConfigError as error:
                _log.warning("%s; the previous certificate stays in use", error)
            else:
                _log.warning("reloaded the certificate in %s", self._cert)
        return self._context

    def _file_state(self) -> tuple[tuple[int, int, int], ...]:
        """Return values that change whenever one of the files changes."""
        try:
            return tuple((s.st_mtime_ns, s.st_ino, s.st_size) for s in (self._cert.stat(), self._key.stat()))
        except OSError:
            return ()

    def _load(self) -> ssl.SSLContext:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        context.options |= ssl.OP_NO_RENEGOTIATION
        try:
            context.load_cert_chain(self._cert, self._key, password=_no_password)
        except ssl.SSLError as error:
            what = "do not belong together" if "MISMATCH" in str(error.reason) else "are no certificate and key in PEM"
            raise ConfigError((f"smtp.tls_cert {self._cert} and smtp.tls_key {self._key} {what}",)) from error
        except ValueError as error:
            raise ConfigError((f"smtp.tls_key {self._key} has a password: store the key without one",)) from error
        except OSError as error:
            which = self._key if self._readable(self._cert) else self._cert
            raise ConfigError((f"the certificate's file {which} cannot be read: {error.strerror}",)) from error
        return context

    @staticmethod
    def _readable(file: Path) -> bool:
        try:
            with file.open("rb"):
                return True
        except OSError:
            return False


def _no_password() -> str:
    """Fail where OpenSSL would ask for a password at the terminal."""
    raise ValueError("the key is encrypted")
