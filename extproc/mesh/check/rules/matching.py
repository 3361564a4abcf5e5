"""Envoy's matchers of texts and its rules of which headers may change, answered for one text.

SPEC: envoy.type.matcher.v3.StringMatcher and RegexMatcher (whole match, RE2), envoy.config.common.mutation_rules.v3.
"""

import re2

from extproc.mesh.check.node import Node

_ROUTING = frozenset(("host", ":authority", ":scheme", ":method", ":path"))


def matches(matcher: Node, text: str) -> bool:
    """Tell whether a StringMatcher matches; False for one of a kind that is not known."""
    folds = matcher.at("ignore_case").flag
    compared = text.lower() if folds else text

    def of(name: str) -> str:
        value = matcher.at(name).text
        return value.lower() if folds else value

    if matcher.at("safe_regex").is_there:
        return matches_regex(matcher.at("safe_regex"), text)
    return (
        (matcher.at("exact").is_there and compared == of("exact"))
        or (matcher.at("prefix").is_there and compared.startswith(of("prefix")))
        or (matcher.at("suffix").is_there and compared.endswith(of("suffix")))
        or (matcher.at("contains").is_there and of("contains") in compared)
    )


def matches_regex(matcher: Node, text: str) -> bool:
    """Tell whether a RegexMatcher matches the whole text; False for one that is no expression."""
    options = re2.Options()
    options.log_errors = False
    try:
        return re2.compile(matcher.at("regex").text, options).fullmatch(text) is not None
    except re2.error:
        return False


def any_matches(matchers: Node, text: str) -> bool:
    """Tell whether any of a ListStringMatcher matches."""
    return any(matches(each, text) for each in matchers.at("patterns").items())


def may_change(rules: Node, header: str) -> bool:
    """Tell whether HeaderMutationRules let a header be set."""
    if rules.at("disallow_expression").is_there and matches_regex(rules.at("disallow_expression"), header):
        return False
    if rules.at("allow_expression").is_there and matches_regex(rules.at("allow_expression"), header):
        return True
    if rules.at("disallow_all").flag or (rules.at("disallow_system").flag and header.startswith(":")):
        return False
    if header in _ROUTING:
        return rules.at("allow_all_routing").flag
    return not header.startswith("x-envoy-") or rules.at("allow_envoy").flag
