"""Writes src/open_think/types.py from the protocol's JSON Schema.

Run it in this folder: python3 generate_types.py
"""

from __future__ import annotations

import json
import keyword
import textwrap
from pathlib import Path
from typing import Any

HERE = Path(__file__).resolve().parent
SCHEMA = HERE.parent.parent / "schema" / "open-think.schema.json"
TARGET = HERE / "src" / "open_think" / "types.py"
WIDTH = 110

HEAD = '''"""What goes over the wire, as plain dictionaries. Made by generate_types.py from the schema: do not edit.

Names of enumerations are open: a daemon newer than this file may send others, and they reach you as they are. The
same goes for the kinds of events.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any, Literal, TypedDict, Union

if sys.version_info >= (3, 11):
    from typing import NotRequired
elif TYPE_CHECKING:
    from typing_extensions import NotRequired

'''

PRIMITIVES = {
    "string": "str",
    "integer": "int",
    "number": "float",
    "boolean": "bool",
    "null": "None",
    "object": "dict[str, Any]",
}

ALWAYS_SENT = {"TurnResult": {"assistantMessage"}}
"""Members that may be null and are there all the same, which the schema does not say."""


def strings(schema: Any) -> list[str] | None:
    """The names of an enumeration, if that is all that the schema allows."""
    if not isinstance(schema, dict):
        return None
    if isinstance(schema.get("const"), str):
        return [schema["const"]]
    if "enum" in schema:
        return [str(name) for name in schema["enum"] if name is not None]
    found: list[str] = []
    for variant in variants(schema):
        names = strings(variant)
        if names is None:
            return None
        found.extend(names)
    return found or None


def variants(schema: dict[str, Any]) -> list[Any]:
    found = schema.get("oneOf") or schema.get("anyOf")
    return found if isinstance(found, list) else []


def literal(names: list[str]) -> str:
    return "Literal[" + ", ".join(json.dumps(name) for name in names) + "]"


def is_record(schema: Any) -> bool:
    return isinstance(schema, dict) and bool(schema.get("properties"))


def expression(schema: Any) -> str:
    """The type as an annotation."""
    if not isinstance(schema, dict):
        return "Any"
    if "$ref" in schema:
        return str(schema["$ref"].rsplit("/", 1)[1])
    if isinstance(schema.get("const"), str):
        return literal([schema["const"]])
    if (names := strings(schema)) is not None:
        return f"Union[{literal(names)}, str]"
    choices = variants(schema)
    if choices:
        return union([expression(variant) for variant in choices])
    kind = schema.get("type")
    if isinstance(kind, list):
        return union([expression({**schema, "type": each}) for each in kind])
    if kind == "array":
        return f"list[{expression(schema.get('items', True))}]"
    if kind == "object" and is_record(schema) and "title" in schema:
        return str(schema["title"])
    if kind == "object" and "additionalProperties" in schema and not is_record(schema):
        return f"dict[str, {expression(schema['additionalProperties'])}]"
    return PRIMITIVES.get(str(kind), "Any")


def union(types: list[str]) -> str:
    distinct = list(dict.fromkeys(types))
    if "Any" in distinct:
        return "Any"
    return distinct[0] if len(distinct) == 1 else f"Union[{', '.join(distinct)}]"


def quoted(text: str, indent: str) -> str:
    text = " ".join(text.split()).replace("\\", "\\\\").replace('"""', "'''")
    lines = textwrap.wrap(text, WIDTH - len(indent) - 3)
    if len(lines) == 1:
        return f'{indent}"""{lines[0]}"""\n'
    return f'{indent}"""' + f"\n{indent}".join(lines) + f'\n{indent}"""\n'


def record(name: str, schema: dict[str, Any]) -> str:
    required = set(schema.get("required", [])) | ALWAYS_SENT.get(name, set())
    fields = {
        field: expression(of) if field in required else f"NotRequired[{expression(of)}]"
        for field, of in schema.get("properties", {}).items()
    }
    if any(keyword.iskeyword(field) for field in fields):
        lines = "".join(f"        {json.dumps(field)}: {json.dumps(of)},\n" for field, of in fields.items())
        return f'{name} = TypedDict(\n    "{name}",\n    {{\n{lines}    }},\n)\n'
    text = f"class {name}(TypedDict):\n"
    if "description" in schema:
        text += quoted(schema["description"], "    ") + ("\n" if fields else "")
    for field, of in fields.items():
        text += f"    {field}: {of}\n"
        description = schema["properties"][field]
        if isinstance(description, dict) and "description" in description:
            text += quoted(description["description"], "    ")
    return text if fields or "description" in schema else text + "    pass\n"


def records(name: str, schema: dict[str, Any]) -> list[str]:
    """The dictionaries that a definition is made of: itself, or its variants."""
    if schema.get("type") == "object" and "additionalProperties" not in schema or is_record(schema):
        return [record(name, schema)]
    choices = variants(schema)
    return [record(variant["title"], variant) for variant in choices if is_record(variant) and "title" in variant]


def alias(name: str, schema: dict[str, Any]) -> str:
    """An alias is evaluated when the module is loaded; it stands after all dictionaries."""
    text = f"{name} = {expression(schema)}\n"
    if len(text) > WIDTH:
        head, _, rest = text.rstrip("\n").partition("Union[")
        parts = split(rest.removesuffix("]"))
        text = f"{head}Union[\n" + "".join(folded(part) for part in parts) + "]\n"
    if "description" in schema:
        text += quoted(schema["description"], "")
    return text


def folded(part: str) -> str:
    """One member of a union, its names one a line if there are many."""
    names = part.removeprefix("Literal[").removesuffix("]")
    if len(part) <= WIDTH or names == part:
        return f"    {part},\n"
    return "    Literal[\n" + "".join(f"        {name},\n" for name in split(names)) + "    ],\n"


def split(text: str) -> list[str]:
    """At the commas that stand in no bracket."""
    parts, depth, start = [], 0, 0
    for at, letter in enumerate(text):
        depth += {"[": 1, "]": -1}.get(letter, 0)
        if letter == "," and depth == 0:
            parts.append(text[start:at].strip())
            start = at + 1
    return [*parts, text[start:].strip()]


def ordered_aliases(aliases: dict[str, dict[str, Any]]) -> list[str]:
    """Each after those that it names."""
    done: list[str] = []

    def visit(name: str) -> None:
        if name in done:
            return
        text = json.dumps(aliases[name])
        for other in aliases:
            if other != name and f'"#/$defs/{other}"' in text:
                visit(other)
        done.append(name)

    for name in aliases:
        visit(name)
    return done


def generate(schema: dict[str, Any]) -> str:
    definitions: dict[str, dict[str, Any]] = schema["$defs"]
    texts: list[str] = []
    aliases: dict[str, dict[str, Any]] = {}
    for name, definition in definitions.items():
        made = records(name, definition)
        texts.extend(made)
        if not (len(made) == 1 and (made[0].startswith((f"class {name}(", f"{name} = ")))):
            aliases[name] = definition
    texts.extend(alias(name, aliases[name]) for name in ordered_aliases(aliases))
    head = HEAD + f"PROTOCOL_VERSION = {json.dumps(schema['x-version'])}\n"
    return head + "\n\n" + "\n\n".join(texts)


def main() -> None:
    TARGET.write_text(generate(json.loads(SCHEMA.read_text(encoding="utf-8"))), encoding="utf-8")


if __name__ == "__main__":
    main()
