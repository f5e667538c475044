/* What a process forked by the zygote does with its connection. */
#pragma once

#include <sys/types.h>

struct request;

/* Reads the first frame of the (blocking) connection and does what it asks; returns this process' exit status. */
int handle_connection(int client, pid_t zygote);

/* FRAME_RUN: runs a program for the client. In run.c. */
int run_program(int client, const struct request *request);
/* FRAME_MONITOR: becomes a monitor. In slot.c. */
int become_monitor(int client, const struct request *request);
/* FRAME_LINKS: changes network links, for as long as the client asks. In links.c. */
int serve_links(int client, const struct request *first);
