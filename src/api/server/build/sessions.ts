import { rm } from "node:fs/promises";
import type { BuildSessionRequest } from "#api/wire";
import { Fault } from "#core/fault";
import { newId } from "#core/ids";
import type { RequestBody } from "../http/request-body.ts";
import { AgentRelay } from "./agent-relay.ts";

const mostSecretBytes = 500 * 1024;
const mostAgents = 16;
const mostContexts = 64;
/** Of those that no build has taken. */
const mostWaiting = 64;
const lifeMs = 5 * 60_000;
const contextPatienceMs = 60_000;

/** What a client has laid down for its build beside the request: secrets, agents, a Dockerfile, folders as archives. */
export class BuildSession implements AsyncDisposable {
  readonly secrets: ReadonlyMap<string, Uint8Array>;
  readonly dockerfile: string | undefined;
  readonly #agents: ReadonlyMap<string, AgentRelay>;
  /** Bounded by `mostContexts`. */
  readonly #contexts = new Map<string, PromiseWithResolvers<SentContext>>();
  readonly #over = Promise.withResolvers<void>();
  isTaken = false;

  private constructor(
    secrets: ReadonlyMap<string, Uint8Array>,
    agents: ReadonlyMap<string, AgentRelay>,
    dockerfile: string | undefined,
  ) {
    this.secrets = secrets;
    this.#agents = agents;
    this.dockerfile = dockerfile;
  }

  /** Faults: `invalid`, `tooLarge`. */
  static async open(request: BuildSessionRequest, agentFolder: string): Promise<BuildSession> {
    const secrets = new Map(Object.entries(request.Secrets ?? {}).map(([id, text]) => [id, secretBytes(id, text)]));
    const ids = new Set(request.Agents ?? []);
    if (ids.size > mostAgents) throw new Fault("tooLarge", `a build has at most ${mostAgents} SSH agents`);
    await using undo = new AsyncDisposableStack();
    const agents = new Map<string, AgentRelay>();
    for (const id of ids) agents.set(id, undo.use(await AgentRelay.open(agentFolder)));
    undo.move();
    return new BuildSession(secrets, agents, request.Dockerfile);
  }

  /** Sockets of the agents, by id. */
  get agentPaths(): ReadonlyMap<string, string> {
    return new Map([...this.#agents].map(([id, { path }]) => [id, path]));
  }

  /** Where the client parks connections to its agent. Fault `notFound` for one that was not announced. */
  agent(id: string): AgentRelay {
    const relay = this.#agents.get(id);
    if (relay === undefined) throw new Fault("notFound", `no such SSH agent in this session: ${id.slice(0, 100)}`);
    return relay;
  }

  /** Offers an archive as the context of that name; resolves when the build has read it, or is over. */
  async offer(name: string, body: RequestBody): Promise<void> {
    const place = this.#place(name);
    const { promise: done, resolve } = Promise.withResolvers<void>();
    place.resolve({ body, done: resolve });
    await Promise.race([done, this.#over.promise]);
  }

  /** The archive of that name, when it comes. Fault `invalid` when it does not. */
  async *context(name: string): AsyncGenerator<Uint8Array, void, void> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => late.reject(new Fault("invalid", `the client did not send the build context ${name.slice(0, 100)}`)),
      contextPatienceMs,
    );
    late.promise.catch(() => undefined);
    try {
      const { body, done } = await Promise.race([this.#place(name).promise, late.promise]);
      clearTimeout(timer);
      try {
        yield* body;
      } finally {
        done();
      }
    } finally {
      clearTimeout(timer);
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#over.resolve();
    await using undo = new AsyncDisposableStack();
    for (const relay of this.#agents.values()) undo.use(relay);
  }

  #place(name: string): PromiseWithResolvers<SentContext> {
    const place = this.#contexts.get(name) ?? Promise.withResolvers<SentContext>();
    if (this.#contexts.size >= mostContexts && !this.#contexts.has(name))
      throw new Fault("tooLarge", `a build has at most ${mostContexts} named contexts`);
    this.#contexts.set(name, place);
    return place;
  }
}

interface SentContext {
  readonly body: RequestBody;
  readonly done: () => void;
}

/** The sessions of a daemon. */
export class BuildSessions {
  readonly #agentFolder: string;
  /** Those that wait are bounded by `mostWaiting`; a taken one leaves with its build. */
  readonly #sessions = new Map<string, BuildSession>();
  /** Sockets that a killed daemon left are gone. */
  #swept: Promise<void> | undefined;

  /** `agentFolder`: where sockets of agents are made. */
  constructor(agentFolder: string) {
    this.#agentFolder = agentFolder;
  }

  /** Answers the id, which nobody can guess. Faults: `invalid`, `tooLarge`, `exhausted` when too many wait for their builds. */
  async open(request: BuildSessionRequest): Promise<string> {
    if ([...this.#sessions.values()].filter(({ isTaken }) => !isTaken).length >= mostWaiting)
      throw new Fault("exhausted", "too many build sessions wait for their builds");
    if ((request.Agents ?? []).length > 0)
      await (this.#swept ??= rm(this.#agentFolder, { recursive: true, force: true }));
    const session = await BuildSession.open(request, this.#agentFolder);
    const id = newId();
    this.#sessions.set(id, session);
    setTimeout(() => {
      if (!session.isTaken) void this.close(id);
    }, lifeMs).unref();
    return id;
  }

  /** For its client. Fault `notFound`. */
  find(id: string): BuildSession {
    const session = this.#sessions.get(id);
    if (session === undefined) throw noSession();
    return session;
  }

  /** For its build, once. Fault `notFound`. */
  take(id: string): BuildSession {
    const session = this.find(id);
    if (session.isTaken) throw noSession();
    session.isTaken = true;
    return session;
  }

  /** Forgets a session; quiet when there is none. */
  async close(id: string): Promise<void> {
    const session = this.#sessions.get(id);
    this.#sessions.delete(id);
    await session?.[Symbol.asyncDispose]();
  }
}

function secretBytes(id: string, text: string): Uint8Array {
  const bytes = Buffer.from(text, "base64");
  if (bytes.length > mostSecretBytes)
    throw new Fault("tooLarge", `secret ${id.slice(0, 100)} is larger than ${mostSecretBytes / 1024} KiB`);
  return bytes;
}

function noSession(): Fault {
  return new Fault("notFound", "no such build session: it is used once, and forgotten after some minutes");
}
