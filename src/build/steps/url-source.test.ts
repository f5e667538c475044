import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { createServer, type RequestListener } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { digestOf } from "#core/digest";
import { openWeb } from "#images";
import { copied } from "./copy.fixture.ts";
import { fetchSource } from "./url-source.ts";

const signal = AbortSignal.timeout(60_000);

/** A server, a folder to fetch into, and a web without proxies. */
async function bed(
  listener: RequestListener,
): Promise<AsyncDisposableStack & { url: string; folder: string; web: ReturnType<typeof openWeb> }> {
  const stack = new AsyncDisposableStack();
  const server = createServer(listener);
  await new Promise<void>((resolve) => void server.listen(0, "127.0.0.1", resolve));
  stack.defer(() => {
    server.closeAllConnections();
    server.close();
  });
  const folder = mkdtempSync(join(tmpdir(), "slipway-fetch-"));
  stack.defer(() => rmSync(folder, { recursive: true, force: true }));
  const web = openWeb({});
  stack.defer(() => web.close());
  return Object.assign(stack, { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, folder, web });
}

test("fetchSource: named as its URL ends, mode 600, of the server's time, through redirects", async () => {
  await using it = await bed((request, response) => {
    const time = { "last-modified": "Thu, 01 Jan 1970 00:00:07 GMT" };
    if (request.url === "/moved") response.writeHead(302, { location: "/a%20b.txt?x=/y" }).end();
    else response.writeHead(200, request.url === "/" ? {} : time).end("bytes");
  });
  const lines = async (path: string, target: string): Promise<string | undefined> => {
    await using fetched = await fetchSource(it.web, { url: `${it.url}${path}` }, it.folder, signal);
    assert.equal(fetched.digest, digestOf("bytes"));
    return (await copied([fetched.item], target)).at(-1);
  };
  assert.equal(await lines("/a%20b.txt?x=/y#z", "/x/"), "file 600 0:0 7 x/a b.txt bytes");
  assert.equal(await lines("/moved", "/x/"), "file 600 0:0 7 x/moved bytes");
  assert.equal(await lines("/", "/x/"), "file 600 0:0 0 x/__unnamed__ bytes");
  assert.equal(await lines("/folder/..%2f..", "/f"), "file 600 0:0 7 f bytes");
  assert.deepEqual(readdirSync(it.folder), []);
});

test("fetchSource: a checksum that does not fit, a failure and a bad word leave nothing behind", async () => {
  await using it = await bed((request, response) => {
    const status = request.url === "/none" ? 404 : request.url === "/broken" ? 500 : 200;
    response.writeHead(status).end("bytes");
  });
  const fetch = async (path: string, checksum?: string): Promise<void> => {
    const source = { url: `${it.url}${path}`, ...(checksum !== undefined && { checksum }) };
    await using _ = await fetchSource(it.web, source, it.folder, signal);
  };
  await fetch("/f", digestOf("bytes"));
  await assert.rejects(fetch("/f", digestOf("others")), { kind: "invalid", message: /^digest mismatch sha256:/ });
  await assert.rejects(fetch("/f", "md5:1"), { kind: "invalid", message: /invalid checksum digest format/ });
  await assert.rejects(fetch("/none"), { kind: "notFound", message: /invalid response status 404/ });
  await assert.rejects(fetch("/broken"), { kind: "unavailable", message: /invalid response status 500/ });
  await assert.rejects(fetchSource(it.web, { url: "http://" }, it.folder, signal), { kind: "invalid" });
  assert.deepEqual(readdirSync(it.folder), []);
});
