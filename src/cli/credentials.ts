import type { RegistryAuthHeader } from "#api/client";
import { parseReference } from "#core/reference";
import { askCredentialHelper } from "./programs.ts";
import type { StoredAuth, UserConfig } from "./user-config.ts";

/** The key under which Docker files credentials of Docker Hub. */
const hubKey = "https://index.docker.io/v1/";
const hubHosts: ReadonlySet<string> = new Set(["docker.io", "index.docker.io", "registry-1.docker.io"]);

type StoredLogin = RegistryAuthHeader & { readonly serveraddress: string };

/** The credentials for pulling an image, from `credHelpers`, `credsStore` or `auths` of the user's config; undefined: none are stored. */
export async function credentialsFor(config: UserConfig, image: string): Promise<RegistryAuthHeader | undefined> {
  const { domain } = parseReference(image);
  return await storedLogin(config, domain === "docker.io" ? hubKey : domain);
}

/** What is stored for a registry by the key that `loginKey` gives. */
export async function storedLogin(config: UserConfig, key: string): Promise<StoredLogin | undefined> {
  const helper = helperFor(config, key);
  if (helper !== undefined) {
    const answer = await askCredentialHelper(helper, key);
    if (answer === undefined) return undefined;
    const token = answer.Username === "<token>";
    return token
      ? { identitytoken: answer.Secret, serveraddress: key }
      : { username: answer.Username, password: answer.Secret, serveraddress: key };
  }
  const stored = config.auths[key] ?? Object.entries(config.auths).find(([name]) => hostOf(name) === hostOf(key))?.[1];
  return stored === undefined ? undefined : headerOf(stored, key);
}

/** The key under which Docker files a registry's credentials: its host, Docker Hub by its old index address. */
export function loginKey(server: string): string {
  const host = hostOf(server);
  return host === "" || hubHosts.has(host) ? hubKey : host;
}

/** The helper that keeps a registry's credentials; undefined: config.json itself does. */
export function helperFor(config: UserConfig, key: string): string | undefined {
  const name = config.credHelpers[key] ?? (key === hubKey ? config.credHelpers["docker.io"] : undefined);
  return name || config.credsStore || undefined;
}

/** The host of a key: keys may be URLs with a path (`https://host/v1/`) or bare hosts. */
export function hostOf(key: string): string {
  return key.replace(/^https?:\/\//, "").split("/")[0] ?? key;
}

function headerOf(stored: StoredAuth, serveraddress: string): StoredLogin {
  const { auth, identitytoken, password, registrytoken, username } = stored;
  const plain = auth === undefined ? "" : Buffer.from(auth, "base64").toString();
  const colon = plain.indexOf(":");
  return {
    ...(colon >= 0 ? { username: plain.slice(0, colon), password: plain.slice(colon + 1).replace(/\0+$/, "") } : {}),
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password }),
    ...(identitytoken !== undefined && identitytoken !== "" && { identitytoken }),
    ...(registrytoken !== undefined && registrytoken !== "" && { registrytoken }),
    serveraddress,
  };
}
