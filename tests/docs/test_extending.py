"""The reader and the embedder of docs/extend.md, put into a copy of the service as they stand there."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.test_requirements import ROOT

PAGE = (ROOT / "docs" / "extend.md").read_text(encoding="utf-8")
#: What the service imports where it reads and embeds.
ROOMS = (
    "addresses.py",
    "documents",
    "errors.py",
    "keys.py",
    "metrics.py",
    "models",
    "outbound.py",
    "sentences",
    "settings.py",
)
USE = """
from pathlib import Path
from documents.embedding import embedder
from documents.reading.extraction import extract
from settings import read
found = extract(Path("login.feature"), filename="login.feature")
print(found.format, len(found.anchors))
print(found.text)
made = embedder("letters", read({"EMBEDDER": "letters"}))
print(made.name, [len(each) for each in made.embed(["tea", "茶"], "query").vectors])
"""
FEATURE = "@web\nFeature: Signing in\n\n  Scenario: With a key\n    Given a key\n    # a comment\n    When I show it\n"


def sections() -> dict[str, str]:
    """The code of the page, by the file that the heading above it names."""
    return dict(re.findall(r"^### [^\n`]*`([\w/]+\.py)`\n.*?^```python\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL))


def test_a_reader_and_an_embedder_are_what_the_page_says(tmp_path: Path) -> None:
    for name in ROOMS:
        copy = shutil.copytree if (ROOT / name).is_dir() else shutil.copy
        copy(ROOT / name, tmp_path / name)
    for name, code in sections().items():
        path = tmp_path / name
        text = path.read_text("utf-8") if path.exists() else ""
        match name:
            case "documents/reading/formats.py":
                text = text.replace("FORMATS: tuple[Format, ...] = (\n", f"FORMATS: tuple[Format, ...] = (\n{code},\n")
            case "settings.py":
                text = re.sub(r"^Provider = .*\n", code, text, flags=re.MULTILINE)
            case "documents/embedding/__init__.py":
                last = '    raise TaskError("embedder_rejected", f"there is no embedder'
                text = text.replace(last, code + last)
            case _:
                assert not text, f"{name} is there already"
                text = code
        assert text != (path.read_text("utf-8") if path.exists() else ""), name
        path.write_text(text, encoding="utf-8")
    (tmp_path / "login.feature").write_text(FEATURE, encoding="utf-8")
    done = subprocess.run([sys.executable, "-c", USE], cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    first, *shown, last = done.stdout.splitlines()
    assert first == "gherkin 2"
    assert "\n".join(shown) == "# Signing in\n\n## With a key\n\nGiven a key\nWhen I show it"
    assert last == "letters:a-z:26 [26, 26]"
