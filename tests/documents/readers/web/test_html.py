"""Pages as people meet them: what stands around the text, tables with more than words, Chinese in lines."""

from __future__ import annotations

import pytest

from tests.documents.extracted import Read

TEXT = "<p>" + "The museum is open from nine to five, except on Mondays. " * 8 + "</p>"
LINKS = "".join(f'<li><a href="/{name}">{name}</a></li>' for name in ("Start", "Tickets", "Press", "Shop"))
LANGUAGES = "".join(f'<li class="x"><a href="/{n}">Language {n}</a></li>' for n in range(60))


@pytest.mark.parametrize(
    "around",
    [
        f"<div role=navigation><ul>{LINKS}</ul></div>",
        f"<div class='top-menu'><ul>{LINKS}</ul></div>",
        f"<div id=sidebar><h3>More</h3><ul>{LINKS}</ul></div>",
        f"<aside><ul>{LINKS}</ul></aside>",
        f"<header><p>The Museum</p><ul>{LINKS}</ul></header>",
        f"<footer><h4>Find us</h4><ul>{LINKS}</ul></footer>",
        "<footer>© The Museum 2026. All rights reserved.</footer>",
        "<div role=contentinfo>Imprint</div>",
        f"<div id=toc><h2>Contents</h2><ul>{LINKS}</ul></div>",
        "<ol class=breadcrumb><li>Start<li>Visit<li>Hours</ol>",
        "<div class='site-breadcrumbs'><a href=/>Start</a> &gt; <a href=/visit>Visit</a></div>",
        f"<div id=p-lang><ul>{LANGUAGES[:1500]}</ul></div>",
        "<a href=#main>Skip to main content</a>",
        "<div class=mw-jump>跳转到：<a href=#nav>导航</a>、<a href=#search>搜索</a></div>",
    ],
)
def test_what_stands_around_the_text_is_left_out(read: Read, around: str) -> None:
    page = f"<html><body>{around}<h1>Hours</h1>{TEXT}</body></html>"
    assert read("a.html", page).text == read("a.html", f"<html><body><h1>Hours</h1>{TEXT}</body></html>").text


@pytest.mark.parametrize(
    ("page", "wanted"),
    [
        (f"<header><h1>Hours</h1></header>{TEXT}", "# Hours"),
        (f"<article><header>By Ada</header>{TEXT}<footer>Read by Grace</footer></article>", "Read by Grace"),
        (f"<div class=header-note>{TEXT}</div>", "museum"),
        (f"<div class=menu><p>Soup of the day, 4 €</p></div>{TEXT}", "Soup"),
        (f"<aside>The tower is closed <a href=x>today</a> and tomorrow.</aside>{TEXT}", "tower"),
        (f"<ul class=menu>{LINKS}</ul>", "Tickets"),
        (f"<div class=toc-list>{LANGUAGES}</div><p>See also the list.</p>", "Language 59"),
        (f"{TEXT}<p>So says <a class=nav-link href=/x>our page on the tower</a>, too.</p>", "page on the tower"),
        (f"<ul class=stock-list>{LINKS}</ul>{TEXT}", "Tickets"),
        (f"{TEXT}<p>As <a href=#top>to the point</a> as can be.</p>", "to the point"),
        (f"<div class='sidebar'><main>{TEXT}</main></div>", "museum"),
    ],
)
def test_what_belongs_to_the_text_stays(read: Read, page: str, wanted: str) -> None:
    assert wanted in read("a.html", f"<html><body>{page}</body></html>").text


def test_links_to_edit_a_section_are_no_part_of_its_heading(read: Read) -> None:
    page = (
        "<h2>历史<span class='mw-editsection'>[<a href=x>编辑</a>]</span></h2><h2>Etymology [edit]</h2><h2>A [1]</h2>"
    )
    assert read("a.html", f"<html>{page}{TEXT}").text.startswith("## 历史\n\n## Etymology\n\n## A [1]\n\nThe museum")


def test_the_end_of_a_line_between_chinese_characters_is_no_space(read: Read) -> None:
    page = "<p>知识库服务\n  把文档变成\n<b>可以检索</b>的知识，\n“搜索”\n也行 。\nOne\nline 中文\nEnglish</p>"
    text = "知识库服务把文档变成可以检索的知识，“搜索”也行 。One line 中文 English"
    assert read("a.html", f"<html><body>{page.replace('。' + chr(10), '。')}").text.split("\n")[0] == text


ODD = (
    "<pre>ls -l\nls -a</pre>",
    "<h3>ls -l ls -a</h3>",
    "<table><tr><td>ls -l<td>ls -a</table>",
    "<ul><li>ls -l<ul><li>ls -a</ul></ul>",
)


@pytest.mark.parametrize("odd", ODD)
def test_one_odd_cell_does_not_dissolve_a_table(read: Read, odd: str) -> None:
    page = f"<table><tr><th>Command<th>What it does<tr><td>{odd}<td>lists<tr><td>rm<td>deletes</table>"
    rows = ["| Command | What it does |", "| --- | --- |", "| ls -l ls -a | lists |", "| rm | deletes |"]
    assert read("a.html", f"<html>{page}").text == "\n".join(rows)


@pytest.mark.parametrize("odd", ODD)
def test_a_table_that_lays_out_the_page_is_none(read: Read, odd: str) -> None:
    page = f"<table><tr><td>Left<td>{odd}{TEXT}<tr><td colspan=2>Below</table>"
    assert read("a.html", f"<html>{page}").text.startswith("Left\n\n")


def test_a_table_of_data_within_one_that_lays_out_is_one(read: Read) -> None:
    inner = "<table><tr><td>a<td>b<tr><td>1<td>2</table>"
    text = read("a.html", f"<html><table><tr><td>{TEXT}<td><h2>Data</h2>{inner}{TEXT}</table>").text
    assert "| a | b |\n| --- | --- |\n| 1 | 2 |" in text


def test_a_long_cell_is_not_repeated_in_the_rows_that_it_reaches_over(read: Read) -> None:
    text = read("a.html", f"<html><table><tr><td rowspan=2>{TEXT}<td>1<tr><td>2</table>").text
    assert (text.count("except"), text.splitlines()[-1]) == (8, "|  | 2 |")


def test_boilerplate_within_boilerplate_costs_no_more_than_its_length(read: Read) -> None:
    page = "<div class=nav-x>word " * 400 + "<a href=x>y</a>" * 2000
    assert "word" in read("a.html", f"<html>{page}").text
