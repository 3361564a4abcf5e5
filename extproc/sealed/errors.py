"""The error tree of sealed evidence. No message ever holds a key, a subject or an address."""


class SealedError(Exception):
    """Anything that pseudonyms, sealed blocks or their keys are refused for."""


class KeyStoreError(SealedError):
    """The key store cannot be used: names the file, what is wrong and the mend."""


class ErasedError(SealedError):
    """The key is in the store no more, so what was made with it is noise for good."""


class UnsealError(SealedError):
    """The key is there and the block does not open: it was changed, or is of another decision."""
