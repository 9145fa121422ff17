// Everything that is PTX or depends on the machine. Each function has a body for a host compiler, with the same bits:
// the tests run the kernels on the CPU (tests/cuda/shim.h).
#pragma once
#include "generated/losses.cuh"

#ifdef __CUDACC__
// A function that is called, not inlined.
#define TRUING_CALL __device__ __noinline__ static
// d, or low if d < low; a NaN stays.
TRUING_FN float truing_max_nan(float a, float b) {
    float y;
    asm("max.NaN.f32 %0, %1, %2;" : "=f"(y) : "f"(a), "f"(b));
    return y;
}
TRUING_FN float truing_widen_f16(unsigned short x) {
    float y;
    asm("cvt.f32.f16 %0, %1;" : "=f"(y) : "h"(x));
    return y;
}
// Nearest even.
TRUING_FN unsigned short truing_round_f16(float x) {
    unsigned short y;
    asm("cvt.rn.f16.f32 %0, %1;" : "=h"(y) : "f"(x));
    return y;
}
TRUING_FN unsigned short truing_round_bf16(float x) {
    unsigned short y;
    asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(y) : "f"(x));
    return y;
}
// Two 16-bit columns in a word, the larger in each half; a NaN beside a number is passed over.
TRUING_FN truing_u32 truing_max2_bf16(truing_u32 a, truing_u32 b) {
    truing_u32 y;
    asm("max.bf16x2 %0, %1, %2;" : "=r"(y) : "r"(a), "r"(b));
    return y;
}
TRUING_FN truing_u32 truing_max2_f16(truing_u32 a, truing_u32 b) {
    truing_u32 y;
    asm("max.f16x2 %0, %1, %2;" : "=r"(y) : "r"(a), "r"(b));
    return y;
}
// Two numbers rounded to nearest even, the first in the lower half.
TRUING_FN truing_u32 truing_round2_bf16(float low, float high) {
    truing_u32 y;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(y) : "f"(high), "f"(low));
    return y;
}
TRUING_FN truing_u32 truing_round2_f16(float low, float high) {
    truing_u32 y;
    asm("cvt.rn.f16x2.f32 %0, %1, %2;" : "=r"(y) : "f"(high), "f"(low));
    return y;
}
// 2^x within 2 units of the last place, 0 below 2^-126; the special-function unit's. For the mode `fast` alone.
TRUING_FN float truing_exp2_fast(float x) {
    float y;
    asm("ex2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}
// log2(x) of a normal x > 0 within 2^-22, absolute where the result is small; the special-function unit's. For `fast` alone.
TRUING_FN float truing_log2_fast(float x) {
    float y;
    asm("lg2.approx.ftz.f32 %0, %1;" : "=f"(y) : "f"(x));
    return y;
}
// 16 bytes that are read once, and that are written and not read again soon.
TRUING_FN uint4 truing_load16(const void *from) {
    uint4 q;
    asm volatile("ld.global.cs.v4.u32 {%0, %1, %2, %3}, [%4];" : "=r"(q.x), "=r"(q.y), "=r"(q.z), "=r"(q.w) : "l"(from) : "memory");
    return q;
}
TRUING_FN void truing_store16(void *to, uint4 q) {
    asm volatile("st.global.cs.v4.u32 [%0], {%1, %2, %3, %4};" ::"l"(to), "r"(q.x), "r"(q.y), "r"(q.z), "r"(q.w) : "memory");
}
// The first statement of every kernel: what the launches before this one wrote can be seen behind it. A launch may begin
// before the one in front of it has ended (Kernel::launch of the host's side).
TRUING_FN void truing_wait() {
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.wait;" ::: "memory");
#endif
}
// The launch behind this one may get ready once every block of threads has said so, and waits for this one's end in
// `truing_wait`. For short kernels: blocks that wait take their places.
TRUING_FN void truing_let_go() {
#if __CUDA_ARCH__ >= 900
    asm volatile("griddepcontrol.launch_dependents;" ::: "memory");
#endif
}
// Copies 16 bytes to shared memory behind the thread's back; both addresses are multiples of 16.
TRUING_FN void truing_copy16(void *to, const void *from) {
    asm volatile("cp.async.cg.shared.global [%0], [%1], 16;" ::"r"((truing_u32)__cvta_generic_to_shared(to)), "l"(from) : "memory");
}
// Waits for this thread's copies; others see them behind the next barrier.
TRUING_FN void truing_copies_done() { asm volatile("cp.async.wait_all;" ::: "memory"); }
// Closes a group of this thread's copies; waits for all groups but the last.
TRUING_FN void truing_copies_commit() { asm volatile("cp.async.commit_group;" ::: "memory"); }
TRUING_FN void truing_copies_before_last_done() { asm volatile("cp.async.wait_group 1;" ::: "memory"); }
// Clusters: blocks that run at once and may read each other's shared memory, from compute capability 9.0 on. Before that a
// kernel must be launched without them, and is its own cluster of one.
// Number of the block in its cluster.
TRUING_FN truing_u32 truing_cluster_rank() {
    truing_u32 y = 0;
#if __CUDA_ARCH__ >= 900
    asm("mov.u32 %0, %%cluster_ctarank;" : "=r"(y));
#endif
    return y;
}
// Blocks of the cluster.
TRUING_FN truing_u32 truing_cluster_size() {
    truing_u32 y = 1;
#if __CUDA_ARCH__ >= 900
    asm("mov.u32 %0, %%cluster_nctarank;" : "=r"(y));
#endif
    return y;
}
// A barrier of every thread of the cluster; what was written before it, shared or global, can be seen behind it. A block
// whose shared memory others read must not end before they have: another barrier stands behind the last read.
TRUING_FN void truing_cluster_sync() {
#if __CUDA_ARCH__ >= 900
    asm volatile("barrier.cluster.arrive.release.aligned;\nbarrier.cluster.wait.acquire.aligned;" ::: "memory");
#else
    __syncthreads();
#endif
}
// A phase that is over once its arrivals are there and the bytes that these have announced: 8 bytes of shared memory, which one
// thread initialises in front of a barrier of the cluster. Phases count from 0; who waits names the parity of one.
// No kernel may take them before compute capability 9.0.
TRUING_FN void truing_phase_init(truing_u64 *phase, truing_u32 arrivals) {
#if __CUDA_ARCH__ >= 900
    asm volatile("mbarrier.init.shared::cta.b64 [%0], %1;\nfence.mbarrier_init.release.cluster;" ::"r"((truing_u32)__cvta_generic_to_shared(phase)),
                 "r"(arrivals)
                 : "memory");
#endif
}
// Arrives and announces bytes that others send (0: none).
TRUING_FN void truing_phase_arrive(truing_u64 *phase, truing_u32 bytes) {
#if __CUDA_ARCH__ >= 900
    asm volatile("mbarrier.arrive.expect_tx.shared::cta.b64 _, [%0], %1;" ::"r"((truing_u32)__cvta_generic_to_shared(phase)), "r"(bytes)
                 : "memory");
#endif
}
TRUING_FN void truing_phase_wait(truing_u64 *phase, truing_u32 parity) {
#if __CUDA_ARCH__ >= 900
    truing_u32 done;
    do {
        asm volatile("{\n.reg .pred p;\nmbarrier.try_wait.parity.shared::cta.b64 p, [%1], %2;\nselp.u32 %0, 1, 0, p;\n}"
                     : "=r"(done)
                     : "r"((truing_u32)__cvta_generic_to_shared(phase)), "r"(parity)
                     : "memory");
    } while (!done);
#endif
}
// Sends 16 bytes to where `to` lies in another block of the cluster, and counts them in its `phase`. Both lie in
// the bytes whose number the launch names. In a cluster of one it is an illegal instruction.
TRUING_FN void truing_send16(void *to, uint4 q, truing_u64 *phase, truing_u32 rank) {
#if __CUDA_ARCH__ >= 900
    truing_u32 at, by;
    asm("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(at) : "r"((truing_u32)__cvta_generic_to_shared(to)), "r"(rank));
    asm("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(by) : "r"((truing_u32)__cvta_generic_to_shared(phase)), "r"(rank));
    asm volatile("st.async.weak.shared::cluster.mbarrier::complete_tx::bytes.v4.b32 [%0], {%1, %2, %3, %4}, [%5];" ::"r"(at), "r"(q.x), "r"(q.y),
                 "r"(q.z), "r"(q.w), "r"(by)
                 : "memory");
#endif
}
template <class T> __device__ __forceinline__ T *truing_peer_of(T *mine, truing_u32 rank) {
#if __CUDA_ARCH__ >= 900
    T *y;
    asm("mapa.u64 %0, %1, %2;" : "=l"(y) : "l"(mine), "r"(rank));
    return y;
#else
    return mine;
#endif
}
// A shared variable of each block of a cluster, TRUING_SHARED(double, sums, [8][32]), and the one of another block.
#define TRUING_SHARED(T, name, extents) __shared__ __align__(16) T name extents
#define TRUING_PEER(name, rank) (*truing_peer_of(&name, rank))
// The bytes whose number the launch names, `unsigned char *name`, and those of another block.
#define TRUING_DYNAMIC(name) extern __shared__ __align__(128) unsigned char name[]
#define TRUING_DYNAMIC_PEER(name, rank) truing_peer_of((unsigned char *)name, rank)
#else
#define TRUING_CALL static
TRUING_FN float truing_max_nan(float a, float b) { return a != a ? a : b != b ? b : a < b ? b : a; }
TRUING_FN float truing_widen_f16(unsigned short x) {
    const truing_u32 sign = (truing_u32)(x & 0x8000) << 16, e = x >> 10 & 31, f = x & 1023;
    if (e == 31) return truing_from(sign | 0x7f800000u | f << 13);
    if (e == 0) return truing_from(sign | truing_bits((float)f * 5.9604644775390625e-8f));
    return truing_from(sign | (e + 112) << 23 | f << 13);
}
TRUING_FN unsigned short truing_round_f16(float x) {
    const truing_u32 sign = truing_bits(x) >> 16 & 0x8000, u = truing_bits(x) & 0x7fffffffu;
    if (u > 0x7f800000u) return 0x7e00;
    if (u >= 0x477ff000u) return (unsigned short)(sign | 0x7c00);
    // below 2^-14 the sum with 1/2 rounds to a multiple of 2^-24
    if (u < 0x38800000u) return (unsigned short)(sign | (truing_bits(truing_from(u) + 0.5f) - 0x3f000000u));
    return (unsigned short)(sign | (u + 0xfffu + (u >> 13 & 1) - (112u << 23)) >> 13);
}
TRUING_FN unsigned short truing_round_bf16(float x) {
    const truing_u32 u = truing_bits(x);
    return x != x ? 0x7fc0 : (unsigned short)((u + 0x7fffu + (u >> 16 & 1)) >> 16);
}
TRUING_FN truing_u32 truing_max2_bf16(truing_u32 a, truing_u32 b) {
    truing_u32 y = 0;
    for (int shift = 0; shift < 32; shift += 16)
        y |= truing_bits(fmaxf(truing_from((a >> shift) << 16), truing_from((b >> shift) << 16))) >> 16 << shift;
    return y;
}
TRUING_FN truing_u32 truing_max2_f16(truing_u32 a, truing_u32 b) {
    truing_u32 y = 0;
    for (int shift = 0; shift < 32; shift += 16) {
        const unsigned short p = (unsigned short)(a >> shift), q = (unsigned short)(b >> shift);
        const float u = truing_widen_f16(p), v = truing_widen_f16(q);
        y |= (truing_u32)(u != u || u < v ? q : p) << shift;
    }
    return y;
}
TRUING_FN truing_u32 truing_round2_bf16(float low, float high) {
    return truing_round_bf16(low) | (truing_u32)truing_round_bf16(high) << 16;
}
TRUING_FN truing_u32 truing_round2_f16(float low, float high) {
    return truing_round_f16(low) | (truing_u32)truing_round_f16(high) << 16;
}
TRUING_FN float truing_exp2_fast(float x) { return x < -126.0f ? 0.0f : exp2f(x); }
TRUING_FN float truing_log2_fast(float x) { return log2f(x); }
TRUING_FN uint4 truing_load16(const void *from) { return *(const uint4 *)from; }
TRUING_FN void truing_store16(void *to, uint4 q) { *(uint4 *)to = q; }
TRUING_FN void truing_wait() {}
TRUING_FN void truing_let_go() {}
// truing_copy16 and what waits for copies: the shim's, which delays the copies in some of its thread orders. So are phases and
// clusters: truing_cluster_rank, truing_cluster_size, truing_cluster_sync, truing_send16 and the four macros.
#endif
