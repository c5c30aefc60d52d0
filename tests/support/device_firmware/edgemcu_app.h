#ifndef EDGEMCU_APP_H
#define EDGEMCU_APP_H

#include <stdint.h>

#define EDGEMCU_VERSION          "0.0.0"
#define EDGEMCU_BOARD            "test"
#define EDGEMCU_PIXEL_INPUT      1
#define EDGEMCU_CLASS_COUNT      4
#define EDGEMCU_SCORE_ZERO_POINT (-128)
#define EDGEMCU_SCORE_SCALE_Q30  4194304u

extern const int8_t edgemcu_input_table[256];
extern const char *const edgemcu_class_names[EDGEMCU_CLASS_COUNT];

#endif
