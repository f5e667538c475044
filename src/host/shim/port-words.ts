import { constants } from "node:os";
import { Fields, type Frame, frameType } from "./frame.ts";
import type { HeldPort, PortRefusal } from "./shim-types.ts";

/** A port in the words of shim/ports.h. */
export function portWords({ protocol, hostIp, hostPort, target }: HeldPort): string {
  const words = [protocol, hostIp, hostPort, ...(target === undefined ? [] : [target.ip, target.port])];
  return words.join(" ");
}

/** Which port could not be held, when that is what the frame says. */
export function portRefusal({ type, payload }: Frame): PortRefusal | undefined {
  if (type !== frameType.failed) return undefined;
  const fields = new Fields(payload);
  if (fields.text("stage") !== "port") return undefined;
  const errno = fields.number("errno") ?? 0;
  return { index: fields.number("index") ?? 0, code: codes.get(errno) ?? "", text: fields.text("text") };
}

const codes: ReadonlyMap<number, string> = new Map(
  Object.entries(constants.errno).map(([code, number]) => [number, code]),
);
