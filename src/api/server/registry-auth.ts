import { checkRegistryAuth, parseJson } from "#api/wire";
import type { RegistryAuth } from "#images";

/** Reads `X-Registry-Auth`: JSON in base64, url-safe or not. As in Docker an empty or broken header means no credentials. */
export function readRegistryAuth(header: string | undefined): RegistryAuth | undefined {
  if (header === undefined || header === "") return undefined;
  try {
    // Node's decoder takes both alphabets.
    const auth = checkRegistryAuth(parseJson(Buffer.from(header, "base64").toString("utf8")));
    const [user, ...password] = Buffer.from(auth.auth ?? "", "base64")
      .toString("utf8")
      .split(":");
    const username = auth.username ?? user ?? "";
    const found = {
      ...(username !== "" && { username, password: auth.password ?? password.join(":") }),
      ...(isFilled(auth.identitytoken) && { identityToken: auth.identitytoken }),
      ...(isFilled(auth.registrytoken) && { registryToken: auth.registrytoken }),
      ...(isFilled(auth.serveraddress) && { serverAddress: auth.serveraddress }),
    };
    return Object.keys(found).length === 0 ? undefined : found;
  } catch {
    return undefined;
  }
}

function isFilled(text: string | undefined): text is string {
  return text !== undefined && text !== "";
}
