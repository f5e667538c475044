import { createHash } from "node:crypto";
import type { RegistryAuth } from "../images.ts";

/** What we may show a registry, in the one form that applies. */
export type Credentials =
  | { readonly kind: "anonymous" }
  | { readonly kind: "password"; readonly username: string; readonly password: string }
  /** An OAuth2 refresh token, exchanged at the token server. */
  | { readonly kind: "identity"; readonly token: string }
  /** A bearer token for the registry itself. */
  | { readonly kind: "registry"; readonly token: string };

export const anonymous: Credentials = { kind: "anonymous" };

/** Sorts out what `X-Registry-Auth` carried; the most specific form wins, as in Docker. */
export function credentialsOf(auth: RegistryAuth | undefined): Credentials {
  if (auth?.registryToken) return { kind: "registry", token: auth.registryToken };
  if (auth?.identityToken) return { kind: "identity", token: auth.identityToken };
  if (auth?.username) return { kind: "password", username: auth.username, password: auth.password ?? "" };
  return anonymous;
}

/** A text that is equal for equal credentials and tells nothing of them. */
export function fingerprint(credentials: Credentials): string {
  return createHash("sha256").update(JSON.stringify(credentials)).digest("hex");
}

/** The value of an Authorization header (RFC 7617). */
export function basic(username: string, password: string): string {
  return `Basic ${Buffer.from(`${username}:${password}`, "utf8").toString("base64")}`;
}
