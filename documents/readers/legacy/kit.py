"""A program that has LibreOffice, loaded into itself, write a document in another format, and ends.

It is run by its path, `python -I kit.py PROGRAM PROFILE SOURCE TARGET FILTER`, and knows nothing of ours. LibreOffice's
own `soffice` listens on a socket, which the sandbox refuses; its library, LibreOfficeKit, opens none.
"""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path
from xml.sax.saxutils import escape

#: The libraries that export LibreOfficeKit: of a LibreOffice that is linked into one, and of others.
LIBRARIES = ("libmergedlo.so", "libsofficeapp.so")
#: Places in the table of an office's functions in LibreOfficeKit.h, which only grows at its end.
_GET_ERROR, _RUN_MACRO = 3, 11
#: A macro of ours, since LibreOfficeKit itself opens documents as on a screen, and then fails at comments where the
#: parts of a screen are not installed. What is opened may run no macros and update no links, both by number 0.
_MACRO = """\
Sub Main
    Dim opened(3) As New com.sun.star.beans.PropertyValue
    opened(0).Name = "Hidden"
    opened(0).Value = True
    opened(1).Name = "ReadOnly"
    opened(1).Value = True
    opened(2).Name = "MacroExecutionMode"
    opened(2).Value = 0
    opened(3).Name = "UpdateDocMode"
    opened(3).Value = 0
    Dim saved(0) As New com.sun.star.beans.PropertyValue
    saved(0).Name = "FilterName"
    saved(0).Value = "{filter}"
    document = StarDesktop.loadComponentFromURL("{source}", "_blank", 0, opened())
    If Not IsNull(document) Then document.storeToURL("{target}", saved())
End Sub
"""
_MODULE = """\
<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE script:module PUBLIC "-//OpenOffice.org//DTD OfficeDocument 1.0//EN" "module.dtd">
<script:module xmlns:script="http://openoffice.org/2000/script" script:name="Module1" script:language="StarBasic">\
{macro}</script:module>
"""


def main(program: Path, profile: Path, source: Path, target: Path, filter: str) -> str:
    """Write the document, and return what LibreOffice says of it, mostly nothing."""
    library = ctypes.CDLL(str(next(program / name for name in LIBRARIES if (program / name).exists())))
    start = library.libreofficekit_hook_2
    start.restype, start.argtypes = ctypes.c_void_p, (ctypes.c_char_p, ctypes.c_char_p)
    office = start(os.fsencode(program), profile.as_uri().encode())
    if not office:
        return "it does not start"
    macro = _MACRO.format(source=source.as_uri(), target=target.as_uri(), filter=filter)
    # The profile was made by the start, with an empty module of this name.
    (profile / "user" / "basic" / "Standard" / "Module1.xba").write_text(
        _MODULE.format(macro=escape(macro)), encoding="utf-8"
    )
    functions = ctypes.cast(office, ctypes.POINTER(ctypes.POINTER(ctypes.c_void_p))).contents
    run = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.c_void_p, ctypes.c_char_p)(functions[_RUN_MACRO])
    error = ctypes.CFUNCTYPE(ctypes.c_char_p, ctypes.c_void_p)(functions[_GET_ERROR])
    run(office, b"macro:///Standard.Module1.Main")
    return (error(office) or b"").decode(errors="replace")


if __name__ == "__main__":
    program, profile, source, target = map(Path, sys.argv[1:5])
    sys.stderr.write(main(program, profile, source, target, sys.argv[5]))
    sys.stderr.flush()
    os._exit(0)  # what LibreOffice would tidy up at its end is thrown away with its folder
