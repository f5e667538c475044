import type { RegistryAuthHeader } from "#api/client";
import { parseReference } from "#core/reference";
import { askCredentialHelper } from "./programs.ts";
import type { StoredAuth, UserConfig } from "./user-config.ts";

/** The key under which Docker files credentials of Docker Hub. */
const hubKey = "https://index.docker.io/v1/";

/** The credentials for pulling an image, from `credHelpers`, `credsStore` or `auths` of the user's config; undefined: none are stored. */
export async function credentialsFor(config: UserConfig, image: string): Promise<RegistryAuthHeader | undefined> {
  const { domain } = parseReference(image);
  const key = domain === "docker.io" ? hubKey : domain;
  const helper = config.credHelpers[key] ?? config.credHelpers[domain] ?? config.credsStore;
  if (helper !== undefined && helper !== "") {
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

function headerOf(stored: StoredAuth, serveraddress: string): RegistryAuthHeader {
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

/** Keys may be URLs with a path (`https://host/v1/`) or bare hosts. */
function hostOf(key: string): string {
  return key.replace(/^https?:\/\//, "").split("/")[0] ?? key;
}
