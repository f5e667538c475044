import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, mkdir, mkdtemp, readFile, rm, stat, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { after, before, test } from "node:test";
import { slipwayProgram, startDaemon, type TestDaemon } from "#fixtures/daemon";
import { busyboxArchive } from "#fixtures/images";
import { startRegistry, type TestRegistry } from "#fixtures/registry";

const ann = { name: "ann", password: "right horse" };
let daemon: TestDaemon;
let registry: TestRegistry;
let folder: string;
let name: string;

before(async () => {
  [daemon, registry, folder] = await Promise.all([
    startDaemon(),
    startRegistry({ users: { [ann.name]: ann.password } }),
    mkdtemp(join(tmpdir(), "slipway-login-")),
  ]);
  await registry.push(await busyboxArchive("oci-gzip"), "private/box:1", ann);
  name = `${registry.address}/private/box:1`;
});
after(async () => {
  await daemon[Symbol.asyncDispose]();
  await registry[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

/** A new DOCKER_CONFIG folder, with that config.json if one is given. */
async function configFolder(config?: unknown): Promise<string> {
  const path = await mkdtemp(join(folder, "config-"));
  if (config !== undefined) await writeFile(join(path, "config.json"), JSON.stringify(config));
  return path;
}

async function authsIn(config: string): Promise<Record<string, unknown>> {
  return (JSON.parse(await readFile(join(config, "config.json"), "utf8")) as { auths: Record<string, unknown> }).auths;
}

const stored = { auth: Buffer.from(`${ann.name}:${ann.password}`).toString("base64") };

for (const client of ["docker", "slipway"] as const) {
  const run = (config: string, input: string, ...args: string[]) => {
    const options = { env: { DOCKER_CONFIG: config }, input };
    return client === "docker" ? daemon.dockerWith(options, ...args) : daemon.slipwayWith(options, ...args);
  };

  test(`${client} login, pull of a private image, logout`, async () => {
    const config = await configFolder({ detachKeys: "ctrl-a", unknown: { kept: true } });
    const refused = await run(config, "", "pull", name);
    assert.notEqual(refused.code, 0);
    const login = await run(config, `${ann.password}\n`, "login", "-u", "ann", "--password-stdin", registry.address);
    assert.equal(login.code, 0, login.stderr);
    assert.match(login.stdout, /^Login Succeeded\n$/);
    assert.match(login.stderr, /WARNING! Your credentials are stored unencrypted in/);
    assert.deepEqual((await authsIn(config))[registry.address], stored);
    const written = JSON.parse(await readFile(join(config, "config.json"), "utf8")) as Record<string, unknown>;
    assert.equal(written["detachKeys"], "ctrl-a");
    if (client === "slipway") assert.deepEqual(written["unknown"], { kept: true });
    const pull = await run(config, "", "pull", "-q", name);
    assert.deepEqual([pull.code, pull.stdout], [0, `${name}\n`], pull.stderr);
    const again = await run(config, "", "login", registry.address);
    assert.equal(again.code, 0, again.stderr);
    assert.match(again.stdout, /^(?:\n)?Login Succeeded\n$/);
    assert.match(again.stderr, /^Authenticating with existing credentials\.\.\./);
    const logout = await run(config, "", "logout", registry.address);
    assert.deepEqual([logout.code, logout.stdout], [0, `Removing login credentials for ${registry.address}\n`]);
    assert.deepEqual((await authsIn(config)) ?? {}, {});
    assert.notEqual((await run(config, "", "pull", name)).code, 0);
    await daemon.docker("rmi", name);
  });

  test(`${client} login: refused in Docker's words, and nothing is stored`, async () => {
    const config = await configFolder({});
    const wrong = await run(config, "wrong", "login", "-u", "ann", "--password-stdin", registry.address);
    assert.equal(wrong.code, 1);
    assert.match(
      wrong.stderr,
      new RegExp(`login attempt to http://${registry.address}/v2/ failed with status: 401 Unauthorized`),
    );
    assert.equal(await readFile(join(config, "config.json"), "utf8"), "{}");
    const cases: [args: string[], words: RegExp][] = [
      [["login", "--password-stdin", registry.address], /the --password-stdin option requires --username to be set/],
      [
        ["login", "-u", "ann", "-p", "x", "--password-stdin", registry.address],
        /conflicting options: cannot specify both --password and --password-stdin/,
      ],
      [["login", registry.address], /Cannot perform an interactive login from a non TTY device/],
      [["login", "-u", "ann", "--password-stdin", "127.0.0.1:1"], /refused/],
    ];
    for (const [args, words] of cases) {
      const { code, stderr } = await run(config, "pw", ...args);
      assert.equal(code, 1, args.join(" "));
      assert.match(stderr, words);
    }
    assert.doesNotMatch(await daemon.log(), /wrong|right horse/);
  });

  test(`${client} login: a credential helper keeps what the config gives it to keep`, async () => {
    const config = await configFolder({ credsStore: "testing" });
    const vault = join(config, "vault");
    const helper = join(config, "bin", "docker-credential-testing");
    await mkdir(join(config, "bin"));
    await writeFile(
      helper,
      `#!/bin/sh
case $1 in
  store) cat > "${vault}";;
  get) cat > /dev/null; if [ -e "${vault}" ]; then cat "${vault}"; else echo 'credentials not found in native keychain'; exit 1; fi;;
  erase) rm -f "${vault}";;
esac
`,
    );
    await chmod(helper, 0o755);
    const path = `${join(config, "bin")}:${process.env["PATH"]}`;
    const options = { env: { DOCKER_CONFIG: config, PATH: path } };
    const go = (input: string, ...args: string[]) =>
      client === "docker"
        ? daemon.dockerWith({ ...options, input }, ...args)
        : daemon.slipwayWith({ ...options, input }, ...args);
    const login = await go(ann.password, "login", "-u", "ann", "--password-stdin", registry.address);
    assert.equal(login.code, 0, login.stderr);
    const kept = JSON.parse(await readFile(vault, "utf8")) as unknown;
    assert.deepEqual(kept, { ServerURL: registry.address, Username: "ann", Secret: ann.password });
    assert.deepEqual((await authsIn(config))[registry.address], {});
    assert.equal((await go("", "pull", "-q", name)).code, 0);
    assert.equal((await go("", "logout", registry.address)).code, 0);
    await assert.rejects(stat(vault), /ENOENT/);
    await daemon.docker("rmi", name);
  });
}

test("slipway login: config.json is made for its owner alone; a link to it stays a link, its mode stays", async () => {
  const config = join(folder, "fresh");
  const login = async () =>
    await daemon.slipwayWith(
      { env: { DOCKER_CONFIG: config }, input: ann.password },
      ...["login", "-u", "ann", "--password-stdin", registry.address],
    );
  assert.equal((await login()).code, 0);
  assert.equal((await stat(config)).mode & 0o777, 0o700);
  assert.equal((await stat(join(config, "config.json"))).mode & 0o777, 0o600);
  const elsewhere = join(folder, "elsewhere.json");
  await writeFile(elsewhere, "{}", { mode: 0o640 });
  await rm(join(config, "config.json"));
  await symlink(elsewhere, join(config, "config.json"));
  assert.equal((await login()).code, 0);
  assert.equal((await stat(elsewhere)).mode & 0o777, 0o640);
  assert.deepEqual((await authsIn(config))[registry.address], stored);
});

test("slipway login on a terminal: asks for name and password, shows no password, gives the terminal back", async () => {
  const config = await configFolder();
  const script = `before=$(stty -g); ${slipwayProgram.join(" ")} login ${registry.address}; echo "code $?"; [ "$(stty -g)" = "$before" ] && echo restored`;
  const env = { ...process.env, DOCKER_CONFIG: config, SLIPWAY_HOST: `unix://${daemon.socket}` };
  const terminal = spawn("script", ["-qec", script, "/dev/null"], { env, stdio: "pipe" });
  const ended = once(terminal, "exit");
  let shown = "";
  terminal.stdout.on("data", (bytes: Buffer) => void (shown += bytes.toString()));
  const until = async (text: string): Promise<void> => {
    for (let tries = 0; !shown.includes(text); tries++) {
      assert.ok(tries < 1000, shown);
      await sleep(10);
    }
  };
  await until("Username: ");
  terminal.stdin.write("ann\n");
  await until("Password: ");
  await sleep(100);
  terminal.stdin.write(`${ann.password}\n`);
  await until("code ");
  await until("restored");
  terminal.stdin.end();
  await ended;
  assert.match(shown, /Login Succeeded\r\ncode 0/);
  assert.doesNotMatch(shown, /right horse/);
  assert.deepEqual((await authsIn(config))[registry.address], stored);
});

test("POST /auth: Docker's answers", async () => {
  const ask = async (body: unknown) => await daemon.api("POST", "/auth", body);
  const right = await ask({ username: "ann", password: ann.password, serveraddress: registry.address });
  assert.deepEqual([right.status, right.body], [200, { Status: "Login Succeeded", IdentityToken: "" }]);
  assert.equal((await ask({ ...stored, serveraddress: registry.address })).status, 200);
  const wrong = await ask({ username: "ann", password: "x", serveraddress: registry.address });
  assert.equal(wrong.status, 401);
  assert.match(wrong.body.message, /^login attempt to http:\/\/.*\/v2\/ failed with status: 401 Unauthorized/);
  assert.equal((await ask({ username: "ann", serveraddress: "a b" })).status, 400);
  assert.equal((await ask({ username: 1 })).status, 400);
});
