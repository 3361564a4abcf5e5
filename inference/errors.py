"""Every way in which a cell refuses, and the one table from errors to statuses.

A client's mistake is always a 4xx. Envoy's outlier detection counts 5xx answers, so a cell that answered a bad
tensor with 500 would let one client eject a healthy region.
"""

import traceback
from typing import Final


class CellError(Exception):
    """Base of everything this package raises on purpose; the message names the place and the mend."""


class ConfigurationError(CellError):
    """The cell cannot start as configured. The command exits with `EXIT_CONFIGURATION`."""


class StoreError(ConfigurationError):
    """The model store is missing, empty, or holds something that cannot be served."""


class ProviderError(ConfigurationError):
    """The chosen device cannot be used. Nothing else is used in its place."""


class ListenError(ConfigurationError):
    """The listening address or the access log cannot be opened."""


class RequestError(CellError):
    """A request that is not answered with a prediction."""


class InvalidRequestError(RequestError):
    """The message as a whole is wrong: not JSON, not an object, a member of the wrong type."""


class InvalidTensorError(InvalidRequestError):
    """One named tensor is wrong: name, datatype, shape, element count or a value."""


class RefusedInputError(InvalidRequestError):
    """The tensors are well formed and the model itself refused them, for example an index out of range."""


class UnknownResourceError(RequestError):
    """No such path, model or version."""


class UnsupportedMethodError(RequestError):
    """The path exists and takes other methods, which `allow` lists as the header of that name does."""

    def __init__(self, message: str, *, allow: str) -> None:
        super().__init__(message)
        self.allow = allow


class SlowBodyError(RequestError):
    """The body did not arrive within the time limit."""


class TooLargeError(RequestError):
    """The body is over the limit, or the input would need more memory than this cell has."""


class UnsupportedMediaError(RequestError):
    """The body is in a media type or content coding that the cell does not read."""


class MisdirectedError(RequestError):
    """The request expects another region than this cell's: a second gate behind the routing decision."""


class ClientGoneError(RequestError):
    """The client left before its request was complete. Nobody reads the answer; the access log has the line."""


class FaultError(RequestError):
    """The cell or its model failed for a reason that is not the request's: the only 500.

    `detail` is for the event log, not for the client; it never holds what a client sent.
    """

    def __init__(self, detail: str) -> None:
        super().__init__(
            "the cell failed for a reason that is not the request's; its operator finds it in the event log"
        )
        self.detail = detail

    @classmethod
    def of(cls, error: Exception) -> "FaultError":
        """Return the fault that an unforeseen `error` is: its type and place, not its message, which may quote."""
        last = traceback.extract_tb(error.__traceback__)[-1]
        return cls(f"{type(error).__name__} at {last.filename}:{last.lineno}")


class RetryLaterError(RequestError):
    """The cell cannot take this request now and says after how many seconds to try again."""

    retry_after_s: int = 1


class OverloadedError(RetryLaterError):
    """The queue of a model is full."""


class DrainingError(RetryLaterError):
    """The cell is stopping and no longer takes or finishes this request."""


EXIT_OK: Final = 0
EXIT_USAGE: Final = 2
EXIT_CONFIGURATION: Final = 78
"""sysexits.h EX_CONFIG: a supervisor must not restart in a loop, somebody has to change something."""

STATUS: Final[dict[type[RequestError], int]] = {
    InvalidRequestError: 400,
    InvalidTensorError: 400,
    RefusedInputError: 400,
    UnknownResourceError: 404,
    UnsupportedMethodError: 405,
    SlowBodyError: 408,
    TooLargeError: 413,
    UnsupportedMediaError: 415,
    MisdirectedError: 421,
    ClientGoneError: 499,
    FaultError: 500,
    OverloadedError: 503,
    DrainingError: 503,
}
