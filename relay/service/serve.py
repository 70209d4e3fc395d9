"""`relay serve`: open the sockets, let the receiver accept mail at once, then load the supervisor.

The receiver's process starts first and loads its program while the configuration is read. It gets its configuration
before anything else is imported here. So mail is accepted as soon as the slower of the two is ready.
"""

from __future__ import annotations

import os
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from relay.service import child_protocol, lock, sockets
from relay.service.child_config import receiver_config
from relay.service.child_process import ChildProcess

if TYPE_CHECKING:
    from relay.config import Loaded, Settings

PORT_TIMEOUT = 20.0
"""Seconds to wait for a port: the children of a relay that was killed hold it until they end."""


def run_serve(loaded: Loaded, config: Path | None, receiver: ChildProcess) -> None:
    """Run the relay until a signal; reload the configuration on SIGHUP.

    `config` is the configuration file as given on the command line, None if it was searched for. `receiver` is the
    receiver's process, already started. Raises CannotListen, InUse, ChildCannotStart.
    """
    settings = loaded.settings
    with lock.hold_lock(settings.storage.data_dir, "supervisor"):
        inherited = sockets.inherited(os.environ)
        bind = partial(sockets.bind, retry_for=PORT_TIMEOUT, on_wait=partial(_log_wait, settings))
        smtp = inherited.get("smtp") or [bind(settings.smtp.listen)]
        smtps = sockets.implicit_tls(inherited, settings.smtp, bind)
        http = inherited.get("http") or [bind(settings.http.listen)]
        receiver.send_config(receiver_config(settings, tls_sockets=len(smtps)), [*smtp, *smtps])
        from relay.service.children import Listeners, supervise_children  # noqa: PLC0415 -- half a second; mail is accepted meanwhile

        supervise_children(loaded, config, Listeners(smtp=smtp, smtps=smtps, http=http), receiver)


def _log_wait(settings: Settings, text: str) -> None:
    """Log at once that a port is in use: otherwise the relay would seem to hang."""
    from relay.service import logs  # noqa: PLC0415 -- only a busy port needs it

    logs.configure("supervisor", settings.log.format, settings.log.level)
    logs.warn(text)


def run_receiver(settings: Settings) -> None:
    """`relay receive`: accept mail without a supervisor. Raises CannotListen, InUse, SpoolError, ConfigError."""
    from relay.service import logs, receiver  # noqa: PLC0415 -- the supervisor must not load the program of its children

    logs.configure("receiver", settings.log.format, settings.log.level)
    inherited = sockets.inherited(os.environ)
    bound = inherited.get("smtp") or [sockets.bind(settings.smtp.listen)]
    tls = sockets.implicit_tls(inherited, settings.smtp)
    child_protocol.ignore_hangup(receiver.log.warning)
    receiver.run(receiver_config(settings, tls_sockets=len(tls)), [*bound, *tls], None)
