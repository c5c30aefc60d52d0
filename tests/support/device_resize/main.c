/* Answers requests to resize on the serial line. A request is seven little-endian words (width,
 * height and format of the frame; width, height, channels and fit of the picture); the answer is
 * one byte, 0 or 1 for a refusal. Then come the frame's rows, each answered by whether the picture
 * is ready, and in the end the picture. */
#include "resize.h"
#include "serial.h"

static uint8_t receive_letter(void)
{
    for (;;) {
        int byte = serial_read();

        if (byte >= 0) {
            return (uint8_t)(byte - 'a');
        }
        serial_wait();
    }
}

/* Two letters from a to p: QEMU's line takes some bytes for commands. */
static uint8_t receive_byte(void)
{
    uint8_t high = receive_letter();

    return (uint8_t)(high << 4 | receive_letter());
}

static uint32_t receive_word(void)
{
    uint32_t word = 0;

    for (uint32_t i = 0; i < 4; i++) {
        word |= (uint32_t)receive_byte() << (8u * i);
    }
    return word;
}

/* Arrays of exactly the size that is needed, so that a sanitizer sees every byte beyond. */
static void answer(const struct resize_frame *frame, const struct resize_picture *picture)
{
    uint32_t picture_bytes = picture->width * picture->height * picture->channels;
    uint32_t work[RESIZE_WORK(picture->width, picture->channels)];
    uint8_t pixels[picture_bytes];
    uint8_t row[resize_row_bytes(frame)];
    struct resize resize;
    uint8_t status = resize_begin(&resize, frame, picture, pixels, work) != 0;

    serial_write(&status, 1);
    if (status != 0) {
        return;
    }
    for (uint32_t y = 0; y < frame->height; y++) {
        for (uint32_t i = 0; i < sizeof row; i++) {
            row[i] = receive_byte();
        }
        status = resize_row(&resize, row);
        serial_write(&status, 1);
    }
    serial_write(pixels, picture_bytes);
}

int main(void)
{
    const uint8_t ready = 'R'; /* what is sent before this is lost */

    serial_init();
    serial_write(&ready, 1);
    for (;;) {
        struct resize_frame frame;
        struct resize_picture picture;

        frame.width = receive_word();
        frame.height = receive_word();
        frame.format = (enum resize_format)receive_word();
        picture.width = receive_word();
        picture.height = receive_word();
        picture.channels = receive_word();
        picture.fit = (enum resize_fit)receive_word();
        answer(&frame, &picture);
    }
}
