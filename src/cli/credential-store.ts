import { chmod, chown, mkdir, open, realpath, rename, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { Fault } from "#core/fault";
import { helperFor } from "./credentials.ts";
import { eraseFromHelper, storeInHelper } from "./programs.ts";
import { parseConfig, readConfigText, type StoredAuth, type UserConfig } from "./user-config.ts";

/** A login that was accepted: a password, or the token that stands for it. */
export type Login =
  | { readonly username: string; readonly password: string }
  | { readonly username: string; readonly identityToken: string };

/** Files a login under a registry's key: with the helper that the config names, else in config.json itself, unencrypted. Answers the file's path in that case. */
export async function storeLogin(config: UserConfig, key: string, login: Login): Promise<string | undefined> {
  const helper = helperFor(config, key);
  if (helper === undefined) {
    return await changeAuths(config.folder, (auths) => ({ ...auths, [key]: storedForm(login) }));
  }
  const hasToken = "identityToken" in login;
  await storeInHelper(helper, {
    ServerURL: key,
    Username: hasToken ? "<token>" : login.username,
    Secret: hasToken ? login.identityToken : login.password,
  });
  // The empty entry tells other clients that this registry has a login.
  await changeAuths(config.folder, (auths) => ({ ...auths, [key]: {} }));
  return undefined;
}

/** Forgets the logins under all of the keys. */
export async function eraseLogins(config: UserConfig, keys: readonly string[]): Promise<void> {
  for (const key of keys) {
    const helper = helperFor(config, key);
    if (helper !== undefined) await eraseFromHelper(helper, key);
  }
  if (!keys.some((key) => Object.hasOwn(config.auths, key))) return;
  await changeAuths(config.folder, (auths) =>
    Object.fromEntries(Object.entries(auths).filter(([key]) => !keys.includes(key))),
  );
}

function storedForm(login: Login): StoredAuth {
  if (!("identityToken" in login))
    return { auth: Buffer.from(`${login.username}:${login.password}`).toString("base64") };
  return { auth: Buffer.from(`${login.username}:`).toString("base64"), identitytoken: login.identityToken };
}

/** Changes `auths` and leaves everything else in the file as it is, also what we do not know; the file is replaced at once, and stays its owner's. */
async function changeAuths(
  folder: string,
  change: (auths: Readonly<Record<string, StoredAuth>>) => Readonly<Record<string, StoredAuth>>,
): Promise<string> {
  const shown = join(folder, "config.json");
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const path = await realpath(shown).catch(() => shown); // some keep it elsewhere and link to it
  const config = parseConfig(shown, await readConfigText(path));
  await replaceFile(path, `${JSON.stringify({ ...config, auths: change(config.auths ?? {}) }, undefined, "\t")}\n`);
  return shown;
}

async function replaceFile(path: string, text: string): Promise<void> {
  const fresh = `${path}.${process.pid}.new`;
  const before = await stat(path).catch(() => undefined);
  try {
    const file = await open(fresh, "wx", 0o600);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    if (before !== undefined) {
      await chmod(fresh, before.mode & 0o777);
      if (process.getuid?.() === 0) await chown(fresh, before.uid, before.gid);
    }
    await rename(fresh, path);
  } catch (error) {
    await rm(fresh, { force: true });
    throw new Fault("forbidden", `saving config file: ${path}: ${(error as Error).message}`, { cause: error });
  }
}
