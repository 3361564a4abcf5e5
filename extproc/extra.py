"""Libraries that only an auditor's machine has."""

from importlib import import_module
from types import ModuleType


class MissingExtraError(Exception):
    """A library of the extra `audit` is not installed; the message has the mend."""


def load_extra(module: str) -> ModuleType:
    """Import a library of the extra `audit`. Raises MissingExtraError."""
    try:
        return import_module(module)
    except ModuleNotFoundError as error:
        if error.name is not None and module.split(".", maxsplit=1)[0] == error.name.split(".")[0]:
            raise MissingExtraError(f"{error.name} is not installed. Mend: pip install 'situs[audit]'") from None
        raise
