"""The YAML reader keeps lines, and answers whatever it is given with values or a named mistake."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowc.records import UserError
from flowc.yaml_lines import load_yaml

LAUGHS = "a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{name}: &{name} [{', '.join([f'*{before}'] * 9)}]\n" for before, name in zip("abcdef", "bcdefg", strict=True)
)
REFUSED = {
    "nothing": ("# only a remark\n", "f:1: nothing here"),
    "an alias that contains itself": ("a:\n  &b [*b]", "f:2: this contains itself through an alias; write it out"),
    "aliases that multiply": (LAUGHS, "f:1: aliases make too much of this; write it out"),
    "brackets without end": ("[" * 2000, "f:1: nested too deeply; write it flatter"),
    "a day that is none": ("a: 1\nb: 2027-02-30", "f:2: '2027-02-30' is no value; put it in quotes"),
    "a number without digits": ("a: 0x_", "f:1: '0x_' is no value; put it in quotes"),
    "an escape beyond Unicode": ('a: "\\UFFFFFFFF"', "f:1: an escape names no character; write the character itself"),
    "half a character": ('a: "\\ud800"', "f:1: an escape gives half a character; write the character itself"),
    "a list as a key": ("? [a]\n: b", "f:1: a key must be a word; put it in quotes"),
    "a key given twice": ("a: 1\nb: 2\na: 3", "f:3: 'a' is given twice; remove one"),
    "an object": ("a: !!python/name:os.x y", "f:1: not valid YAML: could not determine a constructor for the tag"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_no_plain_value_is_refused_with_its_line(case: str) -> None:
    text, expected = REFUSED[case]
    with pytest.raises(UserError) as raised:
        load_yaml(text, "f", "nothing here")
    assert str(raised.value).startswith(expected)


def test_a_place_without_a_line_has_that_of_what_is_around_it() -> None:
    source = load_yaml("a:\n  - b: 1\n  - c: 2\n", "f", "")
    assert source.values == {"a": ({"b": 1}, {"c": 2})}
    assert [source.line(loc) for loc in ((), ("a",), ("a", 1), ("a", 1, "c"), ("a", 1, "d"), ("z",))] == [
        1, 1, 3, 3, 3, 1,
    ]  # fmt: skip


def test_verbatim_values_are_what_was_written() -> None:
    text = "[010, 1.50, 2027-01-05, yes, ~, 'x', 2027-02-30]"
    assert load_yaml(text, "f", "", verbatim=True).values == (
        "010",
        "1.50",
        "2027-01-05",
        "yes",
        None,
        "x",
        "2027-02-30",
    )


@settings(max_examples=200, deadline=None, derandomize=True)
@given(st.one_of(st.text(), st.text(alphabet="ab:- \n[]{}&*!?|>'\"\\#%@,0.<~")))
def test_any_text_gives_values_or_a_named_mistake(text: str) -> None:
    for verbatim in (False, True):
        try:
            load_yaml(text, "f", "empty", verbatim)
        except UserError as e:
            assert str(e).startswith("f:")
