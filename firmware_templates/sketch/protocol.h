/* The firmware's end of the wire protocol (docs/protocol.md of edgemcu): a host identifies the
 * firmware, sends an input, has it run, and gets the output bytes and the counter's ticks.
 *
 * Everything that is not a frame is for people: any serial terminal shows the log as plain lines.
 *
 * Uses serial.h, counter.h and system.h below, edgemcu_model.h for the model and edgemcu_app.h for what the
 * generator knows about this firmware:
 *
 *   EDGEMCU_VERSION            "0.1.0"   the edgemcu that generated this firmware
 *   EDGEMCU_BOARD              "stm32f405"
 *   EDGEMCU_PIXEL_INPUT        1: uint8 pixels are accepted, through edgemcu_input_table; or 0
 *   EDGEMCU_KEEP_INPUT         1: RAM is left for a copy of the input, to repeat inferences with; or 0
 *   EDGEMCU_PATTERN_OUTPUTS_CRC32   of the outputs for the self-test's input, if they are known
 *   EDGEMCU_VIRTUAL_HZ         ticks per second of an emulator's virtual time; 0 without one
 *   EDGEMCU_MLPERF_MODEL       "ic01"  what the MLPerf Tiny benchmark calls the model
 *   EDGEMCU_MLPERF_FLIP        what its inputs' bytes are to be XORed with
 *   EDGEMCU_CLASS_COUNT        0 where the model's outputs have no class names
 *   EDGEMCU_SCORE_ZERO_POINT   score = (output - zero point) x scale, if the first output is int8
 *   EDGEMCU_SCORE_SCALE_Q30    the scale, times 2^30, rounded
 *   extern const int8_t edgemcu_input_table[256];                   where EDGEMCU_PIXEL_INPUT
 *   extern const char *const edgemcu_class_names[EDGEMCU_CLASS_COUNT];  where there are classes
 */
#ifndef PROTOCOL_H
#define PROTOCOL_H

/* The constants below are those of edgemcu's device/protocol.py. */

/* A frame is "@em1 T SSSS BASE64 CCCCCCCC\n"; it starts at the last '@' of its line. */
#define PROTOCOL_PREFIX "@em1 "
#define PROTOCOL_VERSION 1

/* Types of frame: capital letters come from the host, small letters from the device. */
#define PROTOCOL_PING 'P'
#define PROTOCOL_PONG 'p'
#define PROTOCOL_IDENTIFY 'I'
#define PROTOCOL_IDENTITY 'i'
#define PROTOCOL_DATA 'D'
#define PROTOCOL_ACKNOWLEDGE 'd'
#define PROTOCOL_RUN 'R'
#define PROTOCOL_RESULT 'r'
#define PROTOCOL_LOG 'L'
#define PROTOCOL_DONE 'k'
#define PROTOCOL_SELFTEST 'S'
#define PROTOCOL_SELFTEST_RESULT 's'
#define PROTOCOL_TIME 'T'
#define PROTOCOL_TIMING 't'
#define PROTOCOL_ERROR 'e'

/* Stands on the line of each inference, behind what a person reads. */
#define PROTOCOL_LOG_FRAME 'l'

/* The messages above that this firmware answers, as its identity lists them. */
#define PROTOCOL_MESSAGES "PIDRLST"

/* What is logged of each inference. */
#define PROTOCOL_LEVEL_OFF 0
#define PROTOCOL_LEVEL_TEXT 1  /* a line for people */
#define PROTOCOL_LEVEL_FRAME 2 /* and a log frame on it; after a reset */

/* What the bytes of an input are. */
#define PROTOCOL_KIND_TENSOR 0 /* the input tensors' own bytes, back to back */
#define PROTOCOL_KIND_PIXELS 1 /* uint8 pixels, preprocessed here through a table */

/* Codes of an error frame. */
#define PROTOCOL_ERROR_DAMAGED 1     /* a frame did not survive the line: repeat it */
#define PROTOCOL_ERROR_UNKNOWN 2     /* no such type of frame */
#define PROTOCOL_ERROR_MALFORMED 3   /* a payload of the wrong size or with values out of range */
#define PROTOCOL_ERROR_TOO_LONG 4    /* a payload longer than the identity's max_payload */
#define PROTOCOL_ERROR_NO_INPUT 5    /* run: this input is not here, or not all of it */
#define PROTOCOL_ERROR_WRONG_INPUT 6 /* run: the input that arrived has another CRC */
#define PROTOCOL_ERROR_MODEL 7       /* the model failed to initialise or to run */
#define PROTOCOL_ERROR_DAMAGED_MODEL 8 /* the model in flash is not the one that was generated */

/* Input bytes in one data frame, at most. */
#define PROTOCOL_CHUNK_BYTES 1024

/* Output bytes in one log frame, at most. */
#define PROTOCOL_LOG_OUTPUT_BYTES 256

/* A line that starts so reports a fault; the session ends with it. Written by fault handlers. */
#define PROTOCOL_FAULT_LINE "edgemcu fault: "

/* Say hello: one line for people and one identity frame. `model_status` is what edgemcu_init
 * returned; unless it is 0, every run is answered with an error. */
void protocol_start(int model_status);

/* Classify a picture that this device has acquired. edgemcu_input(0) holds its uint8 pixels, in the
 * order of the tensor (HWC): they are mapped in place through the input table, the model runs, and
 * one line is logged. Returns what edgemcu_invoke returned, or PROTOCOL_REFUSED where nothing was
 * computed: the model did not check out at boot, or does not say how pixels become its input. */
int protocol_classify(void);
#define PROTOCOL_REFUSED (-100)

/* Handle the bytes that have arrived. Returns when no more are waiting; an inference that they
 * ask for is run inside. */
void protocol_poll(void);

#endif
