import type { Client } from "#api/client";
import type { GlobalValues } from "./globals.ts";
import type { Surroundings } from "./surroundings.ts";
import type { UserConfig } from "./user-config.ts";

/** The real world for a command: this process' streams and environment, and a client that is opened when first asked for. */
export function openSurroundings(options: {
  readonly host: string;
  readonly mayStart: boolean;
  readonly globals: GlobalValues;
}): Surroundings & { close(): void } {
  let client: Promise<Client> | undefined;
  let opened: Client | undefined;
  let config: Promise<UserConfig> | undefined;
  const { env, stdout } = process;
  // A reader that went away (`slipway ps | head`) ends us as SIGPIPE would.
  stdout.on("error", (error: { code?: string }) => process.exit(error.code === "EPIPE" ? 141 : 1));
  const userConfig = (): Promise<UserConfig> => (config ??= loadConfig(options.globals));
  return {
    // Opened only by who reads it: a terminal's input costs time, and changes its mode.
    get stdin() {
      return process.stdin;
    },
    stdout,
    get stderr() {
      return process.stderr;
    },
    env,
    host: options.host,
    debug: options.globals.debug,
    userConfig,
    client: () =>
      (client ??= openEngine(options, userConfig).then((engine) => {
        opened = engine;
        return engine;
      })),
    close: () => opened?.close(),
  };
}

async function loadConfig(globals: GlobalValues): Promise<UserConfig> {
  const { configFolder, readUserConfig } = await import("./user-config.ts");
  return readUserConfig(configFolder(globals.config, process.env));
}

async function openEngine(
  options: { readonly host: string; readonly mayStart: boolean; readonly globals: GlobalValues },
  userConfig: () => Promise<UserConfig>,
): Promise<Client> {
  const { openClient } = await import("#api/client");
  const { HttpHeaders } = await userConfig();
  const tls = await readTls(options.globals, userConfig);
  const apiVersion = process.env["DOCKER_API_VERSION"];
  const client = openClient({
    host: options.host,
    headers: HttpHeaders,
    ...(tls !== undefined && { tls }),
    ...(apiVersion !== undefined && apiVersion !== "" && { apiVersion }),
  });
  if (options.mayStart) {
    const { ensureDaemon } = await import("./autostart.ts");
    await ensureDaemon(options.host);
  }
  return client;
}

async function readTls(globals: GlobalValues, userConfig: () => Promise<UserConfig>): Promise<Tls | undefined> {
  const verify = globals.tlsverify || (process.env["DOCKER_TLS_VERIFY"] ?? "") !== "";
  if (!verify && !globals.tls) return undefined;
  const { readFile } = await import("node:fs/promises");
  const { join } = await import("node:path");
  const folder = process.env["DOCKER_CERT_PATH"] || (await userConfig()).folder;
  const read = async (flag: string, name: string): Promise<Buffer | undefined> => {
    if (flag !== "") return readFile(flag);
    return readFile(join(folder, name)).catch(() => undefined);
  };
  const [ca, cert, key] = await Promise.all([
    read(globals.tlscacert, "ca.pem"),
    read(globals.tlscert, "cert.pem"),
    read(globals.tlskey, "key.pem"),
  ]);
  return {
    rejectUnauthorized: verify,
    ...(ca !== undefined && { ca }),
    ...(cert !== undefined && { cert }),
    ...(key !== undefined && { key }),
  };
}

interface Tls {
  readonly rejectUnauthorized: boolean;
  readonly ca?: Buffer;
  readonly cert?: Buffer;
  readonly key?: Buffer;
}
