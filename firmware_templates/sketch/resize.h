/* A camera's frame becomes the model's picture: colour, crop and size as in training, and the same
 * bytes (edgemcu's preprocessing.py and resize.py). The frame comes row by row, so it need never be
 * in memory as a whole:
 *
 *     static uint32_t work[RESIZE_WORK(32, 3)];
 *     static struct resize resize;
 *
 *     resize_begin(&resize, &frame, &picture, edgemcu_input(0), work);
 *     while (!resize_row(&resize, next_row())) {
 *     }
 */
#ifndef RESIZE_H
#define RESIZE_H

#include <stdbool.h>
#include <stdint.h>

enum resize_format {
    RESIZE_GREY,      /* one byte per pixel */
    RESIZE_RGB888,    /* red, green, blue */
    RESIZE_BGR888,    /* blue, green, red, as a little-endian word holds them */
    RESIZE_RGB565,    /* two bytes, the first one with the red */
    RESIZE_RGB565_LE, /* the same as a little-endian halfword */
    RESIZE_YUV422,    /* Y U Y V, values of JPEG (JFIF): an even width */
};

enum resize_fit {
    RESIZE_CROP,    /* the largest centred part of the picture's aspect ratio */
    RESIZE_PAD,     /* the whole frame, black around it */
    RESIZE_STRETCH, /* the whole frame, whatever its aspect ratio */
};

struct resize_frame {
    uint32_t width, height;
    enum resize_format format;
};

struct resize_picture {
    uint32_t width, height;
    uint32_t channels; /* 1: grey, 3: red, green, blue */
    enum resize_fit fit;
};

/* Words of working memory for a picture of this width. */
#define RESIZE_WORK(width, channels) (2u * (width) * (channels))

/* Along one axis, `from` samples of the frame become `to` of the picture. */
struct resize_axis {
    uint32_t from, to, divisor;
    uint32_t skipped; /* samples of the frame before the first one that is used */
    uint32_t border;  /* black pixels of the picture before the first one that is not */
};

struct resize {
    struct resize_frame frame;
    struct resize_picture picture;
    struct resize_axis across, down;
    uint8_t *pixels;
    uint32_t *sums;   /* of the row that is being made; for enlarging, of the row before */
    uint32_t *latest; /* of the last row that came */
    uint32_t row;     /* rows of the frame that have come */
    uint32_t made;    /* rows of the picture that are ready, without the border */
    uint32_t missing; /* what the row that is being made still needs */
};

/* Begin a picture. `pixels` takes height x width x channels bytes, `work` has RESIZE_WORK words.
 * Returns 0, or -1 for a size or format that cannot be done: nothing must be 0, and the frame's
 * area (or twice the picture's sides, where it is enlarged) must stay below 2^24. */
int resize_begin(struct resize *resize, const struct resize_frame *frame,
                 const struct resize_picture *picture, uint8_t *pixels, uint32_t *work);

/* Take the frame's next row. Returns whether the picture is ready; rows after that are ignored. */
bool resize_row(struct resize *resize, const uint8_t *row);

/* Bytes of one of the frame's rows. */
uint32_t resize_row_bytes(const struct resize_frame *frame);

#endif
