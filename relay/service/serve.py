"""`relay serve`: opens the sockets, has the receiver take mail at once, then loads what watches over it.

The receiver's process is begun first and loads its program while the configuration is read; it is told its order
before anything else is imported here. So mail is taken as soon as the slower of the two is done.
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from relay.service import child_protocol, lock, sockets
from relay.service.child_config import receiver_order
from relay.service.child_process import Process

if TYPE_CHECKING:
    from relay.config import Loaded, Settings

PATIENCE = 20.0
"""Seconds to wait for a port: the children of a relay that was killed hold it while they end."""


def run_serve(loaded: Loaded, config: Path | None, receiver: Process) -> None:
    """Run the relay until a signal; on SIGHUP read the configuration anew.

    `config` is its file as given on the command line, None where it was looked for; `receiver` the receiver's process,
    begun already. Raises CannotListen, InUse, Unstartable.
    """
    settings = loaded.settings
    with lock.hold_lock(settings.storage.data_dir, "supervisor"):
        handed = sockets.inherited(os.environ)
        smtp = handed.get("smtp") or [sockets.bind(settings.smtp.listen, patience=PATIENCE)]
        smtps = sockets.implicit_tls(handed, settings.smtp, patience=PATIENCE)
        http = handed.get("http") or [sockets.bind(settings.http.listen, patience=PATIENCE)]
        receiver.tell(receiver_order(settings, tls_sockets=len(smtps)), [*smtp, *smtps])
        from relay.service.children import Listeners, supervise_children  # noqa: PLC0415 -- half a second; mail is taken

        supervise_children(loaded, config, Listeners(smtp=smtp, smtps=smtps, http=http), receiver)


def run_receiver(settings: Settings) -> None:
    """`relay receive`: take mail without a supervisor. Raises CannotListen, InUse, SpoolError, ConfigError."""
    from relay.service import receiver  # noqa: PLC0415 -- the supervisor itself must not load what it only starts

    handed = sockets.inherited(os.environ)
    bound = handed.get("smtp") or [sockets.bind(settings.smtp.listen)]
    tls = sockets.implicit_tls(handed, settings.smtp)
    child_protocol.decline_hangup(receiver.log.warning)
    receiver.run(receiver_order(settings, tls_sockets=len(tls)), [*bound, *tls], None)
