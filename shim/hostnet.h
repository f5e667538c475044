/* The host's network, for a process that is in a container's. */
#pragma once

/* Remembers the network namespace that this process is in, before it leaves it: 0 or -errno. */
int hostnet_keep(void);
/*
 * Runs `work` in the namespace that was kept, and gives back what it says (0 or more, or -errno). Descriptors that it
 * opens are ours. This process itself never changes its namespace: others, the runtime too, open that one by our pid.
 */
int hostnet_do(int (*work)(void *context), void *context);
