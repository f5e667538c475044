#!/bin/sh
# Bounds a volume, and keeps what is in it: makes it with a size, writes into it, packs it into a tar file on the host, and
# unpacks that into another volume. Containers do the reading and writing: where a volume's data lies is the engine's business.
#
#   sh examples/backup-a-volume.sh [CLIENT [FOLDER]]
#
# CLIENT is the command line to use (slipway; docker does as well), FOLDER where the backup goes. It needs the image busybox.
# The size needs Slipway (or Docker on xfs with project quotas).
set -eu
client=${1:-slipway}
folder=$(cd "${2:-.}" && pwd)

# 64 MiB and no more: whoever writes more into it gets "No space left on device", and nobody else does.
"$client" volume create --opt size=64m notes
"$client" run --rm -v notes:/data busybox sh -c 'echo remember >/data/note; chown 1000:1000 /data/note'
"$client" run --rm -v notes:/data busybox df -h /data

# Nobody may write meanwhile, or the backup is of no single moment: stop the containers that have it. Read-only is enough for us.
"$client" run --rm -v notes:/data:ro -v "$folder:/backup" busybox tar -C /data -cf /backup/notes.tar .

# Back, into a volume of another size: owners and modes come along.
"$client" volume create --opt size=128m notes-restored
"$client" run --rm -v notes-restored:/data -v "$folder:/backup:ro" busybox tar -C /data -xpf /backup/notes.tar
"$client" run --rm -v notes-restored:/data:ro busybox ls -ln /data/note

"$client" volume rm notes notes-restored
