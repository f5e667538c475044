import { readFile, stat } from "node:fs/promises";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { Fault } from "#core/fault";

/** Where Docker looks for plugins: sockets that are there now, then files that name one. */
export const dockersPluginFolders: readonly string[] = [
  "/run/docker/plugins",
  "/etc/docker/plugins",
  "/usr/lib/docker/plugins",
];

/** The unix socket of the plugin of that name. Faults: `notFound` in Docker's words, `unsupported` for those elsewhere. */
export async function findPlugin(name: string, folders: readonly string[]): Promise<string> {
  if (name === basename(name) && !name.startsWith(".") && name !== "") {
    for (const folder of folders) {
      for (const path of [join(folder, name), join(folder, name, name)]) {
        const socket = await socketOf(path);
        if (socket !== undefined) return socket;
      }
    }
  }
  const shown = name.slice(0, 100);
  throw new Fault("notFound", `error looking up volume plugin ${shown}: plugin "${shown}" not found`, {
    remedy: `Start the plugin: its socket belongs into ${folders[0]}.`,
  });
}

async function socketOf(path: string): Promise<string | undefined> {
  if ((await stat(`${path}.sock`).catch(() => undefined))?.isSocket() === true) return `${path}.sock`;
  const spec = await readText(`${path}.spec`);
  if (spec !== undefined) return socketFrom(spec.trim(), `${path}.spec`);
  const json = await readText(`${path}.json`);
  return json === undefined ? undefined : socketFrom(addressIn(json, `${path}.json`), `${path}.json`);
}

async function readText(path: string): Promise<string | undefined> {
  return await readFile(path, "utf8").catch(() => undefined);
}

function addressIn(text: string, file: string): string {
  try {
    const { Addr: address } = JSON.parse(text) as { Addr?: unknown };
    if (typeof address === "string") return address;
  } catch {
    // said below
  }
  throw new Fault("invalid", `the plugin's file ${file} names no address`);
}

function socketFrom(address: string, file: string): string {
  if (address.startsWith("unix://")) return fileURLToPath(address.replace("unix://", "file://"));
  throw new Fault(
    "unsupported",
    `the plugin's file ${file} names ${address.slice(0, 100)}: only unix sockets are spoken to`,
  );
}
