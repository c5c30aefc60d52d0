/* Test photos in flash, one after the other and again from the first. */
#include "source.h"

#include <string.h>

#include "edgemcu_app.h"
#include "log.h"
#include "photos.h"
#include "protocol.h"

static uint32_t next;

int source_init(void)
{
    next = 0;
    return 0;
}

int source_next(uint8_t *pixels)
{
    memcpy(pixels, photos[next], PHOTO_BYTES);
#if EDGEMCU_CLASS_COUNT > 0
    if (log_level() != PROTOCOL_LEVEL_OFF) {
        print("photo of ");
        print(edgemcu_class_names[photo_labels[next]]);
        print(":\r\n");
    }
#endif
    next = (next + 1u) % PHOTO_COUNT;
    return 1;
}
