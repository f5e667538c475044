/*
 * Runs a container's health checks inside it: `probes PROGRAM [ARGUMENT...]`, started as an exec with descriptor 4 for the
 * probes' input. Each byte of standard input is a word: `r` runs the program, `k` kills what runs, with its process group;
 * the end of input kills it and ends this one. One program runs at a time.
 *
 * On standard output goes {u8 what, u8 more, u16 length, u32 number, length bytes}, big-endian (client side:
 * src/containers/life/probe-frames.ts):
 *   R  ready
 *   E  ended: the exit code (128 + signal) and the first 4,096 bytes of output; `more` is 1 when there were more
 *   F  could not be started: errno
 */
#pragma once

int probes_main(int argc, char **argv);
