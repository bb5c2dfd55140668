"""The text of a scene: TOML files as other programs write them, and single values as people type them."""

import codecs
import difflib
import re
import tomllib
from pathlib import Path
from typing import Any

from rollingball.core.errors import FileError, InputError
from rollingball.core.limits import LIMITS, within

LARGEST_FILE = LIMITS["file"].most
# How other programs begin files that are not UTF-8; UTF-32 stands first, since UTF-16 begins alike.
ENCODINGS = {
    codecs.BOM_UTF32_LE: "UTF-32", codecs.BOM_UTF32_BE: "UTF-32", codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}  # fmt: skip
# A string of TOML, which stays as it is; or a word that is no key.
WORDS = re.compile(r""""(?:\\.|[^"\\])*+"|'[^']*+'|[^\s,\[\]{}="'#]++(?!\s*=)""")
# What msgspec expects, as people say it.
WORDS_OF = {
    "float": "a number", "int": "a whole number", "str": "text", "bool": "true or false", "array": "a list",
    "object": "a table",
}  # fmt: skip
YES, NO = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


def read_toml(path: Path) -> dict[str, Any]:
    """The tables of a TOML file in UTF-8, with or without a byte order mark, with line ends of any system.

    Raises:
        FileError: when the file cannot be read.
        InputError: for a file that is too large, of another encoding, or not TOML.
    """
    try:
        with path.open("rb") as file:
            content = file.read(LARGEST_FILE + 1)
    except OSError as error:
        raise FileError(f"{path}: cannot be read: {error.strerror or error}") from None
    if len(content) > LARGEST_FILE:
        within("file", str(path), "a larger file", len(content))
    for mark, encoding in ENCODINGS.items():
        if content.startswith(mark):
            raise InputError(str(path), f"{encoding} text", "TOML in UTF-8; save the file in that encoding")
    try:
        text = content.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n")
    except UnicodeDecodeError as error:
        raise InputError(str(path), "text", f"TOML in UTF-8; save the file in that encoding ({error})") from None
    if "\0" in text:
        raise InputError(
            str(path), "zero bytes", "TOML in UTF-8 (UTF-16 has zero bytes); save the file in that encoding"
        )
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:  # also an integer of too many digits
        raise InputError(str(path), "text", f"TOML ({error})") from None


def value_of(key: str, text: str) -> Any:
    """A value that was typed for a key: a TOML value, with numbers and booleans as Python writes them; else a string.

    So ``.5``, ``5.``, ``+5``, ``1_000``, ``007`` and ``Infinity`` are numbers and ``True`` is a boolean, also inside
    arrays and inline tables.
    """
    try:
        table = tomllib.loads("value = " + WORDS.sub(_as_toml, text))
    except tomllib.TOMLDecodeError:
        return text
    except (ValueError, RecursionError):
        raise InputError(f"--{key}", text, "a value in TOML, or a word") from None
    return table["value"] if len(table) == 1 else text


def _as_toml(match: re.Match[str]) -> str:
    """A number or a boolean of Python as TOML writes it; any other word as it is."""
    word = match.group()
    if word.lower() in ("true", "false"):
        return word.lower()
    for number in (int, float):
        try:
            return repr(number(word))
        except ValueError:  # not this kind of number, or an integer of too many digits
            continue
    return word


def as_expected(text: str, allowed: str) -> Any:
    """The typed text in the type that a scene expects there, a string or a boolean; None for any other."""
    if allowed.startswith(WORDS_OF["str"]):
        return text
    if allowed.startswith(WORDS_OF["bool"]) and text.lower() in (*YES, *NO):
        return text.lower() in YES
    return None


def in_words(reason: str, path: str) -> str:
    """What a message of msgspec about the value at ``path`` says is allowed there, in words of scenes."""
    expected = re.match(r"Expected `([^`]*)`(.*?)(?:, got (`?)([^`]*)`?)?$", reason)
    if not expected:
        return reason.replace("Object missing required field", "a table; it is missing the key").replace("`", "'")
    names, more, is_type, found = expected.groups()
    kinds = [WORDS_OF.get(name, name) for name in names.split(" | ") if name not in ("null", "NoneType")]
    hint = f"; a list of tables is written [[{parts_of(path)[-1]}]]" if (names, found) == ("array", "object") else ""
    count = f", not {found}" if found and not is_type else ""  # of a list that is too long
    return f"{' or '.join(kinds)}{more}{count}{hint}"


def parts_of(path: str) -> list[str]:
    """The keys and numbers of a path such as ``$.run[0].lr`` or ``run.0.lr``."""
    return re.findall(r"[^.\[\]$]+", path)


def put(table: dict[str, Any], key: str, text: str, value: Any) -> None:
    """Set the value at a dotted key of plain data; ``text`` is what was typed, for errors.

    Raises:
        InputError: for a key that leads through a value, or past the end of a list.
    """
    *parents, last = key.split(".")
    place: Any = table
    for part in parents:
        if isinstance(place, list):
            if not part.isdecimal() or int(part) >= len(place):
                raise InputError(f"--{key}", text, f"a number below {len(place)} in place of {part}")
            place = place[int(part)]
        else:
            place = place.setdefault(part, {})
        if not isinstance(place, (dict, list)):
            raise InputError(f"--{key}", text, f"a key of a table; {part} is a value")
    if isinstance(place, list):
        raise InputError(f"--{key}", text, "a key of a table, such as --run.0.lr")
    place[last] = value


def nearest(word: str, known: list[str]) -> str:
    """What an error says is allowed in place of a misspelt word: the likeliest of ``known`` first, then all of them."""
    for spelling in (word.lower().replace("_", "-"), word):
        if close := difflib.get_close_matches(spelling, known, 1):
            return f"{close[0]}? one of {', '.join(known)}"
    return ", ".join(known)
