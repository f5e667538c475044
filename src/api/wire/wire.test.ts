import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { isFault } from "#core/fault";
import {
  booleanFilter,
  checkContainerCreate,
  checkExecStart,
  encodeFrame,
  formatFilters,
  formatTime,
  FrameDecoder,
  type FrameStream,
  parseApiVersion,
  parseDuration,
  parseFilters,
  parseJson,
  parseTime,
  toJson,
} from "./wire.ts";

test("FrameDecoder: frames come out as they went in, however the bytes are cut", () => {
  const frame = fc.record({
    stream: fc.constantFrom<FrameStream>("stdin", "stdout", "stderr", "systemerr"),
    bytes: fc.uint8Array({ maxLength: 50 }),
  });
  fc.assert(
    fc.property(fc.array(frame, { maxLength: 8 }), fc.array(fc.integer({ min: 1, max: 20 })), (frames, cuts) => {
      const wire = Buffer.concat(frames.map(({ stream, bytes }) => encodeFrame(stream, bytes)));
      const decoder = new FrameDecoder();
      const found = [];
      let at = 0;
      for (const length of [...cuts, wire.length]) {
        found.push(...decoder.push(wire.subarray(at, at + length)));
        at += length;
      }
      assert.equal(decoder.isAtBoundary, true);
      assert.deepEqual(
        found.map(({ stream, bytes }) => ({ stream, bytes: new Uint8Array(bytes) })),
        frames.map(({ stream, bytes }) => ({ stream, bytes: new Uint8Array(bytes) })),
      );
    }),
  );
});

test("encodeFrame: the header is Docker's eight bytes", () => {
  assert.deepEqual([...encodeFrame("stderr", Buffer.from("abc"))], [2, 0, 0, 0, 0, 0, 0, 3, 97, 98, 99]);
  assert.deepEqual([...encodeFrame("systemerr", Buffer.alloc(0))], [3, 0, 0, 0, 0, 0, 0, 0]);
});

test("FrameDecoder: a type that does not exist is a fault", () => {
  assert.throws(
    () => new FrameDecoder().push(Buffer.from("HTTP/1.1 200 OK")),
    (error) => isFault(error, "invalid"),
  );
});

test("toJson: nothing is escaped for HTML, and large numbers keep their digits", () => {
  assert.equal(toJson({ a: "<missing> & more" }), '{"a":"<missing> & more"}');
  assert.equal(toJson({ timeNano: 1_700_000_000_123_456_789n }), '{"timeNano":1700000000123456789}');
  assert.deepEqual(parseJson('{"timeNano":1700000000123456789,"n":5}'), { timeNano: 1_700_000_000_123_456_789n, n: 5 });
});

test("parseJson: depth is bounded, brackets in strings do not count", () => {
  assert.throws(
    () => parseJson("[".repeat(100_000)),
    (error) => isFault(error, "invalid"),
  );
  assert.deepEqual(parseJson(`["${"[".repeat(100)}\\""]`), [`${"[".repeat(100)}"`]);
});

test("parseFilters: both shapes are the same, and formatFilters writes the newer", () => {
  const wanted = { label: ["a=b", "c"], name: ["x"] };
  const known = ["label", "name"];
  assert.deepEqual(parseFilters('{"label":["a=b","c"],"name":["x"]}', known), wanted);
  assert.deepEqual(parseFilters('{"label":{"a=b":true,"c":true},"name":{"x":true}}', known), wanted);
  assert.deepEqual(parseFilters(formatFilters(wanted), known), wanted);
  assert.deepEqual(parseFilters(undefined, known), {});
  assert.deepEqual(parseFilters("{}", known), {});
});

test("parseFilters: other shapes, other keys and bad JSON are faults", () => {
  for (const text of ["[]", "5", '{"label":5}', '{"label":{"a":5}}', "{", '{"other":["x"]}', '{"__proto__":["x"]}']) {
    assert.throws(
      () => parseFilters(text, ["label"]),
      (error) => isFault(error, "invalid"),
      text,
    );
  }
});

test("booleanFilter: words of truth, and Docker's refusal of others", () => {
  assert.equal(booleanFilter({ dangling: ["1"] }, "dangling"), true);
  assert.equal(booleanFilter({ dangling: ["false"] }, "dangling"), false);
  assert.equal(booleanFilter({}, "dangling"), undefined);
  assert.throws(() => booleanFilter({ dangling: ["maybe"] }, "dangling"), /invalid filter 'dangling=\[maybe\]'/);
});

test("parseTime: seconds, fractions, times of day, durations", () => {
  const now = 1_800_000_000_000_000_000n;
  assert.equal(parseTime("1700000000", now), 1_700_000_000_000_000_000n);
  assert.equal(parseTime("1700000000.5", now), 1_700_000_000_500_000_000n);
  assert.equal(parseTime("1700000000.000000001", now), 1_700_000_000_000_000_001n);
  assert.equal(parseTime("2023-11-14T22:13:20.5Z", now), 1_700_000_000_500_000_000n);
  assert.equal(parseTime("2023-11-15T00:13:20+02:00", now), 1_700_000_000_000_000_000n);
  assert.equal(parseTime("10m", now), now - 600_000_000_000n);
  assert.equal(parseTime("1h30m", now), now - 5_400_000_000_000n);
  assert.equal(parseTime("0", now), undefined);
  assert.equal(parseTime("", now), undefined);
  assert.throws(() => parseTime("soon", now), /invalid timestamp: soon/);
  fc.assert(
    fc.property(fc.bigInt({ min: 1n, max: 2n ** 62n }), (timeNs) =>
      assert.equal(parseTime(formatTime(timeNs), 0n), timeNs),
    ),
  );
});

test("parseDuration: Go's units", () => {
  assert.equal(parseDuration("1.5s"), 1_500_000_000n);
  assert.equal(parseDuration("100ms"), 100_000_000n);
  assert.equal(parseDuration("-2m"), -120_000_000_000n);
  assert.equal(parseDuration("5"), undefined);
});

test("parseApiVersion: versions compare by number", () => {
  assert.equal(parseApiVersion("1.51"), 151);
  assert.ok((parseApiVersion("1.9") ?? 0) < (parseApiVersion("1.24") ?? 0));
  assert.equal(parseApiVersion("1"), undefined);
});

test("checkContainerCreate: names in any case, null as absent, one string as a list, unknown fields ignored", () => {
  const request = checkContainerCreate({
    image: "x",
    Cmd: "true",
    Entrypoint: null,
    HostConfig: { Binds: null, Later: 1 },
  });
  assert.deepEqual(request, { Image: "x", Cmd: ["true"], HostConfig: {} });
});

test("checkContainerCreate: the place of a wrong value is named", () => {
  const refuse = (body: unknown, words: RegExp) => assert.throws(() => checkContainerCreate(body), words);
  refuse(
    { HostConfig: { Memory: "1g" } },
    /invalid JSON: cannot unmarshal string into field HostConfig\.Memory of type int64/,
  );
  refuse({ Env: ["A=b", 5] }, /field Env\[1\] of type string/);
  refuse({ Labels: { a: null } }, /field Labels\[a\] of type string/);
  refuse([], /cannot unmarshal array into the body of type object/);
  refuse(undefined, /config cannot be empty in order to create a container/);
});

test("checkContainerCreate: a label named __proto__ stays a label", () => {
  const request = checkContainerCreate(JSON.parse('{"Image":"x","Labels":{"__proto__":"a"}}'));
  assert.equal(Object.hasOwn(request.Labels ?? {}, "__proto__"), true);
  assert.equal(({} as Record<string, unknown>)["a"], undefined);
});

test("checkContainerCreate: any JSON is either taken or a fault `invalid`", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (body) => {
      try {
        checkContainerCreate(body);
      } catch (error) {
        assert.ok(isFault(error, "invalid"));
      }
    }),
  );
});

test("checkExecStart: no body is an empty one", () => {
  assert.deepEqual(checkExecStart(undefined), {});
});
