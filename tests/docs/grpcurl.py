"""What `grpcurl` does, as far as the pages use it, by reflection: `python -m tests.docs.grpcurl -d JSON HOST METHOD`.

grpcurl itself is in no wheel. Its release 1.8.6 was tried by hand: it prints the same for the same commands.
"""

from __future__ import annotations

import argparse
import json
import sys

from tests.client.hour.reflected import Reflected

SECONDS = 60.0


def main() -> None:
    """Call a method, and print each answer as JSON, as grpcurl does."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("-plaintext", action="store_true", required=True)
    parser.add_argument("-H", action="append", default=[], metavar="NAME: VALUE")
    parser.add_argument("-d", type=json.loads, default={})
    parser.add_argument("target")
    parser.add_argument("method")
    asked = parser.parse_args()
    service, _, name = asked.method.partition("/")
    metadata = [(name.strip(), value.strip()) for name, _, value in (header.partition(":") for header in asked.H)]
    server = Reflected(asked.target, SECONDS, metadata)
    method = server.methods[name]
    assert method.containing_service.full_name == service, (
        f"{name} is a method of {method.containing_service.full_name}"
    )
    answers = server.stream(name, **asked.d) if method.server_streaming else [server.call(name, **asked.d)]
    for answer in answers:
        json.dump(answer, sys.stdout, indent=2, ensure_ascii=False)
        print()


if __name__ == "__main__":
    main()
