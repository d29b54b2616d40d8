"""One target under libFuzzer: `python -m tests.fuzz.target TARGET [corpus …] [-libfuzzer_option=…]`."""

from __future__ import annotations

import io
import sys
import zipfile

import atheris

with atheris.instrument_imports(include=["documents"]):
    from documents.reading.formats import FORMATS
    from tests.fuzz import checks

#: Formats that are a zip: mutated byte by byte they would only ever have a wrong checksum.
ZIPPED = {suffix for format in FORMATS if format.main_part or format.mimetypes for suffix in format.suffixes}


def mutated(data: bytes, most: int, seed: int) -> bytes:
    """A zip with one of its members mutated; what is no zip is mutated as it is."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            members = [(name, archive.read(name)) for name in archive.namelist()]
    except Exception:
        return bytes(atheris.Mutate(data, most))
    if not members or seed % 16 == 0:
        return bytes(atheris.Mutate(data, most))
    name, content = members[seed % len(members)]
    members[seed % len(members)] = (name, bytes(atheris.Mutate(content, max(1, most - len(data)) + len(content))))
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for member, value in members:
            archive.writestr(member, value)
    return out.getvalue()[:most]


def main(target: str) -> None:
    """Fuzz until libFuzzer's options say that it is enough."""

    def test_one_input(data: bytes) -> None:
        if target == checks.CHUNKER:
            checks.chunk(data)
        else:
            checks.read(data, target)

    more = {"custom_mutator": mutated} if target in ZIPPED else {}
    atheris.Setup([sys.argv[0], *sys.argv[2:]], test_one_input, **more)
    atheris.Fuzz()


if __name__ == "__main__":
    main(sys.argv[1])
