// What real clients depend on and engines get wrong; SPECIFICATION.md maps each trap to its test, here or elsewhere.
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Container, LogLine } from "#containers";
import { Fault } from "#core/fault";
import { fakeContainerId, fakeRooms } from "./testing/fake-rooms.ts";
import { parseAnswer, startServer, type TestServer } from "./testing/raw-client.ts";

async function ask(server: TestServer, line: string, body = "", extra = "") {
  const length = body === "" ? "" : `Content-Type: application/json\r\nContent-Length: ${Buffer.byteLength(body)}\r\n`;
  return parseAnswer(
    await server.exchange(`${line} HTTP/1.1\r\nHost: x\r\n${extra}${length}Connection: close\r\n\r\n${body}`),
  );
}

const upgrade = "Connection: Upgrade\r\nUpgrade: tcp\r\n";
const oneLine: LogLine = { stream: "stdout", timeNs: 0n, bytes: Buffer.from("x\n") };

test("stream types: multiplexed for logs, attach and exec only without terminal, from 1.42 on, and (but for logs) upgraded", async () => {
  const typeOf = async (line: string, tty: boolean, upgraded: boolean): Promise<string> => {
    const base = fakeRooms().options.containers.find("web");
    const rooms = fakeRooms(
      {
        containers: {
          logs: async function* logs() {
            yield oneLine;
          },
        },
      },
      { spec: { ...base.spec, tty } },
    );
    await using server = await startServer(rooms.options);
    const client = await server.dial();
    const body = line.includes("/exec/") ? JSON.stringify({ Tty: tty }) : "";
    const length = `Content-Type: application/json\r\nContent-Length: ${body.length}\r\n\r\n${body}`;
    client.send(`${line} HTTP/1.1\r\nHost: x\r\n${upgraded ? upgrade : ""}${length}`);
    return /content-type: application\/vnd\.docker\.([a-z]+)-stream/i.exec(await client.until("\r\n\r\n"))?.[1] ?? "";
  };
  const cases: [path: string, tty: boolean, upgraded: boolean, type: string][] = [];
  for (const version of ["1.41", "1.42"]) {
    const newer = version === "1.42" ? "multiplexed" : "raw";
    for (const upgraded of [true, false]) {
      for (const path of ["containers/web/attach?stream=1&stdout=1", `exec/${"ec".repeat(32)}/start`]) {
        cases.push([`POST /v${version}/${path}`, false, upgraded, upgraded ? newer : "raw"]);
        cases.push([`POST /v${version}/${path}`, true, upgraded, "raw"]);
      }
    }
    cases.push([`GET /v${version}/containers/web/logs?stdout=1`, false, false, newer]);
    cases.push([`GET /v${version}/containers/web/logs?stdout=1`, true, false, "raw"]);
  }
  for (const [line, tty, upgraded, type] of cases) {
    assert.equal(await typeOf(line, tty, upgraded), type, `${line} tty ${tty} upgrade ${upgraded}`);
  }
});

test("systemerr: a failure in the middle of logs is a frame of type 3 that ends the stream, bare text on a terminal", async () => {
  for (const tty of [false, true]) {
    const base = fakeRooms().options.containers.find("web");
    const rooms = fakeRooms(
      {
        containers: {
          logs: async function* logs() {
            yield oneLine;
            throw new Fault("internal", "the log is torn");
          },
        },
      },
      { spec: { ...base.spec, tty } },
    );
    await using server = await startServer(rooms.options);
    const words = "Error grabbing logs: the log is torn\n";
    const { status, body } = await ask(server, "GET /containers/web/logs?stdout=1");
    assert.equal(status, 200);
    const frames = `\x01\0\0\0\0\0\0\x02x\n\x03\0\0\0\0\0\0${String.fromCharCode(words.length)}${words}`;
    assert.equal(body, tty ? `x\n${words}` : frames);
  }
});

test("logs -f: the head is there before the first line", async () => {
  const rooms = fakeRooms({
    containers: {
      logs: async function* logs(_name, _options, signal) {
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        yield oneLine;
      },
    },
  });
  await using server = await startServer(rooms.options);
  const client = await server.dial();
  client.send("GET /containers/web/logs?stdout=1&follow=1 HTTP/1.1\r\nHost: x\r\n\r\n");
  assert.match(await client.until("\r\n\r\n"), /^HTTP\/1\.1 200 OK/);
});

test("a client that goes away is no error of ours", async () => {
  const said: [string, unknown][] = [];
  const ended = Promise.withResolvers<void>();
  const asked = Promise.withResolvers<void>();
  const rooms = fakeRooms({
    images: {
      checkCredentials: async (_auth, signal) => {
        asked.resolve();
        await new Promise((resolve) => signal.addEventListener("abort", resolve));
        throw new Fault("cancelled", "context canceled");
      },
    },
  });
  const log = { ...rooms.options.log };
  log.debug = (message, facts) => {
    said.push([message, facts?.["status"]]);
    if (message === "context canceled") ended.resolve();
  };
  await using server = await startServer({ ...rooms.options, log });
  const client = await server.dial();
  client.send("POST /auth HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\n\r\n{}");
  await asked.promise;
  client.socket.destroy();
  await ended.promise;
  assert.deepEqual(said.at(-1), ["context canceled", 499]);
  assert.deepEqual(rooms.logged, []);
});

test("versions: 1.24 to the newest serve the same routes; no version means the newest", async () => {
  await using server = await startServer(fakeRooms().options);
  for (let minor = 24; minor <= 51; minor++) {
    const [entry] = JSON.parse((await ask(server, `GET /v1.${minor}/containers/json`)).body);
    assert.equal(entry.Id, fakeContainerId);
  }
  const hasVirtualSize = async (prefix: string): Promise<boolean> =>
    "VirtualSize" in JSON.parse((await ask(server, `GET ${prefix}/images/busybox/json`)).body);
  assert.deepEqual(await Promise.all(["", "/v1.51", "/v1.44", "/v1.43"].map(hasVirtualSize)), [
    false,
    false,
    false,
    true,
  ]);
});

test("headers: every kind of answer says what the engine is", async () => {
  const rooms = fakeRooms();
  await using server = await startServer(rooms.options);
  const client = await server.dial();
  client.send(`POST /containers/web/attach?stream=1 HTTP/1.1\r\nHost: x\r\n${upgrade}\r\n`);
  const attached = parseAnswer(await client.until("\r\n\r\n"));
  rooms.sessions[0]?.finish();
  const others = ["GET /info", "GET /nope", "POST /containers/web/start", "GET /events?until=1", "OPTIONS /x"];
  for (const answer of [attached, ...(await Promise.all(others.map((line) => ask(server, line))))]) {
    assert.equal(answer.headers["api-version"], "1.51");
    assert.equal(answer.headers["ostype"], "linux");
    assert.match(answer.headers["server"] ?? "", /^Docker\//);
  }
});

test("info: what testcontainers, kind and the CLI read is there, in its type", async () => {
  await using server = await startServer(fakeRooms().options);
  const info = JSON.parse((await ask(server, "GET /info")).body);
  assert.match(info.ID, /^[0-9a-f-]{36}$/);
  assert.deepEqual(info.DriverStatus, [
    ["Backing Filesystem", "extfs"],
    ["Supports d_type", "true"],
    ["Disk Budget", "off"],
    ["Disk Used", "0.0GB"],
  ]);
  for (const field of ["OperatingSystem", "OSType", "Architecture", "ServerVersion", "Driver", "CgroupVersion", "Name"])
    assert.equal(typeof info[field], "string", field);
  for (const field of ["NCPU", "MemTotal", "Containers", "Images"]) assert.equal(typeof info[field], "number", field);
  assert.ok(info.SecurityOptions.every((option: string) => option.startsWith("name=")));
  assert.deepEqual(info.Labels, []);
});

test("version: Components and the old flat fields", async () => {
  await using server = await startServer(fakeRooms().options);
  const version = JSON.parse((await ask(server, "GET /version")).body);
  assert.deepEqual(Object.keys(version.Components[0].Details).toSorted(), [
    "ApiVersion",
    "Arch",
    "BuildTime",
    "Experimental",
    "GitCommit",
    "GoVersion",
    "KernelVersion",
    "MinAPIVersion",
    "Os",
  ]);
  assert.equal(typeof version.Platform.Name, "string");
  for (const field of [
    "Version",
    "ApiVersion",
    "MinAPIVersion",
    "GitCommit",
    "GoVersion",
    "Os",
    "Arch",
    "KernelVersion",
  ])
    assert.equal(typeof version[field], "string", field);
});

test("shapes by version: annotations in the list, the MAC address of inspect, images before 1.44, old event fields", async () => {
  const base = fakeRooms().options.containers.find("web");
  await using server = await startServer(fakeRooms({}, { spec: { ...base.spec, annotations: { a: "b" } } }).options);
  const json = async (path: string) => JSON.parse((await ask(server, `GET ${path}`)).body);
  assert.deepEqual((await json("/v1.46/containers/json"))[0].HostConfig.Annotations, { a: "b" });
  assert.equal((await json("/v1.45/containers/json"))[0].HostConfig.Annotations, undefined);
  assert.equal((await json("/v1.43/containers/web/json")).Config.MacAddress, "");
  assert.equal("MacAddress" in (await json("/v1.44/containers/web/json")).Config, false);
  assert.equal((await json("/v1.43/images/json"))[0].VirtualSize, 4_260_000);
  assert.equal("VirtualSize" in (await json("/v1.44/images/json"))[0], false);
  for (const version of ["1.24", "1.46", "1.51"]) {
    const lines = (await ask(server, `GET /v${version}/events?since=0&until=2`)).body.trim().split("\n");
    const first = JSON.parse(lines[0] ?? "");
    assert.deepEqual([first.status, first.from], [first.Action, "busybox"]);
    assert.equal(lines.length, version === "1.24" ? 1 : 2, "the creation of images is told from 1.46 on");
  }
});

test("images/create: colons at the end, digests as tags, every tag without one, platform from 1.32, bodies by fromSrc", async () => {
  const rooms = fakeRooms({
    images: {
      pull: async function* pull() {
        yield { status: "done" };
      },
      importArchive: async () => `sha256:${"2".repeat(64)}` as never,
    },
  });
  await using server = await startServer(rooms.options);
  const digest = `sha256:${"a".repeat(64)}`;
  const pulled = async (query: string, prefix = "") => {
    assert.equal((await ask(server, `POST ${prefix}/images/create?${query}`)).status, 200, query);
    return rooms.calls.findLast(({ name }) => name === "pull")?.given[0] as Record<string, unknown>;
  };
  const busybox = { domain: "docker.io", path: "library/busybox" };
  assert.deepEqual(await pulled("fromImage=busybox:&tag=1"), { reference: { ...busybox, tag: "1" } });
  assert.deepEqual(await pulled("fromImage=busybox:1"), { reference: { ...busybox, tag: "1" } });
  assert.deepEqual(await pulled("fromImage=busybox:1&tag=2"), { reference: { ...busybox, tag: "2" } });
  assert.deepEqual(await pulled(`fromImage=busybox&tag=${digest}`), { reference: { ...busybox, digest } });
  assert.deepEqual(await pulled(`fromImage=busybox@${digest}`), { reference: { ...busybox, digest } });
  assert.deepEqual(await pulled("fromImage=busybox"), { reference: busybox, allTags: true });
  const platform = "fromImage=busybox:1&platform=linux/arm64";
  assert.deepEqual((await pulled(platform))["platform"], { os: "linux", architecture: "arm64" });
  assert.equal((await pulled(platform, "/v1.31"))["platform"], undefined);
  const body = "changes=CMD%20a&changes=ENV%20A%3Db&message=m&repo=x&tag=1";
  const imported = await ask(server, `POST /images/create?fromSrc=-&${body}`, "tar");
  assert.match(imported.headers["content-type"] ?? "", /json/);
  const given = rooms.calls.find(({ name }) => name === "importArchive")?.given[1] as Record<string, unknown>;
  assert.deepEqual(given["changes"], ["CMD a", "ENV A=b"]);
  const failed = await ask(server, "POST /images/create");
  assert.equal(failed.status, 400);
});

test("start: a body up to seven bytes is allowed, a longer or a chunked one is not", async () => {
  await using server = await startServer(fakeRooms().options);
  const start = "POST /containers/web/start";
  assert.equal((await ask(server, start)).status, 204);
  assert.equal((await ask(server, start, '{"a":1}')).status, 204);
  assert.equal((await ask(server, start, '{"a":12}')).status, 400);
  const chunked = await server.exchange(
    `${start} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n`,
  );
  assert.equal(parseAnswer(chunked).status, 400);
});

test("filters: unknown ones and bad values are 400 wherever there are filters", async () => {
  await using server = await startServer(fakeRooms().options);
  for (const path of [
    "GET /containers/json",
    "GET /images/json",
    "GET /events",
    "GET /networks",
    "POST /containers/prune",
    "POST /networks/prune",
  ]) {
    for (const filters of ['{"colour":["red"]}', "[]", "{", '{"label":1}']) {
      const answer = await ask(server, `${path}?until=1&filters=${encodeURIComponent(filters)}`);
      assert.equal(answer.status, 400, `${path} ${filters}`);
      assert.equal(typeof JSON.parse(answer.body).message, "string");
    }
  }
});

test("inspect: states in Docker's words, times with nanoseconds, Go's zero time, null and [] where they belong", async () => {
  const states: [Container["state"], word: string, running: boolean][] = [
    [{ status: "created" }, "created", false],
    [{ status: "starting" }, "created", false],
    [{ status: "running", pid: 7, startedNs: 1_700_000_000_123_456_789n }, "running", true],
    [{ status: "paused", pid: 7, startedNs: 1_700_000_000_123_456_789n }, "paused", true],
    [{ status: "removing" }, "removing", false],
    [{ status: "dead" }, "dead", false],
  ] as never;
  for (const [state, word, running] of states) {
    await using server = await startServer(fakeRooms({}, { state }).options);
    const { State, Config, NetworkSettings, HostConfig } = JSON.parse(
      (await ask(server, "GET /containers/web/json")).body,
    );
    assert.deepEqual([State.Status, State.Running, State.Pid], [word, running, running ? 7 : 0]);
    assert.equal(State.StartedAt, running ? "2023-11-14T22:13:20.123456789Z" : "0001-01-01T00:00:00Z");
    assert.equal(State.FinishedAt, "0001-01-01T00:00:00Z");
    assert.equal("Health" in State, false);
    assert.deepEqual([Config.Entrypoint, Config.Volumes, Config.OnBuild], [null, null, null]);
    assert.deepEqual(Object.keys(NetworkSettings.Ports), running ? ["80/tcp", "8080/tcp"] : []);
    assert.ok(HostConfig.MaskedPaths.includes("/proc/kcore"));
    assert.ok(HostConfig.MaskedPaths.includes("/sys/devices/system/cpu/cpu0/thermal_throttle"));
    assert.ok(HostConfig.ReadonlyPaths.includes("/proc/sys"));
  }
});

test("lists: nothing is an empty list, not null", async () => {
  await using server = await startServer(
    fakeRooms({ containers: { list: () => [] }, images: { list: () => [], history: () => [] } }).options,
  );
  for (const path of ["/containers/json", "/images/json", "/images/busybox/history", "/plugins"]) {
    assert.equal((await ask(server, `GET ${path}`)).body, "[]\n", path);
  }
});

test("errors: each kind of failure has its status, and a body of one message", async () => {
  const kinds = [
    ["invalid", 400],
    ["unauthorized", 401],
    ["forbidden", 403],
    ["notFound", 404],
    ["conflict", 409],
    ["internal", 500],
    ["exhausted", 500],
    ["unsupported", 501],
    ["unavailable", 503],
  ] as const;
  for (const [kind, status] of kinds) {
    const rooms = fakeRooms({
      containers: {
        stop: async () => {
          throw new Fault(kind, "the words <here> & there");
        },
      },
    });
    await using server = await startServer(rooms.options);
    const answer = await ask(server, "POST /containers/web/stop");
    assert.equal(answer.status, status);
    assert.equal(answer.body, '{"message":"the words <here> & there"}\n');
  }
});
