#include "fully_connected_int8.h"

void fully_connected_int8(const struct fully_connected_int8_params *p, const int8_t *input,
                          int8_t *output)
{
    const int32_t n = p->input_channels;

    for (int32_t row = 0; row < p->rows; ++row) {
        const int8_t *w = p->weights;
        for (int32_t c = 0; c < p->output_channels; c += 2) {
            uint32_t acc0 = (uint32_t)p->scales.bias[c];
            uint32_t acc1 = (uint32_t)p->scales.bias[c + 1];
            for (int32_t i = 0; i < n; ++i) {
                acc0 = multiply_accumulate(acc0, input[i], w[2 * i]);
                acc1 = multiply_accumulate(acc1, input[i], w[2 * i + 1]);
            }
            w += 2 * n;
            output[c] = requantize(acc0, p->scales.multiplier[c], p->scales.shift[c], &p->out);
            if (c + 1 < p->output_channels) {
                output[c + 1] = requantize(acc1, p->scales.multiplier[c + 1],
                                           p->scales.shift[c + 1], &p->out);
            }
        }
        input += n;
        output += p->output_channels;
    }
}
