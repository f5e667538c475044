import assert from "node:assert/strict";
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";
import { test } from "node:test";
import { type DaemonRoots, startDaemon, type TestDaemon } from "#fixtures/daemon";
import { makeDisk, mountDisk } from "#fixtures/disks";
import { said } from "#fixtures/expect";
import { mustRun } from "#fixtures/program";

const cuts = Number(process.env["SLIPWAY_POWER_CUTS"] ?? "2");
const files = 300;
const text = (index: number): string => `${index}\n`.repeat(200);

/** An image `many` with so many files at /data. */
async function importMany(daemon: TestDaemon): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), "slipway-power-cut-"));
  try {
    const data = join(folder, "image/data");
    await mkdir(data, { recursive: true });
    for (let index = 0; index < files; index++) await writeFile(join(data, `f${index}`), text(index));
    await mustRun("tar", ["-C", join(folder, "image"), "-cf", join(folder, "image.tar"), "."]);
    await said(daemon, "import", join(folder, "image.tar"), "many");
  } finally {
    await rm(folder, { recursive: true });
  }
}

async function rootsOn(disk: string): Promise<DaemonRoots> {
  const execRoot = await mkdtemp("/run/slipway-test-");
  await chmod(execRoot, 0o711);
  return { dataRoot: join(disk, "data"), execRoot, socket: join(execRoot, "api.sock") };
}

/** Makes volumes and containers one after the other; knows what was asked for and what was answered. */
class Worker {
  readonly begun = new Set<string>();
  readonly done = new Set<string>();
  readonly #daemon: TestDaemon;
  #isPaused = true;
  #round = 0;
  #answered: (name: string) => Promise<void> = async () => {};

  constructor(daemon: TestDaemon) {
    this.#daemon = daemon;
  }

  /** Works until the cut is made, at a random moment of its work. */
  async cutAnywhere(cut: () => Promise<void>): Promise<void> {
    await Promise.all([
      this.#work(),
      sleep(200 + Math.random() * 600)
        .then(cut)
        .finally(() => (this.#isPaused = true)),
    ]);
  }

  /** Works until the cut is made, when something of that kind has just been answered and nothing has happened since. */
  async cutAfter(kind: RegExp, cut: () => Promise<void>): Promise<void> {
    let isMade = false;
    this.#answered = async (name) => {
      if (isMade || !kind.test(name)) return;
      isMade = this.#isPaused = true;
      await cut();
    };
    await this.#work();
  }

  async #work(): Promise<void> {
    this.#isPaused = false;
    await this.#loop(this.#daemon);
  }

  async #loop(daemon: TestDaemon): Promise<void> {
    const step = async (name: string, method: string, path: string, body?: unknown): Promise<void> => {
      this.begun.add(name);
      const answer = await daemon.api(method, path, body);
      assert.ok(answer.status < 300, `${name}: ${answer.text}`);
      this.done.add(name);
      await this.#answered(name);
    };
    for (; !this.#isPaused; this.#round++) {
      const round = this.#round;
      const labels = { round: String(round) };
      const options = round % 4 === 3 ? { size: "16m" } : {};
      await step(`volume v${round}`, "POST", "/volumes/create", {
        Name: `v${round}`,
        Labels: labels,
        DriverOpts: options,
      });
      const made = { Image: "many", Cmd: ["x"], Labels: labels, HostConfig: { Binds: [`f${round}:/data`] } };
      if (round % 4 === 3) made.HostConfig.Binds = [`v${round}:/data`];
      await step(`container c${round}`, "POST", `/containers/create?name=c${round}`, made);
      await step(`container b${round}`, "POST", `/containers/create?name=b${round}`, {
        Image: "busybox",
        Cmd: ["x"],
        Labels: labels,
      });
      if (round % 4 === 2) await step(`no volume v${round}`, "DELETE", `/volumes/v${round}`);
    }
  }
}

/** What one moment of the disk holds. */
async function assertSound(daemon: TestDaemon, done: ReadonlySet<string>, begun: ReadonlySet<string>): Promise<void> {
  const { body } = await daemon.api("GET", "/volumes");
  const volumes = new Map(
    (body.Volumes as { Name: string; Labels: Record<string, string> }[]).map((each) => [each.Name, each]),
  );
  for (const name of done) {
    const [kind = "", subject = ""] = name.split(/ (?=\S+$)/);
    if (kind === "no volume") assert.equal(volumes.get(subject), undefined, `${subject} was removed`);
    else if (kind === "volume" && !begun.has(`no volume ${subject}`)) {
      assert.equal(volumes.get(subject)?.Labels?.["round"], subject.slice(1), `${subject} was answered`);
    } else if (kind === "container") {
      const { status, body: shown } = await daemon.api("GET", `/containers/${subject}/json`);
      assert.equal(status, 200, `${subject} was answered`);
      assert.equal(shown.Config.Labels.round, subject.slice(1));
      for (const folder of [shown.GraphDriver.Data.UpperDir, shown.GraphDriver.Data.WorkDir] as string[])
        assert.deepEqual(await readdir(folder), [], `${subject} has its layer`);
    }
  }
  for (const name of volumes.keys()) {
    if (!name.startsWith("f")) continue;
    const data = join(daemon.roots.dataRoot, "volumes", name, "_data");
    const found = await readdir(data);
    const isAnswered = done.has(`container c${name.slice(1)}`);
    assert.ok(found.length === files || (found.length === 0 && !isAnswered), `${name} has ${found.length} files`);
    for (const file of found) assert.equal(await readFile(join(data, file), "utf8"), text(Number(file.slice(1))), name);
  }
  const bounded = [...done].findLast((name) => /^container c\d*$/.test(name) && Number(name.slice(11)) % 4 === 3);
  if (bounded === undefined) return;
  const use = { Image: "busybox", Cmd: ["sh", "-c", "cat /data/* | wc -lc"], HostConfig: { Binds: [] as string[] } };
  use.HostConfig.Binds = [`v${bounded.slice(11)}:/data`];
  assert.equal((await daemon.api("POST", "/containers/create?name=reads", use)).status, 201);
  const counted = await daemon.docker("start", "-a", "reads");
  const bytes = Array.from({ length: files }, (_, index) => text(index).length).reduce((sum, one) => sum + one, 0);
  assert.match(counted.stdout, new RegExp(`^\\s*${files * 200}\\s+${bytes}\\s*$`), counted.stderr);
}

/**
 * The data root lies on ext4 in a file on xfs, which copies a file at one moment of its life (reflink): what the disk
 * holds then is what a power cut leaves. Not in the copy is what the kernel had yet to write.
 */
test("a power cut while volumes are made, filled and removed and containers are made: what was answered is there and whole, the rest whole or gone", async () => {
  await using outer = await makeDisk("xfs", 2_500_000_000);
  await using disk = await makeDisk("ext4", 1_000_000_000, { folder: outer.path });
  await using daemon = await startDaemon({ busybox: true, roots: await rootsOn(disk.path) });
  await importMany(daemon);
  const worker = new Worker(daemon);
  const image = join(outer.path, "cut.img");
  let done = new Set<string>();
  const cut = async (): Promise<void> => {
    done = new Set(worker.done);
    await mustRun("cp", ["--reflink=always", disk.image, image]);
  };
  const check = async (): Promise<void> => {
    await using left = await mountDisk(image);
    await using again = await startDaemon({ roots: await rootsOn(left.path) });
    await assertSound(again, done, worker.begun);
  };
  for (const kind of [
    /^volume v\d*[012]$/,
    /^container c\d*[012]$/,
    /^container c\d*[37]$/,
    /^container b/,
    /^no volume/,
  ]) {
    await worker.cutAfter(kind, cut);
    await check();
  }
  for (let times = 0; times < cuts; times++) {
    await worker.cutAnywhere(cut);
    await check();
  }
});
