"""Builds the library with cargo and puts it, its headers and its CMake package into the wheel."""

import pathlib
import platform
import shutil
import subprocess

from hatchling.builders.hooks.plugin.interface import BuildHookInterface


class CustomBuildHook(BuildHookInterface):
    def initialize(self, version, build_data):
        root = pathlib.Path(self.root).resolve().parents[1]
        if not (root / "xtask").is_dir():
            raise RuntimeError("truing builds from its source tree: pip install ./ffi/python there")
        if shutil.which("cargo") is None:
            raise RuntimeError("truing is built with cargo (Rust 1.89 or later), which was not found")
        prefix = root / "target" / "python-dist"
        shutil.rmtree(prefix, ignore_errors=True)
        subprocess.run(["cargo", "xtask", "dist", "--prefix", str(prefix)], cwd=root, check=True)
        # A wheel holds no links: one file under the name that programs ask for (libtruing.so.0.1).
        (shared,) = (p for p in prefix.glob("lib/libtruing.so.*") if p.name.count(".") == 3)
        include = {str(shared.resolve()): f"truing/lib/{shared.name}"}
        for header in (prefix / "include").iterdir():
            include[str(header)] = f"truing/include/{header.name}"
        for file in (prefix / "lib/cmake/truing").iterdir():
            include[str(file)] = f"truing/lib/cmake/truing/{file.name}"
        build_data["force_include"].update(include)
        build_data["pure_python"] = False
        build_data["tag"] = f"py3-none-linux_{platform.machine()}"
