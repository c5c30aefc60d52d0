#include "mlperf.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

#include "counter.h"
#include "edgemcu_app.h"
#include "edgemcu_model.h"
#include "inference.h"
#include "log.h"
#include "protocol.h"
#include "system.h"

#define COMMAND_MAX 128u /* the benchmark's runner sends 66 at most */
#define WORDS_MAX   4u
#define INPUT_ID    0u /* of inputs that come in this way; frames with this id may name it, too */
#define PRINT_BYTES 8u /* in a line of `db print` */

/* What the benchmark's runners look for in the answer to `profile`. */
#define PROFILE "ULPMark for tinyML Firmware V0.0.1"

static struct {
    char text[COMMAND_MAX + 1];
    size_t length; /* more than COMMAND_MAX: too long, and not kept */
} command;

/* ---- Answers -------------------------------------------------------------------------------- */

static void print_error(const char *text)
{
    print("e-[");
    print(text);
    print("]\r\n");
}

static void print_count(const char *what, uint64_t value)
{
    print(what);
    print_number(value);
    print("\r\n");
}

/* Microseconds since start. The counter wraps: this must be asked for more often. Where its ticks
 * follow an emulator's instructions, they are microseconds of its virtual time. */
static uint64_t microseconds(void)
{
    static uint64_t total;
    static uint32_t last;
    uint32_t hz = counter_hz() != 0 ? counter_hz() : EDGEMCU_VIRTUAL_HZ;
    uint32_t now = counter_now();

    total += now - last;
    last = now;
    return hz == 0 ? 0 : total / hz * 1000000u + total % hz * 1000000u / hz;
}

static void print_timestamp(void)
{
    print_count("m-lap-us-", microseconds());
}

#ifdef EDGEMCU_SCORE_SCALE_Q30
/* "0.996": thousandths, a tie to the even digit, as printf does it. */
static void print_score(int8_t output)
{
    int32_t steps = output - (EDGEMCU_SCORE_ZERO_POINT);
    uint64_t size = (uint64_t)(steps < 0 ? -steps : steps) * EDGEMCU_SCORE_SCALE_Q30;
    uint64_t exact = size * 1000u;
    uint64_t rounded = exact >> 30;
    uint64_t rest = exact & ((1u << 30) - 1u);

    if (rest > 1u << 29 || (rest == 1u << 29 && (rounded & 1u) != 0)) {
        rounded++;
    }
    print(steps < 0 ? "-" : "");
    print_number(rounded / 1000u);
    print(rounded % 1000u < 10u ? ".00" : rounded % 1000u < 100u ? ".0" : ".");
    print_number(rounded % 1000u);
}
#endif

static void print_results(void)
{
    if (inference.state != DONE) {
        print_error("There are no results: load an input, then infer");
        return;
    }
#ifdef EDGEMCU_SCORE_SCALE_Q30
    const int8_t *outputs = edgemcu_output(0);

    print("m-results-[");
    for (size_t i = 0; i < edgemcu_output_bytes(0); i++) {
        print(i == 0 ? "" : ",");
        print_score(outputs[i]);
    }
    print("]\r\n");
#else
    print_error("These outputs are no scores that can be printed");
#endif
}

/* ---- Words ---------------------------------------------------------------------------------- */

/* A decimal number of at most 9 digits, so that none overflows. */
static bool number(const char *word, uint32_t *value)
{
    size_t n = strlen(word);

    *value = 0;
    for (size_t i = 0; i < n; i++) {
        if (word[i] < '0' || word[i] > '9') {
            return false;
        }
        *value = *value * 10u + (uint32_t)(word[i] - '0');
    }
    return n > 0 && n <= 9;
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9') {
        return c - '0';
    }
    if (c >= 'A' && c <= 'F') {
        return c - 'A' + 10;
    }
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Cut `text` at its spaces; returns the number of words, WORDS_MAX + 1 where there are more. */
static size_t split(char *text, const char *words[WORDS_MAX])
{
    size_t n = 0;

    for (char *at = text;;) {
        while (*at == ' ') {
            *at++ = '\0';
        }
        if (*at == '\0') {
            return n;
        }
        if (n == WORDS_MAX) {
            return WORDS_MAX + 1;
        }
        words[n++] = at;
        while (*at != ' ' && *at != '\0') {
            at++;
        }
    }
}

/* ---- Commands ------------------------------------------------------------------------------- */

static bool model_is_usable(void)
{
    if (inference.status == EDGEMCU_DAMAGED) {
        print_error("The model in flash is damaged");
    } else if (inference.status != 0) {
        print_error("The model failed to initialise");
    }
    return inference.status == 0;
}

static void load(const char *word)
{
    uint32_t bytes;

    if (!number(word, &bytes) || bytes != EDGEMCU_INPUT_BYTES) {
        print("e-[The model takes ");
        print_number(EDGEMCU_INPUT_BYTES);
        print(" bytes]\r\n");
        return;
    }
    inference_begin(INPUT_ID, EDGEMCU_PIXEL_INPUT ? PROTOCOL_KIND_PIXELS : PROTOCOL_KIND_TENSOR);
    print("m-[Expecting ");
    print_number(bytes);
    print(" bytes]\r\n");
}

/* Append the bytes that `digits` stand for, all or none of them. */
static void append(const char *digits)
{
    uint8_t bytes[COMMAND_MAX / 2];
    size_t n = strlen(digits);

    if (n % 2 != 0) {
        print_error("Odd number of hex digits");
        return;
    }
    for (size_t i = 0; i < n; i += 2) {
        int high = hex_digit(digits[i]);
        int low = hex_digit(digits[i + 1]);

        if (high < 0 || low < 0) {
            print_error("Neither load, print nor hex digits");
            return;
        }
        bytes[i / 2] = (uint8_t)((high << 4 | low) ^ EDGEMCU_MLPERF_FLIP);
    }
    if (inference.state != RECEIVING || inference.id != INPUT_ID) {
        print_error("No bytes are expected: db load comes first");
        return;
    }
    if (n / 2 > EDGEMCU_INPUT_BYTES - inference.received) {
        print_error("More bytes than the model takes");
        return;
    }
    inference_append(bytes, n / 2);
    if (inference_is_whole()) {
        print("m-load-done\r\n");
    }
}

/* What has arrived of the input, as the model gets it. */
static void print_input(void)
{
    size_t left = inference.state == RECEIVING ? inference.received : 0;
    size_t column = 0;

    if (left == 0) {
        print_error("There is no input that has not run");
        return;
    }
    for (size_t i = 0; i < EDGEMCU_INPUT_COUNT; i++) {
        const uint8_t *tensor = edgemcu_input(i);

        for (size_t j = 0; j < edgemcu_input_bytes(i) && left > 0; j++) {
            print(column == 0 ? "m-buffer-" : "-");
            print_hex(&tensor[j], 1);
            left--;
            column = left == 0 ? 0 : (column + 1) % PRINT_BYTES;
            print(column == 0 ? "\r\n" : "");
            /* A large input takes longer to print than a watchdog waits. */
            if (j % 1024u == 1023u) {
                system_yield();
            }
        }
    }
}

static void run_db(const char *words[WORDS_MAX], size_t count)
{
    if (count == 3 && strcmp(words[1], "load") == 0) {
        if (model_is_usable()) {
            load(words[2]);
        }
    } else if (count == 2 && strcmp(words[1], "print") == 0) {
        print_input();
    } else if (count == 2 && strcmp(words[1], "load") != 0) {
        append(words[1]);
    } else {
        print_error("db takes load N, print, or hex digits");
    }
}

/* One inference of a series: the first on the input that was loaded, all others on its copy. */
static int run_once(void)
{
    uint32_t ticks;

    return inference.state == DONE ? inference_repeat(&ticks) : inference_run();
}

static bool run_series(uint32_t count)
{
    uint64_t yielded = microseconds();

    for (uint32_t i = 0; i < count; i++) {
        if (run_once() != 0) {
            inference_drop();
            print_error("The model failed to run");
            return false;
        }
        /* Seldom enough not to count; often enough for a watchdog of five seconds. */
        if (microseconds() - yielded > 2000000u) {
            system_yield();
            yielded = microseconds();
        }
    }
    return true;
}

static void infer(const char *words[WORDS_MAX], size_t count)
{
    uint32_t timed = 1;
    uint32_t warmups = 10;

    if (count > 3 || (count > 1 && (!number(words[1], &timed) || timed == 0)) ||
        (count > 2 && !number(words[2], &warmups))) {
        print_error("infer takes N, at least 1, and a number of warm-ups");
        return;
    }
    if (!model_is_usable()) {
        return;
    }
    if (!inference_is_whole()) {
        print_error("The input is not here, or not all of it");
        return;
    }
    if (!EDGEMCU_KEEP_INPUT && (inference.state == DONE || timed + warmups > 1)) {
        print_error("No memory is left to keep the input: load it again, then infer 1 0");
        return;
    }
    print_count("m-warmup-start-", warmups);
    if (!run_series(warmups)) {
        return;
    }
    print("m-warmup-done\r\n");
    print_count("m-infer-start-", timed);
    print_timestamp();
    if (!run_series(timed)) {
        return;
    }
    print_timestamp();
    print("m-infer-done\r\n");
    print_results();
}

static void print_help(void)
{
    print(PROFILE "\r\n"
          "help         : this text\r\n"
          "name         : the device's name\r\n"
          "profile      : the benchmark's profile, and the model\r\n"
          "timestamp    : microseconds since start\r\n"
          "db load N    : expect an input of N bytes\r\n"
          "db HH[HH]*   : the next bytes of it\r\n"
          "db print     : what has arrived of it\r\n"
          "infer N [W]  : W inferences to warm up (10), then N that are timed\r\n"
          "results      : the last inference's outputs\r\n");
}

static void dispatch(char *text)
{
    const char *words[WORDS_MAX];
    size_t count = split(text, words);

    if (count == 0) {
        print_error("Empty command");
    } else if (strcmp(words[0], "db") == 0) {
        run_db(words, count);
    } else if (strcmp(words[0], "infer") == 0) {
        infer(words, count);
    } else if (strcmp(words[0], "name") == 0) {
        print("m-name-dut-[edgemcu " EDGEMCU_BOARD "]\r\n");
    } else if (strcmp(words[0], "profile") == 0) {
        print("m-profile-[" PROFILE "]\r\nm-model-[" EDGEMCU_MLPERF_MODEL "]\r\n");
    } else if (strcmp(words[0], "timestamp") == 0) {
        print_timestamp();
    } else if (strcmp(words[0], "results") == 0) {
        print_results();
    } else if (strcmp(words[0], "help") == 0) {
        print_help();
    } else {
        print("e-[Unknown command: ");
        print(words[0]);
        print("]\r\n");
    }
}

/* ---- Reading -------------------------------------------------------------------------------- */

void mlperf_accept(uint8_t byte)
{
    if (byte == '%') {
        if (command.length > COMMAND_MAX) {
            print_error("Command too long");
        } else {
            command.text[command.length] = '\0';
            dispatch(command.text);
        }
        command.length = 0;
        print("m-ready\r\n");
    } else if (byte < ' ' || byte > '~') {
        /* No command goes over a line's end: what came before was for somebody else, or noise. */
        command.length = 0;
    } else if (command.length >= COMMAND_MAX) {
        command.length = COMMAND_MAX + 1;
    } else {
        command.text[command.length++] = (char)byte;
    }
}

void mlperf_forget(void)
{
    command.length = 0;
}
