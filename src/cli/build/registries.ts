import type { RegistryAuthHeader } from "#api/client";
import { storedLogin } from "../credentials.ts";
import type { UserConfig } from "../user-config.ts";

/** All credentials of the user's config by registry: a build finds out itself whom it asks. A helper that fails has none. */
export async function allLogins(config: UserConfig): Promise<Record<string, RegistryAuthHeader>> {
  const keys = new Set([...Object.keys(config.auths), ...Object.keys(config.credHelpers)]);
  const found = await Promise.all(
    [...keys].map(async (key) => [key, await storedLogin(config, key).catch(() => undefined)] as const),
  );
  return Object.fromEntries(found.flatMap(([key, login]) => (login === undefined ? [] : [[key, login] as const])));
}
