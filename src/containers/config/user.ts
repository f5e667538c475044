import { Fault } from "#core/fault";

/** Who a process in a container is. */
export interface ResolvedUser {
  readonly ids: { readonly uid: number; readonly gid: number; readonly additionalGids: readonly number[] };
  /** From passwd; `/` without an entry. */
  readonly home: string;
}

/** The container's own `/etc/passwd` and `/etc/group`; undefined when there is none. */
export interface UserFiles {
  readonly passwd: string | undefined;
  readonly group: string | undefined;
}

/**
 * Resolves `user`, `uid`, `user:group` or `uid:gid` (empty: root) and further groups in the container's own files. Ids need
 * no entry. Faults `invalid` with Docker's words for names without one.
 */
export function resolveUser(text: string, groupAdd: readonly string[], files: UserFiles): ResolvedUser {
  const [userText = "", groupText = ""] = text.split(/:(.*)/s);
  const groups = parseGroups(files.group ?? "");
  const entry = findUser(userText, parsePasswd(files.passwd ?? ""));
  const gid = groupText === "" ? entry.gid : findGroup(groupText, groups);
  // Named groups of the user count only while no group was asked for, as for initgroups(3).
  const memberships =
    groupText === "" && entry.name !== "" ? groups.filter((group) => group.members.includes(entry.name)) : [];
  const added = groupAdd.map((name) => findGroup(name, groups));
  const additionalGids = [...new Set([gid, ...memberships.map((group) => group.gid), ...added])];
  return { ids: { uid: entry.uid, gid, additionalGids }, home: entry.home };
}

interface User {
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  readonly home: string;
}

interface Group {
  readonly name: string;
  readonly gid: number;
  readonly members: readonly string[];
}

function findUser(text: string, users: readonly User[]): User {
  const uid = text === "" ? 0 : parseId(text);
  const byName = text === "" ? undefined : users.find((user) => user.name === text);
  const known = byName ?? (uid === undefined ? undefined : users.find((user) => user.uid === uid));
  if (known !== undefined) {
    checkRange(known.uid);
    checkRange(known.gid);
    return { ...known, home: known.home === "" ? "/" : known.home };
  }
  if (uid === undefined) {
    throw new Fault("invalid", `unable to find user ${text}: no matching entries in passwd file`);
  }
  checkRange(uid);
  return { name: "", uid, gid: 0, home: "/" };
}

function findGroup(text: string, groups: readonly Group[]): number {
  const known = groups.find((group) => group.name === text);
  if (known !== undefined) {
    checkRange(known.gid);
    return known.gid;
  }
  const gid = parseId(text);
  if (gid === undefined) {
    throw new Fault("invalid", `unable to find group ${text}: no matching entries in group file`);
  }
  checkRange(gid);
  return gid;
}

function parseId(text: string): number | undefined {
  return /^-?[0-9]{1,12}$/.test(text) ? Number(text) : undefined;
}

function checkRange(id: number): void {
  if (id < 0 || id > 2 ** 31 - 1) throw new Fault("invalid", `uids and gids must be in range 0-${2 ** 31 - 1}`);
}

function parsePasswd(text: string): User[] {
  return rows(text).flatMap(([name = "", , uid = "", gid = "", , home = ""]) => {
    const [uidNumber, gidNumber] = [parseId(uid), parseId(gid)];
    return uidNumber === undefined || gidNumber === undefined ? [] : [{ name, uid: uidNumber, gid: gidNumber, home }];
  });
}

function parseGroups(text: string): Group[] {
  return rows(text).flatMap(([name = "", , gid = "", members = ""]) => {
    const number = parseId(gid);
    return number === undefined ? [] : [{ name, gid: number, members: members.split(",") }];
  });
}

function rows(text: string): string[][] {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => line.split(":").map((field) => field.trim()));
}
