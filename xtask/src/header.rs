//! What follows from the C ABI's Rust sources: `truing.h`, the layout table, the ctypes mirror and the layout probe.
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use syn::{Attribute, Expr, Fields, FnArg, Item, ReturnType, Type};

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("xtask lies in the workspace").to_path_buf()
}

/// The sources that hold exported types and functions: `abi.rs` first, then the others by name.
fn sources() -> Vec<PathBuf> {
    let dir = root().join("ffi/src");
    let mut files: Vec<PathBuf> = fs::read_dir(&dir)
        .expect("ffi/src")
        .map(|e| e.expect("directory entry").path())
        .filter(|p| p.extension().is_some_and(|e| e == "rs") && p.file_stem().is_some_and(|s| s != "abi" && s != "lib"))
        .collect();
    files.sort();
    files.insert(0, dir.join("abi.rs"));
    files
}

struct Field {
    rust: String,
    name: String,
    ty: Type,
    doc: String,
}
struct Struct {
    name: String,
    doc: String,
    fields: Vec<Field>,
}
struct Constant {
    name: String,
    value: i128,
    doc: String,
}
struct Function {
    name: String,
    arguments: Vec<Type>,
    result: Option<Type>,
}
/// The exported part of the sources, in their order.
#[derive(Default)]
struct Abi {
    /// Names of everything in `abi.rs`, and the headings (`// ---- title`) above some of them.
    order: Vec<String>,
    headings: BTreeMap<String, String>,
    aliases: Vec<(String, Type)>,
    constants: Vec<Constant>,
    structs: Vec<Struct>,
    functions: Vec<Function>,
    /// Functions that exist for tests only, behind a feature.
    hidden: Vec<String>,
}

fn doc(attrs: &[Attribute]) -> String {
    let mut lines = Vec::new();
    for attr in attrs.iter().filter(|a| a.path().is_ident("doc")) {
        if let syn::Meta::NameValue(m) = &attr.meta
            && let Expr::Lit(l) = &m.value
            && let syn::Lit::Str(s) = &l.lit
        {
            lines.push(s.value().trim().to_string());
        }
    }
    lines.join(" ")
}

fn value(e: &Expr) -> i128 {
    match e {
        Expr::Lit(l) => match &l.lit {
            syn::Lit::Int(n) => n.base10_parse().expect("an integer"),
            _ => panic!("constants of the ABI are integers"),
        },
        Expr::Binary(b) if matches!(b.op, syn::BinOp::Shl(_)) => value(&b.left) << value(&b.right),
        _ => panic!("constants of the ABI are integers or shifts"),
    }
}

fn parse() -> Abi {
    let mut abi = Abi::default();
    for (i, path) in sources().iter().enumerate() {
        let text = fs::read_to_string(path).expect("a source of ffi");
        if i == 0 {
            let mut heading = None;
            for line in text.lines() {
                heading = line.strip_prefix("// ---- ").map(String::from).or(heading);
                let name = ["pub const ", "pub type ", "pub struct "].iter().find_map(|p| line.strip_prefix(p));
                if let Some(name) = name.and_then(|n| n.split(|c: char| c != '_' && !c.is_alphanumeric()).next()) {
                    abi.order.push(name.into());
                    abi.headings.extend(heading.take().map(|h| (name.into(), h)));
                }
            }
        }
        let file = syn::parse_file(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
        for item in file.items {
            match item {
                Item::Type(t) if i == 0 => abi.aliases.push((t.ident.to_string(), *t.ty)),
                Item::Const(c) if i == 0 && c.ident.to_string().starts_with("TRUING_") => abi
                    .constants
                    .push(Constant { name: c.ident.to_string(), value: value(&c.expr), doc: doc(&c.attrs) }),
                Item::Struct(s) if i == 0 => {
                    let repr_c = s.attrs.iter().any(|a| a.path().is_ident("repr"));
                    let name = s.ident.to_string();
                    let (true, true, Fields::Named(named)) = (repr_c, name.starts_with("truing_"), s.fields) else {
                        continue;
                    };
                    let fields = named.named.into_iter().map(|f| {
                        let rust = f.ident.expect("a named field").to_string();
                        Field { name: rust.trim_start_matches("r#").to_string(), rust, doc: doc(&f.attrs), ty: f.ty }
                    });
                    abi.structs.push(Struct { name, doc: doc(&s.attrs), fields: fields.collect() });
                }
                Item::Fn(f) if f.sig.abi.is_some() && f.attrs.iter().any(|a| a.path().is_ident("cfg")) => {
                    abi.hidden.push(f.sig.ident.to_string());
                }
                Item::Fn(f) if f.sig.abi.is_some() && matches!(f.vis, syn::Visibility::Public(_)) => {
                    let arguments = f.sig.inputs.into_iter().map(|a| match a {
                        FnArg::Typed(t) => *t.ty,
                        FnArg::Receiver(_) => panic!("an exported function takes no self"),
                    });
                    let result = match f.sig.output {
                        ReturnType::Default => None,
                        ReturnType::Type(_, t) => Some(*t),
                    };
                    abi.functions.push(Function {
                        name: f.sig.ident.to_string(),
                        arguments: arguments.collect(),
                        result,
                    });
                }
                _ => {}
            }
        }
    }
    abi
}

/// Last segment of a path type.
fn ident(t: &Type) -> String {
    match t {
        Type::Path(p) => p.path.segments.last().expect("a path").ident.to_string(),
        _ => panic!("a named type is expected"),
    }
}
/// A field's type as Rust text.
fn rust_type(t: &Type) -> String {
    match t {
        Type::Ptr(p) => format!("*{} {}", if p.mutability.is_some() { "mut" } else { "const" }, rust_type(&p.elem)),
        Type::Array(a) => format!("[{}; {}]", rust_type(&a.elem), value(&a.len)),
        t => ident(t),
    }
}

impl Abi {
    fn find(&self, t: &Type) -> Option<&Struct> {
        let Type::Path(_) = t else { return None };
        let name = ident(t);
        self.structs.iter().find(|s| s.name == name)
    }
    /// The reserved fields of a struct and of those inside it: path in Rust, path in C, type.
    fn reserved(&self, s: &Struct, rust: &str, c: &str, out: &mut Vec<(String, String, String)>) {
        for f in &s.fields {
            let (rust, c) = (format!("{rust}{}", f.rust), format!("{c}{}", f.name));
            if f.name.starts_with("reserved") {
                out.push((rust, c, rust_type(&f.ty)));
            } else if let Some(inner) = self.find(&f.ty) {
                self.reserved(inner, &format!("{rust}."), &format!("{c}."), out);
            }
        }
    }
    /// Size and alignment, by the rules of C on 64-bit targets. The compilers confirm it in the header's assertions.
    fn layout(&self, t: &Type) -> (usize, usize) {
        match t {
            Type::Ptr(_) => (8, 8),
            Type::Array(a) => {
                let (size, align) = self.layout(&a.elem);
                (size * value(&a.len) as usize, align)
            }
            t => {
                if let Some(s) = self.find(t) {
                    return self.struct_layout(s);
                }
                let name = ident(t);
                let size = match name.as_str() {
                    "u8" | "i8" => 1,
                    "u16" => 2,
                    "u32" | "i32" => 4,
                    "u64" | "i64" | "f64" | "usize" => 8,
                    _ => {
                        return self.layout(&self.alias(&name).unwrap_or_else(|| panic!("{name} is not of the ABI")).1);
                    }
                };
                (size, size)
            }
        }
    }
    fn struct_layout(&self, s: &Struct) -> (usize, usize) {
        let (mut end, mut most) = (0, 1);
        for f in &s.fields {
            let (size, align) = self.layout(&f.ty);
            assert!(end % align == 0, "{}.{}: implicit padding", s.name, f.name);
            (end, most) = (end + size, most.max(align));
        }
        assert!(end % most == 0, "{}: padding at the end", s.name);
        (end, most)
    }
    /// Refuses an `abi.rs` in which the mark of a struct that no function takes stands on another one or is missing: the
    /// others are frozen.
    fn check_marks(&self) {
        let mut taken = BTreeSet::new();
        let mut open: Vec<&Type> = self.functions.iter().flat_map(|f| &f.arguments).collect();
        while let Some(t) = open.pop() {
            match t {
                Type::Ptr(p) => open.push(&p.elem),
                t => {
                    if let Some(s) = self.find(t).filter(|s| taken.insert(&s.name)) {
                        open.extend(s.fields.iter().map(|f| &f.ty));
                    }
                }
            }
        }
        for s in &self.structs {
            assert_eq!(s.doc.contains(NOT_TAKEN), !taken.contains(&s.name), "{}: {NOT_TAKEN}", s.name);
        }
    }
    fn alias(&self, name: &str) -> Option<&(String, Type)> {
        self.aliases.iter().find(|(n, _)| n == name)
    }
}

/// The mark of a struct that is not frozen.
const NOT_TAKEN: &str = "No function of this version takes it; its layout may still change until one does.";

/// Name that a block of the header declares.
fn declared(block: &str) -> &str {
    let line = block.lines().find(|l| !l.starts_with("///")).unwrap_or_default();
    let mut words = line.split([' ', ';']).filter(|w| !w.is_empty());
    match (words.next(), words.next()) {
        (Some("#define"), Some(name)) => name,
        (Some("typedef"), Some("struct")) => words.next().unwrap_or_default(),
        (Some("typedef"), _) => words.next_back().unwrap_or_default(),
        _ => panic!("cbindgen wrote a block of an unknown form: {block}"),
    }
}

/// `include/truing.h`.
pub fn header() -> String {
    let abi = parse();
    abi.check_marks();
    let mut config = cbindgen::Config::from_file(root().join("ffi/cbindgen.toml")).expect("ffi/cbindgen.toml");
    // cbindgen prints what functions reach; the structs came before their functions did.
    config.export.include = abi.aliases.iter().map(|a| a.0.clone()).collect();
    config.export.include.extend(abi.structs.iter().map(|s| s.name.clone()));
    config.export.exclude = abi.hidden.clone();
    let mut builder = cbindgen::Builder::new().with_config(config);
    for path in sources() {
        builder = builder.with_src(path);
    }
    let mut bytes = Vec::new();
    builder.generate().expect("cbindgen reads ffi/src").write(&mut bytes);
    let text = String::from_utf8(bytes).expect("a header in UTF-8");

    // cbindgen puts constants before and behind the types; the order of abi.rs has each beside its type.
    let (start, end) = ("#include <stdint.h>\n\n", "#ifdef __cplusplus\n");
    let (top, rest) = text.split_once(start).expect("the includes");
    let (body, bottom) = rest.split_once(end).expect("the functions");
    let place = |block: &&str| {
        let name = declared(block);
        abi.order.iter().position(|n| n == name).unwrap_or_else(|| panic!("{name} is not in abi.rs"))
    };
    let mut blocks: Vec<&str> = body.trim().split("\n\n").collect();
    blocks.sort_by_key(place);
    let mut out = format!("{top}{start}");
    for block in blocks {
        if let Some(heading) = abi.headings.get(declared(block)) {
            writeln!(out, "// {:-<60} {heading}\n", "").unwrap();
        }
        let tight = block.lines().any(|l| l.starts_with("#define")) && !block.contains("TRUING_ABI_VERSION");
        if tight && out.ends_with("\n\n") && !out.ends_with("-\n\n") {
            out.pop();
        }
        out.push_str(block);
        out.push_str("\n\n");
    }
    let (functions, guard) = bottom.rsplit_once("#endif  /* TRUING_H */").expect("the include guard");
    write!(out, "{end}{functions}{ASSERT}").unwrap();
    for s in &abi.structs {
        let short = s.name.trim_start_matches("truing_");
        let size = abi.struct_layout(s).0;
        writeln!(out, "TRUING_STATIC_ASSERT({short}_size, sizeof({}) == {size});", s.name).unwrap();
    }
    write!(out, "\n#endif  /* TRUING_H */{guard}").unwrap();
    out
}

/// C99 has no static_assert.
const ASSERT: &str = "\
#if defined(__cplusplus)
#define TRUING_STATIC_ASSERT(name, condition) static_assert(condition, #name)
#elif defined(__STDC_VERSION__) && __STDC_VERSION__ >= 201112L
#define TRUING_STATIC_ASSERT(name, condition) _Static_assert(condition, #name)
#else
#define TRUING_STATIC_ASSERT(name, condition) typedef char truing_assert_##name[(condition) ? 1 : -1]
#endif

TRUING_STATIC_ASSERT(lp64, sizeof(void *) == 8 && sizeof(size_t) == 8);
";

/// `ffi/src/abi/layout.rs`.
pub fn layout() -> String {
    let abi = parse();
    let mut out = String::from(
        "// Written by `cargo xtask generate` from ffi/src/abi.rs; do not edit.\n\
         use super::*;\nuse core::mem::offset_of;\n\n\
         const fn f(name: &'static str, offset: usize, size: usize) -> Field {\n    Field { name, offset, size }\n}\n",
    );
    for s in &abi.structs {
        let name = &s.name;
        writeln!(out, "\nimpl Layout for {name} {{\n    const NAME: &'static str = \"{name}\";").unwrap();
        out.push_str("    const FIELDS: &'static [Field] = &[\n");
        for Field { rust, name: c, ty, .. } in &s.fields {
            writeln!(out, "        f(\"{c}\", offset_of!({name}, {rust}), size_of::<{}>()),", rust_type(ty)).unwrap();
        }
        out.push_str("    ];\n    const RESERVED: &'static [Field] = &[\n");
        let mut reserved = Vec::new();
        abi.reserved(s, "", "", &mut reserved);
        for (rust, c, ty) in reserved {
            writeln!(out, "        f(\"{c}\", offset_of!({name}, {rust}), size_of::<{ty}>()),").unwrap();
        }
        out.push_str("    ];\n}\n");
    }
    out.push_str("\n/// Every struct: name, size, fields.\npub const STRUCTS: &[(&str, usize, &[Field])] = &[\n");
    for s in &abi.structs {
        let name = &s.name;
        writeln!(out, "    ({name}::NAME, size_of::<{name}>(), {name}::FIELDS),").unwrap();
    }
    out.push_str("];\n\n/// Every constant: name and value.\npub const CONSTANTS: &[(&str, i64)] = &[\n");
    for c in &abi.constants {
        writeln!(out, "    (\"{0}\", {0} as i64),", c.name).unwrap();
    }
    out.push_str("];\n");
    out
}

/// `ffi/python/truing/_abi.py`.
pub fn python() -> String {
    let abi = parse();
    let ctypes = BTreeMap::from([
        ("u8", "c_uint8"),
        ("i8", "c_int8"),
        ("u16", "c_uint16"),
        ("u32", "c_uint32"),
        ("i32", "c_int32"),
        ("u64", "c_uint64"),
        ("i64", "c_int64"),
        ("f64", "c_double"),
        ("usize", "c_size_t"),
    ]);
    fn text(ctypes: &BTreeMap<&str, &str>, t: &Type) -> String {
        match t {
            Type::Ptr(p) => match &*p.elem {
                Type::Path(_) => match ident(&p.elem).as_str() {
                    "c_void" | "truing_context" => "ctypes.c_void_p".into(),
                    "c_char" => "ctypes.c_char_p".into(),
                    _ => format!("ctypes.POINTER({})", text(ctypes, &p.elem)),
                },
                inner => format!("ctypes.POINTER({})", text(ctypes, inner)),
            },
            Type::Array(a) => format!("{} * {}", text(ctypes, &a.elem), value(&a.len)),
            t => {
                let name = ident(t);
                match ctypes.get(name.as_str()) {
                    Some(c) => format!("ctypes.{c}"),
                    None => name,
                }
            }
        }
    }
    let mut out = String::from(
        "# Written by `cargo xtask generate` from ffi/src; do not edit.\n\
         \"\"\"The C ABI in ctypes: constants, structs and function signatures. No logic.\"\"\"\nimport ctypes\n\n",
    );
    for c in &abi.constants {
        writeln!(out, "{} = {}  # {}", c.name, c.value, c.doc).unwrap();
    }
    out.push('\n');
    let is_struct = |t: &Type| abi.find(t).is_some();
    for (name, t) in abi.aliases.iter().filter(|(_, t)| !is_struct(t)) {
        writeln!(out, "{name} = {}", text(&ctypes, t)).unwrap();
    }
    for s in &abi.structs {
        writeln!(out, "\n\nclass {}(ctypes.Structure):\n    \"\"\"{}\"\"\"\n\n    _fields_ = [", s.name, s.doc)
            .unwrap();
        for f in &s.fields {
            writeln!(out, "        (\"{}\", {}),  # {}", f.name, text(&ctypes, &f.ty), f.doc).unwrap();
        }
        out.push_str("    ]\n");
    }
    out.push_str("\n\n");
    for (name, t) in abi.aliases.iter().filter(|(_, t)| is_struct(t)) {
        writeln!(out, "{name} = {}", text(&ctypes, t)).unwrap();
    }
    out.push_str("\nSTRUCTS = [\n");
    for s in &abi.structs {
        writeln!(out, "    {},", s.name).unwrap();
    }
    out.push_str("]\n\n# Exported functions: result and argument types.\nFUNCTIONS = {\n");
    for f in &abi.functions {
        let arguments: Vec<String> = f.arguments.iter().map(|t| text(&ctypes, t)).collect();
        let result = f.result.as_ref().map_or("None".into(), |t| text(&ctypes, t));
        writeln!(out, "    \"{}\": ({result}, [{}]),", f.name, arguments.join(", ")).unwrap();
    }
    out.push_str("}\n");
    out
}

/// `tests/abi/probe.c`: prints what a C or C++ compiler makes of the header.
pub fn probe() -> String {
    let abi = parse();
    let mut out = String::from(
        "// Written by `cargo xtask generate` from ffi/src/abi.rs; do not edit. Valid C99 and C++17.\n\
         #include \"truing.h\"\n\n#include <stdio.h>\n\n\
         #define S(s) printf(\"struct %s %zu\\n\", #s, sizeof(s))\n\
         #define F(s, f) printf(\"field %s %s %zu %zu\\n\", #s, #f, offsetof(s, f), sizeof(((s *)0)->f))\n\
         #define C(c) printf(\"constant %s %lld\\n\", #c, (long long)(c))\n\n",
    );
    out.push_str("// Constants are constant expressions.\nenum {\n");
    for c in &abi.constants {
        writeln!(out, "    probe_{} = (int)({}),", c.name.to_lowercase(), c.name).unwrap();
    }
    out.push_str("    probe_end\n};\n");
    for s in &abi.structs {
        let short = s.name.trim_start_matches("truing_");
        writeln!(out, "\nstatic void probe_{short}(void) {{\n    S({});", s.name).unwrap();
        for f in &s.fields {
            writeln!(out, "    F({}, {});", s.name, f.name).unwrap();
        }
        out.push_str("}\n");
    }
    out.push_str("\nint main(void) {\n");
    for s in &abi.structs {
        writeln!(out, "    probe_{}();", s.name.trim_start_matches("truing_")).unwrap();
    }
    for c in &abi.constants {
        writeln!(out, "    C({});", c.name).unwrap();
    }
    out.push_str("    return 0;\n}\n");
    out
}

/// Every file that this module writes.
pub fn files() -> Vec<(&'static str, String)> {
    vec![
        ("include/truing.h", header()),
        ("ffi/src/abi/layout.rs", layout()),
        ("ffi/python/truing/_abi.py", python()),
        ("tests/abi/probe.c", probe()),
    ]
}
