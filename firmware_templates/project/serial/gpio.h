/* Pins of an STM32. */
#ifndef GPIO_H
#define GPIO_H

#include <stdint.h>

#include "clock.h"
#include "cortex_m.h"

#define GPIO_MODER(port)    REGISTER(GPIO_BASE + 0x400u * (port) + 0x00u)
#define GPIO_PUPDR(port)    REGISTER(GPIO_BASE + 0x400u * (port) + 0x0Cu)
#define GPIO_AFR(port, pin) REGISTER(GPIO_BASE + 0x400u * (port) + 0x20u + 4u * ((pin) / 8u))

/* Connect a pin to an alternate function, with a pull-up so that an open line is idle. Port A is 0. */
static inline void gpio_connect(uint32_t port, uint32_t pin, uint32_t function)
{
    uint32_t alternate = 4u * (pin % 8u);

    clock_enable(BUS_GPIO, port);
    GPIO_AFR(port, pin) = (GPIO_AFR(port, pin) & ~(15u << alternate)) | (function << alternate);
    GPIO_PUPDR(port) = (GPIO_PUPDR(port) & ~(3u << (2u * pin))) | (1u << (2u * pin));
    GPIO_MODER(port) = (GPIO_MODER(port) & ~(3u << (2u * pin))) | (2u << (2u * pin));
}

#endif
