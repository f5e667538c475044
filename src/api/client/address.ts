import { Fault } from "#core/fault";

/** Where an engine listens. */
export type Address =
  | { readonly kind: "unix"; readonly path: string }
  | {
      readonly kind: "tcp";
      readonly host: string;
      readonly port: number;
      readonly tls: boolean;
      readonly basePath: string;
    };

/** Where the Slipway daemon listens when nothing else is said. */
export const defaultHost = "unix:///run/slipway/slipway.sock";

/**
 * Reads a host as `-H` and DOCKER_HOST carry it: `unix:///path`, `tcp://host:2376`, `http://…`, `https://…`. Port of tcp: 2376 with TLS,
 * else 2375. Faults: `invalid`.
 */
export function parseAddress(text: string, tls = false): Address {
  const match = /^([a-z]+):\/\/(.*)$/.exec(text);
  const scheme = match?.[1];
  const rest = match?.[2] ?? "";
  if (scheme === "unix") {
    if (!rest.startsWith("/"))
      throw unusable(text, "A unix host needs an absolute path, such as unix:///run/slipway/slipway.sock.");
    return { kind: "unix", path: rest };
  }
  if (scheme === "tcp" || scheme === "http" || scheme === "https") {
    const secure = scheme === "https" || (scheme === "tcp" && tls);
    const url = URL.parse(`http://${rest}`);
    if (rest === "" || url === null || url.hostname === "") throw unusable(text, "Use tcp://host:port.");
    // A URL drops the port that is its scheme's own.
    const port = Number(/^[^/]*:(\d+)(?:\/|$)/.exec(rest)?.[1] ?? (secure ? 2376 : 2375));
    const basePath = url.pathname.replace(/\/+$/, "");
    return { kind: "tcp", host: url.hostname.replace(/^\[|\]$/g, ""), port, tls: secure, basePath };
  }
  if (scheme === "ssh")
    throw unusable(
      text,
      "ssh:// is not supported yet: forward the socket with `ssh -L /tmp/engine.sock:/run/slipway/slipway.sock HOST` and use -H unix:///tmp/engine.sock.",
    );
  throw unusable(text, "Use unix:///path, tcp://host:port or https://host:port.");
}

function unusable(text: string, remedy: string): Fault {
  return new Fault("invalid", `unable to parse docker host \`${text}\``, { remedy });
}
