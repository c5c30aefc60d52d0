/* SPDX-License-Identifier: Apache-2.0 */
/* Depthwise convolution of windows up to 7 wide (8 with a stride of 2), of any height, dilation and
 * depth multiplier, with a horizontal stride of 1 or 2.
 *
 * Rows of input are turned into planes of int16 in scratch memory, where the neighbours that one
 * SMLADX multiplies lie side by side, and where padding is ordinary data. A plane is a channel's row
 * or, of a dilated window, every dilation_x-th column of it. Then each channel's row is computed,
 * six outputs at a time, or four with a stride of 2. Either all channels' rows are kept, and each output row adds the rows
 * that are new; or those of a few channels at a time are turned for each block of output rows.
 */
#ifndef EDGEMCU_KERNELS_DEPTHWISE_ROWS_DSP_INT8_H
#define EDGEMCU_KERNELS_DEPTHWISE_ROWS_DSP_INT8_H

#include <stdint.h>

#include "../portable/window.h"

struct depthwise_rows_run;

/* One output row of some channels' planes: depthwise_rows_<stride_x>_<words>_<variant>. `words` are those
 * of weights for a window's row; "relu" is for outputs of -128 .. 127 whose zero point is -128. */
typedef void depthwise_rows_routine(struct depthwise_rows_run *run);
depthwise_rows_routine depthwise_rows_1_1_relu;
depthwise_rows_routine depthwise_rows_1_1_any;
depthwise_rows_routine depthwise_rows_1_2_relu;
depthwise_rows_routine depthwise_rows_1_2_any;
depthwise_rows_routine depthwise_rows_1_3_relu;
depthwise_rows_routine depthwise_rows_1_3_any;
depthwise_rows_routine depthwise_rows_1_4_relu;
depthwise_rows_routine depthwise_rows_1_4_any;
depthwise_rows_routine depthwise_rows_2_1_relu;
depthwise_rows_routine depthwise_rows_2_1_any;
depthwise_rows_routine depthwise_rows_2_2_relu;
depthwise_rows_routine depthwise_rows_2_2_any;
depthwise_rows_routine depthwise_rows_2_3_relu;
depthwise_rows_routine depthwise_rows_2_3_any;
depthwise_rows_routine depthwise_rows_2_4_relu;
depthwise_rows_routine depthwise_rows_2_4_any;

struct depthwise_rows_dsp_int8_params {
    struct window window; /* stride_x 1 or 2; 1 where dilation_x is not */
    int32_t depth_multiplier;
    int32_t group;       /* input channels at a time: all, or some multiple of 4 */
    int32_t block_rows;  /* output rows at a time: 1 of all channels */
    int32_t slots;       /* rows in scratch memory: what `block_rows` rows of outputs read */
    int32_t planes;      /* per channel and row: as many as there are first columns, dilation_x at
                            most */
    int32_t plane_bytes; /* of what the longest plane's outputs read, in blocks of six, or of four
                            with a stride of 2 */
    int32_t words;       /* of weights for a window's row */
    int32_t min;         /* -128 .. 127 */
    int32_t max;         /* -128 .. 127 */
    depthwise_rows_routine *routine;
    /* Per output channel: bias, the words of each row, multiplier, offset and shift. A word has an
     * even column's weight in its upper half and the next one's in its lower half, both 256 times
     * their value; beyond the window they are 0. With a stride of 1 the last word's lower half is
     * 0. Multiplier, offset and shift are those of dot.h. */
    const int32_t *stream;
};

/* input: NHWC; output: NHWC; scratch, aligned to 4: `slots` rows of `planes` for `group` channels.
 * The output may lie over the input as far as what is still to be read stays whole; kept rows need
 * not be read again. */
void depthwise_rows_dsp_int8(const struct depthwise_rows_dsp_int8_params *p, const int8_t *input,
                             int8_t *output, int8_t *scratch);

#endif
