//! `cargo xtask dist --prefix P`: headers, shared and static library, pkg-config and CMake packages under one prefix.
//! Everything is found relative to its own place, so the folder can be moved or packed. Where NVRTC is at hand, the library
//! holds the CUDA kernels as machine code; else, and on other devices, they are compiled at first use.
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use truing_core::Status;

type Result<T = ()> = std::result::Result<T, Box<dyn std::error::Error>>;

const VERSION: &str = env!("CARGO_PKG_VERSION");
/// What a static link needs besides the library (`rustc --print native-static-libs`).
const NATIVE: &str = "-lgcc_s -lutil -lrt -lpthread -lm -ldl -lc";

/// Builds the library and lays the files out.
pub fn run(root: &Path, prefix: &Path) -> Result {
    let (major, minor) = series();
    let soname = format!("libtruing.so.{major}.{minor}");
    let target = build(root, &soname)?;
    let lib = prefix.join("lib");
    for dir in ["include", "lib/pkgconfig", "lib/cmake/truing"] {
        fs::create_dir_all(prefix.join(dir))?;
    }
    for header in ["truing.h", "truing_losses.h", "truing.hpp"] {
        fs::copy(root.join("include").join(header), prefix.join("include").join(header))?;
    }
    let shared = lib.join(format!("libtruing.so.{VERSION}"));
    fs::copy(target.join("libtruing_ffi.so"), &shared)?;
    fs::copy(target.join("libtruing_ffi.a"), lib.join("libtruing.a"))?;
    strip(&shared, "--strip-unneeded")?;
    strip(&lib.join("libtruing.a"), "--strip-debug")?;
    link(&format!("libtruing.so.{VERSION}"), &lib.join(&soname))?;
    link(&soname, &lib.join("libtruing.so"))?;
    fs::write(lib.join("pkgconfig/truing.pc"), pkg_config())?;
    fs::write(lib.join("cmake/truing/truing-config.cmake"), cmake_config(&soname))?;
    fs::write(lib.join("cmake/truing/truing-config-version.cmake"), cmake_version(major, minor))?;
    println!("{}", prefix.display());
    Ok(())
}

fn series() -> (&'static str, &'static str) {
    let mut parts = VERSION.split('.');
    (parts.next().unwrap_or("0"), parts.next().unwrap_or("0"))
}

fn build(root: &Path, soname: &str) -> Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let target = root.join(target);
    let mut command = Command::new(cargo);
    command.current_dir(root).args(["rustc", "--package", "truing-ffi", "--release", "--lib"]);
    if let Some(table) = images(&target.join("images"))? {
        command.args(["--features", "images"]).env("TRUING_IMAGES", table);
    }
    command.args(["--", "-C", &format!("link-arg=-Wl,-soname,{soname}")]);
    if !command.status()?.success() {
        return Err("the library did not build".into());
    }
    Ok(target.join("release"))
}

/// The CUDA kernels for these compute capabilities; later ones with the same first number run them too.
const ARCHS: [(u32, u32); 4] = [(8, 0), (9, 0), (10, 0), (12, 0)];
/// Compiles the kernels into a folder and writes the table that the library includes.
fn images(dir: &Path) -> Result<Option<PathBuf>> {
    let (major, minor) = match truing_cuda::driver::compiler() {
        Ok(version) => version,
        Err(e) => {
            println!("CUDA kernels will be compiled at first use: {e}");
            return Ok(None);
        }
    };
    fs::create_dir_all(dir)?;
    let (mut table, mut bytes) = (String::from("&[\n"), 0);
    for arch in ARCHS {
        let all = match truing_cuda::images(arch) {
            Err(e) if e.status == Status::NoDevice => {
                println!("no CUDA kernels for {arch:?}: {e}");
                continue;
            }
            all => all?,
        };
        for (file, key, code) in all {
            let path = dir.join(format!("{file}-sm_{}{}.cubin", arch.0, arch.1));
            bytes += code.len();
            fs::write(&path, code)?;
            let code = format!("include_bytes!({:?})", path.display().to_string());
            writeln!(
                table,
                "    truing_cuda::Image {{ file: {file:?}, key: {key:#x}, arch: {arch:?}, code: {code} }},"
            )?;
        }
    }
    table.push_str("]\n");
    println!("CUDA kernels compiled by NVRTC {major}.{minor}: {bytes} bytes");
    let path = dir.join("images.rs");
    fs::write(&path, table)?;
    Ok(Some(path))
}

fn strip(file: &Path, how: &str) -> Result {
    let status = Command::new("strip").arg(how).arg(file).status()?;
    if status.success() { Ok(()) } else { Err(format!("strip {how} {} failed", file.display()).into()) }
}

fn link(to: &str, at: &Path) -> Result {
    if at.symlink_metadata().is_ok() {
        fs::remove_file(at)?;
    }
    #[cfg(unix)]
    std::os::unix::fs::symlink(to, at)?;
    #[cfg(not(unix))]
    fs::copy(at.with_file_name(to), at)?;
    Ok(())
}

fn pkg_config() -> String {
    format!(
        "prefix=${{pcfiledir}}/../..\nlibdir=${{prefix}}/lib\nincludedir=${{prefix}}/include\n\n\
         Name: truing\nDescription: Log-probs, preference and policy losses and their gradients for LLM alignment\n\
         Version: {VERSION}\nLibs: -L${{libdir}} -ltruing\nLibs.private: {NATIVE}\nCflags: -I${{includedir}}\n"
    )
}

fn cmake_config(soname: &str) -> String {
    format!(
        r#"# find_package(truing {VERSION}): targets truing::truing (shared), truing::shared, truing::static
if(TARGET truing::shared)
  return()
endif()
if(NOT CMAKE_SIZEOF_VOID_P EQUAL 8)
  set(truing_FOUND FALSE)
  set(truing_NOT_FOUND_MESSAGE "truing is built for 64-bit targets")
  return()
endif()
get_filename_component(_truing_prefix "${{CMAKE_CURRENT_LIST_DIR}}/../../.." ABSOLUTE)
find_package(Threads REQUIRED)
add_library(truing::shared SHARED IMPORTED)
set_target_properties(truing::shared PROPERTIES
  IMPORTED_LOCATION "${{_truing_prefix}}/lib/{soname}"
  IMPORTED_SONAME "{soname}"
  INTERFACE_INCLUDE_DIRECTORIES "${{_truing_prefix}}/include")
add_library(truing::truing INTERFACE IMPORTED)
set_target_properties(truing::truing PROPERTIES INTERFACE_LINK_LIBRARIES truing::shared)
if(EXISTS "${{_truing_prefix}}/lib/libtruing.a")
  add_library(truing::static STATIC IMPORTED)
  set_target_properties(truing::static PROPERTIES
    IMPORTED_LOCATION "${{_truing_prefix}}/lib/libtruing.a"
    INTERFACE_INCLUDE_DIRECTORIES "${{_truing_prefix}}/include"
    INTERFACE_LINK_LIBRARIES "Threads::Threads;gcc_s;m;dl;rt;util")
endif()
unset(_truing_prefix)
"#
    )
}

/// While the major version is 0, every minor version may change the ABI.
fn cmake_version(major: &str, minor: &str) -> String {
    format!(
        r#"set(PACKAGE_VERSION "{VERSION}")
if(PACKAGE_FIND_VERSION_MAJOR EQUAL {major} AND PACKAGE_FIND_VERSION_MINOR EQUAL {minor}
   AND NOT PACKAGE_FIND_VERSION VERSION_GREATER PACKAGE_VERSION)
  set(PACKAGE_VERSION_COMPATIBLE TRUE)
  if(PACKAGE_FIND_VERSION VERSION_EQUAL PACKAGE_VERSION)
    set(PACKAGE_VERSION_EXACT TRUE)
  endif()
else()
  set(PACKAGE_VERSION_COMPATIBLE FALSE)
endif()
"#
    )
}
