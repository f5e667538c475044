/* `slipway-shim datagrams PATH`: sends to a datagram socket in the file system, such as /dev/log. */
#pragma once

/*
 * Reads {u32 n big-endian, n bytes} from standard input, sends each as one datagram, and writes one byte to standard output
 * when it was taken. Returns at the end of the input, or (1, with the reason on standard error) at the first failure.
 */
int datagrams_main(const char *path);
