/* What ESP-NN's functions compute, by their documentation, in the plainest way. Pointers that the
 * vector instructions want aligned to 16 bytes must be. */
#include "esp_nn.h"

#include <stdlib.h>

static const void *conv_scratch;
static const void *depthwise_scratch;

static void must_be_aligned(const void *pointer)
{
    if (pointer == NULL || (uintptr_t)pointer % 16 != 0) {
        abort();
    }
}

/* x * mult * 2^(shift - 31): rounded to nearest with ties up, then with ties away from zero. */
static int32_t rescale(int32_t x, int32_t mult, int32_t shift)
{
    int64_t high = ((int64_t)x * mult + (1 << 30)) >> 31;

    if (shift > 0) {
        abort(); /* the kernels must not ask for it */
    }
    if (shift < 0) {
        int64_t half = (int64_t)1 << (-shift - 1);
        high = high >= 0 ? (high + half) >> -shift : -((-high + half) >> -shift);
    }
    return (int32_t)high;
}

static int8_t clamp(int32_t value, int32_t min, int32_t max)
{
    return (int8_t)(value < min ? min : value > max ? max : value);
}

int esp_nn_get_conv_scratch_size(const data_dims_t *input_dims, const data_dims_t *filter_dims,
                                 const data_dims_t *output_dims, const conv_params_t *conv_params)
{
    (void)input_dims, (void)filter_dims, (void)output_dims, (void)conv_params;
    return 64; /* the least that the ESP32-S3's asks for */
}

void esp_nn_set_conv_scratch_buf(const void *buf)
{
    conv_scratch = buf;
}

int esp_nn_get_depthwise_conv_scratch_size(const data_dims_t *input_dims,
                                           const data_dims_t *filter_dims,
                                           const data_dims_t *output_dims,
                                           const dw_conv_params_t *conv_params)
{
    (void)input_dims, (void)filter_dims, (void)output_dims, (void)conv_params;
    return 32;
}

void esp_nn_set_depthwise_conv_scratch_buf(const void *buf)
{
    depthwise_scratch = buf;
}

void esp_nn_conv_s8(const data_dims_t *input_dims, const int8_t *input_data,
                    const data_dims_t *filter_dims, const int8_t *filter_data, const int32_t *bias,
                    const data_dims_t *output_dims, int8_t *output_data,
                    const conv_params_t *conv_params, const quant_data_t *quant_data)
{
    const int32_t channels = input_dims->channels;

    must_be_aligned(input_data);
    must_be_aligned(filter_data);
    must_be_aligned(output_data);
    must_be_aligned(conv_scratch);
    for (int32_t oy = 0; oy < output_dims->height; oy++) {
        for (int32_t ox = 0; ox < output_dims->width; ox++) {
            for (int32_t oc = 0; oc < output_dims->channels; oc++) {
                const int8_t *filter =
                    filter_data + oc * filter_dims->height * filter_dims->width * channels;
                int32_t sum = bias[oc];
                for (int32_t fy = 0; fy < filter_dims->height; fy++) {
                    for (int32_t fx = 0; fx < filter_dims->width; fx++, filter += channels) {
                        int32_t y = oy * conv_params->stride.height - conv_params->padding.height;
                        int32_t x = ox * conv_params->stride.width - conv_params->padding.width;
                        y += fy;
                        x += fx;
                        if (y < 0 || y >= input_dims->height || x < 0 || x >= input_dims->width) {
                            continue;
                        }
                        for (int32_t c = 0; c < channels; c++) {
                            int32_t value = input_data[(y * input_dims->width + x) * channels + c];
                            sum += (value + conv_params->in_offset) * filter[c];
                        }
                    }
                }
                sum = rescale(sum, quant_data->mult[oc], quant_data->shift[oc]);
                *output_data++ = clamp(sum + conv_params->out_offset, conv_params->activation.min,
                                       conv_params->activation.max);
            }
        }
    }
}

void esp_nn_depthwise_conv_s8(const data_dims_t *input_dims, const int8_t *input_data,
                              const data_dims_t *filter_dims, const int8_t *filter_data,
                              const int32_t *bias, const data_dims_t *output_dims,
                              int8_t *output_data, const dw_conv_params_t *conv_params,
                              const quant_data_t *quant_data)
{
    const int32_t channels = input_dims->channels;

    must_be_aligned(input_data);
    must_be_aligned(filter_data);
    must_be_aligned(output_data);
    must_be_aligned(depthwise_scratch);
    for (int32_t oy = 0; oy < output_dims->height; oy++) {
        for (int32_t ox = 0; ox < output_dims->width; ox++) {
            for (int32_t c = 0; c < channels; c++) {
                int32_t sum = bias[c];
                for (int32_t fy = 0; fy < filter_dims->height; fy++) {
                    for (int32_t fx = 0; fx < filter_dims->width; fx++) {
                        int32_t y = oy * conv_params->stride.height - conv_params->padding.height;
                        int32_t x = ox * conv_params->stride.width - conv_params->padding.width;
                        y += fy;
                        x += fx;
                        if (y < 0 || y >= input_dims->height || x < 0 || x >= input_dims->width) {
                            continue;
                        }
                        sum += (input_data[(y * input_dims->width + x) * channels + c] +
                                conv_params->in_offset) *
                               filter_data[(fy * filter_dims->width + fx) * channels + c];
                    }
                }
                sum = rescale(sum, quant_data->mult[c], quant_data->shift[c]);
                *output_data++ = clamp(sum + conv_params->out_offset, conv_params->activation.min,
                                       conv_params->activation.max);
            }
        }
    }
}

void esp_nn_fully_connected_per_ch_s8(const int8_t *input_data, const int32_t input_offset,
                                      const uint16_t row_len, const int8_t *filter_data,
                                      const int32_t filter_offset, const int32_t *bias,
                                      int8_t *out_data, const uint16_t out_channels,
                                      const int32_t out_offset, const int32_t *out_shift,
                                      const int32_t *out_mult, const int32_t activation_min,
                                      const int32_t activation_max)
{
    must_be_aligned(input_data);
    for (int32_t oc = 0; oc < out_channels; oc++) {
        int32_t sum = bias[oc];
        for (int32_t i = 0; i < row_len; i++) {
            sum += (input_data[i] + input_offset) *
                   (filter_data[oc * row_len + i] + filter_offset);
        }
        sum = rescale(sum, out_mult[oc], out_shift[oc]);
        out_data[oc] = clamp(sum + out_offset, activation_min, activation_max);
    }
}

void esp_nn_add_elementwise_s8(const int8_t *input1_data, const int8_t *input2_data,
                               const int32_t input1_offset, const int32_t input2_offset,
                               const int32_t input1_mult, const int32_t input2_mult,
                               const int32_t input1_shift, const int32_t input2_shift,
                               const int32_t left_shift, int8_t *output, const int32_t out_offset,
                               const int32_t out_mult, const int32_t out_shift,
                               const int32_t activation_min, const int32_t activation_max,
                               const int32_t size)
{
    must_be_aligned(input1_data);
    must_be_aligned(input2_data);
    must_be_aligned(output);
    for (int32_t i = 0; i < size; i++) {
        int32_t a = (input1_data[i] + input1_offset) * (1 << left_shift);
        int32_t b = (input2_data[i] + input2_offset) * (1 << left_shift);
        int32_t sum = rescale(a, input1_mult, input1_shift) + rescale(b, input2_mult, input2_shift);
        output[i] = clamp(rescale(sum, out_mult, out_shift) + out_offset, activation_min,
                          activation_max);
    }
}

void esp_nn_mul_elementwise_s8(const int8_t *input1_data, const int8_t *input2_data,
                               const int32_t input1_offset, const int32_t input2_offset,
                               int8_t *output, const int32_t out_offset, const int32_t out_mult,
                               const int32_t out_shift, const int32_t activation_min,
                               const int32_t activation_max, const int32_t size)
{
    must_be_aligned(input1_data);
    must_be_aligned(input2_data);
    must_be_aligned(output);
    for (int32_t i = 0; i < size; i++) {
        int32_t product = (input1_data[i] + input1_offset) * (input2_data[i] + input2_offset);
        output[i] = clamp(rescale(product, out_mult, out_shift) + out_offset, activation_min,
                          activation_max);
    }
}
