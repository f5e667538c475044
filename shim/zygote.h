/* The zygote: waits on a socket and forks one process per connection; it never reads what a client sends. */
#pragma once

/* Goes to the background; returns the exit status of the foreground: 0 = it listens, 3 = another one holds the lock, 1 = failed. */
int zygote_main(const char *socket_path);
