import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { chmodSync, existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { mkdtemp, rm } from "node:fs/promises";
import { connect, createServer, type Server, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { connect as connectTls } from "node:tls";
import { isFault } from "#core/fault";
import { type ListenerOptions, openListener } from "./listener.ts";

const hello: ListenerOptions = { maxConnections: 10, onConnection: greet };

function greet(socket: Socket): void {
  // A probe may be gone before it is greeted.
  socket.on("error", () => undefined);
  socket.end("hello");
}

async function inFolder(work: (folder: string) => Promise<void>): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "slipway-listen-"));
  try {
    await work(folder);
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function close(server: Server): Promise<void> {
  await new Promise((resolve) => server.close(resolve));
}

async function greeting(path: string): Promise<string> {
  let text = "";
  for await (const piece of connect(path)) text += String(piece);
  return text;
}

test("openListener: a unix socket is root's and its group's alone, in a folder that is made", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "deep/er/s.sock");
    const server = await openListener(`unix://${path}`, { ...hello, group: "1234" });
    const { mode, uid, gid } = statSync(path);
    assert.equal(mode & 0o7777, 0o660);
    assert.equal(uid, 0);
    assert.equal(gid, 1234);
    assert.equal(await greeting(path), "hello");
    await close(server);
    assert.equal(existsSync(path), false);
  });
});

test("openListener: a socket that nobody answers is replaced, one that somebody answers is a conflict", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "s.sock");
    const first = await openListener(`unix://${path}`, hello);
    await assert.rejects(openListener(`unix://${path}`, hello), (error) => isFault(error, "conflict"));
    assert.equal(await greeting(path), "hello");
    await close(first);
    // A killed daemon leaves its socket.
    const left = `require("net").createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 9))`;
    assert.throws(() => execFileSync(process.execPath, ["-e", left], { stdio: "ignore" }));
    assert.equal(existsSync(path), true);
    const second = await openListener(`unix://${path}`, hello);
    assert.equal(await greeting(path), "hello");
    await close(second);
  });
});

test("openListener: a file that is no socket is never removed", async () => {
  await inFolder(async (folder) => {
    const path = join(folder, "precious");
    writeFileSync(path, "data");
    await assert.rejects(openListener(`unix://${path}`, hello), (error) => isFault(error, "conflict"));
    assert.equal(readFileSync(path, "utf8"), "data");
  });
});

test("openListener: unknown groups, other schemes, long paths and tcp without client certificates are refused", async () => {
  await inFolder(async (folder) => {
    const refused = [
      "http://x",
      "fd://",
      "unix://",
      "tcp://127.0.0.1:99999",
      "tcp://127.0.0.1:0",
      `unix:///${"x".repeat(200)}`,
    ];
    for (const host of refused) {
      await assert.rejects(openListener(host, hello), (error) => isFault(error, "invalid"), host);
    }
    const unknown = { ...hello, group: "no-such-group" };
    await assert.rejects(openListener(`unix://${folder}/s`, unknown), (error) => isFault(error, "invalid"));
    assert.equal(existsSync(join(folder, "s")), false);
    const unverified = { ...hello, tls: { ca: "a", cert: "b", key: "c", verify: false } };
    await assert.rejects(openListener("tcp://127.0.0.1:0", unverified), (error) => isFault(error, "invalid"));
  });
});

test("openListener: tcp serves clients that show a certificate of the authority, and no others", async () => {
  await inFolder(async (folder) => {
    const files = makeCertificates(folder);
    const server = await openListener("tcp://127.0.0.1:0", {
      ...hello,
      tls: { ca: files.ca, cert: files.cert, key: files.key, verify: true },
    });
    const address = server.address();
    assert.ok(typeof address === "object" && address !== null);
    const ask = async (own: { cert?: Buffer; key?: Buffer }): Promise<string> => {
      const socket = connectTls({
        host: "127.0.0.1",
        port: address.port,
        ca: readFileSync(files.ca),
        servername: "localhost",
        ...own,
      });
      let text = "";
      for await (const piece of socket) text += String(piece);
      return text;
    };
    assert.equal(await ask({ cert: readFileSync(files.cert), key: readFileSync(files.key) }), "hello");
    await assert.rejects(ask({}));
    await close(server);
  });
});

test("openListener: two listeners on one port are a conflict", async () => {
  await inFolder(async (folder) => {
    const files = makeCertificates(folder);
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, "127.0.0.1", resolve));
    const address = taken.address();
    assert.ok(typeof address === "object" && address !== null);
    const options = { ...hello, tls: { ca: files.ca, cert: files.cert, key: files.key, verify: true } };
    await assert.rejects(openListener(`tcp://127.0.0.1:${address.port}`, options), (error) =>
      isFault(error, "conflict"),
    );
    await close(taken);
  });
});

/** A certificate that is its own authority, good for localhost. */
function makeCertificates(folder: string): { ca: string; cert: string; key: string } {
  const key = join(folder, "key.pem");
  const cert = join(folder, "cert.pem");
  const subject = ["-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"];
  const curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1"];
  execFileSync(
    "openssl",
    ["req", "-x509", "-nodes", "-days", "1", ...curve, "-keyout", key, "-out", cert, ...subject],
    {
      stdio: "ignore",
    },
  );
  chmodSync(key, 0o600);
  return { ca: cert, cert, key };
}
