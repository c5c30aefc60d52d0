/* Counter on a 32-bit timer of Arm's Cortex-M System Design Kit, which counts down. */
#include "counter.h"

#include "board.h"
#include "cortex_m.h"

#define TIMER_CTRL   REGISTER(COUNTER_BASE + 0x00u)
#define TIMER_VALUE  REGISTER(COUNTER_BASE + 0x04u)
#define TIMER_RELOAD REGISTER(COUNTER_BASE + 0x08u)

#define CTRL_ENABLE (1u << 0)

void counter_init(void)
{
    TIMER_RELOAD = UINT32_MAX;
    TIMER_VALUE = UINT32_MAX;
    TIMER_CTRL = CTRL_ENABLE;
}

uint32_t counter_now(void)
{
    return UINT32_MAX - TIMER_VALUE;
}

uint32_t counter_hz(void)
{
    return 0u; /* this board is met in an emulator */
}
