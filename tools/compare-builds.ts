/**
 * Builds the corpus of Dockerfiles (test/fixtures/build-corpus) with Slipway and with Buildah, and tells each file and each
 * setting in which the images differ. Buildah is on the PATH, or in a root file system of its own that is named:
 *
 *   node tools/compare-builds.ts [--buildah-root DIR] [--write-golden] [NAME…]
 *
 * `--write-golden` writes what Slipway makes to the golden listings instead, and asks no Buildah.
 */
import { createReadStream, existsSync } from "node:fs";
import { copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import {
  changesTo,
  configLines,
  corpusArgs,
  corpusFolder,
  corpusNames,
  type Listing,
  listingOf,
  makeCorpusContext,
} from "../test/fixtures/build-corpus.ts";
import { buildOfCorpus, rootOf } from "../test/fixtures/corpus-builds.ts";
import { startDaemon } from "../test/fixtures/daemon.ts";
import { busyboxArchive } from "../test/fixtures/images.ts";
import { mustRun, runProgram } from "../test/fixtures/program.ts";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { "buildah-root": { type: "string" }, "write-golden": { type: "boolean", default: false } },
});
async function main(): Promise<number> {
  const names = positionals.length > 0 ? positionals : await corpusNames();
  const folder = await mkdtemp(join(tmpdir(), "slipway-compare-"));
  try {
    const context = join(folder, "context");
    await mkdir(context);
    await makeCorpusContext(context);
    await copyFile(await busyboxArchive(), join(folder, "busybox.tar"));
    const ours = await buildOurs(folder, context, names);
    if (values["write-golden"]) return await writeGolden(ours);
    if (!(await hasBuildah())) {
      process.stdout.write("Buildah is not installed: nothing was compared.\n");
      return 0;
    }
    await buildTheirs(folder, names);
    return await report(folder, ours);
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

type Lines = ReadonlyMap<string, readonly string[]>;

async function buildOurs(folder: string, context: string, names: readonly string[]): Promise<Lines> {
  const archive = join(folder, "context.tar");
  await mustRun("tar", ["-C", context, "-cf", archive, "."]);
  await using daemon = await startDaemon({ busybox: true });
  const base = await rootOf(daemon, "busybox");
  const lines = new Map<string, readonly string[]>();
  for (const name of names) lines.set(name, await buildOfCorpus(daemon, archive, name, base));
  return lines;
}

async function writeGolden(ours: Lines): Promise<number> {
  await mkdir(join(corpusFolder, "golden"), { recursive: true });
  for (const [name, lines] of ours)
    await writeFile(join(corpusFolder, "golden", `${name}.txt`), `${lines.join("\n")}\n`);
  return 0;
}

async function hasBuildah(): Promise<boolean> {
  const root = values["buildah-root"];
  if (root !== undefined) return existsSync(join(root, "usr/bin/buildah"));
  return (await runProgram("buildah", ["--version"])).code === 0;
}

/** Enters the root, where one was named, with the folder at /work; mounts of its own end with it. */
const enter = `
if [ -n "$ROOT" ]; then
  mkdir -p "$ROOT/work" "$ROOT/old" "$ROOT/var/lib/containers"
  mount --bind "$ROOT" "$ROOT"
  for place in proc dev sys; do mount --rbind "/$place" "$ROOT/$place"; done
  mount --bind "$FOLDER" "$ROOT/work"
  cd "$ROOT"; pivot_root . old; umount -l /old; cd /
  FOLDER=/work
fi
mount -t tmpfs tmpfs /var/lib/containers
mount -t tmpfs tmpfs /run
export STORAGE_DRIVER=vfs FOLDER
exec sh "$FOLDER/build.sh"
`;

async function buildTheirs(folder: string, names: readonly string[]): Promise<void> {
  const args = Object.entries(corpusArgs).map(([name, value]) => `--build-arg ${name}=${value}`);
  const lines = [
    'echo \'{"default":[{"type":"insecureAcceptAnything"}]}\' > "$FOLDER/policy.json"',
    'buildah pull -q --signature-policy "$FOLDER/policy.json" "docker-archive:$FOLDER/busybox.tar"',
    'list() { container=$(buildah from --pull-never "$1") && root=$(buildah mount "$container") && ' +
      'tar -C "$root" --xattrs --numeric-owner --format=posix -cf "$FOLDER/$2.tar" . && buildah rm "$container"; }',
    "list busybox base",
    'cd "$FOLDER/context"',
    ...names.flatMap((name) => {
      const ignoring = existsSync(join(corpusFolder, `${name}.Dockerfile.dockerignore`))
        ? `--ignorefile ${name}.Dockerfile.dockerignore`
        : "";
      const flags = `--isolation=chroot --pull-never --layers --format=docker ${ignoring} ${args.join(" ")}`;
      return [
        `if buildah build ${flags} --signature-policy "$FOLDER/policy.json" -f ${name}.Dockerfile -t theirs-${name} . > "$FOLDER/${name}.log" 2>&1; then`,
        `  buildah inspect --type image theirs-${name} > "$FOLDER/${name}.json"`,
        `  list theirs-${name} ${name} >> "$FOLDER/${name}.log" 2>&1 || rm "$FOLDER/${name}.json"`,
        "fi",
      ];
    }),
  ];
  await writeFile(join(folder, "build.sh"), `${lines.join("\n")}\n`);
  const env = { FOLDER: folder, ROOT: values["buildah-root"] ?? "" };
  await mustRun("unshare", ["--mount", "--propagation", "private", "sh", "-ec", enter], { env, timeoutMs: 900_000 });
}

async function report(folder: string, ours: Lines): Promise<number> {
  const base = await listingOf(createReadStream(join(folder, "base.tar")));
  let different = 0;
  for (const [name, lines] of ours) {
    const theirs = await theirLines(folder, name, base);
    const [mine, others] = [new Set(lines), new Set(theirs)];
    const differences = [
      ...theirs.filter((line) => !mine.has(line)).map((line) => `  Buildah: ${line}`),
      ...lines.filter((line) => !others.has(line)).map((line) => `  Slipway: ${line}`),
    ];
    if (differences.length > 0) different++;
    process.stdout.write(`${name}: ${differences.length === 0 ? "the same" : ""}\n`);
    for (const line of differences.toSorted((left, right) => left.slice(11).localeCompare(right.slice(11))))
      process.stdout.write(`${line}\n`);
  }
  return different === 0 ? 0 : 1;
}

async function theirLines(folder: string, name: string, base: Listing): Promise<string[]> {
  if (!existsSync(join(folder, `${name}.json`)))
    return [`does not build: ${await readFile(join(folder, `${name}.log`), "utf8")}`];
  const { Docker } = JSON.parse(await readFile(join(folder, `${name}.json`), "utf8")) as {
    readonly Docker: { readonly config: Record<string, unknown> & { readonly Labels?: Record<string, string> } };
  };
  const { "io.buildah.version": _, ...Labels } = Docker.config.Labels ?? {};
  const root = await listingOf(createReadStream(join(folder, `${name}.tar`)));
  const changes = changesTo(base, root).filter((line) => !placeholder.test(line));
  return [...configLines({ ...Docker.config, Labels }), ...changes];
}

/** What its chroot leaves where it mounts something. */
const placeholder = /^\/(?:etc\/(?:hosts|hostname|resolv\.conf) file 0755 0:0 ""|run directory 0755 0:0)$/;

process.exitCode = await main();
