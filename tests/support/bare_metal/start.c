/* The least that a Cortex-M of QEMU's mps2/mps3 boards needs to answer requests over its UART:
 * the number of a model and its inputs come in, its outputs go out. */
#include <stddef.h>
#include <stdint.h>

MODELS

extern uint32_t data_load, data_begin, data_end, bss_begin, bss_end, stack_top;

#define CPACR (*(volatile uint32_t *)0xE000ED88u)
#define UART_DATA (*(volatile uint32_t *)(UART_BASE + 0x0))
#define UART_STATE (*(volatile uint32_t *)(UART_BASE + 0x4))
#define UART_CONTROL (*(volatile uint32_t *)(UART_BASE + 0x8))
#define UART_DIVIDER (*(volatile uint32_t *)(UART_BASE + 0x10))

static void receive(void *target, size_t bytes)
{
    for (uint8_t *p = target; bytes > 0; --bytes) {
        while ((UART_STATE & 2u) == 0) {
        }
        *p++ = (uint8_t)UART_DATA;
    }
}

static void send(const void *source, size_t bytes)
{
    for (const uint8_t *p = source; bytes > 0; --bytes) {
        while ((UART_STATE & 1u) != 0) {
        }
        UART_DATA = *p++;
    }
}

static void fault(void)
{
    send("F", 1);
    for (;;) {
    }
}

static void answer(void)
{
    static char started[sizeof models / sizeof models[0]];
    uint32_t index;
    receive(&index, sizeof index);
    const struct model *m = models[index];
    if (!started[index] && m->init() != 0) {
        fault();
    }
    started[index] = 1;
    m->poison(0x55);
    for (size_t i = 0; i < m->inputs; ++i) {
        receive(m->input(i), m->input_bytes(i));
    }
    m->invoke();
    for (size_t i = 0; i < m->outputs; ++i) {
        send(m->output(i), m->output_bytes(i));
    }
}

void reset(void)
{
    CPACR |= 0xFu << 20; /* floating point and vectors */
    __asm volatile("dsb\nisb");
    const uint32_t *load = &data_load;
    for (uint32_t *p = &data_begin; p < &data_end; ++p) {
        *p = *load++;
    }
    for (uint32_t *p = &bss_begin; p < &bss_end; ++p) {
        *p = 0;
    }
    UART_DIVIDER = 16;
    UART_CONTROL = 3;
    send("R", 1);
    for (;;) {
        answer();
    }
}

__attribute__((section(".vectors"), used)) static const void *const vectors[16] = {
    &stack_top, (void *)reset, (void *)fault, (void *)fault,
    (void *)fault, (void *)fault, (void *)fault,
};
