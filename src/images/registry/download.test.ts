import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import type { ServerResponse } from "node:http";
import { mkdtemp, readdir, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test, type TestContext } from "node:test";
import { systemClock } from "#core/clock";
import type { Digest } from "#core/digest";
import { isFault } from "#core/fault";
import { type Descriptor, mediaType } from "#core/oci";
import { type FaultyRegistry, startFaultyRegistry, type Trick } from "#fixtures/faulty-registry";
import { openContentStore } from "../content-store.ts";
import type { ContentStore } from "../content.ts";
import { openRegistryClient, type RegistryClient } from "./client.ts";
import { download } from "./download.ts";
import type { TransferStep } from "./transfer.ts";
import { patience } from "./transport.ts";

const bytes = randomBytes(400_000);
const never = new AbortController().signal;

test("download: tells its steps in Docker's words", async (context) => {
  const { registry, steps, run, content, layer } = await setUp(context);
  await run();
  assert.deepEqual(Buffer.from(await content.read(layer.digest)), bytes);
  assert.deepEqual(
    [...new Set(steps.map(({ status }) => status))],
    ["Downloading", "Verifying Checksum", "Download complete"],
  );
  assert.deepEqual(
    steps.findLast(({ status }) => status === "Downloading"),
    { status: "Downloading", current: 400_000, total: 400_000 },
  );
  assert.equal(registry.requests[0]?.headers.range, undefined);
});

test("download: a cut connection is taken up where it broke", async (context) => {
  const { registry, steps, run } = await setUp(context);
  registry.trick = cutting(150_000, 1);
  await run();
  assert.equal(registry.requests.length, 2);
  assert.match(registry.requests[1]?.headers.range ?? "", /^bytes=[1-9]\d*-$/);
  assert.ok(steps.some(({ status }) => /^Retrying in \d+ seconds?$/.test(status)));
});

test("download: a server that knows no ranges costs time, not correctness", async (context) => {
  const { registry, run } = await setUp(context);
  const cut = cutting(150_000, 1);
  registry.trick = (request, response) => {
    if (cut(request, response)) return true;
    return Boolean(response.writeHead(200, { "content-length": bytes.length }).end(bytes));
  };
  await run();
  assert.equal(registry.requests.length, 2);
});

test("download: what a killed daemon left is kept", async (context) => {
  const { registry, run, folder, layer, content } = await setUp(context);
  {
    await using ingest = await openContentStore(folder).ingest(layer.digest, bytes.length);
    await ingest.write(bytes.subarray(0, 123_456));
  }
  await run();
  assert.equal(registry.requests[0]?.headers.range, "bytes=123456-");
  assert.ok(content.has(layer.digest));
});

test("download: a process that is killed half-way leaves a part that the next one goes on with", async (context) => {
  const { registry, run, folder, layer, content } = await setUp(context);
  registry.trick = (_request, response) => response.writeHead(200).write(bytes.subarray(0, 200_000)) || true;
  const script = `
    import { systemClock } from "#core/clock";
    import { openContentStore } from "./src/images/content-store.ts";
    import { openRegistryClient } from "./src/images/registry/client.ts";
    import { download } from "./src/images/registry/download.ts";
    const [address, folder, layer] = JSON.parse(process.env.TEST_DOWNLOAD);
    const client = openRegistryClient({ clock: systemClock, insecureRegistries: [], registryMirrors: [], environment: {} });
    const repository = client.repository({ domain: address, path: "x" });
    const report = ({ current }) => { if (current === 200000) console.log("half"); };
    const tools = { repository, content: openContentStore(folder), retryDelayMs: 5, report };
    await download(tools, layer, new AbortController().signal);`;
  const child = spawn(process.execPath, ["--input-type=module", "-e", script], {
    cwd: join(import.meta.dirname, "../../.."),
    env: { ...process.env, TEST_DOWNLOAD: JSON.stringify([registry.address, folder, layer]) },
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(child.stdout, "data");
  child.kill("SIGKILL");
  await once(child, "exit");
  registry.trick = () => false;
  await run();
  assert.equal(registry.requests.at(-1)?.headers.range, "bytes=200000-");
  assert.ok(content.has(layer.digest));
});

test("download: a left part that is wrong is thrown away and fetched anew", async (context) => {
  const { run, folder, layer, content } = await setUp(context);
  {
    await using ingest = await openContentStore(folder).ingest(layer.digest, bytes.length);
    await ingest.write(randomBytes(1000));
  }
  await run();
  assert.ok(content.has(layer.digest));
});

test("download: wrong bytes are refused and nothing of them kept", async (context) => {
  const { registry, run, folder, layer, content } = await setUp(context);
  registry.trick = (_request, response) => Boolean(response.end(randomBytes(bytes.length)));
  await assert.rejects(
    run(),
    (error) => isFault(error, "internal") && /verification failed for digest sha256/.test(error.message),
  );
  assert.ok(!content.has(layer.digest));
  assert.deepEqual(await readdir(join(folder, "ingest")), []);
});

test("download: more bytes than announced are not taken", async (context) => {
  const { registry, run, folder } = await setUp(context);
  registry.trick = (_request, response) => Boolean(response.end(Buffer.alloc(bytes.length + 1_000_000)));
  await assert.rejects(run(), /sends more than the 400000 bytes/);
  assert.deepEqual(await readdir(join(folder, "ingest")), []);
});

test("download: gives up after five failures without progress, and keeps the part", async (context) => {
  const { registry, run, folder } = await setUp(context);
  registry.trick = cutting(1000, Infinity);
  await assert.rejects(run(), (error) => isFault(error, "unavailable"));
  assert.equal(registry.requests.length, 6);
  assert.equal((await readdir(join(folder, "ingest"))).length, 1);
});

test("download: goes on for as long as there is progress", async (context) => {
  const { registry, run } = await setUp(context);
  registry.trick = cutting(70_000, Infinity);
  await run();
  assert.ok(registry.requests.length >= 5);
});

test("download: a missing blob is not asked for again", async (context) => {
  const { registry, run } = await setUp(context);
  registry.trick = (_request, response) => Boolean(response.writeHead(404).end());
  await assert.rejects(run(), (error) => isFault(error, "notFound"));
  assert.equal(registry.requests.length, 1);
});

test("download: a mirror that lies is passed over", async (context) => {
  const { registry: mirror, content, layer } = await setUp(context);
  const upstream = await startFaultyRegistry();
  context.after(() => upstream[Symbol.asyncDispose]());
  upstream.blob(bytes);
  mirror.trick = (_request, response) => Boolean(response.end(randomBytes(bytes.length)));
  const registryMirrors = [`http://${mirror.address}`, `http://${upstream.address}`];
  const client = openClient(context, registryMirrors);
  const repository = client.repository({ domain: "docker.io", path: "library/x" });
  await download({ repository, content, retryDelayMs: 5, report: () => {} }, layer, never);
  assert.ok(content.has(layer.digest));
});

test("download: a mirror that breaks again and again is passed over", async (context) => {
  const { registry: mirror, content, layer } = await setUp(context);
  const upstream = await startFaultyRegistry();
  context.after(() => upstream[Symbol.asyncDispose]());
  upstream.blob(bytes);
  mirror.trick = cutting(1000, Infinity);
  const client = openClient(context, [`http://${mirror.address}`, `http://${upstream.address}`]);
  const repository = client.repository({ domain: "docker.io", path: "library/x" });
  await download({ repository, content, retryDelayMs: 5, report: () => {} }, layer, never);
  assert.equal(mirror.requests.length, 2);
  assert.equal(upstream.requests[0]?.headers.range, "bytes=2000-");
});

test("download: cancelling ends it at once and keeps the part", async (context) => {
  const { registry, run, folder, steps } = await setUp(context);
  registry.trick = (_request, response) => response.writeHead(200).write(bytes.subarray(0, 100_000)) || true;
  const stop = new AbortController();
  const running = run(stop.signal);
  while (!steps.some(({ current }) => current === 100_000)) await new Promise((resolve) => setTimeout(resolve, 10));
  stop.abort();
  await assert.rejects(running, (error) => isFault(error, "cancelled"));
  assert.equal((await readdir(join(folder, "ingest"))).length, 1);
});

test("download: cancelling while another writer has the ingest leaves it free", async (context) => {
  const { run, content, layer } = await setUp(context);
  const stop = new AbortController();
  {
    await using _other = await content.ingest(layer.digest, bytes.length);
    const running = run(stop.signal);
    stop.abort();
    await assert.rejects(running, (error) => isFault(error, "cancelled"));
  }
  await run();
  assert.ok(content.has(layer.digest));
});

test("download: an empty blob needs no connection", async (context) => {
  const { registry, content, run } = await setUp(context, Buffer.alloc(0));
  await run();
  assert.equal(registry.requests.length, 0);
  assert.equal((await content.list()).length, 1);
});

interface SetUp {
  readonly registry: FaultyRegistry;
  readonly folder: string;
  readonly content: ContentStore;
  readonly layer: Descriptor;
  readonly steps: TransferStep[];
  run(signal?: AbortSignal): Promise<void>;
}

async function setUp(context: TestContext, blob: Buffer = bytes): Promise<SetUp> {
  const folder = await mkdtemp(join(tmpdir(), "slipway-download-"));
  context.after(() => rm(folder, { recursive: true }));
  const registry = await startFaultyRegistry();
  context.after(() => registry[Symbol.asyncDispose]());
  const content = openContentStore(folder);
  const repository = openClient(context).repository({ domain: registry.address, path: "x" });
  const layer = { mediaType: mediaType.ociLayer, digest: registry.blob(blob) as Digest, size: blob.length };
  const steps: TransferStep[] = [];
  const tools = { repository, content, retryDelayMs: 5, report: (step: TransferStep) => void steps.push(step) };
  return { registry, folder, content, layer, steps, run: (signal = never) => download(tools, layer, signal) };
}

function openClient(context: TestContext, registryMirrors: readonly string[] = []): RegistryClient {
  const basics = { clock: systemClock, insecureRegistries: [], environment: {}, patience, retryDelayMs: 5 };
  const client = openRegistryClient({ ...basics, registryMirrors });
  context.after(() => client[Symbol.dispose]());
  return client;
}

/** Cuts the first so many connections after so many bytes of the body. */
function cutting(afterBytes: number, times: number): Trick {
  let cut = 0;
  return (request, response: ServerResponse) => {
    if (cut++ >= times) return false;
    const from = Number(/^bytes=(\d+)-$/.exec(request.headers.range ?? "")?.[1] ?? 0);
    if (bytes.length - from <= afterBytes) return false;
    const range = { "content-range": `bytes ${from}-${bytes.length - 1}/${bytes.length}` };
    response.writeHead(from === 0 ? 200 : 206, { "content-length": bytes.length - from, ...(from > 0 && range) });
    response.write(bytes.subarray(from, from + afterBytes), () => response.destroy());
    return true;
  };
}
