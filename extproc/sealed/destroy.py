"""The end of keys: destroyed at once or not at all, with a note of it that holds no secret.

The note is written in the same transaction that deletes the keys. So whatever happens in between, either nothing was
destroyed, or the store says what was and that it is still to be recorded: :mod:`extproc.custody.erase` records it and
then removes the note.
"""

import json
import sqlite3
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from extproc.sealed.derive import pseudonym_of, subject_row
from extproc.sealed.store import KeyStore


@dataclass(frozen=True, slots=True, kw_only=True)
class Grounds:
    """Why an act was done, who approved it (the operator's own names), and when, in Unix seconds."""

    reason: str
    at_s: float
    approved_by: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Destroyed:
    """What was destroyed: `keys` of them, of these days; and the pseudonyms that became noise, of a subject alone.

    `number` counts the acts of one store.
    """

    number: int
    tenant: str
    days: tuple[str, ...]
    keys: int
    grounds: Grounds
    pseudonyms: tuple[bytes, ...] = ()


def destroy_subject(store: KeyStore, *, tenant: str, subject: str, grounds: Grounds) -> Destroyed | None:
    """Destroy the keys of one person, of all days that the store knows; None where it has none."""
    with store.changing() as connection:
        days, pseudonyms = [], []
        for day, day_key in connection.execute("SELECT day, key FROM days WHERE tenant = ? ORDER BY day", (tenant,)):
            place = (tenant, day, subject_row(day_key, subject))
            found = connection.execute(
                "SELECT key FROM subjects WHERE tenant = ? AND day = ? AND subject = ?", place
            ).fetchone()
            if found is not None:
                days.append(str(day))
                pseudonyms.append(pseudonym_of(found[0]))
                connection.execute("DELETE FROM subjects WHERE tenant = ? AND day = ? AND subject = ?", place)
        if not days:
            return None
        return _note(
            connection,
            Destroyed(
                number=0,
                tenant=tenant,
                days=tuple(days),
                keys=len(days),
                grounds=grounds,
                pseudonyms=tuple(pseudonyms),
            ),
        )


def destroy_days(store: KeyStore, *, tenant: str, days: Iterable[str], grounds: Grounds) -> Destroyed | None:
    """Destroy all keys of some days of a tenant; None where the store has none of them."""
    with store.changing() as connection:
        gone, keys = [], 0
        for day in sorted(set(days)):
            destroyed = connection.execute("DELETE FROM subjects WHERE tenant = ? AND day = ?", (tenant, day)).rowcount
            destroyed += connection.execute("DELETE FROM days WHERE tenant = ? AND day = ?", (tenant, day)).rowcount
            if destroyed:
                gone.append(day)
                keys += destroyed
        if not gone:
            return None
        return _note(connection, Destroyed(number=0, tenant=tenant, days=tuple(gone), keys=keys, grounds=grounds))


def unrecorded(store: KeyStore) -> tuple[Destroyed, ...]:
    """List what was destroyed and not yet recorded, in its order."""
    with store.changing() as connection:
        rows = connection.execute("SELECT id, note FROM destroyed ORDER BY id").fetchall()
    return tuple(_parse(number, note) for number, note in rows)


def forget(store: KeyStore, destroyed: Destroyed) -> None:
    """Remove the note: it is recorded."""
    with store.changing() as connection:
        connection.execute("DELETE FROM destroyed WHERE id = ?", (destroyed.number,))


def _note(connection: sqlite3.Connection, destroyed: Destroyed) -> Destroyed:
    """Note what was destroyed, and tell every process that it happened."""
    fields = asdict(destroyed)
    del fields["number"]
    note = json.dumps(fields | {"pseudonyms": [each.hex() for each in destroyed.pseudonyms]})
    number = connection.execute("INSERT INTO destroyed (note) VALUES (?)", (note,)).lastrowid
    connection.execute("UPDATE state SET generation = generation + 1")
    return _parse(int(number or 0), note)


def _parse(number: int, note: str) -> Destroyed:
    fields = json.loads(note)
    return Destroyed(
        number=number,
        tenant=fields["tenant"],
        days=tuple(fields["days"]),
        keys=fields["keys"],
        grounds=Grounds(
            reason=fields["grounds"]["reason"],
            at_s=fields["grounds"]["at_s"],
            approved_by=tuple(fields["grounds"]["approved_by"]),
        ),
        pseudonyms=tuple(map(bytes.fromhex, fields["pseudonyms"])),
    )
