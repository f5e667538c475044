import { checkRegistryAuth, parseJson, type RegistryAuthHeader } from "#api/wire";
import type { RegistryAuth } from "#images";

/** Reads `X-Registry-Auth`: JSON in base64, url-safe or not. As in Docker an empty or broken header means no credentials. */
export function readRegistryAuth(header: string | undefined): RegistryAuth | undefined {
  if (header === undefined || header === "") return undefined;
  try {
    // Node's decoder takes both alphabets.
    const found = registryAuth(checkRegistryAuth(parseJson(Buffer.from(header, "base64").toString("utf8"))));
    return Object.keys(found).length === 0 ? undefined : found;
  } catch {
    return undefined;
  }
}

/** Credentials as the domain has them; `auth` is `user:password` in base64. */
export function registryAuth(document: RegistryAuthHeader): RegistryAuth {
  const [user, ...password] = Buffer.from(document.auth ?? "", "base64")
    .toString("utf8")
    .split(":");
  const username = document.username ?? user ?? "";
  return {
    ...(username !== "" && { username, password: document.password ?? password.join(":") }),
    ...(isFilled(document.identitytoken) && { identityToken: document.identitytoken }),
    ...(isFilled(document.registrytoken) && { registryToken: document.registrytoken }),
    ...(isFilled(document.serveraddress) && { serverAddress: document.serveraddress }),
  };
}

function isFilled(text: string | undefined): text is string {
  return text !== undefined && text !== "";
}
