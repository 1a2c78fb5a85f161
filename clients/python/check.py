"""Builds the package, installs it, and tries what is installed: its types, its tests, its figures.

    python3 check.py [FOLDER]

FOLDER keeps what was installed for the next time. OPEN_THINK_BIN names the program.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).resolve().parent
REQUIREMENTS = HERE / "requirements.txt"


class Environment:
    """A virtual environment with what the checks need."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._python = folder / "bin" / "python"
        stamp = folder / "installed"
        wanted = f"{sys.version}\n{REQUIREMENTS.read_text(encoding='utf-8')}"
        if not stamp.exists() or stamp.read_text(encoding="utf-8") != wanted:
            subprocess.run([sys.executable, "-m", "venv", "--clear", folder], check=True)
            self.run("-m", "pip", "install", "-q", "--disable-pip-version-check", "-r", REQUIREMENTS)
            stamp.write_text(wanted, encoding="utf-8")

    def run(self, *arguments: str | Path) -> None:
        env = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        env["PYTHONDONTWRITEBYTECODE"] = "1"
        subprocess.run([self._python, *arguments], cwd=HERE, env=env, check=True)

    def wheel(self) -> Path:
        """The package as it would be published."""
        built = self._folder / "built"
        for old in built.glob("*.whl"):
            old.unlink()
        offline = ["-q", "--disable-pip-version-check", "--no-deps", "--no-build-isolation"]
        self.run("-m", "pip", "wheel", *offline, "-w", built, HERE)
        return next(built.glob("*.whl"))

    def install(self, wheel: Path) -> None:
        self.run("-m", "pip", "install", "-q", "--disable-pip-version-check", "--force-reinstall", "--no-deps", wheel)


def check(folder: Path) -> None:
    environment = Environment(folder)
    wheel = environment.wheel()
    environment.install(wheel)
    environment.run("-m", "mypy", "--cache-dir", folder / "mypy")
    environment.run("-m", "unittest", "discover")
    environment.run("figures.py", wheel)


def main(arguments: list[str]) -> None:
    try:
        if arguments:
            check(Path(arguments[0]).resolve())
        else:
            with tempfile.TemporaryDirectory() as folder:
                check(Path(folder))
    except subprocess.CalledProcessError as error:
        sys.exit(f"this failed: {' '.join(map(str, error.cmd))}")


if __name__ == "__main__":
    main(sys.argv[1:])
