"""The bracket notation, both ways."""

from __future__ import annotations

import contextlib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from b24tools.bitrix24 import php_query
from b24tools.sandbox import php_query as sandbox_query

KEYS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="[]"), min_size=1).filter(
    lambda key: not key.isdecimal()
)
NAMES = KEYS.filter(lambda key: not set(key) & set(". "))
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    TEXTS, lambda inner: st.lists(inner, min_size=1, max_size=4) | st.dictionaries(KEYS, inner, min_size=1, max_size=4)
)


@pytest.mark.long
@given(st.dictionaries(NAMES, VALUES, max_size=4))
def test_what_was_encoded_is_decoded_to_the_same(params: dict[str, Any]) -> None:
    """Texts, lists and dicts survive the way to the portal and back."""
    assert params == php_query.decode(php_query.encode(params))


@given(st.text())
def test_decoding_any_text_raises_nothing_but_value_error(text: str) -> None:
    """The body of an event comes from outside."""
    with contextlib.suppress(ValueError):
        php_query.decode(text, max_pairs=10, max_depth=4)


@given(st.text("ab[]=&%5BD0.+ ", max_size=30))
def test_decoding_odd_brackets_raises_nothing_but_value_error(text: str) -> None:
    """Unclosed, empty, nested, encoded."""
    with contextlib.suppress(ValueError):
        php_query.decode(text, max_pairs=10, max_depth=4)


@pytest.mark.parametrize("value", [None, True, False, [], {}, [None], {"a": {"b": []}}, 5j, b"x"])
def test_what_has_no_form_in_the_notation_is_refused(value: Any) -> None:
    """It would vanish or change its meaning on the portal."""
    with pytest.raises(ValueError, match="bracket notation"):
        php_query.encode({"x": value})


def test_values_are_encoded_once_and_whole() -> None:
    """`&`, `+`, `#` and brackets in a text would cut it."""
    assert (
        php_query.encode({"fields": {"TITLE": "a&b+#ж %5B"}, "n": 5, "f": 1.5, "x": ["1"]})
        == "fields%5BTITLE%5D=a%26b%2B%23%D0%B6%20%255B&n=5&f=1.5&x%5B0%5D=1"
    )


def test_half_a_surrogate_pair_becomes_a_question_mark() -> None:
    """It has no UTF-8 form; the rest of the text has."""
    assert php_query.encode({"a": "x\ud83d"}) == "a=x%3F"


def test_an_event_is_decoded_as_php_does() -> None:
    """Encoded or plain brackets, a later value over an earlier one, `[]` appends."""
    assert php_query.decode(
        "event=ONTASKUPDATE&event=ONTASKADD&data%5BFIELDS_BEFORE%5D=undefined&data[FIELDS_AFTER]=undefined"
        "&data[FIELDS_AFTER][ID]=2536&x[]=1&x[]=2&a.b=c+d"
    ) == {
        "event": "ONTASKADD",
        "data": {"FIELDS_BEFORE": "undefined", "FIELDS_AFTER": {"ID": "2536"}},
        "x": ["1", "2"],
        "a_b": "c d",
    }


@pytest.mark.parametrize("text", ["a&b&c", "a[b][c][d]=1"])
def test_more_than_the_limits_is_refused(text: str) -> None:
    """Too many pairs, too deep."""
    with pytest.raises(ValueError, match=r"exceeded|deeper"):
        php_query.decode(text, max_pairs=2, max_depth=3)


PIECES = st.sampled_from(["a", "b", "0", "1", "[", "]", "[]", ".", " ", "=", "&", "%5B", "%5D", "+", "ё"])


@pytest.mark.long
@given(st.lists(PIECES, max_size=24).map("".join))
def test_two_readings_of_the_notation_agree(query: str) -> None:
    """The sandbox reads with a parser of its own; where they differ, one of them has PHP wrong."""
    assert sandbox_query.decode(query) == php_query.decode(query)
