"""Erasing: the end of one person's keys, or of a whole day's, and its record.

In this order, and whatever the moment at which the process is killed:

1. In the key store, in one transaction: the keys are deleted, and a note says what is gone (and holds no secret).
2. The store's write-ahead log is emptied, where the keys may still stand.
3. The keeper's log gets an Erasure entry.
4. The note is removed.

Killed before 1 nothing has happened. After it the person is erased, and the next act on that store does what is left of
2 to 4, so an erasure is never unrecorded for good. Killed between 3 and 4 it is found in the keeper's log and is not
recorded twice. The intent is not recorded first: a log that says "erased" of what can still be read would be a false
record, and the other way round there is only a late one.
"""

from collections.abc import Iterable

from extproc.custody.acts import Act, read_acts
from extproc.custody.keeper import Keeper, open_keeper
from extproc.ledger.housekeeping import Erasure, ErasureScope, erasure_to_entry
from extproc.sealed.destroy import Destroyed, Grounds, destroy_days, destroy_subject, forget, unrecorded
from extproc.sealed.store import KeyStore


def erase_subject(
    keeper: Keeper, store: KeyStore, *, tenant: str, subject: str, grounds: Grounds
) -> tuple[Erasure, ...]:
    """Destroy all keys of one person and record it; give what was recorded.

    That is none where the store has no key of that person, and more than one where acts before were not finished.
    Raises KeyStoreError, CustodyError and OSError: then run it again.
    """
    destroy_subject(store, tenant=tenant, subject=subject, grounds=grounds)
    return finish(keeper, store)


def erase_days(
    keeper: Keeper, store: KeyStore, *, tenant: str, days: Iterable[str], grounds: Grounds
) -> tuple[Erasure, ...]:
    """Destroy all keys of some days of a tenant and record it. See :func:`erase_subject`."""
    destroy_days(store, tenant=tenant, days=days, grounds=grounds)
    return finish(keeper, store)


def finish(keeper: Keeper, store: KeyStore) -> tuple[Erasure, ...]:
    """Do what is left of every erasure of this store: empty its write-ahead log, record, forget the note."""
    left = unrecorded(store)
    if not left:
        return ()
    store.scrub()
    recorded = []
    with open_keeper(keeper) as log:
        # Read under the keeper's lock, so that two commands at once do not record one erasure twice.
        acts = read_acts(keeper.root)
        for destroyed in unrecorded(store):
            erasure = _erasure_of(destroyed)
            if not _is_recorded(acts, erasure, destroyed):
                log.record(erasure_to_entry(erasure, at_s=log.now_s()))
            recorded.append(erasure)
            forget(store, destroyed)
    return tuple(recorded)


def _erasure_of(destroyed: Destroyed) -> Erasure:
    return Erasure(
        scope=ErasureScope.SUBJECT if destroyed.pseudonyms else ErasureScope.DAY,
        tenant=destroyed.tenant,
        days=destroyed.days,
        keys=destroyed.keys,
        reason=destroyed.grounds.reason,
        pseudonyms=destroyed.pseudonyms,
        approved_by=destroyed.grounds.approved_by,
    )


def _is_recorded(acts: Iterable[Act], erasure: Erasure, destroyed: Destroyed) -> bool:
    """Tell whether this very erasure is in a keeper's log, and not an equal one of another time."""
    return any(act.what == erasure and act.at_s >= destroyed.grounds.at_s for act in acts)
