#include "resize.h"

#include <string.h>

/* Each axis is resampled with integer weights that add up to its divisor; the result is rounded
 * once, half up, after both:
 *
 *   smaller    area average: every sample of the frame has `to` units, every one of the picture
 *              takes `from` units, so a sample that lies on a border is shared out exactly
 *   larger     bilinear with pixel centres at 1/2, in units of 1/(2 to); the border is repeated
 *   same       unchanged
 */

/* ---- One pixel of the frame ----------------------------------------------------------------- */

static uint8_t saturate(int32_t value)
{
    return value < 0 ? 0u : value > 255 ? 255u : (uint8_t)value;
}

/* ITU-R BT.601 in 8-bit fixed point. */
static uint8_t luma(const uint8_t *rgb)
{
    return (uint8_t)((77u * rgb[0] + 150u * rgb[1] + 29u * rgb[2] + 128u) >> 8);
}

static void from_rgb565(uint32_t bits, uint8_t *rgb)
{
    uint32_t red = bits >> 11 & 31u;
    uint32_t green = bits >> 5 & 63u;
    uint32_t blue = bits & 31u;

    /* The upper bits again below, so that the largest value becomes 255. */
    rgb[0] = (uint8_t)(red << 3 | red >> 2);
    rgb[1] = (uint8_t)(green << 2 | green >> 4);
    rgb[2] = (uint8_t)(blue << 3 | blue >> 2);
}

/* JFIF's conversion in 8-bit fixed point; offset so that what is shifted is never negative. */
static void from_yuv(int32_t y, int32_t u, int32_t v, uint8_t *rgb)
{
    const int32_t positive = 1 << 20;

    u -= 128;
    v -= 128;
    rgb[0] = saturate(((y * 256 + 359 * v + 128 + positive) >> 8) - (positive >> 8));
    rgb[1] = saturate(((y * 256 - 88 * u - 183 * v + 128 + positive) >> 8) - (positive >> 8));
    rgb[2] = saturate(((y * 256 + 454 * u + 128 + positive) >> 8) - (positive >> 8));
}

/* Pixel x of a row, in the picture's colours: one value or three. */
static void read_pixel(const struct resize *resize, const uint8_t *row, uint32_t x, uint8_t *value)
{
    bool grey = resize->picture.channels == 1u;
    uint8_t rgb[3];

    switch (resize->frame.format) {
    case RESIZE_GREY:
        memset(value, row[x], resize->picture.channels);
        return;
    case RESIZE_RGB888:
        memcpy(rgb, row + 3u * x, 3);
        break;
    case RESIZE_BGR888:
        rgb[0] = row[3u * x + 2u];
        rgb[1] = row[3u * x + 1u];
        rgb[2] = row[3u * x];
        break;
    case RESIZE_RGB565:
        from_rgb565((uint32_t)row[2u * x] << 8 | row[2u * x + 1u], rgb);
        break;
    case RESIZE_RGB565_LE:
        from_rgb565((uint32_t)row[2u * x + 1u] << 8 | row[2u * x], rgb);
        break;
    case RESIZE_YUV422:
        if (grey) {
            value[0] = row[2u * x];
            return;
        }
        from_yuv(row[2u * x], row[2u * (x & ~1u) + 1u], row[2u * (x | 1u) + 1u], rgb);
        break;
    }
    if (grey) {
        value[0] = luma(rgb);
    } else {
        memcpy(value, rgb, 3);
    }
}

/* ---- Along a row ---------------------------------------------------------------------------- */

static void add(uint32_t *sums, const uint8_t *value, uint32_t weight, uint32_t channels)
{
    for (uint32_t c = 0; c < channels; c++) {
        sums[c] += weight * value[c];
    }
}

/* Area average, or the same width: units of the frame's pixels go to one sum after the other. */
static void shrink_row(const struct resize *resize, const uint8_t *row, uint32_t *sums)
{
    const struct resize_axis *axis = &resize->across;
    uint32_t channels = resize->picture.channels;
    bool same = axis->from == axis->to;
    uint32_t missing = same ? 1u : axis->from;

    for (uint32_t x = 0; x < axis->from; x++) {
        uint8_t value[3];

        read_pixel(resize, row, axis->skipped + x, value);
        for (uint32_t units = same ? 1u : axis->to; units > 0u;) {
            uint32_t part = units < missing ? units : missing;

            add(sums, value, part, channels);
            units -= part;
            missing -= part;
            if (missing == 0u) {
                sums += channels;
                missing = same ? 1u : axis->from;
            }
        }
    }
}

/* The two neighbours of sample j of an axis that is enlarged, and the second one's weight. */
struct neighbours {
    uint32_t first, second, weight;
};

static struct neighbours neighbours(const struct resize_axis *axis, uint32_t j)
{
    uint32_t divisor = 2u * axis->to;
    /* One divisor more, since the first sample lies up to half a pixel before the frame's own. */
    uint32_t position = (2u * j + 1u) * axis->from - axis->to + divisor;
    uint32_t right = position / divisor;

    return (struct neighbours){
        .first = right == 0u ? 0u : right - 1u,
        .second = right < axis->from ? right : axis->from - 1u,
        .weight = position % divisor,
    };
}

static void enlarge_row(const struct resize *resize, const uint8_t *row, uint32_t *sums)
{
    const struct resize_axis *axis = &resize->across;
    uint32_t channels = resize->picture.channels;

    for (uint32_t j = 0; j < axis->to; j++) {
        struct neighbours at = neighbours(axis, j);
        uint8_t value[3];

        read_pixel(resize, row, axis->skipped + at.first, value);
        add(sums, value, axis->divisor - at.weight, channels);
        read_pixel(resize, row, axis->skipped + at.second, value);
        add(sums, value, at.weight, channels);
        sums += channels;
    }
}

/* ---- Row by row ----------------------------------------------------------------------------- */

static uint32_t row_values(const struct resize *resize)
{
    return resize->across.to * resize->picture.channels;
}

/* The picture's next row: weighted sums of two rows, divided. */
static void make_row(struct resize *resize, const uint32_t *a, uint32_t weight_a, const uint32_t *b,
                     uint32_t weight_b)
{
    const struct resize_picture *picture = &resize->picture;
    uint32_t divisor = resize->across.divisor * resize->down.divisor;
    uint32_t y = resize->down.border + resize->made;
    uint8_t *to = resize->pixels
                + (y * picture->width + resize->across.border) * picture->channels;

    for (uint32_t i = 0; i < row_values(resize); i++) {
        to[i] = (uint8_t)((weight_a * a[i] + weight_b * b[i] + divisor / 2u) / divisor);
    }
    resize->made++;
}

static void shrink_down(struct resize *resize)
{
    const struct resize_axis *axis = &resize->down;
    bool same = axis->from == axis->to;

    for (uint32_t units = same ? 1u : axis->to; units > 0u;) {
        uint32_t part = units < resize->missing ? units : resize->missing;

        for (uint32_t i = 0; i < row_values(resize); i++) {
            resize->sums[i] += part * resize->latest[i];
        }
        units -= part;
        resize->missing -= part;
        if (resize->missing == 0u) {
            make_row(resize, resize->sums, 1u, resize->sums, 0u);
            memset(resize->sums, 0, row_values(resize) * sizeof *resize->sums);
            resize->missing = same ? 1u : axis->from;
        }
    }
}

/* Every row of the picture whose second neighbour has just come. */
static void enlarge_down(struct resize *resize, uint32_t latest)
{
    const struct resize_axis *axis = &resize->down;

    while (resize->made < axis->to) {
        struct neighbours at = neighbours(axis, resize->made);

        if (at.second > latest) {
            break;
        }
        make_row(resize, at.first == latest ? resize->latest : resize->sums,
                 axis->divisor - at.weight, resize->latest, at.weight);
    }
    uint32_t *before = resize->sums;

    resize->sums = resize->latest;
    resize->latest = before;
}

bool resize_row(struct resize *resize, const uint8_t *row)
{
    const struct resize_axis *across = &resize->across;
    const struct resize_axis *down = &resize->down;
    uint32_t y = resize->row++;

    if (y >= down->skipped && resize->made < down->to) {
        memset(resize->latest, 0, row_values(resize) * sizeof *resize->latest);
        if (across->to > across->from) {
            enlarge_row(resize, row, resize->latest);
        } else {
            shrink_row(resize, row, resize->latest);
        }
        if (down->to > down->from) {
            enlarge_down(resize, y - down->skipped);
        } else {
            shrink_down(resize);
        }
    }
    return resize->made == down->to;
}

/* ---- Beginning ------------------------------------------------------------------------------ */

static uint32_t divisor_of(const struct resize_axis *axis)
{
    if (axis->from == axis->to) {
        return 1u;
    }
    return axis->to < axis->from ? axis->from : 2u * axis->to;
}

static uint32_t smaller(uint32_t a, uint32_t b)
{
    return a < b ? a : b;
}

static uint32_t at_least_1(uint32_t value)
{
    return value > 0u ? value : 1u;
}

/* a x b / c, rounded half up. */
static uint32_t scaled(uint32_t a, uint32_t b, uint32_t c)
{
    return (2u * a * b + c) / (2u * c);
}

/* Which part of the frame becomes which part of the picture. */
static void fit(struct resize *resize)
{
    uint32_t height = resize->frame.height, width = resize->frame.width;
    uint32_t to_height = resize->picture.height, to_width = resize->picture.width;
    struct resize_axis *across = &resize->across, *down = &resize->down;

    across->from = width;
    across->to = to_width;
    down->from = height;
    down->to = to_height;
    if (resize->picture.fit == RESIZE_CROP) {
        down->from = smaller(height, at_least_1(width * to_height / to_width));
        across->from = smaller(width, at_least_1(height * to_width / to_height));
    } else if (resize->picture.fit == RESIZE_PAD) {
        down->to = smaller(to_height, at_least_1(scaled(height, to_width, width)));
        across->to = smaller(to_width, at_least_1(scaled(width, to_height, height)));
    }
    across->skipped = (width - across->from) / 2u;
    down->skipped = (height - down->from) / 2u;
    across->border = (to_width - across->to) / 2u;
    down->border = (to_height - down->to) / 2u;
    across->divisor = divisor_of(across);
    down->divisor = divisor_of(down);
}

uint32_t resize_row_bytes(const struct resize_frame *frame)
{
    switch (frame->format) {
    case RESIZE_GREY:
        return frame->width;
    case RESIZE_RGB888:
    case RESIZE_BGR888:
        return 3u * frame->width;
    default:
        return 2u * frame->width;
    }
}

/* Sides are kept below 2^15, so that the products in `fit` and `neighbours` stay in 32 bits. */
static bool is_side(uint32_t length)
{
    return length > 0u && length < 1u << 15;
}

int resize_begin(struct resize *resize, const struct resize_frame *frame,
                 const struct resize_picture *picture, uint8_t *pixels, uint32_t *work)
{
    bool sides = is_side(frame->width) && is_side(frame->height) && is_side(picture->width)
              && is_side(picture->height);

    if (!sides || (picture->channels != 1u && picture->channels != 3u)) {
        return -1;
    }
    if (frame->format == RESIZE_YUV422 && frame->width % 2u != 0u) {
        return -1;
    }
    *resize = (struct resize){.frame = *frame, .picture = *picture, .pixels = pixels};
    fit(resize);
    if (resize->across.divisor >= (1u << 24) / resize->down.divisor) {
        return -1; /* a sum of 255 x both divisors, and half of them, would not fit 32 bits */
    }
    resize->sums = work;
    resize->latest = work + row_values(resize);
    resize->missing = resize->down.from == resize->down.to ? 1u : resize->down.from;
    memset(resize->sums, 0, row_values(resize) * sizeof *resize->sums);
    memset(pixels, 0, picture->height * picture->width * picture->channels);
    return 0;
}
