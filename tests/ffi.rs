//! The C boundary as text: every exported function starts with the guard, is declared in the header, and stands in the
//! committed list of symbols. (`clients.rs` compares that list with the built library.)
use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

fn read(path: &str) -> String {
    fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("..").join(path)).unwrap()
}

/// Name and first words of the body of every exported function.
fn exported() -> Vec<(String, String, String)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../ffi/src");
    let mut all = vec![];
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_none_or(|e| e != "rs") {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let code: String =
            text.lines().filter(|l| !l.trim_start().starts_with("//")).map(|l| format!("{l}\n")).collect();
        let marks = code.matches("no_mangle").count();
        let mut found = 0;
        for piece in code.split("#[unsafe(no_mangle)]").skip(1) {
            let name = piece.split("fn ").nth(1).unwrap().split('(').next().unwrap().to_owned();
            assert!(
                piece.trim_start().starts_with("pub ") && piece.split('{').next().unwrap().contains("extern \"C\""),
                "{name}"
            );
            let (head, body) = piece.split_once('{').unwrap();
            all.push((name, head.to_owned(), body.trim_start().to_owned()));
            found += 1;
        }
        assert_eq!(marks, found, "{}", path.display());
        assert_eq!(
            code.matches("extern \"C\" fn").count(),
            found,
            "{}: extern \"C\" without no_mangle",
            path.display()
        );
    }
    all
}

#[test]
fn every_export_starts_with_the_guard() {
    let all = exported();
    for (name, _, body) in &all {
        let by_name = body.starts_with(&format!("guard(\"{name}\", "));
        assert!(by_name || body.starts_with("guard_value("), "{name} starts with {:?}", &body[..body.len().min(60)]);
    }
    println!("ffi: {} exported functions start with the guard", all.len());
    assert!(all.len() >= 26, "{}", all.len());
}

#[test]
fn exports_header_and_list_agree() {
    let source: BTreeSet<String> = exported().into_iter().map(|e| e.0).collect();
    let list: BTreeSet<String> = read("ffi/exports.txt").lines().map(str::to_owned).collect();
    assert_eq!(source, list, "ffi/exports.txt against ffi/src");
    let header = read("include/truing.h");
    let code: String = header.lines().filter(|l| !l.trim_start().starts_with("//")).map(|l| format!("{l}\n")).collect();
    // A declaration is `type name(`; nothing else in the header has a name followed by a parenthesis.
    let declared: BTreeSet<String> = code
        .split('(')
        .filter_map(|before| before.rsplit([' ', '*', '\n', '\t']).next())
        .filter(|name| name.starts_with("truing_") && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_'))
        .map(str::to_owned)
        .collect();
    assert_eq!(declared, list, "ffi/exports.txt against include/truing.h");
    // Every operation has its workspace function, and truing.hpp wraps every operation.
    let sugar = read("include/truing.hpp");
    for op in list.iter().filter(|n| n.ends_with("_forward") || n.ends_with("_backward")) {
        assert!(list.contains(&format!("{op}_workspace_size")), "{op}");
    }
    let operations: Vec<_> = list.iter().filter_map(|n| n.strip_suffix("_workspace_size")).collect();
    for op in &operations {
        let call = format!("TRUING_CALL({},", op.trim_start_matches("truing_"));
        assert!(list.contains(*op) && sugar.contains(&call), "truing.hpp lacks {op}");
    }
    assert_eq!(operations.len(), 83);
}

#[test]
fn nothing_is_computed_at_the_boundary() {
    // No arithmetic on data: the boundary knows no element, only descriptions.
    for name in [
        "logprob",
        "linear_logprob",
        "sequence",
        "preference",
        "linear_preference",
        "policy",
        "advantage",
        "divergence",
        "sequence_kl",
    ] {
        let text = read(&format!("ffi/src/{name}.rs"));
        for word in [".exp()", ".ln()", ".sqrt(", ".powi(", "for i in"] {
            assert!(!text.contains(word), "ffi/src/{name}.rs contains {word}");
        }
    }
}
