"""Parsing what a policy says of itself: `policy:`, `ingress:` and `classes:`."""

from dataclasses import dataclass
from typing import Final

from extproc.core.ids import DataClass
from extproc.core.tables import OnMismatch, Profile
from extproc.policy.document import Identity, Ingress
from extproc.policy.parse.dates import not_before
from extproc.policy.parse.scalars import parse_day, parse_host, parse_id
from extproc.policy.parse.vocabulary import Vocabulary
from extproc.strict_yaml import (
    Field,
    Kind,
    Reader,
    Table,
    Value,
    boolean,
    choice,
    entries_of,
    integer,
    list_of,
    parsed,
    table_of,
    text,
)

MAX_TRUSTED_HOPS: Final = 16


def identity(table: Table) -> Identity:
    """Read `policy:`."""
    id_ = table.required("id", parsed(parse_id))
    version = table.required("version", integer(minimum=1))
    as_of = table.required("as_of", parsed(parse_day))
    review_by = table.required("review_by", parsed(not_before("as_of", as_of)))
    profile = table.required("profile", choice(Profile))
    return Identity(
        id=id_.value,
        version=version.value,
        as_of=as_of.value,
        review_by=review_by.value,
        profile=profile.value,
    )


def ingress(vocabulary: Vocabulary) -> Reader[Ingress]:
    """Make the reader of `ingress:`."""

    def read(table: Table) -> Ingress:
        region = table.required("region", parsed(vocabulary.region))
        trusted_hops = table.required("edge", _edge)
        on_mismatch = table.optional("on_mismatch", choice(OnMismatch), default=OnMismatch.OBSERVE)
        hosts = table.optional(
            "redirect_hosts",
            entries_of(vocabulary.place, lambda _, value: parsed(parse_host)(value), minimum=1),
            default=None,
        )
        if on_mismatch.is_sound and hosts.is_sound:
            redirects = on_mismatch.value is OnMismatch.REDIRECT
            if redirects and hosts.value is None:
                message = "clients are to be redirected, and no host is given"
                table.value.complain(message, "add 'redirect_hosts:', such as {SG: sg.api.example}, or refuse")
            if not redirects and hosts.value is not None:
                mend = "write 'on_mismatch: redirect', or remove them"
                table.value.complain("hosts are given, and clients are not redirected", mend)
        return Ingress(
            region=region.value,
            trusted_hops=trusted_hops.value,
            on_mismatch=on_mismatch.value,
            redirect_hosts=hosts.value or {},
        )

    return table_of(read)


def _edge(value: Value) -> int:
    if value.kind is not Kind.TABLE:
        if text(value) != "direct":
            value.refuse("the edge is neither direct nor a number of hops", "write direct, or {trusted_hops: 1}")
        return 0

    def read(table: Table) -> int:
        return table.required("trusted_hops", integer(minimum=1, maximum=MAX_TRUSTED_HOPS)).value

    return table_of(read)(value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Classes:
    """What `classes:` says, sorted."""

    all: tuple[DataClass, ...]
    unregulated: tuple[DataClass, ...]


def classes(vocabulary: Vocabulary, profile: Field[Identity]) -> Reader[Classes]:
    """Make the reader of `classes:`, a list or a table. It comes after `policy:`, which has the profile."""

    def declare(written: str) -> DataClass:
        name = DataClass(parse_id(written))
        vocabulary.classes.add(name)
        return name

    def item(value: Value) -> DataClass:
        written = parsed(parse_id)(value)
        if written in vocabulary.classes:
            value.refuse(f"the class '{written}' is listed twice", "keep one of the two")
        return declare(written)

    def unregulated(value: Value) -> bool:
        marked = boolean(value)
        if marked and profile.is_sound and profile.value.profile is not Profile.PERFORMANCE_FIRST:
            message = f"a class cannot be unregulated under the profile {profile.value.profile.value}"
            value.refuse(message, "remove this line, or choose the profile performance-first")
        return marked

    def entry(_: DataClass, value: Value) -> bool:
        return table_of(lambda table: table.optional("unregulated", unregulated, default=False).value)(value)

    def read(value: Value) -> Classes:
        if value.kind is Kind.TABLE:
            marked = entries_of(declare, entry, minimum=1)(value)
            return Classes(
                all=tuple(sorted(marked)), unregulated=tuple(sorted(name for name, is_so in marked.items() if is_so))
            )
        return Classes(all=tuple(sorted(list_of(item, minimum=1)(value))), unregulated=())

    return read
