"""Formulas of pages and e-books are read on one line, wherever they stand, and each once."""

from __future__ import annotations

import pytest

from tests.documents import books
from tests.documents.extracted import Read, headings


def of(name: str, *parts: str, **attributes: str) -> str:
    """An element of a formula, by its children."""
    said = "".join(f' {key}="{value}"' for key, value in attributes.items())
    return f"<{name}{said}>{''.join(parts)}</{name}>"


def i(text: str) -> str:
    """A name."""
    return of("mi", text)


def n(text: str) -> str:
    """A number."""
    return of("mn", text)


def o(text: str) -> str:
    """An operator."""
    return of("mo", text)


ROOT = of("msqrt", of("msup", i("b"), n("2")), o("−"), n("4"), o("&#x2062;"), i("a"), i("c"))
K0 = of("mrow", i("k"), o("="), n("0"))
CELLS = [[n("1"), n("0")], [n("0"), n("1")]]
MATRIX = of("mtable", *(of("mtr", *(of("mtd", cell) for cell in row)) for row in CELLS))
TWO_LINES = of("mtable", of("mtr", of("mtd", i("a"))), of("mtr", of("mtd", i("b"))))
TEX = '<annotation encoding="application/x-tex">\\frac{1}{2}</annotation><annotation-xml><ci>x</ci></annotation-xml>'
FORMULAS = [
    (of("mfrac", of("mrow", o("−"), i("b"), o("±"), ROOT), of("mrow", n("2"), i("a"))), "(−b±√(b^2−4ac))/(2a)"),
    (of("mfrac", n("1"), n("2")) + i("m") + i("v"), "1/2 mv"),
    (of("mfrac", i("n"), i("k"), linethickness="0"), "n¦k"),
    (of("munderover", o("∑"), K0, i("n")) + of("msup", i("x"), i("k")), "∑_(k=0)^n x^k"),
    (of("msub", i("a"), i("n")) + i("cos") + o("&#x2061;") + i("x"), "a_n cos x"),
    (i("x") + of("mtext", "if") + i("y"), "x if y"),
    (of("msubsup", of("mrow", i("x"), o("+"), i("y")), n("1"), n("2")), "(x+y)_1^2"),
    (of("munder", o("lim"), of("mrow", i("x"), o("→"), n("0"))) + i("f"), "lim_(x→0) f"),
    (of("mover", i("v"), o("→")) + of("mover", i("n"), i("k")), "v⃗ n^k"),
    (of("mroot", n("8"), n("3")), "√[3](8)"),
    (of("mfenced", i("a"), i("b")) + of("mfenced", i("a"), open="[", close="", separators=""), "(a,b)[a"),
    (of("mrow", o("["), MATRIX, o("]")), "[[1, 0; 0, 1]]"),
    (o("{") + TWO_LINES, "{a; b"),
    (of("mmultiscripts", i("C"), n("6"), "<none/>", "<mprescripts/>", "<none/>", n("14")), "^14C_6"),
    (of("semantics", of("mrow", i("x")), TEX), "x"),
    (of("mstyle", of("mpadded", i("x")), of("mphantom", i("y")), "\n ", o("&lt;"), "\n ", i("z")), "x<z"),
]


@pytest.mark.parametrize(("made", "wanted"), FORMULAS)
def test_a_formula_is_written_on_one_line(read: Read, made: str, wanted: str) -> None:
    math = of("math", made, xmlns="http://www.w3.org/1998/Math/MathML")
    assert read("a.html", f"<p>公式{math}。</p>").text == f"公式{wanted}。"
    assert read("a.epub", books.epub({"1.xhtml": f"<p>公式{math}。</p>"})).text == f"公式{wanted}。"


def test_headings_cells_and_lines_have_their_formulas(read: Read) -> None:
    math = of("math", of("msup", i("x"), n("2")))
    block = of("math", i("y"), display="block")
    page = f"<h1>On {math}</h1><table><tr><td>a<td>{math}</table><p>so{block}it is</p>{math}"
    extracted = read("a.html", page)
    assert headings(extracted) == [(1, "On x^2")]
    assert extracted.text == "# On x^2\n\n| a | x^2 |\n| --- | --- |\n\nso y it is\n\nx^2"


@pytest.mark.parametrize(
    "page",
    [
        '<span class="katex"><span class="katex-mathml">{}</span><span aria-hidden="true">x2</span></span>',
        '<span class="MathJax"><nobr aria-hidden="true">x2</nobr><span>{}</span></span>',
        '<mjx-container><mjx-math aria-hidden="true">x2</mjx-math><mjx-mml>{}</mjx-mml></mjx-container>',
    ],
    ids=["katex", "mathjax2", "mathjax3"],
)
def test_what_draws_a_formula_once_more_is_left_out(read: Read, page: str) -> None:
    made = page.format(of("math", of("msup", i("x"), n("2"))))
    assert read("a.html", f'<p>a {made} b</p><p aria-hidden="true">c</p>').text == "a x^2 b\n\nc"


@pytest.mark.parametrize("name", ["mrow", "msup", "math"])
def test_a_formula_nested_without_end_keeps_its_letters(read: Read, name: str) -> None:
    assert read("a.html", f"<p>a<math>{f'<{name}>' * 5000}<mi>x</mi>{f'</{name}>' * 5000}</math></p>").text == "ax"
