/* Serial line on the UART of Arm's Cortex-M System Design Kit: interrupts for receiving, polling
 * for sending. */
#include "serial.h"

#include "board.h"
#include "cortex_m.h"
#include "ring.h"

#define UART_DATA      REGISTER(SERIAL_BASE + 0x00u)
#define UART_STATE     REGISTER(SERIAL_BASE + 0x04u)
#define UART_CTRL      REGISTER(SERIAL_BASE + 0x08u)
#define UART_INTCLEAR  REGISTER(SERIAL_BASE + 0x0Cu)
#define UART_BAUDDIV   REGISTER(SERIAL_BASE + 0x10u)

#define STATE_TX_FULL    (1u << 0)
#define STATE_RX_FULL    (1u << 1)
#define STATE_RX_OVERRUN (1u << 3) /* cleared by writing it */
#define CTRL_TX_ENABLE   (1u << 0)
#define CTRL_RX_ENABLE   (1u << 1)
#define CTRL_RX_IRQ      (1u << 3)
#define INT_RX           (1u << 1)

static struct ring received;
static volatile uint32_t lost;

void serial_init(void)
{
    UART_BAUDDIV = SERIAL_HZ / SERIAL_BAUD;
    UART_CTRL = CTRL_TX_ENABLE | CTRL_RX_ENABLE | CTRL_RX_IRQ;
    enable_interrupt(SERIAL_IRQ);
}

void serial_interrupt(void)
{
    /* Cleared before the data is read: a byte that arrives after that raises it again. */
    UART_INTCLEAR = INT_RX;
    if ((UART_STATE & STATE_RX_OVERRUN) != 0u) {
        UART_STATE = STATE_RX_OVERRUN;
        lost++;
    }
    while ((UART_STATE & STATE_RX_FULL) != 0u) {
        if (!ring_put(&received, (uint8_t)UART_DATA)) {
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
        while ((UART_STATE & STATE_TX_FULL) != 0u) {
        }
        UART_DATA = data[i];
    }
}

uint32_t serial_lost(void)
{
    return lost;
}
