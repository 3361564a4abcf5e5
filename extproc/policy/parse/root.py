"""The top of the document: its sections, read in the order of their dependence."""

from extproc.core.tables import ConflictMode
from extproc.policy.document import API_VERSION, Deployment, EvidenceEntry, PolicyDocument
from extproc.policy.parse.cases import cases
from extproc.policy.parse.catalogue import models, regions, zones
from extproc.policy.parse.deployment import deployment
from extproc.policy.parse.evidence import evidence
from extproc.policy.parse.identity import classes, identity, ingress
from extproc.policy.parse.overrides import overrides
from extproc.policy.parse.regimes import regimes
from extproc.policy.parse.scalars import parse_session_header
from extproc.policy.parse.signals import conflict, signals
from extproc.policy.parse.tenants import tenants
from extproc.policy.parse.vocabulary import Vocabulary
from extproc.strict_yaml import Reader, Table, Value, integer, parsed, table_of, text

MAX_PLAN_LENGTH = 3


def policy_document() -> Reader[PolicyDocument]:
    """Make a reader of one whole policy."""
    return table_of(_document)


def _document(table: Table) -> PolicyDocument:
    vocabulary = Vocabulary()
    version = table.required("apiVersion", api_version)
    named = table.required("policy", table_of(identity))
    listed = table.required("classes", classes(vocabulary, named))
    places = table.optional("zones", zones(vocabulary), default=None)
    catalogue = table.required("regions", regions(vocabulary))
    about = table.optional("models", models(vocabulary), default=None)
    entry = table.required("ingress", ingress(vocabulary))
    laws = table.required("regimes", regimes(vocabulary))
    parties = table.required("tenants", tenants(vocabulary))
    # Where the tenants are faulty, they are given the benefit of the doubt: one fault brings no report of another.
    say = not parties.is_sound or any(tenant.subjects for tenant in parties.value.values())
    sources = table.required("signals", signals(vocabulary, tenants_say=say))
    mode = table.optional("conflict", table_of(conflict), default=ConflictMode.INTERSECT)
    shared = table.optional("deployment", deployment(vocabulary), default=Deployment())
    records = table.optional("evidence", evidence(vocabulary, listed), default=EvidenceEntry())
    orders = table.optional("overrides", overrides(vocabulary), default=())
    plan_length = table.optional("plan", table_of(_plan), default=2)
    session = table.optional("affinity", table_of(_affinity), default=None)
    tests = table.optional("tests", cases(vocabulary), default=())
    _ = version.value
    return PolicyDocument(
        identity=named.value,
        ingress=entry.value,
        classes=listed.value.all,
        unregulated=listed.value.unregulated,
        zones=places.value or {},
        regions=catalogue.value,
        models=about.value or {},
        regimes=laws.value,
        tenants=parties.value,
        signals=sources.value,
        conflict=mode.value,
        deployment=shared.value,
        evidence=records.value,
        overrides=orders.value,
        plan_length=plan_length.value,
        session_header=session.value,
        tests=tests.value,
    )


def api_version(value: Value) -> str:
    """Read `apiVersion:`, here and in every other file of the language."""
    written = text(value)
    if written != API_VERSION:
        value.refuse(f"'{written[:60]}' is not a version of the language that is known here", f"write {API_VERSION}")
    return written


def _affinity(table: Table) -> str:
    return table.required("header", parsed(parse_session_header)).value


def _plan(table: Table) -> int:
    return table.required("length", integer(minimum=1, maximum=MAX_PLAN_LENGTH)).value
