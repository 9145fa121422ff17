//! The C ABI on the stand-in device: the same functions, the bits that the same call gives on the CPU, and what is refused.
use super::{CUDA, INF, NAN, NVRTC, Random, memory, standin};
use core::ffi::c_void;
use half::{bf16, f16};
use std::ffi::{CStr, CString};
use std::ptr::{null, null_mut};
use truing_core::catalog;
use truing_ffi::abi::*;
use truing_ffi::advantage::*;
use truing_ffi::context::*;
use truing_ffi::correction::*;
use truing_ffi::divergence::*;
use truing_ffi::linear_logprob::truing_linear_logprob_forward;
use truing_ffi::logprob::*;
use truing_ffi::policy::*;
use truing_ffi::preference::*;
use truing_ffi::sequence::*;
use truing_ffi::sequence_kl::*;
use truing_ffi::support::*;
use truing_ffi::tds_rows::*;
use truing_tests::Bits;

fn message() -> String {
    // SAFETY: the message is a NUL-terminated string of this thread.
    unsafe { CStr::from_ptr(truing_ffi::truing_last_error()) }.to_str().unwrap().to_owned()
}
/// A context of the library.
pub(super) struct Given(*mut truing_context);
impl Given {
    pub(super) fn new(change: impl FnOnce(&mut truing_context_options)) -> Given {
        let mut options = truing_context_options::ZERO;
        options.struct_size = size_of::<truing_context_options>() as u32;
        change(&mut options);
        let mut context = null_mut();
        // SAFETY: both places are ours.
        assert_eq!(unsafe { truing_context_create(&options, &mut context) }, 0, "{}", message());
        Given(context)
    }
}
impl Drop for Given {
    fn drop(&mut self) {
        // SAFETY: made above, not used again.
        unsafe { truing_context_destroy(self.0) };
    }
}

/// An element type of the ABI.
pub(super) trait Stored: Bits {
    const DTYPE: (u8, u8);
    fn float(self) -> f32;
}
macro_rules! stored {
    ($($t:ty: $code:ident $bits:literal $to:expr),*) => {$(
        impl Stored for $t {
            const DTYPE: (u8, u8) = ($code, $bits);
            fn float(self) -> f32 {
                let to: fn($t) -> f32 = $to;
                to(self)
            }
        }
    )*};
}
stored!(f32: TRUING_DTYPE_FLOAT 32 |x| x, f64: TRUING_DTYPE_FLOAT 64 |x| x as f32, f16: TRUING_DTYPE_FLOAT 16 f16::to_f32,
    bf16: TRUING_DTYPE_BFLOAT 16 bf16::to_f32, i32: TRUING_DTYPE_INT 32 |x| x as f32, i64: TRUING_DTYPE_INT 64 |x| x as f32,
    u8: TRUING_DTYPE_UINT 8 |x| x as f32, u32: TRUING_DTYPE_UINT 32 |x| x as f32);

/// The tensors of one call, all of them on one device. Descriptions stay where they are while more are added.
#[allow(clippy::vec_box)]
pub(super) struct Arrays {
    device: truing_device,
    shapes: Vec<Box<[i64; 6]>>,
    tensors: Vec<Box<truing_tensor>>,
    outputs: Vec<Box<dyn Output>>,
}
/// What a call has written.
pub(super) trait Output {
    fn fetch(&mut self);
    /// Numbers whose bits the mode `fast` may change, and by how much they are rounded to their type.
    fn floats(&self) -> Option<(Vec<f32>, f32)>;
    fn keys(&self) -> Vec<u64>;
}
impl<T: Stored> Output for Vec<T> {
    fn fetch(&mut self) {
        memory::down(self);
    }
    fn floats(&self) -> Option<(Vec<f32>, f32)> {
        let own = match T::DTYPE {
            (TRUING_DTYPE_FLOAT, 16) => 1.0 / 1024.0,
            (TRUING_DTYPE_BFLOAT, _) => 1.0 / 128.0,
            (TRUING_DTYPE_FLOAT, _) => 0.0,
            _ => return None,
        };
        Some((self.iter().map(|x| x.float()).collect(), own))
    }
    fn keys(&self) -> Vec<u64> {
        self.iter().map(|x| x.key()).collect()
    }
}
pub(super) type Pointer = *const truing_tensor;
impl Arrays {
    pub(super) fn new(cuda: bool) -> Arrays {
        let device_type = if cuda { TRUING_DEVICE_CUDA } else { TRUING_DEVICE_CPU };
        let device = truing_device { device_type, device_id: 0 };
        Arrays { device, shapes: vec![], tensors: vec![], outputs: vec![] }
    }
    fn strided<T: Stored>(&mut self, x: &[T], shape: &[i64], strides: &[i64]) -> Pointer {
        let mut all = Box::new([0; 6]);
        all[..shape.len()].copy_from_slice(shape);
        all[3..3 + strides.len()].copy_from_slice(strides);
        let host = x.as_ptr().addr();
        let on_host = self.device.device_type == TRUING_DEVICE_CPU;
        let data = if on_host { host as u64 } else { memory::up(host, size_of_val(x)) };
        let (code, bits) = T::DTYPE;
        self.tensors.push(Box::new(truing_tensor {
            data: std::ptr::with_exposed_provenance_mut(data as usize),
            device: self.device,
            ndim: shape.len() as i32,
            dtype: truing_dtype { code, bits, lanes: 1 },
            shape: all.as_ptr(),
            strides: if strides.is_empty() { null() } else { all[3..].as_ptr() },
            byte_offset: 0,
        }));
        self.shapes.push(all);
        &raw const **self.tensors.last().unwrap()
    }
    pub(super) fn read<T: Stored>(&mut self, x: &[T], shape: &[i64]) -> Pointer {
        x.as_ptr().expose_provenance();
        self.strided(x, shape, &[])
    }
    /// A place that holds `x` before the call.
    pub(super) fn update<T: Stored + 'static>(&mut self, x: Vec<T>, shape: &[i64]) -> Pointer {
        let mut x = x;
        x.as_mut_ptr().expose_provenance();
        let tensor = self.read(&x, shape);
        self.outputs.push(Box::new(x));
        tensor
    }
    pub(super) fn write<T: Stored + Default + 'static>(&mut self, shape: &[i64]) -> Pointer {
        let n = shape.iter().product::<i64>() as usize;
        self.update(vec![T::default(); n], shape)
    }
    /// The same descriptions on another device.
    fn move_to(&mut self, device_type: truing_device_type, device_id: i32) {
        self.tensors.iter_mut().for_each(|t| t.device = truing_device { device_type, device_id });
    }
}
pub(super) type Size<A> = unsafe extern "C" fn(*const A, *mut usize, *mut usize) -> truing_status;
pub(super) type Run<A> = unsafe extern "C" fn(*const A) -> truing_status;
/// An operation: its workspace and itself.
pub(super) struct Op<A>(pub(super) Size<A>, pub(super) Run<A>);
pub(super) const LOGPROB: Op<truing_logprob_forward_args> =
    Op(truing_logprob_forward_workspace_size, truing_logprob_forward);
pub(super) const BACKWARD: Op<truing_logprob_backward_args> =
    Op(truing_logprob_backward_workspace_size, truing_logprob_backward);
pub(super) const LOCAL: Op<truing_logprob_local_args> = Op(truing_logprob_local_workspace_size, truing_logprob_local);
pub(super) const MASK: Op<truing_support_mask_args> = Op(truing_support_mask_workspace_size, truing_support_mask);
pub(super) const FINISH: Op<truing_logprob_finish_args> =
    Op(truing_logprob_finish_workspace_size, truing_logprob_finish);
const SEQUENCE: Op<truing_sequence_forward_args> = Op(truing_sequence_forward_workspace_size, truing_sequence_forward);
const SEQUENCE_BACKWARD: Op<truing_sequence_backward_args> =
    Op(truing_sequence_backward_workspace_size, truing_sequence_backward);
const DIVERGENCE: Op<truing_divergence_forward_args> =
    Op(truing_divergence_forward_workspace_size, truing_divergence_forward);
const DIVERGENCE_BACKWARD: Op<truing_divergence_backward_args> =
    Op(truing_divergence_backward_workspace_size, truing_divergence_backward);
const PREFERENCE: Op<truing_preference_forward_args> =
    Op(truing_preference_forward_workspace_size, truing_preference_forward);
const GROUP: Op<truing_group_advantage_args> = Op(truing_group_advantage_workspace_size, truing_group_advantage);
const OBJECTIVES: Op<truing_multi_objective_advantage_args> =
    Op(truing_multi_objective_advantage_forward_workspace_size, truing_multi_objective_advantage_forward);
const OBJECTIVES_BACKWARD: Op<truing_multi_objective_advantage_args> =
    Op(truing_multi_objective_advantage_backward_workspace_size, truing_multi_objective_advantage_backward);
const GAE: Op<truing_gae_args> = Op(truing_gae_forward_workspace_size, truing_gae_forward);
const GAE_BACKWARD: Op<truing_gae_args> = Op(truing_gae_backward_workspace_size, truing_gae_backward);
const LAGRANGIAN: Op<truing_lagrangian_advantage_args> =
    Op(truing_lagrangian_advantage_workspace_size, truing_lagrangian_advantage);
const DISTILL: Op<truing_distill_advantage_args> =
    Op(truing_distill_advantage_workspace_size, truing_distill_advantage);
const WHITEN: Op<truing_whiten_args> = Op(truing_whiten_workspace_size, truing_whiten);
const BASELINE: Op<truing_optimal_token_baseline_args> =
    Op(truing_optimal_token_baseline_workspace_size, truing_optimal_token_baseline);
const PRIME: Op<truing_prime_advantage_args> = Op(truing_prime_advantage_workspace_size, truing_prime_advantage);
const PAMA: Op<truing_pama_scalars_args> = Op(truing_pama_scalars_workspace_size, truing_pama_scalars);
const INTERVAL: Op<truing_interval_weights_args> = Op(truing_interval_weights_workspace_size, truing_interval_weights);
const GRAM: Op<truing_gram_matrix_args> = Op(truing_gram_matrix_workspace_size, truing_gram_matrix);
const MIN_NORM: Op<truing_min_norm_weights_args> = Op(truing_min_norm_weights_workspace_size, truing_min_norm_weights);
const KL_CONTROLLER: Op<truing_controller_args> = Op(truing_kl_controller_workspace_size, truing_kl_controller);
const ENTROPY_CONTROLLER: Op<truing_controller_args> =
    Op(truing_entropy_controller_workspace_size, truing_entropy_controller);
const SEQUENCE_KL: Op<truing_sequence_kl_args> =
    Op(truing_sequence_kl_forward_workspace_size, truing_sequence_kl_forward);
const SEQUENCE_KL_BACKWARD: Op<truing_sequence_kl_args> =
    Op(truing_sequence_kl_backward_workspace_size, truing_sequence_kl_backward);
const WEIGHTS: Op<truing_importance_weight_args> =
    Op(truing_importance_weight_workspace_size, truing_importance_weight);
const REJECTION: Op<truing_rejection_mask_args> = Op(truing_rejection_mask_workspace_size, truing_rejection_mask);
const MOVED: Op<truing_off_policy_sequence_mask_args> =
    Op(truing_off_policy_sequence_mask_workspace_size, truing_off_policy_sequence_mask);
const TOP: Op<truing_top_entropy_mask_args> = Op(truing_top_entropy_mask_workspace_size, truing_top_entropy_mask);
const COV: Op<truing_cov_select_args> = Op(truing_cov_select_workspace_size, truing_cov_select);
const M2PO: Op<truing_m2po_mask_args> = Op(truing_m2po_mask_workspace_size, truing_m2po_mask);
const FIPO: Op<truing_fipo_weight_args> = Op(truing_fipo_weight_workspace_size, truing_fipo_weight);
const TDS: Op<truing_tds_rows_args> = Op(truing_tds_rows_workspace_size, truing_tds_rows);
const POLICY: Op<truing_policy_forward_args> = Op(truing_policy_forward_workspace_size, truing_policy_forward);

/// The head of an args struct, which all of them begin with.
fn head<A: Args>(a: &mut A) -> &mut Head {
    // SAFETY: `Args` begins with these fields.
    unsafe { &mut *(&raw mut *a).cast() }
}
fn zeros<A: Args>(context: &Given) -> A {
    let mut a = A::ZERO;
    (head(&mut a).struct_size, head(&mut a).context) = (size_of::<A>() as u32, context.0);
    a
}
impl<A: Args> Op<A> {
    /// Calls with the workspace that the call asks for, on the device of the arrays.
    fn call(&self, mut a: A, cuda: bool) -> truing_status {
        let (mut minimum, mut preferred) = (0, 0);
        // SAFETY: the descriptions are of living arrays, or are refused.
        let status = unsafe { (self.0)(&a, &mut minimum, &mut preferred) };
        if status != 0 {
            return status;
        }
        let scratch = vec![0x7fc1_2345_ffff_fff7u64; preferred / 8 + 8];
        let at = scratch.as_ptr().expose_provenance().next_multiple_of(64);
        let at = if cuda && memory::apart() { memory::up(at, preferred) as usize } else { at };
        (head(&mut a).workspace, head(&mut a).workspace_size) = (std::ptr::with_exposed_provenance_mut(at), preferred);
        // SAFETY: as above.
        unsafe { (self.1)(&a) }
    }
    /// What a call writes.
    pub(super) fn run(
        &self,
        what: &str,
        context: &Given,
        cuda: bool,
        build: impl Fn(&mut Arrays, &mut A),
    ) -> Vec<Box<dyn Output>> {
        let (mut arrays, mut a) = (Arrays::new(cuda), zeros(context));
        build(&mut arrays, &mut a);
        assert_eq!(self.call(a, cuda), 0, "{what}, cuda {cuda}: {}", message());
        if cuda {
            arrays.outputs.iter_mut().for_each(|x| x.fetch());
        }
        memory::clear();
        arrays.outputs
    }
    /// The same call on the CPU and on the device: every bit of every output is the same, or near enough in the mode `fast`.
    pub(super) fn same(&self, what: &str, context: &Given, build: impl Fn(&mut Arrays, &mut A)) -> usize {
        let [want, got] = [false, true].map(|cuda| self.run(what, context, cuda, &build));
        let mut n = 0;
        for (k, (got, want)) in got.iter().zip(&want).enumerate() {
            let what = format!("{what}, output {k}");
            match (super::mode(), got.floats(), want.floats()) {
                (super::Mode::Fast, Some((got, own)), Some((want, _))) => super::agree(&what, &got, &want, own),
                _ => truing_tests::same(&what, &got.keys(), &want.keys()),
            }
            n += want.keys().len();
        }
        n
    }
    /// The device refuses the call, with this status and these words, and writes nothing.
    #[track_caller]
    fn refused(&self, status: truing_status, words: &str, arrays: &Arrays, a: A) {
        let before: Vec<_> = arrays.outputs.iter().map(|x| x.keys()).collect();
        let launches = standin(CUDA, c"standin_launches", 0);
        assert_eq!(self.call(a, true), status, "{words}: {}", message());
        assert!(message().contains(words), "{words}: {}", message());
        assert_eq!(launches, standin(CUDA, c"standin_launches", 0), "{words}: something was launched");
        assert!(arrays.outputs.iter().map(|x| x.keys()).eq(before), "{words}: something was written");
    }
}

/// beta and alpha of a list, beta and own weight of modpo.
static LIST_PARAMS: [f64; 2] = [0.2, 1.5];
/// Share and lower bound of cov_select.
static COV_PARAMS: [f64; 2] = [0.1, -0.5];
const N: i64 = 6;
const V: i64 = 4100;
struct Rows {
    z: Vec<f32>,
    target: Vec<i64>,
    mask: Vec<u8>,
}
impl Rows {
    fn new() -> Rows {
        let mut r = Random(31);
        let mut z = r.normals((N * V) as usize, 3.0);
        (z[0], z[V as usize + 3], z[2 * V as usize + 7]) = (40.0, -INF, NAN);
        let target = vec![0, 3, 7, -100, V - 1, 2049];
        Rows { z, target, mask: vec![1, 1, 1, 1, 0, 1] }
    }
    fn common(&self, t: &mut Arrays, rows: &mut truing_rows, transform: &mut truing_transform, kind: usize) {
        rows.target = t.read(&self.target, &[2, 3]);
        rows.mask = t.read(&self.mask, &[N]);
        rows.ignore_index = -100;
        if kind == 1 {
            (transform.temperature, transform.softcap, transform.n_valid_vocab) = (0.7, 30.0, V - 9);
        }
    }
    /// Logits of a type, `[2, 3, V]`.
    fn logits(&self, t: &mut Arrays, kind: usize) -> Pointer {
        match kind {
            0 => t.read(&self.z, &[2, 3, V]),
            1 => t.update(self.z.iter().map(|&x| bf16::from_f32(x)).collect(), &[2, 3, V]),
            _ => t.update(self.z.iter().map(|&x| f16::from_f32(x)).collect(), &[2, 3, V]),
        }
    }
    fn forward(&self, t: &mut Arrays, a: &mut truing_logprob_forward_args, kind: usize) {
        a.flags = TRUING_HAS_IGNORE_INDEX;
        a.logits = self.logits(t, kind);
        self.common(t, &mut a.rows, &mut a.transform, kind);
        let f = &mut a.figures;
        (f.out_logprob, f.out_lse, f.out_max) = (t.write::<f32>(&[2, 3]), t.write::<f32>(&[N]), t.write::<f32>(&[N]));
        (f.out_entropy, f.out_log_sum_sq) = (t.write::<f32>(&[N]), t.write::<f32>(&[2, 3]));
        (f.out_argmax, f.out_is_top1) = (t.write::<i32>(&[N]), t.write::<u8>(&[N]));
        (f.out_stats, f.out_status) = (t.write::<f32>(&[2, 3, 12]), t.write::<u32>(&[N]));
    }
    fn backward(&self, t: &mut Arrays, a: &mut truing_logprob_backward_args, kind: usize) {
        a.flags = TRUING_HAS_IGNORE_INDEX;
        a.logits = self.logits(t, kind);
        // bf16: in place; f16: its own type elsewhere
        a.grad_logits_out = match kind {
            0 => t.write::<f32>(&[2, 3, V]),
            1 => a.logits,
            _ => t.write::<f16>(&[2, 3, V]),
        };
        self.common(t, &mut a.rows, &mut a.transform, kind);
        let up = |k| Random(k).normals(N as usize, 1.0);
        a.upstream.grad_logprob = t.update(up(1), &[N]);
        a.upstream.grad_entropy = t.update(up(2), &[2, 3]);
        a.upstream.grad_scale = 0.3;
        a.out_status = t.write::<u32>(&[N]);
    }
}
fn id(name: &str) -> truing_loss_id {
    catalog::ALL.iter().find(|i| i.about.name == name).unwrap_or_else(|| panic!("{name}")).about.id
}

/// Every routed operation: the device's bits are the CPU's.
pub fn all() -> usize {
    let (context, rows, mut done) = (Given::new(|o| o.num_threads = 2), Rows::new(), 0);
    for kind in 0..3 {
        done += LOGPROB.same(&format!("logprob {kind}"), &context, |t, a| rows.forward(t, a, kind));
        done += BACKWARD.same(&format!("logprob backward {kind}"), &context, |t, a| rows.backward(t, a, kind));
    }
    let mut r = Random(8);
    let teacher = r.normals((N * V) as usize, 3.0);
    for kind in [TRUING_DIVERGENCE_FORWARD_KL, TRUING_DIVERGENCE_JSD, TRUING_DIVERGENCE_TVD] {
        let fill = |options: &mut truing_divergence_options, own: &mut truing_transform| {
            (options.kind, options.teacher_form, own.temperature) = (kind, TRUING_TEACHER_LOGITS, 0.7);
        };
        done += DIVERGENCE.same(&format!("divergence {kind}"), &context, |t, a| {
            a.flags = TRUING_HAS_IGNORE_INDEX;
            (a.student, a.teacher) = (rows.logits(t, 1), t.read(&teacher, &[2, 3, V]));
            fill(&mut a.options, &mut a.student_transform);
            (a.rows.target, a.rows.ignore_index) = (t.read(&rows.target, &[N]), -100);
            a.rows.mask = t.read(&rows.mask, &[2, 3]);
            let o = &mut a.outputs;
            (o.out_values, o.out_student_entropy) = (t.write::<f32>(&[2, 3]), t.write::<f32>(&[N]));
            (o.out_teacher_entropy, o.out_student_logprob) = (t.write::<f32>(&[N]), t.write::<f32>(&[N]));
            (o.out_stats, o.out_status) = (t.write::<f32>(&[N, 16]), t.write::<u32>(&[N]));
        });
        done += DIVERGENCE_BACKWARD.same(&format!("divergence backward {kind}"), &context, |t, a| {
            (a.student, a.teacher) = (rows.logits(t, 2), t.update(teacher.clone(), &[N, V]));
            // the student's elsewhere, the teacher's in place
            (a.grad_student_out, a.grad_teacher_out) = (t.write::<f32>(&[2, 3, V]), a.teacher);
            fill(&mut a.options, &mut a.student_transform);
            a.grad_values = t.update(Random(5).normals(N as usize, 1.0), &[N]);
            a.out_status = t.write::<u32>(&[N]);
        });
    }
    done += TDS.same("tds_rows", &context, |t, a| {
        a.flags = TRUING_HAS_IGNORE_INDEX;
        (a.base, a.aligned) = (rows.logits(t, 1), t.read(&teacher, &[2, 3, V]));
        (a.rows.target, a.rows.mask) = (t.read(&rows.target, &[2, 3]), t.read(&rows.mask, &[N]));
        (a.rows.ignore_index, a.base_transform.temperature) = (-100, 0.7);
        (a.out_rank, a.out_ties) = (t.write::<i32>(&[N]), t.write::<i32>(&[2, 3]));
        (a.out_logp_base, a.out_kl_aligned_base) = (t.write::<f32>(&[N]), t.write::<f32>(&[N]));
        (a.out_class, a.out_counts, a.out_status) = (t.write::<u8>(&[N]), t.write::<i64>(&[4]), t.write::<u32>(&[N]));
    });
    let cut = vec![0i64, 2, 2, N];
    for packed in [false, true] {
        let (lead, b) = if packed { (vec![N], 3i64) } else { (vec![2, 3], 2) };
        let shape = [&lead[..], &[V]].concat();
        let fill = |t: &mut Arrays, a: &mut truing_sequence_kl_args| {
            a.flags = TRUING_HAS_IGNORE_INDEX;
            (a.policy, a.r#ref) = (t.read(&rows.z, &shape), t.read(&teacher, &shape));
            (a.rows.target, a.rows.mask) = (t.read(&rows.target, &[N]), t.read(&rows.mask, &lead));
            (a.rows.ignore_index, a.ref_transform.temperature) = (-100, 0.7);
            if packed {
                a.rows.cu_seqlens = t.read(&cut, &[4]);
            }
        };
        done += SEQUENCE_KL.same(&format!("sequence_kl, packed {packed}"), &context, |t, a| {
            fill(t, a);
            (a.out_log_ratio, a.out_kl) = (t.write::<f64>(&[b]), t.write::<f64>(&[b]));
            (a.out_counts, a.out_status) = (t.write::<i32>(&[b]), t.write::<u32>(&[b]));
            a.out_stats = t.write::<f32>(&[N, 16]);
        });
        done += SEQUENCE_KL_BACKWARD.same(&format!("sequence_kl backward, packed {packed}"), &context, |t, a| {
            fill(t, a);
            a.grad_kl = t.update(vec![0.5f64; b as usize], &[b]);
            a.grad_log_ratio = t.update((0..b).map(|k| 1.0 - k as f64).collect(), &[b]);
            // in place
            a.policy = t.update(rows.z.clone(), &shape);
            a.grad_policy_out = a.policy;
        });
    }
    let (b, width) = (4i64, 33i64);
    let n = (b * width) as usize;
    let logps: Vec<f32> = (0..n).map(|_| -3.0 * r.uniform() as f32).collect();
    let refs: Vec<bf16> = logps.iter().map(|x| bf16::from_f32(x + 0.3 * r.normal() as f32)).collect();
    let mask: Vec<i64> = (0..n).map(|_| (r.below(5) > 0) as i64).collect();
    let cu: Vec<i32> = vec![0, 1, 40, 40, n as i32];
    let tokens = |packed: bool| if packed { vec![n as i64] } else { vec![b, width] };
    for packed in [false, true] {
        let shape = tokens(packed);
        done += SEQUENCE.same(&format!("sequence, packed {packed}"), &context, |t, a| {
            (a.logps, a.ref_logps, a.mask) =
                (t.read(&logps, &shape), t.read(&refs, &shape), t.read(&mask, &[n as i64]));
            (a.score.kind, a.score.divisor) = (TRUING_SCORE_MEAN, TRUING_DIVISOR_TOKENS);
            if packed {
                a.cu_seqlens = t.read(&cu, &[b + 1]);
            }
            (a.out_scores, a.out_counts) = (t.write::<f64>(&[b]), t.write::<i32>(&[b]));
            (a.out_first, a.out_last, a.out_status) =
                (t.write::<i32>(&[b]), t.write::<i32>(&[b]), t.write::<u32>(&[b]));
            a.out_counters = t.write::<i64>(&[32]);
        });
        done += SEQUENCE_BACKWARD.same(&format!("sequence backward, packed {packed}"), &context, |t, a| {
            (a.ref_logps, a.mask) = (t.read(&refs, &shape), t.read(&mask, &shape));
            a.score.kind = TRUING_SCORE_SUM;
            if packed {
                a.cu_seqlens = t.read(&cu, &[b + 1]);
            }
            a.grad_scores = t.update(vec![1.0, -0.5, 2.0, 0.25], &[b]);
            a.grad_output = t.update(vec![0.75f32], &[]);
            (a.grad_logps_out, a.grad_ref_logps_out) = (t.write::<f32>(&shape), t.write::<f32>(&shape));
        });
    }
    let s = 10i64;
    let scores: Vec<f64> = (0..s).map(|_| -30.0 * r.uniform()).collect();
    let ref_scores: Vec<f32> = scores.iter().map(|&x| (x + r.normal()) as f32).collect();
    let weight: Vec<f32> = vec![1.0, 0.5, 0.0, 2.0, 1.0];
    let (chosen, rejected) = (vec![0i64, 3, 5, 9], vec![1i32, 2, 1, 8]);
    let label: Vec<u8> = (0..s).map(|k| (k % 3 == 0) as u8).collect();
    for (name, layout) in [("dpo", 2), ("ipo", 1), ("cpo", 3), ("kto", 0)] {
        done += PREFERENCE.same(name, &context, |t, a| {
            (a.scores, a.loss.id, a.loss.reduction) = (t.read(&scores, &[s]), id(name), TRUING_REDUCE_MEAN);
            if name != "cpo" {
                a.ref_scores = t.read(&ref_scores, &[s]);
            }
            a.score_kind = TRUING_SCORE_SUM;
            a.groups.layout = layout;
            let items = match name {
                "kto" => s,
                "ipo" => 4,
                _ => s / 2,
            };
            match name {
                "kto" => {
                    a.groups.label = t.read(&label, &[s]);
                    a.groups.baseline = t.update(vec![0.25f64], &[]);
                }
                "ipo" => {
                    (a.groups.chosen_seq, a.groups.rejected_seq) = (t.read(&chosen, &[4]), t.read(&rejected, &[4]));
                    a.lengths = t.update((0..s as i32).collect(), &[s]);
                }
                _ => a.groups.item_weight = t.read(&weight, &[items]),
            }
            (a.outputs.out_loss, a.items.out_losses) = (t.write::<f64>(&[]), t.write::<f64>(&[items]));
            (a.items.out_reward_chosen, a.items.out_status) = (t.write::<f32>(&[items]), t.write::<u32>(&[items]));
            (a.outputs.grad_scores_out, a.outputs.out_counters) = (t.write::<f64>(&[s]), t.write::<i64>(&[32]));
            a.items.out_statistics = t.write::<f64>(&[16]);
        });
    }
    // lists in order and by index; parameters that are learned, both margins; added to what is there
    let (index, reward) = (vec![0i32, 3, 3, 9, 1, 7, 2], vec![2.0f32, 1.0, 0.5, 0.5, -1.0, 3.0, 0.0]);
    for indexed in [false, true] {
        done += PREFERENCE.same(&format!("infonca, indexed {indexed}"), &context, |t, a| {
            let members = if indexed { 7 } else { s };
            (a.scores, a.loss.id, a.loss.reduction) = (t.read(&scores, &[s]), id("infonca"), TRUING_REDUCE_MEAN);
            (a.loss.params, a.loss.num_params) = (LIST_PARAMS.as_ptr(), 2);
            a.ref_scores = t.read(&ref_scores, &[s]);
            a.groups.list_offsets = t.update(vec![0i64, 2, 2, members], &[4]);
            if indexed {
                a.groups.member_seq = t.read(&index, &[7]);
                a.groups.list_targets = t.read(&reward, &[7]);
            } else {
                a.groups.list_targets = t.update((0..s).map(|k| k as f64 / 4.0).collect(), &[s]);
            }
            (a.outputs.out_loss, a.items.out_losses) = (t.write::<f64>(&[]), t.write::<f64>(&[3]));
            (a.items.out_reward_chosen, a.items.out_status) = (t.write::<f32>(&[members]), t.write::<u32>(&[3]));
            (a.outputs.grad_scores_out, a.outputs.out_counters) = (t.write::<f64>(&[s]), t.write::<i64>(&[32]));
            a.items.out_statistics = t.write::<f64>(&[16]);
        });
    }
    done += PREFERENCE.same("modpo", &context, |t, a| {
        (a.scores, a.loss.id, a.loss.reduction) = (t.read(&scores, &[s]), id("modpo"), TRUING_REDUCE_SUM);
        (a.loss.params, a.loss.num_params, a.flags) = (LIST_PARAMS.as_ptr(), 2, TRUING_ACCUMULATE_GRADS);
        a.groups.layout = TRUING_LAYOUT_STACKED;
        a.groups.margin_chosen = t.update(vec![0.25f32, 0.5, -1.0, 0.0, 2.0], &[5]);
        a.groups.margin_rejected = t.update(vec![0.0f64], &[]);
        (a.outputs.out_loss, a.outputs.grad_scores_out) =
            (t.update(vec![1.0f64], &[]), t.update(vec![0.5f32; 10], &[s]));
        (a.items.grad_margin_out, a.items.grad_margin_chosen_out) = (t.write::<f64>(&[5]), t.write::<f32>(&[5]));
        (a.items.grad_margin_rejected_out, a.items.grad_params_out) = (t.write::<f64>(&[5]), t.write::<f64>(&[2]));
    });
    let advantage: Vec<f32> = (0..b).map(|_| r.normal() as f32).collect();
    let old: Vec<f32> = logps.iter().map(|x| x + 0.2 * r.normal() as f32).collect();
    let live: Vec<u8> = mask.iter().map(|&x| x as u8).collect();
    let all = [
        ("ppo_clip", false, false),
        ("ppo_clip", true, false),
        ("ppo_clip", true, true),
        ("gspo", false, false),
        ("gspo", true, true),
        ("reinforce", true, false),
        ("k3", false, false),
    ];
    for (name, packed, given) in all {
        let shape = tokens(packed);
        done += POLICY.same(&format!("{name}, packed {packed}, a KL that is given {given}"), &context, |t, a| {
            let i = &mut a.inputs;
            (a.logps, i.mask, i.loss.id) = (t.read(&logps, &shape), t.read(&live, &shape), id(name));
            let sequence = name == "gspo";
            i.level = if sequence { TRUING_LEVEL_SEQUENCE } else { TRUING_LEVEL_TOKEN };
            i.aggregate.mode = if sequence { TRUING_AGGREGATE_SEQ_MEAN } else { TRUING_AGGREGATE_TOKEN_MEAN };
            if sequence {
                i.aggregate.count_empty = TRUING_COUNT_ALL;
            }
            if packed {
                i.cu_seqlens = t.read(&cu, &[b + 1]);
            }
            i.r#ref = t.read(&refs, &shape);
            if name != "k3" {
                (i.old, i.advantage) = (t.read(&old, &shape), t.read(&advantage, &[b]));
                i.kl.coef = 0.02;
                if given {
                    (a.kl, a.grad_kl_out) = (t.read(&refs, &shape), t.write::<f32>(&shape));
                } else {
                    i.kl.id = id("k3");
                    (i.kl.weight, i.kl.gradient) = (TRUING_ESTIMATOR_ONE, TRUING_GRADIENT_PATHWISE);
                }
                a.outputs.out_kl = t.write::<f32>(&shape);
            }
            (a.outputs.out_loss, a.outputs.out_terms) = (t.write::<f64>(&[]), t.write::<f64>(&[3]));
            a.outputs.out_values = if sequence { t.write::<f64>(&[b]) } else { t.write::<f32>(&shape) };
            (a.outputs.out_statistics, a.outputs.out_counters) = (t.write::<f64>(&[32]), t.write::<i64>(&[32]));
            (a.outputs.out_token_status, a.grad_logps_out) = (t.write::<u32>(&shape), t.write::<f32>(&shape));
        });
    }
    // further terms: of tokens with a mask of its own, of sequences
    for packed in [false, true] {
        let (shape, kept) = (tokens(packed), std::cell::RefCell::new(vec![]));
        done += POLICY.same(&format!("further terms, packed {packed}"), &context, |t, a| {
            let i = &mut a.inputs;
            (a.logps, i.mask, i.loss.id) = (t.read(&logps, &shape), t.read(&live, &shape), id("ppo_clip"));
            (i.level, i.aggregate.mode) = (TRUING_LEVEL_TOKEN, TRUING_AGGREGATE_TOKEN_MEAN);
            if packed {
                i.cu_seqlens = t.read(&cu, &[b + 1]);
            }
            (i.old, i.advantage) = (t.read(&old, &shape), t.read(&advantage, &[b]));
            let mut terms = Box::new([truing_policy_term::ZERO; 2]);
            (terms[0].loss.id, terms[0].loss.weight, terms[0].level) = (id("nll"), 0.5, TRUING_LEVEL_TOKEN);
            terms[0].mask = t.read(&mask, &shape);
            (terms[1].loss.id, terms[1].loss.weight, terms[1].level) = (id("gspo"), -2.0, TRUING_LEVEL_SEQUENCE);
            (terms[1].old, terms[1].aggregate.mode) = (t.read(&refs, &shape), TRUING_AGGREGATE_SEQ_MEAN);
            terms[1].aggregate.count_empty = TRUING_COUNT_NONEMPTY;
            (i.extra_terms, i.num_extra_terms) = (terms.as_ptr(), 2);
            i.extra_term_size = size_of::<truing_policy_term>() as u32;
            kept.borrow_mut().push(terms);
            (a.outputs.out_loss, a.outputs.out_terms) = (t.write::<f64>(&[]), t.write::<f64>(&[5]));
            (a.outputs.out_sequence_status, a.outputs.out_counters) = (t.write::<u32>(&[b]), t.write::<i64>(&[32]));
            (a.outputs.out_token_status, a.grad_logps_out) = (t.write::<u32>(&shape), t.write::<f32>(&shape));
        });
    }
    // values that are not aggregated, an upstream gradient for each and one for all
    for (packed, each) in [(false, true), (true, true), (false, false)] {
        let shape = tokens(packed);
        for (name, level) in [("ppo_clip", TRUING_LEVEL_TOKEN), ("gspo", TRUING_LEVEL_SEQUENCE)] {
            done += POLICY.same(&format!("{name} alone, packed {packed}, each {each}"), &context, |t, a| {
                let i = &mut a.inputs;
                (a.logps, i.mask, i.loss.id) = (t.read(&logps, &shape), t.read(&live, &shape), id(name));
                (i.level, i.aggregate.mode) = (level, TRUING_AGGREGATE_NONE);
                if packed {
                    i.cu_seqlens = t.read(&cu, &[b + 1]);
                }
                (i.old, i.advantage) = (t.read(&old, &shape), t.read(&advantage, &[b]));
                let values = if level == TRUING_LEVEL_TOKEN { shape.clone() } else { vec![b] };
                a.grad_output = match each {
                    true => t.read(&refs[..values.iter().product::<i64>() as usize], &values),
                    false => t.read(&refs[..1], &[]),
                };
                a.outputs.out_values =
                    if level == TRUING_LEVEL_TOKEN { t.write::<f32>(&values) } else { t.write::<f64>(&values) };
                (a.outputs.out_token_status, a.grad_logps_out) = (t.write::<u32>(&shape), t.write::<f32>(&shape));
                a.outputs.out_counters = t.write::<i64>(&[32]);
            });
        }
    }
    let prompts = vec![0i64, 1, 1, b];
    for packed in [false, true] {
        let shape = tokens(packed);
        done += POLICY.same(&format!("real, packed {packed}"), &context, |t, a| {
            let i = &mut a.inputs;
            (a.logps, i.mask, i.loss.id) = (t.read(&logps, &shape), t.read(&live, &shape), id("real"));
            (i.loss.params, i.loss.num_params) = (LIST_PARAMS.as_ptr(), 1);
            (i.level, i.aggregate.mode) = (TRUING_LEVEL_SEQUENCE, TRUING_AGGREGATE_SEQ_MEAN);
            i.aggregate.count_empty = TRUING_COUNT_NONEMPTY;
            if packed {
                i.cu_seqlens = t.read(&cu, &[b + 1]);
            }
            (i.old, i.advantage) = (t.read(&old, &shape), t.read(&advantage, &[b]));
            i.group_offsets = t.read(&prompts, &[4]);
            (a.outputs.out_loss, a.outputs.out_values) = (t.write::<f64>(&[]), t.write::<f64>(&[3]));
            (a.outputs.out_sequence_status, a.outputs.out_counters) = (t.write::<u32>(&[b]), t.write::<i64>(&[32]));
            (a.outputs.out_token_status, a.grad_logps_out) = (t.write::<u32>(&shape), t.write::<f32>(&shape));
        });
    }
    let rewards: Vec<f32> = (0..12).map(|k| if k == 5 { NAN } else { r.normal() as f32 }).collect();
    let (group_of, starts) = (vec![2i32, 0, 1, 1, 0, 2, 2, 1, 0, 0, 1, 2], vec![0i64, 4, 4, 12]);
    for by_ids in [false, true] {
        done += GROUP.same(&format!("group_advantage, ids {by_ids}"), &context, |t, a| {
            (a.rewards, a.preset) = (t.read(&rewards, &[12]), TRUING_ADVANTAGE_GRPO_BATCH_STD);
            match by_ids {
                true => (a.group_ids, a.num_groups) = (t.read(&group_of, &[12]), 3),
                false => a.group_offsets = t.read(&starts, &[4]),
            }
            (a.out_advantages, a.out_mean) = (t.write::<f32>(&[12]), t.write::<f64>(&[3]));
            (a.out_std, a.out_status) = (t.write::<f64>(&[3]), t.write::<u32>(&[3]));
        });
        done += OBJECTIVES.same(&format!("multi_objective_advantage, ids {by_ids}"), &context, |t, a| {
            (a.rewards, a.preset) = (t.read(&rewards, &[6, 2]), TRUING_ADVANTAGE_GRPO);
            (a.order, a.batch_step) = (TRUING_ORDER_NORMALISE_FIRST, TRUING_BATCH_STEP_STANDARDISE);
            match by_ids {
                true => (a.group_ids, a.num_groups) = (t.read(&group_of[..6], &[6]), 3),
                false => a.group_offsets = t.update(vec![0i32, 4, 6], &[3]),
            }
            a.weights = t.update(vec![0.5f32, 2.0], &[2]);
            (a.out_advantages, a.out_combined) = (t.write::<f32>(&[6]), t.write::<f64>(&[6]));
            a.out_status = t.write::<u32>(&[6]);
        });
        for of_row in [false, true] {
            let shape: &[i64] = if of_row { &[6, 2] } else { &[2] };
            done +=
                OBJECTIVES_BACKWARD.same(&format!("its gradient, ids {by_ids}, of rows {of_row}"), &context, |t, a| {
                    (a.rewards, a.preset) = (t.read(&rewards, &[6, 2]), TRUING_ADVANTAGE_GRPO);
                    (a.order, a.batch_step) = match by_ids {
                        true => (TRUING_ORDER_NORMALISE_FIRST, TRUING_BATCH_STEP_STANDARDISE),
                        false => (TRUING_ORDER_SUM_FIRST, 0),
                    };
                    match by_ids {
                        true => (a.group_ids, a.num_groups) = (t.read(&group_of[..6], &[6]), 3),
                        false => a.group_offsets = t.update(vec![0i64, 4, 6], &[3]),
                    }
                    a.weights = t.update(vec![0.5f32; if of_row { 12 } else { 2 }], shape);
                    a.grad_advantages = t.update(vec![1.0f32, -2.0, 0.5, 0.25, 0.0, 3.0], &[6]);
                    a.grad_weights_out = if of_row { t.write::<f32>(shape) } else { t.write::<f64>(shape) };
                });
        }
    }
    let squares: Vec<f64> = logps.iter().map(|&x| 1.9 * x as f64).collect();
    let outcome = vec![1.0f64, 0.0, 0.5, 0.0];
    for packed in [false, true] {
        let shape = tokens(packed);
        let offsets = |t: &mut Arrays| if packed { t.read(&cu, &[b + 1]) } else { null() };
        done += WEIGHTS.same(&format!("importance_weight, packed {packed}"), &context, |t, a| {
            (a.old, a.sampler, a.mask, a.cu_seqlens) =
                (t.read(&logps, &shape), t.read(&refs, &shape), t.read(&mask, &shape), offsets(t));
            (a.low, a.high, a.missing) = (0.5, 2.0, TRUING_MISSING_ZERO);
            (a.level, a.action) = (TRUING_WEIGHT_LEVEL_SEQUENCE_MEAN, TRUING_WEIGHT_TRUNCATE);
            a.normalise = if packed { TRUING_NORMALISE_TOKEN_MEAN } else { 0 };
            (a.out_weights, a.out_keep) = (t.write::<f32>(&shape), t.write::<u8>(&shape));
            (a.out_statistics, a.out_status) = (t.write::<f64>(&[8]), t.write::<u32>(&shape));
        });
        done += REJECTION.same(&format!("rejection_mask, packed {packed}"), &context, |t, a| {
            (a.old, a.sampler, a.mask, a.cu_seqlens) =
                (t.read(&logps, &shape), t.read(&refs, &shape), t.read(&mask, &shape), offsets(t));
            (a.statistic, a.missing, a.high) = (TRUING_REJECTION_BINARY_KL, TRUING_MISSING_ONE, 0.01);
            a.span = if packed { TRUING_SPAN_SEQUENCE_MAX } else { TRUING_SPAN_TOKEN };
            (a.out_keep, a.out_sequence_keep) = (t.write::<u8>(&shape), t.write::<u8>(&[b]));
            a.out_statistic = if packed { t.write::<f64>(&[b]) } else { t.write::<f32>(&shape) };
            a.out_rejected = t.write::<i64>(&[]);
        });
        done += MOVED.same(&format!("off_policy_sequence_mask, packed {packed}"), &context, |t, a| {
            (a.logps, a.behaviour, a.cu_seqlens) = (t.read(&logps, &shape), t.read(&refs, &shape), offsets(t));
            (a.advantage, a.delta) = (t.read(&advantage, &[b]), 0.001);
            (a.out_keep, a.out_mean) = (t.write::<u8>(&[b]), t.write::<f64>(&[b]));
        });
        done += TOP.same(&format!("top_entropy_mask, packed {packed}"), &context, |t, a| {
            (a.entropy, a.mask, a.share) = (t.read(&refs, &shape), t.read(&mask, &shape), 0.2);
            (a.out_keep, a.out_threshold) = (t.write::<u8>(&shape), t.write::<f32>(&[]));
            a.out_status = t.write::<u32>(&[]);
        });
        done += COV.same(&format!("cov_select, packed {packed}"), &context, |t, a| {
            (a.logps, a.mask, a.cu_seqlens) = (t.read(&logps, &shape), t.read(&live, &shape), offsets(t));
            a.advantage = if packed { t.read(&old, &shape) } else { t.read(&advantage, &[b]) };
            (a.params, a.num_params, a.form) = (COV_PARAMS.as_ptr(), 2, TRUING_COV_KL);
            if packed {
                (a.form, a.old, a.seed, a.first_token) = (TRUING_COV_CLIP, t.read(&refs, &shape), 3, 1000);
            }
            (a.out_indices, a.out_count) = (t.write::<i64>(&shape), t.write::<i64>(&[]));
            (a.out_flag, a.out_keep) = (t.write::<u8>(&shape), t.write::<u8>(&shape));
        });
        done += M2PO.same(&format!("m2po_mask, packed {packed}"), &context, |t, a| {
            (a.old, a.proximal, a.mask) = (t.read(&logps, &shape), t.read(&refs, &shape), t.read(&mask, &shape));
            a.threshold = 0.02;
            (a.out_keep, a.out_moment) = (t.write::<u8>(&shape), t.write::<f64>(&[]));
            a.out_dropped = t.write::<i64>(&[]);
        });
        done += FIPO.same(&format!("fipo_weight, packed {packed}"), &context, |t, a| {
            (a.logps, a.old, a.cu_seqlens) = (t.read(&logps, &shape), t.read(&refs, &shape), offsets(t));
            (a.advantage, a.mask, a.high_only) = (t.read(&advantage, &[b]), t.read(&mask, &shape), packed as u32);
            (a.out_weights, a.out_status) = (t.write::<f64>(&shape), t.write::<u32>(&shape));
        });
    }
    for packed in [false, true] {
        let shape = tokens(packed);
        done += BASELINE.same(&format!("optimal_token_baseline, packed {packed}"), &context, |t, a| {
            (a.rewards, a.logps, a.log_sum_sq) =
                (t.read(&refs, &shape), t.read(&logps, &shape), t.read(&squares, &shape));
            (a.mask, a.alignment) =
                (t.read(&mask, &shape), if packed { TRUING_ALIGNMENT_POSITION } else { TRUING_ALIGNMENT_LIVE_INDEX });
            match packed {
                true => {
                    a.cu_seqlens = t.read(&cu, &[b + 1]);
                    a.group_offsets = t.update(vec![0i32, 1, 4], &[3]);
                }
                false => (a.group_ids, a.num_groups) = (t.update(vec![1i64, 0, 0, 1], &[4]), 2),
            }
            (a.out_advantages, a.out_baseline) = (t.write::<f32>(&shape), t.write::<f64>(&shape));
            a.out_status = t.write::<u32>(&[b]);
        });
        done += PRIME.same(&format!("prime_advantage, packed {packed}"), &context, |t, a| {
            (a.process_rewards, a.outcome, a.mask) =
                (t.read(&refs, &shape), t.read(&outcome, &[b]), t.read(&live, &shape));
            if packed {
                a.cu_seqlens = t.read(&cu, &[b + 1]);
            }
            a.group_offsets = t.update(vec![0i32, 2, 4], &[3]);
            (a.out_returns, a.out_status) = (t.write::<f32>(&shape), t.write::<u32>(&[b]));
        });
    }
    let numbers = [0.99f64, 0.95];
    for packed in [false, true] {
        let shape = tokens(packed);
        done += GAE.same(&format!("gae, packed {packed}"), &context, |t, a| {
            (a.rewards, a.values, a.mask) = (t.read(&logps, &shape), t.read(&refs, &shape), t.read(&mask, &[n as i64]));
            (a.masks, a.params, a.num_params) = (TRUING_MASKS_CARRY, numbers.as_ptr(), 2);
            if packed {
                a.cu_seqlens = t.read(&cu, &[b + 1]);
            }
            a.value_end = t.update(vec![0.25f64; b as usize], &[b]);
            (a.out_advantages, a.out_returns) = (t.write::<f32>(&shape), t.write::<f64>(&shape));
            a.out_status = t.write::<u32>(&[b]);
        });
        done += GAE_BACKWARD.same(&format!("gae backward, packed {packed}"), &context, |t, a| {
            (a.grad_advantages, a.mask) = (t.read(&logps, &shape), t.read(&mask, &shape));
            (a.masks, a.params, a.num_params) = (TRUING_MASKS_ZERO, numbers.as_ptr(), 2);
            if packed {
                a.cu_seqlens = t.read(&cu, &[b + 1]);
            }
            (a.grad_rewards_out, a.grad_values_out) = (t.write::<f32>(&shape), t.write::<f32>(&shape));
            a.grad_value_end_out = t.write::<f64>(&[b]);
        });
        done += WHITEN.same(&format!("whiten, packed {packed}"), &context, |t, a| {
            (a.values, a.mask) = (t.read(&logps, &shape), t.read(&mask, &shape));
            (a.std_kind, a.eps_kind) = (TRUING_STD_UNBIASED, TRUING_EPS_ADD);
            (a.out_values, a.out_state) = (t.write::<f32>(&shape), t.write::<f64>(&[3]));
            (a.out_moments, a.out_status) = (t.write::<f64>(&[2]), t.write::<u32>(&[]));
        });
    }
    // the teacher has no opinion of some tokens, and is infinite at one
    let mut opinion: Vec<f32> = logps.iter().map(|x| x + 0.5 * r.normal() as f32).collect();
    (opinion[3], opinion[40], opinion[70]) = (NAN, NAN, -INF);
    let forms = [
        TRUING_DISTILL_OPD,
        TRUING_DISTILL_IW_OPD,
        TRUING_DISTILL_RLSD,
        TRUING_DISTILL_MINILLM,
        TRUING_DISTILL_MINILLM,
    ];
    for (k, form) in forms.into_iter().enumerate() {
        let shape = tokens(k % 2 == 1);
        done += DISTILL.same(&format!("distill_advantage {form}, {k}"), &context, |t, a| {
            (a.student, a.teacher) = (t.read(&logps, &shape), t.read(&opinion, &shape));
            (a.mask, a.form, a.missing_zero) = (t.read(&mask, &shape), form, 1);
            if k % 2 == 1 {
                a.cu_seqlens = t.read(&cu, &[b + 1]);
            }
            match k {
                0 => {
                    a.advantages = t.read(&advantage, &[b]);
                    (a.params, a.num_params, a.estimator) = (numbers.as_ptr(), 2, id("k3"));
                }
                2 => (a.advantages, a.negative_only) = (t.read(&old, &shape), 1),
                3 => (a.params, a.num_params, a.per_length) = (numbers.as_ptr(), 1, 1),
                4 => {
                    (a.params, a.num_params, a.position_power) = (numbers[1..].as_ptr(), 1, 1);
                    a.token_rewards = t.read(&refs, &shape);
                }
                _ => {}
            }
            (a.out_advantages, a.out_status) = (t.write::<f32>(&shape), t.write::<u32>(&[b]));
        });
    }
    for multiplier in [-0.3f64, -800.0, f64::INFINITY] {
        done += LAGRANGIAN.same(&format!("lagrangian_advantage {multiplier}"), &context, |t, a| {
            (a.reward_advantages, a.cost_advantages) = (t.read(&logps, &[b, width]), t.read(&refs, &[n as i64]));
            (a.mask, a.log_lambda) = (t.read(&mask, &[b, width]), t.update(vec![multiplier], &[]));
            (a.mean_cost, a.cost_limit) = (t.update(vec![0.75f32], &[]), 0.5);
            (a.out_advantages, a.grad_log_lambda_out) = (t.write::<f32>(&[b, width]), t.write::<f64>(&[]));
        });
    }
    let table: Vec<f32> = (0..3 * n).map(|_| r.normal() as f32).collect();
    for (k, granularity) in
        [TRUING_GRANULARITY_BATCH, TRUING_GRANULARITY_SEQUENCE, TRUING_GRANULARITY_TOKEN].into_iter().enumerate()
    {
        let shape = tokens(k != 1);
        done += PAMA.same(&format!("pama_scalars {granularity}"), &context, |t, a| {
            (a.advantages, a.granularity) = (t.read(&table, &[3, n as i64]), granularity);
            (a.logps, a.anchor, a.mask) = (t.read(&logps, &shape), t.read(&old, &shape), t.read(&mask, &[n as i64]));
            if k != 1 {
                a.cu_seqlens = t.read(&cu, &[b + 1]);
            }
            a.out_scalars = t.write::<f64>(&[3, [1, b, n as i64][k]]);
        });
        done += INTERVAL.same(&format!("interval_weights {k}"), &context, |t, a| {
            let shape: &[i64] = if k == 0 { &[8] } else { &[8, 3] };
            a.scalars = t.read(&table[..if k == 0 { 8 } else { 24 }], shape);
            (a.out_value, a.out_weights) = (t.write::<f64>(if k == 0 { &[] } else { &[3] }), t.write::<f32>(shape));
            a.out_status = t.write::<u32>(if k == 0 { &[1] } else { &[3] });
        });
        done += GRAM.same(&format!("gram_matrix {k}"), &context, |t, a| {
            (a.values, a.unit_rows) = (t.read(&table, &[3, n as i64]), k as u32 % 2);
            a.mask = t.read(&live, &[n as i64]);
            a.out_gram = if k == 2 { t.write::<f32>(&[3, 3]) } else { t.write::<f64>(&[3, 3]) };
        });
    }
    for objectives in [2, 3, 9] {
        done += MIN_NORM.same(&format!("min_norm_weights {objectives}"), &context, |t, a| {
            let x = |i: i64, j: i64| 1.0 / (1.0 + (i + j) as f64) + if i == j { 0.1 * i as f64 } else { 0.0 };
            let gram = (0..objectives).flat_map(|i| (0..objectives).map(move |j| x(i, j))).collect();
            a.gram = t.update::<f64>(gram, &[objectives, objectives]);
            (a.out_weights, a.out_value) = (t.write::<f32>(&[objectives]), t.write::<f64>(&[]));
        });
    }
    let numbers = [0.1f64, 0.5];
    for op in [KL_CONTROLLER, ENTROPY_CONTROLLER] {
        done += op.same("controllers", &context, |t, a| {
            (a.measured, a.coef) = (t.update(vec![0.07f32], &[]), t.update(vec![0.2f64], &[]));
            (a.params, a.num_params) = (numbers.as_ptr(), 2);
            (a.out_coef, a.out_applied) = (t.write::<f64>(&[]), t.write::<f32>(&[]));
            a.out_status = t.write::<u32>(&[]);
        });
    }
    done
}

/// What the C ABI refuses on a device, and how it finds kernels, contexts and streams there.
pub fn host() {
    let (context, rows) = (Given::new(|_| {}), Rows::new());
    let good = |context: &Given| {
        let (mut t, mut a) = (Arrays::new(true), zeros(context));
        rows.forward(&mut t, &mut a, 0);
        (t, a)
    };
    let (invalid, device) = (TRUING_STATUS_INVALID_ARGUMENT, TRUING_STATUS_UNSUPPORTED_DEVICE);
    let mut cases = 0;
    let mut refuse = |status, words: &str, change: &dyn Fn(&mut Arrays, &mut truing_logprob_forward_args)| {
        let (mut t, mut a) = good(&context);
        change(&mut t, &mut a);
        LOGPROB.refused(status, words, &t, a);
        cases += 1;
    };
    refuse(invalid, "context: got NULL", &|_, a| a.context = null());
    refuse(invalid, "flags", &|_, a| a.flags |= TRUING_STRICT);
    refuse(TRUING_STATUS_NO_DEVICE, "device: got 7", &|t, _| t.move_to(TRUING_DEVICE_CUDA, 7));
    // one tensor elsewhere: on the CPU, on another device; the first of them, a later one
    for at in [0, 1, 4] {
        refuse(device, "memory of the CPU", &|t, _| t.tensors[at].device.device_type = TRUING_DEVICE_CPU);
        refuse(device, "the tensors before it", &|t, _| t.tensors[at].device.device_id = 1);
    }
    type Change = dyn Fn(&mut Arrays, &mut truing_logprob_forward_args);
    let lacks: [(truing_status, &str, &Change); 7] = [
        (TRUING_STATUS_SHAPE_MISMATCH, "grad_bias_out", &|t, a| {
            (a.grad_bias_out, a.row_loss.reduction) = (t.write::<f32>(&[V - 1]), TRUING_REDUCE_SUM)
        }),
        (invalid, "support.top_p", &|_, a| {
            (a.support.kind, a.support.preset) = (TRUING_SUPPORT_COMPUTED, TRUING_FILTER_HF);
            a.support.top_p = f64::NAN;
        }),
        (invalid, "row_loss.reduction", &|t, a| a.figures.out_loss = t.write::<f64>(&[])),
        (invalid, "figures.extra_ids", &|t, a| a.figures.out_extra_logprobs = t.write::<f32>(&[N, 2])),
        (TRUING_STATUS_SHAPE_MISMATCH, "row_loss.class_weight", &|t, a| {
            (a.row_loss.class_weight, a.row_loss.z_loss) = (t.write::<f32>(&[V - 1]), 0.1)
        }),
        (TRUING_STATUS_UNSUPPORTED_DTYPE, "figures.out_logprob: got f32", &|t, a| a.logits = t.write::<f64>(&[N, V])),
        // of f64 rows there are figures alone
        (TRUING_STATUS_UNSUPPORTED_DTYPE, "logits: got f64", &|t, a| {
            (a.logits, a.figures.out_rank) = (t.write::<f64>(&[N, V]), t.write::<i32>(&[N]));
        }),
    ];
    for (status, words, change) in lacks {
        refuse(status, words, change);
    }
    refuse(TRUING_STATUS_ALIASING, "figures.out_logprob", &|t, a| {
        t.tensors[3].data = t.tensors[0].data;
        assert_eq!(&raw const *t.tensors[3], a.figures.out_logprob);
    });
    refuse(TRUING_STATUS_SHAPE_MISMATCH, "figures.out_lse", &|t, a| a.figures.out_lse = t.write::<f32>(&[N + 1]));
    // a workspace of the device's size
    let (_t, mut a) = good(&context);
    let (mut minimum, mut preferred) = (0, 0);
    // SAFETY: our places.
    assert_eq!(unsafe { truing_logprob_forward_workspace_size(&a, &mut minimum, &mut preferred) }, 0);
    assert!(minimum > 0 && preferred >= minimum);
    let scratch = vec![0u64; minimum];
    let at = scratch.as_ptr().expose_provenance().next_multiple_of(64);
    (a.workspace, a.workspace_size) = (std::ptr::with_exposed_provenance_mut(at), minimum - 1);
    // SAFETY: refused.
    assert_eq!(unsafe { truing_logprob_forward(&a) }, TRUING_STATUS_WORKSPACE_TOO_SMALL, "{}", message());
    // other operations have not come to the device
    let (mut t, mut b) = (Arrays::new(true), zeros::<truing_linear_logprob_forward_args>(&context));
    b.head.hidden = t.write::<f32>(&[2, 3]);
    // SAFETY: refused.
    assert_eq!(unsafe { truing_linear_logprob_forward(&b) }, device);
    assert!(message().contains("head.hidden: got a CUDA tensor, expected memory of the CPU"), "{}", message());
    // what a divergence does not go with
    let divergence = || {
        let (mut t, mut a) = (Arrays::new(true), zeros::<truing_divergence_forward_args>(&context));
        (a.student, a.teacher) = (rows.logits(&mut t, 0), rows.logits(&mut t, 0));
        (a.options.kind, a.options.teacher_form) = (TRUING_DIVERGENCE_FORWARD_KL, TRUING_TEACHER_LOGITS);
        a.outputs.out_values = t.write::<f32>(&[N]);
        (t, a)
    };
    let (mut t, mut a) = divergence();
    (a.options.teacher_form, a.options.aggregate.mode) = (TRUING_TEACHER_PROBS, TRUING_AGGREGATE_TOKEN_SUM);
    a.grad_teacher_out = t.write::<f32>(&[N, V]);
    DIVERGENCE.refused(invalid, "grad_teacher_out", &t, a);
    let (mut t, mut a) = divergence();
    (a.teacher, a.options.teacher_form, a.teacher_transform.temperature) = (null(), TRUING_TEACHER_TOPK_LOGPROBS, 0.7);
    (a.partial.support, a.partial.outside) = (TRUING_PARTIAL_GIVEN, TRUING_OUTSIDE_RENORMALISE);
    a.partial.ids = t.update((0..2 * N).map(|i| i as i32).collect(), &[N, 2]);
    a.partial.teacher_values = t.update(vec![-1.0f32; 2 * N as usize], &[N, 2]);
    DIVERGENCE.refused(invalid, "teacher_transform", &t, a);
    let (mut t, mut a) = divergence();
    a.grad_student_out = t.write::<f32>(&[N, V]);
    DIVERGENCE.refused(invalid, "options.aggregate.mode", &t, a);
    let (mut t, mut a) = divergence();
    a.outputs.out_loss = t.write::<f64>(&[]);
    DIVERGENCE.refused(invalid, "options.aggregate.mode", &t, a);
    // a term of the target beside given ids over shards is the CPU's
    let (mut t, mut a) = (Arrays::new(true), zeros::<truing_divergence_local_args>(&context));
    (a.student, a.teacher) = (rows.logits(&mut t, 0), rows.logits(&mut t, 0));
    (a.options.kind, a.options.teacher_form) = (TRUING_DIVERGENCE_FORWARD_KL, TRUING_TEACHER_LOGITS);
    (a.options.hard_weight, a.rows.target) = (0.5, t.update(vec![1i64; N as usize], &[N]));
    (a.partial.support, a.partial.outside) = (TRUING_PARTIAL_GIVEN, TRUING_OUTSIDE_RENORMALISE);
    a.partial.ids = t.update((0..2 * N).map(|i| i as i32).collect(), &[N, 2]);
    (a.shard.vocab_end, a.shard.vocab_total, a.local_pass) = (V, V, TRUING_LOCAL_RECORDS);
    (a.out_student_at_ids, a.out_teacher_at_ids) = (t.write::<f32>(&[N, 2]), t.write::<f32>(&[N, 2]));
    a.out_records = t.write::<f32>(&[N, 12]);
    let of_shard = Op(truing_divergence_local_workspace_size, truing_divergence_local);
    of_shard.refused(invalid, "options.hard_weight", &t, a);
    // lists: offsets are needed, there is a list where there are members, rewards are of the members
    let s = [0.0f64; 4];
    let lists = || {
        let (mut t, mut a) = (Arrays::new(true), zeros::<truing_preference_forward_args>(&context));
        (a.scores, a.loss.id, a.loss.reduction) = (t.read(&s, &[4]), id("plackett_luce"), TRUING_REDUCE_SUM);
        (a.score_kind, a.outputs.out_loss) = (TRUING_SCORE_SUM, t.write::<f64>(&[]));
        (t, a)
    };
    let (t, a) = lists();
    PREFERENCE.refused(invalid, "groups.list_offsets: got NULL", &t, a);
    let (mut t, mut a) = lists();
    a.groups.list_offsets = t.update(vec![0i32], &[1]);
    PREFERENCE.refused(TRUING_STATUS_SHAPE_MISMATCH, "groups.list_offsets", &t, a);
    let (mut t, mut a) = lists();
    a.groups.list_offsets = t.update(vec![0i32, 4], &[2]);
    a.items.out_reward_chosen = t.write::<f64>(&[1]);
    PREFERENCE.refused(TRUING_STATUS_SHAPE_MISMATCH, "items.out_reward_chosen", &t, a);
    // gradients that are not offered, and none at all
    let objectives = || {
        let (mut t, mut a) = (Arrays::new(true), zeros::<truing_multi_objective_advantage_args>(&context));
        (a.rewards, a.preset, a.order) = (t.read(&s, &[2, 2]), TRUING_ADVANTAGE_GRPO, TRUING_ORDER_SUM_FIRST);
        a.group_offsets = t.update(vec![0i32, 2], &[2]);
        (a.grad_advantages, a.grad_weights_out) = (t.read(&s[..2], &[2]), t.write::<f64>(&[2]));
        (t, a)
    };
    let (t, mut a) = objectives();
    a.scale = TRUING_SCALE_LEAVE_ONE_OUT_STD;
    OBJECTIVES_BACKWARD.refused(invalid, "scale", &t, a);
    let (t, mut a) = objectives();
    a.grad_advantages = null();
    OBJECTIVES_BACKWARD.refused(invalid, "grad_advantages", &t, a);
    let (mut t, mut a) = objectives();
    a.grad_weights_out = t.write::<f64>(&[3]);
    OBJECTIVES_BACKWARD.refused(TRUING_STATUS_SHAPE_MISMATCH, "grad_weights_out", &t, a);
    // more objectives than there may be
    let many = [0.0f32; 65];
    let (mut t, mut a) = (Arrays::new(true), zeros::<truing_gram_matrix_args>(&context));
    (a.values, a.out_gram) = (t.read(&many, &[65, 1]), t.write::<f64>(&[65, 65]));
    GRAM.refused(TRUING_STATUS_SHAPE_MISMATCH, "values", &t, a);
    let (mut t, mut a) = (Arrays::new(true), zeros::<truing_min_norm_weights_args>(&context));
    (a.gram, a.out_weights) = (t.read(&many[..6], &[2, 3]), t.write::<f64>(&[2]));
    MIN_NORM.refused(TRUING_STATUS_SHAPE_MISMATCH, "gram", &t, a);
    let (mut t, mut a) = (Arrays::new(true), zeros::<truing_interval_weights_args>(&context));
    (a.scalars, a.out_weights) = (t.read(&many[..6], &[2, 3]), t.write::<f64>(&[3, 2]));
    INTERVAL.refused(TRUING_STATUS_SHAPE_MISMATCH, "out_weights", &t, a);
    // packed sequences of one token each: what has an element a token must be said, as offsets are not read
    let (mut t, mut a) = (Arrays::new(true), zeros::<truing_policy_forward_args>(&context));
    a.logps = t.read(&[0.0f32; 4], &[4]);
    a.inputs.cu_seqlens = t.update(vec![0i32, 1, 2, 3, 4], &[5]);
    (a.inputs.advantage, a.inputs.loss.id) = (t.read(&[1.0f32; 4], &[4]), id("ppo_clip"));
    (a.inputs.level, a.inputs.aggregate.mode) = (TRUING_LEVEL_TOKEN, TRUING_AGGREGATE_TOKEN_MEAN);
    a.outputs.out_loss = t.write::<f64>(&[]);
    POLICY.refused(invalid, "advantage_level", &t, a);
    a.inputs.advantage_level = TRUING_LEVEL_SEQUENCE;
    assert_eq!(POLICY.call(a, true), 0, "{}", message());
    // nothing is aggregated: there is no loss, and an upstream gradient has an element for each value
    a.inputs.aggregate.mode = TRUING_AGGREGATE_NONE;
    POLICY.refused(invalid, "outputs.out_loss", &t, a);
    let loss = std::mem::replace(&mut a.outputs.out_loss, null());
    a.grad_output = t.read(&[1.0f32; 3], &[3]);
    POLICY.refused(TRUING_STATUS_SHAPE_MISMATCH, "grad_output", &t, a);
    (a.inputs.aggregate.mode, a.outputs.out_loss, a.grad_output) = (TRUING_AGGREGATE_TOKEN_MEAN, loss, null());
    // values stand in the place of an estimate, not beside one
    (a.inputs.kl.id, a.kl) = (id("k3"), t.read(&[0.0f32; 4], &[4]));
    POLICY.refused(invalid, "inputs.kl.id", &t, a);
    (a.inputs.kl.id, a.kl, a.grad_kl_out) = (0, null(), t.write::<f32>(&[4]));
    POLICY.refused(invalid, "grad_kl_out", &t, a);
    a.grad_kl_out = null();
    // groups are there for list entries, which want them
    a.inputs.group_offsets = t.update(vec![0i32, 4], &[2]);
    POLICY.refused(invalid, "inputs.group_offsets", &t, a);
    (a.inputs.loss.id, a.inputs.level) = (id("gvpo"), TRUING_LEVEL_SEQUENCE);
    (a.inputs.aggregate.mode, a.inputs.aggregate.count_empty) = (TRUING_AGGREGATE_SEQ_MEAN, TRUING_COUNT_ALL);
    a.inputs.group_offsets = t.update(vec![0i32], &[1]);
    POLICY.refused(TRUING_STATUS_SHAPE_MISMATCH, "inputs.group_offsets", &t, a);
    a.inputs.group_offsets = t.update(vec![0.0f32, 4.0], &[2]);
    POLICY.refused(TRUING_STATUS_UNSUPPORTED_DTYPE, "inputs.group_offsets", &t, a);
    a.inputs.group_offsets = null();
    POLICY.refused(invalid, "inputs.group_offsets", &t, a);

    // and so it is with the advantages of a selection
    let (mut t, mut a) = (Arrays::new(true), zeros::<truing_cov_select_args>(&context));
    a.logps = t.read(&[0.0f32; 4], &[4]);
    a.cu_seqlens = t.update(vec![0i32, 1, 2, 3, 4], &[5]);
    (a.advantage, a.form) = (t.read(&[1.0f32; 4], &[4]), TRUING_COV_KL);
    a.out_keep = t.write::<u8>(&[4]);
    COV.refused(invalid, "advantage", &t, a);
    a.advantage = t.read(&[1.0f32; 3], &[3]);
    COV.refused(TRUING_STATUS_SHAPE_MISMATCH, "advantage", &t, a);

    // the caller's stream
    let (_t, mut a) = good(&context);
    a.stream = std::ptr::without_provenance_mut::<c_void>(4096);
    assert_eq!(LOGPROB.call(a, true), 0, "{}", message());
    assert_eq!(standin(CUDA, c"standin_stream", 0), 4096);
    // a graph: kernels must have been loaded
    let fresh = Given::new(|_| {});
    standin(CUDA, c"standin_capture", 1);
    let (_t, a) = good(&fresh);
    assert_eq!(LOGPROB.call(a, true), TRUING_STATUS_LAUNCH_FAILED);
    assert!(message().contains("stream: got a stream under capture"), "{}", message());
    standin(CUDA, c"standin_capture", 0);
    // SAFETY: a living context, or NULL, which is refused.
    unsafe {
        assert_eq!(truing_prepare(null(), 0), invalid);
        assert_eq!(truing_prepare(fresh.0, 7), TRUING_STATUS_NO_DEVICE, "{}", message());
        assert_eq!(truing_prepare(fresh.0, 0), 0, "{}", message());
    }
    standin(CUDA, c"standin_capture", 1);
    assert_eq!(LOGPROB.call(a, true), 0, "{}", message());
    standin(CUDA, c"standin_capture", 0);

    // no current context: that of the device, if somebody has made it; afterwards there is none again
    standin(CUDA, c"standin_context", 0);
    let (_t, a) = good(&context);
    assert_eq!(LOGPROB.call(a, true), TRUING_STATUS_NO_DEVICE);
    assert!(message().contains("no context of the tensors' device"), "{}", message());
    standin(CUDA, c"standin_primary", 1);
    assert_eq!(LOGPROB.call(a, true), 0, "{}", message());
    // SAFETY: as above.
    assert_eq!(unsafe { truing_prepare(context.0, 0) }, 0, "{}", message());
    assert_eq!(standin(CUDA, c"standin_retained", 0), 0, "what is retained is given back");
    assert_eq!(standin(CUDA, c"standin_current", 0), 0, "what was current is so again");
    standin(CUDA, c"standin_primary", 0);
    standin(CUDA, c"standin_context", 1);

    // the folder of compiled kernels
    let dir = std::path::PathBuf::from(std::env::var_os("TRUING_STANDIN").unwrap()).join("c cache");
    let _ = std::fs::remove_dir_all(&dir);
    std::fs::create_dir_all(&dir).unwrap();
    let path = CString::new(dir.to_str().unwrap()).unwrap();
    let compiled = || standin(NVRTC, c"standin_compiled", 0);
    for fresh in [true, false] {
        let (context, before) = (Given::new(|o| o.cuda_cache_dir = path.as_ptr()), compiled());
        let (_t, a) = good(&context);
        assert_eq!(LOGPROB.call(a, true), 0, "{}", message());
        assert_eq!(compiled() > before, fresh, "the folder was not used");
    }
    assert_eq!(std::fs::read_dir(&dir).unwrap().count(), 1);
    println!("{} ways of the C ABI refused by name", cases + 16);
}

/// Without a driver the same call says so.
pub fn without_driver() {
    let (context, rows) = (Given::new(|_| {}), Rows::new());
    let (mut t, mut a) = (Arrays::new(true), zeros(&context));
    rows.forward(&mut t, &mut a, 0);
    assert_eq!(LOGPROB.call(a, true), TRUING_STATUS_NO_DEVICE, "{}", message());
    // SAFETY: a living context.
    assert_eq!(unsafe { truing_prepare(context.0, 0) }, TRUING_STATUS_NO_DEVICE);
    assert!(message().starts_with("truing_prepare: device: got"), "{}", message());
}
