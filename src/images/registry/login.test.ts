import assert from "node:assert/strict";
import { test, type TestContext } from "node:test";
import { systemClock } from "#core/clock";
import { type Fault, isFault } from "#core/fault";
import { startFaultyRegistry } from "#fixtures/faulty-registry";
import { startRegistry } from "#fixtures/registry";
import { openRegistryClient, type RegistryClient } from "./client.ts";
import { registryOf } from "./server-address.ts";

const never = new AbortController().signal;
const ann = { username: "ann", password: "right horse" };

function open(context: TestContext, mirrors: readonly string[] = []): RegistryClient {
  const options = { clock: systemClock, insecureRegistries: [], registryMirrors: mirrors, environment: {} };
  const client = openRegistryClient({ ...options, retryDelayMs: 1 });
  context.after(() => client[Symbol.dispose]());
  return client;
}

test("logIn: a registry with users opens to theirs, refuses others in Docker's words", async (context) => {
  await using registry = await startRegistry({ users: { ann: "right horse" } });
  const client = open(context);
  assert.equal(await client.logIn(registry.address, ann, never), undefined);
  for (const auth of [{ username: "ann", password: "wrong" }, {}]) {
    const words = `login attempt to http://${registry.address}/v2/ failed with status: 401 Unauthorized`;
    await assert.rejects(client.logIn(registry.address, auth, never), (error: Fault) => {
      assert.deepEqual([error.kind, error.message], ["unauthorized", words]);
      return true;
    });
  }
});

test("logIn: a token server gives a lasting token, asked anew each time", async (context) => {
  await using registry = await startFaultyRegistry();
  await using tokens = await startFaultyRegistry();
  let refuses = false;
  tokens.trick = (_request, response) => {
    if (refuses) response.writeHead(401).end('{"details":"incorrect username or password"}');
    else response.end(JSON.stringify({ token: "t", refresh_token: "lasting", expires_in: 300 }));
    return true;
  };
  registry.trick = (request, response) => {
    if (request.headers.authorization === "Bearer t") response.end("{}");
    else {
      const realm = `http://${tokens.address}/token`;
      response.writeHead(401, { "www-authenticate": `Bearer realm="${realm}",service="s"` }).end();
    }
    return true;
  };
  const client = open(context);
  assert.equal(await client.logIn(registry.address, ann, never), "lasting");
  const asked = new URL(tokens.requests[0]?.line.split(" ")[1] ?? "", "http://x").searchParams;
  assert.deepEqual(Object.fromEntries(asked), {
    service: "s",
    account: "ann",
    client_id: "slipway",
    offline_token: "true",
  });
  refuses = true;
  await assert.rejects(client.logIn(registry.address, ann, never), (error: Fault) => {
    assert.equal(error.kind, "unauthorized");
    assert.match(error.remedy ?? "", /incorrect username or password/);
    return true;
  });
});

test("logIn: nobody there, or another kind of server, is told apart from a refusal", async (context) => {
  const client = open(context);
  await assert.rejects(client.logIn("127.0.0.1:1", ann, never), (error) => isFault(error, "unavailable"));
  await using page = await startFaultyRegistry();
  page.trick = (_request, response) => Boolean(response.writeHead(404).end());
  await assert.rejects(client.logIn(page.address, ann, never), /failed with status: 404 Not Found/);
});

test("registryOf: addresses as people and config files write them", () => {
  const cases: [string | undefined, string][] = [
    [undefined, "docker.io"],
    ["", "docker.io"],
    ["https://index.docker.io/v1/", "docker.io"],
    ["docker.io", "docker.io"],
    ["localhost:5000", "localhost:5000"],
    ["https://Reg.example/v2/", "reg.example"],
    ["http://reg.example:80", "reg.example:80"],
    ["[::1]:5000", "[::1]:5000"],
  ];
  for (const [text, domain] of cases) assert.equal(registryOf(text), domain);
  for (const text of ["http://", "a b", "user:secret@host", "host:99999"]) {
    assert.throws(
      () => registryOf(text),
      (error) => isFault(error, "invalid"),
      text,
    );
  }
});
