/* Mounts at a path inside a container's tree, which may hold any symlink. */
#pragma once

/* Binds SOURCE, with all below it, at PATH as seen from ROOT; a missing place is made, of the source's kind, as a start would. 0 or -errno. */
int mount_within(const char *root, const char *path, const char *source, const char *flags);
