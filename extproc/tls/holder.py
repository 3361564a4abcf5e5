"""The credentials in force: the last good ones, replaced whole while the process runs."""

import asyncio
from collections.abc import Callable
from enum import StrEnum

import structlog

from extproc.tls.credentials import (
    CredentialFiles,
    Credentials,
    CredentialsError,
    NotYetValidError,
    load_credentials,
)

_log = structlog.get_logger(__name__)


class Reload(StrEnum):
    """What became of a change of the files."""

    TAKEN = "taken"
    REFUSED = "refused"


class CredentialHolder:
    """Holds credentials and takes replaced ones.

    `current` may be read by any thread, at each handshake. `stale` is True while the files hold something that cannot
    be used. `told` is called after each change.
    """

    def __init__(
        self, files: CredentialFiles, first: Credentials, *, told: Callable[[Reload], None] = lambda _what: None
    ) -> None:
        """Begin with `first`, as it was loaded from `files`."""
        self.files = files
        self.current = first
        self.stale = False
        self._told = told
        self._refused: str | None = None

    async def reload(self) -> bool:
        """Take what the files hold now, or keep the last good; True where that is settled until they change again.

        A certificate whose time has not come is not settled: it is to be tried again without a change.
        """
        try:
            loaded = await asyncio.to_thread(load_credentials, self.files)
            self._check_same(loaded)
        except CredentialsError as error:
            self._refuse(str(error))
            return not isinstance(error, NotYetValidError)
        self.stale, self._refused = False, None
        if loaded != self.current:
            self.current = loaded
            _log.info("TLS files were taken", identity=loaded.identity, not_after_s=loaded.not_after_s)
            self._told(Reload.TAKEN)
        return True

    def expired(self, now_s: float) -> bool:
        """Tell whether no peer believes what is shown any more."""
        return self.current.not_after_s <= now_s

    def _check_same(self, loaded: Credentials) -> None:
        if loaded.identity != self.current.identity:
            raise CredentialsError(
                f"{self.files.certificate}: it proves {loaded.identity} and not {self.current.identity}, as which "
                "peers know this process. Mend: put back a certificate of the same identity, or start anew"
            )

    def _refuse(self, why: str) -> None:
        if why != self._refused:
            self.stale, self._refused = True, why
            _log.error("TLS files cannot be used; the last good ones are kept", error=why)
            self._told(Reload.REFUSED)
