//! Kernels: embedded text, compiled for the device at hand at first use, kept for the life of the context and, if the
//! caller names a folder, on disk.
use crate::driver::{self, Device, Kernel, Library, Stream};
use core::ffi::CStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::{panic, thread};
use truing_core::{Error, Result, Status, Value};

/// Every header by the name it is included by.
const HEADERS: [(&CStr, &str); 11] = [
    (c"ptx.cuh", include_str!("../kernels/ptx.cuh")),
    (c"dtype.cuh", include_str!("../kernels/dtype.cuh")),
    (c"segments.cuh", include_str!("../kernels/segments.cuh")),
    (c"lists.cuh", crate::preference::LISTS),
    (c"reduce.cuh", include_str!("../kernels/reduce.cuh")),
    (c"logits.cuh", include_str!("../kernels/logits.cuh")),
    crate::divergence::HEADERS[0],
    crate::divergence::HEADERS[1],
    crate::divergence::HEADERS[2],
    (c"generated/losses.cuh", crate::LOSSES),
    (c"generated/record.cuh", include_str!("../kernels/generated/record.cuh")),
];
/// A file of kernels.
#[derive(Clone, Copy, Debug)]
pub(crate) struct File {
    pub(crate) name: &'static CStr,
    pub(crate) text: &'static str,
}
impl File {
    /// Tells its text, headers included, from others.
    fn key(&self) -> u64 {
        let headers = HEADERS.iter().flat_map(|(name, text)| [name.to_bytes(), text.as_bytes()]);
        hash(headers.chain([self.name.to_bytes(), self.text.as_bytes()]))
    }
}
/// All of them.
pub(crate) const FILES: [File; 12] = [
    crate::logprob::FILE,
    crate::logprob::DOUBLE,
    crate::logprob::extra::FILE,
    crate::sequence::FILE,
    crate::preference::FILE,
    crate::policy::FILE,
    crate::advantage::FILE,
    crate::correction::FILE,
    crate::selection::FILE,
    crate::tds_rows::FILE,
    crate::divergence::PARTIAL,
    crate::divergence::ULD,
];

/// How results may differ from the CPU's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// The same bits.
    #[default]
    Portable,
    /// Kernels on logits take the special-function unit's exponential (relative error below 2^-21.5 of a term); everything
    /// else is as in `Portable`. Still the same bits on every run, whatever the batch.
    Fast,
}
/// Settings of a [`Context`].
#[derive(Clone, Debug, Default)]
pub struct ContextOptions {
    /// Which exponential kernels on logits take.
    pub mode: Mode,
    /// Folder for compiled kernels. Several processes may share it; one that cannot be read or written is as if not given.
    pub cache_dir: Option<PathBuf>,
    /// Kernels that were compiled beforehand, of the mode `portable`; see [`images`].
    pub images: &'static [Image],
}
/// Machine code of one file of kernels for the devices of a compute capability.
#[derive(Clone, Copy, Debug)]
pub struct Image {
    /// Name of the file.
    pub file: &'static str,
    /// Hash of the text that it was made from: an image of another text is as if not given.
    pub key: u64,
    /// Compute capability; later ones of the same first number run it too.
    pub arch: (u32, u32),
    /// The code.
    pub code: &'static [u8],
}
/// Compiles every file of kernels for a compute capability: name, key and code of its [`Image`]. Needs NVRTC, no device.
pub fn images(arch: (u32, u32)) -> Result<Vec<(&'static str, u64, Vec<u8>)>> {
    let compile = |file: &File| {
        let name = file.name.to_str().unwrap_or_default();
        let code = driver::compile(file.name, file.text, &HEADERS, &format!("sm_{}{}", arch.0, arch.1), false)?;
        let (got, expected) = (Value::Int((10 * arch.0 + arch.1) as i64), Value::Text("one that the compiler knows"));
        let unknown = Error::new(Status::NoDevice, "compute capability", got, expected);
        Ok((name, file.key(), code.ok_or(unknown)?))
    };
    FILES.iter().map(compile).collect()
}
/// What calls share: the kernels. May be used from several threads and for several devices at once.
#[derive(Debug, Default)]
pub struct Context {
    options: ContextOptions,
    loaded: Mutex<Vec<Loaded>>,
}
#[derive(Debug)]
struct Loaded {
    file: File,
    arch: (u32, u32),
    kernels: Vec<(&'static CStr, Kernel)>,
    library: Library,
}
impl Loaded {
    fn new(file: File, arch: (u32, u32), library: Library) -> Loaded {
        Loaded { file, arch, kernels: vec![], library }
    }
    fn is(&self, file: &File, arch: (u32, u32)) -> bool {
        self.file.name == file.name && self.arch == arch
    }
}
impl Context {
    /// Loads nothing yet.
    pub fn new(options: ContextOptions) -> Context {
        Context { options, loaded: Mutex::default() }
    }
    /// Compiles and loads every kernel for the device of the current context, but for those of the forms of divergences
    /// ([`crate::divergence::prepare`]). A call that is captured into a graph cannot load what it lacks: prepare first.
    /// What has to be compiled is, each file by a thread of its own.
    pub fn prepare(&self) -> Result<()> {
        let device = Device::current()?;
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        self.fill(&mut loaded, (device.major, device.minor), &FILES)
    }
    /// The kernels of a file.
    pub(crate) fn load(&self, file: File) -> Result<()> {
        let device = Device::current()?;
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        self.find(&mut loaded, &device, file).map(|_| ())
    }
    pub(crate) fn kernel(&self, device: &Device, stream: Stream, file: File, name: &'static CStr) -> Result<Kernel> {
        let mut loaded = self.loaded.lock().unwrap_or_else(PoisonError::into_inner);
        let arch = (device.major, device.minor);
        if !loaded.iter().any(|x| x.is(&file, arch)) && driver::capturing(stream)? {
            let expected = Value::Text("kernels that `prepare` has loaded before the capture");
            return Err(Error::new(Status::LaunchFailed, "stream", Value::Text("a stream under capture"), expected));
        }
        let at = self.find(&mut loaded, device, file)?;
        let Loaded { kernels, library, .. } = &mut loaded[at];
        if let Some((_, kernel)) = kernels.iter().find(|(known, _)| *known == name) {
            return Ok(*kernel);
        }
        let kernel = library.kernel(name)?;
        kernels.push((name, kernel));
        Ok(kernel)
    }
    fn find(&self, loaded: &mut Vec<Loaded>, device: &Device, file: File) -> Result<usize> {
        let arch = (device.major, device.minor);
        if let Some(at) = loaded.iter().position(|x| x.is(&file, arch)) {
            return Ok(at);
        }
        self.fill(loaded, arch, &[file])?;
        Ok(loaded.len() - 1)
    }
    /// Loads those of the files that are not there yet.
    fn fill(&self, loaded: &mut Vec<Loaded>, arch: (u32, u32), files: &[File]) -> Result<()> {
        let mut lacking = vec![];
        for &file in files {
            if loaded.iter().any(|x| x.is(&file, arch)) {
                continue;
            }
            match self.found(arch, file)? {
                Some(library) => loaded.push(Loaded::new(file, arch, library)),
                None => lacking.push(file),
            }
        }
        let compiled: Vec<_> = thread::scope(|s| {
            let each = lacking.iter().map(|file| s.spawn(|| compiled(arch, *file, self.fast()))).collect::<Vec<_>>();
            each.into_iter().map(|t| t.join().unwrap_or_else(|cause| panic::resume_unwind(cause))).collect()
        });
        for (file, image) in lacking.into_iter().zip(compiled) {
            loaded.push(Loaded::new(file, arch, self.keep(arch, file, &image?)?));
        }
        Ok(())
    }
    fn fast(&self) -> bool {
        self.options.mode == Mode::Fast
    }
    /// What was compiled beforehand, or by an earlier process.
    fn found(&self, arch: (u32, u32), file: File) -> Result<Option<Library>> {
        let fits = |i: &&Image| {
            i.file.as_bytes() == file.name.to_bytes() && i.key == file.key() && i.arch.0 == arch.0 && i.arch.1 <= arch.1
        };
        if !self.fast()
            && let Some(image) = self.options.images.iter().filter(fits).max_by_key(|i| i.arch.1)
            && let Ok(library) = Library::load(image.code)
        {
            return Ok(Some(library));
        }
        Ok(self.entry(arch, file)?.and_then(|entry| entry.read()).and_then(|image| Library::load(&image).ok()))
    }
    /// Its place in the folder of compiled kernels.
    fn entry(&self, arch: (u32, u32), file: File) -> Result<Option<Entry>> {
        let version = driver::compiler()?;
        Ok(self.options.cache_dir.as_ref().map(|dir| Entry::new(dir, arch, version, file, self.fast())))
    }
    /// Loads what has been compiled, and keeps it for the next process.
    fn keep(&self, arch: (u32, u32), file: File, image: &[u8]) -> Result<Library> {
        let library = Library::load(image)?;
        if let Some(entry) = self.entry(arch, file)? {
            entry.write(image);
        }
        Ok(library)
    }
}
fn compiled(arch: (u32, u32), file: File, fast: bool) -> Result<Vec<u8>> {
    let own = driver::compile(file.name, file.text, &HEADERS, &format!("sm_{}{}", arch.0, arch.1), fast)?;
    // a device that is newer than the compiler: the driver translates; `truing_wait` must be in it where launches overlap
    let virtual_arch = if arch.0 >= 9 { "compute_90" } else { "compute_80" };
    let image = match own {
        Some(image) => Some(image),
        None => driver::compile(file.name, file.text, &HEADERS, virtual_arch, fast)?,
    };
    let (got, expected) = (Value::Int((10 * arch.0 + arch.1) as i64), Value::Text("compute capability 8.0 or later"));
    image.ok_or(Error::new(Status::NoDevice, "device", got, expected))
}

/// FNV-1a: tells apart what is different by accident.
fn hash<'a>(parts: impl IntoIterator<Item = &'a [u8]>) -> u64 {
    let step = |h: u64, b: u8| (h ^ b as u64).wrapping_mul(0x100_0000_01b3);
    parts.into_iter().fold(0xcbf2_9ce4_8422_2325, |h, part| {
        // the length keeps "ab" "c" and "a" "bc" apart
        let h = (part.len() as u64).to_le_bytes().into_iter().fold(h, step);
        part.iter().copied().fold(h, step)
    })
}
/// A file of the cache: the hash of everything the image follows from, the hash of the image, the image.
struct Entry {
    path: PathBuf,
    key: u64,
}
impl Entry {
    fn new(dir: &Path, arch: (u32, u32), version: (i32, i32), file: File, fast: bool) -> Entry {
        let numbers = [arch.0, arch.1, version.0 as u32, version.1 as u32, fast as u32].map(u32::to_le_bytes);
        let key = hash([&file.key().to_le_bytes(), env!("CARGO_PKG_VERSION").as_bytes(), numbers.as_flattened()]);
        let stem = file.name.to_string_lossy().replace(".cu", "");
        Entry { path: dir.join(format!("truing-{stem}-sm_{}{}-{key:016x}.bin", arch.0, arch.1)), key }
    }
    fn read(&self) -> Option<Vec<u8>> {
        let all = fs::read(&self.path).ok()?;
        let (head, image) = all.split_at_checked(16)?;
        let want = [self.key, hash([image])].map(u64::to_le_bytes);
        (head == want.as_flattened()).then(|| image.to_vec())
    }
    /// Under a name of its own first: nobody reads half a file. A failure costs the next process a compilation.
    fn write(&self, image: &[u8]) {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        let own = self.path.with_extension(format!("{}.{count}", std::process::id()));
        let head = [self.key, hash([image])].map(u64::to_le_bytes);
        let whole = [head.as_flattened(), image].concat();
        if fs::write(&own, whole).and_then(|()| fs::rename(&own, &self.path)).is_err() {
            let _ = fs::remove_file(&own);
        }
    }
}
