"""Formulas of documents and slides are read on one line, with what is above and below still told apart."""

from __future__ import annotations

import pytest

from errors import TaskError
from tests.documents import samples
from tests.documents.extracted import Read
from tests.documents.office import pptx


def r(text: str) -> str:
    """Signs of a formula."""
    return f"<m:r><m:rPr><m:sty/></m:rPr><m:t>{text}</m:t></m:r>"


def of(name: str, properties: str = "", **parts: str) -> str:
    """An element of a formula, by its parts."""
    inner = "".join(f"<m:{part}>{content}</m:{part}>" for part, content in parts.items())
    return f"<m:{name}><m:{name}Pr>{properties}</m:{name}Pr>{inner}</m:{name}>"


def raised(base: str, power: str) -> str:
    return of("sSup", e=r(base), sup=r(power))


ROOT = of("rad", '<m:degHide m:val="1"/>', e=raised("b", "2") + r("-4ac"))
MATRIX = "<m:m><m:mr><m:e>{0}</m:e><m:e>{1}</m:e></m:mr><m:mr><m:e>{1}</m:e><m:e>{0}</m:e></m:mr></m:m>"
FORMULAS = [
    (r("x=") + of("f", num=r("-b±") + ROOT, den=r("2a")), "x=(-b±√(b^2-4ac))/(2a)"),
    (of("f", num=r("1"), den=r("2")) + r("mv"), "1/2 mv"),
    (of("nary", '<m:chr m:val="∑"/>', sub=r("k=0"), sup=r("n"), e=raised("x", "k+1")), "∑_(k=0)^n x^(k+1)"),
    (of("nary", sub="", sup="", e=r("f(x)dx")), "∫ f(x)dx"),
    (of("sSub", e=r("a"), sub=r("n")) + of("func", fName=r("cos"), e=r("x")), "a_n cos x"),
    (of("d", '<m:begChr m:val="["/><m:endChr m:val="]"/>', e=MATRIX.format(r("1"), r("0"))), "[[1, 0; 0, 1]]"),
    (raised("e", "iπ") + r("+1=0"), "e^iπ+1=0"),
    (of("rad", deg=r("3"), e=r("8")), "√[3](8)"),
    (of("f", '<m:type m:val="noBar"/>', num=r("n"), den=r("k")), "n¦k"),
    (of("acc", '<m:chr m:val="⃗"/>', e=r("v")), "v⃗"),
    (of("limLow", e=r("lim"), lim=r("x→0")), "lim_(x→0)"),
]


@pytest.mark.parametrize(("made", "wanted"), FORMULAS)
def test_a_formula_is_written_on_one_line(read: Read, made: str, wanted: str) -> None:
    math = f'<m:oMath xmlns:m="urn:m">{made}</m:oMath>'
    word = samples.docx(f"<w:p><w:r><w:t>公式</w:t></w:r>{math}<w:r><w:t>。</w:t></w:r></w:p>")
    assert read("a.docx", word).text == f"公式{wanted}。"
    slide = f"<p:sp><p:txBody><a:p><a:m>{math}</a:m></a:p></p:txBody></p:sp>"
    assert read("a.pptx", pptx([slide])).text == wanted


def test_formulas_beside_each_other_stay_apart(read: Read) -> None:
    one, other = (f'<m:oMath xmlns:m="urn:m">{r(text)}</m:oMath>' for text in ("a=b", "c=d"))
    assert read("a.docx", samples.docx(f"<w:p>{one}{other}</w:p>")).text == "a=b c=d"
    assert read("a.pptx", pptx([f"<p:sp><p:txBody><a:p>{one}{other}</a:p></p:txBody></p:sp>"])).text == "a=b c=d"


def test_formulas_of_one_paragraph_have_lines_of_their_own(read: Read) -> None:
    one, other = (f"<m:oMath>{r(text)}</m:oMath>" for text in ("a=b", "c=d"))
    body = f'<w:p><m:oMathPara xmlns:m="urn:m">{one}{other}</m:oMathPara></w:p>'
    assert read("a.docx", samples.docx(body)).text == "a=b\nc=d"


def test_a_formula_nested_without_end_is_refused(read: Read) -> None:
    deep = "<m:sSup><m:e>" * 110 + r("x") + "</m:e></m:sSup>" * 110
    with pytest.raises(TaskError) as caught:
        read("a.docx", samples.docx(f'<w:p><m:oMath xmlns:m="urn:m">{deep}</m:oMath></w:p>'))
    assert caught.value.code == "corrupt"
