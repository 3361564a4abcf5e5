"""Identifiers that cross module borders, one type per idea so that a mix-up is a type error."""

from typing import NewType

Country = NewType("Country", str)
"""ISO 3166-1 alpha-2 code: a geographic fact, such as where a region's machines stand."""

Jurisdiction = NewType("Jurisdiction", str)
"""ISO 3166-1 alpha-2 or 3166-2 code of a place whose law claims the data of a request."""

RegionId = NewType("RegionId", str)
"""A place we route to, as the policy names it (`eu-fra`)."""

TenantId = NewType("TenantId", str)
ModelId = NewType("ModelId", str)
DataClass = NewType("DataClass", str)
RegimeId = NewType("RegimeId", str)
PermitId = NewType("PermitId", str)
OverrideId = NewType("OverrideId", str)

MechanismId = NewType("MechanismId", str)
"""A transfer mechanism that an exporter may declare (`dpf`, `scc`)."""

PolicyRevision = NewType("PolicyRevision", str)
"""`sha256:` and the hex digest of the policy's canonical form."""

ConfigRevision = NewType("ConfigRevision", str)
"""`sha256:` and the hex digest over everything but health that a snapshot decides by."""

DependencyId = NewType("DependencyId", str)
"""What a region needs beside its cells to serve (`vectors`), as the policy names it."""

DecisionId = NewType("DecisionId", str)
"""A UUID (version 7) in its canonical text form."""

RegionMask = NewType("RegionMask", int)
"""A set of regions: bit `i` is the region at index `i` of the policy's catalogue."""
