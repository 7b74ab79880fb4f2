"""Broken files from whole ones, as hypothesis draws them; how many is a question of the profile."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from copy import deepcopy
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from bench.errors import RequestError

BYTES = (
    *(b"\0\0\0\0", b"\xff\xff\xff\xff", b"\xff\xff\xff\x7f", b"\0\0\0\x80", b"\0\0\xc0\x7f"),
    *(b"\0\0\x80\x7f", b"\x10\x27", b"\xff\x7f", b"\0\0\0\0\0\0\xf0\x7f", b"\x1f\x8b", b"\n\n"),
)
"""Integers at their ends, infinity, no number, the start of a gzip stream, the end of a header."""
WORDS = (
    *(b"1000000", b"0", b"-1", b"99999999999999999999", b"9" * 5000, b"nan", b"inf", b"1e308"),
    *(b"1e999", b"../../etc/passwd", b"/dev/zero", b"LIST", b"LOCAL", b"%s%n%d", b"A" * 5000),
    *(b"\xff\xfe", b"\x1b[31m", b"(", b"(0,0,0)", b"true", b"none", b"''", b"{}", b"*a", b"&a x"),
)
"""What a number or a name in a text may be replaced by."""
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-(2**70), 2**70),
    st.floats(),
    st.text(max_size=8),
    st.sampled_from(
        ["", "../../x", "/etc/passwd", "\x1b[31mred", "<script>", "\udcff", "nan", "9" * 5000]
    ),
    st.sampled_from([[], {}, [[]], {"a": {"b": []}}, [None], 10**400, -0.0, 1e-320]),
)


def many(bounded: int, *, costly: int = 1) -> Callable[[Any], Any]:
    """`bounded` examples, always the same ones; with --hypothesis-profile=long thousands of new
    ones, fewer of `costly` ones."""
    shared = {"deadline": None, "suppress_health_check": list(HealthCheck)}
    if settings.get_current_profile_name() == "long":
        long = settings.get_profile("long")
        return settings(long, max_examples=long.max_examples // costly, **shared)
    return settings(max_examples=bounded, derandomize=True, database=None, **shared)


def said_by(call: Callable[[], Any]) -> str:
    """The line with which it is refused; "" where it is not. Any other error is the test's."""
    try:
        call()
    except RequestError as error:
        said = str(error)
    else:
        return ""
    assert said.isprintable(), repr(said)
    return said


@st.composite
def spoiled(draw: Any, whole: bytes, *, text: bool = False, head: int = 600) -> bytes:
    """Some edits; half of them in the first `head` bytes, where a header is. text: words there are
    also replaced by others."""
    content = bytearray(whole)
    for _ in range(draw(st.integers(1, 4))):
        end = max(1, min(len(content), head) if draw(st.booleans()) else len(content))
        at = draw(st.integers(0, end - 1))
        edit = draw(st.integers(0, 6 if text else 5))
        if edit == 0:
            content[at : at + 1] = bytes([draw(st.integers(0, 255))])
        elif edit == 1:
            special = draw(st.sampled_from(BYTES))
            content[at : at + len(special)] = special
        elif edit == 2:
            del content[at : at + draw(st.integers(1, 40))]
        elif edit == 3:
            content[at:at] = content[at : at + draw(st.integers(1, 200))]
        elif edit == 4:
            content[at:at] = draw(st.binary(min_size=1, max_size=8))
        elif edit == 5:
            del content[at:]
        else:
            words = list(re.finditer(rb"[-\w./]+", bytes(content[:head])))
            if words:
                found = draw(st.sampled_from(words))
                content[found.start() : found.end()] = draw(st.sampled_from(WORDS))
    return bytes(content)


@st.composite
def other_tree(draw: Any, whole: Any) -> Any:
    """A tree of JSON with some of its values replaced, dropped or doubled."""
    tree = json.loads(json.dumps(whole))
    for _ in range(draw(st.integers(1, 3))):
        place: Any = tree
        while True:
            keys = list(place) if isinstance(place, dict) else list(range(len(place)))
            if not keys:
                break
            key = draw(st.sampled_from(keys))
            deeper = isinstance(place[key], dict | list) and bool(place[key])
            if deeper and draw(st.integers(0, 4)):
                place = place[key]
                continue
            edit = draw(st.integers(0, 3))
            if edit == 0:
                del place[key]
            elif edit == 1 and isinstance(place, dict):
                place[draw(st.text(max_size=5))] = place[key]
            elif edit == 1:
                place.append(place[key])
            else:
                place[key] = deepcopy(draw(VALUES))  # it may be changed, too
            break
    return tree
