"""Writes each object of each gpu.binary in MLIR's text (standard input) to a file:
extract_objects.py FOLDER makes FOLDER/<binary>.<chip>."""

import pathlib
import re
import sys

BINARY = re.compile(r"gpu\.binary @(\S+)")
OBJECT = re.compile(r'chip = "(\w+)".*?(?:bin|assembly) = "((?:[^"\\]|\\.)*)"', re.DOTALL)
ESCAPE = re.compile(rb'\\([0-9A-F]{2}|["\\nt])')


def unescape(text):
    def replace(match):
        code = match.group(1)
        named = {b'"': b'"', b"\\": b"\\", b"n": b"\n", b"t": b"\t"}
        return named[code] if len(code) == 1 else bytes([int(code, 16)])
    return ESCAPE.sub(replace, text.encode())


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    for line in sys.stdin:
        binary = BINARY.search(line)
        if not binary:
            continue
        for chip, text in OBJECT.findall(line):
            name = binary.group(1).strip('"')
            (folder / f"{name}.{chip}").write_bytes(unescape(text))


main()
