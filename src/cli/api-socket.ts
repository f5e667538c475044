import { posix } from "node:path";
import type { ContainerCreateRequest } from "#api/client";
import { type TarHeader, tarHeader } from "#core/tar";
import { writeTar } from "#core/tar-write";
import { storedLogin } from "./credentials.ts";
import type { Surroundings } from "./surroundings.ts";

/** Where Docker's tools look for an engine's socket. */
const socketInside = "/var/run/docker.sock";
const configInside = "/run/secrets/docker/config.json";

/** A container that is to use the engine: the request with the socket and the logins' place, and the logins to bring. */
export interface EngineUser {
  readonly request: ContainerCreateRequest;
  /** Logins by registry; none when there are none, or when the request says by DOCKER_CONFIG where its own are. */
  readonly logins: Readonly<Record<string, object>>;
}

/** `--use-api-socket`: shows the engine's socket in the container, and prepares its user's logins for it. Throws an Error when the engine has no socket here. */
export async function useApiSocket(around: Surroundings, request: ContainerCreateRequest): Promise<EngineUser> {
  const [, socket] = /^unix:\/\/(\/.+)$/.exec(around.host) ?? [];
  if (socket === undefined)
    throw new Error(`--use-api-socket needs an engine that listens on a unix socket, not ${around.host}`);
  const hasConfig = (request.Env ?? []).some((entry) => entry.startsWith("DOCKER_CONFIG="));
  const logins = hasConfig ? {} : await allLogins(around);
  const mount = { Type: "bind", Source: socket, Target: socketInside };
  const brings = Object.keys(logins).length > 0;
  return {
    logins,
    request: {
      ...request,
      ...(brings && { Env: [...(request.Env ?? []), `DOCKER_CONFIG=${posix.dirname(configInside)}`] }),
      HostConfig: { ...request.HostConfig, Mounts: [...(request.HostConfig?.Mounts ?? []), mount] },
    },
  };
}

/** Puts the logins into the container, for its root alone. */
export async function bringLogins(around: Surroundings, id: string, logins: EngineUser["logins"]): Promise<void> {
  if (Object.keys(logins).length === 0) return;
  const text = Buffer.from(JSON.stringify({ auths: logins }));
  await (await around.client()).containers.putArchive(id, "/", archiveOf(configInside.slice(1), text));
}

async function* archiveOf(path: string, text: Buffer): AsyncGenerator<Uint8Array, void, void> {
  const folders = path
    .split("/")
    .slice(0, -1)
    .map((_part, index, parts) => parts.slice(0, index + 1).join("/"));
  async function* entries(): AsyncGenerator<{ header: TarHeader; data?: Uint8Array }, void, void> {
    for (const folder of folders) yield { header: tarHeader({ type: "directory", path: `${folder}/` }) };
    yield { header: tarHeader({ type: "file", path, mode: 0o600, sizeBytes: text.length }), data: text };
  }
  yield* writeTar(entries());
}

/** Everything that the user's config, and the helpers that it names for single registries, know. */
async function allLogins(around: Surroundings): Promise<Record<string, object>> {
  const config = await around.userConfig();
  const logins: Record<string, object> = {};
  for (const key of new Set([...Object.keys(config.auths), ...Object.keys(config.credHelpers)])) {
    const login = await storedLogin(config, key);
    if (login === undefined) continue;
    const { username = "", password = "", identitytoken, serveraddress } = login;
    const auth = Buffer.from(`${username}:${password}`).toString("base64");
    logins[serveraddress] = { auth, ...(identitytoken !== undefined && { identitytoken }) };
  }
  return logins;
}
