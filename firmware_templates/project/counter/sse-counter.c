/* Counter on the system counter of Arm's SSE-300, read through one of its timers. */
#include "counter.h"

#include "board.h"
#include "cortex_m.h"

#define CNTCR     REGISTER(COUNTER_CONTROL + 0x00u)
#define CNTPCT_LO REGISTER(COUNTER_TIMER + 0x00u)

#define CNTCR_EN (1u << 0)

void counter_init(void)
{
    CNTCR |= CNTCR_EN;
}

uint32_t counter_now(void)
{
    return CNTPCT_LO;
}

uint32_t counter_hz(void)
{
    return 0u; /* this board is met in an emulator */
}
