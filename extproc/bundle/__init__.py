"""Policy bundles: a policy that people signed, where it comes from, and what is kept of the last good one.

A *bundle* is a policy as a signed note: the policy's YAML exactly as written, an empty line, and a signature line for
each person who approved it. The sidecar takes one only where enough of the keys that it trusts have signed.

Owns the way from a place (a file, a mounted ConfigMap, an HTTPS server, an S3-compatible store) to a compiled policy
that may be used. What the policy says is :mod:`extproc.policy`'s; when it is put in force is the sidecar's.

Read :func:`extproc.bundle.accept.accept` first, then :func:`extproc.bundle.start.obtain`. Rules kept here, each with a
test that tries to break it:

* No byte of a policy can be changed after it was signed, and one key counts as one person.
* The key of a log signs no policy: policy keys bear names that no log has.
* A source cannot take a sidecar back to an older policy, nor to another one, unless somebody forces that version.
* What is read is one whole file: not a mixture of two, not the beginning of one.
* A sidecar starts while its source is away, by the last good bundle, which is verified again.

SPEC: https://c2sp.org/signed-note
"""

from extproc.bundle.errors import BundleError

__all__ = ["BundleError"]
