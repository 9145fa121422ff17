/* Every loss of the catalogue over sequence scores, found and described by the library itself: each is called with what its
 * description says that it reads. For C99 and C++17; CHECK is the program's. */
#include <math.h>
#include <string.h>

#include "truing.h"

static truing_tensor every_view(void *data, uint8_t code, uint8_t bits, const int64_t *shape) {
    truing_tensor t;
    memset(&t, 0, sizeof t);
    t.data = data;
    t.device.device_type = TRUING_DEVICE_CPU;
    t.ndim = 1;
    t.dtype.code = code;
    t.dtype.bits = bits;
    t.dtype.lanes = 1;
    t.shape = shape;
    return t;
}

static int every_entry(void) {
    /* two pairs with their anchors, three pairs, six rows, or lists of two and four, best first */
    static double scores[6] = {-3.0, -4.5, -2.25, -6.0, -3.5, -5.0}, ref[6] = {-3.5, -4.0, -2.5, -5.0, -4.0, -4.5};
    static double kl[6] = {0.5, 0.25, 1.0, 0.75, 0.125, 2.0}, targets[6] = {0.9, 0.1, 1.5, 0.75, 0.5, 0.125};
    static double margins[2][3] = {{1.0, 0.0, 1.0}, {0.25, 0.5, 0.75}}, one[1] = {0.25};
    static int32_t lengths[6] = {3, 4, 2, 6, 3, 5}, offsets[3] = {0, 2, 6};
    static uint8_t label[6] = {1, 0, 1, 1, 0, 0};
    static const int64_t six[1] = {6}, three[1] = {3}, two[1] = {2}, single[1] = {1};
    static unsigned char memory[1 << 16];
    const size_t count = truing_loss_count();
    size_t i, k;
    uint32_t variant;
    int ran = 0;
    for (i = 0; i < count; i++) {
        truing_loss_description d;
        double params[16], loss[1] = {7.0}, grad[6];
        memset(&d, 0, sizeof d);
        d.struct_size = sizeof d;
        CHECK(truing_loss_at(i, &d) == TRUING_STATUS_OK);
        if (d.kind != TRUING_KIND_PAIR && d.kind != TRUING_KIND_UNPAIRED && d.kind != TRUING_KIND_LIST) {
            continue;
        }
        for (k = 0; k < d.num_params; k++) {
            const truing_param_info *p = (const truing_param_info *)((const char *)d.params + k * d.param_size);
            params[k] = isnan(p->default_value) ? 0.5 : p->default_value;
        }
        for (variant = d.num_variants > 0; variant <= d.num_variants; variant++) {
            const int anchored = d.kind == TRUING_KIND_PAIR && (d.inputs & TRUING_SLOT_ANCHOR) != 0;
            const int64_t *pairs = anchored ? two : three;
            truing_tensor t_scores = every_view(scores, TRUING_DTYPE_FLOAT, 64, six), t_ref = every_view(ref, TRUING_DTYPE_FLOAT, 64, six);
            truing_tensor t_kl = every_view(kl, TRUING_DTYPE_FLOAT, 64, six), t_targets = every_view(targets, TRUING_DTYPE_FLOAT, 64, six);
            truing_tensor t_lengths = every_view(lengths, TRUING_DTYPE_INT, 32, six), t_offsets = every_view(offsets, TRUING_DTYPE_INT, 32, three);
            truing_tensor t_label = every_view(label, TRUING_DTYPE_UINT, 8, six), t_one = every_view(one, TRUING_DTYPE_FLOAT, 64, single);
            truing_tensor t_chosen = every_view(margins[0], TRUING_DTYPE_FLOAT, 64, pairs), t_rejected = every_view(margins[1], TRUING_DTYPE_FLOAT, 64, pairs);
            truing_tensor t_loss = every_view(loss, TRUING_DTYPE_FLOAT, 64, NULL), t_grad = every_view(grad, TRUING_DTYPE_FLOAT, 64, six);
            truing_preference_forward_args a;
            size_t minimum = 0, preferred = 0;
            double size = 0;
            t_loss.ndim = 0;
            memset(&a, 0, sizeof a);
            a.struct_size = sizeof a;
            a.scores = &t_scores;
            a.ref_scores = d.inputs & TRUING_SLOT_REF ? &t_ref : NULL;
            a.lengths = &t_lengths;
            a.kl = d.inputs & TRUING_SLOT_KL ? &t_kl : NULL;
            a.score_kind = TRUING_SCORE_SUM;
            if (d.kind == TRUING_KIND_PAIR) {
                a.groups.layout = TRUING_LAYOUT_STACKED;
                a.groups.margin_chosen = d.inputs & TRUING_SLOT_MARGIN ? &t_chosen : NULL;
                a.groups.margin_rejected = d.inputs & TRUING_SLOT_MARGIN ? &t_rejected : NULL;
            }
            a.groups.list_offsets = d.kind == TRUING_KIND_LIST ? &t_offsets : NULL;
            a.groups.list_targets = d.inputs & TRUING_SLOT_LIST_TARGET ? &t_targets : NULL;
            a.groups.label = d.inputs & TRUING_SLOT_LABEL ? &t_label : NULL;
            a.groups.baseline = d.inputs & TRUING_SLOT_BASELINE ? &t_one : NULL;
            a.groups.shift = d.inputs & TRUING_SLOT_SHIFT ? &t_one : NULL;
            a.loss.id = d.id;
            a.loss.variant = variant;
            a.loss.params = params;
            a.loss.num_params = d.num_params;
            a.loss.reduction = TRUING_REDUCE_MEAN;
            a.outputs.out_loss = &t_loss;
            a.outputs.grad_scores_out = &t_grad;
            CHECK(truing_preference_forward_workspace_size(&a, &minimum, &preferred) == TRUING_STATUS_OK);
            CHECK(preferred + 64 <= sizeof memory);
            a.workspace = memory + (64 - (size_t)memory % 64) % 64;
            a.workspace_size = preferred;
            CHECK(truing_preference_forward(&a) == TRUING_STATUS_OK);
            for (k = 0; k < 6; k++) {
                CHECK(isfinite(grad[k]));
                size += fabs(grad[k]);
            }
            /* the hinge of relu_po is closed, and real sees one class only */
            CHECK(isfinite(loss[0]) && (size > 0 || strcmp(d.name, "relu_po") == 0 || strcmp(d.name, "real") == 0));
            ran++;
        }
    }
    return ran;
}
