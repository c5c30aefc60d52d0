/* Counter on a 32-bit timer of an STM32 (TIM2 or TIM5), prescaled so that it does not wrap within the
 * longest inference. */
#include "counter.h"

#include "board.h"
#include "clock.h"
#include "cortex_m.h"

#define TIM_CR1 REGISTER(COUNTER_BASE + 0x00u)
#define TIM_EGR REGISTER(COUNTER_BASE + 0x14u)
#define TIM_CNT REGISTER(COUNTER_BASE + 0x24u)
#define TIM_PSC REGISTER(COUNTER_BASE + 0x28u)
#define TIM_ARR REGISTER(COUNTER_BASE + 0x2Cu)

#define CR1_CEN (1u << 0)
#define EGR_UG  (1u << 0)

void counter_init(void)
{
    clock_enable(BUS_APB1, COUNTER_ENABLE_BIT);
    TIM_PSC = COUNTER_PRESCALER - 1u;
    TIM_ARR = UINT32_MAX;
    TIM_EGR = EGR_UG;
    TIM_CR1 = CR1_CEN;
}

uint32_t counter_now(void)
{
    return TIM_CNT;
}

uint32_t counter_hz(void)
{
    return clock_is_emulated() ? 0u : clock_timer_hz() / COUNTER_PRESCALER;
}
