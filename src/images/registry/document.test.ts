import assert from "node:assert/strict";
import { test } from "node:test";
import * as fc from "fast-check";
import { digestOf } from "#core/digest";
import { Fault } from "#core/fault";
import { mediaType } from "#core/oci";
import { parseConfig, parseDocument } from "./document.ts";

const config = { mediaType: mediaType.ociConfig, digest: digestOf("config"), size: 6 };
const layer = { mediaType: mediaType.ociLayerGzip, digest: digestOf("layer"), size: 5 };
const bytesOf = (document: unknown) => Buffer.from(JSON.stringify(document));
const refuses = (document: unknown, kind: string, text: RegExp, given = mediaType.ociManifest as string) =>
  assert.throws(
    () => parseDocument(bytesOf(document), given),
    (error) => error instanceof Fault && error.kind === kind && text.test(error.message),
  );

test("parseDocument: believes the document more than its envelope", () => {
  const image = { schemaVersion: 2, mediaType: mediaType.ociManifest, config, layers: [layer] };
  assert.equal(parseDocument(bytesOf(image), mediaType.ociIndex).kind, "manifest");
  const index = { schemaVersion: 2, manifests: [] };
  assert.equal(parseDocument(bytesOf(index), "text/plain").kind, "index");
});

test("parseDocument: refuses what it cannot mean or do", () => {
  refuses({ schemaVersion: 2, manifests: [], layers: [], config }, "invalid", /ambiguous/);
  refuses({ schemaVersion: 1, fsLayers: [] }, "unsupported", /schema 1/);
  refuses(
    { schemaVersion: 2, config: { ...config, mediaType: "application/vnd.cncf.helm.config.v1+json" }, layers: [] },
    "unsupported",
    /helm/,
  );
  refuses(
    { config, layers: [{ ...layer, mediaType: "application/vnd.docker.image.rootfs.foreign.diff.tar.gzip" }] },
    "unsupported",
    /foreign/,
  );
  refuses(
    { config, layers: [{ ...layer, mediaType: `${mediaType.ociLayerGzip}+encrypted` }] },
    "unsupported",
    /media type/,
  );
  refuses({ config, layers: [{ ...layer, size: -1 }] }, "invalid", /size/);
  refuses({ config, layers: [{ ...layer, size: 2 ** 60 }] }, "invalid", /size/);
  refuses({ config, layers: [{ ...layer, digest: "sha256:../../etc" }] }, "invalid", /digest/);
  refuses({ config, layers: "many" }, "invalid", /no list/);
  refuses({ hello: 1 }, "unsupported", /media type/, "text/html");
  refuses([], "invalid", /object/);
});

test("parseConfig: refuses a config that does not fit the layers", () => {
  const manifest = { schemaVersion: 2, config, layers: [layer] } as const;
  const parse = (diffIds: unknown) =>
    parseConfig(bytesOf({ os: "linux", rootfs: { type: "layers", diff_ids: diffIds } }), manifest);
  assert.equal(parse([digestOf("tar")]).rootfs.diff_ids.length, 1);
  assert.throws(() => parse([]), /mismatched layers/);
  assert.throws(() => parse(["nonsense"]), /layer digests/);
  assert.throws(() => parseConfig(bytesOf({}), manifest), /layer digests/);
});

test("parseDocument: fails with nothing but Faults", () => {
  const document = fc.record(
    {
      schemaVersion: fc.constantFrom(1, 2, "2"),
      mediaType: fc.oneof(fc.constantFrom(...Object.values(mediaType)), fc.anything()),
      config: fc.oneof(fc.constant(config), fc.anything()),
      layers: fc.oneof(fc.array(fc.oneof(fc.constant(layer), fc.anything())), fc.anything()),
      manifests: fc.array(fc.anything()),
    },
    { requiredKeys: [] },
  );
  fc.assert(
    fc.property(document, (value) => {
      try {
        const text = JSON.stringify(value, (_key, inner: unknown) =>
          typeof inner === "bigint" ? String(inner) : inner,
        );
        return ["manifest", "index"].includes(parseDocument(Buffer.from(text), "").kind);
      } catch (error) {
        return error instanceof Fault;
      }
    }),
  );
});
