//! The floors may only look down: every dependency edge between our crates is one of these, `unsafe` stays where the
//! plan allows it, and nothing a user builds has a build script.
use std::fs;
use std::path::{Path, PathBuf};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("..")
}

/// Names of the `truing-*` packages that a manifest depends on, development dependencies included.
fn edges(manifest: &str) -> Vec<String> {
    let text = fs::read_to_string(root().join(manifest)).unwrap();
    let mut inside = false;
    let mut all = vec![];
    for line in text.lines() {
        if line.starts_with('[') {
            inside = line.contains("dependencies") && !line.contains("workspace.dependencies");
            continue;
        }
        let name = line.split(['.', ' ', '=']).next().unwrap_or("");
        if inside && (name == "truing" || name.starts_with("truing-")) {
            all.push(name.to_string());
        }
    }
    all.sort();
    all.dedup();
    all
}

#[test]
fn dependencies_only_point_down() {
    let allowed: [(&str, &[&str]); 5] = [
        ("core/Cargo.toml", &[]),
        ("cpu/Cargo.toml", &["truing-core"]),
        ("cuda/Cargo.toml", &["truing-core"]),
        ("ffi/Cargo.toml", &["truing-core", "truing-cpu", "truing-cuda"]),
        ("Cargo.toml", &["truing-core", "truing-cpu", "truing-cuda"]),
    ];
    let mut seen = 0;
    for (manifest, may) in allowed {
        for edge in edges(manifest) {
            assert!(may.contains(&edge.as_str()), "{manifest} must not depend on {edge}");
            seen += 1;
        }
    }
    assert!(seen >= 6, "only {seen} edges found: the reader of manifests is broken");
    println!("layering: {seen} edges checked");
}

fn sources(dir: &str) -> Vec<PathBuf> {
    let mut all = vec![];
    let mut stack = vec![root().join(dir)];
    while let Some(dir) = stack.pop() {
        for entry in fs::read_dir(&dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                stack.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") {
                all.push(path);
            }
        }
    }
    all
}

#[test]
fn unsafe_stays_where_the_plan_allows_it() {
    let mut files = 0;
    // Whole crates without it.
    for dir in ["core/src", "src", "xtask/src"] {
        for path in sources(dir) {
            files += 1;
            let text = fs::read_to_string(&path).unwrap();
            let code = text.lines().filter(|l| !l.trim_start().starts_with("//"));
            for line in code {
                let words = line.split(|c: char| !c.is_alphanumeric() && c != '_');
                let quoted = line.contains("unsafe_code") || line.contains('"');
                assert!(quoted || !words.into_iter().any(|w| w == "unsafe"), "{}: {line}", path.display());
            }
        }
    }
    assert!(fs::read_to_string(root().join("core/src/lib.rs")).unwrap().contains("#![forbid(unsafe_code)]"));
    // Every other use states its proof.
    for dir in ["cpu/src", "cuda/src", "ffi/src"] {
        for path in sources(dir) {
            files += 1;
            let text = fs::read_to_string(&path).unwrap();
            let uses = text.lines().filter(|l| l.contains("unsafe {") && !l.trim_start().starts_with("//")).count();
            let proofs = text.matches("SAFETY:").count();
            assert!(proofs >= uses.min(1), "{}: unsafe without a SAFETY line", path.display());
        }
    }
    println!("layering: {files} files checked for unsafe");
    assert!(files >= 30);
}

#[test]
fn nothing_a_user_builds_has_a_build_script() {
    for dir in ["", "core", "cpu", "cuda", "ffi"] {
        assert!(!root().join(dir).join("build.rs").exists(), "{dir}/build.rs");
    }
}

/// The same family has the same stem on every floor.
#[test]
fn families_have_one_file_a_floor() {
    let families = [
        "logprob",
        "linear_logprob",
        "sequence",
        "preference",
        "linear_preference",
        "policy",
        "linear_policy",
        "linear_divergence",
        "batch",
        "classes",
        "advantage",
        "divergence",
        "tilt",
        "correction",
    ];
    for family in families {
        for dir in ["core/src", "cpu/src", "ffi/src", "tests"] {
            let path = root().join(dir).join(format!("{family}.rs"));
            assert!(path.exists(), "{} is missing", path.display());
        }
    }
}
