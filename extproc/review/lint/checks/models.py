"""Models: where each may be, and whether requests can reach it."""

from collections.abc import Iterator

from extproc.core.ids import ModelId, RegionId
from extproc.review.lint.check import Found, check
from extproc.review.lint.finding import Level
from extproc.review.lint.matter import Matter
from extproc.review.lint.words import day_of, listed


@check("model-resident-nowhere", Level.ERROR, "a model's residency leaves no region that serves it")
def model_resident_nowhere(matter: Matter) -> Iterator[Found]:
    """Every request for the model is refused: it may not leave a territory in which no region is approved for it."""
    for name in matter.document.models:
        serving = matter.compiled.tables.models[name].serving
        for epoch in matter.epochs:
            resident = epoch.residency.get(name)
            if resident is not None and not resident & serving:
                when = f"from {day_of(epoch.starts_s)} on, " if epoch.starts_s > matter.now_s else ""
                yield Found(
                    matter.places("models", name, "resident_in"),
                    f"{when}no region that serves {name} stands where it must be",
                    "approve a region inside for it, or mend 'resident_in'",
                )
                break


@check("model-approved-outside", Level.NOTE, "a region is approved for a model that may not be there")
def model_approved_outside(matter: Matter) -> Iterator[Found]:
    """No request for the model goes there. If its weights are there all the same, that may be the breach itself."""
    for name, about in matter.document.models.items():
        resident = matter.epochs[0].residency.get(name)
        outside = 0 if resident is None else matter.compiled.tables.models[name].serving & ~resident
        for region in matter.names(outside):
            yield Found(
                matter.places("regions", region, "models", name),
                f"{region} is approved for {name}, which may not be there ({about.cite})",
                "remove the approval, and see that the model is not there",
            )


@check("model-never-permitted", Level.WARNING, "no request for a model is ever permitted anywhere")
def model_never_permitted(matter: Matter) -> Iterator[Found]:
    """Each tenant's list, each law and the model's own approvals leave nothing together.

    Looked at are all tenants with their own class and all places, now and later, without any order.
    """
    for name, reached in matter.reached_by_model.items():
        if not reached and not _is_resident_nowhere(matter, name):
            regions = matter.names(matter.compiled.tables.models[name].serving)
            yield Found(
                matter.places("regions", regions[0], "models", name),
                f"no request of any tenant for {name} is ever permitted in a region that serves it ({listed(regions)})",
                "approve a region for it that a law permits, or remove the model",
            )


@check("model-versions-differ", Level.WARNING, "regions are approved for different versions of a model")
def model_versions_differ(matter: Matter) -> Iterator[Found]:
    """No request can name a version then, because one region or another is not approved for it: it is answered 404.

    And the same question may get two answers, by whichever region is nearer at the moment.
    """
    for name in matter.compiled.tables.models:
        by_version: dict[str, list[RegionId]] = {}
        for id_, region in matter.document.regions.items():
            served = region.models.get(name)
            if served is not None and served.version is not None:
                by_version.setdefault(served.version, []).append(id_)
        if len(by_version) > 1:
            *_, regions = by_version.values()
            said = "; ".join(f"{version} in {listed(ids)}" for version, ids in sorted(by_version.items()))
            yield Found(
                matter.places("regions", regions[0], "models", name),
                f"the approved versions of {name} differ: {said}",
                "approve one version everywhere, or give the other one a name of its own",
            )


@check("digest-without-version", Level.WARNING, "a model is approved by its bytes and by no version")
def digest_without_version(matter: Matter) -> Iterator[Found]:
    """No request can name a version of the model then: nothing says which version has these bytes. It is answered 404.

    With the version beside the digest, a request for that version is served, and only by these bytes.
    """
    for id_, region in matter.document.regions.items():
        for name, served in region.models.items():
            if served.digest is not None and served.version is None:
                yield Found(
                    matter.places("regions", id_, "models", name, "digest"),
                    f"{id_} is approved for bytes of {name}, and not for a version",
                    "add 'version:' with the version that has these bytes",
                )


@check("model-digests-differ", Level.NOTE, "regions are approved for different bytes of one version of a model")
def model_digests_differ(matter: Matter) -> Iterator[Found]:
    """By where it is served, the same question to the same version may get two answers.

    Builds for different machines differ in their bytes, so it may well be meant.
    """
    for name in matter.compiled.tables.models:
        by_version: dict[str | None, dict[str, list[RegionId]]] = {}
        for id_, region in matter.document.regions.items():
            served = region.models.get(name)
            if served is not None and served.digest is not None:
                by_version.setdefault(served.version, {}).setdefault(served.digest, []).append(id_)
        for version, by_digest in by_version.items():
            if len(by_digest) > 1:
                *_, regions = by_digest.values()
                said = "; ".join(f"{digest[:19]}… in {listed(ids)}" for digest, ids in by_digest.items())
                called = name if version is None else f"{name} version {version}"
                yield Found(
                    matter.places("regions", regions[0], "models", name, "digest"),
                    f"the approved bytes of {called} differ: {said}",
                    "nothing, if they were built for different machines; else approve one",
                )


def _is_resident_nowhere(matter: Matter, name: ModelId) -> bool:
    serving = matter.compiled.tables.models[name].serving
    return any(not epoch.residency.get(name, serving) & serving for epoch in matter.epochs)
