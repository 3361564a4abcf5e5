"""The top of the document: its sections, read in the order of their dependence."""

from extproc.core.tables import ConflictMode
from extproc.policy.document import API_VERSION, PolicyDocument
from extproc.policy.parse.catalogue import classes, identity, ingress, regions, zones
from extproc.policy.parse.overrides import overrides
from extproc.policy.parse.regimes import regimes
from extproc.policy.parse.signals import conflict, signals
from extproc.policy.parse.tenants import tenants
from extproc.policy.parse.vocabulary import Vocabulary
from extproc.strict_yaml import Reader, Table, Value, integer, table_of, text

MAX_PLAN_LENGTH = 3


def policy_document() -> Reader[PolicyDocument]:
    """Make a reader of one whole policy."""
    return table_of(_document)


def _document(table: Table) -> PolicyDocument:
    vocabulary = Vocabulary()
    version = table.required("apiVersion", api_version)
    named = table.required("policy", table_of(identity))
    listed = table.required("classes", classes(vocabulary))
    places = table.optional("zones", zones(vocabulary), default=None)
    catalogue = table.required("regions", regions(vocabulary))
    entry = table.required("ingress", ingress(vocabulary))
    laws = table.required("regimes", regimes(vocabulary))
    parties = table.required("tenants", tenants(vocabulary))
    sources = table.required("signals", table_of(signals))
    mode = table.optional("conflict", table_of(conflict), default=ConflictMode.INTERSECT)
    orders = table.optional("overrides", overrides(vocabulary), default=())
    plan_length = table.optional("plan", table_of(_plan), default=2)
    _ = version.value
    return PolicyDocument(
        identity=named.value,
        ingress=entry.value,
        classes=listed.value,
        zones=places.value or {},
        regions=catalogue.value,
        regimes=laws.value,
        tenants=parties.value,
        signals=sources.value,
        conflict=mode.value,
        overrides=orders.value,
        plan_length=plan_length.value,
    )


def api_version(value: Value) -> str:
    """Read `apiVersion:`, here and in every other file of the language."""
    written = text(value)
    if written != API_VERSION:
        value.refuse(f"'{written[:60]}' is not a version of the language that is known here", f"write {API_VERSION}")
    return written


def _plan(table: Table) -> int:
    return table.required("length", integer(minimum=1, maximum=MAX_PLAN_LENGTH)).value
