#include "counter.h"
#include "edgemcu_model.h"
#include "protocol.h"
#include "serial.h"

int main(void)
{
    serial_init();
    counter_init();
    protocol_start(edgemcu_init());
    for (;;) {
        serial_wait();
        protocol_poll();
    }
}
