/* SPDX-License-Identifier: Apache-2.0 */
#include "conv_2d_esp_nn.h"

void conv_2d_esp_nn(const struct conv_2d_esp_nn_params *p, const int8_t *input, int8_t *output,
                    int8_t *scratch)
{
    const data_dims_t in = {p->input_width, p->input_height, p->input_channels, 1};
    const data_dims_t filter = {p->width, p->height, p->input_channels, p->output_channels};
    const data_dims_t out = {p->output_width, p->output_height, p->output_channels, 1};
    const quant_data_t quantization = esp_nn_quantization(&p->scales);
    const conv_params_t params = {
        .in_offset = p->input_offset,
        .out_offset = p->out.zero_point,
        .stride = {p->stride_x, p->stride_y},
        .padding = {p->pad_left, p->pad_top},
        .dilation = {1, 1},
        .activation = {p->out.min, p->out.max},
    };

    esp_nn_check_scratch(esp_nn_get_conv_scratch_size(&in, &filter, &out, &params),
                         p->scratch_bytes);
    esp_nn_set_conv_scratch_buf(scratch);
    esp_nn_conv_s8(&in, input, &filter, p->weights, p->scales.bias, &out, output, &params,
                   &quantization);
}
