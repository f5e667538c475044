/** The rooms of the house and what each may import; docs/architecture.md tells why. */
export const mayImport: Readonly<Record<string, readonly string[]>> = {
  core: [],
  host: ["core"],
  images: ["host", "core"],
  networks: ["host", "core"],
  volumes: ["host", "core"],
  containers: ["images", "networks", "volumes", "host", "core"],
  build: ["containers", "images", "host", "core"],
  registry: ["images", "core"],
  disk: ["containers", "images", "volumes", "build", "host", "core"],
  "api/wire": ["core"],
  "api/client": ["api/wire", "core"],
  "api/server": [
    "containers",
    "images",
    "networks",
    "volumes",
    "build",
    "registry",
    "disk",
    "host",
    "api/wire",
    "core",
  ],
  compose: ["api/client", "api/wire", "core"],
  cli: ["compose", "api/client", "api/wire", "core"],
};

/** The room that a path of the repository lies in; undefined outside the rooms (`src/daemon.ts`, `src/resolver.ts`, `bin/`, `tools/`, `test/`). */
export function roomOf(path: string): string | undefined {
  const [top, first, second] = path.split("/");
  if (top !== "src" || first === undefined || second === undefined) return undefined;
  return first === "api" ? `api/${second}` : first;
}

/** Source files that start programs themselves, beside `host/`, with the reason. */
export const maySpawn: readonly { readonly path: string; readonly because: string }[] = [
  { path: "src/cli/programs.ts", because: "starts the daemon when none answers, and credential helpers" },
];

/** Doors that a room may use beyond the table; `lazily` means by `import()` only, so that nothing of it loads at start. */
export const extraDoors: readonly { readonly room: string; readonly door: string; readonly lazily: boolean }[] = [
  { room: "cli", door: "#daemon", lazily: true }, // `slipway daemon` runs it
  { room: "cli", door: "#resolver", lazily: true }, // the daemon starts `slipway resolver`
  { room: "cli", door: "#doctor", lazily: true }, // `slipway doctor` works without a daemon
];
