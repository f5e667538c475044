import { chmodSync, chownSync, lstatSync, readFileSync, unlinkSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { dirname } from "node:path";
import { createServer as createTlsServer } from "node:tls";
import { Fault } from "#core/fault";

/** Keys for `tcp://`: files in PEM form. */
export interface TlsFiles {
  readonly ca?: string;
  readonly cert: string;
  readonly key: string;
  /** Whether clients must show a certificate of the authority (`--tlsverify`). */
  readonly verify: boolean;
}

/** Who may use a listener, and with what. */
export interface ListenerOptions {
  /** Group of unix sockets; undefined: `docker` if there is one, else root's. */
  readonly group?: string;
  readonly tls?: TlsFiles;
  readonly maxConnections: number;
  readonly onConnection: (socket: Socket) => void;
}

/** Opens a listener on `unix:///path` or `tcp://address:port` (with TLS). Faults: `invalid` for other forms, `conflict` when another daemon answers there. */
export async function openListener(host: string, options: ListenerOptions): Promise<Server> {
  const [, scheme, rest = ""] = /^(unix|tcp):\/\/(.+)$/.exec(host) ?? [];
  if (scheme === "unix") return await listenOnPath(rest, options);
  if (scheme === "tcp") return await listenOnPort(rest, options);
  throw new Fault("invalid", `invalid bind address (${host})`, {
    remedy: "Give unix:///run/slipway/slipway.sock, or tcp://127.0.0.1:2376 with --tlsverify.",
  });
}

async function listenOnPath(path: string, options: ListenerOptions): Promise<Server> {
  if (Buffer.byteLength(path) > 107) throw new Fault("invalid", `the socket's path is longer than 107 bytes: ${path}`);
  const gid = groupId(options.group);
  await mkdir(dirname(path), { recursive: true, mode: 0o755 });
  await removeStale(path);
  const server = createServer({ allowHalfOpen: true }, options.onConnection);
  server.maxConnections = options.maxConnections;
  // The socket must not be open to others even for a moment; bind happens within the call.
  const before = process.umask(0o117);
  try {
    await listening(server, () => server.listen(path));
  } finally {
    process.umask(before);
  }
  if (gid !== undefined) chownSync(path, 0, gid);
  chmodSync(path, 0o660);
  return server;
}

async function listenOnPort(address: string, options: ListenerOptions): Promise<Server> {
  const [, bracketed, plain, port] = /^(?:\[([0-9a-fA-F:]+)\]|([^:/[\]]*)):(\d{1,5})$/.exec(address) ?? [];
  if (port === undefined || Number(port) > 65_535)
    throw new Fault("invalid", `invalid bind address (tcp://${address})`);
  const { tls } = options;
  if (tls?.ca === undefined || !tls.verify) {
    throw new Fault(
      "invalid",
      `tcp://${address} without client certificates would make everybody who reaches it root here`,
      {
        remedy: "Give --tlsverify with --tlscacert, --tlscert and --tlskey, or listen on a unix socket.",
      },
    );
  }
  const server = createTlsServer(
    {
      allowHalfOpen: true,
      ca: readFileSync(tls.ca),
      cert: readFileSync(tls.cert),
      key: readFileSync(tls.key),
      requestCert: true,
      rejectUnauthorized: true,
      minVersion: "TLSv1.2",
      handshakeTimeout: 20_000,
      ALPNProtocols: ["http/1.1"],
    },
    options.onConnection,
  );
  server.maxConnections = options.maxConnections;
  server.on("tlsClientError", () => undefined);
  await listening(server, () => server.listen(Number(port), bracketed ?? (plain === "" ? "127.0.0.1" : plain)));
  return server;
}

async function listening(server: Server, begin: () => Server): Promise<void> {
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  server.once("listening", resolve).once("error", reject);
  begin();
  try {
    await promise;
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Fault("conflict", `can't create the listener: ${reason}`, { cause: error });
  } finally {
    server.off("error", reject);
  }
  // Running out of descriptors fails one accept, not the daemon.
  server.on("error", () => undefined);
}

/** Removes a socket that nobody listens on any more. */
async function removeStale(path: string): Promise<void> {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  if (stat === undefined) return;
  if (!stat.isSocket()) throw new Fault("conflict", `can't create unix socket ${path}: a file of that name is there`);
  if (await answers(path)) {
    throw new Fault("conflict", `another daemon answers on ${path}`, {
      remedy: "Stop it, or give this one another address with -H.",
    });
  }
  unlinkSync(path);
}

async function answers(path: string): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const probe = connect(path);
  probe.once("connect", () => resolve(true)).once("error", () => resolve(false));
  const answer = await promise;
  probe.destroy();
  return answer;
}

/** Fault `invalid` for a wanted group that does not exist; undefined when the default one does not. */
function groupId(name: string | undefined): number | undefined {
  const wanted = name ?? "docker";
  if (/^\d{1,9}$/.test(wanted)) return Number(wanted);
  const line = readFileSync("/etc/group", "utf8")
    .split("\n")
    .find((entry) => entry.startsWith(`${wanted}:`));
  if (line !== undefined) return Number(line.split(":")[2]);
  if (name === undefined) return undefined;
  throw new Fault("invalid", `group ${name} not found`, { remedy: `Make it with: groupadd ${name}` });
}
