/* Serial line on a USART of the STM32F2 and F4: interrupts for receiving, polling for sending. */
#include "serial.h"

#include "board.h"
#include "clock.h"
#include "cortex_m.h"
#include "gpio.h"
#include "ring.h"

#define USART_SR  REGISTER(SERIAL_BASE + 0x00u)
#define USART_DR  REGISTER(SERIAL_BASE + 0x04u)
#define USART_BRR REGISTER(SERIAL_BASE + 0x08u)
#define USART_CR1 REGISTER(SERIAL_BASE + 0x0Cu)

#define SR_ORE     (1u << 3)
#define SR_RXNE    (1u << 5)
#define SR_TXE     (1u << 7)
#define CR1_RE     (1u << 2)
#define CR1_TE     (1u << 3)
#define CR1_RXNEIE (1u << 5)
#define CR1_UE     (1u << 13)

static struct ring received;
static volatile uint32_t lost;

void serial_init(void)
{
    uint32_t hz = clock_bus_hz(SERIAL_BUS);

    gpio_connect(SERIAL_TX_PORT, SERIAL_TX_PIN, SERIAL_ALTERNATE_FUNCTION);
    gpio_connect(SERIAL_RX_PORT, SERIAL_RX_PIN, SERIAL_ALTERNATE_FUNCTION);
    clock_enable(SERIAL_BUS, SERIAL_ENABLE_BIT);

    USART_BRR = (hz + SERIAL_BAUD / 2u) / SERIAL_BAUD;
    USART_CR1 = CR1_UE | CR1_TE | CR1_RE | CR1_RXNEIE;
    enable_interrupt(SERIAL_IRQ);
}

void serial_interrupt(void)
{
    uint32_t status;

    /* Until nothing is left: in QEMU the next byte can be there as soon as one has been read,
     * and raises no interrupt of its own then. */
    while (((status = USART_SR) & (SR_RXNE | SR_ORE)) != 0u) {
        uint8_t byte = (uint8_t)USART_DR; /* reading clears RXNE and ORE */
        if ((status & SR_ORE) != 0u) {
            lost++;
        }
        if ((status & SR_RXNE) != 0u && !ring_put(&received, byte)) {
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
        while ((USART_SR & SR_TXE) == 0u) {
        }
        USART_DR = data[i];
    }
}

uint32_t serial_lost(void)
{
    return lost;
}
