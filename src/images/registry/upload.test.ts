import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { setTimeout as sleep } from "node:timers/promises";
import { test, type TestContext } from "node:test";
import { systemClock } from "#core/clock";
import { digestOf } from "#core/digest";
import { type FaultKind, Fault } from "#core/fault";
import { fail, type FaultyRegistry, startFaultyRegistry } from "#fixtures/faulty-registry";
import type { RegistryAuth } from "../images.ts";
import { openRegistryClient } from "./client.ts";
import { patience } from "./transport.ts";
import { type BlobSource, upload } from "./upload.ts";
import type { TransferStep } from "./transfer.ts";

const never = new AbortController().signal;
const alice: RegistryAuth = { username: "alice", password: "secret" };

test("upload: small blobs with one request, large ones in a stream; the registry ends up with their bytes", async (context) => {
  const { registry, send } = await setUp(context);
  const [small, large] = [randomBytes(1000), randomBytes(3 << 20)];
  assert.equal(await send(small), "pushed");
  assert.deepEqual(methods(registry), ["POST", "PUT"]);
  registry.requests.length = 0;
  assert.equal(await send(large), "pushed");
  assert.deepEqual(methods(registry), ["POST", "PATCH", "PUT"]);
  assert.equal(await send(Buffer.alloc(0)), "pushed");
  for (const bytes of [small, large, Buffer.alloc(0)]) assert.deepEqual(registry.blobs.get(digestOf(bytes)), bytes);
});

test("upload: a broken connection goes on from where the registry says it is", async (context) => {
  const { registry, send, steps } = await setUp(context);
  const bytes = randomBytes(4 << 20);
  registry.breakUploadAfter(2_500_000);
  assert.equal(await send(bytes), "pushed");
  assert.deepEqual(registry.blobs.get(digestOf(bytes)), bytes);
  const patches = registry.requests.filter(({ line }) => line.startsWith("PATCH"));
  assert.equal(patches[1]?.headers["content-range"], `2500000-${bytes.length - 1}`);
  assert.ok(steps.some(({ status }) => status === "Retrying in 1 second"));
  assert.equal(registry.uploads.size, 0);
});

test("upload: a registry that forgot the upload gets it anew", async (context) => {
  const { registry, send } = await setUp(context);
  const bytes = randomBytes(2 << 20);
  registry.breakUploadAfter(1_500_000);
  registry.trick = (request, response) => {
    if (request.method !== "GET") return false;
    fail(response, 404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry");
    return true;
  };
  assert.equal(await send(bytes), "pushed");
  assert.deepEqual(methods(registry), ["POST", "PATCH", "GET", "HEAD", "POST", "PATCH", "PUT"]);
  assert.deepEqual(registry.blobs.get(digestOf(bytes)), bytes);
});

test("upload: one that has come whole, and of which the word was lost, is not sent again", async (context) => {
  const { registry, send } = await setUp(context);
  const bytes = randomBytes(1000);
  registry.trick = (request) => {
    if (request.method !== "PUT") return false;
    request.on("end", () => {
      registry.blob(bytes);
      request.socket.destroy();
    });
    request.resume();
    registry.trick = (request, response) => {
      if (request.method !== "GET") return false;
      fail(response, 404, "BLOB_UPLOAD_UNKNOWN", "blob upload unknown to registry");
      return true;
    };
    return true;
  };
  assert.equal(await send(bytes), "pushed");
  assert.deepEqual(methods(registry), ["POST", "PUT", "GET", "HEAD"]);
});

test("upload: a registry that says to have less is sent the rest; one that lost bytes at the end, all of it again", async (context) => {
  const { registry, send } = await setUp(context);
  const bytes = randomBytes(2 << 20);
  let isFirst = true;
  registry.trick = (request, response) => {
    if (request.method !== "PUT" || !isFirst) return false;
    isFirst = false;
    fail(response, 400, "DIGEST_INVALID", "provided digest did not match uploaded content");
    return true;
  };
  assert.equal(await send(bytes), "pushed");
  assert.deepEqual(methods(registry), ["POST", "PATCH", "PUT", "DELETE", "HEAD", "POST", "PATCH", "PUT"]);
  assert.deepEqual(registry.blobs.get(digestOf(bytes)), bytes);
  let lies = 0;
  registry.trick = (request, response) => {
    if (request.method !== "PATCH" || lies++ > 0) return false;
    request.resume().on("end", () => response.writeHead(202, { range: "0-999" }).end());
    return true;
  };
  const others = randomBytes(2 << 20);
  registry.requests.length = 0;
  assert.equal(await send(others), "pushed", "after the lie it begins anew");
  assert.deepEqual(registry.blobs.get(digestOf(others)), others);
});

test("upload: five failures without progress, or three wrong ends, are enough; nothing stays open", async (context) => {
  const { registry, send } = await setUp(context);
  registry.trick = (request) => {
    if (request.method !== "PATCH") return false;
    request.socket.destroy();
    return true;
  };
  const fault = await refuses(send(randomBytes(2 << 20)), "unavailable");
  assert.match(fault.message, /^(?:Patch|Get) "http:\/\/127\.0\.0\.1:/);
  assert.equal(methods(registry).filter((method) => method === "PATCH").length, 6);
  registry.trick = (request, response) => {
    if (request.method !== "PUT") return false;
    request.resume();
    fail(response, 400, "DIGEST_INVALID", "no");
    return true;
  };
  await refuses(send(randomBytes(1000)), "internal", /^digest invalid: no$/);
  assert.equal(registry.uploads.size, 0);
});

test("upload: a registry that says no before it has all is heard, and not asked again", async (context) => {
  const { registry, send } = await setUp(context);
  registry.trick = (request, response) => {
    if (request.method !== "PATCH") return false;
    fail(response, 403, "DENIED", "quota exceeded"); // and reads no further
    return true;
  };
  await refuses(send(randomBytes(64 << 20)), "unauthorized", /^denied: quota exceeded$/);
  assert.deepEqual(methods(registry), ["POST", "PATCH", "DELETE"]);
});

test("upload: mounted where the registry agrees, sent where it does not", async (context) => {
  const { registry, send } = await setUp(context);
  const bytes = randomBytes(2000);
  registry.blob(bytes);
  assert.equal(await send(bytes, { from: "other/app" }), "mounted");
  assert.match(
    registry.requests[0]?.line ?? "",
    /^POST \/v2\/team\/app\/blobs\/uploads\/\?mount=sha256%3A\w+&from=other%2Fapp$/,
  );
  assert.equal(await send(randomBytes(2000), { from: "other/app" }), "pushed");
  registry.requests.length = 0;
  registry.trick = (request, response) => {
    if (request.url?.includes("mount=") !== true) return false;
    fail(response, 405, "UNSUPPORTED", "no mounting here");
    return true;
  };
  assert.equal(await send(randomBytes(2000), { from: "other/app" }), "pushed");
  assert.deepEqual(methods(registry), ["POST", "POST", "PUT"]);
});

test("upload: an address on another host gets the bytes and no credentials; neither does one behind a 307", async (context) => {
  const [{ registry, send }, storage] = [await setUp(context, alice), await faulty(context)];
  const bytes = randomBytes(2 << 20);
  registry.trick = (request, response) => {
    if (request.headers.authorization === undefined) {
      response.writeHead(401, { "www-authenticate": 'Basic realm="x"' }).end();
      return true;
    }
    if (request.method !== "POST") return false;
    void fetch(`http://${storage.address}/v2/s/blobs/uploads/`, { method: "POST" }).then(({ headers }) => {
      const location = `http://${storage.address}${headers.get("location") ?? ""}`;
      response.writeHead(202, { location }).end();
    });
    return true;
  };
  assert.equal(await send(bytes), "pushed");
  assert.deepEqual(storage.blobs.get(digestOf(bytes)), bytes);
  const others = randomBytes(2 << 20);
  registry.trick = (request, response) => {
    if (request.method !== "PUT" && request.method !== "PATCH") return false;
    response.writeHead(307, { location: `http://${storage.address}${request.url ?? ""}` }).end();
    return true;
  };
  storage.trick = (request, response) => {
    let sizeBytes = 0;
    request.on("data", (piece: Buffer) => (sizeBytes += piece.length));
    request.on("end", () => {
      const isPatch = request.method === "PATCH";
      response.writeHead(isPatch ? 202 : 201, isPatch ? { range: `0-${sizeBytes - 1}` } : {}).end();
    });
    return true;
  };
  assert.equal(await send(others), "pushed");
  const seen = storage.requests.filter(({ line }) => !line.startsWith("POST"));
  assert.ok(seen.length >= 4);
  for (const { headers, line } of seen) assert.equal(headers.authorization, undefined, line);
});

test("upload: one that is ended by its user tells the registry so", async (context) => {
  const { registry, send, steps } = await setUp(context);
  const abort = new AbortController();
  registry.trick = (request) => request.method === "PATCH"; // and never reads it
  const sending = send(randomBytes(64 << 20), { signal: abort.signal });
  while (!steps.some(({ status }) => status === "Pushing")) await sleep(10);
  abort.abort();
  await refuses(sending, "cancelled");
  assert.equal(registry.uploads.size, 0);
  assert.ok(methods(registry).includes("DELETE"));
});

test("upload: a registry that stops reading is given up as silent", async (context) => {
  const { registry, send } = await setUp(context, undefined, { ...patience, idleMs: 200, headersMs: 500 });
  registry.trick = (request) => request.method === "PATCH";
  await refuses(send(randomBytes(64 << 20)), "unavailable", /the server stopped reading/);
});

test("target: what the registry took for the manifest is compared", async (context) => {
  const { registry, target } = await setUp(context);
  const bytes = Buffer.from("{}");
  const document = { bytes, mediaType: "application/vnd.oci.image.manifest.v1+json", digest: digestOf(bytes) };
  await target.putManifest("1", document, never);
  assert.deepEqual(registry.manifestOf("1")?.bytes, bytes);
  registry.trick = (request, response) => {
    request.resume().on("end", () => response.writeHead(201, { "docker-content-digest": digestOf("other") }).end());
    return true;
  };
  await refuses(target.putManifest("1", document, never), "internal", /took sha256:\w+ for sha256:/);
});

test("target: a token for pulling and pushing, and for the repository that is mounted from", async (context) => {
  const { registry, send } = await setUp(context, alice);
  const scopes: string[][] = [];
  registry.trick = (request, response) => {
    const url = new URL(request.url ?? "", "http://x");
    if (url.pathname === "/token") {
      scopes.push(url.searchParams.getAll("scope"));
      response.end(JSON.stringify({ token: "t", expires_in: 300 }));
      return true;
    }
    if (request.headers.authorization === "Bearer t") return false;
    const realm = `http://${registry.address}/token`;
    response.writeHead(401, { "www-authenticate": `Bearer realm="${realm}",service="s",scope="repository:x:*"` }).end();
    return true;
  };
  await send(randomBytes(10), { from: "other/app" });
  await send(randomBytes(10));
  const own = "repository:team/app:pull,push";
  assert.deepEqual(scopes, [[own, "repository:other/app:pull"], [own]]);
});

test("target: nothing is pushed to a mirror", async (context) => {
  const mirror = await faulty(context);
  const client = openRegistryClient({
    clock: systemClock,
    insecureRegistries: [],
    registryMirrors: [`http://${mirror.address}`],
    environment: { HTTPS_PROXY: "http://127.0.0.1:1" }, // nobody is there: it stays in the house
    retryDelayMs: 10,
  });
  context.after(() => client[Symbol.dispose]());
  const target = client.target({ domain: "docker.io", path: "team/app" });
  await refuses(target.has(digestOf("x"), never), "unavailable", /registry-1\.docker\.io/);
  await refuses(target.begin(digestOf("x"), undefined, never), "unavailable");
  assert.deepEqual(mirror.requests, []);
});

interface Sending {
  readonly from?: string;
  readonly signal?: AbortSignal;
}

async function setUp(context: TestContext, auth?: RegistryAuth, patient = { ...patience, idleMs: 3000 }) {
  const registry = await faulty(context);
  const client = openRegistryClient({
    clock: systemClock,
    insecureRegistries: [],
    registryMirrors: [],
    environment: {},
    patience: patient,
    retryDelayMs: 10,
  });
  context.after(() => client[Symbol.dispose]());
  const target = client.target({ domain: registry.address, path: "team/app" }, auth);
  const steps: TransferStep[] = [];
  const tools = { target, retryDelayMs: 10, report: (step: TransferStep) => void steps.push(step) };
  const send = async (bytes: Buffer, { from, signal = never }: Sending = {}) =>
    await upload(tools, sourceOf(bytes), from, signal);
  return { registry, target, steps, send };
}

function sourceOf(bytes: Buffer): BlobSource {
  return {
    digest: digestOf(bytes),
    size: bytes.length,
    async *open(fromByte) {
      for (let at = fromByte; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
    },
  };
}

async function faulty(context: TestContext): Promise<FaultyRegistry> {
  const registry = await startFaultyRegistry();
  context.after(async () => await registry[Symbol.asyncDispose]());
  return registry;
}

/** The methods of the requests, but those of the choice between TLS and none. */
function methods(registry: FaultyRegistry): string[] {
  return registry.requests.map(({ line }) => line.split(" ")[0] ?? "");
}

async function refuses(work: Promise<unknown>, kind: FaultKind, words = /./): Promise<Fault> {
  const error: unknown = await work.then(
    () => assert.fail("it went through"),
    (error: unknown) => error,
  );
  assert.ok(error instanceof Fault, String(error));
  assert.equal(error.kind, kind, error.message);
  assert.match(error.message, words);
  return error;
}
