import assert from "node:assert/strict";
import { request } from "node:http";
import { mkdtemp, rm } from "node:fs/promises";
import { createServer } from "node:net";
import { once } from "node:events";
import { cpus, tmpdir } from "node:os";
import { join } from "node:path";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { startDaemon, type TestDaemon } from "#fixtures/daemon";
import { refused, said } from "#fixtures/expect";
import { makeTestImage } from "#fixtures/images";
import { type Inventory, settle, takeInventory } from "#fixtures/inventory";
import { freePort } from "#fixtures/registry";

let daemon: TestDaemon;
let folder: string;
let inventory: Inventory;

before(async () => {
  daemon = await startDaemon({ busybox: true });
  folder = await mkdtemp(join(tmpdir(), "slipway-bad-"));
  const archive = join(folder, "bare.tar");
  await makeTestImage(archive, { config: { Cmd: null }, names: ["docker.io/library/bare:latest"] });
  await said(daemon, "load", "-q", "-i", archive);
  await said(daemon, "run", "--rm", "busybox", "true"); // the bridge and the pool are there from now on
});
after(async () => {
  await daemon[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** What containers would leave; slots on the bridge that wait for the next one are none of theirs. */
function traces(): RegExp {
  return new RegExp(`^mount .*(?:${daemon.roots.execRoot}|${daemon.roots.dataRoot})|^cgroup .*${daemon.instance}/`);
}
beforeEach(async () => {
  inventory = await takeInventory(traces());
});
afterEach(async () => {
  assert.equal(await said(daemon, "ps", "-aq"), "", "no container is left");
  assert.deepEqual(await settle(inventory, traces()), []);
});

/** `docker run --rm` that must fail with this code and these words. */
async function runFails(code: number, words: string | RegExp, ...args: readonly string[]): Promise<void> {
  const outcome = await refused(daemon, words, "run", "--rm", ...args);
  assert.equal(outcome.code, code, outcome.stderr);
}

/** Answers in one line: status and message. */
async function answer(method: string, path: string, body?: unknown): Promise<string> {
  const { status, body: document, text } = await daemon.api(method, path, body);
  return `${status} ${document?.message ?? text.trim()}`;
}

test("programs: missing, not executable, none at all; a working directory that is a file", async () => {
  await runFails(127, 'exec: "nothing-here": executable file not found in $PATH', "busybox", "nothing-here");
  await runFails(
    127,
    'exec: "/nothing/here": stat /nothing/here: no such file or directory',
    "busybox",
    "/nothing/here",
  );
  await runFails(126, 'exec: "/etc/passwd": permission denied', "busybox", "/etc/passwd");
  await runFails(126, 'exec: "/etc": is a directory', "busybox", "/etc");
  await runFails(125, "no command specified", "bare");
  await runFails(125, "no command specified", "--entrypoint", "", "busybox");
  await runFails(125, "Cannot mkdir: /etc/passwd is not a directory", "-w", "/etc/passwd", "busybox", "true");
});

test("names, users, hosts: refused in Docker's words", async () => {
  const only = "only [a-zA-Z0-9][a-zA-Z0-9_.-] are allowed";
  await runFails(125, `Invalid container name (a b), ${only}`, "--name", "a b", "busybox");
  await runFails(125, `Invalid container name (-x), ${only}`, "--name=-x", "busybox");
  await runFails(125, "invalid hostname format: a b", "--hostname", "a b", "busybox");
  await runFails(
    125,
    "unable to find user nobodyhere: no matching entries in passwd file",
    ...["-u", "nobodyhere", "busybox", "true"],
  );
  await runFails(125, "unable to find group nogroup: no matching entries in group file", "-u", "0:nogroup", "busybox");
  await runFails(125, "uids and gids must be in range 0-2147483647", "-u", "99999999999", "busybox");
  await runFails(125, "uids and gids must be in range 0-2147483647", "-u=-1", "busybox");
  await runFails(125, "network nowhere not found", "--network", "nowhere", "busybox");
  await runFails(125, "No such container: nowhere", "--network", "container:nowhere", "busybox");
  await runFails(125, "Invalid signal: FOO", "--stop-signal", "FOO", "busybox");
  await said(daemon, "create", "--name", "taken", "busybox");
  await runFails(125, 'The container name "/taken" is already in use by container', "--name", "taken", "busybox");
  await said(daemon, "rm", "taken");
});

test("limits, drivers, runtimes, platforms, capabilities: refused in Docker's words", async () => {
  const count = cpus().length;
  await runFails(125, "Minimum memory limit allowed is 6MB", "-m", "5m", "busybox");
  const range = `range of CPUs is from 0.01 to ${count}.00, as there are only ${count} CPUs available`;
  await runFails(125, range, "--cpus", "9999", "busybox");
  await runFails(125, range, "--cpus", "0.001", "busybox");
  await runFails(125, "unknown or invalid runtime name: nope", "--runtime", "nope", "busybox");
  await runFails(
    125,
    'error looking up logging plugin nope: plugin "nope" not found',
    "--log-driver",
    "nope",
    "busybox",
  );
  await runFails(125, "unknown log opt 'nope' for json-file log driver", "--log-opt", "nope=1", "busybox");
  await runFails(125, 'invalid CapAdd: unknown capability: "CAP_NOPE"', "--cap-add", "NOPE", "busybox");
  await runFails(125, /cannot parse platform specifier|unknown operating system/, "--platform", "a/b/c/d", "busybox");
  assert.match(
    await answer("POST", "/containers/create?platform=linux/s390x", { Image: "busybox" }),
    /^404 image with reference docker\.io\/library\/busybox:latest was found but does not provide the specified platform \(linux\/s390x\)/,
  );
});

test("mounts: bad forms, missing sources, files upon folders", async () => {
  await runFails(125, "invalid mode: zz", "-v", "relative:/x:zz", "busybox");
  await runFails(125, /too many colons|invalid volume specification/, "-v", "/a:/b:rw:ro", "busybox");
  await runFails(
    125,
    'create some/where: "some/where" includes invalid characters for a local volume name',
    ...["-v", "some/where:/x", "busybox"],
  );
  await runFails(
    125,
    "invalid volume specification: '/tmp:rel': invalid mount config for type \"bind\": invalid mount path: 'rel' mount path must be absolute",
    ...["-v", "/tmp:rel", "busybox"],
  );
  const missing = join(folder, "missing");
  await runFails(
    125,
    `invalid mount config for type "bind": bind source path does not exist: ${missing}`,
    ...["--mount", `type=bind,src=${missing},dst=/y`, "busybox"],
  );
  await runFails(125, "field Source must not be empty", "--mount", "type=bind,dst=/y", "busybox");
  await runFails(125, "mount type unknown", "--mount", "type=nope,dst=/y", "busybox");
  const fileOnFolder = "Are you trying to mount a directory onto a file (or vice-versa)?";
  await runFails(125, fileOnFolder, "-v", `${folder}:/etc/passwd`, "busybox", "true");
  await runFails(125, fileOnFolder, "-v", "/etc/passwd:/tmp", "busybox", "true");
});

test("ports: in use by another container, by another program, of an address that is not ours", async () => {
  const port = await freePort();
  await said(daemon, "run", "-d", "--name", "first", "-p", `127.0.0.1:${port}:80`, "busybox", "sleep", "60");
  await runFails(
    125,
    `Bind for 127.0.0.1:${port} failed: port is already allocated`,
    "-p",
    `127.0.0.1:${port}:80`,
    "busybox",
    "true",
  );
  await said(daemon, "rm", "-f", "first");
  const server = createServer().listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const used = typeof address === "object" ? (address?.port ?? 0) : 0;
  try {
    await runFails(
      125,
      new RegExp(`failed to bind host port for 127\\.0\\.0\\.1:${used}:[\\d.]+:80/tcp: address already in use`),
      ...["-p", `127.0.0.1:${used}:80`, "busybox", "true"],
    );
    await runFails(125, "address already in use", "-p", `${used}:80`, "busybox", "true");
  } finally {
    server.close();
  }
  await runFails(125, "cannot assign requested address", "-p", "198.51.100.7:8080:80", "busybox", "true");
  assert.equal(await said(daemon, "run", "--rm", "-p", `127.0.0.1:${used}:80`, "busybox", "echo", "free"), "free");
});

test("stopped and running containers: what they refuse", async () => {
  const id = await said(daemon, "create", "--name", "still", "busybox", "sleep", "60");
  await refused(daemon, `container ${id} is not running`, "exec", "still", "true");
  await refused(daemon, "You cannot attach to a stopped container, start it first", "attach", "still");
  await refused(daemon, `container ${id} is not running`, "kill", "still");
  await refused(daemon, `container ${id} is not running`, "top", "still");
  await said(daemon, "start", "still");
  await refused(daemon, "Invalid signal: FOO", "kill", "-s", "FOO", "still");
  await refused(daemon, "Invalid detach keys (nope) provided", "exec", "--detach-keys", "nope", "still", "true");
  const unknown = await daemon.docker("exec", "-u", "nobodyhere", "still", "true");
  assert.equal(unknown.code, 126);
  assert.match(unknown.stdout, /^unable to find user nobodyhere: no matching entries in passwd file\r?\n$/);
  assert.equal((await daemon.docker("exec", "-w", "/etc/passwd", "still", "true")).code, 126);
  await refused(daemon, "Invalid container name (a b)", "rename", "still", "a b");
  await refused(daemon, "cannot remove container", "rm", "still");
  assert.match(
    await answer("POST", `/containers/${id}/attach?stream=1&stdout=1&detachKeys=nope`),
    /^400 Invalid detach keys \(nope\) provided/,
  );
  await said(daemon, "rm", "-f", "still");
  await refused(daemon, "No such container: still", "exec", "still", "true");
});

test("API: versions, paths, methods", async () => {
  assert.equal(
    await answer("GET", "/v1.99/containers/json"),
    "400 client version 1.99 is too new. Maximum supported API version is 1.51",
  );
  assert.equal(
    await answer("GET", "/v1.12/containers/json"),
    "400 client version 1.12 is too old. Minimum supported API version is 1.24, please upgrade your client to a newer version",
  );
  for (const [method, path] of [
    ["GET", "/nope"],
    ["GET", "/v1.51/nope"],
    ["GET", "/vx/info"],
    ["PUT", "/images/json"],
    ["PATCH", "/containers/create"],
  ] as const)
    assert.equal(await answer(method, path), "404 page not found", path);
  assert.equal((await daemon.api("OPTIONS", "/containers/json")).status, 200);
});

test("API: bodies and parameters that make no sense", async () => {
  const create = "/containers/create";
  const cases: [unknown, RegExp][] = [
    [{}, /^400 no image specified$/],
    [null, /^400 config cannot be empty in order to create a container$/],
    [[], /^400 invalid JSON: /],
    [{ Image: 5 }, /^400 invalid JSON: .*Image/],
    [{ Image: "busybox", Cmd: { a: 1 } }, /^400 invalid JSON: .*Cmd/],
    [{ Image: "busybox", Labels: { a: 5 } }, /^400 invalid JSON: .*Labels/],
    [{ Image: "busybox", Env: ["=x"] }, /^400 invalid environment variable: =x$/],
    [{ Image: "busybox", Env: ["A=a\0b"] }, /^400 .*NUL/],
    [
      { Image: "busybox", WorkingDir: "rel" },
      /^400 the working directory 'rel' is invalid, it needs to be an absolute path$/,
    ],
    [{ Image: "nothing-here" }, /^404 No such image: nothing-here:latest$/],
    [{ Image: "UPPER" }, /^400 invalid reference format/],
  ];
  for (const [body, words] of cases) assert.match(await answer("POST", create, body), words);
  assert.match(await post(create, "{bad", "application/json"), /^400 invalid JSON: /);
  assert.match(await post(create, '{"Image":"busybox"} more', "application/json"), /^400 invalid JSON: /);
  assert.match(await post(create, "{}", "text/plain"), /^400 unsupported Content-Type header \(text\/plain\)/);
  assert.match(await answer("GET", "/containers/json?filters=%7Bbad"), /^400 invalid filter/);
  assert.equal(
    await answer("GET", `/containers/json?filters=${encodeURIComponent('{"nope":["x"]}')}`),
    "400 invalid filter 'nope'",
  );
  assert.match(await answer("GET", "/containers/json?limit=abc"), /^400 /);
  const ignored = await daemon.api("POST", create, { Image: "busybox", NoSuchField: 1 });
  assert.equal(ignored.status, 201, "unknown fields are passed over, as Docker does");
  assert.equal((await daemon.api("DELETE", `/containers/${ignored.body.Id}`)).status, 204);
});

test("API: a body that is too large ends early with 413, and the daemon goes on", async () => {
  const head = '{"Image":"';
  const body = Buffer.alloc(8 * 1024 * 1024, "a");
  body.write(head);
  assert.match(
    await post("/containers/create", body, "application/json"),
    /^413 request body is larger than \d+ bytes/,
  );
  assert.equal((await daemon.api("GET", "/_ping")).status, 200);
});

/** Posts these very bytes; answers status and message. */
async function post(path: string, body: string | Buffer, type: string): Promise<string> {
  return await new Promise((resolve, reject) => {
    const headers = { "Content-Type": type, "Content-Length": Buffer.byteLength(body) };
    const asking = request({ socketPath: daemon.socket, path, method: "POST", headers, agent: false }, (incoming) => {
      let text = "";
      incoming.setEncoding("utf8").on("data", (piece: string) => (text += piece));
      incoming.on("end", () => resolve(`${incoming.statusCode} ${JSON.parse(text).message}`));
    });
    asking.on("error", reject);
    asking.end(body);
  });
}
