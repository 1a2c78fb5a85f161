"""The types are those of the schema."""

from __future__ import annotations

import importlib.util
import json
import typing
import unittest
from pathlib import Path

from open_think import types

FOLDER = Path(__file__).resolve().parent.parent
SCHEMA = FOLDER.parent.parent / "schema" / "open-think.schema.json"


@unittest.skipUnless(SCHEMA.exists(), "the schema is not here")
class Types(unittest.TestCase):
    def test_they_are_up_to_date(self) -> None:
        spec = importlib.util.spec_from_file_location("generate_types", FOLDER / "generate_types.py")
        assert spec is not None and spec.loader is not None
        generator = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(generator)
        schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
        is_current = generator.generate(schema) == Path(types.__file__).read_text(encoding="utf-8")
        self.assertTrue(is_current, "src/open_think/types.py is stale: run python3 generate_types.py in clients/python")

    def test_every_definition_is_there(self) -> None:
        definitions = json.loads(SCHEMA.read_text(encoding="utf-8"))["$defs"]
        self.assertEqual([name for name in definitions if not hasattr(types, name)], [])

    def test_enumerations_are_open(self) -> None:
        for name in ("Mode", "StopReason", "Code", "DeviceStatus"):
            self.assertIn(str, typing.get_args(getattr(types, name)), name)
