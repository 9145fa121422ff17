/* A trainer in C99: DPO on hidden states and a head through truing_linear_preference_forward, then likelihood of given
 * tokens through truing_logprob_*. Checks the numbers against its own double arithmetic. */
#include <math.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "truing.h"
#include "truing_losses.h"

enum { S = 4, T = 6, N = S * T, D = 16, V = 101 };

static int checks;
#define CHECK(ok)                                                                                                      \
    do {                                                                                                               \
        checks++;                                                                                                      \
        if (!(ok)) {                                                                                                   \
            fprintf(stderr, "%s:%d: %s\n  %s\n", __FILE__, __LINE__, #ok, truing_last_error());                        \
            exit(1);                                                                                                   \
        }                                                                                                              \
    } while (0)

#include "every_entry.h"

static uint64_t state = 42;
static double uniform(void) {
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (double)(state >> 11) / 9007199254740992.0 - 0.5;
}

static truing_tensor view(void *data, uint8_t code, uint8_t bits, int32_t ndim, const int64_t *shape) {
    truing_tensor t;
    memset(&t, 0, sizeof t);
    t.data = data;
    t.device.device_type = TRUING_DEVICE_CPU;
    t.ndim = ndim;
    t.dtype.code = code;
    t.dtype.bits = bits;
    t.dtype.lanes = 1;
    t.shape = shape;
    return t;
}

/* log-prob of column y of a row of logits, in double */
static double log_softmax(const float *z, int y) {
    double most = z[0], sum = 0;
    int j;
    for (j = 1; j < V; j++) {
        most = z[j] > most ? z[j] : most;
    }
    for (j = 0; j < V; j++) {
        sum += exp(z[j] - most);
    }
    return z[y] - most - log(sum);
}

static void *workspace;
static size_t workspace_bytes;
static void grow(size_t bytes) {
    char *raw;
    if (bytes <= workspace_bytes) {
        return;
    }
    raw = malloc(bytes + 64); /* kept for the whole run */
    CHECK(raw != NULL);
    workspace = raw + (64 - (uintptr_t)raw % 64);
    workspace_bytes = bytes;
}

static float hidden[N * D], weight[V * D], grad_hidden[N * D], grad_weight[V * D], logits[N * V], grad_logits[N * V];
static float logps[N];
static int32_t target[N];
static uint8_t mask[N];

int main(void) {
    const int64_t hidden_shape[] = {S, T, D}, weight_shape[] = {V, D}, token_shape[] = {S, T}, logit_shape[] = {S, T, V};
    const int64_t sequence_shape[] = {S};
    double scores[S], ref_scores[S], loss = 0, first = 0, statistics[TRUING_PREFERENCE_STAT_COUNT], params[1] = {0.5};
    truing_tensor t_hidden = view(hidden, TRUING_DTYPE_FLOAT, 32, 3, hidden_shape);
    truing_tensor t_weight = view(weight, TRUING_DTYPE_FLOAT, 32, 2, weight_shape);
    truing_tensor t_target = view(target, TRUING_DTYPE_INT, 32, 2, token_shape);
    truing_tensor t_mask = view(mask, TRUING_DTYPE_UINT, 8, 2, token_shape);
    truing_tensor t_grad_hidden = view(grad_hidden, TRUING_DTYPE_FLOAT, 32, 3, hidden_shape);
    truing_tensor t_grad_weight = view(grad_weight, TRUING_DTYPE_FLOAT, 32, 2, weight_shape);
    truing_tensor t_logits = view(logits, TRUING_DTYPE_FLOAT, 32, 3, logit_shape);
    truing_tensor t_grad_logits = view(grad_logits, TRUING_DTYPE_FLOAT, 32, 3, logit_shape);
    truing_tensor t_logps = view(logps, TRUING_DTYPE_FLOAT, 32, 2, token_shape);
    truing_tensor t_scores = view(scores, TRUING_DTYPE_FLOAT, 64, 1, sequence_shape);
    truing_tensor t_ref_scores = view(ref_scores, TRUING_DTYPE_FLOAT, 64, 1, sequence_shape);
    const int64_t statistics_shape[] = {TRUING_PREFERENCE_STAT_COUNT};
    truing_tensor t_loss = view(&loss, TRUING_DTYPE_FLOAT, 64, 0, NULL);
    truing_tensor t_statistics = view(statistics, TRUING_DTYPE_FLOAT, 64, 1, statistics_shape);
    truing_context *context = NULL;
    truing_context_options options;
    truing_linear_preference_args a;
    truing_logprob_forward_args forward;
    truing_logprob_backward_args backward;
    truing_loss_id id = 0;
    size_t minimum = 0, preferred = 0;
    int i, j, d, step, correct = 0;

    CHECK(truing_abi_version() == TRUING_ABI_VERSION);
    CHECK(truing_loss_find("sigmoid", &id) == TRUING_STATUS_OK && id == TRUING_PAIR_DPO);
    for (i = 0; i < N * D; i++) {
        hidden[i] = (float)uniform();
    }
    for (i = 0; i < V * D; i++) {
        weight[i] = (float)uniform();
    }
    for (i = 0; i < N; i++) {
        target[i] = (int32_t)((uniform() + 0.5) * V);
        mask[i] = i % T != 0; /* the first token of a sequence is the prompt */
    }

    memset(&options, 0, sizeof options);
    options.struct_size = sizeof options;
    options.num_threads = 2;
    CHECK(truing_context_create(&options, &context) == TRUING_STATUS_OK);

    /* the reference: scores before any step */
    memset(&a, 0, sizeof a);
    a.struct_size = sizeof a;
    a.context = context;
    a.head.hidden = &t_hidden;
    a.head.weight = &t_weight;
    a.rows.target = &t_target;
    a.rows.mask = &t_mask;
    a.score.kind = TRUING_SCORE_SUM;
    a.phase = TRUING_PHASE_FIGURES;
    a.out_scores = &t_ref_scores;
    a.out_logps = &t_logps;
    CHECK(truing_linear_preference_forward_workspace_size(&a, &minimum, &preferred) == TRUING_STATUS_OK);
    CHECK(minimum > 0 && minimum <= preferred);
    grow(preferred);
    a.workspace = workspace;
    a.workspace_size = workspace_bytes;
    CHECK(truing_linear_preference_forward(&a) == TRUING_STATUS_OK);
    for (i = 0; i < S; i++) {
        double sum = 0;
        for (j = 1; j < T; j++) {
            const int n = i * T + j;
            float z[V];
            int v;
            for (v = 0; v < V; v++) {
                double dot = 0;
                for (d = 0; d < D; d++) {
                    dot += (double)hidden[n * D + d] * weight[v * D + d];
                }
                z[v] = (float)dot;
            }
            CHECK(fabs(log_softmax(z, target[n]) - logps[n]) < 1e-5);
            sum += logps[n];
        }
        CHECK(logps[i * T] == 0 && fabs(sum - ref_scores[i]) < 1e-9);
    }

    /* SGD on both */
    a.phase = TRUING_PHASE_SINGLE;
    a.ref_scores = &t_ref_scores;
    a.out_scores = &t_scores;
    a.out_logps = NULL;
    a.groups.layout = TRUING_LAYOUT_INTERLEAVED;
    a.loss.id = TRUING_PAIR_DPO;
    a.loss.params = params;
    a.loss.num_params = 1;
    a.loss.reduction = TRUING_REDUCE_MEAN;
    a.grads.grad_hidden_out = &t_grad_hidden;
    a.grads.grad_weight_out = &t_grad_weight;
    a.outputs.out_loss = &t_loss;
    a.items.out_statistics = &t_statistics;
    a.workspace = NULL;
    a.workspace_size = 0;
    CHECK(truing_linear_preference_forward_workspace_size(&a, &minimum, &preferred) == TRUING_STATUS_OK);
    grow(preferred);
    a.workspace = workspace;
    a.workspace_size = workspace_bytes;
    for (step = 0; step < 30; step++) {
        const double before = loss;
        CHECK(truing_linear_preference_forward(&a) == TRUING_STATUS_OK);
        if (step == 0) {
            first = loss;
        } else {
            CHECK(loss < before);
        }
        for (i = 0; i < N * D; i++) {
            hidden[i] -= 0.2f * grad_hidden[i];
        }
        for (i = 0; i < V * D; i++) {
            weight[i] -= 0.2f * grad_weight[i];
        }
    }
    correct = (int)statistics[TRUING_PREFERENCE_STAT_CORRECT];
    CHECK(fabs(first - log(2.0)) < 1e-9); /* policy = reference */
    CHECK(loss < 0.3 && correct == S / 2);
    for (d = 0; d < D; d++) {
        CHECK(grad_hidden[d] == 0); /* a masked row */
    }

    /* likelihood on plain logits */
    for (i = 0; i < N * V; i++) {
        logits[i] = (float)(4 * uniform());
    }
    memset(&forward, 0, sizeof forward);
    forward.struct_size = sizeof forward;
    forward.context = context;
    forward.logits = &t_logits;
    forward.rows.target = &t_target;
    forward.figures.out_logprob = &t_logps;
    memset(&backward, 0, sizeof backward);
    backward.struct_size = sizeof backward;
    backward.logits = &t_logits;
    backward.rows.target = &t_target;
    backward.upstream.grad_logprob = &t_logps; /* any numbers of the right shape; set to -1 below */
    backward.grad_logits_out = &t_grad_logits;
    for (step = 0; step < 5; step++) {
        double sum = 0;
        const double before = loss;
        CHECK(truing_logprob_forward(&forward) == TRUING_STATUS_OK);
        for (i = 0; i < N; i++) {
            CHECK(fabs(log_softmax(logits + i * V, target[i]) - logps[i]) < 2e-6);
            sum -= logps[i];
            logps[i] = -1;
        }
        loss = sum;
        CHECK(step == 0 || loss < before);
        CHECK(truing_logprob_backward(&backward) == TRUING_STATUS_OK);
        for (i = 0; i < N * V; i++) {
            logits[i] -= grad_logits[i];
        }
    }

    /* two vocabulary shards give the log-probs of the whole, and a support of one column is certain */
    {
        static float half[2][N * V], records[2][N * 12], joined[N], over[N];
        static uint32_t mask[N * ((V + 31) / 32)];
        static int32_t size[N];
        static unsigned char memory[1 << 16];
        const int64_t cut = V / 2, starts[3] = {0, V / 2, V};
        const int64_t shape_records[3] = {2, N, 12}, shape_starts[1] = {3}, shape_n[1] = {N};
        const int64_t shape_mask[2] = {N, (V + 31) / 32};
        truing_tensor t_records = view(records, TRUING_DTYPE_FLOAT, 32, 3, shape_records);
        truing_tensor t_starts = view((void *)starts, TRUING_DTYPE_INT, 64, 1, shape_starts);
        truing_tensor t_joined = view(joined, TRUING_DTYPE_FLOAT, 32, 1, shape_n);
        truing_tensor t_over = view(over, TRUING_DTYPE_FLOAT, 32, 1, shape_n);
        truing_tensor t_mask = view(mask, TRUING_DTYPE_UINT, 32, 2, shape_mask);
        truing_tensor t_size = view(size, TRUING_DTYPE_INT, 32, 1, shape_n);
        truing_logprob_finish_args finish;
        truing_support_mask_args filter;
        size_t minimum, preferred;
        int shard;
        for (shard = 0; shard < 2; shard++) {
            const int64_t first = shard ? cut : 0, columns = shard ? V - cut : cut;
            const int64_t shape_half[2] = {N, columns}, shape_record[2] = {N, 12};
            truing_tensor t_half = view(half[shard], TRUING_DTYPE_FLOAT, 32, 2, shape_half);
            truing_tensor t_record = view(records[shard], TRUING_DTYPE_FLOAT, 32, 2, shape_record);
            truing_logprob_local_args local;
            for (i = 0; i < N; i++) {
                memcpy(half[shard] + i * columns, logits + i * V + first, (size_t)columns * sizeof(float));
            }
            memset(&local, 0, sizeof local);
            local.struct_size = sizeof local;
            local.logits = &t_half;
            local.rows.target = &t_target;
            local.shard.vocab_start = first;
            local.shard.vocab_end = first + columns;
            local.shard.vocab_total = V;
            local.local_pass = TRUING_LOCAL_RECORDS;
            local.out_records = &t_record;
            CHECK(truing_logprob_local(&local) == TRUING_STATUS_OK);
        }
        memset(&finish, 0, sizeof finish);
        finish.struct_size = sizeof finish;
        finish.records = &t_records;
        finish.shard_starts = &t_starts;
        finish.rows.target = &t_target;
        finish.figures.out_logprob = &t_joined;
        CHECK(truing_logprob_finish(&finish) == TRUING_STATUS_OK);
        memset(&filter, 0, sizeof filter);
        filter.struct_size = sizeof filter;
        filter.logits = &t_logits;
        filter.support.kind = TRUING_SUPPORT_COMPUTED;
        filter.support.preset = TRUING_FILTER_SGLANG;
        filter.support.top_k = 1;
        filter.out_bitmask = &t_mask;
        filter.out_size = &t_size;
        CHECK(truing_support_mask_workspace_size(&filter, &minimum, &preferred) == TRUING_STATUS_OK);
        CHECK(minimum + 64 <= sizeof memory);
        filter.workspace = memory + (64 - (size_t)memory % 64) % 64;
        filter.workspace_size = minimum;
        CHECK(truing_support_mask(&filter) == TRUING_STATUS_OK);
        forward.support.kind = TRUING_SUPPORT_BITMASK;
        forward.support.bitmask = &t_mask;
        forward.support.target_outside = TRUING_TARGET_NEG_INF;
        forward.figures.out_logprob = &t_over;
        CHECK(truing_logprob_forward(&forward) == TRUING_STATUS_OK);
        for (i = 0; i < N; i++) {
            CHECK(fabs(log_softmax(logits + i * V, target[i]) - joined[i]) < 2e-6);
            CHECK(size[i] == 1 && (over[i] == 0 || over[i] < -1e30f));
        }
        memset(&forward.support, 0, sizeof forward.support);
        forward.figures.out_logprob = &t_logps;
    }

    /* a mistake is named, and nothing is written */
    target[7] = V;
    logps[0] = 123;
    CHECK(truing_logprob_forward(&forward) == TRUING_STATUS_OUT_OF_RANGE);
    CHECK(strstr(truing_last_error(), "rows.target: got 101 at index 7") != NULL);
    CHECK(logps[0] == 123);

    CHECK(every_entry() >= 67);

    /* no CUDA, or no CUDA context of this process */
    CHECK(truing_prepare(context, 0) == TRUING_STATUS_NO_DEVICE);
    CHECK(truing_prepare(NULL, 0) == TRUING_STATUS_INVALID_ARGUMENT);
    truing_context_destroy(context);
    printf("trainer.c: %d checks, DPO loss %.4f -> %.4f\n", checks, first, statistics[TRUING_PREFERENCE_STAT_LOSS_SUM] / (S / 2));
    return 0;
}
