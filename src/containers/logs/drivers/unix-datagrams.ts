import type { Shim } from "#host";
import type { LogConnection, TargetLine } from "./log-driver.ts";

/** How long the program that sends stays when there is nothing to send: idle containers cost no process. */
const idleMs = 5000;

/**
 * A connection to a datagram socket in the file system, such as /dev/log. Node has none, so the shim sends: it reads
 * messages with their length in front and answers each that was taken with a byte.
 */
export async function openUnixDatagrams(
  { shim, shimPath, path }: { readonly shim: Pick<Shim, "run">; readonly shimPath: string; readonly path: string },
  frame: (line: TargetLine) => Buffer,
  signal: AbortSignal,
): Promise<LogConnection> {
  const program = await shim.run({ argv: [shimPath, "datagrams", path] }, signal);
  const answers = program.stdout[Symbol.asyncIterator]();
  const over = program.ended.then(
    () => {},
    () => {},
  );
  let idle = setTimeout(destroy, idleMs);
  function destroy(): void {
    clearTimeout(idle);
    void Promise.resolve(program[Symbol.asyncDispose]()).catch(() => {});
  }
  return {
    over,
    send: async (lines) => {
      clearTimeout(idle);
      const messages = lines.map(frame);
      await program.write(Buffer.concat(messages.flatMap((message) => [lengthOf(message), message])));
      for (let taken = 0; taken < messages.length;) {
        const answer = await answers.next();
        if (answer.done === true) {
          throw new Error(program.stderr().trim() || `dial unixgram ${path}: the sender ended`);
        }
        taken += answer.value.length;
      }
      idle = setTimeout(destroy, idleMs);
      return "";
    },
    end: async () => {
      destroy();
      await over;
      return true;
    },
    destroy,
  };
}

function lengthOf(message: Buffer): Buffer {
  const head = Buffer.alloc(4);
  head.writeUInt32BE(message.length);
  return head;
}
