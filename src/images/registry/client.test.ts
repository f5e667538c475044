import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import { connect, createServer as createTcpServer } from "node:net";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test, type TestContext } from "node:test";
import { systemClock } from "#core/clock";
import type { Digest } from "#core/digest";
import { Fault, type FaultKind } from "#core/fault";
import { mediaType } from "#core/oci";
import { fail, type FaultyRegistry, startFaultyRegistry } from "#fixtures/faulty-registry";
import { mustRun } from "#fixtures/program";
import { freePort } from "#fixtures/registry";
import type { RegistryAuth } from "../images.ts";
import { openRegistryClient, type RegistryClientOptions } from "./client.ts";
import { readBody } from "./body.ts";
import type { Repository } from "./repository.ts";
import { patience } from "./transport.ts";

const folder = await mkdtemp(join(tmpdir(), "slipway-client-"));
after(() => rm(folder, { recursive: true }));
const never = new AbortController().signal;
const index = { schemaVersion: 2, mediaType: mediaType.ociIndex, manifests: [] };
const alice: RegistryAuth = { username: "alice", password: "pässword" };
const aliceBasic = `Basic ${Buffer.from("alice:pässword").toString("base64")}`;

test("manifest: by tag and by digest over plain loopback HTTP", async (context) => {
  const registry = await faulty(context);
  const { digest } = registry.manifest(index, mediaType.ociIndex, "1");
  const repository = open(context, registry.address);
  assert.equal((await repository.manifest("1", never)).digest, digest);
  assert.equal((await repository.manifest(digest, never)).mediaType, mediaType.ociIndex);
  assert.equal(await repository.digestOf("1", never), digest);
  assert.deepEqual(await repository.tags(never), ["1"]);
});

test("manifest: bytes that are not the digest's are refused", async (context) => {
  const registry = await faulty(context);
  const { digest } = registry.manifest(index, mediaType.ociIndex);
  registry.trick = (_request, response) => Boolean(response.end("{}"));
  await refuses(open(context, registry.address).manifest(digest, never), "internal", /manifest verification failed/);
});

test("manifest: one without end is cut off at 4 MiB", async (context) => {
  const registry = await faulty(context);
  registry.trick = (_request, response) => pour(response);
  await refuses(open(context, registry.address).manifest("1", never), "tooLarge", /larger than 4194304/);
});

test("manifest: 404, 403 and 500 keep the registry's words", async (context) => {
  const registry = await faulty(context);
  const repository = open(context, registry.address);
  await refuses(repository.manifest("none", never), "notFound", /^manifest unknown: manifest unknown$/);
  registry.trick = (_request, response) => (fail(response, 403, "DENIED", "no \u001b[31mway"), true);
  await refuses(repository.manifest("1", never), "unauthorized", /^denied: no {2}\[31mway$|^denied: no \[31mway$/);
  registry.trick = (_request, response) => Boolean(response.writeHead(500).end());
  await refuses(repository.manifest("1", never), "unavailable", /unexpected HTTP status: 500/);
});

test("manifest: 429 says when to come back, and a short wait is waited", async (context) => {
  const registry = await faulty(context);
  registry.manifest(index, mediaType.ociIndex, "1");
  let asked = 0;
  registry.trick = (_request, response) => {
    asked += 1;
    if (asked > 1) return false;
    response.setHeader("retry-after", "0");
    return (fail(response, 429, "TOOMANYREQUESTS", "slow down"), true);
  };
  await open(context, registry.address).manifest("1", never);
  registry.trick = (_request, response) => {
    response.setHeader("retry-after", "120");
    return (fail(response, 429, "TOOMANYREQUESTS", "slow down"), true);
  };
  const fault = await refuses(
    open(context, registry.address).manifest("1", never),
    "unavailable",
    /^toomanyrequests: slow down$/,
  );
  assert.match(fault.remedy ?? "", /in 120 seconds/);
});

test("manifest: a connection that breaks is tried again", async (context) => {
  const registry = await faulty(context);
  registry.manifest(index, mediaType.ociIndex, "1");
  let asked = 0;
  registry.trick = (request) => {
    asked += 1;
    if (asked === 1) request.socket.destroy();
    return asked === 1;
  };
  const plain = open(context, registry.address);
  await plain.manifest("1", never);
  assert.equal(asked, 2);
});

test("session: bearer tokens, by basic authentication at the token server, kept until they expire", async (context) => {
  const [registry, tokens] = [await faulty(context), await tokenServer(context)];
  registry.manifest(index, mediaType.ociIndex, "1");
  registry.trick = bearerOnly(`http://${tokens.address}/token`);
  const client = openClient(context);
  const name = { domain: registry.address, path: "team/app" };
  await client.repository(name, alice).manifest("1", never);
  await client.repository(name, alice).manifest("1", never);
  assert.equal(tokens.asked.length, 1);
  const [first] = tokens.asked;
  assert.equal(first?.authorization, aliceBasic);
  assert.equal(
    first.url.searchParams.get("scope"),
    "repository:team/app:pull",
    "never the scope that the registry wishes",
  );
  assert.equal(first.url.searchParams.get("service"), "test");
  assert.equal(first.url.searchParams.get("account"), "alice");
  await client.repository(name).manifest("1", never);
  assert.equal(tokens.asked[1]?.authorization, undefined, "another's token is not used");
  assert.equal(registry.requests.filter(({ headers }) => headers.authorization?.startsWith("Basic")).length, 0);
});

test("session: a token is fetched anew shortly before it expires", async (context) => {
  const [registry, tokens] = [await faulty(context), await tokenServer(context)];
  registry.manifest(index, mediaType.ociIndex, "1");
  registry.trick = bearerOnly(`http://${tokens.address}/token`);
  let nowSeconds = 1_000_000n;
  const clock = { now: () => nowSeconds * 1_000_000_000n };
  const repository = open(context, registry.address, { auth: alice, clock });
  for (const [laterSeconds, fetched] of [
    [0n, 1],
    [269n, 1],
    [2n, 2],
  ] as const) {
    nowSeconds += laterSeconds;
    await repository.manifest("1", never);
    assert.equal(tokens.asked.length, fetched);
  }
});

test("session: a token that is refused is fetched anew, once", async (context) => {
  const [registry, tokens] = [await faulty(context), await tokenServer(context)];
  registry.manifest(index, mediaType.ociIndex, "1");
  registry.trick = bearerOnly(`http://${tokens.address}/token`);
  const repository = open(context, registry.address, { auth: alice });
  await repository.manifest("1", never);
  tokens.token = "second";
  registry.trick = bearerOnly(`http://${tokens.address}/token`, "Bearer second");
  await repository.manifest("1", never);
  registry.trick = bearerOnly(`http://${tokens.address}/token`, "Bearer never");
  await refuses(repository.manifest("1", never), "unauthorized", /unauthorized/);
  assert.equal(tokens.asked.length, 3);
});

test("session: identity tokens go by POST, registry tokens as they are", async (context) => {
  const [registry, tokens] = [await faulty(context), await tokenServer(context)];
  registry.manifest(index, mediaType.ociIndex, "1");
  registry.trick = bearerOnly(`http://${tokens.address}/token`);
  await open(context, registry.address, { auth: { identityToken: "refresh" } }).manifest("1", never);
  assert.match(tokens.asked[0]?.body ?? "", /grant_type=refresh_token.*refresh_token=refresh/);
  await open(context, registry.address, { auth: { registryToken: "first" } }).manifest("1", never);
  assert.equal(tokens.asked.length, 1);
});

test("session: credentials that the token server refuses say so", async (context) => {
  const [registry, tokens] = [await faulty(context), await tokenServer(context)];
  registry.trick = bearerOnly(`http://${tokens.address}/token`);
  tokens.refuses = true;
  const pulling = open(context, registry.address, { auth: alice }).manifest("1", never);
  const fault = await refuses(pulling, "unauthorized", /incorrect username or password/);
  assert.match(fault.remedy ?? "", /docker login/);
});

test("session: secrets do not go to a token server in the clear because a registry says so", async (context) => {
  const { key, cert } = await certificate("leak");
  const registry = await faulty(context, { key, cert });
  registry.trick = bearerOnly("http://auth.example.test/token");
  const pulling = open(context, registry.address, { auth: alice }).manifest("1", never);
  await refuses(pulling, "forbidden", /unencrypted to http:\/\/auth\.example\.test\/token/);
});

test("session: redirects are followed without the credentials", async (context) => {
  const [registry, other] = [await faulty(context), await faulty(context)];
  const digest = other.blob("the bytes") as Digest;
  registry.trick = (request, response) => {
    if (request.headers.authorization === undefined) return challenge(response, 'Basic realm="x"');
    return redirect(response, `http://${other.address}${request.url}?signature=secret`);
  };
  const blob = await open(context, registry.address, { auth: alice }).blob(digest, 4, never);
  assert.equal((await readBody(blob.body, 100, "it")).toString(), "bytes");
  assert.equal(registry.requests.at(-1)?.headers.authorization, aliceBasic);
  assert.equal(other.requests[0]?.headers.authorization, undefined);
  assert.equal(other.requests[0]?.headers.range, "bytes=4-");
});

test("session: a redirect's target can neither ask for credentials nor speak through our errors", async (context) => {
  const [registry, other] = [await faulty(context), await faulty(context)];
  registry.trick = (_request, response) => redirect(response, `http://${other.address}/inside`);
  other.trick = (_request, response) => challenge(response, 'Basic realm="x"', "secret of the inner network");
  const pulling = open(context, registry.address, { auth: alice }).manifest("1", never);
  await refuses(pulling, "unauthorized", /^unauthorized: authentication required$/);
  assert.ok(other.requests.every(({ headers }) => headers.authorization === undefined));
});

test("session: redirects in circles, to nowhere or out of TLS are refused", async (context) => {
  const { key, cert } = await certificate("downgrade");
  const [circle, secure] = [await faulty(context), await faulty(context, { key, cert })];
  circle.trick = (request, response) => redirect(response, `${request.url}x`);
  await refuses(open(context, circle.address).manifest("1", never), "unavailable", /stopped after 5 redirects/);
  assert.equal(circle.requests.length, 6);
  circle.trick = (_request, response) => redirect(response, "file:///etc/passwd");
  await refuses(open(context, circle.address).manifest("1", never), "unavailable", /no plain web address/);
  secure.trick = (_request, response) => redirect(response, "http://plain.example.test/");
  await refuses(open(context, secure.address).manifest("1", never), "unavailable", /unencrypted http:\/\/plain/);
});

test("transport: certificates that do not hold, each with its words and remedy", async (context) => {
  const own = await faulty(context, await certificate("own"));
  const fault = await refuses(
    (await openVerified(context, own)).manifest("1", never),
    "unavailable",
    /signed by unknown authority/,
  );
  assert.match(fault.remedy ?? "", /certs\.d\/.*insecure-registries/);
  const old = await certificate("old", true);
  await trust("old.slipway.test", old.cert);
  const expired = await openVerified(context, await faulty(context, old), "old.slipway.test");
  await refuses(expired.manifest("1", never), "unavailable", /has expired or is not yet valid/);
  const valid = await certificate("misnamed");
  await trust("misnamed.example.test", valid.cert);
  const misnamed = await openVerified(context, await faulty(context, valid), "misnamed.example.test");
  await refuses(misnamed.manifest("1", never), "unavailable", /valid for other names, not misnamed\.example\.test/);
});

test("transport: a certificate in certs.d is trusted, for its host alone", async (context) => {
  const pair = await certificate("trusted");
  const registry = await faulty(context, pair);
  registry.manifest(index, mediaType.ociIndex, "1");
  await trust("trusted.slipway.test", pair.cert);
  const trusted = await openVerified(context, registry, "trusted.slipway.test");
  assert.ok(await trusted.manifest("1", never));
  const other = await openVerified(context, registry, "other.slipway.test");
  await refuses(other.manifest("1", never), "unavailable", /unknown authority/);
});

test("transport: an insecure registry is spoken to by unverified TLS first", async (context) => {
  const registry = await faulty(context, await certificate("insecure"));
  registry.manifest(index, mediaType.ociIndex, "1");
  assert.ok(await open(context, registry.address).manifest("1", never));
});

test("transport: plain HTTP where TLS is asked for, refused connections, unknown names", async (context) => {
  const registry = await faulty(context);
  const plain = (await openVerified(context, registry)).manifest("1", never);
  const fault = await refuses(plain, "unavailable", /server gave HTTP response to HTTPS client/);
  assert.match(fault.remedy ?? "", /insecure-registries/);
  const port = await freePort();
  await refuses(
    open(context, `127.0.0.1:${port}`).manifest("1", never),
    "unavailable",
    new RegExp(`127.0.0.1:${port}.*connection refused`),
  );
  const unknown = await refuses(
    open(context, "registry.invalid").manifest("1", never),
    "unavailable",
    /lookup registry\.invalid: /,
  );
  assert.match(unknown.remedy ?? "", /HTTPS_PROXY/);
});

test("transport: silence has an end at every stage", async (context) => {
  const silent = await tcp(context, () => {});
  const options = { connectMs: 150, headersMs: 150, takenMs: 150, idleMs: 150, windowMs: 400, floorBytes: 1024 };
  const repository = (address: string) => open(context, address, { patience: options });
  await refuses(repository(silent).manifest("1", never), "unavailable", /i\/o timeout|awaiting response headers/);
  const registry = await faulty(context);
  registry.trick = (_request, response) => response.writeHead(200).write("{");
  await refuses(repository(registry.address).manifest("1", never), "unavailable", /stopped sending/);
  registry.trick = (_request, response) => drip(response);
  await refuses(repository(registry.address).manifest("1", never), "unavailable", /stopped sending/);
});

test("transport: one connection serves many requests", async (context) => {
  const registry = await faulty(context);
  const digest = registry.blob("bytes") as Digest;
  registry.manifest(index, mediaType.ociIndex, "1");
  const sockets = new Set<unknown>();
  registry.trick = (request, response) => {
    sockets.add(request.socket);
    return request.headers.authorization === undefined && challenge(response, 'Basic realm="x"', "please");
  };
  const repository = open(context, registry.address, { auth: alice });
  await repository.manifest("1", never);
  await repository.digestOf("1", never);
  await refuses(repository.manifest("none", never), "notFound", /unknown/);
  const blob = await repository.blob(digest, 0, never);
  assert.equal((await readBody(blob.body, 10, "it")).toString(), "bytes");
  await repository.tags(never);
  assert.equal(sockets.size, 1);
});

test("transport: cancelling ends a request at once", async (context) => {
  const registry = await faulty(context);
  registry.trick = () => true;
  const stop = new AbortController();
  const asking = open(context, registry.address).manifest("1", stop.signal);
  setTimeout(() => stop.abort(), 50);
  await refuses(asking, "cancelled", /context canceled/);
});

test("route: mirrors of docker.io come first, without credentials, and their failures are passed over", async (context) => {
  const [broken, mirror] = [await faulty(context), await faulty(context)];
  mirror.manifest(index, mediaType.ociIndex, "1");
  broken.trick = (_request, response) => challenge(response, 'Basic realm="mirror"');
  const registryMirrors = [`http://${broken.address}`, `http://${mirror.address}`];
  const client = openClient(context, { registryMirrors });
  assert.ok(await client.repository({ domain: "docker.io", path: "library/x" }, alice).manifest("1", never));
  assert.equal(mirror.requests[0]?.line, "GET /v2/library/x/manifests/1");
  assert.ok([...broken.requests, ...mirror.requests].every(({ headers }) => headers.authorization === undefined));
});

test("proxy: TLS goes through a tunnel, and a proxy that fails is named", async (context) => {
  const registry = await faulty(context, await certificate("proxied"));
  registry.manifest(index, mediaType.ociIndex, "1");
  const proxy = await tunnel(context, registry);
  const environment = { HTTPS_PROXY: `http://user:word@${proxy.address}` };
  assert.ok(await open(context, namedHost, { environment, insecureRegistries: [namedHost] }).manifest("1", never));
  assert.deepEqual(proxy.asked, [`${namedHost}:443 Basic ${Buffer.from("user:word").toString("base64")}`]);
  const dead = open(context, namedHost, { environment: { https_proxy: `http://127.0.0.1:${await freePort()}` } });
  await refuses(dead.manifest("1", never), "unavailable", /through the proxy 127\.0\.0\.1:\d+: .*connection refused/);
});

test("proxy: plain HTTP goes through it as a whole", async (context) => {
  const registry = await faulty(context);
  registry.manifest(index, mediaType.ociIndex, "1");
  const options = {
    environment: { HTTP_PROXY: `http://${registry.address}`, HTTPS_PROXY: `127.0.0.1:${await freePort()}` },
    insecureRegistries: [namedHost],
  };
  assert.ok(await open(context, namedHost, options).manifest("1", never));
  assert.equal(registry.requests[0]?.line, `GET http://${namedHost}/v2/team/app/manifests/1`);
});

interface OpenOptions extends Partial<RegistryClientOptions> {
  readonly auth?: RegistryAuth;
}

function openClient(context: TestContext, options: Partial<RegistryClientOptions> = {}) {
  const client = openRegistryClient({
    clock: systemClock,
    insecureRegistries: [],
    registryMirrors: [],
    environment: {},
    certificateFolders: [folder],
    patience,
    retryDelayMs: 5,
    ...options,
  });
  context.after(() => client[Symbol.dispose]());
  return client;
}

function open(context: TestContext, domain: string, { auth, ...options }: OpenOptions = {}): Repository {
  return openClient(context, options).repository({ domain, path: "team/app" }, auth);
}

/** A registry under a name that is not loopback's, so that its TLS is verified: reached through a proxy's tunnel. */
async function openVerified(context: TestContext, registry: FaultyRegistry, host = namedHost): Promise<Repository> {
  const proxy = await tunnel(context, registry);
  return open(context, host, { environment: { HTTPS_PROXY: proxy.address } });
}

const namedHost = "registry.slipway.test";

/** A proxy that tunnels every CONNECT to the registry. */
async function tunnel(context: TestContext, registry: FaultyRegistry): Promise<{ address: string; asked: string[] }> {
  const asked: string[] = [];
  const proxy = createServer((_request, response) => void response.writeHead(405).end());
  proxy.on("connect", (request, client, head) => {
    asked.push(`${request.url} ${request.headers["proxy-authorization"]}`);
    const server = connect(Number(registry.address.split(":")[1]), "127.0.0.1", () => {
      client.write("HTTP/1.1 200 OK\r\n\r\n");
      server.write(head);
      server.pipe(client).pipe(server);
    });
    server.on("error", () => client.destroy());
    client.on("error", () => server.destroy());
    context.after(() => client.destroy());
  });
  proxy.listen(0, "127.0.0.1");
  await once(proxy, "listening");
  context.after(() => (proxy.close(), proxy.closeAllConnections()));
  return { address: `127.0.0.1:${(proxy.address() as { port: number }).port}`, asked };
}

async function faulty(context: TestContext, tls?: { key: string; cert: string }): Promise<FaultyRegistry> {
  const registry = await startFaultyRegistry(tls);
  context.after(() => registry[Symbol.asyncDispose]());
  return registry;
}

async function refuses(work: Promise<unknown>, kind: FaultKind, text: RegExp): Promise<Fault> {
  const error: unknown = await work.then(
    () => new Error("nothing was refused"),
    (error: unknown) => error,
  );
  assert.ok(error instanceof Fault, String(error));
  assert.match(error.message, text);
  assert.equal(error.kind, kind);
  return error;
}

/** A self-signed certificate for 127.0.0.1 and *.slipway.test; from 2020 when expired. */
async function certificate(name: string, isExpired = false): Promise<{ key: string; cert: string }> {
  const place = await mkdtemp(join(folder, `${name}-`));
  const path = (file: string) => join(place, file);
  await writeFile(path("ca.cnf"), authority(place));
  await writeFile(path("index.txt"), "");
  const newKey = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", path("key.pem")];
  await mustRun("openssl", ["req", "-new", ...newKey, "-subj", "/CN=test", "-out", path("request.pem")]);
  const dates = isExpired ? ["-startdate", "20200101000000Z", "-enddate", "20200102000000Z"] : ["-days", "1"];
  const files = ["-config", path("ca.cnf"), "-in", path("request.pem"), "-out", path("cert.pem")];
  const sign = ["-selfsign", "-batch", "-notext", "-rand_serial", "-keyfile", path("key.pem")];
  await mustRun("openssl", ["ca", ...sign, ...files, ...dates]);
  return { key: await readFile(path("key.pem"), "utf8"), cert: await readFile(path("cert.pem"), "utf8") };
}

function authority(place: string): string {
  return `[ca]
default_ca = test
[test]
database = ${place}/index.txt
serial = ${place}/serial
new_certs_dir = ${place}
default_md = sha256
policy = any
x509_extensions = names
[any]
commonName = supplied
[names]
subjectAltName = IP:127.0.0.1,DNS:*.slipway.test
`;
}

async function trust(host: string, cert: string): Promise<void> {
  await mkdir(join(folder, host), { recursive: true });
  await writeFile(join(folder, host, "ca.crt"), cert);
}

function challenge(response: ServerResponse, header: string, body = ""): true {
  response.writeHead(401, { "www-authenticate": header }).end(body);
  return true;
}

function redirect(response: ServerResponse, location: string): true {
  response.writeHead(307, { location }).end();
  return true;
}

function pour(response: ServerResponse): true {
  const piece = Buffer.alloc(65_536, " ");
  const more = (): void => {
    while (response.writable && response.write(piece));
    response.once("drain", more);
  };
  more();
  return true;
}

function drip(response: ServerResponse): true {
  const timer = setInterval(() => response.write(" "), 50);
  response.on("close", () => clearInterval(timer));
  return true;
}

function bearerOnly(realm: string, wanted = "Bearer first") {
  return (request: { headers: { authorization?: string | undefined } }, response: ServerResponse): boolean => {
    if (request.headers.authorization === wanted) return false;
    return challenge(
      response,
      `Bearer realm="${realm}",service="test",scope="repository:other/secret:pull,push,delete"`,
    );
  };
}

interface TokenServer {
  readonly address: string;
  readonly asked: { readonly url: URL; readonly authorization: string | undefined; readonly body: string }[];
  token: string;
  refuses: boolean;
}

async function tokenServer(context: TestContext): Promise<TokenServer> {
  const port = await freePort();
  const state: TokenServer = { address: `127.0.0.1:${port}`, asked: [], token: "first", refuses: false };
  const answer = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const body = (await readBody(request, 10_000, "it")).toString();
    const { authorization } = request.headers;
    state.asked.push({ url: new URL(request.url ?? "", "http://x"), authorization, body });
    if (state.refuses) response.writeHead(401).end('{"details":"incorrect username or password"}');
    else response.end(JSON.stringify({ token: state.token, expires_in: 300 }));
  };
  const server = createServer((request, response) => void answer(request, response));
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  context.after(() => (server.close(), server.closeAllConnections()));
  return state;
}

async function tcp(context: TestContext, onConnection: () => void): Promise<string> {
  const server = createTcpServer({ allowHalfOpen: true }, (socket) => {
    socket.on("error", () => {}).resume();
    context.after(() => socket.destroy());
    onConnection();
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  context.after(() => server.close());
  return `127.0.0.1:${(server.address() as { port: number }).port}`;
}
