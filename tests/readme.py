"""The README's promises about itself: its commands exist, and its Python and C++ examples run and print what they should.
(The Rust example is a documentation test of the facade.)  python tests/readme.py"""
import os
import pathlib
import re
import subprocess
import sys

root = pathlib.Path(__file__).resolve().parents[1]
text = (root / "README.md").read_text()
blocks = {lang: body for lang, body in re.findall(r"```(\w+)\n(.*?)```", text, re.S) if lang in ("python", "cpp", "rust")}
assert set(blocks) == {"python", "cpp", "rust"}, "one example each in Python, C++ and Rust"
commands = re.search(r"```sh\n(.*?)```", text, re.S)[1].splitlines()
assert len(commands) == 2, "two commands"
for line in commands:
    path = root / line.split()[0]
    assert os.access(path, os.X_OK), f"{path} is not executable"

prefix = root / "target/dist"
subprocess.run(["cargo", "xtask", "dist", "--prefix", str(prefix)], cwd=root, check=True, stdout=subprocess.DEVNULL)

cpp = root / "target/readme.cpp"
cpp.write_text(blocks["cpp"])
env = dict(os.environ, PKG_CONFIG_PATH=str(prefix / "lib/pkgconfig"))
for static in (False, True):
    flags = subprocess.check_output(["pkg-config", "--cflags", "--libs", *(["--static"] if static else []), "truing"], env=env, text=True).split()
    if static:
        flags = [str(prefix / "lib/libtruing.a") if f == "-ltruing" else f for f in flags]
    subprocess.run(["g++", "-std=c++17", "-Wall", "-Wextra", "-Werror", str(cpp), "-o", "target/readme", *flags], cwd=root, check=True)
    out = subprocess.check_output([root / "target/readme"], env=dict(os.environ, LD_LIBRARY_PATH=str(prefix / "lib")), text=True)
    first, second, grad = map(float, out.split())
    assert abs(first + 4.935e-4) < 1e-6 and abs(second + 1.609438) < 1e-6 and abs(grad + 4.935e-4) < 1e-6, out

example = "import truing\ntruing.load(r'%s')\n" % (prefix / "lib/libtruing.so") + blocks["python"]
out = subprocess.check_output([sys.executable, "-c", example], env=dict(os.environ, PYTHONPATH=str(root / "ffi/python")), text=True)
losses = [float(line.split()[1]) for line in out.splitlines()]
assert len(losses) == 3 and losses[0] > losses[1] > losses[2] > 0, out

contributing = (root / "CONTRIBUTING.md").read_text()
for lang, files in (("rust", ["core/src/losses/pair.rs", "core/src/losses/pair/difference.rs"]), ("python", ["tests/golden/losses.py"])):
    code = "".join((root / file).read_text() for file in files)
    for body in re.findall(rf"```{lang}\n(.*?)```", contributing, re.S):
        assert body.strip() in code, f"CONTRIBUTING shows code that {files} do not hold:\n{body}"

for path in re.findall(r"\]\(([^)#:]+)\)", text):
    assert (root / path).exists(), f"README links to {path}, which does not exist"
print("README: 2 commands, 3 examples, shared and static C++, links: checked")
