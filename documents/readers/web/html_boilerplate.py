"""What stands around the text on each page of a site: navigation, breadcrumbs, languages, page feet, edit links."""

from __future__ import annotations

import re
from collections.abc import Iterator

from selectolax.lexbor import LexborHTMLParser, LexborNode

from documents.readers.web.html_nodes import own_or_above

#: Roles and classes that never mark text of a page. The classes are those of MediaWiki, Sphinx, DocBook and the like.
_ROLES = frozenset(("navigation", "search", "menubar", "toolbar"))
_CLASSES = frozenset(
    (
        *("mw-editsection", "editsection", "mw-jump", "mw-jump-link", "jump-to-nav", "skip-link", "skip-to-content"),
        *("headerlink", "breadcrumb", "breadcrumbs", "navheader", "navfooter", "printfooter", "interlanguage-link"),
    )
)
#: Words of classes and ids that may mark it: where most of the element is links, it is that.
_WORDS = (
    *("nav", "menu", "sidebar", "breadcrumb", "lang", "toolbar", "skip", "share", "social", "pagination", "pager"),
    *("footer", "header", "catlinks", "related", "table-of-contents"),
)
#: As a word of its own only: it is part of stock.
_CONTENTS = '[class~="toc" i], [id="toc" i], [class^="toc-" i], [class*=" toc-" i], [id^="toc-" i]'
_MARKED = ", ".join(f'[{name}*="{word}" i]' for word in (*_WORDS, "editsection", "jump") for name in ("class", "id"))
_MARKED = f"{_MARKED}, {_CONTENTS}"
#: The elements that are looked at, and what no element that goes may hold.
_LOOKED_AT = f"header, footer, aside, [role], {_MARKED}"
_TEXT = "main, article, h1"
#: What is taken away as a whole: no single link, and no cell.
_PARTS = frozenset(
    (
        "div",
        "header",
        "footer",
        "aside",
        "ul",
        "ol",
        "li",
        "dl",
        "menu",
        "section",
        "table",
        "form",
        "details",
        "center",
    )
)
#: Within these a header, a foot and an aside belong to the text.
_INNER = frozenset(("main", "article", "section"))
_SKIP_LINK = re.compile(
    r"(?:skip|jump) to|(?:back to|to) (?:the )?top$|跳[转轉到至过過]|(?:返回|回到)(?:顶部|頂部|页首)", re.IGNORECASE
)
_LONGEST_SKIP_LINK = 40

#: Of the characters of what goes so many are links, unless it is a page's head or foot without a heading. Of 182 pages
#: of Wikipedia, Node.js, npm, Valgrind and libxslt what is marked so has .6 and more if it is navigation, and mostly .1
#: and less if it is text; 95 % of the paragraphs have .31 and less.
_LINKS, _LINKS_OF_EDGE = 0.6, 0.4
#: A head or a foot without headings is longer only where it is text.
_LONGEST_EDGE = 1000
#: Where the rest would be less than this share of the page, its links are what it is for: an index, a list of links.
_LEAST_LEFT = 0.25
#: Characters that are looked at for each of the page: elements may lie in each other hundreds deep.
_LOOKS = 20


def without_boilerplate(tree: LexborHTMLParser) -> None:
    """Take away what a reader of the page does not read, in place."""
    body = tree.body
    if body is None:
        return
    whole = _length(body)
    certain, likely, left = [], [], _LOOKS * whole
    for node in body.css(_LOOKED_AT):
        if node.mem_id == body.mem_id:
            continue
        if _is_certain(node):
            certain.append(node)
            continue
        left -= (length := _length(node))
        if left < 0:
            break
        if _is_likely(node, length):
            likely.append(node)
    certain += _skip_links(body)
    outer = list(_outermost([*certain, *likely]))
    if sum(map(_length, outer)) > (1 - _LEAST_LEFT) * whole:
        outer = list(_outermost(certain))
    for node in outer:
        node.decompose()


def _is_certain(node: LexborNode) -> bool:
    attributes = node.attributes
    if attributes.get("role") in _ROLES:
        return True
    names = {*(attributes.get("class") or "").lower().split(), (attributes.get("id") or "").lower()}
    return not _CLASSES.isdisjoint(names) and node.css_first(_TEXT) is None


def _is_likely(node: LexborNode, length: int) -> bool:
    tag, role = node.tag or "", node.attributes.get("role")
    if tag not in _PARTS or node.css_first(_TEXT) is not None:
        return False
    links = sum(map(_length, node.css("a[href]"))) / length if length else 1.0
    if tag in ("header", "footer") or role in ("banner", "contentinfo"):
        if own_or_above(node.parent, _INNER):
            return False
        bare = length < _LONGEST_EDGE and node.css_first("h2, h3, h4, h5, h6") is None
        return bare or links >= _LINKS_OF_EDGE
    marked = tag == "aside" or role in ("complementary", "menu", "directory") or node.css_matches(_MARKED)
    return marked and links >= _LINKS


def _skip_links(body: LexborNode) -> Iterator[LexborNode]:
    for link in body.css('a[href^="#"]'):
        text = (link.text() or "").strip()
        if len(text) <= _LONGEST_SKIP_LINK and _SKIP_LINK.match(text):
            yield link


def _outermost(nodes: list[LexborNode]) -> Iterator[LexborNode]:
    """Yield the nodes that lie in no other of them, each once."""
    chosen = {node.mem_id for node in nodes}
    for node in {node.mem_id: node for node in nodes}.values():
        above = node.parent
        while above is not None and above.mem_id not in chosen:
            above = above.parent
        if above is None:
            yield node


def _length(node: LexborNode) -> int:
    return len((node.text() or "").replace(" ", "").replace("\n", ""))
