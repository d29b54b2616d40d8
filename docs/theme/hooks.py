"""What MkDocs does not do by itself: two languages from one folder, and pages that read well on their own.

`NAME.zh.md` is the Chinese of `NAME.md`, at the same address below zh/. A page without it is shown there in English.
"""

from __future__ import annotations

import importlib.util
import os
import posixpath
import re
import sys
from functools import cache
from pathlib import Path
from typing import Any

import material.plugins.search.plugin as search
import rjieba
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import Files
from mkdocs.structure.nav import Navigation, Section
from mkdocs.structure.pages import Page
from pymdownx.slugs import slugify

CHINESE = os.environ.get("DOCS_LANGUAGE") == "zh"
SUFFIX = ".zh.md"

#: Names of sections in Chinese; pages bring their own.
SECTIONS = {
    "Start": "入门",
    "Use": "使用",
    "Extend": "扩展",
    "Operate": "运维",
    "Runbook": "应急手册",
    "Reference": "参考",
    "Inside": "内部原理",
    "Decisions": "设计决策",
    "Measured": "测量结果",
    "More": "其他",
}
#: What pages of a folder count in a search, where others count 1: who looks for how to do a thing wants no reasons.
BOOSTS = {"decisions": 0.2, "runbook": 0.7}
#: Chinese characters and their punctuation.
HAN = "\u2018-\u201d\u3001-\u303f\u4e00-\u9fff\uff01-\uff5e"
ENGLISH_ONLY = '!!! note ""\n    本页只有英文版。\n\n'


class Words:
    """The segmenter that the search plugin asks for by the name of jieba, whose wheel does not exist."""

    @staticmethod
    def cut(text: bytes) -> list[str]:
        """Cut a run of Chinese characters into words."""
        return rjieba.cut(text.decode("utf-8"), False)


search.jieba = Words
slug = slugify(case="lower")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Put every page of a folder, and every page that is named nowhere, into the navigation."""
    docs = Path(config.docs_dir)
    every = sorted(str(path.relative_to(docs)) for path in docs.rglob("*.md") if not path.name.endswith(SUFFIX))
    named: set[str] = set()

    def placed(item: Any) -> Any:
        if isinstance(item, dict):
            return {title: placed(below) for title, below in item.items()}
        if isinstance(item, list):
            return [placed(part) for part in item]
        pages = [page for page in every if page.startswith(item)] if item.endswith("/") else [item]
        named.update(pages)
        return sorted(pages, key=lambda page: (not page.endswith("README.md"), page)) if item.endswith("/") else item

    config.nav = placed(config.nav)
    if rest := [page for page in every if page not in named and not page.startswith("theme/")]:
        config.nav.append({"More": rest})
    if CHINESE:
        config.site_name = "任务管理服务"
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Show each page in the language of this build, where there is one in it."""
    chinese = {file.src_uri: file for file in files if file.src_uri.endswith(SUFFIX)}
    for source, file in chinese.items():
        files.remove(file)
        english = files.get_file_from_path(source.replace(SUFFIX, ".md"))
        if CHINESE and english:
            english.abs_src_path = file.abs_src_path
            english.inclusion = file.inclusion
    return files


def on_nav(nav: Navigation, config: MkDocsConfig, files: Files) -> Navigation:
    """Name the sections in the language of this build."""

    def name(items: list[Any]) -> None:
        for item in items:
            if isinstance(item, Section):
                item.title = SECTIONS[item.title] if CHINESE else item.title
                name(item.children)

    name(nav.items)
    return nav


def translated(page: Page) -> bool:
    """Whether a page has a Chinese version."""
    source = Path(page.file.abs_src_path)
    return source.name.endswith(SUFFIX) or source.with_name(source.stem + SUFFIX).exists()


def headings(path: Path) -> list[tuple[str, str]]:
    """Return the lines of a page that are headings, with the anchor that each would have."""
    lines = re.sub(r"^```.*?^```$", "", path.read_text("utf-8"), flags=re.MULTILINE | re.DOTALL).splitlines()
    return [(line, slug(line.lstrip("# ").replace("`", ""), "-")) for line in lines if re.match("#+ ", line)]


@cache
def anchors(path: Path) -> dict[str, str]:
    """Return the anchors of a Chinese page, and those of its English one that stand for them: links know these."""
    if not path.name.endswith(SUFFIX):
        return {}
    english = headings(path.with_name(path.name.replace(SUFFIX, ".md")))
    return {ours: theirs for (_, ours), (_, theirs) in zip(headings(path), english, strict=True)}


def metrics_table(*, chinese: bool) -> str:
    """Return the table of all metrics from the code, which needs nothing of the service to say it."""
    place = Path(__file__).parents[2] / "metrics.py"
    spec = importlib.util.spec_from_file_location("metrics", place)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules["metrics"] = module  # where its dataclasses look for it
    spec.loader.exec_module(module)
    return str(module.table(chinese=chinese))


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Have links lead within the site: what is elsewhere in the repository is named and not linked."""
    own, source = Path(page.file.abs_src_path), posixpath.dirname(page.file.src_uri)
    if page.file.src_uri == "metrics.md":
        made = metrics_table(chinese=own.name.endswith(SUFFIX))
        markdown = re.sub(r"(<!-- made .*?-->\n).*(<!-- until here -->)", rf"\1\n{made}\n\2", markdown, flags=re.DOTALL)
    page.meta.setdefault("search", {"boost": BOOSTS.get(source.partition("/")[0], 1)})
    for line, anchor in headings(own) if anchors(own) else ():
        markdown = re.sub(f"^{re.escape(line)}$", f"{line} {{#{anchors(own)[anchor]}}}", markdown, flags=re.MULTILINE)

    def link(match: re.Match[str]) -> str:
        text, target, anchor = match[1], match[2], match[3] or ""
        if posixpath.normpath(posixpath.join(source, target)).startswith(".."):
            return text
        known = anchors(own.parent / target if target else own)
        return f"[{text}]({target.replace(SUFFIX, '.md')}{'#' if anchor else ''}{known.get(anchor[1:], anchor[1:])})"

    markdown = re.sub(r"(?<!!)\[([^\]]+)\]\((?!https?:|mailto:)([^)#\s]*)(#[^)\s]*)?\)", link, markdown)
    if CHINESE and not translated(page):
        title, _, rest = markdown.partition("\n\n")
        return f"{title}\n\n{ENGLISH_ONLY}{rest}"
    # A line that ends within a Chinese sentence is no space.
    return re.sub(f"(?<=[{HAN}])\n *(?=[{HAN}])", "", markdown)


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Put drawings into the page itself, so that they have its colours; let wide tables be scrolled."""
    folder = Path(page.file.abs_src_path).parent

    def drawing(match: re.Match[str]) -> str:
        svg = (folder / match[2]).read_text(encoding="utf-8")
        return re.sub(
            r"<svg ",
            f'<svg role="img" aria-label="{match[1]}" ',
            re.sub(r"<style>.*?</style>", "", svg, flags=re.S),
            count=1,
        )

    return re.sub(r'<img alt="([^"]*)" src="((?:\.\./)*pictures/[^"]+\.svg)"\s*/?>', drawing, html)


def on_page_context(context: dict[str, Any], page: Page, config: MkDocsConfig, nav: Navigation) -> dict[str, Any]:
    """Say where the page is in the other language."""
    up = "../" * page.file.url.count("/")
    context["other"] = f"{up}../{page.file.url}" if CHINESE else f"{up}zh/{page.file.url}"
    context["chinese"] = CHINESE
    return context
