/* slipway-shim: the small program between Slipway's daemon and the processes. See docs/architecture.md §5. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "datagrams.h"
#include "fd.h"
#include "init.h"
#include "probes.h"
#include "protocol.h"
#include "sealed.h"
#include "title.h"
#include "zygote.h"

/* Descriptors 0, 1 and 2 must be something, or the next file opened would become one of them. */
static void fill_standard_streams(void) {
  for (int fd = 0; fd < 3; fd++)
    while (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
      if (open("/dev/null", O_RDWR) < 0) _exit(1);
}

int main(int argc, char **argv) {
  fill_standard_streams();
  if (argc >= 2 && strcmp(argv[1], "init") == 0) return init_main(argv + 2);
  if (argc >= 3 && strcmp(argv[1], "probes") == 0) return probes_main(argc, argv);
  if (argc == 3 && strcmp(argv[1], "datagrams") == 0) return datagrams_main(argv[2]);
  bool keeps = argc == 6 && strcmp(argv[4], "--keep") == 0;
  if ((argc == 4 || keeps) && strcmp(argv[1], "zygote") == 0 && strcmp(argv[2], "--socket") == 0) {
    fd_close_from(3); /* nothing of the starter's may be kept open by a process that lives for months */
    title_open(argc, argv);
    if (keeps) sealed_keep(argv[5]);
    sealed_keep_self();
    return zygote_main(argv[3]);
  }
  if (argc == 2 && strcmp(argv[1], "--version") == 0) {
    printf("slipway-shim, protocol %d\n", PROTOCOL_VERSION);
    return 0;
  }
  dprintf(2, "usage: slipway-shim zygote --socket PATH [--keep PROGRAM] | init -- PROGRAM [ARGUMENT...] | datagrams PATH | probes PROGRAM [ARGUMENT...] | --version\n");
  return 2;
}
