import { readFile, rename, writeFile } from "node:fs/promises";
import { Fault } from "#core/fault";
import type { IdMapping } from "#host";
import {
  consecutive,
  defaultPool,
  defaultRangeSize,
  type IdPool,
  parseSubordinate,
  type SubordinateRange,
} from "../config/id-mapping.ts";

/** The files that say who may use which ids; tests have others. */
export interface IdFiles {
  readonly passwd: string;
  readonly group: string;
  readonly subuid: string;
  readonly subgid: string;
}

export const systemIdFiles: IdFiles = {
  passwd: "/etc/passwd",
  group: "/etc/group",
  subuid: "/etc/subuid",
  subgid: "/etc/subgid",
};

/** Whose ranges `--userns-remap default` uses: Docker's name, so that a machine that was Docker's keeps its ids. */
const defaultOwner = "dockremap";

/**
 * The ids of `--userns-remap`: `default`, `user`, `uid`, `user:group`, `uid:gid`. With `default` a range is entered into
 * /etc/subuid and /etc/subgid where there is none yet, behind all that others have; no account is made. Faults: `invalid`.
 */
export async function remapMapping(setting: string, files: IdFiles = systemIdFiles): Promise<IdMapping> {
  const [user = "", group = user] = setting.split(":");
  if (setting === "default") await enterDefault(files);
  const [passwd, groups] = await Promise.all([readOrEmpty(files.passwd), readOrEmpty(files.group)]);
  const isDefault = setting === "default";
  const userNames = isDefault ? [defaultOwner] : namesOf(user, passwd, "user");
  const groupNames = isDefault ? [defaultOwner] : namesOf(group, setting.includes(":") ? groups : passwd, "group");
  return {
    uids: consecutive(rangesOf(await readOrEmpty(files.subuid), userNames, "subuid", user)),
    gids: consecutive(rangesOf(await readOrEmpty(files.subgid), groupNames, "subgid", group)),
  };
}

/** Where `--userns auto` takes its ids: the largest range that both files give to `containers` (as for Podman), else the upper half of all ids. */
export async function autoPool(files: IdFiles = systemIdFiles): Promise<IdPool> {
  const [uids, gids] = await Promise.all([readOrEmpty(files.subuid), readOrEmpty(files.subgid)]);
  const groups = parseSubordinate(gids).filter(({ owner }) => owner === "containers");
  const common = parseSubordinate(uids)
    .filter(({ owner }) => owner === "containers")
    .flatMap((range) => groups.map((group) => overlap(range, group)))
    .sort((left, right) => right.size - left.size);
  return common[0] !== undefined && common[0].size > 0 ? common[0] : defaultPool;
}

function overlap(left: SubordinateRange, right: SubordinateRange): IdPool {
  const first = Math.max(left.first, right.first);
  return { first, size: Math.min(left.first + left.size, right.first + right.size) - first };
}

/** The name and the id of an account: subuid(5) may have either. */
function namesOf(text: string, accounts: string, what: "user" | "group"): string[] {
  const rows = accounts.split("\n").map((line) => line.split(":"));
  const row = rows.find(([name, , id]) => name === text || id === text);
  if (row !== undefined) return [row[0] ?? "", row[2] ?? ""];
  if (/^[0-9]+$/.test(text)) return [text];
  throw new Fault("invalid", `userns-remap: the ${what} ${JSON.stringify(text.slice(0, 60))} does not exist`, {
    remedy: `Name a ${what} of this machine, or use --userns-remap default.`,
  });
}

function rangesOf(text: string, names: readonly string[], file: string, shown: string): SubordinateRange[] {
  const ranges = parseSubordinate(text).filter(({ owner }) => names.includes(owner));
  if (ranges.length > 0) return ranges;
  throw new Fault("invalid", `userns-remap: /etc/${file} has no range of ids for ${shown}`, {
    remedy: `Add a line such as ${shown}:231072:65536 to /etc/${file}.`,
  });
}

async function enterDefault(files: IdFiles): Promise<void> {
  const texts = await Promise.all([readOrEmpty(files.subuid), readOrEmpty(files.subgid)]);
  const ranges = texts.flatMap(parseSubordinate);
  // Behind all that others have, as useradd would choose.
  const first = Math.max(firstFreeId, ...ranges.map((range) => range.first + range.size));
  for (const [index, path] of [files.subuid, files.subgid].entries()) {
    const text = texts[index] ?? "";
    if (parseSubordinate(text).some(({ owner }) => owner === defaultOwner)) continue;
    const before = text === "" || text.endsWith("\n") ? text : `${text}\n`;
    await writeFile(`${path}.slipway`, `${before}${defaultOwner}:${first}:${defaultRangeSize}\n`, { mode: 0o644 });
    await rename(`${path}.slipway`, path);
  }
}

/** SUB_UID_MIN of login.defs(5). */
const firstFreeId = 100_000;

async function readOrEmpty(path: string): Promise<string> {
  return await readFile(path, "utf8").catch(() => "");
}
