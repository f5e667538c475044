import assert from "node:assert/strict";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { after, before, describe, test } from "node:test";
import { slipwayProgram, startDaemon, type TestDaemon } from "#fixtures/daemon";
import { dockerFlags, dockerProgram } from "#fixtures/docker";
import { said } from "#fixtures/expect";
import { shows, startOnTerminal } from "#fixtures/live-program";
import type { Outcome, ProgramOptions } from "#fixtures/program";

/** `exec` with these arguments in the container `inside` must print, say and end so. */
interface Row {
  readonly args: readonly string[];
  readonly input?: string;
  readonly prints?: string | RegExp;
  /** Whatever of the two streams it comes by. */
  readonly says?: RegExp;
  readonly code?: number;
}

let daemon: TestDaemon;
const folder = await mkdtemp(join(tmpdir(), "slipway-exec-"));
before(async () => {
  daemon = await startDaemon({ busybox: true });
  await writeFile(join(folder, "env"), "# comment\nFROM_FILE=a b\nPASSED\n");
  const options = ["-e", "BASE=b", "-w", "/tmp", "-u", "app", "--cap-drop", "ALL", "--ulimit", "nofile=99:99"];
  await said(daemon, "run", "-d", "--name", "inside", ...options, "busybox", "sleep", "600");
});
after(async () => {
  await daemon[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

const ownCapabilities = /^CapEff:\s+(\S+)$/m.exec(await readFile("/proc/self/status", "utf8"))?.[1] ?? "";

const rows: Readonly<Record<string, readonly Row[]>> = {
  detach: [{ args: ["-d", "inside", "sleep", "300"], prints: "" }],
  // An engine that does not take them; that they work needs a terminal: below.
  "detach-keys": [
    { args: ["--detach-keys", "nope", "inside", "true"], code: 1, says: /Invalid detach keys \(nope\) provided/ },
  ],
  env: [{ args: ["-e", "X=1", "-e", "BASE=c", "inside", "sh", "-c", "echo $X $BASE"], prints: "1 c" }],
  "env-file": [
    {
      args: ["--env-file", join(folder, "env"), "inside", "sh", "-c", "echo $FROM_FILE $PASSED $BASE"],
      prints: "a b through b",
    },
  ],
  interactive: [
    { args: ["-i", "inside", "cat"], input: "typed\n", prints: "typed" },
    { args: ["inside", "cat"], input: "not for it\n", prints: "" },
  ],
  privileged: [
    {
      args: ["--privileged", "-u", "0", "inside", "grep", "CapEff", "/proc/self/status"],
      prints: `CapEff:\t${ownCapabilities}`,
    },
    { args: ["-u", "0", "inside", "grep", "CapEff", "/proc/self/status"], prints: /^CapEff:\t0+$/ },
  ],
  tty: [
    { args: ["-t", "inside", "sh", "-c", "test -t 0 && test -t 1 && echo terminal $TERM"], prints: "terminal xterm" },
    { args: ["inside", "sh", "-c", "test -t 1 || echo none"], prints: "none" },
  ],
  user: [
    { args: ["inside", "sh", "-c", "id -u; id -g"], prints: "1000\n1000" },
    { args: ["-u", "0:staff", "inside", "sh", "-c", "id -u; id -g"], prints: "0\n50" },
    { args: ["-u", "1234", "inside", "id", "-u"], prints: "1234" },
    {
      args: ["-u", "nobodyhere", "inside", "true"],
      code: 126,
      says: /unable to find user nobodyhere: no matching entries in passwd file/,
    },
  ],
  workdir: [
    { args: ["inside", "pwd"], prints: "/tmp" },
    { args: ["-w", "/etc", "inside", "pwd"], prints: "/etc" },
    { args: ["-w", "rel", "inside", "pwd"], code: 127, says: /chdir.*rel/ },
    { args: ["-w", "/not/there", "inside", "pwd"], code: 127, says: /chdir.*\/not\/there.*no such file or directory/ },
  ],
};

const others: readonly Row[] = [
  { args: ["inside", "sh", "-c", "echo out; echo err >&2; exit 3"], code: 3, prints: "out", says: /^err$/m },
  { args: ["inside", "sh", "-c", "kill -9 $$"], code: 137 },
  { args: ["inside", "sh", "-c", "ulimit -n"], prints: "99" },
  { args: ["inside", "nothing-here"], code: 127, says: /exec: "nothing-here": executable file not found in \$PATH/ },
  { args: ["inside", "/etc/passwd"], code: 126, says: /exec: "\/etc\/passwd": permission denied/ },
  { args: ["nobody-here", "true"], code: 1, says: /No such container: nobody-here/ },
];

/** The docker CLI and our own, against the same engine. */
const clients: Readonly<Record<string, (options: ProgramOptions, ...args: readonly string[]) => Promise<Outcome>>> = {
  docker: async (options, ...args) => await daemon.dockerWith(options, ...args),
  slipway: async (options, ...args) => await daemon.slipwayWith(options, ...args),
};

test("every flag of docker exec has a row here", async () => {
  const flags = await dockerFlags("exec");
  assert.equal(flags.length, 9, flags.join(" "));
  assert.deepEqual(
    flags.filter((flag) => rows[flag] === undefined),
    [],
  );
});

for (const [name, client] of Object.entries(clients)) {
  describe(`${name} exec`, { concurrency: 2 }, () => {
    for (const { args, input, prints, says, code = 0 } of [...Object.values(rows).flat(), ...others]) {
      test(args.join(" ").replaceAll(folder, "…"), async () => {
        const outcome = await client(
          { env: { PASSED: "through" }, ...(input !== undefined && { input }) },
          "exec",
          ...args,
        );
        assert.equal(outcome.code, code, outcome.stderr + outcome.stdout);
        if (says !== undefined) assert.match(outcome.stderr + outcome.stdout, says);
        const text = outcome.stdout.trim().replaceAll("\r\n", "\n");
        if (typeof prints === "string") assert.equal(text, prints);
        else if (prints !== undefined) assert.match(text, prints);
      });
    }
  });

  test(`${name} exec --detach-keys: leave the program running; -d lets it run alone`, async () => {
    const program = name === "docker" ? await dockerProgram() : slipwayProgram.join(" ");
    const env = { DOCKER_HOST: `unix://${daemon.socket}`, SLIPWAY_HOST: `unix://${daemon.socket}` };
    const mark = `left-by-${name}`;
    const terminal = startOnTerminal(
      `${program} exec -it --detach-keys ctrl-a,d inside sh -c 'echo up; cat; : ${mark}'; echo "code $?"`,
      env,
    );
    await shows(terminal, /up/);
    const end = shows(terminal, /code \d+/);
    terminal.stdin.write("\u0001d");
    await end;
    assert.match(await said(daemon, "top", "inside", "-o", "pid,args"), new RegExp(mark));
    const { ExecIDs: ids } = (await daemon.api("GET", "/containers/inside/json")).body;
    const states = await Promise.all(ids.map(async (id: string) => (await daemon.api("GET", `/exec/${id}/json`)).body));
    const left = states.find(({ ProcessConfig }) => JSON.stringify(ProcessConfig).includes(mark));
    assert.equal(left?.Running, true);

    await client({}, "exec", "-d", "inside", "sh", "-c", `sleep 0.2; echo done > /tmp/${mark}`);
    for (let tries = 0; (await daemon.docker("exec", "inside", "cat", `/tmp/${mark}`)).stdout !== "done\n"; tries++) {
      assert.ok(tries < 100, "the detached program did not end its work");
      await sleep(50);
    }
  });
}

test("exec: paused, stopped and removed containers are named", async () => {
  await said(daemon, "run", "-d", "--name", "still", "busybox", "sleep", "600");
  await said(daemon, "pause", "still");
  const says = async (words: RegExp): Promise<void> => {
    for (const client of Object.values(clients))
      assert.match((await client({}, "exec", "still", "true")).stderr, words);
  };
  await says(/is paused, unpause the container before exec/);
  await said(daemon, "kill", "still");
  await said(daemon, "wait", "still");
  await says(/container [0-9a-f]{64} is not running/);
  await said(daemon, "rm", "still");
  await says(/No such container: still/);
});
