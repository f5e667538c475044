import { once } from "node:events";
import { createServer, type ListenOptions } from "node:net";

/** Listens there only so that nobody else can: who connects is sent away. Rejects when somebody listens there already. */
export async function holdServer(where: ListenOptions): Promise<AsyncDisposable> {
  const server = createServer((connection) => connection.destroy()).on("error", noHarm);
  server.listen(where);
  await once(server, "listening");
  server.unref();
  return {
    [Symbol.asyncDispose]: async () => {
      server.close();
      await once(server, "close");
    },
  };
}

/** A failure of the first bind rejects `once`; what comes later (too many files, an ICMP answer) concerns nobody. */
function noHarm(): void {}
