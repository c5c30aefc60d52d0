/* Watches over the sketch's task: the task watchdog, and how much of the stack is in use. */
#ifndef SUPERVISOR_H
#define SUPERVISOR_H

/* Tell the task watchdog about the sketch, from now on. Call once, before the task starts. */
void supervisor_init(void);

/* A sign of life; call it in the main loop. Reports the stack once, after the first inference. */
void supervisor_alive(void);

/* Write one line for people. */
void supervisor_print(const char *text);

#endif
