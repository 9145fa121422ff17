//! Programs in C99, C++17 and Python that use the built library as a trainer would, and the library's symbols.
//! What a machine lacks (valgrind, a Python with numpy) is skipped in words and counted.
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

const NATIVE: [&str; 7] = ["-lgcc_s", "-lutil", "-lrt", "-lpthread", "-lm", "-ldl", "-lc"];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..").canonicalize().unwrap()
}
/// A folder for what these tests build.
fn folder() -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("clients");
    fs::create_dir_all(&folder).unwrap();
    folder
}
fn run(command: &mut Command) -> Output {
    let out = command.env("RUST_BACKTRACE", "0").output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    let (stdout, stderr) = (String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success(), "{command:?}: {}\n{stdout}\n{stderr}", out.status);
    print!("{stdout}");
    out
}
fn has(program: &str) -> bool {
    Command::new(program).arg("--version").output().is_ok_and(|o| o.status.success())
}

/// Builds with cargo in the profile of these tests, where everything lies ready, and returns the files of these names.
fn build<const N: usize>(what: &[&str], names: [&str; N]) -> [PathBuf; N] {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.current_dir(root()).args(["build", "--quiet", "--message-format=json", "--package"]).args(what);
    let out = cargo.args(truing_tests::cargo_profile()).output().unwrap();
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    let text = String::from_utf8(out.stdout).unwrap();
    names.map(|name| {
        let file = text.split('"').find(|w| w.ends_with(name));
        PathBuf::from(file.unwrap_or_else(|| panic!("cargo names no {name}: {text}")))
    })
}
/// The library, shared and static.
fn library() -> &'static [PathBuf; 2] {
    static BUILT: OnceLock<[PathBuf; 2]> = OnceLock::new();
    BUILT.get_or_init(|| build(&["truing-ffi", "--lib"], ["libtruing_ffi.so", "libtruing_ffi.a"]))
}

/// Compiles `tests/c/<source>` to a program of its own name and links it, `shared` or static.
fn compile(name: &str, source: &str, compiler: &str, standard: &str, shared: bool) -> PathBuf {
    let [so, a] = library();
    let program = folder().join(name);
    let mut command = Command::new(compiler);
    command.arg(format!("-std={standard}")).args(["-O1", "-g", "-Wall", "-Wextra", "-pedantic", "-Werror"]);
    command.arg("-I").arg(root().join("include")).arg(root().join("tests/c").join(source));
    if shared {
        command.arg(so).arg(format!("-Wl,-rpath,{}", so.parent().unwrap().display())).arg("-lm");
    } else {
        command.arg(a).args(NATIVE);
    }
    run(command.arg("-o").arg(&program));
    program
}

#[test]
fn c_and_cpp_trainers() {
    let mut ran = 0;
    for (source, compiler, standard) in [("trainer.c", "cc", "c99"), ("trainer.cpp", "c++", "c++17")] {
        for shared in [true, false] {
            let name = format!("{}-{}", source.replace('.', "-"), if shared { "shared" } else { "static" });
            let out = run(&mut Command::new(compile(&name, source, compiler, standard, shared)));
            assert!(String::from_utf8_lossy(&out.stdout).contains(" checks"), "{source} says how much it checked");
            ran += 1;
        }
    }
    // The header alone, in the other language.
    run(Command::new("c++")
        .args(["-std=c++17", "-Wall", "-Wextra", "-pedantic", "-Werror", "-fsyntax-only", "-x", "c++"])
        .arg("-I")
        .arg(root().join("include"))
        .arg(root().join("include/truing.h")));
    println!("clients: {ran} C and C++ programs ran");
    assert_eq!(ran, 4);
}

#[test]
fn c_trainer_under_valgrind() {
    if !has("valgrind") {
        println!("SKIPPED 1: valgrind is not installed, memory errors across the C boundary are not looked for");
        return;
    }
    let program = compile("trainer-valgrind", "trainer.c", "cc", "c99", true);
    run(Command::new("valgrind")
        .args(["--quiet", "--error-exitcode=9", "--leak-check=full", "--errors-for-leak-kinds=none"])
        .arg(program));
    println!("clients: valgrind finds nothing in trainer.c");
}

#[test]
fn exported_symbols() {
    if !has("nm") {
        println!("SKIPPED 1: nm is not installed, the exported symbols are not compared");
        return;
    }
    let out = Command::new("nm").args(["-D", "--defined-only"]).arg(&library()[0]).output().unwrap();
    let text = String::from_utf8(out.stdout).unwrap();
    let mut symbols: Vec<&str> = text.lines().filter_map(|l| l.split_whitespace().last()).collect();
    symbols.sort();
    let committed = fs::read_to_string(root().join("ffi/exports.txt")).unwrap();
    let mut list: Vec<&str> = committed.lines().collect();
    list.sort();
    assert_eq!(symbols, list);
    println!("clients: {} exported symbols, as committed", list.len());
}

/// The Python that has numpy, from the environment.
fn python() -> Option<PathBuf> {
    let python = env::var_os("TRUING_TEST_PYTHON").map(PathBuf::from);
    if python.is_none() {
        println!("SKIPPED 1: TRUING_TEST_PYTHON names no Python with numpy (tests/run sets it)");
    }
    python
}
fn script(python: &Path, name: &str, library: &Path) {
    let out = run(Command::new(python)
        .arg(root().join("tests/python").join(name))
        .arg(library)
        .env("PYTHONPATH", root().join("ffi/python"))
        .env("PYTHONDONTWRITEBYTECODE", "1"));
    assert!(String::from_utf8_lossy(&out.stdout).contains(" checks"), "{name} says how much it checked");
}

#[test]
fn python_client() {
    let Some(python) = python() else { return };
    script(&python, "client.py", &library()[0]);
}

#[test]
fn python_fields() {
    let Some(python) = python() else { return };
    script(&python, "fields.py", &library()[0]);
}

#[test]
fn python_gradcheck() {
    let Some(python) = python() else { return };
    script(&python, "gradcheck.py", &library()[0]);
}

/// The losses and advantages of TRL, verl, OpenRLHF, AReaL and ms-swift and the losses of Liger, where they are installed: in the
/// Python of the tests, or in the one that
/// TRUING_TEST_PEERS names.
#[test]
fn python_trainers() {
    let Some(python) = env::var_os("TRUING_TEST_PEERS").map(PathBuf::from).or_else(python) else { return };
    for name in ["trainers.py", "liger.py", "trl_advantages.py", "trl_policy.py", "trl_gold.py", "policy_trainers.py"] {
        script(&python, name, &library()[0]);
    }
}

/// Needs a library of its own, with a function that panics (`panic.rs`).
#[test]
fn panics_stop_at_the_boundary() {
    let [so] = build(&["truing-tests", "--example", "panic"], ["libpanic.so"]);
    let source = folder().join("panic.c");
    fs::write(
        &source,
        r#"#include <stdint.h>
#include <stdio.h>
#include <string.h>
extern int32_t truing_test_panic(uint32_t kind);
extern const char *truing_last_error(void);
int main(void) {
    const char *words[] = {"", "on request", "a panic without words", "on request, number 3"};
    uint32_t kind;
    int round;
    for (round = 0; round < 3; round++) {
        for (kind = 0; kind < 4; kind++) {
            const int32_t status = truing_test_panic(kind);
            if (status != (kind == 0 ? 0 : 11) || strstr(truing_last_error(), words[kind]) == NULL) {
                printf("kind %u: status %d, %s\n", kind, status, truing_last_error());
                return 1;
            }
        }
    }
    printf("panic.c: 12 checks\n");
    return 0;
}
"#,
    )
    .unwrap();
    let program = folder().join("panic");
    run(Command::new("cc")
        .args(["-std=c99", "-Wall", "-Werror"])
        .arg(&source)
        .arg(&so)
        .arg(format!("-Wl,-rpath,{}", so.parent().unwrap().display()))
        .arg("-o")
        .arg(&program));
    run(&mut Command::new(&program));
    if has("valgrind") {
        run(Command::new("valgrind").args(["--quiet", "--error-exitcode=9"]).arg(&program));
    }
    if let Some(python) = python() {
        let code = "import ctypes, sys\nlib = ctypes.CDLL(sys.argv[1])\n\
                    assert [lib.truing_test_panic(k) for k in range(4)] == [0, 11, 11, 11]\nprint('ctypes: 4 checks')";
        run(Command::new(python).args(["-c", code]).arg(&so));
    }
}
