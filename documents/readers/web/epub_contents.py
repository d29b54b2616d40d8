"""The table of contents of an e-book, whose titles stand in for the headings that its pages lack."""

from __future__ import annotations

import posixpath
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from urllib.parse import unquote

from lxml import etree
from selectolax.lexbor import LexborHTMLParser, LexborNode

from documents.readers.shared.xml import child_of
from documents.readers.web.html import Title
from documents.readers.web.html_nodes import HEADINGS, SKIPPED, letters_of, text_of

#: Nodes after a place that are looked at for a heading or for the title itself.
_NEARBY = 100
_DEEPEST = 6
_LONGEST_TITLE = 400


@dataclass(frozen=True, slots=True)
class Entry:
    """A line of the table of contents: where in its page it leads, how deep it lies from 1, and its title."""

    fragment: str
    depth: int
    title: str


#: The lines of a table of contents by the pages that they lead to.
Contents = dict[str, list[Entry]]


@dataclass(frozen=True, slots=True)
class Place:
    """Where an entry leads to in a page. own: the level of the heading that the page has there itself, if any."""

    node: LexborNode
    entry: Entry
    own: int | None


def navigation(tree: LexborHTMLParser, folder: str) -> Contents:
    """Read the contents from a navigation document of EPUB 3."""
    lists = tree.css("nav")
    marks = [f"{element.attributes.get('epub:type')} {element.attributes.get('role')}".split() for element in lists]
    contents = [
        element for element, mark in zip(lists, marks, strict=True) if "toc" in mark or "doc-toc" in mark
    ] or lists
    return _contents(_links(contents[0]) if contents else (), folder)


def control_file(tree: etree._Element, folder: str) -> Contents:
    """Read the contents from the NCX of EPUB 2."""
    points = (
        (
            sum(1 for _ in point.iterancestors("{*}navPoint")) + 1,
            "".join(label.itertext()) if (label := child_of(point, "navLabel", "text")) is not None else "",
            content.get("src") if (content := child_of(point, "content")) is not None else None,
        )
        for point in tree.iter("{*}navPoint")
    )
    return _contents(points, folder)


def _links(navigation: LexborNode) -> Iterator[tuple[int, str, str | None]]:
    """Yield depth, title and target of each line; a line that is a mere caption of others has no target."""
    for node in navigation.css("a, span"):
        if node.parent is not None and node.parent.tag == "li":
            lists = sum(ancestor.tag == "ol" for ancestor in islice(_above(node), _NEARBY))
            yield lists, text_of(node), node.attributes.get("href")


def _contents(lines: Iterable[tuple[int, str, str | None]], folder: str) -> Contents:
    contents: Contents = defaultdict(list)
    captions: list[tuple[int, str]] = []  # of lines that lead nowhere themselves, but to the first line below them
    for depth, text, target in lines:
        title = " ".join(text.split())[:_LONGEST_TITLE]
        captions = [caption for caption in captions if caption[0] < depth] + [(depth, title)]
        if target:
            path, _, fragment = target.partition("#")
            part = posixpath.normpath(posixpath.join(folder, unquote(path)))
            for above, caption in captions:
                if letters_of(caption):
                    contents[part].append(Entry(unquote(fragment), above, caption))
            captions = []
    return dict(contents)


def places_of(tree: LexborHTMLParser, entries: list[Entry]) -> list[Place]:
    """Return where entries lead to in a page: its beginning, or elements of it; what leads nowhere is left out."""
    if tree.body is None or not entries:
        return []
    wanted = {entry.fragment for entry in entries}
    nodes = {"": tree.body}
    for node in tree.css("[id], a[name]") if any(wanted) else ():
        for name in (node.attributes.get("id"), node.attributes.get("name")):
            if name in wanted and name:
                nodes.setdefault(name, node)
    nodes.setdefault(entries[0].fragment, tree.body)
    targets = [(nodes[entry.fragment], entry) for entry in entries if entry.fragment in nodes]
    last = {node.mem_id: entry for node, entry in targets}
    titles = {letters_of(text_of(node)): HEADINGS[node.tag or ""] for node in _headings(tree)}
    return [
        Place(
            node,
            entry,
            titles.get(letters_of(entry.title)) or (_heading_at(node) if last[node.mem_id] is entry else None),
        )
        for node, entry in targets
    ]


def _headings(tree: LexborHTMLParser) -> Iterator[LexborNode]:
    """Yield the headings of a page that lie in no other, whose text would be theirs once more."""
    selector, inner = ", ".join(HEADINGS), set[int]()
    for node in tree.css(selector):
        if node.mem_id not in inner:
            inner.update(heading.mem_id for heading in node.css(selector))
            yield node


def _heading_at(node: LexborNode) -> int | None:
    """Return the level of the heading that a place is in, or which is what comes next."""
    for above in islice(_above(node), _NEARBY):
        if above.tag in HEADINGS:
            return HEADINGS[above.tag]
    for successor in islice(_onward(node), _NEARBY):
        if successor.is_text_node:
            if (successor.text_content or "").strip():
                return None
        elif successor.tag in HEADINGS and text_of(successor):
            return HEADINGS[successor.tag]
    return None


def _shows(node: LexborNode, title: str) -> bool:
    """Return whether a page goes on with the title itself, merely not as a heading."""
    wanted, letters = letters_of(title), ""
    for successor in islice(_onward(node), _NEARBY):
        if successor.is_text_node:
            letters += letters_of(successor.text_content or "")
            if len(letters) >= len(wanted) or not wanted.startswith(letters):
                break
    return letters.startswith(wanted)


def _above(node: LexborNode) -> Iterator[LexborNode]:
    parent = node.parent
    while parent is not None:
        yield parent
        parent = parent.parent


def _onward(start: LexborNode) -> Iterator[LexborNode]:
    """Yield a node and what comes after it on its page, without what no reader sees."""
    node: LexborNode | None = start
    while node is not None:
        seen = node.tag not in SKIPPED
        if seen:
            yield node
        if seen and node.child is not None:
            node = node.child
            continue
        while node is not None and node.next is None:
            node = node.parent
        node = node.next if node is not None else None


class Levels:
    """The levels that headings have by the depth of their entries, learnt from entries whose pages have headings."""

    def __init__(self, places: Iterable[Place]) -> None:
        counts: dict[int, Counter[int]] = defaultdict(Counter)
        for place in places:
            if place.own is not None:
                counts[place.entry.depth][place.own] += 1
        self._known = {depth: levels.most_common(1)[0][0] for depth, levels in counts.items()}

    def titles(self, places: list[Place]) -> dict[int, list[Title]]:
        """Return what is to be written at which nodes, by their `mem_id`: the titles of entries without a heading."""
        titles: dict[int, list[Title]] = defaultdict(list)
        for place in places:
            if place.own is None:
                title = place.entry.title
                level = self._level(place.entry.depth)
                titles[place.node.mem_id].append(Title(title, level, _shows(place.node, title)))
        return titles

    def _level(self, depth: int) -> int:
        if not self._known:
            return min(depth, _DEEPEST)
        nearest = min(self._known, key=lambda known: abs(known - depth))
        return min(max(self._known[nearest] + depth - nearest, 0), _DEEPEST)
