import assert from "node:assert/strict";
import { test } from "node:test";
import { digestOf } from "#core/digest";
import { Fault } from "#core/fault";
import { fakeContainerId, fakeImageId, fakeRooms } from "./testing/fake-rooms.ts";
import { parseAnswer, startServer, type TestServer } from "./testing/raw-client.ts";

/** One GET on a connection of its own. */
async function get(server: TestServer, path: string, extra = "") {
  return parseAnswer(await server.exchange(`GET ${path} HTTP/1.1\r\nHost: x\r\n${extra}Connection: close\r\n\r\n`));
}

async function post(server: TestServer, path: string, body = "") {
  const head = `POST ${path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nConnection: close\r\n`;
  return parseAnswer(await server.exchange(`${head}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`));
}

test("ping: GET and HEAD carry the headers that clients negotiate by", async () => {
  await using server = await startServer(fakeRooms().options);
  for (const method of ["GET", "HEAD"]) {
    const answer = parseAnswer(
      await server.exchange(`${method} /_ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`),
    );
    assert.equal(answer.status, 200);
    assert.equal(answer.body, method === "GET" ? "OK" : "");
    assert.equal(answer.headers["api-version"], "1.51");
    assert.equal(answer.headers["ostype"], "linux");
    assert.match(answer.headers["server"] ?? "", /^Docker\/28\.\d+\.\d+ \(linux\)$/);
    assert.equal(answer.headers["builder-version"], "1");
    assert.equal(answer.headers["swarm"], "inactive");
    assert.equal(answer.headers["docker-experimental"], "false");
    assert.equal(answer.headers["cache-control"], "no-cache, no-store, must-revalidate");
    assert.equal(answer.headers["pragma"], "no-cache");
    assert.equal(answer.headers["content-length"], method === "GET" ? "2" : "0");
  }
});

test("version and info: the fields that clients read are there", async () => {
  await using server = await startServer(fakeRooms().options);
  const version = JSON.parse((await get(server, "/version")).body);
  assert.equal(version.ApiVersion, "1.51");
  assert.equal(version.MinAPIVersion, "1.24");
  assert.equal(version.Components[0].Name, "Engine");
  assert.equal(version.Components[0].Details.KernelVersion, "6.1.0");
  const info = JSON.parse((await get(server, "/v1.24/info")).body);
  assert.equal(info.Swarm.LocalNodeState, "inactive");
  assert.equal(info.IndexServerAddress, "https://index.docker.io/v1/");
  assert.deepEqual(Object.keys(info.Runtimes), ["crun"]);
  assert.equal(info.ContainersRunning, 1);
  assert.deepEqual(info.SecurityOptions, ["name=seccomp,profile=builtin", "name=cgroupns"]);
});

test("service: versions outside 1.24 to 1.51 are refused in Docker's words", async () => {
  await using server = await startServer(fakeRooms().options);
  const tooNew = await get(server, "/v1.99/info");
  assert.equal(tooNew.status, 400);
  assert.match(
    JSON.parse(tooNew.body).message,
    /^client version 1\.99 is too new\. Maximum supported API version is 1\.51/,
  );
  const tooOld = await get(server, "/v1.12/info");
  assert.equal(tooOld.status, 400);
  assert.match(tooOld.headers["content-type"] ?? "", /^text\/plain/);
  assert.match(
    tooOld.body,
    /^client version 1\.12 is too old\. Minimum supported API version is 1\.24, please upgrade/,
  );
});

test("service: unknown paths and methods are 404 page not found; OPTIONS is 200", async () => {
  await using server = await startServer(fakeRooms().options);
  for (const path of ["/nope", "/v1.43/nope", "/containers/create", "/v1.43", "/", "/vx/info"]) {
    const answer = await get(server, path);
    assert.equal(answer.status, 404, path);
    assert.deepEqual(JSON.parse(answer.body), { message: "page not found" });
  }
  const text = await server.exchange("OPTIONS /anything HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
  assert.equal(parseAnswer(text).status, 200);
});

test("errors: a JSON message with Docker's words and status", async () => {
  await using server = await startServer(fakeRooms().options);
  const missing = await get(server, "/v1.51/containers/nothing/json");
  assert.equal(missing.status, 404);
  assert.deepEqual(JSON.parse(missing.body), { message: "No such container: nothing" });
  assert.equal(missing.headers["content-type"], "application/json");
  const badFilter = await get(server, `/containers/json?filters=${encodeURIComponent('{"colour":["red"]}')}`);
  assert.equal(badFilter.status, 400);
  assert.equal(JSON.parse(badFilter.body).message, "invalid filter 'colour'");
  assert.equal((await post(server, "/containers/create", "{")).status, 400);
  assert.equal((await post(server, "/build")).status, 501);
  assert.match(JSON.parse((await get(server, "/nodes")).body).message, /^This node is not a swarm manager\./);
  assert.equal((await get(server, "/nodes")).status, 503);
});

test("errors: 304 has no body and keeps the connection", async () => {
  const rooms = fakeRooms({
    containers: {
      start: async () => {
        throw new Fault("notModified", "already started");
      },
    },
  });
  await using server = await startServer(rooms.options);
  const client = await server.dial();
  client.send("POST /containers/web/start HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
  await client.until("HTTP/1.1 304 Not Modified");
  await client.until("\r\n\r\n");
  client.send("GET /_ping HTTP/1.1\r\nHost: x\r\n\r\n");
  assert.match(await client.until("OK"), /304 [\s\S]*\r\n\r\nHTTP\/1\.1 200 OK/);
});

test("containers: both filter shapes reach the room the same way", async () => {
  const rooms = fakeRooms();
  await using server = await startServer(rooms.options);
  for (const filters of ['{"label":{"a=b":true},"name":{"w":true}}', '{"label":["a=b"],"name":["w"]}']) {
    assert.equal((await get(server, `/containers/json?filters=${encodeURIComponent(filters)}`)).status, 200);
  }
  const given = rooms.calls.filter(({ name }) => name === "list").map((call) => call.given[0]);
  assert.deepEqual(given[0], { all: false, filters: { label: ["a=b"], name: ["w"] } });
  assert.deepEqual(given[1], given[0]);
});

test("containers: the list and inspect have Docker's shapes", async () => {
  await using server = await startServer(fakeRooms().options);
  const [entry] = JSON.parse((await get(server, "/containers/json?all=1")).body);
  assert.deepEqual(entry.Names, ["/web"]);
  assert.equal(entry.State, "running");
  assert.match(entry.Status, /^Up \d seconds$/);
  assert.equal(entry.Command, "sh -c 'echo hello'");
  assert.deepEqual(entry.Ports, [
    { PrivatePort: 80, Type: "tcp" },
    { IP: "0.0.0.0", PrivatePort: 8080, PublicPort: 49_153, Type: "tcp" },
    { IP: "::", PrivatePort: 8080, PublicPort: 49_153, Type: "tcp" },
  ]);
  const inspect = JSON.parse((await get(server, "/containers/%2Fweb/json?size=1")).body);
  assert.equal(inspect.Id, fakeContainerId);
  assert.equal(inspect.Name, "/web");
  assert.equal(inspect.NetworkSettings.Ports["80/tcp"], null);
  assert.deepEqual(inspect.NetworkSettings.Ports["8080/tcp"], [
    { HostIp: "0.0.0.0", HostPort: "49153" },
    { HostIp: "::", HostPort: "49153" },
  ]);
  assert.equal(inspect.NetworkSettings.Networks.bridge.IPAddress, "172.17.0.2");
  assert.equal(inspect.NetworkSettings.IPAddress, "172.17.0.2");
  assert.equal(inspect.State.FinishedAt, "0001-01-01T00:00:00Z");
  assert.equal("Health" in inspect.State, false);
  assert.equal(inspect.HostConfig.Binds, null);
  assert.equal(inspect.HostConfig.NetworkMode, "bridge");
  assert.equal(inspect.SizeRw, 10);
  assert.equal("KernelMemory" in inspect.HostConfig, false);
  const old = JSON.parse((await get(server, "/v1.40/containers/web/json")).body);
  assert.equal(old.HostConfig.KernelMemory, 0);
});

test("containers: create answers 201 with warnings as a list, and passes its name and body", async () => {
  const rooms = fakeRooms();
  await using server = await startServer(rooms.options);
  const answer = await post(server, "/v1.51/containers/create?name=/box", '{"Image":"busybox","Cmd":"true"}');
  assert.equal(answer.status, 201);
  assert.deepEqual(JSON.parse(answer.body), { Id: fakeContainerId, Warnings: [] });
  const spec = rooms.calls.find(({ name }) => name === "create")?.given[0] as Record<string, unknown>;
  assert.equal(spec["name"], "box");
  assert.deepEqual(spec["command"], ["true"]);
});

test("containers: start refuses a body, stop passes t=-1 and the signal from 1.42 on", async () => {
  const rooms = fakeRooms();
  await using server = await startServer(rooms.options);
  assert.equal((await post(server, "/containers/web/start", '{"HostConfig":{}}')).status, 400);
  assert.equal((await post(server, "/containers/web/start", "{}")).status, 204);
  assert.equal((await post(server, "/containers/web/stop?t=-1&signal=INT")).status, 204);
  assert.equal((await post(server, "/v1.41/containers/web/stop?t=0&signal=INT")).status, 204);
  assert.equal((await post(server, "/containers/web/stop?t=soon")).status, 400);
  const stops = rooms.calls.filter(({ name }) => name === "stop").map((call) => call.given);
  assert.deepEqual(stops, [
    ["web", { signal: "INT", timeoutSeconds: -1 }],
    ["web", { timeoutSeconds: 0 }],
  ]);
});

test("images: names with slashes find their routes; nothing is HTML-escaped", async () => {
  await using server = await startServer(fakeRooms().options);
  assert.equal(JSON.parse((await get(server, "/images/busybox:latest/json")).body).Id, fakeImageId);
  const missing = await get(server, "/v1.51/images/localhost:5000/team/app:1/json");
  assert.equal(missing.status, 404);
  assert.equal(JSON.parse(missing.body).message, "No such image: localhost:5000/team/app:1");
  const history = (await get(server, "/images/busybox/history")).body;
  assert.match(history, /"<missing>"/);
  assert.match(history, /ADD x & y/);
});

test("images: a push reads name, tag, platform and credentials; its result is a line with aux", async () => {
  const given: unknown[] = [];
  const digest = digestOf("manifest");
  const rooms = fakeRooms({
    images: {
      push: async function* push(request) {
        given.push(request);
        yield { status: "The push refers to repository [host:5000/a/b]" };
        yield { pushed: { tag: "1", digest, sizeBytes: 7 } };
        throw new Fault("unauthorized", "denied: not yours");
      },
    },
  });
  await using server = await startServer(rooms.options);
  const auth = `X-Registry-Auth: ${Buffer.from('{"username":"me","password":"p"}').toString("base64url")}\r\n`;
  const answer = await server.exchange(
    `POST /v1.51/images/host:5000/a/b/push?tag=1&platform=%7B%22os%22:%22linux%22,%22architecture%22:%22arm64%22%7D HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${auth}\r\n`,
  );
  assert.match(answer, /^HTTP\/1\.1 200 /);
  assert.ok(answer.includes(`{"progressDetail":{},"aux":{"Tag":"1","Digest":"${digest}","Size":7}}\r\n`), answer);
  assert.ok(answer.includes('{"errorDetail":{"message":"denied: not yours"},"error":"denied: not yours"}\r\n'), answer);
  const name = { domain: "host:5000", path: "a/b" };
  assert.deepEqual(given, [
    {
      reference: { ...name, tag: "1" },
      platform: { os: "linux", architecture: "arm64" },
      auth: { username: "me", password: "p" },
    },
  ]);
  await post(server, "/v1.40/images/host:5000/a/b/push?platform=linux/arm64");
  await post(server, "/images/host:5000/a/b:2/push");
  assert.deepEqual(given.slice(1), [{ reference: name, allTags: true }, { reference: { ...name, tag: "2" } }]);
});

test("images: a pull that fails before its first line has a status, after it an error line", async () => {
  let lines = 0;
  const rooms = fakeRooms({
    images: {
      pull: async function* pull() {
        if (lines > 0) yield { id: "abc", status: "Downloading", current: 5, total: 10 };
        throw new Fault("notFound", "manifest for x not found");
      },
    },
  });
  await using server = await startServer(rooms.options);
  const early = await post(server, "/images/create?fromImage=x&tag=1");
  assert.equal(early.status, 404);
  assert.deepEqual(JSON.parse(early.body), { message: "manifest for x not found" });
  lines = 1;
  const late = await post(server, "/images/create?fromImage=x:&tag=1");
  assert.equal(late.status, 200);
  const [progress, failure] = late.body
    .trim()
    .split("\r\n")
    .map((line) => JSON.parse(line));
  assert.deepEqual(progress.progressDetail, { current: 5, total: 10 });
  assert.match(progress.progress, /^\[=+> +\] +5B\/10B$/);
  assert.deepEqual(failure, {
    errorDetail: { message: "manifest for x not found" },
    error: "manifest for x not found",
  });
});

test("images: credentials are read from both base64 alphabets, broken ones are ignored", async () => {
  const given: unknown[] = [];
  const rooms = fakeRooms({
    images: {
      pull: async function* pull(request) {
        given.push(request.auth);
        yield { status: "done" };
      },
    },
  });
  await using server = await startServer(rooms.options);
  const document = JSON.stringify({ username: "me", password: "??>>~~ü" });
  for (const encoding of ["base64", "base64url"] as const) {
    const header = `X-Registry-Auth: ${Buffer.from(document).toString(encoding)}\r\n`;
    await server.exchange(`POST /images/create?fromImage=x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n${header}\r\n`);
  }
  await server.exchange(
    "POST /images/create?fromImage=x HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Registry-Auth: e30\r\n\r\n",
  );
  const wanted = { username: "me", password: "??>>~~ü" };
  assert.deepEqual(given, [wanted, wanted, undefined]);
});

test("events: one JSON line each, whole nanoseconds, prefix match of exec actions, shaped by version", async () => {
  await using server = await startServer(fakeRooms().options);
  const filters = encodeURIComponent('{"event":{"exec_create":true}}');
  const answer = await get(server, `/v1.45/events?since=0&until=2&filters=${filters}`);
  assert.match(answer.body, /"timeNano":1700000000123456789[,}]/);
  const event = JSON.parse(answer.body.trim());
  assert.equal(event.status, "exec_create: sh -c ls");
  assert.equal(event.from, "busybox");
  assert.equal(event.scope, "local");
  assert.match(answer.body, /<front>/);
  const all = (version: string) => get(server, `/${version}/events?since=0&until=2`);
  assert.equal((await all("v1.45")).body.trim().split("\n").length, 1);
  assert.equal((await all("v1.51")).body.trim().split("\n").length, 2);
});

test("server: an unexpected failure is 500, is logged, and does not end the daemon", async () => {
  const rooms = fakeRooms({
    containers: {
      kill: () => {
        throw new TypeError("broken");
      },
    },
  });
  await using server = await startServer(rooms.options);
  const answer = await post(server, "/containers/web/kill");
  assert.equal(answer.status, 500);
  assert.deepEqual(rooms.logged, ["broken"]);
  assert.equal((await get(server, "/_ping")).status, 200);
});

test("server: close ends waiting requests and attached streams within a moment", async () => {
  const rooms = fakeRooms();
  await using server = await startServer(rooms.options);
  const waiting = await server.dial();
  waiting.send("POST /containers/web/wait HTTP/1.1\r\nHost: x\r\n\r\n");
  await waiting.until("\r\n\r\n");
  const attached = await server.dial();
  attached.send("POST /containers/web/attach?stream=1&stdout=1 HTTP/1.1\r\nHost: x\r\n\r\n");
  await attached.until("\r\n\r\n");
  const idle = await server.dial();
  const begin = Date.now();
  await server.server.close();
  assert.ok(Date.now() - begin < 3000);
  await Promise.all([waiting.readToEnd(), attached.readToEnd(), idle.readToEnd()]);
  assert.equal(rooms.sessions[0]?.disposed, true);
});

test("server: listening on one bad address leaves none open", async () => {
  const { existsSync } = await import("node:fs");
  const { openServer } = await import("./server.ts");
  const path = `/tmp/slipway-api-${process.pid}.sock`;
  const server = openServer(fakeRooms().options);
  await assert.rejects(server.listen([`unix://${path}`, "tcp://127.0.0.1:2375"]), /without client certificates/);
  assert.equal(existsSync(path), false);
});
