"""What a release waits for: the strictest of all that applies, and never less for a regulated class."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from extproc.core.evidence import Evidence, ReleaseMode, durability_of
from extproc.core.ids import DataClass, Jurisdiction, ModelId, RegionMask
from extproc.core.jurisdiction import Jurisdictions, Verdict

FSYNC, PAGE, OBSERVE = ReleaseMode.FSYNC, ReleaseMode.PAGE, ReleaseMode.OBSERVE
_PUBLIC, _OPEN, _SPECIAL = map(DataClass, ("public", "open", "special"))
_CLASSES = (_PUBLIC, _OPEN, _SPECIAL, DataClass("personal"))
_FREE = frozenset({_PUBLIC, _OPEN})
_CHAT, _FRAUD = ModelId("chat"), ModelId("fraud")
_MODES = st.sampled_from(ReleaseMode)
_LASTING = st.sampled_from([FSYNC, PAGE])


def _verdict(*classes: DataClass) -> Verdict:
    return Verdict(
        jurisdictions=Jurisdictions(names=(Jurisdiction("DE"),)),
        classes=classes,
        regimes=(),
        obligations=(),
        permitted=RegionMask(0),
        regions=(),
        ingress=True,
    )


def test_the_example_of_the_manual() -> None:
    evidence = Evidence(default=FSYNC, by_class={_PUBLIC: OBSERVE}, by_model={_CHAT: PAGE}, unregulated=_FREE)

    def of(*classes: DataClass, model: ModelId = _FRAUD) -> ReleaseMode:
        return durability_of(evidence, _verdict(*classes), model, served=PAGE)

    assert of(_PUBLIC) is OBSERVE
    assert of(_PUBLIC, model=_CHAT) is PAGE
    assert of(_OPEN) is FSYNC
    assert of(_PUBLIC, _OPEN) is FSYNC
    assert of(_SPECIAL, model=_CHAT) is FSYNC
    assert of(_PUBLIC, _SPECIAL) is FSYNC


def test_without_a_verdict_the_default_counts() -> None:
    evidence = Evidence(default=PAGE, by_model={_CHAT: FSYNC})
    assert durability_of(evidence, None, _CHAT, served=FSYNC) is PAGE
    assert durability_of(replace(evidence, default=None), None, _CHAT, served=FSYNC) is FSYNC


def test_a_policy_without_the_section_leaves_it_to_the_command() -> None:
    for served in ReleaseMode:
        assert durability_of(Evidence(), _verdict(_SPECIAL), _CHAT, served=served) is served


@given(
    st.none() | _LASTING,
    st.dictionaries(st.sampled_from(_CLASSES), _MODES),
    st.dictionaries(st.sampled_from([_CHAT, _FRAUD]), _MODES),
    st.lists(st.sampled_from(_CLASSES), min_size=1, unique=True),
    st.sampled_from([None, _CHAT, _FRAUD]),
    _LASTING,
)
def test_no_entry_makes_a_request_with_a_regulated_class_weaker_than_the_default(  # noqa: PLR0913, PLR0917 - one per input
    default: ReleaseMode | None,
    by_class: dict[DataClass, ReleaseMode],
    by_model: dict[ModelId, ReleaseMode],
    classes: list[DataClass],
    model: ModelId | None,
    served: ReleaseMode,
) -> None:
    evidence = Evidence(default=default, by_class=by_class, by_model=by_model, unregulated=_FREE)
    mode = durability_of(evidence, _verdict(*classes), model, served=served)
    if not _FREE.issuperset(classes):
        assert mode.strictness >= (default or served).strictness
    for each in (
        *(by_class[name] for name in classes if name in by_class),
        *([by_model[model]] if model in by_model else []),
    ):
        assert mode.strictness >= each.strictness
