/* Serial line on a USART or LPUART of the STM32F7, H7 and L4: interrupts for receiving, polling for
 * sending. */
#include "serial.h"

#include "board.h"
#include "clock.h"
#include "cortex_m.h"
#include "gpio.h"
#include "ring.h"

#define USART_CR1 REGISTER(SERIAL_BASE + 0x00u)
#define USART_BRR REGISTER(SERIAL_BASE + 0x0Cu)
#define USART_ISR REGISTER(SERIAL_BASE + 0x1Cu)
#define USART_ICR REGISTER(SERIAL_BASE + 0x20u)
#define USART_RDR REGISTER(SERIAL_BASE + 0x24u)
#define USART_TDR REGISTER(SERIAL_BASE + 0x28u)

#define CR1_UE     (1u << 0)
#define CR1_RE     (1u << 2)
#define CR1_TE     (1u << 3)
#define CR1_RXNEIE (1u << 5)
#define ISR_ORE    (1u << 3)
#define ISR_RXNE   (1u << 5)
#define ISR_TXE    (1u << 7)
#define ICR_ORECF  (1u << 3)

static struct ring received;
static volatile uint32_t lost;

void serial_init(void)
{
    uint32_t hz = clock_bus_hz(SERIAL_BUS);

    gpio_connect(SERIAL_TX_PORT, SERIAL_TX_PIN, SERIAL_ALTERNATE_FUNCTION);
    gpio_connect(SERIAL_RX_PORT, SERIAL_RX_PIN, SERIAL_ALTERNATE_FUNCTION);
    clock_enable(SERIAL_BUS, SERIAL_ENABLE_BIT);

    /* hz x SERIAL_BRR_UNITS / baud, rounded, without a product beyond 32 bits. */
    USART_BRR = hz / SERIAL_BAUD * SERIAL_BRR_UNITS
              + (hz % SERIAL_BAUD * SERIAL_BRR_UNITS + SERIAL_BAUD / 2u) / SERIAL_BAUD;
    USART_CR1 = CR1_UE | CR1_TE | CR1_RE | CR1_RXNEIE;
    enable_interrupt(SERIAL_IRQ);
}

void serial_interrupt(void)
{
    uint32_t status;

    while (((status = USART_ISR) & (ISR_RXNE | ISR_ORE)) != 0u) {
        if ((status & ISR_ORE) != 0u) {
            USART_ICR = ICR_ORECF;
            lost++;
        }
        /* Reading the byte clears RXNE. */
        if ((status & ISR_RXNE) != 0u && !ring_put(&received, (uint8_t)USART_RDR)) {
            lost++;
        }
    }
}

int serial_read(void)
{
    return ring_take(&received);
}

void serial_wait(void)
{
    SLEEP_WHILE(ring_is_empty(&received));
}

bool serial_wait_1ms(void)
{
    SLEEP_WHILE_FOR(ring_is_empty(&received), BOARD_HZ / 1000u);
    return !ring_is_empty(&received);
}

void serial_write(const uint8_t *data, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        while ((USART_ISR & ISR_TXE) == 0u) {
        }
        USART_TDR = data[i];
    }
}

uint32_t serial_lost(void)
{
    return lost;
}
