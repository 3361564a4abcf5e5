"""What of a record points to a person, under keys that can be destroyed.

Owns the key store, the pseudonyms and the sealed blocks. A record holds noise for whoever has the log alone; whoever
also has the key store tells which requests of a day are of one person, and opens what was sealed. When a key is
destroyed the noise stays as it is, in every copy of the log, so every proof still holds, and nobody reads it again.

* :mod:`extproc.sealed.derive`: which key makes what.
* :mod:`extproc.sealed.store`: where the keys are, one file, apart from the log.
* :mod:`extproc.sealed.keys`: the keys of a running process, and how soon it notices that some are gone.
* :mod:`extproc.sealed.sealer`: what the sidecar calls for each decision.
* :mod:`extproc.sealed.unseal`: the way back, for whoever has the store.
* :mod:`extproc.sealed.destroy`: the end of keys.

What this cannot do is forget for others: a backup of the key store, a snapshot of its disk, or Envoy's own access log
with addresses in it keeps what it has.
"""

from extproc.sealed.errors import SealedError

__all__ = ["SealedError"]
