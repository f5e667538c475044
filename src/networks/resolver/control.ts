import { Fault, isFault } from "#core/fault";
import { readContainerNames } from "./container-names.ts";
import { NamesPicture } from "./names-view.ts";

/** Greatest line of the control protocol, in bytes. */
export const maxControlLineBytes = 1024 * 1024;
const maxContainers = 65_536;

/** The answer to a line: how many were taken on this connection, and what was wrong with this one. */
export interface Acknowledgement {
  readonly ok: number;
  readonly fault?: string;
}

/** What a daemon says on one connection, line by line; answers the acknowledgement, which `begin` has none of. Fault `invalid` for what is no line of the protocol. */
export type ControlSession = (line: unknown) => Acknowledgement | undefined;

/**
 * Takes a daemon's lines. `begin` starts a full picture that nobody sees before its `commit`, `container` and `gone` change it;
 * outside of these two they change the current one at once. A connection that ends before its commit has changed nothing.
 */
export function openControlSession(current: { picture: NamesPicture }): ControlSession {
  let staged: NamesPicture | undefined;
  let taken = 0;
  const apply = (op: unknown, fields: Record<string, unknown>): void => {
    if (op === "commit") {
      if (staged === undefined) throw new Fault("invalid", "commit without begin");
      current.picture = staged;
      staged = undefined;
    } else if (op === "gone") (staged ?? current.picture).forget(String(fields["id"]));
    else if (op === "container") stateIn(staged ?? current.picture, fields);
    else throw new Fault("invalid", "an operation that is not known");
  };
  return (line) => {
    const fields = typeof line === "object" && line !== null ? (line as Record<string, unknown>) : {};
    if (fields["op"] === "begin") {
      staged = new NamesPicture();
      return undefined;
    }
    const fault = faultOf(() => apply(fields["op"], fields));
    return { ok: ++taken, ...(fault !== undefined && { fault }) };
  };
}

function stateIn(picture: NamesPicture, fields: unknown): void {
  const names = readContainerNames(fields);
  if (picture.size >= maxContainers && picture.get(names.id) === undefined) {
    throw new Fault("invalid", `more than ${maxContainers} containers`);
  }
  picture.state(names);
}

/** One bad container is no reason to lose the others: it is said in the acknowledgement. */
function faultOf(work: () => void): string | undefined {
  try {
    work();
    return undefined;
  } catch (error) {
    if (isFault(error, "invalid")) return error.message;
    throw error;
  }
}
