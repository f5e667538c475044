import type { BuildMessage, BuildOutput } from "#api/wire";
import type { Output } from "#build";
import { Fault } from "#core/fault";

/** Of a piece of an output, before base64. */
const pieceBytes = 192 * 1024;

/** The outputs that were asked for; what is for the client goes there as `file` messages, which `give` takes one at a time. */
export function readOutputs(
  asked: readonly BuildOutput[] | undefined,
  give: (message: BuildMessage) => Promise<void>,
): Output[] {
  if (asked === undefined) return [{ type: "image", push: false }];
  return asked.flatMap(({ Type, Attrs }, index): Output[] => {
    switch (Type) {
      case "cacheonly":
        return [];
      case "image":
        return [{ type: "image", push: Attrs["push"] === "true" }];
      case "registry":
        return [{ type: "image", push: true }];
      case "oci":
      case "docker":
      case "tar":
      case "local":
        return [{ type: Type, write: async (bytes) => await send(bytes, index, give) }];
      default:
        throw new Fault("invalid", `unknown exporter type: ${Type.slice(0, 100)}`, {
          remedy: "Slipway has image, registry, oci, docker, tar, local and cacheonly.",
        });
    }
  });
}

async function send(
  bytes: AsyncIterable<Uint8Array>,
  index: number,
  give: (message: BuildMessage) => Promise<void>,
): Promise<void> {
  for await (const piece of bytes) {
    for (let at = 0; at < piece.length; at += pieceBytes) {
      const part = piece.subarray(at, at + pieceBytes);
      await give({ Kind: "file", Output: index, Data: Buffer.from(part).toString("base64") });
    }
  }
  await give({ Kind: "fileEnd", Output: index });
}
