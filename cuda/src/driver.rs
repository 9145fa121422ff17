//! The one file that touches the driver and NVRTC. Both are looked for at run time; what is missing is a status.
//!
//! Everything runs in the caller's current context (torch's is the primary one) on the caller's stream: nothing here makes
//! a context, allocates, synchronises or records an event. Where the tensors lie on another device than the current one,
//! [`Entered`] makes that device's primary context current for the time of the call, if somebody has made it.
use core::ffi::{CStr, c_char, c_int, c_void};
use core::marker::PhantomData;
use cudarc::driver::sys::{self, CUdevice_attribute, CUlibrary, CUresult, CUstreamCaptureStatus};
use cudarc::nvrtc::sys as nvrtc;
use std::ffi::CString;
use std::ptr;
use std::sync::OnceLock;
use truing_core::{Error, Result, Status, Value};

/// A stream of the caller's; null is the default stream.
#[derive(Clone, Copy, Debug)]
pub struct Stream(pub *mut c_void);
impl From<&cudarc::driver::CudaStream> for Stream {
    fn from(stream: &cudarc::driver::CudaStream) -> Stream {
        Stream(stream.cu_stream().cast())
    }
}

fn no_device(got: Value, expected: &'static str) -> Error {
    Error::new(Status::NoDevice, "device", got, Value::Text(expected))
}
fn check(call: &'static str, code: CUresult) -> Result<()> {
    match code {
        CUresult::CUDA_SUCCESS => Ok(()),
        code => Err(Error::new(Status::LaunchFailed, call, Value::Int(code as i64), Value::Text("CUDA_SUCCESS"))),
    }
}
/// Every entry point that is used: a driver that lacks one is refused before anything is called.
const DRIVER: [&CStr; 16] = [
    c"cuInit",
    c"cuDeviceGet",
    c"cuDevicePrimaryCtxGetState",
    c"cuDevicePrimaryCtxRetain",
    c"cuDevicePrimaryCtxRelease_v2",
    c"cuCtxGetCurrent",
    c"cuCtxPushCurrent_v2",
    c"cuCtxPopCurrent_v2",
    c"cuCtxGetDevice",
    c"cuDeviceGetAttribute",
    c"cuLibraryLoadData",
    c"cuLibraryGetKernel",
    c"cuKernelSetAttribute",
    c"cuLaunchKernel",
    c"cuLaunchKernelEx",
    c"cuStreamIsCapturing",
];
const COMPILER: [&CStr; 10] = [
    c"nvrtcVersion",
    c"nvrtcCreateProgram",
    c"nvrtcCompileProgram",
    c"nvrtcDestroyProgram",
    c"nvrtcGetProgramLogSize",
    c"nvrtcGetProgramLog",
    c"nvrtcGetCUBINSize",
    c"nvrtcGetCUBIN",
    c"nvrtcGetPTXSize",
    c"nvrtcGetPTX",
];
macro_rules! has_all {
    ($library:expr, $names:expr) => {
        // SAFETY: the symbols are looked up, not called.
        $names.iter().all(|name| unsafe { $library.get::<unsafe extern "C" fn()>(name.to_bytes_with_nul()).is_ok() })
    };
}

/// Whether there is a driver that this crate can use. Everything else calls it first.
pub fn available() -> Result<()> {
    static ANSWER: OnceLock<Result<()>> = OnceLock::new();
    *ANSWER.get_or_init(|| {
        // SAFETY: loads the library if there is one.
        if !unsafe { sys::is_culib_present() } {
            return Err(no_device(Value::Text("no libcuda"), "the CUDA driver"));
        }
        // SAFETY: it is there.
        let library = unsafe { sys::culib() };
        if !has_all!(library, DRIVER) {
            return Err(no_device(Value::Text("an older driver"), "a driver of CUDA 12 or later"));
        }
        // SAFETY: no precondition.
        match unsafe { sys::cuInit(0) } {
            CUresult::CUDA_SUCCESS => Ok(()),
            code => Err(no_device(Value::Int(code as i64), "cuInit to succeed")),
        }
    })
}

/// The device of the caller's current context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Device {
    /// Compute capability.
    pub major: u32,
    /// Its second part.
    pub minor: u32,
    /// Number of multiprocessors.
    pub multiprocessors: u32,
    /// Most bytes of shared memory that a block of threads can have.
    pub shared: u32,
    /// The driver's handle.
    device: sys::CUdevice,
}
impl Device {
    /// Of the current context of this thread.
    pub fn current() -> Result<Device> {
        available()?;
        let mut context = ptr::null_mut();
        // SAFETY: writes one handle.
        check("cuCtxGetCurrent", unsafe { sys::cuCtxGetCurrent(&mut context) })?;
        if context.is_null() {
            return Err(no_device(Value::Text("no current context"), "a CUDA context that is current on this thread"));
        }
        let mut device = 0;
        // SAFETY: writes one number.
        check("cuCtxGetDevice", unsafe { sys::cuCtxGetDevice(&mut device) })?;
        let attribute = |which| {
            let mut value: c_int = 0;
            // SAFETY: writes one number.
            check("cuDeviceGetAttribute", unsafe { sys::cuDeviceGetAttribute(&mut value, which, device) })?;
            Ok(value as u32)
        };
        Ok(Device {
            major: attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?,
            minor: attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?,
            multiprocessors: attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?,
            shared: attribute(CUdevice_attribute::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN)?,
            device,
        })
    }
}

/// The context of a device is current as long as this lives; then what was current is again.
#[derive(Debug)]
#[must_use]
pub struct Entered {
    pushed: Option<i32>,
    /// What is current belongs to a thread.
    thread: PhantomData<*const ()>,
}
impl Entered {
    /// Leaves the current context as it is where it belongs to device number `ordinal`, else pushes that device's primary
    /// context, which the caller (or the run-time library in its place) has made.
    pub fn new(ordinal: i32) -> Result<Entered> {
        available()?;
        let (mut current, mut device) = (ptr::null_mut(), 0);
        // SAFETY: writes one handle.
        check("cuCtxGetCurrent", unsafe { sys::cuCtxGetCurrent(&mut current) })?;
        if !current.is_null() {
            // SAFETY: writes one number.
            check("cuCtxGetDevice", unsafe { sys::cuCtxGetDevice(&mut device) })?;
            if device == ordinal {
                return Ok(Entered { pushed: None, thread: PhantomData });
            }
        }
        // SAFETY: writes one number.
        if unsafe { sys::cuDeviceGet(&mut device, ordinal) } != CUresult::CUDA_SUCCESS {
            return Err(no_device(Value::Int(ordinal.into()), "the number of a device"));
        }
        let (mut flags, mut active) = (0, 0);
        // SAFETY: writes two numbers.
        let code = unsafe { sys::cuDevicePrimaryCtxGetState(device, &mut flags, &mut active) };
        check("cuDevicePrimaryCtxGetState", code)?;
        if active == 0 {
            return Err(no_device(
                Value::Text("no context of the tensors' device"),
                "a CUDA context, made by the caller",
            ));
        }
        // SAFETY: the primary context exists; it is given back when this value is dropped.
        unsafe {
            check("cuDevicePrimaryCtxRetain", sys::cuDevicePrimaryCtxRetain(&mut current, device))?;
            if let Err(e) = check("cuCtxPushCurrent", sys::cuCtxPushCurrent_v2(current)) {
                let _ = sys::cuDevicePrimaryCtxRelease_v2(device);
                return Err(e);
            }
        }
        Ok(Entered { pushed: Some(device), thread: PhantomData })
    }
}
impl Drop for Entered {
    fn drop(&mut self) {
        let Some(device) = self.pushed else { return };
        let mut popped = ptr::null_mut();
        // SAFETY: pushed and retained by `new`, on this thread.
        unsafe {
            let _ = sys::cuCtxPopCurrent_v2(&mut popped);
            let _ = sys::cuDevicePrimaryCtxRelease_v2(device);
        }
    }
}

/// Whether launches on `stream` go into a graph: nothing can be loaded then.
pub fn capturing(stream: Stream) -> Result<bool> {
    let mut status = CUstreamCaptureStatus::CU_STREAM_CAPTURE_STATUS_NONE;
    // SAFETY: the caller's stream; writes one number.
    check("cuStreamIsCapturing", unsafe { sys::cuStreamIsCapturing(stream.0.cast(), &mut status) })?;
    Ok(status != CUstreamCaptureStatus::CU_STREAM_CAPTURE_STATUS_NONE)
}

/// Loaded machine code, for every context of the process. It stays: a stream or a captured graph may still hold its kernels
/// when nobody here does.
#[derive(Debug)]
pub struct Library(CUlibrary);
// SAFETY: the driver's handles may be used from every thread.
unsafe impl Send for Library {}
// SAFETY: as above.
unsafe impl Sync for Library {}
impl Library {
    /// Loads a cubin, or PTX text that ends in a 0.
    pub fn load(image: &[u8]) -> Result<Library> {
        available()?;
        let (mut library, none) = (ptr::null_mut(), ptr::null_mut());
        // SAFETY: the image is whole (a cubin knows its length, text ends in a 0); no options are given.
        let code = unsafe {
            sys::cuLibraryLoadData(
                &mut library,
                image.as_ptr().cast(),
                none,
                none.cast(),
                0,
                none.cast(),
                none.cast(),
                0,
            )
        };
        check("cuLibraryLoadData", code)?;
        Ok(Library(library))
    }
    /// A kernel by its name.
    pub fn kernel(&self, name: &CStr) -> Result<Kernel> {
        let mut kernel = ptr::null_mut();
        // SAFETY: the library is loaded.
        check("cuLibraryGetKernel", unsafe { sys::cuLibraryGetKernel(&mut kernel, self.0, name.as_ptr()) })?;
        Ok(Kernel(kernel))
    }
}
/// How many threads a launch has.
#[derive(Clone, Copy, Debug)]
pub struct Grid {
    /// Blocks, a multiple of `cluster`.
    pub blocks: u32,
    /// Threads of a block.
    pub threads: u32,
    /// Blocks of a cluster, 1 to 8; more than 1 from compute capability 9.0 on only.
    pub cluster: u32,
    /// Bytes of shared memory of a block, beside what the kernel declares.
    pub shared: u32,
}
impl Grid {
    /// Blocks on their own.
    pub const fn new(blocks: u32, threads: u32) -> Grid {
        Grid { blocks, threads, cluster: 1, shared: 0 }
    }
}
/// Shared memory that every kernel may have unasked.
const SHARED: u32 = 48 << 10;

/// A kernel of a [`Library`].
#[derive(Clone, Copy, Debug)]
pub struct Kernel(sys::CUkernel);
// SAFETY: as for the library.
unsafe impl Send for Kernel {}
// SAFETY: as for the library.
unsafe impl Sync for Kernel {}
impl Kernel {
    /// Enqueues it with one argument. From compute capability 9.0 on its blocks may get ready while the launch before it on
    /// the stream ends: every kernel waits for that end in its first statement (`truing_wait` of the kernels).
    ///
    /// # Safety
    /// The kernel takes one `A`, its library is loaded, and what `args` points to is as the kernel expects it, until the
    /// stream has passed it.
    pub unsafe fn launch<A: Copy>(self, device: &Device, stream: Stream, grid: Grid, args: &A) -> Result<()> {
        let Grid { blocks, threads, cluster, shared } = grid;
        let mut args = [ptr::from_ref(args).cast_mut().cast::<c_void>()];
        let (kernel, stream, none) = (self.0.cast(), stream.0.cast(), ptr::null_mut());
        if shared > SHARED {
            let which = sys::CUfunction_attribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
            // SAFETY: sets a number of this kernel, the same every time: calls of other sizes may run beside this one.
            let code = unsafe { sys::cuKernelSetAttribute(which, device.shared as c_int, self.0, device.device) };
            check("cuKernelSetAttribute", code)?;
        }
        if device.major < 9 {
            // SAFETY: the caller's promise; the driver copies the argument before it returns.
            let code = unsafe {
                sys::cuLaunchKernel(kernel, blocks, 1, 1, threads, 1, 1, shared, stream, args.as_mut_ptr(), none)
            };
            return check("cuLaunchKernel", code);
        }
        let attribute = |id, value| sys::CUlaunchAttribute { id, pad: [0; 4], value };
        let mut attributes = [
            attribute(
                sys::CUlaunchAttributeID::CU_LAUNCH_ATTRIBUTE_PROGRAMMATIC_STREAM_SERIALIZATION,
                sys::CUlaunchAttributeValue { programmaticStreamSerializationAllowed: 1 },
            ),
            attribute(
                sys::CUlaunchAttributeID::CU_LAUNCH_ATTRIBUTE_CLUSTER_DIMENSION,
                sys::CUlaunchAttributeValue {
                    clusterDim: sys::CUlaunchAttributeValue_union__bindgen_ty_1 { x: cluster, y: 1, z: 1 },
                },
            ),
        ];
        let config = sys::CUlaunchConfig {
            gridDimX: blocks,
            gridDimY: 1,
            gridDimZ: 1,
            blockDimX: threads,
            blockDimY: 1,
            blockDimZ: 1,
            sharedMemBytes: shared,
            hStream: stream,
            attrs: attributes.as_mut_ptr(),
            numAttrs: if cluster > 1 { 2 } else { 1 },
        };
        // SAFETY: as above; the driver copies the attributes too.
        check("cuLaunchKernelEx", unsafe { sys::cuLaunchKernelEx(&config, kernel, args.as_mut_ptr(), none) })
    }
}

/// Version of the compiler.
pub fn compiler() -> Result<(i32, i32)> {
    static ANSWER: OnceLock<Result<(i32, i32)>> = OnceLock::new();
    *ANSWER.get_or_init(|| {
        // SAFETY: loads the library if there is one.
        if !unsafe { nvrtc::is_culib_present() } {
            return Err(no_device(Value::Text("no libnvrtc"), "NVRTC, which compiles the kernels"));
        }
        // SAFETY: it is there.
        let library = unsafe { nvrtc::culib() };
        if !has_all!(library, COMPILER) {
            return Err(no_device(Value::Text("an older libnvrtc"), "NVRTC of CUDA 12 or later"));
        }
        let (mut major, mut minor) = (0, 0);
        // SAFETY: writes two numbers.
        let code = unsafe { nvrtc::nvrtcVersion(&mut major, &mut minor) };
        if code as u32 == 0 {
            Ok((major, minor))
        } else {
            Err(no_device(Value::Int(code as i64), "nvrtcVersion to succeed"))
        }
    })
}
/// Compiles `text`, whose includes are among `headers` (name, text), to a cubin for `arch` (`sm_90`) or to PTX
/// (`compute_80`); `fast`: of the mode `fast`. `None`: this compiler does not know the architecture.
pub fn compile(name: &CStr, text: &str, headers: &[(&CStr, &str)], arch: &str, fast: bool) -> Result<Option<Vec<u8>>> {
    compiler()?;
    let failed = |got| Error::new(Status::Internal, "kernels", got, Value::Text("text that compiles"));
    let c = |s: &str| CString::new(s).map_err(|_| failed(Value::Text("text with a 0")));
    let text = c(text)?;
    let texts = headers.iter().map(|(_, text)| c(text)).collect::<Result<Vec<_>>>()?;
    let texts: Vec<*const c_char> = texts.iter().map(|s| s.as_ptr()).collect();
    let names: Vec<*const c_char> = headers.iter().map(|(name, _)| name.as_ptr()).collect();
    let arch = c(&format!("--gpu-architecture={arch}"))?;
    let mut options = vec![arch.as_ptr(), c"--std=c++17".as_ptr(), c"--fmad=false".as_ptr()];
    if fast {
        options.push(c"-DTRUING_FAST".as_ptr());
    }
    let plain = !arch.to_bytes().starts_with(b"--gpu-architecture=compute_");
    let mut program = ptr::null_mut();
    let count = headers.len() as c_int;
    // SAFETY: every string ends in a 0 and outlives the program.
    let code = unsafe {
        let (texts, names) = (texts.as_ptr(), names.as_ptr());
        nvrtc::nvrtcCreateProgram(&mut program, text.as_ptr(), name.as_ptr(), count, texts, names)
    };
    if code as u32 != 0 {
        return Err(failed(Value::Int(code as i64)));
    }
    // SAFETY: the program was made above.
    let code = unsafe { nvrtc::nvrtcCompileProgram(program, options.len() as c_int, options.as_ptr()) };
    let read = |size: unsafe fn(nvrtc::nvrtcProgram, *mut usize) -> nvrtc::nvrtcResult,
                get: unsafe fn(nvrtc::nvrtcProgram, *mut c_char) -> nvrtc::nvrtcResult| {
        let mut n = 0;
        // SAFETY: the program was made above; `out` has the length that NVRTC names.
        unsafe {
            size(program, &mut n);
            let mut out = vec![0u8; n];
            get(program, out.as_mut_ptr().cast());
            out
        }
    };
    let result = match code {
        nvrtc::nvrtcResult::NVRTC_SUCCESS if plain => Ok(Some(read(nvrtc::nvrtcGetCUBINSize, nvrtc::nvrtcGetCUBIN))),
        nvrtc::nvrtcResult::NVRTC_SUCCESS => Ok(Some(read(nvrtc::nvrtcGetPTXSize, nvrtc::nvrtcGetPTX))),
        nvrtc::nvrtcResult::NVRTC_ERROR_INVALID_OPTION => Ok(None),
        _ => {
            let log = read(nvrtc::nvrtcGetProgramLogSize, nvrtc::nvrtcGetProgramLog);
            // an error lives as long as the caller likes; this one ends the use of the backend
            Err(failed(Value::Text(String::from_utf8_lossy(&log).into_owned().leak())))
        }
    };
    // SAFETY: made above, not used again.
    unsafe { nvrtc::nvrtcDestroyProgram(&mut program) };
    result
}
