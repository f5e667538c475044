import type { LogPosition, TerminalSize } from "#host";
import { Fault } from "#core/fault";
import { announce } from "../announce.ts";
import type { AttachOptions, Session } from "../containers.ts";
import { parseDetachKeys } from "./detach-keys.ts";
import { foldersOf } from "../life/folders.ts";
import { logStart, replaySession } from "./log-source.ts";
import type { Room } from "../room.ts";
import { ContainerSession } from "./session.ts";
import { isRunning, mustRun } from "../state.ts";
import type { ContainerRecord } from "../store.ts";

/** Connects a client to a container's streams; to one that does not run yet, from the first byte of its next run on. */
export async function attach(room: Room, nameOrId: string, options: AttachOptions): Promise<Session> {
  const record = room.store.find(nameOrId);
  const detachKeys = parseDetachKeys(options.detachKeys);
  if (record.state.status === "paused") {
    throw new Fault("conflict", `container ${record.id} is paused, unpause the container before attach`);
  }
  if (record.state.status === "removing" || record.state.status === "dead") {
    throw new Fault("conflict", `container ${record.id} is marked for removal`);
  }
  announce(room, record, "attach");
  const logFolder = foldersOf(room.host.paths, record.id).log;
  if (!options.stream) return replaySession(record.spec.tty, options.logs ? logFolder : undefined, options.streams);
  const from = (options.logs ? await logStart(logFolder) : undefined) ?? "now";
  const session = openSession(room, record, options, detachKeys, from);
  const live = isRunning(record.state) ? room.live.get(record.id) : undefined;
  if (live === undefined) waitForStart(room, record.id, session);
  else await session.connect(live.monitor);
  return session;
}

/** Changes the size of a running container's terminal. */
export async function resize(room: Room, nameOrId: string, size: TerminalSize): Promise<void> {
  const record = room.store.find(nameOrId);
  mustRun(record);
  const live = room.live.get(record.id);
  if (live === undefined) throw new Fault("conflict", `container ${record.id} is not running`);
  await live.monitor.resize(size);
  announce(room, record, "resize", { height: String(size.rows), width: String(size.columns) });
}

function openSession(
  room: Room,
  record: ContainerRecord,
  options: AttachOptions,
  detachKeys: Uint8Array,
  from: "now" | LogPosition,
): ContainerSession {
  const session = new ContainerSession({
    tty: record.spec.tty,
    streams: options.streams,
    stdin: options.stdin && record.spec.stdinOpen,
    from,
    detachKeys,
    onDetach: () => announce(room, room.store.get(record.id) ?? record, "detach"),
    onOver: () => {
      const waiting = room.waitingSessions.get(record.id);
      waiting?.delete(session);
      if (waiting?.size === 0) room.waitingSessions.delete(record.id);
    },
  });
  return session;
}

function waitForStart(room: Room, id: string, session: ContainerSession): void {
  const waiting = room.waitingSessions.get(id) ?? new Set();
  if (waiting.size >= mostWaiting) {
    throw new Fault("exhausted", `more than ${mostWaiting} clients wait for the start of container ${id}`);
  }
  room.waitingSessions.set(id, waiting.add(session));
}

/** As many as a monitor serves at once. */
const mostWaiting = 128;
