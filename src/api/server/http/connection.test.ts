import assert from "node:assert/strict";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import * as fc from "fast-check";
import { type Fault, httpStatusOf } from "#core/fault";
import { RawClient } from "../testing/raw-client.ts";
import type { Answer } from "./answer.ts";
import { type ConnectionLimits, type HttpRequest, type HttpService, serveConnection } from "./connection.ts";

/** Answers with what it understood: method, target and body. */
const echo: HttpService = {
  answer: async (request: HttpRequest): Promise<Answer> => {
    const { method, target } = request.head;
    if (target === "/unread") return { kind: "text", status: 200, text: "unread" };
    try {
      const body = await request.body.readAll(1_000_000, 1000);
      return { kind: "text", status: 200, text: `[${method} ${target} ${body.toString("latin1")}]` };
    } catch (error) {
      return echo.refuse(error as Fault, request.head);
    }
  },
  refuse: (fault) => ({
    kind: "error",
    status: httpStatusOf[fault.kind],
    contentType: "text/plain",
    body: fault.message,
    close: false,
  }),
};

const limits: ConnectionLimits = { headTimeoutMs: 200, idleTimeoutMs: 400, lingerMs: 100 };

async function serving(work: (dial: () => Promise<RawClient>) => Promise<void>, service = echo): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "slipway-http-"));
  const path = join(folder, "s");
  const closing = new AbortController();
  const served: Promise<void>[] = [];
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    served.push(serveConnection(socket, service, closing.signal, limits));
  });
  const clients: RawClient[] = [];
  try {
    await new Promise<void>((resolve) => server.listen(path, resolve));
    await work(async () => {
      const client = await RawClient.dial(path);
      clients.push(client);
      return client;
    });
  } finally {
    for (const client of clients) client.socket.destroy();
    closing.abort();
    await Promise.all(served);
    server.close();
    await rm(folder, { recursive: true });
  }
}

/** The bodies of all answers in a row. */
function echoes(text: string): string[] {
  return [...text.matchAll(/\[[^\]]*\]/g)].map(([whole]) => whole);
}

test("serveConnection: any cutting of any requests gives the same answers in order", async () => {
  const bodyText = fc.stringMatching(/^[a-z]{0,40}$/);
  const request = fc.record({ body: bodyText, chunked: fc.boolean(), bareLines: fc.boolean(), cut: fc.nat(40) });
  await serving(async (dial) => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(request, { minLength: 1, maxLength: 6 }),
        fc.array(fc.nat(60), { maxLength: 12 }),
        async (requests, cuts) => {
          const client = await dial();
          const wire = requests.map((each, index) => encode(`/${index}`, each)).join("");
          for (const piece of cutUp(wire, cuts)) {
            client.send(piece);
            await new Promise((resolve) => setImmediate(resolve));
          }
          client.socket.end();
          const wanted = requests.map(({ body }, index) => `[POST /${index} ${body}]`);
          assert.deepEqual(echoes(await client.readToEnd()), wanted);
        },
      ),
      { numRuns: 60 },
    );
  });
});

test("serveConnection: random bytes get an error or silence, and never more than one answer of success", async () => {
  await serving(async (dial) => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 300 }), async (bytes) => {
        const client = await dial();
        client.send(bytes);
        client.send("\r\n\r\n");
        client.socket.end();
        const text = await client.readToEnd();
        assert.match(text, /^(?:HTTP\/1\.1 (?:400|413|501) |$)/);
      }),
      { numRuns: 100 },
    );
  });
});

test("serveConnection: what could be read in two ways is refused and the connection ends", async () => {
  const heads = [
    "POST / HTTP/1.1\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n",
    "POST / HTTP/1.1\r\nContent-Length: 3\r\nContent-Length: 4\r\n\r\n",
    "POST / HTTP/1.1\r\nContent-Length: +3\r\n\r\n",
    "POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
    "POST / HTTP/1.1\r\nContent Length: 3\r\n\r\n",
    "POST / HTTP/1.1\r\nX : y\r\n\r\n",
    "POST / HTTP/1.1\r\nA: b\r\n folded\r\n\r\n",
    "POST /a b HTTP/1.1\r\n\r\n",
    "POST / HTTP/2.0\r\n\r\n",
    "POST / HTTP/1.1\r\nA: b\0c\r\n\r\n",
  ];
  await serving(async (dial) => {
    for (const head of heads) {
      const client = await dial();
      client.send(`${head}GET /second HTTP/1.1\r\n\r\n`);
      const text = await client.readToEnd();
      assert.match(text, /^HTTP\/1\.1 400 /, JSON.stringify(head));
      assert.match(text, /Connection: close/);
      assert.deepEqual(echoes(text), []);
    }
  });
});

test("serveConnection: broken and cut bodies are refused", async () => {
  const bodies = ["zz\r\nabc", "3\r\nabcd\r\n", "fffffffffffff\r\n", "3\r\nab"];
  await serving(async (dial) => {
    for (const body of bodies) {
      const client = await dial();
      client.send(`POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n${body}`);
      client.socket.end();
      assert.match(await client.readToEnd(), /^HTTP\/1\.1 400 /, JSON.stringify(body));
    }
  });
});

test("serveConnection: heads are bounded in size, number and time", async () => {
  await serving(async (dial) => {
    const large = await dial();
    large.send(`GET / HTTP/1.1\r\nA: ${"x".repeat(200_000)}\r\n\r\n`);
    assert.match(await large.readToEnd(), /^HTTP\/1\.1 413 /);
    const many = await dial();
    many.send(`GET / HTTP/1.1\r\n${"A: b\r\n".repeat(300)}\r\n`);
    assert.match(await many.readToEnd(), /^HTTP\/1\.1 413 /);
    const slow = await dial();
    slow.send("GET / HT");
    const begin = Date.now();
    assert.equal(await slow.readToEnd(), "");
    assert.ok(Date.now() - begin < 5000);
    const idle = await dial();
    assert.equal(await idle.readToEnd(), "");
  });
});

test("serveConnection: an unread small body is thrown away, after a large one the connection ends", async () => {
  await serving(async (dial) => {
    const small = await dial();
    small.send(
      "POST /unread HTTP/1.1\r\nContent-Length: 5\r\n\r\nhelloGET /next HTTP/1.1\r\nConnection: close\r\n\r\n",
    );
    assert.match(await small.readToEnd(), /unread[\s\S]*\[GET \/next \]$/);
    const large = await dial();
    large.send("POST /unread HTTP/1.1\r\nContent-Length: 9000000\r\n\r\n");
    for (let sent = 0; sent < 20; sent++) large.send(Buffer.alloc(65_536));
    const text = await large.readToEnd();
    assert.match(text, /^HTTP\/1\.1 200 OK[\s\S]*unread$/);
  });
});

test("serveConnection: HTTP/1.0 gets its answer and the end, and streams without chunks", async () => {
  await serving(async (dial) => {
    const client = await dial();
    client.send("GET /old HTTP/1.0\r\n\r\n");
    assert.match(await client.readToEnd(), /Connection: close[\s\S]*\[GET \/old \]$/);
  });
  const streaming: HttpService = {
    ...echo,
    answer: async () => ({ kind: "stream", contentType: "text/plain", headAtOnce: true, body: two() }),
  };
  async function* two() {
    yield "one ";
    yield "two";
  }
  await serving(async (dial) => {
    const old = await dial();
    old.send("GET / HTTP/1.0\r\n\r\n");
    const text = await old.readToEnd();
    assert.doesNotMatch(text, /chunked/);
    assert.match(text, /\r\n\r\none two$/);
    const modern = await dial();
    modern.send("GET / HTTP/1.1\r\n\r\n");
    assert.match(await modern.until("0\r\n\r\n"), /\r\n\r\n4\r\none \r\n3\r\ntwo\r\n0\r\n\r\n$/);
  }, streaming);
});

test("serveConnection: a stream that fails without last words is cut, so that it cannot be taken for whole", async () => {
  async function* failing() {
    yield "part";
    throw new Error("disk on fire");
  }
  const service: HttpService = {
    ...echo,
    answer: async () => ({ kind: "stream", contentType: "application/x-tar", headAtOnce: false, body: failing() }),
  };
  await serving(async (dial) => {
    const client = await dial();
    client.send("GET / HTTP/1.1\r\n\r\n");
    const text = await client.readToEnd();
    assert.match(text, /part/);
    assert.doesNotMatch(text, /0\r\n\r\n$/);
  }, service);
});

test("serveConnection: a client that does not read holds the writer back", async () => {
  let produced = 0;
  async function* endless() {
    for (;;) {
      produced++;
      yield Buffer.alloc(65_536);
    }
  }
  const service: HttpService = {
    ...echo,
    answer: async () => ({ kind: "stream", contentType: "x/y", headAtOnce: true, body: endless() }),
  };
  await serving(async (dial) => {
    const client = await dial();
    client.socket.pause();
    client.send("GET / HTTP/1.1\r\n\r\n");
    await new Promise((resolve) => setTimeout(resolve, 150));
    const before = produced;
    await new Promise((resolve) => setTimeout(resolve, 100));
    assert.equal(produced, before);
    assert.ok(produced < 100, `${produced} pieces were produced for a reader that reads none`);
  }, service);
});

function encode(
  target: string,
  { body, chunked, bareLines, cut }: { body: string; chunked: boolean; bareLines: boolean; cut: number },
): string {
  const line = bareLines ? "\n" : "\r\n";
  const head = `POST ${target} HTTP/1.1${line}Host: x${line}`;
  if (!chunked) return `${head}Content-Length: ${body.length}${line}${line}${body}`;
  const pieces = [body.slice(0, cut), body.slice(cut)].filter((piece) => piece !== "");
  const chunks = pieces.map((piece) => `${piece.length.toString(16)}${line}${piece}${line}`).join("");
  return `${head}Transfer-Encoding: chunked${line}${line}${chunks}0${line}${line}`;
}

function cutUp(text: string, cuts: readonly number[]): string[] {
  const pieces: string[] = [];
  let rest = text;
  for (const length of cuts) {
    if (length === 0 || rest === "") continue;
    pieces.push(rest.slice(0, length));
    rest = rest.slice(length);
  }
  return rest === "" ? pieces : [...pieces, rest];
}
