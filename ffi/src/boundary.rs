//! The one wrapper around every exported function, and the rules that every argument struct obeys: panics stop
//! here, errors become a status and a message, structs of older and newer callers are read safely.
use crate::abi::*;
use crate::tensor::Call;
use core::cell::UnsafeCell;
use core::ffi::c_char;
use core::fmt::{self, Write};
use core::panic::UnwindSafe;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use truing_core::advantage::{
    Distill, GaeParams, GroupOptions, MinNormWeights, MultiObjective, OptimalTokenBaseline, PamaScalars,
    PrimeAdvantage, Rule, TokenReward, Whiten,
};
use truing_core::batch::{AStarValue, BetaDpoStats, HindsightTarget, ItemRule};
use truing_core::catalog::Param;
use truing_core::classes::{self, Orchestrator};
use truing_core::correction::{CovSelect, FipoWeight};
use truing_core::{Error, Result, Status, Value, catalog};

/// Runs the body of an exported function. A panic ends here as `TRUING_STATUS_INTERNAL`; its payload is dropped under
/// a second guard, because dropping it may panic as well.
pub(crate) fn guard(function: &'static str, body: impl FnOnce() -> Result<()>) -> truing_status {
    let _environment = FloatEnvironment::enter();
    match catch_unwind(AssertUnwindSafe(body)) {
        Ok(Ok(())) => TRUING_STATUS_OK,
        Ok(Err(error)) => {
            remember(format_args!("{function}: {}{error}", group(function, error.field)));
            error.status as truing_status
        }
        Err(payload) => {
            remember(format_args!("{function}: a bug of the library was caught: {}", text(&*payload)));
            discard(payload);
            TRUING_STATUS_INTERNAL
        }
    }
}

/// The operations that are no losses, and their parameters.
const OPERATIONS: [(&str, &[&[Param]]); 26] = [
    ("truing_beta_dpo_stats", &[&BetaDpoStats::PARAMS]),
    ("truing_density_ratio", &[&ItemRule::DENSITY_RATIO]),
    ("truing_odpo_offset", &[&ItemRule::ODPO_OFFSET]),
    ("truing_mm_beta", &[&ItemRule::MM_BETA]),
    ("truing_pdu_dual_step", &[&ItemRule::DUAL_STEP]),
    ("truing_a_star_value", &[&AStarValue::PARAMS]),
    ("truing_hindsight_target", &[&HindsightTarget::PARAMS]),
    ("truing_confidence_ce", &[&classes::Rule::CONFIDENCE_CE]),
    ("truing_product_target", &[&classes::Rule::PRODUCT_TARGET]),
    ("truing_preference_orchestrator", &[&Orchestrator::PARAMS]),
    ("truing_group_advantage", &[&GroupOptions::PARAMS]),
    ("truing_pass_k_advantage", &[&GroupOptions::PARAMS]),
    ("truing_multi_objective_advantage", &[&MultiObjective::PARAMS]),
    ("truing_gae", &[&GaeParams::PARAMS]),
    ("truing_discounted_return", &[&GaeParams::PARAMS]),
    ("truing_whiten", &[&Whiten::PARAMS]),
    ("truing_optimal_token_baseline", &[&OptimalTokenBaseline::PARAMS]),
    ("truing_prime_advantage", &[&PrimeAdvantage::PARAMS]),
    ("truing_distill_advantage", &[&Distill::OPD, &Distill::IW_OPD, &Distill::RLSD, &Distill::MINILLM]),
    ("truing_pama_scalars", &[&PamaScalars::PARAMS]),
    ("truing_min_norm_weights", &[&MinNormWeights::PARAMS]),
    ("truing_token_reward", &[&TokenReward::PARAMS]),
    ("truing_kl_controller", &[&Rule::KL]),
    ("truing_entropy_controller", &[&Rule::ENTROPY]),
    ("truing_cov_select", &[&CovSelect::PARAMS]),
    ("truing_fipo_weight", &[&FipoWeight::PARAMS]),
];

/// The group of the function's struct that holds a field which the core names without it: the core knows one name for a
/// setting, whichever struct it came in.
fn group(function: &str, field: &str) -> &'static str {
    let own = OPERATIONS.iter().find(|(name, _)| function.starts_with(name)).map_or(&[][..], |(_, params)| params);
    if own.iter().flat_map(|p| p.iter()).any(|param| param.name == field) {
        return "params.";
    }
    let losses = ["preference_forward", "policy_forward"].iter().any(|name| function.contains(name));
    let (linear, policy) = (function.starts_with("truing_linear_"), function.starts_with("truing_policy_"));
    match field {
        _ if linear && field.starts_with("transform.") => "head.",
        "cu_seqlens" | "mask" if linear => "rows.",
        "cu_seqlens" if policy => "inputs.",
        _ if !losses => "",
        "num_params" if policy => "inputs.loss.",
        "num_params" => "loss.",
        _ if policy && field.starts_with("loss.") => "inputs.",
        _ if !catalog::ALL.iter().any(|entry| entry.params.iter().any(|param| param.name == field)) => "",
        _ if policy => "inputs.loss.params.",
        _ => "loss.params.",
    }
}

/// The default floating-point environment for the time of a call. A host may have switched its thread to flushing denormals
/// or to another rounding (a library built with fast-math does it on load): the bits would then differ from those of the
/// pool's threads, and Rust assumes the default anyway.
struct FloatEnvironment {
    caller: Control,
}
#[cfg(target_arch = "x86_64")]
type Control = u32;
#[cfg(target_arch = "aarch64")]
type Control = u64;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
type Control = ();
/// All exceptions masked, round to nearest, no flushing.
#[cfg(target_arch = "x86_64")]
const DEFAULT: Control = 0x1f80;
#[cfg(target_arch = "aarch64")]
const DEFAULT: Control = 0;
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
const DEFAULT: Control = ();

impl FloatEnvironment {
    fn enter() -> Self {
        // Miri has no assembly, and no other environment than the default
        let caller = if cfg!(miri) { DEFAULT } else { control() };
        if caller != DEFAULT {
            set_control(DEFAULT);
        }
        FloatEnvironment { caller }
    }
}
impl Drop for FloatEnvironment {
    fn drop(&mut self) {
        if self.caller != DEFAULT {
            set_control(self.caller);
        }
    }
}
#[cfg(target_arch = "x86_64")]
fn control() -> Control {
    let mut word = 0u32;
    // SAFETY: stores the control word into `word`; SSE is part of the x86-64 baseline.
    unsafe { core::arch::asm!("stmxcsr [{}]", in(reg) &mut word, options(nostack, preserves_flags)) };
    word & !0x3f // without the sticky exception flags
}
#[cfg(target_arch = "x86_64")]
fn set_control(word: Control) {
    // SAFETY: `word` is the default or what `control` has read, so no reserved bit is set.
    unsafe { core::arch::asm!("ldmxcsr [{}]", in(reg) &word, options(nostack, preserves_flags, readonly)) };
}
#[cfg(target_arch = "aarch64")]
fn control() -> Control {
    let word: u64;
    // SAFETY: reads the thread's own control register.
    unsafe { core::arch::asm!("mrs {}, fpcr", out(reg) word, options(nomem, nostack, preserves_flags)) };
    word
}
#[cfg(target_arch = "aarch64")]
fn set_control(word: Control) {
    // SAFETY: writes the default or what `control` has read.
    unsafe { core::arch::asm!("msr fpcr, {}", in(reg) word, options(nomem, nostack, preserves_flags)) };
}
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn control() -> Control {}
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
fn set_control(_: Control) {}

/// [`guard`] for the few functions that return something else than a status; `otherwise` is what a panic returns.
pub(crate) fn guard_value<T>(otherwise: T, body: impl FnOnce() -> T + UnwindSafe) -> T {
    catch_unwind(body).unwrap_or_else(|payload| {
        discard(payload);
        otherwise
    })
}

fn discard(payload: Box<dyn Any + Send>) {
    if let Err(second) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        // A payload whose drop panics with a payload: the second one is leaked, there is no end to this otherwise.
        core::mem::forget(second);
    }
}
fn text(payload: &(dyn Any + Send)) -> &str {
    match (payload.downcast_ref::<&'static str>(), payload.downcast_ref::<String>()) {
        (Some(text), _) => text,
        (_, Some(text)) => text,
        _ => "a panic without words",
    }
}

/// Bytes of the message buffer of a thread, final NUL included.
const MESSAGE: usize = 512;

/// UTF-8 in a fixed buffer, cut at the end, with a NUL behind it.
struct Message {
    bytes: [u8; MESSAGE],
    len: usize,
}
impl Write for Message {
    fn write_str(&mut self, s: &str) -> fmt::Result {
        let mut n = s.len().min(MESSAGE - 1 - self.len);
        while !s.is_char_boundary(n) {
            n -= 1;
        }
        self.bytes[self.len..self.len + n].copy_from_slice(&s.as_bytes()[..n]);
        self.len += n;
        self.bytes[self.len] = 0;
        if n == s.len() { Ok(()) } else { Err(fmt::Error) }
    }
}

thread_local! {
    // Constant and without a destructor: reading it neither allocates nor fails at the end of a thread.
    static LAST: UnsafeCell<Message> = const { UnsafeCell::new(Message { bytes: [0; MESSAGE], len: 0 }) };
}

fn remember(text: fmt::Arguments) {
    LAST.with(|last| {
        // SAFETY: the cell belongs to this thread, and formatting an `Error` or a panic's words calls nothing that
        // could come back here.
        let message = unsafe { &mut *last.get() };
        message.len = 0;
        message.bytes[0] = 0;
        // An error means that the text was cut, which is what a fixed buffer does.
        let _ = message.write_fmt(text);
    });
}

/// The message of the latest failed call of this thread: function, field, what it held, what was expected. Never
/// NULL, empty before the first failure, overwritten by the next failed call of this thread.
#[unsafe(no_mangle)]
pub extern "C" fn truing_last_error() -> *const c_char {
    guard_value(c"".as_ptr(), || LAST.with(|last| last.get().cast::<c_char>().cast_const()))
}

/// `TRUING_ABI_VERSION` of this library. A caller compiled for another number must not call anything else.
#[unsafe(no_mangle)]
pub extern "C" fn truing_abi_version() -> u32 {
    guard_value(0, || TRUING_ABI_VERSION)
}

/// Version of this library, "0.1.0". Saved statistics (`out_stats`, `out_pair_stats`) are valid for one version only.
#[unsafe(no_mangle)]
pub extern "C" fn truing_version() -> *const c_char {
    guard_value(c"".as_ptr(), || concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast())
}

/// No struct will ever be this long; a larger `struct_size` is memory that was never set.
const LONGEST: usize = 1 << 14;

/// Copies the caller's struct, which starts with its `struct_size`. One that is shorter than ours, but not shorter than
/// version 1, gets zeros for what it lacks; a longer one must be zero where we know no fields. Reserved bytes must be 0.
///
/// # Safety
/// `T` begins with `struct_size: u32`. `args` is NULL or points to at least `max(4, struct_size)` readable bytes.
pub(crate) unsafe fn read<T: Abi>(args: *const T) -> Result<T> {
    const { assert!(T::V1_SIZE >= 4 && T::V1_SIZE <= size_of::<T>() && size_of::<T>() <= LONGEST) };
    pointer("args", args)?;
    // SAFETY: not NULL and aligned, readable by this function's contract.
    let size = unsafe { args.cast::<u32>().read() } as usize;
    let wrong = |expected| Err(Error::new(Status::AbiMismatch, "struct_size", Value::Size(size), expected));
    if size < T::V1_SIZE {
        return wrong(Value::Range { min: T::V1_SIZE as f64, max: LONGEST as f64, min_open: false, max_open: false });
    }
    if size > LONGEST {
        return wrong(Value::Size(size_of::<T>()));
    }
    // SAFETY: `struct_size` bytes are readable by contract.
    let bytes = unsafe { core::slice::from_raw_parts(args.cast::<u8>(), size) };
    let known = size.min(size_of::<T>());
    if bytes[known..].iter().any(|&b| b != 0) {
        return wrong(Value::Text("zeros behind the fields that this version knows"));
    }
    let mut own = T::ZERO;
    // SAFETY: `own` is plain data without padding of which any pattern of bits is a value (`Abi`: integers, floats,
    // raw pointers).
    let ours = unsafe { core::slice::from_raw_parts_mut((&raw mut own).cast::<u8>(), size_of::<T>()) };
    ours[..known].copy_from_slice(&bytes[..known]);
    reserved(&own)?;
    Ok(own)
}

/// Refuses a struct whose reserved bytes are not 0.
pub(crate) fn reserved<T: Abi>(value: &T) -> Result<()> {
    // SAFETY: plain data without padding (`Abi`), so every byte is initialised.
    let bytes = unsafe { core::slice::from_raw_parts(core::ptr::from_ref(value).cast::<u8>(), size_of::<T>()) };
    for field in T::RESERVED {
        if bytes[field.offset..][..field.size].iter().any(|&b| b != 0) {
            return Err(Error::invalid(
                field.name,
                Value::Text("a value that is not 0"),
                Value::Text("0, the field is reserved"),
            ));
        }
    }
    Ok(())
}

/// Refuses NULL and a pointer that is not aligned to its type.
pub(crate) fn pointer<T>(field: &'static str, p: *const T) -> Result<()> {
    if p.is_null() {
        return Err(Error::invalid(field, Value::Text("NULL"), Value::Text("a pointer")));
    }
    if !p.is_aligned() {
        return Err(Error::invalid(field, Value::Text("an unaligned pointer"), Value::Text("one aligned to its type")));
    }
    Ok(())
}

/// A host array of the caller; NULL only with length 0.
///
/// # Safety
/// `p` is NULL or points to `len` readable elements that nothing writes to during the call.
pub(crate) unsafe fn array<'a, T>(field: &'static str, p: *const T, len: usize) -> Result<&'a [T]> {
    if len == 0 {
        return Ok(&[]);
    }
    pointer(field, p)?;
    if len.checked_mul(size_of::<T>()).is_none_or(|n| n > isize::MAX as usize || (p as usize).checked_add(n).is_none())
    {
        return Err(Error::invalid(field, Value::Size(len), Value::Text("a length that fits the address space")));
    }
    // SAFETY: not NULL, aligned and inside the address space; readable and constant by contract.
    Ok(unsafe { core::slice::from_raw_parts(p, len) })
}

/// The numbers of an operation, a host array `params`. Those that no operation has are refused before they are read.
///
/// # Safety
/// As for [`array`].
pub(crate) unsafe fn numbers<'a>(p: *const f64, len: usize) -> Result<&'a [f64]> {
    const MOST: usize = 8;
    if len > MOST {
        return Err(Error::invalid("num_params", Value::Size(len), Value::Below(0, MOST as i64 + 1)));
    }
    // SAFETY: this function's contract.
    unsafe { array("params", p, len) }
}

/// A field that says yes or no.
pub(crate) fn yes(field: &'static str, x: u32) -> Result<bool> {
    match x {
        0 => Ok(false),
        1 => Ok(true),
        other => unknown(field, other, "0 or 1"),
    }
}

/// Refuses bits that the call does not know.
pub(crate) fn flags(got: u64, known: u64) -> Result<()> {
    bits("flags", got, known)
}
/// [`flags`] of a struct inside the call's.
pub(crate) fn bits(field: &'static str, got: u64, known: u64) -> Result<()> {
    if got & !known == 0 {
        return Ok(());
    }
    let unknown = got & !known;
    Err(Error::invalid(
        field,
        Value::Int((unknown & unknown.wrapping_neg()) as i64),
        Value::Text("only flags that this call knows"),
    ))
}

/// Fields that can be at rest.
pub(crate) trait AtRest {
    fn at_rest(&self) -> bool;
}
macro_rules! at_rest {
    ($($t:ty),*) => {$( impl AtRest for $t { fn at_rest(&self) -> bool { *self == (0 as $t) } } )*};
}
at_rest!(u32, u64, i32, i64, usize, f64);
impl<T> AtRest for *const T {
    fn at_rest(&self) -> bool {
        self.is_null()
    }
}
impl<T> AtRest for *mut T {
    fn at_rest(&self) -> bool {
        self.is_null()
    }
}
impl<const N: usize> AtRest for [u8; N] {
    fn at_rest(&self) -> bool {
        self.iter().all(|&b| b == 0)
    }
}

pub(crate) fn unserved<T: AtRest>(field: &'static str, value: &T) -> Result<()> {
    if value.at_rest() {
        return Ok(());
    }
    Err(Error::invalid(field, Value::Text("a value"), Value::Text("0 or NULL: nothing reads it here")))
}

/// `unavailable!(args; shard.vocab_end)`, or `unavailable!("shard", shard; vocab_end)` for a group on its own, refuses
/// the first of the named fields that is set: the struct has it, nothing reads it with what else the call says.
macro_rules! unavailable {
    ($args:expr; $($first:ident $(. $more:ident)*),* $(,)?) => {
        $( $crate::boundary::unserved(concat!(stringify!($first) $(, ".", stringify!($more))*), &$args.$first $(.$more)*)?; )*
    };
    ($group:literal, $args:expr; $($field:ident),* $(,)?) => {
        $( $crate::boundary::unserved(concat!($group, ".", stringify!($field)), &$args.$field)?; )*
    };
}
pub(crate) use unavailable;

/// Refuses a field that another choice of the caller makes meaningless.
pub(crate) fn idle<T: AtRest>(field: &'static str, value: &T, expected: &'static str) -> Result<()> {
    if value.at_rest() { Ok(()) } else { Err(Error::invalid(field, Value::Text("a value"), Value::Text(expected))) }
}
/// A value that is not one of an enum's.
pub(crate) fn unknown<T>(field: &'static str, got: u32, expected: &'static str) -> Result<T> {
    Err(Error::invalid(field, Value::Int(got.into()), Value::Text(expected)))
}
/// A host factor, of which 0 means 1.
pub(crate) fn factor(x: f64) -> f64 {
    if x == 0.0 { 1.0 } else { x }
}
/// The factor `grad_scale`, of which 0 means 0 with its flag.
pub(crate) fn grad_scale(x: f64, flags: u64) -> f64 {
    if flags & TRUING_HAS_GRAD_SCALE != 0 { x } else { factor(x) }
}

/// Checks the size that a caller names for the elements of a host array of structs; 0 is that of version 1.
pub(crate) fn element_size<T: Abi>(field: &'static str, size: u32) -> Result<()> {
    // A struct that has grown needs a strided copy here, as in `read`.
    const { assert!(size_of::<T>() == T::V1_SIZE) };
    match size as usize {
        0 => Ok(()),
        n if n == T::V1_SIZE => Ok(()),
        n => Err(Error::new(Status::AbiMismatch, field, Value::Size(n), Value::Size(T::V1_SIZE))),
    }
}

/// Body of the `_workspace_size` function of a call that needs none.
///
/// # Safety
/// As for [`Call::open`] and [`sizes`].
pub(crate) unsafe fn no_workspace<T: Args>(
    args: *const T,
    flags: u64,
    minimum: *mut usize,
    preferred: *mut usize,
) -> Result<()> {
    // SAFETY: this function's contract.
    unsafe {
        Call::open(args, flags)?;
        sizes(minimum, preferred, (0, 0))
    }
}

/// Writes the two results of a `_workspace_size` function; either place may be NULL.
///
/// # Safety
/// `minimum` and `preferred` are NULL or point to a writable `size_t`.
pub(crate) unsafe fn sizes(minimum: *mut usize, preferred: *mut usize, need: (usize, usize)) -> Result<()> {
    for (field, place) in [("minimum", minimum), ("preferred", preferred)] {
        if !place.is_null() {
            pointer(field, place)?;
        }
    }
    for (place, value) in [(minimum, need.0), (preferred, need.1)] {
        if !place.is_null() {
            // SAFETY: aligned, checked above; writable by contract.
            unsafe { place.write(value) };
        }
    }
    Ok(())
}

/// Panics inside the guard, in the way that `kind` names. For the test of the boundary, which exports it; a program that
/// links the library holds nothing of it.
#[doc(hidden)]
pub fn test_panic(kind: u32) -> truing_status {
    guard("truing_test_panic", || {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("a payload that panics when it is dropped");
            }
        }
        match kind {
            0 => Ok(()),
            1 => panic!("on request"),
            2 => std::panic::panic_any(Bomb),
            n => panic!("on request, number {n}"),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// As a struct that has grown by `late` since version 1.
    #[repr(C)]
    #[derive(Clone, Copy, Default)]
    struct Grown {
        struct_size: u32,
        early: u32,
        late: u64,
    }
    impl Layout for Grown {
        const NAME: &'static str = "grown";
        const FIELDS: &'static [Field] = &[];
        const RESERVED: &'static [Field] = &[Field { name: "reserved", offset: 15, size: 1 }];
    }
    // SAFETY: repr(C), size first, no padding, integers only.
    unsafe impl Abi for Grown {
        const V1_SIZE: usize = 8;
        const ZERO: Grown = Grown { struct_size: 0, early: 0, late: 0 };
    }
    fn read_words(words: &[u32]) -> Result<Grown> {
        let mut place = [0u64; 16];
        for (i, w) in words.iter().enumerate() {
            place[i / 2] |= u64::from(*w) << (32 * (i % 2));
        }
        // SAFETY: 128 bytes, more than any size used here (the refused ones are not read).
        unsafe { read(place.as_ptr().cast::<Grown>()) }
    }

    #[test]
    fn struct_size_protocol() {
        let status = |words: &[u32]| read_words(words).err().map(|e| (e.status, e.field));
        assert_eq!(status(&[7, 1]), Some((Status::AbiMismatch, "struct_size")), "below version 1");
        assert_eq!(status(&[0, 1]), Some((Status::AbiMismatch, "struct_size")));
        let old = read_words(&[8, 5, 6, 7]).unwrap();
        assert_eq!((old.early, old.late), (5, 0), "what an old caller lacks is zero, not its neighbouring memory");
        let between = read_words(&[12, 5, 6, 7]).unwrap();
        assert_eq!(between.late, 6, "half a field");
        let same = read_words(&[16, 5, 6, 7]).unwrap();
        assert_eq!(same.late, 6 | 7 << 32);
        assert_eq!(status(&[16, 5, 6, 1 << 24]), Some((Status::InvalidArgument, "reserved")));
        assert_eq!(status(&[12, 5, 6, 1 << 24]), None, "not its memory");
        assert!(read_words(&[24, 5, 6, 7, 0, 0]).is_ok(), "a newer caller that does not use its new fields");
        assert_eq!(status(&[24, 5, 6, 7, 0, 1]), Some((Status::AbiMismatch, "struct_size")), "one that does");
        assert_eq!(status(&[u32::MAX, 5, 6]), Some((Status::AbiMismatch, "struct_size")), "not read that far");
        // SAFETY: NULL is allowed, the unaligned pointer is refused before it is read.
        unsafe {
            assert_eq!(read::<Grown>(core::ptr::null()).err().map(|e| e.field), Some("args"));
            assert_eq!(read::<Grown>(core::ptr::without_provenance(2)).err().map(|e| e.field), Some("args"));
        }
    }

    #[test]
    fn sizes_of_array_elements() {
        for size in [0, truing_preference_term::V1_SIZE as u32] {
            element_size::<truing_preference_term>("f", size).unwrap();
        }
        for size in
            [1, truing_preference_term::V1_SIZE as u32 - 8, truing_preference_term::V1_SIZE as u32 + 8, u32::MAX]
        {
            let error = element_size::<truing_preference_term>("f", size).unwrap_err();
            assert_eq!((error.status, error.field), (Status::AbiMismatch, "f"));
        }
    }

    #[test]
    fn panics_become_internal() {
        struct Bomb;
        impl Drop for Bomb {
            fn drop(&mut self) {
                panic!("again");
            }
        }
        let hook = std::panic::take_hook();
        std::panic::set_hook(Box::new(|_| {}));
        let status = [
            guard("f", || panic!("in words")),
            guard("f", || panic!("{}", 7)),
            guard("f", || std::panic::panic_any(Bomb)),
        ];
        let value = guard_value(3, || panic!("no"));
        std::panic::set_hook(hook);
        assert_eq!((status, value), ([TRUING_STATUS_INTERNAL; 3], 3));
    }

    #[test]
    fn message_is_cut_at_a_character() {
        remember(format_args!("{}", "é".repeat(MESSAGE)));
        // SAFETY: a NUL-terminated buffer of this thread.
        let text = unsafe { core::ffi::CStr::from_ptr(truing_last_error()) }.to_str().unwrap();
        assert_eq!(text.len(), (MESSAGE - 1) / 2 * 2);
    }
}
