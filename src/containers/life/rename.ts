import { Fault } from "#core/fault";
import { announce } from "../announce.ts";
import { parseName } from "../config/name.ts";
import type { Room } from "../room.ts";

/** Gives a container another name. */
export function rename(room: Room, nameOrId: string, newName: string): void {
  if (nameOrId === "" || newName === "") throw new Fault("invalid", "Neither old nor new names may be empty");
  const record = room.store.find(nameOrId);
  const name = allocated(() => parseName(newName));
  if (name === record.name) {
    throw new Fault("invalid", "Renaming a container with the same name as its current name");
  }
  const renamed = allocated(() => room.store.rename(record.id, name));
  room.networks.rename(record.id, name);
  announce(room, renamed, "rename", { oldName: `/${record.name}` });
}

/** Docker's words before those of a name that cannot be had. */
function allocated<Result>(work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof Fault)) throw error;
    throw new Fault(error.kind, `Error when allocating new name: ${error.message}`, { cause: error });
  }
}
