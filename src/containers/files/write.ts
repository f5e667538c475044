import { batch } from "#core/batch";
import { Fault } from "#core/fault";
import { readTar } from "#core/tar-read";
import type { RunningProgram } from "#host";
import { decompress } from "#images";
import { announce } from "../announce.ts";
import type { Containers } from "../containers.ts";
import { resolveUser } from "../config/user.ts";
import { readUserFiles } from "../life/bundle.ts";
import type { Room } from "../room.ts";
import { encodeEntry, type Owner, recordsEnd } from "./apply-records.ts";
import { look, type Seen } from "./look.ts";
import { cleanPath } from "./paths.ts";
import { openView, type View } from "./view.ts";

/** Unpacks an archive into a folder of a container. What was unpacked before a failure stays, as with Docker. */
export async function writeArchive(
  room: Room,
  nameOrId: string,
  asked: string,
  archive: AsyncIterable<Uint8Array>,
  options: Parameters<Containers["writeArchive"]>[3],
  signal: AbortSignal,
): Promise<void> {
  await using view = await openView(room, room.store.find(nameOrId).id, "write");
  const path = cleanPath(asked);
  checkPlace(await look(view, path, nameOrId, signal), view);
  const owner = options.copyUidGid ? await ownerOf(room, view) : undefined;
  await using program = await view.run(
    { argv: [options.noOverwriteDirNonDir ? "1" : "0", path], builtin: "apply", treeFolder: path },
    signal,
  );
  const plain = decompress(archive, room.host.shim, signal);
  await feed(program, batch(recordsOf(plain, owner)), signal);
  announce(room, view.record, "extract-to-dir");
}

function checkPlace(seen: Seen, { record }: View): void {
  if (!seen.leadsToFolder) throw new Fault("invalid", "extraction point is not a directory");
  if (seen.onRoot && (seen.onReadOnlyMount || record.spec.readOnlyRoot))
    throw new Fault("forbidden", "container rootfs is marked read-only");
  if (seen.onReadOnlyMount) throw new Fault("forbidden", "mounted volume is marked read-only");
}

/** The user that the container runs as, by its own passwd; undefined when that is nobody in particular. */
async function ownerOf(room: Room, { record }: View): Promise<Owner | undefined> {
  if (record.process.user === "") return undefined;
  return resolveUser(record.process.user, [], await readUserFiles(room, record.id)).ids;
}

/** The archive as records for the shim's `apply`. */
async function* recordsOf(
  archive: AsyncIterable<Uint8Array>,
  owner: Owner | undefined,
): AsyncGenerator<Uint8Array, void, void> {
  for await (const { header, data } of readTar(archive)) {
    const record = encodeEntry(header, owner);
    if (record === undefined) continue;
    yield record;
    if (header.type === "file") yield* data;
  }
  yield recordsEnd;
}

async function feed(program: RunningProgram, records: AsyncIterable<Uint8Array>, signal: AbortSignal): Promise<void> {
  let refused = false;
  for await (const piece of records) {
    try {
      await program.write(piece);
    } catch {
      refused = true; // it has ended: its words follow
      break;
    }
  }
  signal.throwIfAborted();
  if (!refused) await program.end().catch(() => undefined);
  for await (const _ of program.stdout);
  const { code } = await program.ended;
  signal.throwIfAborted();
  if (code !== 0) throw faultOf(code, program.stderr());
}

/** The words are the shim's own; the status says which kind of failure they tell of (shim/apply.c). */
function faultOf(code: number | null, words: string): Fault {
  const text = words.replaceAll(/[^\x20-\x7e]/g, "?").slice(0, 1000) || "the archive could not be unpacked";
  switch (code) {
    case 3:
      return new Fault("invalid", text);
    case 4:
      return new Fault("forbidden", text);
    case 5:
      return new Fault("exhausted", text, { remedy: "Free disk space and try again." });
    default:
      return new Fault("invalid", text);
  }
}
