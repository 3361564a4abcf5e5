"""Payload classification: from the bytes of a request's body to the data classes that the policy sees in it.

Owns how a payload is read and what a form or a check digit proves. Does not own what is looked for (the policy, as
:class:`extproc.core.payload.PayloadReading`), nor what a class means: whatever is found can only narrow, for tier 1.

It finds what honest clients send by mistake or without a declaration. It is no defence against a client that hides
what it sends: a number spelled in words, a picture, a field that is there twice in one object (the last counts).

Nothing here raises for any bytes, and nothing that was matched leaves: a finding names a rule of the policy and its
class, never what it found. All of it takes time that grows with the length of the payload and not faster: candidates
are found with RE2, what Python does for each is bounded, and so are depth and number of values.

* :mod:`extproc.detect.classifier` - the main path
* :mod:`extproc.detect.texts` - the texts in a JSON document
* :mod:`extproc.detect.fields` - the fields that the policy names
* :mod:`extproc.detect.email`, `iban`, `card`, `national_id` - what a text's own form tells
* :mod:`extproc.detect.patterns` - the operator's own patterns
"""

from extproc.detect.classifier import Classifier
from extproc.detect.found import Found
from extproc.detect.patterns import check_pattern

__all__ = ["Classifier", "Found", "check_pattern"]
