from __future__ import annotations

import re

from hypothesis import given
from hypothesis import strategies as st

from builtin_plugins.analytics.patterns import matches

TEXT = st.text("ab:*", max_size=12)


@given(pattern=TEXT, text=st.text("ab:", max_size=12))
def test_a_pattern_matches_as_the_regular_expression_of_the_specification(pattern: str, text: str) -> None:
    expression = ".*".join(re.escape(part) for part in pattern.split("*"))

    assert matches(pattern, text) == bool(re.fullmatch(expression, text))
