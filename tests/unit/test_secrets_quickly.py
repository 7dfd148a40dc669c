"""The quick look whether a text holds a secret: it may be wrong only in saying that there may be one."""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

from hypothesis import example, given, settings
from hypothesis import strategies as st

from b24tools.core import secrets
from b24tools.core.secrets import HIDDEN, Scrubber
from tests.unit.test_secrets import SPELLINGS, TOKENS, URL

SLASHES = ">>>???~~~>>>???"  # in base64 it has nearly all of its signs from `+` and `/`
SECRETS = [*TOKENS, URL, SLASHES, "Ёж-ΑΣ+ﾊ/_\N{REPLACEMENT CHARACTER}"]
SCRUBBER = Scrubber(SECRETS)
OTHERS = ["access_token=abcdefgh12", "Auth : abcdefgh12", "/rest/1/abcdef12/", "%2FREST%2fapi\\/1/abcdef12"]
OTHERS += ["ſeſſid=abcdefgh12"]  # the long s is an s to a pattern, and has no small letter
SIGNS = [*"\\%&;#xu05…+-_/=<>\"' ", "%25", "%F0%9F", "&amp;", "&#x41;", "\\u00", "\N{KELVIN SIGN}", "41", "Заказ", "İ"]


def spell(text: str, ways: list[Callable[[str], str]]) -> str:
    """Spell a text in these ways, one around the other; as it is where one of them cannot."""
    try:
        return reduce(lambda said, way: way(said), ways, text)
    except UnicodeEncodeError:
        return text


@st.composite
def part(draw: st.DrawFn) -> str:
    """A secret or a piece of one, in up to five spellings; what looks like somebody else's; or signs of escapes."""
    if not draw(st.booleans()):
        return draw(st.sampled_from([*OTHERS, *SIGNS]))
    whole = draw(st.sampled_from([*SECRETS, *OTHERS]))
    first, last = draw(st.sampled_from([(0, None), (0, None), (0, 12), (3, None), (2, -2)]))
    ways = draw(st.lists(st.sampled_from(list(SPELLINGS.values())), max_size=2 if len(whole) > 20 else 3))
    deeper = draw(st.sampled_from(["each byte", "JSON", "numbers", "half", "HTML's numbers"]))
    ways += [SPELLINGS[deeper]] * draw(st.integers(0, 2))
    return spell(whole[first:last], ways) + draw(st.sampled_from(["", "", "…", "%E2%80%A6", "\\u2026"]))


@settings(max_examples=30)  # the thorough search takes its time
@given(st.lists(part(), max_size=6).map("".join) | st.text(max_size=60))
@example(spell(TOKENS[0], [SPELLINGS["each byte"]] * 3))
@example(spell(TOKENS[0], [SPELLINGS["each byte"], SPELLINGS["numbers"], SPELLINGS["HTML's numbers"]]))
@example(SPELLINGS["base64 in a URL"](SLASHES))
@example(OTHERS[-1])
def test_the_quick_look_overlooks_nothing(text: str) -> None:
    """Neither one of ours, where the thorough search finds it, nor what looks like somebody else's."""
    thorough = SCRUBBER._hide(text)
    others = secrets._CODE.sub(rf"\1{HIDDEN}", thorough)

    assert (thorough, secrets._TOKEN.sub(rf"\1{HIDDEN}", others)) == (SCRUBBER.hide(text), SCRUBBER.scrub(text))


@example(["%25", "41"])
@given(st.lists(st.sampled_from(SIGNS) | st.binary(max_size=4).map(lambda raw: "".join(f"%{b:02x}" for b in raw))))
def test_escapes_are_read_as_by_the_thorough_search(parts: list[str]) -> None:
    """Layer by layer, also where they are no UTF-8."""
    text = "".join(parts)
    assert secrets._decode(text, range(len(text)), range(1, len(text) + 1))[0] == secrets._unescape(text)
