import { Fault } from "#core/fault";

/** What `--chmod` makes of the mode of a file or directory. */
export type ModeChange = (mode: number, isDirectory: boolean) => number;

/**
 * Reads `--chmod`: octal up to 07777, or symbolic as chmod(1) has it (`u=rwX,go-w`), with no umask. Fault `invalid` in
 * BuildKit's words where it looks like a number.
 */
export function parseChmod(text: string): ModeChange {
  if (/^[0-7]{1,12}$/.test(text) && Number.parseInt(text, 8) <= 0o7777) {
    const mode = Number.parseInt(text, 8);
    return () => mode;
  }
  if (/^[+-]?\d/.test(text) || text === "")
    throw new Fault("invalid", `invalid chmod parameter: '${text}'. it should be octal string and between 0 and 07777`);
  const changes = text.split(",").flatMap((clause) => changesOf(clause, text));
  return (mode, isDirectory) => changes.reduce((before, change) => change(before, isDirectory), mode);
}

/** One clause: for whom, then any number of operators with their permissions. */
function changesOf(clause: string, whole: string): ModeChange[] {
  const match = /^([ugoa]*)((?:[-+=](?:[rwxXst]*|[ugo]))+)$/.exec(clause);
  if (match === null)
    throw new Fault("invalid", `invalid chmod parameter: '${whole}'`, {
      remedy: "Write it in octal, such as 755, or in symbols, such as u=rwX,go=rX.",
    });
  const [, who = "", actions = ""] = match;
  const affected = who === "" || who.includes("a") ? 0o7777 : sumOf(who, affectedBits);
  return [...actions.matchAll(/([-+=])([rwxXst]*|[ugo])(?=[-+=]|$)/g)].map(([, operator, permissions = ""]) => {
    return (mode, isDirectory) => {
      const bits = bitsOf(permissions, mode, isDirectory) & affected;
      if (operator === "+") return mode | bits;
      return operator === "-" ? mode & ~bits : (mode & ~affected) | bits;
    };
  });
}

function bitsOf(permissions: string, mode: number, isDirectory: boolean): number {
  const copied = copiedShift[permissions];
  if (copied !== undefined) return ((mode >> copied) & 7) * 0o111;
  const mayExecute = isDirectory || (mode & 0o111) !== 0;
  return sumOf(permissions, permissionBits) | (permissions.includes("X") && mayExecute ? 0o111 : 0);
}

function sumOf(letters: string, bits: Readonly<Record<string, number>>): number {
  return Array.from(letters).reduce((sum, letter) => sum | (bits[letter] ?? 0), 0);
}

const affectedBits = { u: 0o4700, g: 0o2070, o: 0o1007 };
const permissionBits = { r: 0o444, w: 0o222, x: 0o111, s: 0o6000, t: 0o1000 };
const copiedShift: Readonly<Record<string, number>> = { u: 6, g: 3, o: 0 };
