import { Fault } from "#core/fault";

/** Whose a file is. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/**
 * Resolves `--chown=USER[:GROUP]`, or USER where a WORKDIR is made, in the files of what is below. A number stands for
 * itself, also as the group where none is named; a name's group is the one that passwd has. Fault `invalid` for a name that is not there.
 */
export async function resolveOwner(
  text: string,
  readFile: (path: string) => Promise<string | undefined>,
): Promise<Owner> {
  const [user = "", group = ""] = text.split(/:(.*)/s);
  const owner = user === "" ? { uid: 0, gid: 0 } : (numbered(user) ?? (await named(user, readFile)));
  if (group === "") return owner;
  const number = idOf(group);
  if (number !== undefined) return { ...owner, gid: number };
  const [, , gid = ""] = rowOf(await readFile("/etc/group"), group) ?? [];
  return { ...owner, gid: idOf(gid) ?? missing("group", group) };
}

function numbered(user: string): Owner | undefined {
  const id = idOf(user);
  return id === undefined ? undefined : { uid: id, gid: id };
}

async function named(user: string, readFile: (path: string) => Promise<string | undefined>): Promise<Owner> {
  const [, , uid = "", gid = ""] = rowOf(await readFile("/etc/passwd"), user) ?? [];
  return { uid: idOf(uid) ?? missing("user", user), gid: idOf(gid) ?? missing("user", user) };
}

function rowOf(file: string | undefined, name: string): string[] | undefined {
  const rows = (file ?? "").split("\n").map((line) => line.split(":").map((field) => field.trim()));
  return rows.find((row) => row[0] === name);
}

function idOf(text: string): number | undefined {
  if (!/^\d{1,12}$/.test(text)) return undefined;
  const id = Number(text);
  if (id <= 0xffff_fffe) return id;
  throw new Fault("invalid", "uids and gids must be in range 0-4294967294");
}

function missing(what: "user" | "group", name: string): never {
  const file = what === "user" ? "passwd" : "group";
  throw new Fault("invalid", `unable to find ${what} ${name}: no matching entries in ${file} file`, {
    remedy: `Make the ${what} in a step before, or give its number.`,
  });
}
