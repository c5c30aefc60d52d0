/* Answers requests over the simulator's console: the number of a model and its inputs come in, its
 * outputs go out. */
#include <stddef.h>
#include <stdint.h>

MODELS

#define CALL_READ  3
#define CALL_WRITE 4

/* In start.S: the simulator's system call. Returns the number of bytes. */
int simcall(int number, int stream, uintptr_t data, size_t bytes);

static void receive(void *target, size_t bytes)
{
    uint8_t *to = target;

    while (bytes > 0) {
        int n = simcall(CALL_READ, 0, (uintptr_t)to, bytes);
        if (n > 0) {
            to += n;
            bytes -= (size_t)n;
        }
    }
}

static void send(const void *source, size_t bytes)
{
    const uint8_t *from = source;

    while (bytes > 0) {
        int n = simcall(CALL_WRITE, 1, (uintptr_t)from, bytes);
        if (n > 0) {
            from += n;
            bytes -= (size_t)n;
        }
    }
}

int main(void)
{
    send("R", 1);
    for (;;) {
        uint32_t index;
        receive(&index, sizeof index);
        const struct model *m = models[index];
        m->init();
        for (size_t i = 0; i < m->inputs; ++i) {
            receive(m->input(i), m->input_bytes(i));
        }
        m->invoke();
        for (size_t i = 0; i < m->outputs; ++i) {
            send(m->output(i), m->output_bytes(i));
        }
    }
}
