import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ConnectionFault } from "#api/client";
import { isFault } from "#core/fault";
import { allLogins } from "../build/registries.ts";
import { buildFlags } from "../build/build-flags.ts";
import { buildQuery, type BuildValues, readBuildContexts } from "../build/build-query.ts";
import { readContext } from "../build/context.ts";
import { type BuildEnd, type BuildOrder, converse } from "../build/conversation.ts";
import type { Display } from "../build/display.ts";
import { LiveDisplay } from "../build/live-display.ts";
import { type AskedOutput, readOutputFlags } from "../build/outputs.ts";
import { PlainDisplay } from "../build/plain-display.ts";
import { RawJsonDisplay } from "../build/raw-json-display.ts";
import { checkText, failureText, warningLines } from "../build/report.ts";
import { firstDifference } from "../build/reproducible.ts";
import { readSecrets } from "../build/secrets.ts";
import { readAgents } from "../build/ssh-agents.ts";
import { defineCommand, ExitStatus } from "../command.ts";
import { wordsOf } from "../each.ts";
import { openInput } from "../input-file.ts";
import { writeWhole } from "../output-file.ts";
import { untilInterrupted } from "../signals.ts";
import { print, type Surroundings, write } from "../surroundings.ts";

/** `slipway build`. */
export const build = defineCommand({
  usage: "[OPTIONS] PATH | URL | -",
  summary: "Build an image from a Dockerfile",
  description:
    "PATH is a folder, URL a git repository or an archive, - an archive or a Dockerfile on stdin. Steps that do not need each\n" +
    "other run together, and those that were built before are taken from the cache. Builds of the past: slipway build history.",
  examples: [
    ["slipway build -t app .", "Build the Dockerfile of this folder"],
    ["slipway build --target test --output out .", "Put the files of a stage into a folder"],
    ["slipway build --secret id=token,env=TOKEN -t app .", "A secret that leaves no trace in the image"],
    ["slipway build --explain .", "Say why each step ran"],
    ["slipway build --check .", "Look for errors and bad style alone"],
  ],
  flags: buildFlags,
  args: [1, 1],
  completes: "files",
  run: async ({ args, around, values }) => {
    using interruption = untilInterrupted();
    const { signal } = interruption;
    try {
      if (values["verify-reproducible"]) return await verify(around, args[0] ?? "", values, signal);
      return await buildOnce(around, args[0] ?? "", values, signal);
    } catch (error) {
      if (error instanceof ExitStatus || error instanceof ConnectionFault) throw error;
      if (signal.aborted || isFault(error, "cancelled")) throw new ExitStatus(130, "ERROR: failed to build: canceled");
      throw new ExitStatus(1, `ERROR: failed to build: ${wordsOf(error)}`);
    }
  },
});

async function buildOnce(
  around: Surroundings,
  given: string,
  values: BuildValues,
  signal: AbortSignal,
): Promise<number> {
  const isCheck = values.check || values.call === "check";
  const outputs = readOutputFlags(values.output, values, around.stdout.isTTY);
  const order = await readOrder(around, given, values, outputs);
  await fillCacheMounts(around, values["cache-mount-from"], signal);
  const end = await shown(around, order, values, signal);
  const isQuiet = values.quiet || values.progress === "quiet";
  if (end.result === undefined) throw new ExitStatus(1, await failureText(end, order.context));
  if (isCheck) {
    await write(around.stdout, await checkText(end.warnings, order.context));
    return end.warnings.length === 0 ? 0 : 1;
  }
  await saveCacheMounts(around, values["cache-mount-to"], signal);
  await writeFacts(values, end.result);
  if (isQuiet) await print(around, idOf(end.result));
  else if (values.progress !== "rawjson") await write(around.stderr, warningLines(end.warnings));
  return 0;
}

async function readOrder(
  around: Surroundings,
  given: string,
  values: BuildValues,
  outputs: readonly AskedOutput[],
): Promise<BuildOrder> {
  const { env } = around;
  const secrets = await readSecrets(values.secret, env);
  const agents = readAgents(values.ssh, env);
  const contextsFor: BuildOrder["contextsFor"] = (isShared) => readBuildContexts(values["build-context"], isShared);
  const queryFor: BuildOrder["queryFor"] = (contexts) => buildQuery(values, outputs, contexts, env);
  // What is wrong in the command line is said before anything is read.
  queryFor(contextsFor(false).contexts);
  const context = await readContext(around, given, values.file);
  const registries = await allLogins(await around.userConfig());
  return { context, outputs, secrets, agents, registries, queryFor, contextsFor };
}

async function shown(
  around: Surroundings,
  order: BuildOrder,
  values: BuildValues,
  signal: AbortSignal,
): Promise<BuildEnd> {
  const display = displayFor(around, values);
  try {
    return await converse(around, order, display, signal);
  } finally {
    display.close();
  }
}

/** Progress goes to stderr, as stdout may be an output's. */
function displayFor(around: Surroundings, values: BuildValues): Display {
  const { stderr, env } = around;
  const put = (text: string): void => void stderr.write(text);
  const asked = values.progress === "auto" ? (env["BUILDKIT_PROGRESS"] ?? "auto") : values.progress;
  const kind = values.quiet ? "quiet" : asked;
  if (kind === "quiet") return { show: () => undefined, close: () => undefined };
  if (kind === "rawjson") return new RawJsonDisplay(put);
  if (kind === "tty" && !stderr.isTTY) throw new Error("failed to get console: provided file is not a console");
  const isLive = stderr.isTTY && (kind === "tty" || (kind === "auto" && env["TERM"] !== "dumb"));
  if (!isLive) return new PlainDisplay(put);
  return new LiveDisplay({
    get columns() {
      return stderr.columns || 80;
    },
    get rows() {
      return stderr.rows || 24;
    },
    write: put,
  });
}

async function writeFacts(values: BuildValues, result: NonNullable<BuildEnd["result"]>): Promise<void> {
  const { Digest, ImageID, Metadata, Tags } = result;
  if (values.iidfile !== "") await writeFile(values.iidfile, idOf(result));
  if (values["metadata-file"] === "") return;
  const facts = {
    "buildx.build.ref": result.BuildID,
    ...(ImageID !== undefined && { "containerimage.config.digest": ImageID }),
    ...(Digest !== undefined && { "containerimage.digest": Digest }),
    ...(Tags.length > 0 && { "image.name": Tags.join(",") }),
    ...Metadata,
  };
  await writeFile(values["metadata-file"], `${JSON.stringify(facts, undefined, 2)}\n`);
}

/** The image's id, also of one that is in an archive alone; of several platforms their index. */
function idOf({ ImageID, Digest, Metadata }: NonNullable<BuildEnd["result"]>): string {
  const config = Metadata["containerimage.config.digest"];
  return ImageID ?? (typeof config === "string" ? config : Digest) ?? "";
}

function splitMount(item: string): { readonly id: string; readonly path: string } {
  const equals = item.indexOf("=");
  if (equals <= 0 || equals === item.length - 1)
    throw new Error(`invalid cache mount ${JSON.stringify(item)}, expected id=archive.tar`);
  return { id: item.slice(0, equals), path: item.slice(equals + 1) };
}

async function fillCacheMounts(around: Surroundings, items: readonly string[], signal: AbortSignal): Promise<void> {
  for (const { id, path } of items.map(splitMount)) {
    const archive = await openInput(path);
    await (await around.client()).builds.importCacheMount(id, archive, signal);
  }
}

async function saveCacheMounts(around: Surroundings, items: readonly string[], signal: AbortSignal): Promise<void> {
  const { builds } = await around.client();
  for (const { id, path } of items.map(splitMount))
    await writeWhole(path, "failed to save cache mount", async () => await builds.exportCacheMount(id, signal));
}

/** Two builds without cache; only what differs between them is told. */
async function verify(around: Surroundings, given: string, values: BuildValues, signal: AbortSignal): Promise<number> {
  if (given === "-" || values.file === "-")
    throw new Error("--verify-reproducible builds twice: stdin can be read once");
  const folder = await mkdtemp(join(tmpdir(), "slipway-verify-"));
  try {
    const paths = [join(folder, "first.tar"), join(folder, "second.tar")] as const;
    for (const dest of paths) {
      const twice = { ...values, "no-cache": true, "cache-from": [], "cache-to": [] };
      const order = await readOrder(around, given, twice, [{ Type: "oci", Attrs: {}, dest }]);
      const end = await shown(around, order, twice, signal);
      if (end.result === undefined) throw new ExitStatus(1, await failureText(end, order.context));
    }
    const difference = await firstDifference(...paths);
    if (difference !== undefined) throw new ExitStatus(1, `ERROR: not reproducible: ${difference}`);
    await print(around, "Reproducible: two builds without cache made the same image.");
    return 0;
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}
