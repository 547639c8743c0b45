#!/usr/bin/env python3
#===- verifier_messages.py - Every message of a verifier has a test ---------===#
#
# Part of the Weft project, under the Apache License v2.0 with LLVM Exceptions.
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
#
#===-------------------------------------------------------------------------===#
"""Takes the messages out of the dialects' sources (what is streamed into emitError
and emitOpError in dialects/*/IR) and finds for each one a test that expects it.

A message is its literals, in order, with anything in between. A test expects it where
what it expects (`expected-error {{...}}`, a CHECK line with `error:`) could be a part of
such a message and has the whole of its longest literal.

Usage: verifier_messages.py [--list]"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
GAP = None

# Messages that no text can cause: (file, longest literal, why).
UNREACHABLE = [
    ("Packs.cpp", "planes have widths", "the parser wants one"),
    ("WeftFormats.cpp", "packed tensors have extents of 0 or more, got", "the parser reads no sign"),
    ("Quantize.cpp", "finds parameters of #lowp.scale, not of", "there is no other scale")]

CALL = re.compile(r"\bemit(?:Op)?Error\s*\(")
TOKEN = re.compile(r'"(?:[^"\\\n]|\\.)*"|//[^\n]*|\'(?:[^\'\\]|\\.)\'|[(){}\[\];?:]|<<|\w+|\S')


def unescape(literal):
    return literal[1:-1].replace('\\"', '"').replace("\\n", "\n").replace("\\\\", "\\")


def statement(source, start):
    """The tokens from a call to the end of its statement, with their depth of parentheses."""
    depth, tokens = 0, []
    for match in TOKEN.finditer(source, start):
        token = match[0]
        if token.startswith("//"):
            continue
        if token in ")]}":
            depth -= 1
        if depth < 0 or (token == ";" and depth == 0):
            break
        tokens.append((token, depth))
        if token in "([{":
            depth += 1
    return tokens


def parts_of(source, start):
    """Literals and gaps of a message."""
    parts, previous = [], ""
    for token, depth in statement(source, start):
        # In parentheses there are the call's own arguments, and Twine's.
        if token.startswith('"') and depth <= 1 and previous != "?" and previous != ":":
            text = unescape(token)
            if parts and parts[-1] is not GAP:
                parts[-1] += text
            else:
                parts.append(text)
        elif token not in ("<<", "(", ")", ",", "+", "Twine") and (parts or depth == 0):
            if not parts or parts[-1] is not GAP:
                parts.append(GAP)
        previous = token
    return parts


def messages():
    for path in sorted((ROOT / "dialects").glob("*/IR/*.cpp")):
        source = path.read_text()
        for call in CALL.finditer(source):
            parts = parts_of(source, call.end() - 1)
            literals = [p.strip() for p in parts if p is not GAP]
            if literals and re.search(r"\w{3}", max(literals, key=len)):
                line = source.count("\n", 0, call.start()) + 1
                yield path.relative_to(ROOT), line, parts


def expectations():
    texts = set()
    for path in [*(ROOT / "test").rglob("*.mlir"), *(ROOT / "test").rglob("*.test")]:
        text = path.read_text(errors="replace")
        texts.update(re.findall(r"expected-error[^{\n]*\{\{(.*?)\}\}", text))
        texts.update(m.strip() for m in re.findall(r"error: (.*)", text))
    return texts


def ends(text, parts):
    """Whether `text` can be the end of what `parts` are before something."""
    if not text:
        return True
    if not parts:
        return text.endswith(("op ", "error: ", "' "))
    *before, last = parts
    if last is GAP:
        return any(ends(text[:i], before) for i in range(len(text), -1, -1))
    if text.endswith(last):
        return ends(text[:-len(last)], before)
    return last.endswith(text)


def begins(text, parts):
    if not text or not parts:
        return True
    last, *after = parts
    if last is GAP:
        return any(begins(text[i:], after) for i in range(len(text) + 1))
    return begins(text[len(last):], after) if text.startswith(last) else last.startswith(text)


def is_expected(parts, texts):
    at = max(range(len(parts)), key=lambda i: len((parts[i] or "").strip()))
    core = parts[at].strip()
    left = parts[at][:len(parts[at]) - len(parts[at].lstrip())]
    before = parts[:at] + ([left] if left else [])
    right = parts[at][len(parts[at].rstrip()):]
    after = ([right] if right else []) + parts[at + 1:]
    for text in texts:
        where = text.find(core)
        while where >= 0:
            if ends(text[:where], before) and begins(text[where + len(core):], after):
                return True
            where = text.find(core, where + 1)
    return False


def main():
    texts, count, untested = expectations(), 0, []
    for path, line, parts in messages():
        count += 1
        if "--list" in sys.argv:
            print(f"{path}:{line}: {'...'.join(p if p is not GAP else '' for p in parts)}")
        core = max((p for p in parts if p), key=len).strip()
        if any(str(path).endswith(name) and core == literal for name, literal, _ in UNREACHABLE):
            continue
        if not is_expected(parts, texts):
            untested.append(f"{path}:{line}: " + "".join("..." if p is GAP else p for p in parts))
    print("\n".join(untested))
    print(f"{count} messages, {len(untested)} of them without a test")
    return 1 if untested or not count else 0


if __name__ == "__main__":
    sys.exit(main())
