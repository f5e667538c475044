import { readFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import { Fault, isFault } from "#core/fault";

/** What we read of Docker's `config.json`. */
export interface UserConfig {
  readonly folder: string;
  readonly auths: Readonly<Record<string, StoredAuth>>;
  /** Program suffix that keeps all credentials: `docker-credential-<it>`. */
  readonly credsStore?: string;
  /** The same for single registries. */
  readonly credHelpers: Readonly<Record<string, string>>;
  readonly HttpHeaders: Readonly<Record<string, string>>;
  readonly detachKeys?: string;
  readonly psFormat?: string;
  readonly imagesFormat?: string;
  readonly networksFormat?: string;
  readonly statsFormat?: string;
  readonly volumesFormat?: string;
}

/** Credentials as the file has them: `auth` is base64 of `user:password`. */
export interface StoredAuth {
  readonly auth?: string;
  readonly username?: string;
  readonly password?: string;
  readonly identitytoken?: string;
  readonly registrytoken?: string;
}

/** Reads the user's config; an absent file is an empty one. Faults: `invalid` when it is not JSON. */
export async function readUserConfig(folder: string): Promise<UserConfig> {
  const path = join(folder, "config.json");
  const parsed = parseConfig(path, await readConfigText(path));
  return {
    ...parsed,
    folder,
    auths: parsed.auths ?? {},
    credHelpers: parsed.credHelpers ?? {},
    HttpHeaders: parsed.HttpHeaders ?? {},
  };
}

/** The folder of the config: the flag, then DOCKER_CONFIG, then `~/.docker`. */
export function configFolder(flag: string, env: Readonly<Record<string, string | undefined>>): string {
  return flag || env["DOCKER_CONFIG"] || join(env["HOME"] || homedir(), ".docker");
}

/** The file's text; an empty object when there is none. Faults: `forbidden` when it cannot be read. */
export async function readConfigText(path: string): Promise<string> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    const { code } = error as { code?: string };
    if (code === "ENOENT" || code === "ENOTDIR") return "{}";
    throw new Fault("forbidden", `loading config file: ${path}: ${(error as Error).message}`, { cause: error });
  }
}

/** Reads the document of a config.json; `path` is for the message. Faults: `invalid`. */
export function parseConfig(path: string, text: string): Partial<UserConfig> {
  try {
    const parsed: unknown = JSON.parse(text);
    if (typeof parsed === "object" && parsed !== null && !Array.isArray(parsed)) return parsed;
    throw new Fault("invalid", `loading config file: ${path}: not a JSON object`);
  } catch (error) {
    if (isFault(error, "invalid")) throw error;
    throw new Fault("invalid", `loading config file: ${path}: ${(error as Error).message}`, { cause: error });
  }
}
