/* Pictures from a camera, by Espressif's component esp32-camera. */
#include "source.h"

#include <string.h>

#include "board.h"
#include "edgemcu_app.h"
#include "esp_camera.h"
#include "esp_err.h"
#include "resize.h"
#include "serial.h"

/* A model of grey pictures takes the sensor's own luminance, all 8 bits of it. In RGB565 the byte
 * with the red comes first. */
#if EDGEMCU_PICTURE_CHANNELS == 1
#define PIXEL_FORMAT PIXFORMAT_GRAYSCALE
#define FRAME_FORMAT RESIZE_GREY
#else
#define PIXEL_FORMAT PIXFORMAT_RGB565
#define FRAME_FORMAT RESIZE_RGB565
#endif

static const struct resize_frame frame = {CAMERA_WIDTH, CAMERA_HEIGHT, FRAME_FORMAT};
static const struct resize_picture picture = {EDGEMCU_PICTURE_WIDTH, EDGEMCU_PICTURE_HEIGHT,
                                              EDGEMCU_PICTURE_CHANNELS, EDGEMCU_PICTURE_FIT};
static uint32_t work[RESIZE_WORK(EDGEMCU_PICTURE_WIDTH, EDGEMCU_PICTURE_CHANNELS)];
static struct resize resize;

static void print(const char *text)
{
    serial_write((const uint8_t *)text, strlen(text));
}

int source_init(void)
{
    /* Two frames, of which the older one is dropped: what is classified is what is seen now. */
    const camera_config_t config = {
        .pin_pwdn = CAMERA_PWDN,
        .pin_reset = CAMERA_RESET,
        .pin_xclk = CAMERA_XCLK,
        .pin_sccb_sda = CAMERA_SDA,
        .pin_sccb_scl = CAMERA_SCL,
        .pin_d7 = CAMERA_D7,
        .pin_d6 = CAMERA_D6,
        .pin_d5 = CAMERA_D5,
        .pin_d4 = CAMERA_D4,
        .pin_d3 = CAMERA_D3,
        .pin_d2 = CAMERA_D2,
        .pin_d1 = CAMERA_D1,
        .pin_d0 = CAMERA_D0,
        .pin_vsync = CAMERA_VSYNC,
        .pin_href = CAMERA_HREF,
        .pin_pclk = CAMERA_PCLK,
        .xclk_freq_hz = CAMERA_XCLK_HZ,
        .ledc_timer = LEDC_TIMER_0,
        .ledc_channel = LEDC_CHANNEL_0,
        .pixel_format = PIXEL_FORMAT,
        .frame_size = CAMERA_FRAME_SIZE,
        .fb_count = CAMERA_FRAMES,
        .fb_location = CAMERA_FRAMES_IN,
        .grab_mode = CAMERA_FRAMES > 1 ? CAMERA_GRAB_LATEST : CAMERA_GRAB_WHEN_EMPTY,
    };
    esp_err_t error = esp_camera_init(&config);

    if (error == ESP_ERR_CAMERA_NOT_DETECTED) {
        print("no camera answers: is its cable in its connector?\r\n");
    } else if (error != ESP_OK) {
        print("the camera does not start: ");
        print(esp_err_to_name(error));
        print("\r\n");
    }
    return error;
}

int source_next(uint8_t *pixels)
{
    camera_fb_t *captured = esp_camera_fb_get();

    if (captured == NULL) {
        return -1;
    }
    int result = -2;

    if (captured->width == frame.width && captured->height == frame.height &&
        captured->len == frame.height * resize_row_bytes(&frame) &&
        resize_begin(&resize, &frame, &picture, pixels, work) == 0) {
        const uint8_t *row = captured->buf;

        while (!resize_row(&resize, row)) {
            row += resize_row_bytes(&frame);
        }
        result = 1;
    }
    esp_camera_fb_return(captured);
    return result;
}
