from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.mime.html_safe import safe_for_parser
from gateway.mime.html_text import html_to_text


def test_structure_becomes_lines() -> None:
    html = "<h1>T</h1><p>a  b<br>c</p><ul><li>x<li>y</ul><a href='https://h.test/1'>here</a><table><tr><td>1<td>2</table>"
    assert html_to_text(html).text == "T\n\na b\nc\n\n- x\n- y\n\nhere <https://h.test/1>\n\n1 2"
    assert html_to_text("<script>x</script><style>y</style>&lt;b&gt; &eacute;&#8364;").text == "<b> é€"
    assert html_to_text("").text == ""


@pytest.mark.parametrize(
    "hidden",
    [
        '<div style="display:none">no</div>',
        '<div style="display: none !important">no</div>',
        '<span style="visibility:hidden">no</span>',
        '<span style="font-size:0">no</span>',
        '<span style="font-size:0px;line-height:0">no</span>',
        '<span style="font-size:1px">no</span>',
        '<div style="max-height:0;overflow:hidden">no</div>',
        '<div style="opacity:0.0">no</div>',
        '<div style="position:absolute;left:-9999px">no</div>',
        '<div style="mso-hide:all">no</div>',
        "<div hidden>no</div>",
        '<span style="color:#fff">no</span>',
        '<span style="color: white">no</span>',
        '<font color="#FEFEFE">no</font>',
        '<div style="background:#000"><span style="color:rgb(2, 2, 2)">no</span></div>',
        '<table bgcolor="#112233"><tr><td style="color:#112233">no</td></tr></table>',
        "<style>/* x */ .pre, p.q { display : none }</style><p class='a pre'>no</p>",
        "<style>#x{font-size:0}</style><p id=x>no</p>",
    ],
)
def test_text_nobody_sees_is_left_out_and_told_of(hidden: str) -> None:
    found = html_to_text(f"<p>before</p>{hidden}<p>after</p>")
    assert found.text == "before\n\nafter"
    assert found.hidden.characters == len("no")


@pytest.mark.parametrize(
    "seen",
    [
        '<div style="opacity:0.5">yes</div>',
        '<div style="height:0.5em">yes</div>',
        '<div style="font-size:10px">yes</div>',
        '<table bgcolor="#0055ff"><tr><td><a style="color:#ffffff">yes</a></td></tr></table>',
        '<div style="background:#000;color:#fff">yes</div>',
        '<div style="background:#fff url(x.png)"><b style="color:#fff">yes</b></div>',
        "<style>.b{background:#06c}</style><a class=b style='color:#fff'>yes</a>",
        "<style>@media (max-width:600px){.m{display:none}}</style><p class=m>yes</p>",
        "<![if !mso]><p>yes</p><![endif]>",
    ],
)
def test_text_people_see_is_kept(seen: str) -> None:
    found = html_to_text(seen)
    assert found.text == "yes"
    assert not found.hidden.characters


def test_comments_and_what_is_for_outlook_alone_are_no_text() -> None:
    assert html_to_text("a<!-- b --><!--[if mso]>c<![endif]-->d").text == "ad"


def test_the_padding_of_a_preview_line_is_no_text() -> None:
    assert html_to_text(
        "Hi<div>x &zwnj;&nbsp;&#8199;&#847;&zwnj;&nbsp;&zwnj;&nbsp;&zwnj; y</div>"
    ).text.split() == ["Hi", "x", "y"]


def test_words_in_large_type_are_told() -> None:
    assert html_to_text('<p>Code</p><p style="font-size:32px">123 456</p><h1>Hello</h1>').large == {
        "123",
        "456",
        "Hello",
    }


HOSTILE = {
    "depth": "<div>" * 100_000,
    "closed depth": "<div>" * 50_000 + "</div>" * 50_000,
    "stray ends": "<div></b>" * 50_000,
    "attributes": "<p " + "a=b " * 100_000 + ">",
    "many styles": ('<i style="' + "display :" * 400 + '">x') * 140,
    "zeros": '<p style="opacity:' + "0" * 400_000 + '1">x',
    "rules": "<style>" + "a{" * 200_000 + "</style>",
    "comments": "<style>" + "/*a" * 150_000 + "</style>",
    "selectors": "<style>" + "a," * 200_000 + "{display:none}</style>",
    "entities": "&" * 500_000,
    "tables": "<table><tr><td>" * 30_000,
}


@pytest.mark.timeout(60)
@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_html_costs_no_quadratic_time(name: str) -> None:
    """Each takes well under a second; quadratic ones would take minutes and end the test."""
    html_to_text(HOSTILE[name] + "<p>end")


def test_flattening_loses_no_word() -> None:
    html = "".join(f"<div>{n} " for n in range(6000))
    assert html_to_text(html).text.split() == [str(n) for n in range(6000)]
    small = "<div>" * 400 + "x"
    assert safe_for_parser(small) == small


MARKUP = [
    *(
        "<div>",
        "</div>",
        "<p>",
        "<b style='color:white'>",
        "</b>",
        "<td>",
        "<table>",
        "<!--",
        "-->",
        "<style>",
        "</style>",
    ),
    *(".a{display:none}", "<p class=a>", "word", "&amp", "<br", ">", "\x00", "<a href=http://x.y>", "<li>"),
]


@given(st.lists(st.sampled_from(MARKUP)))
def test_any_markup_is_read(pieces: list[str]) -> None:
    found = html_to_text("".join(pieces))
    assert "\x00" not in found.text
