/* Overlay mounts with many layers, and the newer mount calls that libc may not know. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

struct overlay {
  const char *target;
  const char *upper; /* "" with work "": read-only */
  const char *work;
  const char *options; /* with commas */
  char **lowers;       /* topmost first */
  size_t lower_count;
};

/* 0 or -errno. Uses one call per layer where the kernel has it, else mount(2) with short names, so that its page is enough. */
int overlay_mount(const struct overlay *what);
/* A copy of the mount at `source` (not of those below it), attached at `target`; with owners as that user namespace has them. */
int overlay_bind_mapped(const char *source, const char *target, int user_namespace);
/* Attaches at `target` what `source` is in another mount namespace (a descriptor), with what is mounted below it if deep; the process is back in `own` afterwards. */
int overlay_graft(int other, int own, const char *source, const char *target, bool deep);
/* Sets read-only, nosuid, nodev, noexec (MS_ bits) on a whole tree of mounts; -ENOSYS on kernels before 5.12. */
int overlay_set_attributes(const char *target, unsigned long ms_flags);
