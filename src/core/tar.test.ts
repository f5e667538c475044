import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import * as fc from "fast-check";
import { Fault } from "./fault.ts";
import { readTar, usualTarLimits } from "./tar-read.ts";
import { encodeTarHeader, tarEnd, writeTar } from "./tar-write.ts";
import { nameBytes, tarHeader, type TarHeader, utf8Name } from "./tar.ts";

interface Whole {
  readonly header: TarHeader;
  readonly data: Buffer;
}

test("readTar: what writeTar wrote comes back, in pieces of any size", async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(anyEntry(), { maxLength: 6 }),
      fc.integer({ min: 1, max: 3000 }),
      async (entries, pieceBytes) => {
        const archive = await collect(writeTar(iterate(entries)));
        const back = await readAll(pieces(archive, pieceBytes));
        assert.deepEqual(back, entries);
      },
    ),
    { numRuns: 300 },
  );
});

test("readTar: random bytes are refused with a Fault and nothing else", async () => {
  await fc.assert(
    fc.asyncProperty(fc.uint8Array({ maxLength: 4096 }), async (bytes) => {
      await readAll(pieces(Buffer.from(bytes), 700)).catch((error: unknown) =>
        assert.ok(error instanceof Fault, String(error)),
      );
    }),
    { numRuns: 300 },
  );
});

test("readTar: an archive with flipped bytes gives entries or a Fault, never another error", async () => {
  const flips = fc.array(fc.tuple(fc.nat(), fc.nat(255)), { minLength: 1, maxLength: 4 });
  await fc.assert(
    fc.asyncProperty(fc.array(anyEntry(), { minLength: 1, maxLength: 3 }), flips, async (entries, flips) => {
      const archive = await collect(writeTar(iterate(entries)));
      for (const [at, value] of flips) archive[at % archive.length] = value;
      await readAll(pieces(archive, 999)).catch((error: unknown) => assert.ok(error instanceof Fault, String(error)));
    }),
    { numRuns: 300 },
  );
});

test("readTar: every cut of an archive inside an entry is a truncation, one in the padding behind its data is an end", async () => {
  const archive = await collect(
    writeTar(iterate([file("a", Buffer.alloc(700, 1)), file("b".repeat(200), Buffer.alloc(3))])),
  );
  for (let cut = 1; cut < archive.length - 1024; cut += 37) {
    const isBehindFirst = cut >= 512 + 700 && cut <= 512 + 1024;
    const isBehindSecond = cut >= archive.length - 1024 - 512 + 3;
    if (isBehindFirst || isBehindSecond) {
      const entries = await readAll(pieces(archive.subarray(0, cut), 512));
      assert.equal(entries.length, isBehindFirst ? 1 : 2, `cut at ${cut}`);
    } else await assert.rejects(readAll(pieces(archive.subarray(0, cut), 512)), /truncated/, `cut at ${cut}`);
  }
});

test("readTar: reads GNU tar's gnu, pax, ustar and v7 archives", async () => {
  const folder = mkdtempSync(join(tmpdir(), "slipway-tar-"));
  try {
    const long = `${"d".repeat(80)}/${"e".repeat(80)}`;
    execFileSync("sh", ["-c", `mkdir -p ${long} && printf hello > ${long}/f && ln -s ${long} s && ln ${long}/f h`], {
      cwd: folder,
    });
    writeFileSync(Buffer.concat([Buffer.from(folder), Buffer.from([0x2f, 0xff, 0xfe])]), "odd");
    for (const format of ["gnu", "posix", "oldgnu"]) {
      const archive = execFileSync("tar", ["-c", `--format=${format}`, "--sort=name", "."], {
        cwd: folder,
        maxBuffer: 1 << 24,
      });
      const entries = await readAll(pieces(archive, 10240));
      const paths = new Set(entries.map((entry) => entry.header.path));
      assert.ok(paths.has(`./${long}/f`), format);
      assert.ok(paths.has("./\xff\xfe"), format);
      const first = entries.find((entry) => entry.data.toString() === "hello");
      assert.equal(first?.header.type, "file");
      assert.ok(entries.some((entry) => entry.header.type === "symlink" && entry.header.linkPath === long));
      assert.ok(
        entries.some((entry) => entry.header.type === "hardlink" && entry.header.linkPath === first?.header.path),
      );
    }
    const v7 = execFileSync("tar", ["-c", "--format=v7", "--no-recursion", "d".repeat(80)], { cwd: folder });
    assert.deepEqual(
      (await readAll(pieces(v7, 512))).map((entry) => entry.header.type),
      ["directory"],
    );
    const ustar = execFileSync("tar", ["-c", "--format=ustar", `${long}/f`], { cwd: folder });
    assert.deepEqual(
      (await readAll(pieces(ustar, 512))).map((entry) => entry.header.path),
      [`${long}/f`],
    );
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("writeTar: GNU tar lists what we write", async () => {
  const archive = await collect(
    writeTar(
      iterate([
        { header: tarHeader({ type: "directory", path: "d/", mode: 0o1777 }), data: Buffer.alloc(0) },
        file(nameBytes(`d/${"é".repeat(90)}`), Buffer.from("x")),
        {
          header: tarHeader({ type: "file", path: "big-id", uid: 3_000_000_000, mtimeNs: 1_500_000_000n }),
          data: Buffer.alloc(0),
        },
      ]),
    ),
  );
  const listing = execFileSync("tar", ["-tv", "--numeric-owner", "--full-time", "--utc"], {
    input: archive,
    encoding: "utf8",
    env: { ...process.env, LC_ALL: "C.UTF-8" },
  });
  assert.match(listing, /^drwxrwxrwt 0\/0 .* d\/$/m);
  assert.match(listing, /é{90}$/m);
  assert.match(listing, /3000000000\/0 .*1970-01-01 00:00:01.5 big-id$/m);
});

test("readTar: sparse entries, unknown types, endless headers and too many entries are refused", async () => {
  const withFlag = (flag: string): Buffer => {
    const block = encodeTarHeader(tarHeader({ type: "file", path: "x" }));
    block.write(flag, 156, 1, "latin1");
    block.fill(" ", 148, 156);
    block.write(
      `${block
        .reduce((sum, byte) => sum + byte, 0)
        .toString(8)
        .padStart(6, "0")}\0 `,
      148,
      8,
      "latin1",
    );
    return block;
  };
  const kindOf = async (archive: Buffer, limits = usualTarLimits): Promise<string> => {
    try {
      await readAll(pieces(Buffer.concat([archive, tarEnd]), 512), limits);
      return "read";
    } catch (error) {
      assert.ok(error instanceof Fault);
      return error.kind;
    }
  };
  assert.equal(await kindOf(withFlag("S")), "unsupported");
  assert.equal(await kindOf(withFlag("V")), "invalid");
  assert.equal(await kindOf(Buffer.concat(Array.from({ length: 40 }, () => withFlag("x")))), "invalid");
  const three = Buffer.concat(Array.from({ length: 3 }, () => withFlag("0")));
  assert.equal(await kindOf(three, { ...usualTarLimits, entries: 2 }), "tooLarge");
  assert.equal(await kindOf(encodeTarHeader(tarHeader({ type: "file", path: "p".repeat(5000) }))), "tooLarge");
  assert.equal(
    await kindOf(encodeTarHeader(tarHeader({ type: "file", path: "p", pax: new Map([["GNU.sparse.major", "1"]]) }))),
    "unsupported",
  );
});

test("utf8Name: is the inverse of nameBytes", () => {
  assert.equal(utf8Name(nameBytes("naïve/файл")), "naïve/файл");
});

function anyEntry(): fc.Arbitrary<Whole> {
  const name = fc
    .array(fc.integer({ min: 1, max: 255 }), { minLength: 1, maxLength: 300 })
    .map((bytes) => `n${Buffer.from(bytes).toString("latin1")}n`);
  const common = fc.record({
    path: name,
    mode: fc.integer({ min: 0, max: 0o7777 }),
    uid: fc.integer({ min: 0, max: 0xffff_fffe }),
    gid: fc.integer({ min: 0, max: 0xffff_fffe }),
    mtimeNs: fc.bigInt({ min: -(10n ** 19n), max: 10n ** 20n }),
    userName: fc.stringMatching(/^[a-z]{0,50}$/),
    pax: fc
      .option(fc.uint8Array({ minLength: 1, maxLength: 40 }), { nil: undefined })
      .map(
        (value) =>
          new Map<string, string>(
            value === undefined ? [] : [["SCHILY.xattr.user.x", Buffer.from(value).toString("latin1")]],
          ),
      ),
  });
  const kind = fc.oneof(
    fc.record({ type: fc.constant("file" as const), data: fc.uint8Array({ maxLength: 1500 }) }),
    fc.record({ type: fc.constantFrom("symlink" as const, "hardlink" as const), linkPath: name }),
    fc.record({
      type: fc.constantFrom("char" as const, "block" as const),
      major: fc.nat(0xfff),
      minor: fc.nat(0xfffff),
    }),
    fc.record({ type: fc.constantFrom("directory" as const, "fifo" as const) }),
  );
  return fc.tuple(common, kind).map(([common, kind]) => {
    const { data, ...fields } = "data" in kind ? kind : { ...kind, data: new Uint8Array() };
    const linked = { ...common, ...fields };
    return { header: tarHeader({ ...linked, sizeBytes: data.length }), data: Buffer.from(data) };
  });
}

function file(path: string, data: Buffer): Whole {
  return { header: tarHeader({ type: "file", path, sizeBytes: data.length }), data };
}

async function* iterate<Item>(items: readonly Item[]): AsyncGenerator<Item> {
  yield* items;
}

async function* pieces(bytes: Buffer, pieceBytes: number): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += pieceBytes) yield bytes.subarray(at, at + pieceBytes);
}

async function collect(source: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const all: Uint8Array[] = [];
  for await (const piece of source) all.push(piece);
  return Buffer.concat(all);
}

async function readAll(source: AsyncIterable<Uint8Array>, limits = usualTarLimits): Promise<Whole[]> {
  const entries: Whole[] = [];
  for await (const { header, data } of readTar(source, limits)) entries.push({ header, data: await collect(data) });
  return entries;
}
